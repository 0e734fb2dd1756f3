/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_issuer.h"


static char *ngx_http_k8s_sa_issuer_directive(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static char *ngx_http_k8s_sa_issuer_finish(ngx_conf_t *cf,
    ngx_http_k8s_sa_issuer_conf_t *icf);
static void ngx_http_k8s_sa_issuer_cleanup(void *data);
static char *ngx_http_k8s_sa_issuer_iss(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_k8s_sa_issuer_audience(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_k8s_sa_issuer_key_file(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_k8s_sa_issuer_algorithms(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_k8s_sa_issuer_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_k8s_sa_issuer_review_cache(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_k8s_sa_issuer_keyless(ngx_conf_t *cf,
    ngx_http_k8s_sa_issuer_conf_t *icf);
static char *ngx_http_k8s_sa_add_strings(ngx_conf_t *cf, ngx_array_t *array);


/* the directives inside of the block; type holds the number of arguments */

static ngx_command_t  ngx_http_k8s_sa_issuer_commands[] = {

    { ngx_string("issuer"),
      NGX_CONF_1MORE,
      ngx_http_k8s_sa_issuer_iss,
      0,
      0,
      NULL },

    { ngx_string("audience"),
      NGX_CONF_1MORE,
      ngx_http_k8s_sa_issuer_audience,
      0,
      0,
      NULL },

    { ngx_string("public_key"),
      NGX_CONF_TAKE1,
      ngx_http_k8s_sa_issuer_key_file,
      0,
      0,
      NULL },

    { ngx_string("jwks_file"),
      NGX_CONF_TAKE1,
      ngx_http_k8s_sa_issuer_key_file,
      0,
      1,
      NULL },

    { ngx_string("algorithms"),
      NGX_CONF_1MORE,
      ngx_http_k8s_sa_issuer_algorithms,
      0,
      0,
      NULL },

    { ngx_string("legacy_tokens"),
      NGX_CONF_TAKE1,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, legacy_tokens),
      NULL },

    { ngx_string("kubernetes"),
      NGX_CONF_TAKE1,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, kubernetes),
      NULL },

    { ngx_string("leeway"),
      NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, leeway),
      NULL },

    { ngx_string("api_server"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, api_server),
      NULL },

    { ngx_string("discovery"),
      NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_k8s_sa_issuer_url,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, discovery),
      NULL },

    { ngx_string("jwks_uri"),
      NGX_CONF_TAKE1,
      ngx_http_k8s_sa_issuer_url,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, jwks_uri),
      NULL },

    { ngx_string("token_review"),
      NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_k8s_sa_issuer_url,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, token_review),
      NULL },

    { ngx_string("token_review_cache"),
      NGX_CONF_1MORE,
      ngx_http_k8s_sa_issuer_review_cache,
      0,
      0,
      NULL },

    { ngx_string("token_file"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, token_file),
      NULL },

    { ngx_string("state_path"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, state_path),
      NULL },

    { ngx_string("refresh"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, refresh),
      NULL },

    { ngx_string("stale"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, stale),
      NULL },

    { ngx_string("timeout"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, timeout),
      NULL },

    { ngx_string("ssl_verify"),
      NGX_CONF_TAKE1,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, ssl_verify),
      NULL },

    { ngx_string("ssl_name"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, ssl_name),
      NULL },

    { ngx_string("ssl_trusted_certificate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, ssl_trusted_certificate),
      NULL },

    { ngx_string("ssl_certificate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, ssl_certificate),
      NULL },

    { ngx_string("ssl_certificate_key"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_k8s_sa_issuer_conf_t, ssl_certificate_key),
      NULL },

      ngx_null_command
};


char *
ngx_http_k8s_sa_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                           *rv;
    u_char                          ch;
    size_t                          i;
    ngx_str_t                      *value;
    ngx_conf_t                      save;
    ngx_pool_cleanup_t             *cln;
    ngx_k8s_sa_issuer_t            *issuer;
    ngx_http_k8s_sa_named_issuer_t   *ref;
    ngx_http_k8s_sa_issuer_conf_t   icf;

    value = cf->args->elts;

    for (i = 0; i < value[1].len; i++) {
        ch = value[1].data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == '_' || ch == '-' || ch == '.'))
        {
            break;
        }
    }

    if (i != value[1].len || i == 0
        || ngx_strcmp(value[1].data, "off") == 0
        || ngx_strcmp(value[1].data, "optional") == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid issuer name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    ref = ngx_http_k8s_sa_named_issuer(cf, &value[1]);
    if (ref == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ref->issuer) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "issuer \"%V\" is duplicate", &value[1]);
        return NGX_CONF_ERROR;
    }

    issuer = ngx_pcalloc(cf->pool, sizeof(ngx_k8s_sa_issuer_t));
    if (issuer == NULL) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_k8s_sa_issuer_cleanup;
    cln->data = issuer;

    issuer->name = ref->name;
    ref->issuer = issuer;
    ref->file = cf->conf_file->file.name.data;
    ref->line = cf->conf_file->line;

    if (ngx_array_init(&issuer->issuers, cf->pool, 2, sizeof(k8s_sa_str_t))
        != NGX_OK
        || ngx_array_init(&issuer->audiences, cf->pool, 2,
                          sizeof(k8s_sa_str_t))
           != NGX_OK
        || ngx_array_init(&issuer->key_files, cf->pool, 2,
                          sizeof(ngx_k8s_sa_key_file_t *))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    issuer->version = 1;
    issuer->file_keys = k8s_sa_keyset_create();
    if (issuer->file_keys == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&icf, sizeof(ngx_http_k8s_sa_issuer_conf_t));

    icf.issuer = issuer;
    icf.ref = ref;
    icf.legacy_tokens = NGX_CONF_UNSET;
    icf.kubernetes = NGX_CONF_UNSET;
    icf.leeway = NGX_CONF_UNSET;
    icf.review_cache = NGX_CONF_UNSET_MSEC;
    icf.review_failed = NGX_CONF_UNSET_MSEC;
    icf.review_stale = NGX_CONF_UNSET_MSEC;
    icf.refresh = NGX_CONF_UNSET_MSEC;
    icf.stale = NGX_CONF_UNSET_MSEC;
    icf.timeout = NGX_CONF_UNSET_MSEC;
    icf.ssl_verify = NGX_CONF_UNSET;

    save = *cf;
    cf->handler = ngx_http_k8s_sa_issuer_directive;
    cf->handler_conf = (void *) &icf;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_k8s_sa_issuer_finish(cf, &icf);
}


