/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * k8s_sa_status: the state of issuers, keys and caches, and the counters, as
 * JSON or for Prometheus.
 *
 * Responses are made from copies: no lock is held while one is written.
 */

#ifndef NGX_HTTP_K8S_SA_STATUS_H
#define NGX_HTTP_K8S_SA_STATUS_H


#include "http/ngx_http_k8s_sa.h"


char *ngx_http_k8s_sa_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/*
 * Set body, allocated from r->pool.  mcf->zone must not be NULL.  Return
 * NGX_OK, or NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_status_json(ngx_http_request_t *r,
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_str_t *body);

ngx_int_t ngx_http_k8s_sa_status_prometheus(ngx_http_request_t *r,
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_str_t *body);


#endif /* NGX_HTTP_K8S_SA_STATUS_H */
