/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A service account as a user: the names that the API server gives it
 * (apiserver, pkg/authentication/serviceaccount/util.go).
 */

#ifndef K8S_SA_USERINFO_H
#define K8S_SA_USERINFO_H


#include "token/k8s_sa_base.h"


/* MakeUsername(): followed by NAMESPACE:NAME */

#define K8S_SA_USERNAME_PREFIX      "system:serviceaccount:"

/* MakeGroupNames(): the second one is followed by the namespace */

#define K8S_SA_GROUP_ACCOUNTS       "system:serviceaccounts"
#define K8S_SA_GROUP_NAMESPACE      "system:serviceaccounts:"
#define K8S_SA_GROUP_AUTHENTICATED  "system:authenticated"

/* UserInfo(): the names in "extra", and what precedes the token's jti */

#define K8S_SA_EXTRA_PREFIX         "authentication.kubernetes.io/"

#define K8S_SA_EXTRA_CREDENTIAL_ID  "authentication.kubernetes.io/credential-id"
#define K8S_SA_EXTRA_NODE_NAME      "authentication.kubernetes.io/node-name"
#define K8S_SA_EXTRA_NODE_UID       "authentication.kubernetes.io/node-uid"
#define K8S_SA_EXTRA_POD_NAME       "authentication.kubernetes.io/pod-name"
#define K8S_SA_EXTRA_POD_UID        "authentication.kubernetes.io/pod-uid"

#define K8S_SA_JTI_PREFIX           "JTI="


/*
 * Splits a service account's user name at the first ":" after its prefix;
 * namespace and name point into it and are not validated.  K8S_SA_OK, or
 * K8S_SA_ERROR with both absent if it is not system:serviceaccount:X:Y.
 */

int k8s_sa_username_split(const k8s_sa_str_t *username,
    k8s_sa_str_t *namespace, k8s_sa_str_t *name);


#endif /* K8S_SA_USERINFO_H */
