/*
 * The strict JSON reader: tables of what is and what is not JSON for us, the
 * bounds, and a comparison with jansson over mutations of real claims.
 */

#include "k8s_sa_test.h"

#include <glob.h>


#define MUTATIONS  400       /* of each fixture token's claims */


static k8s_sa_json_t *parse(const char *text, size_t len);
static void same(const k8s_sa_json_t *doc, const k8s_sa_json_node_t *node,
    json_t *value, const char *text);
static void same_member(const k8s_sa_json_t *doc,
    const k8s_sa_json_node_t *node, json_t *object, const char *text);
static void beyond_us(json_t *value, unsigned depth, unsigned *deepest,
    unsigned *nodes);
static int compare(const char *text, size_t len);
static size_t mutate(char *text, size_t len, size_t size, uint32_t *seed);
static uint32_t next(uint32_t *seed);
static char *nested(unsigned depth, char open);


/* The document, or NULL if it is refused. */

static k8s_sa_json_t *
parse(const char *text, size_t len)
{
    k8s_sa_json_t  *doc;

    doc = test_keep(malloc(sizeof(k8s_sa_json_t)));
    memset(doc, 0xa5, sizeof(k8s_sa_json_t));

    if (k8s_sa_json_parse(doc, test_copy(text, len), len) != K8S_SA_OK) {
        return NULL;
    }

    return doc;
}


#define S(text)  { text, sizeof(text) - 1 }

typedef struct {
    const char  *text;
    size_t       len;
} text_t;


static const text_t  good[] = {
    S("{}"), S(" {\t} \r\n"), S("{\"\":1}"), S("{\"a\":{}}"),
    S("{\"a\":[]}"), S("{\"a\":[[],{},[{}]]}"),
    S("{\"a\":null,\"b\":true,\"c\":false}"),
    S("{ \"a\" : [ 1 , \"x\" ] , \"b\" : { \"c\" : 2 } }"),
    S("{\"a\":0}"), S("{\"a\":-0}"), S("{\"a\":-1}"), S("{\"a\":10}"),
    S("{\"a\":1.5}"), S("{\"a\":0.0}"), S("{\"a\":1e5}"), S("{\"a\":1E+5}"),
    S("{\"a\":-1.25e-3}"), S("{\"a\":0e0}"),
    S("{\"a\":\"\"}"), S("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"),
    S("{\"a\":\"\\u0001\\u007f\\u00e4\\uFFFF\"}"),
    S("{\"a\":\"\\ud83d\\ude00\\uDBFF\\uDFFF\"}"),
    S("{\"a\":\"\x7f\"}"), S("{\"a\":\"/\"}"),
    S("{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}"),
    S("{\"a\":\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\"}"),
    S("{\"a\":\"\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"}"),
    S("{\"a\":\"0123456789abcdef0123456789abcdef\"}"),
    S("{\"\xc3\xa4\":1,\"\\u00e5\":2}"),
    S("{\"a\":1,\"A\":2,\"aa\":3,\"\":4}"),
    S("{\"a\":{\"a\":{\"a\":1}}}"), S("{\"a\":[{\"b\":1},{\"b\":1}]}")
};


