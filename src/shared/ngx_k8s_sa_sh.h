/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The layout of the shared zone, and what the files of src/shared/ share;
 * private to src/shared/.
 *
 * The zone is one slab allocation: this header, tables of fixed sizes, and
 * blocks of 128 bytes.  Cached tokens and key sets are chains of blocks: a
 * block given up by either fits the other, and nothing fragments.
 *
 * The slab pool's mutex is the only lock, because it is the only one that
 * nginx's master unlocks when a worker dies.  Only workers take it: a master
 * that waited for it could not unlock it.  A process marks the zone dirty
 * before it changes a chain or a list (ngx_k8s_sa_zone_touch()), and unlocking
 * clears the mark.  A process that finds the mark after locking knows that the
 * last owner of the lock died halfway: it drops the cached tokens and rebuilds
 * the list of free blocks from the key sets, each of which is published by a
 * single store (ngx_k8s_sa_zone_lock()).
 */

#ifndef NGX_K8S_SA_SH_H
#define NGX_K8S_SA_SH_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_shared.h"
#include "shared/ngx_k8s_sa_counters.h"
#include "shared/ngx_k8s_sa_keystore.h"
#include "shared/ngx_k8s_sa_cache.h"
#include "token/k8s_sa_fingerprint.h"


#define NGX_K8S_SA_BLOCK_SIZE  128


/* The first block of a cached token or decision. */

typedef struct {
    uint32_t                  chain;       /* its next block, 0: none */
    uint32_t                  hash_next;   /* in its bucket */
    uint32_t                  newer;       /* in its list */
    uint32_t                  older;
    uint32_t                  list;        /* NGX_K8S_SA_TOKENS, ... */
    uint32_t                  user;        /* whose place in sh->users; or 0
                                              for what was refused or denied */
    uint32_t                  seen;        /* last use, seconds */
    uint16_t                  len;         /* bytes of data */
    uint8_t                   kind:7;
    uint8_t                   claimed:1;
    uint8_t                   verdict;
    int64_t                   fresh;
    int64_t                   expires;
    u_char                    fingerprint[K8S_SA_FINGERPRINT_LEN];
    u_char                    key_id[K8S_SA_KEY_ID_LEN];
    u_char                    data[1];
} ngx_k8s_sa_cache_node_t;


/* The first block of a key set. */

typedef struct {
    uint32_t                  chain;
    uint32_t                  keys_len;
    uint32_t                  issuer_len;
    u_char                    data[1];     /* keys, then issuer */
} ngx_k8s_sa_set_t;


typedef union {
    uint32_t                  chain;       /* in a free block: the next one */
    ngx_k8s_sa_cache_node_t   node;
    ngx_k8s_sa_set_t          set;
    u_char                    bytes[NGX_K8S_SA_BLOCK_SIZE];
} ngx_k8s_sa_block_t;


/* The offset of data in a first block, and in those after it. */

#define NGX_K8S_SA_CACHE_NODE_DATA  offsetof(ngx_k8s_sa_cache_node_t, data)
#define NGX_K8S_SA_SET_DATA         offsetof(ngx_k8s_sa_set_t, data)
#define NGX_K8S_SA_PART_DATA        sizeof(uint32_t)


/*
 * The lists of the cache, each most recently used first: accepted tokens,
 * refused ones, and accepted ones that were inserted when their user had its
 * share already; then the same for questions of users that were allowed or
 * denied.
 */

#define NGX_K8S_SA_TOKENS        0
#define NGX_K8S_SA_REFUSALS      1
#define NGX_K8S_SA_EXCESS        2
#define NGX_K8S_SA_GRANTS        3
#define NGX_K8S_SA_DENIALS       4
#define NGX_K8S_SA_GRANT_EXCESS  5
#define NGX_K8S_SA_LISTS         6

typedef struct {
    uint32_t                  newest;
    uint32_t                  oldest;
    ngx_uint_t                nodes;
    ngx_uint_t                blocks;
} ngx_k8s_sa_list_t;


/* The right to ask the API server about the token in this place. */

typedef struct {
    uint64_t                  part;        /* the fingerprint's first bytes */
    ngx_pid_t                 owner;       /* 0: free */
    ngx_msec_t                msec;        /* when it ends */
} ngx_k8s_sa_review_lease_t;


/* An issuer's record. */

struct ngx_k8s_sa_record_s {
    ngx_k8s_sa_record_public_t  public;

    ngx_atomic_uint_t         serial;      /* 0: not in use */

    /* from here on zeroed when another issuer gets the record */

    u_char                    digest[NGX_K8S_SA_DIGEST_LEN];
    ngx_atomic_uint_t         cycle;       /* last one that configured it */
    time_t                    used;        /* last, except for counters */

    uint32_t                  keys;        /* first block, 0: none */

    time_t                    fetched;
    ngx_msec_t                fetched_msec;
    ngx_msec_t                refresh_msec;
    ngx_uint_t                refresh_set;

    ngx_pid_t                 lease_owner; /* 0: free */
    ngx_msec_t                lease_msec;
    ngx_atomic_uint_t         lease_cycle; /* the owner's */
    ngx_msec_t                forced_msec;
    ngx_uint_t                forced_set;

    ngx_uint_t                failures;
    time_t                    failed;
    size_t                    error_len;
    u_char                    error[NGX_K8S_SA_ERROR_MAX];
};


