/* SPDX-License-Identifier: BSD-2-Clause */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/ngx_k8s_sa_literal.h"
#include "net/ngx_k8s_sa_tls_ctx.h"


#define NGX_K8S_SA_TLS_INTERVAL  1000       /* ms between two stat() calls */
#define NGX_K8S_SA_TLS_CA_SIZE   (4 * 1024 * 1024)


typedef struct {
    X509_STORE   *store;
    ngx_pool_t   *pool;                     /* the configuration's */
} ngx_k8s_sa_tls_system_t;


static ngx_int_t ngx_k8s_sa_tls_full_name(ngx_conf_t *cf,
    const ngx_str_t *name, ngx_str_t *full);
static ngx_int_t ngx_k8s_sa_tls_certificate(ngx_conf_t *cf,
    ngx_k8s_sa_tls_t *tls, const ngx_k8s_sa_client_conf_t *conf);
static int ngx_k8s_sa_tls_no_password(char *buf, int size, int rwflag,
    void *data);
static X509_STORE *ngx_k8s_sa_tls_system_store(ngx_conf_t *cf);
static void ngx_k8s_sa_tls_system_cleanup(void *data);
static X509_STORE *ngx_k8s_sa_tls_load_store(ngx_k8s_sa_tls_t *tls,
    u_char *error);
static void ngx_k8s_sa_tls_cleanup(void *data);


static ngx_k8s_sa_tls_system_t  ngx_k8s_sa_tls_system;


ngx_int_t
ngx_k8s_sa_tls_create(ngx_conf_t *cf, ngx_k8s_sa_tls_t *tls,
    const ngx_k8s_sa_client_conf_t *conf)
{
    u_char               error[NGX_K8S_SA_TLS_ERROR_LEN];
    X509_STORE          *store;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    tls->ctx = SSL_CTX_new(TLS_client_method());

    if (tls->ctx == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0, "SSL_CTX_new() failed");
        return NGX_ERROR;
    }

    cln->handler = ngx_k8s_sa_tls_cleanup;
    cln->data = tls;

    if (SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION) != 1) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_min_proto_version() failed");
        return NGX_ERROR;
    }

    /*
     * SSL_OP_IGNORE_UNEXPECTED_EOF stays off: a stream that ends without
     * close_notify may be truncated.
     */

    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION
                                  |SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_RELEASE_BUFFERS
                               |SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);

    tls->verify = !conf->ssl_no_verify;

    if (ngx_k8s_sa_tls_certificate(cf, tls, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->ssl_name.len) {
        tls->name.len = conf->ssl_name.len;
        tls->name.data = ngx_pnalloc(cf->pool, tls->name.len + 1);
        if (tls->name.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(tls->name.data, conf->ssl_name.data, tls->name.len);
        tls->name.data[tls->name.len] = '\0';
    }

    if (!tls->verify) {
        SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_NONE, NULL);
        return NGX_OK;
    }

    /* no callback, which could accept what OpenSSL refuses */

    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);

    if (conf->ssl_trusted.len == 0) {

        store = ngx_k8s_sa_tls_system_store(cf);

        if (store == NULL) {
            ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                          "cannot load the system's trusted certificates");
            return NGX_ERROR;
        }

        SSL_CTX_set1_cert_store(tls->ctx, store);

        return NGX_OK;
    }

    if (ngx_k8s_sa_tls_full_name(cf, &conf->ssl_trusted, &tls->trusted.path)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    tls->trusted.max = NGX_K8S_SA_TLS_CA_SIZE;

    store = ngx_k8s_sa_tls_load_store(tls, error);

    if (store == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot load trusted certificates \"%V\": %s",
                           &tls->trusted.path, error);
        return NGX_ERROR;
    }

    SSL_CTX_set_cert_store(tls->ctx, store);

    /* any certificate in the file is a trust anchor, as in Go and curl */

    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(tls->ctx),
                                X509_V_FLAG_PARTIAL_CHAIN);

    return NGX_OK;
}


static void
ngx_k8s_sa_tls_cleanup(void *data)
{
    ngx_k8s_sa_tls_t  *tls = data;

    SSL_CTX_free(tls->ctx);
    tls->ctx = NULL;
}


/* Copies name, makes it absolute and NUL-terminated. */

