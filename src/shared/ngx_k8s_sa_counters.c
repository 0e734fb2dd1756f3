/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_sh.h"


static void ngx_k8s_sa_count_latency(ngx_k8s_sa_latency_t *latency,
    ngx_msec_t took);
static ngx_k8s_sa_caller_t *ngx_k8s_sa_caller_find(ngx_k8s_sa_zone_t *zone,
    uint32_t hash, const k8s_sa_str_t *ns, const k8s_sa_str_t *name);
static ngx_k8s_sa_caller_t *ngx_k8s_sa_caller_add(ngx_k8s_sa_zone_t *zone,
    uint32_t hash, const k8s_sa_str_t *ns, const k8s_sa_str_t *name);


const ngx_uint_t  ngx_k8s_sa_latencies[NGX_K8S_SA_LATENCIES - 1] = {
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000
};


ngx_k8s_sa_counters_t *
ngx_k8s_sa_zone_counters(ngx_k8s_sa_zone_t *zone)
{
    return &zone->sh->counters;
}


void
ngx_k8s_sa_count_review(ngx_k8s_sa_counters_t *counters, ngx_msec_t took,
    ngx_uint_t failed)
{
    ngx_k8s_sa_count_latency(&counters->review_latency, took);

    if (failed) {
        ngx_k8s_sa_count(counters->review_errors);

    } else {
        ngx_k8s_sa_count(counters->reviews);
    }
}


void
ngx_k8s_sa_count_access(ngx_k8s_sa_counters_t *counters, ngx_msec_t took,
    ngx_k8s_sa_access_end_e end)
{
    ngx_k8s_sa_count_latency(&counters->access_latency, took);
    ngx_k8s_sa_count(counters->accesses[end]);
}


static void
ngx_k8s_sa_count_latency(ngx_k8s_sa_latency_t *latency, ngx_msec_t took)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_K8S_SA_LATENCIES - 1; i++) {
        if (took <= ngx_k8s_sa_latencies[i]) {
            break;
        }
    }

    ngx_k8s_sa_count(latency->buckets[i]);
    ngx_k8s_sa_count_many(latency->msec, took);
}


void
ngx_k8s_sa_count_caller(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_counters_t *counters, const k8s_sa_str_t *ns,
    const k8s_sa_str_t *name, ngx_k8s_sa_caller_e kind)
{
    uint32_t              hash;
    ngx_k8s_sa_caller_t  *caller;

    if (ns->len == 0 || name->len == 0) {
        caller = &zone->sh->callers[0];

    } else {
        hash = ngx_murmur_hash2(ns->data, ns->len)
               ^ ngx_murmur_hash2(name->data, name->len);

        caller = ngx_k8s_sa_caller_find(zone, hash, ns, name);

        if (caller == NULL) {
            caller = ngx_k8s_sa_caller_add(zone, hash, ns, name);
        }
    }

    if (kind == NGX_K8S_SA_CALLER_WARNAFTER) {
        ngx_k8s_sa_count(counters->warnafter);
        ngx_k8s_sa_count(caller->warnafter);

    } else {
        ngx_k8s_sa_count(counters->late);
        ngx_k8s_sa_count(caller->late);
    }
}


static ngx_k8s_sa_caller_t *
ngx_k8s_sa_caller_find(ngx_k8s_sa_zone_t *zone, uint32_t hash,
    const k8s_sa_str_t *ns, const k8s_sa_str_t *name)
{
    ngx_uint_t            i, n;
    ngx_k8s_sa_caller_t  *caller;

    n = zone->sh->ncallers;

    /* entries below ncallers are complete */

    ngx_memory_barrier();

    for (i = 1; i < n; i++) {
        caller = &zone->sh->callers[i];

        if (caller->hash == hash
            && caller->namespace_len == ns->len
            && caller->name_len == name->len
            && ngx_memcmp(caller->text, ns->data, ns->len) == 0
            && ngx_memcmp(caller->text + ns->len, name->data, name->len) == 0)
        {
            return caller;
        }
    }

    return NULL;
}


static ngx_k8s_sa_caller_t *
ngx_k8s_sa_caller_add(ngx_k8s_sa_zone_t *zone, uint32_t hash,
    const k8s_sa_str_t *ns, const k8s_sa_str_t *name)
{
    ngx_k8s_sa_sh_t      *sh;
    ngx_k8s_sa_caller_t  *caller;

    sh = zone->sh;

    if (sh->ncallers == sh->max_callers
        || ns->len > sizeof(caller->text)
        || name->len > sizeof(caller->text) - ns->len)
    {
        return &sh->callers[0];
    }

    ngx_k8s_sa_zone_lock(zone);

    /* another worker may have added it meanwhile */

    caller = ngx_k8s_sa_caller_find(zone, hash, ns, name);

    if (caller == NULL) {

        if (sh->ncallers == sh->max_callers) {
            caller = &sh->callers[0];
            goto done;
        }

        caller = &sh->callers[sh->ncallers];

        caller->hash = hash;
        caller->namespace_len = (uint16_t) ns->len;
        caller->name_len = (uint16_t) name->len;

        ngx_memcpy(caller->text, ns->data, ns->len);
        ngx_memcpy(caller->text + ns->len, name->data, name->len);

        ngx_memory_barrier();

        sh->ncallers++;
    }

done:

    ngx_k8s_sa_zone_unlock(zone);

    return caller;
}


ngx_k8s_sa_caller_t *
ngx_k8s_sa_callers(ngx_k8s_sa_zone_t *zone, ngx_uint_t *n)
{
    *n = zone->sh->ncallers;

    ngx_memory_barrier();

    return zone->sh->callers;
}
