/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the files of the test module share.
 */

#ifndef NGX_HTTP_K8S_SA_SHARED_TEST_H
#define NGX_HTTP_K8S_SA_SHARED_TEST_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "shared/ngx_k8s_sa_sh.h"


typedef struct {
    ngx_str_t                 name;
    ngx_k8s_sa_record_ref_t   ref;
} ngx_http_k8s_sa_shared_test_issuer_t;


typedef struct {
    ngx_k8s_sa_zone_t        *zone;
    ngx_array_t               issuers;
} ngx_http_k8s_sa_shared_test_conf_t;


/* One operation: what it works on, and where its answer goes. */

typedef struct {
    ngx_http_request_t       *request;
    ngx_k8s_sa_zone_t        *zone;
    ngx_k8s_sa_record_ref_t  *ref;     /* of the argument "issuer" */
    ngx_buf_t                *out;
} ngx_http_k8s_sa_shared_test_t;


void ngx_http_k8s_sa_shared_test_print(ngx_http_k8s_sa_shared_test_t *t,
    const char *fmt, ...);
ngx_int_t ngx_http_k8s_sa_shared_test_number(ngx_http_k8s_sa_shared_test_t *t,
    const char *name, ngx_int_t fallback);
ngx_str_t ngx_http_k8s_sa_shared_test_string(ngx_http_k8s_sa_shared_test_t *t,
    const char *name);

/* Bytes that follow from seed. */

void ngx_http_k8s_sa_shared_test_fill(u_char *data, size_t len, uint32_t seed);


/* Counts, and prints the issuer's counters or the zone's; the callers'. */

ngx_int_t ngx_http_k8s_sa_shared_test_count(ngx_http_k8s_sa_shared_test_t *t);
ngx_int_t ngx_http_k8s_sa_shared_test_caller(ngx_http_k8s_sa_shared_test_t *t);

/* Who reviews the token "token". */

ngx_int_t ngx_http_k8s_sa_shared_test_review(ngx_http_k8s_sa_shared_test_t *t);
ngx_int_t ngx_http_k8s_sa_shared_test_reviewed(
    ngx_http_k8s_sa_shared_test_t *t);

/* Is everything in the zone as it should be?  Prints "sound", or what not. */

ngx_int_t ngx_http_k8s_sa_shared_test_check(ngx_http_k8s_sa_shared_test_t *t);

/* Ends the worker with SIGKILL in the middle of something. */

ngx_int_t ngx_http_k8s_sa_shared_test_die(ngx_http_k8s_sa_shared_test_t *t);

/* Many random operations; counts answers that are wrong. */

ngx_int_t ngx_http_k8s_sa_shared_test_storm(ngx_http_k8s_sa_shared_test_t *t);

/* Nanoseconds per insertion and lookup. */

ngx_int_t ngx_http_k8s_sa_shared_test_bench(ngx_http_k8s_sa_shared_test_t *t);


#endif /* NGX_HTTP_K8S_SA_SHARED_TEST_H */
