/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_access.h"
#include "conf/ngx_http_k8s_sa_conf_url.h"
#include "issuer/ngx_k8s_sa_access_review.h"
#include "token/k8s_sa_access_review.h"
#include "token/k8s_sa_utf8.h"


static ngx_int_t ngx_http_k8s_sa_conf_access_prefix(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block);
static ngx_int_t ngx_http_k8s_sa_conf_access_url(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block, ngx_k8s_sa_accesses_t *access);


/* access_review [URL] [local=NAMESPACE] */

char *
ngx_http_k8s_sa_conf_access_review(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_k8s_sa_conf_block_t  *block = conf;

    ngx_str_t   *value, *local;
    ngx_uint_t   i;

    if (block->access_review.data) {
        return "is duplicate";
    }

    ngx_str_set(&block->access_review, "");

    value = cf->args->elts;
    local = &block->access_local;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "local=", 6) == 0
            && local->data == NULL)
        {
            local->data = value[i].data + 6;
            local->len = value[i].len - 6;

            if (ngx_http_k8s_sa_conf_attribute(cf, K8S_SA_ACCESS_NAMESPACE,
                                               local)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (i != 1 || value[i].len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter "
                               "\"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        block->access_review = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_k8s_sa_conf_username_prefix(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_k8s_sa_conf_block_t  *block = conf;

    ngx_str_t     *value;
    k8s_sa_str_t   prefix;

    if (block->username_prefix.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    prefix.data = value[1].data;
    prefix.len = value[1].len;

    if (!k8s_sa_utf8_is_valid(prefix.data, prefix.data + prefix.len)
        || !k8s_sa_str_is_clean(&prefix)
        || ngx_strncmp(prefix.data, "system:", 7) == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    block->username_prefix = value[1];

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_k8s_sa_conf_attribute(ngx_conf_t *cf, k8s_sa_access_field_e field,
    ngx_str_t *value)
{
    k8s_sa_str_t  literal;

    literal.data = value->data;
    literal.len = value->len;

    if (!k8s_sa_access_is_fit(field, &literal, 1)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\": %s "
                           "value for %s", value,
                           value->len ? "unfit" : "no",
                           k8s_sa_access_field(field));
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_k8s_sa_conf_access(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block)
{
    const char             *name;
    ngx_k8s_sa_accesses_t  *access;

    if (ngx_http_k8s_sa_conf_access_prefix(cf, block) != NGX_OK) {
        return NGX_ERROR;
    }

    if (block->access_review.data == NULL) {

        if (block->access_cache.allowed != NGX_CONF_UNSET_MSEC) {
            name = "access_review_cache";

        } else if (block->access_extra != NGX_CONF_UNSET) {
            name = "access_review_extra";

        } else {
            return NGX_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" in issuer \"%V\" needs \"access_review\"",
                           name, &block->issuer->name);
        return NGX_ERROR;
    }

    access = ngx_pcalloc(cf->pool, sizeof(ngx_k8s_sa_accesses_t));
    if (access == NULL) {
        return NGX_ERROR;
    }

    ngx_conf_init_msec_value(block->access_cache.allowed, 10000);
    ngx_conf_init_msec_value(block->access_cache.denied, 2000);
    ngx_conf_init_msec_value(block->access_cache.stale, 0);
    ngx_conf_init_value(block->access_extra, 1);

    access->reviews.kind = &ngx_k8s_sa_access_review;
    access->reviews.issuer = block->issuer;
    access->reviews.cache = block->access_cache.allowed;
    access->reviews.failed = block->access_cache.denied;
    access->reviews.stale = block->access_cache.stale;

    access->policy.extra = block->access_extra;
    access->policy.local.data = block->access_local.data;
    access->policy.local.len = block->access_local.len;

    block->issuer->access = access;

    return ngx_http_k8s_sa_conf_access_url(cf, block, access);
}


/*
 * A user of another issuer is one of the cluster only if that is wanted: who
 * may choose a "sub" there would otherwise be the cluster's user of that name.
 */

static ngx_int_t
ngx_http_k8s_sa_conf_access_prefix(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block)
{
    k8s_sa_policy_t  *policy;

    policy = &block->issuer->policy;

    if (block->username_prefix.data) {

        if (policy->kubernetes) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"username_prefix\" in issuer \"%V\" needs "
                               "\"kubernetes off\"", &block->issuer->name);
            return NGX_ERROR;
        }

        policy->username_prefix.data = block->username_prefix.data;
        policy->username_prefix.len = block->username_prefix.len;

    } else if (!policy->kubernetes && block->access_review.data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"access_review\" in issuer \"%V\" with "
                           "\"kubernetes off\" needs \"username_prefix\"",
                           &block->issuer->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_conf_access_url(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block, ngx_k8s_sa_accesses_t *access)
{
    u_char        *p;
    k8s_sa_str_t   url;

    p = ngx_pnalloc(cf->pool, sizeof(K8S_SA_ACCESS_REVIEW_PATH)
                              + sizeof(K8S_SA_ACCESS_REVIEW_LOCAL_BEFORE)
                              + block->access_local.len
                              + sizeof(K8S_SA_ACCESS_REVIEW_LOCAL_AFTER));
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (block->access_local.len) {
        (void) ngx_sprintf(p, "%s%V%s%Z", K8S_SA_ACCESS_REVIEW_LOCAL_BEFORE,
                           &block->access_local,
                           K8S_SA_ACCESS_REVIEW_LOCAL_AFTER);
    } else {
        (void) ngx_sprintf(p, "%s%Z", K8S_SA_ACCESS_REVIEW_PATH);
    }

    if (ngx_http_k8s_sa_conf_api_url(cf, block, "access_review",
                                     &block->access_review, (char *) p,
                                     &access->reviews.url)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    url.data = access->reviews.url.text.data;
    url.len = access->reviews.url.text.len;

    return k8s_sa_access_context(access->context, &url, &access->policy)
           == K8S_SA_OK ? NGX_OK : NGX_ERROR;
}
