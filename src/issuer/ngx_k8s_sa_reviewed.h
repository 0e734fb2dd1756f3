/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verdicts of token reviews, remembered in the shared zone for all workers:
 * functions of ngx_k8s_sa_review_kind_t.
 *
 * A verdict is fresh for the time that "token_review_cache" sets.  After that
 * an accepting one is stale for some time ("stale=TIME"), and serves only
 * while the API server is down.
 */

#ifndef NGX_K8S_SA_REVIEWED_H
#define NGX_K8S_SA_REVIEWED_H


#include "issuer/ngx_k8s_sa_review.h"


ngx_uint_t ngx_k8s_sa_reviewed_is_fresh(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key);

ngx_int_t ngx_k8s_sa_reviewed_get(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key, ngx_uint_t stale, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result);

void ngx_k8s_sa_reviewed_put(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request,
    ngx_k8s_sa_review_result_t *result);


#endif /* NGX_K8S_SA_REVIEWED_H */
