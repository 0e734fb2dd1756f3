/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_sh.h"


/* Refused tokens, and one entry of any kind, have at most this share. */

#define NGX_K8S_SA_CACHE_SHARE    8

/* Expired entries that an insertion clears away. */

#define NGX_K8S_SA_CACHE_EXPIRE   2


_Static_assert(NGX_K8S_SA_DIGEST_LEN == K8S_SA_FINGERPRINT_CONTEXT_LEN,
               "a digest is a fingerprint's context");


static uint32_t *ngx_k8s_sa_cache_bucket(ngx_k8s_sa_zone_t *zone,
    const u_char *key);
static uint32_t ngx_k8s_sa_cache_find(ngx_k8s_sa_zone_t *zone,
    const u_char *key);
static ngx_k8s_sa_list_t *ngx_k8s_sa_cache_list(ngx_k8s_sa_zone_t *zone,
    ngx_uint_t kind);
static void ngx_k8s_sa_cache_link(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_list_t *list, uint32_t block);
static void ngx_k8s_sa_cache_unlink(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_list_t *list, uint32_t block);
static void ngx_k8s_sa_cache_remove(ngx_k8s_sa_zone_t *zone, uint32_t block);
static void ngx_k8s_sa_cache_expire(ngx_k8s_sa_zone_t *zone, time_t now);


void
ngx_k8s_sa_cache_key(ngx_k8s_sa_zone_t *zone, const u_char *digest,
    ngx_str_t *token, u_char *key)
{
    k8s_sa_str_t  s;

    s.len = token->len;
    s.data = token->data;

    k8s_sa_fingerprint(zone->fingerprint_key, digest, &s, key);
}


ngx_int_t
ngx_k8s_sa_cache_lookup(ngx_k8s_sa_zone_t *zone, const u_char *key, time_t now,
    ngx_k8s_sa_cache_entry_t *e, u_char *buf, size_t size)
{
    uint32_t             block;
    ngx_k8s_sa_list_t   *list;
    ngx_k8s_sa_cache_node_t  *entry;
    ngx_k8s_sa_place_t   place;

    ngx_k8s_sa_zone_lock(zone);

    block = ngx_k8s_sa_cache_find(zone, key);

    if (block == 0) {
        goto declined;
    }

    entry = &zone->blocks[block].entry;

    if (now >= entry->expires) {
        ngx_k8s_sa_zone_touch(zone);
        ngx_k8s_sa_cache_remove(zone, block);
        goto declined;
    }

    if (entry->len > size) {
        goto declined;
    }

    e->kind = entry->kind;
    e->verdict = entry->verdict;
    e->fresh = entry->fresh;
    e->expires = entry->expires;
    e->len = entry->len;
    e->data = buf;

    ngx_memcpy(e->key_id, entry->key_id, K8S_SA_KEY_ID_LEN);

    place.block = block;
    place.offset = NGX_K8S_SA_CACHE_NODE_DATA;

    ngx_k8s_sa_blocks_read(zone, &place, buf, entry->len);

    /* once a second is enough, and keeps the list out of most hits */

    if (entry->seen != (uint32_t) now) {
        list = ngx_k8s_sa_cache_list(zone, entry->kind);

        ngx_k8s_sa_zone_touch(zone);

        ngx_k8s_sa_cache_unlink(zone, list, block);
        ngx_k8s_sa_cache_link(zone, list, block);

        entry->seen = (uint32_t) now;
    }

    ngx_k8s_sa_zone_unlock(zone);

    return NGX_OK;

declined:

    ngx_k8s_sa_zone_unlock(zone);

    return NGX_DECLINED;
}


