/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_sh.h"


/* All refused tokens, and any single entry, get at most 1/8 of the blocks. */

#define NGX_K8S_SA_CACHE_SHARE    8

/* The most expired entries of each list that an insertion removes. */

#define NGX_K8S_SA_CACHE_EXPIRE   2


_Static_assert(NGX_K8S_SA_DIGEST_LEN == K8S_SA_FINGERPRINT_CONTEXT_LEN,
               "a digest is a fingerprint's context");


static uint32_t *ngx_k8s_sa_cache_bucket(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint);
static uint32_t ngx_k8s_sa_cache_find(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint);
static ngx_k8s_sa_list_t *ngx_k8s_sa_cache_list(ngx_k8s_sa_zone_t *zone,
    ngx_uint_t kind);
static void ngx_k8s_sa_cache_link(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_list_t *list, uint32_t block);
static void ngx_k8s_sa_cache_unlink(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_list_t *list, uint32_t block);
static void ngx_k8s_sa_cache_remove(ngx_k8s_sa_zone_t *zone, uint32_t block);
static void ngx_k8s_sa_cache_expire(ngx_k8s_sa_zone_t *zone, time_t now);


void
ngx_k8s_sa_cache_fingerprint(ngx_k8s_sa_zone_t *zone, const u_char *digest,
    ngx_str_t *token, u_char *fingerprint)
{
    k8s_sa_str_t  s;

    s.len = token->len;
    s.data = token->data;

    k8s_sa_fingerprint(zone->fingerprint_key, digest, &s, fingerprint);
}


ngx_int_t
ngx_k8s_sa_cache_lookup(ngx_k8s_sa_zone_t *zone, const u_char *fingerprint,
    time_t now, ngx_k8s_sa_cache_entry_t *e, u_char *buf, size_t size)
{
    uint32_t                  block;
    ngx_k8s_sa_list_t        *list;
    ngx_k8s_sa_place_t        place;
    ngx_k8s_sa_cache_node_t  *node;

    ngx_k8s_sa_zone_lock(zone);

    block = ngx_k8s_sa_cache_find(zone, fingerprint);

    if (block == 0) {
        goto declined;
    }

    node = &zone->blocks[block].node;

    if (now >= node->expires) {
        ngx_k8s_sa_zone_touch(zone);
        ngx_k8s_sa_cache_remove(zone, block);
        goto declined;
    }

    if (node->len > size) {
        goto declined;
    }

    e->kind = node->kind;
    e->verdict = node->verdict;
    e->fresh = node->fresh;
    e->expires = node->expires;
    e->len = node->len;
    e->data = buf;

    ngx_memcpy(e->key_id, node->key_id, K8S_SA_KEY_ID_LEN);

    place.block = block;
    place.offset = NGX_K8S_SA_CACHE_NODE_DATA;

    ngx_k8s_sa_blocks_read(zone, &place, buf, node->len);

    /* once a second is enough, so that most hits do not change the list */

    if (node->seen != (uint32_t) now) {
        list = ngx_k8s_sa_cache_list(zone, node->kind);

        ngx_k8s_sa_zone_touch(zone);

        ngx_k8s_sa_cache_unlink(zone, list, block);
        ngx_k8s_sa_cache_link(zone, list, block);

        node->seen = (uint32_t) now;
    }

    ngx_k8s_sa_zone_unlock(zone);

    return NGX_OK;

declined:

    ngx_k8s_sa_zone_unlock(zone);

    return NGX_DECLINED;
}


ngx_int_t
ngx_k8s_sa_cache_insert(ngx_k8s_sa_zone_t *zone, const u_char *fingerprint,
    time_t now, const ngx_k8s_sa_cache_entry_t *e)
{
    uint32_t                  block, *bucket;
    ngx_int_t                 rc;
    ngx_uint_t                n, share;
    ngx_k8s_sa_list_t        *list;
    ngx_k8s_sa_place_t        place;
    ngx_k8s_sa_cache_node_t  *node;

    rc = NGX_DECLINED;

    list = ngx_k8s_sa_cache_list(zone, e->kind);
    share = zone->sh->nblocks / NGX_K8S_SA_CACHE_SHARE;

    n = ngx_k8s_sa_blocks_for(NGX_K8S_SA_CACHE_NODE_DATA, e->len);

    ngx_k8s_sa_zone_lock(zone);

    ngx_k8s_sa_zone_touch(zone);

    block = ngx_k8s_sa_cache_find(zone, fingerprint);

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

    node = &zone->blocks[block].node;

    node->seen = (uint32_t) now;
    node->len = (uint16_t) e->len;
    node->kind = (uint8_t) e->kind;
    node->verdict = (uint8_t) e->verdict;
    node->fresh = e->fresh;
    node->expires = e->expires;

    ngx_memcpy(node->fingerprint, fingerprint, K8S_SA_FINGERPRINT_LEN);
    ngx_memcpy(node->key_id, e->key_id, K8S_SA_KEY_ID_LEN);

    place.block = block;
    place.offset = NGX_K8S_SA_CACHE_NODE_DATA;

    ngx_k8s_sa_blocks_write(zone, &place, e->data, e->len);

    bucket = ngx_k8s_sa_cache_bucket(zone, fingerprint);

    node->hash_next = *bucket;
    *bucket = block;

    ngx_k8s_sa_cache_link(zone, list, block);

    list->nodes++;
    list->blocks += n;

    rc = NGX_OK;

done:

    ngx_k8s_sa_zone_unlock(zone);

    return rc;
}


