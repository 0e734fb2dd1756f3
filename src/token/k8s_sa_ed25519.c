/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_key.h"
#include "token/k8s_sa_openssl.h"

#include <openssl/bn.h>

#include <string.h>


/* d of the curve's equation -x^2 + y^2 = 1 + d x^2 y^2, as -A / B modulo p */

#define K8S_SA_ED25519_A  121665
#define K8S_SA_ED25519_B  121666


static int k8s_sa_ed25519_is_weak(const unsigned char *y);
static int k8s_sa_ed25519_is_point(const unsigned char *y);
static int k8s_sa_ed25519_has_x(const unsigned char *y, BN_CTX *ctx);


/*
 * The y coordinates of all points whose order divides 8 (RFC 8032 section
 * 5.1.2), in every encoding, without the sign of x.  With these keys, one of
 * which is all zeros, anyone can make signatures that OpenSSL accepts.
 */

static const unsigned char  k8s_sa_ed25519_weak[][K8S_SA_ED25519_OCTETS] = {
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 },
    { 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 },
    { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0,
      0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
      0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39,
      0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
    { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f,
      0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
      0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
      0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
    { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
    { 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
    { 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f }
};

#define K8S_SA_ED25519_WEAK                                                   \
    (sizeof(k8s_sa_ed25519_weak) / sizeof(k8s_sa_ed25519_weak[0]))

static const unsigned char  k8s_sa_ed25519_p[K8S_SA_ED25519_OCTETS] = {
    0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f
};


/* OpenSSL decodes the point only when it verifies a signature. */

int
k8s_sa_ed25519_check(const unsigned char *key, k8s_sa_error_t *err)
{
    unsigned char  y[K8S_SA_ED25519_OCTETS];

    /* the highest bit is the sign of x */

    memcpy(y, key, sizeof(y));
    y[sizeof(y) - 1] &= 0x7f;

    if (k8s_sa_ed25519_is_weak(y)) {
        k8s_sa_error_set(err, "Ed25519 key is a point of small order");
        return K8S_SA_REFUSED;
    }

    switch (k8s_sa_ed25519_is_point(y)) {

    case 1:
        return K8S_SA_OK;

    case 0:
        k8s_sa_error_set(err, "Ed25519 key is not on the curve");
        return K8S_SA_REFUSED;

    default:
        (void) k8s_sa_openssl_no_memory();
        k8s_sa_error_set(err, "out of memory");
        return K8S_SA_ERROR;
    }
}


static int
k8s_sa_ed25519_is_weak(const unsigned char *y)
{
    size_t  i;

    for (i = 0; i < K8S_SA_ED25519_WEAK; i++) {
        if (memcmp(y, k8s_sa_ed25519_weak[i], K8S_SA_ED25519_OCTETS) == 0) {
            return 1;
        }
    }

    return 0;
}


/* Returns 1 if y, little-endian, is below p and has an x; 0; K8S_SA_ERROR. */

static int
k8s_sa_ed25519_is_point(const unsigned char *y)
{
    int      rc;
    BN_CTX  *ctx;

    ctx = BN_CTX_new();
    if (ctx == NULL) {
        return K8S_SA_ERROR;
    }

    BN_CTX_start(ctx);
    rc = k8s_sa_ed25519_has_x(y, ctx);
    BN_CTX_end(ctx);

    BN_CTX_free(ctx);

    return rc;
}


/*
 * RFC 8032 section 5.1.3: x^2 = (y^2 - 1) / (d y^2 + 1).  That is a square if
 * (y^2 - 1) (B - A y^2) B is one, since it differs by a square only.
 */

static int
k8s_sa_ed25519_has_x(const unsigned char *y, BN_CTX *ctx)
{
    BIGNUM  *p, *u, *v;

    p = BN_CTX_get(ctx);
    u = BN_CTX_get(ctx);
    v = BN_CTX_get(ctx);

    if (v == NULL
        || BN_lebin2bn(k8s_sa_ed25519_p, K8S_SA_ED25519_OCTETS, p) == NULL
        || BN_lebin2bn(y, K8S_SA_ED25519_OCTETS, u) == NULL)
    {
        return K8S_SA_ERROR;
    }

    if (BN_cmp(u, p) >= 0) {
        return 0;
    }

    if (BN_mod_sqr(u, u, p, ctx) != 1
        || BN_copy(v, u) == NULL
        || BN_mul_word(v, K8S_SA_ED25519_A) != 1)
    {
        return K8S_SA_ERROR;
    }

    BN_set_negative(v, 1);

    if (BN_add_word(v, K8S_SA_ED25519_B) != 1
        || BN_sub_word(u, 1) != 1
        || BN_mod_mul(u, u, v, p, ctx) != 1
        || BN_mul_word(u, K8S_SA_ED25519_B) != 1)
    {
        return K8S_SA_ERROR;
    }

    switch (BN_kronecker(u, p, ctx)) {

    case 1:
        return 1;

    case -2:
        return K8S_SA_ERROR;

    default:
        return 0;
    }
}
