/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Which worker asks the API server about a token, so that the others wait for
 * its verdict, in the cache, instead of asking as well.
 *
 * The table is small, and a token has one place in it: if that is another
 * token's at the moment, workers do not know of each other, which costs a
 * review and nothing else.
 */

#ifndef NGX_K8S_SA_REVIEW_LEASE_H
#define NGX_K8S_SA_REVIEW_LEASE_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_shared.h"


/*
 * The right to ask, for so many msec from now; whoever holds it may prolong
 * it.  It ends with release, and by itself if its owner dies or hangs.  The
 * key is that of the verdict in the cache.  NGX_OK; NGX_BUSY: another worker
 * has it; NGX_DECLINED: the place is another token's.
 */

ngx_int_t ngx_k8s_sa_review_lease(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint, ngx_msec_t duration);

/* Gives it back; nothing if it is not ours. */

void ngx_k8s_sa_review_release(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint);


#endif /* NGX_K8S_SA_REVIEW_LEASE_H */
