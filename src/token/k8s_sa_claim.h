/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Single claims, for the two files that decide about all of them:
 * k8s_sa_claims.c and k8s_sa_claims_kubernetes.c.
 */

#ifndef K8S_SA_CLAIM_H
#define K8S_SA_CLAIM_H


#include "token/k8s_sa_token.h"


#define K8S_SA_OPTIONAL    0
#define K8S_SA_REQUIRED    1

#define K8S_SA_SHOWN_SIZE  65    /* for k8s_sa_claim_show() */


/* One call of k8s_sa_token_claims(). */

typedef struct {
    k8s_sa_token_t            *t;
    const k8s_sa_policy_t     *policy;
    k8s_sa_identity_t         *id;
    k8s_sa_error_t            *err;

    const k8s_sa_json_node_t  *root;
    int64_t                    exp;           /* -1: absent */
    int64_t                    nbf;
    int64_t                    iat;
    unsigned                   flat:1;        /* legacy, Secret-based */
    unsigned                   audience_ok:1;
} k8s_sa_claims_t;


/*
 * Read a member of an object: a string, not empty and without control
 * characters, or a time, cut to whole seconds since the epoch.  If the member
 * is missing or null, value becomes absent, or -1, which is an error only if it
 * is required.  K8S_SA_OK, or K8S_SA_ERROR with c->err.
 */

int k8s_sa_claim_string(k8s_sa_claims_t *c, const k8s_sa_json_node_t *object,
    const char *name, unsigned required, k8s_sa_str_t *value);
int k8s_sa_claim_time(k8s_sa_claims_t *c, const k8s_sa_json_node_t *object,
    const char *name, unsigned required, int64_t *value);

/*
 * Copies a token's string for an error message: truncated, with "?" for every
 * character that is not harmless.  Returns dst, NUL-terminated.
 */

const char *k8s_sa_claim_show(char dst[K8S_SA_SHOWN_SIZE],
    const k8s_sa_str_t *s);


#endif /* K8S_SA_CLAIM_H */
