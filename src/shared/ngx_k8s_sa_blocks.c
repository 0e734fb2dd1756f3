/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_sh.h"


static void ngx_k8s_sa_zone_lock_exiting(ngx_shmtx_t *mutex);
static void ngx_k8s_sa_zone_recover(ngx_k8s_sa_zone_t *zone);
static ngx_int_t ngx_k8s_sa_zone_mark(ngx_k8s_sa_zone_t *zone,
    uint32_t first);
static u_char *ngx_k8s_sa_blocks_part(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_place_t *place, size_t len, size_t *n);


void
ngx_k8s_sa_zone_lock(ngx_k8s_sa_zone_t *zone)
{
    if (ngx_quit || ngx_exiting) {
        ngx_k8s_sa_zone_lock_exiting(&zone->shpool->mutex);

    } else {
        ngx_shmtx_lock(&zone->shpool->mutex);
    }

    if (zone->sh->dirty) {
        ngx_k8s_sa_zone_recover(zone);
    }
}


/*
 * The zone of a worker that shuts down may have been replaced by one of another
 * size: nginx's master does not know it any more, and does not unlock it when
 * its owner dies.
 */

static void
ngx_k8s_sa_zone_lock_exiting(ngx_shmtx_t *mutex)
{
    ngx_pid_t  owner;

    while (!ngx_shmtx_trylock(mutex)) {
        owner = (ngx_pid_t) *mutex->lock;

        if (owner && kill(owner, 0) == -1 && ngx_errno == NGX_ESRCH) {
            (void) ngx_shmtx_force_unlock(mutex, owner);
            continue;
        }

        ngx_msleep(1);
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
 * The last owner of the lock died while it was changing chains or lists.  Only
 * the records' key sets can be trusted; all other blocks become free.
 */

static void
ngx_k8s_sa_zone_recover(ngx_k8s_sa_zone_t *zone)
{
    uint32_t          i;
    ngx_uint_t        n;
    ngx_k8s_sa_sh_t  *sh;

    sh = zone->sh;

    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                  "a process died while it changed k8s_sa_zone \"%V\", "
                  "cached tokens are dropped", &zone->shm_zone->shm.name);

    ngx_memzero(sh->bitmap, sh->nblocks / 8 + 1);

    for (n = 0; n < sh->nrecords; n++) {
        if (ngx_k8s_sa_zone_mark(zone, sh->records[n].keys) != NGX_OK) {
            sh->records[n].keys = 0;
        }
    }

    ngx_memzero(sh->buckets,
                ((size_t) 1 << (64 - sh->shift)) * sizeof(uint32_t));
    ngx_memzero(sh->users,
                2 * ((size_t) 1 << (64 - sh->shift)) * sizeof(uint32_t));
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

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "k8s_sa: zone repaired, %ui of %ui blocks are free",
                   sh->nfree, sh->nblocks);
}


/* Marks the blocks of a chain.  Returns NGX_ERROR if it is broken. */

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
    size_t   n;
    u_char  *part;

    for ( /* void */ ; len; len -= n) {
        part = ngx_k8s_sa_blocks_part(zone, place, len, &n);

        ngx_memcpy(part, data, n);
        data += n;
    }
}


void
ngx_k8s_sa_blocks_read(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_place_t *place,
    u_char *data, size_t len)
{
    size_t   n;
    u_char  *part;

    for ( /* void */ ; len; len -= n) {
        part = ngx_k8s_sa_blocks_part(zone, place, len, &n);

        ngx_memcpy(data, part, n);
        data += n;
    }
}


ngx_uint_t
ngx_k8s_sa_blocks_equal(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_place_t *place,
    const u_char *data, size_t len)
{
    size_t   n;
    u_char  *part;

    for ( /* void */ ; len; len -= n) {
        part = ngx_k8s_sa_blocks_part(zone, place, len, &n);

        if (ngx_memcmp(part, data, n) != 0) {
            return 0;
        }

        data += n;
    }

    return 1;
}


/*
 * Returns the bytes at place that are in one block, at most len, *n of them;
 * moves place past them.
 */

static u_char *
ngx_k8s_sa_blocks_part(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_place_t *place,
    size_t len, size_t *n)
{
    u_char  *part;

    if (place->offset == NGX_K8S_SA_BLOCK_SIZE) {
        place->block = zone->blocks[place->block].chain;
        place->offset = NGX_K8S_SA_PART_DATA;
    }

    part = zone->blocks[place->block].bytes + place->offset;

    *n = ngx_min(len, NGX_K8S_SA_BLOCK_SIZE - place->offset);
    place->offset += *n;

    return part;
}
