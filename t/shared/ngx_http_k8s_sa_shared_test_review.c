/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The test module's operations on review leases.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_k8s_sa_shared_test.h"
#include "shared/ngx_k8s_sa_review_lease.h"


static void ngx_http_k8s_sa_shared_test_review_fingerprint(
    ngx_http_k8s_sa_shared_test_t *t, u_char *fingerprint);


ngx_int_t
ngx_http_k8s_sa_shared_test_review(ngx_http_k8s_sa_shared_test_t *t)
{
    u_char  fingerprint[K8S_SA_FINGERPRINT_LEN];

    ngx_http_k8s_sa_shared_test_review_fingerprint(t, fingerprint);

    ngx_http_k8s_sa_shared_test_print(t, " places=%ui", t->zone->sh->nleases);

    return ngx_k8s_sa_review_lease(t->zone, fingerprint,
                       ngx_http_k8s_sa_shared_test_number(t, "msec", 5000));
}


ngx_int_t
ngx_http_k8s_sa_shared_test_reviewed(ngx_http_k8s_sa_shared_test_t *t)
{
    u_char  fingerprint[K8S_SA_FINGERPRINT_LEN];

    ngx_http_k8s_sa_shared_test_review_fingerprint(t, fingerprint);

    ngx_k8s_sa_review_release(t->zone, fingerprint);

    return NGX_OK;
}


/* Makes it of a number, so that tests can choose the place. */

static void
ngx_http_k8s_sa_shared_test_review_fingerprint(
    ngx_http_k8s_sa_shared_test_t *t, u_char *fingerprint)
{
    uint64_t  n;

    n = ngx_http_k8s_sa_shared_test_number(t, "token", 0);

    ngx_memzero(fingerprint, K8S_SA_FINGERPRINT_LEN);
    ngx_memcpy(fingerprint, &n, sizeof(n));
}
