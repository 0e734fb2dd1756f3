/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_access_review.h"
#include "issuer/ngx_k8s_sa_decision.h"
#include "token/k8s_sa_access_review.h"

#include <openssl/evp.h>


static ngx_int_t ngx_k8s_sa_access_large_key(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_access_request_t *request);
static ngx_k8s_sa_review_request_t *ngx_k8s_sa_access_copy(
    const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, size_t *size);
static ngx_int_t ngx_k8s_sa_access_body(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, ngx_str_t *body);
static void ngx_k8s_sa_access_parse(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, const ngx_str_t *body,
    ngx_pool_t *pool, ngx_k8s_sa_review_result_t *result, k8s_sa_error_t *err);
static ngx_uint_t ngx_k8s_sa_access_refuses(
    const ngx_k8s_sa_reviews_t *reviews, const ngx_str_t *body);
static void ngx_k8s_sa_access_put(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request,
    ngx_k8s_sa_review_result_t *result);
static void ngx_k8s_sa_access_count(const ngx_k8s_sa_reviews_t *reviews,
    ngx_msec_t took, k8s_sa_verdict_e verdict);
static const char *ngx_k8s_sa_access_forbidden(
    const ngx_k8s_sa_reviews_t *reviews);


#define ngx_k8s_sa_access_policy(reviews)                                     \
    (&((const ngx_k8s_sa_accesses_t *) (reviews))->policy)


/* what the fingerprint made last covers */

static u_char  ngx_k8s_sa_access_buf[K8S_SA_TOKEN_MAX];


const ngx_k8s_sa_review_kind_t  ngx_k8s_sa_access_review = {
    "access review",
    NGX_K8S_SA_PLACES,
    ngx_k8s_sa_access_copy,
    ngx_k8s_sa_access_body,
    ngx_k8s_sa_access_parse,
    ngx_k8s_sa_decision_is_fresh,
    ngx_k8s_sa_decision_get,
    ngx_k8s_sa_access_put,
    ngx_k8s_sa_access_count,
    ngx_k8s_sa_access_refuses,
    ngx_k8s_sa_access_forbidden,
    1
};


void
ngx_k8s_sa_access_subject(ngx_k8s_sa_issuer_t *issuer,
    const k8s_sa_identity_t *identity, ngx_k8s_sa_access_subject_t *subject)
{
    ngx_str_t            key;
    const k8s_sa_str_t  *user;

    user = &identity->username;

    subject->owner = ngx_murmur_hash2(user->data, user->len);

    if (subject->owner == 0) {
        subject->owner = 1;     /* 0 means none */
    }

    key.data = ngx_k8s_sa_access_buf;
    key.len = k8s_sa_access_key(key.data, K8S_SA_TOKEN_MAX,
                                &issuer->access->policy, identity, NULL);

    subject->named = (key.len != 0);

    if (subject->named) {
        ngx_k8s_sa_cache_fingerprint(issuer->zone, issuer->access->context,
                                     &key, subject->fingerprint);
    }
}


ngx_int_t
ngx_k8s_sa_access_request(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_access_request_t *request)
{
    size_t     len;
    ngx_str_t  key;

    request->review.owner = request->subject->owner;
    request->review.not_after = INT64_MAX;

    if (!request->subject->named) {
        return ngx_k8s_sa_access_large_key(issuer, request);
    }

    key.data = ngx_k8s_sa_access_buf;

    ngx_memcpy(key.data, request->subject->fingerprint,
               K8S_SA_FINGERPRINT_LEN);

    len = k8s_sa_access_key(key.data + K8S_SA_FINGERPRINT_LEN,
                            K8S_SA_TOKEN_MAX - K8S_SA_FINGERPRINT_LEN,
                            &issuer->access->policy, NULL, request->question);
    if (len == 0) {
        return ngx_k8s_sa_access_large_key(issuer, request);
    }

    key.len = K8S_SA_FINGERPRINT_LEN + len;

    request->kept = 1;

    ngx_k8s_sa_cache_fingerprint(issuer->zone, issuer->access->context, &key,
                                 request->review.key);

    return NGX_OK;
}


/*
 * A question that is too large for a fingerprint is not remembered, but its
 * answer must still find the request that has asked: a digest names it.
 */

static ngx_int_t
ngx_k8s_sa_access_large_key(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_access_request_t *request)
{
    int         ok;
    size_t      len;
    u_char     *body, digest[EVP_MAX_MD_SIZE];
    ngx_str_t   key;

    request->kept = 0;

    len = k8s_sa_access_review_request(NULL, &issuer->access->policy,
                                       request->identity, request->question);

    body = len ? ngx_alloc(len, issuer->log) : NULL;
    if (body == NULL) {
        return NGX_ERROR;
    }

    (void) k8s_sa_access_review_request(body, &issuer->access->policy,
                                        request->identity, request->question);

    ok = EVP_Digest(body, len, digest, NULL, EVP_sha256(), NULL);

    ngx_free(body);

    key.data = digest;
    key.len = NGX_K8S_SA_DIGEST_LEN;

    ngx_k8s_sa_cache_fingerprint(issuer->zone, issuer->access->context, &key,
                                 request->review.key);

    return ok ? NGX_OK : NGX_ERROR;
}


