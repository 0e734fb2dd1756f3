/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Identifies the caller of a request, with waits for keys and reviews.
 */

#ifndef NGX_HTTP_K8S_SA_IDENTIFY_H
#define NGX_HTTP_K8S_SA_IDENTIFY_H


#include "http/ngx_http_k8s_sa_ctx.h"


/* The handler of a wait; its data is the state, ngx_http_k8s_sa_ctx_t. */

typedef void (*ngx_http_k8s_sa_resume_pt)(ngx_k8s_sa_waiter_t *waiter);

/*
 * Decides about the token, unless that has been done.  NGX_OK: the verdict is
 * final, except that rules may refuse what it accepts; NGX_AGAIN: resume()
 * will be called, which has to call this again; NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_k8s_sa_identify(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_http_k8s_sa_resume_pt resume);

/*
 * Suspends a request, whose wait has begun, and takes its decision back.
 * NGX_AGAIN, or NGX_ERROR if the connection is broken.
 */

ngx_int_t ngx_http_k8s_sa_suspend(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);

/* Resumes a request in the phase in which it waits. */

void ngx_http_k8s_sa_resume(ngx_k8s_sa_waiter_t *waiter);

/*
 * Returns the request that waited with this state, for resume(); NULL if an
 * internal redirect has taken the state from it meanwhile, so that it must not
 * be resumed.
 */

ngx_http_request_t *ngx_http_k8s_sa_waited(ngx_http_k8s_sa_ctx_t *ctx);


#endif /* NGX_HTTP_K8S_SA_IDENTIFY_H */