/*
 * The beginning of the allocation.  The magic, the layout, sizes, and pointers
 * never change, so that the master can read them without the lock.
 */

typedef struct {
    uint32_t                  magic;
    uint32_t                  layout;
    size_t                    size;

    volatile ngx_uint_t       dirty;       /* chains or lists are changing */

    u_char                    secret[K8S_SA_FINGERPRINT_SECRET_LEN];
    ngx_uint_t                shift;       /* from a hash to its bucket, or
                                              its place in users */
    uint32_t                 *buckets;
    uint32_t                 *users;       /* blocks of accepted tokens, by a
                                              hash of the user name; then those
                                              of allowed questions */

    ngx_k8s_sa_block_t       *blocks;
    ngx_uint_t                nblocks;
    ngx_uint_t                untouched;   /* first block never used: it and
                                              all after it are free */
    uint32_t                  free;        /* first block of the free list */
    ngx_uint_t                nfree;       /* both together */
    u_char                   *bitmap;      /* for the recovery */

    ngx_k8s_sa_list_t         lists[NGX_K8S_SA_LISTS];
    ngx_uint_t                evictions;
    ngx_uint_t                recoveries;

    ngx_atomic_uint_t         sequence;    /* last generation or event */
    ngx_atomic_uint_t         serial;      /* last record's */
    ngx_atomic_t              cycle;       /* configurations seen */

    ngx_k8s_sa_record_t      *records;
    ngx_uint_t                nrecords;

    ngx_k8s_sa_counters_t     counters;

    ngx_k8s_sa_caller_t      *callers;
    ngx_uint_t                max_callers;
    ngx_atomic_t              ncallers;

    ngx_k8s_sa_review_lease_t  *leases;
    ngx_uint_t                nleases;
} ngx_k8s_sa_sh_t;


/* One process' view of the zone, allocated from the configuration's pool. */

struct ngx_k8s_sa_zone_s {
    ngx_k8s_sa_sh_t          *sh;
    ngx_slab_pool_t          *shpool;
    ngx_k8s_sa_block_t       *blocks;      /* blocks[0] is never used: 0 is
                                              nil */
    uint32_t                 *buckets;
    k8s_sa_fingerprint_key_t *fingerprint_key;   /* from the zone's secret */
    ngx_shm_zone_t           *shm_zone;
    ngx_array_t               issuers;     /* ngx_k8s_sa_record_ref_t * */
    ngx_atomic_uint_t         cycle;       /* the configuration's number */
};


/* A position in a chain, for data that is spread over it. */

typedef struct {
    uint32_t                  block;
    size_t                    offset;
} ngx_k8s_sa_place_t;


/* Locks the zone, and repairs it if its last user died halfway. */

void ngx_k8s_sa_zone_lock(ngx_k8s_sa_zone_t *zone);
void ngx_k8s_sa_zone_unlock(ngx_k8s_sa_zone_t *zone);


/* With the lock held, before the first change of a chain or list. */

static ngx_inline void
ngx_k8s_sa_zone_touch(ngx_k8s_sa_zone_t *zone)
{
    zone->sh->dirty = 1;

    ngx_memory_barrier();
}


/*
 * Returns 1 if the lease has not expired and its owner is alive, otherwise 0.
 */

ngx_uint_t ngx_k8s_sa_lease_held(ngx_pid_t owner, ngx_msec_t msec);


/*
 * Locks the zone and returns the record, which is made if ref has none any
 * more; or NULL with nothing locked: newer configurations have taken all.
 */

ngx_k8s_sa_record_t *ngx_k8s_sa_record_lock(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_record_ref_t *ref);


/* All below with the lock held, and except for records_attach() touched. */

/*
 * Finds or makes the records of the zone's configuration.  Returns NGX_ERROR
 * if newer configurations have taken too many.
 */

ngx_int_t ngx_k8s_sa_records_attach(ngx_k8s_sa_zone_t *zone);

/*
 * Drops records that were last configured before cycle and not used for idle
 * seconds.
 */

void ngx_k8s_sa_records_reap(ngx_k8s_sa_zone_t *zone,
    ngx_atomic_uint_t cycle, time_t idle);

/*
 * Evicts cached tokens until n blocks are free, or none if even all of them
 * are not enough.
 */

void ngx_k8s_sa_cache_evict(ngx_k8s_sa_zone_t *zone, ngx_uint_t n,
    time_t now);

/* Returns the first block of a new chain of n, or 0: not enough are free. */

uint32_t ngx_k8s_sa_blocks_alloc(ngx_k8s_sa_zone_t *zone, ngx_uint_t n);

/* Frees the chain. */

void ngx_k8s_sa_blocks_free(ngx_k8s_sa_zone_t *zone, uint32_t first);

/* Returns the number of blocks that hold len bytes from offset on. */

ngx_uint_t ngx_k8s_sa_blocks_for(size_t offset, size_t len);

/* Each moves place past the len bytes; reading needs no touch. */

void ngx_k8s_sa_blocks_write(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_place_t *place, const u_char *data, size_t len);
void ngx_k8s_sa_blocks_read(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_place_t *place, u_char *data, size_t len);

/* Returns 1 if the bytes at place are those of data, otherwise 0. */

ngx_uint_t ngx_k8s_sa_blocks_equal(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_place_t *place, const u_char *data, size_t len);


#endif /* NGX_K8S_SA_SH_H */
