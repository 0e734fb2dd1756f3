/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_issuer.h"

#include <openssl/evp.h>


static void ngx_k8s_sa_issuer_load(ngx_k8s_sa_issuer_t *issuer);
static k8s_sa_keyset_t *ngx_k8s_sa_issuer_parse(const ngx_str_t *jwks,
    k8s_sa_error_t *note, k8s_sa_error_t *err);
static ngx_int_t ngx_k8s_sa_issuer_digest(const ngx_str_t *jwks,
    u_char *digest);
static k8s_sa_keyset_t *ngx_k8s_sa_issuer_parsed(ngx_k8s_sa_issuer_t *issuer,
    const u_char *digest);
static ngx_int_t ngx_k8s_sa_issuer_learn(ngx_k8s_sa_issuer_t *issuer,
    ngx_str_t *learned);


void
ngx_k8s_sa_issuer_sync(ngx_k8s_sa_issuer_t *issuer)
{
    if (ngx_k8s_sa_issuer_fetches(issuer)
        && ngx_k8s_sa_keystore_generation(&issuer->ref) != issuer->generation)
    {
        ngx_k8s_sa_issuer_load(issuer);
    }
}


static void
ngx_k8s_sa_issuer_load(ngx_k8s_sa_issuer_t *issuer)
{
    u_char              digest[NGX_K8S_SA_JWKS_DIGEST_LEN];
    ngx_int_t           rc;
    k8s_sa_error_t      err;
    k8s_sa_keyset_t    *set;
    ngx_k8s_sa_keys_t   keys;

    rc = ngx_k8s_sa_keystore_load(issuer->zone, &issuer->ref, &keys,
                                  issuer->log);
    if (rc == NGX_ERROR) {
        return;
    }

    issuer->generation = keys.generation;

    if (rc == NGX_DECLINED) {
        return;
    }

    set = NULL;

    if (ngx_k8s_sa_issuer_digest(&keys.keys, digest) == NGX_OK) {
        set = ngx_k8s_sa_issuer_parsed(issuer, digest);

        if (set == NULL) {
            set = ngx_k8s_sa_issuer_parse(&keys.keys, NULL, &err);
        }
    }

    if (set == NULL
        || ngx_k8s_sa_issuer_learn(issuer, &keys.issuer) != NGX_OK)
    {
        /* they were checked before they were stored: memory is short */

        ngx_log_error(NGX_LOG_ALERT, issuer->log, 0,
                      "k8s_sa: cannot load the keys of issuer \"%V\"",
                      &issuer->name);

        if (set != issuer->fetched_keys && set != issuer->checked_keys) {
            k8s_sa_keyset_free(set);
        }

        issuer->generation = 0;
        ngx_free(keys.keys.data);
        return;
    }

    ngx_free(keys.keys.data);

    if (set == issuer->checked_keys) {
        issuer->checked_keys = NULL;
    }

    if (set != issuer->fetched_keys) {
        k8s_sa_keyset_free(issuer->fetched_keys);

        issuer->fetched_keys = set;
        ngx_memcpy(issuer->fetched_digest, digest, NGX_K8S_SA_JWKS_DIGEST_LEN);
    }

    issuer->version++;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa issuer \"%V\": keys of generation %ui in use, "
                   "version %ui", &issuer->name, issuer->generation,
                   issuer->version);
}


ngx_int_t
ngx_k8s_sa_issuer_check(ngx_k8s_sa_issuer_t *issuer, const ngx_str_t *jwks,
    k8s_sa_error_t *note, k8s_sa_error_t *err)
{
    u_char            digest[NGX_K8S_SA_JWKS_DIGEST_LEN];
    k8s_sa_keyset_t  *set;

    note->text[0] = '\0';

    if (ngx_k8s_sa_issuer_digest(jwks, digest) != NGX_OK) {
        k8s_sa_error_set(err, "no memory");
        return NGX_ERROR;
    }

    if (ngx_k8s_sa_issuer_parsed(issuer, digest)) {
        return NGX_OK;
    }

    set = ngx_k8s_sa_issuer_parse(jwks, note, err);
    if (set == NULL) {
        return NGX_ERROR;
    }

    k8s_sa_keyset_free(issuer->checked_keys);

    issuer->checked_keys = set;
    ngx_memcpy(issuer->checked_digest, digest, NGX_K8S_SA_JWKS_DIGEST_LEN);

    return NGX_OK;
}


static k8s_sa_keyset_t *
ngx_k8s_sa_issuer_parse(const ngx_str_t *jwks, k8s_sa_error_t *note,
    k8s_sa_error_t *err)
{
    k8s_sa_keyset_t  *set;

    set = k8s_sa_keyset_create();
    if (set == NULL) {
        k8s_sa_error_set(err, "no memory");
        return NULL;
    }

    if (k8s_sa_keyset_add_jwks(set, jwks->data, jwks->len, note, err)
        != K8S_SA_OK)
    {
        k8s_sa_keyset_free(set);
        return NULL;
    }

    return set;
}


static ngx_int_t
ngx_k8s_sa_issuer_digest(const ngx_str_t *jwks, u_char *digest)
{
    return EVP_Digest(jwks->data, jwks->len, digest, NULL, EVP_sha256(), NULL)
           ? NGX_OK : NGX_ERROR;
}


/* the keys that this worker has parsed from these bytes, or NULL */

