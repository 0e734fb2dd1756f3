/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_front.h"
#include "token/k8s_sa_packed.h"


/*
 * The worker's own table saves the zone's lock and the unpacking of an
 * identity.  A slot holds one token.  Another token of the same slot replaces
 * it if it has expired; otherwise only every NGX_HTTP_K8S_SA_FRONT_TAKE-th one
 * does, since with more tokens than slots each request would copy its token
 * into a cell in vain.  A reviewed token always replaces it: the zone has its
 * review, but not its entry.
 */

#define NGX_HTTP_K8S_SA_FRONT_SLOTS  2048
#define NGX_HTTP_K8S_SA_FRONT_TAKE   64

/*
 * Entries are in cells of one size, allocated as one block: a worker's memory
 * is bounded, and cells of one size do not fragment the heap.  Larger entries
 * are in the zone only.  A cell has an odd number of cache lines, so that
 * cells do not all begin in the same few sets of the CPU's cache.  There are
 * more cells than slots, since requests may hold entries that have left the
 * table.
 */

#define NGX_HTTP_K8S_SA_CACHE_LINE   64
#define NGX_HTTP_K8S_SA_CELL_SIZE    (31 * NGX_HTTP_K8S_SA_CACHE_LINE)
#define NGX_HTTP_K8S_SA_CELLS        (NGX_HTTP_K8S_SA_FRONT_SLOTS + 64)


/* Half a cache line: all that a miss reads. */

typedef struct {
    u_char                          key[K8S_SA_FINGERPRINT_LEN];
    ngx_http_k8s_sa_front_entry_t  *entry;     /* NULL: the slot is empty */
    int64_t                         expires;   /* the entry's; 0: it may be
                                                  replaced at once */
} ngx_http_k8s_sa_slot_t;


typedef union ngx_http_k8s_sa_cell_u  ngx_http_k8s_sa_cell_t;

union ngx_http_k8s_sa_cell_u {
    ngx_http_k8s_sa_cell_t         *next;      /* in the list of free cells */
    ngx_http_k8s_sa_front_entry_t   entry;
    u_char                          bytes[NGX_HTTP_K8S_SA_CELL_SIZE];
};


struct ngx_http_k8s_sa_front_s {
    ngx_http_k8s_sa_slot_t          slots[NGX_HTTP_K8S_SA_FRONT_SLOTS];
    ngx_uint_t                      misses;    /* that met a valid entry */

    ngx_http_k8s_sa_cell_t         *cells;
    ngx_uint_t                      untouched; /* the first cell that has never
                                                  been used */
    ngx_http_k8s_sa_cell_t         *free;      /* cells that have been freed */
};


/* What an entry is made of besides the identity. */

typedef struct {
    ngx_http_k8s_sa_auth_t    *auth;
    ngx_k8s_sa_issuer_t       *issuer;
    const u_char              *key_id;
    int64_t                    expires;
    int64_t                    issued;
    int64_t                    notable;
} ngx_http_k8s_sa_facts_t;


static ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_find(
    ngx_http_k8s_sa_front_t *front, const u_char *key);
static ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_load(
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_http_k8s_sa_auth_t *auth,
    const u_char *key, ngx_pool_t *pool);
static ngx_uint_t ngx_http_k8s_sa_front_valid(
    ngx_http_k8s_sa_front_entry_t *entry);
static ngx_uint_t ngx_http_k8s_sa_front_begun(ngx_k8s_sa_issuer_t *issuer,
    int64_t issued);
static void ngx_http_k8s_sa_front_times(ngx_http_k8s_sa_facts_t *facts,
    int64_t expires, int64_t issued, int64_t warnafter);
static ngx_http_k8s_sa_front_t *ngx_http_k8s_sa_front_takes(
    ngx_http_k8s_sa_front_t *front, const u_char *key);
static ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_entry(
    ngx_http_k8s_sa_facts_t *facts, size_t more,
    ngx_http_k8s_sa_front_t *front, ngx_pool_t *pool);
static ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_packed(
    ngx_http_k8s_sa_facts_t *facts, const ngx_k8s_sa_cache_entry_t *e,
    const k8s_sa_packed_head_t *head, const k8s_sa_str_t *kid,
    ngx_pool_t *pool);
static ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_unpacked(
    ngx_http_k8s_sa_facts_t *facts, const ngx_k8s_sa_cache_entry_t *e,
    const k8s_sa_str_t *kid, ngx_http_k8s_sa_front_t *front, ngx_pool_t *pool);
static ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_copy(
    ngx_http_k8s_sa_facts_t *facts, const k8s_sa_identity_t *identity,
    ngx_http_k8s_sa_front_t *front, ngx_pool_t *pool);
static ngx_http_k8s_sa_cell_t *ngx_http_k8s_sa_cell_alloc(
    ngx_http_k8s_sa_front_t *front, size_t size);
static void ngx_http_k8s_sa_cell_free(ngx_http_k8s_sa_front_t *front,
    ngx_http_k8s_sa_cell_t *cell);
static void ngx_http_k8s_sa_front_put(ngx_http_k8s_sa_front_entry_t *entry,
    const u_char *key);
static ngx_http_k8s_sa_slot_t *ngx_http_k8s_sa_front_slot(
    ngx_http_k8s_sa_front_t *front, const u_char *key);
static void ngx_http_k8s_sa_front_store(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_facts_t *facts, const k8s_sa_identity_t *identity,
    const u_char *key, ngx_k8s_sa_cache_entry_t *e);
static void ngx_http_k8s_sa_front_cleanup(void *data);


ngx_int_t
ngx_http_k8s_sa_front_init(ngx_conf_t *cf, ngx_http_k8s_sa_main_conf_t *mcf)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_k8s_sa_front_t  *front;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    front = ngx_pmemalign(cf->pool, sizeof(ngx_http_k8s_sa_front_t),
                          NGX_HTTP_K8S_SA_CACHE_LINE);

    if (cln == NULL || front == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(front, sizeof(ngx_http_k8s_sa_front_t));

    /* not zeroed: pages take no memory before they are used */

    front->cells = ngx_pmemalign(cf->pool, NGX_HTTP_K8S_SA_CELLS
                                           * sizeof(ngx_http_k8s_sa_cell_t),
                                 NGX_HTTP_K8S_SA_CACHE_LINE);
    if (front->cells == NULL) {
        return NGX_ERROR;
    }

    mcf->front = front;

    cln->handler = ngx_http_k8s_sa_front_cleanup;
    cln->data = mcf;

    return NGX_OK;
}


static void
ngx_http_k8s_sa_front_cleanup(void *data)
{
    ngx_http_k8s_sa_main_conf_t  *mcf = data;

    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_K8S_SA_FRONT_SLOTS; i++) {
        if (mcf->front->slots[i].entry) {
            ngx_http_k8s_sa_front_release(mcf->front->slots[i].entry);
        }
    }
}


ngx_http_k8s_sa_front_entry_t *
ngx_http_k8s_sa_front_get(ngx_http_request_t *r, ngx_http_k8s_sa_auth_t *auth,
    ngx_str_t *token, u_char *key)
{
    ngx_http_k8s_sa_main_conf_t    *mcf;
    ngx_http_k8s_sa_front_entry_t  *entry;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_k8s_sa_module);

    ngx_k8s_sa_cache_fingerprint(mcf->zone, auth->digest, token, key);

    entry = ngx_http_k8s_sa_front_find(mcf->front, key);

    if (entry) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "k8s_sa cache: found in the worker's table");
        return entry;
    }

    entry = ngx_http_k8s_sa_front_load(mcf, auth, key, r->pool);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa cache: %s",
                   entry ? "found in the zone" : "not found");

    return entry;
}


/*
 * Looks in the worker's table.  Returns a new reference, or NULL.  The key
 * covers the digest of the k8s_sa_auth: equal directives share entries.
 */

static ngx_http_k8s_sa_front_entry_t *
ngx_http_k8s_sa_front_find(ngx_http_k8s_sa_front_t *front, const u_char *key)
{
    ngx_http_k8s_sa_slot_t         *slot;
    ngx_http_k8s_sa_front_entry_t  *entry;

    slot = ngx_http_k8s_sa_front_slot(front, key);
    entry = slot->entry;

    if (entry == NULL
        || ngx_memcmp(slot->key, key, K8S_SA_FINGERPRINT_LEN) != 0)
    {
        return NULL;
    }

    if (!ngx_http_k8s_sa_front_valid(entry)) {

        /* the slot may be taken */

        slot->expires = 0;

        return NULL;
    }

    entry->refs++;

    return entry;
}


