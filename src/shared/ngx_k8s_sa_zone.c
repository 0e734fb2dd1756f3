/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/rand.h>

#include "shared/ngx_k8s_sa_sh.h"


#define NGX_K8S_SA_MAGIC         0x6b387361
#define NGX_K8S_SA_LAYOUT        3

#define NGX_K8S_SA_CALLERS_MIN   4
#define NGX_K8S_SA_CALLERS_MAX   128

#define NGX_K8S_SA_LEASES_MIN    16
#define NGX_K8S_SA_LEASES_MAX    1024

/* A record that no configuration wants any more is kept for so long. */

#define NGX_K8S_SA_RECORD_IDLE   3600


static ngx_int_t ngx_k8s_sa_zone_init(ngx_shm_zone_t *shm_zone, void *data);
static ngx_k8s_sa_sh_t *ngx_k8s_sa_zone_create(ngx_shm_zone_t *shm_zone,
    ngx_slab_pool_t *shpool);
static ngx_int_t ngx_k8s_sa_zone_attach(ngx_k8s_sa_zone_t *zone);
static void ngx_k8s_sa_zone_recover(ngx_k8s_sa_zone_t *zone);
static ngx_int_t ngx_k8s_sa_zone_mark(ngx_k8s_sa_zone_t *zone,
    uint32_t first);


ngx_k8s_sa_zone_t *
ngx_k8s_sa_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag)
{
    ngx_shm_zone_t     *shm_zone;
    ngx_k8s_sa_zone_t  *zone;

    if (size < 8 * ngx_pagesize) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "zone \"%V\" is too small",
                           name);
        return NULL;
    }

    shm_zone = ngx_shared_memory_add(cf, name, size, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    if (shm_zone->data) {
        return shm_zone->data;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_k8s_sa_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    zone->token_key = ngx_palloc(cf->pool, sizeof(k8s_sa_fingerprint_key_t));
    if (zone->token_key == NULL) {
        return NULL;
    }

    if (ngx_array_init(&zone->issuers, cf->pool, 4,
                       sizeof(ngx_k8s_sa_record_ref_t *))
        != NGX_OK)
    {
        return NULL;
    }

    zone->shm_zone = shm_zone;

    shm_zone->init = ngx_k8s_sa_zone_init;
    shm_zone->data = zone;

    return zone;
}


static ngx_int_t
ngx_k8s_sa_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_k8s_sa_zone_t  *ozone = data;

    ngx_int_t           rc;
    ngx_k8s_sa_sh_t    *sh;
    ngx_k8s_sa_zone_t  *zone;

    zone = shm_zone->data;
    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (ozone) {
        sh = ozone->sh;

    } else if (shm_zone->shm.exists) {
        sh = zone->shpool->data;

    } else {
        sh = ngx_k8s_sa_zone_create(shm_zone, zone->shpool);
        zone->shpool->data = sh;
    }

    /*
     * nginx gives a module of another build, whose tag differs, fresh memory,
     * so that a foreign layout has no way to get here but a bug
     */

    if (sh == NULL
        || sh->magic != NGX_K8S_SA_MAGIC
        || sh->layout != NGX_K8S_SA_LAYOUT
        || sh->size != shm_zone->shm.size)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "k8s_sa_zone \"%V\" %s", &shm_zone->shm.name,
                      sh ? "has an unknown layout" : "could not be set up");
        return NGX_ERROR;
    }

    zone->sh = sh;
    zone->blocks = sh->blocks;
    zone->buckets = sh->buckets;

    if (k8s_sa_fingerprint_init(zone->token_key, sh->secret) != K8S_SA_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "k8s_sa_zone \"%V\" could not be set up",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    ngx_k8s_sa_zone_lock(zone);

    rc = ngx_k8s_sa_zone_attach(zone);

    ngx_k8s_sa_zone_unlock(zone);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "k8s_sa_zone \"%V\" is too small for %ui issuers",
                      &shm_zone->shm.name, zone->issuers.nelts);
    }

    return rc;
}


/*
 * All but a few pages, which stay with the slab allocator for records, become
 * one allocation.  Blocks are not written to before they are needed.
 */

