/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_ask.h"
#include "issuer/ngx_k8s_sa_review.h"
#include "issuer/ngx_k8s_sa_review_token.h"
#include "issuer/ngx_k8s_sa_reviewed.h"
#include "shared/ngx_k8s_sa_review_lease.h"


#define NGX_K8S_SA_REVIEW_PROBE    1000  /* ms between tries while the API
                                            server is down and stale verdicts
                                            serve */
#define NGX_K8S_SA_REVIEW_GRACE    100   /* ms; an exchange's own timeout ends
                                            first and says more */
#define NGX_K8S_SA_REVIEW_LOOK     4     /* ms until the first look for another
                                            worker's verdict */
#define NGX_K8S_SA_REVIEW_LOOKS    5     /* how often that is doubled */


/*
 * A review is asked by another worker (elsewhere), waits until fewer than
 * NGX_K8S_SA_REVIEW_RUNNING are (queued), or is asked (running).
 */

struct ngx_k8s_sa_review_s {
    ngx_str_node_t               node;
    ngx_queue_t                  queue;
    ngx_queue_t                  waiters;

    ngx_k8s_sa_issuer_t         *issuer;
    ngx_k8s_sa_ask_t            *ask;        /* while running */
    ngx_event_t                  timer;      /* the deadline, or the next look
                                                for another worker's verdict */
    ngx_connection_t             dummy;      /* for the timer's debug log */
    ngx_msec_t                   began;      /* when it was sent */
    ngx_msec_t                   deadline;
    ngx_uint_t                   looks;
    uint32_t                     client;     /* of its first waiter, or 0 */

    ngx_k8s_sa_review_request_t  request;    /* points into this block */
    k8s_sa_str_t                 audience;
    size_t                       size;       /* of this block */

    unsigned                     leased:1;   /* other workers do not ask */
    unsigned                     elsewhere:1;
    unsigned                     queued:1;
    unsigned                     running:1;
};


static ngx_uint_t ngx_k8s_sa_review_hash(const u_char *key);
static ngx_k8s_sa_review_t *ngx_k8s_sa_review_create(
    ngx_k8s_sa_issuer_t *issuer, const ngx_k8s_sa_review_request_t *request);
static ngx_int_t ngx_k8s_sa_review_turn(ngx_k8s_sa_review_t *review);
static ngx_int_t ngx_k8s_sa_review_begin(ngx_k8s_sa_review_t *review);
static ngx_int_t ngx_k8s_sa_review_send(ngx_k8s_sa_review_t *review);
static void ngx_k8s_sa_review_next(ngx_k8s_sa_issuer_t *issuer);
static void ngx_k8s_sa_review_elsewhere(ngx_k8s_sa_review_t *review);
static void ngx_k8s_sa_review_look(ngx_k8s_sa_review_t *review);
static void ngx_k8s_sa_review_answer(const ngx_k8s_sa_answer_t *answer,
    void *data);
static void ngx_k8s_sa_review_parse(ngx_k8s_sa_review_t *review,
    const ngx_str_t *body);
static void ngx_k8s_sa_review_failed(ngx_k8s_sa_review_t *review,
    const char *reason, ngx_uint_t down);
static void ngx_k8s_sa_review_done(ngx_k8s_sa_review_t *review,
    ngx_k8s_sa_review_result_t *result);
static void ngx_k8s_sa_review_drop(ngx_k8s_sa_review_t *review);
static void ngx_k8s_sa_review_unlink(ngx_k8s_sa_review_t *review);
static void ngx_k8s_sa_review_free(ngx_k8s_sa_review_t *review);
static void ngx_k8s_sa_review_hold(ngx_k8s_sa_review_t *review);
static void ngx_k8s_sa_review_after(ngx_k8s_sa_review_t *review,
    ngx_msec_t delay);
static void ngx_k8s_sa_review_timer(ngx_event_t *ev);


void
ngx_k8s_sa_review_init(ngx_k8s_sa_issuer_t *issuer)
{
    ngx_k8s_sa_reviews_t  *reviews;

    reviews = issuer->reviews;

    ngx_rbtree_init(&reviews->tree, &reviews->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&reviews->queue);
}


