/* SPDX-License-Identifier: BSD-2-Clause */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/ngx_k8s_sa_literal.h"
#include "net/ngx_k8s_sa_tls.h"


#define NGX_K8S_SA_TLS_SHARE  4096     /* bytes in one call, after which no
                                          further record is begun */


static ngx_int_t ngx_k8s_sa_tls_verify(ngx_k8s_sa_tls_session_t *session,
    ngx_connection_t *c, u_char *error);
static void ngx_k8s_sa_tls_verify_error(ngx_k8s_sa_tls_session_t *session,
    long rc, u_char *error);
static long ngx_k8s_sa_tls_bio(BIO *bio, int op, const char *data, size_t len,
    int argi, long argl, int rc, size_t *processed);
static void ngx_k8s_sa_tls_begin(ngx_k8s_sa_tls_session_t *session);
static ngx_int_t ngx_k8s_sa_tls_again(ngx_k8s_sa_tls_session_t *session,
    ngx_connection_t *c);
static ngx_uint_t ngx_k8s_sa_tls_usable(ngx_k8s_sa_tls_session_t *session,
    ngx_err_t *err);
static ssize_t ngx_k8s_sa_tls_result(ngx_k8s_sa_tls_session_t *session,
    ngx_connection_t *c, int n, ngx_err_t *err);


ngx_int_t
ngx_k8s_sa_tls_open(ngx_k8s_sa_tls_t *tls, ngx_k8s_sa_tls_session_t *session,
    ngx_connection_t *c, const ngx_str_t *host)
{
    int                 rc;
    char               *name;
    SSL                *ssl;
    ngx_sockaddr_t      addr;
    X509_VERIFY_PARAM  *param;

    ngx_memzero(session, sizeof(ngx_k8s_sa_tls_session_t));

    session->name = tls->name.len ? &tls->name : host;
    session->verify = tls->verify;

    name = (char *) session->name->data;

    ERR_clear_error();

    ssl = SSL_new(tls->ctx);

    if (ssl == NULL || SSL_set_fd(ssl, c->fd) != 1) {
        goto failed;
    }

    SSL_set_connect_state(ssl);

    BIO_set_callback_ex(SSL_get_rbio(ssl), ngx_k8s_sa_tls_bio);
    BIO_set_callback_arg(SSL_get_rbio(ssl), (char *) session);

    param = SSL_get0_param(ssl);

    if (ngx_k8s_sa_literal(session->name, &addr)) {

        /* no SNI for addresses (RFC 6066, section 3) */

        rc = X509_VERIFY_PARAM_set1_ip_asc(param, name);

    } else {
        X509_VERIFY_PARAM_set_hostflags(param,
                                        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
                                        |X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);

        rc = X509_VERIFY_PARAM_set1_host(param, name, session->name->len) == 1
             && SSL_set_tlsext_host_name(ssl, name) == 1;
    }

    if (rc != 1) {
        goto failed;
    }

    session->ssl = ssl;

    return NGX_OK;

failed:

    ngx_ssl_error(NGX_LOG_ALERT, c->log, 0, "cannot create a TLS session");

    SSL_free(ssl);

    return NGX_ERROR;
}


/*
 * Called by OpenSSL before and after it uses the socket.  Without a limit,
 * SSL_read() and SSL_do_handshake() would go on while the server sends
 * messages that carry no data, such as session tickets, faster than they are
 * processed.
 */

static long
ngx_k8s_sa_tls_bio(BIO *bio, int op, const char *data, size_t len, int argi,
    long argl, int rc, size_t *processed)
{
    ngx_k8s_sa_tls_session_t  *session;

    (void) data;
    (void) len;
    (void) argi;
    (void) argl;

    session = (ngx_k8s_sa_tls_session_t *) BIO_get_callback_arg(bio);

    switch (op) {

    case BIO_CB_READ:

        if (session->received >= NGX_K8S_SA_TLS_SHARE) {
            session->yield = 1;
            BIO_set_retry_read(bio);
            return -1;
        }

        break;

    case BIO_CB_READ|BIO_CB_RETURN:

        if (rc > 0) {
            session->received += *processed;
        }
    }

    return rc;
}


/* Prepares a call of OpenSSL that may receive. */

static void
ngx_k8s_sa_tls_begin(ngx_k8s_sa_tls_session_t *session)
{
    session->received = 0;
    session->yield = 0;

    ERR_clear_error();
}


/* Returns NGX_AGAIN after OpenSSL wanted to receive more. */

static ngx_int_t
ngx_k8s_sa_tls_again(ngx_k8s_sa_tls_session_t *session, ngx_connection_t *c)
{
    if (session->yield) {
        ngx_post_event(c->read, &ngx_posted_next_events);

    } else {
        c->read->ready = 0;
    }

    return NGX_AGAIN;
}


ngx_int_t
ngx_k8s_sa_tls_handshake(ngx_k8s_sa_tls_session_t *session,
    ngx_connection_t *c, u_char *error)
{
    int        n;
    long       rc;
    ngx_err_t  err;

    ngx_k8s_sa_tls_begin(session);

    n = SSL_do_handshake(session->ssl);

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "k8s sa SSL_do_handshake: %d", n);

    if (n == 1) {
        return ngx_k8s_sa_tls_verify(session, c, error);
    }

    switch (SSL_get_error(session->ssl, n)) {

    case SSL_ERROR_WANT_READ:
        return ngx_k8s_sa_tls_again(session, c);

    case SSL_ERROR_WANT_WRITE:
        c->write->ready = 0;
        return NGX_AGAIN;

    case SSL_ERROR_SYSCALL:
        err = ngx_socket_errno;

        ngx_cpystrn(error,
                    (u_char *) (err ? strerror(err) : "connection closed"),
                    NGX_K8S_SA_TLS_ERROR_LEN);
        ERR_clear_error();
        break;

    default:
        rc = SSL_get_verify_result(session->ssl);

        if (session->verify && rc != X509_V_OK) {
            ngx_k8s_sa_tls_verify_error(session, rc, error);
            ERR_clear_error();

        } else {
            ngx_k8s_sa_tls_error(error, "connection closed");
        }
    }

    session->broken = 1;

    return NGX_ERROR;
}


