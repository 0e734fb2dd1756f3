/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_review_token.h"
#include "issuer/ngx_k8s_sa_reviewed.h"
#include "token/k8s_sa_token_review.h"


#define NGX_K8S_SA_REVIEW_REASON  200   /* bytes of a reason that are kept */
#define NGX_K8S_SA_REVIEW_TAIL    16    /* last bytes of a token to look for */


static ngx_k8s_sa_review_request_t *ngx_k8s_sa_review_token_copy(
    const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, size_t *size);
static ngx_int_t ngx_k8s_sa_review_token_body(
    const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, ngx_str_t *body);
static const k8s_sa_str_t *ngx_k8s_sa_review_token_audiences(
    ngx_k8s_sa_issuer_t *issuer, const ngx_k8s_sa_token_request_t *request,
    size_t *n);
static void ngx_k8s_sa_review_token_parse(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, const ngx_str_t *body,
    ngx_pool_t *pool, ngx_k8s_sa_review_result_t *result,
    k8s_sa_error_t *err);
static void ngx_k8s_sa_review_token_cleanup(void *data);
static void ngx_k8s_sa_review_token_reason(const ngx_str_t *token,
    const char *text, ngx_str_t *reason);
static void ngx_k8s_sa_review_token_count(const ngx_k8s_sa_reviews_t *reviews,
    ngx_msec_t took, k8s_sa_verdict_e verdict);
static const char *ngx_k8s_sa_review_token_forbidden(
    const ngx_k8s_sa_reviews_t *reviews);


const ngx_k8s_sa_review_kind_t  ngx_k8s_sa_token_review = {
    "token review",
    NGX_K8S_SA_PLACES_SHARE,
    ngx_k8s_sa_review_token_copy,
    ngx_k8s_sa_review_token_body,
    ngx_k8s_sa_review_token_parse,
    ngx_k8s_sa_reviewed_is_fresh,
    ngx_k8s_sa_reviewed_get,
    ngx_k8s_sa_reviewed_put,
    ngx_k8s_sa_review_token_count,
    NULL,
    ngx_k8s_sa_review_token_forbidden,
    0
};


static ngx_k8s_sa_review_request_t *
ngx_k8s_sa_review_token_copy(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, size_t *size)
{
    u_char                            *p;
    k8s_sa_str_t                      *audience;
    ngx_k8s_sa_token_request_t        *copy;
    const ngx_k8s_sa_token_request_t  *from;

    from = (const ngx_k8s_sa_token_request_t *) request;
    audience = from->audience;

    *size = sizeof(ngx_k8s_sa_token_request_t) + from->token.len;

    if (audience) {
        *size += sizeof(k8s_sa_str_t) + audience->len;
    }

    copy = ngx_alloc(*size, reviews->issuer->log);
    if (copy == NULL) {
        return NULL;
    }

    *copy = *from;
    p = (u_char *) (copy + 1);

    if (audience) {
        copy->audience = (k8s_sa_str_t *) p;
        p += sizeof(k8s_sa_str_t);

        *copy->audience = *audience;

        if (audience->data) {
            copy->audience->data = p;
            p = ngx_cpymem(p, audience->data, audience->len);
        }
    }

    copy->token.data = p;
    ngx_memcpy(p, from->token.data, from->token.len);

    return &copy->review;
}


static ngx_int_t
ngx_k8s_sa_review_token_body(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, ngx_str_t *body)
{
    size_t                             n;
    k8s_sa_str_t                       token;
    const k8s_sa_str_t                *audiences;
    const ngx_k8s_sa_token_request_t  *tr;

    tr = (const ngx_k8s_sa_token_request_t *) request;

    token.len = tr->token.len;
    token.data = tr->token.data;

    audiences = ngx_k8s_sa_review_token_audiences(reviews->issuer, tr, &n);

    body->data = (u_char *) k8s_sa_token_review_request(&token, audiences, n,
                                                        &body->len);

    return body->data ? NGX_OK : NGX_ERROR;
}


static const k8s_sa_str_t *
ngx_k8s_sa_review_token_audiences(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_token_request_t *request, size_t *n)
{
    if (request->audience) {
        *n = request->audience->data != NULL;
        return request->audience;
    }

    *n = issuer->audiences.nelts;
    return issuer->audiences.elts;
}


static void
ngx_k8s_sa_review_token_parse(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, const ngx_str_t *body,
    ngx_pool_t *pool, ngx_k8s_sa_review_result_t *result, k8s_sa_error_t *err)
{
    size_t                             n;
    ngx_pool_cleanup_t                *cln;
    const k8s_sa_str_t                *audiences;
    k8s_sa_token_review_t             *document;
    const ngx_k8s_sa_token_request_t  *tr;

    ngx_memzero(result, sizeof(ngx_k8s_sa_review_result_t));
    result->verdict = K8S_SA_REVIEW_FAILED;

    cln = ngx_pool_cleanup_add(pool, sizeof(k8s_sa_token_review_t));
    if (cln == NULL) {
        k8s_sa_error_set(err, "no memory");
        return;
    }

    tr = (const ngx_k8s_sa_token_request_t *) request;
    audiences = ngx_k8s_sa_review_token_audiences(reviews->issuer, tr, &n);

    err->text[0] = '\0';
    document = cln->data;

    result->verdict = k8s_sa_token_review_parse(document, body->data,
                                                body->len, audiences, n, err);

    cln->handler = ngx_k8s_sa_review_token_cleanup;

    switch (result->verdict) {

    case K8S_SA_VERDICT_OK:
        result->identity = &document->identity;
        break;

    case K8S_SA_NOT_AUTHENTICATED:
    case K8S_SA_WRONG_AUDIENCE:
    case K8S_SA_BAD_CLAIMS:
        ngx_k8s_sa_review_token_reason(&tr->token, document->reason,
                                       &result->reason);
        break;

    default:
        result->verdict = K8S_SA_REVIEW_FAILED;
    }
}


static void
ngx_k8s_sa_review_token_cleanup(void *data)
{
    k8s_sa_token_review_free(data);
}


/* The reason is logged: drop it if the API server repeats the token in it. */

static void
ngx_k8s_sa_review_token_reason(const ngx_str_t *token, const char *text,
    ngx_str_t *reason)
{
    size_t  len, tail;

    if (text == NULL) {
        return;
    }

    len = ngx_strlen(text);
    tail = ngx_min(token->len, NGX_K8S_SA_REVIEW_TAIL);

    if (memmem(text, len, token->data + token->len - tail, tail)) {
        return;
    }

    reason->data = (u_char *) text;
    reason->len = ngx_min(len, NGX_K8S_SA_REVIEW_REASON);
}


static void
ngx_k8s_sa_review_token_count(const ngx_k8s_sa_reviews_t *reviews,
    ngx_msec_t took, k8s_sa_verdict_e verdict)
{
    ngx_k8s_sa_count_review(
                         ngx_k8s_sa_keystore_counters(&reviews->issuer->ref),
                         took, verdict == K8S_SA_REVIEW_FAILED);
}


static const char *
ngx_k8s_sa_review_token_forbidden(const ngx_k8s_sa_reviews_t *reviews)
{
    return " (our own token may not ask: its service account needs a "
           "ClusterRoleBinding to system:auth-delegator)";
}
