/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * k8s_sa_authorize: the cluster decides whether the caller may do this.
 */

#ifndef NGX_HTTP_K8S_SA_AUTHORIZE_H
#define NGX_HTTP_K8S_SA_AUTHORIZE_H


#include "http/ngx_http_k8s_sa_identify.h"


/* All of a location; each must be allowed. */

struct ngx_http_k8s_sa_rules_s {
    ngx_array_t                rules;      /* ngx_http_k8s_sa_rule_t */
    ngx_uint_t                 used;       /* by a location with k8s_sa_auth */
};


/*
 * Asks whether an identified caller may do what the location's rules say.
 * NGX_OK: allowed; NGX_DECLINED: ctx->verdict says why not; NGX_AGAIN: resume()
 * will be called, and the request has to be decided about again; NGX_ERROR: no
 * memory.
 */

ngx_int_t ngx_http_k8s_sa_authorize(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_http_k8s_sa_resume_pt resume);


#endif /* NGX_HTTP_K8S_SA_AUTHORIZE_H */
