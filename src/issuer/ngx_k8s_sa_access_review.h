/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Access reviews: questions to an API server whether a user may do something
 * (SubjectAccessReview, LocalSubjectAccessReview).
 */

#ifndef NGX_K8S_SA_ACCESS_REVIEW_H
#define NGX_K8S_SA_ACCESS_REVIEW_H


#include "issuer/ngx_k8s_sa_review.h"
#include "token/k8s_sa_access.h"


/* An issuer's access reviews; allocated zeroed, with the configuration. */

struct ngx_k8s_sa_accesses_s {

    /* set with the configuration, allocated from its pool */

    k8s_sa_access_policy_t   policy;
    ngx_k8s_sa_url_t         url;
    ngx_msec_t               cache;      /* how long an allowing verdict is
                                            reused */
    ngx_msec_t               denied;     /* how long one that does not allow
                                            is */
    ngx_msec_t               stale;      /* how much longer than cache, while
                                            the API server is down */
    u_char                   context[NGX_K8S_SA_DIGEST_LEN];   /* of the
                                            questions' fingerprints */

    /* state of this process */

    time_t                   logged;     /* when a failure was last logged */
};


/* A question about a user; it is copied as far as it is needed. */

typedef struct {
    u_char                    key[K8S_SA_FINGERPRINT_LEN];   /* see below */
    unsigned                  kept:1;        /* its verdict can be remembered */
    const k8s_sa_identity_t  *identity;
    const k8s_sa_access_t    *question;
} ngx_k8s_sa_access_request_t;


/*
 * Sets request->key and kept from the other members.  The key covers all that a
 * verdict depends on.  NGX_OK, or NGX_ERROR without memory.
 */

ngx_int_t ngx_k8s_sa_access_name(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_access_request_t *request, ngx_pool_t *pool);

/*
 * Finds a remembered verdict: K8S_SA_VERDICT_OK or K8S_SA_ACCESS_DENIED.  An
 * allowing one may be stale, result->fresh tells.  NGX_OK, with memory for
 * *result from pool; NGX_DECLINED: the API server has to be asked; NGX_ERROR:
 * no memory.
 */

ngx_int_t ngx_k8s_sa_access_lookup(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_access_request_t *request, ngx_pool_t *pool,
    ngx_k8s_sa_review_result_t *result);

/*
 * Asks the API server, or joins a review of the same question.  NGX_AGAIN:
 * waiter->handler will be called, after "timeout" at the latest, with one of
 * these verdicts or K8S_SA_ACCESS_FAILED; NGX_BUSY: too many questions wait;
 * NGX_ERROR: no memory.  ngx_k8s_sa_review_cancel() ends the wait.
 */

ngx_int_t ngx_k8s_sa_access_start(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_access_request_t *request, ngx_k8s_sa_waiter_t *waiter);


#endif /* NGX_K8S_SA_ACCESS_REVIEW_H */
