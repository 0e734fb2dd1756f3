/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_issuer.h"
#include "conf/ngx_http_k8s_sa_conf_issuer_directives.h"
#include "conf/ngx_http_k8s_sa_conf_net.h"


static char *ngx_http_k8s_sa_issuer_finish(ngx_conf_t *cf,
    ngx_http_k8s_sa_issuer_conf_t *icf);
static void ngx_http_k8s_sa_issuer_cleanup(void *data);
static char *ngx_http_k8s_sa_issuer_keyless(ngx_conf_t *cf,
    ngx_http_k8s_sa_issuer_conf_t *icf);


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
    ngx_free(issuer->learned.data);
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
