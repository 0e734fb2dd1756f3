/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_access.h"
#include "http/ngx_http_k8s_sa_allow.h"
#include "http/ngx_http_k8s_sa_answer.h"
#include "http/ngx_http_k8s_sa_check.h"
#include "http/ngx_http_k8s_sa_headers.h"
#include "http/ngx_http_k8s_sa_review.h"


/*
 * Waits for keys, per issuer: a fetch may have begun before the token's key
 * was published, so that a second one is needed.
 */

#define NGX_HTTP_K8S_SA_WAITS  2


static ngx_int_t ngx_http_k8s_sa_wait(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_http_k8s_sa_resume_pt resume);
static ngx_int_t ngx_http_k8s_sa_suspend(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);
static void ngx_http_k8s_sa_resume(ngx_k8s_sa_waiter_t *waiter);


ngx_int_t
ngx_http_k8s_sa_access_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_k8s_sa_ctx_t       *ctx;
    ngx_http_k8s_sa_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_module);

    if (lcf->auth == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_k8s_sa_get_ctx(r);

    if (ctx == NULL || !ctx->prepared) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* HTTP/0.9 has no headers: nginx has not made the list */

    if (r->headers_in.headers.part.elts == NULL
        && ngx_list_init(&r->headers_in.headers, r->pool, 4,
                         sizeof(ngx_table_elt_t))
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_k8s_sa_pass(r, lcf, ctx, ngx_http_k8s_sa_resume);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* in a dry run an identity that is not allowed passes, too */

    if ((rc == NGX_OK || rc == NGX_DECLINED)
        && ngx_http_k8s_sa_authentic(ctx))
    {
        switch (ngx_http_k8s_sa_push_headers(r, lcf, ctx,
                                             &r->headers_in.headers))
        {

        case NGX_OK:
            break;

        case NGX_ERROR:
            return NGX_HTTP_INTERNAL_SERVER_ERROR;

        default:
            return NGX_HTTP_BAD_REQUEST;
        }
    }

    return rc;
}


ngx_int_t
ngx_http_k8s_sa_pass(ngx_http_request_t *r, ngx_http_k8s_sa_loc_conf_t *lcf,
    ngx_http_k8s_sa_ctx_t *ctx, ngx_http_k8s_sa_resume_pt resume)
{
    ngx_int_t  rc;

    if (ngx_http_k8s_sa_paused(ctx)) {

        /* another event on the connection */

        return NGX_AGAIN;
    }

    /* limit_req may have read a variable before, which decides */

    if (ctx->state == NGX_HTTP_K8S_SA_UNDECIDED
        && ngx_http_k8s_sa_check(r, lcf, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_k8s_sa_wait(r, lcf, ctx, resume);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_http_k8s_sa_authorize(r, lcf, ctx);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa %s: %s", rc == NGX_OK ? "passed" : "refused",
                   k8s_sa_verdict_info(ctx->verdict)->word);

    ngx_http_k8s_sa_count(r, ctx);

    if (rc == NGX_OK) {

        /* a request without a token does not satisfy "satisfy any" */

        return ctx->verdict == K8S_SA_VERDICT_OK ? NGX_OK : NGX_DECLINED;
    }

    ngx_http_k8s_sa_log(r, lcf, ctx);

    if (lcf->dry_run) {
        return NGX_DECLINED;
    }

    return ngx_http_k8s_sa_answer(r, lcf, ctx);
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

    pause->waiter.handler = resume;
    pause->waiter.data = r;

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

        if ((ctx->lacking & 1ULL << ngx_min(i, 63))
            && ngx_k8s_sa_issuer_wait(ni[i]->issuer, &pause->waiter)
               == NGX_AGAIN)
        {
            break;
        }
    }

    if (i == lcf->auth->issuers.nelts) {
        return NGX_DECLINED;
    }

    pause->waits++;

    return ngx_http_k8s_sa_suspend(r, ctx);
}


static ngx_int_t
ngx_http_k8s_sa_suspend(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa waits for %s",
                   ctx->pause->review.waiting ? "a review" : "keys");

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


static void
ngx_http_k8s_sa_resume(ngx_k8s_sa_waiter_t *waiter)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = waiter->data;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0, "k8s_sa resumed");

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);

    ngx_http_run_posted_requests(c);
}
