/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_call.h"
#include "issuer/ngx_k8s_sa_review_ask.h"
#include "token/k8s_sa_packed.h"
#include "token/k8s_sa_token_review.h"


#define NGX_K8S_SA_REVIEW_RETRY    100   /* ms, doubled with each try */
#define NGX_K8S_SA_REVIEW_REFUSED  50    /* ms; an API server that starts
                                            refuses everybody that long */
#define NGX_K8S_SA_REVIEW_REASON   200   /* bytes that are kept */


static ngx_int_t ngx_k8s_sa_review_post(ngx_k8s_sa_review_t *review,
    ngx_str_t *body);
static void ngx_k8s_sa_review_audiences(ngx_k8s_sa_review_t *review,
    const k8s_sa_str_t **audiences, size_t *n);
static void ngx_k8s_sa_review_answer(const ngx_k8s_sa_result_t *res,
    void *data);
static ngx_int_t ngx_k8s_sa_review_retry(ngx_k8s_sa_review_t *review,
    const ngx_k8s_sa_result_t *res);
static void ngx_k8s_sa_review_parsed(ngx_k8s_sa_review_t *review,
    const ngx_k8s_sa_result_t *res);
static void ngx_k8s_sa_review_reason(ngx_k8s_sa_review_t *review,
    const char *text, ngx_str_t *reason);
static void ngx_k8s_sa_review_store(ngx_k8s_sa_review_t *review,
    ngx_k8s_sa_review_result_t *result);
static void ngx_k8s_sa_review_explain(ngx_k8s_sa_review_t *review,
    const ngx_k8s_sa_result_t *res, k8s_sa_error_t *err);


