/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Digests of settings: what was learned under a digest stays valid after a
 * reload as long as the digest is the same.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_DIGEST_H
#define NGX_HTTP_K8S_SA_CONF_DIGEST_H


#include "http/ngx_http_k8s_sa.h"


/*
 * Sets ref.digest and digest of named->issuer.  Returns NGX_OK, or NGX_ERROR
 * without memory.
 */

ngx_int_t ngx_http_k8s_sa_conf_digest_issuer(
    ngx_http_k8s_sa_named_issuer_t *named);

/*
 * Sets auth->digest; all its issuers must have their digests.  Returns NGX_OK,
 * or NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_conf_digest_auth(ngx_http_k8s_sa_auth_t *auth);


#endif /* NGX_HTTP_K8S_SA_CONF_DIGEST_H */
