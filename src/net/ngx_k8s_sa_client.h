/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * An asynchronous HTTP/1.1 client on nginx's event loop.  An exchange is one
 * request and its answer, from resolving the name to the last byte, within
 * one timeout.  The client does not know what it fetches.
 *
 * Clients are created while the configuration is read: certificate files are
 * checked then, and keys that only root may read are readable.  Connections
 * and exchanges belong to a process and start with its first exchange.
 */

#ifndef NGX_K8S_SA_CLIENT_H
#define NGX_K8S_SA_CLIENT_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_url.h"


typedef struct ngx_k8s_sa_client_s    ngx_k8s_sa_client_t;
typedef struct ngx_k8s_sa_exchange_s  ngx_k8s_sa_exchange_t;
typedef struct ngx_k8s_sa_system_s    ngx_k8s_sa_system_t;


/*
 * ngx_k8s_sa_client_create() copies the strings.  File names are relative to
 * the configuration's directory, as usual in nginx.  All zero, the struct
 * selects verified TLS with the system's CAs, and the system's resolver;
 * timeout and max_body must be set.
 */

typedef struct {
    ngx_msec_t            timeout;           /* for a whole exchange, > 0 */
    size_t                max_body;          /* bytes in an answer, > 0 */

    ngx_resolver_t       *resolver;          /* NULL or without servers: use
                                                resolv.conf and hosts */
    ngx_msec_t            resolver_timeout;  /* for one name; 0: timeout */
    ngx_k8s_sa_system_t  *system;            /* NULL: the files in /etc; tests
                                                have their own */

    ngx_uint_t            max_idle;          /* kept-alive connections per
                                                worker; 0: none are kept */
    ngx_msec_t            idle_timeout;      /* for each of them; 0: 60 s */

    ngx_str_t             ssl_name;          /* to verify, and for SNI; empty:
                                                the URL's host */
    ngx_str_t             ssl_trusted;       /* PEM file, read again when it
                                                changes; empty: system CAs */
    ngx_str_t             ssl_certificate;   /* with its key, or neither */
    ngx_str_t             ssl_certificate_key;

    unsigned              ssl_no_verify:1;
} ngx_k8s_sa_client_conf_t;


typedef enum {
    NGX_K8S_SA_NET_OK = 0,      /* answered, with any status */
    NGX_K8S_SA_NET_RESOLVE,     /* the name has no address */
    NGX_K8S_SA_NET_CONNECT,     /* refused or unreachable */
    NGX_K8S_SA_NET_TLS,         /* handshake or verification failed */
    NGX_K8S_SA_NET_TIMEOUT,     /* result.reason names the stage */
    NGX_K8S_SA_NET_CLOSED,      /* closed or reset before the answer's end */
    NGX_K8S_SA_NET_PROTOCOL,    /* not HTTP, or a form not accepted here */
    NGX_K8S_SA_NET_TOO_LARGE,   /* body above max_body, headers above 16 KiB */
    NGX_K8S_SA_NET_INTERNAL,    /* no memory, connection or descriptor */
    NGX_K8S_SA_NET_SHUTDOWN     /* this worker is shutting down */
} ngx_k8s_sa_net_error_e;


/*
 * The handler's argument, valid only during the call.  Header values are
 * trimmed and contain no control characters; data is NULL if the header was
 * absent.  Of a repeated header the first value counts, except that the values
 * of Cache-Control are joined with ", ".
 */

typedef struct {
    ngx_k8s_sa_net_error_e  error;
    ngx_str_t               reason;         /* empty without error; one
                                               printable line with host and
                                               address, without secrets */

    ngx_uint_t              status;         /* 200 to 599; 0 with error;
                                               redirects are not followed */
    ngx_str_t               body;           /* contiguous, unchunked, with a
                                               NUL after its end */
    ngx_str_t               cache_control;
    ngx_str_t               retry_after;
    ngx_str_t               header;         /* that the request has named */
} ngx_k8s_sa_result_t;


