/* SPDX-License-Identifier: BSD-2-Clause */

#include "status/ngx_http_k8s_sa_status.h"
#include "shared/ngx_k8s_sa_zone.h"


/* the buffer grows when it has less room than this: longer lines are cut */

#define NGX_HTTP_K8S_SA_LINE  4096


typedef struct {
    ngx_pool_t            *pool;
    u_char                *start;
    u_char                *pos;
    u_char                *end;
    ngx_k8s_sa_issuer_t   *issuer;      /* being visited */
    ngx_uint_t             keys;
    ngx_uint_t             failed;
} ngx_http_k8s_sa_text_t;


/* a counter of each issuer */

typedef struct {
    const char            *name;
    const char            *help;
    size_t                 offset;
} ngx_http_k8s_sa_metric_t;


static void ngx_http_k8s_sa_print(ngx_http_k8s_sa_text_t *t, const char *fmt,
    ...);
static void ngx_http_k8s_sa_head(ngx_http_k8s_sa_text_t *t, const char *name,
    const char *type, const char *help);
static void ngx_http_k8s_sa_print_decisions(ngx_http_k8s_sa_text_t *t,
    ngx_http_k8s_sa_main_conf_t *mcf);
static void ngx_http_k8s_sa_print_verdicts(ngx_http_k8s_sa_text_t *t,
    ngx_str_t *issuer, ngx_k8s_sa_counters_t *counters);
static void ngx_http_k8s_sa_print_counters(ngx_http_k8s_sa_text_t *t,
    ngx_http_k8s_sa_main_conf_t *mcf);
static void ngx_http_k8s_sa_print_reviews(ngx_http_k8s_sa_text_t *t,
    ngx_http_k8s_sa_main_conf_t *mcf);
static void ngx_http_k8s_sa_print_latency(ngx_http_k8s_sa_text_t *t,
    ngx_http_k8s_sa_main_conf_t *mcf, const char *name, const char *help,
    size_t offset);
static void ngx_http_k8s_sa_print_keys(ngx_http_k8s_sa_text_t *t,
    ngx_http_k8s_sa_main_conf_t *mcf);
static void ngx_http_k8s_sa_print_key(const k8s_sa_key_t *key, void *data);
static void ngx_http_k8s_sa_print_refresh(ngx_http_k8s_sa_text_t *t,
    ngx_http_k8s_sa_main_conf_t *mcf);
static void ngx_http_k8s_sa_print_zone(ngx_http_k8s_sa_text_t *t,
    ngx_k8s_sa_zone_t *zone);
static void ngx_http_k8s_sa_print_callers(ngx_http_k8s_sa_text_t *t,
    ngx_k8s_sa_zone_t *zone);


static const ngx_http_k8s_sa_metric_t  ngx_http_k8s_sa_metrics[] = {

    { "k8s_sa_cache_hits_total", "Requests whose token was in the cache.",
      offsetof(ngx_k8s_sa_counters_t, cache_hits) },

    { "k8s_sa_cache_misses_total",
      "Requests whose token was not in the cache.",
      offsetof(ngx_k8s_sa_counters_t, cache_misses) },

    { "k8s_sa_access_cache_hits_total",
      "Questions of k8s_sa_authorize with a remembered verdict.",
      offsetof(ngx_k8s_sa_counters_t, access_hits) },

    { "k8s_sa_access_cache_misses_total",
      "Questions of k8s_sa_authorize that were asked.",
      offsetof(ngx_k8s_sa_counters_t, access_misses) },

    { "k8s_sa_access_cache_stale_total",
      "Questions of k8s_sa_authorize with a stale verdict.",
      offsetof(ngx_k8s_sa_counters_t, access_stale) },

    { "k8s_sa_access_skipped_total",
      "Rules of k8s_sa_authorize that \"skip=\" left out.",
      offsetof(ngx_k8s_sa_counters_t, access_skipped) },

    { "k8s_sa_fetches_total", "Successful fetches of keys.",
      offsetof(ngx_k8s_sa_counters_t, fetches) },

    { "k8s_sa_fetch_failures_total", "Failed fetches of keys.",
      offsetof(ngx_k8s_sa_counters_t, fetch_errors) },

    { "k8s_sa_review_failures_total",
      "TokenReviews without a usable answer.",
      offsetof(ngx_k8s_sa_counters_t, review_errors) },

    { NULL, NULL, 0 }
};


