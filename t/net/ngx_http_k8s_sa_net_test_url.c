/* SPDX-License-Identifier: BSD-2-Clause */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "net/ngx_k8s_sa_url.h"
#include "ngx_http_k8s_sa_net_test.h"


ngx_int_t
ngx_http_k8s_sa_net_test_parse(ngx_http_request_t *r, ngx_str_t *value)
{
    u_char            *dst, *src;
    ngx_int_t          rc;
    ngx_str_t          text, base;
    const char        *err;
    ngx_k8s_sa_url_t   url, base_url;

    dst = ngx_pnalloc(r->pool, value->len + 1);
    text.data = ngx_pnalloc(r->pool, value->len * 4 + 512);

    if (dst == NULL || text.data == NULL) {
        return NGX_ERROR;
    }

    src = value->data;
    value->data = dst;
    ngx_unescape_uri(&dst, &src, value->len, 0);
    value->len = dst - value->data;

    if (ngx_http_k8s_sa_net_test_arg(r, "base", &base)) {
        rc = ngx_k8s_sa_url_parse(r->pool, &base, &base_url, &err);

        if (rc == NGX_OK) {
            rc = ngx_k8s_sa_url_join(r->pool, &base_url, value, &url, &err);
        }

    } else {
        rc = ngx_k8s_sa_url_parse(r->pool, value, &url, &err);
    }

    if (rc != NGX_OK) {
        text.len = ngx_sprintf(text.data, "error=%s\n", err) - text.data;

    } else {
        text.len = ngx_sprintf(text.data, "error=ok\ntext=%V\nhost=%V\n"
                               "authority=%V\npath=%V\nport=%d\nflags=%s%s%s"
                               "%s\n", &url.text, &url.host, &url.authority,
                               &url.path, (int) url.port,
                               url.ssl ? "ssl " : "",
                               url.literal ? "literal " : "",
                               url.loopback ? "loopback " : "",
                               url.absolute ? "absolute " : "")
                   - text.data;
    }

    return ngx_http_k8s_sa_net_test_send(r, &text);
}
