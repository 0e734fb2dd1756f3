/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf.h"
#include "conf/ngx_http_k8s_sa_conf_authorize.h"
#include "conf/ngx_http_k8s_sa_conf_digest.h"
#include "conf/ngx_http_k8s_sa_conf_headers.h"
#include "conf/ngx_http_k8s_sa_conf_issuer.h"
#include "conf/ngx_http_k8s_sa_conf_net.h"
#include "conf/ngx_http_k8s_sa_conf_original.h"
#include "conf/ngx_http_k8s_sa_conf_paths.h"
#include "conf/ngx_http_k8s_sa_conf_rewrite.h"
#include "conf/ngx_http_k8s_sa_conf_rules.h"
#include "conf/ngx_http_k8s_sa_conf_value.h"
#include "http/ngx_http_k8s_sa_front.h"
#include "shared/ngx_k8s_sa_zone.h"


void *
ngx_http_k8s_sa_create_main_conf(ngx_conf_t *cf)
{
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
        || ngx_array_init(&mcf->rules, cf->pool, 4,
                          sizeof(ngx_http_k8s_sa_rules_t *))
           != NGX_OK
        || ngx_array_init(&mcf->originals, cf->pool, 4,
                          sizeof(ngx_http_k8s_sa_original_t *))
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

    if (ngx_http_k8s_sa_conf_headers_init(mcf) != NGX_OK) {
        return NULL;
    }

    return mcf;
}


