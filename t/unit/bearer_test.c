/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The token of an Authorization header.
 */

#include "k8s_sa_test.h"

#include "token/k8s_sa_bearer.h"


#define NONE  NULL


typedef struct {
    const char  *value;
    const char  *token;
} bearer_t;


static const bearer_t  values[] = {
    { "Bearer a.b.c", "a.b.c" },
    { "bearer a.b.c", "a.b.c" },
    { "BEARER a.b.c", "a.b.c" },
    { "bEaReR a.b.c", "a.b.c" },
    { "Bearer    a.b.c", "a.b.c" },
    { "Bearer Bearer a.b.c", "Bearer a.b.c" },
    { "Bearer a.b.c, Bearer d.e.f", "a.b.c, Bearer d.e.f" },
    { "Bearer a.b.c ", "a.b.c" },
    { "Bearer a.b.c \t ", "a.b.c" },
    { "Bearer \ta.b.c", "a.b.c" },
    { "Bearer\t a.b.c\t", "a.b.c" },
    { "Bearer\ta.b.c", "a.b.c" },
    { "Bearer a.b.c\td.e.f", "a.b.c\td.e.f" },
    { "Bearer a.b.c\n", "a.b.c\n" },
    { "Bearer \xff", "\xff" },
    { "Bearer ", "" },
    { "Bearer   ", "" },
    { "Bearer \t ", "" },
    { "Bearer\t", "" },

    { "", NONE },
    { "Bearer", NONE },
    { "Beare", NONE },
    { "a.b.c", NONE },
    { " Bearer a.b.c", NONE },
    { "Bearer\va.b.c", NONE },
    { "Bearer\na.b.c", NONE },
    { "Bearer\xa0""a.b.c", NONE },
    { "Bearer:a.b.c", NONE },
    { "Bearera.b.c", NONE },
    { "Bearer=a.b.c", NONE },
    { "Basic Bearer a.b.c", NONE },
    { "Basic YTpi", NONE },
    { "\"Bearer\" a.b.c", NONE },
    { "B\xc4\x97""arer a.b.c", NONE },
    { "Negotiate a.b.c", NONE }
};


static void
bearer_values(void **state)
{
    int             rc;
    size_t          i;
    k8s_sa_str_t    value, token;

    (void) state;

    for (i = 0; i < test_nelts(values); i++) {
        value.len = strlen(values[i].value);
        value.data = test_copy(values[i].value, value.len);

        rc = k8s_sa_bearer_token(&value, &token);

        if (values[i].token == NONE) {
            if (rc != K8S_SA_ERROR || token.data != NULL || token.len != 0) {
                fail_msg("\"%s\" has a token", values[i].value);
            }

            continue;
        }

        if (rc != K8S_SA_OK || token.len != strlen(values[i].token)
            || memcmp(token.data, values[i].token, token.len) != 0)
        {
            fail_msg("\"%s\" has the token \"%s\"", values[i].value,
                     test_text(&token));
        }

        assert_true(token.data >= value.data);
        assert_true(token.data + token.len <= value.data + value.len);
    }
}


/* The value may be absent. */

static void
bearer_absent(void **state)
{
    k8s_sa_str_t  value, token;

    (void) state;

    value.len = 0;
    value.data = NULL;

    assert_int_equal(k8s_sa_bearer_token(&value, &token), K8S_SA_ERROR);
    assert_null(token.data);
}


/* A NUL does not end the value. */

static void
bearer_nul(void **state)
{
    k8s_sa_str_t  value, token;

    (void) state;

    value.len = sizeof("Bearer \0a") - 1;
    value.data = test_copy("Bearer \0a", value.len);

    assert_int_equal(k8s_sa_bearer_token(&value, &token), K8S_SA_OK);
    assert_int_equal(token.len, 2);

    value.len = sizeof("Bear\0r a") - 1;
    value.data = test_copy("Bear\0r a", value.len);

    assert_int_equal(k8s_sa_bearer_token(&value, &token), K8S_SA_ERROR);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(bearer_values, test_release),
        cmocka_unit_test_teardown(bearer_absent, test_release),
        cmocka_unit_test_teardown(bearer_nul, test_release)
    };

    return cmocka_run_group_tests_name("bearer", tests, NULL, NULL);
}
