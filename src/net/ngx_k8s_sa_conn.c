/* SPDX-License-Identifier: BSD-2-Clause */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "net/ngx_k8s_sa_conn.h"


/*
 * The age at which a connection is no longer kept: a new one verifies the
 * certificate and resolves the name again.
 */

#define NGX_K8S_SA_CONN_LIFE  (5 * 60 * 1000)    /* ms */


static ngx_k8s_sa_conn_t *ngx_k8s_sa_conn_create(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url, const ngx_str_t *address);
static void ngx_k8s_sa_conn_user_timeout(ngx_k8s_sa_conn_t *conn);
static ngx_int_t ngx_k8s_sa_conn_setup(ngx_k8s_sa_conn_t *conn);
static void ngx_k8s_sa_conn_handler(ngx_event_t *ev);
static void ngx_k8s_sa_conn_idle_handler(ngx_event_t *ev);
static void ngx_k8s_sa_conn_dummy_handler(ngx_event_t *ev);
static ngx_uint_t ngx_k8s_sa_conn_match(const ngx_k8s_sa_conn_t *conn,
    const ngx_k8s_sa_url_t *url);
static ngx_uint_t ngx_k8s_sa_conn_quiet(ngx_k8s_sa_conn_t *conn);
static ngx_uint_t ngx_k8s_sa_conn_outdated(ngx_k8s_sa_conn_t *conn);
static u_char *ngx_k8s_sa_conn_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


ngx_int_t
ngx_k8s_sa_conn_open(ngx_k8s_sa_pool_t *pool, const ngx_k8s_sa_url_t *url,
    ngx_k8s_sa_addr_t *addr, ngx_k8s_sa_conn_t **res, ngx_err_t *err)
{
    int                     tcp_nodelay;
    ngx_int_t               rc;
    ngx_uint_t              level;
    ngx_connection_t       *c;
    ngx_k8s_sa_conn_t      *conn;
    ngx_peer_connection_t   pc;

    conn = ngx_k8s_sa_conn_create(pool, url, &addr->name);
    if (conn == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = &addr->sockaddr.sockaddr;
    pc.socklen = addr->socklen;
    pc.name = &conn->address;
    pc.get = ngx_event_get_peer;
    pc.log = &conn->log;
    pc.log_error = NGX_ERROR_INFO;

    /*
     * nginx would log each failure of connect() as an error, however often
     * clients cause it; the caller gets the errno.
     */

    level = conn->log.log_level;
    conn->log.log_level = ngx_min(level, NGX_LOG_ALERT);

    ngx_set_socket_errno(0);

    rc = ngx_event_connect_peer(&pc);

    conn->log.log_level = level;

    if (rc == NGX_DECLINED || rc == NGX_BUSY) {
        *err = ngx_socket_errno;
        ngx_destroy_pool(conn->memory);
        return NGX_DECLINED;
    }

    if (rc == NGX_ERROR) {
        ngx_destroy_pool(conn->memory);
        return NGX_ERROR;
    }

    c = pc.connection;

    c->data = conn;
    c->pool = conn->memory;
    c->read->handler = ngx_k8s_sa_conn_handler;
    c->write->handler = ngx_k8s_sa_conn_handler;
    c->idle = 1;

    conn->connection = c;
    conn->log.connection = c->number;

    tcp_nodelay = 1;

    if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY,
                   (const void *) &tcp_nodelay, sizeof(int))
        == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                      "setsockopt(TCP_NODELAY) failed, ignored");
    }

    *res = conn;

    return rc;
}


