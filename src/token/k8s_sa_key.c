/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_key.h"
#include "token/k8s_sa_openssl.h"
#include "token/k8s_sa_base64url.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

#include <stdlib.h>
#include <string.h>


/*
 * For moduli of more than 3072 bits OpenSSL accepts no longer exponents
 * (OPENSSL_RSA_MAX_PUBEXP_BITS), and no key in use has one.
 */

#define K8S_SA_RSA_E_OCTETS  8


static int k8s_sa_key_create(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    k8s_sa_kty_e kty, EVP_PKEY *pkey, const unsigned char *spki, size_t len,
    k8s_sa_error_t *err);
static int k8s_sa_key_name(k8s_sa_key_t *key, const unsigned char *spki,
    size_t len);
static int k8s_sa_key_order(k8s_sa_key_t *key, size_t len);
static EVP_PKEY *k8s_sa_pkey_rsa(const unsigned char *n, size_t n_len,
    const unsigned char *e, size_t e_len);
static EVP_PKEY *k8s_sa_pkey_ec(const k8s_sa_curve_t *curve,
    const unsigned char *x, const unsigned char *y);
static EVP_PKEY *k8s_sa_pkey_build(const char *type, OSSL_PARAM *params);
static int k8s_sa_ec_check(const k8s_sa_curve_t *curve,
    const unsigned char *x, const unsigned char *y, k8s_sa_error_t *err);


/* RFC 5480 section 2.1.1: length, id-ecPublicKey, length and id of the curve */

#define K8S_SA_EC_ALGORITHM(len, curve)                                       \
    K8S_SA_EC_IDS("\x30" len "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06" curve)

#define K8S_SA_EC_IDS(der)  der, sizeof(der) - 1
#define K8S_SA_EC_OID       11     /* where the curve's id begins */

static const k8s_sa_curve_t  k8s_sa_curves[] = {
    { "P-256", "prime256v1", K8S_SA_KTY_P256, 256, 32,
      K8S_SA_EC_ALGORITHM("\x13", "\x08\x2a\x86\x48\xce\x3d\x03\x01\x07") },
    { "P-384", "secp384r1",  K8S_SA_KTY_P384, 384, 48,
      K8S_SA_EC_ALGORITHM("\x10", "\x05\x2b\x81\x04\x00\x22") },
    { "P-521", "secp521r1",  K8S_SA_KTY_P521, 521, 66,
      K8S_SA_EC_ALGORITHM("\x10", "\x05\x2b\x81\x04\x00\x23") }
};

#define K8S_SA_CURVES  (sizeof(k8s_sa_curves) / sizeof(k8s_sa_curves[0]))


const k8s_sa_curve_t *
k8s_sa_curve_by_crv(const char *crv)
{
    size_t  i;

    for (i = 0; i < K8S_SA_CURVES; i++) {
        if (strcmp(k8s_sa_curves[i].crv, crv) == 0) {
            return &k8s_sa_curves[i];
        }
    }

    return NULL;
}


const k8s_sa_curve_t *
k8s_sa_curve_by_oid(const void *oid, size_t len)
{
    size_t                 i;
    const k8s_sa_curve_t  *curve;

    for (i = 0; i < K8S_SA_CURVES; i++) {
        curve = &k8s_sa_curves[i];

        if (len == curve->algorithm_len - K8S_SA_EC_OID
            && memcmp(oid, curve->algorithm + K8S_SA_EC_OID, len) == 0)
        {
            return curve;
        }
    }

    return NULL;
}


