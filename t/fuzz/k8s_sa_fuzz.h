/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Helpers of the fuzzers: a check that ends the run, numbers taken from the
 * input, and what must be true of every identity.
 *
 * The fuzzers run from the top of the tree: some read keys and tokens from
 * t/fixtures/ when they start.
 */

#ifndef K8S_SA_FUZZ_H
#define K8S_SA_FUZZ_H


#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/k8s_sa_identity.h"


#define fuzz_nelts(a)  (sizeof(a) / sizeof((a)[0]))

#define fuzz_lit(text)  { sizeof(text) - 1, (unsigned char *) text }

/* libFuzzer saves the input that aborts. */

#define fuzz_check(condition)                                                 \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__,      \
                    #condition);                                              \
            abort();                                                          \
        }                                                                     \
    } while (0)


typedef struct {
    k8s_sa_str_t  fields[32];
    size_t        n;
} fuzz_fields_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);


/* Copies exactly len bytes, so that ASan reports reads past the end. */

static inline unsigned char *
fuzz_copy(const void *data, size_t len)
{
    unsigned char  *p;

    p = malloc(len ? len : 1);
    fuzz_check(p != NULL);

    if (len) {
        memcpy(p, data, len);
    }

    return p;
}


/* Takes the next byte of the input, or 0 at its end. */

static inline unsigned
fuzz_byte(const uint8_t **data, size_t *size)
{
    if (*size == 0) {
        return 0;
    }

    (*size)--;

    return *(*data)++;
}


/* Returns 1 if there are no control characters but those in allowed. */

static inline int
fuzz_is_clean(const unsigned char *p, size_t len, const char *allowed)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if ((p[i] < 0x20 || p[i] == 0x7f)
            && (p[i] == '\0' || strchr(allowed, p[i]) == NULL))
        {
            return 0;
        }
    }

    return 1;
}


/* The same without U+0080 to U+009F, U+2028 and U+2029 in UTF-8 */

static inline int
fuzz_is_text(const unsigned char *p, size_t len, const char *allowed)
{
    size_t  i;

    for (i = 1; i < len; i++) {
        if (p[i - 1] == 0xc2 && (p[i] & 0xe0) == 0x80) {
            return 0;
        }

        if (i > 1 && p[i - 2] == 0xe2 && p[i - 1] == 0x80
            && (p[i] & 0xfe) == 0xa8)
        {
            return 0;
        }
    }

    return fuzz_is_clean(p, len, allowed);
}


static inline int
fuzz_same(const k8s_sa_str_t *a, const k8s_sa_str_t *b)
{
    return (a->data == NULL) == (b->data == NULL)
           && a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


/* An error message must be NUL-terminated, printable and on one line. */

static inline void
fuzz_check_error(const k8s_sa_error_t *err)
{
    const char  *end;

    end = memchr(err->text, '\0', sizeof(err->text));

    fuzz_check(end != NULL);
    fuzz_check(fuzz_is_clean((const unsigned char *) err->text,
                             end - err->text, ""));
}


static inline void
fuzz_check_field(k8s_sa_str_t *field, void *data)
{
    k8s_sa_identity_t  *id = data;

    fuzz_check(field->data != NULL || field->len == 0);

    if (field->data == NULL) {
        return;
    }

    if (field == &id->groups || field == &id->extra) {
        fuzz_check(field->len == 0 || field->data[field->len - 1] == '\n');
        fuzz_check(fuzz_is_text(field->data, field->len,
                                field == &id->extra ? "\n\t" : "\n"));
        return;
    }

    fuzz_check(fuzz_is_text(field->data, field->len, ""));
}


/* Reads every byte, too, for ASan. */

static inline void
fuzz_check_identity(k8s_sa_identity_t *id)
{
    k8s_sa_identity_each(id, fuzz_check_field, id);
}


/* Compares two identities, field by field. */

static inline void
fuzz_collect(k8s_sa_str_t *field, void *data)
{
    fuzz_fields_t  *all = data;

    fuzz_check(all->n < fuzz_nelts(all->fields));
    all->fields[all->n++] = *field;
}


static inline void
fuzz_check_same(k8s_sa_identity_t *a, k8s_sa_identity_t *b)
{
    size_t         i;
    fuzz_fields_t  x, y;

    x.n = 0;
    y.n = 0;

    k8s_sa_identity_each(a, fuzz_collect, &x);
    k8s_sa_identity_each(b, fuzz_collect, &y);

    for (i = 0; i < x.n; i++) {
        fuzz_check(fuzz_same(&x.fields[i], &y.fields[i]));
    }

    fuzz_check(a->expires == b->expires && a->issued == b->issued
               && a->warnafter == b->warnafter);
}


#endif /* K8S_SA_FUZZ_H */
