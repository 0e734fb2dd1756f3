/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reviews: questions to an API server about tokens (TokenReview).
 *
 * Simultaneous reviews of one token are one request: one worker asks, and the
 * others wait for its verdict in the shared zone.  A failure is not stored;
 * after one, another worker asks.
 */

#ifndef NGX_K8S_SA_REVIEW_H
#define NGX_K8S_SA_REVIEW_H


#include "issuer/ngx_k8s_sa_issuer.h"
#include "shared/ngx_k8s_sa_cache.h"


/* How many reviews a worker has in progress at a time, for one issuer. */

#define NGX_K8S_SA_REVIEW_RUNNING  8


/* An issuer's reviews; allocated zeroed, with the configuration. */

struct ngx_k8s_sa_reviews_s {

    /* set with the configuration, allocated from its pool */

    ngx_k8s_sa_url_t         url;
    ngx_msec_t               cache;      /* how long an accepting verdict is
                                            reused */
    ngx_msec_t               failed;     /* how long a refusing one is */
    ngx_msec_t               stale;      /* how much longer than cache, while
                                            the API server is down */

    /* state of this process */

    ngx_rbtree_t             tree;       /* ngx_k8s_sa_review_t by key */
    ngx_rbtree_node_t        sentinel;
    ngx_queue_t              queue;      /* reviews to be sent */
    ngx_k8s_sa_places_t      places;     /* of these, and of reviews asked by
                                            other workers */
    ngx_uint_t               running;    /* number in progress */
    time_t                   logged;     /* when a failure was last logged */
    ngx_msec_t               down_msec;  /* when a review last failed */
    unsigned                 down:1;     /* the last review failed because the
                                            API server is down */
};


/* A question; it is copied with all it points to. */

typedef struct {
    u_char                   key[K8S_SA_FINGERPRINT_LEN];   /* covers the
                                            token and all settings that its
                                            verdict depends on */
    ngx_str_t                token;
    k8s_sa_str_t            *audience;   /* the audience to ask for, data NULL:
                                            the API server's own; NULL: the
                                            issuer's audiences */
    int64_t                  not_after;  /* seconds since the epoch: a verdict
                                            is not kept longer */
} ngx_k8s_sa_review_request_t;


struct ngx_k8s_sa_review_result_s {
    k8s_sa_verdict_e         verdict;
    k8s_sa_identity_t       *identity;   /* NULL unless K8S_SA_VERDICT_OK */
    ngx_str_t                reason;     /* the API server's, for a refusal:
                                            printable, may be empty */
    ngx_msec_t               fresh;      /* ngx_current_msec until which the
                                            verdict is valid, but not past the
                                            request's not_after */
};


/*
 * Called from init_process and exit_process of workers; stop() drops all
 * reviews without calling handlers.
 */

void ngx_k8s_sa_review_init(ngx_k8s_sa_issuer_t *issuer);
void ngx_k8s_sa_review_stop(ngx_k8s_sa_issuer_t *issuer);

/*
 * Finds a remembered verdict; a stale one serves while the API server is down
 * ("stale=TIME").  Returns NGX_OK, with memory for *result from pool;
 * NGX_DECLINED if the API server has to be asked; NGX_ERROR without memory.
 */

ngx_int_t ngx_k8s_sa_review_lookup(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result);

/*
 * Starts a review, or joins one with the same key.  waiter is NULL if only the
 * remembered verdict matters.  Returns NGX_AGAIN: waiter->handler will be
 * called, after "timeout" at the latest; NGX_BUSY: too many reviews wait, in
 * all or of the waiter's client;
 * NGX_ERROR: no memory.
 */

ngx_int_t ngx_k8s_sa_review_start(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request,
    ngx_k8s_sa_waiter_t *waiter);

/* Ends a wait; does nothing if waiting is not set. */

void ngx_k8s_sa_review_cancel(ngx_k8s_sa_waiter_t *waiter);


#endif /* NGX_K8S_SA_REVIEW_H */