/*
 * Checks the result of the verification again, although OpenSSL fails the
 * handshake if it is bad.
 */

static ngx_int_t
ngx_k8s_sa_tls_verify(ngx_k8s_sa_tls_session_t *session, ngx_connection_t *c,
    u_char *error)
{
    long  rc;

    if (session->verify) {

        rc = SSL_get_verify_result(session->ssl);

        if (rc != X509_V_OK) {
            ngx_k8s_sa_tls_verify_error(session, rc, error);
            session->broken = 1;
            return NGX_ERROR;
        }

        if (SSL_get0_peer_certificate(session->ssl) == NULL) {
            ngx_cpystrn(error, (u_char *) "no certificate",
                        NGX_K8S_SA_TLS_ERROR_LEN);
            session->broken = 1;
            return NGX_ERROR;
        }
    }

    session->done = 1;

    ngx_log_debug4(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "k8s sa TLS handshake done: %s, %s, resumed: %d, "
                   "verified: %d", SSL_get_version(session->ssl),
                   SSL_get_cipher_name(session->ssl),
                   SSL_session_reused(session->ssl), session->verify);

    return NGX_OK;
}


static void
ngx_k8s_sa_tls_verify_error(ngx_k8s_sa_tls_session_t *session, long rc,
    u_char *error)
{
    u_char  *p, *last;

    last = error + NGX_K8S_SA_TLS_ERROR_LEN - 1;

    p = ngx_slprintf(error, last, "certificate verify failed (%l:%s)", rc,
                     X509_verify_cert_error_string(rc));

    if (rc == X509_V_ERR_HOSTNAME_MISMATCH
        || rc == X509_V_ERR_IP_ADDRESS_MISMATCH)
    {
        p = ngx_slprintf(p, last, ", it is not for \"%V\"", session->name);
    }

    *p = '\0';
}


ssize_t
ngx_k8s_sa_tls_recv(ngx_k8s_sa_tls_session_t *session, ngx_connection_t *c,
    u_char *buf, size_t size, ngx_err_t *err)
{
    int  n;

    if (!ngx_k8s_sa_tls_usable(session, err)) {
        return NGX_ERROR;
    }

    n = SSL_read(session->ssl, buf, size);

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, c->log, 0, "k8s sa SSL_read: %d", n);

    return ngx_k8s_sa_tls_result(session, c, n, err);
}


ssize_t
ngx_k8s_sa_tls_send(ngx_k8s_sa_tls_session_t *session, ngx_connection_t *c,
    u_char *buf, size_t size, ngx_err_t *err)
{
    int      n;
    ssize_t  rc;

    if (!ngx_k8s_sa_tls_usable(session, err)) {
        return NGX_ERROR;
    }

    n = SSL_write(session->ssl, buf, size);

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, c->log, 0, "k8s sa SSL_write: %d", n);

    rc = ngx_k8s_sa_tls_result(session, c, n, err);

    return rc ? rc : NGX_ERROR;
}


/*
 * Prepares a call of SSL_read() or SSL_write().  Returns 0 before the end of
 * the handshake, because nothing received until then may be parsed, and after
 * a fatal error, because OpenSSL forbids further calls.
 */

static ngx_uint_t
ngx_k8s_sa_tls_usable(ngx_k8s_sa_tls_session_t *session, ngx_err_t *err)
{
    *err = 0;

    ngx_k8s_sa_tls_begin(session);

    return session->done && !session->broken;
}


/* Translates n, the result of SSL_read() or SSL_write(); 0: close_notify. */

static ssize_t
ngx_k8s_sa_tls_result(ngx_k8s_sa_tls_session_t *session, ngx_connection_t *c,
    int n, ngx_err_t *err)
{
    switch (SSL_get_error(session->ssl, n)) {

    case SSL_ERROR_NONE:
        return n;

    case SSL_ERROR_WANT_READ:
        return ngx_k8s_sa_tls_again(session, c);

    case SSL_ERROR_WANT_WRITE:
        c->write->ready = 0;
        return NGX_AGAIN;

    case SSL_ERROR_ZERO_RETURN:
        return 0;

    case SSL_ERROR_SYSCALL:
        *err = ngx_socket_errno;
        break;

    default:

        /* e.g. an alert: TLS 1.3 clients finish their handshake first */

        if (ERR_GET_REASON(ERR_peek_error())
            != SSL_R_UNEXPECTED_EOF_WHILE_READING)
        {
            ngx_k8s_sa_tls_error(session->error, "unknown error");
        }
    }

    /* nginx would log what is left in the queue as an error of its own */

    ERR_clear_error();

    session->broken = 1;

    return NGX_ERROR;
}


ngx_uint_t
ngx_k8s_sa_tls_pending(ngx_k8s_sa_tls_session_t *session)
{
    return session->ssl != NULL && SSL_has_pending(session->ssl);
}


void
ngx_k8s_sa_tls_close(ngx_k8s_sa_tls_session_t *session)
{
    if (session->ssl == NULL) {
        return;
    }

    /* sends close_notify, and does not wait for the server's */

    if (session->done && !session->broken) {
        (void) SSL_shutdown(session->ssl);
    }

    ERR_clear_error();

    SSL_free(session->ssl);
    session->ssl = NULL;
}
