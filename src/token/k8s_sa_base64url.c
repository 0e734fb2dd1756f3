#include "token/k8s_sa_base64url.h"


/* Marks a character outside the alphabet: the only value over six bits. */

#define XX  0x80


static const unsigned char  k8s_sa_base64url_values[256] = {
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, 62, XX, XX,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, XX, XX, XX, XX, XX, XX,
    XX,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, XX, XX, XX, XX, 63,
    XX, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX
};

static const unsigned char  k8s_sa_base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


int
k8s_sa_base64url_decode(unsigned char *dst, const unsigned char *src,
    size_t len)
{
    unsigned              a, b, c, d, bad;
    const unsigned char  *end, *values;

    values = k8s_sa_base64url_values;
    bad = 0;

    /* the verdict waits for the end: one test instead of one a character */

    for (end = src + (len & ~(size_t) 3); src != end; src += 4, dst += 3) {
        a = values[src[0]];
        b = values[src[1]];
        c = values[src[2]];
        d = values[src[3]];

        bad |= a | b | c | d;

        dst[0] = (unsigned char) (a << 2 | b >> 4);
        dst[1] = (unsigned char) (b << 4 | c >> 2);
        dst[2] = (unsigned char) (c << 6 | d);
    }

    switch (len & 3) {

    case 0:
        break;

    case 2:
        a = values[src[0]];
        b = values[src[1]];

        /* RFC 4648 section 3.5: four bits of the last one are unused */

        bad |= a | b | (b & 0x0f) << 7;

        dst[0] = (unsigned char) (a << 2 | b >> 4);
        break;

    case 3:
        a = values[src[0]];
        b = values[src[1]];
        c = values[src[2]];

        /* here two */

        bad |= a | b | c | (c & 0x03) << 7;

        dst[0] = (unsigned char) (a << 2 | b >> 4);
        dst[1] = (unsigned char) (b << 4 | c >> 2);
        break;

    default: /* 1: six bits are no byte */
        return K8S_SA_ERROR;
    }

    return bad < XX ? K8S_SA_OK : K8S_SA_ERROR;
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