ngx_int_t
ngx_http_k8s_sa_status_prometheus(ngx_http_request_t *r,
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_str_t *body)
{
    ngx_http_k8s_sa_text_t  t;

    ngx_memzero(&t, sizeof(ngx_http_k8s_sa_text_t));

    t.pool = r->pool;

    ngx_http_k8s_sa_print_decisions(&t, mcf);
    ngx_http_k8s_sa_print_counters(&t, mcf);
    ngx_http_k8s_sa_print_reviews(&t, mcf);
    ngx_http_k8s_sa_print_keys(&t, mcf);
    ngx_http_k8s_sa_print_refresh(&t, mcf);
    ngx_http_k8s_sa_print_zone(&t, mcf->zone);
    ngx_http_k8s_sa_print_callers(&t, mcf->zone);

    if (t.failed) {
        return NGX_ERROR;
    }

    body->data = t.start;
    body->len = t.pos - t.start;

    return NGX_OK;
}


static void
ngx_http_k8s_sa_print(ngx_http_k8s_sa_text_t *t, const char *fmt, ...)
{
    u_char   *p;
    size_t    size;
    va_list   args;

    if (t->failed) {
        return;
    }

    if (t->end - t->pos < NGX_HTTP_K8S_SA_LINE) {
        size = 2 * (t->end - t->start) + 4 * NGX_HTTP_K8S_SA_LINE;

        p = ngx_palloc(t->pool, size);
        if (p == NULL) {
            t->failed = 1;
            return;
        }

        t->pos = t->start ? ngx_cpymem(p, t->start, t->pos - t->start) : p;
        t->start = p;
        t->end = p + size;
    }

    va_start(args, fmt);
    t->pos = ngx_vslprintf(t->pos, t->end, fmt, args);
    va_end(args);
}


static void
ngx_http_k8s_sa_head(ngx_http_k8s_sa_text_t *t, const char *name,
    const char *type, const char *help)
{
    ngx_http_k8s_sa_print(t, "# HELP %s %s\n# TYPE %s %s\n",
                          name, help, name, type);
}


static void
ngx_http_k8s_sa_print_decisions(ngx_http_k8s_sa_text_t *t,
    ngx_http_k8s_sa_main_conf_t *mcf)
{
    ngx_uint_t                        i;
    ngx_http_k8s_sa_named_issuer_t  **ref;

    static ngx_str_t                none = ngx_string("");

    ngx_http_k8s_sa_head(t, "k8s_sa_decisions_total", "counter",
                         "Requests by decision; the issuer is empty if "
                         "unknown.");

    ngx_http_k8s_sa_print_verdicts(t, &none,
                                   ngx_k8s_sa_zone_counters(mcf->zone));

    ref = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        ngx_http_k8s_sa_print_verdicts(t, &ref[i]->name,
                    ngx_k8s_sa_keystore_counters(&ref[i]->issuer->ref));
    }
}


static void
ngx_http_k8s_sa_print_verdicts(ngx_http_k8s_sa_text_t *t, ngx_str_t *issuer,
    ngx_k8s_sa_counters_t *counters)
{
    ngx_uint_t  i;

    for (i = 0; i < K8S_SA_VERDICTS; i++) {
        ngx_http_k8s_sa_print(t, "k8s_sa_decisions_total{issuer=\"%V\","
                              "result=\"%s\"} %uA\n", issuer,
                              k8s_sa_verdict_info(i)->word,
                              counters->verdicts[i]);
    }
}


