#include "token/k8s_sa_base.h"

#include <stdarg.h>
#include <string.h>


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

    /* memcmp() must not see the NULL of an absent string */

    return a->len == 0 || memcmp(a->data, b->data, a->len) == 0;
}


int
k8s_sa_str_is_clean(const k8s_sa_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] < 0x20 || s->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}
