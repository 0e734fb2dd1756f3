/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_headers.h"
#include "conf/ngx_http_k8s_sa_conf.h"
#include "http/ngx_http_k8s_sa_headers.h"
#include "http/ngx_http_k8s_sa_variables.h"


static ngx_int_t ngx_http_k8s_sa_conf_headers_protect(
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_str_t *name, ngx_uint_t prefix);
static ngx_int_t ngx_http_k8s_sa_conf_headers_add(ngx_conf_t *cf,
    ngx_array_t *headers, ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_http_k8s_sa_conf_headers_valid_name(ngx_str_t *s);


/*
 * The headers of Kubernetes' authenticating proxies.  All of them are always
 * protected: a service that trusts one of them trusts the others, too.
 */

static ngx_http_k8s_sa_protected_t  ngx_http_k8s_sa_front_proxy_headers[] = {
    { ngx_string("x-remote-user"), 0 },
    { ngx_string("x-remote-uid"), 0 },
    { ngx_string("x-remote-group"), 0 },
    { ngx_string("x-remote-extra-"), 1 }
};

#define NGX_HTTP_K8S_SA_FRONT_PROXY_HEADERS                                   \
    (sizeof(ngx_http_k8s_sa_front_proxy_headers)                              \
     / sizeof(ngx_http_k8s_sa_protected_t))


/* headers that delimit or route a message: never identity headers */

static ngx_http_k8s_sa_protected_t  ngx_http_k8s_sa_reserved_headers[] = {
    { ngx_string("connection"), 0 },
    { ngx_string("content-length"), 0 },
    { ngx_string("expect"), 0 },
    { ngx_string("host"), 0 },
    { ngx_string("keep-alive"), 0 },
    { ngx_string("te"), 0 },
    { ngx_string("trailer"), 0 },
    { ngx_string("transfer-encoding"), 0 },
    { ngx_string("upgrade"), 0 }
};

#define NGX_HTTP_K8S_SA_RESERVED_HEADERS                                      \
    (sizeof(ngx_http_k8s_sa_reserved_headers)                                 \
     / sizeof(ngx_http_k8s_sa_protected_t))


ngx_int_t
ngx_http_k8s_sa_conf_headers_init(ngx_http_k8s_sa_main_conf_t *mcf)
{
    ngx_uint_t                    i;
    ngx_http_k8s_sa_protected_t  *p;

    p = ngx_http_k8s_sa_front_proxy_headers;

    for (i = 0; i < NGX_HTTP_K8S_SA_FRONT_PROXY_HEADERS; i++) {
        if (ngx_http_k8s_sa_conf_headers_protect(mcf, &p[i].name, p[i].prefix)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


char *
ngx_http_k8s_sa_conf_set_header(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t  *lcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (lcf->headers == NULL) {
        return "cannot be combined with \"off\"";
    }

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "off") != 0) {
            return "has no value";
        }

        if (lcf->headers != NGX_CONF_UNSET_PTR) {
            return "cannot be combined with \"off\"";
        }

        lcf->headers = NULL;
        return NGX_CONF_OK;
    }

    if (!ngx_http_k8s_sa_conf_headers_valid_name(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid header name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_k8s_sa_header_matches(&value[1],
                                       ngx_http_k8s_sa_reserved_headers,
                                       NGX_HTTP_K8S_SA_RESERVED_HEADERS))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "header \"%V\" cannot carry an identity",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (lcf->headers == NGX_CONF_UNSET_PTR) {
        lcf->headers = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_http_k8s_sa_header_t));
        if (lcf->headers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_k8s_sa_conf_headers_add(cf, lcf->headers, &value[1],
                                         &value[2])
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_k8s_sa_conf_headers_default(ngx_conf_t *cf,
    ngx_http_k8s_sa_loc_conf_t *conf)
{
    static ngx_str_t  name = ngx_string("X-Remote-User");
    static ngx_str_t  value = ngx_string("$k8s_sa_username");

    conf->headers = ngx_array_create(cf->pool, 1,
                                     sizeof(ngx_http_k8s_sa_header_t));
    if (conf->headers == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_k8s_sa_conf_headers_add(cf, conf->headers, &name, &value);
}


static ngx_int_t
ngx_http_k8s_sa_conf_headers_add(ngx_conf_t *cf, ngx_array_t *headers,
    ngx_str_t *name, ngx_str_t *value)
{
    ngx_http_k8s_sa_header_t          *h;
    ngx_http_k8s_sa_main_conf_t       *mcf;
    ngx_http_compile_complex_value_t   ccv;

    h = ngx_array_push(headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->name = *name;
    h->lowcase.len = name->len;
    h->lowcase.data = ngx_pnalloc(cf->pool, name->len);
    if (h->lowcase.data == NULL) {
        return NGX_ERROR;
    }

    h->hash = ngx_hash_strlow(h->lowcase.data, name->data, name->len);
    h->field = ngx_http_k8s_sa_field_of(value);
    h->front_proxy = ngx_http_k8s_sa_header_matches(name,
                                      ngx_http_k8s_sa_front_proxy_headers,
                                      NGX_HTTP_K8S_SA_FRONT_PROXY_HEADERS);

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = &h->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);

    return ngx_http_k8s_sa_conf_headers_protect(mcf, name, 0);
}


static ngx_int_t
ngx_http_k8s_sa_conf_headers_protect(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_str_t *name, ngx_uint_t prefix)
{
    ngx_http_k8s_sa_protected_t  *protected;

    if (ngx_http_k8s_sa_is_protected(mcf, name)) {
        return NGX_OK;
    }

    protected = ngx_array_push(&mcf->protected);
    if (protected == NULL) {
        return NGX_ERROR;
    }

    protected->name = *name;
    protected->prefix = prefix;

    mcf->lengths |= (prefix ? ~0ULL : 1ULL) << ngx_min(name->len, 63);

    /* other characters than letters and digits match each other */

    mcf->initials |= isalnum(name->data[0]) ? ngx_http_k8s_sa_initial(name)
                                            : ~0ULL;

    return NGX_OK;
}


/* a token, RFC 9110 section 5.6.2 */

static ngx_uint_t
ngx_http_k8s_sa_conf_headers_valid_name(ngx_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] <= 0x20 || s->data[i] >= 0x7f
            || ngx_strchr("\"(),/:;<=>?@[\\]{}", s->data[i]))
        {
            return 0;
        }
    }

    return s->len != 0;
}
