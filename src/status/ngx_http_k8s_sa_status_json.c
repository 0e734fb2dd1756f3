/* SPDX-License-Identifier: BSD-2-Clause */

#include "status/ngx_http_k8s_sa_status.h"
#include "http/ngx_http_k8s_sa_body.h"
#include "issuer/ngx_k8s_sa_access_review.h"
#include "issuer/ngx_k8s_sa_review.h"
#include "shared/ngx_k8s_sa_zone.h"


static json_t *ngx_http_k8s_sa_status_issuer(ngx_k8s_sa_issuer_t *issuer);
static void ngx_http_k8s_sa_status_key(const k8s_sa_key_t *key, void *data);
static json_t *ngx_http_k8s_sa_status_counters(
    ngx_k8s_sa_counters_t *counters);
static json_t *ngx_http_k8s_sa_status_latency(ngx_k8s_sa_latency_t *latency);
static json_t *ngx_http_k8s_sa_status_callers(ngx_k8s_sa_zone_t *zone);
static json_t *ngx_http_k8s_sa_status_zone(ngx_http_k8s_sa_main_conf_t *mcf);
static json_t *ngx_http_k8s_sa_status_number(ngx_uint_t n);


ngx_int_t
ngx_http_k8s_sa_status_json(ngx_http_request_t *r,
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_str_t *body)
{
    json_t                           *root, *issuers;
    ngx_uint_t                        i;
    ngx_http_k8s_sa_named_issuer_t  **ref;

    issuers = json_object();
    ref = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        (void) json_object_setn_new(issuers, (char *) ref[i]->name.data,
                                    ref[i]->name.len,
                             ngx_http_k8s_sa_status_issuer(ref[i]->issuer));
    }

    root = json_pack("{s:o, s:o, s:o, s:o}",
                     "issuers", issuers,
                     "zone", ngx_http_k8s_sa_status_zone(mcf),
                     "without_issuer", ngx_http_k8s_sa_status_counters(
                                       ngx_k8s_sa_zone_counters(mcf->zone)),
                     "callers", ngx_http_k8s_sa_status_callers(mcf->zone));

    return ngx_http_k8s_sa_json_body(r->pool, root, JSON_INDENT(2), body);
}


static json_t *
ngx_http_k8s_sa_status_issuer(ngx_k8s_sa_issuer_t *issuer)
{
    json_t                  *obj, *list;
    ngx_uint_t               i;
    ngx_k8s_sa_key_state_t   state;

    obj = json_object();
    list = json_array();

    for (i = 0; i < issuer->policy.n_issuers; i++) {
        (void) json_array_append_new(list,
                      json_stringn((char *) issuer->policy.issuers[i].data,
                                   issuer->policy.issuers[i].len));
    }

    (void) json_object_set_new(obj, "issuer", list);

    list = json_array();
    ngx_k8s_sa_issuer_each_key(issuer, ngx_http_k8s_sa_status_key, list);
    (void) json_object_set_new(obj, "kids", list);

    (void) json_object_set_new(obj, "key_files",
                       ngx_http_k8s_sa_status_number(issuer->key_files.nelts));

    if (ngx_k8s_sa_issuer_fetches(issuer)
        && ngx_k8s_sa_keystore_state(issuer->zone, &issuer->ref, &state)
           == NGX_OK)
    {
        (void) json_object_set_new(obj, "fetched_keys",
            json_pack("{s:s%, s:I, s:I, s:I, s:I, s:I, s:s%}",
                "from",
                issuer->discovery.text.len ? issuer->discovery.text.data
                                           : issuer->jwks_uri.text.data,
                issuer->discovery.text.len ? issuer->discovery.text.len
                                           : issuer->jwks_uri.text.len,
                "last_refresh", (json_int_t) state.fetched,
                "age", (json_int_t) (state.fetched
                                     ? ngx_time() - state.fetched : 0),
                "next_refresh", (json_int_t) state.refresh,
                "failures", (json_int_t) state.failures,
                "last_failure", (json_int_t) state.failed,
                "last_error", (char *) state.error, state.error_len));
    }

    if (issuer->reviews) {
        (void) json_object_set_new(obj, "token_review",
                         json_stringn((char *) issuer->reviews->url.text.data,
                                      issuer->reviews->url.text.len));
    }

    if (issuer->access) {
        (void) json_object_set_new(obj, "access_review",
                 json_stringn((char *) issuer->access->reviews.url.text.data,
                              issuer->access->reviews.url.text.len));
    }

    (void) json_object_update_new(obj, ngx_http_k8s_sa_status_counters(
                                ngx_k8s_sa_keystore_counters(&issuer->ref)));

    return obj;
}


static void
ngx_http_k8s_sa_status_key(const k8s_sa_key_t *key, void *data)
{
    json_t *kids = data;

    (void) json_array_append_new(kids,
                            json_stringn((char *) k8s_sa_key_kid(key)->data,
                                         k8s_sa_key_kid(key)->len));
}