ngx_int_t
ngx_k8s_sa_review_send(ngx_k8s_sa_review_t *review)
{
    size_t               n;
    ngx_int_t            rc;
    ngx_str_t            body;
    k8s_sa_str_t         token;
    const k8s_sa_str_t  *audiences;

    if (!review->running) {
        review->running = 1;
        review->began = ngx_current_msec;
        review->issuer->reviews->running++;
    }

    review->tries++;

    token.len = review->token.len;
    token.data = review->token.data;

    ngx_k8s_sa_review_audiences(review, &audiences, &n);

    body.data = (u_char *) k8s_sa_token_review_request(&token, audiences, n,
                                                 &body.len);
    if (body.data == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_k8s_sa_review_post(review, &body);

    ngx_explicit_memzero(body.data, body.len);
    free(body.data);

    return rc;
}


static ngx_int_t
ngx_k8s_sa_review_post(ngx_k8s_sa_review_t *review, ngx_str_t *body)
{
    ngx_uint_t             private;
    ngx_keyval_t           headers[2];
    ngx_k8s_sa_issuer_t   *issuer;
    ngx_k8s_sa_reviews_t  *reviews;
    ngx_k8s_sa_request_t   req;

    issuer = review->issuer;
    reviews = issuer->reviews;

    ngx_str_set(&headers[0].key, "Content-Type");
    ngx_str_set(&headers[0].value, "application/json");
    ngx_str_set(&headers[1].key, "Accept");
    ngx_str_set(&headers[1].value, "application/json");

    ngx_memzero(&req, sizeof(ngx_k8s_sa_request_t));

    req.method = NGX_K8S_SA_POST;
    req.url = &reviews->url;
    req.headers = headers;
    req.nheaders = 2;
    req.body = *body;
    req.handler = ngx_k8s_sa_review_answer;
    req.data = review;
    req.idempotent = 1;
    req.hold = 1;

    private = ngx_k8s_sa_client_is_private(reviews->client, &reviews->url);

    review->exchange = ngx_k8s_sa_call(reviews->client, &req,
                                       private ? issuer->token_file : NULL,
                                       issuer->log);

    return review->exchange ? NGX_OK : NGX_ERROR;
}


static void
ngx_k8s_sa_review_audiences(ngx_k8s_sa_review_t *review,
    const k8s_sa_str_t **audiences, size_t *n)
{
    if (review->own_audience) {
        *audiences = &review->audience;
        *n = review->audience.data != NULL;

    } else {
        *audiences = review->issuer->audiences.elts;
        *n = review->issuer->audiences.nelts;
    }
}


static void
ngx_k8s_sa_review_answer(const ngx_k8s_sa_result_t *res, void *data)
{
    ngx_k8s_sa_review_t *review = data;

    ngx_uint_t            down;
    k8s_sa_error_t        err;
    ngx_k8s_sa_issuer_t  *issuer;

    issuer = review->issuer;
    review->exchange = NULL;

    switch (res->error) {

    case NGX_K8S_SA_NET_OK:

        if (res->status == 200 || res->status == 201) {
            ngx_k8s_sa_review_parsed(review, res);
            ngx_k8s_sa_review_next(issuer);
            return;
        }

        down = res->status == 429 || res->status >= 500;
        break;

    case NGX_K8S_SA_NET_SHUTDOWN:

        if (ngx_queue_empty(&review->waiters)) {
            ngx_k8s_sa_review_drop(review);
            return;
        }

        /* somebody has joined since */

        if (ngx_k8s_sa_review_send(review) == NGX_OK) {
            ngx_k8s_sa_review_hold(review);
            return;
        }

        /* fall through */

    case NGX_K8S_SA_NET_INTERNAL:
        down = 0;
        break;

    default:
        down = 1;
    }

    if (ngx_k8s_sa_review_retry(review, res) == NGX_OK) {
        return;
    }

    ngx_k8s_sa_review_explain(review, res, &err);
    ngx_k8s_sa_review_failed(review, err.text, down);

    ngx_k8s_sa_review_next(issuer);
}


/* NGX_OK: it will be tried again, in its place among the running ones */

static ngx_int_t
ngx_k8s_sa_review_retry(ngx_k8s_sa_review_t *review,
    const ngx_k8s_sa_result_t *res)
{
    ngx_int_t       after;
    ngx_uint_t      max;
    ngx_msec_t      delay;
    ngx_msec_int_t  left;

    delay = NGX_K8S_SA_REVIEW_RETRY << ngx_min(review->tries - 1, 10);

    switch (res->error) {

    case NGX_K8S_SA_NET_OK:

        if (res->status == 401 || res->status == 403) {
            max = 3;
            delay = NGX_K8S_SA_REVIEW_REFUSED * review->tries;

        } else if (res->status == 429 || res->status >= 500) {
            max = 100;

        } else {
            return NGX_DECLINED;
        }

        break;

    case NGX_K8S_SA_NET_CONNECT:
    case NGX_K8S_SA_NET_CLOSED:

        /* the address may be that of several API servers */

        max = 2;
        break;

    default:

        return NGX_DECLINED;
    }

    /* so that those who were refused together do not come back together */

    delay += ngx_random() % (delay / 2 + 1);

    if (res->retry_after.data) {
        after = ngx_atoi(res->retry_after.data, res->retry_after.len);

        if (after != NGX_ERROR && after < 3600) {
            delay = ngx_max(delay, (ngx_msec_t) after * 1000);
        }
    }

    left = review->deadline - NGX_K8S_SA_REVIEW_GRACE - ngx_current_msec;

    if (review->tries >= max || (ngx_msec_int_t) delay >= left
        || (ngx_exiting && ngx_queue_empty(&review->waiters)))
    {
        return NGX_DECLINED;
    }

    ngx_k8s_sa_review_after(review, delay);

    return NGX_OK;
}


static void
ngx_k8s_sa_review_parsed(ngx_k8s_sa_review_t *review,
    const ngx_k8s_sa_result_t *res)
{
    size_t                       n;
    k8s_sa_error_t               err;
    k8s_sa_token_review_t              answer;
    const k8s_sa_str_t          *audiences;
    ngx_k8s_sa_review_result_t   result;

    ngx_k8s_sa_review_audiences(review, &audiences, &n);

    ngx_memzero(&result, sizeof(ngx_k8s_sa_review_result_t));
    err.text[0] = '\0';

    result.verdict = k8s_sa_token_review_parse(&answer, res->body.data,
                                         res->body.len, audiences, n, &err);
    switch (result.verdict) {

    case K8S_SA_VERDICT_OK:
        result.identity = &answer.identity;
        break;

    case K8S_SA_NOT_AUTHENTICATED:
    case K8S_SA_WRONG_AUDIENCE:
    case K8S_SA_BAD_CLAIMS:
        ngx_k8s_sa_review_reason(review, answer.reason, &result.reason);
        break;

    default:
        ngx_k8s_sa_review_failed(review, err.text, 0);
        k8s_sa_token_review_free(&answer);
        return;
    }

    review->issuer->reviews->down = 0;

    ngx_k8s_sa_count_review(ngx_k8s_sa_keystore_counters(&review->issuer->ref),
                            ngx_current_msec - review->began, 0);

    ngx_k8s_sa_review_store(review, &result);
    ngx_k8s_sa_review_done(review, &result);

    k8s_sa_token_review_free(&answer);
}


/* for the log, in which no token may stand whatever an API server says */

static void
ngx_k8s_sa_review_reason(ngx_k8s_sa_review_t *review, const char *text,
    ngx_str_t *reason)
{
    size_t  len, tail;

    if (text == NULL) {
        return;
    }

    len = ngx_strlen(text);
    tail = ngx_min(review->token.len, 16);

    if (memmem(text, len, review->token.data + review->token.len - tail, tail))
    {
        return;
    }

    reason->data = (u_char *) text;
    reason->len = ngx_min(len, NGX_K8S_SA_REVIEW_REASON);
}


static void
ngx_k8s_sa_review_store(ngx_k8s_sa_review_t *review,
    ngx_k8s_sa_review_result_t *result)
{
    u_char                     record[K8S_SA_RECORD_MAX];
    int64_t                    expires;
    ngx_msec_t                 fresh, keep;
    ngx_k8s_sa_reviews_t      *reviews;
    ngx_k8s_sa_cache_entry_t   e;

    reviews = review->issuer->reviews;

    ngx_memzero(&e, sizeof(ngx_k8s_sa_cache_entry_t));

    if (result->identity) {
        fresh = reviews->cache;
        keep = fresh + reviews->stale;

        e.kind = NGX_K8S_SA_CACHE_REVIEWED;
        e.user = result->identity->username;
        e.data = record;
        e.len = k8s_sa_identity_pack(record, sizeof(record), result->identity);

    } else {
        fresh = reviews->failed;
        keep = fresh;

        e.kind = NGX_K8S_SA_CACHE_REFUSED;
        e.data = result->reason.data;
        e.len = result->reason.len;
    }

    /* seconds only say when the entry may go: how fresh it is counts in ms */

    expires = (int64_t) ngx_time() + (keep + 999) / 1000 + 1;

    result->fresh = ngx_current_msec + fresh;

    e.verdict = result->verdict;
    e.fresh = (int64_t) result->fresh;
    e.expires = ngx_min(expires, review->not_after);

    /* an identity too large for a record is asked for each time */

    if (keep == 0 || (result->identity && e.len == 0)) {
        ngx_k8s_sa_cache_delete(review->issuer->zone, review->node.str.data);
        return;
    }

    (void) ngx_k8s_sa_cache_insert(review->issuer->zone,
                                   review->node.str.data, ngx_time(), &e);
}


void
ngx_k8s_sa_review_failed(ngx_k8s_sa_review_t *review, const char *reason,
    ngx_uint_t down)
{
    ngx_pool_t                  *pool;
    ngx_k8s_sa_issuer_t         *issuer;
    ngx_k8s_sa_reviews_t        *reviews;
    ngx_k8s_sa_review_result_t   result;

    issuer = review->issuer;
    reviews = issuer->reviews;
    pool = NULL;

    ngx_memzero(&result, sizeof(ngx_k8s_sa_review_result_t));
    result.verdict = K8S_SA_REVIEW_FAILED;

    if (review->tries) {
        ngx_k8s_sa_count_review(ngx_k8s_sa_keystore_counters(&issuer->ref),
                                ngx_current_msec - review->began, 1);
    }

    if (reviews->logged != ngx_time()) {
        reviews->logged = ngx_time();

        ngx_log_error(NGX_LOG_ERR, issuer->log, 0,
                      "k8s_sa: token review of issuer \"%V\" failed: "
                      "%V: %s", &issuer->name, &reviews->url.text, reason);
    }

    reviews->down = down;
    reviews->down_msec = ngx_current_msec;

    if (down && reviews->stale) {
        pool = ngx_create_pool(4096, issuer->log);

        if (pool == NULL
            || ngx_k8s_sa_review_stale(review, pool, &result) != NGX_OK)
        {
            ngx_memzero(&result, sizeof(ngx_k8s_sa_review_result_t));
            result.verdict = K8S_SA_REVIEW_FAILED;
        }
    }

    ngx_k8s_sa_review_done(review, &result);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}


static void
ngx_k8s_sa_review_explain(ngx_k8s_sa_review_t *review,
    const ngx_k8s_sa_result_t *res, k8s_sa_error_t *err)
{
    ngx_uint_t             private;
    ngx_k8s_sa_reviews_t  *reviews;

    static const ngx_k8s_sa_call_hints_t  hints = {
        " (our own token must not ask: a ClusterRoleBinding of its service "
        "account to system:auth-delegator is missing)",
        " (is that an API server?)"
    };

    reviews = review->issuer->reviews;

    private = ngx_k8s_sa_client_is_private(reviews->client, &reviews->url);

    ngx_k8s_sa_call_explain(res, review->issuer->token_file, private, &hints,
                            err);
}