ngx_int_t
ngx_k8s_sa_cache_insert(ngx_k8s_sa_zone_t *zone, const u_char *key, time_t now,
    const ngx_k8s_sa_cache_entry_t *e)
{
    uint32_t             block, *bucket;
    ngx_int_t            rc;
    ngx_uint_t           n, share;
    ngx_k8s_sa_list_t   *list;
    ngx_k8s_sa_cache_node_t  *entry;
    ngx_k8s_sa_place_t   place;

    rc = NGX_DECLINED;

    list = ngx_k8s_sa_cache_list(zone, e->kind);
    share = zone->sh->nblocks / NGX_K8S_SA_CACHE_SHARE;

    n = ngx_k8s_sa_blocks_for(NGX_K8S_SA_CACHE_NODE_DATA, e->len);

    ngx_k8s_sa_zone_lock(zone);

    ngx_k8s_sa_zone_touch(zone);

    block = ngx_k8s_sa_cache_find(zone, key);

    if (block) {
        ngx_k8s_sa_cache_remove(zone, block);
    }

    if (now >= e->expires || e->len > NGX_K8S_SA_CACHE_DATA_MAX || n > share) {
        goto done;
    }

    ngx_k8s_sa_cache_expire(zone, now);

    if (e->kind == NGX_K8S_SA_CACHE_REFUSED) {

        while (list->blocks + n > share) {
            ngx_k8s_sa_cache_remove(zone, list->oldest);
            zone->sh->evictions++;
        }
    }

    ngx_k8s_sa_cache_evict(zone, n, now);

    block = ngx_k8s_sa_blocks_alloc(zone, n);

    if (block == 0) {
        goto done;
    }

    entry = &zone->blocks[block].entry;

    entry->seen = (uint32_t) now;
    entry->len = (uint16_t) e->len;
    entry->kind = (uint8_t) e->kind;
    entry->verdict = (uint8_t) e->verdict;
    entry->fresh = e->fresh;
    entry->expires = e->expires;

    ngx_memcpy(entry->key, key, NGX_K8S_SA_CACHE_KEY_LEN);
    ngx_memcpy(entry->key_id, e->key_id, K8S_SA_KEY_ID_LEN);

    place.block = block;
    place.offset = NGX_K8S_SA_CACHE_NODE_DATA;

    ngx_k8s_sa_blocks_write(zone, &place, e->data, e->len);

    bucket = ngx_k8s_sa_cache_bucket(zone, key);

    entry->hash_next = *bucket;
    *bucket = block;

    ngx_k8s_sa_cache_link(zone, list, block);

    list->entries++;
    list->blocks += n;

    rc = NGX_OK;

done:

    ngx_k8s_sa_zone_unlock(zone);

    return rc;
}


void
ngx_k8s_sa_cache_delete(ngx_k8s_sa_zone_t *zone, const u_char *key)
{
    uint32_t  block;

    ngx_k8s_sa_zone_lock(zone);

    block = ngx_k8s_sa_cache_find(zone, key);

    if (block) {
        ngx_k8s_sa_zone_touch(zone);
        ngx_k8s_sa_cache_remove(zone, block);
    }

    ngx_k8s_sa_zone_unlock(zone);
}


/* nobody who chooses a token knows its bucket: none becomes a long list */

static uint32_t *
ngx_k8s_sa_cache_bucket(ngx_k8s_sa_zone_t *zone, const u_char *key)
{
    uint64_t  n;

    ngx_memcpy(&n, key, sizeof(uint64_t));

    return &zone->buckets[n >> zone->sh->shift];
}


static uint32_t
ngx_k8s_sa_cache_find(ngx_k8s_sa_zone_t *zone, const u_char *key)
{
    uint32_t             block;
    ngx_k8s_sa_cache_node_t  *entry;

    block = *ngx_k8s_sa_cache_bucket(zone, key);

    while (block) {
        entry = &zone->blocks[block].entry;

        if (ngx_memcmp(entry->key, key, NGX_K8S_SA_CACHE_KEY_LEN) == 0) {
            break;
        }

        block = entry->hash_next;
    }

    return block;
}