static void
ngx_http_k8s_sa_print_counters(ngx_http_k8s_sa_text_t *t,
    ngx_http_k8s_sa_main_conf_t *mcf)
{
    u_char                           *counters;
    ngx_uint_t                        i;
    ngx_http_k8s_sa_named_issuer_t  **ref;
    const ngx_http_k8s_sa_metric_t   *metric;

    ref = mcf->issuers.elts;

    for (metric = ngx_http_k8s_sa_metrics; metric->name; metric++) {

        ngx_http_k8s_sa_head(t, metric->name, "counter", metric->help);

        for (i = 0; i < mcf->issuers.nelts; i++) {
            counters = (u_char *)
                       ngx_k8s_sa_keystore_counters(&ref[i]->issuer->ref);

            ngx_http_k8s_sa_print(t, "%s{issuer=\"%V\"} %uA\n", metric->name,
                                  &ref[i]->name,
                              *(ngx_atomic_t *) (counters + metric->offset));
        }
    }
}


static void
ngx_http_k8s_sa_print_reviews(ngx_http_k8s_sa_text_t *t,
    ngx_http_k8s_sa_main_conf_t *mcf)
{
    ngx_uint_t                        i, n;
    ngx_k8s_sa_counters_t            *counters;
    ngx_http_k8s_sa_named_issuer_t  **ref;

    static const char  *ends[] = {
        [NGX_K8S_SA_ACCESS_ALLOWED] = "allowed",
        [NGX_K8S_SA_ACCESS_DENIED] = "denied",
        [NGX_K8S_SA_ACCESS_FAILED] = "failed"
    };

    ngx_http_k8s_sa_print_latency(t, mcf, "k8s_sa_review_duration_seconds",
                          "Duration of TokenReviews, including failed ones.",
                          offsetof(ngx_k8s_sa_counters_t, review_latency));

    ngx_http_k8s_sa_print_latency(t, mcf,
                          "k8s_sa_access_review_duration_seconds",
                          "Duration of access reviews, including failed ones.",
                          offsetof(ngx_k8s_sa_counters_t, access_latency));

    ngx_http_k8s_sa_head(t, "k8s_sa_access_reviews_total", "counter",
                         "Access reviews by verdict.");

    ref = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        counters = ngx_k8s_sa_keystore_counters(&ref[i]->issuer->ref);

        for (n = 0; n < NGX_K8S_SA_ACCESS_ENDS; n++) {
            ngx_http_k8s_sa_print(t, "k8s_sa_access_reviews_total"
                                  "{issuer=\"%V\",verdict=\"%s\"} %uA\n",
                                  &ref[i]->name, ends[n],
                                  counters->accesses[n]);
        }
    }
}


static void
ngx_http_k8s_sa_print_latency(ngx_http_k8s_sa_text_t *t,
    ngx_http_k8s_sa_main_conf_t *mcf, const char *name, const char *help,
    size_t offset)
{
    u_char                           *counters;
    ngx_uint_t                        i, n, sum, msec;
    ngx_k8s_sa_latency_t             *latency;
    ngx_http_k8s_sa_named_issuer_t  **ref;

    ngx_http_k8s_sa_head(t, name, "histogram", help);

    ref = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        counters = (u_char *)
                   ngx_k8s_sa_keystore_counters(&ref[i]->issuer->ref);
        latency = (ngx_k8s_sa_latency_t *) (counters + offset);
        sum = 0;

        for (n = 0; n < NGX_K8S_SA_LATENCIES - 1; n++) {
            sum += latency->buckets[n];

            ngx_http_k8s_sa_print(t, "%s_bucket"
                                  "{issuer=\"%V\",le=\"%ui.%03ui\"} %ui\n",
                                  name, &ref[i]->name,
                                  ngx_k8s_sa_latencies[n] / 1000,
                                  ngx_k8s_sa_latencies[n] % 1000, sum);
        }

        sum += latency->buckets[n];
        msec = latency->msec;

        ngx_http_k8s_sa_print(t, "%s_bucket{issuer=\"%V\",le=\"+Inf\"} %ui\n"
                              "%s_sum{issuer=\"%V\"} %ui.%03ui\n"
                              "%s_count{issuer=\"%V\"} %ui\n",
                              name, &ref[i]->name, sum,
                              name, &ref[i]->name, msec / 1000, msec % 1000,
                              name, &ref[i]->name, sum);
    }
}


