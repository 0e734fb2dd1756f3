/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Signature algorithms: RFC 7518 section 3.1, RFC 8037 section 3.1,
 * RFC 9864 section 2.2.
 * There is no entry for "none" and none for HMAC, and there never will be.
 */

#ifndef K8S_SA_ALG_H
#define K8S_SA_ALG_H


#include "token/k8s_sa_base.h"


#define K8S_SA_ALG_RS256   0x0001
#define K8S_SA_ALG_RS384   0x0002
#define K8S_SA_ALG_RS512   0x0004
#define K8S_SA_ALG_PS256   0x0008
#define K8S_SA_ALG_PS384   0x0010
#define K8S_SA_ALG_PS512   0x0020
#define K8S_SA_ALG_ES256   0x0040
#define K8S_SA_ALG_ES384   0x0080
#define K8S_SA_ALG_ES512   0x0100
#define K8S_SA_ALG_EDDSA   0x0200

/* those that Kubernetes uses: pkg/serviceaccount/jwt.go, signerFromKey() */

#define K8S_SA_ALG_DEFAULT                                                    \
    (K8S_SA_ALG_RS256|K8S_SA_ALG_ES256|K8S_SA_ALG_ES384|K8S_SA_ALG_ES512)


typedef enum {
    K8S_SA_KTY_RSA = 0,
    K8S_SA_KTY_P256,
    K8S_SA_KTY_P384,
    K8S_SA_KTY_P521,
    K8S_SA_KTY_ED25519
} k8s_sa_kty_e;


typedef struct {
    const char     *name;        /* value of "alg", case-sensitive */
    unsigned        bit;         /* K8S_SA_ALG_... */
    k8s_sa_kty_e    kty;         /* the only key type that fits */
    const char     *digest;      /* for EVP_MD_fetch(), NULL for EdDSA */
    unsigned        pss;         /* RSASSA-PSS instead of PKCS#1 v1.5 */
} k8s_sa_alg_t;


/*
 * Finds an algorithm by its exact name, or by "Ed25519", the newer name for
 * EdDSA; NULL if it is not supported.  Entries are static: equal algorithms
 * have equal addresses.
 */

const k8s_sa_alg_t *k8s_sa_alg_find(const unsigned char *name, size_t len);

/* Returns all *n algorithms. */

const k8s_sa_alg_t *k8s_sa_alg_table(size_t *n);


#endif /* K8S_SA_ALG_H */
