/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * The course of an exchange: address, connection, TLS, request, answer.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_exchange.h"


#define NGX_K8S_SA_BUFFER_SIZE  16384
#define NGX_K8S_SA_READS_MAX    16          /* in one turn of the event loop */
#define NGX_K8S_SA_ATTEMPT_MIN  100         /* ms for each address */
#define NGX_K8S_SA_CONNECT_MAX  1000        /* ms, if there is another one */


static void ngx_k8s_sa_exchange_reused(ngx_k8s_sa_exchange_t *ex,
    ngx_k8s_sa_conn_t *conn);
static void ngx_k8s_sa_exchange_resolve(ngx_k8s_sa_exchange_t *ex);
static void ngx_k8s_sa_exchange_resolved(void *data);
static void ngx_k8s_sa_exchange_connect(ngx_k8s_sa_exchange_t *ex);
static void ngx_k8s_sa_exchange_limit(ngx_k8s_sa_exchange_t *ex,
    ngx_msec_int_t max);
static void ngx_k8s_sa_exchange_next(ngx_k8s_sa_exchange_t *ex,
    ngx_k8s_sa_net_error_e error, const char *fmt, ...);
static void ngx_k8s_sa_exchange_handler(void *data, ngx_uint_t quit);
static void ngx_k8s_sa_exchange_connected(ngx_k8s_sa_exchange_t *ex);
static void ngx_k8s_sa_exchange_handshake(ngx_k8s_sa_exchange_t *ex);
static void ngx_k8s_sa_exchange_transfer(ngx_k8s_sa_exchange_t *ex);
static void ngx_k8s_sa_exchange_io(ngx_k8s_sa_exchange_t *ex);
static ngx_int_t ngx_k8s_sa_exchange_send(ngx_k8s_sa_exchange_t *ex,
    ngx_err_t *err);
static ngx_int_t ngx_k8s_sa_exchange_recv(ngx_k8s_sa_exchange_t *ex,
    ngx_err_t *err);
static ngx_int_t ngx_k8s_sa_exchange_parse(ngx_k8s_sa_exchange_t *ex,
    const u_char *pos, const u_char *last);
static ngx_int_t ngx_k8s_sa_exchange_grow(ngx_k8s_sa_exchange_t *ex,
    size_t size);
static void ngx_k8s_sa_exchange_closed(ngx_k8s_sa_exchange_t *ex,
    ngx_err_t err);
static void ngx_k8s_sa_exchange_answer(ngx_k8s_sa_exchange_t *ex,
    ngx_uint_t keep);


void
ngx_k8s_sa_exchange_begin(ngx_event_t *ev)
{
    ngx_k8s_sa_conn_t      *conn;
    ngx_k8s_sa_exchange_t  *ex;

    ex = ev->data;

    if (ngx_exiting && !ex->hold) {
        ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_SHUTDOWN,
                                 "worker process is shutting down");
        return;
    }

    ngx_k8s_sa_tls_refresh(&ex->client->connections.tls);

    conn = ngx_k8s_sa_conn_reuse(&ex->client->connections, &ex->url);

    if (conn) {
        ngx_k8s_sa_exchange_reused(ex, conn);
        return;
    }

    ngx_k8s_sa_exchange_resolve(ex);
}


static void
ngx_k8s_sa_exchange_reused(ngx_k8s_sa_exchange_t *ex, ngx_k8s_sa_conn_t *conn)
{
    u_char  *p;

    conn->handler = ngx_k8s_sa_exchange_handler;
    conn->data = ex;

    ngx_k8s_sa_conn_hold(conn, ex->hold);

    ex->conn = conn;

    /* the connection may be closed before the address is last used */

    p = ngx_pstrdup(ex->pool, &conn->address);

    if (p) {
        ex->address.data = p;
        ex->address.len = conn->address.len;
    }

    ngx_k8s_sa_exchange_transfer(ex);
}