static void
ngx_http_k8s_sa_print_keys(ngx_http_k8s_sa_text_t *t,
    ngx_http_k8s_sa_main_conf_t *mcf)
{
    ngx_uint_t                        i;
    ngx_http_k8s_sa_named_issuer_t  **ref;

    ngx_http_k8s_sa_head(t, "k8s_sa_key_info", "gauge",
                         "Keys that verify tokens, by kid.");

    ref = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        t->issuer = ref[i]->issuer;
        t->keys = 0;

        ngx_k8s_sa_issuer_each_key(ref[i]->issuer, ngx_http_k8s_sa_print_key,
                                    t);
    }
}


static void
ngx_http_k8s_sa_print_key(const k8s_sa_key_t *key, void *data)
{
    ngx_http_k8s_sa_text_t *t = data;

    size_t               i;
    const k8s_sa_str_t  *kid;

    kid = k8s_sa_key_kid(key);

    /*
     * The same key may be both in a file and in the fetched set: the number
     * keeps the labels unique.
     */

    ngx_http_k8s_sa_print(t, "k8s_sa_key_info{issuer=\"%V\",number=\"%ui\","
                          "kid=\"", &t->issuer->name, t->keys++);

    for (i = 0; i < kid->len; i++) {

        if (kid->data[i] == '"' || kid->data[i] == '\\') {
            ngx_http_k8s_sa_print(t, "\\");
        }

        ngx_http_k8s_sa_print(t, "%c", kid->data[i]);
    }

    ngx_http_k8s_sa_print(t, "\"} 1\n");
}


static void
ngx_http_k8s_sa_print_refresh(ngx_http_k8s_sa_text_t *t,
    ngx_http_k8s_sa_main_conf_t *mcf)
{
    ngx_uint_t                        i, last;
    ngx_k8s_sa_issuer_t              *issuer;
    ngx_k8s_sa_key_state_t            state;
    ngx_http_k8s_sa_named_issuer_t  **ref;

    ref = mcf->issuers.elts;

    for (last = 0; last < 2; last++) {

        if (last) {
            ngx_http_k8s_sa_head(t, "k8s_sa_keys_fetched_timestamp_seconds",
                                 "gauge", "When keys were last fetched, 0 if "
                                 "never.");
        } else {
            ngx_http_k8s_sa_head(t, "k8s_sa_keys_refresh_timestamp_seconds",
                                 "gauge", "When the next fetch of keys is "
                                 "due.");
        }

        for (i = 0; i < mcf->issuers.nelts; i++) {
            issuer = ref[i]->issuer;

            if (!ngx_k8s_sa_issuer_fetches(issuer)
                || ngx_k8s_sa_keystore_state(issuer->zone, &issuer->ref,
                                             &state)
                   != NGX_OK)
            {
                continue;
            }

            if (last) {
                ngx_http_k8s_sa_print(t, "k8s_sa_keys_fetched_timestamp_"
                                      "seconds{issuer=\"%V\"} %T\n",
                                      &issuer->name, state.fetched);
            } else if (state.refresh_set) {
                ngx_http_k8s_sa_print(t, "k8s_sa_keys_refresh_timestamp_"
                                      "seconds{issuer=\"%V\"} %T\n",
                                      &issuer->name, state.refresh);
            }
        }
    }
}


