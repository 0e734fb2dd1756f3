/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_base.h"

#include <stdarg.h>
#include <string.h>


static int k8s_sa_str_has_controls(const k8s_sa_str_t *s);


void
k8s_sa_error_set(k8s_sa_error_t *err, const char *fmt, ...)
{
    va_list  args;

    if (err == NULL) {
        return;
    }

    va_start(args, fmt);

    if (vsnprintf(err->text, sizeof(err->text), fmt, args) < 0) {
        err->text[0] = '\0';
    }

    va_end(args);
}


int
k8s_sa_str_eq(const k8s_sa_str_t *a, const k8s_sa_str_t *b)
{
    if (a->len != b->len) {
        return 0;
    }

    /* NULL, of an absent string, must not be passed to memcmp() */

    return a->len == 0 || memcmp(a->data, b->data, a->len) == 0;
}


unsigned char *
k8s_sa_str_end(const k8s_sa_str_t *s)
{
    return s->len ? s->data + s->len : s->data;
}


/*
 * Every identity is checked here, so eight bytes at a time.  x - n sets the top
 * bit of the lowest byte that is below n, and "& ~x" ignores bytes in which it
 * was already set; borrows into the bytes above do not matter.
 */

int
k8s_sa_str_is_clean(const k8s_sa_str_t *s)
{
    size_t                n;
    uint64_t              x, del, bad, high;
    const unsigned char  *p;

    bad = 0;
    high = 0;
    p = s->data;

    for (n = s->len; n >= 8; n -= 8, p += 8) {
        memcpy(&x, p, 8);

        del = x ^ K8S_SA_BYTES(0x7f);

        bad |= ((x - K8S_SA_BYTES(0x20)) & ~x)
               | ((del - K8S_SA_BYTES(0x01)) & ~del);
        high |= x;
    }

    for ( /* void */ ; n; n--, p++) {
        if (*p < 0x20 || *p == 0x7f) {
            return 0;
        }

        high |= *p;
    }

    if (bad & K8S_SA_BYTES(0x80)) {
        return 0;
    }

    return (high & K8S_SA_BYTES(0x80)) == 0 || !k8s_sa_str_has_controls(s);
}


/* Looks for U+0080 to U+009F (C2 80 to C2 9F) and U+2028/9 (E2 80 A8/A9). */

static int
k8s_sa_str_has_controls(const k8s_sa_str_t *s)
{
    size_t                i;
    const unsigned char  *p;

    p = s->data;

    for (i = 0; i + 1 < s->len; i++) {

        if (p[i] == 0xc2 && p[i + 1] >= 0x80 && p[i + 1] <= 0x9f) {
            return 1;
        }

        if (i + 2 < s->len && p[i] == 0xe2 && p[i + 1] == 0x80
            && (p[i + 2] == 0xa8 || p[i + 2] == 0xa9))
        {
            return 1;
        }
    }

    return 0;
}
