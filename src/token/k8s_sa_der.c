/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_der.h"

#include <string.h>


unsigned char *
k8s_sa_der_bytes(unsigned char *p, const void *data, size_t len)
{
    return memcpy(p - len, data, len);
}


unsigned char *
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


unsigned char *
k8s_sa_der_integer(unsigned char *p, const unsigned char *number, size_t len)
{
    while (*number == 0) {
        number++;
        len--;
    }

    p = k8s_sa_der_bytes(p, number, len);

    /* a zero octet keeps it from being negative */

    if (*number & 0x80) {
        *--p = 0;
        len++;
    }

    return k8s_sa_der_head(p, K8S_SA_DER_INTEGER, len);
}