static ngx_k8s_sa_conn_t *
ngx_k8s_sa_conn_create(ngx_k8s_sa_pool_t *pool, const ngx_k8s_sa_url_t *url,
    const ngx_str_t *address)
{
    ngx_pool_t         *memory;
    ngx_k8s_sa_conn_t  *conn;

    memory = ngx_create_pool(1024, ngx_cycle->log);
    if (memory == NULL) {
        return NULL;
    }

    conn = ngx_pcalloc(memory, sizeof(ngx_k8s_sa_conn_t));
    if (conn == NULL) {
        goto failed;
    }

    conn->pool = pool;
    conn->memory = memory;
    conn->ssl = url->ssl;
    conn->opened = ngx_current_msec;
    conn->generation = pool->tls.generation;

    /* NUL-terminated, for OpenSSL */

    conn->host.len = url->host.len;
    conn->host.data = ngx_pnalloc(memory, url->host.len + 1);
    conn->authority.len = url->authority.len;
    conn->authority.data = ngx_pstrdup(memory, (ngx_str_t *) &url->authority);
    conn->address.len = address->len;
    conn->address.data = ngx_pstrdup(memory, (ngx_str_t *) address);

    if (conn->host.data == NULL
        || conn->authority.data == NULL
        || conn->address.data == NULL)
    {
        goto failed;
    }

    ngx_memcpy(conn->host.data, url->host.data, url->host.len);
    conn->host.data[url->host.len] = '\0';

    conn->log = *ngx_cycle->log;
    conn->log.handler = ngx_k8s_sa_conn_log_error;
    conn->log.data = conn;
    conn->log.action = "connecting";

    memory->log = &conn->log;

    return conn;

failed:

    ngx_destroy_pool(memory);

    return NULL;
}


ngx_err_t
ngx_k8s_sa_conn_connected(ngx_k8s_sa_conn_t *conn)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(conn->connection->fd, SOL_SOCKET, SO_ERROR, (void *) &err,
                   &len)
        == -1)
    {
        err = ngx_socket_errno;
    }

    return err;
}


ngx_int_t
ngx_k8s_sa_conn_handshake(ngx_k8s_sa_conn_t *conn, u_char *error)
{
    conn->log.action = "TLS handshaking";

    if (ngx_k8s_sa_conn_setup(conn) != NGX_OK) {
        ngx_cpystrn(error, (u_char *) "no memory", NGX_K8S_SA_TLS_ERROR_LEN);
        return NGX_ERROR;
    }

    return ngx_k8s_sa_tls_handshake(&conn->tls, conn->connection, error);
}


static ngx_int_t
ngx_k8s_sa_conn_setup(ngx_k8s_sa_conn_t *conn)
{
    if (conn->tls.ssl) {
        return NGX_OK;
    }

    return ngx_k8s_sa_tls_open(&conn->pool->tls, &conn->tls, conn->connection,
                               &conn->host);
}


ssize_t
ngx_k8s_sa_conn_recv(ngx_k8s_sa_conn_t *conn, u_char *buf, size_t size,
    ngx_err_t *err)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = conn->connection;
    conn->log.action = "reading response";

    if (conn->ssl) {
        return ngx_k8s_sa_tls_recv(&conn->tls, c, buf, size, err);
    }

    n = c->recv(c, buf, size);

    *err = (n == NGX_ERROR) ? ngx_socket_errno : 0;

    return n;
}


ssize_t
ngx_k8s_sa_conn_send(ngx_k8s_sa_conn_t *conn, u_char *buf, size_t size,
    ngx_err_t *err)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = conn->connection;
    conn->log.action = "sending request";

    if (conn->ssl) {
        return ngx_k8s_sa_tls_send(&conn->tls, c, buf, size, err);
    }

    n = c->send(c, buf, size);

    *err = (n == NGX_ERROR) ? ngx_socket_errno : 0;

    return n;
}