static json_t *
ngx_http_k8s_sa_status_counters(ngx_k8s_sa_counters_t *counters)
{
    json_t      *obj, *decisions;
    ngx_uint_t   i;

    decisions = json_object();

    for (i = 0; i < K8S_SA_VERDICTS; i++) {
        (void) json_object_set_new(decisions, k8s_sa_verdict_info(i)->word,
                       ngx_http_k8s_sa_status_number(counters->verdicts[i]));
    }

    obj = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "decisions", decisions,
        "cache_hits", ngx_http_k8s_sa_status_number(counters->cache_hits),
        "cache_misses", ngx_http_k8s_sa_status_number(counters->cache_misses),
        "fetches", ngx_http_k8s_sa_status_number(counters->fetches),
        "fetch_errors", ngx_http_k8s_sa_status_number(counters->fetch_errors),
        "reviews", ngx_http_k8s_sa_status_number(counters->reviews),
        "review_errors",
                  ngx_http_k8s_sa_status_number(counters->review_errors),
        "review_msec",
                  ngx_http_k8s_sa_status_number(counters->review_latency.msec),
        "review_latency_msec",
                  ngx_http_k8s_sa_status_latency(&counters->review_latency),
        "past_warnafter", ngx_http_k8s_sa_status_number(counters->warnafter),
        "late", ngx_http_k8s_sa_status_number(counters->late));

    (void) json_object_update_new(obj, json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "access_allowed", ngx_http_k8s_sa_status_number(
                              counters->accesses[NGX_K8S_SA_ACCESS_ALLOWED]),
        "access_denied", ngx_http_k8s_sa_status_number(
                              counters->accesses[NGX_K8S_SA_ACCESS_DENIED]),
        "access_failed", ngx_http_k8s_sa_status_number(
                              counters->accesses[NGX_K8S_SA_ACCESS_FAILED]),
        "access_msec",
                  ngx_http_k8s_sa_status_number(counters->access_latency.msec),
        "access_latency_msec",
                  ngx_http_k8s_sa_status_latency(&counters->access_latency),
        "access_cache_hits",
                  ngx_http_k8s_sa_status_number(counters->access_hits),
        "access_cache_stale",
                  ngx_http_k8s_sa_status_number(counters->access_stale),
        "access_cache_misses",
                  ngx_http_k8s_sa_status_number(counters->access_misses),
        "access_skipped",
                  ngx_http_k8s_sa_status_number(counters->access_skipped)));

    return obj;
}


static json_t *
ngx_http_k8s_sa_status_latency(ngx_k8s_sa_latency_t *latency)
{
    u_char       bound[NGX_INT_T_LEN + 1];
    json_t      *obj;
    ngx_uint_t   i;

    obj = json_object();

    for (i = 0; i < NGX_K8S_SA_LATENCIES - 1; i++) {
        *ngx_sprintf(bound, "%ui", ngx_k8s_sa_latencies[i]) = '\0';

        (void) json_object_set_new(obj, (char *) bound,
                         ngx_http_k8s_sa_status_number(latency->buckets[i]));
    }

    (void) json_object_set_new(obj, "more",
                         ngx_http_k8s_sa_status_number(latency->buckets[i]));

    return obj;
}


static json_t *
ngx_http_k8s_sa_status_callers(ngx_k8s_sa_zone_t *zone)
{
    json_t               *list;
    ngx_uint_t            i, n;
    ngx_k8s_sa_caller_t  *caller;

    list = json_array();
    caller = ngx_k8s_sa_callers(zone, &n);

    for (i = 0; i < n; i++) {
        (void) json_array_append_new(list,
            json_pack("{s:s%, s:s%, s:o, s:o}",
                "namespace", caller[i].text, (size_t) caller[i].namespace_len,
                "name", caller[i].text + caller[i].namespace_len,
                (size_t) caller[i].name_len,
                "past_warnafter",
                ngx_http_k8s_sa_status_number(caller[i].warnafter),
                "late", ngx_http_k8s_sa_status_number(caller[i].late)));
    }

    return list;
}


static json_t *
ngx_http_k8s_sa_status_zone(ngx_http_k8s_sa_main_conf_t *mcf)
{
    ngx_k8s_sa_zone_stat_t  stat;

    ngx_k8s_sa_zone_stat(mcf->zone, &stat);

    return json_pack("{s:s%, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "name", mcf->zone_name.data, mcf->zone_name.len,
        "size", ngx_http_k8s_sa_status_number(stat.size),
        "used", ngx_http_k8s_sa_status_number(stat.used),
        "tokens", ngx_http_k8s_sa_status_number(stat.tokens),
        "tokens_bytes", ngx_http_k8s_sa_status_number(stat.tokens_used),
        "refusals", ngx_http_k8s_sa_status_number(stat.refusals),
        "grants", ngx_http_k8s_sa_status_number(stat.grants),
        "denials", ngx_http_k8s_sa_status_number(stat.denials),
        "evictions", ngx_http_k8s_sa_status_number(stat.evictions),
        "recoveries", ngx_http_k8s_sa_status_number(stat.recoveries));
}


static json_t *
ngx_http_k8s_sa_status_number(ngx_uint_t n)
{
    return json_integer((json_int_t) n);
}
