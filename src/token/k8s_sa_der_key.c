/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_key.h"
#include "token/k8s_sa_openssl.h"
#include "token/k8s_sa_der.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include <string.h>


/* One call of k8s_sa_key_from_der() */

typedef struct {
    k8s_sa_key_t         **key;
    k8s_sa_digests_t      *digests;
    int                    is_private;
    k8s_sa_error_t        *err;
} k8s_sa_der_key_t;


static int k8s_sa_der_certificate(k8s_sa_der_key_t *k, k8s_sa_der_t *tbs);
static int k8s_sa_der_spki(k8s_sa_der_key_t *k, k8s_sa_der_t *in);
static int k8s_sa_der_numbers(k8s_sa_der_key_t *k, k8s_sa_der_t *in);
static int k8s_sa_der_pkcs8(k8s_sa_der_key_t *k, k8s_sa_der_t *in);
static int k8s_sa_der_rsa(k8s_sa_der_key_t *k, k8s_sa_der_t *in);
static int k8s_sa_der_rsa_private(k8s_sa_der_key_t *k, k8s_sa_der_t *in);
static int k8s_sa_der_ec_private(k8s_sa_der_key_t *k, k8s_sa_der_t *in,
    const k8s_sa_curve_t *curve);
static int k8s_sa_der_ec(k8s_sa_der_key_t *k, const k8s_sa_curve_t *curve,
    const k8s_sa_der_t *point);
static int k8s_sa_der_ec_compute(k8s_sa_der_key_t *k,
    const k8s_sa_curve_t *curve, const k8s_sa_der_t *point,
    const k8s_sa_der_t *number);
static int k8s_sa_der_xy(const k8s_sa_curve_t *curve,
    const k8s_sa_der_t *point, const k8s_sa_der_t *number, unsigned char *x,
    unsigned char *y);
static int k8s_sa_der_algorithm(k8s_sa_der_key_t *k, const k8s_sa_der_t *alg,
    const k8s_sa_curve_t **curve);
static int k8s_sa_der_malformed(k8s_sa_der_key_t *k);


/*
 * OpenSSL's decoders hide from the caller whether memory was short, so a key is
 * taken apart here, without allocating.
 */

int
k8s_sa_key_from_der(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const unsigned char *data, size_t len, int *is_private,
    k8s_sa_error_t *err)
{
    int               rc;
    k8s_sa_der_t      in, top, rest, first;
    k8s_sa_der_key_t  k;

    k.key = key;
    k.digests = digests;
    k.is_private = 0;
    k.err = err;

    in.pos = data;
    in.end = data + len;

    if (k8s_sa_der_read(&in, K8S_SA_DER_SEQUENCE, &top) != K8S_SA_OK
        || in.pos != in.end)
    {
        rc = k8s_sa_der_malformed(&k);

    } else {
        rest = top;

        if (k8s_sa_der_read(&rest, K8S_SA_DER_SEQUENCE, &first)
            != K8S_SA_OK)
        {
            rc = k8s_sa_der_numbers(&k, &top);

        } else if (rest.pos < rest.end && *rest.pos == K8S_SA_DER_SEQUENCE) {
            rc = k8s_sa_der_certificate(&k, &first);

        } else {
            rc = k8s_sa_der_spki(&k, &top);
        }
    }

    *is_private = k.is_private;

    return rc;
}


/* RFC 5280 section 4.1: TBSCertificate; nothing but the key matters. */

static int
k8s_sa_der_certificate(k8s_sa_der_key_t *k, k8s_sa_der_t *tbs)
{
    unsigned      i;
    k8s_sa_der_t  skipped, spki;

    (void) k8s_sa_der_read(tbs, K8S_SA_DER_CONTEXT(0), &skipped);

    if (k8s_sa_der_read(tbs, K8S_SA_DER_INTEGER, &skipped) != K8S_SA_OK) {
        return k8s_sa_der_malformed(k);
    }

    /* signature, issuer, validity, subject */

    for (i = 0; i < 4; i++) {
        if (k8s_sa_der_read(tbs, K8S_SA_DER_SEQUENCE, &skipped) != K8S_SA_OK) {
            return k8s_sa_der_malformed(k);
        }
    }

    if (k8s_sa_der_read(tbs, K8S_SA_DER_SEQUENCE, &spki) != K8S_SA_OK) {
        return k8s_sa_der_malformed(k);
    }

    return k8s_sa_der_spki(k, &spki);
}


/* RFC 5280 section 4.1: SubjectPublicKeyInfo */

