/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_base64url.h"


/*
 * The value of the n-th of four characters, shifted to its place in a word
 * whose upper 24 bits become three bytes.  Only characters outside the alphabet
 * set bits in the lowest byte.
 */

#define k8s_sa_base64url_value(c, n)                                          \
    ((c) >= 'A' && (c) <= 'Z' ? ((c) - 'A') * (1U << (26 - 6 * (n)))          \
     : (c) >= 'a' && (c) <= 'z' ? ((c) - 'a' + 26) * (1U << (26 - 6 * (n)))   \
     : (c) >= '0' && (c) <= '9' ? ((c) - '0' + 52) * (1U << (26 - 6 * (n)))   \
     : (c) == '-' ? 62 * (1U << (26 - 6 * (n)))                               \
     : (c) == '_' ? 63 * (1U << (26 - 6 * (n)))                               \
     : K8S_SA_BASE64URL_BAD)

#define K8S_SA_BASE64URL_BAD  0xffU

#define k8s_sa_base64url_4(c, n)                                              \
    k8s_sa_base64url_value(c, n), k8s_sa_base64url_value((c) + 1, n),         \
    k8s_sa_base64url_value((c) + 2, n), k8s_sa_base64url_value((c) + 3, n)

#define k8s_sa_base64url_16(c, n)                                             \
    k8s_sa_base64url_4(c, n), k8s_sa_base64url_4((c) + 4, n),                 \
    k8s_sa_base64url_4((c) + 8, n), k8s_sa_base64url_4((c) + 12, n)

#define k8s_sa_base64url_64(c, n)                                             \
    k8s_sa_base64url_16(c, n), k8s_sa_base64url_16((c) + 16, n),              \
    k8s_sa_base64url_16((c) + 32, n), k8s_sa_base64url_16((c) + 48, n)

#define k8s_sa_base64url_256(n)                                               \
    k8s_sa_base64url_64(0U, n), k8s_sa_base64url_64(64U, n),                  \
    k8s_sa_base64url_64(128U, n), k8s_sa_base64url_64(192U, n)


static const uint32_t  k8s_sa_base64url_values[4][256] = {
    { k8s_sa_base64url_256(0) },
    { k8s_sa_base64url_256(1) },
    { k8s_sa_base64url_256(2) },
    { k8s_sa_base64url_256(3) }
};

static const unsigned char  k8s_sa_base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


int
k8s_sa_base64url_decode(unsigned char *dst, const unsigned char *src,
    size_t len)
{
    uint32_t         bits, bad;
    const uint32_t  *first, *second, *third, *fourth;

    first = k8s_sa_base64url_values[0];
    second = k8s_sa_base64url_values[1];
    third = k8s_sa_base64url_values[2];
    fourth = k8s_sa_base64url_values[3];

    /* errors are collected and tested once at the end, not per character */

    bad = 0;

    /* not at the end, a fourth byte lets the compiler merge the stores */

    for ( /* void */ ; len >= 6; len -= 4, src += 4, dst += 3) {
        bits = first[src[0]] | second[src[1]] | third[src[2]]
               | fourth[src[3]];
        bad |= bits;

        dst[0] = (unsigned char) (bits >> 24);
        dst[1] = (unsigned char) (bits >> 16);
        dst[2] = (unsigned char) (bits >> 8);
        dst[3] = (unsigned char) bits;
    }

    if (len >= 4) {
        bits = first[src[0]] | second[src[1]] | third[src[2]]
               | fourth[src[3]];
        bad |= bits;

        dst[0] = (unsigned char) (bits >> 24);
        dst[1] = (unsigned char) (bits >> 16);
        dst[2] = (unsigned char) (bits >> 8);

        len -= 4;
        src += 4;
        dst += 3;
    }

    /* the last character's unused bits must be 0: RFC 4648 section 3.5 */

    switch (len) {

    case 0:
        break;

    case 2:
        bits = first[src[0]] | second[src[1]];
        bad |= bits | (bits & 0x00ffffff) >> 16;

        dst[0] = (unsigned char) (bits >> 24);
        break;

    case 3:
        bits = first[src[0]] | second[src[1]] | third[src[2]];
        bad |= bits | (bits & 0x0000ffff) >> 8;

        dst[0] = (unsigned char) (bits >> 24);
        dst[1] = (unsigned char) (bits >> 16);
        break;

    default: /* 1: six bits are no byte */
        return K8S_SA_ERROR;
    }

    return (bad & 0xff) ? K8S_SA_ERROR : K8S_SA_OK;
}


void
k8s_sa_base64url_encode(unsigned char *dst, const unsigned char *src,
    size_t len)
{
    const unsigned char  *alphabet;

    alphabet = k8s_sa_base64url_alphabet;

    for ( /* void */ ; len >= 3; len -= 3, src += 3, dst += 4) {
        dst[0] = alphabet[src[0] >> 2];
        dst[1] = alphabet[(src[0] & 0x03) << 4 | src[1] >> 4];
        dst[2] = alphabet[(src[1] & 0x0f) << 2 | src[2] >> 6];
        dst[3] = alphabet[src[2] & 0x3f];
    }

    if (len == 0) {
        return;
    }

    dst[0] = alphabet[src[0] >> 2];

    if (len == 1) {
        dst[1] = alphabet[(src[0] & 0x03) << 4];
        return;
    }

    dst[1] = alphabet[(src[0] & 0x03) << 4 | src[1] >> 4];
    dst[2] = alphabet[(src[1] & 0x0f) << 2];
}
