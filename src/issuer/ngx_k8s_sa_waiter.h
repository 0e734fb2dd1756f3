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
 * Owned by the caller, who sets handler and data and keeps it in place while
 * waiting is set.  handler is called once, from the event loop and never from
 * inside the call that began the wait; not at all after the wait was ended
 * with ngx_k8s_sa_issuer_unwait() or ngx_k8s_sa_review_cancel(), or when the
 * worker exits.  It may begin another wait, and end any.
 */

struct ngx_k8s_sa_waiter_s {
    ngx_queue_t                  queue;
    void                       (*handler)(ngx_k8s_sa_waiter_t *waiter);
    void                        *data;

    /* what is waited for; both are NULL once it is being handed out */
    ngx_k8s_sa_issuer_t         *issuer;
    ngx_k8s_sa_review_t         *review;

    ngx_k8s_sa_review_result_t  *result;     /* of a review, valid in handler;
                                                NULL for keys */
    ngx_msec_t                   deadline;   /* for keys, ngx_current_msec */
    unsigned                     waiting:1;
};


/*
 * Ends the waits of a list, which is empty afterwards, and calls the handlers.
 * Whatever the list belongs to may be freed while they run.
 */

void ngx_k8s_sa_wake(ngx_queue_t *waiters,
    ngx_k8s_sa_review_result_t *result);


#endif /* NGX_K8S_SA_WAITER_H */
