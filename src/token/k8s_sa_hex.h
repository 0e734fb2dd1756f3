/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Hexadecimal digits, as in percent-encoding (RFC 3986 section 2.1).
 */

#ifndef K8S_SA_HEX_H
#define K8S_SA_HEX_H


/* Returns the value of a digit, or -1 if ch is not one. */

static inline int
k8s_sa_hex(unsigned char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    if (ch >= 'a' && ch <= 'f') {
        return ch - 'a' + 10;
    }

    return -1;
}


#endif /* K8S_SA_HEX_H */
