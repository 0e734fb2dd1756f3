/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * k8s_sa_paths: refuses paths that an upstream may read in another way than
 * nginx, which chose the location.
 */

#ifndef NGX_HTTP_K8S_SA_PATH_H
#define NGX_HTTP_K8S_SA_PATH_H


#include "http/ngx_http_k8s_sa_ctx.h"


/*
 * Checks the path of the client's request line in the location of a main
 * request, with or without k8s_sa_auth.  NGX_DECLINED: it passes; otherwise the
 * HTTP status of the response.
 *
 * A refusal belongs to the request: after a redirect ("error_page") it is
 * refused again in locations with k8s_sa_auth, and the others send their
 * upstream nginx's form of the path.  ctx may be NULL.
 */

ngx_int_t ngx_http_k8s_sa_check_path(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx);

/*
 * Refuses a request for its path, here or, if reason is NULL, in a location
 * before.  NGX_DECLINED: it passes, "k8s_sa_dry_run"; otherwise the HTTP status
 * of the response.
 */

ngx_int_t ngx_http_k8s_sa_refuse_path(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    const char *reason);


#endif /* NGX_HTTP_K8S_SA_PATH_H */