int
k8s_sa_key_rsa(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const unsigned char *n, size_t n_len, const unsigned char *e,
    size_t e_len, k8s_sa_error_t *err)
{
    int             rc;
    size_t          bits;
    EVP_PKEY       *pkey;
    unsigned char  *p, spki[K8S_SA_SPKI_MAX];

    /* RFC 7518 section 6.3.1.1 forbids leading zeros, but issuers write them */

    while (n_len && n[0] == 0) {
        n++;
        n_len--;
    }

    while (e_len && e[0] == 0) {
        e++;
        e_len--;
    }

    if (n_len == 0 || e_len == 0) {
        k8s_sa_error_set(err, "RSA modulus or exponent is empty or zero");
        return K8S_SA_REFUSED;
    }

    bits = n_len * 8 - (__builtin_clz(n[0]) - (sizeof(unsigned) - 1) * 8);

    if (bits < K8S_SA_RSA_MIN_BITS || bits > K8S_SA_RSA_MAX_BITS) {
        k8s_sa_error_set(err, "RSA key of %zu bits, not %d to %d", bits,
                         K8S_SA_RSA_MIN_BITS, K8S_SA_RSA_MAX_BITS);
        return K8S_SA_REFUSED;
    }

    /*
     * EVP_PKEY_public_check() would also test that the modulus is composite,
     * which takes 2.5 ms for 2048 bits and a second for 16384, in every worker;
     * an issuer with a bad modulus could just as well publish its private key.
     */

    if ((n[n_len - 1] & 1) == 0) {
        k8s_sa_error_set(err, "RSA modulus is even");
        return K8S_SA_REFUSED;
    }

    if (e_len > K8S_SA_RSA_E_OCTETS
        || (e[e_len - 1] & 1) == 0
        || (e_len == 1 && e[0] == 1))
    {
        k8s_sa_error_set(err, "RSA exponent is even, 1, or over %d bits",
                         K8S_SA_RSA_E_OCTETS * 8);
        return K8S_SA_REFUSED;
    }

    /* the key itself is good: any failure from here on is ours */

    pkey = k8s_sa_pkey_rsa(n, n_len, e, e_len);
    if (pkey == NULL) {
        (void) k8s_sa_openssl_no_memory();
        k8s_sa_error_set(err, "OpenSSL could not create an RSA key");
        return K8S_SA_ERROR;
    }

    p = k8s_sa_spki_rsa(spki + sizeof(spki), n, n_len, e, e_len);

    rc = k8s_sa_key_create(key, digests, K8S_SA_KTY_RSA, pkey, p,
                           spki + sizeof(spki) - p, err);
    if (rc != K8S_SA_OK) {
        return rc;
    }

    (*key)->bits = bits;
    (*key)->sig_len = n_len;

    return K8S_SA_OK;
}


int
k8s_sa_key_ec(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const k8s_sa_curve_t *curve, const unsigned char *x,
    const unsigned char *y, k8s_sa_error_t *err)
{
    int             rc;
    EVP_PKEY       *pkey;
    unsigned char  *p, spki[K8S_SA_SPKI_MAX];

    rc = k8s_sa_ec_check(curve, x, y, err);
    if (rc != K8S_SA_OK) {
        return rc;
    }

    pkey = k8s_sa_pkey_ec(curve, x, y);
    if (pkey == NULL) {
        (void) k8s_sa_openssl_no_memory();
        k8s_sa_error_set(err, "OpenSSL could not create an EC key");
        return K8S_SA_ERROR;
    }

    p = k8s_sa_spki_ec(spki + sizeof(spki), curve, x, y);

    rc = k8s_sa_key_create(key, digests, curve->kty, pkey, p,
                           spki + sizeof(spki) - p, err);
    if (rc != K8S_SA_OK) {
        return rc;
    }

    (*key)->bits = curve->bits;
    (*key)->sig_len = 2 * curve->octets;

    if (k8s_sa_key_order(*key, curve->octets) != K8S_SA_OK) {
        k8s_sa_key_free(*key);
        (void) k8s_sa_openssl_no_memory();
        k8s_sa_error_set(err, "OpenSSL does not know the order of %s",
                         curve->crv);
        return K8S_SA_ERROR;
    }

    return K8S_SA_OK;
}


