/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * Resolves the host of a URL to addresses, once per exchange.
 */

#ifndef NGX_K8S_SA_RESOLVE_H
#define NGX_K8S_SA_RESOLVE_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_addr.h"
#include "net/ngx_k8s_sa_system.h"
#include "net/ngx_k8s_sa_url.h"


typedef struct {
    /* set by the caller; everything else zeroed */

    ngx_pool_t               *pool;
    ngx_log_t                *log;
    const ngx_k8s_sa_url_t   *url;
    ngx_resolver_t           *resolver;     /* NULL: use system */
    ngx_k8s_sa_system_t      *system;
    ngx_msec_t                timeout;      /* for one query */

    void                    (*handler)(void *data);
    void                     *data;

    /* results */

    ngx_uint_t                naddrs;       /* 0 if error is set */
    ngx_k8s_sa_addr_t        *addrs;        /* allocated from pool */
    const char               *error;        /* static text */

    /* private */

    ngx_resolver_ctx_t       *queries[NGX_K8S_SA_DNS_FAMILIES];
                                            /* NULL: not pending */
    ngx_k8s_sa_dns_t         *dns;
    ngx_uint_t                candidate;
    ngx_int_t                 state;        /* result of the last queries */
    ngx_int_t                 failure;      /* the first result other than
                                               "not found" */
    ngx_event_t               event;
} ngx_k8s_sa_resolve_t;


/*
 * Starts resolving.  The handler is called once, from a posted event, also for
 * a host that is an address, unless ngx_k8s_sa_resolve_cancel() comes first.
 */

void ngx_k8s_sa_resolve(ngx_k8s_sa_resolve_t *res);

/* Stops resolving.  May be called at any time, also repeatedly. */

void ngx_k8s_sa_resolve_cancel(ngx_k8s_sa_resolve_t *res);


#endif /* NGX_K8S_SA_RESOLVE_H */
