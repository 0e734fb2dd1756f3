/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TokenReview requests and answers:
 * staging/src/k8s.io/api/authentication/v1/types.go.
 */

#ifndef K8S_SA_TOKEN_REVIEW_H
#define K8S_SA_TOKEN_REVIEW_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_identity.h"
#include "token/k8s_sa_verdict.h"


#define K8S_SA_REVIEW_PATH  "/apis/authentication.k8s.io/v1/tokenreviews"


/*
 * Returns the request's body for a token and n audiences (0: the API server's
 * own): JSON of *len bytes, to be freed with free().  NULL if memory is short,
 * or if the token or an audience is not UTF-8.
 */

char *k8s_sa_token_review_request(const k8s_sa_str_t *token,
    const k8s_sa_str_t *audiences, size_t n, size_t *len);


typedef struct {
    k8s_sa_identity_t   identity;   /* if K8S_SA_VERDICT_OK; only the user name
                                       if K8S_SA_WRONG_AUDIENCE; else empty */
    char               *reason;     /* status.error without control
                                       characters, or NULL */
    void               *document;   /* owner of all strings above */
} k8s_sa_token_review_t;


/*
 * Parses an answer, whose status the caller must have checked (200 or 201), to
 * a review for n audiences.  The identity's namespace and name come from the
 * user name of a service account; its pod, node and jti from user.extra.  Its
 * audience is the first of audiences that is in status.audiences or, if n is 0,
 * the first of status.audiences.
 *
 * K8S_SA_VERDICT_OK: authenticated, for one of the audiences if n is not 0.
 * K8S_SA_NOT_AUTHENTICATED: not authenticated; r->reason says why.
 * K8S_SA_WRONG_AUDIENCE: authenticated, but for none of the audiences.
 * K8S_SA_BAD_CLAIMS: the identity contains a control character.
 * K8S_SA_REVIEW_FAILED, with the reason in *err: not a TokenReview of v1, a
 * member of the wrong type, no user name, both authenticated and an error, ...
 *
 * In all cases r must be freed with k8s_sa_token_review_free().
 */

k8s_sa_verdict_e k8s_sa_token_review_parse(k8s_sa_token_review_t *r,
    const void *data, size_t len, const k8s_sa_str_t *audiences, size_t n,
    k8s_sa_error_t *err);

void k8s_sa_token_review_free(k8s_sa_token_review_t *r);


#endif /* K8S_SA_TOKEN_REVIEW_H */