static void
ngx_k8s_sa_exchange_resolve(ngx_k8s_sa_exchange_t *ex)
{
    ngx_k8s_sa_resolve_t  *res;

    ex->phase = ngx_k8s_sa_ex_resolve;
    ex->next = 0;

    res = &ex->resolve;

    ngx_memzero(res, sizeof(ngx_k8s_sa_resolve_t));

    res->pool = ex->pool;
    res->log = &ex->log;
    res->url = &ex->url;
    res->resolver = ex->client->resolver;
    res->system = ex->client->system;
    res->timeout = ex->client->resolver_timeout;
    res->handler = ngx_k8s_sa_exchange_resolved;
    res->data = ex;

    ngx_k8s_sa_resolve(res);
}


static void
ngx_k8s_sa_exchange_resolved(void *data)
{
    ngx_k8s_sa_exchange_t  *ex = data;

    if (ex->resolve.error) {
        ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_RESOLVE,
                                 "host \"%V\" could not be resolved (%s)",
                                 &ex->url.host, ex->resolve.error);
        return;
    }

    ngx_k8s_sa_addr_sort(&ex->client->addresses, ex->resolve.addrs,
                         ex->resolve.naddrs);

    ngx_k8s_sa_exchange_connect(ex);
}


/* Tries the next address. */

static void
ngx_k8s_sa_exchange_connect(ngx_k8s_sa_exchange_t *ex)
{
    ngx_int_t           rc;
    ngx_err_t           err;
    ngx_k8s_sa_addr_t  *addr;
    ngx_k8s_sa_conn_t  *conn;

    ex->phase = ngx_k8s_sa_ex_connect;
    ex->log.action = "connecting";

    addr = &ex->resolve.addrs[ex->next++];

    ex->address = addr->name;

    err = 0;

    rc = ngx_k8s_sa_conn_open(&ex->client->connections, &ex->url, addr, &conn,
                              &err);

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, &ex->log, 0,
                   "k8s sa connect to %V: %i, %ui more addresses",
                   &addr->name, rc, ex->resolve.naddrs - ex->next);

    if (rc == NGX_ERROR) {

        /* another address would not help */

        ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_INTERNAL,
                                 "cannot connect to %V: "
                                 "out of memory, connections or descriptors",
                                 &addr->name);
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_k8s_sa_exchange_next(ex, NGX_K8S_SA_NET_CONNECT,
                                 "connect() to %V failed (%d: %s)",
                                 &addr->name, err, strerror(err));
        return;
    }

    conn->handler = ngx_k8s_sa_exchange_handler;
    conn->data = ex;

    ex->conn = conn;
    ngx_k8s_sa_conn_hold(conn, ex->hold);

    ngx_k8s_sa_exchange_limit(ex, NGX_K8S_SA_CONNECT_MAX);

    if (rc == NGX_OK) {
        ngx_k8s_sa_exchange_connected(ex);
    }
}


/*
 * Limits the time for the next step with an address, unless it is the last one:
 * to half of what is left, and to max ms.
 */

static void
ngx_k8s_sa_exchange_limit(ngx_k8s_sa_exchange_t *ex, ngx_msec_int_t max)
{
    ngx_msec_int_t  left;

    if (ex->attempt.timer_set) {
        ngx_del_timer(&ex->attempt);
    }

    if (ex->next < ex->resolve.naddrs) {
        left = ex->timer.timer.key - ngx_current_msec;
        left = ngx_max(ngx_min(left / 2, max), NGX_K8S_SA_ATTEMPT_MIN);
        ngx_add_timer(&ex->attempt, left);
    }
}


/*
 * Goes on with the next address after a failure.  If all fail, the reason
 * reported is that of the address that got furthest: a certificate for another
 * name says more than "connection refused" at its IPv6 address.
 */