/*
 * Checks at each hit the times, the key, and that the token's "iss" is still
 * accepted.  The version of an issuer without keys never changes.
 */

static ngx_uint_t
ngx_http_k8s_sa_front_valid(ngx_http_k8s_sa_front_entry_t *entry)
{
    ngx_uint_t  version;

    if (ngx_time() >= entry->expires
        || !ngx_http_k8s_sa_front_begun(entry->issuer, entry->issued))
    {
        return 0;
    }

    if (entry->reviewed
        && (ngx_msec_int_t) (entry->fresh - ngx_current_msec) <= 0)
    {
        return 0;
    }

    version = ngx_k8s_sa_issuer_version(entry->issuer);

    if (version && version == entry->version) {
        return 1;
    }

    if (ngx_k8s_sa_issuer_key(entry->issuer, entry->key_id) == NULL
        || !k8s_sa_policy_accepts(&entry->issuer->policy,
                                  &entry->identity->issuer))
    {
        return 0;
    }

    entry->version = version;

    return 1;
}


/*
 * The clock may have been set back since the token was verified.  Entries have
 * no "nbf", but issuers set it to "iat".
 */

static ngx_uint_t
ngx_http_k8s_sa_front_begun(ngx_k8s_sa_issuer_t *issuer, int64_t issued)
{
    return issued - issuer->policy.leeway <= ngx_time();
}


/* "notable" is when ngx_http_k8s_sa_count() first has to look at the times */

static void
ngx_http_k8s_sa_front_times(ngx_http_k8s_sa_facts_t *facts, int64_t expires,
    int64_t issued, int64_t warnafter)
{
    int64_t  renewal;

    renewal = k8s_sa_identity_renewal(expires, issued);

    facts->issued = issued;
    facts->notable = warnafter ? ngx_min(warnafter, renewal) : renewal;
}


/*
 * Looks in the zone, and puts the entry into the worker's table if that takes
 * it.  Returns a new reference, or NULL.
 */

static ngx_http_k8s_sa_front_entry_t *
ngx_http_k8s_sa_front_load(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_auth_t *auth, const u_char *key, ngx_pool_t *pool)
{
    k8s_sa_key_t                     *k;
    k8s_sa_packed_head_t              head;
    ngx_http_k8s_sa_facts_t           facts;
    ngx_http_k8s_sa_front_t          *front;
    ngx_k8s_sa_cache_entry_t          e;
    ngx_http_k8s_sa_front_entry_t    *entry;
    ngx_http_k8s_sa_named_issuer_t  **ni;

    static u_char  buf[NGX_K8S_SA_CACHE_DATA_MAX];

    if (ngx_k8s_sa_cache_lookup(mcf->zone, key, ngx_time(), &e, buf,
                                sizeof(buf))
        != NGX_OK)
    {
        return NULL;
    }

    /* "fresh" is the issuer's index in the list, which the key covers */

    if (e.kind != NGX_K8S_SA_CACHE_LOCAL
        || e.fresh < 0 || e.fresh >= (int64_t) auth->issuers.nelts)
    {
        return NULL;
    }

    ni = auth->issuers.elts;

    facts.auth = auth;
    facts.issuer = ni[e.fresh]->issuer;
    facts.key_id = e.key_id;
    facts.expires = e.expires;

    k = ngx_k8s_sa_issuer_key(facts.issuer, e.key_id);

    if (k == NULL
        || k8s_sa_packed_head(&head, buf, e.len) != K8S_SA_OK
        || !k8s_sa_policy_accepts(&facts.issuer->policy, &head.issuer)
        || !ngx_http_k8s_sa_front_begun(facts.issuer, head.issued))
    {
        return NULL;
    }

    ngx_http_k8s_sa_front_times(&facts, head.expires, head.issued,
                                head.warnafter);

    if (facts.issuer->reviews) {
        return ngx_http_k8s_sa_front_unpacked(&facts, &e, k8s_sa_key_kid(k),
                                              NULL, pool);
    }

    front = ngx_http_k8s_sa_front_takes(mcf->front, key);

    if (front == NULL) {
        return ngx_http_k8s_sa_front_packed(&facts, &e, &head,
                                            k8s_sa_key_kid(k), pool);
    }

    entry = ngx_http_k8s_sa_front_unpacked(&facts, &e, k8s_sa_key_kid(k),
                                           front, pool);
    if (entry) {
        ngx_http_k8s_sa_front_put(entry, key);
    }

    return entry;
}


