/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An issuer of tokens, and the keys that verify them.
 *
 * Keys come from files, which each process reads itself, and from the network:
 * one worker at a time fetches them into the shared zone, for all workers.
 */

#ifndef NGX_K8S_SA_ISSUER_H
#define NGX_K8S_SA_ISSUER_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "token/k8s_sa_token.h"
#include "net/ngx_k8s_sa_client.h"
#include "net/ngx_k8s_sa_file.h"
#include "shared/ngx_k8s_sa_keystore.h"
#include "issuer/ngx_k8s_sa_token_file.h"
#include "issuer/ngx_k8s_sa_waiter.h"


#define NGX_K8S_SA_FORCED_INTERVAL  10000   /* ms between two fetches before
                                               their time, for keys that may
                                               be new */
#define NGX_K8S_SA_JWKS_DIGEST_LEN  32      /* SHA-256 of a JWK set */


typedef struct ngx_k8s_sa_fetch_s   ngx_k8s_sa_fetch_t;
typedef struct ngx_k8s_sa_reviews_s ngx_k8s_sa_reviews_t;
typedef struct ngx_k8s_sa_accesses_s ngx_k8s_sa_accesses_t;


typedef struct {
    ngx_k8s_sa_watch_t       watch;      /* data: the issuer */
    unsigned                 jwks:1;     /* a JWK set, otherwise PEM */
} ngx_k8s_sa_key_file_t;


struct ngx_k8s_sa_issuer_s {
    ngx_str_t                name;

    /* set with the configuration, allocated from its pool */

    k8s_sa_policy_t          policy;     /* points to issuers or learned, and
                                            to audiences */
    ngx_array_t              issuers;    /* k8s_sa_str_t */
    ngx_array_t              audiences;  /* k8s_sa_str_t */
    ngx_array_t              key_files;  /* ngx_k8s_sa_key_file_t * */

    ngx_k8s_sa_client_t     *client;     /* NULL: keys are in files only */
    ngx_k8s_sa_url_t         discovery;  /* text.len 0: not configured */
    ngx_k8s_sa_url_t         jwks_uri;   /* text.len 0: as the discovery
                                            document says, if there is one */
    ngx_k8s_sa_token_file_t *token_file; /* our own token, or NULL */
    ngx_str_t                state_file; /* absolute; len 0: not configured */
    ngx_msec_t               refresh;    /* longest time between two fetches */
    ngx_msec_t               stale;      /* how long fetched keys serve */
    ngx_msec_t               timeout;    /* for one exchange */
    ngx_k8s_sa_reviews_t    *reviews;    /* NULL: no "token_review" */
    ngx_k8s_sa_accesses_t   *access;     /* NULL: no "access_review" */
    unsigned                 private_ca:1; /* ssl_trusted_certificate is set */

    ngx_k8s_sa_zone_t       *zone;
    ngx_k8s_sa_record_ref_t  ref;
    u_char                   digest[NGX_K8S_SA_DIGEST_LEN];   /* covers all
                                            settings that a verdict depends
                                            on, but not keys and time */

    /* state of this process */

    ngx_uint_t               version;        /* counts changes of either key
                                                set, starting with 1 */
    k8s_sa_keyset_t         *file_keys;
    k8s_sa_keyset_t         *fetched_keys;   /* NULL: not fetched yet */
    u_char                   fetched_digest[NGX_K8S_SA_JWKS_DIGEST_LEN];
    k8s_sa_keyset_t         *checked_keys;   /* parsed, become fetched_keys
                                                once stored; or NULL */
    u_char                   checked_digest[NGX_K8S_SA_JWKS_DIGEST_LEN];
    k8s_sa_str_t             learned;        /* the document's issuer, if none
                                                is configured */
    ngx_atomic_uint_t        generation;     /* the key store's, when it was
                                                last loaded */
    ngx_atomic_uint_t        events;         /* the key store's, when waiters
                                                were last woken */
    ngx_msec_t               fetched_msec;   /* last successful fetch known to
                                                this process, 0: unknown */

    ngx_event_t              timer;          /* next look at the key store */
    ngx_event_t              wait_timer;     /* set while there are waiters */
    ngx_connection_t         dummy;          /* for the timers' debug log */
    ngx_queue_t              waiters;        /* ngx_k8s_sa_waiter_t */
    ngx_k8s_sa_places_t      places;         /* of these */
    ngx_k8s_sa_fetch_t      *fetch;          /* in progress in this process */
    ngx_log_t               *log;

    unsigned                 state_tried:1;  /* state_file has been read */
};


/* Returns 1 if keys come from the network. */

#define ngx_k8s_sa_issuer_fetches(issuer)                                     \
    ((issuer)->discovery.text.len || (issuer)->jwks_uri.text.len)

/* Returns 1 if tokens are verified with keys, 0 if only by reviews. */

#define ngx_k8s_sa_issuer_has_keys(issuer)                                    \
    ((issuer)->key_files.nelts || ngx_k8s_sa_issuer_fetches(issuer))


/*
 * ngx_k8s_sa_keys.c
 *
 * Loads fetched keys if the key store has others than this process.  Usually
 * it has not, and the call costs one read of shared memory.
 */

void ngx_k8s_sa_issuer_sync(ngx_k8s_sa_issuer_t *issuer);

/*
 * Checks a JWK set before it is stored.  The parsed keys are kept for the next
 * ngx_k8s_sa_issuer_sync(), and bytes that this worker has parsed before are
 * not parsed again.  Returns NGX_OK, or NGX_ERROR with the reason in *err.
 * *note is set as by k8s_sa_keyset_add_jwks(); it is empty for known bytes.
 */