static void
ngx_k8s_sa_exchange_next(ngx_k8s_sa_exchange_t *ex,
    ngx_k8s_sa_net_error_e error, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;
    u_char    reason[NGX_K8S_SA_REASON_LEN];

    va_start(args, fmt);
    p = ngx_vslprintf(reason, reason + NGX_K8S_SA_REASON_LEN - 1, fmt, args);
    va_end(args);

    *p++ = '\0';

    if (ex->failure == NGX_K8S_SA_NET_OK
        || (ex->failure == NGX_K8S_SA_NET_CONNECT
            && error != NGX_K8S_SA_NET_CONNECT)
        || (ex->failure == NGX_K8S_SA_NET_TIMEOUT
            && error == NGX_K8S_SA_NET_TLS))
    {
        ex->failure = error;
        ngx_memcpy(ex->failed, reason, p - reason);
    }

    ngx_k8s_sa_addr_failed(&ex->client->addresses, &ex->address);

    ngx_k8s_sa_exchange_disconnect(ex);

    if (ex->next < ex->resolve.naddrs) {
        ngx_log_error(NGX_LOG_INFO, &ex->log, 0,
                      "%s, trying the next address", reason);

        /* nests at most NGX_K8S_SA_ADDRS_MAX times */

        ngx_k8s_sa_exchange_connect(ex);
        return;
    }

    /* the addresses may be out of date */

    if (ex->client->resolver == NULL && !ex->url.literal) {
        ngx_k8s_sa_system_forget(ex->client->system);
    }

    ngx_k8s_sa_exchange_done(ex, ex->failure, "%s", ex->failed);
}


/* Called for all events of the connection in use. */

static void
ngx_k8s_sa_exchange_handler(void *data, ngx_uint_t quit)
{
    ngx_k8s_sa_exchange_t  *ex = data;

    if (quit && !ex->hold) {
        ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_SHUTDOWN,
                                 "worker process is shutting down");
        return;
    }

    switch (ex->phase) {

    case ngx_k8s_sa_ex_connect:

        if (ex->conn->connection->write->ready) {
            ngx_k8s_sa_exchange_connected(ex);
        }

        break;

    case ngx_k8s_sa_ex_handshake:
        ngx_k8s_sa_exchange_handshake(ex);
        break;

    default: /* ngx_k8s_sa_ex_transfer */
        ngx_k8s_sa_exchange_io(ex);
    }
}


static void
ngx_k8s_sa_exchange_connected(ngx_k8s_sa_exchange_t *ex)
{
    ngx_err_t  err;

    err = ngx_k8s_sa_conn_connected(ex->conn);

    if (err) {
        ngx_k8s_sa_exchange_next(ex, NGX_K8S_SA_NET_CONNECT,
                                 "connect() to %V failed (%d: %s)",
                                 &ex->address, err, strerror(err));
        return;
    }

    if (ex->url.ssl) {
        ex->phase = ngx_k8s_sa_ex_handshake;
        ngx_k8s_sa_exchange_limit(ex, NGX_MAX_INT32_VALUE);
        ngx_k8s_sa_exchange_handshake(ex);
        return;
    }

    ngx_k8s_sa_exchange_transfer(ex);
}


static void
ngx_k8s_sa_exchange_handshake(ngx_k8s_sa_exchange_t *ex)
{
    u_char     error[NGX_K8S_SA_TLS_ERROR_LEN];
    ngx_int_t  rc;

    rc = ngx_k8s_sa_conn_handshake(ex->conn, error);

    if (rc == NGX_OK) {
        ngx_k8s_sa_exchange_transfer(ex);
        return;
    }

    if (rc == NGX_AGAIN) {

        if (ngx_k8s_sa_conn_wait(ex->conn) != NGX_OK) {
            ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_INTERNAL,
                                     "cannot wait for %V",
                                     &ex->address);
        }

        return;
    }

    ngx_k8s_sa_exchange_next(ex, NGX_K8S_SA_NET_TLS,
                             "TLS handshake with %V failed: %s",
                             &ex->address, error);
}


/* Starts sending and receiving, and resets the state of earlier attempts. */

