/* SPDX-License-Identifier: BSD-2-Clause */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_literal.h"
#include "net/ngx_k8s_sa_resolve.h"


static void ngx_k8s_sa_resolve_step(ngx_event_t *ev);
static void ngx_k8s_sa_resolve_query(ngx_k8s_sa_resolve_t *res);
static void ngx_k8s_sa_resolve_handler(ngx_resolver_ctx_t *ctx);
static void ngx_k8s_sa_resolve_local(ngx_k8s_sa_resolve_t *res);
static ngx_int_t ngx_k8s_sa_resolve_alloc(ngx_k8s_sa_resolve_t *res,
    ngx_uint_t n);
static void ngx_k8s_sa_resolve_add(ngx_k8s_sa_resolve_t *res,
    struct sockaddr *sockaddr);
static void ngx_k8s_sa_resolve_done(ngx_k8s_sa_resolve_t *res,
    const char *error);


void
ngx_k8s_sa_resolve(ngx_k8s_sa_resolve_t *res)
{
    res->event.handler = ngx_k8s_sa_resolve_step;
    res->event.data = res;
    res->event.log = res->log;

    res->state = NGX_AGAIN;

    /*
     * A name server is never asked for localhost, not even one of the
     * configuration: url->loopback promises that the request stays here.
     */

    if (res->url->literal || res->url->loopback || res->resolver == NULL) {
        ngx_k8s_sa_resolve_local(res);
    }

    ngx_post_event(&res->event, &ngx_posted_events);
}


void
ngx_k8s_sa_resolve_cancel(ngx_k8s_sa_resolve_t *res)
{
    /* a pending query would call its handler with freed memory */

    if (res->ctx) {
        ngx_resolve_name_done(res->ctx);
        res->ctx = NULL;
    }

    if (res->dns) {
        ngx_k8s_sa_system_release(res->dns);
        res->dns = NULL;
    }

    if (res->event.posted) {
        ngx_delete_posted_event(&res->event);
    }
}


static void
ngx_k8s_sa_resolve_step(ngx_event_t *ev)
{
    ngx_k8s_sa_resolve_t  *res;

    res = ev->data;

    if (res->naddrs || res->error) {
        ngx_k8s_sa_resolve_done(res, res->error);
        return;
    }

    switch (res->state) {

    case NGX_AGAIN:                    /* nothing has been asked yet */
        break;

    case NGX_RESOLVE_NXDOMAIN:
        break;

    case NGX_RESOLVE_TIMEDOUT:

        /*
         * Without an answer the name may exist, so the search list must not
         * go on: its next name may belong to another service.
         */

        ngx_k8s_sa_resolve_done(res, ngx_resolver_strerror(res->state));
        return;

    default:
        if (res->failure == 0) {
            res->failure = res->state;
        }
    }

    ngx_k8s_sa_resolve_query(res);
}


static void
ngx_k8s_sa_resolve_query(ngx_k8s_sa_resolve_t *res)
{
    ngx_int_t            rc;
    ngx_str_t            name;
    ngx_resolver_t      *resolver;
    ngx_resolver_ctx_t  *ctx;

    ngx_str_null(&name);

    if (res->resolver) {

        if (res->candidate) {
            rc = NGX_DONE;

        } else {
            rc = NGX_OK;
            name.len = res->url->host.len;
            name.data = ngx_pstrdup(res->pool, (ngx_str_t *) &res->url->host);

            if (name.data == NULL) {
                rc = NGX_ERROR;
            }
        }

        resolver = res->resolver;

    } else {

        if (res->dns == NULL) {
            res->dns = ngx_k8s_sa_system_acquire(res->system);

            if (res->dns == NULL) {
                ngx_k8s_sa_resolve_done(res, "no name servers");
                return;
            }
        }

        rc = ngx_k8s_sa_system_candidate(res->system, res->url, res->candidate,
                                         res->pool, &name);

        resolver = res->dns->resolver;

        /* the order of resolv.conf, instead of taking turns */

        resolver->last_connection = 0;
    }

    if (rc == NGX_DONE) {
        rc = res->failure ? res->failure : NGX_RESOLVE_NXDOMAIN;
        ngx_k8s_sa_resolve_done(res, ngx_resolver_strerror(rc));
        return;
    }

    if (rc != NGX_OK) {
        ngx_k8s_sa_resolve_done(res, "no memory");
        return;
    }

    res->candidate++;
    res->state = NGX_ERROR;

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, res->log, 0,
                   "k8s sa resolve: query \"%V\"", &name);

    ctx = ngx_resolve_start(resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_k8s_sa_resolve_done(res, ctx ? "no resolver defined"
                                         : "no memory");
        return;
    }

    ctx->name = name;
    ctx->handler = ngx_k8s_sa_resolve_handler;
    ctx->data = res;
    ctx->timeout = res->timeout;
    ctx->cancelable = 1;

    /* if the answer is cached, ngx_resolve_name() calls the handler */

    res->ctx = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        res->ctx = NULL;
        ngx_k8s_sa_resolve_done(res, "cannot ask the name servers");
    }
}


