/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * k8s_sa_status: what an operator wants to know, as JSON or for Prometheus.
 *
 * Each answer is made from copies; nothing is locked while it is written.
 */

#ifndef NGX_HTTP_K8S_SA_STATUS_H
#define NGX_HTTP_K8S_SA_STATUS_H


#include "http/ngx_http_k8s_sa.h"


char *ngx_http_k8s_sa_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/*
 * The body, allocated from r->pool.  NGX_OK, or NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_status_json(ngx_http_request_t *r,
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_str_t *body);

ngx_int_t ngx_http_k8s_sa_status_prometheus(ngx_http_request_t *r,
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_str_t *body);


#endif /* NGX_HTTP_K8S_SA_STATUS_H */
