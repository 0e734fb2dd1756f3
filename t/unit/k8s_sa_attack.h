/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the attack tests share: an issuer with a key of each type, whose policy
 * accepts every algorithm.
 */

#ifndef K8S_SA_ATTACK_H
#define K8S_SA_ATTACK_H


#include "k8s_sa_test_keys.h"


static k8s_sa_keyset_t  *keys;
static k8s_sa_policy_t   all;


/* Sets up a group of tests; takes over the RSA key. */

static inline int
attack_setup(EVP_PKEY *rsa_key)
{
    char    *jwk;
    size_t   i;

    test_keys_make(rsa_key);

    keys = k8s_sa_keyset_create();
    assert_non_null(keys);

    for (i = 0; i < TEST_KEYS; i++) {
        jwk = test_jwk_named(test_keys[i]);
        assert_int_equal(k8s_sa_keyset_add_jwks(keys, jwk, strlen(jwk), NULL,
                                                NULL), K8S_SA_OK);
    }

    all = test_policy();
    all.algorithms = ~0u;

    return test_release(NULL);
}


static inline int
attack_teardown(void **state)
{
    (void) state;

    k8s_sa_keyset_free(keys);
    test_keys_free();

    return 0;
}


/* Fails unless the verdict about the token is among the expected. */

static inline void
refused(const char *what, const char *token, unsigned expected)
{
    k8s_sa_verdict_e  rc;

    rc = test_check(token, keys, &all);

    if ((expected & (1u << rc)) == 0) {
        fail_msg("%s: %s", what, k8s_sa_verdict_info(rc)->word);
    }
}


#endif /* K8S_SA_ATTACK_H */
