/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A wait for an issuer's keys, or for a review.
 */

#ifndef NGX_K8S_SA_WAITER_H
#define NGX_K8S_SA_WAITER_H


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_k8s_sa_issuer_s         ngx_k8s_sa_issuer_t;
typedef struct ngx_k8s_sa_review_s         ngx_k8s_sa_review_t;
typedef struct ngx_k8s_sa_review_result_s  ngx_k8s_sa_review_result_t;
typedef struct ngx_k8s_sa_waiter_s         ngx_k8s_sa_waiter_t;


/*
 * Owned by the caller, which sets handler and data and does not move the
 * struct while waiting is set.  handler is called once, from the event loop
 * and never from within the call that starts the wait.  It is not called if
 * the wait is ended with ngx_k8s_sa_issuer_unwait() or
 * ngx_k8s_sa_review_cancel(), or by the worker's exit.  It may start another
 * wait, and end any.
 */

struct ngx_k8s_sa_waiter_s {
    ngx_queue_t                  queue;
    void                       (*handler)(ngx_k8s_sa_waiter_t *waiter);
    void                        *data;

    /* what it waits for; both are NULL once ngx_k8s_sa_wake() has begun */
    ngx_k8s_sa_issuer_t         *issuer;
    ngx_k8s_sa_review_t         *review;

    ngx_k8s_sa_review_result_t  *result;     /* a review's, valid in handler;
                                                NULL for keys */
    ngx_msec_t                   deadline;   /* ngx_current_msec; keys only */
    unsigned                     waiting:1;
};


/*
 * Ends all waits of a list, leaves it empty, and calls the handlers.  While
 * they run, the owner of the list may be freed.
 */

void ngx_k8s_sa_wake(ngx_queue_t *waiters,
    ngx_k8s_sa_review_result_t *result);


#endif /* NGX_K8S_SA_WAITER_H */
