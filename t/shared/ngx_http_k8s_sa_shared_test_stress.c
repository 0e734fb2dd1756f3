/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The test module's rougher operations: death, random load and timing; and a
 * check of the whole zone to follow them.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_k8s_sa_shared_test.h"


static const char *ngx_http_k8s_sa_shared_test_check_lists(
    ngx_k8s_sa_zone_t *zone, u_char *seen);
static const char *ngx_http_k8s_sa_shared_test_check_buckets(
    ngx_k8s_sa_zone_t *zone);
static const char *ngx_http_k8s_sa_shared_test_check_chain(
    ngx_k8s_sa_zone_t *zone, u_char *seen, uint32_t first, ngx_uint_t *n);
static void ngx_http_k8s_sa_shared_test_fingerprint_of(uint32_t n,
    u_char *fingerprint);
static uint64_t ngx_http_k8s_sa_shared_test_now(void);


ngx_int_t
ngx_http_k8s_sa_shared_test_check(ngx_http_k8s_sa_shared_test_t *t)
{
    u_char               *seen;
    uint32_t              i;
    const char           *problem;
    ngx_uint_t            k, n, used;
    ngx_k8s_sa_sh_t      *sh;
    ngx_k8s_sa_set_t     *set;
    ngx_k8s_sa_zone_t    *zone;
    ngx_k8s_sa_record_t  *rec;

    zone = t->zone;
    sh = zone->sh;

    seen = ngx_calloc(sh->nblocks, t->request->connection->log);
    if (seen == NULL) {
        return NGX_ERROR;
    }

    ngx_k8s_sa_zone_lock(zone);

    problem = ngx_http_k8s_sa_shared_test_check_lists(zone, seen);

    if (problem == NULL) {
        problem = ngx_http_k8s_sa_shared_test_check_buckets(zone);
    }

    for (k = 0; k < sh->nrecords && problem == NULL; k++) {
        rec = &sh->records[k];

        if (rec->keys == 0) {
            continue;
        }

        if (rec->serial == 0) {
            problem = "keys of an unused record";
            break;
        }

        set = &zone->blocks[rec->keys].set;

        problem = ngx_http_k8s_sa_shared_test_check_chain(zone, seen,
                                                          rec->keys, &n);

        if (problem == NULL
            && n != ngx_k8s_sa_blocks_for(NGX_K8S_SA_SET_DATA,
                                          set->keys_len + set->issuer_len))
        {
            problem = "length of a key set";
        }
    }

    if (problem == NULL) {
        problem = ngx_http_k8s_sa_shared_test_check_chain(zone, seen,
                                                          sh->free, &n);

        if (problem == NULL
            && n + sh->nblocks - sh->untouched != sh->nfree)
        {
            problem = "number of free blocks";
        }
    }

    if (problem == NULL) {
        used = 0;

        for (i = 1; i < sh->untouched; i++) {
            used += seen[i];
        }

        if (used != sh->untouched - 1) {
            problem = "lost blocks";
        }
    }

    ngx_k8s_sa_zone_unlock(zone);

    ngx_free(seen);

    ngx_http_k8s_sa_shared_test_print(t, " %s", problem ? problem : "sound");

    return problem ? NGX_ERROR : NGX_OK;
}