ngx_int_t
ngx_k8s_sa_conn_wait(ngx_k8s_sa_conn_t *conn)
{
    ngx_connection_t  *c;

    c = conn->connection;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK
        || ngx_handle_write_event(c->write, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_k8s_sa_conn_hold(ngx_k8s_sa_conn_t *conn, ngx_uint_t hold)
{
    conn->connection->idle = !hold;
}


/*
 * nginx sets c->close and calls the read handler of connections with c->idle
 * when a worker shuts down.
 */

static void
ngx_k8s_sa_conn_handler(ngx_event_t *ev)
{
    ngx_connection_t   *c;
    ngx_k8s_sa_conn_t  *conn;

    c = ev->data;
    conn = c->data;

    conn->handler(conn->data, c->close);
}


ngx_k8s_sa_conn_t *
ngx_k8s_sa_conn_reuse(ngx_k8s_sa_pool_t *pool, const ngx_k8s_sa_url_t *url)
{
    ngx_queue_t        *q, *next;
    ngx_connection_t   *c;
    ngx_k8s_sa_conn_t  *conn;

    for (q = ngx_queue_head(&pool->idle);
         q != ngx_queue_sentinel(&pool->idle);
         q = next)
    {
        next = ngx_queue_next(q);
        conn = ngx_queue_data(q, ngx_k8s_sa_conn_t, queue);

        if (!ngx_k8s_sa_conn_match(conn, url)) {
            continue;
        }

        if (ngx_k8s_sa_conn_outdated(conn) || !ngx_k8s_sa_conn_quiet(conn)) {
            ngx_k8s_sa_conn_close(conn);
            continue;
        }

        c = conn->connection;

        ngx_queue_remove(q);
        conn->idle = 0;
        pool->nidle--;

        if (c->read->timer_set) {
            ngx_del_timer(c->read);
        }

        c->read->handler = ngx_k8s_sa_conn_handler;
        c->write->handler = ngx_k8s_sa_conn_handler;

        conn->reused = 1;

        ngx_k8s_sa_conn_user_timeout(conn);

        ngx_log_debug2(NGX_LOG_DEBUG_EVENT, c->log, 0,
                       "k8s sa reuse connection to %V, %ui kept",
                       &conn->address, pool->nidle);

        return conn;
    }

    return NULL;
}


/*
 * A kept connection whose server has gone, without a word, fails as soon as
 * the request has not been acknowledged for this time (RFC 5482): a new
 * connection can still answer within the exchange's timeout.  Servers that are
 * only slow acknowledge at once.
 */

static void
ngx_k8s_sa_conn_user_timeout(ngx_k8s_sa_conn_t *conn)
{
#ifdef TCP_USER_TIMEOUT

    int  msec;

    msec = (int) conn->pool->user_timeout;

    if (setsockopt(conn->connection->fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
                   (const void *) &msec, sizeof(int))
        == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, conn->connection->log, ngx_socket_errno,
                      "setsockopt(TCP_USER_TIMEOUT) failed, ignored");
    }

#else

    (void) conn;

#endif
}


void
ngx_k8s_sa_conn_drop_idle(ngx_k8s_sa_pool_t *pool, const ngx_k8s_sa_url_t *url)
{
    ngx_queue_t        *q, *next;
    ngx_k8s_sa_conn_t  *conn;

    for (q = ngx_queue_head(&pool->idle);
         q != ngx_queue_sentinel(&pool->idle);
         q = next)
    {
        next = ngx_queue_next(q);
        conn = ngx_queue_data(q, ngx_k8s_sa_conn_t, queue);

        if (ngx_k8s_sa_conn_match(conn, url)) {
            ngx_k8s_sa_conn_close(conn);
        }
    }
}


static ngx_uint_t
ngx_k8s_sa_conn_match(const ngx_k8s_sa_conn_t *conn,
    const ngx_k8s_sa_url_t *url)
{
    return conn->ssl == url->ssl
           && conn->authority.len == url->authority.len
           && ngx_strncmp(conn->authority.data, url->authority.data,
                          url->authority.len)
              == 0;
}


void
ngx_k8s_sa_conn_keep(ngx_k8s_sa_conn_t *conn)
{
    ngx_queue_t        *q;
    ngx_connection_t   *c;
    ngx_k8s_sa_pool_t  *pool;

    c = conn->connection;
    pool = conn->pool;

    /* bytes after the answer would be taken for the next answer */

    if (pool->max_idle == 0
        || ngx_exiting
        || ngx_terminate
        || c->read->eof
        || c->read->error
        || c->write->error
        || c->close
        || ngx_k8s_sa_conn_outdated(conn)
        || !ngx_k8s_sa_conn_quiet(conn))
    {
        ngx_k8s_sa_conn_close(conn);
        return;
    }

    c->read->handler = ngx_k8s_sa_conn_idle_handler;
    c->write->handler = ngx_k8s_sa_conn_dummy_handler;

    if (ngx_k8s_sa_conn_wait(conn) != NGX_OK) {
        ngx_k8s_sa_conn_close(conn);
        return;
    }

    if (pool->nidle >= pool->max_idle) {
        q = ngx_queue_last(&pool->idle);
        ngx_k8s_sa_conn_close(ngx_queue_data(q, ngx_k8s_sa_conn_t, queue));
    }

    ngx_queue_insert_head(&pool->idle, &conn->queue);
    pool->nidle++;

    conn->idle = 1;
    conn->handler = NULL;
    conn->data = NULL;
    conn->log.action = "keeping connection";

    c->idle = 1;
    c->read->cancelable = 1;

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "k8s sa keep connection to %V, %ui kept",
                   &conn->address, pool->nidle);

    ngx_add_timer(c->read, pool->idle_timeout);
}


