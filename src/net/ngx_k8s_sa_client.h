/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * An asynchronous HTTP/1.1 client on nginx's event loop: one exchange is one
 * request and its answer, from resolving the name to the last byte, within
 * one timeout.  It knows nothing of what is fetched.
 *
 * A client is made for each issuer when the configuration is read, because
 * that is when certificate files are checked and when a key that only root may
 * read can be read.  What belongs to a process (connections, exchanges) comes
 * into being with the first exchange in that process.
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
 * Strings are copied by ngx_k8s_sa_client_create(); file names are relative
 * to the configuration's directory, as everywhere in nginx.  ngx_pcalloc()ed,
 * the struct means: verified TLS with the system's CAs and system resolving;
 * timeout and max_body have to be set.
 */

typedef struct {
    ngx_msec_t            timeout;           /* one whole exchange, > 0 */
    size_t                max_body;          /* bytes of an answer, > 0 */

    ngx_resolver_t       *resolver;          /* the http block's, or NULL (also
                                                if it has no servers): as the
                                                system resolves */
    ngx_msec_t            resolver_timeout;  /* a name; 0: timeout */
    ngx_k8s_sa_system_t  *system;            /* NULL: that of /etc; others are
                                                for tests */

    ngx_uint_t            max_idle;          /* kept-alive connections in each
                                                worker; 0: none are kept */
    ngx_msec_t            idle_timeout;      /* of these; 0: 60 s */

    ngx_str_t             ssl_name;          /* SNI and name to verify; empty:
                                                the URL's host */
    ngx_str_t             ssl_trusted;       /* PEM file, read again when it
                                                changes; empty: the system's */
    ngx_str_t             ssl_certificate;   /* both or none */
    ngx_str_t             ssl_certificate_key;

    unsigned              ssl_no_verify:1;
} ngx_k8s_sa_client_conf_t;


typedef enum {
    NGX_K8S_SA_NET_OK = 0,      /* there is an answer, whatever its status */
    NGX_K8S_SA_NET_RESOLVE,     /* the name has no address */
    NGX_K8S_SA_NET_CONNECT,     /* refused, unreachable */
    NGX_K8S_SA_NET_TLS,         /* handshake or verification */
    NGX_K8S_SA_NET_TIMEOUT,     /* at whichever stage: the reason tells */
    NGX_K8S_SA_NET_CLOSED,      /* closed or reset before the answer's end */
    NGX_K8S_SA_NET_PROTOCOL,    /* not the HTTP that we accept */
    NGX_K8S_SA_NET_TOO_LARGE,   /* body above max_body, headers above 16 KiB */
    NGX_K8S_SA_NET_INTERNAL,    /* ours: memory, connections, descriptors */
    NGX_K8S_SA_NET_SHUTDOWN     /* this worker is shutting down */
} ngx_k8s_sa_net_error_e;


/*
 * What the handler gets.  Everything is valid during the handler only.
 * Header values are trimmed, printable (no control characters), and have
 * data == NULL where the header was absent; of a repeated one it is the first
 * value, except for Cache-Control, whose values are joined with ", ".
 */

typedef struct {
    ngx_k8s_sa_net_error_e  error;
    ngx_str_t               reason;         /* with error: one printable line,
                                               with host and address; no
                                               secrets.  Otherwise empty */

    ngx_uint_t              status;         /* 200 to 599; 0 with error.
                                               Redirects are not followed */
    ngx_str_t               body;           /* contiguous, decoded from chunks,
                                               NUL behind its end */
    ngx_str_t               cache_control;
    ngx_str_t               retry_after;
} ngx_k8s_sa_result_t;


/*
 * Called exactly once for each started exchange that is not cancelled, always
 * from the event loop and never from inside ngx_k8s_sa_client_start(); the
 * exchange is gone when it is called.  It may start and cancel other exchanges.
 * The one exception: a worker that exits does not call what has not been
 * called yet.
 */

typedef void (*ngx_k8s_sa_exchange_handler_pt)(
    const ngx_k8s_sa_result_t *res, void *data);


#define NGX_K8S_SA_GET   0
#define NGX_K8S_SA_POST  1


/* Everything is copied by ngx_k8s_sa_client_start(). */

typedef struct {
    ngx_uint_t                      method;         /* NGX_K8S_SA_GET, _POST */
    const ngx_k8s_sa_url_t         *url;

    /*
     * Further headers.  Host, User-Agent, Connection and Content-Length are
     * made here; values with CR, LF or other control characters are refused.
     */
    const ngx_keyval_t             *headers;
    ngx_uint_t                      nheaders;

    /*
     * Sent as "Authorization: Bearer TOKEN" (RFC 6750, section 2.1); empty:
     * not sent.  The copy is wiped at the end of the exchange.  A request
     * whose token would not travel over verified TLS is refused: ask
     * ngx_k8s_sa_client_is_private() first.
     */
    ngx_str_t                       token;

    ngx_str_t                       body;           /* of a POST */

    ngx_k8s_sa_exchange_handler_pt  handler;
    void                           *data;

    /*
     * A POST that may be sent again if a kept-alive connection turns out to
     * have been closed before a single byte of the answer.  A GET always is.
     */
    unsigned                        idempotent:1;

    /*
     * Somebody waits for the answer: the exchange goes on while the worker
     * shuts down gracefully and keeps it alive until then (at most timeout).
     * Without it the exchange ends at once with NGX_K8S_SA_NET_SHUTDOWN.
     */
    unsigned                        hold:1;
} ngx_k8s_sa_request_t;


/*
 * Makes a client that lives as long as cf->pool, and checks the TLS files.
 * NULL: what is wrong has been logged (emerg, with file and line).
 */

ngx_k8s_sa_client_t *ngx_k8s_sa_client_create(ngx_conf_t *cf,
    const ngx_k8s_sa_client_conf_t *conf);

/*
 * Optional, from init_process: reads the system's resolver files now instead
 * of with the first exchange.
 */

void ngx_k8s_sa_client_init_process(ngx_k8s_sa_client_t *client);

/* 1 if a request to url would travel over verified TLS, otherwise 0. */

ngx_uint_t ngx_k8s_sa_client_is_private(const ngx_k8s_sa_client_t *client,
    const ngx_k8s_sa_url_t *url);

/*
 * Starts an exchange; nothing happens on the wire before the event loop is
 * back in control.  NULL: no memory, or a header that must not be sent (it
 * has been logged); the handler is not called then.
 */

ngx_k8s_sa_exchange_t *ngx_k8s_sa_client_start(ngx_k8s_sa_client_t *client,
    const ngx_k8s_sa_request_t *req);

/*
 * Ends an exchange without calling its handler, e.g. when the last one who
 * waited has gone.  Only before the handler has been called.
 */

void ngx_k8s_sa_exchange_cancel(ngx_k8s_sa_exchange_t *ex);

/* Changes "hold" of a running exchange: waiters have come, or all have gone. */

void ngx_k8s_sa_exchange_hold(ngx_k8s_sa_exchange_t *ex, ngx_uint_t hold);

/*
 * For exit_process: cancels all exchanges of this process and closes all
 * connections, so that none is reported as left open.  No handler is called.
 */

void ngx_k8s_sa_client_shutdown(ngx_k8s_sa_client_t *client);


#endif /* NGX_K8S_SA_CLIENT_H */