static void
ngx_k8s_sa_exchange_transfer(ngx_k8s_sa_exchange_t *ex)
{
    ex->phase = ngx_k8s_sa_ex_transfer;

    if (ex->attempt.timer_set) {
        ngx_del_timer(&ex->attempt);
    }

    if (ex->parse == NULL) {
        ex->parse = ngx_palloc(ex->pool, sizeof(ngx_k8s_sa_http_parse_t));
        ex->buffer = ngx_palloc(ex->pool, NGX_K8S_SA_BUFFER_SIZE);

        if (ex->parse == NULL || ex->buffer == NULL) {
            ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_INTERNAL, "no memory");
            return;
        }
    }

    ngx_k8s_sa_http_parse_init(ex->parse, ex->client->max_body);
    ex->parse->wanted = ex->header;

    ex->request.pos = ex->request.start;
    ex->result.body.len = 0;

    ngx_k8s_sa_exchange_io(ex);
}


static void
ngx_k8s_sa_exchange_io(ngx_k8s_sa_exchange_t *ex)
{
    ngx_int_t  rc, sent;
    ngx_err_t  err, send_err;

    sent = ngx_k8s_sa_exchange_send(ex, &send_err);

    /*
     * Reads also while sending and after sending has failed: a server may
     * refuse a request before it has read all of it.
     */

    rc = ngx_k8s_sa_exchange_recv(ex, &err);

    if (rc == NGX_DONE) {
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_k8s_sa_exchange_closed(ex, err);
        return;
    }

    if (sent == NGX_ERROR) {
        ngx_k8s_sa_exchange_closed(ex, send_err);
        return;
    }

    if (ngx_k8s_sa_conn_wait(ex->conn) != NGX_OK) {
        ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_INTERNAL,
                                 "cannot wait for %V", &ex->address);
    }
}


/* NGX_OK: everything has been sent; NGX_AGAIN; NGX_ERROR. */

static ngx_int_t
ngx_k8s_sa_exchange_send(ngx_k8s_sa_exchange_t *ex, ngx_err_t *err)
{
    ssize_t     n;
    ngx_buf_t  *b;

    b = &ex->request;

    while (b->pos < b->last) {

        n = ngx_k8s_sa_conn_send(ex->conn, b->pos, b->last - b->pos, err);

        if (n == NGX_AGAIN || n == NGX_ERROR) {
            return n;
        }

        b->pos += n;
        ex->sent = 1;

        ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &ex->log, 0,
                       "k8s sa request: %z bytes sent, %z left", n,
                       b->last - b->pos);
    }

    return NGX_OK;
}


/*
 * NGX_AGAIN; NGX_DONE: the exchange has ended; NGX_ERROR: the connection has
 * ended before the answer, *err is the errno or 0.
 */

static ngx_int_t
ngx_k8s_sa_exchange_recv(ngx_k8s_sa_exchange_t *ex, ngx_err_t *err)
{
    ssize_t     n;
    ngx_uint_t  i;

    for (i = 0; i < NGX_K8S_SA_READS_MAX; i++) {

        /* the buffer is empty here, so 0 bytes mean the end of the stream */

        n = ngx_k8s_sa_conn_recv(ex->conn, ex->buffer, NGX_K8S_SA_BUFFER_SIZE,
                                 err);

        if (n == NGX_AGAIN || n == NGX_ERROR) {
            return n;
        }

        if (n == 0) {

            if (ngx_k8s_sa_http_parse_eof(ex->parse)
                == NGX_K8S_SA_HTTP_DONE)
            {
                ngx_k8s_sa_exchange_answer(ex, 0);
                return NGX_DONE;
            }

            *err = 0;
            return NGX_ERROR;
        }

        if (ngx_k8s_sa_exchange_parse(ex, ex->buffer, ex->buffer + n)
            == NGX_DONE)
        {
            return NGX_DONE;
        }
    }

    /* other connections get their turn first */

    ngx_post_event(ex->conn->connection->read, &ngx_posted_next_events);

    return NGX_AGAIN;
}


/* Consumes all bytes.  NGX_AGAIN; NGX_DONE: the exchange has ended. */

