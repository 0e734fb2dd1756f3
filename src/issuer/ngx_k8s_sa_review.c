/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_review_ask.h"
#include "shared/ngx_k8s_sa_review_lease.h"
#include "token/k8s_sa_packed.h"


#define NGX_K8S_SA_REVIEW_WAITING  1024
#define NGX_K8S_SA_REVIEW_PROBE   1000   /* ms between tries while it is down
                                            and old verdicts serve */
#define NGX_K8S_SA_REVIEW_LOOK    4      /* ms until the first look at what
                                            another worker has found out, */
#define NGX_K8S_SA_REVIEW_LOOKS   5      /* doubled so many times */


static ngx_int_t ngx_k8s_sa_review_entry(ngx_k8s_sa_issuer_t *issuer,
    const u_char *key, ngx_k8s_sa_cache_entry_t *e);
static ngx_uint_t ngx_k8s_sa_review_is_fresh(ngx_k8s_sa_cache_entry_t *e);
static ngx_uint_t ngx_k8s_sa_review_is_stale(ngx_k8s_sa_reviews_t *reviews,
    ngx_k8s_sa_cache_entry_t *e);
static ngx_int_t ngx_k8s_sa_review_unpack(ngx_k8s_sa_cache_entry_t *e,
    ngx_pool_t *pool, ngx_k8s_sa_review_result_t *result);
static ngx_k8s_sa_review_t *ngx_k8s_sa_review_create(
    ngx_k8s_sa_issuer_t *issuer, const ngx_k8s_sa_review_request_t *request);
static ngx_int_t ngx_k8s_sa_review_turn(ngx_k8s_sa_review_t *review);
static ngx_int_t ngx_k8s_sa_review_begin(ngx_k8s_sa_review_t *review);
static void ngx_k8s_sa_review_elsewhere(ngx_k8s_sa_review_t *review);
static void ngx_k8s_sa_review_look(ngx_k8s_sa_review_t *review);
static void ngx_k8s_sa_review_unlink(ngx_k8s_sa_review_t *review);
static void ngx_k8s_sa_review_free(ngx_k8s_sa_review_t *review);
static void ngx_k8s_sa_review_timer(ngx_event_t *ev);


/* of an entry that has just been looked up */

static u_char  ngx_k8s_sa_review_buf[NGX_K8S_SA_CACHE_DATA_MAX];


void
ngx_k8s_sa_review_init(ngx_k8s_sa_issuer_t *issuer)
{
    ngx_k8s_sa_reviews_t  *reviews;

    reviews = issuer->reviews;

    ngx_rbtree_init(&reviews->tree, &reviews->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&reviews->queue);

    ngx_k8s_sa_client_init_process(reviews->client);
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

    ngx_k8s_sa_client_shutdown(reviews->client);
}


