/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_rewrite.h"


static ngx_array_t *ngx_http_k8s_sa_conf_rewrite_codes(ngx_conf_t *cf);
static char *ngx_http_k8s_sa_conf_rewrite_find(ngx_array_t *codes,
    ngx_uint_t location);


void
ngx_http_k8s_sa_conf_rewrite_check(ngx_conf_t *cf,
    ngx_http_k8s_sa_auth_t *auth)
{
    char                      *name;
    ngx_array_t               *codes;
    ngx_http_core_loc_conf_t  *clcf;

    codes = ngx_http_k8s_sa_conf_rewrite_codes(cf);
    if (codes == NULL) {
        return;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    name = ngx_http_k8s_sa_conf_rewrite_find(codes, clcf->name.len);

    if (name) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"%s\" is executed before \"k8s_sa_auth\" checks tokens "
                      "in %s:%ui", name, auth->file, auth->line);
    }
}


/*
 * Returns what the rewrite module executes in the block, or NULL.  Its
 * configuration is private, but begins with this in all versions.  The module
 * may be missing.
 */

static ngx_array_t *
ngx_http_k8s_sa_conf_rewrite_codes(ngx_conf_t *cf)
{
    void                **conf;
    ngx_uint_t            i;
    ngx_module_t         *module;
    ngx_http_conf_ctx_t  *ctx;

    ctx = cf->ctx;

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        if (ngx_strcmp(module->name, "ngx_http_rewrite_module") == 0) {
            conf = ctx->loc_conf[module->ctx_index];

            return *conf;
        }
    }

    return NULL;
}


/*
 * Each code begins with its function and consists of pointers and numbers of
 * that size.  "if" knows how much to skip.
 */

static char *
ngx_http_k8s_sa_conf_rewrite_find(ngx_array_t *codes, ngx_uint_t location)
{
    u_char                        *p, *last;
    ngx_http_script_code_pt        code;
    ngx_http_script_if_code_t     *condition;
#if (NGX_PCRE)
    ngx_http_script_regex_code_t  *regex;
#endif

    p = codes->elts;
    last = p + codes->nelts;

    while (p < last) {
        code = *(ngx_http_script_code_pt *) p;

        if (code == ngx_http_script_return_code) {
            return "return";
        }

        if (code == ngx_http_script_if_code) {
            condition = (ngx_http_script_if_code_t *) p;
            p += condition->next;
            continue;
        }

#if (NGX_PCRE)

        if (location && code == ngx_http_script_regex_start_code) {
            regex = (ngx_http_script_regex_code_t *) p;

            /* neither a condition, nor "rewrite ... break" */

            if (regex->uri && !regex->break_cycle) {
                return "rewrite";
            }
        }

#endif

        p += sizeof(ngx_http_script_code_pt);
    }

    return NULL;
}
