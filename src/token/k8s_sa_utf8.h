/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * UTF-8 as RFC 3629 section 4 defines it: without overlong forms, surrogates
 * and anything above U+10FFFF.
 */

#ifndef K8S_SA_UTF8_H
#define K8S_SA_UTF8_H


#include <stddef.h>


/*
 * Returns the length in bytes of the multi-byte character at p, which must be
 * before end; 0 if there is none, because the byte is ASCII or the sequence is
 * malformed or cut off.
 */

size_t k8s_sa_utf8_multibyte(const unsigned char *p, const unsigned char *end);

/* Returns 1 if the bytes from p to end are UTF-8, otherwise 0. */

int k8s_sa_utf8_is_valid(const unsigned char *p, const unsigned char *end);


#endif /* K8S_SA_UTF8_H */
