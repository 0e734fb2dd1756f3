/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A public key, for use inside src/token/ only: the PEM and JWK readers create
 * it, and a key set keeps it.
 *
 * Every key is built anew from its numbers, whatever its source: it has no
 * private half, its id does not depend on its encoding, and no reader can skip
 * a check.
 */

#ifndef K8S_SA_KEY_H
#define K8S_SA_KEY_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_alg.h"
#include "token/k8s_sa_keyset.h"

#include <openssl/evp.h>


/* Arrays of algorithms are indexed by the number of the algorithm's bit. */

#define K8S_SA_ALG_BITS        10
#define k8s_sa_alg_index(alg)  ((unsigned) __builtin_ctz((alg)->bit))

#define K8S_SA_RSA_OCTETS_MAX  (K8S_SA_RSA_MAX_BITS / 8)
#define K8S_SA_EC_OCTETS_MAX   66     /* coordinate of P-521 */
#define K8S_SA_ED25519_OCTETS  32

/*
 * The key is unusable, for the reason in *err.  Functions that return this use
 * K8S_SA_ERROR for short memory and failures of OpenSSL only.
 */

#define K8S_SA_REFUSED         1


/* The digests of a key set, shared by its keys */

typedef struct {
    EVP_MD              *sha256;                   /* for key ids */
    EVP_MD              *md[K8S_SA_ALG_BITS];      /* NULL for EdDSA */
    EVP_MD_CTX          *ctx[K8S_SA_ALG_BITS];
} k8s_sa_digests_t;


typedef struct {
    const char          *crv;      /* RFC 7518 section 6.2.1.1 */
    const char          *group;    /* name in OpenSSL */
    k8s_sa_kty_e         kty;
    unsigned             bits;
    size_t               octets;   /* length of x, y, R and S */
    const char          *algorithm;    /* DER AlgorithmIdentifier */
    size_t               algorithm_len;
} k8s_sa_curve_t;


/* Where a key's kid comes from */

typedef enum {
    K8S_SA_KID_NONE = 0,           /* a JWK without "kid"; as if from PEM */
    K8S_SA_KID_DERIVED,            /* PEM: as Kubernetes derives it */
    K8S_SA_KID_GIVEN               /* the JWK's own */
} k8s_sa_kid_e;


struct k8s_sa_key_s {
    EVP_PKEY            *pkey;
    k8s_sa_digests_t    *digests;
    k8s_sa_kty_e         kty;
    unsigned             bits;
    unsigned             algorithms;   /* usable ones, K8S_SA_ALG_... */
    size_t               sig_len;

    /* ECDSA: the curve's order, big-endian in sig_len / 2 bytes */
    unsigned char        order[K8S_SA_EC_OCTETS_MAX];

    unsigned char        id[K8S_SA_KEY_ID_LEN];
    k8s_sa_str_t         kid;
    k8s_sa_kid_e         kid_source;

    k8s_sa_key_t        *next_kid;     /* chains in the set's tables */
    k8s_sa_key_t        *next_id;

    /* created when first used */
    EVP_PKEY_CTX        *verify[K8S_SA_ALG_BITS];
    EVP_MD_CTX          *ed25519;
};


/* Find a curve by its name or its DER OID; NULL if it is not supported. */

const k8s_sa_curve_t *k8s_sa_curve_by_crv(const char *crv);
const k8s_sa_curve_t *k8s_sa_curve_by_oid(const void *oid, size_t len);

/*
 * Create a key from big-endian numbers: n and e with any leading zeros, x and y
 * with exactly the curve's length, Ed25519's x as in RFC 8032.  The key can be
 * used with all algorithms of its type, and has the kid that Kubernetes derives
 * (K8S_SA_KID_DERIVED).  K8S_SA_OK and *key, K8S_SA_REFUSED or K8S_SA_ERROR.
 */

int k8s_sa_key_rsa(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const unsigned char *n, size_t n_len, const unsigned char *e,
    size_t e_len, k8s_sa_error_t *err);
int k8s_sa_key_ec(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const k8s_sa_curve_t *curve, const unsigned char *x,
    const unsigned char *y, k8s_sa_error_t *err);
int k8s_sa_key_ed25519(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const unsigned char *x, k8s_sa_error_t *err);

/*
 * Creates a key from DER: SubjectPublicKeyInfo or a certificate (RFC 5280
 * section 4.1), or the public half of PKCS#1 (RFC 8017 appendix A.1), SEC 1
 * (RFC 5915 section 3) or PKCS#8 (RFC 5958 section 2).  *is_private becomes 1
 * if it has a private half, otherwise 0.  K8S_SA_OK and *key, K8S_SA_REFUSED or
 * K8S_SA_ERROR.
 */

int k8s_sa_key_from_der(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const unsigned char *data, size_t len, int *is_private,
    k8s_sa_error_t *err);

/*
 * Tests that an Ed25519 key is the canonical encoding of a point of the curve
 * (RFC 8032 section 5.1.3) whose order is not small.  K8S_SA_OK, K8S_SA_REFUSED
 * or K8S_SA_ERROR.
 */

int k8s_sa_ed25519_check(const unsigned char *key, k8s_sa_error_t *err);

/*
 * Write the same numbers as DER SubjectPublicKeyInfo (RFC 5280 section 4.1) in
 * front of end, where there must be room for K8S_SA_SPKI_MAX bytes.  Return the
 * beginning of what they wrote.
 */

#define K8S_SA_SPKI_MAX  (K8S_SA_RSA_MAX_BITS / 8 + 64)

unsigned char *k8s_sa_spki_rsa(unsigned char *end, const unsigned char *n,
    size_t n_len, const unsigned char *e, size_t e_len);
unsigned char *k8s_sa_spki_ec(unsigned char *end,
    const k8s_sa_curve_t *curve, const unsigned char *x,
    const unsigned char *y);
unsigned char *k8s_sa_spki_ed25519(unsigned char *end,
    const unsigned char *x);

/* Replaces the kid with a copy of len bytes.  K8S_SA_OK or K8S_SA_ERROR. */

int k8s_sa_key_set_kid(k8s_sa_key_t *key, const void *kid, size_t len);

/* Frees a key; key may be NULL. */

void k8s_sa_key_free(k8s_sa_key_t *key);

/*
 * Adds a key to a set, which takes ownership.  A key that the set already has
 * (same key, kid and algorithms) is freed.  K8S_SA_OK, or K8S_SA_ERROR with the
 * reason in *err, in which case the key is freed, too.
 */

int k8s_sa_keyset_add(k8s_sa_keyset_t *set, k8s_sa_key_t *key,
    k8s_sa_error_t *err);

/* Removes all keys but the first n. */

void k8s_sa_keyset_truncate(k8s_sa_keyset_t *set, size_t n);

k8s_sa_digests_t *k8s_sa_keyset_digests(k8s_sa_keyset_t *set);


#endif /* K8S_SA_KEY_H */
