/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Response bodies that are made in memory.
 */

#ifndef NGX_HTTP_K8S_SA_BODY_H
#define NGX_HTTP_K8S_SA_BODY_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <jansson.h>


/*
 * Sets body to the text of json and a line feed, allocated from pool, and
 * frees json, which may be NULL.  flags are json_dumps()'s.  Returns NGX_OK, or
 * NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_json_body(ngx_pool_t *pool, json_t *json,
    size_t flags, ngx_str_t *body);

/*
 * Sends a response with status 200, the content type and the body, both of
 * which must live as long as r->pool.  Returns what a content handler returns.
 */

ngx_int_t ngx_http_k8s_sa_send_body(ngx_http_request_t *r,
    const ngx_str_t *type, const ngx_str_t *body);


#endif /* NGX_HTTP_K8S_SA_BODY_H */
