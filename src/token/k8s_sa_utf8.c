/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_utf8.h"


size_t
k8s_sa_utf8_multibyte(const unsigned char *p, const unsigned char *end)
{
    size_t         i, n;
    unsigned char  low, high;

    low = 0x80;
    high = 0xbf;

    if (*p >= 0xc2 && *p <= 0xdf) {
        n = 2;

    } else if (*p >= 0xe0 && *p <= 0xef) {
        n = 3;

        if (*p == 0xe0) {
            low = 0xa0;

        } else if (*p == 0xed) {
            high = 0x9f;
        }

    } else if (*p >= 0xf0 && *p <= 0xf4) {
        n = 4;

        if (*p == 0xf0) {
            low = 0x90;

        } else if (*p == 0xf4) {
            high = 0x8f;
        }

    } else {
        return 0;
    }

    if ((size_t) (end - p) < n || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


int
k8s_sa_utf8_is_valid(const unsigned char *p, const unsigned char *end)
{
    size_t  n;

    while (p < end) {

        if (*p < 0x80) {
            p++;
            continue;
        }

        n = k8s_sa_utf8_multibyte(p, end);
        if (n == 0) {
            return 0;
        }

        p += n;
    }

    return 1;
}
