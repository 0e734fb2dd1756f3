/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_call.h"
#include "issuer/ngx_k8s_sa_issuer.h"
#include "token/k8s_sa_discovery.h"


#define NGX_K8S_SA_REFRESH_MIN  10000     /* ms, whatever max-age says */
#define NGX_K8S_SA_RETRY_MIN    1000      /* ms after the first failure */
#define NGX_K8S_SA_RETRY_MAX    60000
#define NGX_K8S_SA_RETRY_BARE   2000      /* instead of RETRY_MAX while there
                                             are no keys to serve requests */
#define NGX_K8S_SA_LOOK         10000     /* longest time between two looks at
                                             the key store */


struct ngx_k8s_sa_fetch_s {
    ngx_k8s_sa_issuer_t    *issuer;
    ngx_pool_t             *pool;
    ngx_k8s_sa_exchange_t  *exchange;     /* NULL while its handler runs */
    ngx_k8s_sa_url_t       *url;          /* requested now: the discovery
                                             document's or the keys' */

    ngx_k8s_sa_url_t        jwks_uri;     /* from the document */
    ngx_str_t               learned;      /* the document's issuer, if none is
                                             configured */
    ngx_msec_t              refresh;      /* issuer->refresh, or less if
                                             Cache-Control says so */

    ngx_msec_t              retry_after;  /* of a failed answer; or 0 */

    unsigned                private:1;    /* our own token may go to url */
};


static void ngx_k8s_sa_fetch_schedule(ngx_k8s_sa_issuer_t *issuer);
static ngx_int_t ngx_k8s_sa_fetch_get(ngx_k8s_sa_fetch_t *fetch);
static ngx_uint_t ngx_k8s_sa_fetch_is_private(ngx_k8s_sa_fetch_t *fetch);
static void ngx_k8s_sa_fetch_received(const ngx_k8s_sa_result_t *res,
    void *data);
static ngx_int_t ngx_k8s_sa_fetch_document(ngx_k8s_sa_fetch_t *fetch,
    const ngx_k8s_sa_result_t *res, k8s_sa_error_t *err);
static ngx_int_t ngx_k8s_sa_fetch_issuer(ngx_k8s_sa_fetch_t *fetch,
    k8s_sa_discovery_t *doc, k8s_sa_error_t *err);
static ngx_int_t ngx_k8s_sa_fetch_store(ngx_k8s_sa_fetch_t *fetch,
    const ngx_k8s_sa_result_t *res, k8s_sa_error_t *err);
static ngx_int_t ngx_k8s_sa_fetch_status(ngx_k8s_sa_fetch_t *fetch,
    const ngx_k8s_sa_result_t *res, k8s_sa_error_t *err);
static void ngx_k8s_sa_fetch_max_age(ngx_k8s_sa_fetch_t *fetch,
    const ngx_str_t *cache_control);
static void ngx_k8s_sa_fetch_failed(ngx_k8s_sa_fetch_t *fetch,
    k8s_sa_error_t *err);
static void ngx_k8s_sa_fetch_done(ngx_k8s_sa_fetch_t *fetch);
static ngx_msec_t ngx_k8s_sa_fetch_retry(ngx_k8s_sa_issuer_t *issuer);
static ngx_msec_t ngx_k8s_sa_jitter(ngx_msec_t msec);


void
ngx_k8s_sa_fetch_timer(ngx_event_t *ev)
{
    ngx_connection_t        *dummy;
    ngx_k8s_sa_issuer_t     *issuer;
    ngx_k8s_sa_key_state_t   state;

    dummy = ev->data;
    issuer = dummy->data;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa issuer \"%V\": timer", &issuer->name);

    if (ngx_exiting || ngx_terminate || issuer->fetch) {
        return;
    }

    ngx_k8s_sa_issuer_sync(issuer);

    if (ngx_k8s_sa_keystore_state(issuer->zone, &issuer->ref, &state)
        == NGX_OK
        && (!state.refresh_set
            || (ngx_msec_int_t) (state.refresh_msec - ngx_current_msec) <= 0))
    {
        (void) ngx_k8s_sa_fetch(issuer);
    }

    ngx_k8s_sa_fetch_schedule(issuer);
}


