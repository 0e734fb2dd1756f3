/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_alg.h"

#include <string.h>


static const k8s_sa_alg_t  k8s_sa_algs[] = {
    { "RS256", K8S_SA_ALG_RS256, K8S_SA_KTY_RSA,     "SHA256", 0 },
    { "ES256", K8S_SA_ALG_ES256, K8S_SA_KTY_P256,    "SHA256", 0 },
    { "ES384", K8S_SA_ALG_ES384, K8S_SA_KTY_P384,    "SHA384", 0 },
    { "ES512", K8S_SA_ALG_ES512, K8S_SA_KTY_P521,    "SHA512", 0 },
    { "RS384", K8S_SA_ALG_RS384, K8S_SA_KTY_RSA,     "SHA384", 0 },
    { "RS512", K8S_SA_ALG_RS512, K8S_SA_KTY_RSA,     "SHA512", 0 },
    { "PS256", K8S_SA_ALG_PS256, K8S_SA_KTY_RSA,     "SHA256", 1 },
    { "PS384", K8S_SA_ALG_PS384, K8S_SA_KTY_RSA,     "SHA384", 1 },
    { "PS512", K8S_SA_ALG_PS512, K8S_SA_KTY_RSA,     "SHA512", 1 },
    { "EdDSA", K8S_SA_ALG_EDDSA, K8S_SA_KTY_ED25519, NULL,     0 }
};

#define K8S_SA_ALGS      (sizeof(k8s_sa_algs) / sizeof(k8s_sa_algs[0]))
#define K8S_SA_ALG_NAME  5    /* characters in every name */
#define K8S_SA_ED25519   "Ed25519"


const k8s_sa_alg_t *
k8s_sa_alg_find(const unsigned char *name, size_t len)
{
    size_t  i;

    /* RFC 9864 section 2.2: EdDSA restricted to the curve that we support */

    if (len == sizeof(K8S_SA_ED25519) - 1
        && memcmp(name, K8S_SA_ED25519, len) == 0)
    {
        name = (const unsigned char *) "EdDSA";
        len = K8S_SA_ALG_NAME;
    }

    if (len != K8S_SA_ALG_NAME) {
        return NULL;
    }

    for (i = 0; i < K8S_SA_ALGS; i++) {
        if (memcmp(k8s_sa_algs[i].name, name, K8S_SA_ALG_NAME) == 0) {
            return &k8s_sa_algs[i];
        }
    }

    return NULL;
}


const k8s_sa_alg_t *
k8s_sa_alg_table(size_t *n)
{
    *n = K8S_SA_ALGS;

    return k8s_sa_algs;
}
