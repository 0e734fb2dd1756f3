/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_sh.h"


/*
 * The set may be replaced between measuring and copying it: retry, but not
 * forever.
 */

#define NGX_K8S_SA_LOAD_TRIES  10

/* How far another worker's cached time may be ahead of ours, msec. */

#define NGX_K8S_SA_AHEAD       60000


static ngx_uint_t ngx_k8s_sa_keystore_leased(ngx_k8s_sa_record_t *rec,
    ngx_k8s_sa_record_ref_t *ref);
static ngx_int_t ngx_k8s_sa_keystore_lock_leased(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_k8s_sa_record_t **rec);
static void ngx_k8s_sa_keystore_finish(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_t *rec, ngx_msec_t next);
static ngx_uint_t ngx_k8s_sa_keystore_same(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_t *rec, const ngx_k8s_sa_keys_t *keys);
static ngx_int_t ngx_k8s_sa_keystore_replace(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_k8s_sa_record_t *rec,
    const ngx_k8s_sa_keys_t *keys);


ngx_int_t
ngx_k8s_sa_keystore_register(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref)
{
    ngx_k8s_sa_record_ref_t  **p;

    p = ngx_array_push(&zone->issuers);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = ref;

    return NGX_OK;
}


ngx_int_t
ngx_k8s_sa_keystore_state(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_k8s_sa_key_state_t *state)
{
    ngx_msec_int_t        left;
    ngx_k8s_sa_record_t  *rec;

    rec = ngx_k8s_sa_record_lock(zone, ref);
    if (rec == NULL) {
        return NGX_ERROR;
    }

    state->generation = rec->public.generation;
    state->events = rec->public.events;
    state->keys_len = rec->keys ? zone->blocks[rec->keys].set.keys_len : 0;
    state->fetched = rec->fetched;
    state->fetched_msec = rec->fetched_msec;

    /*
     * Another worker's cached time may be ahead of ours: without this the keys
     * that it has just fetched would look stale.
     */

    if (rec->fetched_msec - ngx_current_msec < NGX_K8S_SA_AHEAD) {
        state->fetched_msec = ngx_current_msec;
    }

    state->refresh_set = rec->refresh_set;
    state->refresh_msec = rec->refresh_msec;
    state->refresh = 0;

    if (rec->refresh_set) {
        left = (ngx_msec_int_t) (rec->refresh_msec - ngx_current_msec);
        state->refresh = ngx_time() + left / 1000;
    }

    state->lease_owner = ngx_k8s_sa_keystore_leased(rec, ref)
                         ? rec->lease_owner : 0;
    state->failures = rec->failures;
    state->failed = rec->failed;
    state->error_len = rec->error_len;

    ngx_memcpy(state->error, rec->error, rec->error_len);

    ngx_k8s_sa_zone_unlock(zone);

    return NGX_OK;
}


