/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The credentials of an Authorization header: RFC 6750 section 2.1.
 */

#ifndef K8S_SA_BEARER_H
#define K8S_SA_BEARER_H


#include "token/k8s_sa_base.h"


/*
 * Takes the scheme "Bearer", in any case (RFC 9110 section 11.1), and the
 * spaces behind it off a header's value.  K8S_SA_OK, and token is what is
 * left, a part of value and maybe empty; K8S_SA_ERROR if the value does not
 * begin so, token is absent then.  What the token is made of is for
 * k8s_sa_token_parse() to see.
 */

int k8s_sa_bearer_token(const k8s_sa_str_t *value, k8s_sa_str_t *token);


#endif /* K8S_SA_BEARER_H */
