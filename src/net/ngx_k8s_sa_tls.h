/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * TLS for the client, on OpenSSL directly: nginx's own wrapper lets every
 * certificate pass its verification callback, logs what is no error here
 * (a kept-alive connection that the server has closed) as "crit", and keeps
 * the reason of a failed handshake for the log.
 */

#ifndef NGX_K8S_SA_TLS_H
#define NGX_K8S_SA_TLS_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_client.h"
#include "net/ngx_k8s_sa_file.h"


#define NGX_K8S_SA_TLS_ERROR_LEN  256


typedef struct {
    SSL_CTX              *ctx;
    ngx_str_t             name;         /* empty: the host of the URL */
    ngx_k8s_sa_file_t     trusted;      /* path empty: the system's CAs */
    ngx_uint_t            generation;   /* moves when the CAs have changed */
    unsigned              verify:1;
} ngx_k8s_sa_tls_t;


typedef struct {
    SSL                  *ssl;
    const ngx_str_t      *name;         /* of the server: address or name */
    unsigned              verify:1;
    unsigned              done:1;       /* handshake finished and verified */
    unsigned              broken:1;     /* no close_notify after an error */
} ngx_k8s_sa_tls_session_t;


/*
 * Makes tls of the configuration; it is freed with cf->pool.
 * NGX_OK; NGX_ERROR: logged as a configuration error.
 */

ngx_int_t ngx_k8s_sa_tls_create(ngx_conf_t *cf, ngx_k8s_sa_tls_t *tls,
    const ngx_k8s_sa_client_conf_t *conf);

/*
 * Reads the trusted certificates again if the file has changed, looking at
 * most once a second.  A file that cannot be used is logged once, and the old
 * certificates stay.
 */

void ngx_k8s_sa_tls_refresh(ngx_k8s_sa_tls_t *tls);

/*
 * A session on a connected socket.  host, a name or an address, outlives the
 * session.  NGX_OK; NGX_ERROR: out of memory, say.
 */

ngx_int_t ngx_k8s_sa_tls_open(ngx_k8s_sa_tls_t *tls,
    ngx_k8s_sa_tls_session_t *session, ngx_connection_t *c,
    const ngx_str_t *host);

/*
 * NGX_OK: shaken hands, and the certificate is one for host from a CA that
 * we trust (unless verification is off); NGX_AGAIN: wait for c's events;
 * NGX_ERROR: error, of NGX_K8S_SA_TLS_ERROR_LEN bytes, has the
 * NUL-terminated reason.
 */

ngx_int_t ngx_k8s_sa_tls_handshake(ngx_k8s_sa_tls_session_t *session,
    ngx_connection_t *c, u_char *error);

/*
 * As c->recv() and c->send(): bytes, 0 (recv: the server has ended the stream
 * in an orderly way), NGX_AGAIN, or NGX_ERROR, for which *err is the errno or
 * 0 if the TLS stream itself is at fault.
 */

ssize_t ngx_k8s_sa_tls_recv(ngx_k8s_sa_tls_session_t *session,
    ngx_connection_t *c, u_char *buf, size_t size, ngx_err_t *err);
ssize_t ngx_k8s_sa_tls_send(ngx_k8s_sa_tls_session_t *session,
    ngx_connection_t *c, u_char *buf, size_t size, ngx_err_t *err);

/* 1 if the session holds bytes that nobody has read yet. */

ngx_uint_t ngx_k8s_sa_tls_pending(ngx_k8s_sa_tls_session_t *session);

/*
 * Says good-bye where it can be said without waiting, and frees the session;
 * to be called before ngx_close_connection().
 */

void ngx_k8s_sa_tls_close(ngx_k8s_sa_tls_session_t *session);


#endif /* NGX_K8S_SA_TLS_H */