static const text_t  bad[] = {

    /* the root is an object, and nothing is behind it */

    S(""), S(" "), S("[]"), S("1"), S("\"a\""), S("null"), S("true"),
    S("{}{}"), S("{},"), S("{}x"), S("{}\0"), S("\0{}"), S("{}]"), S("}"),
    S("\xef\xbb\xbf{}"), S("//\n{}"), S("{}#"), S("x{}"),

    /* structure */

    S("{"), S("{\"a\""), S("{\"a\":"), S("{\"a\":1"), S("{\"a\":1,"),
    S("{\"a\":1,}"), S("{,}"), S("{,\"a\":1}"), S("{\"a\":1,,\"b\":1}"),
    S("{\"a\"}"), S("{\"a\":}"), S("{\"a\":,}"), S("{:1}"), S("{1:1}"),
    S("{a:1}"), S("{'a':1}"), S("{\"a\" 1}"), S("{\"a\"=1}"),
    S("{\"a\"::1}"), S("{\"a\":1 \"b\":2}"), S("{\"a\":1;\"b\":2}"),
    S("{null:1}"), S("{\"a\":1]"), S("{\"a\":[1}"), S("{\"a\":[1,]}"),
    S("{\"a\":[,]}"), S("{\"a\":[,1]}"), S("{\"a\":[1 2]}"),
    S("{\"a\":[1,,2]}"), S("{\"a\":["), S("{\"a\":[1"), S("{\"a\":[1,"),
    S("{\"a\":[\"b\":1]}"), S("{\"a\":{\"b\"}}"), S("{\"a\":{1}}"),
    S("{\"a\":1}}"), S("{\"a\":[]]}"), S("{\"a\":(1)}"), S("{[]:1}"),

    /* white space is space, tab, CR and LF */

    S("\v{}"), S("{\f}"), S("{\"a\":\xc2\xa0" "1}"), S("{\0}"),
    S("{}\xe2\x80\xa8"), S("{\x08}"),

    /* numbers: RFC 8259 section 6 */

    S("{\"a\":+1}"), S("{\"a\":01}"), S("{\"a\":-01}"), S("{\"a\":00}"),
    S("{\"a\":-}"), S("{\"a\":.5}"), S("{\"a\":1.}"), S("{\"a\":1.e5}"),
    S("{\"a\":1e}"), S("{\"a\":1e+}"), S("{\"a\":1e-}"), S("{\"a\":1e5.5}"),
    S("{\"a\":0x10}"), S("{\"a\":1_000}"), S("{\"a\":1 000}"),
    S("{\"a\":NaN}"), S("{\"a\":Infinity}"), S("{\"a\":-Infinity}"),
    S("{\"a\":--1}"), S("{\"a\":1-}"), S("{\"a\":1a}"), S("{\"a\":1.2.3}"),
    S("{\"a\":0.}"), S("{\"a\":-.5}"), S("{\"a\":\xd9\xa1}"), S("{\"a\":1"),

    /* literals */

    S("{\"a\":True}"), S("{\"a\":TRUE}"), S("{\"a\":tru}"),
    S("{\"a\":truee}"), S("{\"a\":nul}"), S("{\"a\":nulll}"),
    S("{\"a\":fals"), S("{\"a\":t}"), S("{\"a\":undefined}"),
    S("{\"a\":nan}"), S("{\"a\":true"), S("{\"a\":n"),

    /* strings */

    S("{\"a\":\"}"), S("{\"a\":\"x}"), S("{\"a"), S("{\""), S("{\"a\":'x'}"),
    S("{\"a\":\"\\\"}"), S("{\"a\":\"\\x41\"}"), S("{\"a\":\"\\a\"}"),
    S("{\"a\":\"\\'\"}"), S("{\"a\":\"\\0\"}"), S("{\"a\":\"\\U0041\"}"),
    S("{\"a\":\"\\"), S("{\"a\":\"\\u"), S("{\"a\":\"\\u0"),
    S("{\"a\":\"\\u004"), S("{\"a\":\"\\u0041"), S("{\"a\":\"\\u00g1\"}"),
    S("{\"a\":\"\\u 041\"}"), S("{\"a\":\"\\u+041\"}"),
    S("{\"a\":\"\\u-041\"}"), S("{\"a\":\"\\u004\"}"), S("{\"a\":\"\\\n\"}"),

    /* \u0000 and unpaired surrogates */

    S("{\"a\":\"\\u0000\"}"), S("{\"\\u0000\":1}"),
    S("{\"a\":\"x\\u0000y\"}"),
    S("{\"a\":\"\\ud800\"}"), S("{\"a\":\"\\udc00\"}"),
    S("{\"a\":\"\\udfff\"}"), S("{\"a\":\"\\ud800x\"}"),
    S("{\"a\":\"\\ud800\\ud800\"}"), S("{\"a\":\"\\udc00\\ud800\"}"),
    S("{\"a\":\"\\ud800\\u0041\"}"), S("{\"a\":\"\\ud83d\\\\ude00\"}"),
    S("{\"a\":\"\\ud83d\\n\"}"), S("{\"a\":\"\\ud83d"),
    S("{\"a\":\"\\ud83d\\"), S("{\"a\":\"\\ud83d\\u"),
    S("{\"a\":\"\\ud83d\\ude0"), S("{\"a\":\"\\ud83d\\u de\"}"),

    /* raw control characters */

    S("{\"a\":\"\0\"}"), S("{\"a\":\"\n\"}"), S("{\"a\":\"\t\"}"),
    S("{\"a\":\"\r\"}"), S("{\"a\":\"\x1f\"}"), S("{\"a\":\"\x01\"}"),
    S("{\"a\nb\":1}"), S("{\"a\0b\":1}"),
    S("{\"a\":\"0123456789abcdef0123456789abcde\n0123\"}"),

    /* UTF-8: overlong, surrogates, over U+10FFFF, cut, stray */

    S("{\"a\":\"\xc0\x80\"}"), S("{\"a\":\"\xc0\xaf\"}"),
    S("{\"a\":\"\xc1\xbf\"}"), S("{\"a\":\"\xe0\x80\xaf\"}"),
    S("{\"a\":\"\xe0\x9f\xbf\"}"), S("{\"a\":\"\xf0\x80\x80\xaf\"}"),
    S("{\"a\":\"\xf0\x8f\xbf\xbf\"}"), S("{\"a\":\"\xed\xa0\x80\"}"),
    S("{\"a\":\"\xed\xbf\xbf\"}"), S("{\"a\":\"\xed\xa0\xbd\xed\xb8\x80\"}"),
    S("{\"a\":\"\xf4\x90\x80\x80\"}"), S("{\"a\":\"\xf5\x80\x80\x80\"}"),
    S("{\"a\":\"\xf8\x88\x80\x80\x80\"}"), S("{\"a\":\"\xfe\"}"),
    S("{\"a\":\"\xff\"}"), S("{\"a\":\"\x80\"}"), S("{\"a\":\"\xbf\"}"),
    S("{\"a\":\"\xc3\"}"), S("{\"a\":\"\xe2\x82\"}"),
    S("{\"a\":\"\xf0\x9f\x98\"}"), S("{\"a\":\"\xc3\x28\"}"),
    S("{\"a\":\"\xe2\x28\xa1\"}"), S("{\"a\":\"\xe2\x82\x28\"}"),
    S("{\"a\":\"\xf0\x28\x8c\xbc\"}"), S("{\"a\":\"\xf0\x9f\x28\xbc\"}"),
    S("{\"a\":\"\xc3"), S("{\"a\":\"\xe2\x82"), S("{\"a\":\"\xf0\x9f\x98"),
    S("{\"\xff\":1}"), S("{\"\xed\xa0\x80\":1}"), S("{\"\xc0\x80\":1}"),

    /* each name once, escapes resolved */

    S("{\"a\":1,\"a\":1}"), S("{\"a\":1,\"b\":2,\"a\":3}"),
    S("{\"a\":1,\"\\u0061\":2}"), S("{\"\\u0061\":1,\"a\":2}"),
    S("{\"\\u0061b\":1,\"a\\u0062\":2}"), S("{\"\":1,\"\":2}"),
    S("{\"/\":1,\"\\/\":2}"), S("{\"\\u002f\":1,\"\\/\":2}"),
    S("{\"\xc3\xa4\":1,\"\\u00e4\":2}"),
    S("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}"),
    S("{\"x\":{\"a\":1,\"a\":2}}"), S("{\"x\":{\"y\":{\"a\":1,\"a\":2}}}"),
    S("{\"x\":[{\"a\":1,\"\\u0061\":2}]}"), S("{\"a\":{},\"b\":[],\"a\":{}}"),
    S("{\"a\":null,\"a\":null}"), S("{\"A\":1,\"\\u0041\":1}")
};


