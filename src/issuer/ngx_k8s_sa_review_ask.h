/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the two files of TokenReview share: ngx_k8s_sa_review.c, who waits for
 * what, and ngx_k8s_sa_review_ask.c, the question and its answer.
 */

#ifndef NGX_K8S_SA_REVIEW_ASK_H
#define NGX_K8S_SA_REVIEW_ASK_H


#include "issuer/ngx_k8s_sa_review.h"


#define NGX_K8S_SA_REVIEW_GRACE  100    /* ms; an exchange's own timeout ends
                                           first and says more */


struct ngx_k8s_sa_review_s {
    ngx_str_node_t           node;
    ngx_queue_t              queue;
    ngx_queue_t              waiters;

    ngx_k8s_sa_issuer_t     *issuer;
    ngx_k8s_sa_exchange_t   *exchange;     /* while it runs */
    ngx_event_t              timer;        /* its end, the next try, or the
                                              next look at the zone */
    ngx_connection_t         dummy;        /* for the timer's debug log */
    ngx_msec_t               began;        /* sent first */
    ngx_msec_t               deadline;
    ngx_uint_t               tries;
    ngx_uint_t               looks;        /* at the zone, while elsewhere */

    int64_t                  not_after;
    k8s_sa_str_t             audience;     /* used if own_audience */
    ngx_str_t                token;
    size_t                   size;         /* of this block */

    unsigned                 own_audience:1;
    unsigned                 leased:1;     /* no other worker asks */
    unsigned                 elsewhere:1;  /* another worker asks */
    unsigned                 queued:1;
    unsigned                 running:1;    /* has one of the places */
};


/* ngx_k8s_sa_review.c: ends a review, with a result for those who wait. */

void ngx_k8s_sa_review_done(ngx_k8s_sa_review_t *review,
    ngx_k8s_sa_review_result_t *result);

/* The same, without a result; nobody must wait. */

void ngx_k8s_sa_review_drop(ngx_k8s_sa_review_t *review);

/* When a place has become free: the next ones of the queue. */

void ngx_k8s_sa_review_next(ngx_k8s_sa_issuer_t *issuer);

/* Sets the timer, whatever it is set to. */

void ngx_k8s_sa_review_after(ngx_k8s_sa_review_t *review, ngx_msec_t delay);

/* To be called when "exchange" is new, or waiters come or go. */

void ngx_k8s_sa_review_hold(ngx_k8s_sa_review_t *review);

/*
 * The stale verdict of a review that cannot be had: as
 * ngx_k8s_sa_review_lookup().
 */

ngx_int_t ngx_k8s_sa_review_stale(ngx_k8s_sa_review_t *review,
    ngx_pool_t *pool, ngx_k8s_sa_review_result_t *result);


/*
 * ngx_k8s_sa_review_ask.c: sends the request, in one of the places.  NGX_OK,
 * or NGX_ERROR without memory.
 */

ngx_int_t ngx_k8s_sa_review_send(ngx_k8s_sa_review_t *review);

/*
 * Ends a review without a verdict.  down: the API server is not there, or not
 * able to answer, and a stale verdict serves; one that refuses us or talks
 * nonsense is not waited for.
 */

void ngx_k8s_sa_review_failed(ngx_k8s_sa_review_t *review, const char *reason,
    ngx_uint_t down);


#endif /* NGX_K8S_SA_REVIEW_ASK_H */
