/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_access.h"
#include "http/ngx_http_k8s_sa_allow.h"
#include "http/ngx_http_k8s_sa_answer.h"
#include "http/ngx_http_k8s_sa_authorize.h"
#include "http/ngx_http_k8s_sa_headers.h"
#include "http/ngx_http_k8s_sa_identity_headers.h"


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
            ngx_http_k8s_sa_reset_variables(r);
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

    rc = ngx_http_k8s_sa_identify(r, lcf, ctx, resume);

    if (rc != NGX_OK) {
        return rc;
    }

    ctx->identified = (ctx->verdict == K8S_SA_VERDICT_OK);

    rc = ngx_http_k8s_sa_check_rules(r, lcf, ctx);

    if (rc == NGX_OK && lcf->authorize) {
        rc = ngx_http_k8s_sa_authorize(r, lcf, ctx, resume);
    }

    if (rc == NGX_AGAIN || rc == NGX_ERROR) {
        return rc;
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