static const char *
ngx_http_k8s_sa_shared_test_check_lists(ngx_k8s_sa_zone_t *zone, u_char *seen)
{
    uint32_t             block, newer;
    ngx_uint_t           i, n, entries, blocks;
    const char          *problem;
    ngx_k8s_sa_list_t   *list;
    ngx_k8s_sa_cache_node_t  *node;

    for (i = 0; i < NGX_K8S_SA_LISTS; i++) {
        list = &zone->sh->lists[i];

        entries = 0;
        blocks = 0;
        newer = 0;

        for (block = list->newest; block; block = node->older) {
            node = &zone->blocks[block].node;

            if (node->newer != newer) {
                return "backward link";
            }

            if (node->list != i
                || (node->kind == NGX_K8S_SA_CACHE_REFUSED)
                   != (i == NGX_K8S_SA_REFUSALS)
                || (node->kind == NGX_K8S_SA_CACHE_DENIED)
                   != (i == NGX_K8S_SA_DENIALS)
                || (node->kind == NGX_K8S_SA_CACHE_ALLOWED)
                   != (i == NGX_K8S_SA_GRANTS
                       || i == NGX_K8S_SA_GRANT_EXCESS))
            {
                return "entry in another list";
            }

            problem = ngx_http_k8s_sa_shared_test_check_chain(zone, seen,
                                                              block, &n);
            if (problem) {
                return problem;
            }

            if (n != ngx_k8s_sa_blocks_for(NGX_K8S_SA_CACHE_NODE_DATA,
                                           node->len))
            {
                return "length of an entry";
            }

            entries++;
            blocks += n;
            newer = block;
        }

        if (list->oldest != newer) {
            return "end of a list";
        }

        if (list->nodes != entries || list->blocks != blocks) {
            return "totals of a list";
        }
    }

    if (zone->sh->lists[NGX_K8S_SA_REFUSALS].blocks > zone->sh->nblocks / 8) {
        return "too many refusals";
    }

    blocks = zone->sh->lists[NGX_K8S_SA_DENIALS].blocks;

    if (blocks > zone->sh->nblocks / 8) {
        return "too many denials";
    }

    blocks += zone->sh->lists[NGX_K8S_SA_GRANTS].blocks
              + zone->sh->lists[NGX_K8S_SA_GRANT_EXCESS].blocks;

    if (blocks > zone->sh->nblocks / 4) {
        return "too many decisions";
    }

    return NULL;
}


static const char *
ngx_http_k8s_sa_shared_test_check_buckets(ngx_k8s_sa_zone_t *zone)
{
    uint64_t                  part;
    uint32_t                  block;
    ngx_uint_t                i, n;
    ngx_k8s_sa_sh_t          *sh;
    ngx_k8s_sa_cache_node_t  *node;

    sh = zone->sh;
    n = 0;

    for (i = 0; i < (ngx_uint_t) 1 << (64 - sh->shift); i++) {

        for (block = zone->buckets[i]; block; block = node->hash_next) {
            node = &zone->blocks[block].node;

            ngx_memcpy(&part, node->fingerprint, sizeof(uint64_t));

            if (part >> sh->shift != i) {
                return "entry in a wrong bucket";
            }

            if (++n > sh->nblocks) {
                return "loop in a bucket";
            }
        }
    }

    for (i = 0; i < NGX_K8S_SA_LISTS; i++) {
        n -= sh->lists[i].nodes;
    }

    if (n != 0) {
        return "entries in buckets";
    }

    n = 0;

    for (i = 0; i < (ngx_uint_t) 1 << (64 - sh->shift); i++) {
        n += sh->users[i];
    }

    if (n != sh->lists[NGX_K8S_SA_TOKENS].blocks
             + sh->lists[NGX_K8S_SA_EXCESS].blocks)
    {
        return "blocks of users";
    }

    n = 0;

    for ( /* void */ ; i < (ngx_uint_t) 2 << (64 - sh->shift); i++) {
        n += sh->users[i];
    }

    if (n != sh->lists[NGX_K8S_SA_GRANTS].blocks
             + sh->lists[NGX_K8S_SA_GRANT_EXCESS].blocks)
    {
        return "blocks of users with decisions";
    }

    return NULL;
}


static const char *
ngx_http_k8s_sa_shared_test_check_chain(ngx_k8s_sa_zone_t *zone, u_char *seen,
    uint32_t first, ngx_uint_t *n)
{
    uint32_t  block;

    *n = 0;

    for (block = first; block; block = zone->blocks[block].chain) {

        if (block >= zone->sh->untouched) {
            return "block out of range";
        }

        if (seen[block]) {
            return "block used twice";
        }

        seen[block] = 1;
        (*n)++;
    }

    return NULL;
}


/*
 * in=lock      nothing was changed yet
 * in=lists     the lists and buckets are wrecked, blocks are lost
 * in=store     a set is written but not published
 * in=publish   the new set is published, the old one not freed
 */

