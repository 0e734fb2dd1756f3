#include "http/ngx_http_k8s_sa.h"
#include "shared/ngx_k8s_sa_cache.h"
#include "token/k8s_sa_record.h"

#include <openssl/evp.h>


/*
 * The worker's own table compares whole tokens, and so spares the digest and
 * the lock that the zone costs.  One slot, one token: the next new one that
 * belongs there takes its place, and of those that come from the zone one in
 * several.  With many more tokens than slots each would otherwise be copied,
 * and drive out another, for nothing.
 *
 * A caller may guess at a token that is in there, which takes the same time
 * whatever part of it is right.
 */

#define NGX_HTTP_K8S_SA_FRONT_BITS  11
#define NGX_HTTP_K8S_SA_FRONT_SIZE  (1 << NGX_HTTP_K8S_SA_FRONT_BITS)

#define NGX_HTTP_K8S_SA_FRONT_TAKE  8

/* longer ones are kept in the zone only, which bounds a worker's memory */

#define NGX_HTTP_K8S_SA_FRONT_TOKEN  4096


typedef struct {
    ngx_http_k8s_sa_auth_t    *auth;
    ngx_str_t                 *token;
    ngx_k8s_sa_issuer_t       *issuer;
    const u_char              *key_id;
    int64_t                    expires;
} ngx_http_k8s_sa_facts_t;


static ngx_uint_t ngx_http_k8s_sa_cache_valid(ngx_http_k8s_sa_entry_t *entry);
static ngx_uint_t ngx_http_k8s_sa_cache_begun(ngx_http_k8s_sa_entry_t *entry);
static ngx_uint_t ngx_http_k8s_sa_cache_takes(
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_str_t *token);
static ngx_http_k8s_sa_entry_t *ngx_http_k8s_sa_cache_entry(
    ngx_http_k8s_sa_facts_t *facts, size_t strings, ngx_pool_t *pool);
static void ngx_http_k8s_sa_cache_put(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_entry_t *entry);
static ngx_uint_t ngx_http_k8s_sa_cache_slot(ngx_str_t *token);
static void ngx_http_k8s_sa_cache_store(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_entry_t *entry, u_char *key);
static void ngx_http_k8s_sa_cache_cleanup(void *data);


static EVP_MD      *ngx_http_k8s_sa_sha256;
static EVP_MD_CTX  *ngx_http_k8s_sa_sha256_ctx;
static ngx_uint_t   ngx_http_k8s_sa_sha256_users;


