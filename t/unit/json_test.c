/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The strict JSON parser: which texts it accepts, values, limits.
 */

#include "json_texts.h"


static char *nested(unsigned depth, char open);


static void
good_texts(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < test_nelts(good); i++) {
        if (parse(good[i].text, good[i].len) == NULL) {
            fail_msg("refused: %s", good[i].text);
        }
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
    }
}


static void
every_prefix_is_refused(void **state)
{
    size_t  i, n;

    (void) state;

    /* with ASan this shows that nothing is read past the end */

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


/* Strings are read eight bytes at a time: try each byte in each place. */

static void
every_byte_at_every_place(void **state)
{
    int                        ch;
    size_t                     i;
    k8s_sa_json_t             *doc;
    const k8s_sa_json_node_t  *n;

    static char                text[] = "{\"a\":\"0123456789abcdefghijklmn\"}";

    (void) state;

    for (i = 6; i < sizeof(text) - 3; i++) {
        for (ch = 0; ch < 256; ch++) {
            char  was = text[i];

            text[i] = (char) ch;
            doc = parse(text, sizeof(text) - 1);

            if (ch < 0x20 || ch > 0x7f || ch == '"'
                || (ch == '\\' && text[i + 1] != 'b' && text[i + 1] != 'f'
                    && text[i + 1] != 'n'))
            {
                assert_null(doc);

            } else if (ch != '\\') {
                assert_non_null(doc);

                n = k8s_sa_json_first(doc, &doc->nodes[0]);
                assert_int_equal(n->value.len, 24);
                assert_memory_equal(n->value.data, text + 6, 24);
                assert_int_equal(n->plain, ch != 0x7f);

            } else {
                assert_non_null(doc);

                n = k8s_sa_json_first(doc, &doc->nodes[0]);
                assert_int_equal(n->value.len, 23);
                assert_int_equal(n->plain, 0);
            }

            text[i] = was;
        }
    }
}


/* Plain strings have no characters that an identity must not have. */

static void
plain_strings(void **state)
{
    size_t          i;
    k8s_sa_json_t  *doc;

    static const struct {
        const char  *value;
        uint32_t     plain;
    } list[] = {
        { "\"\"", 1 },       { "\"/~ \"", 1 },     { "\"\\u0041\"", 0 },
        { "\"\\n\"", 0 },    { "\"\x7f\"", 0 },    { "\"\\u007f\"", 0 },
        { "\"\xc3\xa4\"", 0 }, { "1", 0 },         { "true", 0 },
        { "[\"a\"]", 0 },    { "{\"a\":\"a\"}", 0 }
    };

    (void) state;

    for (i = 0; i < test_nelts(list); i++) {
        char  *text = test_format("{\"x\":%s}", list[i].value);

        doc = parse(text, strlen(text));
        assert_non_null(doc);
        assert_int_equal(k8s_sa_json_member(doc, &doc->nodes[0], "x")->plain,
                         list[i].plain);
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

    /* members in order, and each by its name */

    n = k8s_sa_json_first(doc, root);

    for (i = 0; i < test_nelts(names); i++) {
        assert_non_null(n);
        assert_string_equal(test_text(&n->name), names[i]);
        assert_int_equal(k8s_sa_json_has(doc, root, names[i]), 1);
        assert_ptr_equal(k8s_sa_json_member(doc, root, names[i]),
                         n->type == K8S_SA_JSON_NULL ? NULL : n);
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

    assert_int_equal(k8s_sa_json_has(doc, root, "y"), 0);
    assert_int_equal(k8s_sa_json_has(doc, NULL, "z"), 0);
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

    /* not objects */

    assert_null(k8s_sa_json_member(doc, k8s_sa_json_member(doc, root, "b"),
                                   "a"));
    assert_null(k8s_sa_json_member(doc, k8s_sa_json_member(doc, root, "c"),
                                   "a"));
    assert_null(k8s_sa_json_first(doc, k8s_sa_json_member(doc, root, "c")));
}


static void
seconds(void **state)
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
        { "0",                      K8S_SA_OK,    0 },
        { "1",                      K8S_SA_OK,    1 },
        { "4294967296",             K8S_SA_OK,    4294967296 },
        { "9223372036854775807",    K8S_SA_OK,    INT64_MAX },
        { "9223372036854775807.999",
                                    K8S_SA_OK,    INT64_MAX },
        { "4102444800.0",           K8S_SA_OK,    4102444800 },
        { "4102444800.336421",      K8S_SA_OK,    4102444800 },
        { "1.683061093e+09",        K8S_SA_OK,    1683061093 },
        { "1.688117968E9",          K8S_SA_OK,    1688117968 },
        { "1.6881179689e9",         K8S_SA_OK,    1688117968 },
        { "41024448e2",             K8S_SA_OK,    4102444800 },
        { "4102444800e0",           K8S_SA_OK,    4102444800 },
        { "4102444800E-00",         K8S_SA_OK,    4102444800 },
        { "41024448009e-1",         K8S_SA_OK,    4102444800 },
        { "0.000000041024448e17",   K8S_SA_OK,    4102444800 },
        { "922337203685477580.7e1", K8S_SA_OK,    INT64_MAX },
        { "0.9999",                 K8S_SA_OK,    0 },
        { "1e-1",                   K8S_SA_OK,    0 },
        { "1e-999999999999999999999",
                                    K8S_SA_OK,    0 },
        { "0e999999999999999999999",
                                    K8S_SA_OK,    0 },
        { "0.000e400",              K8S_SA_OK,    0 },
        { "1e18",                   K8S_SA_OK,    1000000000000000000 },
        { "9223372036854775808",    K8S_SA_ERROR, 0 },
        { "9223372036854775808.0",  K8S_SA_ERROR, 0 },
        { "922337203685477580.8e1", K8S_SA_ERROR, 0 },
        { "18446744073709551616",   K8S_SA_ERROR, 0 },
        { "18446744073709551617",   K8S_SA_ERROR, 0 },
        { "92233720368547758070",   K8S_SA_ERROR, 0 },
        { "1000000000000000000000000000000000000000000000000000",
                                    K8S_SA_ERROR, 0 },
        { "1e19",                   K8S_SA_ERROR, 0 },
        { "1.7e26",                 K8S_SA_ERROR, 0 },
        { "1e309",                  K8S_SA_ERROR, 0 },
        { "1e99999999999999999999", K8S_SA_ERROR, 0 },
        { "1e18446744073709551616", K8S_SA_ERROR, 0 },
        { "0.1e9999999999",         K8S_SA_ERROR, 0 },
        { "-0",                     K8S_SA_ERROR, 0 },
        { "-0.0",                   K8S_SA_ERROR, 0 },
        { "-1",                     K8S_SA_ERROR, 0 },
        { "-1e-5",                  K8S_SA_ERROR, 0 },
        { "-9223372036854775808",   K8S_SA_ERROR, 0 },
        { "\"1\"",                  K8S_SA_ERROR, 0 },
        { "\"\"",                   K8S_SA_ERROR, 0 },
        { "true",                   K8S_SA_ERROR, 0 },
        { "[1]",                    K8S_SA_ERROR, 0 },
        { "{}",                     K8S_SA_ERROR, 0 }
    };

    (void) state;

    for (i = 0; i < test_nelts(numbers); i++) {
        text = test_format("{\"a\":%s}", numbers[i].text);

        doc = parse(text, strlen(text));
        assert_non_null(doc);

        node = k8s_sa_json_member(doc, &doc->nodes[0], "a");

        if (k8s_sa_json_seconds(node, &value) != numbers[i].rc) {
            fail_msg("%s is %sa time", numbers[i].text,
                     numbers[i].rc == K8S_SA_OK ? "not " : "");
        }

        if (numbers[i].rc == K8S_SA_OK && value != numbers[i].value) {
            fail_msg("%s is read as %lld", numbers[i].text,
                     (long long) value);
        }
    }
}


/* An object with depth - 1 nested containers. */

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

    /* nothing but opening brackets, as many as fit into a token */

    text = test_keep(malloc(K8S_SA_TOKEN_MAX));
    memset(text, '[', K8S_SA_TOKEN_MAX);
    memcpy(text, "{\"a\":", 5);
    assert_null(parse(text, K8S_SA_TOKEN_MAX));

    /* closed containers do not count */

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

    /* wherever the duplicate is, whatever the number of members */

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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(good_texts, test_release),
        cmocka_unit_test_teardown(bad_texts, test_release),
        cmocka_unit_test_teardown(every_prefix_is_refused, test_release),
        cmocka_unit_test_teardown(every_byte_at_every_place, test_release),
        cmocka_unit_test_teardown(plain_strings, test_release),
        cmocka_unit_test_teardown(values, test_release),
        cmocka_unit_test_teardown(no_such_member, test_release),
        cmocka_unit_test_teardown(seconds, test_release),
        cmocka_unit_test_teardown(depth_is_bounded, test_release),
        cmocka_unit_test_teardown(nodes_are_bounded, test_release),
        cmocka_unit_test_teardown(duplicates_among_many, test_release)
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