static void
good_texts(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < test_nelts(good); i++) {
        if (parse(good[i].text, good[i].len) == NULL) {
            fail_msg("refused: %s", good[i].text);
        }

        (void) compare(good[i].text, good[i].len);
    }
}


static void
bad_texts(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < test_nelts(bad); i++) {
        if (parse(bad[i].text, bad[i].len) != NULL) {
            fail_msg("number %d is not refused: %s", (int) i, bad[i].text);
        }

        (void) compare(bad[i].text, bad[i].len);
    }
}


static void
every_prefix_is_refused(void **state)
{
    size_t  i, n;

    (void) state;

    /* under ASan also: nothing is read behind the end */

    for (i = 0; i < test_nelts(good); i++) {
        for (n = 0; n < good[i].len; n++) {

            if (memchr(good[i].text + n, '}', good[i].len - n) == NULL) {
                break;
            }

            if (parse(good[i].text, n) != NULL) {
                fail_msg("%d bytes are enough: %s", (int) n, good[i].text);
            }
        }
    }
}


static void
values(void **state)
{
    size_t                     i;
    k8s_sa_json_t             *doc;
    const k8s_sa_json_node_t  *root, *a, *n;

    static const char  *names[] = { "s", "e", "n", "a", "o", "t", "f", "z" };

    (void) state;

    doc = parse(
        "{\"s\":\"text\",\"e\":\"\\u00e4\\n\\ud83d\\ude00\",\"n\":-12.5e3,"
        "\"\\u0061\":[1,[2,3],{\"x\":4}],\"o\":{\"s\":5},\"t\":true,"
        "\"f\":false,\"z\":null}",
        strlen(
        "{\"s\":\"text\",\"e\":\"\\u00e4\\n\\ud83d\\ude00\",\"n\":-12.5e3,"
        "\"\\u0061\":[1,[2,3],{\"x\":4}],\"o\":{\"s\":5},\"t\":true,"
        "\"f\":false,\"z\":null}"));
    assert_non_null(doc);

    root = &doc->nodes[0];

    assert_int_equal(root->type, K8S_SA_JSON_OBJECT);
    assert_int_equal(root->count, 8);
    assert_int_equal(root->next, 0);
    assert_null(root->name.data);
    assert_null(root->value.data);
    assert_int_equal(doc->n, 16);

    /* members in their order, and each by its name */

    n = k8s_sa_json_first(doc, root);

    for (i = 0; i < test_nelts(names); i++) {
        assert_non_null(n);
        assert_string_equal(test_text(&n->name), names[i]);
        assert_ptr_equal(k8s_sa_json_member(doc, root, names[i]), n);
        n = k8s_sa_json_next(doc, n);
    }

    assert_null(n);

    n = k8s_sa_json_member(doc, root, "s");
    assert_int_equal(n->type, K8S_SA_JSON_STRING);
    assert_string_equal(test_text(&n->value), "text");

    n = k8s_sa_json_member(doc, root, "e");
    assert_string_equal(test_text(&n->value), "\xc3\xa4\n\xf0\x9f\x98\x80");

    n = k8s_sa_json_member(doc, root, "n");
    assert_int_equal(n->type, K8S_SA_JSON_NUMBER);
    assert_string_equal(test_text(&n->value), "-12.5e3");

    a = k8s_sa_json_member(doc, root, "a");
    assert_int_equal(a->type, K8S_SA_JSON_ARRAY);
    assert_int_equal(a->count, 3);
    assert_null(a->value.data);

    n = k8s_sa_json_first(doc, a);
    assert_string_equal(test_text(&n->value), "1");
    assert_null(n->name.data);

    n = k8s_sa_json_next(doc, n);
    assert_int_equal(n->count, 2);
    assert_string_equal(test_text(&k8s_sa_json_first(doc, n)->value), "2");

    n = k8s_sa_json_next(doc, n);
    assert_int_equal(n->type, K8S_SA_JSON_OBJECT);
    assert_string_equal(test_text(&k8s_sa_json_member(doc, n, "x")->value),
                        "4");
    assert_null(k8s_sa_json_next(doc, n));

    n = k8s_sa_json_member(doc, root, "o");
    assert_string_equal(test_text(&k8s_sa_json_member(doc, n, "s")->value),
                        "5");

    assert_int_equal(k8s_sa_json_member(doc, root, "t")->type,
                     K8S_SA_JSON_TRUE);
    assert_int_equal(k8s_sa_json_member(doc, root, "f")->type,
                     K8S_SA_JSON_FALSE);
    assert_int_equal(k8s_sa_json_member(doc, root, "z")->type,
                     K8S_SA_JSON_NULL);
}


