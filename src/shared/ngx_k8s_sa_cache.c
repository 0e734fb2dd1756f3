/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_sh.h"


/*
 * All refused tokens, and any single entry, get at most 1/8 of the blocks, and
 * so do one user's tokens when other entries need room.
 */

#define NGX_K8S_SA_CACHE_SHARE    8

/*
 * All decisions get at most 1/4 of the blocks, denials 1/8, and one user's
 * allowed questions 1/32 when other decisions need room.
 */

#define NGX_K8S_SA_CACHE_DECISIONS  4
#define NGX_K8S_SA_CACHE_GRANTS     32

/* The most expired entries of each list that an insertion removes. */

#define NGX_K8S_SA_CACHE_EXPIRE   2


_Static_assert(NGX_K8S_SA_DIGEST_LEN == K8S_SA_FINGERPRINT_CONTEXT_LEN,
               "a digest is a fingerprint's context");

_Static_assert(NGX_K8S_SA_CACHE_DATA_MAX <= K8S_SA_TOKEN_MAX,
               "a user name has a fingerprint");


static uint32_t *ngx_k8s_sa_cache_bucket(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint);
static uint32_t ngx_k8s_sa_cache_find(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint);
static uint32_t ngx_k8s_sa_cache_user(ngx_k8s_sa_zone_t *zone,
    const k8s_sa_str_t *user);
static void ngx_k8s_sa_cache_link(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_list_t *list, uint32_t block);
static void ngx_k8s_sa_cache_unlink(ngx_k8s_sa_zone_t *zone,
    ngx_k8s_sa_list_t *list, uint32_t block);
static void ngx_k8s_sa_cache_remove(ngx_k8s_sa_zone_t *zone, uint32_t block);
static void ngx_k8s_sa_cache_expire(ngx_k8s_sa_zone_t *zone, time_t now);
static uint32_t ngx_k8s_sa_cache_victim(ngx_k8s_sa_zone_t *zone, time_t now,
    ngx_uint_t first);
static uint32_t ngx_k8s_sa_cache_expired(ngx_k8s_sa_zone_t *zone, time_t now,
    ngx_uint_t first);
static ngx_uint_t ngx_k8s_sa_cache_list(ngx_k8s_sa_zone_t *zone,
    const ngx_k8s_sa_cache_entry_t *e, uint32_t user, ngx_uint_t n);
static ngx_uint_t ngx_k8s_sa_cache_make_room(ngx_k8s_sa_zone_t *zone,
    ngx_uint_t list, ngx_uint_t n, time_t now);


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
    e->claimed = node->claimed;
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
        list = &zone->sh->lists[node->list];

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
    uint32_t                  block, user, *bucket;
    ngx_int_t                 rc;
    ngx_uint_t                i, n;
    ngx_k8s_sa_sh_t          *sh;
    ngx_k8s_sa_list_t        *list;
    ngx_k8s_sa_place_t        place;
    ngx_k8s_sa_cache_node_t  *node;

    rc = NGX_DECLINED;

    sh = zone->sh;
    user = 0;

    if (e->kind != NGX_K8S_SA_CACHE_REFUSED
        && e->kind != NGX_K8S_SA_CACHE_DENIED)
    {
        user = ngx_k8s_sa_cache_user(zone, &e->user);

        if (e->kind == NGX_K8S_SA_CACHE_ALLOWED) {
            user += (uint32_t) 1 << (64 - sh->shift);
        }
    }

    n = ngx_k8s_sa_blocks_for(NGX_K8S_SA_CACHE_NODE_DATA, e->len);

    ngx_k8s_sa_zone_lock(zone);

    ngx_k8s_sa_zone_touch(zone);

    block = ngx_k8s_sa_cache_find(zone, fingerprint);

    if (block) {
        ngx_k8s_sa_cache_remove(zone, block);
    }

    if (now >= e->expires || e->len > NGX_K8S_SA_CACHE_DATA_MAX
        || n > sh->nblocks / NGX_K8S_SA_CACHE_SHARE)
    {
        goto done;
    }

    ngx_k8s_sa_cache_expire(zone, now);

    i = ngx_k8s_sa_cache_list(zone, e, user, n);

    if (!ngx_k8s_sa_cache_make_room(zone, i, n, now)) {
        goto done;
    }

    block = ngx_k8s_sa_blocks_alloc(zone, n);

    if (block == 0) {
        goto done;
    }

    node = &zone->blocks[block].node;

    node->list = (uint32_t) i;
    node->user = user;
    node->seen = (uint32_t) now;
    node->len = (uint16_t) e->len;
    node->kind = (uint8_t) e->kind & 0x7f;
    node->claimed = 0;
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

    list = &sh->lists[i];

    ngx_k8s_sa_cache_link(zone, list, block);

    list->nodes++;
    list->blocks += n;

    if (i != NGX_K8S_SA_REFUSALS && i != NGX_K8S_SA_DENIALS) {
        sh->users[user] += (uint32_t) n;
    }

    rc = NGX_OK;

