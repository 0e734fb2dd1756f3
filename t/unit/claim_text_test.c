/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Claims as text, for $k8s_sa_claim_NAME and $k8s_sa_claims: it must not break
 * out of a header or a log line.
 */

#include "k8s_sa_test.h"

#include <glob.h>


static char *token_of(const char *claims);
static char *claim(const char *token, const char *name);


/* Not signed: the token has been verified before claims are read. */

static char *
token_of(const char *claims)
{
    return test_format("e30.%s.AA", test_b64(claims, strlen(claims)));
}


/* Returns the text of a claim, or NULL. */

static char *
claim(const char *token, const char *name)
{
    char    *value, *text;
    size_t   len;

    if (k8s_sa_token_claim_text(test_copy(token, strlen(token)),
                                strlen(token), name, strlen(name), &value,
                                &len)
        != K8S_SA_OK)
    {
        return NULL;
    }

    text = test_format("%.*s", (int) len, value);
    assert_int_equal(strlen(text), len);
    free(value);

    return text;
}


static void
one_claim(void **state)
{
    char    *json, *text;
    size_t   i;

    static const struct {
        const char  *json;
        const char  *text;          /* NULL: none */
    } list[] = {
        { "\"text\"",                 "text"                   },
        { "\"\"",                     ""                       },
        { "\"a\\u00e4\\\"\\\\\\/\"",  "a\xc3\xa4\"\\/"         },
        { "0",                        "0"                      },
        { "-12.50e+3",                "-12.50e+3"              },
        { "123456789012345678901234", "123456789012345678901234" },
        { "true",                     "true"                   },
        { "false",                    "false"                  },
        { "null",                     NULL                     },
        { "[\"a\",\"b\"]",            "a,b"                    },
        { "[ \"a\" ]",                "a"                      },
        { "[]",                       ""                       },
        { "[1,\"a\"]",                "[1,\"a\"]"              },
        { "[[\"a\"] , {} ]",          "[[\"a\"],{}]"           },
        { "{\"a\" : [1, null ]}",     "{\"a\":[1,null]}"       },
        { "{\"\\u0061\":\"\\u0062\"}", "{\"a\":\"b\"}"         },
        { "{\"a\":\"\\\"\\\\\\n\\u0001\"}",
          "{\"a\":\"\\\"\\\\\\n\\u0001\"}"                     },

        /* control characters that would be copied as they are */

        { "\"a\\nb\"",                NULL                     },
        { "\"a\\r\\nb\"",             NULL                     },
        { "\"\\t\"",                  NULL                     },
        { "\"\\u0001\"",              NULL                     },
        { "\"\\u007f\"",              NULL                     },
        { "\"\x7f\"",                 NULL                     },
        { "\"0123456\\n\"",           NULL                     },
        { "\"01234567\\n\"",          NULL                     },
        { "[\"a\",\"b\\nc\"]",        NULL                     },
        { "{\"a\":\"\x7f\"}",         NULL                     },
        { "{\"a\":\"\xc2\x82\"}",     NULL                     },
        { "{\"\xe2\x80\xa8\":1}",     NULL                     },

        /* a list whose elements could not be told apart */

        { "[\"a,b\"]",                NULL                     },
        { "[\"a\",\",\"]",            NULL                     }
    };

    (void) state;

    for (i = 0; i < test_nelts(list); i++) {
        json = test_format("{\"other\":1,\"c\":%s}", list[i].json);
        text = claim(token_of(json), "c");

        if ((text == NULL) != (list[i].text == NULL)
            || (text && strcmp(text, list[i].text) != 0))
        {
            fail_msg("%s becomes %s", list[i].json, text ? text : "nothing");
        }
    }
}


static void
no_such_claim(void **state)
{
    char  *token;

    (void) state;

    token = token_of("{\"ab\":{\"c\":1},\"\":\"x\"}");

    assert_null(claim(token, "a"));
    assert_null(claim(token, "abc"));
    assert_null(claim(token, "AB"));
    assert_null(claim(token, "c"));
    assert_string_equal(claim(token, ""), "x");
    assert_string_equal(claim(token, "ab"), "{\"c\":1}");
}


static void
no_such_token(void **state)
{
    char    *value;
    size_t   i, len;

    static const char  *texts[] = {
        "", ".", "..", "e30", "e30.e30", "e30.e30=.AA", "e30..AA",
        "e30.W10.AA", "e30.eyJhIjoxfQo==.AA", "e30.eyJhIjoxLCJhIjoxfQ.AA"
    };

    (void) state;

    for (i = 0; i < test_nelts(texts); i++) {
        assert_null(claim(texts[i], "a"));
        assert_int_equal(k8s_sa_token_claims_text(
                             test_copy(texts[i], strlen(texts[i])),
                             strlen(texts[i]), &value, &len), K8S_SA_ERROR);
    }
}


