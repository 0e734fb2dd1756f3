/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The credentials of an Authorization header: RFC 6750 section 2.1.
 */

#ifndef K8S_SA_BEARER_H
#define K8S_SA_BEARER_H


#include "token/k8s_sa_base.h"


/*
 * Sets token to what follows the scheme "Bearer", in any case (RFC 9110 section
 * 11.1), without the spaces and tabs around it, of which at least one must
 * follow the scheme.  token points into value and may be empty; it is not
 * validated, which is left to k8s_sa_token_parse().  K8S_SA_OK, or K8S_SA_ERROR
 * and an absent token if value has another scheme.
 */

int k8s_sa_bearer_token(const k8s_sa_str_t *value, k8s_sa_str_t *token);


#endif /* K8S_SA_BEARER_H */