static void
ngx_k8s_sa_fetch_schedule(ngx_k8s_sa_issuer_t *issuer)
{
    ngx_msec_t              timer;
    ngx_msec_int_t          due;
    ngx_k8s_sa_key_state_t  state;

    if (ngx_exiting || ngx_terminate || issuer->fetch) {

        /* called again when the fetch ends */

        return;
    }

    timer = NGX_K8S_SA_RETRY_MIN;

    if (ngx_k8s_sa_keystore_state(issuer->zone, &issuer->ref, &state)
        == NGX_OK
        && state.refresh_set)
    {
        due = state.refresh_msec - ngx_current_msec;

        /* if it is due already, another worker fetches, and may crash */

        if (due > 0) {
            timer = ngx_min((ngx_msec_t) due, NGX_K8S_SA_LOOK);
        }
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa issuer \"%V\": next look at the key store in "
                   "%M ms", &issuer->name, timer);

    ngx_add_timer(&issuer->timer, timer);
}


ngx_int_t
ngx_k8s_sa_fetch(ngx_k8s_sa_issuer_t *issuer)
{
    ngx_int_t            rc;
    ngx_pool_t          *pool;
    k8s_sa_error_t       err;
    ngx_k8s_sa_fetch_t  *fetch;

    if (issuer->fetch) {
        return NGX_OK;
    }

    /* two exchanges and some time between them */

    rc = ngx_k8s_sa_keystore_lease(issuer->zone, &issuer->ref,
                                   2 * issuer->timeout + 1000, NULL);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa issuer \"%V\": fetch lease: %s", &issuer->name,
                   rc == NGX_OK ? "taken"
                                : rc == NGX_BUSY ? "another worker has it"
                                                 : "no memory");

    if (rc != NGX_OK) {
        return rc == NGX_BUSY ? NGX_OK : NGX_ERROR;
    }

    if (issuer->state_file.len && !issuer->state_tried
        && issuer->fetched_keys == NULL
        && ngx_k8s_sa_state_read(issuer) == NGX_OK)
    {
        ngx_k8s_sa_issuer_sync(issuer);

        if (ngx_k8s_sa_keystore_lease(issuer->zone, &issuer->ref,
                                      2 * issuer->timeout + 1000, NULL)
            != NGX_OK)
        {
            return NGX_OK;
        }
    }

    pool = ngx_create_pool(4096, issuer->log);
    if (pool == NULL) {
        ngx_k8s_sa_keystore_release(issuer->zone, &issuer->ref);
        return NGX_ERROR;
    }

    fetch = ngx_pcalloc(pool, sizeof(ngx_k8s_sa_fetch_t));
    if (fetch == NULL) {
        ngx_destroy_pool(pool);
        ngx_k8s_sa_keystore_release(issuer->zone, &issuer->ref);
        return NGX_ERROR;
    }

    fetch->issuer = issuer;
    fetch->pool = pool;
    fetch->refresh = issuer->refresh;

    issuer->fetch = fetch;

    fetch->url = issuer->discovery.text.len ? &issuer->discovery
                                            : &issuer->jwks_uri;

    if (ngx_k8s_sa_fetch_get(fetch) != NGX_OK) {
        k8s_sa_error_set(&err, "no memory for a request");
        ngx_k8s_sa_fetch_failed(fetch, &err);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_k8s_sa_fetch_cancel(ngx_k8s_sa_issuer_t *issuer)
{
    ngx_k8s_sa_fetch_t  *fetch;

    fetch = issuer->fetch;

    if (fetch == NULL) {
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa issuer \"%V\": fetch cancelled, lease released",
                   &issuer->name);

    if (fetch->exchange) {
        ngx_k8s_sa_exchange_cancel(fetch->exchange);
    }

    ngx_k8s_sa_keystore_release(issuer->zone, &issuer->ref);

    issuer->fetch = NULL;
    ngx_destroy_pool(fetch->pool);
}


void
ngx_k8s_sa_fetch_hold(ngx_k8s_sa_issuer_t *issuer)
{
    if (issuer->fetch && issuer->fetch->exchange) {
        ngx_k8s_sa_exchange_hold(issuer->fetch->exchange,
                                 !ngx_queue_empty(&issuer->waiters));
    }
}


static ngx_int_t
ngx_k8s_sa_fetch_get(ngx_k8s_sa_fetch_t *fetch)
{
    ngx_keyval_t          accept;
    ngx_k8s_sa_issuer_t  *issuer;
    ngx_k8s_sa_request_t  req;

    issuer = fetch->issuer;

    /* API servers answer 406 to more specific types */

    ngx_str_set(&accept.key, "Accept");
    ngx_str_set(&accept.value, "*/*");

    ngx_memzero(&req, sizeof(ngx_k8s_sa_request_t));

    req.method = NGX_K8S_SA_GET;
    req.url = fetch->url;
    req.headers = &accept;
    req.nheaders = 1;
    req.handler = ngx_k8s_sa_fetch_received;
    req.data = fetch;
    req.hold = !ngx_queue_empty(&issuer->waiters);

    fetch->private = ngx_k8s_sa_fetch_is_private(fetch);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa issuer \"%V\": GET \"%V\"%s",
                   &issuer->name, &fetch->url->text,
                   fetch->private && issuer->token_file
                   ? " with our own token" : "");

    if (fetch->private && issuer->token_file) {
        req.token = issuer->token_file->token;
    }

    fetch->exchange = ngx_k8s_sa_client_start(issuer->client, &req);

    return fetch->exchange ? NGX_OK : NGX_ERROR;
}


