/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_reviewed.h"
#include "shared/ngx_k8s_sa_cache.h"
#include "token/k8s_sa_packed.h"


static ngx_int_t ngx_k8s_sa_reviewed_find(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key, ngx_k8s_sa_cache_entry_t *e);
static ngx_uint_t ngx_k8s_sa_reviewed_serves(ngx_k8s_sa_cache_entry_t *e,
    ngx_msec_t stale);
static ngx_int_t ngx_k8s_sa_reviewed_unpack(ngx_k8s_sa_cache_entry_t *e,
    ngx_pool_t *pool, ngx_k8s_sa_review_result_t *result);


/* the data of the entry found last */

static u_char  ngx_k8s_sa_reviewed_buf[NGX_K8S_SA_CACHE_DATA_MAX];


ngx_uint_t
ngx_k8s_sa_reviewed_is_fresh(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key)
{
    ngx_k8s_sa_cache_entry_t  e;

    return ngx_k8s_sa_reviewed_find(reviews, key, &e) == NGX_OK
           && ngx_k8s_sa_reviewed_serves(&e, 0);
}


ngx_int_t
ngx_k8s_sa_reviewed_get(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key, ngx_uint_t stale, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_k8s_sa_cache_entry_t  e;

    if (ngx_k8s_sa_reviewed_find(reviews, key, &e) != NGX_OK
        || !ngx_k8s_sa_reviewed_serves(&e, stale ? reviews->stale : 0))
    {
        return NGX_DECLINED;
    }

    return ngx_k8s_sa_reviewed_unpack(&e, pool, result);
}


static ngx_int_t
ngx_k8s_sa_reviewed_find(const ngx_k8s_sa_reviews_t *reviews,
    const u_char *key, ngx_k8s_sa_cache_entry_t *e)
{
    return ngx_k8s_sa_cache_lookup(reviews->issuer->zone, key, ngx_time(), e,
                                   ngx_k8s_sa_reviewed_buf,
                                   sizeof(ngx_k8s_sa_reviewed_buf));
}


/* 1 if the entry is fresh, or has been stale for less than this time */

static ngx_uint_t
ngx_k8s_sa_reviewed_serves(ngx_k8s_sa_cache_entry_t *e, ngx_msec_t stale)
{
    ngx_msec_int_t  age;

    age = ngx_current_msec - (ngx_msec_t) e->fresh;

    return age < 0
           || (e->kind == NGX_K8S_SA_CACHE_REVIEWED
               && age < (ngx_msec_int_t) stale);
}


static ngx_int_t
ngx_k8s_sa_reviewed_unpack(ngx_k8s_sa_cache_entry_t *e, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result)
{
    u_char  *p;
    size_t   size;

    ngx_memzero(result, sizeof(ngx_k8s_sa_review_result_t));

    result->verdict = e->verdict;
    result->claimed = e->claimed;
    result->fresh = (ngx_msec_t) e->fresh;

    switch (e->kind) {

    case NGX_K8S_SA_CACHE_REFUSED:

        p = ngx_pnalloc(pool, e->len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        result->reason.data = p;
        result->reason.len = e->len;
        ngx_memcpy(p, e->data, e->len);

        return e->verdict == K8S_SA_VERDICT_OK ? NGX_DECLINED : NGX_OK;

    case NGX_K8S_SA_CACHE_REVIEWED:

        size = k8s_sa_packed_size(e->data, e->len);

        if (size == 0 || e->verdict != K8S_SA_VERDICT_OK) {
            return NGX_DECLINED;
        }

        result->identity = ngx_palloc(pool, sizeof(k8s_sa_identity_t));
        p = ngx_pnalloc(pool, size);

        if (result->identity == NULL || p == NULL) {
            return NGX_ERROR;
        }

        return k8s_sa_identity_unpack(result->identity, e->data, e->len, p,
                                      size)
               == K8S_SA_OK ? NGX_OK : NGX_DECLINED;

    default:

        return NGX_DECLINED;
    }
}


void
ngx_k8s_sa_reviewed_put(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request,
    ngx_k8s_sa_review_result_t *result)
{
    u_char                     packed[K8S_SA_PACKED_MAX];
    int64_t                    expires;
    ngx_msec_t                 fresh, keep;
    ngx_k8s_sa_zone_t         *zone;
    ngx_k8s_sa_cache_entry_t   e;

    zone = reviews->issuer->zone;

    ngx_memzero(&e, sizeof(ngx_k8s_sa_cache_entry_t));

    if (result->identity) {
        fresh = reviews->cache;
        keep = fresh + reviews->stale;

        e.kind = NGX_K8S_SA_CACHE_REVIEWED;
        e.user = result->identity->username;
        e.data = packed;
        e.len = k8s_sa_identity_pack(packed, sizeof(packed), result->identity);

    } else {
        fresh = reviews->failed;
        keep = fresh;

        e.kind = NGX_K8S_SA_CACHE_REFUSED;
        e.data = result->reason.data;
        e.len = result->reason.len;
    }

    /* expires, in seconds, only frees the entry; fresh is exact */

    expires = (int64_t) ngx_time() + (keep + 999) / 1000 + 1;

    result->fresh = ngx_current_msec + fresh;

    e.verdict = result->verdict;
    e.fresh = (int64_t) result->fresh;
    e.expires = ngx_min(expires, request->not_after);

    /* an identity that is too large to be packed is not remembered */

    if (keep == 0 || (result->identity && e.len == 0)) {
        ngx_k8s_sa_cache_delete(zone, request->key);
        return;
    }

    (void) ngx_k8s_sa_cache_insert(zone, request->key, ngx_time(), &e);
}
