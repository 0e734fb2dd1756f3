/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_key.h"
#include "token/k8s_sa_hash.h"

#include <openssl/err.h>

#include <stdlib.h>
#include <string.h>


#define K8S_SA_KEYSET_SIZE  8     /* initial capacity, a power of two */


/* The first keys that fit an algorithm, for tokens that do not name a key */

typedef struct {
    size_t              n;
    k8s_sa_key_t       *keys[K8S_SA_KEYS_TRIED];
} k8s_sa_keyset_tried_t;


/*
 * All keys, and two hash tables of them, whose chains keep the order in which
 * keys were added.  Only the issuer's keys make chains longer: an attacker
 * chooses what is looked up, not what the tables contain.
 */

struct k8s_sa_keyset_s {
    size_t                  n;
    size_t                  size;      /* of each array, a power of two */
    k8s_sa_key_t          **keys;      /* one allocation for all three */
    k8s_sa_key_t          **by_kid;
    k8s_sa_key_t          **by_id;

    k8s_sa_keyset_tried_t   tried[K8S_SA_ALG_BITS];

    /* those without a kid of their own; [1]: if the issuer is Kubernetes */
    k8s_sa_keyset_tried_t   unnamed[2][K8S_SA_ALG_BITS];

    k8s_sa_digests_t        digests;
};


static int k8s_sa_keyset_fetch(k8s_sa_digests_t *digests);
static int k8s_sa_keyset_grow(k8s_sa_keyset_t *set, size_t size);
static void k8s_sa_keyset_index(k8s_sa_keyset_t *set);
static void k8s_sa_keyset_link(k8s_sa_keyset_t *set, k8s_sa_key_t *key);
static int k8s_sa_keyset_has(const k8s_sa_keyset_t *set,
    const k8s_sa_key_t *key);
static k8s_sa_key_t *k8s_sa_keyset_next_named(const k8s_sa_keyset_t *set,
    const k8s_sa_str_t *kid, const k8s_sa_alg_t *alg, k8s_sa_key_t *last);
static void k8s_sa_keyset_try(k8s_sa_keyset_tried_t *tried,
    k8s_sa_key_t *key);
static k8s_sa_key_t *k8s_sa_keyset_next_tried(
    const k8s_sa_keyset_tried_t *tried, k8s_sa_key_t *last);
static k8s_sa_key_t *k8s_sa_keyset_chain(const k8s_sa_keyset_t *set,
    const k8s_sa_str_t *kid);
static size_t k8s_sa_keyset_kid_hash(const k8s_sa_str_t *kid);
static size_t k8s_sa_keyset_id_hash(const unsigned char *id);


k8s_sa_keyset_t *
k8s_sa_keyset_create(void)
{
    k8s_sa_keyset_t  *set;

    set = calloc(1, sizeof(k8s_sa_keyset_t));
    if (set == NULL) {
        return NULL;
    }

    if (k8s_sa_keyset_grow(set, K8S_SA_KEYSET_SIZE) != K8S_SA_OK
        || k8s_sa_keyset_fetch(&set->digests) != K8S_SA_OK)
    {
        k8s_sa_keyset_free(set);
        set = NULL;
    }

    /* a fetch that succeeds may leave errors, too */

    ERR_clear_error();

    return set;
}


static int
k8s_sa_keyset_fetch(k8s_sa_digests_t *digests)
{
    size_t               i, n;
    unsigned             k;
    const k8s_sa_alg_t  *alg;

    digests->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (digests->sha256 == NULL) {
        return K8S_SA_ERROR;
    }

    alg = k8s_sa_alg_table(&n);

    for (i = 0; i < n; i++) {

        if (alg[i].digest == NULL) {
            continue;
        }

        k = k8s_sa_alg_index(&alg[i]);

        digests->md[k] = EVP_MD_fetch(NULL, alg[i].digest, NULL);
        digests->ctx[k] = EVP_MD_CTX_new();

        if (digests->md[k] == NULL || digests->ctx[k] == NULL) {
            return K8S_SA_ERROR;
        }
    }

    return K8S_SA_OK;
}


void
k8s_sa_keyset_free(k8s_sa_keyset_t *set)
{
    unsigned  i;

    if (set == NULL) {
        return;
    }

    for (i = 0; i < set->n; i++) {
        k8s_sa_key_free(set->keys[i]);
    }

    for (i = 0; i < K8S_SA_ALG_BITS; i++) {
        EVP_MD_CTX_free(set->digests.ctx[i]);
        EVP_MD_free(set->digests.md[i]);
    }

    EVP_MD_free(set->digests.sha256);

    free(set->keys);
    free(set);
}


