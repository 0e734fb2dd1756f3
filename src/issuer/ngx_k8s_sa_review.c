/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_review_state.h"
#include "shared/ngx_k8s_sa_review_lease.h"


#define NGX_K8S_SA_REVIEW_PROBE    1000  /* ms between tries while the API
                                            server is down and stale verdicts
                                            serve */
#define NGX_K8S_SA_REVIEW_LOOK     4     /* ms until the first look for another
                                            worker's verdict */
#define NGX_K8S_SA_REVIEW_LOOKS    5     /* how often that is doubled */


static ngx_uint_t ngx_k8s_sa_review_is_due(
    const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_result_t *result);
static void ngx_k8s_sa_review_ahead(ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request);
static ngx_k8s_sa_review_t *ngx_k8s_sa_review_find(
    ngx_k8s_sa_reviews_t *reviews, const u_char *key);
static ngx_int_t ngx_k8s_sa_review_room(ngx_k8s_sa_reviews_t *reviews,
    uint32_t owner);
static ngx_int_t ngx_k8s_sa_review_turn(ngx_k8s_sa_review_t *review);
static ngx_int_t ngx_k8s_sa_review_take(ngx_k8s_sa_review_t *review);
static ngx_int_t ngx_k8s_sa_review_begin(ngx_k8s_sa_review_t *review);
static ngx_int_t ngx_k8s_sa_review_send(ngx_k8s_sa_review_t *review);
static ngx_uint_t ngx_k8s_sa_review_refuses(const ngx_str_t *body,
    void *data);
static void ngx_k8s_sa_review_next(ngx_k8s_sa_reviews_t *reviews);
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
static void ngx_k8s_sa_review_timer(ngx_event_t *ev);


