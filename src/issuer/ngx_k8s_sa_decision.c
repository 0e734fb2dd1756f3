/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_decision.h"
#include "token/k8s_sa_access_review.h"


/* What a lookup has found; the reason is only that of a denial. */

typedef struct {
    ngx_k8s_sa_cache_entry_t   entry;
    u_char                     reason[K8S_SA_ACCESS_REASON_MAX];
    ngx_msec_t                 life;       /* how long it is fresh */
    ngx_msec_t                 age;
} ngx_k8s_sa_decision_t;


static ngx_int_t ngx_k8s_sa_decision_find(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key, ngx_k8s_sa_decision_t *d);


ngx_uint_t
ngx_k8s_sa_decision_is_fresh(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key)
{
    ngx_k8s_sa_decision_t  d;

    return ngx_k8s_sa_decision_find(reviews, key, &d) == NGX_OK
           && d.age < d.life;
}


ngx_int_t
ngx_k8s_sa_decision_get(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key, ngx_uint_t stale, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_msec_t             more;
    ngx_k8s_sa_decision_t  d;

    if (ngx_k8s_sa_decision_find(reviews, key, &d) != NGX_OK) {
        return NGX_DECLINED;
    }

    more = (stale && d.entry.kind == NGX_K8S_SA_CACHE_ALLOWED)
           ? reviews->stale : 0;

    if (d.age >= d.life + more) {
        return NGX_DECLINED;
    }

    result->verdict = (d.entry.kind == NGX_K8S_SA_CACHE_ALLOWED)
                      ? K8S_SA_VERDICT_OK : K8S_SA_ACCESS_DENIED;
    result->identity = NULL;
    result->claimed = d.entry.claimed;
    result->fresh = ngx_current_msec - d.age + d.life;
    result->reason.data = NULL;
    result->reason.len = d.entry.len;

    if (d.entry.len == 0) {
        return NGX_OK;
    }

    result->reason.data = ngx_pnalloc(pool, d.entry.len);
    if (result->reason.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(result->reason.data, d.reason, d.entry.len);

    return NGX_OK;
}


static ngx_int_t
ngx_k8s_sa_decision_find(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key, ngx_k8s_sa_decision_t *d)
{
    ngx_msec_int_t  age;

    if (ngx_k8s_sa_cache_lookup(reviews->issuer->zone, key, ngx_time(),
                                &d->entry, d->reason, sizeof(d->reason))
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    switch (d->entry.kind) {

    case NGX_K8S_SA_CACHE_ALLOWED:
        d->life = reviews->cache;
        break;

    case NGX_K8S_SA_CACHE_DENIED:
        d->life = reviews->failed;
        break;

    default:
        return NGX_DECLINED;
    }

    /* workers' clocks differ by a turn of their loops */

    age = ngx_current_msec - (ngx_msec_t) d->entry.fresh;
    d->age = ngx_max(age, 0);

    return NGX_OK;
}


void
ngx_k8s_sa_decision_put(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key, const k8s_sa_str_t *user,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_msec_t                 fresh, keep;
    ngx_k8s_sa_zone_t         *zone;
    ngx_k8s_sa_cache_entry_t   e;

    zone = reviews->issuer->zone;

    ngx_memzero(&e, sizeof(ngx_k8s_sa_cache_entry_t));

    if (result->verdict == K8S_SA_VERDICT_OK) {
        fresh = reviews->cache;
        keep = fresh + reviews->stale;

        e.kind = NGX_K8S_SA_CACHE_ALLOWED;
        e.user = *user;

    } else {
        fresh = reviews->failed;
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

        /* an allowing verdict may be another issuer's of this API server */

        if (result->verdict != K8S_SA_VERDICT_OK) {
            ngx_k8s_sa_cache_delete(zone, key);
        }

        return;
    }

    (void) ngx_k8s_sa_cache_insert(zone, key, ngx_time(), &e);
}