static k8s_sa_keyset_t *
ngx_k8s_sa_issuer_parsed(ngx_k8s_sa_issuer_t *issuer, const u_char *digest)
{
    if (issuer->fetched_keys
        && ngx_memcmp(issuer->fetched_digest, digest,
                      NGX_K8S_SA_JWKS_DIGEST_LEN)
           == 0)
    {
        return issuer->fetched_keys;
    }

    if (issuer->checked_keys
        && ngx_memcmp(issuer->checked_digest, digest,
                      NGX_K8S_SA_JWKS_DIGEST_LEN)
           == 0)
    {
        return issuer->checked_keys;
    }

    return NULL;
}


static ngx_int_t
ngx_k8s_sa_issuer_learn(ngx_k8s_sa_issuer_t *issuer, ngx_str_t *learned)
{
    u_char  *p;

    if (issuer->issuers.nelts || learned->len == 0) {
        return NGX_OK;
    }

    p = ngx_alloc(learned->len, issuer->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, learned->data, learned->len);

    ngx_free(issuer->learned.data);

    issuer->learned.data = p;
    issuer->learned.len = learned->len;

    issuer->policy.issuers = &issuer->learned;
    issuer->policy.n_issuers = 1;

    return NGX_OK;
}


ngx_uint_t
ngx_k8s_sa_issuer_unlearned(ngx_k8s_sa_issuer_t *issuer)
{
    ngx_k8s_sa_issuer_sync(issuer);

    return issuer->discovery.text.len && issuer->policy.n_issuers == 0;
}


ngx_uint_t
ngx_k8s_sa_issuer_is_stale(ngx_k8s_sa_issuer_t *issuer)
{
    ngx_k8s_sa_key_state_t  state;

    /* usually this process knows of a recent fetch: no lock is needed */

    if (ngx_current_msec - issuer->fetched_msec < issuer->stale
        && issuer->fetched_msec)
    {
        return 0;
    }

    if (ngx_k8s_sa_keystore_state(issuer->zone, &issuer->ref, &state)
        != NGX_OK)
    {
        return 1;
    }

    issuer->fetched_msec = state.fetched_msec;

    return state.fetched == 0
           || ngx_current_msec - state.fetched_msec >= issuer->stale;
}


k8s_sa_verdict_e
ngx_k8s_sa_issuer_verify(ngx_k8s_sa_issuer_t *issuer, k8s_sa_token_t *t)
{
    k8s_sa_verdict_e  verdict, fetched;

    verdict = k8s_sa_token_verify(t, issuer->file_keys, &issuer->policy);

    if (verdict == K8S_SA_VERDICT_OK || verdict == K8S_SA_BAD_ALGORITHM
        || !ngx_k8s_sa_issuer_fetches(issuer))
    {
        return verdict;
    }

    ngx_k8s_sa_issuer_sync(issuer);

    if (issuer->fetched_keys == NULL) {
        fetched = K8S_SA_NO_KEYS;

    } else if (ngx_k8s_sa_issuer_is_stale(issuer)) {
        fetched = K8S_SA_STALE_KEYS;

    } else {
        fetched = k8s_sa_token_verify(t, issuer->fetched_keys,
                                      &issuer->policy);
    }

    /* the refusal of the keys that got further */

    return fetched == K8S_SA_VERDICT_OK ? fetched : ngx_max(verdict, fetched);
}


ngx_uint_t
ngx_k8s_sa_issuer_has_kid(ngx_k8s_sa_issuer_t *issuer, const k8s_sa_str_t *kid)
{
    ngx_k8s_sa_issuer_sync(issuer);

    return k8s_sa_keyset_has_kid(issuer->file_keys, kid)
           || (issuer->fetched_keys
               && k8s_sa_keyset_has_kid(issuer->fetched_keys, kid));
}


ngx_uint_t
ngx_k8s_sa_issuer_version(ngx_k8s_sa_issuer_t *issuer)
{
    ngx_k8s_sa_issuer_sync(issuer);

    if (issuer->fetched_keys && ngx_k8s_sa_issuer_is_stale(issuer)) {
        return 0;
    }

    return issuer->version;
}


k8s_sa_key_t *
ngx_k8s_sa_issuer_key(ngx_k8s_sa_issuer_t *issuer, const u_char *id)
{
    k8s_sa_key_t  *key;

    key = k8s_sa_keyset_by_id(issuer->file_keys, id);

    if (key) {
        return key;
    }

    ngx_k8s_sa_issuer_sync(issuer);

    if (issuer->fetched_keys == NULL || ngx_k8s_sa_issuer_is_stale(issuer)) {
        return NULL;
    }

    return k8s_sa_keyset_by_id(issuer->fetched_keys, id);
}


void
ngx_k8s_sa_issuer_each_key(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_key_pt visit, void *data)
{
    size_t  i;

    ngx_k8s_sa_issuer_sync(issuer);

    for (i = 0; i < k8s_sa_keyset_count(issuer->file_keys); i++) {
        visit(k8s_sa_keyset_key(issuer->file_keys, i), data);
    }

    if (issuer->fetched_keys == NULL) {
        return;
    }

    for (i = 0; i < k8s_sa_keyset_count(issuer->fetched_keys); i++) {
        visit(k8s_sa_keyset_key(issuer->fetched_keys, i), data);
    }
}
