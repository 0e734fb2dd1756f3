/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An issuer's access reviews: access_review, access_review_cache,
 * access_review_extra and username_prefix in k8s_sa_issuer.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_ACCESS_H
#define NGX_HTTP_K8S_SA_CONF_ACCESS_H


#include "conf/ngx_http_k8s_sa_conf_block.h"
#include "token/k8s_sa_access.h"


/* Setters of directives; conf is the block. */

char *ngx_http_k8s_sa_conf_access_review(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_k8s_sa_conf_username_prefix(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Completes these settings at the end of a block, when its policy is complete
 * and api_server is a URL.  Returns NGX_OK, or NGX_ERROR with the reason
 * logged.
 */

ngx_int_t ngx_http_k8s_sa_conf_access(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block);

/*
 * Checks a value without variables of one attribute.  Returns NGX_OK, or
 * NGX_ERROR, with the reason logged, if it can never be asked about.
 */

ngx_int_t ngx_http_k8s_sa_conf_attribute(ngx_conf_t *cf,
    k8s_sa_access_field_e field, ngx_str_t *value);


#endif /* NGX_HTTP_K8S_SA_CONF_ACCESS_H */
