/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_path.h"
#include "http/ngx_http_k8s_sa_answer.h"
#include "token/k8s_sa_path.h"


static const char *ngx_http_k8s_sa_path_odd(ngx_http_request_t *r);
static ngx_int_t ngx_http_k8s_sa_path_detail(ngx_http_request_t *r,
    const char *reason, ngx_str_t *detail);


ngx_int_t
ngx_http_k8s_sa_check_path(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx)
{
    const char  *reason;

    if (ctx && ctx->path_refused) {

        /* otherwise there could be no page for the refusal */

        return lcf->auth ? ngx_http_k8s_sa_refuse_path(r, lcf, ctx, NULL)
                         : NGX_DECLINED;
    }

    if (lcf->paths != NGX_HTTP_K8S_SA_PATHS_STRICT) {
        return NGX_DECLINED;
    }

    reason = ngx_http_k8s_sa_path_odd(r);
    if (reason == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_k8s_sa_make_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_k8s_sa_refuse_path(r, lcf, ctx, reason);
}


/*
 * Returns why the path is not in normal form, or NULL.  nginx never changes
 * unparsed_uri.  It is empty if nginx has refused the request line: no location
 * was chosen by it, and nothing of it is sent.
 */

static const char *
ngx_http_k8s_sa_path_odd(ngx_http_request_t *r)
{
    u_char        *args;
    k8s_sa_str_t   raw, path;

    u_char         decoded[K8S_SA_PATH_MAX];

    raw.data = r->unparsed_uri.data;
    raw.len = r->unparsed_uri.len;

    if (raw.len == 0) {
        return NULL;
    }

    if (r->args_start) {
        args = memchr(raw.data, '?', raw.len);

        if (args) {
            raw.len = args - raw.data;
        }
    }

    return k8s_sa_path_decode(&raw, decoded, &path);
}


ngx_int_t
ngx_http_k8s_sa_refuse_path(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    const char *reason)
{
    ngx_str_t                     detail;
    ngx_http_k8s_sa_main_conf_t  *mcf;

    if (ngx_http_k8s_sa_path_detail(r, reason, &detail) != NGX_OK
        || ngx_http_k8s_sa_retire(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->state = NGX_HTTP_K8S_SA_DECIDED;
    ctx->verdict = K8S_SA_BAD_PATH;
    ctx->detail = detail;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_k8s_sa_module);

    /* there is no zone without issuers */

    if (mcf->zone) {
        ngx_http_k8s_sa_count(r, ctx);
    }

    ngx_http_k8s_sa_log(r, lcf, ctx);

    if (lcf->dry_run) {

        if (lcf->auth) {
            ngx_http_k8s_sa_forget(ctx);
        }

        return NGX_DECLINED;
    }

    ctx->path_refused = 1;

    /* "proxy_pass" without a URI would send the client's bytes */

    r->valid_unparsed_uri = 0;

    if (lcf->whoami) {

        /* its askers take only 401 and 403 for a refusal */

        ctx->status = NGX_HTTP_FORBIDDEN;
    }

    return ngx_http_k8s_sa_answer(r, lcf, ctx);
}


static ngx_int_t
ngx_http_k8s_sa_path_detail(ngx_http_request_t *r, const char *reason,
    ngx_str_t *detail)
{
    size_t                     len;
    ngx_http_core_loc_conf_t  *clcf;

    if (reason == NULL) {
        ngx_str_set(detail, "it was refused before an internal redirect");
        return NGX_OK;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    len = ngx_strlen(reason) + clcf->name.len
          + sizeof("; location \"\" accepts it with \"k8s_sa_paths any\"") - 1;

    detail->data = ngx_pnalloc(r->pool, len);
    if (detail->data == NULL) {
        return NGX_ERROR;
    }

    detail->len = ngx_sprintf(detail->data, "%s; location \"%V\" accepts it "
                              "with \"k8s_sa_paths any\"", reason,
                              &clcf->name)
                  - detail->data;

    return NGX_OK;
}
