/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_allow.h"
#include "http/ngx_http_k8s_sa_cached_value.h"


static ngx_int_t ngx_http_k8s_sa_required(ngx_http_request_t *r,
    ngx_array_t *require, ngx_int_t *status);
static ngx_uint_t ngx_http_k8s_sa_require_is_early(ngx_http_request_t *r,
    ngx_array_t *require);


ngx_int_t
ngx_http_k8s_sa_check_rules(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_int_t           rc;
    k8s_sa_identity_t  *id;

    if (ctx->verdict == K8S_SA_NO_TOKEN && lcf->optional) {

        /* an anonymous request matches no rule: it gets 401, not 403 */

        if (lcf->allow || lcf->authorize) {
            return NGX_DECLINED;
        }

    } else if (ctx->verdict != K8S_SA_VERDICT_OK) {
        return NGX_DECLINED;

    } else if (lcf->allow) {

        id = ngx_http_k8s_sa_identity(r, ctx);
        if (id == NULL) {
            return NGX_ERROR;
        }

        if (!k8s_sa_allow_matches(lcf->allow, id)) {
            ctx->verdict = K8S_SA_NOT_ALLOWED;
            return NGX_DECLINED;
        }
    }

    if (lcf->require == NULL) {
        return NGX_OK;
    }

    if (ngx_http_k8s_sa_require_is_early(r, lcf->require)) {
        ctx->verdict = K8S_SA_INTERNAL_ERROR;
        ngx_str_set(&ctx->detail, "a variable of \"k8s_sa_require\" may have "
                    "been computed before the caller was identified");
        return NGX_DECLINED;
    }

    rc = ngx_http_k8s_sa_required(r, lcf->require, &ctx->status);

    if (rc == NGX_DECLINED) {
        ctx->verdict = K8S_SA_NOT_REQUIRED;
    }

    return rc;
}


/* NGX_OK; NGX_DECLINED with the status of the response; or NGX_ERROR */

static ngx_int_t
ngx_http_k8s_sa_required(ngx_http_request_t *r, ngx_array_t *require,
    ngx_int_t *status)
{
    ngx_str_t                   value;
    ngx_uint_t                  i, n;
    ngx_http_complex_value_t   *cv;
    ngx_http_k8s_sa_require_t  *req;

    req = require->elts;

    for (i = 0; i < require->nelts; i++) {
        cv = req[i].values.elts;

        for (n = 0; n < req[i].values.nelts; n++) {

            if (ngx_http_complex_value(r, &cv[n], &value) != NGX_OK) {
                return NGX_ERROR;
            }

            if (value.len == 0 || (value.len == 1 && value.data[0] == '0')) {
                *status = req[i].status;
                return NGX_DECLINED;
            }
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_k8s_sa_require_is_early(ngx_http_request_t *r, ngx_array_t *require)
{
    ngx_uint_t                  i, n;
    ngx_http_complex_value_t   *cv;
    ngx_http_k8s_sa_require_t  *req;

    req = require->elts;

    for (i = 0; i < require->nelts; i++) {
        cv = req[i].values.elts;

        for (n = 0; n < req[i].values.nelts; n++) {
            if (ngx_http_k8s_sa_is_early(r, &cv[n], "k8s_sa_require")) {
                return 1;
            }
        }
    }

    return 0;
}
