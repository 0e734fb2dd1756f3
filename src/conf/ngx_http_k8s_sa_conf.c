/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf.h"
#include "http/ngx_http_k8s_sa_front.h"
#include "http/ngx_http_k8s_sa_headers.h"
#include "http/ngx_http_k8s_sa_variables.h"


static ngx_int_t ngx_http_k8s_sa_protect(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_str_t *name, ngx_uint_t prefix);
static ngx_int_t ngx_http_k8s_sa_add_header(ngx_conf_t *cf,
    ngx_array_t *headers, ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_k8s_sa_default_headers(ngx_conf_t *cf,
    ngx_http_k8s_sa_loc_conf_t *conf);
static ngx_int_t ngx_http_k8s_sa_only_variable(ngx_conf_t *cf,
    ngx_str_t *value);
static ngx_uint_t ngx_http_k8s_sa_reads_args(ngx_str_t *value);
static ngx_uint_t ngx_http_k8s_sa_is_token(ngx_str_t *s);


/*
 * What Kubernetes' front proxies send.  Always protected, all of them: whoever
 * trusts one of these headers trusts the others, too.
 */

static ngx_http_k8s_sa_protected_t  ngx_http_k8s_sa_front_proxy[] = {
    { ngx_string("x-remote-user"), 0 },
    { ngx_string("x-remote-uid"), 0 },
    { ngx_string("x-remote-group"), 0 },
    { ngx_string("x-remote-extra-"), 1 }
};

#define NGX_HTTP_K8S_SA_FRONT_PROXY                                           \
    (sizeof(ngx_http_k8s_sa_front_proxy)                                      \
     / sizeof(ngx_http_k8s_sa_protected_t))


/* headers that frame the message or route it: no identity belongs there */

static ngx_http_k8s_sa_protected_t  ngx_http_k8s_sa_reserved[] = {
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

#define NGX_HTTP_K8S_SA_RESERVED                                              \
    (sizeof(ngx_http_k8s_sa_reserved) / sizeof(ngx_http_k8s_sa_protected_t))


void *
ngx_http_k8s_sa_create_main_conf(ngx_conf_t *cf)
{
    ngx_uint_t                    i;
    ngx_http_k8s_sa_protected_t  *p;
    ngx_http_k8s_sa_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mcf->issuers, cf->pool, 4,
                       sizeof(ngx_http_k8s_sa_named_issuer_t *))
        != NGX_OK
        || ngx_array_init(&mcf->auths, cf->pool, 4,
                          sizeof(ngx_http_k8s_sa_auth_t *))
           != NGX_OK
        || ngx_array_init(&mcf->watches, cf->pool, 4,
                          sizeof(ngx_k8s_sa_watch_t *))
           != NGX_OK
        || ngx_array_init(&mcf->protected, cf->pool, 4,
                          sizeof(ngx_http_k8s_sa_protected_t))
           != NGX_OK)
    {
        return NULL;
    }

    p = ngx_http_k8s_sa_front_proxy;

    for (i = 0; i < NGX_HTTP_K8S_SA_FRONT_PROXY; i++) {
        if (ngx_http_k8s_sa_protect(mcf, &p[i].name, p[i].prefix) != NGX_OK) {
            return NULL;
        }
    }

    return mcf;
}