void
ngx_k8s_sa_review_stop(ngx_k8s_sa_issuer_t *issuer)
{
    ngx_queue_t           *q;
    ngx_rbtree_t          *tree;
    ngx_k8s_sa_review_t   *review;
    ngx_k8s_sa_waiter_t   *waiter;
    ngx_k8s_sa_reviews_t  *reviews;

    reviews = issuer->reviews;
    tree = &reviews->tree;

    while (tree->root != tree->sentinel) {
        review = (ngx_k8s_sa_review_t *) tree->root;

        while (!ngx_queue_empty(&review->waiters)) {
            q = ngx_queue_head(&review->waiters);
            ngx_queue_remove(q);

            waiter = ngx_queue_data(q, ngx_k8s_sa_waiter_t, queue);
            waiter->waiting = 0;
        }

        ngx_k8s_sa_review_drop(review);
    }
}


ngx_int_t
ngx_k8s_sa_review_lookup(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_int_t              rc;
    ngx_k8s_sa_reviews_t  *reviews;

    reviews = issuer->reviews;

    rc = ngx_k8s_sa_reviewed_get(issuer, request->key, reviews->down, pool,
                                 result);

    if (rc == NGX_OK) {
        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                       "k8s_sa review %xi: remembered %s, fresh for %i ms",
                       ngx_k8s_sa_review_hash(request->key),
                       k8s_sa_verdict_info(result->verdict)->word,
                       (ngx_int_t) (result->fresh - ngx_current_msec));
    }

    /* while stale verdicts serve, one of the tokens probes the API server */

    if (rc == NGX_OK
        && (ngx_msec_int_t) (result->fresh - ngx_current_msec) <= 0
        && reviews->running == 0
        && ngx_current_msec - reviews->down_msec >= NGX_K8S_SA_REVIEW_PROBE)
    {
        (void) ngx_k8s_sa_review_start(issuer, request, NULL);
    }

    return rc;
}


ngx_int_t
ngx_k8s_sa_review_start(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request,
    ngx_k8s_sa_waiter_t *waiter)
{
    ngx_str_t              key;
    uint32_t               client;
    ngx_uint_t             hash;
    ngx_k8s_sa_review_t   *review;
    ngx_k8s_sa_reviews_t  *reviews;

    reviews = issuer->reviews;

    key.len = K8S_SA_FINGERPRINT_LEN;
    key.data = (u_char *) request->key;

    hash = ngx_k8s_sa_review_hash(request->key);

    review = (ngx_k8s_sa_review_t *) ngx_str_rbtree_lookup(&reviews->tree,
                                                           &key, hash);

    if (review == NULL) {

        client = waiter ? waiter->client : 0;

        if (!ngx_k8s_sa_places_free(&reviews->places, client)) {
            return NGX_BUSY;
        }

        review = ngx_k8s_sa_review_create(issuer, request);
        if (review == NULL) {
            return NGX_ERROR;
        }

        review->client = client;

        review->node.node.key = hash;
        ngx_rbtree_insert(&reviews->tree, &review->node.node);

        if (ngx_k8s_sa_review_turn(review) != NGX_OK) {
            ngx_k8s_sa_review_elsewhere(review);

        } else if (ngx_k8s_sa_review_begin(review) != NGX_OK) {
            ngx_k8s_sa_review_drop(review);
            return NGX_ERROR;
        }
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa review %xi: %s, issuer \"%V\"", hash,
                   review->running ? "running"
                                   : review->queued ? "queued"
                                                    : "of another worker",
                   &issuer->name);

    if (waiter) {
        ngx_queue_insert_tail(&review->waiters, &waiter->queue);
        waiter->review = review;
        waiter->waiting = 1;
    }

    ngx_k8s_sa_review_hold(review);

    return NGX_AGAIN;
}


/* any part of a fingerprint is a hash; the debug log names reviews by it */

static ngx_uint_t
ngx_k8s_sa_review_hash(const u_char *key)
{
    uint32_t  hash;

    ngx_memcpy(&hash, key, sizeof(hash));

    return hash;
}


/* allocates one block, which has copies of the token and the audience */

static ngx_k8s_sa_review_t *
ngx_k8s_sa_review_create(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request)
{
    u_char               *p;
    size_t                size;
    ngx_k8s_sa_review_t  *review;

    size = sizeof(ngx_k8s_sa_review_t) + request->token.len
           + (request->audience ? request->audience->len : 0);

    review = ngx_calloc(size, issuer->log);
    if (review == NULL) {
        return NULL;
    }

    review->size = size;
    review->issuer = issuer;
    review->deadline = ngx_current_msec + issuer->timeout
                       + NGX_K8S_SA_REVIEW_GRACE;

    ngx_queue_init(&review->waiters);

    p = (u_char *) review + sizeof(ngx_k8s_sa_review_t);

    review->request = *request;

    review->request.token.data = p;
    p = ngx_cpymem(p, request->token.data, request->token.len);

    if (request->audience) {
        review->request.audience = &review->audience;

        if (request->audience->data) {
            review->audience.len = request->audience->len;
            review->audience.data = p;
            ngx_memcpy(p, request->audience->data, request->audience->len);
        }
    }

    review->node.str.len = K8S_SA_FINGERPRINT_LEN;
    review->node.str.data = review->request.key;

    review->dummy.fd = (ngx_socket_t) -1;
    review->dummy.data = review;

    review->timer.data = &review->dummy;
    review->timer.handler = ngx_k8s_sa_review_timer;
    review->timer.log = issuer->log;

    ngx_add_timer(&review->timer, issuer->timeout + NGX_K8S_SA_REVIEW_GRACE);

    return review;
}


