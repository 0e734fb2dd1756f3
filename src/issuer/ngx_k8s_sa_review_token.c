/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_review_token.h"


#define NGX_K8S_SA_REVIEW_REASON  200   /* bytes of a reason that are kept */
#define NGX_K8S_SA_REVIEW_TAIL    16    /* last bytes of a token to look for */


static const k8s_sa_str_t *ngx_k8s_sa_review_token_audiences(
    ngx_k8s_sa_issuer_t *issuer, const ngx_k8s_sa_review_request_t *request,
    size_t *n);
static void ngx_k8s_sa_review_token_reason(const ngx_str_t *token,
    const char *text, ngx_str_t *reason);


ngx_int_t
ngx_k8s_sa_review_token_body(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request, ngx_str_t *body)
{
    size_t               n;
    k8s_sa_str_t         token;
    const k8s_sa_str_t  *audiences;

    token.len = request->token.len;
    token.data = request->token.data;

    audiences = ngx_k8s_sa_review_token_audiences(issuer, request, &n);

    body->data = (u_char *) k8s_sa_token_review_request(&token, audiences, n,
                                                        &body->len);

    return body->data ? NGX_OK : NGX_ERROR;
}


static const k8s_sa_str_t *
ngx_k8s_sa_review_token_audiences(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request, size_t *n)
{
    if (request->audience) {
        *n = request->audience->data != NULL;
        return request->audience;
    }

    *n = issuer->audiences.nelts;
    return issuer->audiences.elts;
}


void
ngx_k8s_sa_review_token_parse(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request, const ngx_str_t *body,
    k8s_sa_token_review_t *document, ngx_k8s_sa_review_result_t *result,
    k8s_sa_error_t *err)
{
    size_t               n;
    const k8s_sa_str_t  *audiences;

    audiences = ngx_k8s_sa_review_token_audiences(issuer, request, &n);

    ngx_memzero(result, sizeof(ngx_k8s_sa_review_result_t));
    err->text[0] = '\0';

    result->verdict = k8s_sa_token_review_parse(document, body->data,
                                                body->len, audiences, n, err);
    switch (result->verdict) {

    case K8S_SA_VERDICT_OK:
        result->identity = &document->identity;
        break;

    case K8S_SA_NOT_AUTHENTICATED:
    case K8S_SA_WRONG_AUDIENCE:
    case K8S_SA_BAD_CLAIMS:
        ngx_k8s_sa_review_token_reason(&request->token, document->reason,
                                       &result->reason);
        break;

    default:
        result->verdict = K8S_SA_REVIEW_FAILED;
    }
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