char *
ngx_http_k8s_sa_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_k8s_sa_main_conf_t  *mcf = conf;

    ngx_uint_t                      i;
    ngx_http_k8s_sa_auth_t        **auth;
    ngx_http_k8s_sa_named_issuer_t  **ref;

    if (mcf->issuers.nelts == 0) {
        return NGX_CONF_OK;
    }

    if (mcf->zone_name.len == 0) {
        ngx_str_set(&mcf->zone_name, "k8s_sa");
        mcf->zone_size = 8 * 1024 * 1024;
    }

    mcf->zone = ngx_k8s_sa_zone_add(cf, &mcf->zone_name, mcf->zone_size,
                                    &ngx_http_k8s_sa_module);
    if (mcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    ref = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {

        if (ref[i]->issuer == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown issuer \"%V\" in %s:%ui",
                          &ref[i]->name, ref[i]->file, ref[i]->line);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_k8s_sa_issuer_complete(cf, ref[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    auth = mcf->auths.elts;

    for (i = 0; i < mcf->auths.nelts; i++) {
        if (ngx_http_k8s_sa_auth_digest(auth[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_k8s_sa_front_init(cf, mcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void *
ngx_http_k8s_sa_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_srv_conf_t));
}


void *
ngx_http_k8s_sa_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_k8s_sa_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->auth = NGX_CONF_UNSET_PTR;
    conf->optional = NGX_CONF_UNSET;
    conf->token = NGX_CONF_UNSET_PTR;
    conf->token_in_args = NGX_CONF_UNSET;
    conf->forward_token = NGX_CONF_UNSET;
    conf->headers = NGX_CONF_UNSET_PTR;
    conf->log_level = NGX_CONF_UNSET_UINT;
    conf->allow = NGX_CONF_UNSET_PTR;
    conf->require = NGX_CONF_UNSET_PTR;
    conf->dry_run = NGX_CONF_UNSET;
    conf->front_proxy = NGX_CONF_UNSET;

    return conf;
}


char *
ngx_http_k8s_sa_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_k8s_sa_loc_conf_t  *prev = parent;
    ngx_http_k8s_sa_loc_conf_t  *conf = child;

    ngx_http_k8s_sa_srv_conf_t  *scf;

    if (conf->token_file == NULL) {
        conf->token_file = prev->token_file;
        conf->token_line = prev->token_line;
    }

    ngx_conf_merge_ptr_value(conf->auth, prev->auth, NULL);
    ngx_conf_merge_value(conf->optional, prev->optional, 0);
    ngx_conf_merge_ptr_value(conf->token, prev->token, NULL);
    ngx_conf_merge_value(conf->token_in_args, prev->token_in_args, 0);
    ngx_conf_merge_value(conf->forward_token, prev->forward_token, 0);
    ngx_conf_merge_str_value(conf->realm, prev->realm,
                             "Bearer realm=\"kubernetes\"");
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level, NGX_LOG_WARN);
    ngx_conf_merge_ptr_value(conf->allow, prev->allow, NULL);
    ngx_conf_merge_ptr_value(conf->require, prev->require, NULL);
    ngx_conf_merge_value(conf->dry_run, prev->dry_run, 0);
    ngx_conf_merge_value(conf->front_proxy, prev->front_proxy, 0);

    if (conf->headers == NGX_CONF_UNSET_PTR) {

        if (prev->headers == NGX_CONF_UNSET_PTR
            && ngx_http_k8s_sa_default_headers(cf, prev) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        conf->headers = prev->headers;
    }

    if (conf->auth == NULL) {
        return NGX_CONF_OK;
    }

    if (conf->token_in_args && !conf->forward_token) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"k8s_sa_token\" takes the token from the request's "
                      "arguments, where it cannot be withheld from the "
                      "upstream: \"k8s_sa_forward_token on\" is required "
                      "in %s:%ui", conf->token_file, conf->token_line);
        return NGX_CONF_ERROR;
    }

    scf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_k8s_sa_module);
    scf->used = 1;

    return NGX_CONF_OK;
}


ngx_http_k8s_sa_named_issuer_t *
ngx_http_k8s_sa_named_issuer(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                      i;
    ngx_http_k8s_sa_main_conf_t    *mcf;
    ngx_http_k8s_sa_named_issuer_t  **ref;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);
    ref = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        if (ref[i]->name.len == name->len
            && ngx_memcmp(ref[i]->name.data, name->data, name->len) == 0)
        {
            return ref[i];
        }
    }

    ref = ngx_array_push(&mcf->issuers);
    if (ref == NULL) {
        return NULL;
    }

    *ref = ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_named_issuer_t));
    if (*ref == NULL) {
        return NULL;
    }

    (*ref)->name = *name;
    (*ref)->file = cf->conf_file->file.name.data;
    (*ref)->line = cf->conf_file->line;

    return *ref;
}


