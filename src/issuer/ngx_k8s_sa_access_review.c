/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_access_review.h"
#include "issuer/ngx_k8s_sa_ask.h"
#include "issuer/ngx_k8s_sa_decision.h"
#include "token/k8s_sa_access_review.h"

#include <openssl/evp.h>


/* A question in progress. */

typedef struct {
    ngx_k8s_sa_issuer_t  *issuer;
    ngx_queue_t           waiters;
    u_char                key[K8S_SA_FINGERPRINT_LEN];
    ngx_uint_t            kept;
    ngx_msec_t            began;
    k8s_sa_str_t          user;              /* after this struct */
} ngx_k8s_sa_access_t;


static ngx_int_t ngx_k8s_sa_access_large_name(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_access_request_t *request, ngx_pool_t *pool);
static ngx_int_t ngx_k8s_sa_access_body(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_access_request_t *request, ngx_str_t *body);
static ngx_uint_t ngx_k8s_sa_access_refuses(const ngx_str_t *body,
    void *data);
static void ngx_k8s_sa_access_answer(const ngx_k8s_sa_answer_t *answer,
    void *data);


ngx_int_t
ngx_k8s_sa_access_name(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_access_request_t *request, ngx_pool_t *pool)
{
    ngx_str_t  name;

    static u_char  buf[K8S_SA_TOKEN_MAX];

    name.data = buf;
    name.len = k8s_sa_access_key(buf, sizeof(buf), &issuer->access->policy,
                                 request->identity, request->question);

    if (name.len == 0) {
        return ngx_k8s_sa_access_large_name(issuer, request, pool);
    }

    request->kept = 1;

    ngx_k8s_sa_cache_fingerprint(issuer->zone, issuer->access->context, &name,
                                 request->key);

    return NGX_OK;
}


/*
 * A question that is too large for a fingerprint is not remembered, but must
 * still be recognized: the request itself names it by a digest.
 */

static ngx_int_t
ngx_k8s_sa_access_large_name(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_access_request_t *request, ngx_pool_t *pool)
{
    int        ok;
    u_char     digest[EVP_MAX_MD_SIZE];
    ngx_str_t  name, body;

    if (ngx_k8s_sa_access_body(issuer, request, &body) != NGX_OK) {
        return NGX_ERROR;
    }

    ok = EVP_Digest(body.data, body.len, digest, NULL, EVP_sha256(), NULL);

    ngx_free(body.data);

    name.data = digest;
    name.len = NGX_K8S_SA_DIGEST_LEN;

    request->kept = 0;

    ngx_k8s_sa_cache_fingerprint(issuer->zone, issuer->access->context, &name,
                                 request->key);

    return ok ? NGX_OK : NGX_ERROR;
}


/* Makes the JSON to send, which the caller frees with ngx_free(). */

static ngx_int_t
ngx_k8s_sa_access_body(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_access_request_t *request, ngx_str_t *body)
{
    k8s_sa_access_policy_t  *policy;

    policy = &issuer->access->policy;

    body->len = k8s_sa_access_review_request(NULL, policy, request->identity,
                                             request->question);
    if (body->len == 0) {
        return NGX_ERROR;
    }

    body->data = ngx_alloc(body->len, issuer->log);
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    (void) k8s_sa_access_review_request(body->data, policy, request->identity,
                                        request->question);
    return NGX_OK;
}


ngx_int_t
ngx_k8s_sa_access_lookup(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_access_request_t *request, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result)
{
    if (!request->kept) {
        return NGX_DECLINED;
    }

    return ngx_k8s_sa_decision_get(issuer, request->key, 0, pool, result);
}


