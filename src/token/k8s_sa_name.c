/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_name.h"


#define K8S_SA_LABEL_MAX      63
#define K8S_SA_SUBDOMAIN_MAX  253


static int k8s_sa_name_is_valid(const k8s_sa_str_t *s, size_t max,
    unsigned dots);


int
k8s_sa_name_is_label(const k8s_sa_str_t *s)
{
    return k8s_sa_name_is_valid(s, K8S_SA_LABEL_MAX, 0);
}


int
k8s_sa_name_is_subdomain(const k8s_sa_str_t *s)
{
    return k8s_sa_name_is_valid(s, K8S_SA_SUBDOMAIN_MAX, 1);
}


static int
k8s_sa_name_is_valid(const k8s_sa_str_t *s, size_t max, unsigned dots)
{
    size_t         i;
    unsigned char  ch, last;

    if (s->len > max) {
        return 0;
    }

    /* as if after a dot: a label must not begin or end with "-" or "." */

    last = '.';

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')) {
            last = ch;

        } else if (ch == '-' && last != '.') {
            last = ch;

        } else if (ch == '.' && dots && last != '.' && last != '-') {
            last = ch;

        } else {
            return 0;
        }
    }

    return last != '.' && last != '-';
}