static void
no_such_member(void **state)
{
    k8s_sa_json_t             *doc;
    const k8s_sa_json_node_t  *root;

    (void) state;

    doc = parse("{\"ab\":{},\"b\":[\"a\"],\"c\":\"a\",\"\":1}",
                strlen("{\"ab\":{},\"b\":[\"a\"],\"c\":\"a\",\"\":1}"));
    assert_non_null(doc);

    root = &doc->nodes[0];

    assert_null(k8s_sa_json_member(doc, root, "a"));
    assert_null(k8s_sa_json_member(doc, root, "abc"));
    assert_null(k8s_sa_json_member(doc, root, "AB"));
    assert_null(k8s_sa_json_member(doc, NULL, "ab"));
    assert_non_null(k8s_sa_json_member(doc, root, ""));

    assert_null(k8s_sa_json_member(doc, k8s_sa_json_member(doc, root, "ab"),
                                   "a"));
    assert_null(k8s_sa_json_first(doc, k8s_sa_json_member(doc, root, "ab")));

    /* no objects */

    assert_null(k8s_sa_json_member(doc, k8s_sa_json_member(doc, root, "b"),
                                   "a"));
    assert_null(k8s_sa_json_member(doc, k8s_sa_json_member(doc, root, "c"),
                                   "a"));
    assert_null(k8s_sa_json_first(doc, k8s_sa_json_member(doc, root, "c")));
}


