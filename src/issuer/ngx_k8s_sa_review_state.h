/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The state of one review: its memory, timer, place and lease; private to
 * ngx_k8s_sa_review.c.
 */

#ifndef NGX_K8S_SA_REVIEW_STATE_H
#define NGX_K8S_SA_REVIEW_STATE_H


#include "issuer/ngx_k8s_sa_ask.h"
#include "issuer/ngx_k8s_sa_review.h"


#define NGX_K8S_SA_REVIEW_GRACE  100   /* ms; an exchange's own timeout ends
                                          first and says more */


/*
 * A review is asked by another worker (elsewhere), waits until fewer than
 * NGX_K8S_SA_REVIEW_RUNNING are (queued), or is asked (running).
 */

struct ngx_k8s_sa_review_s {
    ngx_str_node_t               node;
    ngx_queue_t                  queue;
    ngx_queue_t                  waiters;

    ngx_k8s_sa_reviews_t        *reviews;
    ngx_k8s_sa_ask_t            *ask;        /* while running */
    ngx_event_t                  timer;      /* the deadline, or the next look
                                                for another worker's verdict */
    ngx_connection_t             dummy;      /* for the timer's debug log */
    ngx_msec_t                   began;      /* when it was sent */
    ngx_msec_t                   deadline;
    ngx_uint_t                   looks;

    ngx_k8s_sa_review_request_t  *request;   /* a copy */
    size_t                       size;       /* of it */

    unsigned                     leased:1;   /* other workers do not ask */
    unsigned                     elsewhere:1;
    unsigned                     queued:1;
    unsigned                     running:1;
    unsigned                     displaced:1;    /* gives its place to another
                                                    owner's */
};


/* Returns a part of the key; the debug log names reviews by it. */

ngx_uint_t ngx_k8s_sa_review_hash(const u_char *key);

/*
 * Makes a review in reviews->tree whose timer is set to its deadline.  NULL
 * without memory.
 */

ngx_k8s_sa_review_t *ngx_k8s_sa_review_create(ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, ngx_event_handler_pt handler);

/* Removes a review from all lists and stops everything in progress. */

void ngx_k8s_sa_review_unlink(ngx_k8s_sa_review_t *review);

/* Wipes and frees an unlinked review. */

void ngx_k8s_sa_review_free(ngx_k8s_sa_review_t *review);

/* Sets the timer anew. */

void ngx_k8s_sa_review_after(ngx_k8s_sa_review_t *review, ngx_msec_t delay);

/*
 * To be called whenever review->waiters or review->ask change: a worker that
 * is shutting down does not exit while there are waiters.
 */

void ngx_k8s_sa_review_hold(ngx_k8s_sa_review_t *review);


#endif /* NGX_K8S_SA_REVIEW_STATE_H */
