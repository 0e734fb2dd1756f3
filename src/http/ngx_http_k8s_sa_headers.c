#include "http/ngx_http_k8s_sa.h"


#define NGX_HTTP_K8S_SA_SPARE_HEADERS  8


static u_char ngx_http_k8s_sa_fold(u_char ch);


ngx_int_t
ngx_http_k8s_sa_drop_headers(ngx_http_request_t *r,
    ngx_http_k8s_sa_drop_pt drop, void *data)
{
    ngx_uint_t        i, n, dropped;
    ngx_list_t        kept;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *elt;

    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        n += part->nelts;
    }

    if (ngx_list_init(&kept, r->pool, n + NGX_HTTP_K8S_SA_SPARE_HEADERS,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    dropped = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (drop(r, &h[i], data)) {
                dropped = 1;
                continue;
            }

            elt = ngx_list_push(&kept);
            if (elt == NULL) {
                return NGX_ERROR;
            }

            *elt = h[i];
        }
    }

    if (dropped) {
        r->headers_in.headers = kept;
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_k8s_sa_is_protected(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_str_t *name)
{
    size_t                        n;
    ngx_uint_t                    i;
    ngx_http_k8s_sa_protected_t  *protected;

    if (!(mcf->lengths & 1ULL << ngx_min(name->len, 63))) {
        return 0;
    }

    protected = mcf->protected.elts;

    for (i = 0; i < mcf->protected.nelts; i++) {

        if (protected[i].name.len != name->len) {
            continue;
        }

        for (n = 0; n < name->len; n++) {
            if (ngx_http_k8s_sa_fold(protected[i].name.data[n])
                != ngx_http_k8s_sa_fold(name->data[n]))
            {
                break;
            }
        }

        if (n == name->len) {
            return 1;
        }
    }

    return 0;
}


/*
 * CGI makes "_" of "-" (RFC 3875 section 4.1.18), and some servers of every
 * character that is no letter or digit: all of these are one header to us.
 */

static u_char
ngx_http_k8s_sa_fold(u_char ch)
{
    if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')) {
        return ch;
    }

    if (ch >= 'A' && ch <= 'Z') {
        return ch | 0x20;
    }

    return '-';
}


ngx_int_t
ngx_http_k8s_sa_push_headers(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf)
{
    size_t                     n;
    ngx_str_t                  value;
    ngx_uint_t                 i;
    ngx_table_elt_t           *h;
    ngx_http_k8s_sa_header_t  *header;

    if (lcf->headers == NULL) {
        return NGX_OK;
    }

    header = lcf->headers->elts;

    for (i = 0; i < lcf->headers->nelts; i++) {

        if (ngx_http_complex_value(r, &header[i].value, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        if (value.len == 0) {
            continue;
        }

        for (n = 0; n < value.len; n++) {
            if ((value.data[n] < 0x20 && value.data[n] != '\t')
                || value.data[n] == 0x7f)
            {
                ngx_log_error(lcf->log_level, r->connection->log, 0,
                              "k8s_sa: value for header \"%V\" has a control "
                              "character", &header[i].name);
                return NGX_HTTP_BAD_REQUEST;
            }
        }

        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        h->hash = header[i].hash;
        h->key = header[i].name;
        h->lowcase_key = header[i].lowcase.data;
        h->value = value;
#if (nginx_version >= 1023000)
        h->next = NULL;
#endif
    }

    return NGX_OK;
}
