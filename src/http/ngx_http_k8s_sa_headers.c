/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_headers.h"


#define NGX_HTTP_K8S_SA_SPARE_HEADERS  8


/* A header that r->headers_in points to and that variables read there. */

typedef struct {
    ngx_str_t   name;
    size_t      offset;
    ngx_uint_t  lines;     /* before nginx 1.23.0: 1 for an array */
} ngx_http_k8s_sa_field_t;


static ngx_uint_t ngx_http_k8s_sa_field_bit(ngx_table_elt_t *h);
static ngx_uint_t ngx_http_k8s_sa_is_field(
    const ngx_http_k8s_sa_field_t *field, ngx_table_elt_t *h);
static ngx_int_t ngx_http_k8s_sa_link_field(ngx_http_request_t *r,
    const ngx_http_k8s_sa_field_t *field);
static ngx_int_t ngx_http_k8s_sa_keep_before(ngx_http_request_t *r,
    ngx_list_t *kept, ngx_table_elt_t *end);
static ngx_uint_t ngx_http_k8s_sa_is_name(u_char ch);
static ngx_uint_t ngx_http_k8s_sa_same_name(u_char *data,
    const ngx_str_t *name);
static u_char ngx_http_k8s_sa_fold(u_char ch);


#define ngx_http_k8s_sa_headers_in(name, field, lines)                        \
    { ngx_string(name), offsetof(ngx_http_headers_in_t, field), lines }


static const ngx_http_k8s_sa_field_t  ngx_http_k8s_sa_fields[] = {
    ngx_http_k8s_sa_headers_in("authorization", authorization, 0),
    ngx_http_k8s_sa_headers_in("user-agent", user_agent, 0),
    ngx_http_k8s_sa_headers_in("referer", referer, 0),
#if (NGX_HTTP_GZIP || NGX_HTTP_HEADERS)
    ngx_http_k8s_sa_headers_in("via", via, 0),
#endif
#if (NGX_HTTP_X_FORWARDED_FOR)
    ngx_http_k8s_sa_headers_in("x-forwarded-for", x_forwarded_for, 1),
#endif
#if (nginx_version >= 1023000)
    ngx_http_k8s_sa_headers_in("cookie", cookie, 1),
#else
    ngx_http_k8s_sa_headers_in("cookie", cookies, 1),
#endif
    { ngx_null_string, 0, 0 }
};


