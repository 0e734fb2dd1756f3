/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The documents of a TokenReview: what is sent, and what the answer means.
 */

#ifndef NGX_K8S_SA_REVIEW_TOKEN_H
#define NGX_K8S_SA_REVIEW_TOKEN_H


#include "issuer/ngx_k8s_sa_review.h"
#include "token/k8s_sa_token_review.h"


/*
 * Makes the JSON to send.  It contains the token: the caller wipes body->data
 * and frees it with free().  Returns NGX_OK, or NGX_ERROR without memory or if
 * the token is not UTF-8.
 */

ngx_int_t ngx_k8s_sa_review_token_body(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request, ngx_str_t *body);

/*
 * Reads an answer into *result, without result->fresh.  The verdict is
 * K8S_SA_REVIEW_FAILED, with the reason in *err, if the answer has none.  The
 * strings of *result belong to *document, which the caller always passes to
 * k8s_sa_token_review_free().
 */

void ngx_k8s_sa_review_token_parse(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request, const ngx_str_t *body,
    k8s_sa_token_review_t *document, ngx_k8s_sa_review_result_t *result,
    k8s_sa_error_t *err);


#endif /* NGX_K8S_SA_REVIEW_TOKEN_H */
