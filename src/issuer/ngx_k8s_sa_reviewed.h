/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verdicts of reviews, remembered in the shared zone for all workers.
 *
 * A verdict is fresh for the time that "token_review_cache" sets.  After that
 * an accepting one is stale for some time ("stale=TIME"), and serves only
 * while the API server is down.
 */

#ifndef NGX_K8S_SA_REVIEWED_H
#define NGX_K8S_SA_REVIEWED_H


#include "issuer/ngx_k8s_sa_review.h"


/* Returns 1 if there is a fresh verdict for the key. */

ngx_uint_t ngx_k8s_sa_reviewed_is_fresh(ngx_k8s_sa_issuer_t *issuer,
    const u_char *key);

/*
 * Finds a fresh verdict or, with stale set, a stale one; result->fresh tells
 * which.  Returns NGX_OK, with memory for *result from pool; NGX_DECLINED if
 * there is no such verdict; NGX_ERROR without memory.
 */

ngx_int_t ngx_k8s_sa_reviewed_get(ngx_k8s_sa_issuer_t *issuer,
    const u_char *key, ngx_uint_t stale, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result);

/*
 * Remembers a verdict in place of any earlier one, but not past not_after
 * (seconds since the epoch).  Sets result->fresh.
 */

void ngx_k8s_sa_reviewed_put(ngx_k8s_sa_issuer_t *issuer, const u_char *key,
    int64_t not_after, ngx_k8s_sa_review_result_t *result);


#endif /* NGX_K8S_SA_REVIEWED_H */