void
ngx_k8s_sa_cache_delete(ngx_k8s_sa_zone_t *zone, const u_char *fingerprint)
{
    uint32_t  block;

    ngx_k8s_sa_zone_lock(zone);

    block = ngx_k8s_sa_cache_find(zone, fingerprint);

    if (block) {
        ngx_k8s_sa_zone_touch(zone);
        ngx_k8s_sa_cache_remove(zone, block);
    }

    ngx_k8s_sa_zone_unlock(zone);
}


/* clients cannot predict a token's bucket: none becomes a long list */

static uint32_t *
ngx_k8s_sa_cache_bucket(ngx_k8s_sa_zone_t *zone, const u_char *fingerprint)
{
    uint64_t  n;

    ngx_memcpy(&n, fingerprint, sizeof(uint64_t));

    return &zone->buckets[n >> zone->sh->shift];
}


static uint32_t
ngx_k8s_sa_cache_find(ngx_k8s_sa_zone_t *zone, const u_char *fingerprint)
{
    uint32_t                  block;
    ngx_k8s_sa_cache_node_t  *node;

    block = *ngx_k8s_sa_cache_bucket(zone, fingerprint);

    while (block) {
        node = &zone->blocks[block].node;

        if (ngx_memcmp(node->fingerprint, fingerprint, K8S_SA_FINGERPRINT_LEN)
            == 0)
        {
            break;
        }

        block = node->hash_next;
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
    ngx_k8s_sa_cache_node_t  *node;

    node = &zone->blocks[block].node;

    node->newer = 0;
    node->older = list->newest;

    if (list->newest) {
        zone->blocks[list->newest].node.newer = block;

    } else {
        list->oldest = block;
    }

    list->newest = block;
}


static void
ngx_k8s_sa_cache_unlink(ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_list_t *list,
    uint32_t block)
{
    ngx_k8s_sa_cache_node_t  *node;

    node = &zone->blocks[block].node;

    if (node->newer) {
        zone->blocks[node->newer].node.older = node->older;

    } else {
        list->newest = node->older;
    }

    if (node->older) {
        zone->blocks[node->older].node.newer = node->newer;

    } else {
        list->oldest = node->newer;
    }
}


static void
ngx_k8s_sa_cache_remove(ngx_k8s_sa_zone_t *zone, uint32_t block)
{
    uint32_t                 *link;
    ngx_k8s_sa_list_t        *list;
    ngx_k8s_sa_cache_node_t  *node;

    node = &zone->blocks[block].node;
    list = ngx_k8s_sa_cache_list(zone, node->kind);

    link = ngx_k8s_sa_cache_bucket(zone, node->fingerprint);

    while (*link != block) {
        link = &zone->blocks[*link].node.hash_next;
    }

    *link = node->hash_next;

    ngx_k8s_sa_cache_unlink(zone, list, block);

    list->nodes--;
    list->blocks -= ngx_k8s_sa_blocks_for(NGX_K8S_SA_CACHE_NODE_DATA,
                                          node->len);

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

            if (block == 0 || zone->blocks[block].node.expires > now) {
                break;
            }

            ngx_k8s_sa_cache_remove(zone, block);
        }
    }
}


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
            || (refusal && zone->blocks[refusal].node.expires <= now))
        {
            block = refusal;

        } else if (refusal == 0
                   || zone->blocks[token].node.expires <= now)
        {
            block = token;

        } else {
            block = (int32_t) (zone->blocks[refusal].node.seen
                               - zone->blocks[token].node.seen) <= 0
                    ? refusal : token;
        }

        if (zone->blocks[block].node.expires > now) {
            sh->evictions++;
        }

        ngx_k8s_sa_cache_remove(zone, block);
    }
}