static ngx_int_t
ngx_k8s_sa_exchange_parse(ngx_k8s_sa_exchange_t *ex, const u_char *pos,
    const u_char *last)
{
    int                       rc;
    ngx_str_t                *body;
    ngx_k8s_sa_http_parse_t  *p;

    p = ex->parse;
    body = &ex->result.body;

    for ( ;; ) {

        rc = ngx_k8s_sa_http_parse(p, &pos, last);

        switch (rc) {

        case NGX_K8S_SA_HTTP_MORE:
            return NGX_AGAIN;

        case NGX_K8S_SA_HTTP_HEAD:

            ngx_log_debug3(NGX_LOG_DEBUG_EVENT, &ex->log, 0,
                           "k8s sa answer: HTTP/1.%ud %ud, keep alive: %d",
                           p->minor, p->status, p->keep_alive);

            if (p->has_length
                && ngx_k8s_sa_exchange_grow(ex, p->length) != NGX_OK)
            {
                return NGX_DONE;
            }

            break;

        case NGX_K8S_SA_HTTP_BODY:

            if (ngx_k8s_sa_exchange_grow(ex, p->received) != NGX_OK) {
                return NGX_DONE;
            }

            ngx_memcpy(body->data + body->len, p->piece.data, p->piece.len);
            body->len += p->piece.len;

            break;

        case NGX_K8S_SA_HTTP_DONE:

            ngx_k8s_sa_exchange_answer(ex,
                                       pos == last
                                       && p->keep_alive
                                       && ex->request.pos == ex->request.last);
            return NGX_DONE;

        default:

            ngx_k8s_sa_exchange_done(ex, rc == NGX_K8S_SA_HTTP_TOO_LARGE
                                         ? NGX_K8S_SA_NET_TOO_LARGE
                                         : NGX_K8S_SA_NET_PROTOCOL,
                                     "unacceptable answer from %V: "
                                     "%s", &ex->address, p->error);
            return NGX_DONE;
        }
    }
}


/*
 * Makes room for size bytes of body, at most max_body, and a NUL.  NGX_ERROR:
 * the exchange has ended.
 */

static ngx_int_t
ngx_k8s_sa_exchange_grow(ngx_k8s_sa_exchange_t *ex, size_t size)
{
    u_char     *p;
    ngx_str_t  *body;

    body = &ex->result.body;

    if (body->data && size <= ex->body_size) {
        return NGX_OK;
    }

    if (!ex->parse->has_length) {
        size = ngx_max(size, 2 * ex->body_size);
        size = ngx_max(size, 4096);
        size = ngx_min(size, ex->client->max_body);
    }

    p = ngx_palloc(ex->pool, size + 1);

    if (p == NULL) {
        ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_INTERNAL, "no memory");
        return NGX_ERROR;
    }

    if (body->data) {
        ngx_memcpy(p, body->data, body->len);
        ngx_pfree(ex->pool, body->data);
    }

    body->data = p;
    ex->body_size = size;

    return NGX_OK;
}


static void
ngx_k8s_sa_exchange_answer(ngx_k8s_sa_exchange_t *ex, ngx_uint_t keep)
{
    ngx_k8s_sa_conn_t    *conn;
    ngx_k8s_sa_result_t  *res = &ex->result;

    ngx_k8s_sa_exchange_head(ex);

    if (ngx_k8s_sa_exchange_grow(ex, 0) != NGX_OK) {
        return;
    }

    res->body.data[res->body.len] = '\0';

    ngx_k8s_sa_addr_worked(&ex->client->addresses, &ex->address);

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &ex->log, 0,
                   "k8s sa answer complete: %uz bytes of body, keep: %ui",
                   res->body.len, keep);

    if (keep) {
        conn = ex->conn;
        ex->conn = NULL;
        ngx_k8s_sa_conn_keep(conn);
    }

    ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_OK, NULL);
}


/* Called when the connection has ended before the answer. */