/* NGX_OK: ask; NGX_AGAIN: another worker asks, or has just been answered. */

static ngx_int_t
ngx_k8s_sa_review_turn(ngx_k8s_sa_review_t *review)
{
    ngx_int_t             rc;
    ngx_k8s_sa_issuer_t  *issuer;

    issuer = review->issuer;

    if (issuer->reviews->cache == 0) {

        /* verdicts are not remembered, so other workers cannot share them */

        return NGX_OK;
    }

    rc = ngx_k8s_sa_review_lease(issuer->zone, review->request.key,
                                 review->deadline - ngx_current_msec);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa review %xi: lease %s", review->node.node.key,
                   rc == NGX_OK ? "taken"
                                : rc == NGX_BUSY ? "of another worker"
                                                 : "not available");

    if (rc == NGX_BUSY) {
        return NGX_AGAIN;
    }

    review->leased = (rc == NGX_OK);

    return ngx_k8s_sa_reviewed_is_fresh(issuer, review->request.key)
           ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_k8s_sa_review_begin(ngx_k8s_sa_review_t *review)
{
    ngx_k8s_sa_reviews_t  *reviews;

    reviews = review->issuer->reviews;

    if (reviews->running < NGX_K8S_SA_REVIEW_RUNNING) {
        return ngx_k8s_sa_review_send(review);
    }

    ngx_queue_insert_tail(&reviews->queue, &review->queue);
    review->queued = 1;
    ngx_k8s_sa_place_take(&reviews->places, review->client);

    return NGX_OK;
}


