/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * "return" and "rewrite" beside k8s_sa_auth: nginx's rewrite module answers, or
 * goes to another location, before tokens are checked.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_REWRITE_H
#define NGX_HTTP_K8S_SA_CONF_REWRITE_H


#include "http/ngx_http_k8s_sa.h"


/*
 * Warns if the block that is being merged, which has k8s_sa_auth itself, has a
 * "return" outside of "if", or, being a location, a "rewrite" that leaves it.
 */

void ngx_http_k8s_sa_conf_rewrite_check(ngx_conf_t *cf,
    ngx_http_k8s_sa_auth_t *auth);


#endif /* NGX_HTTP_K8S_SA_CONF_REWRITE_H */
