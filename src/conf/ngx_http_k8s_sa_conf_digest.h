/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Digests of settings: what was learned under the same digest stays valid
 * after a reload.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_DIGEST_H
#define NGX_HTTP_K8S_SA_CONF_DIGEST_H


#include "http/ngx_http_k8s_sa.h"


/*
 * Set issuer->ref.digest and issuer->digest; then auth->digest, when all its
 * issuers have theirs.  Return NGX_OK, or NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_conf_digest_issuer(
    ngx_http_k8s_sa_named_issuer_t *named);
ngx_int_t ngx_http_k8s_sa_conf_digest_auth(ngx_http_k8s_sa_auth_t *auth);


#endif /* NGX_HTTP_K8S_SA_CONF_DIGEST_H */
