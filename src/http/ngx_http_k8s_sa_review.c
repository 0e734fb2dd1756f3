/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_review.h"


static ngx_int_t ngx_http_k8s_sa_review_answer(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, ngx_k8s_sa_issuer_t *issuer,
    k8s_sa_str_t *audience, int64_t not_after,
    ngx_k8s_sa_review_result_t *result);
static ngx_int_t ngx_http_k8s_sa_review_accept(ngx_http_request_t *r,
    ngx_http_k8s_sa_auth_t *auth, ngx_http_k8s_sa_ctx_t *ctx,
    k8s_sa_identity_t *id, ngx_msec_t fresh, int64_t not_after);
static void ngx_http_k8s_sa_review_merge(k8s_sa_identity_t *id,
    const k8s_sa_identity_t *reviewed);
static int64_t ngx_http_k8s_sa_review_expires(ngx_str_t *token);
static ngx_uint_t ngx_http_k8s_sa_review_possible(ngx_str_t *token);
static void ngx_http_k8s_sa_review_handler(ngx_k8s_sa_waiter_t *waiter);
static void ngx_http_k8s_sa_review_keep(ngx_http_request_t *r,
    ngx_k8s_sa_review_result_t *kept, ngx_k8s_sa_review_result_t *result);


ngx_int_t
ngx_http_k8s_sa_review_local(ngx_http_request_t *r,
    ngx_http_k8s_sa_auth_t *auth, ngx_http_k8s_sa_ctx_t *ctx)
{
    int64_t                     not_after;
    ngx_int_t                   rc;
    k8s_sa_identity_t           id;
    ngx_k8s_sa_review_result_t  result;

    id = *ctx->entry->identity;
    not_after = id.expires ? id.expires : INT64_MAX;

    /*
     * The API server is asked for the audience that was accepted here, or for
     * its own if the token, such as a legacy one, has none.
     */

    rc = ngx_http_k8s_sa_review_answer(r, ctx, ctx->issuer,
                                       &ctx->entry->identity->audience,
                                       not_after, &result);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    if (result.verdict != K8S_SA_VERDICT_OK) {

        /* the identity of the local check stays for the log */

        ctx->verdict = result.verdict;
        ctx->detail = result.reason;

        return NGX_OK;
    }

    if (!k8s_sa_str_eq(&id.username, &result.identity->username)) {
        ctx->verdict = K8S_SA_NOT_AUTHENTICATED;
        ngx_str_set(&ctx->detail, "the API server names another user");

        return NGX_OK;
    }

    ngx_http_k8s_sa_review_merge(&id, result.identity);

    return ngx_http_k8s_sa_review_accept(r, auth, ctx, &id, result.fresh,
                                         not_after);
}


ngx_int_t
ngx_http_k8s_sa_review_any(ngx_http_request_t *r,
    ngx_http_k8s_sa_auth_t *auth, ngx_http_k8s_sa_ctx_t *ctx)
{
    int64_t                           not_after;
    ngx_int_t                         rc;
    ngx_uint_t                        i;
    ngx_k8s_sa_issuer_t              *issuer, *refused;
    ngx_k8s_sa_review_result_t        result, refusal;
    ngx_http_k8s_sa_named_issuer_t  **ni;

    refused = NULL;
    ngx_memzero(&refusal, sizeof(ngx_k8s_sa_review_result_t));

    ni = auth->issuers.elts;

    for (i = 0; i < auth->issuers.nelts; i++) {
        issuer = ni[i]->issuer;

        if (ngx_k8s_sa_issuer_has_keys(issuer)) {
            continue;
        }

        if (!ngx_http_k8s_sa_review_possible(&ctx->token)) {
            return NGX_OK;
        }

        not_after = ngx_http_k8s_sa_review_expires(&ctx->token);

        rc = ngx_http_k8s_sa_review_answer(r, ctx, issuer, NULL, not_after,
                                           &result);

        if (rc != NGX_OK) {
            return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
        }

        if (result.verdict == K8S_SA_VERDICT_OK) {
            ctx->issuer = issuer;
            ctx->detail.len = 0;

            return ngx_http_k8s_sa_review_accept(r, auth, ctx,
                                                 result.identity,
                                                 result.fresh, not_after);
        }

        /* an issuer that has not answered might have accepted the token */

        if (refused == NULL || result.verdict > refusal.verdict) {
            refused = issuer;
            refusal = result;
        }
    }

    /* an issuer whose keys have to be fetched may still accept the token */

    if (refused == NULL
        || (ctx->lacking && refusal.verdict < K8S_SA_NO_KEYS))
    {
        return NGX_OK;
    }

    ctx->issuer = refused;
    ctx->verdict = refusal.verdict;
    ctx->detail = refusal.reason;

    return NGX_OK;
}


