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


/*
 * Set body, allocated from r->pool.  mcf->zone must not be NULL.  Return
 * NGX_OK, or NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_status_json(ngx_http_request_t *r,
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_str_t *body);

ngx_int_t ngx_http_k8s_sa_status_prometheus(ngx_http_request_t *r,
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_str_t *body);


/* Seconds since the epoch of a time in ngx_current_msec. */

time_t ngx_http_k8s_sa_status_time(ngx_msec_t msec);


/* Calls visit for each key that the issuer has in this worker. */

typedef void (*ngx_http_k8s_sa_key_pt)(const k8s_sa_key_t *key, void *data);

void ngx_http_k8s_sa_status_keys(ngx_k8s_sa_issuer_t *issuer,
    ngx_http_k8s_sa_key_pt visit, void *data);


#endif /* NGX_HTTP_K8S_SA_STATUS_H */
