/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_sh.h"


static ngx_int_t ngx_k8s_sa_record_attach(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref);
static ngx_int_t ngx_k8s_sa_record_find(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref);
static void ngx_k8s_sa_record_take(ngx_k8s_sa_record_t *rec,
    ngx_k8s_sa_record_ref_t *ref);
static ngx_k8s_sa_record_t *ngx_k8s_sa_record_slot(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref);
static void ngx_k8s_sa_record_drop(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_t *rec);


ngx_int_t
ngx_k8s_sa_records_attach(ngx_k8s_sa_zone_t *zone)
{
    ngx_uint_t                 i;
    ngx_k8s_sa_record_ref_t  **ref;

    ref = zone->issuers.elts;

    /* first issuers that stay, so that none of their records is reused */

    for (i = 0; i < zone->issuers.nelts; i++) {
        ref[i]->cycle = zone->cycle;

        (void) ngx_k8s_sa_record_find(zone, ref[i]);
    }

    for (i = 0; i < zone->issuers.nelts; i++) {
        if (ngx_k8s_sa_record_attach(zone, ref[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_k8s_sa_record_attach(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref)
{
    ngx_k8s_sa_sh_t      *sh;
    ngx_k8s_sa_record_t  *rec;

    if (ngx_k8s_sa_record_find(zone, ref) == NGX_OK) {
        return NGX_OK;
    }

    rec = ngx_k8s_sa_record_slot(zone, ref);
    if (rec == NULL) {
        return NGX_ERROR;
    }

    sh = zone->sh;

    rec->public.events = ++sh->sequence;
    rec->public.generation = rec->public.events;

    rec->cycle = ref->cycle;
    ngx_memcpy(rec->digest, ref->digest, NGX_K8S_SA_DIGEST_LEN);

    /* from here on it is in use */

    ngx_memory_barrier();

    rec->serial = ++sh->serial;

    ngx_k8s_sa_record_take(rec, ref);

    return NGX_OK;
}


/* Returns NGX_OK, or NGX_DECLINED: the issuer has no record. */

static ngx_int_t
ngx_k8s_sa_record_find(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_record_ref_t *ref)
{
    ngx_uint_t            i;
    ngx_k8s_sa_record_t  *rec;

    for (i = 0; i < zone->sh->nrecords; i++) {
        rec = &zone->sh->records[i];

        if (rec->serial
            && ngx_memcmp(rec->digest, ref->digest, NGX_K8S_SA_DIGEST_LEN)
               == 0)
        {
            ngx_k8s_sa_record_take(rec, ref);
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static void
ngx_k8s_sa_record_take(ngx_k8s_sa_record_t *rec,
    ngx_k8s_sa_record_ref_t *ref)
{
    rec->cycle = ngx_max(rec->cycle, ref->cycle);
    rec->used = ngx_time();

    ref->record = rec;
    ref->public = &rec->public;
    ref->serial = rec->serial;
}


/*
 * Returns a record that is not in use, or else the one that has not been
 * configured for longest, emptied; or NULL.
 */

static ngx_k8s_sa_record_t *
ngx_k8s_sa_record_slot(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_record_ref_t *ref)
{
    ngx_uint_t            i;
    ngx_k8s_sa_record_t  *rec, *oldest;

    oldest = NULL;

    for (i = 0; i < zone->sh->nrecords; i++) {
        rec = &zone->sh->records[i];

        if (rec->serial == 0) {
            oldest = rec;
            break;
        }

        if (rec->cycle < ref->cycle
            && (oldest == NULL || rec->cycle < oldest->cycle))
        {
            oldest = rec;
        }
    }

    if (oldest == NULL) {
        return NULL;
    }

    ngx_k8s_sa_zone_touch(zone);

    ngx_k8s_sa_record_drop(zone, oldest);

    ngx_memzero(&oldest->public.counters, sizeof(ngx_k8s_sa_counters_t));
    ngx_memzero(oldest->digest, sizeof(ngx_k8s_sa_record_t)
                                - offsetof(ngx_k8s_sa_record_t, digest));

    return oldest;
}


ngx_k8s_sa_record_t *
ngx_k8s_sa_record_lock(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_record_ref_t *ref)
{
    ngx_k8s_sa_zone_lock(zone);

    if (ref->record == NULL || ref->record->serial != ref->serial) {

        if (ngx_k8s_sa_record_attach(zone, ref) != NGX_OK) {
            ngx_k8s_sa_zone_unlock(zone);
            return NULL;
        }
    }

    ref->record->used = ngx_time();

    return ref->record;
}


static void
ngx_k8s_sa_record_drop(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_record_t *rec)
{
    uint32_t  keys;

    keys = rec->keys;

    rec->serial = 0;
    rec->keys = 0;

    ngx_memory_barrier();

    if (keys) {
        ngx_k8s_sa_blocks_free(zone, keys);
    }
}


void
ngx_k8s_sa_records_reap(ngx_k8s_sa_zone_t *zone, ngx_atomic_uint_t cycle,
    time_t idle)
{
    ngx_uint_t            i;
    ngx_k8s_sa_record_t  *rec;

    for (i = 0; i < zone->sh->nrecords; i++) {
        rec = &zone->sh->records[i];

        if (rec->serial && rec->cycle < cycle
            && ngx_time() - rec->used >= idle)
        {
            ngx_k8s_sa_record_drop(zone, rec);
        }
    }
}