static ngx_int_t
ngx_k8s_sa_review_send(ngx_k8s_sa_review_t *review)
{
    ngx_str_t               body;
    ngx_k8s_sa_issuer_t    *issuer;
    ngx_k8s_sa_question_t   question;

    issuer = review->issuer;

    ngx_memzero(&question, sizeof(ngx_k8s_sa_question_t));

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa review %xi: asking", review->node.node.key);

    review->running = 1;
    review->began = ngx_current_msec;
    issuer->reviews->running++;

    if (ngx_k8s_sa_review_token_body(issuer, &review->request, &body)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    question.client = issuer->client;
    question.url = &issuer->reviews->url;
    question.credential = issuer->token_file;
    question.body = body;
    question.deadline = review->deadline - NGX_K8S_SA_REVIEW_GRACE;
    question.handler = ngx_k8s_sa_review_answer;
    question.data = review;
    question.log = issuer->log;
    question.hold = 1;

    review->ask = ngx_k8s_sa_ask(&question);

    ngx_explicit_memzero(body.data, body.len);
    free(body.data);

    return review->ask ? NGX_OK : NGX_ERROR;
}


/* sends the next reviews of the queue */

static void
ngx_k8s_sa_review_next(ngx_k8s_sa_issuer_t *issuer)
{
    ngx_queue_t           *q;
    ngx_k8s_sa_review_t   *review;
    ngx_k8s_sa_reviews_t  *reviews;

    reviews = issuer->reviews;

    while (reviews->running < NGX_K8S_SA_REVIEW_RUNNING
           && !ngx_queue_empty(&reviews->queue))
    {
        q = ngx_queue_head(&reviews->queue);
        ngx_queue_remove(q);

        review = ngx_queue_data(q, ngx_k8s_sa_review_t, queue);

        review->queued = 0;
        ngx_k8s_sa_place_leave(&reviews->places, review->client);

        if (ngx_k8s_sa_review_send(review) != NGX_OK) {
            ngx_k8s_sa_review_failed(review, "no memory", 0);

        } else {
            ngx_k8s_sa_review_hold(review);
        }
    }
}


static void
ngx_k8s_sa_review_elsewhere(ngx_k8s_sa_review_t *review)
{
    ngx_uint_t      n;
    ngx_msec_int_t  left;

    if (!review->elsewhere) {
        review->elsewhere = 1;
        ngx_k8s_sa_place_take(&review->issuer->reviews->places,
                              review->client);
    }

    n = ngx_min(review->looks, NGX_K8S_SA_REVIEW_LOOKS);
    review->looks++;

    left = review->deadline - ngx_current_msec;

    ngx_k8s_sa_review_after(review,
                            ngx_min(NGX_K8S_SA_REVIEW_LOOK << n, left));
}


/*
 * Looks for the other worker's verdict, or takes over if that worker has given
 * up.
 */

static void
ngx_k8s_sa_review_look(ngx_k8s_sa_review_t *review)
{
    ngx_int_t                    rc;
    ngx_pool_t                  *pool;
    ngx_k8s_sa_issuer_t         *issuer;
    ngx_k8s_sa_review_result_t   result;

    issuer = review->issuer;

    if (ngx_k8s_sa_reviewed_is_fresh(issuer, review->request.key)) {

        issuer->reviews->down = 0;

        pool = ngx_create_pool(4096, issuer->log);

        rc = pool ? ngx_k8s_sa_reviewed_get(issuer, review->request.key, 0,
                                            pool, &result)
                  : NGX_ERROR;

        if (rc == NGX_OK) {
            ngx_k8s_sa_review_done(review, &result);

        } else {
            ngx_k8s_sa_review_failed(review, "no memory", 0);
        }

        if (pool) {
            ngx_destroy_pool(pool);
        }

        return;
    }

    if (ngx_k8s_sa_review_turn(review) != NGX_OK) {
        ngx_k8s_sa_review_elsewhere(review);
        return;
    }

    review->elsewhere = 0;
    ngx_k8s_sa_place_leave(&issuer->reviews->places, review->client);

    ngx_k8s_sa_review_after(review, review->deadline - ngx_current_msec);

    if (ngx_k8s_sa_review_begin(review) != NGX_OK) {
        ngx_k8s_sa_review_failed(review, "no memory", 0);
        return;
    }

    ngx_k8s_sa_review_hold(review);
}


static void
ngx_k8s_sa_review_answer(const ngx_k8s_sa_answer_t *answer, void *data)
{
    ngx_k8s_sa_review_t *review = data;

    ngx_k8s_sa_issuer_t  *issuer;

    issuer = review->issuer;
    review->ask = NULL;

    switch (answer->outcome) {

    case NGX_K8S_SA_ANSWERED:
        ngx_k8s_sa_review_parse(review, &answer->body);
        break;

    case NGX_K8S_SA_UNANSWERED:
        ngx_k8s_sa_review_failed(review, answer->reason, answer->down);
        break;

    case NGX_K8S_SA_ABANDONED:
        ngx_k8s_sa_review_drop(review);
        break;
    }

    ngx_k8s_sa_review_next(issuer);
}


static void
ngx_k8s_sa_review_parse(ngx_k8s_sa_review_t *review, const ngx_str_t *body)
{
    k8s_sa_error_t               err;
    ngx_k8s_sa_issuer_t         *issuer;
    k8s_sa_token_review_t        document;
    ngx_k8s_sa_review_result_t   result;

    issuer = review->issuer;

    ngx_k8s_sa_review_token_parse(issuer, &review->request, body, &document,
                                  &result, &err);

    if (result.verdict == K8S_SA_REVIEW_FAILED) {
        ngx_k8s_sa_review_failed(review, err.text, 0);

    } else {
        issuer->reviews->down = 0;

        ngx_k8s_sa_count_review(ngx_k8s_sa_keystore_counters(&issuer->ref),
                                ngx_current_msec - review->began, 0);

        ngx_k8s_sa_reviewed_put(issuer, review->request.key,
                                review->request.not_after, &result);
        ngx_k8s_sa_review_done(review, &result);
    }

    k8s_sa_token_review_free(&document);
}


/*
 * Ends a review without a new verdict.  If the API server is down, that is,
 * unreachable or overloaded, a stale verdict serves; not if it refuses us or
 * its answer is nonsense.
 */

static void
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

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa review %xi: failed, %s%s", review->node.node.key,
                   reason, down ? ", the API server is down" : "");

    ngx_memzero(&result, sizeof(ngx_k8s_sa_review_result_t));
    result.verdict = K8S_SA_REVIEW_FAILED;

    if (review->running) {
        ngx_k8s_sa_count_review(ngx_k8s_sa_keystore_counters(&issuer->ref),
                                ngx_current_msec - review->began, 1);
    }

    if (reviews->logged != ngx_time()) {
        reviews->logged = ngx_time();

        ngx_log_error(NGX_LOG_ERR, issuer->log, 0,
                      "k8s_sa: token review of issuer \"%V\" failed: "
                      "%V: %s", &issuer->name, &reviews->url.text, reason);
    }

    /* a review that was never sent says nothing about the API server */

    if (review->running) {
        reviews->down = down;
        reviews->down_msec = ngx_current_msec;
    }

    if (down && reviews->stale) {
        pool = ngx_create_pool(4096, issuer->log);

        if (pool == NULL
            || ngx_k8s_sa_reviewed_get(issuer, review->request.key, 1, pool,
                                       &result)
               != NGX_OK)
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


void
ngx_k8s_sa_review_cancel(ngx_k8s_sa_waiter_t *waiter)
{
    ngx_k8s_sa_review_t  *review;

    if (!waiter->waiting) {
        return;
    }

    ngx_queue_remove(&waiter->queue);
    waiter->waiting = 0;

    review = waiter->review;

    if (review == NULL) {
        return;
    }

    /*
     * A review that was sent continues: the API server works on it anyway, and
     * its verdict serves the token's next request.
     */

    if (!review->running && ngx_queue_empty(&review->waiters)) {
        ngx_k8s_sa_review_drop(review);
        return;
    }

    ngx_k8s_sa_review_hold(review);
}


/* a worker that is shutting down does not exit while there are waiters */

static void
ngx_k8s_sa_review_hold(ngx_k8s_sa_review_t *review)
{
    ngx_uint_t  hold;

    hold = !ngx_queue_empty(&review->waiters);

    review->timer.cancelable = !hold;

    if (review->ask) {
        ngx_k8s_sa_ask_hold(review->ask, hold);
    }
}


static void
ngx_k8s_sa_review_done(ngx_k8s_sa_review_t *review,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, review->issuer->log, 0,
                   "k8s_sa review %xi: done, %s", review->node.node.key,
                   k8s_sa_verdict_info(result->verdict)->word);

    ngx_k8s_sa_review_unlink(review);
    ngx_k8s_sa_wake(&review->waiters, result);
    ngx_k8s_sa_review_free(review);
}


