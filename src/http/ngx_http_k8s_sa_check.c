#include "http/ngx_http_k8s_sa.h"


static k8s_sa_verdict_e ngx_http_k8s_sa_decide(
    ngx_http_k8s_sa_loc_conf_t *lcf, k8s_sa_token_t *t,
    ngx_http_k8s_sa_ctx_t *ctx, k8s_sa_error_t *err);
static ngx_uint_t ngx_http_k8s_sa_candidate(ngx_k8s_sa_issuer_t *issuer,
    k8s_sa_token_t *t, ngx_uint_t round);
static void ngx_http_k8s_sa_copy_size(k8s_sa_str_t *field, void *data);
static void ngx_http_k8s_sa_copy_field(k8s_sa_str_t *field, void *data);


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
    ngx_http_k8s_sa_ctx_t *ctx, k8s_sa_error_t *err)
{
    size_t                  len;
    u_char                 *p;
    static k8s_sa_token_t   token;

    ngx_memzero(&ctx->identity, sizeof(k8s_sa_identity_t));
    ctx->issuer = NULL;

    ctx->verdict = k8s_sa_token_parse(&token, ctx->token.data,
                                      ctx->token.len);

    if (ctx->verdict == K8S_SA_VERDICT_OK) {
        ctx->verdict = ngx_http_k8s_sa_decide(lcf, &token, ctx, err);
    }

    ctx->decided = 1;

    /* the strings are in the working space of the check */

    len = 0;
    k8s_sa_identity_each(&ctx->identity, ngx_http_k8s_sa_copy_size, &len);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        ngx_memzero(&ctx->identity, sizeof(k8s_sa_identity_t));
        ctx->verdict = K8S_SA_INTERNAL_ERROR;
        return NGX_ERROR;
    }

    k8s_sa_identity_each(&ctx->identity, ngx_http_k8s_sa_copy_field, &p);

    return NGX_OK;
}


static k8s_sa_verdict_e
ngx_http_k8s_sa_decide(ngx_http_k8s_sa_loc_conf_t *lcf, k8s_sa_token_t *t,
    ngx_http_k8s_sa_ctx_t *ctx, k8s_sa_error_t *err)
{
    ngx_uint_t                      i, round;
    k8s_sa_verdict_e                verdict, best;
    ngx_k8s_sa_issuer_t            *issuer;
    ngx_http_k8s_sa_issuer_ref_t  **ref;

    best = K8S_SA_UNKNOWN_ISSUER;
    ref = lcf->auth->elts;

    for (round = 0; round < NGX_HTTP_K8S_SA_ROUNDS; round++) {

        for (i = 0; i < lcf->auth->nelts; i++) {
            issuer = ref[i]->issuer;

            if (!ngx_http_k8s_sa_candidate(issuer, t, round)) {
                continue;
            }

            verdict = ngx_k8s_sa_issuer_verify(issuer, t);

            if (verdict == K8S_SA_VERDICT_OK) {
                ctx->issuer = issuer;

                return k8s_sa_token_claims(t, &issuer->policy, ngx_time(),
                                           &ctx->identity, err);
            }

            /* of several refusals the one that came furthest is told */

            if (best == K8S_SA_UNKNOWN_ISSUER || verdict > best) {
                best = verdict;
                ctx->issuer = issuer;
            }
        }
    }

    if (best != K8S_SA_UNKNOWN_ISSUER) {
        return best;
    }

    for (i = 0; i < lcf->auth->nelts; i++) {
        if (ngx_k8s_sa_issuer_unlearned(ref[i]->issuer)) {
            ctx->issuer = ref[i]->issuer;
            return K8S_SA_NO_KEYS;
        }
    }

    return K8S_SA_UNKNOWN_ISSUER;
}


static ngx_uint_t
ngx_http_k8s_sa_candidate(ngx_k8s_sa_issuer_t *issuer, k8s_sa_token_t *t,
    ngx_uint_t round)
{
    ngx_uint_t  matches;

    if (ngx_k8s_sa_issuer_unlearned(issuer)) {
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


static void
ngx_http_k8s_sa_copy_size(k8s_sa_str_t *field, void *data)
{
    size_t  *len = data;

    *len += field->len;
}


static void
ngx_http_k8s_sa_copy_field(k8s_sa_str_t *field, void *data)
{
    u_char  **p = data;

    if (field->data == NULL) {
        return;
    }

    field->data = ngx_cpymem(*p, field->data, field->len) - field->len;
    *p += field->len;
}
