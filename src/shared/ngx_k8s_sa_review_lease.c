/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_sh.h"
#include "shared/ngx_k8s_sa_review_lease.h"


static ngx_k8s_sa_review_lease_t *ngx_k8s_sa_review_place(
    ngx_k8s_sa_zone_t *zone, const u_char *fingerprint, uint64_t *part);


ngx_int_t
ngx_k8s_sa_review_lease(ngx_k8s_sa_zone_t *zone, const u_char *fingerprint,
    ngx_msec_t duration)
{
    uint64_t                    part;
    ngx_int_t                   rc;
    ngx_k8s_sa_review_lease_t  *lease;

    lease = ngx_k8s_sa_review_place(zone, fingerprint, &part);

    ngx_k8s_sa_zone_lock(zone);

    if (lease->part == part && lease->owner == ngx_pid) {
        rc = NGX_OK;

    } else if (!ngx_k8s_sa_lease_held(lease->owner, lease->msec)) {
        rc = NGX_OK;

    } else {
        rc = lease->part == part ? NGX_BUSY : NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        lease->part = part;
        lease->msec = ngx_current_msec + duration;
        lease->owner = ngx_pid;
    }

    ngx_k8s_sa_zone_unlock(zone);

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "k8s_sa: lease of %M ms for a review: %s", duration,
                   rc == NGX_OK ? "taken"
                   : rc == NGX_BUSY ? "busy" : "place in use");

    return rc;
}


void
ngx_k8s_sa_review_release(ngx_k8s_sa_zone_t *zone, const u_char *fingerprint)
{
    uint64_t                    part;
    ngx_k8s_sa_review_lease_t  *lease;

    lease = ngx_k8s_sa_review_place(zone, fingerprint, &part);

    ngx_k8s_sa_zone_lock(zone);

    if (lease->part == part && lease->owner == ngx_pid) {
        lease->owner = 0;
    }

    ngx_k8s_sa_zone_unlock(zone);
}


/* any part of a fingerprint is a hash */

static ngx_k8s_sa_review_lease_t *
ngx_k8s_sa_review_place(ngx_k8s_sa_zone_t *zone, const u_char *fingerprint,
    uint64_t *part)
{
    ngx_memcpy(part, fingerprint, sizeof(uint64_t));

    return &zone->sh->leases[*part % zone->sh->nleases];
}
