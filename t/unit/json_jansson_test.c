/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The strict JSON parser compared with jansson, which parses everything else:
 * both must agree about the texts of the tables and mutations of real claims.
 */

#include "json_texts.h"

#include <glob.h>
#include <math.h>


#define MUTATIONS  400       /* per token of the fixtures */


static void same(const k8s_sa_json_t *doc, const k8s_sa_json_node_t *node,
    json_t *value, const char *text);
static void same_member(const k8s_sa_json_t *doc,
    const k8s_sa_json_node_t *node, json_t *object, const char *text);
static void measure(json_t *value, unsigned depth, unsigned *deepest,
    unsigned *nodes);
static int compare(const char *text, size_t len);
static size_t mutate(char *text, size_t len, size_t size, uint32_t *seed);
static uint32_t next(uint32_t *seed);


static void
same(const k8s_sa_json_t *doc, const k8s_sa_json_node_t *node, json_t *value,
    const char *text)
{
    size_t                     i;
    double                     real;
    int64_t                    seconds;
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

        if (k8s_sa_json_seconds(node, &seconds) == K8S_SA_OK) {
            assert_true(seconds == json_integer_value(value));

        } else {
            assert_int_equal(node->value.data[0], '-');
        }

        break;

    case JSON_REAL:
        assert_int_equal(node->type, K8S_SA_JSON_NUMBER);
        real = json_real_value(value);

        if (k8s_sa_json_seconds(node, &seconds) == K8S_SA_OK) {

            /* jansson rounds to 53 bits before we cut */

            assert_true(fabs((double) seconds - real) <= 1
                        || fabs((double) seconds - real) <= real * 1e-15);

        } else {
            assert_true(node->value.data[0] == '-' || real > 9.2e18);
        }

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


/* Depth and number of values, which jansson does not limit. */

static void
measure(json_t *value, unsigned depth, unsigned *deepest, unsigned *nodes)
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
        measure(json_array_get(value, i), depth + 1, deepest, nodes);
    }

    for (iter = json_object_iter(value);
         iter;
         iter = json_object_iter_next(value, iter))
    {
        measure(json_object_iter_value(iter), depth + 1, deepest, nodes);
    }
}


/* Fails if we and jansson disagree.  Returns 1 if accepted, 0 if refused. */

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

        /* we do not convert numbers, so they cannot overflow */

        if (json_error_code(&err) != json_error_numeric_overflow) {
            fail_msg("jansson refuses (%s): %s", err.text, text);
        }

    } else if (json_is_object(value)) {
        deepest = nodes = 0;
        measure(value, 1, &deepest, &nodes);

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


/* Makes one small change, mostly to characters that matter in JSON. */

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
texts_of_the_tables(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < test_nelts(good); i++) {
        assert_int_equal(compare(good[i].text, good[i].len), 1);
    }

    for (i = 0; i < test_nelts(bad); i++) {
        assert_int_equal(compare(bad[i].text, bad[i].len), 0);
    }
}


static void
mutated_claims(void **state)
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

    /* the test compared enough texts of both kinds */

    assert_true(accepted > 1000);
    assert_true(refused > 1000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(texts_of_the_tables, test_release),
        cmocka_unit_test_teardown(mutated_claims, test_release)
    };

    return cmocka_run_group_tests_name("json_jansson", tests, NULL, NULL);
}
