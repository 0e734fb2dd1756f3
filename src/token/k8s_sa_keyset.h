/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The public keys of one issuer: reading them, finding one, and verifying with
 * it.
 *
 * A set is built once, by adding sources, and does not change afterwards.  It
 * owns its keys, copies what it needs from its input, and keeps prepared
 * OpenSSL contexts, so that a check costs little more than the bare
 * verification.
 */

#ifndef K8S_SA_KEYSET_H
#define K8S_SA_KEYSET_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_alg.h"


#define K8S_SA_RSA_MIN_BITS    2048    /* RFC 7518 section 3.3 */
#define K8S_SA_RSA_MAX_BITS    16384   /* and exponents up to 64 bits */
#define K8S_SA_NO_MEMORY       -2      /* memory is short, or OpenSSL failed */
#define K8S_SA_KID_MAX         1024    /* bytes, kube-apiserver's limit for
                                          external signers */
#define K8S_SA_KEYS_MAX        1000    /* keys in one set, and in one source,
                                          usable or not: reading them takes
                                          a worker's time */

/*
 * The number of fitting keys that are tried, in the order they were added, for
 * a token without "kid" or with one that several keys share.  It limits the
 * cost of one request.
 */

#define K8S_SA_KEYS_TRIED      16

/* A key's id, for caches: SHA-256 of its DER SubjectPublicKeyInfo */

#define K8S_SA_KEY_ID_LEN      32


typedef struct k8s_sa_keyset_s  k8s_sa_keyset_t;
typedef struct k8s_sa_key_s     k8s_sa_key_t;


/*
 * Returns an empty set, or NULL if memory is short or OpenSSL lacks an
 * algorithm.
 */

k8s_sa_keyset_t *k8s_sa_keyset_create(void);

/* Frees a set and its keys; set may be NULL. */

void k8s_sa_keyset_free(k8s_sa_keyset_t *set);

/*
 * Adds the keys of all blocks of a PEM file, like kube-apiserver's
 * --service-account-key-file (client-go/util/keyutil, ParsePublicKeysPEM):
 * public keys, certificates, and the public halves of private keys, whatever
 * their labels are; RSA and EC P-256/384/521 only.  As in Go's encoding/pem,
 * blanks at line ends and empty lines do not matter.  Each key gets the kid
 * that Kubernetes gives it (pkg/serviceaccount/jwt.go, keyIDFromPublicKey):
 * base64url(SHA-256(DER SubjectPublicKeyInfo)).  A key with the kid and the
 * algorithms of an earlier one is not added again.
 *
 * Text around blocks, and blocks that are not keys (EC PARAMETERS, X509 CRL,
 * ...), are skipped.  Keys that are malformed, encrypted, weak or unsupported
 * are skipped with the reason in *note, which keeps the first reason and is ""
 * if there is none; note may be NULL.
 *
 * K8S_SA_OK if at least one key was usable; otherwise K8S_SA_ERROR with the
 * reason in *err (no usable key; the file ends within a block; more than
 * K8S_SA_KEYS_MAX blocks), or K8S_SA_NO_MEMORY, also with a reason, if another
 * try may succeed, and the set is unchanged.  *has_private (may be NULL) is set
 * to 1 if a block held a private key, otherwise to 0.
 */

int k8s_sa_keyset_add_pem(k8s_sa_keyset_t *set, const void *data, size_t len,
    int *has_private, k8s_sa_error_t *note, k8s_sa_error_t *err);

/*
 * Adds the usable keys of a JWK set (RFC 7517 section 5) or a single JWK: RSA,
 * EC with P-256/384/521 (RFC 7518 section 6), OKP with Ed25519 (RFC 8037).
 *
 * Keys with another kty or crv, a "use" other than "sig", "key_ops" without
 * "verify", or an unsupported "alg" are not for us and are skipped (section 5:
 * "SHOULD ignore").  Malformed or weak keys, and those with private members
 * ("d") or kty "oct", are skipped with the reason in *note, which keeps the
 * first reason and is "" if there is none; note may be NULL.  A key without
 * "kid" gets the one that Kubernetes would give it, but that contradicts no
 * token: see k8s_sa_keyset_find().
 *
 * Members that are null count as absent.
 *
 * K8S_SA_OK if at least one key was usable; otherwise K8S_SA_ERROR with the
 * reason in *err, for each key while there is room, and the set is unchanged;
 * also if there are more than K8S_SA_KEYS_MAX keys, usable or not.
 * K8S_SA_NO_MEMORY as above.
 */

int k8s_sa_keyset_add_jwks(k8s_sa_keyset_t *set, const void *data, size_t len,
    k8s_sa_error_t *note, k8s_sa_error_t *err);

/* The number of keys, and the i-th one in the order they were added */

size_t k8s_sa_keyset_count(const k8s_sa_keyset_t *set);
k8s_sa_key_t *k8s_sa_keyset_key(const k8s_sa_keyset_t *set, size_t i);

/*
 * Finds a key by its id of K8S_SA_KEY_ID_LEN bytes, in constant time; NULL if
 * there is none.
 */

k8s_sa_key_t *k8s_sa_keyset_by_id(const k8s_sa_keyset_t *set,
    const unsigned char *id);

/* Returns 1 if a key of the set has this kid, otherwise 0; constant time. */

int k8s_sa_keyset_has_kid(const k8s_sa_keyset_t *set, const k8s_sa_str_t *kid);

/*
 * Finds the first key for a token that fits alg by its type, curve and the
 * JWK's own "alg"; or, given the last key found, the next one.  NULL if there
 * are no more.
 *
 * If the token has a kid, keys of this kid come first: several can share one
 * (RFC 7517 section 4.5).  Then come keys without a kid of their own, whose
 * names cannot contradict the token's: JWKs without "kid", and unless the
 * issuer is Kubernetes (kubernetes is 0), keys from PEM.  If the token has none
 * (kid is absent), any key is found.  Of keys that the token does not name, at
 * most K8S_SA_KEYS_TRIED are found, so the cost does not grow with the set.
 */

k8s_sa_key_t *k8s_sa_keyset_find(const k8s_sa_keyset_t *set,
    const k8s_sa_str_t *kid, const k8s_sa_alg_t *alg, unsigned kubernetes,
    k8s_sa_key_t *last);


/* What these return is owned by the key. */

const k8s_sa_str_t *k8s_sa_key_kid(const k8s_sa_key_t *key);
const unsigned char *k8s_sa_key_id(const k8s_sa_key_t *key);
k8s_sa_kty_e k8s_sa_key_type(const k8s_sa_key_t *key);
unsigned k8s_sa_key_bits(const k8s_sa_key_t *key);

/*
 * Verifies the signature sig of data.  sig must be exactly as long as the
 * modulus for RSA, 64 bytes for Ed25519, and R || S of the curve's length for
 * ECDSA (RFC 7518 section 3.4), with R and S in [1, order - 1].
 *
 * Returns 1 if sig is valid; 0 if it is not, or if alg does not fit the key;
 * K8S_SA_ERROR if OpenSSL failed for another reason.  Leaves OpenSSL's error
 * queue empty.
 */

int k8s_sa_key_verify(k8s_sa_key_t *key, const k8s_sa_alg_t *alg,
    const unsigned char *data, size_t len,
    const unsigned char *sig, size_t sig_len);


#endif /* K8S_SA_KEYSET_H */