/* All claims on one line are the same JSON as the token's. */

static void
all_claims_of_fixtures(void **state)
{
    char     *token, *text, *value;
    glob_t    files;
    size_t    i, n, len;
    json_t   *theirs, *ours;

    (void) state;

    assert_int_equal(glob("t/fixtures/*/tokens/*.jwt", 0, NULL, &files), 0);

    for (i = 0; i < files.gl_pathc; i++) {
        token = test_read(files.gl_pathv[i], &n);

        assert_int_equal(k8s_sa_token_claims_text((unsigned char *) token, n,
                                                  &value, &len), K8S_SA_OK);
        assert_true(test_is_clean(value, len, ""));

        text = test_format("%.*s.claims.json",
                           (int) strlen(files.gl_pathv[i]) - 4,
                           files.gl_pathv[i]);
        theirs = json_load_file(text, 0, NULL);
        ours = json_loadb(value, len, JSON_REJECT_DUPLICATES, NULL);

        assert_non_null(theirs);
        assert_int_equal(json_equal(theirs, ours), 1);

        json_decref(theirs);
        json_decref(ours);
        free(value);
        test_release(NULL);
    }

    globfree(&files);
}


/* Escaped text is not longer than in the token (ASan checks, too). */

static void
never_longer_than_the_token(void **state)
{
    char          *json, *value, *p;
    size_t         i, len;
    unsigned       ch;

    (void) state;

    for (ch = 1; ch < 0x100; ch++) {
        json = p = test_keep(malloc(2048));
        p += sprintf(p, "{\"");

        for (i = 0; i < 50; i++) {
            p += (ch < 0x20) ? sprintf(p, "\\u%04x", ch)
                 : (ch == '"' || ch == '\\') ? sprintf(p, "\\%c", ch)
                 : (ch < 0x80) ? sprintf(p, "%c", ch)
                 : sprintf(p, "\\u%04x", ch);
        }

        p += sprintf(p, "\":[\"");

        for (i = 0; i < 50; i++) {
            p += (ch == '\b') ? sprintf(p, "\\b")
                 : (ch == '\f') ? sprintf(p, "\\f")
                 : (ch == '\n') ? sprintf(p, "\\n")
                 : (ch == '\r') ? sprintf(p, "\\r")
                 : (ch == '\t') ? sprintf(p, "\\t")
                 : (ch < 0x20) ? sprintf(p, "\\u%04x", ch)
                 : (ch == '"' || ch == '\\') ? sprintf(p, "\\%c", ch)
                 : (ch < 0x80) ? sprintf(p, "%c", ch)
                 : sprintf(p, "\xc3%c", 0x80 | (ch & 0x3f));
        }

        sprintf(p, "\"]}");

        json = token_of(json);

        if (k8s_sa_token_claims_text(test_copy(json, strlen(json)),
                                     strlen(json), &value, &len)
            != K8S_SA_OK)
        {
            assert_true(ch >= 0x7f && ch <= 0x9f);
            continue;
        }

        assert_false(ch >= 0x7f && ch <= 0x9f);
        assert_true(test_is_clean(value, len, ""));
        free(value);
    }
}


static void
names_in_another_case(void **state)
{
    const char  *token;

    (void) state;

    token = token_of("{\"isGuest\":true,\"Role\":\"a\",\"role\":\"b\","
                     "\"nO\":1,\"No\":2,\"a_b\":3,\"\\u00c4\":4,\"a@\":5}");

    assert_string_equal(claim(token, "isguest"), "true");
    assert_string_equal(claim(token, "isGuest"), "true");

    /* the exact name is preferred; of two others none is */

    assert_string_equal(claim(token, "role"), "b");
    assert_string_equal(claim(token, "Role"), "a");
    assert_null(claim(token, "ROLE"));
    assert_null(claim(token, "no"));

    /* only letters have a case */

    assert_null(claim(token, "a\x7f" "b"));
    assert_null(claim(token, "a`"));
    assert_null(claim(token, "\xc3\xa4"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(one_claim, test_release),
        cmocka_unit_test_teardown(no_such_claim, test_release),
        cmocka_unit_test_teardown(names_in_another_case, test_release),
        cmocka_unit_test_teardown(no_such_token, test_release),
        cmocka_unit_test_teardown(all_claims_of_fixtures, test_release),
        cmocka_unit_test_teardown(never_longer_than_the_token, test_release)
    };

    return cmocka_run_group_tests_name("claim_text", tests, NULL, NULL);
}
