/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa.h"
#include "shared/ngx_k8s_sa_cache.h"


static ngx_int_t ngx_http_k8s_sa_check_keys(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    k8s_sa_token_t *t);
static k8s_sa_verdict_e ngx_http_k8s_sa_decide(
    ngx_http_k8s_sa_loc_conf_t *lcf, k8s_sa_token_t *t,
    ngx_http_k8s_sa_ctx_t *ctx, k8s_sa_identity_t *id, k8s_sa_error_t *err);
static void ngx_http_k8s_sa_known(ngx_http_k8s_sa_ctx_t *ctx);
static ngx_int_t ngx_http_k8s_sa_explain(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, k8s_sa_identity_t *id, k8s_sa_error_t *err);
static ngx_uint_t ngx_http_k8s_sa_candidate(ngx_k8s_sa_issuer_t *issuer,
    k8s_sa_token_t *t, ngx_uint_t round);


/*
 * Issuers are asked in this order: those that name the token's "iss"; those
 * that have no "issuer" and so leave it to their keys; and those that know
 * the token's key although they do not accept its "iss", since "wrong issuer"
 * may be told to the holder of a genuine token only.
 */

#define NGX_HTTP_K8S_SA_BY_ISS   0
#define NGX_HTTP_K8S_SA_ANY_ISS  1
#define NGX_HTTP_K8S_SA_BY_KID   2
#define NGX_HTTP_K8S_SA_ROUNDS   3


ngx_int_t
ngx_http_k8s_sa_check(ngx_http_request_t *r, ngx_http_k8s_sa_loc_conf_t *lcf,
    ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_http_k8s_sa_main_conf_t  *mcf;

    static k8s_sa_token_t         t;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_k8s_sa_module);

    ngx_http_k8s_sa_forget(ctx);
    ctx->decided = 1;

    rc = NGX_OK;

    if (ctx->token.len && ctx->token.len <= K8S_SA_TOKEN_MAX) {

        /* before it is parsed, which costs more than all of this */

        ngx_k8s_sa_cache_fingerprint(mcf->zone, lcf->auth->digest,
                                     &ctx->token, ctx->key);

        ctx->entry = ngx_http_k8s_sa_front_find(mcf, lcf->auth, ctx->key);

        if (ctx->entry) {
            ngx_http_k8s_sa_known(ctx);
            return NGX_OK;
        }

        ctx->entry = ngx_http_k8s_sa_front_load(mcf, lcf->auth, ctx->key,
                                                r->pool);
    }

    if (ctx->entry) {
        ngx_http_k8s_sa_known(ctx);

    } else {
        ctx->verdict = k8s_sa_token_parse(&t, ctx->token.data,
                                          ctx->token.len);

        if (ctx->verdict == K8S_SA_VERDICT_OK) {
            rc = ngx_http_k8s_sa_check_keys(r, lcf, ctx, &t);
        }
    }

    if (rc == NGX_OK && ctx->verdict == K8S_SA_VERDICT_OK) {

        if (ctx->issuer->reviews) {
            rc = ngx_http_k8s_sa_review_local(r, lcf->auth, ctx);
        }

    } else if (rc == NGX_OK && !ctx->claimed) {
        rc = ngx_http_k8s_sa_review_any(r, lcf->auth, ctx);
    }

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    ngx_http_k8s_sa_forget(ctx);
    ctx->decided = 1;
    ctx->verdict = K8S_SA_INTERNAL_ERROR;

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_k8s_sa_check_keys(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    k8s_sa_token_t *t)
{
    k8s_sa_error_t                err;
    k8s_sa_identity_t             id;
    ngx_http_k8s_sa_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_k8s_sa_module);

    ctx->looked_up = 1;

    id.username.data = NULL;
    err.text[0] = '\0';

    ctx->verdict = ngx_http_k8s_sa_decide(lcf, t, ctx, &id, &err);

    if (ctx->verdict != K8S_SA_VERDICT_OK) {

        if (id.username.data) {
            id.kid = *k8s_sa_key_kid(t->key);
        }

        return ngx_http_k8s_sa_explain(r, ctx, &id, &err);
    }

    ctx->entry = ngx_http_k8s_sa_front_add(mcf, lcf->auth, ctx->key,
                                           ctx->issuer,
                                           k8s_sa_key_id(t->key), &id,
                                           r->pool);
    if (ctx->entry == NULL) {
        return NGX_ERROR;
    }

    ctx->identity = ctx->entry->identity;

    return NGX_OK;
}


void
ngx_http_k8s_sa_forget(ngx_http_k8s_sa_ctx_t *ctx)
{
    if (ctx->entry) {
        ngx_http_k8s_sa_front_release(ctx->entry);
    }

    ctx->entry = NULL;
    ctx->identity = NULL;
    ctx->issuer = NULL;
    ctx->detail.len = 0;
    ctx->status = 0;
    ctx->lacking = 0;
    ctx->refused = 0;
    ctx->decided = 0;
    ctx->looked_up = 0;
    ctx->hit = 0;
    ctx->claimed = 0;
    ctx->review_due = 0;
}