static void
ngx_http_k8s_sa_print_zone(ngx_http_k8s_sa_text_t *t, ngx_k8s_sa_zone_t *zone)
{
    ngx_k8s_sa_zone_stat_t  stat;

    ngx_k8s_sa_zone_stat(zone, &stat);

    ngx_http_k8s_sa_head(t, "k8s_sa_zone_size_bytes", "gauge",
                         "Size of the shared zone.");
    ngx_http_k8s_sa_print(t, "k8s_sa_zone_size_bytes %uz\n", stat.size);

    ngx_http_k8s_sa_head(t, "k8s_sa_zone_used_bytes", "gauge",
                         "Memory of the shared zone used by tokens and keys.");
    ngx_http_k8s_sa_print(t, "k8s_sa_zone_used_bytes %uz\n", stat.used);

    ngx_http_k8s_sa_head(t, "k8s_sa_cache_entries", "gauge",
                         "Tokens and decisions in the shared cache.");
    ngx_http_k8s_sa_print(t, "k8s_sa_cache_entries{kind=\"accepted\"} %ui\n"
                          "k8s_sa_cache_entries{kind=\"refused\"} %ui\n"
                          "k8s_sa_cache_entries{kind=\"allowed\"} %ui\n"
                          "k8s_sa_cache_entries{kind=\"denied\"} %ui\n",
                          stat.tokens, stat.refusals,
                          stat.grants, stat.denials);

    ngx_http_k8s_sa_head(t, "k8s_sa_cache_bytes", "gauge",
                         "Memory used by tokens and decisions in the "
                         "shared cache.");
    ngx_http_k8s_sa_print(t, "k8s_sa_cache_bytes{kind=\"accepted\"} %uz\n"
                          "k8s_sa_cache_bytes{kind=\"refused\"} %uz\n"
                          "k8s_sa_cache_bytes{kind=\"allowed\"} %uz\n"
                          "k8s_sa_cache_bytes{kind=\"denied\"} %uz\n",
                          stat.tokens_used, stat.refusals_used,
                          stat.grants_used, stat.denials_used);

    ngx_http_k8s_sa_head(t, "k8s_sa_cache_evictions_total", "counter",
                         "Valid tokens evicted to make room for others.");
    ngx_http_k8s_sa_print(t, "k8s_sa_cache_evictions_total %ui\n",
                          stat.evictions);

    ngx_http_k8s_sa_head(t, "k8s_sa_zone_recoveries_total", "counter",
                         "Repairs of the zone after a worker died.");
    ngx_http_k8s_sa_print(t, "k8s_sa_zone_recoveries_total %ui\n",
                          stat.recoveries);
}


static void
ngx_http_k8s_sa_print_callers(ngx_http_k8s_sa_text_t *t,
    ngx_k8s_sa_zone_t *zone)
{
    ngx_uint_t            i, n, late;
    const char           *name;
    ngx_k8s_sa_caller_t  *caller;

    caller = ngx_k8s_sa_callers(zone, &n);

    for (late = 0; late < 2; late++) {

        if (late) {
            name = "k8s_sa_late_tokens_total";
            ngx_http_k8s_sa_head(t, name, "counter", "Requests with a token "
                                 "in the last fifth of its lifetime: the "
                                 "caller does not reload its token.");
        } else {
            name = "k8s_sa_warnafter_tokens_total";
            ngx_http_k8s_sa_head(t, name, "counter", "Requests with a token "
                                 "past its warnafter.");
        }

        /* the first entry has no name: it counts callers that did not fit */

        for (i = 0; i < n; i++) {
            ngx_http_k8s_sa_print(t, "%s{namespace=\"%*s\","
                                  "serviceaccount=\"%*s\"} %uA\n", name,
                                  (size_t) caller[i].namespace_len,
                                  caller[i].text,
                                  (size_t) caller[i].name_len,
                                  caller[i].text + caller[i].namespace_len,
                                  late ? caller[i].late
                                       : caller[i].warnafter);
        }
    }
}
