/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Decides which worker asks the API server about a token; the others wait for
 * its verdict, in the cache, instead of asking, too.
 *
 * The table is small, and a token has one place in it.  If that is taken by
 * another token, several workers may ask about the same one, which costs a
 * review and nothing else.
 */

#ifndef NGX_K8S_SA_REVIEW_LEASE_H
#define NGX_K8S_SA_REVIEW_LEASE_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_shared.h"


/*
 * Takes the lease, i.e. the right to ask, for duration msec, or extends it if
 * this worker holds it.  It ends with release, when it expires, and when its
 * owner dies.  fingerprint is that of the verdict in the cache.  Returns
 * NGX_OK; NGX_BUSY: another worker holds it; NGX_DECLINED: another token has
 * the place.
 */

ngx_int_t ngx_k8s_sa_review_lease(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint, ngx_msec_t duration);

/* Gives the lease back, if this worker holds it. */

void ngx_k8s_sa_review_release(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint);


#endif /* NGX_K8S_SA_REVIEW_LEASE_H */
