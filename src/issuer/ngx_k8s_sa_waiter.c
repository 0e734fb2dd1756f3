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
     * The whole list is taken first: a handler may wait again, which must not
     * be woken by this loop, and may end the wait of another waiter of the
     * list, which must not touch the issuer or the review any more.
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