char *
ngx_http_k8s_sa_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_main_conf_t *mcf = conf;

    u_char     *p;
    ngx_str_t  *value, size;

    if (mcf->zone_name.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    p = (u_char *) ngx_strchr(value[1].data, ':');

    if (p == NULL || p == value[1].data) {
        goto invalid;
    }

    size.data = p + 1;
    size.len = value[1].data + value[1].len - size.data;

    mcf->zone_size = ngx_parse_size(&size);
    if (mcf->zone_size == NGX_ERROR) {
        goto invalid;
    }

    mcf->zone_name.data = value[1].data;
    mcf->zone_name.len = p - value[1].data;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid zone \"%V\"", &value[1]);
    return NGX_CONF_ERROR;
}


char *
ngx_http_k8s_sa_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t  *lcf = conf;

    ngx_str_t                      *value;
    ngx_uint_t                      i, n, last;
    ngx_http_k8s_sa_auth_t         *auth, **slot;
    ngx_http_k8s_sa_main_conf_t    *mcf;
    ngx_http_k8s_sa_named_issuer_t   *ref, **refs;

    if (lcf->auth != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;
    last = cf->args->nelts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (last != 2) {
            return "has parameters behind \"off\"";
        }

        lcf->auth = NULL;
        return NGX_CONF_OK;
    }

    lcf->optional = 0;

    if (last > 2 && ngx_strcmp(value[last - 1].data, "optional") == 0) {
        lcf->optional = 1;
        last--;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);

    auth = ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_auth_t));
    slot = ngx_array_push(&mcf->auths);

    if (auth == NULL || slot == NULL
        || ngx_array_init(&auth->issuers, cf->pool, last - 1,
                          sizeof(ngx_http_k8s_sa_named_issuer_t *))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    *slot = auth;
    lcf->auth = auth;

    for (i = 1; i < last; i++) {

        if (ngx_strcmp(value[i].data, "off") == 0
            || ngx_strcmp(value[i].data, "optional") == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid issuer name \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        ref = ngx_http_k8s_sa_named_issuer(cf, &value[i]);
        if (ref == NULL) {
            return NGX_CONF_ERROR;
        }

        refs = auth->issuers.elts;

        for (n = 0; n < auth->issuers.nelts; n++) {
            if (refs[n] == ref) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate issuer \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        refs = ngx_array_push(&auth->issuers);
        if (refs == NULL) {
            return NGX_CONF_ERROR;
        }

        *refs = ref;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_k8s_sa_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t  *lcf = conf;

    ngx_str_t                         *value;
    ngx_http_compile_complex_value_t   ccv;

    if (lcf->token != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    lcf->token_file = cf->conf_file->file.name.data;
    lcf->token_line = cf->conf_file->line;

    value = cf->args->elts;

    if (ngx_strcasecmp(value[1].data, (u_char *) "Authorization") == 0) {
        lcf->token = NULL;
        lcf->token_in_args = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strchr(value[1].data, '$') == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\": neither \"Authorization\" "
                           "nor a string with a variable", &value[1]);
        return NGX_CONF_ERROR;
    }

    lcf->token = ngx_palloc(cf->pool, sizeof(ngx_http_k8s_sa_source_t));
    if (lcf->token == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = &lcf->token->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    lcf->token->index = ngx_http_k8s_sa_only_variable(cf, &value[1]);
    if (lcf->token->index == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    lcf->token_in_args = ngx_http_k8s_sa_reads_args(&value[1]);

    return NGX_CONF_OK;
}


/* the index of $NAME or ${NAME}; NGX_DECLINED if value is something else */

static ngx_int_t
ngx_http_k8s_sa_only_variable(ngx_conf_t *cf, ngx_str_t *value)
{
    u_char     ch;
    size_t     i;
    ngx_str_t  name;

    name.data = value->data + 1;
    name.len = value->len - 1;

    if (name.len > 2 && name.data[0] == '{' && name.data[name.len - 1] == '}')
    {
        name.data++;
        name.len -= 2;
    }

    for (i = 0; i < name.len; i++) {
        ch = name.data[i];

        /* $1 is no variable, but a capture */

        if (!((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') && ch != '_'
            && !(i && ch >= '0' && ch <= '9'))
        {
            return NGX_DECLINED;
        }
    }

    if (value->data[0] != '$' || name.len == 0) {
        return NGX_DECLINED;
    }

    return ngx_http_get_variable_index(cf, &name);
}


/* $arg_NAME, $args and the other variables that hold them */

static ngx_uint_t
ngx_http_k8s_sa_reads_args(ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t  *name;

    static ngx_str_t  names[] = {
        ngx_string("arg"),
        ngx_string("query_string"),
        ngx_string("request_uri"),
        ngx_null_string
    };

    for (p = value->data; *p; p++) {

        if (*p != '$') {
            continue;
        }

        if (p[1] == '{') {
            p++;
        }

        for (name = names; name->len; name++) {
            if (ngx_strncmp(p + 1, name->data, name->len) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


char *
ngx_http_k8s_sa_realm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t  *lcf = conf;

    u_char      *p;
    size_t       i;
    ngx_str_t   *value;

    if (lcf->realm.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    /* a quoted-string, RFC 9110 section 5.6.4 */

    lcf->realm.data = ngx_pnalloc(cf->pool, sizeof("Bearer realm=\"\"") - 1
                                            + 2 * value[1].len);
    if (lcf->realm.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(lcf->realm.data, "Bearer realm=\"",
                   sizeof("Bearer realm=\"") - 1);

    for (i = 0; i < value[1].len; i++) {

        if (value[1].data[i] < 0x20 || value[1].data[i] == 0x7f) {
            return "has a control character";
        }

        if (value[1].data[i] == '"' || value[1].data[i] == '\\') {
            *p++ = '\\';
        }

        *p++ = value[1].data[i];
    }

    *p++ = '"';

    lcf->realm.len = p - lcf->realm.data;

    return NGX_CONF_OK;
}


char *
ngx_http_k8s_sa_set_header(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t  *lcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (lcf->headers == NULL) {
        return "is used together with \"off\"";
    }

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "off") != 0) {
            return "has no value";
        }

        if (lcf->headers != NGX_CONF_UNSET_PTR) {
            return "is used together with \"off\"";
        }

        lcf->headers = NULL;
        return NGX_CONF_OK;
    }

    if (!ngx_http_k8s_sa_is_token(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid header name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_k8s_sa_header_matches(&value[1], ngx_http_k8s_sa_reserved,
                                       NGX_HTTP_K8S_SA_RESERVED))
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

    if (ngx_http_k8s_sa_add_header(cf, lcf->headers, &value[1], &value[2])
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_k8s_sa_default_headers(ngx_conf_t *cf,
    ngx_http_k8s_sa_loc_conf_t *conf)
{
    static ngx_str_t  name = ngx_string("X-Remote-User");
    static ngx_str_t  value = ngx_string("$k8s_sa_username");

    conf->headers = ngx_array_create(cf->pool, 1,
                                     sizeof(ngx_http_k8s_sa_header_t));
    if (conf->headers == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_k8s_sa_add_header(cf, conf->headers, &name, &value);
}


static ngx_int_t
ngx_http_k8s_sa_add_header(ngx_conf_t *cf, ngx_array_t *headers,
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
                                                ngx_http_k8s_sa_front_proxy,
                                                NGX_HTTP_K8S_SA_FRONT_PROXY);

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = &h->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);

    return ngx_http_k8s_sa_protect(mcf, name, 0);
}


static ngx_int_t
ngx_http_k8s_sa_protect(ngx_http_k8s_sa_main_conf_t *mcf, ngx_str_t *name,
    ngx_uint_t prefix)
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

    return NGX_OK;
}


/* token of RFC 9110 section 5.6.2 */

static ngx_uint_t
ngx_http_k8s_sa_is_token(ngx_str_t *s)
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
