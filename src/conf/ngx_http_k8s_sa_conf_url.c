/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_url.h"


ngx_int_t
ngx_http_k8s_sa_conf_url(ngx_conf_t *cf, const char *directive,
    ngx_str_t *text, const char *path, ngx_k8s_sa_url_t *url)
{
    ngx_int_t          rc;
    ngx_str_t          tail;
    const char        *err;
    ngx_k8s_sa_url_t   base;

    rc = ngx_k8s_sa_url_parse(cf->pool, text, &base, &err);

    if (rc == NGX_OK && path) {
        tail.data = (u_char *) path;
        tail.len = ngx_strlen(path);

        rc = ngx_k8s_sa_url_join(cf->pool, &base, &tail, url, &err);

    } else if (rc == NGX_OK) {
        *url = base;
    }

    if (rc == NGX_OK && !url->ssl && !url->loopback) {
        err = "\"https\" is required unless the host is a loopback address";
        rc = NGX_DECLINED;
    }

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URL \"%V\" in \"%s\": %s",
                           text, directive, err);
    }

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_k8s_sa_conf_api_url(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block, const char *directive,
    ngx_str_t *text, const char *path, ngx_k8s_sa_url_t *url)
{
    if (text->len == 0 && block->api_server.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" in issuer \"%V\" needs a URL or "
                           "\"api_server\"",
                           directive, &block->issuer->name);
        return NGX_ERROR;
    }

    if (text->len == 0) {
        return ngx_http_k8s_sa_conf_url(cf, "api_server", &block->api_server,
                                        path, url);
    }

    if (ngx_http_k8s_sa_conf_url(cf, directive, text, NULL, url) != NGX_OK) {
        return NGX_ERROR;
    }

    if (url->path.len > 1) {
        return NGX_OK;
    }

    return ngx_http_k8s_sa_conf_url(cf, directive, text, path, url);
}