static void
integers(void **state)
{
    char                      *text;
    size_t                     i;
    int64_t                    value;
    k8s_sa_json_t             *doc;
    const k8s_sa_json_node_t  *node;

    static const struct {
        const char  *text;
        int          rc;
        int64_t      value;
    } numbers[] = {
        { "0",                     K8S_SA_OK,    0          },
        { "1",                     K8S_SA_OK,    1          },
        { "-1",                    K8S_SA_OK,    -1         },
        { "4294967296",            K8S_SA_OK,    4294967296 },
        { "9223372036854775807",   K8S_SA_OK,    INT64_MAX  },
        { "-9223372036854775808",  K8S_SA_OK,    INT64_MIN  },
        { "-9223372036854775807",  K8S_SA_OK,    -INT64_MAX },
        { "9223372036854775808",   K8S_SA_ERROR, 0          },
        { "-9223372036854775809",  K8S_SA_ERROR, 0          },
        { "18446744073709551616",  K8S_SA_ERROR, 0          },
        { "18446744073709551617",  K8S_SA_ERROR, 0          },
        { "92233720368547758070",  K8S_SA_ERROR, 0          },
        { "99999999999999999999",  K8S_SA_ERROR, 0          },
        { "1000000000000000000000000000000000000000000000000000",
                                   K8S_SA_ERROR, 0          },
        { "-0",                    K8S_SA_ERROR, 0          },
        { "1.0",                   K8S_SA_ERROR, 0          },
        { "1e3",                   K8S_SA_ERROR, 0          },
        { "1E0",                   K8S_SA_ERROR, 0          },
        { "0.0",                   K8S_SA_ERROR, 0          },
        { "1e309",                 K8S_SA_ERROR, 0          },
        { "\"1\"",                 K8S_SA_ERROR, 0          },
        { "\"\"",                  K8S_SA_ERROR, 0          },
        { "null",                  K8S_SA_ERROR, 0          },
        { "true",                  K8S_SA_ERROR, 0          },
        { "[1]",                   K8S_SA_ERROR, 0          },
        { "{}",                    K8S_SA_ERROR, 0          }
    };

    (void) state;

    for (i = 0; i < test_nelts(numbers); i++) {
        text = test_format("{\"a\":%s}", numbers[i].text);

        doc = parse(text, strlen(text));
        assert_non_null(doc);

        node = k8s_sa_json_member(doc, &doc->nodes[0], "a");

        if (k8s_sa_json_integer(node, &value) != numbers[i].rc) {
            fail_msg("%s is %san integer", numbers[i].text,
                     numbers[i].rc == K8S_SA_OK ? "not " : "");
        }

        if (numbers[i].rc == K8S_SA_OK && value != numbers[i].value) {
            fail_msg("%s is read as %lld", numbers[i].text,
                     (long long) value);
        }
    }
}


