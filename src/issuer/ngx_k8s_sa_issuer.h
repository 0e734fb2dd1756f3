/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An issuer: who signs tokens, and the keys that check them.
 *
 * Keys come from files, which each process reads itself, and from the network,
 * which one worker at a time fetches for all into the shared zone.
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


/* Fetches out of turn, for an unknown "kid": one in so many ms, SPEC 3. */

#define NGX_K8S_SA_FORCED_INTERVAL  10000

#define NGX_K8S_SA_JWKS_DIGEST_LEN  32        /* SHA-256 of a JWK set */


typedef struct ngx_k8s_sa_fetch_s   ngx_k8s_sa_fetch_t;
typedef struct ngx_k8s_sa_reviews_s ngx_k8s_sa_reviews_t;


typedef struct {
    ngx_k8s_sa_watch_t       watch;      /* data: the issuer */
    unsigned                 jwks:1;     /* a JWK set, otherwise PEM */
} ngx_k8s_sa_key_file_t;


struct ngx_k8s_sa_issuer_s {
    ngx_str_t                name;

    /* configuration, owned by its pool */

    k8s_sa_policy_t          policy;     /* points into the arrays, or to
                                            learned */
    ngx_array_t              issuers;    /* k8s_sa_str_t */
    ngx_array_t              audiences;  /* k8s_sa_str_t */
    ngx_array_t              key_files;  /* ngx_k8s_sa_key_file_t * */

    ngx_k8s_sa_client_t     *client;     /* NULL: nothing to ask */
    ngx_k8s_sa_url_t         discovery;  /* text.len 0: none */
    ngx_k8s_sa_url_t         jwks_uri;   /* text.len 0: the document's */
    ngx_k8s_sa_token_file_t *token_file; /* own credential, or NULL */
    ngx_str_t                state_file; /* absolute, len 0: none */
    ngx_msec_t               refresh;
    ngx_msec_t               stale;
    ngx_msec_t               timeout;    /* of one exchange */
    ngx_k8s_sa_reviews_t    *reviews;    /* NULL: without "token_review" */
    unsigned                 private_ca:1; /* ssl_trusted_certificate is set */

    ngx_k8s_sa_zone_t       *zone;
    ngx_k8s_sa_record_ref_t  ref;
    u_char                   digest[NGX_K8S_SA_DIGEST_LEN];   /* of all that
                                            decides about a token, except keys
                                            and time */

    /* of this process */

    ngx_uint_t               version;        /* of both sets, from 1 */
    k8s_sa_keyset_t         *file_keys;
    k8s_sa_keyset_t         *fetched_keys;   /* NULL: none yet */
    u_char                   fetched_digest[NGX_K8S_SA_JWKS_DIGEST_LEN];
    k8s_sa_keyset_t         *checked_keys;   /* parsed, to become fetched_keys
                                                once they are stored; or NULL */
    u_char                   checked_digest[NGX_K8S_SA_JWKS_DIGEST_LEN];
    k8s_sa_str_t             learned;        /* "iss" of the document */
    ngx_atomic_uint_t        generation;     /* that fetched_keys are of */
    ngx_atomic_uint_t        events;         /* that waiters have seen */
    ngx_msec_t               fetched_msec;   /* last success known here */

    ngx_event_t              timer;          /* next fetch */
    ngx_event_t              wait_timer;     /* while somebody waits */
    ngx_connection_t         dummy;          /* for the timers' debug log */
    ngx_queue_t              waiters;        /* ngx_k8s_sa_waiter_t */
    ngx_k8s_sa_fetch_t      *fetch;          /* that is under way here */
    ngx_log_t               *log;

    unsigned                 state_tried:1;  /* saved keys were looked for */
};


/* 1 if keys come from the network. */

#define ngx_k8s_sa_issuer_fetches(issuer)                                     \
    ((issuer)->discovery.text.len || (issuer)->jwks_uri.text.len)

/* 1 if tokens are checked with keys here, 0 if by reviews alone. */

#define ngx_k8s_sa_issuer_has_keys(issuer)                                    \
    ((issuer)->key_files.nelts || ngx_k8s_sa_issuer_fetches(issuer))


/*
 * ngx_k8s_sa_keys.c
 *
 * Brings this process up to date with the key store; when nothing has
 * changed, which is the rule, it is one load.
 */

void ngx_k8s_sa_issuer_sync(ngx_k8s_sa_issuer_t *issuer);