/*
 * Returns 1 if our own token may be sent to fetch->url: over verified TLS, and
 * not to any host that a document names.  API servers name an address of their
 * own as jwks_uri and require a token there, too: it must be the document's
 * host and port, or have a certificate of the CA configured for this issuer.
 */

static ngx_uint_t
ngx_k8s_sa_fetch_is_private(ngx_k8s_sa_fetch_t *fetch)
{
    ngx_str_t            *discovery, *jwks;
    ngx_k8s_sa_issuer_t  *issuer;

    issuer = fetch->issuer;

    if (!ngx_k8s_sa_client_is_private(issuer->client, fetch->url)) {
        return 0;
    }

    if (fetch->url != &fetch->jwks_uri || issuer->private_ca) {
        return 1;
    }

    discovery = &issuer->discovery.authority;
    jwks = &fetch->jwks_uri.authority;

    return discovery->len == jwks->len
           && ngx_memcmp(discovery->data, jwks->data, jwks->len) == 0;
}


static void
ngx_k8s_sa_fetch_received(const ngx_k8s_sa_result_t *res, void *data)
{
    ngx_k8s_sa_fetch_t *fetch = data;

    ngx_int_t       rc;
    k8s_sa_error_t  err;

    fetch->exchange = NULL;

    if (res->error == NGX_K8S_SA_NET_SHUTDOWN) {
        ngx_k8s_sa_fetch_cancel(fetch->issuer);
        return;
    }

    if (fetch->url == &fetch->issuer->discovery) {

        rc = ngx_k8s_sa_fetch_document(fetch, res, &err);

        if (rc == NGX_OK && ngx_k8s_sa_fetch_get(fetch) == NGX_OK) {
            return;
        }

        if (rc == NGX_OK) {
            k8s_sa_error_set(&err, "no memory for a request");
            rc = NGX_ERROR;
        }

    } else {
        rc = ngx_k8s_sa_fetch_store(fetch, res, &err);
    }

    if (rc == NGX_OK) {
        ngx_k8s_sa_fetch_done(fetch);

    } else {
        ngx_k8s_sa_fetch_failed(fetch, &err);
    }
}


static ngx_int_t
ngx_k8s_sa_fetch_document(ngx_k8s_sa_fetch_t *fetch,
    const ngx_k8s_sa_result_t *res, k8s_sa_error_t *err)
{
    ngx_int_t             rc;
    ngx_str_t             text;
    const char           *reason;
    k8s_sa_discovery_t    doc;
    ngx_k8s_sa_issuer_t  *issuer;

    issuer = fetch->issuer;

    if (ngx_k8s_sa_fetch_status(fetch, res, err) != NGX_OK) {
        return NGX_ERROR;
    }

    if (k8s_sa_discovery_parse(&doc, res->body.data, res->body.len, err)
        != K8S_SA_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_k8s_sa_fetch_issuer(fetch, &doc, err);

    if (rc == NGX_OK && issuer->jwks_uri.text.len) {
        fetch->url = &issuer->jwks_uri;

    } else if (rc == NGX_OK) {
        text.data = (u_char *) doc.jwks_uri;
        text.len = ngx_strlen(doc.jwks_uri);

        rc = ngx_k8s_sa_url_parse(fetch->pool, &text, &fetch->jwks_uri,
                                  &reason);
        if (rc != NGX_OK) {
            k8s_sa_error_set(err, "the document's jwks_uri \"%.128s\": %s",
                             doc.jwks_uri, rc == NGX_DECLINED ? reason
                                                              : "no memory");

        } else if (!fetch->jwks_uri.ssl && !fetch->jwks_uri.loopback) {
            k8s_sa_error_set(err, "the document's jwks_uri \"%.128s\" is not "
                             "https", doc.jwks_uri);
            rc = NGX_ERROR;

        } else {
            fetch->url = &fetch->jwks_uri;
        }
    }

    k8s_sa_discovery_free(&doc);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa issuer \"%V\": document accepted, keys at \"%V\"",
                   &issuer->name, &fetch->url->text);

    return NGX_OK;
}


