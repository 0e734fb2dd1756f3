/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_issuer.h"
#include "conf/ngx_http_k8s_sa_conf_issuer_directives.h"
#include "conf/ngx_http_k8s_sa_conf_net.h"


static char *ngx_http_k8s_sa_conf_issuer_finish(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block);
static void ngx_http_k8s_sa_conf_issuer_cleanup(void *data);
static char *ngx_http_k8s_sa_conf_issuer_keyless(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block);


char *
ngx_http_k8s_sa_conf_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                            *rv;
    u_char                           ch;
    size_t                           i;
    ngx_str_t                       *value;
    ngx_conf_t                       save;
    ngx_pool_cleanup_t              *cln;
    ngx_k8s_sa_issuer_t             *issuer;
    ngx_http_k8s_sa_named_issuer_t  *named;
    ngx_http_k8s_sa_conf_block_t     block;

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

    named = ngx_http_k8s_sa_conf_issuer_by_name(cf, &value[1]);
    if (named == NULL) {
        return NGX_CONF_ERROR;
    }

    if (named->issuer) {
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

    cln->handler = ngx_http_k8s_sa_conf_issuer_cleanup;
    cln->data = issuer;

    issuer->name = named->name;
    named->issuer = issuer;
    named->file = cf->conf_file->file.name.data;
    named->line = cf->conf_file->line;

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

    ngx_memzero(&block, sizeof(ngx_http_k8s_sa_conf_block_t));

    block.issuer = issuer;
    block.named = named;
    block.legacy_tokens = NGX_CONF_UNSET;
    block.kubernetes = NGX_CONF_UNSET;
    block.leeway = NGX_CONF_UNSET;
    block.review_cache.allowed = NGX_CONF_UNSET_MSEC;
    block.review_cache.denied = NGX_CONF_UNSET_MSEC;
    block.review_cache.stale = NGX_CONF_UNSET_MSEC;
    block.access_cache = block.review_cache;
    block.access_extra = NGX_CONF_UNSET;
    block.refresh = NGX_CONF_UNSET_MSEC;
    block.stale = NGX_CONF_UNSET_MSEC;
    block.timeout = NGX_CONF_UNSET_MSEC;
    block.ssl_verify = NGX_CONF_UNSET;

    save = *cf;
    cf->handler = ngx_http_k8s_sa_conf_issuer_directive;
    cf->handler_conf = (void *) &block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_k8s_sa_conf_issuer_finish(cf, &block);
}


static char *
ngx_http_k8s_sa_conf_issuer_finish(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block)
{
    k8s_sa_policy_t      *policy;
    ngx_k8s_sa_issuer_t  *issuer;

    issuer = block->issuer;
    policy = &issuer->policy;

    if (issuer->key_files.nelts == 0 && block->discovery.data == NULL
        && block->jwks_uri.data == NULL)
    {
        if (ngx_http_k8s_sa_conf_issuer_keyless(cf, block) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }

    } else if (issuer->audiences.nelts == 0 && !block->any_audience) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "issuer \"%V\" has no \"audience\" (\"audience "
                           "any\" accepts tokens for every audience)",
                           &issuer->name);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_value(block->legacy_tokens, 0);
    ngx_conf_init_value(block->kubernetes, 1);
    ngx_conf_init_value(block->leeway, 60);

    if (policy->algorithms == 0) {
        policy->algorithms = K8S_SA_ALG_DEFAULT;
    }

    if (block->legacy_tokens && !block->kubernetes) {
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
    policy->any_audience = block->any_audience;
    policy->legacy_tokens = block->legacy_tokens;
    policy->kubernetes = block->kubernetes;
    policy->leeway = block->leeway;

    return ngx_http_k8s_sa_conf_net(cf, block);
}


/*
 * With "token_review" alone the API server decides, and does not know the
 * issuer's other rules: they are refused rather than silently ignored.
 */

static char *
ngx_http_k8s_sa_conf_issuer_keyless(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block)
{
    char  *name;

    if (block->token_review.data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "issuer \"%V\" has no keys: one of \"discovery\", "
                           "\"jwks_uri\", \"jwks_file\", \"public_key\" or "
                           "\"token_review\" is required",
                           &block->issuer->name);
        return NGX_CONF_ERROR;
    }

    if (block->issuer->issuers.nelts) {
        name = "issuer";

    } else if (block->issuer->policy.algorithms) {
        name = "algorithms";

    } else if (block->legacy_tokens != NGX_CONF_UNSET) {
        name = "legacy_tokens";

    } else if (block->kubernetes != NGX_CONF_UNSET) {
        name = "kubernetes";

    } else if (block->leeway != NGX_CONF_UNSET) {
        name = "leeway";

    } else {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%s\" in issuer \"%V\" needs keys: with "
                       "\"token_review\" alone the API server decides",
                       name, &block->issuer->name);

    return NGX_CONF_ERROR;
}


static void
ngx_http_k8s_sa_conf_issuer_cleanup(void *data)
{
    ngx_k8s_sa_issuer_t  *issuer = data;

    k8s_sa_keyset_free(issuer->file_keys);
    k8s_sa_keyset_free(issuer->fetched_keys);
    k8s_sa_keyset_free(issuer->checked_keys);
    ngx_free(issuer->learned.data);
}


ngx_http_k8s_sa_named_issuer_t *
ngx_http_k8s_sa_conf_issuer_by_name(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                        i;
    ngx_http_k8s_sa_main_conf_t      *mcf;
    ngx_http_k8s_sa_named_issuer_t  **named;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);
    named = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        if (named[i]->name.len == name->len
            && ngx_memcmp(named[i]->name.data, name->data, name->len) == 0)
        {
            return named[i];
        }
    }

    named = ngx_array_push(&mcf->issuers);
    if (named == NULL) {
        return NULL;
    }

    *named = ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_named_issuer_t));
    if (*named == NULL) {
        return NULL;
    }

    (*named)->name = *name;
    (*named)->file = cf->conf_file->file.name.data;
    (*named)->line = cf->conf_file->line;

    return *named;
}