/*
 * Only copies the answer: nginx's resolver calls this while it walks the list
 * of all waiters for the name, none of which may be cancelled meanwhile, nor
 * may the resolver be freed.
 */

static void
ngx_k8s_sa_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t             i;
    ngx_k8s_sa_resolve_t  *res;

    res = ctx->data;
    res->state = ctx->state;

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, res->log, 0,
                   "k8s sa resolve: answer for \"%V\": state %i, "
                   "%ui addresses", &ctx->name, ctx->state, ctx->naddrs);

    if (ctx->state == NGX_OK) {

        if (ngx_k8s_sa_resolve_alloc(res, ctx->naddrs) != NGX_OK) {
            res->error = "no memory";

        } else {
            for (i = 0; i < ctx->naddrs; i++) {
                ngx_k8s_sa_resolve_add(res, ctx->addrs[i].sockaddr);
            }
        }

        if (res->naddrs == 0 && res->error == NULL) {
            res->error = "no usable addresses";
        }
    }

    res->ctx = NULL;
    ngx_resolve_name_done(ctx);

    ngx_post_event(&res->event, &ngx_posted_events);
}


/* Resolves addresses, localhost and the names in hosts. */

static void
ngx_k8s_sa_resolve_local(ngx_k8s_sa_resolve_t *res)
{
    ngx_uint_t      i, n;
    ngx_sockaddr_t  addrs[NGX_K8S_SA_ADDRS_MAX];

    if (res->url->literal) {
        n = ngx_k8s_sa_literal(&res->url->host, &addrs[0]) != 0;

    } else {
        ngx_k8s_sa_system_refresh(res->system);

        n = ngx_k8s_sa_system_hosts(res->system, &res->url->host, addrs,
                                    NGX_K8S_SA_ADDRS_MAX);
    }

    if (n && ngx_k8s_sa_resolve_alloc(res, n) != NGX_OK) {
        res->error = "no memory";
        return;
    }

    for (i = 0; i < n; i++) {
        ngx_k8s_sa_resolve_add(res, &addrs[i].sockaddr);
    }

    if (n && res->naddrs == 0) {
        res->error = "no usable addresses";
    }
}


static ngx_int_t
ngx_k8s_sa_resolve_alloc(ngx_k8s_sa_resolve_t *res, ngx_uint_t n)
{
    n = ngx_min(n, NGX_K8S_SA_ADDRS_MAX);

    res->naddrs = 0;
    res->addrs = ngx_pcalloc(res->pool, n * sizeof(ngx_k8s_sa_addr_t));

    return res->addrs ? NGX_OK : NGX_ERROR;
}


/* Adds a copy of an address, with the port of the URL, if it can be used. */

static void
ngx_k8s_sa_resolve_add(ngx_k8s_sa_resolve_t *res, struct sockaddr *sockaddr)
{
    socklen_t           socklen;
    ngx_k8s_sa_addr_t  *addr;

    switch (sockaddr->sa_family) {

    case AF_INET:
        socklen = sizeof(struct sockaddr_in);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        socklen = sizeof(struct sockaddr_in6);
        break;
#endif

    default:
        return;
    }

    if (res->naddrs == NGX_K8S_SA_ADDRS_MAX
        || !ngx_k8s_sa_addr_supported(sockaddr->sa_family))
    {
        return;
    }

    addr = &res->addrs[res->naddrs++];

    ngx_memcpy(&addr->sockaddr, sockaddr, socklen);
    addr->socklen = socklen;

    ngx_inet_set_port(&addr->sockaddr.sockaddr, res->url->port);

    addr->name.data = addr->text;
    addr->name.len = ngx_sock_ntop(&addr->sockaddr.sockaddr, socklen,
                                   addr->text, NGX_SOCKADDR_STRLEN, 1);
}


static void
ngx_k8s_sa_resolve_done(ngx_k8s_sa_resolve_t *res, const char *error)
{
    res->error = error;

    if (error) {
        res->naddrs = 0;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, res->log, 0,
                   "k8s sa resolve done: \"%V\", %ui addresses, %s",
                   &res->url->host, res->naddrs, error ? error : "ok");

    ngx_k8s_sa_resolve_cancel(res);

    res->handler(res->data);
}
