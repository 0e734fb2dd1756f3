/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_check.h"
#include "http/ngx_http_k8s_sa_review.h"


static ngx_int_t ngx_http_k8s_sa_check_keys(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    k8s_sa_token_t *t, ngx_uint_t *claimed);
static k8s_sa_verdict_e ngx_http_k8s_sa_decide(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, k8s_sa_token_t *t, ngx_uint_t *claimed,
    k8s_sa_identity_t *id, k8s_sa_error_t *err);
static ngx_int_t ngx_http_k8s_sa_explain(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, k8s_sa_token_t *t, k8s_sa_identity_t *id,
    k8s_sa_error_t *err);
static k8s_sa_verdict_e ngx_http_k8s_sa_unlearned(
    ngx_http_k8s_sa_auth_t *auth, ngx_http_k8s_sa_ctx_t *ctx,
    k8s_sa_verdict_e best);
static ngx_uint_t ngx_http_k8s_sa_lacks(ngx_k8s_sa_issuer_t *issuer,
    k8s_sa_verdict_e verdict);
static ngx_uint_t ngx_http_k8s_sa_candidate(ngx_k8s_sa_issuer_t *issuer,
    k8s_sa_token_t *t, ngx_uint_t round);


/*
 * Issuers are tried in this order: those that name the token's "iss"; those
 * without "issuer", for which a known key is enough; and those that know the
 * token's key but do not accept its "iss", since only the holder of a genuine
 * token may learn that its issuer is wrong.
 */

#define NGX_HTTP_K8S_SA_BY_ISS   0
#define NGX_HTTP_K8S_SA_ANY_ISS  1
#define NGX_HTTP_K8S_SA_BY_KID   2
#define NGX_HTTP_K8S_SA_ROUNDS   3


ngx_int_t
ngx_http_k8s_sa_check(ngx_http_request_t *r, ngx_http_k8s_sa_loc_conf_t *lcf,
    ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_int_t   rc;
    ngx_uint_t  claimed;

    static k8s_sa_token_t  t;

    ngx_http_k8s_sa_forget(ctx);
    ctx->state = NGX_HTTP_K8S_SA_DECIDED;

    rc = NGX_OK;
    claimed = 0;

    /* before parsing, which costs more */

    if (ctx->token.len && ctx->token.len <= K8S_SA_TOKEN_MAX) {
        ctx->entry = ngx_http_k8s_sa_front_get(r, lcf->auth, &ctx->token,
                                               ctx->key);
    }

    if (ctx->entry) {
        ctx->verdict = K8S_SA_VERDICT_OK;
        ctx->identity = ctx->entry->identity;
        ctx->issuer = ctx->entry->issuer;
        ctx->cache = NGX_HTTP_K8S_SA_CACHE_HIT;

    } else {
        ctx->verdict = k8s_sa_token_parse(&t, ctx->token.data,
                                          ctx->token.len);

        if (ctx->verdict == K8S_SA_VERDICT_OK) {
            rc = ngx_http_k8s_sa_check_keys(r, lcf, ctx, &t, &claimed);
        }
    }

    if (rc == NGX_OK && ctx->verdict == K8S_SA_VERDICT_OK) {

        if (ctx->issuer->reviews && !ctx->entry->reviewed) {
            rc = ngx_http_k8s_sa_review_local(r, lcf->auth, ctx);
        }

    } else if (rc == NGX_OK && !claimed) {
        rc = ngx_http_k8s_sa_review_any(r, lcf->auth, ctx);
    }

    if (rc != NGX_OK) {
        ngx_http_k8s_sa_forget(ctx);
        ctx->state = NGX_HTTP_K8S_SA_DECIDED;
        ctx->verdict = K8S_SA_INTERNAL_ERROR;

        return NGX_ERROR;
    }

    if (ctx->state == NGX_HTTP_K8S_SA_DECIDED && ctx->lacking
        && ctx->verdict != K8S_SA_VERDICT_OK)
    {
        ctx->state = NGX_HTTP_K8S_SA_KEYS_DUE;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa verdict: %s%s",
                   k8s_sa_verdict_info(ctx->verdict)->word,
                   ctx->state == NGX_HTTP_K8S_SA_DECIDED ? ""
                                                         : ", preliminary");

    return NGX_OK;
}


/* Sets *claimed to 1 if an issuer knows the token's "iss" or its key. */

