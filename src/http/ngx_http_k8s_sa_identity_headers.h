/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The headers that tell the upstream who the caller is: k8s_sa_set_header,
 * k8s_sa_front_proxy_headers.
 */

#ifndef NGX_HTTP_K8S_SA_IDENTITY_HEADERS_H
#define NGX_HTTP_K8S_SA_IDENTITY_HEADERS_H


#include "http/ngx_http_k8s_sa_ctx.h"


/*
 * Adds the location's identity headers to list, the request's headers or the
 * response's.  NGX_OK; NGX_HTTP_BAD_REQUEST if a value is not valid in a
 * header; or NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_push_headers(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_list_t *list);


#endif /* NGX_HTTP_K8S_SA_IDENTITY_HEADERS_H */