void
ngx_k8s_sa_review_init(ngx_k8s_sa_reviews_t *reviews)
{
    ngx_rbtree_init(&reviews->tree, &reviews->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_k8s_sa_turns_init(&reviews->turns);
}


void
ngx_k8s_sa_review_stop(ngx_k8s_sa_reviews_t *reviews)
{
    ngx_queue_t          *q;
    ngx_rbtree_t         *tree;
    ngx_k8s_sa_review_t  *review;
    ngx_k8s_sa_waiter_t  *waiter;

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
ngx_k8s_sa_review_lookup(ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_int_t  rc;

    rc = reviews->kind->get(reviews, request->key, reviews->down, pool,
                            result);

    if (rc == NGX_OK) {
        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, reviews->issuer->log, 0,
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
        (void) ngx_k8s_sa_review_start(reviews, request, NULL);

    } else if (rc == NGX_OK && ngx_k8s_sa_review_is_due(reviews, result)) {
        ngx_k8s_sa_review_ahead(reviews, request);
    }

    return rc;
}


/*
 * Returns 1 in the last fifth of an accepting verdict's life, if it has not
 * been tried yet and there is a free place for a review.
 */

static ngx_uint_t
ngx_k8s_sa_review_is_due(const ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_result_t *result)
{
    ngx_msec_int_t  left;

    left = result->fresh - ngx_current_msec;

    return result->verdict == K8S_SA_VERDICT_OK && !result->claimed
           && left > 0
           && left <= (ngx_msec_int_t) ngx_k8s_sa_review_ahead_time(reviews)
           && !reviews->down
           && reviews->running < NGX_K8S_SA_REVIEW_RUNNING;
}


/*
 * Starts a review without a waiter, which is never queued.  If it fails, the
 * verdict is left to its end: it cannot be claimed again.
 */

static void
ngx_k8s_sa_review_ahead(ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request)
{
    ngx_k8s_sa_review_t  *review;

    if (ngx_k8s_sa_review_find(reviews, request->key)
        || ngx_k8s_sa_cache_claim(reviews->issuer->zone, request->key)
           != NGX_OK)
    {
        return;
    }

    review = ngx_k8s_sa_review_create(reviews, request,
                                      ngx_k8s_sa_review_timer);
    if (review == NULL) {
        return;
    }

    if (ngx_k8s_sa_review_take(review) == NGX_BUSY
        || ngx_k8s_sa_review_send(review) != NGX_OK)
    {
        ngx_k8s_sa_review_drop(review);
        return;
    }

    ngx_k8s_sa_review_hold(review);
}


static ngx_k8s_sa_review_t *
ngx_k8s_sa_review_find(ngx_k8s_sa_reviews_t *reviews, const u_char *key)
{
    ngx_str_t  s;

    s.len = K8S_SA_FINGERPRINT_LEN;
    s.data = (u_char *) key;

    return (ngx_k8s_sa_review_t *) ngx_str_rbtree_lookup(&reviews->tree, &s,
                                                 ngx_k8s_sa_review_hash(key));
}


ngx_int_t
ngx_k8s_sa_review_start(ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request,
    ngx_k8s_sa_waiter_t *waiter)
{
    ngx_k8s_sa_review_t  *review;

    review = ngx_k8s_sa_review_find(reviews, request->key);

    if (review == NULL) {

        if (ngx_k8s_sa_review_room(reviews, request->owner) != NGX_OK) {
            return NGX_BUSY;
        }

        review = ngx_k8s_sa_review_create(reviews, request,
                                          ngx_k8s_sa_review_timer);
        if (review == NULL) {
            return NGX_ERROR;
        }

        if (ngx_k8s_sa_review_turn(review) != NGX_OK) {
            ngx_k8s_sa_review_elsewhere(review);

        } else if (ngx_k8s_sa_review_begin(review) != NGX_OK) {
            ngx_k8s_sa_review_drop(review);
            return NGX_ERROR;
        }
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, reviews->issuer->log, 0,
                   "k8s_sa review %xi: %s, issuer \"%V\"",
                   review->node.node.key,
                   review->running ? "running"
                                   : review->queued ? "queued"
                                                    : "of another worker",
                   &reviews->issuer->name);

    if (waiter) {
        ngx_queue_insert_tail(&review->waiters, &waiter->queue);
        waiter->review = review;
        waiter->waiting = 1;
    }

    ngx_k8s_sa_review_hold(review);

    return NGX_AGAIN;
}


/*
 * Returns NGX_OK if there is a place for one more review, or NGX_BUSY.  If all
 * places are taken, the newest review to be sent of the owner with the most
 * places gives way.
 */

static ngx_int_t
ngx_k8s_sa_review_room(ngx_k8s_sa_reviews_t *reviews, uint32_t owner)
{
    uint32_t              most;
    ngx_queue_t          *q;
    ngx_k8s_sa_places_t  *places;
    ngx_k8s_sa_review_t  *review;

    places = &reviews->places;

    if (!ngx_k8s_sa_places_left(places, owner, reviews->kind->share)) {
        return NGX_BUSY;
    }

    if (!ngx_k8s_sa_places_full(places)) {
        return NGX_OK;
    }

    most = ngx_k8s_sa_places_most(places);

    if (owner == 0
        || !ngx_k8s_sa_places_left(places, owner, places->clients[most] - 1))
    {
        return NGX_BUSY;
    }

    q = ngx_k8s_sa_turns_newest(&reviews->turns, most);
    if (q == NULL) {
        return NGX_BUSY;
    }

    review = ngx_queue_data(q, ngx_k8s_sa_review_t, queue);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, reviews->issuer->log, 0,
                   "k8s_sa review %xi: gives way", review->node.node.key);

    ngx_k8s_sa_turns_remove(&reviews->turns, review->request->owner, q);
    ngx_k8s_sa_place_leave(places, review->request->owner);

    /* its waiters may belong to the request that waits now: not from here */

    review->queued = 0;
    review->displaced = 1;
    ngx_k8s_sa_review_after(review, 1);

    return NGX_OK;
}


/* NGX_OK: ask; NGX_AGAIN: another worker asks, or has just been answered. */

static ngx_int_t
ngx_k8s_sa_review_turn(ngx_k8s_sa_review_t *review)
{
    ngx_k8s_sa_reviews_t  *reviews;

    reviews = review->reviews;

    if (reviews->cache == 0) {

        /* verdicts are not remembered, so other workers cannot share them */

        return NGX_OK;
    }

    if (ngx_k8s_sa_review_take(review) == NGX_BUSY) {
        return NGX_AGAIN;
    }

    return reviews->kind->is_fresh(reviews, review->request->key) ? NGX_AGAIN
                                                                  : NGX_OK;
}


/* Takes the lease, and returns what ngx_k8s_sa_review_lease() does. */

static ngx_int_t
ngx_k8s_sa_review_take(ngx_k8s_sa_review_t *review)
{
    ngx_int_t             rc;
    ngx_k8s_sa_issuer_t  *issuer;

    issuer = review->reviews->issuer;

    rc = ngx_k8s_sa_review_lease(issuer->zone, review->request->key,
                                 review->deadline - ngx_current_msec);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa review %xi: lease %s", review->node.node.key,
                   rc == NGX_OK ? "taken"
                                : rc == NGX_BUSY ? "of another worker"
                                                 : "not available");

    review->leased = (rc == NGX_OK);

    return rc;
}


