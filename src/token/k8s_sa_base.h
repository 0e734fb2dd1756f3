/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Types and return codes shared by everything in src/token/.
 *
 * Nothing here knows nginx: k8s-sa-client, the unit tests and the fuzzers
 * link src/token/ as it is.  The code is single-threaded by design, as an
 * nginx worker is: objects carry no locks and must not be shared by threads.
 */

#ifndef K8S_SA_BASE_H
#define K8S_SA_BASE_H


#include <stddef.h>
#include <stdint.h>
#include <stdio.h>


#define K8S_SA_OK        0
#define K8S_SA_ERROR    -1


/*
 * A counted string: not NUL-terminated, owner as said where it is declared.
 * data == NULL means "absent", len == 0 with data != NULL "there, but empty".
 */

typedef struct {
    size_t          len;
    unsigned char  *data;
} k8s_sa_str_t;


/*
 * What went wrong, as a sentence for a person, without a final full stop:
 * for configuration errors, logs of the issuer's faults and the client.
 * Never holds a token, a signature or key material.
 */

#define K8S_SA_ERROR_LEN  256

typedef struct {
    char            text[K8S_SA_ERROR_LEN];
} k8s_sa_error_t;


/* n in each of eight bytes, to look at eight at a time */

#define K8S_SA_BYTES(n)  ((n) * UINT64_C(0x0101010101010101))


/* Formats into err->text, cut to its size; err may be NULL. */

void k8s_sa_error_set(k8s_sa_error_t *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* 1 if both have the same length and bytes, otherwise 0. */

int k8s_sa_str_eq(const k8s_sa_str_t *a, const k8s_sa_str_t *b);

/* Behind its last byte; NULL if it is absent: C has no NULL + 0. */

unsigned char *k8s_sa_str_end(const k8s_sa_str_t *s);

/* 1 if no byte is a control character (0x00-0x1f, 0x7f), otherwise 0. */

int k8s_sa_str_is_clean(const k8s_sa_str_t *s);


#endif /* K8S_SA_BASE_H */
