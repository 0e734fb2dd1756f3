/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Declarations shared by the files of the test module.
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


/* An operation's arguments and output. */

typedef struct {
    ngx_http_request_t       *request;
    ngx_k8s_sa_zone_t        *zone;
    ngx_k8s_sa_record_ref_t  *ref;     /* argument "issuer", or NULL */
    ngx_buf_t                *out;
} ngx_http_k8s_sa_shared_test_t;


void ngx_http_k8s_sa_shared_test_print(ngx_http_k8s_sa_shared_test_t *t,
    const char *fmt, ...);
ngx_int_t ngx_http_k8s_sa_shared_test_number(ngx_http_k8s_sa_shared_test_t *t,
    const char *name, ngx_int_t fallback);
ngx_str_t ngx_http_k8s_sa_shared_test_string(ngx_http_k8s_sa_shared_test_t *t,
    const char *name);

/* Fills data with bytes that are derived from seed. */

void ngx_http_k8s_sa_shared_test_fill(u_char *data, size_t len, uint32_t seed);


/* Counts, and prints the counters of the issuer or zone, or of callers. */

ngx_int_t ngx_http_k8s_sa_shared_test_count(ngx_http_k8s_sa_shared_test_t *t);
ngx_int_t ngx_http_k8s_sa_shared_test_caller(ngx_http_k8s_sa_shared_test_t *t);

/* Takes the review lease of "token", and gives it back. */

ngx_int_t ngx_http_k8s_sa_shared_test_review(ngx_http_k8s_sa_shared_test_t *t);
ngx_int_t ngx_http_k8s_sa_shared_test_reviewed(
    ngx_http_k8s_sa_shared_test_t *t);

/* Checks the whole zone, and prints "sound" or the problem. */

ngx_int_t ngx_http_k8s_sa_shared_test_check(ngx_http_k8s_sa_shared_test_t *t);

/* Kills the worker with SIGKILL in the middle of an operation. */

ngx_int_t ngx_http_k8s_sa_shared_test_die(ngx_http_k8s_sa_shared_test_t *t);

/* Runs many random operations and counts wrong answers. */

ngx_int_t ngx_http_k8s_sa_shared_test_storm(ngx_http_k8s_sa_shared_test_t *t);

/* Prints nanoseconds per insertion and lookup. */

ngx_int_t ngx_http_k8s_sa_shared_test_bench(ngx_http_k8s_sa_shared_test_t *t);


#endif /* NGX_HTTP_K8S_SA_SHARED_TEST_H */