/*
 * Gets the verdict of an issuer's API server; audience and not_after are
 * ngx_k8s_sa_token_request_t's.  NGX_OK: *result is filled; NGX_DECLINED: a
 * review is due, ctx->state says so; NGX_ERROR: no memory.
 */

static ngx_int_t
ngx_http_k8s_sa_review_answer(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, ngx_k8s_sa_issuer_t *issuer,
    k8s_sa_str_t *audience, int64_t not_after,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_int_t                     rc;
    ngx_http_k8s_sa_pause_t      *pause;
    ngx_http_k8s_sa_reviewed_t   *reviewed;
    ngx_http_k8s_sa_main_conf_t  *mcf;
    ngx_k8s_sa_token_request_t   *question;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_k8s_sa_module);

    pause = ngx_http_k8s_sa_pause(r, ctx);
    if (pause == NULL) {
        return NGX_ERROR;
    }

    ctx->cache = NGX_HTTP_K8S_SA_CACHE_MISS;

    for (reviewed = pause->reviewed; reviewed; reviewed = reviewed->next) {
        if (reviewed->issuer == issuer) {
            *result = reviewed->result;
            return NGX_OK;
        }
    }

    question = &pause->question;
    question->token = ctx->token;
    question->audience = audience;
    question->review.not_after = not_after;

    ngx_k8s_sa_cache_fingerprint(mcf->zone, issuer->digest, &ctx->token,
                                 question->review.key);

    rc = ngx_k8s_sa_review_lookup(issuer->reviews, &question->review, r->pool,
                                  result);

    if (rc == NGX_DECLINED) {
        ctx->issuer = issuer;
        ctx->verdict = K8S_SA_REVIEW_FAILED;
        ctx->state = NGX_HTTP_K8S_SA_REVIEW_DUE;

    } else if (rc == NGX_OK) {
        ctx->cache = NGX_HTTP_K8S_SA_CACHE_HIT;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa review, issuer \"%V\": %s", &issuer->name,
                   rc == NGX_OK ? k8s_sa_verdict_info(result->verdict)->word
                                : "not known yet");

    return rc;
}


static ngx_int_t
ngx_http_k8s_sa_review_accept(ngx_http_request_t *r,
    ngx_http_k8s_sa_auth_t *auth, ngx_http_k8s_sa_ctx_t *ctx,
    k8s_sa_identity_t *id, ngx_msec_t fresh, int64_t not_after)
{
    ngx_http_k8s_sa_main_conf_t    *mcf;
    ngx_http_k8s_sa_front_entry_t  *entry;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_k8s_sa_module);

    /* then the zone is looked at again, which renews the verdict */

    fresh -= ngx_k8s_sa_review_ahead_time(ctx->issuer->reviews);

    entry = ngx_http_k8s_sa_front_reviewed(mcf, auth, ctx->key, ctx->issuer,
                                           ctx->entry, id, fresh, not_after,
                                           r->pool);
    if (entry == NULL) {
        return NGX_ERROR;
    }

    if (ctx->entry) {
        ngx_http_k8s_sa_front_release(ctx->entry);
    }

    ctx->entry = entry;
    ctx->identity = entry->identity;
    ctx->verdict = K8S_SA_VERDICT_OK;

    return NGX_OK;
}


/*
 * The API server's answer about the user takes precedence over the token.
 * Older tokens do not name everything that they are bound to.
 */

static void
ngx_http_k8s_sa_review_merge(k8s_sa_identity_t *id,
    const k8s_sa_identity_t *reviewed)
{
    if (reviewed->uid.data) {
        id->uid = reviewed->uid;
    }

    if (reviewed->groups.data) {
        id->groups = reviewed->groups;
    }

    if (reviewed->extra.data) {
        id->extra = reviewed->extra;
    }

    if (id->node.data == NULL) {
        id->node = reviewed->node;
        id->node_uid = reviewed->node_uid;
    }
}