static void
ngx_k8s_sa_exchange_closed(ngx_k8s_sa_exchange_t *ex, ngx_err_t err)
{
    const char  *when;

    when = ex->parse->begun ? "in the middle of the answer"
                            : "without an answer";

    if (!ex->parse->begun) {

        if (ex->conn->reused && (ex->idempotent || !ex->sent)) {

            /*
             * The server closed an idle connection just when it was taken, or
             * has gone.  This happens once: the next connection is a new one.
             */

            ngx_log_debug1(NGX_LOG_DEBUG_EVENT, &ex->log, 0,
                           "k8s sa %V has closed a kept connection",
                           &ex->address);

            if (err == NGX_ETIMEDOUT) {

                /* the server has gone, and with it other kept connections */

                ngx_k8s_sa_conn_drop_idle(&ex->client->connections, &ex->url);
            }

            ngx_k8s_sa_exchange_disconnect(ex);
            ngx_k8s_sa_exchange_resolve(ex);
            return;
        }

        if (!ex->conn->reused
            && ex->next < ex->resolve.naddrs
            && (ex->method == NGX_K8S_SA_GET || !ex->sent))
        {
            ngx_k8s_sa_exchange_next(ex, NGX_K8S_SA_NET_CLOSED,
                                     "%V closed the connection %s",
                                     &ex->address, when);
            return;
        }
    }

    ngx_k8s_sa_addr_failed(&ex->client->addresses, &ex->address);

    if (ex->conn->tls.error[0] != '\0') {
        ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_TLS,
                                 "TLS connection to %V failed %s: %s",
                                 &ex->address, when, ex->conn->tls.error);
        return;
    }

    if (err) {
        ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_CLOSED,
                                 "connection to %V was lost %s (%d: %s)",
                                 &ex->address, when, err,
                                 strerror(err));
        return;
    }

    ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_CLOSED,
                             "%V closed the connection %s",
                             &ex->address, when);
}


void
ngx_k8s_sa_exchange_timeout(ngx_event_t *ev)
{
    const char             *stage;
    ngx_k8s_sa_exchange_t  *ex;

    ex = ev->data;

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, &ex->log, 0,
                   "k8s sa exchange timed out in phase %d", (int) ex->phase);

    switch (ex->phase) {

    case ngx_k8s_sa_ex_start:
    case ngx_k8s_sa_ex_resolve:
        ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_TIMEOUT,
                                 "timed out while resolving host \"%V\"",
                                 &ex->url.host);
        return;

    case ngx_k8s_sa_ex_connect:
        stage = "connecting to";
        break;

    case ngx_k8s_sa_ex_handshake:
        stage = "TLS handshaking with";
        break;

    default: /* ngx_k8s_sa_ex_transfer */

        if (ex->request.pos < ex->request.last) {
            stage = "sending the request to";

        } else if (ex->parse->begun) {
            stage = "reading the answer from";

        } else {
            stage = "waiting for an answer from";
        }

        /* other kept-alive connections are probably dead, too */

        ngx_k8s_sa_conn_drop_idle(&ex->client->connections, &ex->url);
    }

    ngx_k8s_sa_addr_failed(&ex->client->addresses, &ex->address);

    if (ex->client->resolver == NULL && !ex->url.literal) {
        ngx_k8s_sa_system_forget(ex->client->system);
    }

    ngx_k8s_sa_exchange_done(ex, NGX_K8S_SA_NET_TIMEOUT,
                             "timed out while %s %V", stage, &ex->address);
}


void
ngx_k8s_sa_exchange_attempt_timeout(ngx_event_t *ev)
{
    ngx_k8s_sa_exchange_t  *ex;

    ex = ev->data;

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, &ex->log, 0,
                   "k8s sa attempt timed out: %V", &ex->address);

    ngx_k8s_sa_exchange_next(ex, NGX_K8S_SA_NET_TIMEOUT,
                             "timed out while %s %V",
                             ex->phase == ngx_k8s_sa_ex_connect
                             ? "connecting to" : "TLS handshaking with",
                             &ex->address);
}
