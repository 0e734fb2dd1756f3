/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The shared zone: what all workers know together, kept over reloads.
 *
 *     issuers   one record each: keys, generation, times, lease, counters
 *     leases    who asks the API server about which token
 *     blocks    128 bytes each, all of the rest: cached tokens and key sets
 *               are chains of them, so that whatever one of them gives up
 *               fits the other and nothing fragments
 *
 * The slab pool's mutex is the only lock: nginx's master unlocks it, and no
 * other, when a worker dies.  Whoever changes chains or lists marks the zone
 * dirty meanwhile; a worker that finds it dirty after locking knows that the
 * last one died in the middle, drops the cached tokens, and rebuilds the list
 * of free blocks from the key sets, which are published by a single store.
 *
 * Nothing outside of src/shared/ locks, or looks into ngx_k8s_sa_sh_t.
 */

#ifndef NGX_K8S_SA_ZONE_H
#define NGX_K8S_SA_ZONE_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "token/k8s_sa_fingerprint.h"


#define NGX_K8S_SA_DIGEST_LEN  32      /* SHA-256 */


typedef struct ngx_k8s_sa_sh_s      ngx_k8s_sa_sh_t;
typedef struct ngx_k8s_sa_record_s  ngx_k8s_sa_record_t;
typedef union ngx_k8s_sa_block_u    ngx_k8s_sa_block_t;


/* One process' view, allocated from the configuration's pool. */

typedef struct {
    ngx_k8s_sa_sh_t           *sh;
    ngx_slab_pool_t           *shpool;
    ngx_k8s_sa_block_t        *blocks;     /* blocks[0] is never used: 0 is
                                              nil */
    uint32_t                  *buckets;
    k8s_sa_fingerprint_key_t  *token_key;  /* of the zone's secret */
    ngx_shm_zone_t            *shm_zone;
    ngx_array_t                issuers;    /* of ngx_k8s_sa_record_ref_t * */
} ngx_k8s_sa_zone_t;


/*
 * While the configuration is read: adds the zone (ngx_shared_memory_add()
 * with tag, the module), or finds it if it has this name already.  NULL after
 * logging with cf: too small (8 pages are needed), another size, no memory.
 *
 * It can be used when nginx has initialised it, i.e. from init_module on.  A
 * reload with the same name and size keeps its content, with another size
 * it starts empty.  nginx does not start if it is too small for the records
 * of the registered issuers (about 4 in 32k, over 200 in the default 8m).
 */

ngx_k8s_sa_zone_t *ngx_k8s_sa_zone_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size, void *tag);


/* Figures of the whole zone, read without a lock. */

typedef struct {
    size_t                size;        /* as configured, bytes */
    size_t                room;        /* of it for tokens and keys, bytes */
    size_t                used;        /* of room, bytes */
    ngx_uint_t            tokens;      /* accepted ones in the cache */
    size_t                tokens_used;
    ngx_uint_t            refusals;    /* refused ones in the cache */
    size_t                refusals_used;
    ngx_uint_t            evictions;   /* of unexpired ones, since the start */
    ngx_uint_t            recoveries;  /* after a worker's death */
} ngx_k8s_sa_zone_stat_t;

void ngx_k8s_sa_zone_stat(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_zone_stat_t *stat);


#endif /* NGX_K8S_SA_ZONE_H */
