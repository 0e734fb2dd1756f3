/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Public keys of one issuer: reading them, finding one, verifying with it.
 *
 * A set is built once (by adding sources) and then only asked.  It owns its
 * keys, copies what it needs of its input, and holds prepared OpenSSL
 * contexts, so that a check costs little more than the bare verification.
 */

#ifndef K8S_SA_KEYSET_H
#define K8S_SA_KEYSET_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_alg.h"


#define K8S_SA_RSA_MIN_BITS    2048    /* SPEC section 3 */
#define K8S_SA_RSA_MAX_BITS    16384   /* and exponents up to 64 bits */
#define K8S_SA_KID_MAX         1024    /* bytes, as kube-apiserver allows an
                                          external signer, not more */
#define K8S_SA_KEYS_MAX        4096    /* keys in one set */

/*
 * A token without "kid", or with one that keys share, is tried with at most so
 * many fitting keys, in the order they were added: a bound on what one request
 * can cost.
 */

#define K8S_SA_KEYS_TRIED      16

/* A key's name for caches: SHA-256 of its DER SubjectPublicKeyInfo. */

#define K8S_SA_KEY_ID_LEN      32


typedef struct k8s_sa_keyset_s  k8s_sa_keyset_t;
typedef struct k8s_sa_key_s     k8s_sa_key_t;


/* An empty set, or NULL: out of memory or an OpenSSL without our algorithms. */

k8s_sa_keyset_t *k8s_sa_keyset_create(void);

/* Also takes NULL. */

void k8s_sa_keyset_free(k8s_sa_keyset_t *set);

/*
 * Adds every block of a PEM file as kube-apiserver's
 * --service-account-key-file takes it (client-go/util/keyutil,
 * ParsePublicKeysPEM): PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE,
 * RSA PRIVATE KEY, EC PRIVATE KEY, PRIVATE KEY (of these their public half),
 * RSA and EC P-256/384/521 only.  Text around blocks, and blocks that are no
 * keys (EC PARAMETERS, X509 CRL, ...), are passed over.  Each key gets the kid
 * that Kubernetes gives it (pkg/serviceaccount/jwt.go, keyIDFromPublicKey):
 * base64url(SHA-256(DER SubjectPublicKeyInfo)).  The same key twice is one
 * key: that is, with the same kid and the same algorithms.
 *
 * K8S_SA_OK; K8S_SA_ERROR with the reason in *err (not PEM, no key, a
 * malformed, encrypted, weak or unsupported one, out of memory); the set is
 * unchanged then.  *has_private (may be NULL) is set to 1 if a block held a
 * private key, otherwise to 0.
 */

int k8s_sa_keyset_add_pem(k8s_sa_keyset_t *set, const void *data, size_t len,
    int *has_private, k8s_sa_error_t *err);

/*
 * Adds the usable keys of a JWK set (RFC 7517 section 5) or of a single JWK:
 * RSA, EC with P-256/384/521 (RFC 7518 section 6), OKP with Ed25519
 * (RFC 8037).  A key with another kty or crv, a "use" other than "sig",
 * "key_ops" without "verify", or an "alg" that is not ours is not for us and
 * passed over (section 5: "SHOULD ignore"); a malformed or weak one, and one
 * with private members ("d") or of kty "oct", is passed over with its reason
 * in *note (the first one stays; note->text is "" if there was none; note may
 * be NULL).  A key without "kid" gets Kubernetes' one.
 *
 * K8S_SA_OK if at least one key was usable; otherwise K8S_SA_ERROR with the
 * reason in *err, and the set is unchanged.
 */

int k8s_sa_keyset_add_jwks(k8s_sa_keyset_t *set, const void *data, size_t len,
    k8s_sa_error_t *note, k8s_sa_error_t *err);

/* How many keys there are; the i-th one, in the order they were added. */

size_t k8s_sa_keyset_count(const k8s_sa_keyset_t *set);
k8s_sa_key_t *k8s_sa_keyset_key(const k8s_sa_keyset_t *set, size_t i);

/* The key with this K8S_SA_KEY_ID_LEN-byte id, or NULL.  Constant cost. */

k8s_sa_key_t *k8s_sa_keyset_by_id(const k8s_sa_keyset_t *set,
    const unsigned char *id);

/* 1 if a key with this kid is in the set, otherwise 0.  Constant cost. */

int k8s_sa_keyset_has_kid(const k8s_sa_keyset_t *set, const k8s_sa_str_t *kid);

/*
 * Finds the first key for a token's kid (absent: any kid) that fits alg in
 * type, curve and the JWK's own "alg"; then, given the last one found, the
 * next such key.  A kid can be shared by keys (RFC 7517 section 4.5).  NULL
 * if there is none left, or K8S_SA_KEYS_TRIED were found for an absent kid.
 * With a kid the cost does not grow with the set.
 */

k8s_sa_key_t *k8s_sa_keyset_find(const k8s_sa_keyset_t *set,
    const k8s_sa_str_t *kid, const k8s_sa_alg_t *alg, k8s_sa_key_t *last);


/* Owned by the key. */

const k8s_sa_str_t *k8s_sa_key_kid(const k8s_sa_key_t *key);
const unsigned char *k8s_sa_key_id(const k8s_sa_key_t *key);
k8s_sa_kty_e k8s_sa_key_type(const k8s_sa_key_t *key);
unsigned k8s_sa_key_bits(const k8s_sa_key_t *key);

/*
 * Verifies sig over data with the key.  alg must fit the key.  For ECDSA, sig
 * is R || S of exactly the curve's length, neither zero nor over the curve's
 * order (RFC 7518 section 3.4); for RSA of exactly the modulus' length; for
 * Ed25519 64 bytes.
 * 1: verified; 0: not; K8S_SA_ERROR: OpenSSL failed for a reason of ours.
 * OpenSSL's error queue is left empty.
 */

int k8s_sa_key_verify(k8s_sa_key_t *key, const k8s_sa_alg_t *alg,
    const unsigned char *data, size_t len,
    const unsigned char *sig, size_t sig_len);


#endif /* K8S_SA_KEYSET_H */
