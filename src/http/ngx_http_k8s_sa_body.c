/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_body.h"


ngx_int_t
ngx_http_k8s_sa_json_body(ngx_pool_t *pool, json_t *json, size_t flags,
    ngx_str_t *body)
{
    char  *text;

    text = json_dumps(json, flags);
    json_decref(json);

    if (text == NULL) {
        return NGX_ERROR;
    }

    body->len = ngx_strlen(text) + 1;
    body->data = ngx_pnalloc(pool, body->len);

    if (body->data) {
        ngx_memcpy(body->data, text, body->len - 1);
        body->data[body->len - 1] = LF;
    }

    free(text);

    return body->data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_k8s_sa_send_body(ngx_http_request_t *r, const ngx_str_t *type,
    const ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_length_n = body->len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
