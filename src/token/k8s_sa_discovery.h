/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The OIDC discovery document (OpenID Connect Discovery 1.0 section 3, as
 * kube-apiserver serves it: pkg/serviceaccount/openidmetadata.go).
 */

#ifndef K8S_SA_DISCOVERY_H
#define K8S_SA_DISCOVERY_H


#include "token/k8s_sa_base.h"


#define K8S_SA_DOCUMENT_MAX         (1024 * 1024)   /* bytes */
#define K8S_SA_DOCUMENT_VALUES_MAX  16384           /* JSON values; parsing
                                                       takes a worker's time */


typedef struct {
    char           *issuer;        /* NUL-terminated */
    char           *jwks_uri;
} k8s_sa_discovery_t;


/*
 * Parses len bytes of JSON.  Both members must be non-empty strings without
 * control characters; jwks_uri must be an absolute URL of visible ASCII
 * characters, with "http://" or "https://" in lower case and a host (whether
 * http is acceptable is up to the caller).  K8S_SA_OK, with strings to be freed
 * by k8s_sa_discovery_free(), or K8S_SA_ERROR with the reason in *err and
 * nothing to free.
 */

int k8s_sa_discovery_parse(k8s_sa_discovery_t *doc, const void *data,
    size_t len, k8s_sa_error_t *err);

void k8s_sa_discovery_free(k8s_sa_discovery_t *doc);


#endif /* K8S_SA_DISCOVERY_H */
