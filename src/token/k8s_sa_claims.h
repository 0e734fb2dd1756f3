/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Inside k8s_sa_token_claims(): what k8s_sa_claims.c, which decides, and
 * k8s_sa_claims_kubernetes.c, which knows Kubernetes' own claims, share.
 * For nobody else.
 */

#ifndef K8S_SA_CLAIMS_H
#define K8S_SA_CLAIMS_H


#include "token/k8s_sa_token.h"


#define K8S_SA_OPTIONAL    0
#define K8S_SA_REQUIRED    1

#define K8S_SA_SHOWN_SIZE  65    /* for k8s_sa_claims_show() */


/* One call of k8s_sa_token_claims(). */

typedef struct {
    k8s_sa_token_t            *t;
    const k8s_sa_policy_t     *policy;
    k8s_sa_identity_t         *id;
    k8s_sa_error_t            *err;

    const k8s_sa_json_node_t  *root;
    int64_t                    exp;           /* -1: there is none */
    int64_t                    nbf;
    int64_t                    iat;
    unsigned                   flat:1;        /* legacy, Secret-based */
    unsigned                   audience_ok:1;
} k8s_sa_claims_t;


/*
 * Fills in c->flat, the identity's user name, groups and what the token is
 * bound to.  K8S_SA_OK, or K8S_SA_ERROR with c->err; the user name is set as
 * soon as it is sound.
 */

int k8s_sa_claims_kubernetes(k8s_sa_claims_t *c);

/* Afterwards, with the identity's jti: its extra.  Returns likewise. */

int k8s_sa_claims_extra(k8s_sa_claims_t *c);

/*
 * A member of an object: a string, not empty and without control characters;
 * a time in whole seconds since the epoch.  If there is none, value becomes
 * absent, or -1, and that is an error only if required.
 * K8S_SA_OK, or K8S_SA_ERROR with c->err.
 */

int k8s_sa_claims_string(k8s_sa_claims_t *c, const k8s_sa_json_node_t *object,
    const char *name, unsigned required, k8s_sa_str_t *value);
int k8s_sa_claims_time(k8s_sa_claims_t *c, const k8s_sa_json_node_t *object,
    const char *name, unsigned required, int64_t *value);

/*
 * A token's string for an error: cut, and of harmless characters only.
 * Returns dst, NUL-terminated.
 */

const char *k8s_sa_claims_show(char dst[K8S_SA_SHOWN_SIZE],
    const k8s_sa_str_t *s);


#endif /* K8S_SA_CLAIMS_H */