static void
ngx_k8s_sa_review_drop(ngx_k8s_sa_review_t *review)
{
    ngx_k8s_sa_review_unlink(review);
    ngx_k8s_sa_review_free(review);
}


/* removes a review from all lists and stops everything in progress */

static void
ngx_k8s_sa_review_unlink(ngx_k8s_sa_review_t *review)
{
    ngx_k8s_sa_reviews_t  *reviews;

    reviews = review->issuer->reviews;

    ngx_rbtree_delete(&reviews->tree, &review->node.node);

    if (review->queued) {
        ngx_queue_remove(&review->queue);
    }

    if (review->queued || review->elsewhere) {
        ngx_k8s_sa_place_leave(&reviews->places, review->client);
    }

    if (review->leased) {
        ngx_k8s_sa_review_release(review->issuer->zone, review->request.key);
    }

    if (review->running) {
        reviews->running--;
    }

    if (review->ask) {
        ngx_k8s_sa_ask_cancel(review->ask);
        review->ask = NULL;
    }

    if (review->timer.timer_set) {
        ngx_del_timer(&review->timer);
    }
}


static void
ngx_k8s_sa_review_free(ngx_k8s_sa_review_t *review)
{
    ngx_explicit_memzero(review, review->size);
    ngx_free(review);
}


static void
ngx_k8s_sa_review_after(ngx_k8s_sa_review_t *review, ngx_msec_t delay)
{
    if (review->timer.timer_set) {

        /* ngx_add_timer() would keep the old time if it is close */

        ngx_del_timer(&review->timer);
    }

    ngx_add_timer(&review->timer, delay);
}


static void
ngx_k8s_sa_review_timer(ngx_event_t *ev)
{
    ngx_uint_t            hangs;
    ngx_connection_t     *dummy;
    ngx_k8s_sa_issuer_t  *issuer;
    ngx_k8s_sa_review_t  *review;

    dummy = ev->data;
    review = dummy->data;
    issuer = review->issuer;

    if (review->elsewhere
        && (ngx_msec_int_t) (review->deadline - ngx_current_msec) > 0)
    {
        ngx_k8s_sa_review_look(review);

    } else {
        /* time spent in our queue says nothing about the API server */

        hangs = review->running
                && ngx_current_msec - review->began >= issuer->timeout;

        ngx_k8s_sa_review_failed(review,
                                 review->running
                                 ? "timed out"
                                 : "timed out waiting for other reviews",
                                 hangs || issuer->reviews->down);
    }

    ngx_k8s_sa_review_next(issuer);
}
