/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_identify.h"
#include "http/ngx_http_k8s_sa_check.h"
#include "http/ngx_http_k8s_sa_review.h"


/*
 * Waits for keys, per issuer: a fetch may have begun before the token's key
 * was published, so that a second one is needed.
 */

#define NGX_HTTP_K8S_SA_WAITS  2


static ngx_int_t ngx_http_k8s_sa_wait(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_http_k8s_sa_resume_pt resume);
static uint32_t ngx_http_k8s_sa_client(struct sockaddr *sa);


ngx_int_t
ngx_http_k8s_sa_identify(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_http_k8s_sa_resume_pt resume)
{
    ngx_int_t  rc;

    if (ngx_http_k8s_sa_paused(ctx)) {

        /* another event on the connection */

        return NGX_AGAIN;
    }

    if (ctx->state == NGX_HTTP_K8S_SA_UNDECIDED
        && ngx_http_k8s_sa_check(r, lcf, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_k8s_sa_wait(r, lcf, ctx, resume);

    return rc == NGX_DECLINED ? NGX_OK : rc;
}


/*
 * Suspends the request if keys that are being fetched, or a review, could
 * change the verdict.  NGX_AGAIN: resume() will be called; NGX_DECLINED: the
 * verdict is final; NGX_ERROR.
 */

static ngx_int_t
ngx_http_k8s_sa_wait(ngx_http_request_t *r, ngx_http_k8s_sa_loc_conf_t *lcf,
    ngx_http_k8s_sa_ctx_t *ctx, ngx_http_k8s_sa_resume_pt resume)
{
    ngx_uint_t                        i;
    ngx_http_k8s_sa_pause_t          *pause;
    ngx_http_k8s_sa_named_issuer_t  **ni;

    if (ctx->state == NGX_HTTP_K8S_SA_DECIDED) {
        return NGX_DECLINED;
    }

    pause = ngx_http_k8s_sa_pause(r, ctx);
    if (pause == NULL) {
        return NGX_ERROR;
    }

    pause->request = r;
    pause->waiter.handler = resume;
    pause->waiter.data = ctx;
    pause->waiter.client = ngx_http_k8s_sa_client(r->connection->sockaddr);

    if (ctx->state == NGX_HTTP_K8S_SA_REVIEW_DUE) {
        return ngx_http_k8s_sa_review_wait(r, ctx) == NGX_AGAIN
               ? ngx_http_k8s_sa_suspend(r, ctx) : NGX_DECLINED;
    }

    ctx->state = NGX_HTTP_K8S_SA_DECIDED;

    if (pause->waits >= NGX_HTTP_K8S_SA_WAITS * lcf->auth->issuers.nelts) {
        return NGX_DECLINED;
    }

    ni = lcf->auth->issuers.elts;

    for (i = 0; i < lcf->auth->issuers.nelts; i++) {

        if (!(ctx->lacking & 1ULL << ngx_min(i, 63))) {
            continue;
        }

        switch (ngx_k8s_sa_issuer_wait(ni[i]->issuer, &pause->waiter)) {

        case NGX_AGAIN:
            pause->waits++;
            return ngx_http_k8s_sa_suspend(r, ctx);

        case NGX_BUSY:
            ctx->issuer = ni[i]->issuer;
            ctx->verdict = K8S_SA_BUSY;
        }
    }

    return NGX_DECLINED;
}


/*
 * Returns the hash of a client's address: of the first 64 bits of an IPv6
 * address, since a client usually has all the others; 0 for a Unix socket.
 */

static uint32_t
ngx_http_k8s_sa_client(struct sockaddr *sa)
{
    size_t                len;
    u_char               *p;
    uint32_t              hash;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        p = (u_char *) &((struct sockaddr_in *) sa)->sin_addr;
        len = sizeof(struct in_addr);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        p = sin6->sin6_addr.s6_addr;
        len = 8;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            p += 12;
            len = 4;
        }

        break;
#endif

    default:
        return 0;
    }

    hash = ngx_crc32_short(p, len);

    return hash ? hash : 1;
}


ngx_int_t
ngx_http_k8s_sa_suspend(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa waits for %s",
                   ctx->pause->review.waiting || ctx->pause->access.waiting
                   ? "a review" : "keys");

    ngx_http_k8s_sa_forget(ctx);

    /* notice a client that disconnects while the request waits */

    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {

        /* the request ends now and must not be resumed */

        ngx_http_k8s_sa_end_pause(ctx);

        return NGX_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_AGAIN;
}


void
ngx_http_k8s_sa_resume(ngx_k8s_sa_waiter_t *waiter)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ngx_http_k8s_sa_waited(waiter->data);
    if (r == NULL) {
        return;
    }

    c = r->connection;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);

    ngx_http_run_posted_requests(c);
}


ngx_http_request_t *
ngx_http_k8s_sa_waited(ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->pause->request;

    if (ngx_http_get_module_ctx(r, ngx_http_k8s_sa_module) != ctx) {
        return NULL;
    }

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0, "k8s_sa resumed");

    return r;
}
