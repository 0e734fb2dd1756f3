/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Types and return codes shared by everything in src/token/.
 *
 * Nothing here depends on nginx: k8s-sa-client, the unit tests and the fuzzers
 * link src/token/ as it is.  The code is single-threaded by design, like an
 * nginx worker: objects have no locks and must not be shared between threads.
 */

#ifndef K8S_SA_BASE_H
#define K8S_SA_BASE_H


#include <stddef.h>
#include <stdint.h>
#include <stdio.h>


#define K8S_SA_OK        0
#define K8S_SA_ERROR    -1


/*
 * A counted string, not NUL-terminated; the declaration of each says which
 * object owns the bytes.  data == NULL means absent; len == 0 with data != NULL
 * means present, but empty.
 */

typedef struct {
    size_t          len;
    unsigned char  *data;
} k8s_sa_str_t;


/*
 * An error message for people, without a final full stop: for configuration
 * errors, log lines about an issuer, and the client.  Never contains a token,
 * a signature or key material.
 */

#define K8S_SA_ERROR_LEN  256

typedef struct {
    char            text[K8S_SA_ERROR_LEN];
} k8s_sa_error_t;


/* n in each of eight bytes, for tests of eight bytes at a time */

#define K8S_SA_BYTES(n)  ((n) * UINT64_C(0x0101010101010101))


/* Formats a message, truncated to the size of err->text; err may be NULL. */

void k8s_sa_error_set(k8s_sa_error_t *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Returns 1 if both have the same length and bytes, otherwise 0. */

int k8s_sa_str_eq(const k8s_sa_str_t *a, const k8s_sa_str_t *b);

/*
 * Returns the address after the last byte, or NULL if s is absent (NULL + 0 is
 * undefined in C).
 */

unsigned char *k8s_sa_str_end(const k8s_sa_str_t *s);

/*
 * Returns 1 if s, in UTF-8, has no control characters (U+0000 to U+001F, U+007F
 * to U+009F) and no line or paragraph separator (U+2028, U+2029), otherwise 0.
 */

int k8s_sa_str_is_clean(const k8s_sa_str_t *s);


#endif /* K8S_SA_BASE_H */