static int
k8s_sa_der_spki(k8s_sa_der_key_t *k, k8s_sa_der_t *in)
{
    int                    rc;
    k8s_sa_der_t           alg, bits;
    const k8s_sa_curve_t  *curve;

    if (k8s_sa_der_read(in, K8S_SA_DER_SEQUENCE, &alg) != K8S_SA_OK
        || k8s_sa_der_read(in, K8S_SA_DER_BIT_STRING, &bits) != K8S_SA_OK
        || in->pos != in->end || bits.pos == bits.end || *bits.pos++ != 0)
    {
        return k8s_sa_der_malformed(k);
    }

    rc = k8s_sa_der_algorithm(k, &alg, &curve);
    if (rc != K8S_SA_OK) {
        return rc;
    }

    if (curve) {
        return k8s_sa_der_ec(k, curve, &bits);
    }

    if (k8s_sa_der_read(&bits, K8S_SA_DER_SEQUENCE, &alg) != K8S_SA_OK
        || bits.pos != bits.end)
    {
        return k8s_sa_der_malformed(k);
    }

    return k8s_sa_der_rsa(k, &alg);
}


/*
 * What begins with a number: RFC 8017 appendix A.1 (RSA), RFC 5915 section 3
 * (EC), RFC 5958 section 2 (PKCS#8).
 */

static int
k8s_sa_der_numbers(k8s_sa_der_key_t *k, k8s_sa_der_t *in)
{
    k8s_sa_der_t  rest, number;

    rest = *in;

    if (k8s_sa_der_read_integer(&rest, &number) != K8S_SA_OK
        || rest.pos == rest.end)
    {
        return k8s_sa_der_malformed(k);
    }

    switch (*rest.pos) {

    case K8S_SA_DER_SEQUENCE:
        return k8s_sa_der_pkcs8(k, &rest);

    case K8S_SA_DER_OCTETS:
        return k8s_sa_der_ec_private(k, in, NULL);

    case K8S_SA_DER_INTEGER:
        if (k8s_sa_der_read_integer(&rest, &number) == K8S_SA_OK
            && rest.pos == rest.end)
        {
            return k8s_sa_der_rsa(k, in);
        }

        return k8s_sa_der_rsa_private(k, in);

    default:
        return k8s_sa_der_malformed(k);
    }
}


static int
k8s_sa_der_pkcs8(k8s_sa_der_key_t *k, k8s_sa_der_t *in)
{
    int                    rc;
    k8s_sa_der_t           alg, octets, key;
    const k8s_sa_curve_t  *curve;

    k->is_private = 1;

    if (k8s_sa_der_read(in, K8S_SA_DER_SEQUENCE, &alg) != K8S_SA_OK
        || k8s_sa_der_read(in, K8S_SA_DER_OCTETS, &octets) != K8S_SA_OK)
    {
        return k8s_sa_der_malformed(k);
    }

    rc = k8s_sa_der_algorithm(k, &alg, &curve);
    if (rc != K8S_SA_OK) {
        return rc;
    }

    if (k8s_sa_der_read(&octets, K8S_SA_DER_SEQUENCE, &key) != K8S_SA_OK
        || octets.pos != octets.end)
    {
        return k8s_sa_der_malformed(k);
    }

    return curve ? k8s_sa_der_ec_private(k, &key, curve)
                 : k8s_sa_der_rsa_private(k, &key);
}


static int
k8s_sa_der_rsa(k8s_sa_der_key_t *k, k8s_sa_der_t *in)
{
    k8s_sa_der_t  n, e;

    if (k8s_sa_der_read_integer(in, &n) != K8S_SA_OK
        || k8s_sa_der_read_integer(in, &e) != K8S_SA_OK
        || in->pos != in->end)
    {
        return k8s_sa_der_malformed(k);
    }

    return k8s_sa_key_rsa(k->key, k->digests, n.pos, n.end - n.pos, e.pos,
                          e.end - e.pos, k->err);
}


static int
k8s_sa_der_rsa_private(k8s_sa_der_key_t *k, k8s_sa_der_t *in)
{
    k8s_sa_der_t  version, n, e, d;

    k->is_private = 1;

    if (k8s_sa_der_read_integer(in, &version) != K8S_SA_OK
        || k8s_sa_der_read_integer(in, &n) != K8S_SA_OK
        || k8s_sa_der_read_integer(in, &e) != K8S_SA_OK
        || k8s_sa_der_read_integer(in, &d) != K8S_SA_OK)
    {
        return k8s_sa_der_malformed(k);
    }

    return k8s_sa_key_rsa(k->key, k->digests, n.pos, n.end - n.pos, e.pos,
                          e.end - e.pos, k->err);
}


/* curve: of the PKCS#8 structure around it, or NULL */

static int
k8s_sa_der_ec_private(k8s_sa_der_key_t *k, k8s_sa_der_t *in,
    const k8s_sa_curve_t *curve)
{
    k8s_sa_der_t  version, number, params, public, bits;

    k->is_private = 1;

    if (k8s_sa_der_read_integer(in, &version) != K8S_SA_OK
        || k8s_sa_der_read(in, K8S_SA_DER_OCTETS, &number) != K8S_SA_OK)
    {
        return k8s_sa_der_malformed(k);
    }

    if (k8s_sa_der_read(in, K8S_SA_DER_CONTEXT(0), &params) == K8S_SA_OK
        && curve == NULL)
    {
        curve = k8s_sa_curve_by_oid(params.pos, params.end - params.pos);
    }

    if (curve == NULL) {
        k8s_sa_error_set(k->err, "EC key is not on the named curve P-256, "
                         "P-384 or P-521");
        return K8S_SA_REFUSED;
    }

    if (k8s_sa_der_read(in, K8S_SA_DER_CONTEXT(1), &public) != K8S_SA_OK) {
        return k8s_sa_der_ec_compute(k, curve, NULL, &number);
    }

    if (k8s_sa_der_read(&public, K8S_SA_DER_BIT_STRING, &bits) != K8S_SA_OK
        || bits.pos == bits.end || *bits.pos++ != 0)
    {
        return k8s_sa_der_malformed(k);
    }

    return k8s_sa_der_ec(k, curve, &bits);
}


