/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_review_state.h"
#include "shared/ngx_k8s_sa_review_lease.h"


/* any part of a fingerprint is a hash */

ngx_uint_t
ngx_k8s_sa_review_hash(const u_char *key)
{
    uint32_t  hash;

    ngx_memcpy(&hash, key, sizeof(hash));

    return hash;
}


ngx_k8s_sa_review_t *
ngx_k8s_sa_review_create(ngx_k8s_sa_reviews_t *reviews,
    const ngx_k8s_sa_review_request_t *request, ngx_event_handler_pt handler)
{
    ngx_msec_t            timeout;
    ngx_log_t            *log;
    ngx_k8s_sa_review_t  *review;

    log = reviews->issuer->log;
    timeout = reviews->issuer->timeout + NGX_K8S_SA_REVIEW_GRACE;

    review = ngx_calloc(sizeof(ngx_k8s_sa_review_t), log);
    if (review == NULL) {
        return NULL;
    }

    review->request = reviews->kind->copy(reviews, request, &review->size);
    if (review->request == NULL) {
        ngx_free(review);
        return NULL;
    }

    review->reviews = reviews;
    review->deadline = ngx_current_msec + timeout;

    ngx_queue_init(&review->waiters);

    review->node.str.len = K8S_SA_FINGERPRINT_LEN;
    review->node.str.data = review->request->key;

    review->dummy.fd = (ngx_socket_t) -1;
    review->dummy.data = review;

    review->timer.data = &review->dummy;
    review->timer.handler = handler;
    review->timer.log = log;

    ngx_add_timer(&review->timer, timeout);

    review->node.node.key = ngx_k8s_sa_review_hash(request->key);
    ngx_rbtree_insert(&reviews->tree, &review->node.node);

    return review;
}


void
ngx_k8s_sa_review_unlink(ngx_k8s_sa_review_t *review)
{
    ngx_k8s_sa_reviews_t  *reviews;

    reviews = review->reviews;

    ngx_rbtree_delete(&reviews->tree, &review->node.node);

    if (review->queued) {
        ngx_k8s_sa_turns_remove(&reviews->turns, review->request->owner,
                                &review->queue);
    }

    if (review->queued || review->elsewhere) {
        ngx_k8s_sa_place_leave(&reviews->places, review->request->owner);
    }

    if (review->leased) {
        ngx_k8s_sa_review_release(reviews->issuer->zone,
                                  review->request->key);
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


void
ngx_k8s_sa_review_free(ngx_k8s_sa_review_t *review)
{
    ngx_explicit_memzero(review->request, review->size);

    ngx_free(review->request);
    ngx_free(review);
}


void
ngx_k8s_sa_review_after(ngx_k8s_sa_review_t *review, ngx_msec_t delay)
{
    if (review->timer.timer_set) {

        /* ngx_add_timer() would keep the old time if it is close */

        ngx_del_timer(&review->timer);
    }

    ngx_add_timer(&review->timer, delay);
}


void
ngx_k8s_sa_review_hold(ngx_k8s_sa_review_t *review)
{
    ngx_uint_t  hold;

    hold = !ngx_queue_empty(&review->waiters);

    review->timer.cancelable = !hold;

    if (review->ask) {
        ngx_k8s_sa_ask_hold(review->ask, hold);
    }
}