ngx_int_t
ngx_http_k8s_sa_shared_test_die(ngx_http_k8s_sa_shared_test_t *t)
{
    uint32_t            first;
    ngx_str_t           in;
    ngx_k8s_sa_sh_t    *sh;
    ngx_k8s_sa_place_t  place;
    u_char              data[300];

    in = ngx_http_k8s_sa_shared_test_string(t, "in");
    sh = t->zone->sh;

    ngx_k8s_sa_zone_lock(t->zone);

    if (ngx_strncmp(in.data, "lists", 5) == 0) {
        ngx_k8s_sa_zone_touch(t->zone);

        sh->lists[0].oldest = 0xfffffff0;
        sh->lists[0].newest = sh->lists[1].newest;
        ngx_memset(t->zone->buckets, 0xff, 64);
        sh->free = 0;
        sh->nfree = 7;

    } else if (in.data[0] != 'l') {
        ngx_k8s_sa_zone_touch(t->zone);

        first = ngx_k8s_sa_blocks_alloc(t->zone, 3);

        if (first == 0) {
            ngx_k8s_sa_zone_unlock(t->zone);
            return NGX_ERROR;
        }

        t->zone->blocks[first].set.keys_len = 300;
        t->zone->blocks[first].set.issuer_len = 0;

        place.block = first;
        place.offset = NGX_K8S_SA_SET_DATA;

        ngx_http_k8s_sa_shared_test_fill(data, sizeof(data), 77);
        ngx_k8s_sa_blocks_write(t->zone, &place, data, sizeof(data));

        if (in.data[0] == 'p') {
            t->ref->record->public.generation = ++sh->sequence;
            t->ref->record->keys = first;
        }
    }

    (void) kill(ngx_pid,
                ngx_http_k8s_sa_shared_test_number(t, "signal", SIGKILL));

    return NGX_ERROR;
}


static void
ngx_http_k8s_sa_shared_test_fingerprint_of(uint32_t n, u_char *fingerprint)
{
    ngx_http_k8s_sa_shared_test_fill(fingerprint, K8S_SA_FINGERPRINT_LEN,
                                     n * 2654435761u);
    ngx_memcpy(fingerprint + K8S_SA_FINGERPRINT_LEN - sizeof(uint32_t), &n,
               sizeof(uint32_t));
}


ngx_int_t
ngx_http_k8s_sa_shared_test_storm(ngx_http_k8s_sa_shared_test_t *t)
{
    size_t                     len;
    u_char                     buf[2048], want[2048];
    u_char                     fingerprint[K8S_SA_FINGERPRINT_LEN];
    uint32_t                   k;
    ngx_int_t                  n, tokens;
    ngx_uint_t                 wrong, hits, what;
    ngx_k8s_sa_keys_t          set;
    ngx_k8s_sa_cache_entry_t   e;

    wrong = 0;
    hits = 0;
    tokens = ngx_http_k8s_sa_shared_test_number(t, "tokens", 1000);

    srandom((ngx_pid << 16) ^ (ngx_uint_t) ngx_http_k8s_sa_shared_test_number(
                                               t, "seed", 0));

    for (n = ngx_http_k8s_sa_shared_test_number(t, "n", 10000); n > 0; n--) {
        k = random() % tokens;
        what = random() % 16;

        ngx_http_k8s_sa_shared_test_fingerprint_of(k, fingerprint);

        if (what < 8) {
            if (ngx_k8s_sa_cache_lookup(t->zone, fingerprint, ngx_time(), &e,
                                        buf, sizeof(buf))
                == NGX_OK)
            {
                ngx_http_k8s_sa_shared_test_fill(want, e.len, k);
                hits++;

                if (e.verdict != k % 200
                    || ngx_memcmp(want, e.data, e.len) != 0)
                {
                    wrong++;
                }
            }

        } else if (what < 14 || t->ref == NULL) {
            ngx_memzero(&e, sizeof(ngx_k8s_sa_cache_entry_t));

            len = random() % (sizeof(buf) / (1 + random() % 16));
            ngx_http_k8s_sa_shared_test_fill(buf, len, k);

            e.kind = random() % 5;
            e.verdict = k % 200;
            e.expires = ngx_time() + random() % 4;
            e.user.data = fingerprint;
            e.user.len = k % 4 ? 0 : 1 + k % 8;
            e.len = len;
            e.data = buf;

            (void) ngx_k8s_sa_cache_insert(t->zone, fingerprint, ngx_time(),
                                           &e);

        } else if (what == 14) {
            ngx_k8s_sa_cache_delete(t->zone, fingerprint);

        } else if (random() % 8 == 0
                   && ngx_k8s_sa_keystore_lease(t->zone, t->ref, 1000, NULL)
                      == NGX_OK)
        {
            ngx_memzero(&set, sizeof(ngx_k8s_sa_keys_t));

            set.keys.len = 1 + random() % sizeof(buf);
            set.keys.data = buf;

            buf[0] = (u_char) random();
            ngx_http_k8s_sa_shared_test_fill(buf + 1, set.keys.len - 1,
                                             buf[0]);

            (void) ngx_k8s_sa_keystore_store(t->zone, t->ref, &set, 1000);

            if (ngx_k8s_sa_keystore_load(t->zone, t->ref, &set,
                                         t->request->connection->log)
                == NGX_OK)
            {
                ngx_http_k8s_sa_shared_test_fill(want, set.keys.len - 1,
                                                 set.keys.data[0]);

                if (ngx_memcmp(want, set.keys.data + 1, set.keys.len - 1)
                    != 0)
                {
                    wrong++;
                }

                ngx_free(set.keys.data);
            }
        }
    }

    ngx_http_k8s_sa_shared_test_print(t, " hits=%ui wrong=%ui", hits, wrong);

    return wrong ? NGX_ERROR : NGX_OK;
}


