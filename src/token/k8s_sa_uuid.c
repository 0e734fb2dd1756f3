/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_uuid.h"

#include <endian.h>
#include <string.h>


static int k8s_sa_uuid_read_hex(unsigned char *data, const unsigned char *p);
static unsigned char *k8s_sa_uuid_write_hex(unsigned char *p,
    const unsigned char *data, size_t len);


/* "00" to "ff" */

#define K8S_SA_HEX(h)                                                         \
    h "0" h "1" h "2" h "3" h "4" h "5" h "6" h "7"                           \
    h "8" h "9" h "a" h "b" h "c" h "d" h "e" h "f"

static const char  k8s_sa_uuid_hex[] =
    K8S_SA_HEX("0") K8S_SA_HEX("1") K8S_SA_HEX("2") K8S_SA_HEX("3")
    K8S_SA_HEX("4") K8S_SA_HEX("5") K8S_SA_HEX("6") K8S_SA_HEX("7")
    K8S_SA_HEX("8") K8S_SA_HEX("9") K8S_SA_HEX("a") K8S_SA_HEX("b")
    K8S_SA_HEX("c") K8S_SA_HEX("d") K8S_SA_HEX("e") K8S_SA_HEX("f");


int
k8s_sa_uuid_read(unsigned char *uuid, const k8s_sa_str_t *s)
{
    unsigned char         digits[2 * K8S_SA_UUID_LEN];
    const unsigned char  *p;

    if (s->len != K8S_SA_UUID_TEXT) {
        return 0;
    }

    p = s->data;

    if (p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-') {
        return 0;
    }

    memcpy(digits, p, 8);
    memcpy(digits + 8, p + 9, 4);
    memcpy(digits + 12, p + 14, 4);
    memcpy(digits + 16, p + 19, 4);
    memcpy(digits + 20, p + 24, 12);

    return k8s_sa_uuid_read_hex(uuid, digits)
           && k8s_sa_uuid_read_hex(uuid + 4, digits + 8)
           && k8s_sa_uuid_read_hex(uuid + 8, digits + 16)
           && k8s_sa_uuid_read_hex(uuid + 12, digits + 24);
}


/*
 * Converts eight digits to four bytes at once.  Returns 0 unless all digits are
 * 0-9 or a-f: converted back, the result must equal the input.
 */

static int
k8s_sa_uuid_read_hex(unsigned char *data, const unsigned char *p)
{
    uint32_t  bytes;
    uint64_t  x, n, letters;

    memcpy(&x, p, 8);
    x = be64toh(x);

    n = (x & K8S_SA_BYTES(0x0f)) + (x >> 6 & K8S_SA_BYTES(0x01)) * 9;
    n &= K8S_SA_BYTES(0x0f);

    letters = (n + K8S_SA_BYTES(6)) >> 4 & K8S_SA_BYTES(0x01);

    if (x != n + K8S_SA_BYTES('0') + letters * ('a' - '0' - 10)) {
        return 0;
    }

    n = (n | n >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    n = (n | n >> 8) & UINT64_C(0x0000ffff0000ffff);

    bytes = htobe32((uint32_t) (n | n >> 16));
    memcpy(data, &bytes, 4);

    return 1;
}


void
k8s_sa_uuid_write(unsigned char *p, const unsigned char *uuid)
{
    p = k8s_sa_uuid_write_hex(p, uuid, 4);
    *p++ = '-';
    p = k8s_sa_uuid_write_hex(p, uuid + 4, 2);
    *p++ = '-';
    p = k8s_sa_uuid_write_hex(p, uuid + 6, 2);
    *p++ = '-';
    p = k8s_sa_uuid_write_hex(p, uuid + 8, 2);
    *p++ = '-';
    (void) k8s_sa_uuid_write_hex(p, uuid + 10, 6);
}


static unsigned char *
k8s_sa_uuid_write_hex(unsigned char *p, const unsigned char *data, size_t len)
{
    for ( /* void */ ; len; len--, data++, p += 2) {
        memcpy(p, &k8s_sa_uuid_hex[2 * *data], 2);
    }

    return p;
}
