/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A request's arrival: its token is found, headers that must not reach the
 * upstream are removed, and the caller is identified.
 */

#ifndef NGX_HTTP_K8S_SA_REQUEST_H
#define NGX_HTTP_K8S_SA_REQUEST_H


#include "http/ngx_http_k8s_sa_ctx.h"


/*
 * The handler of the post-read phase: removes headers that could be mistaken
 * for identity headers, before any variable is read.
 */

ngx_int_t ngx_http_k8s_sa_post_read_handler(ngx_http_request_t *r);

/*
 * The handler of the preaccess phase: removes such headers again, since a
 * redirect brings our own along and nginx sends a request that it refuses
 * itself ("error_page 497") past the post-read phase; finds the token and
 * withholds it from the upstream; and identifies the caller, unless
 * "k8s_sa_phase access" leaves that to the access phase.
 */

ngx_int_t ngx_http_k8s_sa_preaccess_handler(ngx_http_request_t *r);

/*
 * Makes a state for a subrequest that decides for itself, and finds its token.
 * NULL without memory.
 */

ngx_http_k8s_sa_ctx_t *ngx_http_k8s_sa_sub_ctx(ngx_http_request_t *r);


#endif /* NGX_HTTP_K8S_SA_REQUEST_H */
