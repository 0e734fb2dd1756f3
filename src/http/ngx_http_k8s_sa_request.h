/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A request's arrival: its token is found, and headers that must not reach the
 * upstream are removed.
 */

#ifndef NGX_HTTP_K8S_SA_REQUEST_H
#define NGX_HTTP_K8S_SA_REQUEST_H


#include "http/ngx_http_k8s_sa_ctx.h"


/*
 * The handler of the preaccess phase: removes headers that could be mistaken
 * for identity headers, finds the token and withholds it from the upstream.
 */

ngx_int_t ngx_http_k8s_sa_preaccess_handler(ngx_http_request_t *r);

/*
 * Makes a state for a subrequest that decides for itself, and finds its token.
 * NULL without memory.
 */

ngx_http_k8s_sa_ctx_t *ngx_http_k8s_sa_sub_ctx(ngx_http_request_t *r);


#endif /* NGX_HTTP_K8S_SA_REQUEST_H */