/*
 * Returns the "exp" of a token that has not been verified here; INT64_MAX if
 * it has none, or is not a JWT.  It only shortens the time for which the API
 * server's verdict is kept.
 */

static int64_t
ngx_http_k8s_sa_review_expires(ngx_str_t *token)
{
    char    *text;
    size_t   len, n;
    int64_t  expires;

    if (k8s_sa_token_claim_text(token->data, token->len, "exp", 3, &text,
                                &len)
        != K8S_SA_OK)
    {
        return INT64_MAX;
    }

    /* whole seconds; with an invalid "exp" a verdict is not kept */

    for (n = 0; n < len && text[n] != '.'; n++) { /* void */ }

    expires = ngx_atotm((u_char *) text, n);

    free(text);

    return expires == NGX_ERROR ? 0 : expires;
}


/* RFC 6750 has a narrower alphabet, but the API server decides */

static ngx_uint_t
ngx_http_k8s_sa_review_possible(ngx_str_t *token)
{
    size_t  i;

    if (token->len == 0 || token->len > K8S_SA_TOKEN_MAX) {
        return 0;
    }

    for (i = 0; i < token->len; i++) {
        if (token->data[i] <= ' ' || token->data[i] >= 0x7f) {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_http_k8s_sa_review_wait(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_http_k8s_sa_pause_t     *pause;
    ngx_http_k8s_sa_reviewed_t  *reviewed;

    pause = ctx->pause;

    ctx->state = NGX_HTTP_K8S_SA_DECIDED;
    ctx->verdict = K8S_SA_INTERNAL_ERROR;

    reviewed = ngx_pcalloc(r->pool, sizeof(ngx_http_k8s_sa_reviewed_t));
    if (reviewed == NULL) {
        return NGX_DECLINED;
    }

    reviewed->issuer = ctx->issuer;

    /* until the answer comes; a request asks each issuer only once */

    reviewed->result.verdict = K8S_SA_INTERNAL_ERROR;

    reviewed->next = pause->reviewed;
    pause->reviewed = reviewed;

    pause->review.handler = ngx_http_k8s_sa_review_handler;
    pause->review.data = ctx;
    pause->question.review.owner = pause->waiter.client;

    switch (ngx_k8s_sa_review_start(ctx->issuer->reviews,
                                    &pause->question.review,
                                    &pause->review))
    {
    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_BUSY:
        ctx->verdict = K8S_SA_BUSY;
        break;
    }

    return NGX_DECLINED;
}


static void
ngx_http_k8s_sa_review_handler(ngx_k8s_sa_waiter_t *waiter)
{
    ngx_http_k8s_sa_ctx_t *ctx = waiter->data;

    ngx_http_request_t  *r;

    r = ctx->pause->request;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa review ended: %s",
                   k8s_sa_verdict_info(waiter->result->verdict)->word);

    ngx_http_k8s_sa_review_keep(r, &ctx->pause->reviewed->result,
                                waiter->result);

    ctx->pause->waiter.handler(&ctx->pause->waiter);
}


/* Copies the result for when the request is checked again. */

static void
ngx_http_k8s_sa_review_keep(ngx_http_request_t *r,
    ngx_k8s_sa_review_result_t *kept, ngx_k8s_sa_review_result_t *result)
{
    u_char             *p;
    k8s_sa_identity_t  *id;

    if (result->identity) {
        id = ngx_palloc(r->pool, sizeof(k8s_sa_identity_t));
        p = ngx_pnalloc(r->pool, k8s_sa_identity_size(result->identity));

        if (id == NULL || p == NULL) {
            return;
        }

        k8s_sa_identity_copy(id, result->identity, p);

        kept->identity = id;
    }

    if (result->reason.len) {
        kept->reason.data = ngx_pstrdup(r->pool, &result->reason);
        kept->reason.len = kept->reason.data ? result->reason.len : 0;
    }

    kept->fresh = result->fresh;
    kept->verdict = result->verdict;
}
