/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Decides about a token: with caches, keys and reviews.
 */

#ifndef NGX_HTTP_K8S_SA_CHECK_H
#define NGX_HTTP_K8S_SA_CHECK_H


#include "http/ngx_http_k8s_sa_ctx.h"


/*
 * Decides about ctx->token with the issuers of the location, without waiting.
 * Fills verdict, identity, issuer and detail of ctx; the verdict is final
 * unless ctx->state is KEYS_DUE or REVIEW_DUE.  NGX_OK when decided, NGX_ERROR
 * without memory.
 */

ngx_int_t ngx_http_k8s_sa_check(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx);


#endif /* NGX_HTTP_K8S_SA_CHECK_H */