/* SEC 1 section 2.3.3 */

static int
k8s_sa_der_ec(k8s_sa_der_key_t *k, const k8s_sa_curve_t *curve,
    const k8s_sa_der_t *point)
{
    if ((size_t) (point->end - point->pos) != 1 + 2 * curve->octets
        || *point->pos != POINT_CONVERSION_UNCOMPRESSED)
    {
        return k8s_sa_der_ec_compute(k, curve, point, NULL);
    }

    return k8s_sa_key_ec(k->key, k->digests, curve, point->pos + 1,
                         point->pos + 1 + curve->octets, k->err);
}


/* Computes a point from its compressed form, or from the private number. */

static int
k8s_sa_der_ec_compute(k8s_sa_der_key_t *k, const k8s_sa_curve_t *curve,
    const k8s_sa_der_t *point, const k8s_sa_der_t *number)
{
    unsigned char  x[K8S_SA_EC_OCTETS_MAX], y[K8S_SA_EC_OCTETS_MAX];

    ERR_clear_error();

    if (k8s_sa_der_xy(curve, point, number, x, y) != K8S_SA_OK) {

        if (k8s_sa_openssl_no_memory()) {
            k8s_sa_error_set(k->err, "out of memory");
            return K8S_SA_ERROR;
        }

        k8s_sa_error_set(k->err, "EC key has no valid public point");
        return K8S_SA_REFUSED;
    }

    return k8s_sa_key_ec(k->key, k->digests, curve, x, y, k->err);
}


static int
k8s_sa_der_xy(const k8s_sa_curve_t *curve, const k8s_sa_der_t *point,
    const k8s_sa_der_t *number, unsigned char *x, unsigned char *y)
{
    int        rc, len;
    BIGNUM    *bx, *by, *d;
    EC_GROUP  *group;
    EC_POINT  *p;

    rc = K8S_SA_ERROR;
    len = (int) curve->octets;

    group = EC_GROUP_new_by_curve_name(OBJ_sn2nid(curve->group));
    p = group ? EC_POINT_new(group) : NULL;
    bx = BN_new();
    by = BN_new();
    d = number ? BN_bin2bn(number->pos, number->end - number->pos, NULL)
               : BN_new();

    if (p == NULL || bx == NULL || by == NULL || d == NULL) {
        ERR_raise(ERR_LIB_EC, ERR_R_MALLOC_FAILURE);
        goto done;
    }

    if ((number ? EC_POINT_mul(group, p, d, NULL, NULL, NULL)
                : EC_POINT_oct2point(group, p, point->pos,
                                     point->end - point->pos, NULL))
        != 1)
    {
        goto done;
    }

    if (EC_POINT_get_affine_coordinates(group, p, bx, by, NULL) == 1
        && BN_bn2binpad(bx, x, len) == len
        && BN_bn2binpad(by, y, len) == len)
    {
        rc = K8S_SA_OK;
    }

done:

    BN_clear_free(d);
    BN_free(by);
    BN_free(bx);
    EC_POINT_free(p);
    EC_GROUP_free(group);

    return rc;
}


/* AlgorithmIdentifier: sets *curve, to NULL for RSA. */

static int
k8s_sa_der_algorithm(k8s_sa_der_key_t *k, const k8s_sa_der_t *alg,
    const k8s_sa_curve_t **curve)
{
    size_t  len;

    static const unsigned char  rsa[] = {
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
        0x05, 0x00
    };
    static const unsigned char  ec[] = {
        0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01
    };

    len = alg->end - alg->pos;
    *curve = NULL;

    if (len == sizeof(rsa) && memcmp(alg->pos, rsa, len) == 0) {
        return K8S_SA_OK;
    }

    if (len > sizeof(ec) && memcmp(alg->pos, ec, sizeof(ec)) == 0) {
        *curve = k8s_sa_curve_by_oid(alg->pos + sizeof(ec),
                                     len - sizeof(ec));
        if (*curve) {
            return K8S_SA_OK;
        }

        k8s_sa_error_set(k->err, "EC key is not on the named curve P-256, "
                         "P-384 or P-521");
        return K8S_SA_REFUSED;
    }

    k8s_sa_error_set(k->err, "unsupported type of key, neither RSA nor EC");

    return K8S_SA_REFUSED;
}


static int
k8s_sa_der_malformed(k8s_sa_der_key_t *k)
{
    k8s_sa_error_set(k->err, "malformed, or not a key");

    return K8S_SA_REFUSED;
}
