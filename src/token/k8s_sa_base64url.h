/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * base64url without padding, RFC 4648 section 5 and RFC 7515 section 2.
 *
 * The decoder is strict so that a token has one spelling only: no padding, no
 * white space, no character of the other alphabet, no length of 4n + 1, and
 * the unused low bits of the last character are zero (RFC 4648 section 3.5).
 */

#ifndef K8S_SA_BASE64URL_H
#define K8S_SA_BASE64URL_H


#include "token/k8s_sa_base.h"


/* Bytes that n characters decode to, and characters that n bytes encode to. */

#define k8s_sa_base64url_decoded_len(n)  ((n) / 4 * 3 + (n) % 4 * 3 / 4)
#define k8s_sa_base64url_encoded_len(n)  ((n) / 3 * 4 + ((n) % 3 * 4 + 2) / 3)


/*
 * Decodes len characters into dst, which has room for
 * k8s_sa_base64url_decoded_len(len) bytes; writes no more than these.
 * dst may not overlap src.  Empty input decodes to nothing.
 * K8S_SA_OK, or K8S_SA_ERROR for anything that is not strict base64url
 * (the content of dst is undefined then).
 */

int k8s_sa_base64url_decode(unsigned char *dst, const unsigned char *src,
    size_t len);

/*
 * Encodes len bytes into dst, which has room for
 * k8s_sa_base64url_encoded_len(len) characters.  No final NUL.
 */

void k8s_sa_base64url_encode(unsigned char *dst, const unsigned char *src,
    size_t len);


#endif /* K8S_SA_BASE64URL_H */
