/* SPDX-License-Identifier: BSD-2-Clause */

/* The setter of k8s_sa_original, and what is checked when levels merge. */

#ifndef NGX_HTTP_K8S_SA_CONF_ORIGINAL_H
#define NGX_HTTP_K8S_SA_CONF_ORIGINAL_H


#include "http/ngx_http_k8s_sa.h"


char *ngx_http_k8s_sa_conf_original(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Notes that a location uses its merged k8s_sa_original; and checks, when all
 * levels are merged, that each is used.  Returns NGX_OK, or NGX_ERROR with the
 * reason logged.
 */

void ngx_http_k8s_sa_conf_original_merge(ngx_http_k8s_sa_loc_conf_t *prev,
    ngx_http_k8s_sa_loc_conf_t *conf);
ngx_int_t ngx_http_k8s_sa_conf_original_used(ngx_conf_t *cf);


#endif /* NGX_HTTP_K8S_SA_CONF_ORIGINAL_H */
