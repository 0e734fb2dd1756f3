/* SPDX-License-Identifier: BSD-2-Clause */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_literal.h"
#include "net/ngx_k8s_sa_resolve.h"


/* How long the addresses of one family wait for those of the other, in ms */

#define NGX_K8S_SA_RESOLVE_DELAY  300


static void ngx_k8s_sa_resolve_step(ngx_event_t *ev);
static ngx_uint_t ngx_k8s_sa_resolve_pending(const ngx_k8s_sa_resolve_t *res);
static void ngx_k8s_sa_resolve_candidate(ngx_k8s_sa_resolve_t *res);
static ngx_int_t ngx_k8s_sa_resolve_ask(ngx_k8s_sa_resolve_t *res,
    ngx_uint_t i, ngx_resolver_t *resolver, const ngx_str_t *name);
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
    res->event.cancelable = 1;

    res->state = NGX_RESOLVE_NXDOMAIN;

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
    ngx_uint_t  i;

    /* a pending query would call its handler with freed memory */

    for (i = 0; i < NGX_K8S_SA_DNS_FAMILIES; i++) {
        if (res->queries[i]) {
            ngx_resolve_name_done(res->queries[i]);
            res->queries[i] = NULL;
        }
    }

    if (res->dns) {
        ngx_k8s_sa_system_release(res->dns);
        res->dns = NULL;
    }

    if (res->event.posted) {
        ngx_delete_posted_event(&res->event);
    }

    if (res->event.timer_set) {
        ngx_del_timer(&res->event);
    }
}


static void
ngx_k8s_sa_resolve_step(ngx_event_t *ev)
{
    ngx_k8s_sa_resolve_t  *res;

    res = ev->data;

    if (res->error) {
        ngx_k8s_sa_resolve_done(res, res->error);
        return;
    }

    if (ngx_k8s_sa_resolve_pending(res)) {

        /* one address family is enough if the other does not answer */

        if (res->naddrs && ev->timedout) {
            ngx_k8s_sa_resolve_done(res, NULL);
            return;
        }

        if (res->naddrs && !ev->timer_set) {
            ngx_add_timer(ev, NGX_K8S_SA_RESOLVE_DELAY);
        }

        return;
    }

    if (res->naddrs) {
        ngx_k8s_sa_resolve_done(res, NULL);
        return;
    }

    switch (res->state) {

    case NGX_OK:
        ngx_k8s_sa_resolve_done(res, "no usable addresses");
        return;

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

    ngx_k8s_sa_resolve_candidate(res);
}


static ngx_uint_t
ngx_k8s_sa_resolve_pending(const ngx_k8s_sa_resolve_t *res)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_K8S_SA_DNS_FAMILIES; i++) {
        if (res->queries[i]) {
            return 1;
        }
    }

    return 0;
}


/* Asks for the addresses of the next name. */

static void
ngx_k8s_sa_resolve_candidate(ngx_k8s_sa_resolve_t *res)
{
    ngx_int_t         rc;
    ngx_str_t         name;
    ngx_uint_t        i, n;
    ngx_resolver_t  **resolvers;

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

        /* it asks for both address families */

        resolvers = &res->resolver;
        n = 1;

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

        resolvers = res->dns->resolvers;
        n = NGX_K8S_SA_DNS_FAMILIES;
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
    res->state = NGX_RESOLVE_NXDOMAIN;

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, res->log, 0,
                   "k8s sa resolve: query \"%V\"", &name);

    for (i = 0; i < n; i++) {

        if (ngx_k8s_sa_resolve_ask(res, i, resolvers[i], &name) != NGX_OK) {
            ngx_k8s_sa_resolve_done(res, "cannot ask the name servers");
            return;
        }
    }
}


static ngx_int_t
ngx_k8s_sa_resolve_ask(ngx_k8s_sa_resolve_t *res, ngx_uint_t i,
    ngx_resolver_t *resolver, const ngx_str_t *name)
{
    ngx_resolver_ctx_t  *ctx;

    if (res->dns) {

        /* the order of resolv.conf, instead of taking turns */

        resolver->last_connection = 0;
    }

    ctx = ngx_resolve_start(resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return NGX_ERROR;
    }

    ctx->name = *name;
    ctx->handler = ngx_k8s_sa_resolve_handler;
    ctx->data = res;
    ctx->timeout = res->timeout;
    ctx->cancelable = 1;

    /* if the answer is cached, ngx_resolve_name() calls the handler */

    res->queries[i] = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        res->queries[i] = NULL;
        return NGX_ERROR;
    }

#if (NGX_HAVE_INET6 && nginx_version < 1023001)

    /*
     * These versions always ask for IPv4 addresses, too.  With naddrs set, the
     * resolver for IPv6 neither waits for the answer nor uses it.
     */

    if (i == 1 && res->queries[i]
        && ctx->node && ctx->node->naddrs == (u_short) -1)
    {
        ctx->node->naddrs = 0;
    }

#endif

    return NGX_OK;
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

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, res->log, 0,
                   "k8s sa resolve: answer for \"%V\": state %i, "
                   "%ui addresses", &ctx->name, ctx->state, ctx->naddrs);

    if (ctx->state == NGX_OK) {
        res->state = NGX_OK;

        if (ngx_k8s_sa_resolve_alloc(res, ctx->naddrs) != NGX_OK) {
            res->error = "no memory";

        } else {
            for (i = 0; i < ctx->naddrs; i++) {
                ngx_k8s_sa_resolve_add(res, ctx->addrs[i].sockaddr);
            }
        }

    } else if (res->state == NGX_RESOLVE_NXDOMAIN
               || (res->state != NGX_OK
                   && ctx->state == NGX_RESOLVE_TIMEDOUT))
    {
        /* a timeout outweighs other errors, these outweigh "not found" */

        res->state = ctx->state;
    }

    for (i = 0; i < NGX_K8S_SA_DNS_FAMILIES; i++) {
        if (res->queries[i] == ctx) {
            res->queries[i] = NULL;
        }
    }

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


/*
 * Makes room for n more addresses.  If there are too many, each of two answers
 * gets at least half of the places.
 */

static ngx_int_t
ngx_k8s_sa_resolve_alloc(ngx_k8s_sa_resolve_t *res, ngx_uint_t n)
{
    if (res->addrs == NULL) {
        res->addrs = ngx_pcalloc(res->pool, NGX_K8S_SA_ADDRS_MAX
                                            * sizeof(ngx_k8s_sa_addr_t));
        if (res->addrs == NULL) {
            return NGX_ERROR;
        }
    }

    n = ngx_min(n, NGX_K8S_SA_ADDRS_MAX / 2);
    res->naddrs = ngx_min(res->naddrs, NGX_K8S_SA_ADDRS_MAX - n);

    return NGX_OK;
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
