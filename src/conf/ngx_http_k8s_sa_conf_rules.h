/* SPDX-License-Identifier: BSD-2-Clause */

/* The setters of k8s_sa_allow and k8s_sa_require. */

#ifndef NGX_HTTP_K8S_SA_CONF_RULES_H
#define NGX_HTTP_K8S_SA_CONF_RULES_H


#include "http/ngx_http_k8s_sa.h"


char *ngx_http_k8s_sa_conf_allow(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_k8s_sa_conf_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* NGX_HTTP_K8S_SA_CONF_RULES_H */
