/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Identity headers: which ones a location adds, and which names are removed
 * from requests.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_HEADERS_H
#define NGX_HTTP_K8S_SA_CONF_HEADERS_H


#include "http/ngx_http_k8s_sa.h"


/* The setter of k8s_sa_set_header, as in ngx_command_t. */

char *ngx_http_k8s_sa_conf_set_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Adds the headers of Kubernetes' authenticating proxies to mcf->protected.
 * Returns NGX_OK, or NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_conf_headers_init(ngx_http_k8s_sa_main_conf_t *mcf);

/*
 * Sets conf->headers to the default, X-Remote-User with the user name.
 * Returns NGX_OK, or NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_conf_headers_default(ngx_conf_t *cf,
    ngx_http_k8s_sa_loc_conf_t *conf);


#endif /* NGX_HTTP_K8S_SA_CONF_HEADERS_H */
