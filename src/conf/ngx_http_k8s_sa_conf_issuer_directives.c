/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_issuer_directives.h"
#include "conf/ngx_http_k8s_sa_conf_access.h"
#include "conf/ngx_http_k8s_sa_conf_value.h"


static char *ngx_http_k8s_sa_conf_issuer_iss(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_k8s_sa_conf_issuer_audience(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_k8s_sa_conf_issuer_key_file(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_k8s_sa_conf_issuer_algorithms(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_k8s_sa_conf_issuer_url(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_k8s_sa_conf_issuer_cache(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_k8s_sa_conf_issuer_strings(ngx_conf_t *cf,
    ngx_array_t *array);


/* the member "type" holds only the number of arguments */

static ngx_command_t  ngx_http_k8s_sa_conf_issuer_commands[] = {

    { ngx_string("issuer"),
      NGX_CONF_1MORE,
      ngx_http_k8s_sa_conf_issuer_iss,
      0,
      0,
      NULL },

    { ngx_string("audience"),
      NGX_CONF_1MORE,
      ngx_http_k8s_sa_conf_issuer_audience,
      0,
      0,
      NULL },

    { ngx_string("public_key"),
      NGX_CONF_TAKE1,
      ngx_http_k8s_sa_conf_issuer_key_file,
      0,
      0,
      NULL },

    { ngx_string("jwks_file"),
      NGX_CONF_TAKE1,
      ngx_http_k8s_sa_conf_issuer_key_file,
      0,
      1,
      NULL },

    { ngx_string("algorithms"),
      NGX_CONF_1MORE,
      ngx_http_k8s_sa_conf_issuer_algorithms,
      0,
      0,
      NULL },

    { ngx_string("legacy_tokens"),
      NGX_CONF_TAKE1,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, legacy_tokens),
      NULL },

    { ngx_string("kubernetes"),
      NGX_CONF_TAKE1,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, kubernetes),
      NULL },

    { ngx_string("leeway"),
      NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, leeway),
      NULL },

    { ngx_string("api_server"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, api_server),
      NULL },

    { ngx_string("discovery"),
      NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_k8s_sa_conf_issuer_url,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, discovery),
      NULL },

    { ngx_string("jwks_uri"),
      NGX_CONF_TAKE1,
      ngx_http_k8s_sa_conf_issuer_url,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, jwks_uri),
      NULL },

    { ngx_string("token_review"),
      NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_k8s_sa_conf_issuer_url,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, token_review),
      NULL },

    { ngx_string("token_review_cache"),
      NGX_CONF_1MORE,
      ngx_http_k8s_sa_conf_issuer_cache,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, review_cache),
      NULL },

    { ngx_string("access_review"),
      NGX_CONF_NOARGS|NGX_CONF_1MORE,
      ngx_http_k8s_sa_conf_access_review,
      0,
      0,
      NULL },

    { ngx_string("access_review_cache"),
      NGX_CONF_1MORE,
      ngx_http_k8s_sa_conf_issuer_cache,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, access_cache),
      NULL },

    { ngx_string("access_review_extra"),
      NGX_CONF_TAKE1,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, access_extra),
      NULL },

    { ngx_string("username_prefix"),
      NGX_CONF_TAKE1,
      ngx_http_k8s_sa_conf_username_prefix,
      0,
      0,
      NULL },

    { ngx_string("token_file"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, token_file),
      NULL },

    { ngx_string("state_path"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, state_path),
      NULL },

    { ngx_string("refresh"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, refresh),
      NULL },

    { ngx_string("stale"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, stale),
      NULL },

    { ngx_string("timeout"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, timeout),
      NULL },

    { ngx_string("ssl_verify"),
      NGX_CONF_TAKE1,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, ssl_verify),
      NULL },

    { ngx_string("ssl_name"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, ssl_name),
      NULL },

    { ngx_string("ssl_trusted_certificate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, ssl_trusted_certificate),
      NULL },

    { ngx_string("ssl_certificate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, ssl_certificate),
      NULL },

    { ngx_string("ssl_certificate_key"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_conf_block_t, ssl_certificate_key),
      NULL },

      ngx_null_command
};


char *
ngx_http_k8s_sa_conf_issuer_directive(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    char           *rv;
    ngx_str_t      *name;
    ngx_uint_t      i;
    ngx_command_t  *cmd;

    name = cf->args->elts;

    if (ngx_strcmp(name->data, "include") == 0) {

        if (cf->args->nelts != 2) {
            goto invalid;
        }

        return ngx_conf_include(cf, dummy, conf);
    }

    for (cmd = ngx_http_k8s_sa_conf_issuer_commands; cmd->name.len; cmd++) {

        if (cmd->name.len != name->len
            || ngx_strcmp(cmd->name.data, name->data) != 0)
        {
            continue;
        }

        switch (cf->args->nelts) {

        case 1:
            if (!(cmd->type & NGX_CONF_NOARGS)) {
                goto invalid;
            }

            break;

        case 2:
            break;

        default:
            if (!(cmd->type & NGX_CONF_1MORE)) {
                goto invalid;
            }
        }

        if (ngx_http_k8s_sa_conf_value_is_plain(cf) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        for (i = 1; i < cf->args->nelts; i++) {
            if (name[i].len == 0
                && cmd->set != ngx_http_k8s_sa_conf_username_prefix)
            {
                rv = "has an empty value";
                goto failed;
            }
        }

        rv = cmd->set(cf, cmd, cf->handler_conf);

        if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
            return rv;
        }

    failed:

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive %s",
                           name, rv);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in \"k8s_sa_issuer\"", name);
    return NGX_CONF_ERROR;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid number of arguments in \"%V\" directive",
                       name);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_k8s_sa_conf_issuer_iss(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_conf_block_t  *block = conf;

    return ngx_http_k8s_sa_conf_issuer_strings(cf, &block->issuer->issuers);
}