static ngx_int_t
ngx_k8s_sa_fetch_issuer(ngx_k8s_sa_fetch_t *fetch, k8s_sa_discovery_t *doc,
    k8s_sa_error_t *err)
{
    size_t                len;
    ngx_uint_t            i;
    k8s_sa_str_t         *iss;
    ngx_k8s_sa_issuer_t  *issuer;

    issuer = fetch->issuer;
    iss = issuer->issuers.elts;
    len = ngx_strlen(doc->issuer);

    if (issuer->issuers.nelts == 0) {

        if (len > NGX_K8S_SA_ISS_MAX) {
            k8s_sa_error_set(err, "the document's issuer is too long");
            return NGX_ERROR;
        }

        fetch->learned.len = len;
        fetch->learned.data = ngx_pnalloc(fetch->pool, len);
        if (fetch->learned.data == NULL) {
            k8s_sa_error_set(err, "no memory");
            return NGX_ERROR;
        }

        ngx_memcpy(fetch->learned.data, doc->issuer, len);

        return NGX_OK;
    }

    for (i = 0; i < issuer->issuers.nelts; i++) {

        if (iss[i].len == len
            && ngx_memcmp(iss[i].data, doc->issuer, len) == 0)
        {
            return NGX_OK;
        }
    }

    k8s_sa_error_set(err, "the document's issuer is \"%.96s\", but \"%.*s\" "
                     "is configured",
                     doc->issuer, (int) ngx_min(iss[0].len, 96), iss[0].data);

    return NGX_ERROR;
}


