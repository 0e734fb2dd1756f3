/* SPDX-License-Identifier: BSD-2-Clause */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_resolve.h"


static void ngx_k8s_sa_resolve_step(ngx_event_t *ev);
static void ngx_k8s_sa_resolve_query(ngx_k8s_sa_resolve_t *res);
static void ngx_k8s_sa_resolve_handler(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_k8s_sa_resolve_literal(ngx_k8s_sa_resolve_t *res);
static void ngx_k8s_sa_resolve_hosts(ngx_k8s_sa_resolve_t *res);
static ngx_int_t ngx_k8s_sa_resolve_alloc(ngx_k8s_sa_resolve_t *res,
    ngx_uint_t n);
static void ngx_k8s_sa_resolve_add(ngx_k8s_sa_resolve_t *res,
    struct sockaddr *sockaddr, socklen_t socklen);
static void ngx_k8s_sa_resolve_done(ngx_k8s_sa_resolve_t *res,
    const char *error);


void
ngx_k8s_sa_resolve(ngx_k8s_sa_resolve_t *res)
{
    res->event.handler = ngx_k8s_sa_resolve_step;
    res->event.data = res;
    res->event.log = res->log;

    res->state = NGX_AGAIN;

    if (res->url->literal) {

        if (ngx_k8s_sa_resolve_literal(res) != NGX_OK) {
            res->error = "no memory";
        }

    } else {

        /*
         * localhost is never left to a name server, whichever is used:
         * the loopback flag of its URL is a promise
         */

        if (res->resolver == NULL || res->url->loopback) {
            ngx_k8s_sa_resolve_hosts(res);
        }
    }

    ngx_post_event(&res->event, &ngx_posted_events);
}


void
ngx_k8s_sa_resolve_cancel(ngx_k8s_sa_resolve_t *res)
{
    /* a query left behind would call its handler on freed memory */

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
         * No answer is no reason to ask for another name: with the search
         * list it might be one of somebody else's.
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
                   "k8s sa resolve \"%V\"", &name);

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

    /* what is cached is handed over at once, by a call of the handler */

    res->ctx = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        res->ctx = NULL;
        ngx_k8s_sa_resolve_done(res, "cannot ask the name servers");
    }
}


/*
 * Called by nginx's resolver in the middle of its work, with other waiters of
 * the same name in its hands: nothing but taking the answer may happen here,
 * as cancelling one of these, or freeing the resolver, would be fatal.
 */

static void
ngx_k8s_sa_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t             i;
    ngx_k8s_sa_resolve_t  *res;

    res = ctx->data;
    res->state = ctx->state;

    if (ctx->state == NGX_OK) {

        if (ngx_k8s_sa_resolve_alloc(res, ctx->naddrs) != NGX_OK) {
            res->error = "no memory";

        } else {
            for (i = 0; i < ctx->naddrs; i++) {
                ngx_k8s_sa_resolve_add(res, ctx->addrs[i].sockaddr,
                                       ctx->addrs[i].socklen);
            }
        }

        if (res->naddrs == 0 && res->error == NULL) {
            res->error = "no addresses";
        }
    }

    res->ctx = NULL;
    ngx_resolve_name_done(ctx);

    ngx_post_event(&res->event, &ngx_posted_events);
}


static ngx_int_t
ngx_k8s_sa_resolve_literal(ngx_k8s_sa_resolve_t *res)
{
    in_addr_t         addr;
    const ngx_str_t  *host;
    ngx_sockaddr_t    sa;

    if (ngx_k8s_sa_resolve_alloc(res, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    host = &res->url->host;

    ngx_memzero(&sa, sizeof(ngx_sockaddr_t));

    addr = ngx_inet_addr(host->data, host->len);

    if (addr != INADDR_NONE) {
        sa.sockaddr_in.sin_family = AF_INET;
        sa.sockaddr_in.sin_addr.s_addr = addr;

        ngx_k8s_sa_resolve_add(res, &sa.sockaddr, sizeof(struct sockaddr_in));
        return NGX_OK;
    }

#if (NGX_HAVE_INET6)

    sa.sockaddr_in6.sin6_family = AF_INET6;

    if (ngx_inet6_addr(host->data, host->len,
                       sa.sockaddr_in6.sin6_addr.s6_addr)
        == NGX_OK)
    {
        ngx_k8s_sa_resolve_add(res, &sa.sockaddr, sizeof(struct sockaddr_in6));
    }

#endif

    return NGX_OK;
}


static void
ngx_k8s_sa_resolve_hosts(ngx_k8s_sa_resolve_t *res)
{
    socklen_t       socklen;
    ngx_uint_t      i, n;
    ngx_sockaddr_t  addrs[NGX_K8S_SA_ADDRS_MAX];

    ngx_k8s_sa_system_refresh(res->system);

    n = ngx_k8s_sa_system_hosts(res->system, &res->url->host, addrs,
                                NGX_K8S_SA_ADDRS_MAX);

    if (n && ngx_k8s_sa_resolve_alloc(res, n) != NGX_OK) {
        res->error = "no memory";
        return;
    }

    for (i = 0; i < n; i++) {
        socklen = (addrs[i].sockaddr.sa_family == AF_INET)
                  ? sizeof(struct sockaddr_in) : sizeof(ngx_sockaddr_t);

#if (NGX_HAVE_INET6)
        if (addrs[i].sockaddr.sa_family == AF_INET6) {
            socklen = sizeof(struct sockaddr_in6);
        }
#endif

        ngx_k8s_sa_resolve_add(res, &addrs[i].sockaddr, socklen);
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


/* Copies an address, which may be in the resolver's memory, with our port. */

static void
ngx_k8s_sa_resolve_add(ngx_k8s_sa_resolve_t *res, struct sockaddr *sockaddr,
    socklen_t socklen)
{
    ngx_k8s_sa_addr_t  *addr;

    if (res->naddrs == NGX_K8S_SA_ADDRS_MAX
        || socklen > (socklen_t) sizeof(ngx_sockaddr_t))
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

    ngx_k8s_sa_resolve_cancel(res);

    res->handler(res->data);
}
