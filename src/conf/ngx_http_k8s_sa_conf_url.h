/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * URLs of issuers and API servers.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_URL_H
#define NGX_HTTP_K8S_SA_CONF_URL_H


#include "conf/ngx_http_k8s_sa_conf_block.h"


/*
 * Parses text into url, with path (if not NULL) appended.  Plain HTTP is
 * allowed to loopback addresses only.  Returns NGX_OK, or NGX_ERROR with the
 * reason, which names the directive, logged.
 */

ngx_int_t ngx_http_k8s_sa_conf_url(ngx_conf_t *cf, const char *directive,
    ngx_str_t *text, const char *path, ngx_k8s_sa_url_t *url);

/*
 * Does the same for an API of the issuer's API server: text, or api_server if
 * it is empty, with path appended unless text has one.
 */

ngx_int_t ngx_http_k8s_sa_conf_api_url(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block, const char *directive,
    ngx_str_t *text, const char *path, ngx_k8s_sa_url_t *url);


#endif /* NGX_HTTP_K8S_SA_CONF_URL_H */