/*
 * Called exactly once for each exchange that is not cancelled, from the event
 * loop and never from inside ngx_k8s_sa_client_start().  The exchange must no
 * longer be cancelled or held then; other exchanges may be started and
 * cancelled.  Not called any more when the worker exits.
 */

typedef void (*ngx_k8s_sa_exchange_handler_pt)(
    const ngx_k8s_sa_result_t *res, void *data);


#define NGX_K8S_SA_GET   0
#define NGX_K8S_SA_POST  1


/* ngx_k8s_sa_client_start() copies everything. */

typedef struct {
    ngx_uint_t                      method;         /* NGX_K8S_SA_GET, _POST */
    const ngx_k8s_sa_url_t         *url;

    /*
     * Further headers, without Host, User-Agent, Connection, Content-Length
     * and Authorization.  Values with control characters are refused.
     */
    const ngx_keyval_t             *headers;
    ngx_uint_t                      nheaders;

    const char                     *header;         /* another one of the
                                                       answer to return, in
                                                       lower case; or NULL */

    /*
     * Sent as "Authorization: Bearer TOKEN" (RFC 6750, section 2.1); empty:
     * not sent.  The copy is wiped at the end of the exchange.  A request
     * whose token would not travel over verified TLS is refused: ask
     * ngx_k8s_sa_client_is_private() first.
     */
    ngx_str_t                       token;

    ngx_str_t                       body;           /* only with POST */

    ngx_k8s_sa_exchange_handler_pt  handler;
    void                           *data;

    /*
     * Set for a POST that may be sent again if a kept-alive connection is
     * closed before the first byte of the answer.  A GET is always repeated.
     */
    unsigned                        idempotent:1;

    /*
     * Set if requests wait for the answer: a graceful shutdown of the worker
     * waits for the exchange, for at most timeout.  Otherwise the exchange
     * ends at once with NGX_K8S_SA_NET_SHUTDOWN.
     */
    unsigned                        hold:1;
} ngx_k8s_sa_request_t;


/*
 * Creates a client that lives as long as cf->pool, and checks the TLS files.
 * Returns NULL after logging an error (emerg, with file and line).
 */

ngx_k8s_sa_client_t *ngx_k8s_sa_client_create(ngx_conf_t *cf,
    const ngx_k8s_sa_client_conf_t *conf);

/*
 * Reads resolv.conf and hosts now instead of with the first exchange.
 * Optional; for init_process.
 */

void ngx_k8s_sa_client_init_process(ngx_k8s_sa_client_t *client);

/* Returns 1 if a request to url would use verified TLS, otherwise 0. */

ngx_uint_t ngx_k8s_sa_client_is_private(const ngx_k8s_sa_client_t *client,
    const ngx_k8s_sa_url_t *url);

/*
 * Starts an exchange, which sends nothing before the event loop is back in
 * control.  Returns NULL without calling the handler if there is no memory, or
 * after logging that a header or the token must not be sent.
 */

ngx_k8s_sa_exchange_t *ngx_k8s_sa_client_start(ngx_k8s_sa_client_t *client,
    const ngx_k8s_sa_request_t *req);

/*
 * Ends an exchange without calling its handler, e.g. when no request waits for
 * it any more.  Must not be called once the handler has been.
 */

void ngx_k8s_sa_exchange_cancel(ngx_k8s_sa_exchange_t *ex);

/* Changes "hold" of a running exchange, as waiting requests come and go. */

void ngx_k8s_sa_exchange_hold(ngx_k8s_sa_exchange_t *ex, ngx_uint_t hold);

/*
 * Cancels all exchanges of this process, without calling their handlers, and
 * closes all connections, which nginx would report as left open.  For
 * exit_process.
 */

void ngx_k8s_sa_client_shutdown(ngx_k8s_sa_client_t *client);


#endif /* NGX_K8S_SA_CLIENT_H */
