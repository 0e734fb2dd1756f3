/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The decision about a request, with waits, its line in the log and the status
 * of a refusal.
 */

#ifndef NGX_HTTP_K8S_SA_ACCESS_H
#define NGX_HTTP_K8S_SA_ACCESS_H


#include "http/ngx_http_k8s_sa_identify.h"


/* The handler of the access phase. */

ngx_int_t ngx_http_k8s_sa_access_handler(ngx_http_request_t *r);

/*
 * Decides about a request, and counts and logs that.  NGX_OK: it has an
 * identity and may pass; NGX_DECLINED: it may pass, but without a verified and
 * allowed identity ("optional", "k8s_sa_dry_run"); NGX_AGAIN: resume() will be
 * called, which has to call this again; NGX_ERROR: no memory; or the HTTP
 * status of the response.
 */

ngx_int_t ngx_http_k8s_sa_pass(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_http_k8s_sa_resume_pt resume);


#endif /* NGX_HTTP_K8S_SA_ACCESS_H */