ngx_int_t
ngx_http_k8s_sa_cache_init(ngx_conf_t *cf, ngx_http_k8s_sa_main_conf_t *mcf)
{
    ngx_pool_cleanup_t  *cln;

    mcf->front = ngx_pcalloc(cf->pool, NGX_HTTP_K8S_SA_FRONT_SIZE
                                       * sizeof(ngx_http_k8s_sa_entry_t *));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (mcf->front == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_k8s_sa_cache_cleanup;
    cln->data = mcf;

    /* the last configuration frees them: a reload has two at a time */

    if (ngx_http_k8s_sa_sha256_users++ == 0) {
        ngx_http_k8s_sa_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        ngx_http_k8s_sa_sha256_ctx = EVP_MD_CTX_new();
    }

    if (ngx_http_k8s_sa_sha256 == NULL || ngx_http_k8s_sa_sha256_ctx == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "k8s_sa: OpenSSL has no SHA-256");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_k8s_sa_cache_cleanup(void *data)
{
    ngx_http_k8s_sa_main_conf_t  *mcf = data;

    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_K8S_SA_FRONT_SIZE; i++) {
        if (mcf->front[i]) {
            ngx_http_k8s_sa_cache_release(mcf->front[i]);
        }
    }

    if (--ngx_http_k8s_sa_sha256_users == 0) {
        EVP_MD_CTX_free(ngx_http_k8s_sa_sha256_ctx);
        EVP_MD_free(ngx_http_k8s_sa_sha256);
    }
}


ngx_int_t
ngx_http_k8s_sa_cache_key(const u_char *digest, ngx_str_t *token, u_char *key)
{
    EVP_MD_CTX  *ctx;

    ctx = ngx_http_k8s_sa_sha256_ctx;

    if (EVP_DigestInit_ex2(ctx, ngx_http_k8s_sa_sha256, NULL) != 1
        || EVP_DigestUpdate(ctx, digest, NGX_K8S_SA_DIGEST_LEN) != 1
        || EVP_DigestUpdate(ctx, token->data, token->len) != 1
        || EVP_DigestFinal_ex(ctx, key, NULL) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_http_k8s_sa_entry_t *
ngx_http_k8s_sa_cache_find(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_auth_t *auth, ngx_str_t *token)
{
    k8s_sa_str_t              known, given;
    ngx_http_k8s_sa_entry_t  *entry;

    entry = mcf->front[ngx_http_k8s_sa_cache_slot(token)];

    if (entry == NULL || entry->auth != auth) {
        return NULL;
    }

    known.len = entry->token.len;
    known.data = entry->token.data;
    given.len = token->len;
    given.data = token->data;

    if (!k8s_sa_secret_eq(&known, &given)
        || !ngx_http_k8s_sa_cache_valid(entry))
    {
        return NULL;
    }

    entry->refs++;

    return entry;
}


/*
 * On every hit: its times, its key, and that its issuer is still the issuer.
 * An issuer without keys has one version only.
 */

static ngx_uint_t
ngx_http_k8s_sa_cache_valid(ngx_http_k8s_sa_entry_t *entry)
{
    ngx_uint_t  version;

    if (ngx_time() >= entry->expires || !ngx_http_k8s_sa_cache_begun(entry)) {
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
                                  &entry->identity.issuer))
    {
        return 0;
    }

    entry->version = version;

    return 1;
}


/*
 * The clock may have been set back since the token was verified.  Entries do
 * not keep "nbf"; issuers set it to "iat".
 */

static ngx_uint_t
ngx_http_k8s_sa_cache_begun(ngx_http_k8s_sa_entry_t *entry)
{
    return entry->identity.issued - entry->issuer->policy.leeway
           <= ngx_time();
}


ngx_http_k8s_sa_entry_t *
ngx_http_k8s_sa_cache_load(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_auth_t *auth, ngx_str_t *token, u_char *key,
    ngx_pool_t *pool)
{
    size_t                          size;
    u_char                         *strings;
    k8s_sa_key_t                   *k;
    ngx_http_k8s_sa_entry_t        *entry;
    ngx_http_k8s_sa_facts_t         facts;
    ngx_k8s_sa_cache_entry_t        e;
    ngx_http_k8s_sa_issuer_ref_t  **ref;

    static u_char                   buf[NGX_K8S_SA_CACHE_DATA_MAX];

    if (ngx_k8s_sa_cache_lookup(mcf->zone, key, ngx_time(), &e, buf,
                                sizeof(buf))
        != NGX_OK)
    {
        return NULL;
    }

    /* "fresh" is which of the issuers it was: the key covers their list */

    if (e.kind != NGX_K8S_SA_CACHE_LOCAL
        || e.fresh < 0 || e.fresh >= (int64_t) auth->issuers.nelts)
    {
        return NULL;
    }

    ref = auth->issuers.elts;

    facts.auth = auth;
    facts.token = token;
    facts.issuer = ref[e.fresh]->issuer;
    facts.key_id = e.key_id;
    facts.expires = e.expires;

    k = ngx_k8s_sa_issuer_key(facts.issuer, e.key_id);
    size = k8s_sa_record_size(e.data, e.len);

    if (k == NULL || size == 0) {
        return NULL;
    }

    if (facts.issuer->reviews == NULL
        && ngx_http_k8s_sa_cache_takes(mcf, token))
    {
        pool = NULL;
    }

    entry = ngx_http_k8s_sa_cache_entry(&facts,
                                        size + k8s_sa_key_kid(k)->len, pool);
    if (entry == NULL) {
        return NULL;
    }

    strings = entry->token.data + entry->token.len;

    if (k8s_sa_record_unpack(&entry->identity, e.data, e.len, strings, size)
        != K8S_SA_OK
        || !k8s_sa_policy_accepts(&facts.issuer->policy,
                                  &entry->identity.issuer)
        || !ngx_http_k8s_sa_cache_begun(entry))
    {
        ngx_http_k8s_sa_cache_release(entry);
        return NULL;
    }

    entry->identity.kid.len = k8s_sa_key_kid(k)->len;
    entry->identity.kid.data = strings + size;
    ngx_memcpy(strings + size, k8s_sa_key_kid(k)->data,
               k8s_sa_key_kid(k)->len);

    if (pool == NULL) {
        ngx_http_k8s_sa_cache_put(mcf, entry);
    }

    return entry;
}


ngx_http_k8s_sa_entry_t *
ngx_http_k8s_sa_cache_add(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_auth_t *auth, ngx_str_t *token, u_char *key,
    ngx_k8s_sa_issuer_t *issuer, const u_char *key_id,
    const k8s_sa_identity_t *identity)
{
    ngx_http_k8s_sa_entry_t  *entry;
    ngx_http_k8s_sa_facts_t   facts;

    facts.auth = auth;
    facts.token = token;
    facts.issuer = issuer;
    facts.key_id = key_id;

    /* the last second of the leeway counts, as in k8s_sa_token_claims() */

    facts.expires = INT64_MAX;

    if (identity->expires
        && identity->expires < INT64_MAX - issuer->policy.leeway)
    {
        facts.expires = identity->expires + issuer->policy.leeway + 1;
    }

    entry = ngx_http_k8s_sa_cache_entry(&facts,
                                        k8s_sa_identity_size(identity), NULL);
    if (entry == NULL) {
        return NULL;
    }

    k8s_sa_identity_copy(&entry->identity, identity,
                         entry->token.data + entry->token.len);

    ngx_http_k8s_sa_cache_store(mcf, entry, key);

    if (issuer->reviews == NULL) {
        ngx_http_k8s_sa_cache_put(mcf, entry);
    }

    return entry;
}


ngx_http_k8s_sa_entry_t *
ngx_http_k8s_sa_cache_reviewed(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_auth_t *auth, ngx_str_t *token,
    ngx_k8s_sa_issuer_t *issuer, ngx_http_k8s_sa_entry_t *local,
    const k8s_sa_identity_t *identity, ngx_msec_t fresh, int64_t not_after)
{
    ngx_http_k8s_sa_entry_t  *entry;
    ngx_http_k8s_sa_facts_t   facts;

    static const u_char       none[K8S_SA_KEY_ID_LEN];

    facts.auth = auth;
    facts.token = token;
    facts.issuer = issuer;
    facts.key_id = local ? local->key_id : none;
    facts.expires = local ? ngx_min(local->expires, not_after) : not_after;

    entry = ngx_http_k8s_sa_cache_entry(&facts,
                                        k8s_sa_identity_size(identity), NULL);
    if (entry == NULL) {
        return NULL;
    }

    k8s_sa_identity_copy(&entry->identity, identity,
                         entry->token.data + entry->token.len);

    entry->reviewed = 1;
    entry->fresh = fresh;

    ngx_http_k8s_sa_cache_put(mcf, entry);

    return entry;
}


static void
ngx_http_k8s_sa_cache_store(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_entry_t *entry, u_char *key)
{
    u_char                          record[K8S_SA_RECORD_MAX];
    ngx_uint_t                      i;
    ngx_k8s_sa_cache_entry_t        e;
    ngx_http_k8s_sa_issuer_ref_t  **ref;

    ref = entry->auth->issuers.elts;

    for (i = 0; ref[i]->issuer != entry->issuer; i++) { /* void */ }

    e.kind = NGX_K8S_SA_CACHE_LOCAL;
    e.verdict = K8S_SA_VERDICT_OK;
    e.fresh = i;
    e.expires = entry->expires;
    e.data = record;
    e.len = k8s_sa_record_pack(record, sizeof(record), &entry->identity);

    ngx_memcpy(e.key_id, entry->key_id, K8S_SA_KEY_ID_LEN);

    if (e.len) {
        (void) ngx_k8s_sa_cache_insert(mcf->zone, key, ngx_time(), &e);
    }
}


static ngx_uint_t
ngx_http_k8s_sa_cache_takes(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_str_t *token)
{
    return mcf->front[ngx_http_k8s_sa_cache_slot(token)] == NULL
           || ++mcf->front_misses % NGX_HTTP_K8S_SA_FRONT_TAKE == 0;
}


/*
 * One block: the entry, the token, room for the identity's strings.  With a
 * pool it is for one request, and has no token.  Nothing here may take over
 * new keys, as ngx_k8s_sa_issuer_version() does: the facts and the identity
 * point into those that verified the token.
 */

static ngx_http_k8s_sa_entry_t *
ngx_http_k8s_sa_cache_entry(ngx_http_k8s_sa_facts_t *facts, size_t strings,
    ngx_pool_t *pool)
{
    size_t                    size;
    ngx_http_k8s_sa_entry_t  *entry;

    size = sizeof(ngx_http_k8s_sa_entry_t) + strings;

    entry = pool ? ngx_palloc(pool, size)
                 : ngx_alloc(size + facts->token->len, ngx_cycle->log);

    if (entry == NULL) {
        return NULL;
    }

    entry->refs = 1;
    entry->auth = facts->auth;
    entry->issuer = facts->issuer;
    entry->version = facts->issuer->version;
    entry->expires = facts->expires;
    entry->fresh = 0;
    entry->reviewed = 0;
    entry->pooled = (pool != NULL);

    ngx_memcpy(entry->key_id, facts->key_id, K8S_SA_KEY_ID_LEN);

    entry->token.len = pool ? 0 : facts->token->len;
    entry->token.data = (u_char *) entry + sizeof(ngx_http_k8s_sa_entry_t);
    ngx_memcpy(entry->token.data, facts->token->data, entry->token.len);

    return entry;
}


static void
ngx_http_k8s_sa_cache_put(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_http_k8s_sa_entry_t *entry)
{
    ngx_http_k8s_sa_entry_t  **slot;

    if (entry->token.len > NGX_HTTP_K8S_SA_FRONT_TOKEN) {
        return;
    }

    slot = &mcf->front[ngx_http_k8s_sa_cache_slot(&entry->token)];

    if (*slot) {
        ngx_http_k8s_sa_cache_release(*slot);
    }

    entry->refs++;
    *slot = entry;
}


void
ngx_http_k8s_sa_cache_release(ngx_http_k8s_sa_entry_t *entry)
{
    if (--entry->refs == 0 && !entry->pooled) {
        ngx_free(entry);
    }
}


/* by the end of the token, which is the end of a signature: random enough */

static ngx_uint_t
ngx_http_k8s_sa_cache_slot(ngx_str_t *token)
{
    uint64_t  tail;

    if (token->len < sizeof(tail)) {
        return 0;
    }

    ngx_memcpy(&tail, token->data + token->len - sizeof(tail), sizeof(tail));

    /* Fibonacci hashing: 2^64 divided by the golden ratio */

    return (tail * 0x9e3779b97f4a7c15ULL)
           >> (64 - NGX_HTTP_K8S_SA_FRONT_BITS);
}