ngx_int_t
ngx_k8s_sa_access_start(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_access_request_t *request, ngx_k8s_sa_waiter_t *waiter)
{
    ngx_k8s_sa_ask_t       *ask;
    ngx_k8s_sa_access_t    *access;
    ngx_k8s_sa_question_t   question;
    const k8s_sa_str_t     *user;

    user = &request->identity->username;

    access = ngx_alloc(sizeof(ngx_k8s_sa_access_t) + user->len, issuer->log);
    if (access == NULL) {
        return NGX_ERROR;
    }

    access->issuer = issuer;
    access->kept = request->kept;
    access->began = ngx_current_msec;
    access->user.len = user->len;
    access->user.data = (u_char *) (access + 1);

    ngx_memcpy(access->key, request->key, K8S_SA_FINGERPRINT_LEN);
    ngx_memcpy(access->user.data, user->data, user->len);

    if (ngx_k8s_sa_access_body(issuer, request, &question.body) != NGX_OK) {
        ngx_free(access);
        return NGX_ERROR;
    }

    question.client = issuer->client;
    question.url = &issuer->access->url;
    question.credential = issuer->token_file;
    question.deadline = ngx_current_msec + issuer->timeout;
    question.handler = ngx_k8s_sa_access_answer;
    question.refuses = ngx_k8s_sa_access_refuses;
    question.data = access;
    question.log = issuer->log;
    question.hold = 1;

    ask = ngx_k8s_sa_ask(&question);

    ngx_free(question.body.data);

    if (ask == NULL) {
        ngx_free(access);
        return NGX_ERROR;
    }

    ngx_queue_init(&access->waiters);
    ngx_queue_insert_tail(&access->waiters, &waiter->queue);

    waiter->review = NULL;
    waiter->waiting = 1;

    return NGX_AGAIN;
}


static ngx_uint_t
ngx_k8s_sa_access_refuses(const ngx_str_t *body, void *data)
{
    ngx_k8s_sa_access_t *access = data;

    k8s_sa_access_answer_t  document;

    return k8s_sa_access_review_parse(&document, body->data, body->len,
                                      &access->issuer->access->policy, NULL)
           == K8S_SA_ACCESS_DENIED;
}


static void
ngx_k8s_sa_access_answer(const ngx_k8s_sa_answer_t *answer, void *data)
{
    ngx_k8s_sa_access_t *access = data;

    const char                  *reason;
    k8s_sa_error_t               err;
    ngx_k8s_sa_issuer_t         *issuer;
    k8s_sa_access_answer_t       document;
    ngx_k8s_sa_access_end_e      end;
    ngx_k8s_sa_review_result_t   result;

    issuer = access->issuer;
    reason = "the worker exits";

    ngx_memzero(&result, sizeof(ngx_k8s_sa_review_result_t));
    result.verdict = K8S_SA_ACCESS_FAILED;

    if (answer->outcome == NGX_K8S_SA_ANSWERED) {
        result.verdict = k8s_sa_access_review_parse(&document,
                                         answer->body.data, answer->body.len,
                                         &issuer->access->policy, &err);
        result.reason.data = document.reason;
        result.reason.len = document.len;
        reason = err.text;

    } else if (answer->outcome == NGX_K8S_SA_UNANSWERED) {
        reason = answer->reason;
    }

    switch (result.verdict) {

    case K8S_SA_VERDICT_OK:
        end = NGX_K8S_SA_ACCESS_ALLOWED;
        break;

    case K8S_SA_ACCESS_DENIED:
        end = NGX_K8S_SA_ACCESS_DENIED;
        break;

    default:
        end = NGX_K8S_SA_ACCESS_FAILED;

        if (issuer->access->logged != ngx_time()) {
            issuer->access->logged = ngx_time();

            ngx_log_error(NGX_LOG_ERR, issuer->log, 0,
                          "k8s_sa: access review of issuer \"%V\" failed: "
                          "%V: %s", &issuer->name,
                          &issuer->access->url.text, reason);
        }
    }

    ngx_k8s_sa_count_access(ngx_k8s_sa_keystore_counters(&issuer->ref),
                            ngx_current_msec - access->began, end);

    if (end != NGX_K8S_SA_ACCESS_FAILED && access->kept) {
        ngx_k8s_sa_decision_put(issuer, access->key, &access->user, &result);
    }

    ngx_k8s_sa_wake(&access->waiters, &result);

    ngx_free(access);
}
