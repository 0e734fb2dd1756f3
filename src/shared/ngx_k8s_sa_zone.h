/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sets the shared zone up, and measures it.
 */

#ifndef NGX_K8S_SA_ZONE_H
#define NGX_K8S_SA_ZONE_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_shared.h"


/*
 * Adds the zone while the configuration is read, once per configuration;
 * tag as for ngx_shared_memory_add().  Returns NULL after logging with cf:
 * too small (8 pages are needed), another size, or out of memory.
 *
 * A reload with the same name and size keeps its contents, with another size
 * it starts empty.  A configuration is refused if the zone is too small for
 * the records of the registered issuers (4 in 32k, over 200 in the default
 * 8m).
 */

ngx_k8s_sa_zone_t *ngx_k8s_sa_zone_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size, void *tag);


/*
 * Called in each worker, from init_process, before any other use of the zone:
 * finds or makes the records of the registered issuers.  Returns NGX_OK, or
 * NGX_ERROR: newer configurations have taken too many.
 */

ngx_int_t ngx_k8s_sa_zone_start(ngx_k8s_sa_zone_t *zone);


typedef struct {
    size_t                size;        /* as configured, bytes */
    size_t                room;        /* for tokens and keys, bytes */
    size_t                used;        /* part of room in use, bytes */
    ngx_uint_t            tokens;      /* accepted ones in the cache */
    size_t                tokens_used;
    ngx_uint_t            refusals;    /* refused ones in the cache */
    size_t                refusals_used;
    ngx_uint_t            grants;      /* allowed questions in the cache */
    size_t                grants_used;
    ngx_uint_t            denials;     /* denied ones */
    size_t                denials_used;
    ngx_uint_t            evictions;   /* of unexpired ones, since the start */
    ngx_uint_t            recoveries;  /* after a worker's death */
} ngx_k8s_sa_zone_stat_t;

/* Reads the figures without a lock: they may be slightly inconsistent. */

void ngx_k8s_sa_zone_stat(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_zone_stat_t *stat);


#endif /* NGX_K8S_SA_ZONE_H */
