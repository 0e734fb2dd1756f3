/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Issuers by name, and their blocks in the configuration.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_ISSUER_H
#define NGX_HTTP_K8S_SA_CONF_ISSUER_H


#include "conf/ngx_http_k8s_sa_conf.h"


/* The setter of k8s_sa_issuer: reads the whole block. */

char *ngx_http_k8s_sa_conf_issuer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Returns the issuer of this name, added to the list if it is not there yet;
 * NULL without memory.
 */

ngx_http_k8s_sa_named_issuer_t *ngx_http_k8s_sa_conf_issuer_by_name(
    ngx_conf_t *cf, ngx_str_t *name);


#endif /* NGX_HTTP_K8S_SA_CONF_ISSUER_H */
