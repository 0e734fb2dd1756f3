/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The rules of a location that need no API server: k8s_sa_allow,
 * k8s_sa_require.
 */

#ifndef NGX_HTTP_K8S_SA_ALLOW_H
#define NGX_HTTP_K8S_SA_ALLOW_H


#include "http/ngx_http_k8s_sa_ctx.h"


/* One k8s_sa_require directive. */

typedef struct {
    ngx_array_t                values;     /* ngx_http_complex_value_t */
    ngx_int_t                  status;     /* when one is empty or "0" */
} ngx_http_k8s_sa_require_t;


/*
 * Applies the location's rules to a decided request.  NGX_OK: it may pass,
 * with an identity, or without a token where that is optional; NGX_DECLINED:
 * ctx->verdict says why it may not; NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_k8s_sa_check_rules(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx);


#endif /* NGX_HTTP_K8S_SA_ALLOW_H */
