/* SPDX-License-Identifier: BSD-2-Clause */


/* Clients, and the start of exchanges. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_client.h"
#include "net/ngx_k8s_sa_exchange.h"


#define NGX_K8S_SA_IDLE_TIMEOUT  60000      /* ms */


static void ngx_k8s_sa_client_cleanup(void *data);
static ngx_int_t ngx_k8s_sa_client_check(ngx_k8s_sa_client_t *client,
    const ngx_k8s_sa_request_t *req);
static ngx_uint_t ngx_k8s_sa_client_header_ok(const ngx_str_t *name,
    const ngx_str_t *value);
static ngx_int_t ngx_k8s_sa_client_copy_url(ngx_pool_t *pool,
    const ngx_k8s_sa_url_t *from, ngx_k8s_sa_url_t *to);
static ngx_int_t ngx_k8s_sa_client_build(ngx_k8s_sa_exchange_t *ex,
    const ngx_k8s_sa_request_t *req);
static u_char *ngx_k8s_sa_client_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


ngx_k8s_sa_client_t *
ngx_k8s_sa_client_create(ngx_conf_t *cf, const ngx_k8s_sa_client_conf_t *conf)
{
    ngx_pool_cleanup_t   *cln;
    ngx_resolver_ctx_t   *ctx;
    ngx_k8s_sa_client_t  *client;

    client = ngx_pcalloc(cf->pool, sizeof(ngx_k8s_sa_client_t));
    if (client == NULL) {
        return NULL;
    }

    ngx_queue_init(&client->running);
    ngx_queue_init(&client->connections.idle);

    client->timeout = conf->timeout;
    client->max_body = conf->max_body;
    client->resolver_timeout = conf->resolver_timeout ? conf->resolver_timeout
                                                      : conf->timeout;
    client->system = conf->system ? conf->system
                                  : ngx_k8s_sa_system_default();

    /* nginx's http block has a resolver without servers if none is set */

    if (conf->resolver) {
        ctx = ngx_resolve_start(conf->resolver, NULL);
        if (ctx == NULL) {
            return NULL;
        }

        if (ctx != NGX_NO_RESOLVER) {
            ngx_resolve_name_done(ctx);
            client->resolver = conf->resolver;
        }
    }

    client->connections.max_idle = conf->max_idle;
    client->connections.user_timeout = ngx_max(conf->timeout / 3, 1);
    client->connections.idle_timeout = conf->idle_timeout
                                       ? conf->idle_timeout
                                       : NGX_K8S_SA_IDLE_TIMEOUT;

    if (ngx_k8s_sa_tls_create(cf, &client->connections.tls, conf) != NGX_OK) {
        return NULL;
    }

    /* cleanups run in reverse order: this one runs before the one of TLS */

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_k8s_sa_client_cleanup;
    cln->data = client;

    return client;
}


static void
ngx_k8s_sa_client_cleanup(void *data)
{
    ngx_k8s_sa_client_shutdown(data);
}


void
ngx_k8s_sa_client_init_process(ngx_k8s_sa_client_t *client)
{
    if (client->resolver == NULL) {
        ngx_k8s_sa_system_refresh(client->system);
    }
}


ngx_uint_t
ngx_k8s_sa_client_is_private(const ngx_k8s_sa_client_t *client,
    const ngx_k8s_sa_url_t *url)
{
    return url->ssl && client->connections.tls.verify;
}


