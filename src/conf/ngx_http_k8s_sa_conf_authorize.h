/* SPDX-License-Identifier: BSD-2-Clause */

/* The setter of k8s_sa_authorize, and what is checked when levels merge. */

#ifndef NGX_HTTP_K8S_SA_CONF_AUTHORIZE_H
#define NGX_HTTP_K8S_SA_CONF_AUTHORIZE_H


#include "http/ngx_http_k8s_sa.h"


char *ngx_http_k8s_sa_conf_authorize(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Merges the rules of a level, before its k8s_sa_auth is merged.  Returns
 * NGX_OK, or NGX_ERROR with the reason logged.
 */

ngx_int_t ngx_http_k8s_sa_conf_authorize_merge(ngx_conf_t *cf,
    ngx_http_k8s_sa_loc_conf_t *prev, ngx_http_k8s_sa_loc_conf_t *conf);

/*
 * Checks that the issuers of conf->auth, which is not NULL, can be asked about
 * the merged rules.  Returns NGX_OK, or NGX_ERROR with the reason logged.
 */

ngx_int_t ngx_http_k8s_sa_conf_authorize_check(ngx_conf_t *cf,
    ngx_http_k8s_sa_loc_conf_t *conf);

/*
 * Checks, when all levels are merged, that each rule is used.  Returns NGX_OK,
 * or NGX_ERROR with the reason logged.
 */

ngx_int_t ngx_http_k8s_sa_conf_authorize_used(ngx_conf_t *cf);


#endif /* NGX_HTTP_K8S_SA_CONF_AUTHORIZE_H */