int
k8s_sa_key_ed25519(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const unsigned char *x, k8s_sa_error_t *err)
{
    int             rc;
    EVP_PKEY       *pkey;
    unsigned char  *p, spki[K8S_SA_SPKI_MAX];

    rc = k8s_sa_ed25519_check(x, err);
    if (rc != K8S_SA_OK) {
        return rc;
    }

    /* the key itself is good */

    pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x,
                                          K8S_SA_ED25519_OCTETS);
    if (pkey == NULL) {

        if (k8s_sa_openssl_unsupported()) {
            k8s_sa_error_set(err, "Ed25519 is not supported by OpenSSL as it "
                             "is configured here");
            return K8S_SA_REFUSED;
        }

        k8s_sa_error_set(err, "OpenSSL could not create an Ed25519 key");
        return K8S_SA_ERROR;
    }

    p = k8s_sa_spki_ed25519(spki + sizeof(spki), x);

    rc = k8s_sa_key_create(key, digests, K8S_SA_KTY_ED25519, pkey, p,
                           spki + sizeof(spki) - p, err);
    if (rc != K8S_SA_OK) {
        return rc;
    }

    (*key)->bits = K8S_SA_ED25519_OCTETS * 8;
    (*key)->sig_len = 2 * K8S_SA_ED25519_OCTETS;

    return K8S_SA_OK;
}


/* Takes ownership of pkey. */

static int
k8s_sa_key_create(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    k8s_sa_kty_e kty, EVP_PKEY *pkey, const unsigned char *spki, size_t len,
    k8s_sa_error_t *err)
{
    size_t               i, n;
    k8s_sa_key_t        *k;
    const k8s_sa_alg_t  *alg;

    k = calloc(1, sizeof(k8s_sa_key_t));
    if (k == NULL) {
        EVP_PKEY_free(pkey);
        k8s_sa_error_set(err, "out of memory");
        return K8S_SA_ERROR;
    }

    k->pkey = pkey;
    k->digests = digests;
    k->kty = kty;
    k->kid_source = K8S_SA_KID_DERIVED;

    alg = k8s_sa_alg_table(&n);

    for (i = 0; i < n; i++) {
        if (alg[i].kty == kty) {
            k->algorithms |= alg[i].bit;
        }
    }

    if (k8s_sa_key_name(k, spki, len) != K8S_SA_OK) {
        k8s_sa_key_free(k);
        (void) k8s_sa_openssl_no_memory();
        k8s_sa_error_set(err, "cannot compute the id of a key");
        return K8S_SA_ERROR;
    }

    *key = k;

    return K8S_SA_OK;
}


/* Sets the id, and the kid that Kubernetes derives from it. */

static int
k8s_sa_key_name(k8s_sa_key_t *key, const unsigned char *spki, size_t len)
{
    unsigned char  kid[k8s_sa_base64url_encoded_len(K8S_SA_KEY_ID_LEN)];

    if (EVP_Digest(spki, len, key->id, NULL, key->digests->sha256, NULL) != 1)
    {
        return K8S_SA_ERROR;
    }

    k8s_sa_base64url_encode(kid, key->id, K8S_SA_KEY_ID_LEN);

    return k8s_sa_key_set_kid(key, kid, sizeof(kid));
}


static int
k8s_sa_key_order(k8s_sa_key_t *key, size_t len)
{
    int      rc;
    BIGNUM  *bn;

    bn = NULL;

    if (EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_EC_ORDER, &bn) != 1) {
        return K8S_SA_ERROR;
    }

    rc = BN_bn2binpad(bn, key->order, len);

    BN_free(bn);

    return rc == (int) len ? K8S_SA_OK : K8S_SA_ERROR;
}


static EVP_PKEY *
k8s_sa_pkey_rsa(const unsigned char *n, size_t n_len, const unsigned char *e,
    size_t e_len)
{
    BIGNUM          *bn_n, *bn_e;
    EVP_PKEY        *pkey;
    OSSL_PARAM      *params;
    OSSL_PARAM_BLD  *bld;

    pkey = NULL;
    params = NULL;

    bld = OSSL_PARAM_BLD_new();
    bn_n = BN_bin2bn(n, n_len, NULL);
    bn_e = BN_bin2bn(e, e_len, NULL);

    if (bld == NULL || bn_n == NULL || bn_e == NULL
        || OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) != 1
        || OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) != 1)
    {
        goto done;
    }

    params = OSSL_PARAM_BLD_to_param(bld);

    if (params) {
        pkey = k8s_sa_pkey_build("RSA", params);
    }

