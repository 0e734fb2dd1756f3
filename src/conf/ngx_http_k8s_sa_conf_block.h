/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The settings of a k8s_sa_issuer block while it is read.  Those without a
 * directive are unset, see ngx_http_k8s_sa_conf_issuer().
 */

#ifndef NGX_HTTP_K8S_SA_CONF_BLOCK_H
#define NGX_HTTP_K8S_SA_CONF_BLOCK_H


#include "http/ngx_http_k8s_sa.h"


/* token_review_cache and access_review_cache */

typedef struct {
    ngx_msec_t                       allowed;
    ngx_msec_t                       denied;
    ngx_msec_t                       stale;
} ngx_http_k8s_sa_conf_cache_t;


typedef struct {
    ngx_k8s_sa_issuer_t             *issuer;
    ngx_http_k8s_sa_named_issuer_t  *named;

    ngx_flag_t                       any_audience;
    ngx_flag_t                       legacy_tokens;
    ngx_flag_t                       kubernetes;
    time_t                           leeway;

    ngx_str_t                        api_server;
    ngx_str_t                        discovery;    /* "": no URL given, that of
                                                      the API server or the
                                                      issuer is used */
    ngx_str_t                        jwks_uri;
    ngx_str_t                        token_review; /* "": no URL given, that of
                                                      the API server is used */
    ngx_http_k8s_sa_conf_cache_t     review_cache;
    ngx_str_t                        access_review; /* the same */
    ngx_str_t                        access_local;  /* the namespace */
    ngx_http_k8s_sa_conf_cache_t     access_cache;
    ngx_flag_t                       access_extra;
    ngx_str_t                        username_prefix;
    ngx_str_t                        token_file;
    ngx_str_t                        state_path;
    ngx_msec_t                       refresh;
    ngx_msec_t                       stale;
    ngx_msec_t                       timeout;

    ngx_flag_t                       ssl_verify;
    ngx_str_t                        ssl_name;
    ngx_str_t                        ssl_trusted_certificate;
    ngx_str_t                        ssl_certificate;
    ngx_str_t                        ssl_certificate_key;
} ngx_http_k8s_sa_conf_block_t;


#endif /* NGX_HTTP_K8S_SA_CONF_BLOCK_H */
