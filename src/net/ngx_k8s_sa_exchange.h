/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * One exchange, and the client it belongs to: what is shared by
 * ngx_k8s_sa_client.c (its start), ngx_k8s_sa_exchange.c (its course) and
 * ngx_k8s_sa_exchange_end.c.
 */

#ifndef NGX_K8S_SA_EXCHANGE_H
#define NGX_K8S_SA_EXCHANGE_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_client.h"
#include "net/ngx_k8s_sa_conn.h"
#include "net/ngx_k8s_sa_http_parse.h"
#include "net/ngx_k8s_sa_resolve.h"


#define NGX_K8S_SA_REASON_LEN  512


struct ngx_k8s_sa_client_s {
    ngx_k8s_sa_pool_t                connections;
    ngx_queue_t                      running;      /* ngx_k8s_sa_exchange_t */
    ngx_k8s_sa_addr_memory_t         addresses;

    ngx_msec_t                       timeout;
    size_t                           max_body;
    ngx_resolver_t                  *resolver;
    ngx_msec_t                       resolver_timeout;
    ngx_k8s_sa_system_t             *system;
};


typedef enum {
    ngx_k8s_sa_ex_start = 0,
    ngx_k8s_sa_ex_resolve,
    ngx_k8s_sa_ex_connect,
    ngx_k8s_sa_ex_handshake,
    ngx_k8s_sa_ex_transfer,
    ngx_k8s_sa_ex_done                 /* the handler is still to be called */
} ngx_k8s_sa_ex_phase_e;


struct ngx_k8s_sa_exchange_s {
    ngx_queue_t                      queue;        /* in client->running */
    ngx_k8s_sa_client_t             *client;
    ngx_pool_t                      *pool;         /* owns this struct */
    ngx_log_t                        log;

    ngx_k8s_sa_ex_phase_e            phase;
    ngx_event_t                      event;        /* posted: start, end */
    ngx_event_t                      timer;        /* for the whole exchange */
    ngx_event_t                      attempt;      /* timer for one address */

    ngx_k8s_sa_url_t                 url;
    ngx_uint_t                       method;
    const char                      *header;       /* see the request's */
    ngx_buf_t                        request;      /* pos: not yet sent */

    ngx_k8s_sa_resolve_t             resolve;
    ngx_uint_t                       next;         /* address to try */
    ngx_k8s_sa_conn_t               *conn;
    ngx_str_t                        address;      /* "10.0.0.1:443" */

    ngx_k8s_sa_http_parse_t         *parse;
    u_char                          *buffer;       /* for reading */
    size_t                           body_size;    /* allocated */

    ngx_k8s_sa_result_t              result;
    u_char                           reason[NGX_K8S_SA_REASON_LEN];

    /* the error and the reason of the address that got furthest */

    ngx_k8s_sa_net_error_e           failure;
    u_char                           failed[NGX_K8S_SA_REASON_LEN];

    ngx_k8s_sa_exchange_handler_pt   handler;
    void                            *data;

    unsigned                         idempotent:1;
    unsigned                         hold:1;
    unsigned                         sent:1;       /* in this or an earlier
                                                      attempt */
};


/*
 * ngx_k8s_sa_exchange.c: the handlers of ex->event at the start, ex->timer and
 * ex->attempt.
 */

void ngx_k8s_sa_exchange_begin(ngx_event_t *ev);
void ngx_k8s_sa_exchange_timeout(ngx_event_t *ev);
void ngx_k8s_sa_exchange_attempt_timeout(ngx_event_t *ev);

/*
 * ngx_k8s_sa_exchange_end.c
 *
 * Ends an exchange: stops everything under way and posts the call of its
 * handler.  fmt is as for ngx_snprintf(); NULL with NGX_K8S_SA_NET_OK.
 */

void ngx_k8s_sa_exchange_done(ngx_k8s_sa_exchange_t *ex,
    ngx_k8s_sa_net_error_e error, const char *fmt, ...);

/* Puts status and headers of the answer into ex->result. */

void ngx_k8s_sa_exchange_head(ngx_k8s_sa_exchange_t *ex);

/* Closes the connection in use, if any, and stops the timer of its attempt. */

void ngx_k8s_sa_exchange_disconnect(ngx_k8s_sa_exchange_t *ex);

/* Ends and frees an exchange without calling its handler. */

void ngx_k8s_sa_exchange_free(ngx_k8s_sa_exchange_t *ex);


#endif /* NGX_K8S_SA_EXCHANGE_H */
