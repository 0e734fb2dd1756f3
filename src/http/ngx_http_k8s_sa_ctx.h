/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A request's state.
 *
 * It belongs to the main request and its pool, is found again after an
 * internal redirect, and is shared with subrequests, except those that decide
 * for themselves (k8s_sa_whoami as the target of auth_request).
 */

#ifndef NGX_HTTP_K8S_SA_CTX_H
#define NGX_HTTP_K8S_SA_CTX_H


#include "http/ngx_http_k8s_sa_front.h"
#include "issuer/ngx_k8s_sa_review_token.h"
#include "token/k8s_sa_access.h"


/* A request header that is withheld from the upstream; from r->pool. */

typedef struct ngx_http_k8s_sa_withheld_s  ngx_http_k8s_sa_withheld_t;

struct ngx_http_k8s_sa_withheld_s {
    ngx_table_elt_t              *header;  /* in a list that r has left */
    ngx_http_k8s_sa_withheld_t   *next;
};


/* An issuer's review of the request's token; from r->pool. */

typedef struct ngx_http_k8s_sa_reviewed_s  ngx_http_k8s_sa_reviewed_t;

struct ngx_http_k8s_sa_reviewed_s {
    ngx_http_k8s_sa_reviewed_t   *next;
    ngx_k8s_sa_issuer_t          *issuer;
    ngx_k8s_sa_review_result_t    result;
};


/* An answer to one of the request's questions; from r->pool. */

typedef struct ngx_http_k8s_sa_answered_s  ngx_http_k8s_sa_answered_t;

struct ngx_http_k8s_sa_answered_s {
    ngx_http_k8s_sa_answered_t   *next;
    u_char                        key[K8S_SA_FINGERPRINT_LEN];
    ngx_k8s_sa_review_result_t    result;
};


/* What only a request needs that may have to wait, for keys or a review. */

typedef struct {
    ngx_http_request_t           *request;   /* that waits */
    ngx_k8s_sa_waiter_t           waiter;
    ngx_uint_t                    waits;     /* for keys, until now */

    ngx_k8s_sa_token_request_t    question;  /* valid if REVIEW_DUE */
    ngx_k8s_sa_waiter_t           review;
    ngx_http_k8s_sa_reviewed_t   *reviewed;  /* also before a wait for keys */

    ngx_k8s_sa_waiter_t           access;
    ngx_http_k8s_sa_answered_t   *answered;  /* the latest question first */
    ngx_msec_t                    deadline;  /* of all questions together, in
                                                ngx_current_msec; valid if
                                                answered is not NULL */
    ngx_event_t                   timer;     /* ends the wait then */
    ngx_connection_t              dummy;     /* for the timer's debug log */
} ngx_http_k8s_sa_pause_t;


/*
 * How far the decision about a request is.
 *
 *                 check()
 *     UNDECIDED ----------> DECIDED
 *      ^  |                    ^
 *      |  | check()            | there is nothing to wait for
 *      |  v                    |
 *      |  KEYS_DUE ------------+
 *      |  REVIEW_DUE ----------+
 *      |  |
 *      +--+ the request is suspended: forget()
 *
 * An internal redirect to a location with k8s_sa_auth leads back to UNDECIDED.
 */

typedef enum {
    NGX_HTTP_K8S_SA_UNDECIDED = 0,
    NGX_HTTP_K8S_SA_KEYS_DUE,      /* the verdict is preliminary: issuers that
                                      "lacking" names may fetch the key */
    NGX_HTTP_K8S_SA_REVIEW_DUE,    /* the same: pause->question has to be
                                      asked of ctx->issuer */
    NGX_HTTP_K8S_SA_DECIDED        /* the verdict is final, except that rules
                                      may refuse what it accepts */
} ngx_http_k8s_sa_state_e;


typedef enum {
    NGX_HTTP_K8S_SA_CACHE_UNUSED = 0,
    NGX_HTTP_K8S_SA_CACHE_MISS,
    NGX_HTTP_K8S_SA_CACHE_HIT
} ngx_http_k8s_sa_cache_e;


/* How the questions of k8s_sa_authorize were answered: the slowest of them. */

typedef enum {
    NGX_HTTP_K8S_SA_ACCESS_NONE = 0,
    NGX_HTTP_K8S_SA_ACCESS_SKIP,
    NGX_HTTP_K8S_SA_ACCESS_HIT,
    NGX_HTTP_K8S_SA_ACCESS_STALE,
    NGX_HTTP_K8S_SA_ACCESS_MISS
} ngx_http_k8s_sa_access_cache_e;