static ngx_int_t
ngx_http_k8s_sa_check_keys(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    k8s_sa_token_t *t, ngx_uint_t *claimed)
{
    k8s_sa_error_t                err;
    k8s_sa_identity_t             id;
    ngx_http_k8s_sa_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_k8s_sa_module);

    ctx->cache = NGX_HTTP_K8S_SA_CACHE_MISS;

    id.username.data = NULL;
    err.text[0] = '\0';

    ctx->verdict = ngx_http_k8s_sa_decide(r, ctx, t, claimed, &id, &err);

    if (ctx->verdict != K8S_SA_VERDICT_OK) {
        return ngx_http_k8s_sa_explain(r, ctx, t, &id, &err);
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


/* Keeps for the log why, and the identity as far as it is certain. */

static ngx_int_t
ngx_http_k8s_sa_explain(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx,
    k8s_sa_token_t *t, k8s_sa_identity_t *id, k8s_sa_error_t *err)
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

        if (t->kid.len == 0) {
            return NGX_OK;
        }

        ctx->kid.data = ngx_pnalloc(r->pool, t->kid.len);
        if (ctx->kid.data == NULL) {
            return NGX_ERROR;
        }

        ctx->kid.len = t->kid.len;
        ngx_memcpy(ctx->kid.data, t->kid.data, t->kid.len);

        return NGX_OK;
    }

    id->kid = *k8s_sa_key_kid(t->key);

    ctx->identity = ngx_palloc(r->pool, sizeof(k8s_sa_identity_t));
    p = ngx_pnalloc(r->pool, k8s_sa_identity_size(id));

    if (ctx->identity == NULL || p == NULL) {
        return NGX_ERROR;
    }

    k8s_sa_identity_copy(ctx->identity, id, p);

    return NGX_OK;
}


static k8s_sa_verdict_e
ngx_http_k8s_sa_decide(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx,
    k8s_sa_token_t *t, ngx_uint_t *claimed, k8s_sa_identity_t *id,
    k8s_sa_error_t *err)
{
    ngx_uint_t                        i, round, due;
    k8s_sa_verdict_e                  verdict, best;
    ngx_k8s_sa_issuer_t              *issuer;
    ngx_http_k8s_sa_loc_conf_t       *lcf;
    ngx_http_k8s_sa_named_issuer_t  **ni;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_module);

    best = K8S_SA_UNKNOWN_ISSUER;
    due = 0;
    ni = lcf->auth->issuers.elts;

    for (round = 0; round < NGX_HTTP_K8S_SA_ROUNDS; round++) {

        if (round == NGX_HTTP_K8S_SA_BY_KID) {
            best = ngx_http_k8s_sa_unlearned(lcf->auth, ctx, best);

            /* issuers may share keys: these may still accept the token */

            due = (best == K8S_SA_NO_KEYS || best == K8S_SA_STALE_KEYS);
        }

        for (i = 0; i < lcf->auth->issuers.nelts; i++) {
            issuer = ni[i]->issuer;

            if (!ngx_http_k8s_sa_candidate(issuer, t, round)) {
                continue;
            }

            if (round != NGX_HTTP_K8S_SA_ANY_ISS) {
                *claimed = 1;
            }

            if (due) {
                continue;
            }

            verdict = ngx_k8s_sa_issuer_verify(issuer, t);

            ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                           "k8s_sa signature, issuer \"%V\": %s",
                           &issuer->name, k8s_sa_verdict_info(verdict)->word);

            if (verdict == K8S_SA_VERDICT_OK) {
                ctx->issuer = issuer;
                *claimed = 1;

                if (round != NGX_HTTP_K8S_SA_BY_KID) {
                    ctx->lacking = 0;
                }

                return k8s_sa_token_claims(t, &issuer->policy, ngx_time(),
                                           id, err);
            }

            if (round != NGX_HTTP_K8S_SA_BY_KID
                && ngx_http_k8s_sa_lacks(issuer, verdict))
            {
                ctx->lacking |= 1ULL << ngx_min(i, 63);
            }

            /* report the refusal of the issuer that got furthest */

            if (best == K8S_SA_UNKNOWN_ISSUER || verdict > best) {
                best = verdict;
                ctx->issuer = issuer;
            }
        }
    }

    return best;
}


/* The token may come from an issuer whose document is still unknown. */

static k8s_sa_verdict_e
ngx_http_k8s_sa_unlearned(ngx_http_k8s_sa_auth_t *auth,
    ngx_http_k8s_sa_ctx_t *ctx, k8s_sa_verdict_e best)
{
    ngx_uint_t                        i;
    ngx_http_k8s_sa_named_issuer_t  **ni;

    if (best != K8S_SA_UNKNOWN_ISSUER && best != K8S_SA_UNKNOWN_KEY) {
        return best;
    }

    ni = auth->issuers.elts;

    for (i = 0; i < auth->issuers.nelts; i++) {

        if (ngx_k8s_sa_issuer_unlearned(ni[i]->issuer)) {
            ctx->lacking |= 1ULL << ngx_min(i, 63);
            ctx->issuer = ni[i]->issuer;
            best = K8S_SA_NO_KEYS;
        }
    }

    return best;
}


/*
 * Returns 1 if the issuer may get the token's key by a fetch.  A signature may
 * be wrong because the key was replaced under the same "kid", or because
 * neither has one.
 */

static ngx_uint_t
ngx_http_k8s_sa_lacks(ngx_k8s_sa_issuer_t *issuer, k8s_sa_verdict_e verdict)
{
    return ngx_k8s_sa_issuer_fetches(issuer)
           && (verdict == K8S_SA_UNKNOWN_KEY
               || verdict == K8S_SA_BAD_SIGNATURE
               || verdict == K8S_SA_NO_KEYS
               || verdict == K8S_SA_STALE_KEYS);
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
