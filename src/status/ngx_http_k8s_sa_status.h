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


/* Calls visit for each key that the issuer has in this worker. */

typedef void (*ngx_http_k8s_sa_key_pt)(const k8s_sa_key_t *key, void *data);

void ngx_http_k8s_sa_status_keys(ngx_k8s_sa_issuer_t *issuer,
    ngx_http_k8s_sa_key_pt visit, void *data);


#endif /* NGX_HTTP_K8S_SA_STATUS_H */