/* An object that holds depth - 1 containers inside each other. */

static char *
nested(unsigned depth, char open)
{
    char      *text, *p;
    unsigned   i;

    text = p = test_keep(malloc(depth * 6 + 16));

    p += sprintf(p, "{\"a\":");

    for (i = 1; i < depth; i++) {
        p += sprintf(p, open == '[' ? "[" : "{\"a\":");
    }

    p += sprintf(p, "1");

    for (i = 1; i < depth; i++) {
        *p++ = (open == '[') ? ']' : '}';
    }

    *p++ = '}';
    *p = '\0';

    return text;
}


static void
depth_is_bounded(void **state)
{
    char      *text;
    unsigned   depth;

    (void) state;

    for (depth = 1; depth <= 40; depth++) {
        text = nested(depth, '[');
        assert_true((parse(text, strlen(text)) != NULL)
                    == (depth <= K8S_SA_JSON_DEPTH));

        text = nested(depth, '{');
        assert_true((parse(text, strlen(text)) != NULL)
                    == (depth <= K8S_SA_JSON_DEPTH));
    }

    /* opening brackets only, as many as a token holds */

    text = test_keep(malloc(K8S_SA_TOKEN_MAX));
    memset(text, '[', K8S_SA_TOKEN_MAX);
    memcpy(text, "{\"a\":", 5);
    assert_null(parse(text, K8S_SA_TOKEN_MAX));

    /* what is closed again does not count */

    text = test_format("{\"a\":[[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]]],"
                       "\"b\":{\"c\":{}},\"d\":%s}",
                       nested(K8S_SA_JSON_DEPTH - 1, '{'));
    assert_non_null(parse(text, strlen(text)));
}


static void
nodes_are_bounded(void **state)
{
    char      *text, *p;
    unsigned   i, n, nodes, object;

    (void) state;

    for (object = 0; object < 2; object++) {
        for (nodes = K8S_SA_JSON_NODES - 2; nodes <= K8S_SA_JSON_NODES + 2;
             nodes++)
        {
            text = p = test_keep(malloc(nodes * 12 + 32));
            p += sprintf(p, object ? "{" : "{\"a\":[");
            n = object ? nodes - 1 : nodes - 2;

            for (i = 0; i < n; i++) {
                p += object ? sprintf(p, "%s\"n%u\":1", i ? "," : "", i)
                            : sprintf(p, "%s1", i ? "," : "");
            }

            sprintf(p, object ? "}" : "]}");

            if ((parse(text, strlen(text)) != NULL)
                != (nodes <= K8S_SA_JSON_NODES))
            {
                fail_msg("%u values", nodes);
            }
        }
    }
}


static void
duplicates_among_many(void **state)
{
    char      *text, *p;
    unsigned   i, dup;

    (void) state;

    /* wherever the second one is, and however many there are */

    for (dup = 0; dup < 300; dup += 7) {
        text = p = test_keep(malloc(300 * 16 + 32));
        *p++ = '{';

        for (i = 0; i < 300; i++) {
            p += sprintf(p, "\"name%u\":%u,", i, i);
        }

        sprintf(p, "\"nam\\u0065%u\":1}", dup);
        assert_null(parse(text, strlen(text)));

        sprintf(p, "\"nam\\u0065%u\":1}", dup + 300);
        assert_non_null(parse(text, strlen(text)));
    }
}


