/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_line.h"
#include "http/ngx_http_k8s_sa_header_lines.h"
#include "token/k8s_sa_path.h"


static ngx_int_t ngx_http_k8s_sa_line_original(ngx_http_request_t *r,
    ngx_http_k8s_sa_original_t *original, ngx_http_k8s_sa_line_t *line);
static ngx_uint_t ngx_http_k8s_sa_line_once(ngx_http_request_t *r,
    const ngx_str_t *name);
static void ngx_http_k8s_sa_line_relative(k8s_sa_str_t *uri);
static ngx_int_t ngx_http_k8s_sa_line_uri(ngx_http_request_t *r,
    k8s_sa_str_t *uri, ngx_http_k8s_sa_line_t *line);


ngx_int_t
ngx_http_k8s_sa_line(ngx_http_request_t *r, ngx_http_k8s_sa_loc_conf_t *lcf,
    ngx_http_k8s_sa_line_t *line)
{
    u_char        *p;
    k8s_sa_str_t   uri;

    ngx_memzero(line, sizeof(ngx_http_k8s_sa_line_t));

    if (lcf->original && lcf->whoami) {
        return ngx_http_k8s_sa_line_original(r, lcf->original, line);
    }

    r = r->main;

    /*
     * nginx changes neither of these.  If it has refused the request line
     * itself, there is no URI.
     */

    uri.data = r->unparsed_uri.data;
    uri.len = r->unparsed_uri.len;

    p = ngx_strlchr(r->request_line.data,
                    r->request_line.data + r->request_line.len, ' ');

    if (uri.len == 0 || p == NULL) {
        return NGX_OK;
    }

    line->method.data = r->request_line.data;
    line->method.len = p - r->request_line.data;

    return ngx_http_k8s_sa_line_uri(r, &uri, line);
}


/* The request of the asker's client, as the asker names it. */

static ngx_int_t
ngx_http_k8s_sa_line_original(ngx_http_request_t *r,
    ngx_http_k8s_sa_original_t *original, ngx_http_k8s_sa_line_t *line)
{
    size_t        i;
    ngx_str_t     value;
    k8s_sa_str_t  uri;

    /* one that the client has added could be the one that counts */

    if (!ngx_http_k8s_sa_line_once(r, &original->uri_header)
        || !ngx_http_k8s_sa_line_once(r, &original->method_header))
    {
        line->odd = "the asker has to name it once";
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, &original->method, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < value.len; i++) {
        if (value.data[i] < 'A' || value.data[i] > 'Z') {
            break;
        }
    }

    if (i < value.len || i == 0) {
        line->odd = "the asker names no method";
        return NGX_OK;
    }

    line->method.data = value.data;
    line->method.len = value.len;

    if (ngx_http_complex_value(r, &original->uri, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    uri.data = value.data;
    uri.len = value.len;

    ngx_http_k8s_sa_line_relative(&uri);

    return ngx_http_k8s_sa_line_uri(r, &uri, line);
}


/* Returns 1 if the header is there once, or there is no name. */

static ngx_uint_t
ngx_http_k8s_sa_line_once(ngx_http_request_t *r, const ngx_str_t *name)
{
    ngx_table_elt_t  *h;

    if (name->len == 0) {
        return 1;
    }

    h = ngx_http_k8s_sa_next_header(r, name, NULL);

    return h && ngx_http_k8s_sa_next_header(r, name, h) == NULL;
}


/*
 * Removes "http://HOST" or "https://HOST".  What is left begins with "/", "?"
 * or "#", or is empty.
 */

static void
ngx_http_k8s_sa_line_relative(k8s_sa_str_t *uri)
{
    u_char  *p, *last;

    p = uri->data;
    last = p + uri->len;

    if (uri->len > 7 && ngx_strncasecmp(p, (u_char *) "http://", 7) == 0) {
        p += 7;

    } else if (uri->len > 8
               && ngx_strncasecmp(p, (u_char *) "https://", 8) == 0)
    {
        p += 8;

    } else {
        return;
    }

    while (p < last && *p != '/' && *p != '?' && *p != '#' && *p != '\\') {
        p++;
    }

    uri->data = p;
    uri->len = last - p;
}


static ngx_int_t
ngx_http_k8s_sa_line_uri(ngx_http_request_t *r, k8s_sa_str_t *uri,
    ngx_http_k8s_sa_line_t *line)
{
    u_char        *p;
    k8s_sa_str_t   raw;

    static u_char  decoded[K8S_SA_PATH_MAX];

    raw = *uri;

    p = ngx_strlchr(raw.data, raw.data + raw.len, '?');

    if (p) {
        raw.len = p - raw.data;

        line->query.data = p + 1;
        line->query.len = uri->len - raw.len - 1;
    }

    line->odd = k8s_sa_path_decode(&raw, decoded, &line->path);

    if (line->odd) {
        line->path.data = NULL;
        line->path.len = 0;

    } else if (line->path.data == decoded) {

        p = ngx_pnalloc(r->pool, line->path.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, decoded, line->path.len);
        line->path.data = p;
    }

    return NGX_OK;
}
