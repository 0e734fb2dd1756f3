/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Two steps.  NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC, CRYPTO '99)
 * with 64-bit words reduces the message to 128 bits; a second pass, with the
 * key shifted by two words as in UMAC, gives another 128.  Two multilinear
 * hashes (Lemire, Kaser: Strongly universal string hashing is fast, 2014) of
 * these and of the token's length give 64 bits each, all of equal quality.
 */

#include "token/k8s_sa_fingerprint.h"

#include <openssl/evp.h>
#include <string.h>


_Static_assert(K8S_SA_FINGERPRINT_CONTEXT_LEN % 16 == 0
               && K8S_SA_TOKEN_MAX % 16 == 0,
               "a padded message has no more words than the key");


/* A sum modulo 2^128 */

typedef struct {
    uint64_t  lo;
    uint64_t  hi;
} k8s_sa_sum_t;


static inline void
k8s_sa_sum_add_product(k8s_sa_sum_t *sum, uint64_t a, uint64_t b)
{
    uint64_t  lo, hi;

#ifdef __SIZEOF_INT128__

    unsigned __int128  product;

    product = (unsigned __int128) a * b;

    lo = (uint64_t) product;
    hi = (uint64_t) (product >> 64);

#else

    uint64_t  low, mid1, mid2, mid;

    low = (a & UINT32_MAX) * (b & UINT32_MAX);
    mid1 = (a >> 32) * (b & UINT32_MAX);
    mid2 = (a & UINT32_MAX) * (b >> 32);
    mid = (low >> 32) + (mid1 & UINT32_MAX) + (mid2 & UINT32_MAX);

    lo = mid << 32 | (low & UINT32_MAX);
    hi = (a >> 32) * (b >> 32) + (mid1 >> 32) + (mid2 >> 32) + (mid >> 32);

#endif

    sum->lo += lo;
    sum->hi += hi + (sum->lo < lo);
}


static inline void
k8s_sa_fingerprint_step(k8s_sa_sum_t *nh, const uint64_t *key,
    const unsigned char *p)
{
    uint64_t  m[2];

    memcpy(m, p, sizeof(m));

    k8s_sa_sum_add_product(&nh[0], m[0] + key[0], m[1] + key[1]);
    k8s_sa_sum_add_product(&nh[1], m[0] + key[2], m[1] + key[3]);
}


int
k8s_sa_fingerprint_init(k8s_sa_fingerprint_key_t *key,
    const unsigned char *secret)
{
    int          ok;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();

    ok = ctx != NULL
         && EVP_DigestInit_ex(ctx, EVP_shake256(), NULL) == 1
         && EVP_DigestUpdate(ctx, secret, K8S_SA_FINGERPRINT_SECRET_LEN) == 1
         && EVP_DigestFinalXOF(ctx, (unsigned char *) key, sizeof(*key)) == 1;

    EVP_MD_CTX_free(ctx);

    return ok ? K8S_SA_OK : K8S_SA_ERROR;
}


void
k8s_sa_fingerprint(const k8s_sa_fingerprint_key_t *key,
    const unsigned char *context, const k8s_sa_str_t *token,
    unsigned char *fingerprint)
{
    size_t                i, n;
    uint64_t              words[K8S_SA_FINGERPRINT_PARTS], out[2];
    k8s_sa_sum_t          sum, nh[2] = { { 0, 0 }, { 0, 0 } };
    const uint64_t       *k;
    unsigned char         rest[16] = { 0 };
    const unsigned char  *p;

    k = key->words;

    for (i = 0; i < K8S_SA_FINGERPRINT_CONTEXT_LEN; i += 16, k += 2) {
        k8s_sa_fingerprint_step(nh, k, context + i);
    }

    p = token->data;

    for (n = token->len; n >= 16; n -= 16, p += 16, k += 2) {
        k8s_sa_fingerprint_step(nh, k, p);
    }

    if (n) {
        memcpy(rest, p, n);
        k8s_sa_fingerprint_step(nh, k, rest);
    }

    words[0] = nh[0].lo;
    words[1] = nh[0].hi;
    words[2] = nh[1].lo;
    words[3] = nh[1].hi;
    words[4] = token->len;

    for (i = 0; i < 2; i++) {
        sum = (k8s_sa_sum_t) { key->rows[i][0][0], key->rows[i][0][1] };

        for (n = 0; n < K8S_SA_FINGERPRINT_PARTS; n++) {
            k8s_sa_sum_add_product(&sum, key->rows[i][n + 1][0], words[n]);
            sum.hi += key->rows[i][n + 1][1] * words[n];
        }

        out[i] = sum.hi;
    }

    memcpy(fingerprint, out, sizeof(out));
}
