/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * All lines of a request header: an upstream may read another one than nginx.
 */

#ifndef NGX_HTTP_K8S_SA_HEADER_LINES_H
#define NGX_HTTP_K8S_SA_HEADER_LINES_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Returns the next line of this name, in the sense of
 * ngx_http_k8s_sa_header_matches(), after prev, or the first one if prev is
 * NULL; NULL if there is none.
 */

ngx_table_elt_t *ngx_http_k8s_sa_next_header(ngx_http_request_t *r,
    const ngx_str_t *name, const ngx_table_elt_t *prev);


#endif /* NGX_HTTP_K8S_SA_HEADER_LINES_H */