k8s_sa_digests_t *
k8s_sa_keyset_digests(k8s_sa_keyset_t *set)
{
    return &set->digests;
}


int
k8s_sa_keyset_add(k8s_sa_keyset_t *set, k8s_sa_key_t *key,
    k8s_sa_error_t *err)
{
    if (k8s_sa_keyset_has(set, key)) {
        k8s_sa_key_free(key);
        return K8S_SA_OK;
    }

    if (set->n == K8S_SA_KEYS_MAX) {
        k8s_sa_key_free(key);
        k8s_sa_error_set(err, "more than %d keys", K8S_SA_KEYS_MAX);
        return K8S_SA_ERROR;
    }

    if (set->n == set->size
        && k8s_sa_keyset_grow(set, 2 * set->size) != K8S_SA_OK)
    {
        k8s_sa_key_free(key);
        k8s_sa_error_set(err, "out of memory");
        return K8S_SA_ERROR;
    }

    set->keys[set->n++] = key;
    k8s_sa_keyset_link(set, key);

    return K8S_SA_OK;
}


void
k8s_sa_keyset_truncate(k8s_sa_keyset_t *set, size_t n)
{
    if (n == set->n) {
        return;
    }

    while (set->n > n) {
        k8s_sa_key_free(set->keys[--set->n]);
    }

    k8s_sa_keyset_index(set);
}


static int
k8s_sa_keyset_grow(k8s_sa_keyset_t *set, size_t size)
{
    k8s_sa_key_t  **keys;

    keys = calloc(3 * size, sizeof(k8s_sa_key_t *));
    if (keys == NULL) {
        return K8S_SA_ERROR;
    }

    if (set->n) {
        memcpy(keys, set->keys, set->n * sizeof(k8s_sa_key_t *));
    }

    free(set->keys);

    set->keys = keys;
    set->by_kid = keys + size;
    set->by_id = keys + 2 * size;
    set->size = size;

    k8s_sa_keyset_index(set);

    return K8S_SA_OK;
}


static void
k8s_sa_keyset_index(k8s_sa_keyset_t *set)
{
    size_t  i;

    memset(set->by_kid, 0, set->size * sizeof(k8s_sa_key_t *));
    memset(set->by_id, 0, set->size * sizeof(k8s_sa_key_t *));
    memset(set->tried, 0, sizeof(set->tried));
    memset(set->unnamed, 0, sizeof(set->unnamed));

    for (i = 0; i < set->n; i++) {
        k8s_sa_keyset_link(set, set->keys[i]);
    }
}


static void
k8s_sa_keyset_link(k8s_sa_keyset_t *set, k8s_sa_key_t *key)
{
    unsigned        i;
    k8s_sa_key_t  **p;

    p = &set->by_kid[k8s_sa_keyset_kid_hash(&key->kid) & (set->size - 1)];

    while (*p) {
        p = &(*p)->next_kid;
    }

    *p = key;
    key->next_kid = NULL;

    p = &set->by_id[k8s_sa_keyset_id_hash(key->id) & (set->size - 1)];

    while (*p) {
        p = &(*p)->next_id;
    }

    *p = key;
    key->next_id = NULL;

    for (i = 0; i < K8S_SA_ALG_BITS; i++) {

        if ((key->algorithms & (1u << i)) == 0) {
            continue;
        }

        k8s_sa_keyset_try(&set->tried[i], key);

        if (key->kid_source != K8S_SA_KID_GIVEN) {
            k8s_sa_keyset_try(&set->unnamed[0][i], key);
        }

        if (key->kid_source == K8S_SA_KID_NONE) {
            k8s_sa_keyset_try(&set->unnamed[1][i], key);
        }
    }
}


static void
k8s_sa_keyset_try(k8s_sa_keyset_tried_t *tried, k8s_sa_key_t *key)
{
    if (tried->n < K8S_SA_KEYS_TRIED) {
        tried->keys[tried->n++] = key;
    }
}


