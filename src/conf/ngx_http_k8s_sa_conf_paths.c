/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_paths.h"
#include "http/ngx_http_k8s_sa_allow.h"


static ngx_uint_t ngx_http_k8s_sa_conf_paths_differ(ngx_array_t *locations);
static ngx_uint_t ngx_http_k8s_sa_conf_paths_is_root(
    ngx_http_core_loc_conf_t *clcf);
static ngx_uint_t ngx_http_k8s_sa_conf_paths_same(void **a, void **b);
static ngx_uint_t ngx_http_k8s_sa_conf_paths_same_rules(void **a, void **b);
static ngx_uint_t ngx_http_k8s_sa_conf_paths_same_auth(
    ngx_http_k8s_sa_auth_t *a, ngx_http_k8s_sa_auth_t *b);
static ngx_uint_t ngx_http_k8s_sa_conf_paths_same_require(ngx_array_t *a,
    ngx_array_t *b);


#define ngx_http_k8s_sa_conf_paths_core(loc_conf)                             \
    ((ngx_http_core_loc_conf_t *) (loc_conf)[ngx_http_core_module.ctx_index])

#define ngx_http_k8s_sa_conf_paths_own(loc_conf)                              \
    ((ngx_http_k8s_sa_loc_conf_t *)                                           \
     (loc_conf)[ngx_http_k8s_sa_module.ctx_index])


ngx_int_t
ngx_http_k8s_sa_conf_paths_merge(ngx_conf_t *cf,
    ngx_http_k8s_sa_loc_conf_t *prev, ngx_http_k8s_sa_loc_conf_t *conf)
{
    void                      ***location;
    ngx_http_conf_ctx_t         *ctx;
    ngx_http_k8s_sa_srv_conf_t  *scf;

    if (conf->paths == NGX_CONF_UNSET_UINT) {
        conf->paths = prev->paths;
    }

    scf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_k8s_sa_module);

    location = ngx_array_push(scf->locations);
    if (location == NULL) {
        return NGX_ERROR;
    }

    ctx = cf->ctx;
    *location = ctx->loc_conf;

    return NGX_OK;
}


void
ngx_http_k8s_sa_conf_paths_complete(ngx_conf_t *cf)
{
    void                       ***locations;
    ngx_uint_t                    s, i, paths;
    ngx_http_k8s_sa_loc_conf_t   *lcf;
    ngx_http_k8s_sa_srv_conf_t   *scf;
    ngx_http_core_srv_conf_t    **cscfp;
    ngx_http_core_main_conf_t    *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    for (s = 0; s < cmcf->servers.nelts; s++) {

        scf = cscfp[s]->ctx->srv_conf[ngx_http_k8s_sa_module.ctx_index];
        locations = scf->locations->elts;

        paths = ngx_http_k8s_sa_conf_paths_differ(scf->locations)
                ? NGX_HTTP_K8S_SA_PATHS_STRICT : NGX_HTTP_K8S_SA_PATHS_ANY;

        for (i = 0; i < scf->locations->nelts; i++) {
            lcf = ngx_http_k8s_sa_conf_paths_own(locations[i]);

            /* what is asked about must be what the upstream reads */

            if (lcf->paths == NGX_CONF_UNSET_UINT) {
                lcf->paths = (lcf->auth && lcf->authorize)
                             ? NGX_HTTP_K8S_SA_PATHS_STRICT : paths;
            }

            if (lcf->paths == NGX_HTTP_K8S_SA_PATHS_STRICT) {
                scf->strict = 1;
            }
        }

        scf->locations = NULL;
    }
}


/*
 * Returns 1 if a path that is read in two ways could meet another location's
 * rules.  "if" and "limit_except" blocks are not chosen by the path.
 */

