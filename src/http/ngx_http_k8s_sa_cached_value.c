/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_cached_value.h"


/* Seconds between two warnings of a worker about a "map". */

#define NGX_HTTP_K8S_SA_WARN_INTERVAL  60


static ngx_uint_t ngx_http_k8s_sa_is_cacheable(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv);


ngx_uint_t
ngx_http_k8s_sa_is_early(ngx_http_request_t *r, ngx_http_complex_value_t *cv,
    const char *directive)
{
    static time_t  warned;

    if (cv->flushes == NULL
        || !ngx_http_k8s_sa_read_early(r)
        || !ngx_http_k8s_sa_is_cacheable(r, cv))
    {
        return 0;
    }

    if (ngx_time() - warned >= NGX_HTTP_K8S_SA_WARN_INTERVAL) {
        warned = ngx_time();

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "k8s_sa: \"%V\" in \"%s\" may have been computed "
                      "before the caller was identified: the \"map\" needs "
                      "the parameter \"volatile\"", &cv->value, directive);
    }

    return 1;
}


/*
 * Returns 1 if a value has a variable that the configuration defines and nginx
 * caches.  nginx's own do not depend on who the caller is.
 */

static ngx_uint_t
ngx_http_k8s_sa_is_cacheable(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv)
{
    ngx_uint_t                 *index;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    v = cmcf->variables.elts;

    for (index = cv->flushes; *index != (ngx_uint_t) -1; index++) {
        if ((v[*index].flags & NGX_HTTP_VAR_CHANGEABLE)
            && !(v[*index].flags & NGX_HTTP_VAR_NOCACHEABLE))
        {
            return 1;
        }
    }

    return 0;
}
