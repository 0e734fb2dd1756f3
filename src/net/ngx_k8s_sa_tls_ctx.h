/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A client's TLS settings: certificate, trusted certificates and the name to
 * verify, for all of its sessions.
 */

#ifndef NGX_K8S_SA_TLS_CTX_H
#define NGX_K8S_SA_TLS_CTX_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_client.h"
#include "net/ngx_k8s_sa_file.h"


#define NGX_K8S_SA_TLS_ERROR_LEN  256


typedef struct {
    SSL_CTX              *ctx;
    ngx_str_t             name;         /* empty: the URL's host is used */
    ngx_k8s_sa_file_t     trusted;      /* no path: the system's CAs */
    ngx_uint_t            generation;   /* incremented when the CAs change */
    unsigned              verify:1;
} ngx_k8s_sa_tls_t;


/*
 * Initializes tls from the configuration; it is freed with cf->pool.
 * NGX_OK; NGX_ERROR: logged as a configuration error.
 */

ngx_int_t ngx_k8s_sa_tls_create(ngx_conf_t *cf, ngx_k8s_sa_tls_t *tls,
    const ngx_k8s_sa_client_conf_t *conf);

/*
 * Reads the trusted certificates again if the file has changed; looks at it at
 * most once a second.  If the new file cannot be used, that is logged once and
 * the old certificates stay in use.
 */

void ngx_k8s_sa_tls_refresh(ngx_k8s_sa_tls_t *tls);

/*
 * Copies the first error in OpenSSL's queue, the cause, to error, which has
 * NGX_K8S_SA_TLS_ERROR_LEN bytes, or text if the queue is empty, and empties
 * the queue.
 */

void ngx_k8s_sa_tls_error(u_char *error, const char *text);


#endif /* NGX_K8S_SA_TLS_CTX_H */
