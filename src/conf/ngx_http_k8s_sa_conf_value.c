/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_value.h"


static ngx_uint_t ngx_http_k8s_sa_conf_value_has_variable(ngx_str_t *value);


ngx_int_t
ngx_http_k8s_sa_conf_value_is_plain(ngx_conf_t *cf)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_k8s_sa_conf_value_has_variable(&value[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\" directive: "
                               "variables are not evaluated here",
                               &value[i], &value[0]);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_k8s_sa_conf_value_has_variable(ngx_str_t *value)
{
    size_t  i;
    u_char  ch;

    for (i = 0; i + 1 < value->len; i++) {

        if (value->data[i] != '$') {
            continue;
        }

        ch = value->data[i + 1];

        if (ch == '{' || ch == '_'
            || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z'))
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_k8s_sa_conf_value_is_word(ngx_str_t *value)
{
    ngx_str_t  *word;

    static ngx_str_t  words[] = {
        ngx_string("*"),
        ngx_string("all"),
        ngx_string("any"),
        ngx_string("none"),
        ngx_string("off"),
        ngx_string("on"),
        ngx_null_string
    };

    for (word = words; word->len; word++) {
        if (value->len == word->len
            && ngx_strncmp(value->data, word->data, word->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