static char *
ngx_http_k8s_sa_issuer_directive(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    char           *rv;
    ngx_str_t      *name;
    ngx_command_t  *cmd;

    name = cf->args->elts;

    if (ngx_strcmp(name->data, "include") == 0) {

        if (cf->args->nelts != 2) {
            goto invalid;
        }

        return ngx_conf_include(cf, dummy, conf);
    }

    for (cmd = ngx_http_k8s_sa_issuer_commands; cmd->name.len; cmd++) {

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

        rv = cmd->set(cf, cmd, cf->handler_conf);

        if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
            return rv;
        }

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
ngx_http_k8s_sa_issuer_finish(ngx_conf_t *cf,
    ngx_http_k8s_sa_issuer_conf_t *icf)
{
    k8s_sa_policy_t      *policy;
    ngx_k8s_sa_issuer_t  *issuer;

    issuer = icf->issuer;
    policy = &issuer->policy;

    if (issuer->key_files.nelts == 0 && icf->discovery.data == NULL
        && icf->jwks_uri.data == NULL)
    {
        if (ngx_http_k8s_sa_issuer_keyless(cf, icf) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }

    } else if (issuer->audiences.nelts == 0 && !icf->any_audience) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "issuer \"%V\" has no \"audience\" (\"audience "
                           "any\" accepts tokens for every audience)",
                           &issuer->name);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_value(icf->legacy_tokens, 0);
    ngx_conf_init_value(icf->kubernetes, 1);
    ngx_conf_init_value(icf->leeway, 60);

    if (policy->algorithms == 0) {
        policy->algorithms = K8S_SA_ALG_DEFAULT;
    }

    if (icf->legacy_tokens && !icf->kubernetes) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"legacy_tokens\" cannot be used with "
                           "\"kubernetes off\" in issuer \"%V\"",
                           &issuer->name);
        return NGX_CONF_ERROR;
    }

    policy->issuers = issuer->issuers.elts;
    policy->n_issuers = issuer->issuers.nelts;
    policy->audiences = issuer->audiences.elts;
    policy->n_audiences = issuer->audiences.nelts;
    policy->any_audience = icf->any_audience;
    policy->legacy_tokens = icf->legacy_tokens;
    policy->kubernetes = icf->kubernetes;
    policy->leeway = icf->leeway;

    return ngx_http_k8s_sa_conf_net(cf, icf);
}


/*
 * With "token_review" alone the API server decides: a rule that it does not
 * know must not seem to be kept.
 */

