/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_original.h"
#include "http/ngx_http_k8s_sa_line.h"


static ngx_int_t ngx_http_k8s_sa_conf_original_value(ngx_conf_t *cf,
    ngx_str_t *value, ngx_http_complex_value_t *cv, ngx_str_t *header);


/* k8s_sa_original URI METHOD | off */

char *
ngx_http_k8s_sa_conf_original(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t *lcf = conf;

    ngx_str_t                     *value;
    ngx_http_k8s_sa_original_t    *original, **slot;
    ngx_http_k8s_sa_main_conf_t   *mcf;

    if (lcf->original != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "off") != 0) {
            return "has no method";
        }

        lcf->original = NULL;
        return NGX_CONF_OK;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);

    original = ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_original_t));
    slot = ngx_array_push(&mcf->originals);

    if (original == NULL || slot == NULL
        || ngx_http_k8s_sa_conf_original_value(cf, &value[1], &original->uri,
                                               &original->uri_header)
           != NGX_OK
        || ngx_http_k8s_sa_conf_original_value(cf, &value[2],
                                               &original->method,
                                               &original->method_header)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    original->file = cf->conf_file->file.name.data;
    original->line = cf->conf_file->line;

    *slot = original;
    lcf->original = original;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_k8s_sa_conf_original_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t *cv, ngx_str_t *header)
{
    u_char                            *p;
    u_char                             ch;
    size_t                             i;
    ngx_http_compile_complex_value_t   ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_ERROR;
    }

    if (cv->lengths == NULL) {
        goto invalid;
    }

    p = ngx_strcasestrn(value->data, "$http_", 6 - 1);

    if (p == NULL && ngx_strcasestrn(value->data, "${http_", 7 - 1) == NULL) {
        return NGX_OK;
    }

    /* a header must be the whole value, so that its lines can be counted */

    if (p != value->data) {
        goto invalid;
    }

    header->data = value->data + 6;
    header->len = value->len - 6;

    for (i = 0; i < header->len; i++) {
        ch = header->data[i] | 0x20;

        if (header->data[i] != '_' && !(ch >= 'a' && ch <= 'z')
            && !(header->data[i] >= '0' && header->data[i] <= '9'))
        {
            goto invalid;
        }
    }

    if (header->len) {
        return NGX_OK;
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\", it must have a variable, and "
                       "\"$http_NAME\" must be alone", value);
    return NGX_ERROR;
}


void
ngx_http_k8s_sa_conf_original_merge(ngx_http_k8s_sa_loc_conf_t *prev,
    ngx_http_k8s_sa_loc_conf_t *conf)
{
    ngx_conf_merge_ptr_value(conf->original, prev->original, NULL);

    if (conf->original && conf->whoami) {
        conf->original->used = 1;
    }
}


ngx_int_t
ngx_http_k8s_sa_conf_original_used(ngx_conf_t *cf)
{
    ngx_uint_t                     i;
    ngx_http_k8s_sa_original_t   **original;
    ngx_http_k8s_sa_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);
    original = mcf->originals.elts;

    for (i = 0; i < mcf->originals.nelts; i++) {

        if (!original[i]->used) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"k8s_sa_original\" is not used by any location "
                          "with \"k8s_sa_whoami\" in %s:%ui",
                          original[i]->file, original[i]->line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
