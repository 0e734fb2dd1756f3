/* SPDX-License-Identifier: BSD-2-Clause */


/* The end of an exchange: completed, failed or cancelled. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_exchange.h"


static void ngx_k8s_sa_exchange_end(ngx_event_t *ev);
static void ngx_k8s_sa_exchange_str(ngx_str_t *to,
    const ngx_k8s_sa_http_str_t *from);
static void ngx_k8s_sa_exchange_wipe(ngx_k8s_sa_exchange_t *ex);
static void ngx_k8s_sa_exchange_stop(ngx_k8s_sa_exchange_t *ex);


void
ngx_k8s_sa_exchange_done(ngx_k8s_sa_exchange_t *ex,
    ngx_k8s_sa_net_error_e error, const char *fmt, ...)
{
    u_char               *p;
    va_list               args;
    ngx_k8s_sa_result_t  *res;

    if (ex->phase == ngx_k8s_sa_ex_done) {
        return;
    }

    res = &ex->result;

    res->error = error;

    if (error) {
        va_start(args, fmt);
        p = ngx_vslprintf(ex->reason, ex->reason + NGX_K8S_SA_REASON_LEN, fmt,
                          args);
        va_end(args);

        res->reason.data = ex->reason;
        res->reason.len = p - ex->reason;

        res->status = 0;
        ngx_str_null(&res->body);
        ngx_str_null(&res->cache_control);
        ngx_str_null(&res->retry_after);
        ngx_str_null(&res->header);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, &ex->log, 0,
                   "k8s sa exchange done: error %d, status %ui, \"%V\"",
                   (int) error, res->status, &res->reason);

    ngx_k8s_sa_exchange_stop(ex);

    /*
     * An exchange that ends because its worker shuts down may do so where nginx
     * closes idle connections, from which ngx_posted_events have to wait for
     * the next event before nginx 1.23.3.  All others end in this turn: in the
     * next one, a worker that waited for nothing else would be gone.
     */

    ex->event.handler = ngx_k8s_sa_exchange_end;
    ngx_post_event(&ex->event, error == NGX_K8S_SA_NET_SHUTDOWN
                               ? &ngx_posted_next_events
                               : &ngx_posted_events);
}


static void
ngx_k8s_sa_exchange_end(ngx_event_t *ev)
{
    ngx_k8s_sa_exchange_t  *ex;

    ex = ev->data;

    /* a handler that shuts the client down must not free the exchange */

    ngx_queue_remove(&ex->queue);

    ex->handler(&ex->result, ex->data);

    ngx_k8s_sa_exchange_wipe(ex);
}


static void
ngx_k8s_sa_exchange_wipe(ngx_k8s_sa_exchange_t *ex)
{
    ngx_explicit_memzero(ex->request.start,
                         ex->request.end - ex->request.start);

    ngx_destroy_pool(ex->pool);
}


/* Removes everything that could call back. */

static void
ngx_k8s_sa_exchange_stop(ngx_k8s_sa_exchange_t *ex)
{
    ex->phase = ngx_k8s_sa_ex_done;

    ngx_k8s_sa_resolve_cancel(&ex->resolve);

    if (ex->timer.timer_set) {
        ngx_del_timer(&ex->timer);
    }

    if (ex->event.posted) {
        ngx_delete_posted_event(&ex->event);
    }

    ngx_k8s_sa_exchange_disconnect(ex);
}


void
ngx_k8s_sa_exchange_disconnect(ngx_k8s_sa_exchange_t *ex)
{
    if (ex->attempt.timer_set) {
        ngx_del_timer(&ex->attempt);
    }

    if (ex->conn) {
        ngx_k8s_sa_conn_close(ex->conn);
        ex->conn = NULL;
    }
}


void
ngx_k8s_sa_exchange_free(ngx_k8s_sa_exchange_t *ex)
{
    ngx_k8s_sa_exchange_stop(ex);

    ngx_queue_remove(&ex->queue);

    ngx_k8s_sa_exchange_wipe(ex);
}


void
ngx_k8s_sa_exchange_cancel(ngx_k8s_sa_exchange_t *ex)
{
    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, ngx_cycle->log, 0,
                   "k8s sa exchange cancelled: \"%V\"", &ex->url.text);

    ngx_k8s_sa_exchange_free(ex);
}


void
ngx_k8s_sa_exchange_hold(ngx_k8s_sa_exchange_t *ex, ngx_uint_t hold)
{
    ex->hold = hold;
    ex->timer.cancelable = !hold;

    if (ex->conn) {
        ngx_k8s_sa_conn_hold(ex->conn, hold);
    }

    if (!hold && ngx_exiting) {
        ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_SHUTDOWN,
                                 "worker process is shutting down");
    }
}


void
ngx_k8s_sa_exchange_head(ngx_k8s_sa_exchange_t *ex)
{
    ngx_k8s_sa_result_t      *res;
    ngx_k8s_sa_http_parse_t  *p;

    p = ex->parse;
    res = &ex->result;

    res->status = p->status;

    ngx_k8s_sa_exchange_str(&res->cache_control, &p->cache_control);
    ngx_k8s_sa_exchange_str(&res->retry_after, &p->retry_after);
    ngx_k8s_sa_exchange_str(&res->header, &p->header);
}


static void
ngx_k8s_sa_exchange_str(ngx_str_t *to, const ngx_k8s_sa_http_str_t *from)
{
    to->data = (u_char *) from->data;
    to->len = from->len;
}
