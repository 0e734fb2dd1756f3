/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_der.h"

#include <string.h>


int
k8s_sa_der_read(k8s_sa_der_t *in, unsigned char tag, k8s_sa_der_t *element)
{
    size_t                len, n;
    const unsigned char  *p;

    p = in->pos;

    if (in->end - p < 2 || *p++ != tag) {
        return K8S_SA_ERROR;
    }

    len = *p++;

    if (len >= 0x80) {
        n = len & 0x7f;
        len = 0;

        if (n == 0 || n > 3 || (size_t) (in->end - p) < n || *p == 0) {
            return K8S_SA_ERROR;
        }

        while (n--) {
            len = len << 8 | *p++;
        }

        if (len < 0x80) {
            return K8S_SA_ERROR;
        }
    }

    if ((size_t) (in->end - p) < len) {
        return K8S_SA_ERROR;
    }

    element->pos = p;
    element->end = in->pos = p + len;

    return K8S_SA_OK;
}


int
k8s_sa_der_read_integer(k8s_sa_der_t *in, k8s_sa_der_t *number)
{
    const unsigned char  *p;

    if (k8s_sa_der_read(in, K8S_SA_DER_INTEGER, number) != K8S_SA_OK) {
        return K8S_SA_ERROR;
    }

    p = number->pos;

    if (p == number->end || (*p & 0x80)) {
        return K8S_SA_ERROR;
    }

    if (*p == 0 && number->end - p > 1) {

        /* the octet of the sign, only where it is needed */

        if ((p[1] & 0x80) == 0) {
            return K8S_SA_ERROR;
        }

        number->pos++;
    }

    return K8S_SA_OK;
}


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
