/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One key of each type, for tests that need all of them.
 */

#ifndef K8S_SA_TEST_KEYS_H
#define K8S_SA_TEST_KEYS_H


#include "k8s_sa_test.h"


#define TEST_KEYS  5

static EVP_PKEY  *rsa, *p256, *p384, *p521, *ed;

static EVP_PKEY  *test_keys[TEST_KEYS];        /* the same, by k8s_sa_kty_e */

/* The algorithms that each can sign with. */

static const char  *const test_key_algs[TEST_KEYS][7] = {
    { "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", NULL },
    { "ES256", NULL },
    { "ES384", NULL },
    { "ES512", NULL },
    { "EdDSA", NULL }
};


/* Makes the keys; takes over the RSA key. */

static inline void
test_keys_make(EVP_PKEY *rsa_key)
{
    test_keys[K8S_SA_KTY_RSA] = rsa = rsa_key;
    test_keys[K8S_SA_KTY_P256] = p256 = test_ec("P-256");
    test_keys[K8S_SA_KTY_P384] = p384 = test_ec("P-384");
    test_keys[K8S_SA_KTY_P521] = p521 = test_ec("P-521");
    test_keys[K8S_SA_KTY_ED25519] = ed = test_ed25519();
}


static inline void
test_keys_free(void)
{
    size_t  i;

    for (i = 0; i < TEST_KEYS; i++) {
        EVP_PKEY_free(test_keys[i]);
    }
}


#endif /* K8S_SA_TEST_KEYS_H */