static ngx_int_t
ngx_k8s_sa_review_begin(ngx_k8s_sa_review_t *review)
{
    ngx_k8s_sa_reviews_t  *reviews;

    reviews = review->reviews;

    if (reviews->running < NGX_K8S_SA_REVIEW_RUNNING) {
        return ngx_k8s_sa_review_send(review);
    }

    ngx_k8s_sa_turns_push(&reviews->turns, review->request->owner,
                          &review->queue);
    ngx_k8s_sa_place_take(&reviews->places, review->request->owner);
    review->queued = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_k8s_sa_review_send(ngx_k8s_sa_review_t *review)
{
    ngx_str_t               body;
    ngx_k8s_sa_issuer_t    *issuer;
    ngx_k8s_sa_reviews_t   *reviews;
    ngx_k8s_sa_question_t   question;

    reviews = review->reviews;
    issuer = reviews->issuer;

    ngx_memzero(&question, sizeof(ngx_k8s_sa_question_t));

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa review %xi: asking", review->node.node.key);

    review->running = 1;
    review->began = ngx_current_msec;
    reviews->running++;

    if (reviews->kind->body(reviews, review->request, &body) != NGX_OK) {
        return NGX_ERROR;
    }

    question.client = issuer->client;
    question.url = &reviews->url;
    question.credential = issuer->token_file;
    question.body = body;
    question.deadline = review->deadline - NGX_K8S_SA_REVIEW_GRACE;
    question.forbidden = reviews->kind->forbidden(reviews);
    question.handler = ngx_k8s_sa_review_answer;
    question.refuses = reviews->kind->refuses ? ngx_k8s_sa_review_refuses
                                              : NULL;
    question.data = review;
    question.log = issuer->log;
    question.hold = 1;

    review->ask = ngx_k8s_sa_ask(&question);

    ngx_explicit_memzero(body.data, body.len);
    free(body.data);

    return review->ask ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_k8s_sa_review_refuses(const ngx_str_t *body, void *data)
{
    ngx_k8s_sa_review_t *review = data;

    return review->reviews->kind->refuses(review->reviews, body);
}


/* sends the reviews whose turn it is */

static void
ngx_k8s_sa_review_next(ngx_k8s_sa_reviews_t *reviews)
{
    ngx_queue_t          *q;
    ngx_k8s_sa_review_t  *review;

    while (reviews->running < NGX_K8S_SA_REVIEW_RUNNING) {

        q = ngx_k8s_sa_turns_next(&reviews->turns);
        if (q == NULL) {
            break;
        }

        review = ngx_queue_data(q, ngx_k8s_sa_review_t, queue);

        review->queued = 0;
        ngx_k8s_sa_place_leave(&reviews->places, review->request->owner);

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
        ngx_k8s_sa_place_take(&review->reviews->places,
                              review->request->owner);
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
    ngx_k8s_sa_reviews_t        *reviews;
    ngx_k8s_sa_review_result_t   result;

    reviews = review->reviews;

    if (reviews->kind->is_fresh(reviews, review->request->key)) {

        reviews->down = 0;

        pool = ngx_create_pool(4096, reviews->issuer->log);

        rc = pool ? reviews->kind->get(reviews, review->request->key, 0, pool,
                                       &result)
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
    ngx_k8s_sa_place_leave(&reviews->places, review->request->owner);

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

    ngx_k8s_sa_reviews_t  *reviews;

    reviews = review->reviews;
    review->ask = NULL;

    switch (answer->outcome) {

    case NGX_K8S_SA_ANSWERED:
        ngx_k8s_sa_review_parse(review, &answer->body);
        break;

    case NGX_K8S_SA_UNANSWERED:
        ngx_k8s_sa_review_failed(review, answer->reason,
                                 reviews->kind->strict ? answer->gone
                                                       : answer->down);
        break;

    case NGX_K8S_SA_ABANDONED:
        ngx_k8s_sa_review_drop(review);
        break;
    }

    ngx_k8s_sa_review_next(reviews);
}


static void
ngx_k8s_sa_review_parse(ngx_k8s_sa_review_t *review, const ngx_str_t *body)
{
    ngx_pool_t                  *pool;
    k8s_sa_error_t               err;
    ngx_k8s_sa_reviews_t        *reviews;
    ngx_k8s_sa_review_result_t   result;

    reviews = review->reviews;

    pool = ngx_create_pool(1024, reviews->issuer->log);
    if (pool == NULL) {
        ngx_k8s_sa_review_failed(review, "no memory", 0);
        return;
    }

    reviews->kind->parse(reviews, review->request, body, pool, &result, &err);

    if (result.verdict == K8S_SA_REVIEW_FAILED) {
        ngx_k8s_sa_review_failed(review, err.text, 0);

    } else {
        reviews->down = 0;

        reviews->kind->count(reviews, ngx_current_msec - review->began,
                             result.verdict);
        reviews->kind->put(reviews, review->request, &result);

        ngx_k8s_sa_review_done(review, &result);
    }

    ngx_destroy_pool(pool);
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

    reviews = review->reviews;
    issuer = reviews->issuer;
    pool = NULL;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, issuer->log, 0,
                   "k8s_sa review %xi: failed, %s%s", review->node.node.key,
                   reason, down ? ", the API server is down" : "");

    ngx_memzero(&result, sizeof(ngx_k8s_sa_review_result_t));
    result.verdict = K8S_SA_REVIEW_FAILED;

    if (review->running) {
        reviews->kind->count(reviews, ngx_current_msec - review->began,
                             K8S_SA_REVIEW_FAILED);
    }

    if (reviews->logged != ngx_time()) {
        reviews->logged = ngx_time();

        ngx_log_error(NGX_LOG_ERR, issuer->log, 0,
                      "k8s_sa: %s of issuer \"%V\" failed: %V: %s",
                      reviews->kind->name, &issuer->name, &reviews->url.text,
                      reason);
    }

    /* a review that was never sent says nothing about the API server */

    if (review->running) {
        reviews->down = down;
        reviews->down_msec = ngx_current_msec;
    }

    if (down && reviews->stale) {
        pool = ngx_create_pool(4096, issuer->log);

        if (pool == NULL
            || reviews->kind->get(reviews, review->request->key, 1, pool,
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


static void
ngx_k8s_sa_review_done(ngx_k8s_sa_review_t *review,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, review->reviews->issuer->log, 0,
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


static void
ngx_k8s_sa_review_timer(ngx_event_t *ev)
{
    ngx_uint_t                   hangs;
    ngx_connection_t            *dummy;
    ngx_k8s_sa_review_t         *review;
    ngx_k8s_sa_reviews_t        *reviews;
    ngx_k8s_sa_review_result_t   result;

    dummy = ev->data;
    review = dummy->data;
    reviews = review->reviews;

    if (review->displaced) {
        ngx_memzero(&result, sizeof(ngx_k8s_sa_review_result_t));
        result.verdict = K8S_SA_BUSY;

        ngx_k8s_sa_review_done(review, &result);
        return;
    }

    if (review->elsewhere
        && (ngx_msec_int_t) (review->deadline - ngx_current_msec) > 0)
    {
        ngx_k8s_sa_review_look(review);

    } else {
        /* time spent in our queue says nothing about the API server */

        hangs = review->running
                && ngx_current_msec - review->began
                   >= reviews->issuer->timeout;

        ngx_k8s_sa_review_failed(review,
                                 review->running
                                 ? "timed out"
                                 : "timed out waiting for other reviews",
                                 hangs || reviews->down);
    }

    ngx_k8s_sa_review_next(reviews);
}
