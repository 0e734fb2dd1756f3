/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_waiter.h"


void
ngx_k8s_sa_wake(ngx_queue_t *waiters, ngx_k8s_sa_review_result_t *result)
{
    ngx_queue_t           woken, *q;
    ngx_k8s_sa_waiter_t  *waiter;

    if (ngx_queue_empty(waiters)) {
        return;
    }

    /*
     * Take the whole list first.  A handler may wait again: this loop must not
     * wake that waiter.  It may also end another wait of the list: that must
     * no longer touch the issuer or the review.
     */

    ngx_queue_init(&woken);
    ngx_queue_add(&woken, waiters);
    ngx_queue_init(waiters);

    for (q = ngx_queue_head(&woken);
         q != ngx_queue_sentinel(&woken);
         q = ngx_queue_next(q))
    {
        waiter = ngx_queue_data(q, ngx_k8s_sa_waiter_t, queue);

        waiter->issuer = NULL;
        waiter->review = NULL;
    }

    while (!ngx_queue_empty(&woken)) {

        q = ngx_queue_head(&woken);
        ngx_queue_remove(q);

        waiter = ngx_queue_data(q, ngx_k8s_sa_waiter_t, queue);

        waiter->waiting = 0;
        waiter->result = result;
        waiter->handler(waiter);
    }
}


ngx_uint_t
ngx_k8s_sa_places_left(ngx_k8s_sa_places_t *places, uint32_t client,
    ngx_uint_t share)
{
    return client == 0
           || places->clients[client % NGX_K8S_SA_CLIENTS] < share;
}


uint32_t
ngx_k8s_sa_places_most(ngx_k8s_sa_places_t *places)
{
    uint32_t  i, most;

    most = 0;

    for (i = 1; i < NGX_K8S_SA_CLIENTS; i++) {
        if (places->clients[i] > places->clients[most]) {
            most = i;
        }
    }

    return most;
}


void
ngx_k8s_sa_place_take(ngx_k8s_sa_places_t *places, uint32_t client)
{
    places->taken++;

    if (client) {
        places->clients[client % NGX_K8S_SA_CLIENTS]++;
    }
}


void
ngx_k8s_sa_place_leave(ngx_k8s_sa_places_t *places, uint32_t client)
{
    places->taken--;

    if (client) {
        places->clients[client % NGX_K8S_SA_CLIENTS]--;
    }
}
