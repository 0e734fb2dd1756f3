/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TLS sessions of the client, on OpenSSL directly.  nginx's own wrapper has a
 * verification callback that accepts every certificate, logs a kept-alive
 * connection closed by the server as "crit", and does not return the reason of
 * a failed handshake.
 */

#ifndef NGX_K8S_SA_TLS_H
#define NGX_K8S_SA_TLS_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_tls_ctx.h"


typedef struct {
    SSL                  *ssl;
    const ngx_str_t      *name;         /* the server's address or name */
    size_t                received;     /* bytes, in the current call */
    u_char                error[NGX_K8S_SA_TLS_ERROR_LEN];
                                        /* NUL-terminated: why OpenSSL gave up
                                           after the handshake; or empty */
    unsigned              verify:1;
    unsigned              done:1;       /* handshake complete and verified */
    unsigned              broken:1;     /* after an error: no close_notify */
    unsigned              yield:1;      /* the call has received its share */
} ngx_k8s_sa_tls_session_t;


/*
 * Opens a session on a connected socket.  host is a name or an address and
 * outlives the session.  NGX_OK; NGX_ERROR: e.g. out of memory.
 */

ngx_int_t ngx_k8s_sa_tls_open(ngx_k8s_sa_tls_t *tls,
    ngx_k8s_sa_tls_session_t *session, ngx_connection_t *c,
    const ngx_str_t *host);

/*
 * Goes on with the handshake.  NGX_OK: complete, and unless verification is
 * off, the certificate is one for host from a trusted CA; NGX_AGAIN: wait for
 * an event of c, which may have been posted; NGX_ERROR: the NUL-terminated
 * reason is in error, which has NGX_K8S_SA_TLS_ERROR_LEN bytes.
 */

ngx_int_t ngx_k8s_sa_tls_handshake(ngx_k8s_sa_tls_session_t *session,
    ngx_connection_t *c, u_char *error);

/*
 * A call receives one large TLS record or some small ones, data or not.  Then
 * it posts the read event and returns NGX_AGAIN, so that other connections and
 * timers get their turn.
 *
 * Return as c->recv() and c->send() the number of bytes, 0 after close_notify
 * (recv), NGX_AGAIN, or NGX_ERROR with the errno in *err, or 0 there if the
 * error is one of TLS, whose reason is then in session->error unless the stream
 * has just ended.  Before the end of the handshake they return NGX_ERROR.
 */

ssize_t ngx_k8s_sa_tls_recv(ngx_k8s_sa_tls_session_t *session,
    ngx_connection_t *c, u_char *buf, size_t size, ngx_err_t *err);
ssize_t ngx_k8s_sa_tls_send(ngx_k8s_sa_tls_session_t *session,
    ngx_connection_t *c, u_char *buf, size_t size, ngx_err_t *err);

/* Returns 1 if OpenSSL holds bytes that have not been read, otherwise 0. */

ngx_uint_t ngx_k8s_sa_tls_pending(ngx_k8s_sa_tls_session_t *session);

/*
 * Sends close_notify if that is possible without waiting, and frees the
 * session.  Called before ngx_close_connection().
 */

void ngx_k8s_sa_tls_close(ngx_k8s_sa_tls_session_t *session);


#endif /* NGX_K8S_SA_TLS_H */
