/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * base64url without padding: RFC 4648 section 5, RFC 7515 section 2.
 *
 * The decoder is strict, so that a token has only one spelling: no padding, no
 * white space, no characters of the standard alphabet, no length of 4n + 1, and
 * the unused low bits of the last character must be zero (RFC 4648 section
 * 3.5).
 */

#ifndef K8S_SA_BASE64URL_H
#define K8S_SA_BASE64URL_H


#include "token/k8s_sa_base.h"


/* The bytes that n characters decode to; the characters of n encoded bytes */

#define k8s_sa_base64url_decoded_len(n)  ((n) / 4 * 3 + (n) % 4 * 3 / 4)
#define k8s_sa_base64url_encoded_len(n)  ((n) / 3 * 4 + ((n) % 3 * 4 + 2) / 3)


/*
 * Decodes len characters into dst, which must have room for
 * k8s_sa_base64url_decoded_len(len) bytes and not overlap src.  Empty input
 * decodes to nothing.  K8S_SA_OK, or K8S_SA_ERROR for anything but strict
 * base64url (dst is undefined then).
 */

int k8s_sa_base64url_decode(unsigned char *dst, const unsigned char *src,
    size_t len);

/*
 * Encodes len bytes into dst, which must have room for
 * k8s_sa_base64url_encoded_len(len) characters.  Adds no NUL.
 */

void k8s_sa_base64url_encode(unsigned char *dst, const unsigned char *src,
    size_t len);


#endif /* K8S_SA_BASE64URL_H */
