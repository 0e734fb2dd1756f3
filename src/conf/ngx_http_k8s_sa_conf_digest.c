/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_digest.h"
#include "issuer/ngx_k8s_sa_review.h"

#include <openssl/evp.h>


static int ngx_http_k8s_sa_conf_digest_add(EVP_MD_CTX *ctx, const void *data,
    size_t len);
static int ngx_http_k8s_sa_conf_digest_strings(EVP_MD_CTX *ctx,
    ngx_array_t *strings);
static int ngx_http_k8s_sa_conf_digest_policy(EVP_MD_CTX *ctx,
    k8s_sa_policy_t *policy);
static int ngx_http_k8s_sa_conf_digest_reviews(EVP_MD_CTX *ctx,
    ngx_k8s_sa_reviews_t *reviews);


ngx_int_t
ngx_http_k8s_sa_conf_digest_issuer(ngx_http_k8s_sa_named_issuer_t *named)
{
    int                        ok;
    EVP_MD_CTX                *ctx;
    ngx_k8s_sa_issuer_t       *issuer;
    ngx_k8s_sa_client_conf_t  *client;

    issuer = named->issuer;
    client = &named->client;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    /*
     * The issuer's record in the zone, and with it the keys, survives a reload
     * unless a setting has changed that selects the keys or the source that is
     * trusted for them.
     */

    ok = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL)
         && ngx_http_k8s_sa_conf_digest_add(ctx, issuer->name.data,
                                            issuer->name.len)
         && ngx_http_k8s_sa_conf_digest_add(ctx, issuer->discovery.text.data,
                                            issuer->discovery.text.len)
         && ngx_http_k8s_sa_conf_digest_add(ctx, issuer->jwks_uri.text.data,
                                            issuer->jwks_uri.text.len)
         && ngx_http_k8s_sa_conf_digest_strings(ctx, &issuer->issuers)
         && ngx_http_k8s_sa_conf_digest_add(ctx, client->ssl_name.data,
                                            client->ssl_name.len)
         && ngx_http_k8s_sa_conf_digest_add(ctx, client->ssl_trusted.data,
                                            client->ssl_trusted.len)
         && ngx_http_k8s_sa_conf_digest_add(ctx,
                                            client->ssl_no_verify ? "0" : "1",
                                            1)
         && EVP_DigestFinal_ex(ctx, issuer->ref.digest, NULL);

    /* cached tokens survive unless any setting has changed */

    ok = ok && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL)
         && ngx_http_k8s_sa_conf_digest_add(ctx, issuer->ref.digest,
                                            NGX_K8S_SA_DIGEST_LEN)
         && ngx_http_k8s_sa_conf_digest_strings(ctx, &issuer->audiences)
         && ngx_http_k8s_sa_conf_digest_policy(ctx, &issuer->policy)
         && ngx_http_k8s_sa_conf_digest_reviews(ctx, issuer->reviews)
         && EVP_DigestFinal_ex(ctx, issuer->digest, NULL);

    EVP_MD_CTX_free(ctx);

    return ok ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_k8s_sa_conf_digest_auth(ngx_http_k8s_sa_auth_t *auth)
{
    int                               ok;
    ngx_uint_t                        i;
    EVP_MD_CTX                       *ctx;
    ngx_http_k8s_sa_named_issuer_t  **named;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    named = auth->issuers.elts;

    ok = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

    for (i = 0; ok && i < auth->issuers.nelts; i++) {
        ok = ngx_http_k8s_sa_conf_digest_add(ctx, named[i]->issuer->digest,
                                             NGX_K8S_SA_DIGEST_LEN);
    }

    ok = ok && EVP_DigestFinal_ex(ctx, auth->digest, NULL);

    EVP_MD_CTX_free(ctx);

    return ok ? NGX_OK : NGX_ERROR;
}


/* adds the length, too: different lists of values give different bytes */

static int
ngx_http_k8s_sa_conf_digest_add(EVP_MD_CTX *ctx, const void *data, size_t len)
{
    uint64_t  n;

    n = len;

    return EVP_DigestUpdate(ctx, &n, sizeof(n))
           && EVP_DigestUpdate(ctx, data, len);
}


static int
ngx_http_k8s_sa_conf_digest_strings(EVP_MD_CTX *ctx, ngx_array_t *strings)
{
    ngx_uint_t     i;
    k8s_sa_str_t  *s;

    s = strings->elts;

    for (i = 0; i < strings->nelts; i++) {
        if (!ngx_http_k8s_sa_conf_digest_add(ctx, s[i].data, s[i].len)) {
            return 0;
        }
    }

    return ngx_http_k8s_sa_conf_digest_add(ctx, &strings->nelts,
                                           sizeof(strings->nelts));
}


static int
ngx_http_k8s_sa_conf_digest_policy(EVP_MD_CTX *ctx, k8s_sa_policy_t *policy)
{
    int64_t  values[5];

    values[0] = policy->any_audience;
    values[1] = policy->algorithms;
    values[2] = policy->legacy_tokens;
    values[3] = policy->kubernetes;
    values[4] = policy->leeway;

    /* an empty prefix is not the same as none */

    return ngx_http_k8s_sa_conf_digest_add(ctx, values, sizeof(values))
           && ngx_http_k8s_sa_conf_digest_add(ctx,
                                              policy->username_prefix.data
                                              ? "1" : "0", 1)
           && ngx_http_k8s_sa_conf_digest_add(ctx,
                                              policy->username_prefix.data,
                                              policy->username_prefix.len);
}


/* the times, too, so that a shorter one takes effect at once */

static int
ngx_http_k8s_sa_conf_digest_reviews(EVP_MD_CTX *ctx,
    ngx_k8s_sa_reviews_t *reviews)
{
    uint64_t  values[3];

    if (reviews == NULL) {
        return ngx_http_k8s_sa_conf_digest_add(ctx, NULL, 0);
    }

    values[0] = reviews->cache;
    values[1] = reviews->failed;
    values[2] = reviews->stale;

    return ngx_http_k8s_sa_conf_digest_add(ctx, reviews->url.text.data,
                                           reviews->url.text.len)
           && ngx_http_k8s_sa_conf_digest_add(ctx, values, sizeof(values));
}