void
ngx_k8s_sa_conn_close(ngx_k8s_sa_conn_t *conn)
{
    ngx_pool_t        *memory;
    ngx_connection_t  *c;

    c = conn->connection;
    memory = conn->memory;

    conn->log.action = "closing connection";

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "k8s sa close connection to %V", &conn->address);

    if (conn->idle) {
        ngx_queue_remove(&conn->queue);
        conn->pool->nidle--;
    }

    ngx_k8s_sa_tls_close(&conn->tls);

    ngx_close_connection(c);

    /* conn->log is in the pool that is about to be destroyed */

    memory->log = ngx_cycle->log;

    ngx_destroy_pool(memory);
}


/*
 * Called when the server closes an idle connection or sends unexpected bytes,
 * when idle_timeout is over, and when nginx shuts down.  In all of these cases
 * the connection is closed.
 */

static void
ngx_k8s_sa_conn_idle_handler(ngx_event_t *ev)
{
    ngx_connection_t   *c;
    ngx_k8s_sa_conn_t  *conn;

    c = ev->data;
    conn = c->data;

    if (!c->close && !ev->timedout && ngx_k8s_sa_conn_quiet(conn)) {

        ev->ready = 0;

        if (ngx_handle_read_event(ev, 0) == NGX_OK) {
            return;
        }
    }

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "k8s sa idle connection ends: close:%d timedout:%d",
                   c->close, ev->timedout);

    ngx_k8s_sa_conn_close(conn);
}


static void
ngx_k8s_sa_conn_dummy_handler(ngx_event_t *ev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, ev->log, 0, "k8s sa dummy handler");
}


/* Returns 1 if there is nothing to read, not even the end of the stream. */

static ngx_uint_t
ngx_k8s_sa_conn_quiet(ngx_k8s_sa_conn_t *conn)
{
    char     buf[1];
    ssize_t  n;

    if (ngx_k8s_sa_tls_pending(&conn->tls)) {
        return 0;
    }

    n = recv(conn->connection->fd, buf, 1, MSG_PEEK);

    return n == -1 && ngx_socket_errno == NGX_EAGAIN;
}


static ngx_uint_t
ngx_k8s_sa_conn_outdated(ngx_k8s_sa_conn_t *conn)
{
    return ngx_current_msec - conn->opened >= NGX_K8S_SA_CONN_LIFE
           || (conn->ssl && conn->generation != conn->pool->tls.generation);
}


static u_char *
ngx_k8s_sa_conn_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char             *p;
    ngx_k8s_sa_conn_t  *conn;

    conn = log->data;

    p = ngx_k8s_sa_conn_log_server(log, buf, len, conn->ssl, &conn->authority);

    return ngx_snprintf(p, buf + len - p, ", address: %V", &conn->address);
}


u_char *
ngx_k8s_sa_conn_log_server(ngx_log_t *log, u_char *buf, size_t len,
    ngx_uint_t ssl, const ngx_str_t *authority)
{
    u_char  *p, *last;

    p = buf;
    last = buf + len;

    if (log->action) {
        p = ngx_slprintf(p, last, " while %s", log->action);
    }

    return ngx_slprintf(p, last, ", server: %s://%V", ssl ? "https" : "http",
                        authority);
}
