/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Access reviews, a kind of review: whether a user may do something
 * (SubjectAccessReview, LocalSubjectAccessReview).
 */

#ifndef NGX_K8S_SA_ACCESS_REVIEW_H
#define NGX_K8S_SA_ACCESS_REVIEW_H


#include "issuer/ngx_k8s_sa_review.h"
#include "token/k8s_sa_access.h"


/* An issuer's access reviews; allocated zeroed, with the configuration. */

struct ngx_k8s_sa_accesses_s {
    ngx_k8s_sa_reviews_t     reviews;
    k8s_sa_access_policy_t   policy;
    u_char                   context[NGX_K8S_SA_DIGEST_LEN];   /* of the
                                            questions' keys */
};


/* A user, as reviews name it: known once for all questions. */

typedef struct {
    uint32_t                  owner;     /* of reviews: a hash of the name */
    unsigned                  named:1;   /* there is a fingerprint */
    u_char                    fingerprint[K8S_SA_FINGERPRINT_LEN];
} ngx_k8s_sa_access_subject_t;


/* A question about a user. */

typedef struct {
    ngx_k8s_sa_review_request_t  review;
    const k8s_sa_identity_t  *identity;
    const k8s_sa_access_t    *question;
    const ngx_k8s_sa_access_subject_t  *subject;   /* of the identity */
    unsigned                  kept:1;    /* its verdict can be remembered */

    /* only in the copy of a review: what is needed of the members above */

    k8s_sa_str_t              user;
    ngx_str_t                 body;      /* to send */
} ngx_k8s_sa_access_request_t;


extern const ngx_k8s_sa_review_kind_t  ngx_k8s_sa_access_review;


/*
 * Makes the subject of an identity.  One that is too large for a fingerprint
 * has none: verdicts about it are not remembered.
 */

void ngx_k8s_sa_access_subject(ngx_k8s_sa_issuer_t *issuer,
    const k8s_sa_identity_t *identity, ngx_k8s_sa_access_subject_t *subject);

/*
 * Completes a request that has identity, question and subject: sets review and
 * kept.  The key covers all that the verdict depends on.  NGX_OK, or NGX_ERROR
 * without memory or if the question cannot be JSON.
 */

ngx_int_t ngx_k8s_sa_access_request(ngx_k8s_sa_issuer_t *issuer,
    ngx_k8s_sa_access_request_t *request);


#endif /* NGX_K8S_SA_ACCESS_REVIEW_H */
