/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Output to a buffer of the caller's, which can also only be measured.
 */

#ifndef K8S_SA_OUT_H
#define K8S_SA_OUT_H


#include "token/k8s_sa_base.h"

#include <string.h>


typedef struct {
    unsigned char  *dst;      /* NULL: nothing is written */
    size_t          size;     /* room at dst */
    size_t          len;      /* of the whole output; what does not fit is not
                                 written, nor is anything after it */
} k8s_sa_out_t;


static inline void
k8s_sa_out(k8s_sa_out_t *out, const void *data, size_t n)
{
    if (n && out->dst && out->len <= out->size && n <= out->size - out->len) {
        memcpy(out->dst + out->len, data, n);
    }

    out->len += n;
}


static inline void
k8s_sa_out_text(k8s_sa_out_t *out, const char *text)
{
    k8s_sa_out(out, text, strlen(text));
}


static inline void
k8s_sa_out_str(k8s_sa_out_t *out, const k8s_sa_str_t *s)
{
    k8s_sa_out(out, s->data, s->len);
}


#endif /* K8S_SA_OUT_H */
