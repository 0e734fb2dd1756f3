/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the zone looks like inside: for src/shared/ only.
 */

#ifndef NGX_K8S_SA_SH_H
#define NGX_K8S_SA_SH_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_zone.h"
#include "shared/ngx_k8s_sa_counters.h"
#include "shared/ngx_k8s_sa_keystore.h"
#include "shared/ngx_k8s_sa_cache.h"


#define NGX_K8S_SA_BLOCK_SIZE  128


/* The first block of a cached token. */

typedef struct {
    uint32_t              chain;           /* next block of it, 0: none */
    uint32_t              hash_next;
    uint32_t              newer;           /* in its list */
    uint32_t              older;
    uint32_t              seen;            /* last use, seconds */
    uint16_t              len;             /* of its data */
    uint8_t               kind;
    uint8_t               verdict;
    int64_t               fresh;
    int64_t               expires;
    u_char                key[NGX_K8S_SA_CACHE_KEY_LEN];
    u_char                key_id[K8S_SA_KEY_ID_LEN];
    u_char                data[1];
} ngx_k8s_sa_cache_node_t;


/* The first block of a key set. */

typedef struct {
    uint32_t              chain;
    uint32_t              keys_len;
    uint32_t              issuer_len;
    u_char                data[1];         /* keys, then issuer */
} ngx_k8s_sa_set_t;


union ngx_k8s_sa_block_u {
    uint32_t              chain;           /* of a free one: the next */
    ngx_k8s_sa_cache_node_t    entry;
    ngx_k8s_sa_set_t      set;
    u_char                bytes[NGX_K8S_SA_BLOCK_SIZE];
};


/* Where data begins in a first block and in those after it. */

#define NGX_K8S_SA_CACHE_NODE_DATA  offsetof(ngx_k8s_sa_cache_node_t, data)
#define NGX_K8S_SA_SET_DATA    offsetof(ngx_k8s_sa_set_t, data)
#define NGX_K8S_SA_PART_DATA   sizeof(uint32_t)


/* Accepted and refused tokens, most recently used first. */

#define NGX_K8S_SA_TOKENS      0
#define NGX_K8S_SA_REFUSALS    1
#define NGX_K8S_SA_LISTS       2

typedef struct {
    uint32_t              newest;
    uint32_t              oldest;
    ngx_uint_t            entries;
    ngx_uint_t            blocks;
} ngx_k8s_sa_list_t;


/* A worker that asks about a token, a place for each of them. */

typedef struct {
    uint64_t              key;             /* the first bytes of it */
    ngx_pid_t             owner;           /* 0: free */
    ngx_msec_t            msec;
} ngx_k8s_sa_review_lease_t;


struct ngx_k8s_sa_sh_s {
    uint32_t              magic;
    uint32_t              layout;
    size_t                size;

    volatile ngx_uint_t   dirty;           /* chains or lists are changing */

    u_char                secret[K8S_SA_FINGERPRINT_SECRET_LEN];
    ngx_uint_t            shift;           /* to a bucket */
    uint32_t             *buckets;

    ngx_k8s_sa_block_t   *blocks;
    ngx_uint_t            nblocks;
    ngx_uint_t            untouched;       /* from here on, all are free */
    uint32_t              free;            /* and these */
    ngx_uint_t            nfree;           /* both together */
    u_char               *bitmap;          /* space for the recovery */

    ngx_k8s_sa_list_t     lists[NGX_K8S_SA_LISTS];
    ngx_uint_t            evictions;
    ngx_uint_t            recoveries;

    ngx_atomic_uint_t     sequence;        /* of generations and events */
    ngx_atomic_uint_t     serial;
    ngx_atomic_uint_t     cycle;           /* configurations seen */
    ngx_k8s_sa_record_t  *records;         /* never unlinked */

    ngx_k8s_sa_counters_t counters;

    ngx_k8s_sa_caller_t  *callers;
    ngx_uint_t            max_callers;
    ngx_atomic_t          ncallers;

    ngx_k8s_sa_review_lease_t  *leases;
    ngx_uint_t            nleases;
};


/* A place in a chain, for data that is spread over it. */

typedef struct {
    uint32_t              block;
    size_t                offset;
} ngx_k8s_sa_place_t;


void ngx_k8s_sa_zone_lock(ngx_k8s_sa_zone_t *zone);
void ngx_k8s_sa_zone_unlock(ngx_k8s_sa_zone_t *zone);


/* With the lock held, before the first change of a chain or list. */

static ngx_inline void
ngx_k8s_sa_zone_touch(ngx_k8s_sa_zone_t *zone)
{
    zone->sh->dirty = 1;

    ngx_memory_barrier();
}


/* Whether somebody holds a lease who has time left, and is alive. */

ngx_uint_t ngx_k8s_sa_lease_held(ngx_pid_t owner, ngx_msec_t msec);


/* With the lock held; after touching, except for the first one. */

ngx_int_t ngx_k8s_sa_keystore_attach_all(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t **refs, ngx_uint_t n, ngx_atomic_uint_t cycle);
void ngx_k8s_sa_keystore_reap(ngx_k8s_sa_zone_t *zone,
    ngx_atomic_uint_t cycle, time_t idle);

void ngx_k8s_sa_cache_evict(ngx_k8s_sa_zone_t *zone, ngx_uint_t n,
    time_t now);

/* The first of n blocks, or 0 if there are not as many free ones. */

uint32_t ngx_k8s_sa_blocks_alloc(ngx_k8s_sa_zone_t *zone, ngx_uint_t n);
void ngx_k8s_sa_blocks_free(ngx_k8s_sa_zone_t *zone, uint32_t first);


/* How many blocks hold len bytes, of which offset come first in the first. */

ngx_uint_t ngx_k8s_sa_blocks_for(size_t offset, size_t len);

void ngx_k8s_sa_blocks_write(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_place_t *place, const u_char *data, size_t len);
void ngx_k8s_sa_blocks_read(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_place_t *place, u_char *data, size_t len);
ngx_uint_t ngx_k8s_sa_blocks_equal(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_place_t *place, const u_char *data, size_t len);


#endif /* NGX_K8S_SA_SH_H */