ngx_int_t
ngx_k8s_sa_keystore_load(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_record_ref_t *ref,
    ngx_k8s_sa_keys_t *keys, ngx_log_t *log)
{
    size_t                keys_len, issuer_len;
    u_char               *p;
    ngx_uint_t            i;
    ngx_k8s_sa_set_t     *set;
    ngx_k8s_sa_place_t    place;
    ngx_k8s_sa_record_t  *rec;

    ngx_memzero(keys, sizeof(ngx_k8s_sa_keys_t));

    p = NULL;
    keys_len = 0;
    issuer_len = 0;

    for (i = 0; i < NGX_K8S_SA_LOAD_TRIES; i++) {

        rec = ngx_k8s_sa_record_lock(zone, ref);
        if (rec == NULL) {
            break;
        }

        if (rec->keys == 0) {
            keys->generation = rec->public.generation;
            ngx_k8s_sa_zone_unlock(zone);

            if (p) {
                ngx_free(p);
            }

            return NGX_DECLINED;
        }

        set = &zone->blocks[rec->keys].set;

        if (p && set->keys_len == keys_len && set->issuer_len == issuer_len) {
            place.block = rec->keys;
            place.offset = NGX_K8S_SA_SET_DATA;

            ngx_k8s_sa_blocks_read(zone, &place, p, keys_len + issuer_len);

            keys->generation = rec->public.generation;
            keys->fetched = rec->fetched;

            ngx_k8s_sa_zone_unlock(zone);

            keys->keys.len = keys_len;
            keys->keys.data = p;
            keys->issuer.len = issuer_len;
            keys->issuer.data = p + keys_len;

            return NGX_OK;
        }

        keys_len = set->keys_len;
        issuer_len = set->issuer_len;

        /* malloc() can be slow: not with the lock held */

        ngx_k8s_sa_zone_unlock(zone);

        if (p) {
            ngx_free(p);
        }

        p = ngx_alloc(keys_len + issuer_len, log);
        if (p == NULL) {
            return NGX_ERROR;
        }
    }

    if (p) {
        ngx_free(p);
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_k8s_sa_keystore_lease(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_msec_t duration, ngx_msec_t *wait)
{
    ngx_int_t             rc;
    ngx_k8s_sa_record_t  *rec;

    rec = ngx_k8s_sa_record_lock(zone, ref);
    if (rec == NULL) {
        return NGX_ERROR;
    }

    if (rec->lease_owner != ngx_pid && ngx_k8s_sa_keystore_leased(rec, ref)) {

        if (wait) {
            *wait = rec->lease_msec - ngx_current_msec;
        }

        rc = NGX_BUSY;

    } else {
        rec->lease_msec = ngx_current_msec + duration;
        rec->lease_owner = ngx_pid;
        rec->lease_cycle = ref->cycle;

        rc = NGX_OK;
    }

    ngx_k8s_sa_zone_unlock(zone);

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "k8s_sa: record %p, lease of %M ms to fetch: %s", rec,
                   duration, rc == NGX_OK ? "taken" : "busy");

    return rc;
}


/*
 * Returns 1 if a worker holds the lease.  That of an older configuration does
 * not count: it shuts down, and may not look at its fetch before its next
 * event.
 */

static ngx_uint_t
ngx_k8s_sa_keystore_leased(ngx_k8s_sa_record_t *rec,
    ngx_k8s_sa_record_ref_t *ref)
{
    return rec->lease_cycle >= ref->cycle
           && ngx_k8s_sa_lease_held(rec->lease_owner, rec->lease_msec);
}


void
ngx_k8s_sa_keystore_release(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref)
{
    ngx_k8s_sa_record_t  *rec;

    rec = ngx_k8s_sa_record_lock(zone, ref);
    if (rec == NULL) {
        return;
    }

    if (rec->lease_owner == ngx_pid) {
        rec->lease_owner = 0;
    }

    ngx_k8s_sa_zone_unlock(zone);
}


ngx_int_t
ngx_k8s_sa_keystore_store(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, const ngx_k8s_sa_keys_t *keys,
    ngx_msec_t refresh)
{
    time_t                now;
    ngx_int_t             rc;
    ngx_k8s_sa_record_t  *rec;

    if (keys->keys.len == 0
        || keys->keys.len > NGX_K8S_SA_KEYS_MAX
        || keys->issuer.len > NGX_K8S_SA_ISS_MAX)
    {
        return NGX_ERROR;
    }

    rc = ngx_k8s_sa_keystore_lock_leased(zone, ref, &rec);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_k8s_sa_keystore_same(zone, rec, keys)
        && ngx_k8s_sa_keystore_replace(zone, ref, rec, keys) != NGX_OK)
    {
        ngx_k8s_sa_zone_unlock(zone);

        ngx_log_debug2(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                       "k8s_sa: record %p, no room for %uz bytes of keys",
                       rec, keys->keys.len);

        return NGX_ERROR;
    }

    now = ngx_time();

    rec->fetched = (keys->fetched && keys->fetched < now) ? keys->fetched
                                                          : now;
    rec->fetched_msec = ngx_current_msec
                        - (ngx_msec_t) (now - rec->fetched) * 1000;
    rec->failures = 0;

    ngx_k8s_sa_count(rec->public.counters.fetches);

    ngx_k8s_sa_keystore_finish(zone, rec, refresh);

    ngx_log_debug4(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "k8s_sa: record %p, %uz bytes of keys, generation %uA, "
                   "next fetch in %M ms",
                   rec, keys->keys.len, rec->public.generation, refresh);

    return NGX_OK;
}


/*
 * Locks the zone and the record if this worker holds its lease.  Returns
 * NGX_OK; or with nothing locked NGX_DECLINED: it does not; NGX_ERROR: no
 * record is free.
 */

