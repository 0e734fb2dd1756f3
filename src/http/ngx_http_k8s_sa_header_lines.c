/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_header_lines.h"
#include "http/ngx_http_k8s_sa_headers.h"


ngx_table_elt_t *
ngx_http_k8s_sa_next_header(ngx_http_request_t *r, const ngx_str_t *name,
    const ngx_table_elt_t *prev)
{
    ngx_uint_t                    i;
    ngx_list_part_t              *part;
    ngx_table_elt_t              *h;
    ngx_http_k8s_sa_protected_t   wanted;

    wanted.name = *name;
    wanted.prefix = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (prev) {
                prev = (&h[i] == prev) ? NULL : prev;

            } else if (ngx_http_k8s_sa_header_matches(&h[i].key, &wanted, 1)) {
                return &h[i];
            }
        }
    }

    return NULL;
}
