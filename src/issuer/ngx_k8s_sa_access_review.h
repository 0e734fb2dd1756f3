/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Access reviews: questions to an API server whether a user may do something
 * (SubjectAccessReview, LocalSubjectAccessReview).
 */

#ifndef NGX_K8S_SA_ACCESS_REVIEW_H
#define NGX_K8S_SA_ACCESS_REVIEW_H


#include "issuer/ngx_k8s_sa_issuer.h"
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
};


#endif /* NGX_K8S_SA_ACCESS_REVIEW_H */