static ngx_int_t
ngx_k8s_sa_keystore_lock_leased(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_k8s_sa_record_t **rec)
{
    *rec = ngx_k8s_sa_record_lock(zone, ref);
    if (*rec == NULL) {
        return NGX_ERROR;
    }

    if ((*rec)->lease_owner != ngx_pid) {
        ngx_k8s_sa_zone_unlock(zone);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * Ends a fetch: the next one is due in next msec, the result becomes an event,
 * the lease is given back, the zone unlocked.
 */

static void
ngx_k8s_sa_keystore_finish(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_record_t *rec,
    ngx_msec_t next)
{
    rec->refresh_msec = ngx_current_msec + next;
    rec->refresh_set = 1;

    rec->public.events = ++zone->sh->sequence;
    rec->lease_owner = 0;

    ngx_k8s_sa_zone_unlock(zone);
}


static ngx_uint_t
ngx_k8s_sa_keystore_same(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_record_t *rec,
    const ngx_k8s_sa_keys_t *keys)
{
    ngx_k8s_sa_set_t    *set;
    ngx_k8s_sa_place_t   place;

    if (rec->keys == 0) {
        return 0;
    }

    set = &zone->blocks[rec->keys].set;

    if (set->keys_len != keys->keys.len
        || set->issuer_len != keys->issuer.len)
    {
        return 0;
    }

    place.block = rec->keys;
    place.offset = NGX_K8S_SA_SET_DATA;

    return ngx_k8s_sa_blocks_equal(zone, &place, keys->keys.data,
                                   keys->keys.len)
           && ngx_k8s_sa_blocks_equal(zone, &place, keys->issuer.data,
                                      keys->issuer.len);
}


static ngx_int_t
ngx_k8s_sa_keystore_replace(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_k8s_sa_record_t *rec,
    const ngx_k8s_sa_keys_t *keys)
{
    uint32_t             first, old;
    ngx_uint_t           n;
    ngx_k8s_sa_set_t    *set;
    ngx_k8s_sa_place_t   place;

    n = ngx_k8s_sa_blocks_for(NGX_K8S_SA_SET_DATA,
                              keys->keys.len + keys->issuer.len);

    ngx_k8s_sa_zone_touch(zone);

    ngx_k8s_sa_cache_evict(zone, n, ngx_time());

    first = ngx_k8s_sa_blocks_alloc(zone, n);

    if (first == 0) {
        ngx_k8s_sa_records_reap(zone, ref->cycle, 0);
        ngx_k8s_sa_cache_evict(zone, n, ngx_time());

        first = ngx_k8s_sa_blocks_alloc(zone, n);
    }

    if (first == 0) {
        return NGX_ERROR;
    }

    set = &zone->blocks[first].set;

    set->keys_len = (uint32_t) keys->keys.len;
    set->issuer_len = (uint32_t) keys->issuer.len;

    place.block = first;
    place.offset = NGX_K8S_SA_SET_DATA;

    ngx_k8s_sa_blocks_write(zone, &place, keys->keys.data, keys->keys.len);
    ngx_k8s_sa_blocks_write(zone, &place, keys->issuer.data,
                            keys->issuer.len);

    /*
     * The generation first: if this process dies between the two, workers read
     * the old keys once more.  In the other order they would never see the new
     * ones.
     */

    rec->public.generation = ++zone->sh->sequence;

    ngx_memory_barrier();

    old = rec->keys;
    rec->keys = first;

    ngx_memory_barrier();

    if (old) {
        ngx_k8s_sa_blocks_free(zone, old);
    }

    return NGX_OK;
}


ngx_int_t
ngx_k8s_sa_keystore_fail(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_record_ref_t *ref,
    const u_char *text, size_t len, ngx_msec_t retry)
{
    size_t                i;
    ngx_k8s_sa_record_t  *rec;

    if (ngx_k8s_sa_keystore_lock_leased(zone, ref, &rec) != NGX_OK) {
        return NGX_DECLINED;
    }

    len = ngx_min(len, NGX_K8S_SA_ERROR_MAX);

    for (i = 0; i < len; i++) {
        rec->error[i] = (text[i] < 0x20 || text[i] > 0x7e) ? '?' : text[i];
    }

    rec->error_len = len;
    rec->failed = ngx_time();
    rec->failures++;

    ngx_k8s_sa_count(rec->public.counters.fetch_errors);

    ngx_k8s_sa_keystore_finish(zone, rec, retry);

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "k8s_sa: record %p, fetch failed, retry in %M ms", rec,
                   retry);

    return NGX_OK;
}


ngx_int_t
ngx_k8s_sa_keystore_force(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_msec_t interval, ngx_msec_t *wait)
{
    ngx_int_t             rc;
    ngx_msec_int_t        passed;
    ngx_k8s_sa_record_t  *rec;

    rec = ngx_k8s_sa_record_lock(zone, ref);
    if (rec == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    if (rec->forced_set) {
        passed = (ngx_msec_int_t) (ngx_current_msec - rec->forced_msec);

        /* another worker's cached time may be slightly ahead of ours */

        passed = ngx_max(passed, 0);

        if (passed < (ngx_msec_int_t) interval) {

            if (wait) {
                *wait = interval - (ngx_msec_t) passed;
            }

            rc = NGX_BUSY;
        }
    }

    if (rc == NGX_OK) {
        rec->forced_msec = ngx_current_msec;
        rec->forced_set = 1;
    }

    ngx_k8s_sa_zone_unlock(zone);

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "k8s_sa: record %p, fetch out of turn: %s", rec,
                   rc == NGX_OK ? "allowed" : "too early");

    return rc;
}