ngx_http_k8s_sa_front_entry_t *
ngx_http_k8s_sa_front_add(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_auth_t *auth, const u_char *key,
    ngx_k8s_sa_issuer_t *issuer, const u_char *key_id,
    const k8s_sa_identity_t *identity, ngx_pool_t *pool)
{
    k8s_sa_packed_head_t            head;
    ngx_http_k8s_sa_facts_t         facts;
    ngx_http_k8s_sa_front_t        *front;
    ngx_k8s_sa_cache_entry_t        e;
    ngx_http_k8s_sa_front_entry_t  *entry;

    facts.auth = auth;
    facts.issuer = issuer;
    facts.key_id = key_id;

    ngx_http_k8s_sa_front_times(&facts, identity->expires, identity->issued,
                                identity->warnafter);

    /* the last second of the leeway counts, as in k8s_sa_token_claims() */

    facts.expires = INT64_MAX;

    if (identity->expires
        && identity->expires < INT64_MAX - issuer->policy.leeway)
    {
        facts.expires = identity->expires + issuer->policy.leeway + 1;
    }

    ngx_http_k8s_sa_front_store(mcf, &facts, identity, key, &e);

    if (issuer->reviews) {
        return ngx_http_k8s_sa_front_copy(&facts, identity, NULL, pool);
    }

    front = ngx_http_k8s_sa_front_takes(mcf->front, key);

    if (front == NULL && e.len
        && k8s_sa_packed_head(&head, e.data, e.len) == K8S_SA_OK)
    {
        return ngx_http_k8s_sa_front_packed(&facts, &e, &head, &identity->kid,
                                            pool);
    }

    entry = ngx_http_k8s_sa_front_copy(&facts, identity, front, pool);
    if (entry) {
        ngx_http_k8s_sa_front_put(entry, key);
    }

    return entry;
}


ngx_http_k8s_sa_front_entry_t *
ngx_http_k8s_sa_front_reviewed(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_auth_t *auth, const u_char *key,
    ngx_k8s_sa_issuer_t *issuer, ngx_http_k8s_sa_front_entry_t *local,
    const k8s_sa_identity_t *identity, ngx_msec_t fresh, int64_t not_after,
    ngx_pool_t *pool)
{
    ngx_http_k8s_sa_facts_t         facts;
    ngx_http_k8s_sa_front_entry_t  *entry;

    static const u_char  none[K8S_SA_KEY_ID_LEN];

    facts.auth = auth;
    facts.issuer = issuer;
    facts.key_id = local ? local->key_id : none;
    facts.expires = local ? ngx_min(local->expires, not_after) : not_after;

    ngx_http_k8s_sa_front_times(&facts, identity->expires, identity->issued,
                                identity->warnafter);

    entry = ngx_http_k8s_sa_front_copy(&facts, identity, mcf->front, pool);
    if (entry == NULL) {
        return NULL;
    }

    entry->reviewed = 1;
    entry->fresh = fresh;

    ngx_http_k8s_sa_front_put(entry, key);

    return entry;
}


/*
 * Puts the identity into the zone.  Fills *e with what was put there: its data
 * is valid until the next call; e->len is 0 if the identity is too large.
 */

static void
ngx_http_k8s_sa_front_store(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_facts_t *facts, const k8s_sa_identity_t *identity,
    const u_char *key, ngx_k8s_sa_cache_entry_t *e)
{
    ngx_uint_t                        i;
    ngx_http_k8s_sa_named_issuer_t  **ni;

    static u_char  packed[K8S_SA_PACKED_MAX];

    ni = facts->auth->issuers.elts;

    for (i = 0; ni[i]->issuer != facts->issuer; i++) { /* void */ }

    e->kind = NGX_K8S_SA_CACHE_LOCAL;
    e->verdict = K8S_SA_VERDICT_OK;
    e->fresh = i;
    e->expires = facts->expires;
    e->user = identity->username;
    e->data = packed;
    e->len = k8s_sa_identity_pack(packed, sizeof(packed), identity);

    ngx_memcpy(e->key_id, facts->key_id, K8S_SA_KEY_ID_LEN);

    if (e->len) {
        (void) ngx_k8s_sa_cache_insert(mcf->zone, key, ngx_time(), e);
    }
}