/*
 * Checks a JWK set that is about to be put in the key store.  The parsed keys
 * are kept for ngx_k8s_sa_issuer_sync(), and a set that this worker has parsed
 * already is not parsed again.  NGX_OK; NGX_ERROR with the reason in *err.
 * note as in k8s_sa_keyset_add_jwks(), empty for a set known before.
 */

ngx_int_t ngx_k8s_sa_issuer_check(ngx_k8s_sa_issuer_t *issuer,
    const ngx_str_t *jwks, k8s_sa_error_t *note, k8s_sa_error_t *err);

/*
 * 1 if the issuer's "iss" is not known before the first discovery document:
 * a token may be one of its own.
 */

ngx_uint_t ngx_k8s_sa_issuer_unlearned(ngx_k8s_sa_issuer_t *issuer);

/*
 * As k8s_sa_token_verify(), with all keys of the issuer; also
 * K8S_SA_NO_KEYS and K8S_SA_STALE_KEYS.
 */

k8s_sa_verdict_e ngx_k8s_sa_issuer_verify(ngx_k8s_sa_issuer_t *issuer,
    k8s_sa_token_t *t);

ngx_uint_t ngx_k8s_sa_issuer_has_kid(ngx_k8s_sa_issuer_t *issuer,
    const k8s_sa_str_t *kid);

/*
 * A number that changes with the keys and what is learned; 0 while fetched
 * keys are stale.  What was found out at the same number, other than 0, holds.
 */

ngx_uint_t ngx_k8s_sa_issuer_version(ngx_k8s_sa_issuer_t *issuer);

/* 1 if there are no fetched keys, or they are older than "stale". */

ngx_uint_t ngx_k8s_sa_issuer_is_stale(ngx_k8s_sa_issuer_t *issuer);

/* The key with this id, if tokens may be accepted by it now, or NULL. */

k8s_sa_key_t *ngx_k8s_sa_issuer_key(ngx_k8s_sa_issuer_t *issuer,
    const u_char *id);

/*
 * Calls visit for each key that the issuer has in this worker: those from
 * files first, then the fetched ones, even if they are stale.
 */

typedef void (*ngx_k8s_sa_key_pt)(const k8s_sa_key_t *key, void *data);

void ngx_k8s_sa_issuer_each_key(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_key_pt visit, void *data);


/*
 * ngx_k8s_sa_run.c: an issuer at work in a worker.
 *
 * start() arms the issuer's timers and is called from init_process, stop()
 * from exit_process.
 */

void ngx_k8s_sa_issuer_start(ngx_k8s_sa_issuer_t *issuer, ngx_cycle_t *cycle);
void ngx_k8s_sa_issuer_stop(ngx_k8s_sa_issuer_t *issuer);

/*
 * When the issuer has no keys now, or does not know the token's: NGX_AGAIN, a
 * fetch is under way, here or in another worker, and waiter->handler will be
 * called; NGX_DECLINED: none is due, there is nothing to wait for.
 */

ngx_int_t ngx_k8s_sa_issuer_wait(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_waiter_t *waiter);

/* Ends a wait; nothing if there is none. */

void ngx_k8s_sa_issuer_unwait(ngx_k8s_sa_waiter_t *waiter);


/*
 * ngx_k8s_sa_fetch.c
 *
 * Fetches keys if no other worker does.  NGX_OK: a fetch is under way, here
 * or elsewhere; NGX_ERROR: no memory.
 */

ngx_int_t ngx_k8s_sa_fetch(ngx_k8s_sa_issuer_t *issuer);

/* Ends this worker's fetch, if there is one, without a result. */

void ngx_k8s_sa_fetch_cancel(ngx_k8s_sa_issuer_t *issuer);

/*
 * To be called when the first waiter has come or the last one has gone: a
 * worker that is shutting down goes on with a fetch while somebody waits.
 */

void ngx_k8s_sa_fetch_hold(ngx_k8s_sa_issuer_t *issuer);

void ngx_k8s_sa_fetch_timer(ngx_event_t *ev);


/*
 * ngx_k8s_sa_state.c: the last good key set on disk (state_path).
 *
 * read() puts it into the key store, whose lease the caller holds.  NGX_OK;
 * NGX_DECLINED: there is none that can be used (it has been logged).
 */

ngx_int_t ngx_k8s_sa_state_read(ngx_k8s_sa_issuer_t *issuer);
void ngx_k8s_sa_state_write(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_keys_t *keys);


/*
 * ngx_k8s_sa_key_files.c
 *
 * Adds the keys of one file to a set.  NGX_OK; NGX_ERROR with the reason in
 * *err.  note->text is empty, or says why a key of the file was passed over;
 * *exposed is set if the file holds a private key and anyone may read it.
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