static char *
ngx_http_k8s_sa_issuer_keyless(ngx_conf_t *cf,
    ngx_http_k8s_sa_issuer_conf_t *icf)
{
    char  *name;

    if (icf->token_review.data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "issuer \"%V\" has no keys: one of \"discovery\", "
                           "\"jwks_uri\", \"jwks_file\", \"public_key\" and "
                           "\"token_review\" is required",
                           &icf->issuer->name);
        return NGX_CONF_ERROR;
    }

    if (icf->issuer->issuers.nelts) {
        name = "issuer";

    } else if (icf->issuer->policy.algorithms) {
        name = "algorithms";

    } else if (icf->legacy_tokens != NGX_CONF_UNSET) {
        name = "legacy_tokens";

    } else if (icf->kubernetes != NGX_CONF_UNSET) {
        name = "kubernetes";

    } else if (icf->leeway != NGX_CONF_UNSET) {
        name = "leeway";

    } else {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%s\" in issuer \"%V\" needs keys: with "
                       "\"token_review\" alone the API server decides",
                       name, &icf->issuer->name);

    return NGX_CONF_ERROR;
}


static void
ngx_http_k8s_sa_issuer_cleanup(void *data)
{
    ngx_k8s_sa_issuer_t  *issuer = data;

    k8s_sa_keyset_free(issuer->file_keys);
    k8s_sa_keyset_free(issuer->fetched_keys);
    k8s_sa_keyset_free(issuer->checked_keys);
    ngx_free(issuer->learned.data);
}


static char *
ngx_http_k8s_sa_issuer_iss(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_issuer_conf_t  *icf = conf;

    return ngx_http_k8s_sa_add_strings(cf, &icf->issuer->issuers);
}


static char *
ngx_http_k8s_sa_issuer_audience(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_k8s_sa_issuer_conf_t  *icf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (icf->any_audience) {
        return "is used together with \"audience any\"";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "any") != 0) {
            continue;
        }

        if (cf->args->nelts != 2 || icf->issuer->audiences.nelts) {
            return "is used together with \"audience any\"";
        }

        icf->any_audience = 1;

        return NGX_CONF_OK;
    }

    return ngx_http_k8s_sa_add_strings(cf, &icf->issuer->audiences);
}


static char *
ngx_http_k8s_sa_issuer_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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

    if (value[1].len == 0) {
        return "has an empty value";
    }

    *field = value[1];

    return NGX_CONF_OK;
}


/* token_review_cache TIME [failed=TIME] [stale=TIME] */

static char *
ngx_http_k8s_sa_issuer_review_cache(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_k8s_sa_issuer_conf_t  *icf = conf;

    ngx_int_t    msec;
    ngx_str_t   *value, s;
    ngx_uint_t   i;
    ngx_msec_t  *field;

    if (icf->review_cache != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        s = value[i];

        if (i == 1) {
            field = &icf->review_cache;

        } else if (ngx_strncmp(s.data, "failed=", 7) == 0) {
            field = &icf->review_failed;
            s.data += 7;
            s.len -= 7;

        } else if (ngx_strncmp(s.data, "stale=", 6) == 0) {
            field = &icf->review_stale;
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
ngx_http_k8s_sa_issuer_algorithms(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_k8s_sa_issuer_conf_t  *icf = conf;

    ngx_str_t           *value;
    ngx_uint_t           i;
    k8s_sa_policy_t     *policy;
    const k8s_sa_alg_t  *alg;

    policy = &icf->issuer->policy;

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
ngx_http_k8s_sa_add_strings(ngx_conf_t *cf, ngx_array_t *array)
{
    ngx_str_t     *value;
    ngx_uint_t     i, n;
    k8s_sa_str_t  *str;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len == 0) {
            return "has an empty value";
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
ngx_http_k8s_sa_issuer_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_k8s_sa_issuer_conf_t  *icf = conf;

    ngx_str_t                     *value;
    ngx_uint_t                     exposed;
    k8s_sa_error_t                 note, err;
    ngx_k8s_sa_watch_t           **watch;
    ngx_k8s_sa_key_file_t         *file, **slot;
    ngx_http_k8s_sa_main_conf_t   *mcf;

    value = cf->args->elts;
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);

    file = ngx_pcalloc(cf->pool, sizeof(ngx_k8s_sa_key_file_t));
    slot = ngx_array_push(&icf->issuer->key_files);
    watch = ngx_array_push(&mcf->watches);

    if (file == NULL || slot == NULL || watch == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = file;
    *watch = &file->watch;

    file->jwks = cmd->offset;
    file->watch.handler = ngx_k8s_sa_issuer_reload;
    file->watch.data = icf->issuer;
    file->watch.path = value[1];

    if (ngx_conf_full_name(cf->cycle, &file->watch.path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_k8s_sa_key_file_read(file, icf->issuer->file_keys, &exposed, &note,
                                 &err)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" \"%V\": %s",
                           &cmd->name, &file->watch.path, err.text);
        return NGX_CONF_ERROR;
    }

    if (note.text[0] != '\0') {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "key in \"%V\" passed over: %s",
                           &file->watch.path, note.text);
    }

    if (exposed) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" holds a private key and is readable by "
                           "everyone", &file->watch.path);
    }

    return NGX_CONF_OK;
}
