/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_key.h"
#include "token/k8s_sa_der.h"

#include <openssl/ec.h>


/*
 * i2d_PUBKEY() would write the same, but looks for an encoder each time: that
 * is 0.1 ms for each key of a set, during which a worker does nothing else.
 */

static unsigned char *k8s_sa_spki_key(unsigned char *p,
    const unsigned char *end, const void *algorithm, size_t len);


/* AlgorithmIdentifier: RFC 3279 section 2.3.1, RFC 8410 section 3 */

static const unsigned char  k8s_sa_spki_alg_rsa[] = {
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x01, 0x05, 0x00
};

static const unsigned char  k8s_sa_spki_alg_ed25519[] = {
    0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70
};


unsigned char *
k8s_sa_spki_rsa(unsigned char *end, const unsigned char *n, size_t n_len,
    const unsigned char *e, size_t e_len)
{
    unsigned char  *p;

    p = k8s_sa_der_integer(end, e, e_len);
    p = k8s_sa_der_integer(p, n, n_len);
    p = k8s_sa_der_head(p, K8S_SA_DER_SEQUENCE, end - p);

    return k8s_sa_spki_key(p, end, k8s_sa_spki_alg_rsa,
                           sizeof(k8s_sa_spki_alg_rsa));
}


unsigned char *
k8s_sa_spki_ec(unsigned char *end, const k8s_sa_curve_t *curve,
    const unsigned char *x, const unsigned char *y)
{
    unsigned char  *p;

    p = k8s_sa_der_bytes(end, y, curve->octets);
    p = k8s_sa_der_bytes(p, x, curve->octets);

    *--p = POINT_CONVERSION_UNCOMPRESSED;

    return k8s_sa_spki_key(p, end, curve->algorithm, curve->algorithm_len);
}


unsigned char *
k8s_sa_spki_ed25519(unsigned char *end, const unsigned char *x)
{
    unsigned char  *p;

    p = k8s_sa_der_bytes(end, x, K8S_SA_ED25519_OCTETS);

    return k8s_sa_spki_key(p, end, k8s_sa_spki_alg_ed25519,
                           sizeof(k8s_sa_spki_alg_ed25519));
}


static unsigned char *
k8s_sa_spki_key(unsigned char *p, const unsigned char *end,
    const void *algorithm, size_t len)
{
    *--p = 0;       /* number of unused bits */

    p = k8s_sa_der_head(p, K8S_SA_DER_BIT_STRING, end - p);
    p = k8s_sa_der_bytes(p, algorithm, len);

    return k8s_sa_der_head(p, K8S_SA_DER_SEQUENCE, end - p);
}
