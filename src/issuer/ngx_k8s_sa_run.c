/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_issuer.h"
#include "issuer/ngx_k8s_sa_access_review.h"


#define NGX_K8S_SA_POLL  20    /* ms between two looks at the key store while
                                  there are waiters */


static void ngx_k8s_sa_issuer_wait_timer(ngx_event_t *ev);


void
ngx_k8s_sa_issuer_start(ngx_k8s_sa_issuer_t *issuer, ngx_cycle_t *cycle)
{
    issuer->log = cycle->log;

    ngx_queue_init(&issuer->waiters);

    /* ngx_event_ident() in nginx's debug log needs a connection */

    issuer->dummy.fd = (ngx_socket_t) -1;
    issuer->dummy.data = issuer;

    issuer->timer.data = &issuer->dummy;
    issuer->timer.handler = ngx_k8s_sa_fetch_timer;
    issuer->timer.log = cycle->log;
    issuer->timer.cancelable = 1;

    /* not cancelable: a worker that shuts down stays while requests wait */

    issuer->wait_timer.data = &issuer->dummy;
    issuer->wait_timer.handler = ngx_k8s_sa_issuer_wait_timer;
    issuer->wait_timer.log = cycle->log;

    if (issuer->client) {
        ngx_k8s_sa_client_init_process(issuer->client);
    }

    if (ngx_k8s_sa_issuer_fetches(issuer)) {
        ngx_add_timer(&issuer->timer, 1);
    }

    if (issuer->reviews) {
        ngx_k8s_sa_review_init(issuer->reviews);
    }

    if (issuer->access) {
        ngx_k8s_sa_review_init(&issuer->access->reviews);
    }
}


void
ngx_k8s_sa_issuer_stop(ngx_k8s_sa_issuer_t *issuer)
{
    ngx_k8s_sa_fetch_cancel(issuer);

    if (issuer->reviews) {
        ngx_k8s_sa_review_stop(issuer->reviews);
    }

    if (issuer->access) {
        ngx_k8s_sa_review_stop(&issuer->access->reviews);
    }

    if (issuer->client) {
        ngx_k8s_sa_client_shutdown(issuer->client);
    }
}


ngx_int_t
ngx_k8s_sa_issuer_wait(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_waiter_t *waiter)
{
    ngx_k8s_sa_key_state_t  state;

    if (!ngx_k8s_sa_issuer_fetches(issuer)
        || ngx_k8s_sa_keystore_state(issuer->zone, &issuer->ref, &state)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (state.generation != issuer->generation) {

        /* another worker has just fetched: wake the waiters at once */

        state.events = 0;

    } else if (state.lease_owner == 0) {

        if (issuer->fetched_keys && !ngx_k8s_sa_issuer_is_stale(issuer)) {

            if (ngx_k8s_sa_keystore_force(issuer->zone, &issuer->ref,
                                          NGX_K8S_SA_FORCED_INTERVAL, NULL)
                != NGX_OK)
            {
                return NGX_DECLINED;
            }

        } else if (state.refresh_set
                   && (ngx_msec_int_t) (state.refresh_msec - ngx_current_msec)
                      > 0)
        {
            return NGX_DECLINED;
        }

        if (ngx_k8s_sa_fetch(issuer) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    if (ngx_k8s_sa_places_full(&issuer->places)
        || !ngx_k8s_sa_places_left(&issuer->places, waiter->client,
                                   NGX_K8S_SA_PLACES_SHARE))
    {
        return NGX_BUSY;
    }

    if (ngx_queue_empty(&issuer->waiters) || state.events == 0) {
        issuer->events = state.events;

        ngx_add_timer(&issuer->wait_timer, NGX_K8S_SA_POLL);
    }

    /* two exchanges, for the discovery document and the keys */

    waiter->deadline = ngx_current_msec + 2 * issuer->timeout + 1000;
    waiter->issuer = issuer;
    waiter->waiting = 1;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa issuer \"%V\": request waits for keys, %M ms at "
                   "most", &issuer->name, waiter->deadline - ngx_current_msec);

    ngx_queue_insert_tail(&issuer->waiters, &waiter->queue);
    ngx_k8s_sa_place_take(&issuer->places, waiter->client);

    ngx_k8s_sa_fetch_hold(issuer);

    return NGX_AGAIN;
}


void
ngx_k8s_sa_issuer_unwait(ngx_k8s_sa_waiter_t *waiter)
{
    if (waiter->waiting) {
        ngx_queue_remove(&waiter->queue);
        waiter->waiting = 0;

        if (waiter->issuer) {
            ngx_k8s_sa_place_leave(&waiter->issuer->places, waiter->client);
            ngx_k8s_sa_fetch_hold(waiter->issuer);
        }
    }
}


static void
ngx_k8s_sa_issuer_wait_timer(ngx_event_t *ev)
{
    ngx_uint_t               all;
    ngx_queue_t              woken, *q, *next;
    ngx_connection_t        *dummy;
    ngx_k8s_sa_issuer_t     *issuer;
    ngx_k8s_sa_waiter_t     *waiter;
    ngx_k8s_sa_key_state_t   state;

    dummy = ev->data;
    issuer = dummy->data;

    if (ngx_queue_empty(&issuer->waiters)) {
        return;
    }

    if (ngx_k8s_sa_keystore_state(issuer->zone, &issuer->ref, &state)
        != NGX_OK)
    {
        all = 1;

    } else if (state.events != issuer->events) {
        issuer->events = state.events;
        all = 1;

    } else {

        /* fetch here if the other worker died, or ended without a result */

        all = state.lease_owner == 0 && ngx_k8s_sa_fetch(issuer) != NGX_OK;
    }

    ngx_queue_init(&woken);

    for (q = ngx_queue_head(&issuer->waiters);
         q != ngx_queue_sentinel(&issuer->waiters);
         q = next)
    {
        next = ngx_queue_next(q);
        waiter = ngx_queue_data(q, ngx_k8s_sa_waiter_t, queue);

        if (all
            || (ngx_msec_int_t) (waiter->deadline - ngx_current_msec) <= 0)
        {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&woken, q);

            ngx_k8s_sa_place_leave(&issuer->places, waiter->client);

            ngx_log_debug2(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                           "k8s_sa issuer \"%V\": waiter woken, %s",
                           &issuer->name,
                           all ? "a fetch has ended" : "out of time");
        }
    }

    ngx_k8s_sa_wake(&woken, NULL);

    if (!ngx_queue_empty(&issuer->waiters) && !issuer->wait_timer.timer_set) {
        ngx_add_timer(&issuer->wait_timer, NGX_K8S_SA_POLL);
    }
}