/* Returns front if it takes the token into its table now, otherwise NULL. */

static ngx_http_k8s_sa_front_t *
ngx_http_k8s_sa_front_takes(ngx_http_k8s_sa_front_t *front, const u_char *key)
{
    ngx_http_k8s_sa_slot_t  *slot;

    slot = ngx_http_k8s_sa_front_slot(front, key);

    if (slot->entry && ngx_time() < slot->expires
        && ++front->misses % NGX_HTTP_K8S_SA_FRONT_TAKE)
    {
        return NULL;
    }

    return front;
}


/*
 * Allocates an entry with "more" bytes after it: a cell of front, or if that
 * is NULL, full, or its cells are too small, from pool, the request's.  Must
 * not take over new keys, as ngx_k8s_sa_issuer_version() does: facts and the
 * identity point into the keys that verified the token.
 */

static ngx_http_k8s_sa_front_entry_t *
ngx_http_k8s_sa_front_entry(ngx_http_k8s_sa_facts_t *facts, size_t more,
    ngx_http_k8s_sa_front_t *front, ngx_pool_t *pool)
{
    size_t                          size;
    ngx_http_k8s_sa_cell_t         *cell;
    ngx_http_k8s_sa_front_entry_t  *entry;

    size = sizeof(ngx_http_k8s_sa_front_entry_t) + more;
    cell = NULL;

    if (front && size <= NGX_HTTP_K8S_SA_CELL_SIZE) {
        cell = ngx_http_k8s_sa_cell_alloc(front, size);
    }

    if (cell) {
        entry = &cell->entry;

    } else {
        front = NULL;

        entry = ngx_palloc(pool, size);
        if (entry == NULL) {
            return NULL;
        }
    }

    entry->refs = 1;
    entry->front = front;
    entry->issuer = facts->issuer;
    entry->version = facts->issuer->version;
    entry->expires = facts->expires;
    entry->issued = facts->issued;
    entry->notable = facts->notable;
    entry->identity = NULL;
    entry->fresh = 0;
    entry->reviewed = 0;
    entry->has_subject = 0;

    ngx_memcpy(entry->key_id, facts->key_id, K8S_SA_KEY_ID_LEN);

    return entry;
}


/* Makes an entry for one request, with the identity packed, as in the zone. */

static ngx_http_k8s_sa_front_entry_t *
ngx_http_k8s_sa_front_packed(ngx_http_k8s_sa_facts_t *facts,
    const ngx_k8s_sa_cache_entry_t *e, const k8s_sa_packed_head_t *head,
    const k8s_sa_str_t *kid, ngx_pool_t *pool)
{
    ngx_http_k8s_sa_front_entry_t  *entry;

    entry = ngx_http_k8s_sa_front_entry(facts, e->len + kid->len, NULL, pool);
    if (entry == NULL) {
        return NULL;
    }

    entry->packed.len = e->len;
    entry->packed.data = (u_char *) (entry + 1);
    ngx_memcpy(entry->packed.data, e->data, e->len);

    entry->username.len = head->username.len;
    entry->username.data = entry->packed.data
                           + (head->username.data - e->data);

    entry->kid.len = kid->len;
    entry->kid.data = entry->packed.data + e->len;
    ngx_memcpy(entry->kid.data, kid->data, kid->len);

    return entry;
}


