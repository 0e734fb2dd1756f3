/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What must be true of every key set.
 */

#ifndef K8S_SA_FUZZ_KEYS_H
#define K8S_SA_FUZZ_KEYS_H


#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_key.h"
#include "token/k8s_sa_keyset.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509.h>


/* bits; larger keys are slow under ASan */

#define FUZZ_VERIFY_BITS  4096


/*
 * Empties a set, which is created once: fetching OpenSSL's algorithms takes
 * longer than reading keys.
 */

static inline void
fuzz_empty(k8s_sa_keyset_t **set)
{
    if (*set == NULL) {
        *set = k8s_sa_keyset_create();
        fuzz_check(*set != NULL);
    }

    k8s_sa_keyset_truncate(*set, 0);
    fuzz_check(k8s_sa_keyset_count(*set) == 0);
}


/*
 * A key's id is the SHA-256 of its SubjectPublicKeyInfo, which src/token/
 * writes from the numbers of a JWK or of PEM; OpenSSL must write the same.
 */

static inline void
fuzz_check_id(const k8s_sa_key_t *key)
{
    int             len;
    unsigned char  *der, id[SHA256_DIGEST_LENGTH];

    der = NULL;
    len = i2d_PUBKEY(key->pkey, &der);

    fuzz_check(len > 0);

    SHA256(der, (size_t) len, id);
    fuzz_check(memcmp(id, key->id, sizeof(id)) == 0);

    OPENSSL_free(der);
}


static inline void
fuzz_check_key(const k8s_sa_keyset_t *set, k8s_sa_key_t *key, size_t *verified)
{
    int                  rc;
    unsigned             bits, fits;
    size_t               i, n;
    k8s_sa_key_t        *found;
    const k8s_sa_str_t  *kid;
    const k8s_sa_alg_t  *algs;

    static const unsigned char  sig[FUZZ_VERIFY_BITS / 8] = { 0, 1 };

    kid = k8s_sa_key_kid(key);

    fuzz_check(kid->data != NULL && kid->len <= K8S_SA_KID_MAX);
    fuzz_check(fuzz_is_text(kid->data, kid->len, ""));
    fuzz_check(k8s_sa_keyset_has_kid(set, kid));

    fuzz_check_id(key);

    found = k8s_sa_keyset_by_id(set, k8s_sa_key_id(key));
    fuzz_check(found != NULL);
    fuzz_check(memcmp(k8s_sa_key_id(found), k8s_sa_key_id(key),
                      K8S_SA_KEY_ID_LEN)
               == 0);

    bits = k8s_sa_key_bits(key);

    switch (k8s_sa_key_type(key)) {

    case K8S_SA_KTY_RSA:
        fuzz_check(bits >= K8S_SA_RSA_MIN_BITS
                   && bits <= K8S_SA_RSA_MAX_BITS);
        break;

    case K8S_SA_KTY_P256:
        fuzz_check(bits == 256);
        break;

    case K8S_SA_KTY_P384:
        fuzz_check(bits == 384);
        break;

    case K8S_SA_KTY_P521:
        fuzz_check(bits == 521);
        break;

    default:
        fuzz_check(k8s_sa_key_type(key) == K8S_SA_KTY_ED25519);
    }

    fits = 0;
    algs = k8s_sa_alg_table(&n);

    for (i = 0; i < n; i++) {

        for (found = k8s_sa_keyset_find(set, kid, &algs[i], 1, NULL);
             found != NULL && found != key;
             found = k8s_sa_keyset_find(set, kid, &algs[i], 1, found))
        {
            fuzz_check(k8s_sa_key_type(found) == algs[i].kty);
        }

        if (found == NULL) {
            continue;
        }

        fuzz_check(k8s_sa_key_type(key) == algs[i].kty);
        fits |= algs[i].bit;

        if (bits > FUZZ_VERIFY_BITS || *verified == 4) {
            continue;
        }

        (*verified)++;

        /* of the right length, but invalid */

        rc = k8s_sa_key_verify(key, &algs[i], (unsigned char *) "x", 1, sig,
                               algs[i].kty == K8S_SA_KTY_RSA
                               || algs[i].kty == K8S_SA_KTY_ED25519
                               ? (bits + 7) / 8 : (bits + 7) / 8 * 2);
        fuzz_check(rc == 0);
    }

    fuzz_check(fits != 0);
}


static inline void
fuzz_check_keys(const k8s_sa_keyset_t *set)
{
    size_t  i, verified;

    fuzz_check(k8s_sa_keyset_count(set) > 0);
    fuzz_check(k8s_sa_keyset_count(set) <= K8S_SA_KEYS_MAX);

    verified = 0;

    for (i = 0; i < k8s_sa_keyset_count(set); i++) {
        fuzz_check_key(set, k8s_sa_keyset_key(set, i), &verified);
    }

    fuzz_check(ERR_peek_error() == 0);
}


/* Checks the result of adding keys to an empty set. */

static inline void
fuzz_check_added(const k8s_sa_keyset_t *set, int rc, const k8s_sa_error_t *err)
{
    if (rc == K8S_SA_OK) {
        fuzz_check_keys(set);
        return;
    }

    fuzz_check_error(err);
    fuzz_check(err->text[0] != '\0');
    fuzz_check(k8s_sa_keyset_count(set) == 0);
}


#endif /* K8S_SA_FUZZ_KEYS_H */
