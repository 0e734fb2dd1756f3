/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * One connection to a server: opened, wrapped in TLS, used by one exchange at
 * a time, kept alive between them.
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


/* The connections of a client; part of it. */

struct ngx_k8s_sa_pool_s {
    ngx_queue_t                  idle;         /* ngx_k8s_sa_conn_t, last used
                                                  first */
    ngx_uint_t                   nidle;
    ngx_uint_t                   max_idle;
    ngx_msec_t                   idle_timeout;
    ngx_k8s_sa_tls_t             tls;
};


struct ngx_k8s_sa_conn_s {
    ngx_queue_t                  queue;        /* in pool->idle */
    ngx_k8s_sa_pool_t           *pool;
    ngx_pool_t                  *memory;       /* owns this struct */
    ngx_connection_t            *connection;   /* NULL: not opened yet */
    ngx_k8s_sa_tls_session_t     tls;          /* tls.ssl NULL: without TLS */
    ngx_log_t                    log;

    ngx_str_t                    host;
    ngx_str_t                    authority;
    ngx_str_t                    address;      /* "10.0.0.1:443" */
    ngx_msec_t                   opened;
    ngx_uint_t                   generation;   /* of the trusted CAs */

    unsigned                     ssl:1;
    unsigned                     reused:1;     /* has answered before */
    unsigned                     idle:1;       /* in pool->idle */

    /*
     * Called for both events of the connection while it is in use.  quit is
     * set when the worker has begun to shut down.
     */
    void                       (*handler)(void *data, ngx_uint_t quit);
    void                        *data;
};


/*
 * Opens a connection to addr for url, non-blocking.  The caller sets handler
 * and data before it returns to the event loop.
 *
 * NGX_OK: connected; NGX_AGAIN: wait for the events, then _connected();
 * NGX_DECLINED: *err has the errno of a connect() that failed;
 * NGX_ERROR: no memory, no connection, no descriptor (logged).
 * *conn is to be closed by the caller with the first two only.
 */

ngx_int_t ngx_k8s_sa_conn_open(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url, ngx_k8s_sa_addr_t *addr,
    ngx_k8s_sa_conn_t **conn, ngx_err_t *err);

/* The outcome of connect(): 0 or an errno. */

ngx_err_t ngx_k8s_sa_conn_connected(ngx_k8s_sa_conn_t *conn);

/* NGX_OK, NGX_AGAIN; NGX_ERROR: the reason is in error (see _tls.h). */

ngx_int_t ngx_k8s_sa_conn_handshake(ngx_k8s_sa_conn_t *conn, u_char *error);

/* As in _tls.h, with or without TLS. */

ssize_t ngx_k8s_sa_conn_recv(ngx_k8s_sa_conn_t *conn, u_char *buf,
    size_t size, ngx_err_t *err);
ssize_t ngx_k8s_sa_conn_send(ngx_k8s_sa_conn_t *conn, u_char *buf,
    size_t size, ngx_err_t *err);

/* Registers for events again where the event method wants that. */

ngx_int_t ngx_k8s_sa_conn_wait(ngx_k8s_sa_conn_t *conn);

/* Whether the connection outlives the start of a worker's shutdown. */

void ngx_k8s_sa_conn_hold(ngx_k8s_sa_conn_t *conn, ngx_uint_t hold);

/* A kept-alive connection for url that still looks good, or NULL. */

ngx_k8s_sa_conn_t *ngx_k8s_sa_conn_reuse(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url);

/* Closes all kept-alive connections for url. */

void ngx_k8s_sa_conn_drop_idle(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url);

/* Keeps the connection for later, or closes it if it is one too many. */

void ngx_k8s_sa_conn_keep(ngx_k8s_sa_conn_t *conn);

void ngx_k8s_sa_conn_close(ngx_k8s_sa_conn_t *conn);


#endif /* NGX_K8S_SA_CONN_H */
