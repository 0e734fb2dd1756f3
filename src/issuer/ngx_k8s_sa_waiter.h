/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A wait for an issuer's keys, or for a review; and the places to wait in.
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
 * Owned by the caller, which sets handler, data and client, and does not move
 * the struct while waiting is set.  handler is called once, from the event
 * loop and never from within the call that starts the wait.  It is not called
 * if the wait is ended with ngx_k8s_sa_issuer_unwait() or
 * ngx_k8s_sa_review_cancel(), or by the worker's exit.  It may start another
 * wait, and end any.
 */

struct ngx_k8s_sa_waiter_s {
    ngx_queue_t                  queue;
    void                       (*handler)(ngx_k8s_sa_waiter_t *waiter);
    void                        *data;
    uint32_t                     client;     /* for ngx_k8s_sa_places_t */

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


/*
 * Places to wait in; allocated zeroed.  A client has at most a share of them,
 * so that it cannot take all.  It is named by a hash, e.g. of its address, or
 * by 0 if it has none, which is not limited.
 */

#define NGX_K8S_SA_PLACES        1024
#define NGX_K8S_SA_PLACES_SHARE  (NGX_K8S_SA_PLACES / 8)
#define NGX_K8S_SA_CLIENTS       256

typedef struct {
    ngx_uint_t                   taken;
    uint16_t                     clients[NGX_K8S_SA_CLIENTS];   /* taken by
                                                clients of this hash */
} ngx_k8s_sa_places_t;

/* Returns 1 if the client has less than its share, otherwise 0. */

ngx_uint_t ngx_k8s_sa_places_left(ngx_k8s_sa_places_t *places,
    uint32_t client, ngx_uint_t share);

#define ngx_k8s_sa_places_full(places)                                        \
    ((places)->taken >= NGX_K8S_SA_PLACES)

/* Returns the client with the most places, as an index of clients. */

uint32_t ngx_k8s_sa_places_most(ngx_k8s_sa_places_t *places);

void ngx_k8s_sa_place_take(ngx_k8s_sa_places_t *places, uint32_t client);
void ngx_k8s_sa_place_leave(ngx_k8s_sa_places_t *places, uint32_t client);


#endif /* NGX_K8S_SA_WAITER_H */
