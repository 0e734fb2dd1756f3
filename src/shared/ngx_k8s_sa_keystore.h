/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Issuers' records in the shared zone: key sets as fetched, and which worker
 * fetches next.
 *
 * A record is identified by the digest of an issuer's configuration: a reload
 * that leaves the digest unchanged keeps the keys, one that changes it starts
 * without keys.  A record of an issuer that is no longer configured is dropped
 * when a running configuration needs the room, or by the start of a worker
 * after an hour without use.
 *
 * Times named msec are in ngx_current_msec, a clock that all workers share and
 * that does not jump; the others are seconds since the epoch, for display.
 */

#ifndef NGX_K8S_SA_KEYSTORE_H
#define NGX_K8S_SA_KEYSTORE_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_shared.h"
#include "shared/ngx_k8s_sa_counters.h"


#define NGX_K8S_SA_KEYS_MAX   (1024 * 1024)   /* bytes of one set */
#define NGX_K8S_SA_ISS_MAX    1024            /* bytes of a learned issuer */
#define NGX_K8S_SA_ERROR_MAX  256             /* bytes of a kept error text */


/* The part of a record that is read without a lock. */

typedef struct {
    ngx_atomic_t           generation;
    ngx_atomic_t           events;
    ngx_k8s_sa_counters_t  counters;
} ngx_k8s_sa_record_public_t;


/*
 * A process' reference to a record.  The caller allocates and zeroes it with
 * the configuration, and sets digest; the rest belongs to the key store.  If
 * the record was dropped (see above), the next call attaches a new one.
 */

typedef struct {
    u_char                       digest[NGX_K8S_SA_DIGEST_LEN];
    ngx_k8s_sa_record_t         *record;
    ngx_k8s_sa_record_public_t  *public;     /* the record's */
    ngx_atomic_uint_t            serial;
    ngx_atomic_uint_t            cycle;
} ngx_k8s_sa_record_ref_t;


/*
 * Requests a record for ref, which must live as long as the configuration.  To
 * be called while the configuration is read, until init_main_conf returns; the
 * digest must be set when nginx initialises the zones.  Returns NGX_OK, or
 * NGX_ERROR: no memory.
 */

ngx_int_t ngx_k8s_sa_keystore_register(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref);


/*
 * Read without a lock, e.g. on every request.  The generation changes whenever
 * the record's keys or learned issuer may have changed: load them then.
 * Events changes with each result of a fetch, which is new keys, the same keys
 * or a failure: look at the state then, and wake waiting requests.  Neither is
 * ever 0 in a record in use, so 0 can mean "not looked at yet".
 */

#define ngx_k8s_sa_keystore_generation(ref)  ((ref)->public->generation)
#define ngx_k8s_sa_keystore_events(ref)      ((ref)->public->events)


/*
 * The issuer's counters.  A worker whose record was given to another issuer
 * counts for that one until its next call of a function below.
 */

#define ngx_k8s_sa_keystore_counters(ref)    (&(ref)->public->counters)


/* A copy of a record, without its keys. */

typedef struct {
    ngx_uint_t            generation;
    ngx_uint_t            events;
    size_t                keys_len;        /* 0: no keys */
    time_t                fetched;         /* last success, 0: never */
    ngx_msec_t            fetched_msec;    /* the same, from which the age of
                                              keys counts; never later than
                                              ngx_current_msec */
    ngx_uint_t            refresh_set;     /* 0: no fetch was tried yet */
    ngx_msec_t            refresh_msec;    /* when the next fetch is due */
    time_t                refresh;         /* the same, 0: not set */
    ngx_pid_t             lease_owner;     /* the fetching worker, 0: none */
    ngx_uint_t            failures;        /* since the last success */
    time_t                failed;          /* last failure, 0: never; kept
                                              after a success */
    size_t                error_len;
    u_char                error[NGX_K8S_SA_ERROR_MAX];   /* the last failure's,
                                              printable ASCII */
} ngx_k8s_sa_key_state_t;

/*
 * Copies the state.  Returns NGX_OK, or NGX_ERROR: no record is free.
 */

ngx_int_t ngx_k8s_sa_keystore_state(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_k8s_sa_key_state_t *state);


typedef struct {
    ngx_str_t             issuer;          /* learned; len 0: not learned */
    ngx_str_t             keys;            /* the document's bytes */
    time_t                fetched;
    ngx_uint_t            generation;      /* set by load */
} ngx_k8s_sa_keys_t;

/*
 * Copies the keys.  keys->keys.data and keys->issuer.data are in one block
 * from ngx_alloc() that begins at keys->keys.data: the caller frees it with
 * ngx_free().  Returns NGX_OK; NGX_DECLINED: the record has no keys (those
 * that a worker has parsed before may stay in use), keys->generation is set;
 * NGX_ERROR: no record is free, no memory, or the keys are replaced again and
 * again.
 */

ngx_int_t ngx_k8s_sa_keystore_load(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_k8s_sa_keys_t *keys, ngx_log_t *log);


/*
 * Takes the lease, i.e. the right to fetch, for duration msec, or extends it
 * if this worker holds it.  It ends with store, fail or release, when it
 * expires, when its owner dies, and when a worker of a newer configuration
 * takes it.  Returns NGX_OK; NGX_BUSY: another worker
 * holds it for at most *wait msec (wait may be NULL); NGX_ERROR: no record is
 * free.
 */

ngx_int_t ngx_k8s_sa_keystore_lease(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_msec_t duration, ngx_msec_t *wait);

/* Gives the lease back without a result, if this worker holds it. */

void ngx_k8s_sa_keystore_release(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref);

/*
 * Requires the lease.  Replaces the key set by a checked one; the next fetch
 * is due in refresh msec.  keys->fetched is 0 for now, or an earlier time (a
 * set from disk).  The same bytes again leave the generation as it is.
 * Returns NGX_OK: stored, lease given back; NGX_DECLINED: the lease was
 * taken by another worker, nothing stored; NGX_ERROR: too large, or
 * the zone has no room even without cached tokens: nothing stored, lease still
 * held (end it with fail).
 */

ngx_int_t ngx_k8s_sa_keystore_store(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, const ngx_k8s_sa_keys_t *keys,
    ngx_msec_t refresh);

/*
 * Requires the lease.  Records that the fetch failed for this reason, cut to
 * NGX_K8S_SA_ERROR_MAX bytes, with "?" for all but printable ASCII; the next
 * one is due in retry msec.  The keys stay.  Returns NGX_OK, or NGX_DECLINED
 * as above or because no record is free.
 */

ngx_int_t ngx_k8s_sa_keystore_fail(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, const u_char *text, size_t len,
    ngx_msec_t retry);

/*
 * Allows a fetch out of turn, for a key that may be new, once per interval
 * msec over all workers.  Returns NGX_OK: take the lease; NGX_BUSY: not for
 * *wait msec (wait may be NULL); NGX_ERROR: no record is free.
 */

ngx_int_t ngx_k8s_sa_keystore_force(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_msec_t interval, ngx_msec_t *wait);


#endif /* NGX_K8S_SA_KEYSTORE_H */
