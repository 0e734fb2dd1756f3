/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * SubjectAccessReview and LocalSubjectAccessReview, requests and answers:
 * staging/src/k8s.io/api/authorization/v1/types.go.
 */

#ifndef K8S_SA_ACCESS_REVIEW_H
#define K8S_SA_ACCESS_REVIEW_H


#include "token/k8s_sa_access.h"
#include "token/k8s_sa_base.h"
#include "token/k8s_sa_identity.h"
#include "token/k8s_sa_verdict.h"


#define K8S_SA_ACCESS_REVIEW_PATH                                             \
    "/apis/authorization.k8s.io/v1/subjectaccessreviews"

/* With the namespace in between */

#define K8S_SA_ACCESS_REVIEW_LOCAL_BEFORE                                     \
    "/apis/authorization.k8s.io/v1/namespaces/"
#define K8S_SA_ACCESS_REVIEW_LOCAL_AFTER   "/localsubjectaccessreviews"


#define K8S_SA_ACCESS_REASON_MAX  256   /* bytes of a reason that are kept */
#define K8S_SA_ACCESS_EXTRA_MAX   256   /* names in extra that are sent */


/*
 * Writes the request's body to dst, or only measures it if dst is NULL; returns
 * the number of bytes, or 0 if the question cannot be asked: a string is not
 * UTF-8 (to the API server several of these would be one), or extra has more
 * than K8S_SA_ACCESS_EXTRA_MAX names.
 *
 * The user is the identity's: user name, uid, groups and extra, each left out
 * if it is absent.  q must have passed k8s_sa_access_check().
 */

size_t k8s_sa_access_review_request(unsigned char *dst,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id,
    const k8s_sa_access_t *q);


typedef struct {
    size_t          len;
    unsigned char   reason[K8S_SA_ACCESS_REASON_MAX];   /* status.reason,
                                       without control characters; it names
                                       roles and is not for the caller */
} k8s_sa_access_answer_t;


/*
 * Parses an answer, whose status the caller must have checked (200 or 201).
 *
 * K8S_SA_VERDICT_OK: allowed, whatever else the answer says.
 * K8S_SA_ACCESS_DENIED: not allowed, and no authorizer failed.
 * K8S_SA_ACCESS_FAILED, with the reason in *err: no verdict.  Not a
 * SubjectAccessReview (with policy->local, LocalSubjectAccessReview) of v1, a
 * member of the wrong type, no status, both allowed and denied, or not allowed
 * with an evaluationError: an authorizer of the cluster failed, and the API
 * server answers its own callers 500 then.
 *
 * Sets *answer in all cases; it is empty after K8S_SA_ACCESS_FAILED.
 */

k8s_sa_verdict_e k8s_sa_access_review_parse(k8s_sa_access_answer_t *answer,
    const void *data, size_t len, const k8s_sa_access_policy_t *policy,
    k8s_sa_error_t *err);


#endif /* K8S_SA_ACCESS_REVIEW_H */
