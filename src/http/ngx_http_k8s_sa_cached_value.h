/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Values that nginx has cached too early: it keeps what a "map" or "set" yields
 * when it is first read, maybe before the caller was identified.
 */

#ifndef NGX_HTTP_K8S_SA_CACHED_VALUE_H
#define NGX_HTTP_K8S_SA_CACHED_VALUE_H


#include "http/ngx_http_k8s_sa_ctx.h"


/*
 * Returns 1 if the value may have been computed before the caller was
 * identified; then the log says, at most once a minute, that the directive
 * should not use it.
 */

ngx_uint_t ngx_http_k8s_sa_is_early(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, const char *directive);


#endif /* NGX_HTTP_K8S_SA_CACHED_VALUE_H */
