/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_allow.h"


static ngx_int_t ngx_http_k8s_sa_required(ngx_http_request_t *r,
    ngx_array_t *require, ngx_int_t *status);
static void *ngx_http_k8s_sa_allow_alloc(void *pool, size_t size);


ngx_int_t
ngx_http_k8s_sa_authorize(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_int_t           rc;
    k8s_sa_identity_t  *id;

    if (ctx->verdict == K8S_SA_NO_TOKEN && lcf->optional) {

        /* who is nobody is not on any list, and has to say who it is */

        if (lcf->allow) {
            ctx->refused = 1;
            return NGX_OK;
        }

    } else if (ctx->verdict != K8S_SA_VERDICT_OK) {
        return NGX_OK;

    } else if (lcf->allow) {

        id = ngx_http_k8s_sa_identity(r, ctx);
        if (id == NULL) {
            return NGX_ERROR;
        }

        if (!k8s_sa_allow_matches(lcf->allow, id)) {
            ctx->verdict = K8S_SA_NOT_ALLOWED;
            return NGX_OK;
        }
    }

    if (lcf->require == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_k8s_sa_required(r, lcf->require, &ctx->status);

    if (rc == NGX_DECLINED) {
        ctx->verdict = K8S_SA_NOT_REQUIRED;
        return NGX_OK;
    }

    return rc;
}


/* NGX_OK, NGX_ERROR, or NGX_DECLINED and the status of the answer */

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


char *
ngx_http_k8s_sa_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t *lcf = conf;

    ngx_str_t     *value;
    ngx_uint_t     i;
    k8s_sa_str_t   pattern;

    if (lcf->allow == NGX_CONF_UNSET_PTR) {

        lcf->allow = ngx_pcalloc(cf->pool, sizeof(k8s_sa_allow_t));
        if (lcf->allow == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        pattern.data = value[i].data;
        pattern.len = value[i].len;

        switch (k8s_sa_allow_add(lcf->allow, &pattern,
                                 ngx_http_k8s_sa_allow_alloc, cf->pool))
        {
        case K8S_SA_OK:
            break;

        case K8S_SA_ALLOW_INVALID:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid pattern \"%V\"",
                               &value[i]);
            return NGX_CONF_ERROR;

        case K8S_SA_ALLOW_DUPLICATE:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "pattern \"%V\" is duplicate", &value[i]);
            return NGX_CONF_ERROR;

        default:
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_k8s_sa_allow_alloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


char *
ngx_http_k8s_sa_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t *lcf = conf;

    ngx_str_t                          *value;
    ngx_uint_t                          i;
    ngx_http_complex_value_t           *cv;
    ngx_http_k8s_sa_require_t          *req;
    ngx_http_compile_complex_value_t    ccv;

    if (lcf->require == NGX_CONF_UNSET_PTR) {
        lcf->require = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_http_k8s_sa_require_t));
        if (lcf->require == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    req = ngx_array_push(lcf->require);

    if (req == NULL
        || ngx_array_init(&req->values, cf->pool, cf->args->nelts - 1,
                          sizeof(ngx_http_complex_value_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    req->status = NGX_HTTP_FORBIDDEN;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "error=", 6) == 0) {

            /* anywhere else it would be a value that is always there */

            if (i == 1 || i != cf->args->nelts - 1) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"%V\" must come behind the values",
                                   &value[i]);
                return NGX_CONF_ERROR;
            }

            req->status = ngx_atoi(value[i].data + 6, value[i].len - 6);

            /* to nginx these mean that there is nobody to answer */

            if (req->status < 400 || req->status > 599
                || req->status == NGX_HTTP_REQUEST_TIME_OUT
                || req->status == NGX_HTTP_CLOSE
                || req->status == NGX_HTTP_CLIENT_CLOSED_REQUEST)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid value \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }

            break;
        }

        cv = ngx_array_push(&req->values);
        if (cv == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = cv;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
