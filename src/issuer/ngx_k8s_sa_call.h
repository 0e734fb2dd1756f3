/* SPDX-License-Identifier: BSD-2-Clause */

/* Explanations of failed requests to an issuer or its API server. */

#ifndef NGX_K8S_SA_CALL_H
#define NGX_K8S_SA_CALL_H


#include <ngx_config.h>
#include <ngx_core.h>
#include "net/ngx_k8s_sa_client.h"
#include "issuer/ngx_k8s_sa_token_file.h"


/* Advice that depends on the request: " (...)" or "". */

typedef struct {
    const char              *forbidden;    /* for 403, if our token was sent */
    const char              *not_found;    /* for 404 */
} ngx_k8s_sa_call_hints_t;

/*
 * Writes to *err why a request failed, and advice.  credential is the
 * issuer's, or NULL; sent is 1 if the request carried it.
 */

void ngx_k8s_sa_call_explain(const ngx_k8s_sa_result_t *res,
    const ngx_k8s_sa_token_file_t *credential, ngx_uint_t sent,
    const ngx_k8s_sa_call_hints_t *hints, k8s_sa_error_t *err);


#endif /* NGX_K8S_SA_CALL_H */
