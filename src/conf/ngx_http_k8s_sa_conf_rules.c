/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_rules.h"
#include "http/ngx_http_k8s_sa_allow.h"


static void *ngx_http_k8s_sa_conf_alloc(void *pool, size_t size);


char *
ngx_http_k8s_sa_conf_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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
                                 ngx_http_k8s_sa_conf_alloc, cf->pool))
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
ngx_http_k8s_sa_conf_alloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


char *
ngx_http_k8s_sa_conf_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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

            /* anywhere else it would be a value that is never empty */

            if (i == 1 || i != cf->args->nelts - 1) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"%V\" must come after the values",
                                   &value[i]);
                return NGX_CONF_ERROR;
            }

            req->status = ngx_atoi(value[i].data + 6, value[i].len - 6);

            /* nginx sends no response with these */

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