static int
k8s_sa_keyset_has(const k8s_sa_keyset_t *set, const k8s_sa_key_t *key)
{
    k8s_sa_key_t  *k;

    for (k = k8s_sa_keyset_chain(set, &key->kid); k; k = k->next_kid) {

        if (k->algorithms == key->algorithms
            && (k->kid_source == K8S_SA_KID_NONE)
               == (key->kid_source == K8S_SA_KID_NONE)
            && k8s_sa_str_eq(&k->kid, &key->kid)
            && memcmp(k->id, key->id, K8S_SA_KEY_ID_LEN) == 0)
        {
            return 1;
        }
    }

    return 0;
}


size_t
k8s_sa_keyset_count(const k8s_sa_keyset_t *set)
{
    return set->n;
}


k8s_sa_key_t *
k8s_sa_keyset_key(const k8s_sa_keyset_t *set, size_t i)
{
    return i < set->n ? set->keys[i] : NULL;
}


k8s_sa_key_t *
k8s_sa_keyset_by_id(const k8s_sa_keyset_t *set, const unsigned char *id)
{
    k8s_sa_key_t  *key;

    key = set->by_id[k8s_sa_keyset_id_hash(id) & (set->size - 1)];

    while (key && memcmp(key->id, id, K8S_SA_KEY_ID_LEN) != 0) {
        key = key->next_id;
    }

    return key;
}


int
k8s_sa_keyset_has_kid(const k8s_sa_keyset_t *set, const k8s_sa_str_t *kid)
{
    k8s_sa_key_t  *key;

    for (key = k8s_sa_keyset_chain(set, kid); key; key = key->next_kid) {

        if (k8s_sa_str_eq(&key->kid, kid)) {
            return 1;
        }
    }

    return 0;
}


k8s_sa_key_t *
k8s_sa_keyset_find(const k8s_sa_keyset_t *set, const k8s_sa_str_t *kid,
    const k8s_sa_alg_t *alg, unsigned kubernetes, k8s_sa_key_t *last)
{
    unsigned                      i;
    k8s_sa_key_t                 *key;
    const k8s_sa_keyset_tried_t  *unnamed;

    i = k8s_sa_alg_index(alg);

    if (kid->data == NULL) {
        return k8s_sa_keyset_next_tried(&set->tried[i], last);
    }

    if (last == NULL || k8s_sa_str_eq(&last->kid, kid)) {
        key = k8s_sa_keyset_next_named(set, kid, alg, last);

        if (key) {
            return key;
        }

        last = NULL;
    }

    unnamed = &set->unnamed[kubernetes ? 1 : 0][i];

    do {
        last = k8s_sa_keyset_next_tried(unnamed, last);
    } while (last && k8s_sa_str_eq(&last->kid, kid));

    return last;
}


static k8s_sa_key_t *
k8s_sa_keyset_next_named(const k8s_sa_keyset_t *set, const k8s_sa_str_t *kid,
    const k8s_sa_alg_t *alg, k8s_sa_key_t *last)
{
    k8s_sa_key_t  *key;

    key = last ? last->next_kid : k8s_sa_keyset_chain(set, kid);

    while (key && ((key->algorithms & alg->bit) == 0
                   || !k8s_sa_str_eq(&key->kid, kid)))
    {
        key = key->next_kid;
    }

    return key;
}


static k8s_sa_key_t *
k8s_sa_keyset_next_tried(const k8s_sa_keyset_tried_t *tried,
    k8s_sa_key_t *last)
{
    size_t  i;

    i = 0;

    if (last) {
        while (i < tried->n && tried->keys[i++] != last) { /* void */ }
    }

    return i < tried->n ? tried->keys[i] : NULL;
}


/* Returns the chain with all keys of that kid; NULL if there can be none. */

static k8s_sa_key_t *
k8s_sa_keyset_chain(const k8s_sa_keyset_t *set, const k8s_sa_str_t *kid)
{
    if (kid->data == NULL || kid->len > K8S_SA_KID_MAX) {
        return NULL;
    }

    return set->by_kid[k8s_sa_keyset_kid_hash(kid) & (set->size - 1)];
}


static size_t
k8s_sa_keyset_kid_hash(const k8s_sa_str_t *kid)
{
    return k8s_sa_hash_fold(k8s_sa_hash(K8S_SA_HASH_INIT, kid->data,
                                        kid->len));
}


/* The id is already a digest. */

static size_t
k8s_sa_keyset_id_hash(const unsigned char *id)
{
    return (size_t) id[0] << 8 | id[1];
}
