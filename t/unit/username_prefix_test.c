/* SPDX-License-Identifier: BSD-2-Clause */

/* "username_prefix" of an issuer with "kubernetes off" */

#include "k8s_sa_test.h"


static EVP_PKEY         *rsa;
static k8s_sa_keyset_t  *keys;


/* A user of an issuer that is not Kubernetes is never one of the cluster's. */

static void
username_prefix(void **state)
{
    char               *token;
    size_t              i;
    k8s_sa_policy_t     policy;
    k8s_sa_verdict_e    rc;
    k8s_sa_identity_t   id;

    static const struct {
        const char  *prefix, *sub, *username;
    } list[] = {
        { "oidc:",  "alice",         "oidc:alice" },
        { "",       "alice",         "alice" },
        { "a",      "lice",          "alice" },
        { "oidc:",  "system:admin",  NULL },
        { "",       "system:admin",  NULL },
        { "sys",    "tem:admin",     NULL },
        { "system", ":admin",        NULL },
        { "oidc:",  "",              NULL }
    };

    (void) state;

    policy = test_policy();
    policy.kubernetes = 0;

    for (i = 0; i < test_nelts(list); i++) {
        policy.username_prefix = test_str(list[i].prefix);

        token = test_token(rsa, "RS256", test_header(rsa, "RS256"),
                           test_format("{\"iss\":\"" TEST_ISSUER "\","
                                       "\"aud\":\"service2\","
                                       "\"exp\":2000000000,\"sub\":\"%s\"}",
                                       list[i].sub));

        rc = test_check_bytes(token, strlen(token), keys, &policy,
                              2000000000 - 60, &id);

        if (list[i].username) {
            test_verdict(rc, VERDICT_OK);
            assert_string_equal(test_text(&id.username), list[i].username);
            assert_string_equal(test_text(&id.groups),
                                "system:authenticated\n");

        } else {
            test_verdict(rc, BAD_CLAIMS);
            assert_null(id.groups.data);
        }
    }

    /* the longest name, and one byte more */

    policy.username_prefix = test_str("oidc:");

    for (i = 1019; i < 1021; i++) {
        token = test_token(rsa, "RS256", test_header(rsa, "RS256"),
                           test_format("{\"iss\":\"" TEST_ISSUER "\","
                                       "\"aud\":\"service2\","
                                       "\"exp\":2000000000,"
                                       "\"sub\":\"%0*d\"}", (int) i, 0));

        rc = test_check_bytes(token, strlen(token), keys, &policy,
                              2000000000 - 60, &id);
        assert_int_equal(rc, i == 1019 ? K8S_SA_VERDICT_OK
                                       : K8S_SA_BAD_CLAIMS);
    }
}


static int
setup(void **state)
{
    (void) state;

    rsa = test_rsa(2048);
    keys = test_keyset(rsa);

    return test_release(NULL);
}


static int
teardown(void **state)
{
    (void) state;

    k8s_sa_keyset_free(keys);
    EVP_PKEY_free(rsa);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(username_prefix, test_release)
    };

    return cmocka_run_group_tests_name("username_prefix", tests, setup,
                                       teardown);
}
