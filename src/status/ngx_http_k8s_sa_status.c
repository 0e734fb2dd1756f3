/* SPDX-License-Identifier: BSD-2-Clause */

#include "status/ngx_http_k8s_sa_status.h"
#include "http/ngx_http_k8s_sa_body.h"


static ngx_int_t ngx_http_k8s_sa_status_handler(ngx_http_request_t *r);


char *
ngx_http_k8s_sa_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t *lcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == ngx_http_k8s_sa_status_handler) {
        return "is duplicate";
    }

    if (cf->args->nelts == 2
        && ngx_strcmp(value[1].data, "prometheus") == 0)
    {
        lcf->prometheus = 1;

    } else if (cf->args->nelts == 2
               && ngx_strcmp(value[1].data, "json") != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf->handler = ngx_http_k8s_sa_status_handler;
    lcf->handler = clcf->handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_k8s_sa_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_str_t                     body, *type;
    ngx_http_k8s_sa_loc_conf_t   *lcf;
    ngx_http_k8s_sa_main_conf_t  *mcf;

    /* the version of Prometheus' text format */

    static ngx_str_t  json = ngx_string("application/json");
    static ngx_str_t  prometheus =
                   ngx_string("text/plain; version=0.0.4; charset=utf-8");

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_k8s_sa_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_module);

    if (mcf->zone == NULL) {

        /* without issuers */

        return NGX_HTTP_NOT_FOUND;
    }

    if (lcf->prometheus) {
        rc = ngx_http_k8s_sa_status_prometheus(r, mcf, &body);
        type = &prometheus;

    } else {
        rc = ngx_http_k8s_sa_status_json(r, mcf, &body);
        type = &json;
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa status: %uz bytes of %V", body.len, type);

    return ngx_http_k8s_sa_send_body(r, type, &body);
}