typedef struct {
    ngx_str_t                  token;      /* as the client sent it */
    u_char                     key[K8S_SA_FINGERPRINT_LEN];   /* in caches;
                                              valid unless UNDECIDED */
    ngx_http_k8s_sa_withheld_t  *withheld; /* NULL: none */
    ngx_table_elt_t           *challenge;  /* WWW-Authenticate sent, or NULL */

    ngx_http_k8s_sa_state_e    state;
    ngx_http_k8s_sa_cache_e    cache;      /* whether a cache had the token */
    ngx_http_k8s_sa_loc_conf_t  *conf;     /* of the last location with
                                              k8s_sa_auth, or NULL */
    unsigned                   prepared:1; /* the headers are cleaned, for the
                                              location of conf */
    unsigned                   read:1;     /* a variable was read since the
                                              decision */
    unsigned                   read_early:1;   /* a variable was read before
                                              the decision, or since one about
                                              another token */

    unsigned                   identified:1;   /* the identity is certain,
                                              whatever the rules say */
    unsigned                   path_refused:1;   /* for good: see
                                              ngx_http_k8s_sa_check_path() */

    k8s_sa_verdict_e           verdict;    /* valid unless UNDECIDED */
    k8s_sa_identity_t         *identity;   /* NULL: unknown, or not unpacked:
                                              use ngx_http_k8s_sa_identity() */
    ngx_k8s_sa_issuer_t       *issuer;     /* that decided, or NULL */
    ngx_http_k8s_sa_front_entry_t  *entry; /* a reference, or NULL */
    ngx_str_t                  detail;     /* more about a refusal, or empty */
    ngx_str_t                  kid;        /* named by a token without an
                                              identity; or empty */

    ngx_http_k8s_sa_pause_t   *pause;      /* NULL: not needed until now */
    uint64_t                   lacking;    /* bit n: the n-th issuer may get
                                              the token's key by a fetch */

    ngx_int_t                  status;     /* set by rules, or 0 */

    k8s_sa_access_t           *question;   /* the last of k8s_sa_authorize, from
                                              the request's pool; or NULL */
    k8s_sa_str_t               each;       /* $k8s_sa_each */
    ngx_http_k8s_sa_access_cache_e  access_cache;
    ngx_str_t                  description;   /* of a refusal, for the client;
                                              or empty */
} ngx_http_k8s_sa_ctx_t;


/*
 * Return the state of a request; NULL if it has none yet (get), or without
 * memory (make).
 */

ngx_http_k8s_sa_ctx_t *ngx_http_k8s_sa_get_ctx(ngx_http_request_t *r);
ngx_http_k8s_sa_ctx_t *ngx_http_k8s_sa_make_ctx(ngx_http_request_t *r);

/*
 * Makes a state that only this subrequest has: get does not return it for the
 * main request.  NULL without memory.
 */

ngx_http_k8s_sa_ctx_t *ngx_http_k8s_sa_own_ctx(ngx_http_request_t *r);

/*
 * Notes that a variable of the module was read before the caller was
 * identified: what nginx caches of it ("map", "set") may be wrong.  NGX_OK, or
 * NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_note_early_read(ngx_http_request_t *r);

/* Returns 1 if that has happened in the request or its subrequests. */

ngx_uint_t ngx_http_k8s_sa_read_early(ngx_http_request_t *r);

/* Returns 1 if the main request's path has been refused. */

ngx_uint_t ngx_http_k8s_sa_path_refused(ngx_http_request_t *r);

/* Takes the decision back. */

void ngx_http_k8s_sa_forget(ngx_http_k8s_sa_ctx_t *ctx);

/*
 * Takes the decision back, but keeps the identity's memory as long as the
 * request: captures of a regular expression may still point into it.  NGX_OK,
 * or NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_retire(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);

/* 1 if the identity is certain, whether it is allowed or not. */

#define ngx_http_k8s_sa_authentic(ctx)                                        \
    ((ctx)->state == NGX_HTTP_K8S_SA_DECIDED                                  \
     && ((ctx)->verdict == K8S_SA_VERDICT_OK || (ctx)->identified))

/*
 * Return the identity, unpacked into the request's pool when first needed; or
 * only the string at an offset of it, which is cheap for the user name.  NULL
 * if the identity is unknown, or without memory.
 */

k8s_sa_identity_t *ngx_http_k8s_sa_identity(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);
k8s_sa_str_t *ngx_http_k8s_sa_identity_field(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, size_t offset);

/* Returns ctx->pause, made if it is not there yet; NULL without memory. */

ngx_http_k8s_sa_pause_t *ngx_http_k8s_sa_pause(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);

/* Ends a wait, if there is one: no handler will be called. */

void ngx_http_k8s_sa_end_pause(ngx_http_k8s_sa_ctx_t *ctx);

#define ngx_http_k8s_sa_paused(ctx)                                           \
    ((ctx)->pause && ((ctx)->pause->waiter.waiting                            \
                      || (ctx)->pause->review.waiting                         \
                      || (ctx)->pause->access.waiting))


#endif /* NGX_HTTP_K8S_SA_CTX_H */