/* Comparison with jansson. */


static void
same(const k8s_sa_json_t *doc, const k8s_sa_json_node_t *node, json_t *value,
    const char *text)
{
    size_t                     i;
    int64_t                    integer;
    const k8s_sa_json_node_t  *child;

    switch (json_typeof(value)) {

    case JSON_OBJECT:
        assert_int_equal(node->type, K8S_SA_JSON_OBJECT);
        assert_int_equal(node->count, json_object_size(value));

        for (child = k8s_sa_json_first(doc, node), i = 0;
             child;
             child = k8s_sa_json_next(doc, child), i++)
        {
            same_member(doc, child, value, text);
        }

        assert_int_equal(i, node->count);
        break;

    case JSON_ARRAY:
        assert_int_equal(node->type, K8S_SA_JSON_ARRAY);
        assert_int_equal(node->count, json_array_size(value));

        for (child = k8s_sa_json_first(doc, node), i = 0;
             child;
             child = k8s_sa_json_next(doc, child), i++)
        {
            same(doc, child, json_array_get(value, i), text);
        }

        assert_int_equal(i, node->count);
        break;

    case JSON_STRING:
        assert_int_equal(node->type, K8S_SA_JSON_STRING);
        assert_int_equal(node->value.len, json_string_length(value));
        assert_memory_equal(node->value.data, json_string_value(value),
                            node->value.len);
        break;

    case JSON_INTEGER:

        /* jansson takes -0 for an integer, we do not */

        if (k8s_sa_json_integer(node, &integer) == K8S_SA_OK) {
            assert_true(integer == json_integer_value(value));

        } else {
            assert_string_equal(test_text(&node->value), "-0");
        }

        break;

    case JSON_REAL:
        assert_int_equal(node->type, K8S_SA_JSON_NUMBER);
        assert_int_equal(k8s_sa_json_integer(node, &integer), K8S_SA_ERROR);
        break;

    default:
        assert_int_equal(node->type, json_is_true(value) ? K8S_SA_JSON_TRUE
                                     : json_is_false(value)
                                     ? K8S_SA_JSON_FALSE : K8S_SA_JSON_NULL);
    }
}


static void
same_member(const k8s_sa_json_t *doc, const k8s_sa_json_node_t *node,
    json_t *object, const char *text)
{
    json_t  *value;

    value = json_object_get(object, test_text(&node->name));

    if (value == NULL) {
        fail_msg("jansson knows no \"%s\" in %s", test_text(&node->name),
                 text);
    }

    same(doc, node, value, text);
}


/* What we refuse and jansson does not: depth and number of values. */

static void
beyond_us(json_t *value, unsigned depth, unsigned *deepest, unsigned *nodes)
{
    void    *iter;
    size_t   i;

    (*nodes)++;

    if (!json_is_array(value) && !json_is_object(value)) {
        return;
    }

    if (depth > *deepest) {
        *deepest = depth;
    }

    for (i = 0; i < json_array_size(value); i++) {
        beyond_us(json_array_get(value, i), depth + 1, deepest, nodes);
    }

    for (iter = json_object_iter(value);
         iter;
         iter = json_object_iter_next(value, iter))
    {
        beyond_us(json_object_iter_value(iter), depth + 1, deepest, nodes);
    }
}


/* Fails where we and jansson disagree; otherwise 1: accepted, 0: refused. */

static int
compare(const char *text, size_t len)
{
    json_t         *value;
    unsigned        deepest, nodes;
    json_error_t    err;
    k8s_sa_json_t  *doc;

    doc = parse(text, len);
    value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &err);

    if (doc && value) {
        same(doc, &doc->nodes[0], value, text);

    } else if (doc) {

        /* numbers are not evaluated, so they cannot overflow */

        if (json_error_code(&err) != json_error_numeric_overflow) {
            fail_msg("jansson refuses (%s): %s", err.text, text);
        }

    } else if (json_is_object(value)) {
        deepest = nodes = 0;
        beyond_us(value, 1, &deepest, &nodes);

        if (deepest <= K8S_SA_JSON_DEPTH && nodes <= K8S_SA_JSON_NODES) {
            fail_msg("jansson accepts: %s", text);
        }
    }

    json_decref(value);

    return doc != NULL;
}