done:

    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    BN_free(bn_e);
    BN_free(bn_n);

    return pkey;
}


static EVP_PKEY *
k8s_sa_pkey_ec(const k8s_sa_curve_t *curve, const unsigned char *x,
    const unsigned char *y)
{
    OSSL_PARAM     params[3];
    unsigned char  point[1 + 2 * K8S_SA_EC_OCTETS_MAX];

    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(&point[1], x, curve->octets);
    memcpy(&point[1 + curve->octets], y, curve->octets);

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 (char *) curve->group, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                                  point,
                                                  1 + 2 * curve->octets);
    params[2] = OSSL_PARAM_construct_end();

    return k8s_sa_pkey_build("EC", params);
}


static EVP_PKEY *
k8s_sa_pkey_build(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY      *pkey;
    EVP_PKEY_CTX  *ctx;

    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (ctx == NULL) {
        return NULL;
    }

    pkey = NULL;

    if (EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(ctx);

    return pkey;
}


/*
 * Checks that the point is on the curve and not at infinity, which is enough:
 * the curves have cofactor 1.
 */

static int
k8s_sa_ec_check(const k8s_sa_curve_t *curve, const unsigned char *x,
    const unsigned char *y, k8s_sa_error_t *err)
{
    int             rc;
    EC_GROUP       *group;
    EC_POINT       *p;
    unsigned char   point[1 + 2 * K8S_SA_EC_OCTETS_MAX];

    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(&point[1], x, curve->octets);
    memcpy(&point[1 + curve->octets], y, curve->octets);

    ERR_clear_error();

    group = EC_GROUP_new_by_curve_name(OBJ_sn2nid(curve->group));
    p = group ? EC_POINT_new(group) : NULL;

    if (p == NULL) {
        rc = K8S_SA_ERROR;

    } else if (EC_POINT_oct2point(group, p, point, 1 + 2 * curve->octets, NULL)
               == 1)
    {
        rc = K8S_SA_OK;

    } else {
        rc = k8s_sa_openssl_no_memory() ? K8S_SA_ERROR : K8S_SA_REFUSED;
    }

    EC_POINT_free(p);
    EC_GROUP_free(group);

    if (rc != K8S_SA_OK) {
        ERR_clear_error();
        k8s_sa_error_set(err, "%s", rc == K8S_SA_REFUSED
                                    ? "point is not on the curve"
                                    : "out of memory");
    }

    return rc;
}


int
k8s_sa_key_set_kid(k8s_sa_key_t *key, const void *kid, size_t len)
{
    unsigned char  *data;

    data = malloc(len ? len : 1);
    if (data == NULL) {
        return K8S_SA_ERROR;
    }

    memcpy(data, kid, len);

    free(key->kid.data);

    key->kid.data = data;
    key->kid.len = len;

    return K8S_SA_OK;
}


void
k8s_sa_key_free(k8s_sa_key_t *key)
{
    unsigned  i;

    if (key == NULL) {
        return;
    }

    for (i = 0; i < K8S_SA_ALG_BITS; i++) {
        EVP_PKEY_CTX_free(key->verify[i]);
    }

    EVP_MD_CTX_free(key->ed25519);
    EVP_PKEY_free(key->pkey);

    free(key->kid.data);
    free(key);
}


const k8s_sa_str_t *
k8s_sa_key_kid(const k8s_sa_key_t *key)
{
    return &key->kid;
}


const unsigned char *
k8s_sa_key_id(const k8s_sa_key_t *key)
{
    return key->id;
}


k8s_sa_kty_e
k8s_sa_key_type(const k8s_sa_key_t *key)
{
    return key->kty;
}


unsigned
k8s_sa_key_bits(const k8s_sa_key_t *key)
{
    return key->bits;
}
