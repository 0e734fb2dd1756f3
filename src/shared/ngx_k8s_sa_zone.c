/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/rand.h>

#include "shared/ngx_k8s_sa_sh.h"
#include "shared/ngx_k8s_sa_zone.h"


#define NGX_K8S_SA_MAGIC         0x6b387361
#define NGX_K8S_SA_LAYOUT        8

#define NGX_K8S_SA_RECORDS_MIN   4

#define NGX_K8S_SA_CALLERS_MIN   4
#define NGX_K8S_SA_CALLERS_MAX   128

#define NGX_K8S_SA_LEASES_MIN    16
#define NGX_K8S_SA_LEASES_MAX    1024

/* Seconds without use after which an unconfigured record is dropped. */

#define NGX_K8S_SA_RECORD_IDLE   3600


static ngx_int_t ngx_k8s_sa_zone_init(ngx_shm_zone_t *shm_zone, void *data);
static ngx_k8s_sa_sh_t *ngx_k8s_sa_zone_create(ngx_shm_zone_t *shm_zone,
    ngx_slab_pool_t *shpool);


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


/*
 * Runs in the master, also for a configuration that fails later: takes no lock
 * and leaves alone what the running configuration uses.
 */

static ngx_int_t
ngx_k8s_sa_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_k8s_sa_zone_t  *ozone = data;

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

    if (zone->issuers.nelts > sh->nrecords) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "k8s_sa_zone \"%V\" is too small for %ui issuers",
                      &shm_zone->shm.name, zone->issuers.nelts);
        return NGX_ERROR;
    }

    zone->sh = sh;
    zone->blocks = sh->blocks;
    zone->buckets = sh->buckets;
    zone->cycle = ngx_atomic_fetch_add(&sh->cycle, 1) + 1;

    if (k8s_sa_fingerprint_init(zone->fingerprint_key, sh->secret)
        != K8S_SA_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "k8s_sa_zone \"%V\" could not be set up",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_k8s_sa_zone_start(ngx_k8s_sa_zone_t *zone)
{
    ngx_int_t  rc;

    ngx_k8s_sa_zone_lock(zone);

    rc = ngx_k8s_sa_records_attach(zone);

    ngx_k8s_sa_zone_touch(zone);

    ngx_k8s_sa_records_reap(zone, zone->cycle, NGX_K8S_SA_RECORD_IDLE);

    ngx_k8s_sa_zone_unlock(zone);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0,
                      "k8s_sa_zone \"%V\" has no records left for an old "
                      "configuration", &zone->shm_zone->shm.name);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "k8s_sa: zone \"%V\", configuration %uA, %ui issuers",
                   &zone->shm_zone->shm.name, zone->cycle,
                   zone->issuers.nelts);

    return rc;
}


/* Blocks are not written before they are needed. */

static ngx_k8s_sa_sh_t *
ngx_k8s_sa_zone_create(ngx_shm_zone_t *shm_zone, ngx_slab_pool_t *shpool)
{
    u_char           *p;
    size_t            size, used, records, callers, leases, bitmap;
    ngx_uint_t        bits, n;
    ngx_k8s_sa_sh_t  *sh;

    size = shpool->pfree * ngx_pagesize;

    n = size / NGX_K8S_SA_BLOCK_SIZE;

    /* a typical token takes three blocks: at most four in three buckets */

    for (bits = 4; ((ngx_uint_t) 1 << bits) < n / 4; bits++) { /* void */ }

    records = size / 32 / sizeof(ngx_k8s_sa_record_t);
    records = ngx_max(records, NGX_K8S_SA_RECORDS_MIN);

    callers = size / 64 / sizeof(ngx_k8s_sa_caller_t);
    callers = ngx_max(callers, NGX_K8S_SA_CALLERS_MIN);
    callers = ngx_min(callers, NGX_K8S_SA_CALLERS_MAX);

    leases = size / 256 / sizeof(ngx_k8s_sa_review_lease_t);
    leases = ngx_max(leases, NGX_K8S_SA_LEASES_MIN);
    leases = ngx_min(leases, NGX_K8S_SA_LEASES_MAX);

    bitmap = n / 8 + 1;

    used = ngx_align(sizeof(ngx_k8s_sa_sh_t), NGX_K8S_SA_BLOCK_SIZE)
           + leases * sizeof(ngx_k8s_sa_review_lease_t)
           + records * sizeof(ngx_k8s_sa_record_t)
           + callers * sizeof(ngx_k8s_sa_caller_t)
           + 3 * ((size_t) 1 << bits) * sizeof(uint32_t)
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

    if (RAND_bytes(sh->secret, sizeof(sh->secret)) != 1) {
        return NULL;
    }

    sh->shift = 64 - bits;

    p += ngx_align(sizeof(ngx_k8s_sa_sh_t), NGX_K8S_SA_BLOCK_SIZE);

    sh->leases = (ngx_k8s_sa_review_lease_t *) p;
    sh->nleases = leases;

    p += leases * sizeof(ngx_k8s_sa_review_lease_t);

    sh->records = (ngx_k8s_sa_record_t *) p;
    sh->nrecords = records;

    p += records * sizeof(ngx_k8s_sa_record_t);

    sh->callers = (ngx_k8s_sa_caller_t *) p;
    sh->max_callers = callers;
    sh->ncallers = 1;

    p += callers * sizeof(ngx_k8s_sa_caller_t);

    sh->buckets = (uint32_t *) p;

    p += ((size_t) 1 << bits) * sizeof(uint32_t);

    sh->users = (uint32_t *) p;

    p += 2 * ((size_t) 1 << bits) * sizeof(uint32_t);

    sh->bitmap = p;

    sh->blocks = (ngx_k8s_sa_block_t *) ((u_char *) sh + used);
    sh->nblocks = (size - used) / NGX_K8S_SA_BLOCK_SIZE;
    sh->untouched = 1;
    sh->nfree = sh->nblocks - 1;

    return sh;
}


void
ngx_k8s_sa_zone_stat(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_zone_stat_t *stat)
{
    ngx_k8s_sa_sh_t    *sh;
    ngx_k8s_sa_list_t  *tokens, *refusals, *excess, *grants, *denials, *more;

    sh = zone->sh;
    tokens = &sh->lists[NGX_K8S_SA_TOKENS];
    refusals = &sh->lists[NGX_K8S_SA_REFUSALS];
    excess = &sh->lists[NGX_K8S_SA_EXCESS];
    grants = &sh->lists[NGX_K8S_SA_GRANTS];
    denials = &sh->lists[NGX_K8S_SA_DENIALS];
    more = &sh->lists[NGX_K8S_SA_GRANT_EXCESS];

    stat->size = sh->size;
    stat->room = (sh->nblocks - 1) * NGX_K8S_SA_BLOCK_SIZE;
    stat->used = (sh->nblocks - 1 - sh->nfree) * NGX_K8S_SA_BLOCK_SIZE;
    stat->tokens = tokens->nodes + excess->nodes;
    stat->tokens_used = (tokens->blocks + excess->blocks)
                        * NGX_K8S_SA_BLOCK_SIZE;
    stat->refusals = refusals->nodes;
    stat->refusals_used = refusals->blocks * NGX_K8S_SA_BLOCK_SIZE;
    stat->grants = grants->nodes + more->nodes;
    stat->grants_used = (grants->blocks + more->blocks)
                        * NGX_K8S_SA_BLOCK_SIZE;
    stat->denials = denials->nodes;
    stat->denials_used = denials->blocks * NGX_K8S_SA_BLOCK_SIZE;
    stat->evictions = sh->evictions;
    stat->recoveries = sh->recoveries;
}
