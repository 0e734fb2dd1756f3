/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The API server's verdict on a request's token (TokenReview).
 */

#ifndef NGX_HTTP_K8S_SA_REVIEW_H
#define NGX_HTTP_K8S_SA_REVIEW_H


#include "http/ngx_http_k8s_sa_ctx.h"


/*
 * Reviews a token that the local check has accepted: ctx->entry is set, and
 * ctx->issuer has both keys and "token_review".  Changes ctx accordingly; the
 * verdict is final unless ctx->state is REVIEW_DUE.  NGX_OK, or NGX_ERROR
 * without memory.
 */

ngx_int_t ngx_http_k8s_sa_review_local(ngx_http_request_t *r,
    ngx_http_k8s_sa_auth_t *auth, ngx_http_k8s_sa_ctx_t *ctx);

/* Does the same for a token without a known key: asks issuers without keys. */

ngx_int_t ngx_http_k8s_sa_review_any(ngx_http_request_t *r,
    ngx_http_k8s_sa_auth_t *auth, ngx_http_k8s_sa_ctx_t *ctx);

/*
 * Starts the review that is due.  NGX_AGAIN: ctx->pause->waiter.handler will
 * be called; NGX_DECLINED: ctx->verdict says why not.
 */

ngx_int_t ngx_http_k8s_sa_review_wait(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);


#endif /* NGX_HTTP_K8S_SA_REVIEW_H */
