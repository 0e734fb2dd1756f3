/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verdicts of access reviews, remembered in the shared zone for all workers.
 *
 * An entry has the time when it was asked: its age is compared with the
 * configuration in force, so that a reload with shorter times takes effect at
 * once.
 */

#ifndef NGX_K8S_SA_DECISION_H
#define NGX_K8S_SA_DECISION_H


#include "issuer/ngx_k8s_sa_review.h"


/* Returns 1 if there is a fresh verdict for the key. */

ngx_uint_t ngx_k8s_sa_decision_is_fresh(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key);

/*
 * Finds a fresh verdict or, with stale set, an allowing one that is stale.
 * Returns NGX_OK, with memory for result->reason from pool; NGX_DECLINED if
 * there is no such verdict; NGX_ERROR without memory.  result->fresh tells
 * until when the verdict is fresh, in ngx_current_msec.
 */

ngx_int_t ngx_k8s_sa_decision_get(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key, ngx_uint_t stale, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result);

/*
 * Remembers a verdict about this user, K8S_SA_VERDICT_OK or
 * K8S_SA_ACCESS_DENIED, in place of any earlier one.  Sets result->fresh.
 */

void ngx_k8s_sa_decision_put(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key, const k8s_sa_str_t *user,
    ngx_k8s_sa_review_result_t *result);


#endif /* NGX_K8S_SA_DECISION_H */
