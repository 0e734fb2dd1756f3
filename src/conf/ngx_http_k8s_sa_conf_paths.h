/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Decides where k8s_sa_paths is "strict": as configured, otherwise in all
 * locations of a server whose locations do not all require the same.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_PATHS_H
#define NGX_HTTP_K8S_SA_CONF_PATHS_H


#include "http/ngx_http_k8s_sa.h"


/* Merges k8s_sa_paths, which may still be unset afterwards. */

ngx_int_t ngx_http_k8s_sa_conf_paths_merge(ngx_conf_t *cf,
    ngx_http_k8s_sa_loc_conf_t *prev, ngx_http_k8s_sa_loc_conf_t *conf);

/* Sets it in all locations, once all of them are merged. */

void ngx_http_k8s_sa_conf_paths_complete(ngx_conf_t *cf);


#endif /* NGX_HTTP_K8S_SA_CONF_PATHS_H */