static uint32_t
next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;

    return *seed >> 8;
}


/* One small change, mostly of the kind that matters to JSON. */

static size_t
mutate(char *text, size_t len, size_t size, uint32_t *seed)
{
    size_t       at, from, n;
    const char  *piece;

    static const char  *pieces[] = {
        "\"", "\\", "\\u0061", "\\u0000", "\\ud83d", "\\ude00", "\\n", "{",
        "}", "[", "]", ":", ",", " ", "\n", "\t", "0", "-", "1e9", ".5",
        "1e309", "99999999999999999999", "null", "true", "\xc3\xa4", "\xff",
        "\xc0\xaf", "\xed\xa0\x80", "\x7f", "\x01", "[1,2]", "{\"a\":1}",
        "\"aud\":1,", "\"exp\":1,", "\"a\":\"b\",", "\\u00e4", "\\/"
    };

    at = next(seed) % len;

    switch (next(seed) % 6) {

    case 0:
        text[at] = next(seed);
        return len;

    case 1:
        text[at] ^= 1 << next(seed) % 8;
        return len;

    case 2:
        memmove(text + at, text + at + 1, len - at - 1);
        return len - 1;

    case 3:
        from = next(seed) % len;
        n = next(seed) % 24;
        n = (from + n > len) ? len - from : n;
        n = (len + n > size) ? 0 : n;
        memmove(text + at + n, text + at, len - at);
        memmove(text + at, text + (from >= at ? from + n : from), n);
        return len + n;

    default:
        piece = pieces[next(seed) % test_nelts(pieces)];
        n = strlen(piece);
        n = (len + n > size) ? 0 : n;
        memmove(text + at + n, text + at, len - at);
        memcpy(text + at, piece, n);
        return len + n;
    }
}


static void
jansson_agrees_about_mutated_claims(void **state)
{
    char      *claims, *text;
    glob_t     files;
    size_t     i, j, k, n, len, size, accepted, refused;
    uint32_t   seed;

    (void) state;

    seed = 20261123;
    accepted = refused = 0;

    assert_int_equal(glob("t/fixtures/*/tokens/*.claims.json", 0, NULL,
                          &files), 0);

    for (i = 0; i < files.gl_pathc; i++) {

        claims = test_read(files.gl_pathv[i], &n);
        claims = (char *) test_copy(claims, n + 1);
        assert_int_equal(compare(claims, n), 1);

        for (j = 0; j < MUTATIONS; j++) {
            size = n + 256;
            text = malloc(size + 1);
            assert_non_null(text);
            memcpy(text, claims, n);
            len = n;

            for (k = next(&seed) % 3 + 1; k > 0 && len > 1; k--) {
                len = mutate(text, len, size, &seed);
            }

            text[len] = '\0';

            if (compare(text, len)) {
                accepted++;
            } else {
                refused++;
            }

            free(text);

            if (j % 64 == 63) {
                test_release(NULL);
                claims = test_read(files.gl_pathv[i], &n);
            }
        }

        test_release(NULL);
    }

    globfree(&files);

    /* both sides were met often enough to mean something */

    assert_true(accepted > 1000);
    assert_true(refused > 1000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(good_texts, test_release),
        cmocka_unit_test_teardown(bad_texts, test_release),
        cmocka_unit_test_teardown(every_prefix_is_refused, test_release),
        cmocka_unit_test_teardown(values, test_release),
        cmocka_unit_test_teardown(no_such_member, test_release),
        cmocka_unit_test_teardown(integers, test_release),
        cmocka_unit_test_teardown(depth_is_bounded, test_release),
        cmocka_unit_test_teardown(nodes_are_bounded, test_release),
        cmocka_unit_test_teardown(duplicates_among_many, test_release),
        cmocka_unit_test_teardown(jansson_agrees_about_mutated_claims,
                                  test_release)
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
