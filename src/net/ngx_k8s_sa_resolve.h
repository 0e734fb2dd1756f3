/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * From a URL's host to addresses: one resolution of one exchange.
 */

#ifndef NGX_K8S_SA_RESOLVE_H
#define NGX_K8S_SA_RESOLVE_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_system.h"
#include "net/ngx_k8s_sa_url.h"


#define NGX_K8S_SA_ADDRS_MAX  16            /* of one name, others are unused */


typedef struct {
    ngx_sockaddr_t            sockaddr;
    socklen_t                 socklen;
    ngx_str_t                 name;         /* "10.0.0.1:443" */
    u_char                    text[NGX_SOCKADDR_STRLEN];
} ngx_k8s_sa_addr_t;


typedef struct {
    /* set by the caller; everything else zeroed */

    ngx_pool_t               *pool;
    ngx_log_t                *log;
    const ngx_k8s_sa_url_t   *url;
    ngx_resolver_t           *resolver;     /* NULL: system */
    ngx_k8s_sa_system_t      *system;
    ngx_msec_t                timeout;      /* of one query */

    void                    (*handler)(void *data);
    void                     *data;

    /* results */

    ngx_uint_t                naddrs;       /* 0: error says why */
    ngx_k8s_sa_addr_t        *addrs;        /* from pool */
    const char               *error;        /* static text */

    /* private */

    ngx_resolver_ctx_t       *ctx;
    ngx_k8s_sa_dns_t         *dns;
    ngx_uint_t                candidate;
    ngx_int_t                 state;        /* of the last query */
    ngx_int_t                 failure;      /* the first one that was not
                                               just "not found" */
    ngx_event_t               event;
} ngx_k8s_sa_resolve_t;


/*
 * The handler is always called from a posted event, and is called once,
 * unless _cancel() comes first.  A host that is an address needs no
 * resolving, but goes the same way.
 */

void ngx_k8s_sa_resolve(ngx_k8s_sa_resolve_t *res);

/* May be called at any time, also twice and when nothing is under way. */

void ngx_k8s_sa_resolve_cancel(ngx_k8s_sa_resolve_t *res);


#endif /* NGX_K8S_SA_RESOLVE_H */