static ngx_uint_t
ngx_http_k8s_sa_conf_paths_differ(ngx_array_t *locations)
{
    void                      ***location, **first;
    ngx_uint_t                   i;
    ngx_http_core_loc_conf_t    *clcf;

    location = locations->elts;

    /* nothing reaches the server's own level if there is a "location /" */

    first = locations->nelts ? location[0] : NULL;

    for (i = 1; i < locations->nelts; i++) {
        clcf = ngx_http_k8s_sa_conf_paths_core(location[i]);

        if (ngx_http_k8s_sa_conf_paths_is_root(clcf)) {
            first = location[i];
            break;
        }
    }

    for (i = 1; i < locations->nelts; i++) {
        clcf = ngx_http_k8s_sa_conf_paths_core(location[i]);

        if (!clcf->noname
            && !ngx_http_k8s_sa_conf_paths_same(first, location[i]))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_k8s_sa_conf_paths_is_root(ngx_http_core_loc_conf_t *clcf)
{
#if (NGX_PCRE)
    if (clcf->regex) {
        return 0;
    }
#endif

    return clcf->name.len == 1 && clcf->name.data[0] == '/'
           && !clcf->exact_match && !clcf->noname;
}


/* Compares two locations, for all methods. */

static ngx_uint_t
ngx_http_k8s_sa_conf_paths_same(void **a, void **b)
{
    void                      **limit_a, **limit_b;
    ngx_http_core_loc_conf_t   *core_a, *core_b;

    core_a = ngx_http_k8s_sa_conf_paths_core(a);
    core_b = ngx_http_k8s_sa_conf_paths_core(b);

    limit_a = core_a->limit_except ? core_a->limit_except_loc_conf : a;
    limit_b = core_b->limit_except ? core_b->limit_except_loc_conf : b;

    return ngx_http_k8s_sa_conf_paths_same_rules(a, b)
           && ngx_http_k8s_sa_conf_paths_same_rules(limit_a, limit_b)
           && (core_a->limit_except == core_b->limit_except
               || ngx_http_k8s_sa_conf_paths_same_rules(b, limit_b));
}


static ngx_uint_t
ngx_http_k8s_sa_conf_paths_same_rules(void **a, void **b)
{
    ngx_http_k8s_sa_loc_conf_t  *lcf_a, *lcf_b;

    lcf_a = ngx_http_k8s_sa_conf_paths_own(a);
    lcf_b = ngx_http_k8s_sa_conf_paths_own(b);

    if (lcf_a->auth == NULL || lcf_b->auth == NULL) {
        return lcf_a->auth == lcf_b->auth;
    }

    if (!ngx_http_k8s_sa_conf_paths_same_auth(lcf_a->auth, lcf_b->auth)
        || lcf_a->optional != lcf_b->optional
        || lcf_a->authorize != lcf_b->authorize
        || ngx_http_k8s_sa_conf_paths_core(a)->satisfy
           != ngx_http_k8s_sa_conf_paths_core(b)->satisfy)
    {
        return 0;
    }

    if (lcf_a->allow != lcf_b->allow
        && (lcf_a->allow == NULL || lcf_b->allow == NULL
            || !k8s_sa_allow_equal(lcf_a->allow, lcf_b->allow)))
    {
        return 0;
    }

    return ngx_http_k8s_sa_conf_paths_same_require(lcf_a->require,
                                                   lcf_b->require);
}


static ngx_uint_t
ngx_http_k8s_sa_conf_paths_same_auth(ngx_http_k8s_sa_auth_t *a,
    ngx_http_k8s_sa_auth_t *b)
{
    return a->issuers.nelts == b->issuers.nelts
           && ngx_memcmp(a->issuers.elts, b->issuers.elts,
                         a->issuers.nelts * a->issuers.size)
              == 0;
}


static ngx_uint_t
ngx_http_k8s_sa_conf_paths_same_require(ngx_array_t *a, ngx_array_t *b)
{
    ngx_uint_t                  i, n;
    ngx_http_complex_value_t   *cv_a, *cv_b;
    ngx_http_k8s_sa_require_t  *req_a, *req_b;

    if (a == NULL || b == NULL || a->nelts != b->nelts) {
        return a == b;
    }

    req_a = a->elts;
    req_b = b->elts;

    for (i = 0; i < a->nelts; i++) {

        if (req_a[i].status != req_b[i].status
            || req_a[i].values.nelts != req_b[i].values.nelts)
        {
            return 0;
        }

        cv_a = req_a[i].values.elts;
        cv_b = req_b[i].values.elts;

        for (n = 0; n < req_a[i].values.nelts; n++) {

            if (cv_a[n].value.len != cv_b[n].value.len
                || ngx_memcmp(cv_a[n].value.data, cv_b[n].value.data,
                              cv_a[n].value.len)
                   != 0)
            {
                return 0;
            }
        }
    }

    return 1;
}
