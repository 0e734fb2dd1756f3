/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_decision.h"
#include "shared/ngx_k8s_sa_cache.h"
#include "token/k8s_sa_access_review.h"


ngx_int_t
ngx_k8s_sa_decision_get(ngx_k8s_sa_issuer_t *issuer, const u_char *key,
    ngx_uint_t stale, ngx_pool_t *pool, ngx_k8s_sa_review_result_t *result)
{
    ngx_msec_t                 age, life;
    ngx_k8s_sa_accesses_t     *access;
    ngx_k8s_sa_cache_entry_t   e;
    u_char                     reason[K8S_SA_ACCESS_REASON_MAX];

    access = issuer->access;

    if (ngx_k8s_sa_cache_lookup(issuer->zone, key, ngx_time(), &e, reason,
                                sizeof(reason))
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(result, sizeof(ngx_k8s_sa_review_result_t));

    switch (e.kind) {

    case NGX_K8S_SA_CACHE_ALLOWED:
        result->verdict = K8S_SA_VERDICT_OK;
        life = access->cache;
        break;

    case NGX_K8S_SA_CACHE_DENIED:
        result->verdict = K8S_SA_ACCESS_DENIED;
        life = access->denied;
        stale = 0;
        break;

    default:
        return NGX_DECLINED;
    }

    /* signed: the clocks of two workers may differ by a turn of their loops */

    age = ngx_current_msec - (ngx_msec_t) e.fresh;
    age = (ngx_msec_int_t) age < 0 ? 0 : age;

    result->fresh = (ngx_msec_t) e.fresh + life;

    if (age >= life + (stale ? access->stale : 0)) {
        return NGX_DECLINED;
    }

    if (e.len == 0) {
        return NGX_OK;
    }

    result->reason.data = ngx_pnalloc(pool, e.len);
    if (result->reason.data == NULL) {
        return NGX_ERROR;
    }

    result->reason.len = e.len;
    ngx_memcpy(result->reason.data, reason, e.len);

    return NGX_OK;
}


void
ngx_k8s_sa_decision_put(ngx_k8s_sa_issuer_t *issuer, const u_char *key,
    const k8s_sa_str_t *user, ngx_k8s_sa_review_result_t *result)
{
    ngx_msec_t                 fresh, keep;
    ngx_k8s_sa_accesses_t     *access;
    ngx_k8s_sa_cache_entry_t   e;

    access = issuer->access;

    ngx_memzero(&e, sizeof(ngx_k8s_sa_cache_entry_t));

    if (result->verdict == K8S_SA_VERDICT_OK) {
        fresh = access->cache;
        keep = fresh + access->stale;

        e.kind = NGX_K8S_SA_CACHE_ALLOWED;
        e.user = *user;

    } else {
        fresh = access->denied;
        keep = fresh;

        e.kind = NGX_K8S_SA_CACHE_DENIED;
        e.data = result->reason.data;
        e.len = ngx_min(result->reason.len, K8S_SA_ACCESS_REASON_MAX);
    }

    result->fresh = ngx_current_msec + fresh;

    e.verdict = result->verdict;
    e.fresh = (int64_t) ngx_current_msec;

    /* in seconds, it only frees the entry */

    e.expires = (int64_t) ngx_time() + (keep + 999) / 1000 + 1;

    if (keep == 0) {
        ngx_k8s_sa_cache_delete(issuer->zone, key);
        return;
    }

    (void) ngx_k8s_sa_cache_insert(issuer->zone, key, ngx_time(), &e);
}
