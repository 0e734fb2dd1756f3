/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verdicts of reviews, remembered in the shared zone for all workers.
 *
 * A verdict is fresh for the configured time ("token_review_cache").  One that
 * accepts is stale for some more ("stale=TIME"), and then serves only while
 * the API server cannot be reached.
 */

#ifndef NGX_K8S_SA_REVIEWED_H
#define NGX_K8S_SA_REVIEWED_H


#include "issuer/ngx_k8s_sa_review.h"


/* Returns 1 if there is a fresh verdict for the key. */

ngx_uint_t ngx_k8s_sa_reviewed_is_fresh(ngx_k8s_sa_issuer_t *issuer,
    const u_char *key);

/*
 * Finds a fresh verdict, or also a stale one if stale is set; result->fresh
 * tells which.  NGX_OK, the memory of *result is from pool; NGX_DECLINED:
 * there is none; NGX_ERROR: no memory.
 */

ngx_int_t ngx_k8s_sa_reviewed_get(ngx_k8s_sa_issuer_t *issuer,
    const u_char *key, ngx_uint_t stale, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result);

/*
 * Remembers a new verdict instead of any earlier one, until not_after (seconds
 * since the epoch) at most; sets result->fresh.
 */

void ngx_k8s_sa_reviewed_put(ngx_k8s_sa_issuer_t *issuer, const u_char *key,
    int64_t not_after, ngx_k8s_sa_review_result_t *result);


#endif /* NGX_K8S_SA_REVIEWED_H */