static ngx_int_t
ngx_k8s_sa_tls_full_name(ngx_conf_t *cf, const ngx_str_t *name,
    ngx_str_t *full)
{
    full->len = name->len;
    full->data = ngx_pnalloc(cf->pool, name->len + 1);
    if (full->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(full->data, name->data, name->len);
    full->data[full->len] = '\0';

    return ngx_conf_full_name(cf->cycle, full, 1);
}


static ngx_int_t
ngx_k8s_sa_tls_certificate(ngx_conf_t *cf, ngx_k8s_sa_tls_t *tls,
    const ngx_k8s_sa_client_conf_t *conf)
{
    u_char       error[NGX_K8S_SA_TLS_ERROR_LEN];
    ngx_str_t    cert, key;

    if (conf->ssl_certificate.len == 0 && conf->ssl_certificate_key.len == 0) {
        return NGX_OK;
    }

    if (conf->ssl_certificate.len == 0 || conf->ssl_certificate_key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a client certificate needs both its file and "
                           "the file of its key");
        return NGX_ERROR;
    }

    if (ngx_k8s_sa_tls_full_name(cf, &conf->ssl_certificate, &cert) != NGX_OK
        || ngx_k8s_sa_tls_full_name(cf, &conf->ssl_certificate_key, &key)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* OpenSSL would ask for a pass phrase on the terminal */

    SSL_CTX_set_default_passwd_cb(tls->ctx, ngx_k8s_sa_tls_no_password);

    ERR_clear_error();

    if (SSL_CTX_use_certificate_chain_file(tls->ctx, (char *) cert.data)
        != 1)
    {
        ngx_k8s_sa_tls_error(error, "not a certificate");
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot load certificate \"%V\": %s",
                           &cert, error);
        return NGX_ERROR;
    }

    if (SSL_CTX_use_PrivateKey_file(tls->ctx, (char *) key.data,
                                    SSL_FILETYPE_PEM)
        != 1
        || SSL_CTX_check_private_key(tls->ctx) != 1)
    {
        ngx_k8s_sa_tls_error(error, "not the key of the certificate");
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot load certificate key \"%V\": %s",
                           &key, error);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static int
ngx_k8s_sa_tls_no_password(char *buf, int size, int rwflag, void *data)
{
    (void) buf;
    (void) size;
    (void) rwflag;
    (void) data;

    return -1;
}


void
ngx_k8s_sa_tls_refresh(ngx_k8s_sa_tls_t *tls)
{
    u_char       error[NGX_K8S_SA_TLS_ERROR_LEN];
    X509_STORE  *store;

    if (tls->trusted.path.len == 0
        || !ngx_k8s_sa_file_changed(&tls->trusted, NGX_K8S_SA_TLS_INTERVAL))
    {
        return;
    }

    store = ngx_k8s_sa_tls_load_store(tls, error);

    if (store == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "cannot load trusted certificates \"%V\": %s, "
                      "still using the previous ones",
                      &tls->trusted.path, error);
        return;
    }

    SSL_CTX_set_cert_store(tls->ctx, store);

    tls->generation++;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "trusted certificates \"%V\" have been read again",
                  &tls->trusted.path);
}


/*
 * Returns the store of the system's CAs, which are many, so that all clients
 * of a configuration share it.
 */

static X509_STORE *
ngx_k8s_sa_tls_system_store(ngx_conf_t *cf)
{
    X509_STORE          *store;
    ngx_pool_cleanup_t  *cln;

    if (ngx_k8s_sa_tls_system.store
        && ngx_k8s_sa_tls_system.pool == cf->pool)
    {
        return ngx_k8s_sa_tls_system.store;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    store = X509_STORE_new();

    if (store == NULL || X509_STORE_set_default_paths(store) != 1) {
        X509_STORE_free(store);
        return NULL;
    }

    cln->handler = ngx_k8s_sa_tls_system_cleanup;
    cln->data = store;

    ngx_k8s_sa_tls_system.store = store;
    ngx_k8s_sa_tls_system.pool = cf->pool;

    return store;
}


static void
ngx_k8s_sa_tls_system_cleanup(void *data)
{
    if (ngx_k8s_sa_tls_system.store == data) {
        ngx_k8s_sa_tls_system.store = NULL;
    }

    X509_STORE_free(data);
}


/*
 * Returns a store of the certificates in the PEM file, or NULL with the reason
 * in error if any of them is broken.
 */

static X509_STORE *
ngx_k8s_sa_tls_load_store(ngx_k8s_sa_tls_t *tls, u_char *error)
{
    int          rc;
    BIO         *bio;
    X509        *cert;
    u_long       n;
    ngx_str_t    content;
    ngx_uint_t   count;
    X509_STORE  *store;

    if (ngx_k8s_sa_file_read(&tls->trusted, &content) != NGX_OK) {
        (void) ngx_k8s_sa_file_reason(&tls->trusted, error,
                                      NGX_K8S_SA_TLS_ERROR_LEN);
        return NULL;
    }

    ERR_clear_error();

    bio = BIO_new_mem_buf(content.data, content.len);
    store = X509_STORE_new();

    if (bio == NULL || store == NULL) {
        goto failed;
    }

    for (count = 0; /* void */ ; count++) {

        cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);

        if (cert == NULL) {
            n = ERR_peek_last_error();

            if (count
                && ERR_GET_LIB(n) == ERR_LIB_PEM
                && ERR_GET_REASON(n) == PEM_R_NO_START_LINE)
            {
                break;
            }

            goto failed;
        }

        rc = X509_STORE_add_cert(store, cert);

        X509_free(cert);

        if (rc != 1) {
            goto failed;
        }
    }

    ERR_clear_error();

    BIO_free(bio);
    ngx_k8s_sa_file_free(&content);

    return store;

failed:

    if (store == NULL
        || bio == NULL
        || ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)
    {
        ngx_k8s_sa_file_forget(&tls->trusted);
    }

    ngx_k8s_sa_tls_error(error, "no memory");

    BIO_free(bio);
    X509_STORE_free(store);
    ngx_k8s_sa_file_free(&content);

    return NULL;
}


void
ngx_k8s_sa_tls_error(u_char *error, const char *text)
{
    u_long       n;
    const char  *reason;

    n = ERR_peek_error();

    if (n) {
        reason = ERR_SYSTEM_ERROR(n) ? strerror(ERR_GET_REASON(n))
                                     : ERR_reason_error_string(n);
        text = reason ? reason : "unknown error";
    }

    ERR_clear_error();

    ngx_cpystrn(error, (u_char *) text, NGX_K8S_SA_TLS_ERROR_LEN);
}