static uint64_t
ngx_http_k8s_sa_shared_test_now(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return now.tv_sec * 1000000000ULL + now.tv_nsec;
}


ngx_int_t
ngx_http_k8s_sa_shared_test_bench(ngx_http_k8s_sa_shared_test_t *t)
{
    size_t                     len;
    u_char                     buf[2048];
    u_char                     fingerprint[K8S_SA_FINGERPRINT_LEN];
    uint64_t                   from, ns;
    ngx_int_t                  i, n, tokens, found, stored, later;
    ngx_k8s_sa_cache_entry_t   e;

    len = ngx_http_k8s_sa_shared_test_number(t, "len", 237);
    tokens = ngx_http_k8s_sa_shared_test_number(t, "tokens", 20000);
    n = ngx_http_k8s_sa_shared_test_number(t, "n", 200000);
    later = ngx_http_k8s_sa_shared_test_number(t, "later", 0);

    ngx_memzero(&e, sizeof(ngx_k8s_sa_cache_entry_t));
    ngx_memzero(buf, sizeof(buf));

    stored = 0;

    from = ngx_http_k8s_sa_shared_test_now();

    for (i = 0; i < tokens; i++) {
        ngx_http_k8s_sa_shared_test_fingerprint_of((uint32_t) i, fingerprint);

        e.expires = ngx_time() + 3600;
        e.user.data = fingerprint;
        e.user.len = sizeof(fingerprint);
        e.len = len;
        e.data = buf;

        if (ngx_k8s_sa_cache_insert(t->zone, fingerprint, ngx_time(), &e)
            == NGX_OK)
        {
            stored++;
        }
    }

    ns = ngx_http_k8s_sa_shared_test_now() - from;

    ngx_http_k8s_sa_shared_test_print(t, " stored=%i insert_ns=%uL", stored,
                                      ns / ngx_max(tokens, 1));

    found = 0;

    from = ngx_http_k8s_sa_shared_test_now();

    for (i = 0; i < n; i++) {
        ngx_http_k8s_sa_shared_test_fingerprint_of(
            (uint32_t) (i * 7919 % ngx_max(tokens, 1)), fingerprint);

        if (ngx_k8s_sa_cache_lookup(t->zone, fingerprint,
                                    ngx_time() + (later ? i / tokens : 0), &e,
                                    buf, sizeof(buf))
            == NGX_OK)
        {
            found++;
        }
    }

    ns = ngx_http_k8s_sa_shared_test_now() - from;

    ngx_http_k8s_sa_shared_test_print(t, " found=%i lookup_ns=%uL", found,
                                      ns / ngx_max(n, 1));

    /* the cost of the fingerprints alone */

    from = ngx_http_k8s_sa_shared_test_now();

    for (i = 0; i < n; i++) {
        ngx_http_k8s_sa_shared_test_fingerprint_of((uint32_t) i, fingerprint);
        buf[0] ^= fingerprint[3];
    }

    ns = ngx_http_k8s_sa_shared_test_now() - from;

    ngx_http_k8s_sa_shared_test_print(t, " fingerprint_ns=%uL",
                                      ns / ngx_max(n, 1));

    return NGX_OK;
}