/* makes the JSON now, so that identity and question need not be copied */

static ngx_k8s_sa_review_request_t *
ngx_k8s_sa_access_copy(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, size_t *size)
{
    size_t                              len;
    ngx_k8s_sa_access_request_t        *copy;
    const ngx_k8s_sa_access_request_t  *from;

    from = (const ngx_k8s_sa_access_request_t *) request;

    len = k8s_sa_access_review_request(NULL, ngx_k8s_sa_access_policy(reviews),
                                       from->identity, from->question);
    if (len == 0) {
        return NULL;
    }

    *size = sizeof(ngx_k8s_sa_access_request_t) + from->identity->username.len
            + len;

    copy = ngx_alloc(*size, reviews->issuer->log);
    if (copy == NULL) {
        return NULL;
    }

    *copy = *from;

    copy->identity = NULL;
    copy->question = NULL;

    copy->user.data = (u_char *) (copy + 1);
    copy->user.len = from->identity->username.len;

    copy->body.data = ngx_cpymem(copy->user.data,
                                 from->identity->username.data,
                                 copy->user.len);
    copy->body.len = len;

    (void) k8s_sa_access_review_request(copy->body.data,
                                        ngx_k8s_sa_access_policy(reviews),
                                        from->identity, from->question);

    return &copy->review;
}


static ngx_int_t
ngx_k8s_sa_access_body(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, ngx_str_t *body)
{
    const ngx_k8s_sa_access_request_t  *copy;

    copy = (const ngx_k8s_sa_access_request_t *) request;

    body->len = copy->body.len;
    body->data = malloc(body->len);

    if (body->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(body->data, copy->body.data, body->len);

    return NGX_OK;
}


static void
ngx_k8s_sa_access_parse(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, const ngx_str_t *body,
    ngx_pool_t *pool, ngx_k8s_sa_review_result_t *result, k8s_sa_error_t *err)
{
    k8s_sa_access_answer_t  *answer;

    ngx_memzero(result, sizeof(ngx_k8s_sa_review_result_t));
    result->verdict = K8S_SA_REVIEW_FAILED;

    answer = ngx_palloc(pool, sizeof(k8s_sa_access_answer_t));
    if (answer == NULL) {
        k8s_sa_error_set(err, "no memory");
        return;
    }

    result->verdict = k8s_sa_access_review_parse(answer, body->data, body->len,
                                           ngx_k8s_sa_access_policy(reviews),
                                           err);

    if (result->verdict == K8S_SA_ACCESS_FAILED) {
        result->verdict = K8S_SA_REVIEW_FAILED;
    }

    result->reason.data = answer->reason;
    result->reason.len = answer->len;
}


static ngx_uint_t
ngx_k8s_sa_access_refuses(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_str_t *body)
{
    k8s_sa_access_answer_t  answer;

    return k8s_sa_access_review_parse(&answer, body->data, body->len,
                                      ngx_k8s_sa_access_policy(reviews), NULL)
           == K8S_SA_ACCESS_DENIED;
}


static void
ngx_k8s_sa_access_put(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request,
    ngx_k8s_sa_review_result_t *result)
{
    const ngx_k8s_sa_access_request_t  *copy;

    copy = (const ngx_k8s_sa_access_request_t *) request;

    if (copy->kept) {
        ngx_k8s_sa_decision_put(reviews, request->key, &copy->user, result);
    }
}


static void
ngx_k8s_sa_access_count(const ngx_k8s_sa_reviews_t *reviews, ngx_msec_t took,
    k8s_sa_verdict_e verdict)
{
    ngx_k8s_sa_access_end_e  end;

    switch (verdict) {

    case K8S_SA_VERDICT_OK:
        end = NGX_K8S_SA_ACCESS_ALLOWED;
        break;

    case K8S_SA_ACCESS_DENIED:
        end = NGX_K8S_SA_ACCESS_DENIED;
        break;

    default:
        end = NGX_K8S_SA_ACCESS_FAILED;
    }

    ngx_k8s_sa_count_access(
                         ngx_k8s_sa_keystore_counters(&reviews->issuer->ref),
                         took, end);
}


static const char *
ngx_k8s_sa_access_forbidden(const ngx_k8s_sa_reviews_t *reviews)
{
    if (ngx_k8s_sa_access_policy(reviews)->local.data) {
        return " (our own token may not ask: its service account needs a Role "
               "in that namespace: create "
               "localsubjectaccessreviews.authorization.k8s.io)";
    }

    return " (our own token may not ask: its service account needs a "
           "ClusterRole: create subjectaccessreviews.authorization.k8s.io)";
}