static ngx_k8s_sa_sh_t *
ngx_k8s_sa_zone_create(ngx_shm_zone_t *shm_zone, ngx_slab_pool_t *shpool)
{
    u_char           *p;
    size_t            size, used, callers, leases, bitmap;
    ngx_uint_t        pages, bits, n;
    ngx_k8s_sa_sh_t  *sh;

    pages = shpool->pfree;
    pages -= ngx_max(pages / 32, 1);
    size = pages * ngx_pagesize;

    n = size / NGX_K8S_SA_BLOCK_SIZE;

    /* typical tokens take three blocks: up to four of them to three buckets */

    for (bits = 4; ((ngx_uint_t) 1 << bits) < n / 4; bits++) { /* void */ }

    callers = size / 64 / sizeof(ngx_k8s_sa_caller_t);
    callers = ngx_max(callers, NGX_K8S_SA_CALLERS_MIN);
    callers = ngx_min(callers, NGX_K8S_SA_CALLERS_MAX);

    leases = size / 256 / sizeof(ngx_k8s_sa_review_lease_t);
    leases = ngx_max(leases, NGX_K8S_SA_LEASES_MIN);
    leases = ngx_min(leases, NGX_K8S_SA_LEASES_MAX);

    bitmap = n / 8 + 1;

    used = ngx_align(sizeof(ngx_k8s_sa_sh_t), NGX_K8S_SA_BLOCK_SIZE)
           + callers * sizeof(ngx_k8s_sa_caller_t)
           + leases * sizeof(ngx_k8s_sa_review_lease_t)
           + ((size_t) 1 << bits) * sizeof(uint32_t)
           + bitmap;
    used = ngx_align(used, NGX_K8S_SA_BLOCK_SIZE);

    if (used >= size) {
        return NULL;
    }

    p = ngx_slab_alloc(shpool, size);
    if (p == NULL) {
        return NULL;
    }

    ngx_memzero(p, used);

    sh = (ngx_k8s_sa_sh_t *) p;

    sh->magic = NGX_K8S_SA_MAGIC;
    sh->layout = NGX_K8S_SA_LAYOUT;
    sh->size = shm_zone->shm.size;

    /* running out of memory is a matter of course here */

    shpool->log_nomem = 0;

    if (RAND_bytes(sh->secret, sizeof(sh->secret)) != 1) {
        return NULL;
    }

    sh->shift = 64 - bits;

    p += ngx_align(sizeof(ngx_k8s_sa_sh_t), NGX_K8S_SA_BLOCK_SIZE);

    sh->callers = (ngx_k8s_sa_caller_t *) p;
    sh->max_callers = callers;
    sh->ncallers = 1;

    p += callers * sizeof(ngx_k8s_sa_caller_t);

    sh->leases = (ngx_k8s_sa_review_lease_t *) p;
    sh->nleases = leases;

    p += leases * sizeof(ngx_k8s_sa_review_lease_t);

    sh->buckets = (uint32_t *) p;

    p += ((size_t) 1 << bits) * sizeof(uint32_t);

    sh->bitmap = p;

    sh->blocks = (ngx_k8s_sa_block_t *) ((u_char *) sh + used);
    sh->nblocks = (size - used) / NGX_K8S_SA_BLOCK_SIZE;
    sh->untouched = 1;
    sh->nfree = sh->nblocks - 1;

    return sh;
}


