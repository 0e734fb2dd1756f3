/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Which keys are tried for a token's kid: those of that name, and those that
 * have no name of their own.
 */

#include "k8s_sa_test.h"


static EVP_PKEY  *mine, *other;


static k8s_sa_keyset_t *
set_of(const char *jwk, const char *pem)
{
    k8s_sa_error_t    err;
    k8s_sa_keyset_t  *set;

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    if (jwk && k8s_sa_keyset_add_jwks(set, jwk, strlen(jwk), NULL, &err)
               != K8S_SA_OK)
    {
        fail_msg("%s", err.text);
    }

    if (pem && k8s_sa_keyset_add_pem(set, pem, strlen(pem), NULL, NULL, &err)
               != K8S_SA_OK)
    {
        fail_msg("%s", err.text);
    }

    return set;
}


static k8s_sa_verdict_e
verdict(k8s_sa_keyset_t *set, EVP_PKEY *signer, const char *kid,
    unsigned kubernetes)
{
    char             *header;
    k8s_sa_token_t   *t;
    k8s_sa_policy_t   policy;
    k8s_sa_verdict_e  rc;

    header = kid ? test_format("{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid)
                 : "{\"alg\":\"ES256\"}";
    header = test_token(signer, "ES256", header, TEST_CLAIMS);

    policy = test_policy();
    policy.kubernetes = kubernetes;

    t = test_space();
    rc = k8s_sa_token_parse(t, (unsigned char *) header, strlen(header));
    test_verdict(rc, VERDICT_OK);

    return k8s_sa_token_verify(t, set, &policy);
}


static void
jwk_without_a_kid(void **state)
{
    unsigned          kubernetes;
    k8s_sa_keyset_t  *set;

    static const char  *const jwks[] = { "", ",\"kid\":null" };

    (void) state;

    for (kubernetes = 0; kubernetes < 4; kubernetes++) {
        set = set_of(test_jwk(mine, jwks[kubernetes / 2]), NULL);

        test_verdict(verdict(set, mine, "x", kubernetes & 1), VERDICT_OK);
        test_verdict(verdict(set, mine, "", kubernetes & 1), VERDICT_OK);
        test_verdict(verdict(set, mine, test_kid(mine), kubernetes & 1),
                     VERDICT_OK);
        test_verdict(verdict(set, mine, NULL, kubernetes & 1), VERDICT_OK);

        /* a fetch may bring the key */

        test_verdict(verdict(set, other, "x", kubernetes & 1), UNKNOWN_KEY);
        test_verdict(verdict(set, other, NULL, kubernetes & 1),
                     BAD_SIGNATURE);
        test_verdict(verdict(set, other, test_kid(mine), kubernetes & 1),
                     BAD_SIGNATURE);

        k8s_sa_keyset_free(set);
    }
}


static void
jwk_with_a_kid(void **state)
{
    unsigned          kubernetes;
    k8s_sa_keyset_t  *set;

    (void) state;

    set = set_of(test_jwk(mine, ",\"kid\":\"a\""), NULL);

    for (kubernetes = 0; kubernetes < 2; kubernetes++) {
        test_verdict(verdict(set, mine, "a", kubernetes), VERDICT_OK);
        test_verdict(verdict(set, mine, NULL, kubernetes), VERDICT_OK);
        test_verdict(verdict(set, mine, "b", kubernetes), UNKNOWN_KEY);
        test_verdict(verdict(set, mine, "", kubernetes), UNKNOWN_KEY);
        test_verdict(verdict(set, mine, test_kid(mine), kubernetes),
                     UNKNOWN_KEY);
        test_verdict(verdict(set, other, "a", kubernetes), BAD_SIGNATURE);
    }

    k8s_sa_keyset_free(set);
}


/* Kubernetes' tokens name the key that signed them, others do not. */

static void
pem(void **state)
{
    k8s_sa_keyset_t  *set;

    (void) state;

    set = set_of(NULL, test_pem(mine));

    test_verdict(verdict(set, mine, "x", 1), UNKNOWN_KEY);
    test_verdict(verdict(set, mine, "x", 0), VERDICT_OK);
    test_verdict(verdict(set, other, "x", 0), UNKNOWN_KEY);
    test_verdict(verdict(set, mine, test_kid(mine), 1), VERDICT_OK);
    test_verdict(verdict(set, mine, test_kid(mine), 0), VERDICT_OK);
    test_verdict(verdict(set, mine, NULL, 1), VERDICT_OK);

    k8s_sa_keyset_free(set);
}


/* A key of the token's kid comes first, and does not hide the others. */

static void
named_keys_first(void **state)
{
    k8s_sa_keyset_t  *set;

    (void) state;

    set = set_of(test_format("{\"keys\":[%s,%s]}",
                             test_jwk(mine, ""),
                             test_jwk(other, ",\"kid\":\"a\"")), NULL);

    test_verdict(verdict(set, other, "a", 1), VERDICT_OK);
    test_verdict(verdict(set, mine, "a", 1), VERDICT_OK);
    test_verdict(verdict(set, other, "b", 1), UNKNOWN_KEY);

    k8s_sa_keyset_free(set);

    /* the same key, once with a name and once without */

    set = set_of(test_format("{\"keys\":[%s,%s]}",
                             test_jwk(mine, test_format(",\"kid\":\"%s\"",
                                                        test_kid(mine))),
                             test_jwk(mine, "")), NULL);

    assert_int_equal(k8s_sa_keyset_count(set), 2);
    test_verdict(verdict(set, mine, "b", 1), VERDICT_OK);
    test_verdict(verdict(set, other, test_kid(mine), 1), BAD_SIGNATURE);

    k8s_sa_keyset_free(set);
}


/* No token costs more than K8S_SA_KEYS_TRIED verifications. */

static void
number_of_keys(void **state)
{
    size_t            i, tried;
    EVP_PKEY         *pkey;
    const char       *jwks;
    k8s_sa_str_t      kid;
    k8s_sa_key_t     *key;
    k8s_sa_keyset_t  *set;

    (void) state;

    jwks = test_jwk(other, ",\"kid\":\"a\"");

    for (i = 0; i < K8S_SA_KEYS_TRIED + 4; i++) {
        pkey = test_ec("P-256");
        jwks = test_format("%s,%s", jwks, test_jwk(pkey, ""));
        EVP_PKEY_free(pkey);
    }

    set = set_of(test_format("{\"keys\":[%s]}", jwks), NULL);

    kid = test_str("b");
    tried = 0;
    key = NULL;

    while ((key = k8s_sa_keyset_find(set, &kid, k8s_sa_alg_find(
                                         (unsigned char *) "ES256", 5),
                                     1, key)))
    {
        tried++;
    }

    assert_int_equal(tried, K8S_SA_KEYS_TRIED);
    test_verdict(verdict(set, mine, "b", 1), UNKNOWN_KEY);

    k8s_sa_keyset_free(set);
}


static int
setup(void **state)
{
    (void) state;

    mine = test_ec("P-256");
    other = test_ec("P-256");

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    EVP_PKEY_free(mine);
    EVP_PKEY_free(other);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(jwk_without_a_kid, test_release),
        cmocka_unit_test_teardown(jwk_with_a_kid, test_release),
        cmocka_unit_test_teardown(pem, test_release),
        cmocka_unit_test_teardown(named_keys_first, test_release),
        cmocka_unit_test_teardown(number_of_keys, test_release)
    };

    return cmocka_run_group_tests_name("kid", tests, setup, teardown);
}