ngx_int_t
ngx_http_k8s_sa_headers_start(ngx_cycle_t *cycle,
    ngx_http_k8s_sa_main_conf_t *mcf)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i, *index;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    static ngx_str_t  forwarded = ngx_string("proxy_add_x_forwarded_for");

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);
    v = cmcf->variables.elts;

    if (ngx_array_init(&mcf->header_vars, cycle->pool, 8, sizeof(ngx_uint_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < cmcf->variables.nelts; i++) {
        name = &v[i].name;

        /* "set $http_foo" makes a variable that has nothing to do with it */

        if (v[i].flags & NGX_HTTP_VAR_CHANGEABLE) {
            continue;
        }

        if ((name->len > 5 && ngx_strncmp(name->data, "http_", 5) == 0)
            || (name->len > 7 && ngx_strncmp(name->data, "cookie_", 7) == 0)
            || (name->len == forwarded.len
                && ngx_strncmp(name->data, forwarded.data, forwarded.len)
                   == 0))
        {
            index = ngx_array_push(&mcf->header_vars);
            if (index == NULL) {
                return NGX_ERROR;
            }

            *index = i;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_k8s_sa_filter_headers(ngx_http_request_t *r,
    ngx_http_k8s_sa_filter_pt filter, void *data)
{
    ngx_int_t         rc;
    ngx_str_t         value;
    ngx_uint_t        i, n, changed;
    ngx_list_t        list, *kept;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *elt;

    kept = NULL;
    changed = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            rc = filter(r, &h[i], &value, data);

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            if (rc == NGX_OK) {

                if (kept == NULL) {
                    continue;
                }

                value = h[i].value;

            } else {

                /* the list is not copied before the first change */

                if (kept == NULL
                    && ngx_http_k8s_sa_keep_before(r, &list, &h[i]) != NGX_OK)
                {
                    return NGX_ERROR;
                }

                kept = &list;
                changed |= ngx_http_k8s_sa_field_bit(&h[i]);

                if (rc == NGX_DECLINED) {
                    continue;
                }
            }

            elt = ngx_list_push(kept);
            if (elt == NULL) {
                return NGX_ERROR;
            }

            *elt = h[i];
            elt->value = value;
        }
    }

    if (kept == NULL) {
        return NGX_OK;
    }

    r->headers_in.headers = *kept;
    r->headers_in.headers.last = &r->headers_in.headers.part;

    ngx_http_k8s_sa_reset_variables(r);

    for (n = 0; changed; changed >>= 1, n++) {
        if ((changed & 1)
            && ngx_http_k8s_sa_link_field(r, &ngx_http_k8s_sa_fields[n])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_k8s_sa_restore_header(ngx_http_request_t *r, ngx_table_elt_t *header)
{
    ngx_uint_t        n, bit;
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = *header;

    ngx_http_k8s_sa_reset_variables(r);

    bit = ngx_http_k8s_sa_field_bit(h);

    for (n = 0; bit; bit >>= 1, n++) {
        if (bit & 1) {
            return ngx_http_k8s_sa_link_field(r, &ngx_http_k8s_sa_fields[n]);
        }
    }

    return NGX_OK;
}


void
ngx_http_k8s_sa_reset_variables(ngx_http_request_t *r)
{
    ngx_uint_t                    i, *index;
    ngx_http_variable_value_t    *v;
    ngx_http_k8s_sa_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_k8s_sa_module);
    index = mcf->header_vars.elts;

    for (i = 0; i < mcf->header_vars.nelts; i++) {
        v = &r->variables[index[i]];

        v->valid = 0;
        v->not_found = 0;
    }
}


/* Returns the bit of a header that r->headers_in points to, or 0. */

static ngx_uint_t
ngx_http_k8s_sa_field_bit(ngx_table_elt_t *h)
{
    ngx_uint_t  n;

    for (n = 0; ngx_http_k8s_sa_fields[n].name.len; n++) {
        if (ngx_http_k8s_sa_is_field(&ngx_http_k8s_sa_fields[n], h)) {
            return 1 << n;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_k8s_sa_is_field(const ngx_http_k8s_sa_field_t *field,
    ngx_table_elt_t *h)
{
    return h->key.len == field->name.len && h->lowcase_key
           && ngx_memcmp(h->lowcase_key, field->name.data, h->key.len) == 0;
}


/* Lets r->headers_in point to what the list has now. */

static ngx_int_t
ngx_http_k8s_sa_link_field(ngx_http_request_t *r,
    const ngx_http_k8s_sa_field_t *field)
{
    ngx_uint_t         i;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h, **last;
#if (nginx_version < 1023000)
    ngx_array_t       *lines;
#endif

    last = (ngx_table_elt_t **) ((u_char *) &r->headers_in + field->offset);

#if (nginx_version < 1023000)

    /* a new array: a subrequest shares the main request's */

    lines = (ngx_array_t *) last;

    if (field->lines) {
        if (ngx_array_init(lines, r->pool, 2, sizeof(ngx_table_elt_t *))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else {
        *last = NULL;
    }

#else
    *last = NULL;
#endif

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_k8s_sa_is_field(field, &h[i])) {
                continue;
            }

#if (nginx_version < 1023000)

            if (field->lines) {
                last = ngx_array_push(lines);
                if (last == NULL) {
                    return NGX_ERROR;
                }

                *last = &h[i];

            } else if (*last == NULL) {
                *last = &h[i];
            }

#else
            *last = &h[i];
            h[i].next = NULL;
            last = &h[i].next;
#endif
        }
    }

    return NGX_OK;
}


/*
 * Makes a list with room for all headers and some more, and copies those
 * before end.
 */

static ngx_int_t
ngx_http_k8s_sa_keep_before(ngx_http_request_t *r, ngx_list_t *kept,
    ngx_table_elt_t *end)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *elt;

    n = NGX_HTTP_K8S_SA_SPARE_HEADERS;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        n += part->nelts;
    }

    if (ngx_list_init(kept, r->pool, n, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (&h[i] == end) {
                return NGX_OK;
            }

            elt = ngx_list_push(kept);
            if (elt == NULL) {
                return NGX_ERROR;
            }

            *elt = h[i];
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_k8s_sa_connection_names(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_table_elt_t *h)
{
    u_char     *p, *last;
    ngx_str_t   name;

    if (ngx_strncasecmp(h->key.data, (u_char *) "connection",
                        sizeof("connection") - 1)
        != 0)
    {
        return 0;
    }

    p = h->value.data;
    last = h->value.data + h->value.len;

    while (p < last) {

        name.data = p;

        while (p < last && ngx_http_k8s_sa_is_name(*p)) {
            p++;
        }

        name.len = p++ - name.data;

        if (name.len && ngx_http_k8s_sa_is_protected(mcf, &name)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Returns 1 for a character of a header's name (RFC 9110 section 5.6.2).  The
 * others separate names in a Connection header: "," does, but Apache accepts
 * ";", too, and other white space.
 */

static ngx_uint_t
ngx_http_k8s_sa_is_name(u_char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
           || (ch >= '0' && ch <= '9')
           || (ch && ngx_strchr("!#$%&'*+-.^_`|~", ch));
}


ngx_uint_t
ngx_http_k8s_sa_has_spoof(ngx_http_request_t *r,
    ngx_http_k8s_sa_main_conf_t *mcf)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_k8s_sa_is_spoof(mcf, &h[i])) {
                return 1;
            }
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_k8s_sa_header_matches(ngx_str_t *name,
    const ngx_http_k8s_sa_protected_t *list, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {

        if (name->len != list[i].name.len
            && !(list[i].prefix && name->len > list[i].name.len))
        {
            continue;
        }

        if (ngx_http_k8s_sa_same_name(name->data, &list[i].name)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_k8s_sa_same_name(u_char *data, const ngx_str_t *name)
{
    size_t  i;

    for (i = 0; i < name->len; i++) {
        if (ngx_http_k8s_sa_fold(data[i])
            != ngx_http_k8s_sa_fold(name->data[i]))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * CGI maps "-" to "_" (RFC 3875 section 4.1.18), some servers every character
 * but letters and digits: names that differ only there are the same header
 * here.
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
