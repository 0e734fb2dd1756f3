/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TokenReview documents: staging/src/k8s.io/api/authentication/v1/types.go.
 */

#ifndef K8S_SA_TOKEN_REVIEW_H
#define K8S_SA_TOKEN_REVIEW_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_identity.h"
#include "token/k8s_sa_verdict.h"


#define K8S_SA_REVIEW_PATH  "/apis/authentication.k8s.io/v1/tokenreviews"


/*
 * The request's body for a token and n audiences (0: the API's own): JSON,
 * *len bytes, to be freed with free().  NULL: out of memory, or the token or
 * an audience is not UTF-8.
 */

char *k8s_sa_token_review_request(const k8s_sa_str_t *token,
    const k8s_sa_str_t *audiences, size_t n, size_t *len);


typedef struct {
    k8s_sa_identity_t   identity;   /* with K8S_SA_VERDICT_OK; otherwise
                                       empty, but for the user name with
                                       K8S_SA_WRONG_AUDIENCE */
    char               *reason;     /* status.error, cleaned of control
                                       characters, or NULL */
    void               *document;   /* owner of all strings above */
} k8s_sa_token_review_t;


/*
 * Reads an answer (status 200 or 201 is the caller's to check).
 * K8S_SA_VERDICT_OK: authenticated, and if audiences were asked for, one of
 * them is in status.audiences (the first asked one becomes the identity's
 * audience; otherwise status.audiences' first).  Of a service account's user
 * name, namespace and name become the identity's; of user.extra pod, node and
 * jti ("authentication.kubernetes.io/credential-id", "JTI=...").
 * K8S_SA_NOT_AUTHENTICATED: the API says no, with r->reason.
 * K8S_SA_WRONG_AUDIENCE: it says yes, but for none of the audiences.
 * K8S_SA_BAD_CLAIMS: the identity holds what must not stand in a header.
 * K8S_SA_REVIEW_FAILED with *err: not a TokenReview of v1, a member of a wrong
 * type, no user name, authenticated and an error at once, ...
 * After any of them r is to be given to k8s_sa_token_review_free().
 */

k8s_sa_verdict_e k8s_sa_token_review_parse(k8s_sa_token_review_t *r, const void *data,
    size_t len, const k8s_sa_str_t *audiences, size_t n, k8s_sa_error_t *err);

void k8s_sa_token_review_free(k8s_sa_token_review_t *r);


#endif /* K8S_SA_TOKEN_REVIEW_H */
