/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Names of Kubernetes objects: apimachinery/pkg/util/validation.
 */

#ifndef K8S_SA_NAME_H
#define K8S_SA_NAME_H


#include "token/k8s_sa_base.h"


/* Return 1 if s is an RFC 1123 label, or labels joined by dots, otherwise 0. */

int k8s_sa_name_is_label(const k8s_sa_str_t *s);
int k8s_sa_name_is_subdomain(const k8s_sa_str_t *s);


#endif /* K8S_SA_NAME_H */