static ngx_k8s_sa_list_t *
ngx_k8s_sa_cache_list(ngx_k8s_sa_zone_t *zone, ngx_uint_t kind)
{
    return &zone->sh->lists[kind == NGX_K8S_SA_CACHE_REFUSED
                            ? NGX_K8S_SA_REFUSALS : NGX_K8S_SA_TOKENS];
}


static void
ngx_k8s_sa_cache_link(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_list_t *list,
    uint32_t block)
{
    ngx_k8s_sa_cache_node_t  *entry;

    entry = &zone->blocks[block].entry;

    entry->newer = 0;
    entry->older = list->newest;

    if (list->newest) {
        zone->blocks[list->newest].entry.newer = block;

    } else {
        list->oldest = block;
    }

    list->newest = block;
}


static void
ngx_k8s_sa_cache_unlink(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_list_t *list,
    uint32_t block)
{
    ngx_k8s_sa_cache_node_t  *entry;

    entry = &zone->blocks[block].entry;

    if (entry->newer) {
        zone->blocks[entry->newer].entry.older = entry->older;

    } else {
        list->newest = entry->older;
    }

    if (entry->older) {
        zone->blocks[entry->older].entry.newer = entry->newer;

    } else {
        list->oldest = entry->newer;
    }
}


static void
ngx_k8s_sa_cache_remove(ngx_k8s_sa_zone_t *zone, uint32_t block)
{
    uint32_t            *link;
    ngx_k8s_sa_list_t   *list;
    ngx_k8s_sa_cache_node_t  *entry;

    entry = &zone->blocks[block].entry;
    list = ngx_k8s_sa_cache_list(zone, entry->kind);

    link = ngx_k8s_sa_cache_bucket(zone, entry->key);

    while (*link != block) {
        link = &zone->blocks[*link].entry.hash_next;
    }

    *link = entry->hash_next;

    ngx_k8s_sa_cache_unlink(zone, list, block);

    list->entries--;
    list->blocks -= ngx_k8s_sa_blocks_for(NGX_K8S_SA_CACHE_NODE_DATA, entry->len);

    ngx_k8s_sa_blocks_free(zone, block);
}


static void
ngx_k8s_sa_cache_expire(ngx_k8s_sa_zone_t *zone, time_t now)
{
    uint32_t    block;
    ngx_uint_t  i, n;

    for (i = 0; i < NGX_K8S_SA_LISTS; i++) {

        for (n = 0; n < NGX_K8S_SA_CACHE_EXPIRE; n++) {
            block = zone->sh->lists[i].oldest;

            if (block == 0 || zone->blocks[block].entry.expires > now) {
                break;
            }

            ngx_k8s_sa_cache_remove(zone, block);
        }
    }
}


/* Makes n blocks free, if that many there are at all in the cache. */

void
ngx_k8s_sa_cache_evict(ngx_k8s_sa_zone_t *zone, ngx_uint_t n, time_t now)
{
    uint32_t          token, refusal, block;
    ngx_k8s_sa_sh_t  *sh;

    sh = zone->sh;

    if (n > sh->nfree + sh->lists[NGX_K8S_SA_TOKENS].blocks
            + sh->lists[NGX_K8S_SA_REFUSALS].blocks)
    {
        return;
    }

    while (sh->nfree < n) {
        token = sh->lists[NGX_K8S_SA_TOKENS].oldest;
        refusal = sh->lists[NGX_K8S_SA_REFUSALS].oldest;

        if (token == 0
            || (refusal && zone->blocks[refusal].entry.expires <= now))
        {
            block = refusal;

        } else if (refusal == 0
                   || zone->blocks[token].entry.expires <= now)
        {
            block = token;

        } else {
            block = (int32_t) (zone->blocks[refusal].entry.seen
                               - zone->blocks[token].entry.seen) <= 0
                    ? refusal : token;
        }

        if (zone->blocks[block].entry.expires > now) {
            sh->evictions++;
        }

        ngx_k8s_sa_cache_remove(zone, block);
    }
}
