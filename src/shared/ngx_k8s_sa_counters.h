/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Counters in the shared zone: incremented and read without a lock, never
 * reset while the zone exists.
 *
 * Each event is counted once: in the record of the issuer that it belongs to
 * (ngx_k8s_sa_keystore_counters()), or, if no issuer is known, e.g. without a
 * token, in the zone's own (ngx_k8s_sa_zone_counters()).  Totals are sums.
 */

#ifndef NGX_K8S_SA_COUNTERS_H
#define NGX_K8S_SA_COUNTERS_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_shared.h"
#include "token/k8s_sa_base.h"
#include "token/k8s_sa_verdict.h"


#define NGX_K8S_SA_LATENCIES  13


/*
 * Durations: buckets[i] counts those of at most ngx_k8s_sa_latencies[i] msec
 * that are in no bucket before it (not cumulative); the last one has no bound.
 */

extern const ngx_uint_t  ngx_k8s_sa_latencies[NGX_K8S_SA_LATENCIES - 1];

typedef struct {
    ngx_atomic_t          msec;            /* total */
    ngx_atomic_t          buckets[NGX_K8S_SA_LATENCIES];
} ngx_k8s_sa_latency_t;


typedef enum {
    NGX_K8S_SA_ACCESS_ALLOWED = 0,
    NGX_K8S_SA_ACCESS_DENIED,
    NGX_K8S_SA_ACCESS_FAILED,

    NGX_K8S_SA_ACCESS_ENDS
} ngx_k8s_sa_access_end_e;


typedef struct {
    ngx_atomic_t          verdicts[K8S_SA_VERDICTS];   /* decisions */

    ngx_atomic_t          cache_hits;      /* in the zone or the worker */
    ngx_atomic_t          cache_misses;

    ngx_atomic_t          reviews;         /* answered, whatever the verdict */
    ngx_atomic_t          review_errors;   /* no answer, or an unusable one */
    ngx_k8s_sa_latency_t  review_latency;  /* of both */

    ngx_atomic_t          accesses[NGX_K8S_SA_ACCESS_ENDS];   /* access
                                              reviews */
    ngx_k8s_sa_latency_t  access_latency;

    ngx_atomic_t          access_hits;     /* questions of k8s_sa_authorize: */
    ngx_atomic_t          access_stale;    /* a remembered verdict, a stale */
    ngx_atomic_t          access_misses;   /* one, asked, */
    ngx_atomic_t          access_skipped;  /* and rules with "skip=" */

    ngx_atomic_t          fetches;         /* by ngx_k8s_sa_keystore_store() */
    ngx_atomic_t          fetch_errors;    /* by ngx_k8s_sa_keystore_fail() */

    ngx_atomic_t          warnafter;       /* requests with such tokens, by */
    ngx_atomic_t          late;            /* ngx_k8s_sa_count_caller() */
} ngx_k8s_sa_counters_t;


#define ngx_k8s_sa_count_many(counter, n)                                     \
    (void) ngx_atomic_fetch_add(&(counter), n)

#define ngx_k8s_sa_count(counter)  ngx_k8s_sa_count_many(counter, 1)


ngx_k8s_sa_counters_t *ngx_k8s_sa_zone_counters(ngx_k8s_sa_zone_t *zone);

/* Count a review that took this many msec; failed: in review_errors. */

void ngx_k8s_sa_count_review(ngx_k8s_sa_counters_t *counters, ngx_msec_t took,
    ngx_uint_t failed);
void ngx_k8s_sa_count_access(ngx_k8s_sa_counters_t *counters, ngx_msec_t took,
    ngx_k8s_sa_access_end_e end);


/*
 * Callers that do not read their token file again, by service account.  The
 * table has a fixed size (128 entries from 4m on, at least 4) and loses no
 * entry; callers that do not fit, or are not service accounts, are counted in
 * entry 0, whose names are empty.
 */

typedef enum {
    NGX_K8S_SA_CALLER_WARNAFTER = 0,   /* token past its "warnafter" */
    NGX_K8S_SA_CALLER_LATE             /* token in its last fifth */
} ngx_k8s_sa_caller_e;


typedef struct {
    ngx_atomic_t          warnafter;
    ngx_atomic_t          late;
    uint32_t              hash;
    uint16_t              namespace_len;
    uint16_t              name_len;
    u_char                text[320];       /* namespace, then name */
} ngx_k8s_sa_caller_t;


/* Counts a request of this caller, in the table and in counters. */

void ngx_k8s_sa_count_caller(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_counters_t *counters, const k8s_sa_str_t *ns,
    const k8s_sa_str_t *name, ngx_k8s_sa_caller_e kind);

/* Returns the table, *n entries, of which the first is for all others. */

ngx_k8s_sa_caller_t *ngx_k8s_sa_callers(ngx_k8s_sa_zone_t *zone,
    ngx_uint_t *n);


#endif /* NGX_K8S_SA_COUNTERS_H */
