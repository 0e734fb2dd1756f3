/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_token.h"


typedef struct {
    ngx_str_t   name;
    ngx_uint_t  prefix;     /* 1: all names that begin so */
} ngx_http_k8s_sa_conf_token_name_t;


static ngx_int_t ngx_http_k8s_sa_conf_token_only_variable(ngx_conf_t *cf,
    ngx_str_t *value);
static ngx_uint_t ngx_http_k8s_sa_conf_token_reads(ngx_str_t *value,
    const ngx_http_k8s_sa_conf_token_name_t *name);


/* variables that contain what the client sent in the request line */

static const ngx_http_k8s_sa_conf_token_name_t
    ngx_http_k8s_sa_conf_token_uri[] =
{
    { ngx_string("arg_"), 1 },
    { ngx_string("args"), 0 },
    { ngx_string("document_uri"), 0 },
    { ngx_string("query_string"), 0 },
    { ngx_string("request"), 0 },
    { ngx_string("request_uri"), 0 },
    { ngx_string("uri"), 0 },
    { ngx_null_string, 0 }
};


/* variables that are computed from the token */

static const ngx_http_k8s_sa_conf_token_name_t
    ngx_http_k8s_sa_conf_token_own[] =
{
    { ngx_string("k8s_sa_"), 1 },
    { ngx_null_string, 0 }
};


char *
ngx_http_k8s_sa_conf_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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
        lcf->token_in_uri = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strchr(value[1].data, '$') == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\": neither \"Authorization\" "
                           "nor a string with a variable", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_k8s_sa_conf_token_reads(&value[1],
                                         ngx_http_k8s_sa_conf_token_own))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\": variables of the module "
                           "are computed from the token", &value[1]);
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

    lcf->token->index = ngx_http_k8s_sa_conf_token_only_variable(cf,
                                                                 &value[1]);
    if (lcf->token->index == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    lcf->token_in_uri = ngx_http_k8s_sa_conf_token_reads(&value[1],
                                           ngx_http_k8s_sa_conf_token_uri);

    return NGX_CONF_OK;
}


/*
 * Returns the index of the variable if value is just $NAME or ${NAME}, and
 * otherwise NGX_DECLINED; NGX_ERROR without memory.
 */

static ngx_int_t
ngx_http_k8s_sa_conf_token_only_variable(ngx_conf_t *cf, ngx_str_t *value)
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

        /* a name starts with a letter or "_": $1 is a capture */

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


/*
 * Returns 1 if value has a variable that one of the names matches, otherwise
 * 0.
 */

static ngx_uint_t
ngx_http_k8s_sa_conf_token_reads(ngx_str_t *value,
    const ngx_http_k8s_sa_conf_token_name_t *name)
{
    u_char                                   *p;
    size_t                                    n;
    const ngx_http_k8s_sa_conf_token_name_t  *i;

    for (p = value->data; *p; p++) {

        if (*p != '$') {
            continue;
        }

        if (p[1] == '{') {
            p++;
        }

        n = strspn((char *) p + 1, "abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_");

        for (i = name; i->name.len; i++) {

            if ((n == i->name.len || (i->prefix && n > i->name.len))
                && ngx_strncasecmp(p + 1, i->name.data, i->name.len) == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}
