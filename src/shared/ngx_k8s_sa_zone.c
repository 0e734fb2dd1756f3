/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/rand.h>

#include "shared/ngx_k8s_sa_sh.h"
#include "shared/ngx_k8s_sa_zone.h"


#define NGX_K8S_SA_MAGIC         0x6b387361
#define NGX_K8S_SA_LAYOUT        4

#define NGX_K8S_SA_CALLERS_MIN   4
#define NGX_K8S_SA_CALLERS_MAX   128

#define NGX_K8S_SA_LEASES_MIN    16
#define NGX_K8S_SA_LEASES_MAX    1024

/* Seconds without use after which an unconfigured record is dropped. */

#define NGX_K8S_SA_RECORD_IDLE   3600


static ngx_int_t ngx_k8s_sa_zone_init(ngx_shm_zone_t *shm_zone, void *data);
static ngx_k8s_sa_sh_t *ngx_k8s_sa_zone_create(ngx_shm_zone_t *shm_zone,
    ngx_slab_pool_t *shpool);
static ngx_int_t ngx_k8s_sa_zone_attach(ngx_k8s_sa_zone_t *zone);


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

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_k8s_sa_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    zone->fingerprint_key = ngx_palloc(cf->pool,
                                       sizeof(k8s_sa_fingerprint_key_t));
    if (zone->fingerprint_key == NULL) {
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
     * so a foreign layout here can only be a bug
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

    if (k8s_sa_fingerprint_init(zone->fingerprint_key, sh->secret)
        != K8S_SA_OK)
    {
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

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, shm_zone->shm.log, 0,
                   "k8s_sa: zone \"%V\", configuration %uA, %ui issuers",
                   &shm_zone->shm.name, sh->cycle, zone->issuers.nelts);

    return rc;
}


/*
 * Makes one allocation of all but a few pages, which stay with the slab
 * allocator for records.  Blocks are not written before they are needed.
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

    /* a typical token takes three blocks: at most four in three buckets */

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

    /* running out of memory is normal here */

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

    if (ngx_k8s_sa_records_attach(zone, zone->issuers.elts,
                                       zone->issuers.nelts, zone->sh->cycle)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_k8s_sa_zone_touch(zone);

    ngx_k8s_sa_records_reap(zone, zone->sh->cycle, NGX_K8S_SA_RECORD_IDLE);

    return NGX_OK;
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
    stat->tokens = tokens->nodes;
    stat->tokens_used = tokens->blocks * NGX_K8S_SA_BLOCK_SIZE;
    stat->refusals = refusals->nodes;
    stat->refusals_used = refusals->blocks * NGX_K8S_SA_BLOCK_SIZE;
    stat->evictions = sh->evictions;
    stat->recoveries = sh->recoveries;
}