ngx_int_t
ngx_k8s_sa_review_lookup(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_k8s_sa_reviews_t      *reviews;
    ngx_k8s_sa_cache_entry_t   e;

    reviews = issuer->reviews;

    if (ngx_k8s_sa_review_entry(issuer, request->key, &e) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (!ngx_k8s_sa_review_is_fresh(&e)) {

        if (!reviews->down || !ngx_k8s_sa_review_is_stale(reviews, &e)) {
            return NGX_DECLINED;
        }

        /* one of the tokens is used to see whether it is back */

        if (reviews->running == 0
            && ngx_current_msec - reviews->down_msec
               >= NGX_K8S_SA_REVIEW_PROBE)
        {
            (void) ngx_k8s_sa_review_start(issuer, request, NULL);
        }
    }

    return ngx_k8s_sa_review_unpack(&e, pool, result);
}


ngx_int_t
ngx_k8s_sa_review_stale(ngx_k8s_sa_review_t *review, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_k8s_sa_issuer_t       *issuer;
    ngx_k8s_sa_cache_entry_t   e;

    issuer = review->issuer;

    if (ngx_k8s_sa_review_entry(issuer, review->node.str.data, &e) != NGX_OK
        || !ngx_k8s_sa_review_is_stale(issuer->reviews, &e))
    {
        return NGX_DECLINED;
    }

    return ngx_k8s_sa_review_unpack(&e, pool, result);
}


/* its data is there until the next one */

static ngx_int_t
ngx_k8s_sa_review_entry(ngx_k8s_sa_issuer_t *issuer, const u_char *key,
    ngx_k8s_sa_cache_entry_t *e)
{
    return ngx_k8s_sa_cache_lookup(issuer->zone, key, ngx_time(), e,
                                   ngx_k8s_sa_review_buf,
                                   sizeof(ngx_k8s_sa_review_buf));
}


static ngx_uint_t
ngx_k8s_sa_review_is_fresh(ngx_k8s_sa_cache_entry_t *e)
{
    return (ngx_msec_int_t) ((ngx_msec_t) e->fresh - ngx_current_msec) > 0;
}


/* past its time, but to be used if nobody can be asked */

static ngx_uint_t
ngx_k8s_sa_review_is_stale(ngx_k8s_sa_reviews_t *reviews,
    ngx_k8s_sa_cache_entry_t *e)
{
    return e->kind == NGX_K8S_SA_CACHE_REVIEWED
           && (ngx_msec_int_t) (ngx_current_msec - (ngx_msec_t) e->fresh)
              < (ngx_msec_int_t) reviews->stale;
}


static ngx_int_t
ngx_k8s_sa_review_unpack(ngx_k8s_sa_cache_entry_t *e, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result)
{
    u_char  *p;
    size_t   size;

    ngx_memzero(result, sizeof(ngx_k8s_sa_review_result_t));

    result->verdict = e->verdict;
    result->fresh = (ngx_msec_t) e->fresh;

    switch (e->kind) {

    case NGX_K8S_SA_CACHE_REFUSED:

        p = ngx_pnalloc(pool, e->len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        result->reason.data = p;
        result->reason.len = e->len;
        ngx_memcpy(p, e->data, e->len);

        return e->verdict == K8S_SA_VERDICT_OK ? NGX_DECLINED : NGX_OK;

    case NGX_K8S_SA_CACHE_REVIEWED:

        size = k8s_sa_packed_size(e->data, e->len);

        if (size == 0 || e->verdict != K8S_SA_VERDICT_OK) {
            return NGX_DECLINED;
        }

        result->identity = ngx_palloc(pool, sizeof(k8s_sa_identity_t));
        p = ngx_pnalloc(pool, size);

        if (result->identity == NULL || p == NULL) {
            return NGX_ERROR;
        }

        return k8s_sa_identity_unpack(result->identity, e->data, e->len, p, size)
               == K8S_SA_OK ? NGX_OK : NGX_DECLINED;

    default:

        return NGX_DECLINED;
    }
}


ngx_int_t
ngx_k8s_sa_review_start(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request,
    ngx_k8s_sa_waiter_t *waiter)
{
    uint32_t               hash;
    ngx_str_t              key;
    ngx_k8s_sa_review_t   *review;
    ngx_k8s_sa_reviews_t  *reviews;

    reviews = issuer->reviews;

    key.len = K8S_SA_FINGERPRINT_LEN;
    key.data = (u_char *) request->key;

    /* any part of a fingerprint is a hash */

    ngx_memcpy(&hash, request->key, sizeof(hash));

    review = (ngx_k8s_sa_review_t *) ngx_str_rbtree_lookup(&reviews->tree,
                                                           &key, hash);

    if (review == NULL) {

        if (reviews->waiting == NGX_K8S_SA_REVIEW_WAITING) {
            return NGX_BUSY;
        }

        review = ngx_k8s_sa_review_create(issuer, request);
        if (review == NULL) {
            return NGX_ERROR;
        }

        review->node.node.key = hash;
        ngx_rbtree_insert(&reviews->tree, &review->node.node);

        if (ngx_k8s_sa_review_turn(review) != NGX_OK) {
            ngx_k8s_sa_review_elsewhere(review);

        } else if (ngx_k8s_sa_review_begin(review) != NGX_OK) {
            ngx_k8s_sa_review_drop(review);
            return NGX_ERROR;
        }
    }

    if (waiter) {
        ngx_queue_insert_tail(&review->waiters, &waiter->queue);
        waiter->review = review;
        waiter->waiting = 1;
    }

    ngx_k8s_sa_review_hold(review);

    return NGX_AGAIN;
}


/* NGX_OK: ask; NGX_AGAIN: another worker asks, or has just done so */

static ngx_int_t
ngx_k8s_sa_review_turn(ngx_k8s_sa_review_t *review)
{
    ngx_int_t                  rc;
    ngx_k8s_sa_issuer_t       *issuer;
    ngx_k8s_sa_cache_entry_t   e;

    issuer = review->issuer;

    if (issuer->reviews->cache == 0) {

        /* nobody can wait for what is not kept */

        return NGX_OK;
    }

    rc = ngx_k8s_sa_review_lease(issuer->zone, review->node.str.data,
                                 review->deadline - ngx_current_msec);
    if (rc == NGX_BUSY) {
        return NGX_AGAIN;
    }

    review->leased = (rc == NGX_OK);

    if (ngx_k8s_sa_review_entry(issuer, review->node.str.data, &e) == NGX_OK
        && ngx_k8s_sa_review_is_fresh(&e))
    {
        return NGX_AGAIN;
    }

    return NGX_OK;
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
    reviews->waiting++;

    return NGX_OK;
}


static void
ngx_k8s_sa_review_elsewhere(ngx_k8s_sa_review_t *review)
{
    ngx_uint_t      n;
    ngx_msec_int_t  left;

    if (!review->elsewhere) {
        review->elsewhere = 1;
        review->issuer->reviews->waiting++;
    }

    n = ngx_min(review->looks, NGX_K8S_SA_REVIEW_LOOKS);
    review->looks++;

    left = review->deadline - ngx_current_msec;

    ngx_k8s_sa_review_after(review,
                            ngx_min(NGX_K8S_SA_REVIEW_LOOK << n, left));
}


/* for what the other worker has found out, or for its turn */

static void
ngx_k8s_sa_review_look(ngx_k8s_sa_review_t *review)
{
    ngx_int_t                    rc;
    ngx_pool_t                  *pool;
    ngx_k8s_sa_issuer_t         *issuer;
    ngx_k8s_sa_cache_entry_t     e;
    ngx_k8s_sa_review_result_t   result;

    issuer = review->issuer;

    if (ngx_k8s_sa_review_entry(issuer, review->node.str.data, &e) == NGX_OK
        && ngx_k8s_sa_review_is_fresh(&e))
    {
        issuer->reviews->down = 0;

        pool = ngx_create_pool(4096, issuer->log);

        rc = pool ? ngx_k8s_sa_review_unpack(&e, pool, &result) : NGX_ERROR;

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
    issuer->reviews->waiting--;

    ngx_k8s_sa_review_after(review, review->deadline - ngx_current_msec);

    if (ngx_k8s_sa_review_begin(review) != NGX_OK) {
        ngx_k8s_sa_review_failed(review, "no memory", 0);
        return;
    }

    ngx_k8s_sa_review_hold(review);
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
     * What has been sent goes on: the API server works on it anyway, and its
     * verdict serves the token's next request.
     */

    if (!review->running && ngx_queue_empty(&review->waiters)) {
        ngx_k8s_sa_review_drop(review);
        return;
    }

    ngx_k8s_sa_review_hold(review);
}


/* a worker that is shutting down stays as long as somebody waits */

void
ngx_k8s_sa_review_hold(ngx_k8s_sa_review_t *review)
{
    ngx_uint_t  hold;

    hold = !ngx_queue_empty(&review->waiters);

    review->timer.cancelable = !hold;

    if (review->exchange) {
        ngx_k8s_sa_exchange_hold(review->exchange, hold);
    }
}


/* one block: the review, its token, its audience */

static ngx_k8s_sa_review_t *
ngx_k8s_sa_review_create(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request)
{
    u_char               *p;
    size_t                size;
    ngx_k8s_sa_review_t  *review;

    size = sizeof(ngx_k8s_sa_review_t) + K8S_SA_FINGERPRINT_LEN
           + request->token.len
           + (request->audience ? request->audience->len : 0);

    review = ngx_calloc(size, issuer->log);
    if (review == NULL) {
        return NULL;
    }

    review->size = size;
    review->issuer = issuer;
    review->not_after = request->not_after;
    review->deadline = ngx_current_msec + issuer->timeout
                       + NGX_K8S_SA_REVIEW_GRACE;

    ngx_queue_init(&review->waiters);

    p = (u_char *) review + sizeof(ngx_k8s_sa_review_t);

    review->node.str.len = K8S_SA_FINGERPRINT_LEN;
    review->node.str.data = p;
    p = ngx_cpymem(p, request->key, K8S_SA_FINGERPRINT_LEN);

    review->token.len = request->token.len;
    review->token.data = p;
    p = ngx_cpymem(p, request->token.data, request->token.len);

    if (request->audience) {
        review->own_audience = 1;

        if (request->audience->data) {
            review->audience.len = request->audience->len;
            review->audience.data = p;
            ngx_memcpy(p, request->audience->data, request->audience->len);
        }
    }

    review->dummy.fd = (ngx_socket_t) -1;
    review->dummy.data = review;

    review->timer.data = &review->dummy;
    review->timer.handler = ngx_k8s_sa_review_timer;
    review->timer.log = issuer->log;

    ngx_add_timer(&review->timer, issuer->timeout + NGX_K8S_SA_REVIEW_GRACE);

    return review;
}


void
ngx_k8s_sa_review_drop(ngx_k8s_sa_review_t *review)
{
    ngx_k8s_sa_review_unlink(review);
    ngx_k8s_sa_review_free(review);
}


/* nobody finds it any more, nothing goes on in it */

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
        reviews->waiting--;
    }

    if (review->leased) {
        ngx_k8s_sa_review_release(review->issuer->zone, review->node.str.data);
    }

    if (review->running) {
        reviews->running--;
    }

    if (review->exchange) {
        ngx_k8s_sa_exchange_cancel(review->exchange);
        review->exchange = NULL;
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


void
ngx_k8s_sa_review_after(ngx_k8s_sa_review_t *review, ngx_msec_t delay)
{
    if (review->timer.timer_set) {

        /* ngx_add_timer() would leave one of almost the same time */

        ngx_del_timer(&review->timer);
    }

    ngx_add_timer(&review->timer, delay);
}


/* its end, or the next try, or look */

static void
ngx_k8s_sa_review_timer(ngx_event_t *ev)
{
    ngx_msec_int_t        left;
    ngx_connection_t     *dummy;
    ngx_k8s_sa_issuer_t  *issuer;
    ngx_k8s_sa_review_t  *review;

    dummy = ev->data;
    review = dummy->data;
    issuer = review->issuer;

    left = review->deadline - ngx_current_msec;

    if (review->queued || review->exchange || left <= 0) {
        ngx_k8s_sa_review_failed(review,
                                 review->queued || review->elsewhere
                                 ? "timed out behind other reviews"
                                 : "timed out", 1);

    } else if (review->elsewhere) {
        ngx_k8s_sa_review_look(review);

    } else {
        ngx_add_timer(&review->timer, left);

        if (ngx_k8s_sa_review_send(review) != NGX_OK) {
            ngx_k8s_sa_review_failed(review, "no memory", 0);

        } else {
            ngx_k8s_sa_review_hold(review);
        }
    }

    ngx_k8s_sa_review_next(issuer);
}


void
ngx_k8s_sa_review_done(ngx_k8s_sa_review_t *review,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_k8s_sa_review_unlink(review);
    ngx_k8s_sa_wake(&review->waiters, result);
    ngx_k8s_sa_review_free(review);
}


void
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
        reviews->waiting--;

        if (ngx_k8s_sa_review_send(review) != NGX_OK) {
            ngx_k8s_sa_review_failed(review, "no memory", 0);

        } else {
            ngx_k8s_sa_review_hold(review);
        }
    }
}
