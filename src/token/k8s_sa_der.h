/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * DER (ITU-T X.690), read from the beginning, and written from the end to the
 * beginning, so that the length of an element is known when its header is
 * written.
 *
 * Each writing function writes in front of p, where the caller has made sure
 * that there is room, and returns the beginning of what it wrote.
 */

#ifndef K8S_SA_DER_H
#define K8S_SA_DER_H


#include "token/k8s_sa_base.h"


#define K8S_SA_DER_INTEGER     0x02
#define K8S_SA_DER_BIT_STRING  0x03
#define K8S_SA_DER_OCTETS      0x04
#define K8S_SA_DER_SEQUENCE    0x30
#define K8S_SA_DER_CONTEXT(n)  (0xa0 | (n))     /* constructed */


/* What is still to be read, up to end; the bytes belong to the caller. */

typedef struct {
    const unsigned char  *pos;
    const unsigned char  *end;
} k8s_sa_der_t;


/*
 * Reads an element with this tag, whose contents become *element, and advances
 * in.  K8S_SA_OK, or K8S_SA_ERROR if there is none or its length is not DER.
 */

int k8s_sa_der_read(k8s_sa_der_t *in, unsigned char tag,
    k8s_sa_der_t *element);

/*
 * Reads an INTEGER that is not negative, without the octet of the sign.
 * K8S_SA_OK or K8S_SA_ERROR.
 */

int k8s_sa_der_read_integer(k8s_sa_der_t *in, k8s_sa_der_t *number);


/* Writes len bytes as they are. */

unsigned char *k8s_sa_der_bytes(unsigned char *p, const void *data,
    size_t len);

/* Writes the tag and the length of len bytes, at most 0xffff. */

unsigned char *k8s_sa_der_head(unsigned char *p, unsigned char tag,
    size_t len);

/* Writes a positive INTEGER, big-endian in len bytes, in its shortest form. */

unsigned char *k8s_sa_der_integer(unsigned char *p,
    const unsigned char *number, size_t len);


#endif /* K8S_SA_DER_H */
