/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Issuers' records in the shared zone: key sets as they were fetched, and who
 * fetches next.
 *
 * A record belongs to the digest of an issuer's configuration: a reload that
 * leaves it as it is finds its keys, one that changes it starts without.
 * Records of issuers that are no longer configured go after an hour, or when
 * memory is short.
 *
 * Times called msec are ngx_current_msec, which is the same clock in all
 * workers and does not jump; the others are seconds since the epoch, for
 * people.
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
 * A worker's grip on a record.  Allocated and zeroed by the caller with the
 * configuration, which also sets digest; the rest is the key store's.  If the
 * record is taken away (see above), the next call makes a new one.
 */

typedef struct {
    u_char                       digest[NGX_K8S_SA_DIGEST_LEN];
    ngx_k8s_sa_record_t         *record;
    ngx_k8s_sa_record_public_t  *public;     /* the record's */
    ngx_atomic_uint_t            serial;
    ngx_atomic_uint_t            cycle;
} ngx_k8s_sa_record_ref_t;


/*
 * While the configuration is read, until init_main_conf has returned: asks
 * for a record for ref, which must live as long as the configuration.  The
 * digest must be set when nginx initialises the zones.
 */

ngx_int_t ngx_k8s_sa_keystore_register(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref);


/*
 * One load each, for every request.  The generation differs from any earlier
 * one whenever the record's keys or learned issuer may have changed: load
 * them then.  Events moves with each result, be it keys, new or the same, or
 * a failure: look at the state then, and wake who waits.  Neither is ever 0
 * in a record in use, so that 0 serves as "not looked at yet".
 */

#define ngx_k8s_sa_keystore_generation(ref)  ((ref)->public->generation)
#define ngx_k8s_sa_keystore_events(ref)      ((ref)->public->events)


/*
 * The issuer's counters.  A worker whose record was taken away counts for its
 * successor until it next calls any of the functions below.
 */

#define ngx_k8s_sa_keystore_counters(ref)    (&(ref)->public->counters)


/* A record without its keys, copied out. */

typedef struct {
    ngx_uint_t            generation;
    ngx_uint_t            events;
    size_t                keys_len;        /* 0: there are none */
    time_t                fetched;         /* last success, 0: never; what */
    ngx_msec_t            fetched_msec;    /* age and "stale" count from;
                                              never after ngx_current_msec */
    ngx_uint_t            refresh_set;     /* 0: nobody has tried yet */
    ngx_msec_t            refresh_msec;    /* when the next fetch is due */
    time_t                refresh;         /* the same in seconds, 0: not set */
    ngx_pid_t             lease_owner;     /* who is fetching, 0: nobody */
    ngx_uint_t            failures;        /* since the last success */
    time_t                failed;          /* last failure, 0: never; stays
                                              after a success */
    size_t                error_len;
    u_char                error[NGX_K8S_SA_ERROR_MAX];   /* of the last
                                              failure, printable ASCII */
} ngx_k8s_sa_key_state_t;

/* NGX_OK, or NGX_ERROR: no memory for the record. */

ngx_int_t ngx_k8s_sa_keystore_state(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_k8s_sa_key_state_t *state);


typedef struct {
    ngx_str_t             issuer;          /* learned; len 0: not learned */
    ngx_str_t             keys;            /* the document's bytes */
    time_t                fetched;
    ngx_uint_t            generation;      /* set by load */
} ngx_k8s_sa_keys_t;

/*
 * Copies the keys out.  keys->keys.data and keys->issuer.data are one block
 * from ngx_alloc() at keys->keys.data: the caller frees it with ngx_free()
 * once it has parsed the keys.
 * NGX_OK; NGX_DECLINED: there are none (whoever has parsed some before may go
 * on with them), keys->generation is set; NGX_ERROR: no memory.
 */

ngx_int_t ngx_k8s_sa_keystore_load(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_k8s_sa_keys_t *keys, ngx_log_t *log);


/*
 * The right to fetch, for so many msec from now; whoever holds it may prolong
 * it.  It ends with store, fail or release, and by itself if its owner dies
 * or hangs.  NGX_OK; NGX_BUSY: another worker has it, *wait (may be NULL)
 * tells until when at most, msec from now; NGX_ERROR: no memory.
 */

ngx_int_t ngx_k8s_sa_keystore_lease(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_msec_t duration, ngx_msec_t *wait);

/* Gives the lease back without a result; nothing if it is not ours. */

void ngx_k8s_sa_keystore_release(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref);

/*
 * For whom the lease is held: puts a set that was checked in place of the old
 * one; the next fetch is due refresh msec from now.  keys->fetched: 0 for now,
 * or earlier (a set from disk).  The same bytes again leave the generation.
 * NGX_OK: stored, lease given back; NGX_DECLINED: the lease had run out and
 * is another worker's, nothing stored; NGX_ERROR: too large, or the zone has
 * no room even without any cached token: nothing stored, lease still held
 * (say so with fail).
 */

ngx_int_t ngx_k8s_sa_keystore_store(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, const ngx_k8s_sa_keys_t *keys,
    ngx_msec_t refresh);

/*
 * For whom the lease is held: the fetch failed for this reason (cut to
 * NGX_K8S_SA_ERROR_MAX, what is not printable ASCII becomes "?"); the next
 * one is due retry msec from now.  The keys stay.  NGX_OK, or NGX_DECLINED as
 * above.
 */

ngx_int_t ngx_k8s_sa_keystore_fail(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, const u_char *text, size_t len,
    ngx_msec_t retry);

/*
 * A fetch out of turn, for an unknown "kid": NGX_OK, at most once per
 * interval over all workers, then take the lease; otherwise NGX_BUSY and in
 * *wait (may be NULL) how many msec the interval still lasts; NGX_ERROR: no
 * memory.
 */

ngx_int_t ngx_k8s_sa_keystore_force(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref, ngx_msec_t interval, ngx_msec_t *wait);


#endif /* NGX_K8S_SA_KEYSTORE_H */
