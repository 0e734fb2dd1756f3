/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * k8s_sa_token: where the token of a request comes from.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_TOKEN_H
#define NGX_HTTP_K8S_SA_CONF_TOKEN_H


#include "http/ngx_http_k8s_sa.h"


/* The setter, as in ngx_command_t. */

char *ngx_http_k8s_sa_conf_token(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* NGX_HTTP_K8S_SA_CONF_TOKEN_H */
