/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What becomes of a verdict: the response to a refused request, its line in
 * the log, and the counters.
 */

#ifndef NGX_HTTP_K8S_SA_ANSWER_H
#define NGX_HTTP_K8S_SA_ANSWER_H


#include "http/ngx_http_k8s_sa_ctx.h"


/*
 * Returns the HTTP status of the response to a refused request; adds
 * WWW-Authenticate where the status calls for it.
 */

ngx_int_t ngx_http_k8s_sa_answer(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx);

/* Logs a refused request. */

void ngx_http_k8s_sa_log(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx);

/* Counts a decided request. */

void ngx_http_k8s_sa_count(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx);


#endif /* NGX_HTTP_K8S_SA_ANSWER_H */