ngx_int_t ngx_k8s_sa_issuer_check(ngx_k8s_sa_issuer_t *issuer,
    const ngx_str_t *jwks, k8s_sa_error_t *note, k8s_sa_error_t *err);

/*
 * Returns 1 while the issuer's name is unknown because no discovery document
 * has been fetched: any token may be from this issuer.
 */

ngx_uint_t ngx_k8s_sa_issuer_unlearned(ngx_k8s_sa_issuer_t *issuer);

/*
 * Verifies a token as k8s_sa_token_verify() does, with all keys of the issuer.
 * Further verdicts are K8S_SA_NO_KEYS and K8S_SA_STALE_KEYS.
 */

k8s_sa_verdict_e ngx_k8s_sa_issuer_verify(ngx_k8s_sa_issuer_t *issuer,
    k8s_sa_token_t *t);

/* Returns 1 if any key has this "kid", even if the fetched keys are stale. */

ngx_uint_t ngx_k8s_sa_issuer_has_kid(ngx_k8s_sa_issuer_t *issuer,
    const k8s_sa_str_t *kid);

/*
 * Returns a number that changes whenever the keys or the learned issuer do; 0
 * while the fetched keys are stale.  A result obtained at the same non-zero
 * version is still valid.
 */

ngx_uint_t ngx_k8s_sa_issuer_version(ngx_k8s_sa_issuer_t *issuer);

/* Returns 1 if keys were never fetched, or longer ago than "stale". */

ngx_uint_t ngx_k8s_sa_issuer_is_stale(ngx_k8s_sa_issuer_t *issuer);

/*
 * Returns the key with this id (K8S_SA_KEY_ID_LEN bytes), or NULL if there is
 * none or it is stale.
 */

k8s_sa_key_t *ngx_k8s_sa_issuer_key(ngx_k8s_sa_issuer_t *issuer,
    const u_char *id);

/*
 * Calls visit for each key that this worker has: those from files first, then
 * the fetched ones, even if they are stale.
 */

typedef void (*ngx_k8s_sa_key_pt)(const k8s_sa_key_t *key, void *data);

void ngx_k8s_sa_issuer_each_key(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_key_pt visit, void *data);


/*
 * ngx_k8s_sa_state.c: the last good key set on disk ("state_path").
 *
 * Reads the set into the key store, whose lease the caller holds.  Returns
 * NGX_OK, or NGX_DECLINED, with the reason logged, if it cannot be used.
 */

ngx_int_t ngx_k8s_sa_state_read(ngx_k8s_sa_issuer_t *issuer);

/* Writes a set; an error is logged. */

void ngx_k8s_sa_state_write(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_keys_t *keys);


/*
 * ngx_k8s_sa_fetch.c
 *
 * Starts a fetch unless this or another worker is fetching already.  Returns
 * NGX_OK if a fetch is in progress, or NGX_ERROR if there is no memory.
 */

ngx_int_t ngx_k8s_sa_fetch(ngx_k8s_sa_issuer_t *issuer);

/* Ends this worker's fetch, if any, without a result. */

void ngx_k8s_sa_fetch_cancel(ngx_k8s_sa_issuer_t *issuer);

/*
 * Tells the fetch whether there are waiters: if so, a worker that is shutting
 * down completes it.  Called whenever issuer->waiters changes.
 */

void ngx_k8s_sa_fetch_hold(ngx_k8s_sa_issuer_t *issuer);

/* The handler of issuer->timer: fetches keys that are due. */

void ngx_k8s_sa_fetch_timer(ngx_event_t *ev);


/*
 * ngx_k8s_sa_run.c
 *
 * Starts and stops an issuer's timers, connections and reviews in a worker;
 * called from init_process and exit_process.
 */

void ngx_k8s_sa_issuer_start(ngx_k8s_sa_issuer_t *issuer, ngx_cycle_t *cycle);
void ngx_k8s_sa_issuer_stop(ngx_k8s_sa_issuer_t *issuer);

/*
 * Waits for keys, if the issuer has none or none of them fits a token; starts
 * a fetch if one is due.  Returns NGX_AGAIN if this or another worker fetches:
 * waiter->handler will be called, whether or not keys have come.  Returns
 * NGX_DECLINED if no fetch is due, and NGX_BUSY if one is, but there is no
 * place to wait in.
 */

ngx_int_t ngx_k8s_sa_issuer_wait(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_waiter_t *waiter);

/* Ends a wait; does nothing if waiting is not set. */

void ngx_k8s_sa_issuer_unwait(ngx_k8s_sa_waiter_t *waiter);


/*
 * ngx_k8s_sa_key_files.c
 *
 * Adds the keys of one file to a set.  NGX_OK; NGX_ERROR with the reason in
 * *err; if memory was short, the file then counts as changed.  note->text is
 * empty, or says why a key of the file was passed over; *exposed is set if the
 * file holds a private key and anyone may read it.
 */

ngx_int_t ngx_k8s_sa_key_file_read(ngx_k8s_sa_key_file_t *file,
    k8s_sa_keyset_t *keys, ngx_uint_t *exposed, k8s_sa_error_t *note,
    k8s_sa_error_t *err);

/*
 * The watch handler of key files: reads all files of the issuer again and
 * replaces its keys if every file is sound, otherwise keeps them and logs an
 * error.
 */

void ngx_k8s_sa_issuer_reload(ngx_k8s_sa_watch_t *watch, ngx_log_t *log);


#endif /* NGX_K8S_SA_ISSUER_H */