done:

    ngx_k8s_sa_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_k8s_sa_cache_claim(ngx_k8s_sa_zone_t *zone, const u_char *fingerprint)
{
    uint32_t   block;
    ngx_int_t  rc;

    rc = NGX_DECLINED;

    ngx_k8s_sa_zone_lock(zone);

    block = ngx_k8s_sa_cache_find(zone, fingerprint);

    if (block && !zone->blocks[block].node.claimed) {
        zone->blocks[block].node.claimed = 1;
        rc = NGX_OK;
    }

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


/*
 * Returns the user's place in sh->users.  It depends on the zone's secret, as
 * a token's bucket does: a user name that shares another one's place cannot be
 * chosen.
 */

static uint32_t
ngx_k8s_sa_cache_user(ngx_k8s_sa_zone_t *zone, const k8s_sa_str_t *user)
{
    uint64_t  n;
    u_char    hash[K8S_SA_FINGERPRINT_LEN];

    static const u_char  none[K8S_SA_FINGERPRINT_CONTEXT_LEN];

    k8s_sa_fingerprint(zone->fingerprint_key, none, user, hash);

    ngx_memcpy(&n, hash, sizeof(uint64_t));

    return (uint32_t) (n >> zone->sh->shift);
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
    ngx_uint_t                n;
    ngx_k8s_sa_list_t        *list;
    ngx_k8s_sa_cache_node_t  *node;

    node = &zone->blocks[block].node;
    list = &zone->sh->lists[node->list];
    n = ngx_k8s_sa_blocks_for(NGX_K8S_SA_CACHE_NODE_DATA, node->len);

    link = ngx_k8s_sa_cache_bucket(zone, node->fingerprint);

    while (*link != block) {
        link = &zone->blocks[*link].node.hash_next;
    }

    *link = node->hash_next;

    ngx_k8s_sa_cache_unlink(zone, list, block);

    list->nodes--;
    list->blocks -= n;

    if (node->list != NGX_K8S_SA_REFUSALS
        && node->list != NGX_K8S_SA_DENIALS)
    {
        zone->sh->users[node->user] -= (uint32_t) n;
    }

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
    uint32_t          block;
    ngx_uint_t        i, most;
    ngx_k8s_sa_sh_t  *sh;

    sh = zone->sh;
    most = sh->nfree;

    for (i = 0; i < NGX_K8S_SA_LISTS; i++) {
        most += sh->lists[i].blocks;
    }

    if (n > most) {
        return;
    }

    while (sh->nfree < n) {
        block = ngx_k8s_sa_cache_victim(zone, now, 0);

        if (zone->blocks[block].node.expires > now) {
            sh->evictions++;
        }

        ngx_k8s_sa_cache_remove(zone, block);
    }
}


/*
 * Returns the entry to evict next of the lists from first on, or 0 if there is
 * none: one that has expired, then what a user has beyond its share, then the
 * least recently used.
 */

static uint32_t
ngx_k8s_sa_cache_victim(ngx_k8s_sa_zone_t *zone, time_t now, ngx_uint_t first)
{
    uint32_t            block, oldest;
    ngx_uint_t          i;
    ngx_k8s_sa_list_t  *lists;

    lists = zone->sh->lists;
    oldest = ngx_k8s_sa_cache_expired(zone, now, first);

    if (oldest) {
        return oldest;
    }

    if (first <= NGX_K8S_SA_EXCESS && lists[NGX_K8S_SA_EXCESS].oldest) {
        return lists[NGX_K8S_SA_EXCESS].oldest;
    }

    if (lists[NGX_K8S_SA_GRANT_EXCESS].oldest) {
        return lists[NGX_K8S_SA_GRANT_EXCESS].oldest;
    }

    for (i = first; i < NGX_K8S_SA_LISTS; i++) {
        block = lists[i].oldest;

        /* of a token and a refusal of the same second the refusal */

        if (block
            && (oldest == 0
                || (int32_t) (zone->blocks[block].node.seen
                              - zone->blocks[oldest].node.seen)
                   < (i == NGX_K8S_SA_REFUSALS)))
        {
            oldest = block;
        }
    }

    return oldest;
}


/* Returns an entry of the lists from first on that has expired, or 0. */

static uint32_t
ngx_k8s_sa_cache_expired(ngx_k8s_sa_zone_t *zone, time_t now, ngx_uint_t first)
{
    uint32_t    block;
    ngx_uint_t  i;

    for (i = first; i < NGX_K8S_SA_LISTS; i++) {
        block = zone->sh->lists[i].oldest;

        if (block && zone->blocks[block].node.expires <= now) {
            return block;
        }
    }

    return 0;
}


/* Returns the list for an entry of n blocks. */

static ngx_uint_t
ngx_k8s_sa_cache_list(ngx_k8s_sa_zone_t *zone,
    const ngx_k8s_sa_cache_entry_t *e, uint32_t user, ngx_uint_t n)
{
    ngx_uint_t        blocks;
    ngx_k8s_sa_sh_t  *sh;

    sh = zone->sh;
    blocks = sh->users[user] + n;

    switch (e->kind) {

    case NGX_K8S_SA_CACHE_REFUSED:
        return NGX_K8S_SA_REFUSALS;

    case NGX_K8S_SA_CACHE_DENIED:
        return NGX_K8S_SA_DENIALS;

    case NGX_K8S_SA_CACHE_ALLOWED:
        return blocks > sh->nblocks / NGX_K8S_SA_CACHE_GRANTS
               ? NGX_K8S_SA_GRANT_EXCESS : NGX_K8S_SA_GRANTS;

    default:
        return blocks > sh->nblocks / NGX_K8S_SA_CACHE_SHARE
               ? NGX_K8S_SA_EXCESS : NGX_K8S_SA_TOKENS;
    }
}


/* Evicts what a list may evict for n blocks.  Returns 1 if they are free. */

static ngx_uint_t
ngx_k8s_sa_cache_make_room(ngx_k8s_sa_zone_t *zone, ngx_uint_t list,
    ngx_uint_t n, time_t now)
{
    uint32_t            block;
    ngx_uint_t          used;
    ngx_k8s_sa_sh_t    *sh;
    ngx_k8s_sa_list_t  *lists;

    sh = zone->sh;
    lists = sh->lists;

    if (list == NGX_K8S_SA_REFUSALS || list == NGX_K8S_SA_DENIALS) {

        while (lists[list].blocks + n > sh->nblocks / NGX_K8S_SA_CACHE_SHARE) {
            ngx_k8s_sa_cache_remove(zone, lists[list].oldest);
            sh->evictions++;
        }
    }

    if (list < NGX_K8S_SA_GRANTS) {
        ngx_k8s_sa_cache_evict(zone, n, now);
        return 1;
    }

    for ( ;; ) {
        used = lists[NGX_K8S_SA_GRANTS].blocks
               + lists[NGX_K8S_SA_DENIALS].blocks
               + lists[NGX_K8S_SA_GRANT_EXCESS].blocks;

        if (used + n > sh->nblocks / NGX_K8S_SA_CACHE_DECISIONS) {
            block = 0;

        } else if (sh->nfree >= n) {
            return 1;

        } else {
            block = ngx_k8s_sa_cache_expired(zone, now, 0);
        }

        if (block == 0) {
            block = ngx_k8s_sa_cache_victim(zone, now, NGX_K8S_SA_GRANTS);
        }

        if (block == 0) {
            return 0;
        }

        if (zone->blocks[block].node.expires > now) {
            sh->evictions++;
        }

        ngx_k8s_sa_cache_remove(zone, block);
    }
}
