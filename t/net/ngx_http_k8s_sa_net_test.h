/* SPDX-License-Identifier: BSD-2-Clause */

#ifndef NGX_HTTP_K8S_SA_NET_TEST_H
#define NGX_HTTP_K8S_SA_NET_TEST_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * ngx_http_k8s_sa_net_test_module.c: an argument of a request, and its answer
 */

ngx_uint_t ngx_http_k8s_sa_net_test_arg(ngx_http_request_t *r, char *name,
    ngx_str_t *value);
ngx_int_t ngx_http_k8s_sa_net_test_send(ngx_http_request_t *r,
    ngx_str_t *text);

/*
 * ngx_http_k8s_sa_net_test_url.c: prints the result of ngx_k8s_sa_url_parse()
 * for value, or with the argument base, of ngx_k8s_sa_url_join().
 */

ngx_int_t ngx_http_k8s_sa_net_test_parse(ngx_http_request_t *r,
    ngx_str_t *value);


#endif /* NGX_HTTP_K8S_SA_NET_TEST_H */
