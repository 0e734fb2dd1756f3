/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reviews: questions to an API server whose verdicts are remembered, such as
 * TokenReview.
 *
 * Simultaneous reviews with the same key are one request: one worker asks, and
 * the others wait for its verdict in the shared zone.  A failure is not
 * stored; after one, another worker asks.  A worker asks a few at a time; the
 * other reviews wait for their turns in a limited number of places.
 *
 * A kind of review says what is sent, what the answer means, and how a verdict
 * is remembered and counted.
 */

#ifndef NGX_K8S_SA_REVIEW_H
#define NGX_K8S_SA_REVIEW_H


#include "issuer/ngx_k8s_sa_issuer.h"
#include "issuer/ngx_k8s_sa_turns.h"
#include "shared/ngx_k8s_sa_cache.h"


/* How many reviews of a kind a worker has in progress, for one issuer. */

#define NGX_K8S_SA_REVIEW_RUNNING  8


typedef struct ngx_k8s_sa_review_kind_s  ngx_k8s_sa_review_kind_t;


/* An issuer's reviews of a kind; allocated zeroed, with the configuration. */

struct ngx_k8s_sa_reviews_s {

    /* set with the configuration, allocated from its pool */

    const ngx_k8s_sa_review_kind_t  *kind;
    ngx_k8s_sa_issuer_t     *issuer;
    ngx_k8s_sa_url_t         url;
    ngx_msec_t               cache;      /* how long an accepting verdict is
                                            reused */
    ngx_msec_t               failed;     /* how long a refusing one is */
    ngx_msec_t               stale;      /* how much longer than cache, while
                                            the API server is down */

    /* state of this process */

    ngx_rbtree_t             tree;       /* ngx_k8s_sa_review_t by key */
    ngx_rbtree_node_t        sentinel;
    ngx_k8s_sa_turns_t       turns;      /* reviews to be sent */
    ngx_k8s_sa_places_t      places;     /* of these, and of reviews asked by
                                            other workers */
    ngx_uint_t               running;    /* number in progress */
    time_t                   logged;     /* when a failure was last logged */
    ngx_msec_t               down_msec;  /* when a review last failed */
    unsigned                 down:1;     /* the last review failed because the
                                            API server is down */
};


/* A question; the first member of a kind's own type. */

typedef struct {
    u_char                   key[K8S_SA_FINGERPRINT_LEN];   /* covers all that
                                            its verdict depends on */
    uint32_t                 owner;      /* whose turn and places it takes: a
                                            hash, or 0 */
    int64_t                  not_after;  /* seconds since the epoch: a verdict
                                            is not kept longer */
} ngx_k8s_sa_review_request_t;


struct ngx_k8s_sa_review_result_s {
    k8s_sa_verdict_e         verdict;
    k8s_sa_identity_t       *identity;   /* NULL unless K8S_SA_VERDICT_OK */
    ngx_str_t                reason;     /* the API server's, for a refusal:
                                            printable, may be empty */
    ngx_msec_t               fresh;      /* ngx_current_msec until which the
                                            verdict is valid, but not past the
                                            request's not_after */
    unsigned                 claimed:1;  /* remembered, and a review ahead of
                                            its end has been started */
};


struct ngx_k8s_sa_review_kind_s {
    const char              *name;       /* for the log */
    ngx_uint_t               share;      /* of the NGX_K8S_SA_PLACES, for one
                                            owner */

    /*
     * Returns a copy of a question with all it points to, in one block of
     * *size bytes from ngx_alloc(), which is wiped before it is freed; NULL
     * without memory.
     */

    ngx_k8s_sa_review_request_t  *(*copy)(
        const ngx_k8s_sa_reviews_t *reviews,
        const ngx_k8s_sa_review_request_t *request, size_t *size);

    /*
     * Makes the JSON to send, which is wiped and freed with free().  Returns
     * NGX_OK, or NGX_ERROR without memory or if it cannot be JSON.
     */

    ngx_int_t  (*body)(const ngx_k8s_sa_reviews_t *reviews,
        const ngx_k8s_sa_review_request_t *request, ngx_str_t *body);

