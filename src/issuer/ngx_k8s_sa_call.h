/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One request to an issuer or its API server, with our own credential, and
 * what to tell an operator when the answer is of no use.
 */

#ifndef NGX_K8S_SA_CALL_H
#define NGX_K8S_SA_CALL_H


#include <ngx_config.h>
#include <ngx_core.h>
#include "net/ngx_k8s_sa_client.h"
#include "issuer/ngx_k8s_sa_token_file.h"


/*
 * Starts req as ngx_k8s_sa_client_start() does, with the token of credential
 * as "Authorization: Bearer"; NULL sends none.  The caller decides whether the
 * URL may have it.  Returns NULL if there is no memory.
 */

ngx_k8s_sa_exchange_t *ngx_k8s_sa_call(ngx_k8s_sa_client_t *client,
    ngx_k8s_sa_request_t *req, const ngx_k8s_sa_token_file_t *credential,
    ngx_log_t *log);


/* What helps against some statuses depends on the request: " (...)" or "". */

typedef struct {
    const char              *forbidden;    /* 403, although we sent a token */
    const char              *not_found;    /* 404 */
} ngx_k8s_sa_call_hints_t;

/*
 * Writes why a result is a failure, and what may help.  credential is the
 * issuer's, or NULL; sent says whether the request had it.
 */

void ngx_k8s_sa_call_explain(const ngx_k8s_sa_result_t *res,
    const ngx_k8s_sa_token_file_t *credential, ngx_uint_t sent,
    const ngx_k8s_sa_call_hints_t *hints, k8s_sa_error_t *err);


#endif /* NGX_K8S_SA_CALL_H */