static char *
ngx_http_k8s_sa_conf_issuer_audience(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_k8s_sa_conf_block_t  *block = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (block->any_audience) {
        return "cannot be combined with \"audience any\"";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "any") != 0) {
            continue;
        }

        if (cf->args->nelts != 2 || block->issuer->audiences.nelts) {
            return "cannot be combined with \"audience any\"";
        }

        block->any_audience = 1;

        return NGX_CONF_OK;
    }

    return ngx_http_k8s_sa_conf_issuer_strings(cf, &block->issuer->audiences);
}


static char *
ngx_http_k8s_sa_conf_issuer_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t  *value, *field;

    field = (ngx_str_t *) (p + cmd->offset);

    if (field->data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 1) {
        ngx_str_set(field, "");
        return NGX_CONF_OK;
    }

    *field = value[1];

    return NGX_CONF_OK;
}


/* TIME [denied=TIME] [stale=TIME]; the former name of denied is failed */

static char *
ngx_http_k8s_sa_conf_issuer_cache(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char  *p = conf;

    ngx_int_t                      msec;
    ngx_str_t                     *value, s;
    ngx_uint_t                     i;
    ngx_msec_t                    *field;
    ngx_http_k8s_sa_conf_cache_t  *cache;

    cache = (ngx_http_k8s_sa_conf_cache_t *) (p + cmd->offset);

    if (cache->allowed != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        s = value[i];

        if (i == 1) {
            field = &cache->allowed;

        } else if (ngx_strncmp(s.data, "denied=", 7) == 0
                   || (ngx_strncmp(s.data, "failed=", 7) == 0
                       && cmd->offset == offsetof(ngx_http_k8s_sa_conf_block_t,
                                                  review_cache)))
        {
            field = &cache->denied;
            s.data += 7;
            s.len -= 7;

        } else if (ngx_strncmp(s.data, "stale=", 6) == 0) {
            field = &cache->stale;
            s.data += 6;
            s.len -= 6;

        } else {
            goto invalid;
        }

        msec = ngx_parse_time(&s, 0);

        if (msec == NGX_ERROR || *field != NGX_CONF_UNSET_MSEC) {
            goto invalid;
        }

        *field = msec;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\"",
                       &value[i]);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_k8s_sa_conf_issuer_algorithms(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_k8s_sa_conf_block_t  *block = conf;

    ngx_str_t           *value;
    ngx_uint_t           i;
    k8s_sa_policy_t     *policy;
    const k8s_sa_alg_t  *alg;

    policy = &block->issuer->policy;

    if (policy->algorithms) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        alg = k8s_sa_alg_find(value[i].data, value[i].len);
        if (alg == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        policy->algorithms |= alg->bit;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_k8s_sa_conf_issuer_strings(ngx_conf_t *cf, ngx_array_t *array)
{
    ngx_str_t     *value;
    ngx_uint_t     i, n;
    k8s_sa_str_t  *str;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_k8s_sa_conf_value_is_word(&value[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        str = array->elts;

        for (n = 0; n < array->nelts; n++) {
            if (str[n].len == value[i].len
                && ngx_memcmp(str[n].data, value[i].data, value[i].len) == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate value \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        str = ngx_array_push(array);
        if (str == NULL) {
            return NGX_CONF_ERROR;
        }

        str->len = value[i].len;
        str->data = value[i].data;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_k8s_sa_conf_issuer_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_k8s_sa_conf_block_t  *block = conf;

    ngx_str_t                     *value;
    ngx_uint_t                     exposed;
    k8s_sa_error_t                 note, err;
    ngx_k8s_sa_watch_t           **watch;
    ngx_k8s_sa_key_file_t         *file, **slot;
    ngx_http_k8s_sa_main_conf_t   *mcf;

    value = cf->args->elts;
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);

    file = ngx_pcalloc(cf->pool, sizeof(ngx_k8s_sa_key_file_t));
    slot = ngx_array_push(&block->issuer->key_files);
    watch = ngx_array_push(&mcf->watches);

    if (file == NULL || slot == NULL || watch == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = file;
    *watch = &file->watch;

    file->jwks = cmd->offset;
    file->watch.handler = ngx_k8s_sa_issuer_reload;
    file->watch.data = block->issuer;
    file->watch.file.path = value[1];

    if (ngx_conf_full_name(cf->cycle, &file->watch.file.path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_k8s_sa_key_file_read(file, block->issuer->file_keys, &exposed,
                                 &note, &err)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" \"%V\": %s",
                           &cmd->name, &file->watch.file.path, err.text);
        return NGX_CONF_ERROR;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "k8s_sa issuer \"%V\": %uz keys with those of \"%V\"",
                   &block->issuer->name,
                   k8s_sa_keyset_count(block->issuer->file_keys),
                   &file->watch.file.path);

    if (note.text[0] != '\0') {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "key in \"%V\" passed over: %s",
                           &file->watch.file.path, note.text);
    }

    if (exposed) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" holds a private key and is "
                           "world-readable", &file->watch.file.path);
    }

    return NGX_CONF_OK;
}