static ngx_int_t
ngx_k8s_sa_zone_attach(ngx_k8s_sa_zone_t *zone)
{
    zone->sh->cycle++;

    if (ngx_k8s_sa_keystore_attach_all(zone, zone->issuers.elts,
                                       zone->issuers.nelts, zone->sh->cycle)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_k8s_sa_zone_touch(zone);

    ngx_k8s_sa_keystore_reap(zone, zone->sh->cycle, NGX_K8S_SA_RECORD_IDLE);

    return NGX_OK;
}


void
ngx_k8s_sa_zone_lock(ngx_k8s_sa_zone_t *zone)
{
    ngx_shmtx_lock(&zone->shpool->mutex);

    if (zone->sh->dirty) {
        ngx_k8s_sa_zone_recover(zone);
    }
}


void
ngx_k8s_sa_zone_unlock(ngx_k8s_sa_zone_t *zone)
{
    ngx_memory_barrier();

    zone->sh->dirty = 0;

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_uint_t
ngx_k8s_sa_lease_held(ngx_pid_t owner, ngx_msec_t msec)
{
    if (owner == 0 || (ngx_msec_int_t) (msec - ngx_current_msec) <= 0) {
        return 0;
    }

    return kill(owner, 0) == 0 || ngx_errno != NGX_ESRCH;
}


/*
 * The last one to hold the lock died while it changed chains or lists.  What
 * can be trusted are the records' key sets; all other blocks become free.
 */

static void
ngx_k8s_sa_zone_recover(ngx_k8s_sa_zone_t *zone)
{
    uint32_t              i;
    ngx_k8s_sa_sh_t      *sh;
    ngx_k8s_sa_record_t  *rec;

    sh = zone->sh;

    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                  "a process died while it changed k8s_sa_zone \"%V\", "
                  "cached tokens are dropped", &zone->shm_zone->shm.name);

    ngx_memzero(sh->bitmap, sh->nblocks / 8 + 1);

    for (rec = sh->records; rec; rec = rec->next) {
        if (ngx_k8s_sa_zone_mark(zone, rec->keys) != NGX_OK) {
            rec->keys = 0;
        }
    }

    ngx_memzero(sh->buckets,
                ((size_t) 1 << (64 - sh->shift)) * sizeof(uint32_t));
    ngx_memzero(sh->lists, sizeof(sh->lists));

    sh->free = 0;
    sh->nfree = sh->nblocks - sh->untouched;

    for (i = 1; i < sh->untouched; i++) {

        if (sh->bitmap[i / 8] & (1 << (i % 8))) {
            continue;
        }

        zone->blocks[i].chain = sh->free;
        sh->free = i;
        sh->nfree++;
    }

    sh->recoveries++;

    ngx_memory_barrier();

    sh->dirty = 0;
}


static ngx_int_t
ngx_k8s_sa_zone_mark(ngx_k8s_sa_zone_t *zone, uint32_t first)
{
    uint32_t          i;
    ngx_k8s_sa_sh_t  *sh;

    sh = zone->sh;

    for (i = first; i; i = zone->blocks[i].chain) {

        if (i >= sh->untouched || sh->bitmap[i / 8] & (1 << (i % 8))) {
            return NGX_ERROR;
        }

        sh->bitmap[i / 8] |= (u_char) (1 << (i % 8));
    }

    return NGX_OK;
}


uint32_t
ngx_k8s_sa_blocks_alloc(ngx_k8s_sa_zone_t *zone, ngx_uint_t n)
{
    uint32_t          first, block, *link;
    ngx_k8s_sa_sh_t  *sh;

    sh = zone->sh;

    if (n > sh->nfree) {
        return 0;
    }

    sh->nfree -= n;
    link = &first;

    while (n--) {

        if (sh->free) {
            block = sh->free;
            sh->free = zone->blocks[block].chain;

        } else {
            block = sh->untouched++;
        }

        *link = block;
        link = &zone->blocks[block].chain;
    }

    *link = 0;

    return first;
}


void
ngx_k8s_sa_blocks_free(ngx_k8s_sa_zone_t *zone, uint32_t first)
{
    uint32_t          block;
    ngx_uint_t        n;
    ngx_k8s_sa_sh_t  *sh;

    sh = zone->sh;
    block = first;

    for (n = 1; zone->blocks[block].chain; n++) {
        block = zone->blocks[block].chain;
    }

    zone->blocks[block].chain = sh->free;
    sh->free = first;
    sh->nfree += n;
}


ngx_uint_t
ngx_k8s_sa_blocks_for(size_t offset, size_t len)
{
    size_t  part;

    if (len <= NGX_K8S_SA_BLOCK_SIZE - offset) {
        return 1;
    }

    len -= NGX_K8S_SA_BLOCK_SIZE - offset;
    part = NGX_K8S_SA_BLOCK_SIZE - NGX_K8S_SA_PART_DATA;

    return 1 + (len + part - 1) / part;
}


void
ngx_k8s_sa_blocks_write(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_place_t *place,
    const u_char *data, size_t len)
{
    size_t  n;

    while (len) {

        if (place->offset == NGX_K8S_SA_BLOCK_SIZE) {
            place->block = zone->blocks[place->block].chain;
            place->offset = NGX_K8S_SA_PART_DATA;
        }

        n = ngx_min(len, NGX_K8S_SA_BLOCK_SIZE - place->offset);

        ngx_memcpy(zone->blocks[place->block].bytes + place->offset, data, n);

        place->offset += n;
        data += n;
        len -= n;
    }
}


void
ngx_k8s_sa_blocks_read(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_place_t *place,
    u_char *data, size_t len)
{
    size_t  n;

    while (len) {

        if (place->offset == NGX_K8S_SA_BLOCK_SIZE) {
            place->block = zone->blocks[place->block].chain;
            place->offset = NGX_K8S_SA_PART_DATA;
        }

        n = ngx_min(len, NGX_K8S_SA_BLOCK_SIZE - place->offset);

        ngx_memcpy(data, zone->blocks[place->block].bytes + place->offset, n);

        place->offset += n;
        data += n;
        len -= n;
    }
}


ngx_uint_t
ngx_k8s_sa_blocks_equal(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_place_t *place,
    const u_char *data, size_t len)
{
    size_t  n;

    while (len) {

        if (place->offset == NGX_K8S_SA_BLOCK_SIZE) {
            place->block = zone->blocks[place->block].chain;
            place->offset = NGX_K8S_SA_PART_DATA;
        }

        n = ngx_min(len, NGX_K8S_SA_BLOCK_SIZE - place->offset);

        if (ngx_memcmp(zone->blocks[place->block].bytes + place->offset, data,
                       n)
            != 0)
        {
            return 0;
        }

        place->offset += n;
        data += n;
        len -= n;
    }

    return 1;
}


void
ngx_k8s_sa_zone_stat(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_zone_stat_t *stat)
{
    ngx_k8s_sa_sh_t    *sh;
    ngx_k8s_sa_list_t  *tokens, *refusals;

    sh = zone->sh;
    tokens = &sh->lists[NGX_K8S_SA_TOKENS];
    refusals = &sh->lists[NGX_K8S_SA_REFUSALS];

    stat->size = sh->size;
    stat->room = (sh->nblocks - 1) * NGX_K8S_SA_BLOCK_SIZE;
    stat->used = (sh->nblocks - 1 - sh->nfree) * NGX_K8S_SA_BLOCK_SIZE;
    stat->tokens = tokens->entries;
    stat->tokens_used = tokens->blocks * NGX_K8S_SA_BLOCK_SIZE;
    stat->refusals = refusals->entries;
    stat->refusals_used = refusals->blocks * NGX_K8S_SA_BLOCK_SIZE;
    stat->evictions = sh->evictions;
    stat->recoveries = sh->recoveries;
}
