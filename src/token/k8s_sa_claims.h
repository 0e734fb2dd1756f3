/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Inside k8s_sa_token_claims() only: Kubernetes' own claims, which
 * k8s_sa_claims.c leaves to k8s_sa_claims_kubernetes.c.
 */

#ifndef K8S_SA_CLAIMS_H
#define K8S_SA_CLAIMS_H


#include "token/k8s_sa_claim.h"


/*
 * Fills in c->flat, the identity's user name, groups and what the token is
 * bound to.  K8S_SA_OK, or K8S_SA_ERROR with c->err; the user name is set as
 * soon as it is known to be sound.
 */

int k8s_sa_claims_kubernetes(k8s_sa_claims_t *c);

/*
 * Fills in the identity's extra, once its jti is known.  Returns the same
 * codes.
 */

int k8s_sa_claims_extra(k8s_sa_claims_t *c);


#endif /* K8S_SA_CLAIMS_H */
