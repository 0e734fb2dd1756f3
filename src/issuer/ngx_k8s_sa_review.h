/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TokenReview: asks the API server about tokens.
 *
 * Reviews of the same token at the same time are one request, over all
 * workers: one of them asks, the others wait for its verdict.  Verdicts go into
 * the shared zone; failures never do, so that after one the next worker asks.
 */

#ifndef NGX_K8S_SA_REVIEW_H
#define NGX_K8S_SA_REVIEW_H


#include "issuer/ngx_k8s_sa_issuer.h"
#include "shared/ngx_k8s_sa_cache.h"


/* How many reviews a worker asks for at once. */

#define NGX_K8S_SA_REVIEW_RUNNING  8


/* Of an issuer with "token_review"; zeroed by whoever allocates it. */

struct ngx_k8s_sa_reviews_s {

    /* configuration, owned by its pool */

    ngx_k8s_sa_url_t         url;
    ngx_msec_t               cache;      /* a verdict is reused so long, */
    ngx_msec_t               failed;     /* one that refuses, */
    ngx_msec_t               stale;      /* and beyond "cache" while the API
                                            server cannot be reached */

    /* of this process */

    ngx_rbtree_t             tree;       /* all, by key */
    ngx_rbtree_node_t        sentinel;
    ngx_queue_t              queue;      /* those that are not sent yet */
    ngx_uint_t               waiting;    /* these and those elsewhere */
    ngx_uint_t               running;
    time_t                   logged;     /* last line about a failure */
    ngx_msec_t               down_msec;  /* when the last one failed */
    unsigned                 down:1;     /* the last one failed */
};


/* What is to be asked; everything is copied. */

typedef struct {
    u_char                   key[K8S_SA_FINGERPRINT_LEN];   /* covers the
                                            token and all that its verdict
                                            depends on */
    ngx_str_t                token;
    k8s_sa_str_t            *audience;   /* the one to ask for, or an absent
                                            one: the API's own; NULL: those of
                                            the issuer */
    int64_t                  not_after;  /* no verdict is kept beyond this
                                            second since the epoch */
} ngx_k8s_sa_review_request_t;


struct ngx_k8s_sa_review_result_s {
    k8s_sa_verdict_e         verdict;
    k8s_sa_identity_t       *identity;   /* with K8S_SA_VERDICT_OK, else NULL */
    ngx_str_t                reason;     /* with a refusal, printable, maybe
                                            empty */
    ngx_msec_t               fresh;      /* holds before this ngx_current_msec
                                            and the request's not_after */
};


/* From init_process and exit_process of workers; the latter calls nobody. */

void ngx_k8s_sa_review_init(ngx_k8s_sa_issuer_t *issuer);
void ngx_k8s_sa_review_stop(ngx_k8s_sa_issuer_t *issuer);

/*
 * A verdict that is known already: NGX_OK, the memory of *result is from
 * pool; NGX_DECLINED: it has to be asked for; NGX_ERROR: no memory.  While the
 * API server cannot be reached a stale one is good ("stale=TIME").
 */

ngx_int_t ngx_k8s_sa_review_lookup(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result);

/*
 * Asks, or joins a review of the same key.  NGX_AGAIN: the waiter's handler
 * will be called, after "timeout" at the latest; NGX_BUSY: too many wait;
 * NGX_ERROR: no memory.  Without a waiter (NULL) it is for the cache only.
 */

ngx_int_t ngx_k8s_sa_review_start(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_review_request_t *request,
    ngx_k8s_sa_waiter_t *waiter);

/* Ends a wait; nothing if there is none. */

void ngx_k8s_sa_review_cancel(ngx_k8s_sa_waiter_t *waiter);


#endif /* NGX_K8S_SA_REVIEW_H */
