/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Issuers: k8s_sa_issuer blocks, and references to them by name.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_ISSUER_H
#define NGX_HTTP_K8S_SA_CONF_ISSUER_H


#include "conf/ngx_http_k8s_sa_conf.h"


/* The setter of k8s_sa_issuer, as in ngx_command_t: reads the whole block. */

char *ngx_http_k8s_sa_conf_issuer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Returns the issuer of this name, or NULL without memory.  A new name is
 * added to the list: its block may follow.
 */

ngx_http_k8s_sa_named_issuer_t *ngx_http_k8s_sa_conf_issuer_by_name(
    ngx_conf_t *cf, ngx_str_t *name);


#endif /* NGX_HTTP_K8S_SA_CONF_ISSUER_H */
