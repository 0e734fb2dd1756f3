/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_key.h"

#include <openssl/ec.h>

#include <string.h>


/*
 * i2d_PUBKEY() would say the same, but looks for an encoder each time: 0.1 ms,
 * for which a worker stands still with each key of a set that it takes over.
 */

#define K8S_SA_DER_INTEGER     0x02
#define K8S_SA_DER_BIT_STRING  0x03
#define K8S_SA_DER_SEQUENCE    0x30


static unsigned char *k8s_sa_der_bytes(unsigned char *p, const void *data,
    size_t len);
static unsigned char *k8s_sa_der_head(unsigned char *p, unsigned char tag,
    size_t len);
static unsigned char *k8s_sa_der_number(unsigned char *p,
    const unsigned char *number, size_t len);
static unsigned char *k8s_sa_der_key(unsigned char *p,
    const unsigned char *end, const void *algorithm, size_t len);


/* AlgorithmIdentifiers: RFC 3279 section 2.3.1, RFC 8410 section 3 */

static const unsigned char  k8s_sa_der_rsa[] = {
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x01, 0x05, 0x00
};

static const unsigned char  k8s_sa_der_ed25519[] = {
    0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70
};


unsigned char *
k8s_sa_spki_rsa(unsigned char *end, const unsigned char *n, size_t n_len,
    const unsigned char *e, size_t e_len)
{
    unsigned char  *p;

    p = k8s_sa_der_number(end, e, e_len);
    p = k8s_sa_der_number(p, n, n_len);
    p = k8s_sa_der_head(p, K8S_SA_DER_SEQUENCE, end - p);

    return k8s_sa_der_key(p, end, k8s_sa_der_rsa, sizeof(k8s_sa_der_rsa));
}


unsigned char *
k8s_sa_spki_ec(unsigned char *end, const k8s_sa_curve_t *curve,
    const unsigned char *x, const unsigned char *y)
{
    unsigned char  *p;

    p = k8s_sa_der_bytes(end, y, curve->octets);
    p = k8s_sa_der_bytes(p, x, curve->octets);

    *--p = POINT_CONVERSION_UNCOMPRESSED;

    return k8s_sa_der_key(p, end, curve->algorithm, curve->algorithm_len);
}


unsigned char *
k8s_sa_spki_ed25519(unsigned char *end, const unsigned char *x)
{
    return k8s_sa_der_key(k8s_sa_der_bytes(end, x, K8S_SA_ED25519_OCTETS),
                          end, k8s_sa_der_ed25519,
                          sizeof(k8s_sa_der_ed25519));
}


/* Each of these writes in front of p, and returns where it begins. */

static unsigned char *
k8s_sa_der_bytes(unsigned char *p, const void *data, size_t len)
{
    return memcpy(p - len, data, len);
}


static unsigned char *
k8s_sa_der_head(unsigned char *p, unsigned char tag, size_t len)
{
    size_t  n;

    if (len < 0x80) {
        *--p = (unsigned char) len;

    } else {
        for (n = len; n; n >>= 8) {
            *--p = (unsigned char) n;
        }

        *--p = len > 0xff ? 0x82 : 0x81;
    }

    *--p = tag;

    return p;
}


/* a zero octet keeps it from being negative */

static unsigned char *
k8s_sa_der_number(unsigned char *p, const unsigned char *number, size_t len)
{
    p = k8s_sa_der_bytes(p, number, len);

    if (number[0] & 0x80) {
        *--p = 0;
        len++;
    }

    return k8s_sa_der_head(p, K8S_SA_DER_INTEGER, len);
}


static unsigned char *
k8s_sa_der_key(unsigned char *p, const unsigned char *end,
    const void *algorithm, size_t len)
{
    *--p = 0;       /* unused bits */

    p = k8s_sa_der_head(p, K8S_SA_DER_BIT_STRING, end - p);
    p = k8s_sa_der_bytes(p, algorithm, len);

    return k8s_sa_der_head(p, K8S_SA_DER_SEQUENCE, end - p);
}