static void
ngx_http_k8s_sa_known(ngx_http_k8s_sa_ctx_t *ctx)
{
    ctx->verdict = K8S_SA_VERDICT_OK;
    ctx->identity = ctx->entry->identity;
    ctx->issuer = ctx->entry->issuer;
    ctx->looked_up = 1;
    ctx->hit = 1;
}


/* for the log: why, and who it was as far as that is sure */

static ngx_int_t
ngx_http_k8s_sa_explain(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx,
    k8s_sa_identity_t *id, k8s_sa_error_t *err)
{
    size_t   len;
    u_char  *p;

    len = ngx_strlen(err->text);

    if (len) {
        ctx->detail.data = ngx_pnalloc(r->pool, len);
        if (ctx->detail.data == NULL) {
            return NGX_ERROR;
        }

        ctx->detail.len = len;
        ngx_memcpy(ctx->detail.data, err->text, len);
    }

    if (id->username.data == NULL) {
        return NGX_OK;
    }

    ctx->identity = ngx_palloc(r->pool, sizeof(k8s_sa_identity_t));
    p = ngx_pnalloc(r->pool, k8s_sa_identity_size(id));

    if (ctx->identity == NULL || p == NULL) {
        return NGX_ERROR;
    }

    k8s_sa_identity_copy(ctx->identity, id, p);

    return NGX_OK;
}


static k8s_sa_verdict_e
ngx_http_k8s_sa_decide(ngx_http_k8s_sa_loc_conf_t *lcf, k8s_sa_token_t *t,
    ngx_http_k8s_sa_ctx_t *ctx, k8s_sa_identity_t *id, k8s_sa_error_t *err)
{
    ngx_uint_t                      i, round;
    k8s_sa_verdict_e                verdict, best;
    ngx_k8s_sa_issuer_t            *issuer;
    ngx_http_k8s_sa_named_issuer_t  **ref;

    best = K8S_SA_UNKNOWN_ISSUER;
    ref = lcf->auth->issuers.elts;

    for (round = 0; round < NGX_HTTP_K8S_SA_ROUNDS; round++) {

        for (i = 0; i < lcf->auth->issuers.nelts; i++) {
            issuer = ref[i]->issuer;

            if (!ngx_http_k8s_sa_candidate(issuer, t, round)) {
                continue;
            }

            if (round != NGX_HTTP_K8S_SA_ANY_ISS) {
                ctx->claimed = 1;
            }

            verdict = ngx_k8s_sa_issuer_verify(issuer, t);

            if (verdict == K8S_SA_VERDICT_OK) {
                ctx->issuer = issuer;
                ctx->claimed = 1;
                ctx->lacking = 0;

                return k8s_sa_token_claims(t, &issuer->policy, ngx_time(),
                                           id, err);
            }

            if (round != NGX_HTTP_K8S_SA_BY_KID
                && (verdict == K8S_SA_UNKNOWN_KEY
                    || verdict == K8S_SA_NO_KEYS
                    || verdict == K8S_SA_STALE_KEYS))
            {
                ctx->lacking |= 1ULL << ngx_min(i, 63);
            }

            /* of several refusals the one that came furthest is told */

            if (best == K8S_SA_UNKNOWN_ISSUER || verdict > best) {
                best = verdict;
                ctx->issuer = issuer;
            }
        }
    }

    if (best != K8S_SA_UNKNOWN_ISSUER && best != K8S_SA_UNKNOWN_KEY) {
        return best;
    }

    /* it may be of an issuer of which nothing is known yet */

    for (i = 0; i < lcf->auth->issuers.nelts; i++) {

        if (ngx_k8s_sa_issuer_unlearned(ref[i]->issuer)) {
            ctx->lacking |= 1ULL << ngx_min(i, 63);
            ctx->issuer = ref[i]->issuer;
            best = K8S_SA_NO_KEYS;
        }
    }

    return best;
}


static ngx_uint_t
ngx_http_k8s_sa_candidate(ngx_k8s_sa_issuer_t *issuer, k8s_sa_token_t *t,
    ngx_uint_t round)
{
    ngx_uint_t  matches;

    if (!ngx_k8s_sa_issuer_has_keys(issuer)
        || ngx_k8s_sa_issuer_unlearned(issuer))
    {
        return 0;
    }

    matches = k8s_sa_token_issuer_matches(t, &issuer->policy);

    switch (round) {

    case NGX_HTTP_K8S_SA_BY_ISS:
        return matches && issuer->policy.n_issuers;

    case NGX_HTTP_K8S_SA_ANY_ISS:
        return matches && issuer->policy.n_issuers == 0;

    default: /* NGX_HTTP_K8S_SA_BY_KID */
        return !matches && t->kid.data
               && ngx_k8s_sa_issuer_has_kid(issuer, &t->kid);
    }
}