    /*
     * Reads an answer into *result, without result->fresh.  The verdict is
     * K8S_SA_REVIEW_FAILED, with the reason in *err, if the answer has none.
     * Memory is from pool, or freed by a cleanup of it.
     */

    void  (*parse)(const ngx_k8s_sa_reviews_t *reviews,
        const ngx_k8s_sa_review_request_t *request, const ngx_str_t *body,
        ngx_pool_t *pool, ngx_k8s_sa_review_result_t *result,
        k8s_sa_error_t *err);

    /* Returns 1 if a fresh verdict is remembered. */

    ngx_uint_t  (*is_fresh)(const ngx_k8s_sa_reviews_t *reviews,
        const u_char *key);

    /*
     * Finds a fresh verdict or, with stale set, a stale one; result->fresh
     * tells which.  Returns NGX_OK, with memory for *result from pool;
     * NGX_DECLINED if there is no such verdict; NGX_ERROR without memory.
     */

    ngx_int_t  (*get)(const ngx_k8s_sa_reviews_t *reviews, const u_char *key,
        ngx_uint_t stale, ngx_pool_t *pool,
        ngx_k8s_sa_review_result_t *result);

    /*
     * Remembers a verdict in place of any earlier one, but not past
     * request->not_after.  Sets result->fresh.
     */

    void  (*put)(const ngx_k8s_sa_reviews_t *reviews,
        const ngx_k8s_sa_review_request_t *request,
        ngx_k8s_sa_review_result_t *result);

    /* Counts a review that took this many msec. */

    void  (*count)(const ngx_k8s_sa_reviews_t *reviews, ngx_msec_t took,
        k8s_sa_verdict_e verdict);

    /*
     * NULL, or returns 1 if an answer refuses: while the API server starts it
     * is asked again then.
     */

    ngx_uint_t  (*refuses)(const ngx_k8s_sa_reviews_t *reviews,
        const ngx_str_t *body);

    /* Returns which right our own account needs, as a hint: " (...)". */

    const char  *(*forbidden)(const ngx_k8s_sa_reviews_t *reviews);

    ngx_uint_t               strict;     /* 1: an API server that answers is
                                            down with 502 to 504 only: clients
                                            could cause other answers */
};


/*
 * Called from init_process and exit_process of workers; stop() drops all
 * reviews without calling handlers.
 */

void ngx_k8s_sa_review_init(ngx_k8s_sa_reviews_t *reviews);
void ngx_k8s_sa_review_stop(ngx_k8s_sa_reviews_t *reviews);

/*
 * How long before its end an accepting verdict is renewed, in ms; 0 if its life
 * is too short for that.
 */

#define ngx_k8s_sa_review_ahead_time(reviews)                                 \
    ((reviews)->cache >= 1000 ? (reviews)->cache / 5 : 0)

/*
 * Finds a remembered verdict; a stale one serves while the API server is down
 * ("stale=TIME").  The first call in the last fifth of an accepting verdict's
 * life, of all workers, starts a review without a waiter: if it has a verdict,
 * that replaces the old one at once.  Returns NGX_OK, with memory for *result
 * from pool; NGX_DECLINED if the API server has to be asked; NGX_ERROR without
 * memory.
 */

ngx_int_t ngx_k8s_sa_review_lookup(ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result);

/*
 * Starts a review, or joins one with the same key.  waiter is NULL if only the
 * remembered verdict matters.  Returns NGX_AGAIN: waiter->handler will be
 * called, after "timeout" at the latest; NGX_BUSY: the owner's share of the
 * places is taken, or all places and no other owner has more of them;
 * NGX_ERROR: no memory.
 */

ngx_int_t ngx_k8s_sa_review_start(ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request,
    ngx_k8s_sa_waiter_t *waiter);

/* Ends a wait; does nothing if waiting is not set. */

void ngx_k8s_sa_review_cancel(ngx_k8s_sa_waiter_t *waiter);


#endif /* NGX_K8S_SA_REVIEW_H */
