/* SPDX-License-Identifier: BSD-2-Clause */

/* k8s_sa_allow and k8s_sa_require: setters, and checks of a location. */

#ifndef NGX_HTTP_K8S_SA_CONF_RULES_H
#define NGX_HTTP_K8S_SA_CONF_RULES_H


#include "http/ngx_http_k8s_sa.h"


char *ngx_http_k8s_sa_conf_allow(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_k8s_sa_conf_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Merges what errors name, and checks the location's rules.  To be called
 * before k8s_sa_auth and the rules themselves are merged.  Returns NGX_OK, or
 * NGX_ERROR after logging: for rules without k8s_sa_auth, and for patterns
 * that no token of the location's issuers can match.
 */

ngx_int_t ngx_http_k8s_sa_conf_rules_merge(ngx_conf_t *cf,
    ngx_http_k8s_sa_loc_conf_t *prev, ngx_http_k8s_sa_loc_conf_t *conf);


#endif /* NGX_HTTP_K8S_SA_CONF_RULES_H */
