/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_token_file.h"
#include "http/ngx_http_k8s_sa_variables.h"
#include "issuer/ngx_k8s_sa_token_file.h"


char *
ngx_http_k8s_sa_conf_token_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_main_conf_t *mcf = conf;

    ngx_str_t                 *value, name, path;
    k8s_sa_error_t             err;
    ngx_k8s_sa_watch_t       **watch;
    ngx_http_variable_t       *var;
    ngx_k8s_sa_token_file_t   *tf;

    value = cf->args->elts;
    name = value[1];

    if (name.len < 2 || name.data[0] != '$') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid variable name \"%V\"", &name);
        return NGX_CONF_ERROR;
    }

    name.data++;
    name.len--;

    var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_CONF_ERROR;
    }

    if (var->get_handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "variable \"%V\" is duplicate", &value[1]);
        return NGX_CONF_ERROR;
    }

    path = value[2];

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    tf = ngx_palloc(cf->pool, sizeof(ngx_k8s_sa_token_file_t));
    watch = ngx_array_push(&mcf->watches);

    if (tf == NULL || watch == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_k8s_sa_token_file_init(tf, cf->pool, &path, &err) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" \"%V\": %s",
                           &cmd->name, &path, err.text);
        return NGX_CONF_ERROR;
    }

    *watch = &tf->watch;

    var->get_handler = ngx_http_k8s_sa_token_file_variable;
    var->data = (uintptr_t) tf;

    return NGX_CONF_OK;
}