static ngx_http_k8s_sa_front_entry_t *
ngx_http_k8s_sa_front_unpacked(ngx_http_k8s_sa_facts_t *facts,
    const ngx_k8s_sa_cache_entry_t *e, const k8s_sa_str_t *kid,
    ngx_http_k8s_sa_front_t *front, ngx_pool_t *pool)
{
    size_t                          size;
    u_char                         *strings;
    k8s_sa_identity_t              *id;
    ngx_http_k8s_sa_front_entry_t  *entry;

    size = k8s_sa_packed_size(e->data, e->len);

    entry = ngx_http_k8s_sa_front_entry(facts, sizeof(k8s_sa_identity_t) + size
                                               + kid->len,
                                        front, pool);
    if (entry == NULL) {
        return NULL;
    }

    id = (k8s_sa_identity_t *) (entry + 1);
    strings = (u_char *) (id + 1);

    if (k8s_sa_identity_unpack(id, e->data, e->len, strings, size) != K8S_SA_OK)
    {
        ngx_http_k8s_sa_front_release(entry);
        return NULL;
    }

    id->kid.len = kid->len;
    id->kid.data = strings + size;
    ngx_memcpy(id->kid.data, kid->data, kid->len);

    entry->identity = id;
    entry->username = id->username;

    return entry;
}


static ngx_http_k8s_sa_front_entry_t *
ngx_http_k8s_sa_front_copy(ngx_http_k8s_sa_facts_t *facts,
    const k8s_sa_identity_t *identity, ngx_http_k8s_sa_front_t *front,
    ngx_pool_t *pool)
{
    k8s_sa_identity_t              *id;
    ngx_http_k8s_sa_front_entry_t  *entry;

    entry = ngx_http_k8s_sa_front_entry(facts, sizeof(k8s_sa_identity_t)
                                               + k8s_sa_identity_size(identity),
                                        front, pool);
    if (entry) {
        id = (k8s_sa_identity_t *) (entry + 1);
        k8s_sa_identity_copy(id, identity, (u_char *) (id + 1));

        entry->identity = id;
        entry->username = id->username;
    }

    return entry;
}


#if (NGX_DEBUG_PALLOC)

/* allocated one by one, so that sanitizers see overruns and leaks */

static ngx_http_k8s_sa_cell_t *
ngx_http_k8s_sa_cell_alloc(ngx_http_k8s_sa_front_t *front, size_t size)
{
    return ngx_alloc(size, ngx_cycle->log);
}


static void
ngx_http_k8s_sa_cell_free(ngx_http_k8s_sa_front_t *front,
    ngx_http_k8s_sa_cell_t *cell)
{
    ngx_free(cell);
}

#else

static ngx_http_k8s_sa_cell_t *
ngx_http_k8s_sa_cell_alloc(ngx_http_k8s_sa_front_t *front, size_t size)
{
    ngx_http_k8s_sa_cell_t  *cell;

    cell = front->free;

    if (cell) {
        front->free = cell->next;

    } else if (front->untouched < NGX_HTTP_K8S_SA_CELLS) {
        cell = &front->cells[front->untouched++];
    }

    return cell;
}


static void
ngx_http_k8s_sa_cell_free(ngx_http_k8s_sa_front_t *front,
    ngx_http_k8s_sa_cell_t *cell)
{
    cell->next = front->free;
    front->free = cell;
}

#endif


/* an entry from the request's pool never enters the table */

static void
ngx_http_k8s_sa_front_put(ngx_http_k8s_sa_front_entry_t *entry,
    const u_char *key)
{
    ngx_http_k8s_sa_slot_t  *slot;

    if (entry->front == NULL) {
        return;
    }

    slot = ngx_http_k8s_sa_front_slot(entry->front, key);

    if (slot->entry) {
        ngx_http_k8s_sa_front_release(slot->entry);
    }

    entry->refs++;

    slot->entry = entry;
    slot->expires = entry->expires;
    ngx_memcpy(slot->key, key, K8S_SA_FINGERPRINT_LEN);
}


void
ngx_http_k8s_sa_front_release(ngx_http_k8s_sa_front_entry_t *entry)
{
    if (--entry->refs == 0 && entry->front) {
        ngx_http_k8s_sa_cell_free(entry->front,
                                  (ngx_http_k8s_sa_cell_t *) entry);
    }
}


/*
 * Any part of a key is a hash.  This is not the one that the zone's buckets
 * use.
 */

static ngx_http_k8s_sa_slot_t *
ngx_http_k8s_sa_front_slot(ngx_http_k8s_sa_front_t *front, const u_char *key)
{
    uint64_t  n;

    ngx_memcpy(&n, key, sizeof(uint64_t));

    return &front->slots[n % NGX_HTTP_K8S_SA_FRONT_SLOTS];
}