static ngx_int_t
ngx_k8s_sa_fetch_store(ngx_k8s_sa_fetch_t *fetch,
    const ngx_k8s_sa_result_t *res, k8s_sa_error_t *err)
{
    ngx_msec_t            refresh;
    ngx_atomic_uint_t     generation;
    k8s_sa_error_t        note;
    ngx_k8s_sa_keys_t     keys;
    ngx_k8s_sa_issuer_t  *issuer;

    issuer = fetch->issuer;

    if (ngx_k8s_sa_fetch_status(fetch, res, err) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_k8s_sa_issuer_check(issuer, &res->body, &note, err) != NGX_OK) {
        return NGX_ERROR;
    }

    if (note.text[0] != '\0') {
        ngx_log_error(NGX_LOG_WARN, issuer->log, 0,
                      "k8s_sa: key of issuer \"%V\" passed over: %s",
                      &issuer->name, note.text);
    }

    keys.issuer = fetch->learned;
    keys.keys = res->body;
    keys.fetched = ngx_time();

    generation = issuer->generation;

    refresh = ngx_k8s_sa_jitter(fetch->refresh);

    if (fetch->refresh >= NGX_K8S_SA_REFRESH_MIN) {
        refresh = ngx_max(refresh, NGX_K8S_SA_REFRESH_MIN);
    }

    switch (ngx_k8s_sa_keystore_store(issuer->zone, &issuer->ref, &keys,
                                      refresh))
    {
    case NGX_ERROR:
        k8s_sa_error_set(err, "the zone has no room for %lu bytes of keys",
                         (unsigned long) keys.keys.len);
        return NGX_ERROR;

    case NGX_DECLINED:

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                       "k8s_sa issuer \"%V\": fetch lease lost, keys dropped",
                       &issuer->name);
        return NGX_OK;
    }

    ngx_k8s_sa_issuer_sync(issuer);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa issuer \"%V\": keys %s, generation %ui, next fetch "
                   "in %M ms", &issuer->name,
                   issuer->generation != generation ? "replaced" : "unchanged",
                   issuer->generation, refresh);

    if (issuer->generation != generation) {
        ngx_log_error(NGX_LOG_NOTICE, issuer->log, 0,
                      "k8s_sa: issuer \"%V\" has new keys from \"%V\"",
                      &issuer->name, &fetch->url->text);
    }

    if (issuer->state_file.len) {
        ngx_k8s_sa_state_write(issuer, &keys);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_k8s_sa_fetch_status(ngx_k8s_sa_fetch_t *fetch,
    const ngx_k8s_sa_result_t *res, k8s_sa_error_t *err)
{
    ngx_int_t                             after;
    static const ngx_k8s_sa_call_hints_t  hints = {
        " (our own token may not read it: bind the ClusterRole "
        "system:service-account-issuer-discovery)",
        ""
    };

    if (res->error == NGX_K8S_SA_NET_OK && res->status == 200) {
        ngx_k8s_sa_fetch_max_age(fetch, &res->cache_control);
        return NGX_OK;
    }

    ngx_k8s_sa_call_explain(res, fetch->issuer->token_file, fetch->private,
                            &hints, err);

    if (res->retry_after.data) {
        after = ngx_atoi(res->retry_after.data, res->retry_after.len);

        if (after != NGX_ERROR) {
            after = ngx_min(after, NGX_K8S_SA_RETRY_MAX / 1000);
            fetch->retry_after = (ngx_msec_t) after * 1000;
        }
    }

    return NGX_ERROR;
}


/* "max-age" (RFC 9111 section 5.2.2.1); other directives are ignored */

static void
ngx_k8s_sa_fetch_max_age(ngx_k8s_sa_fetch_t *fetch,
    const ngx_str_t *cache_control)
{
    u_char     *p, *last;
    ngx_int_t   age;

    if (cache_control->len == 0) {
        return;
    }

    p = ngx_strlcasestrn(cache_control->data,
                         cache_control->data + cache_control->len,
                         (u_char *) "max-age=", sizeof("max-age=") - 2);
    if (p == NULL) {
        return;
    }

    /* the match may be the end of another directive's name */

    if (p != cache_control->data && p[-1] != ' ' && p[-1] != ',') {
        return;
    }

    p += sizeof("max-age=") - 1;
    last = p;

    while (last < cache_control->data + cache_control->len
           && *last >= '0' && *last <= '9' && last - p < 9)
    {
        last++;
    }

    age = ngx_atoi(p, last - p);
    if (age == NGX_ERROR) {
        return;
    }

    /* in seconds, since a month in ms does not fit into 32 bits */

    if (age < (ngx_int_t) (fetch->refresh / 1000)) {
        age = ngx_max(age * 1000, NGX_K8S_SA_REFRESH_MIN);
        fetch->refresh = ngx_min(fetch->refresh, (ngx_msec_t) age);
    }
}


static void
ngx_k8s_sa_fetch_failed(ngx_k8s_sa_fetch_t *fetch, k8s_sa_error_t *err)
{
    u_char               *last, text[NGX_K8S_SA_ERROR_MAX];
    ngx_msec_t            retry;
    ngx_k8s_sa_issuer_t  *issuer;

    issuer = fetch->issuer;

    retry = ngx_k8s_sa_jitter(ngx_k8s_sa_fetch_retry(issuer));
    retry = ngx_max(retry, fetch->retry_after);

    ngx_log_error(NGX_LOG_ERR, issuer->log, 0,
                  "k8s_sa: fetching keys of issuer \"%V\" failed: %V: %s; "
                  "next try in %M ms", &issuer->name, &fetch->url->text,
                  err->text, retry);

    last = ngx_snprintf(text, NGX_K8S_SA_ERROR_MAX, "%s: %V", err->text,
                        &fetch->url->text);

    (void) ngx_k8s_sa_keystore_fail(issuer->zone, &issuer->ref, text,
                                    last - text, retry);

    ngx_k8s_sa_fetch_done(fetch);
}


/* doubled with each failure, but the next try is before the keys go stale */

static ngx_msec_t
ngx_k8s_sa_fetch_retry(ngx_k8s_sa_issuer_t *issuer)
{
    ngx_uint_t              i;
    ngx_msec_t              age, retry, max;
    ngx_k8s_sa_key_state_t  state;

    retry = NGX_K8S_SA_RETRY_MIN;

    if (ngx_k8s_sa_keystore_state(issuer->zone, &issuer->ref, &state)
        != NGX_OK)
    {
        return retry;
    }

    max = NGX_K8S_SA_RETRY_BARE;

    if (state.keys_len) {
        age = ngx_current_msec - state.fetched_msec;

        if (age < issuer->stale) {
            max = ngx_max(max, issuer->stale - age);
            max = ngx_min(max, NGX_K8S_SA_RETRY_MAX);
        }
    }

    for (i = 0; i < state.failures && retry < max; i++) {
        retry *= 2;
    }

    return ngx_min(retry, max);
}


static void
ngx_k8s_sa_fetch_done(ngx_k8s_sa_fetch_t *fetch)
{
    ngx_k8s_sa_issuer_t  *issuer;

    issuer = fetch->issuer;

    issuer->fetch = NULL;
    ngx_destroy_pool(fetch->pool);

    ngx_k8s_sa_fetch_schedule(issuer);
}


/* up to a fifth less, so that many sidecars do not fetch simultaneously */

static ngx_msec_t
ngx_k8s_sa_jitter(ngx_msec_t msec)
{
    return msec - ngx_random() % (msec / 5 + 1);
}
