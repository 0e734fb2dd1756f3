/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The module's variables.
 */

#ifndef NGX_HTTP_K8S_SA_VARIABLES_H
#define NGX_HTTP_K8S_SA_VARIABLES_H


#include "http/ngx_http_k8s_sa_ctx.h"


/* Adds $k8s_sa_...; for preconfiguration.  NGX_OK or NGX_ERROR. */

ngx_int_t ngx_http_k8s_sa_add_variables(ngx_conf_t *cf);

/*
 * Returns the offset in k8s_sa_identity_t of the string that value, "$NAME",
 * names; NGX_DECLINED if value is something else.
 */

ngx_int_t ngx_http_k8s_sa_field_of(ngx_str_t *value);

/*
 * The handler of a variable that k8s_sa_token_file adds; data: the
 * ngx_k8s_sa_token_file_t.
 */

ngx_int_t ngx_http_k8s_sa_token_file_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#endif /* NGX_HTTP_K8S_SA_VARIABLES_H */
