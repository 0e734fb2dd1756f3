/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The shared zone: what all workers know together, kept over reloads.
 *
 *     records   one for each issuer: keys, generation, times, the lease to
 *               fetch, counters                (ngx_k8s_sa_keystore.h)
 *     cache     verified and refused tokens    (ngx_k8s_sa_cache.h)
 *     leases    which worker asks the API server about which token
 *                                              (ngx_k8s_sa_review_lease.h)
 *     counters  of events without an issuer, and of callers
 *                                              (ngx_k8s_sa_counters.h)
 *
 * Only src/shared/ locks the zone or looks into these types.
 */

#ifndef NGX_K8S_SA_SHARED_H
#define NGX_K8S_SA_SHARED_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_K8S_SA_DIGEST_LEN  32      /* SHA-256 */


typedef struct ngx_k8s_sa_zone_s    ngx_k8s_sa_zone_t;
typedef struct ngx_k8s_sa_record_s  ngx_k8s_sa_record_t;


#endif /* NGX_K8S_SA_SHARED_H */
