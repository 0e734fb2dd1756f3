/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Requests to an issuer or its API server with our own token, and explanations
 * of failures for the log.
 */

#ifndef NGX_K8S_SA_CALL_H
#define NGX_K8S_SA_CALL_H


#include <ngx_config.h>
#include <ngx_core.h>
#include "net/ngx_k8s_sa_client.h"
#include "issuer/ngx_k8s_sa_token_file.h"


/*
 * Starts req as ngx_k8s_sa_client_start() does, with the credential as bearer
 * token, or without if it is NULL: the caller decides whether the URL may have
 * it.  Returns NULL without memory.
 */

ngx_k8s_sa_exchange_t *ngx_k8s_sa_call(ngx_k8s_sa_client_t *client,
    ngx_k8s_sa_request_t *req, const ngx_k8s_sa_token_file_t *credential);


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
