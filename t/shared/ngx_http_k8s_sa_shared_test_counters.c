/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The test module's operations on counters.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_k8s_sa_shared_test.h"


ngx_int_t
ngx_http_k8s_sa_shared_test_count(ngx_http_k8s_sa_shared_test_t *t)
{
    ngx_int_t               n;
    ngx_uint_t              i;
    ngx_k8s_sa_counters_t  *c;

    c = t->ref ? ngx_k8s_sa_keystore_counters(t->ref)
               : ngx_k8s_sa_zone_counters(t->zone);

    for (n = ngx_http_k8s_sa_shared_test_number(t, "n", 0); n > 0; n--) {
        ngx_k8s_sa_count(c->verdicts[K8S_SA_EXPIRED]);
        ngx_k8s_sa_count(c->cache_hits);
    }

    n = ngx_http_k8s_sa_shared_test_number(t, "review", -1);

    if (n >= 0) {
        ngx_k8s_sa_count_review(c, n,
                         ngx_http_k8s_sa_shared_test_number(t, "failed", 0));
    }

    ngx_http_k8s_sa_shared_test_print(t,
        " ok=%uA expired=%uA hits=%uA fetches=%uA fetch_errors=%uA reviews=%uA"
        " review_errors=%uA msec=%uA latency=",
        c->verdicts[K8S_SA_VERDICT_OK], c->verdicts[K8S_SA_EXPIRED],
        c->cache_hits, c->fetches, c->fetch_errors, c->reviews,
        c->review_errors, c->review_latency.msec);

    for (i = 0; i < NGX_K8S_SA_LATENCIES; i++) {
        ngx_http_k8s_sa_shared_test_print(t, "%uA,",
                                          c->review_latency.buckets[i]);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_k8s_sa_shared_test_caller(ngx_http_k8s_sa_shared_test_t *t)
{
    ngx_str_t               s;
    ngx_uint_t              i, n;
    k8s_sa_str_t            ns, name;
    ngx_k8s_sa_caller_t    *callers;
    ngx_k8s_sa_counters_t  *c;

    s = ngx_http_k8s_sa_shared_test_string(t, "ns");
    ns.len = s.len;
    ns.data = s.data;

    s = ngx_http_k8s_sa_shared_test_string(t, "name");
    name.len = s.len;
    name.data = s.data;

    c = ngx_k8s_sa_zone_counters(t->zone);

    ngx_k8s_sa_count_caller(t->zone, c, &ns, &name,
                            ngx_http_k8s_sa_shared_test_number(t, "late", 0)
                            ? NGX_K8S_SA_CALLER_LATE
                            : NGX_K8S_SA_CALLER_WARNAFTER);

    callers = ngx_k8s_sa_callers(t->zone, &n);

    ngx_http_k8s_sa_shared_test_print(t, " warnafter=%uA late=%uA n=%ui",
                                      c->warnafter, c->late, n);

    for (i = 0; i < n; i++) {
        ngx_http_k8s_sa_shared_test_print(t, " %*s/%*s:%uA:%uA",
            (size_t) callers[i].namespace_len, callers[i].text,
            (size_t) callers[i].name_len,
            callers[i].text + callers[i].namespace_len,
            callers[i].warnafter, callers[i].late);
    }

    return NGX_OK;
}
