/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_access_review.h"
#include "issuer/ngx_k8s_sa_ask.h"
#include "token/k8s_sa_access_review.h"


typedef struct {
    ngx_k8s_sa_issuer_t  *issuer;
    ngx_k8s_sa_waiter_t  *waiter;
} ngx_k8s_sa_access_t;


static void ngx_k8s_sa_access_answer(const ngx_k8s_sa_answer_t *answer,
    void *data);


ngx_int_t
ngx_k8s_sa_access_name(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_access_request_t *request, ngx_pool_t *pool)
{
    ngx_str_t               s;
    ngx_k8s_sa_accesses_t  *access;

    static u_char  buf[K8S_SA_TOKEN_MAX];

    access = issuer->access;

    s.data = buf;
    s.len = k8s_sa_access_key(buf, sizeof(buf), &access->policy,
                              request->identity, request->question);
    request->kept = s.len != 0;

    ngx_k8s_sa_cache_fingerprint(issuer->zone, access->context, &s,
                                 request->key);
    return NGX_OK;
}


ngx_int_t
ngx_k8s_sa_access_lookup(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_access_request_t *request, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_memzero(result, sizeof(ngx_k8s_sa_review_result_t));
    return NGX_DECLINED;
}


ngx_int_t
ngx_k8s_sa_access_start(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_access_request_t *request, ngx_k8s_sa_waiter_t *waiter)
{
    ngx_k8s_sa_access_t    *a;
    ngx_k8s_sa_question_t   q;

    a = ngx_alloc(sizeof(ngx_k8s_sa_access_t), issuer->log);
    a->issuer = issuer;
    a->waiter = waiter;

    q.client = issuer->client;
    q.url = &issuer->access->url;
    q.credential = issuer->token_file;
    q.body.len = k8s_sa_access_review_request(NULL, &issuer->access->policy,
                                       request->identity, request->question);
    q.body.data = ngx_alloc(q.body.len, issuer->log);
    (void) k8s_sa_access_review_request(q.body.data, &issuer->access->policy,
                                       request->identity, request->question);
    q.deadline = ngx_current_msec + issuer->timeout;
    q.handler = ngx_k8s_sa_access_answer;
    q.data = a;
    q.log = issuer->log;
    q.hold = 1;

    waiter->waiting = 1;
    ngx_queue_init(&waiter->queue);

    (void) ngx_k8s_sa_ask(&q);

    return NGX_AGAIN;
}


static void
ngx_k8s_sa_access_answer(const ngx_k8s_sa_answer_t *answer, void *data)
{
    ngx_k8s_sa_access_t *a = data;

    k8s_sa_error_t               err;
    ngx_k8s_sa_waiter_t         *waiter;
    k8s_sa_access_answer_t       document;
    ngx_k8s_sa_review_result_t   result;

    waiter = a->waiter;
    ngx_memzero(&result, sizeof(ngx_k8s_sa_review_result_t));

    if (answer->outcome == NGX_K8S_SA_ANSWERED) {
        result.verdict = k8s_sa_access_review_parse(&document,
                                      answer->body.data, answer->body.len,
                                      &a->issuer->access->policy, &err);
        result.reason.data = document.reason;
        result.reason.len = document.len;
    } else {
        result.verdict = K8S_SA_ACCESS_FAILED;
    }

    waiter->waiting = 0;
    waiter->result = &result;
    waiter->handler(waiter);

    ngx_free(a);
}