ngx_k8s_sa_exchange_t *
ngx_k8s_sa_client_start(ngx_k8s_sa_client_t *client,
    const ngx_k8s_sa_request_t *req)
{
    ngx_pool_t             *pool;
    ngx_k8s_sa_exchange_t  *ex;

    if (ngx_k8s_sa_client_check(client, req) != NGX_OK) {
        return NULL;
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    ex = ngx_pcalloc(pool, sizeof(ngx_k8s_sa_exchange_t));
    if (ex == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ex->pool = pool;
    ex->client = client;
    ex->method = req->method;
    ex->handler = req->handler;
    ex->data = req->data;
    ex->hold = req->hold;
    ex->header = req->header;
    ex->idempotent = (req->method == NGX_K8S_SA_GET || req->idempotent);

    ex->log = *ngx_cycle->log;
    ex->log.handler = ngx_k8s_sa_client_log_error;
    ex->log.data = ex;
    ex->log.action = "resolving";

    if (ngx_k8s_sa_client_copy_url(pool, req->url, &ex->url) != NGX_OK
        || ngx_k8s_sa_client_build(ex, req) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ex->event.handler = ngx_k8s_sa_exchange_begin;
    ex->event.data = ex;
    ex->event.log = &ex->log;

    ex->timer.handler = ngx_k8s_sa_exchange_timeout;
    ex->timer.data = ex;
    ex->timer.log = &ex->log;
    ex->timer.cancelable = !ex->hold;

    ex->attempt.handler = ngx_k8s_sa_exchange_attempt_timeout;
    ex->attempt.data = ex;
    ex->attempt.log = &ex->log;
    ex->attempt.cancelable = 1;

    ngx_add_timer(&ex->timer, client->timeout);

    /* starts in the next turn of the event loop, which comes at once */

    ngx_post_event(&ex->event, &ngx_posted_next_events);

    ngx_queue_insert_tail(&client->running, &ex->queue);

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &ex->log, 0,
                   "k8s sa exchange: %s \"%V\"",
                   ex->method == NGX_K8S_SA_POST ? "POST" : "GET",
                   &ex->url.text);

    return ex;
}


static ngx_int_t
ngx_k8s_sa_client_check(ngx_k8s_sa_client_t *client,
    const ngx_k8s_sa_request_t *req)
{
    ngx_uint_t  i;

    for (i = 0; i < req->nheaders; i++) {

        if (!ngx_k8s_sa_client_header_ok(&req->headers[i].key,
                                         &req->headers[i].value))
        {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "invalid request header for \"%V\"",
                          &req->url->text);
            return NGX_ERROR;
        }
    }

    if (req->token.len == 0) {
        return NGX_OK;
    }

    for (i = 0; i < req->token.len; i++) {

        if (req->token.data[i] <= ' ' || req->token.data[i] >= 0x7f) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "invalid character in the credential for \"%V\"",
                          &req->url->text);
            return NGX_ERROR;
        }
    }

    if (!ngx_k8s_sa_client_is_private(client, req->url)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "the credential for \"%V\" is not sent without "
                      "verified TLS", &req->url->text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* A control character could end the header and start another one. */

static ngx_uint_t
ngx_k8s_sa_client_header_ok(const ngx_str_t *name, const ngx_str_t *value)
{
    u_char  ch;
    size_t  i;

    if (name->len == 0) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {

        ch = name->data[i];

        if (!((ch >= '0' && ch <= '9')
              || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z')
              || ch == '-'))
        {
            return 0;
        }
    }

    for (i = 0; i < value->len; i++) {

        if (value->data[i] < ' ' || value->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_k8s_sa_client_copy_url(ngx_pool_t *pool, const ngx_k8s_sa_url_t *from,
    ngx_k8s_sa_url_t *to)
{
    ngx_uint_t        i;
    ngx_str_t        *dst;
    const ngx_str_t  *src;

    const ngx_str_t  *srcs[] = { &from->text, &from->host, &from->authority,
                                 &from->path };
    ngx_str_t        *dsts[] = { &to->text, &to->host, &to->authority,
                                 &to->path };

    *to = *from;

    for (i = 0; i < 4; i++) {
        src = srcs[i];
        dst = dsts[i];

        dst->data = ngx_pnalloc(pool, src->len + 1);
        if (dst->data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(dst->data, src->data, src->len);
        dst->data[src->len] = '\0';
    }

    return NGX_OK;
}


static ngx_int_t
ngx_k8s_sa_client_build(ngx_k8s_sa_exchange_t *ex,
    const ngx_k8s_sa_request_t *req)
{
    u_char      *p;
    size_t       len;
    ngx_buf_t   *b;
    ngx_uint_t   i;

    len = sizeof("POST  HTTP/1.1" CRLF) - 1 + ex->url.path.len
          + sizeof("Host: " CRLF) - 1 + ex->url.authority.len
          + sizeof("User-Agent: ngx_http_k8s_sa" CRLF) - 1
          + sizeof("Connection: keep-alive" CRLF) - 1
          + sizeof("Authorization: Bearer " CRLF) - 1 + req->token.len
          + sizeof("Content-Length: " CRLF) - 1 + NGX_SIZE_T_LEN
          + sizeof(CRLF) - 1
          + req->body.len;

    for (i = 0; i < req->nheaders; i++) {
        len += req->headers[i].key.len + sizeof(": " CRLF) - 1
               + req->headers[i].value.len;
    }

    b = &ex->request;

    b->start = ngx_pnalloc(ex->pool, len);
    if (b->start == NULL) {
        return NGX_ERROR;
    }

    b->end = b->start + len;

    p = ngx_sprintf(b->start, "%s %V HTTP/1.1" CRLF
                    "Host: %V" CRLF
                    "User-Agent: ngx_http_k8s_sa" CRLF,
                    req->method == NGX_K8S_SA_POST ? "POST" : "GET",
                    &ex->url.path, &ex->url.authority);

    p = ngx_sprintf(p, "Connection: %s" CRLF,
                    ex->client->connections.max_idle ? "keep-alive" : "close");

    for (i = 0; i < req->nheaders; i++) {
        p = ngx_sprintf(p, "%V: %V" CRLF, &req->headers[i].key,
                        &req->headers[i].value);
    }

    if (req->token.len) {
        p = ngx_sprintf(p, "Authorization: Bearer %V" CRLF, &req->token);
    }

    if (req->method == NGX_K8S_SA_POST) {
        p = ngx_sprintf(p, "Content-Length: %uz" CRLF CRLF, req->body.len);
        p = ngx_cpymem(p, req->body.data, req->body.len);

    } else {
        *p++ = CR;
        *p++ = LF;
    }

    b->pos = b->start;
    b->last = p;

    return NGX_OK;
}


void
ngx_k8s_sa_client_shutdown(ngx_k8s_sa_client_t *client)
{
    ngx_queue_t        *q;
    ngx_k8s_sa_conn_t  *conn;

    while (!ngx_queue_empty(&client->running)) {
        q = ngx_queue_head(&client->running);
        ngx_k8s_sa_exchange_free(ngx_queue_data(q, ngx_k8s_sa_exchange_t,
                                                queue));
    }

    while (!ngx_queue_empty(&client->connections.idle)) {
        q = ngx_queue_head(&client->connections.idle);
        conn = ngx_queue_data(q, ngx_k8s_sa_conn_t, queue);
        ngx_k8s_sa_conn_close(conn);
    }

    ngx_k8s_sa_system_close(client->system);
}


static u_char *
ngx_k8s_sa_client_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    ngx_k8s_sa_exchange_t  *ex;

    ex = log->data;

    return ngx_k8s_sa_conn_log_server(log, buf, len, ex->url.ssl,
                                      &ex->url.authority);
}
