/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TokenReview, a kind of review: what is sent, and what the answer means.
 */

#ifndef NGX_K8S_SA_REVIEW_TOKEN_H
#define NGX_K8S_SA_REVIEW_TOKEN_H


#include "issuer/ngx_k8s_sa_review.h"


/* The key covers the token; owner is a hash of the client's address. */

typedef struct {
    ngx_k8s_sa_review_request_t  review;
    ngx_str_t                token;
    k8s_sa_str_t            *audience;   /* the audience to ask for, data NULL:
                                            the API server's own; NULL: the
                                            issuer's audiences */
} ngx_k8s_sa_token_request_t;


extern const ngx_k8s_sa_review_kind_t  ngx_k8s_sa_token_review;


#endif /* NGX_K8S_SA_REVIEW_TOKEN_H */