char *
ngx_http_k8s_sa_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_k8s_sa_main_conf_t  *mcf = conf;

    ngx_uint_t                        i;
    ngx_http_k8s_sa_auth_t          **auth;
    ngx_http_k8s_sa_named_issuer_t  **named;

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

    named = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {

        if (named[i]->issuer == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown issuer \"%V\" in %s:%ui",
                          &named[i]->name, named[i]->file, named[i]->line);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_k8s_sa_conf_net_complete(cf, named[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    auth = mcf->auths.elts;

    for (i = 0; i < mcf->auths.nelts; i++) {
        if (ngx_http_k8s_sa_conf_digest_auth(auth[i]) != NGX_OK) {
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
    ngx_http_k8s_sa_srv_conf_t  *scf;

    scf = ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_srv_conf_t));
    if (scf == NULL) {
        return NULL;
    }

    scf->locations = ngx_array_create(cf->temp_pool, 4, sizeof(void **));
    if (scf->locations == NULL) {
        return NULL;
    }

    return scf;
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
    conf->token_in_uri = NGX_CONF_UNSET;
    conf->forward_token = NGX_CONF_UNSET;
    conf->headers = NGX_CONF_UNSET_PTR;
    conf->log_level = NGX_CONF_UNSET_UINT;
    conf->allow = NGX_CONF_UNSET_PTR;
    conf->require = NGX_CONF_UNSET_PTR;
    conf->authorize = NGX_CONF_UNSET_PTR;
    conf->original = NGX_CONF_UNSET_PTR;
    conf->dry_run = NGX_CONF_UNSET;
    conf->front_proxy = NGX_CONF_UNSET;
    conf->phase = NGX_CONF_UNSET_UINT;
    conf->paths = NGX_CONF_UNSET_UINT;

    return conf;
}


char *
ngx_http_k8s_sa_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_k8s_sa_loc_conf_t  *prev = parent;
    ngx_http_k8s_sa_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_k8s_sa_srv_conf_t  *scf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* a limit_except block has a handler of its own, or none */

    if (clcf->lmt_excpt && clcf->handler == NULL) {
        clcf->handler = prev->handler;
        conf->prometheus = prev->prometheus;
        conf->whoami = prev->whoami;
    }

    if (ngx_http_k8s_sa_conf_rules_merge(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->auth && conf->auth != NGX_CONF_UNSET_PTR) {
        ngx_http_k8s_sa_conf_rewrite_check(cf, conf->auth);
    }

    if (conf->token_file == NULL) {
        conf->token_file = prev->token_file;
        conf->token_line = prev->token_line;
    }

    if (ngx_http_k8s_sa_conf_authorize_merge(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_conf_merge_ptr_value(conf->auth, prev->auth, NULL);
    ngx_conf_merge_value(conf->optional, prev->optional, 0);
    ngx_conf_merge_ptr_value(conf->token, prev->token, NULL);
    ngx_conf_merge_value(conf->token_in_uri, prev->token_in_uri, 0);
    ngx_conf_merge_value(conf->forward_token, prev->forward_token, 0);
    ngx_conf_merge_str_value(conf->realm, prev->realm,
                             "Bearer realm=\"kubernetes\"");
    ngx_conf_merge_str_value(conf->groups_separator, prev->groups_separator,
                             ",");
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level, NGX_LOG_WARN);
    ngx_conf_merge_ptr_value(conf->allow, prev->allow, NULL);
    ngx_conf_merge_ptr_value(conf->require, prev->require, NULL);
    ngx_conf_merge_value(conf->dry_run, prev->dry_run, 0);
    ngx_conf_merge_value(conf->front_proxy, prev->front_proxy, 0);
    ngx_conf_merge_uint_value(conf->phase, prev->phase,
                              NGX_HTTP_K8S_SA_PREACCESS);

    ngx_http_k8s_sa_conf_original_merge(prev, conf);

    if (ngx_http_k8s_sa_conf_paths_merge(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->headers == NGX_CONF_UNSET_PTR) {

        if (prev->headers == NGX_CONF_UNSET_PTR
            && ngx_http_k8s_sa_conf_headers_default(cf, prev) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        conf->headers = prev->headers;
    }

    if (conf->auth == NULL) {
        return NGX_CONF_OK;
    }

    if (conf->token_in_uri && !conf->forward_token) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"k8s_sa_token\" takes the token from the request's "
                      "URI, where it cannot be withheld from the "
                      "upstream: \"k8s_sa_forward_token on\" is required "
                      "in %s:%ui", conf->token_file, conf->token_line);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_k8s_sa_conf_authorize_check(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    scf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_k8s_sa_module);
    scf->used = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_k8s_sa_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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

    /* "zone=NAME:SIZE", as other directives have it, or a variable */

    if (strpbrk((char *) value[1].data, "=$")) {
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
ngx_http_k8s_sa_conf_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t  *lcf = conf;

    ngx_str_t                       *value;
    ngx_uint_t                       i, n, last;
    ngx_http_k8s_sa_auth_t          *auth, **slot;
    ngx_http_k8s_sa_main_conf_t     *mcf;
    ngx_http_k8s_sa_named_issuer_t  *named, **list;

    if (lcf->auth != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;
    last = cf->args->nelts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (last != 2) {
            return "has parameters after \"off\"";
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

    auth->file = cf->conf_file->file.name.data;
    auth->line = cf->conf_file->line;

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

        named = ngx_http_k8s_sa_conf_issuer_by_name(cf, &value[i]);
        if (named == NULL) {
            return NGX_CONF_ERROR;
        }

        list = auth->issuers.elts;

        for (n = 0; n < auth->issuers.nelts; n++) {
            if (list[n] == named) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate issuer \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        list = ngx_array_push(&auth->issuers);
        if (list == NULL) {
            return NGX_CONF_ERROR;
        }

        *list = named;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_k8s_sa_conf_realm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t  *lcf = conf;

    u_char     *p;
    size_t      i;
    ngx_str_t  *value;

    if (lcf->realm.data) {
        return "is duplicate";
    }

    if (ngx_http_k8s_sa_conf_value_is_plain(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
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
            return "contains a control character";
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
ngx_http_k8s_sa_conf_groups_separator(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_k8s_sa_loc_conf_t  *lcf = conf;

    ngx_str_t  *value;

    if (lcf->groups_separator.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len != 1 || value[1].data[0] <= ' '
        || value[1].data[0] >= 0x7f)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    lcf->groups_separator = value[1];

    return NGX_CONF_OK;
}
