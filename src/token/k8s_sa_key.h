/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One public key, inside src/token/ only: what the readers of PEM and JWK
 * make, and what a set keeps.
 *
 * Every key is built anew from its numbers, wherever they come from: so it is
 * public only, its id does not depend on how it was written, and no reader
 * can forget a check.
 */

#ifndef K8S_SA_KEY_H
#define K8S_SA_KEY_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_alg.h"
#include "token/k8s_sa_keyset.h"

#include <openssl/evp.h>


/* Arrays by algorithm are indexed by the number of its bit. */

#define K8S_SA_ALG_BITS        10
#define k8s_sa_alg_index(alg)  ((unsigned) __builtin_ctz((alg)->bit))

#define K8S_SA_RSA_OCTETS_MAX  (K8S_SA_RSA_MAX_BITS / 8)
#define K8S_SA_EC_OCTETS_MAX   66     /* of a coordinate, P-521 */
#define K8S_SA_ED25519_OCTETS  32

/*
 * Returned where K8S_SA_ERROR means that memory is short or OpenSSL failed:
 * the key itself is unusable, and *err says why.
 */

#define K8S_SA_REFUSED         1


/* The digests of one set; its keys point here. */

typedef struct {
    EVP_MD              *sha256;                   /* for ids */
    EVP_MD              *md[K8S_SA_ALG_BITS];      /* EdDSA has none */
    EVP_MD_CTX          *ctx[K8S_SA_ALG_BITS];
} k8s_sa_digests_t;


typedef struct {
    const char          *crv;      /* RFC 7518 section 6.2.1.1 */
    const char          *group;    /* OpenSSL's name */
    k8s_sa_kty_e         kty;
    unsigned             bits;
    size_t               octets;   /* of a coordinate, and of R and S */
    const char          *algorithm;    /* DER AlgorithmIdentifier */
    size_t               algorithm_len;
} k8s_sa_curve_t;


struct k8s_sa_key_s {
    EVP_PKEY            *pkey;
    k8s_sa_digests_t    *digests;
    k8s_sa_kty_e         kty;
    unsigned             bits;
    unsigned             algorithms;   /* K8S_SA_ALG_... that fit */
    size_t               sig_len;

    /* ECDSA: big-endian, of sig_len / 2 bytes */
    unsigned char        order[K8S_SA_EC_OCTETS_MAX];

    unsigned char        id[K8S_SA_KEY_ID_LEN];
    k8s_sa_str_t         kid;

    k8s_sa_key_t        *next_kid;     /* in the set's tables */
    k8s_sa_key_t        *next_id;

    /* prepared by the first use */
    EVP_PKEY_CTX        *verify[K8S_SA_ALG_BITS];
    EVP_MD_CTX          *ed25519;
};


/* By one of its names; NULL if the curve is none of ours. */

const k8s_sa_curve_t *k8s_sa_curve_by_crv(const char *crv);
const k8s_sa_curve_t *k8s_sa_curve_by_group(const char *group);

/*
 * Make a key from big-endian numbers: n and e as short as they can be, x and
 * y of exactly the curve's length, Ed25519's x as RFC 8032 has it.  The key
 * fits all algorithms of its type and has Kubernetes' kid.
 * K8S_SA_OK and *key, K8S_SA_REFUSED or K8S_SA_ERROR.
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
 * The same numbers as DER SubjectPublicKeyInfo (RFC 5280 section 4.1), which
 * begins where the functions return and ends at end, in front of which there
 * must be room for K8S_SA_SPKI_MAX bytes.
 */

#define K8S_SA_SPKI_MAX  (K8S_SA_RSA_MAX_BITS / 8 + 64)

unsigned char *k8s_sa_spki_rsa(unsigned char *end, const unsigned char *n,
    size_t n_len, const unsigned char *e, size_t e_len);
unsigned char *k8s_sa_spki_ec(unsigned char *end,
    const k8s_sa_curve_t *curve, const unsigned char *x,
    const unsigned char *y);
unsigned char *k8s_sa_spki_ed25519(unsigned char *end,
    const unsigned char *x);

/* Takes another kid instead of Kubernetes' one.  K8S_SA_OK or K8S_SA_ERROR. */

int k8s_sa_key_set_kid(k8s_sa_key_t *key, const void *kid, size_t len);

/* Also takes NULL. */

void k8s_sa_key_free(k8s_sa_key_t *key);

/*
 * After a failed call of OpenSSL: 1 if memory was short, otherwise 0.
 * OpenSSL's error queue is left empty.
 */

int k8s_sa_openssl_no_memory(void);

/*
 * Adds a key to a set, which owns it then, unless the set has it already
 * (same key, kid and algorithms): then it is freed.
 * K8S_SA_OK, or K8S_SA_ERROR with the reason in *err; the key is freed, too.
 */

int k8s_sa_keyset_add(k8s_sa_keyset_t *set, k8s_sa_key_t *key,
    k8s_sa_error_t *err);

/* Takes away all keys from the n-th on. */

void k8s_sa_keyset_truncate(k8s_sa_keyset_t *set, size_t n);

k8s_sa_digests_t *k8s_sa_keyset_digests(k8s_sa_keyset_t *set);


#endif /* K8S_SA_KEY_H */
