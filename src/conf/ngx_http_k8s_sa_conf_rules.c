/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_rules.h"
#include "conf/ngx_http_k8s_sa_conf_value.h"
#include "http/ngx_http_k8s_sa_allow.h"


static void *ngx_http_k8s_sa_conf_alloc(void *pool, size_t size);
static void ngx_http_k8s_sa_conf_rules_place(ngx_conf_t *cf,
    ngx_http_k8s_sa_place_t *place, ngx_str_t *text);
static ngx_int_t ngx_http_k8s_sa_conf_rules_no_auth(ngx_conf_t *cf,
    ngx_http_k8s_sa_place_t *rule, ngx_uint_t inherited);
static ngx_uint_t ngx_http_k8s_sa_conf_rules_accounts_only(
    ngx_http_k8s_sa_auth_t *auth);


char *
ngx_http_k8s_sa_conf_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t *lcf = conf;

    ngx_str_t     *value;
    ngx_uint_t     i;
    k8s_sa_str_t   pattern;

    if (lcf->allow == NGX_CONF_UNSET_PTR) {

        lcf->allow = ngx_pcalloc(cf->pool, sizeof(k8s_sa_allow_t));
        if (lcf->allow == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_k8s_sa_conf_value_is_plain(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_k8s_sa_conf_rules_place(cf, &lcf->rule, &cmd->name);

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_k8s_sa_conf_value_is_word(&value[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid pattern \"%V\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        pattern.data = value[i].data;
        pattern.len = value[i].len;

        if (lcf->foreign.text.len == 0
            && !k8s_sa_allow_is_account(&pattern))
        {
            ngx_http_k8s_sa_conf_rules_place(cf, &lcf->foreign, &value[i]);
        }

        switch (k8s_sa_allow_add(lcf->allow, &pattern,
                                 ngx_http_k8s_sa_conf_alloc, cf->pool))
        {
        case K8S_SA_OK:
            break;

        case K8S_SA_ALLOW_INVALID:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid pattern \"%V\"",
                               &value[i]);
            return NGX_CONF_ERROR;

        case K8S_SA_ALLOW_DUPLICATE:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "pattern \"%V\" is duplicate", &value[i]);
            return NGX_CONF_ERROR;

        default:
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_k8s_sa_conf_alloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


char *
ngx_http_k8s_sa_conf_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t *lcf = conf;

    ngx_str_t                          *value;
    ngx_uint_t                          i;
    ngx_http_complex_value_t           *cv;
    ngx_http_k8s_sa_require_t          *req;
    ngx_http_compile_complex_value_t    ccv;

    if (lcf->require == NGX_CONF_UNSET_PTR) {
        lcf->require = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_http_k8s_sa_require_t));
        if (lcf->require == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    req = ngx_array_push(lcf->require);

    if (req == NULL
        || ngx_array_init(&req->values, cf->pool, cf->args->nelts - 1,
                          sizeof(ngx_http_complex_value_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_http_k8s_sa_conf_rules_place(cf, &lcf->rule, &cmd->name);

    req->status = NGX_HTTP_FORBIDDEN;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "error=", 6) == 0) {

            /* anywhere else it would be a value that is never empty */

            if (i == 1 || i != cf->args->nelts - 1) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"%V\" must come after the values",
                                   &value[i]);
                return NGX_CONF_ERROR;
            }

            req->status = ngx_atoi(value[i].data + 6, value[i].len - 6);

            /* nginx sends no response with these */

            if (req->status < 400 || req->status > 599
                || req->status == NGX_HTTP_REQUEST_TIME_OUT
                || req->status == NGX_HTTP_CLOSE
                || req->status == NGX_HTTP_CLIENT_CLOSED_REQUEST)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid value \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }

            break;
        }

        /* "off": anything but these would always be true */

        if (ngx_strchr(value[i].data, '$') == NULL
            && value[i].len
            && ngx_strcmp(value[i].data, "0") != 0
            && ngx_strcmp(value[i].data, "1") != 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\": a string without a "
                               "variable is always true", &value[i]);
            return NGX_CONF_ERROR;
        }

        cv = ngx_array_push(&req->values);
        if (cv == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = cv;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static void
ngx_http_k8s_sa_conf_rules_place(ngx_conf_t *cf,
    ngx_http_k8s_sa_place_t *place, ngx_str_t *text)
{
    place->text = *text;
    place->file = cf->conf_file->file.name.data;
    place->line = cf->conf_file->line;
}


ngx_int_t
ngx_http_k8s_sa_conf_rules_merge(ngx_conf_t *cf,
    ngx_http_k8s_sa_loc_conf_t *prev, ngx_http_k8s_sa_loc_conf_t *conf)
{
    ngx_uint_t               inherited;
    ngx_http_k8s_sa_auth_t  *auth;

    inherited = (conf->rule.text.len == 0);

    if (inherited) {
        conf->rule = prev->rule;
        conf->open = conf->auth == NULL
                     || (conf->auth == NGX_CONF_UNSET_PTR && prev->open);
    }

    if (conf->allow == NGX_CONF_UNSET_PTR) {
        conf->foreign = prev->foreign;
    }

    auth = conf->auth == NGX_CONF_UNSET_PTR ? prev->auth : conf->auth;

    if (auth == NULL || auth == NGX_CONF_UNSET_PTR) {
        return conf->rule.text.len && !conf->open
               ? ngx_http_k8s_sa_conf_rules_no_auth(cf, &conf->rule, inherited)
               : NGX_OK;
    }

    if (conf->foreign.text.len
        && ngx_http_k8s_sa_conf_rules_accounts_only(auth))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pattern \"%V\" matches no service account in %s:%ui",
                      &conf->foreign.text, conf->foreign.file,
                      conf->foreign.line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_conf_rules_no_auth(ngx_conf_t *cf,
    ngx_http_k8s_sa_place_t *rule, ngx_uint_t inherited)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (!inherited) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" has no effect without \"k8s_sa_auth\" "
                      "in %s:%ui", &rule->text, rule->file, rule->line);
        return NGX_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%V\" has no effect in %s \"%V\": \"k8s_sa_auth\", or "
                  "\"k8s_sa_auth off\", is required there in %s:%ui",
                  &rule->text, clcf->name.len ? "location" : "server",
                  &clcf->name, rule->file, rule->line);

    return NGX_ERROR;
}


/*
 * Returns 1 if all callers are service accounts.  The API server reviews other
 * users' tokens, too.
 */

static ngx_uint_t
ngx_http_k8s_sa_conf_rules_accounts_only(ngx_http_k8s_sa_auth_t *auth)
{
    ngx_uint_t                        i;
    ngx_k8s_sa_issuer_t              *issuer;
    ngx_http_k8s_sa_named_issuer_t  **named;

    named = auth->issuers.elts;

    for (i = 0; i < auth->issuers.nelts; i++) {
        issuer = named[i]->issuer;

        if (!issuer->policy.kubernetes || issuer->reviews) {
            return 0;
        }
    }

    return 1;
}
