/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_identity_headers.h"


static ngx_int_t ngx_http_k8s_sa_push(ngx_http_request_t *r, ngx_list_t *list,
    ngx_str_t *name, ngx_str_t *lowcase, ngx_uint_t hash, u_char *data,
    size_t len);
static ngx_uint_t ngx_http_k8s_sa_fits(u_char *data, size_t len);
static ngx_int_t ngx_http_k8s_sa_push_front_proxy(ngx_http_request_t *r,
    k8s_sa_identity_t *id, ngx_list_t *list);
static ngx_int_t ngx_http_k8s_sa_push_extra(ngx_http_request_t *r,
    u_char *data, u_char *end, ngx_list_t *list);
static u_char *ngx_http_k8s_sa_escape_key(u_char *p, u_char *key, u_char *end);


ngx_int_t
ngx_http_k8s_sa_push_headers(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_list_t *list)
{
    ngx_int_t                  rc;
    ngx_str_t                  value;
    ngx_uint_t                 i;
    k8s_sa_str_t              *field;
    k8s_sa_identity_t         *id;
    ngx_http_k8s_sa_header_t  *header;

    if (lcf->front_proxy) {

        id = ngx_http_k8s_sa_identity(r, ctx);
        if (id == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_http_k8s_sa_push_front_proxy(r, id, list);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (lcf->headers == NULL) {
        return NGX_OK;
    }

    header = lcf->headers->elts;

    for (i = 0; i < lcf->headers->nelts; i++) {

        if (lcf->front_proxy && header[i].front_proxy) {
            continue;
        }

        /* the usual case: a string of the identity */

        if (header[i].field != NGX_DECLINED) {
            field = ngx_http_k8s_sa_identity_field(r, ctx, header[i].field);
            if (field == NULL) {
                return NGX_ERROR;
            }

            value.len = field->len;
            value.data = field->data;

        } else if (ngx_http_complex_value(r, &header[i].value, &value)
                   != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (value.len == 0) {
            continue;
        }

        rc = ngx_http_k8s_sa_push(r, list, &header[i].name,
                                  &header[i].lowcase, header[i].hash,
                                  value.data, value.len);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_push(ngx_http_request_t *r, ngx_list_t *list, ngx_str_t *name,
    ngx_str_t *lowcase, ngx_uint_t hash, u_char *data, size_t len)
{
    ngx_table_elt_t             *h;
    ngx_http_k8s_sa_loc_conf_t  *lcf;

    if (!ngx_http_k8s_sa_fits(data, len)) {
        lcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_module);

        ngx_log_error(lcf->log_level, r->connection->log, 0,
                      "k8s_sa: value for header \"%V\" has a control "
                      "character, or begins or ends with a blank", name);
        return NGX_HTTP_BAD_REQUEST;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa header added: \"%V\"", name);

    h = ngx_list_push(list);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = hash;
    h->key = *name;
    h->lowcase_key = lowcase->data;
    h->value.data = data;
    h->value.len = len;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


/*
 * RFC 9110 section 5.5.  A recipient strips white space around the value: "
 * admin" would become "admin".
 */

static ngx_uint_t
ngx_http_k8s_sa_fits(u_char *data, size_t len)
{
    size_t        i;
    k8s_sa_str_t  value;

    value.data = data;
    value.len = len;

    if (!k8s_sa_str_is_clean(&value)) {

        for (i = 0; i < len; i++) {
            if ((data[i] < 0x20 && data[i] != '\t') || data[i] == 0x7f) {
                return 0;
            }
        }
    }

    return len == 0
           || (data[0] != ' ' && data[0] != '\t'
               && data[len - 1] != ' ' && data[len - 1] != '\t');
}


/*
 * Adds what the API server expects from its front proxy: written as by
 * client-go's transport.SetAuthProxyHeaders(), read by
 * apiserver/pkg/authentication/request/headerrequest.
 */

static ngx_int_t
ngx_http_k8s_sa_push_front_proxy(ngx_http_request_t *r, k8s_sa_identity_t *id,
    ngx_list_t *list)
{
    u_char     *p, *last, *end;
    ngx_int_t   rc;
    ngx_uint_t  hash;

    static ngx_str_t  user = ngx_string("X-Remote-User");
    static ngx_str_t  user_lowcase = ngx_string("x-remote-user");
    static ngx_str_t  uid = ngx_string("X-Remote-Uid");
    static ngx_str_t  uid_lowcase = ngx_string("x-remote-uid");
    static ngx_str_t  group = ngx_string("X-Remote-Group");
    static ngx_str_t  group_lowcase = ngx_string("x-remote-group");

    hash = ngx_hash_key(user_lowcase.data, user_lowcase.len);

    rc = ngx_http_k8s_sa_push(r, list, &user, &user_lowcase, hash,
                              id->username.data, id->username.len);
    if (rc != NGX_OK) {
        return rc;
    }

    if (id->uid.len) {
        hash = ngx_hash_key(uid_lowcase.data, uid_lowcase.len);

        rc = ngx_http_k8s_sa_push(r, list, &uid, &uid_lowcase, hash,
                                  id->uid.data, id->uid.len);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    hash = ngx_hash_key(group_lowcase.data, group_lowcase.len);
    last = k8s_sa_str_end(&id->groups);

    for (p = id->groups.data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '\n');
        if (end == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_http_k8s_sa_push(r, list, &group, &group_lowcase, hash, p,
                                  end - p);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    last = k8s_sa_str_end(&id->extra);

    for (p = id->extra.data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '\n');
        if (end == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_http_k8s_sa_push_extra(r, p, end, list);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* Adds one value of the identity's extra: key "\t" value. */

static ngx_int_t
ngx_http_k8s_sa_push_extra(ngx_http_request_t *r, u_char *data, u_char *end,
    ngx_list_t *list)
{
    u_char    *tab, *p;
    ngx_str_t  name, lowcase;

    tab = ngx_strlchr(data, end, '\t');
    if (tab == NULL) {
        return NGX_ERROR;
    }

    name.data = ngx_pnalloc(r->pool, sizeof("X-Remote-Extra-") - 1
                                     + 3 * (tab - data));
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(name.data, "X-Remote-Extra-",
                   sizeof("X-Remote-Extra-") - 1);
    p = ngx_http_k8s_sa_escape_key(p, data, tab);

    name.len = p - name.data;

    lowcase.len = name.len;
    lowcase.data = ngx_pnalloc(r->pool, name.len);
    if (lowcase.data == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_k8s_sa_push(r, list, &name, &lowcase,
                                ngx_hash_strlow(lowcase.data, name.data,
                                                name.len),
                                tab + 1, end - tab - 1);
}


/*
 * The API server makes the name lower-case and then decodes "%": upper-case
 * letters are escaped, too, so that they are preserved.
 */

static u_char *
ngx_http_k8s_sa_escape_key(u_char *p, u_char *key, u_char *end)
{
    static u_char  legal[] = "!#$&'*+-.^_`|~";    /* RFC 9110 section 5.6.2 */

    for ( /* void */ ; key < end; key++) {

        if ((*key >= 'a' && *key <= 'z') || (*key >= '0' && *key <= '9')
            || ngx_strchr(legal, *key))
        {
            *p++ = *key;

        } else {
            p = ngx_sprintf(p, "%%%02xd", *key);
        }
    }

    return p;
}
