/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * Connections to servers, with or without TLS.  One exchange at a time uses a
 * connection; between exchanges it is kept alive.
 */

#ifndef NGX_K8S_SA_CONN_H
#define NGX_K8S_SA_CONN_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "net/ngx_k8s_sa_client.h"
#include "net/ngx_k8s_sa_resolve.h"
#include "net/ngx_k8s_sa_tls.h"


typedef struct ngx_k8s_sa_conn_s  ngx_k8s_sa_conn_t;
typedef struct ngx_k8s_sa_pool_s  ngx_k8s_sa_pool_t;


/* A client's connections, embedded in it. */

struct ngx_k8s_sa_pool_s {
    ngx_queue_t                  idle;         /* ngx_k8s_sa_conn_t, most
                                                  recently used first */
    ngx_uint_t                   nidle;
    ngx_uint_t                   max_idle;
    ngx_msec_t                   idle_timeout;
    ngx_msec_t                   user_timeout; /* TCP's, for kept ones */
    ngx_k8s_sa_tls_t             tls;
};


struct ngx_k8s_sa_conn_s {
    ngx_queue_t                  queue;        /* in pool->idle */
    ngx_k8s_sa_pool_t           *pool;
    ngx_pool_t                  *memory;       /* owns this struct */
    ngx_connection_t            *connection;   /* NULL until it is opened */
    ngx_k8s_sa_tls_session_t     tls;          /* ssl is NULL without TLS */
    ngx_log_t                    log;

    ngx_str_t                    host;
    ngx_str_t                    authority;
    ngx_str_t                    address;      /* "10.0.0.1:443" */
    ngx_msec_t                   opened;
    ngx_uint_t                   generation;   /* pool->tls.generation then */

    unsigned                     ssl:1;
    unsigned                     reused:1;     /* has answered before */
    unsigned                     idle:1;       /* in pool->idle */

    /*
     * Called for read and write events while the connection is in use.  quit
     * is set when the worker has begun to shut down.
     */
    void                       (*handler)(void *data, ngx_uint_t quit);
    void                        *data;
};


/*
 * Opens a connection to addr for url without blocking.  The caller sets
 * handler and data before it returns to the event loop.
 *
 * NGX_OK: connected; NGX_AGAIN: in progress, ngx_k8s_sa_conn_connected() tells
 * the result after an event; NGX_DECLINED: connect() failed with the errno in
 * *err; NGX_ERROR: no memory, connection or descriptor (logged).  The caller
 * closes *conn after NGX_OK and NGX_AGAIN only.
 */

ngx_int_t ngx_k8s_sa_conn_open(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url, ngx_k8s_sa_addr_t *addr,
    ngx_k8s_sa_conn_t **conn, ngx_err_t *err);

/* Returns the result of connect(): 0 or an errno. */

ngx_err_t ngx_k8s_sa_conn_connected(ngx_k8s_sa_conn_t *conn);

/* As ngx_k8s_sa_tls_handshake(). */

ngx_int_t ngx_k8s_sa_conn_handshake(ngx_k8s_sa_conn_t *conn, u_char *error);

/* As ngx_k8s_sa_tls_recv() and _send(), with or without TLS. */

ssize_t ngx_k8s_sa_conn_recv(ngx_k8s_sa_conn_t *conn, u_char *buf,
    size_t size, ngx_err_t *err);
ssize_t ngx_k8s_sa_conn_send(ngx_k8s_sa_conn_t *conn, u_char *buf,
    size_t size, ngx_err_t *err);

/* Registers for events again, where the event method requires it. */

ngx_int_t ngx_k8s_sa_conn_wait(ngx_k8s_sa_conn_t *conn);

/* Sets whether a worker's graceful shutdown waits for the connection. */

void ngx_k8s_sa_conn_hold(ngx_k8s_sa_conn_t *conn, ngx_uint_t hold);

/* Returns a kept-alive connection for url that still looks good, or NULL. */

ngx_k8s_sa_conn_t *ngx_k8s_sa_conn_reuse(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url);

/* Closes all kept-alive connections for url. */

void ngx_k8s_sa_conn_drop_idle(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url);

/* Keeps the connection for later, or closes it if it cannot be kept. */

void ngx_k8s_sa_conn_keep(ngx_k8s_sa_conn_t *conn);

void ngx_k8s_sa_conn_close(ngx_k8s_sa_conn_t *conn);

/*
 * Writes log->action and the server for a log handler.  Returns the end of
 * what was written.
 */

u_char *ngx_k8s_sa_conn_log_server(ngx_log_t *log, u_char *buf, size_t len,
    ngx_uint_t ssl, const ngx_str_t *authority);


#endif /* NGX_K8S_SA_CONN_H */
