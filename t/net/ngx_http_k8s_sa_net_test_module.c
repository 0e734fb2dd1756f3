/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * Runs an exchange of src/net/ for each request and prints its result.  For
 * the tests in this directory only.
 *
 * "k8s_sa_net_test URL [key=value ...];" creates a client for its location.
 * The arguments of a request select what to do: path, size (of a POST's body),
 * idempotent, hold, unhold, token, header, background, cancel; or parse and
 * base, which only parse URLs.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "net/ngx_k8s_sa_client.h"
#include "net/ngx_k8s_sa_exchange.h"
#include "net/ngx_k8s_sa_system.h"
#include "ngx_http_k8s_sa_net_test.h"


/* A client and counters of what its exchanges have done. */

typedef struct {
    ngx_k8s_sa_client_t         *client;
    ngx_uint_t                   connections;   /* connect() called */
    ngx_uint_t                   handshakes;    /* successful ones */
    ngx_uint_t                   reused;        /* kept connections in use */
    ngx_uint_t                   resent;        /* requests sent again */
} ngx_http_k8s_sa_net_test_client_t;


typedef struct {
    ngx_k8s_sa_client_t         *client;
    ngx_k8s_sa_client_conf_t     conf;
    ngx_k8s_sa_url_t             url;
    ngx_str_t                    resolv_conf;
    ngx_str_t                    hosts;
    ngx_int_t                    dns_port;
} ngx_http_k8s_sa_net_test_loc_conf_t;


typedef struct {
    ngx_array_t                  clients;       /* test clients */
} ngx_http_k8s_sa_net_test_main_conf_t;


typedef struct {
    ngx_http_request_t          *request;
    ngx_k8s_sa_client_t         *client;
    ngx_k8s_sa_exchange_t       *exchange;
    ngx_event_t                  cancel;
} ngx_http_k8s_sa_net_test_ctx_t;


/*
 * With the linker's option --wrap, ngx_k8s_sa_exchange.c calls these counting
 * functions instead of those of ngx_k8s_sa_conn.c.
 */

ngx_int_t __real_ngx_k8s_sa_conn_open(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url, ngx_k8s_sa_addr_t *addr,
    ngx_k8s_sa_conn_t **conn, ngx_err_t *err);
ngx_int_t __wrap_ngx_k8s_sa_conn_open(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url, ngx_k8s_sa_addr_t *addr,
    ngx_k8s_sa_conn_t **conn, ngx_err_t *err);
ngx_k8s_sa_conn_t *__real_ngx_k8s_sa_conn_reuse(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url);
ngx_k8s_sa_conn_t *__wrap_ngx_k8s_sa_conn_reuse(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url);
ngx_int_t __real_ngx_k8s_sa_conn_handshake(ngx_k8s_sa_conn_t *conn,
    u_char *error);
ngx_int_t __wrap_ngx_k8s_sa_conn_handshake(ngx_k8s_sa_conn_t *conn,
    u_char *error);
ssize_t __real_ngx_k8s_sa_conn_send(ngx_k8s_sa_conn_t *conn, u_char *buf,
    size_t size, ngx_err_t *err);
ssize_t __wrap_ngx_k8s_sa_conn_send(ngx_k8s_sa_conn_t *conn, u_char *buf,
    size_t size, ngx_err_t *err);

static ngx_http_k8s_sa_net_test_client_t *ngx_http_k8s_sa_net_test_client(
    ngx_k8s_sa_pool_t *pool);
static ngx_uint_t ngx_http_k8s_sa_net_test_running(
    ngx_k8s_sa_client_t *client);
static const char *ngx_http_k8s_sa_net_test_error(
    ngx_k8s_sa_net_error_e error);
static void ngx_http_k8s_sa_net_test_close(void *data);
static ngx_int_t ngx_http_k8s_sa_net_test_handler(ngx_http_request_t *r);
static void ngx_http_k8s_sa_net_test_done(const ngx_k8s_sa_result_t *res,
    void *data);
static void ngx_http_k8s_sa_net_test_background(
    const ngx_k8s_sa_result_t *res, void *data);
static void ngx_http_k8s_sa_net_test_cancel(ngx_event_t *ev);
static void ngx_http_k8s_sa_net_test_gone(void *data);
static void *ngx_http_k8s_sa_net_test_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_k8s_sa_net_test_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_k8s_sa_net_test(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_k8s_sa_net_test_merge(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_k8s_sa_net_test_init_process(ngx_cycle_t *cycle);
static void ngx_http_k8s_sa_net_test_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_k8s_sa_net_test_commands[] = {

    { ngx_string("k8s_sa_net_test"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_k8s_sa_net_test,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_k8s_sa_net_test_module_ctx = {
    NULL,                                        /* preconfiguration */
    NULL,                                        /* postconfiguration */
    ngx_http_k8s_sa_net_test_create_main_conf,
    NULL,
    NULL,
    NULL,
    ngx_http_k8s_sa_net_test_create_loc_conf,
    ngx_http_k8s_sa_net_test_merge
};


ngx_module_t  ngx_http_k8s_sa_net_test_module = {
    NGX_MODULE_V1,
    &ngx_http_k8s_sa_net_test_module_ctx,
    ngx_http_k8s_sa_net_test_commands,
    NGX_HTTP_MODULE,
    NULL,                                        /* init master */
    NULL,                                        /* init module */
    ngx_http_k8s_sa_net_test_init_process,
    NULL,                                        /* init thread */
    NULL,                                        /* exit thread */
    ngx_http_k8s_sa_net_test_exit_process,
    NULL,                                        /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_int_t
__wrap_ngx_k8s_sa_conn_open(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url, ngx_k8s_sa_addr_t *addr,
    ngx_k8s_sa_conn_t **conn, ngx_err_t *err)
{
    ngx_http_k8s_sa_net_test_client(pool)->connections++;

    return __real_ngx_k8s_sa_conn_open(pool, url, addr, conn, err);
}


ngx_k8s_sa_conn_t *
__wrap_ngx_k8s_sa_conn_reuse(ngx_k8s_sa_pool_t *pool,
    const ngx_k8s_sa_url_t *url)
{
    ngx_k8s_sa_conn_t  *conn;

    conn = __real_ngx_k8s_sa_conn_reuse(pool, url);

    if (conn) {
        ngx_http_k8s_sa_net_test_client(pool)->reused++;
    }

    return conn;
}


ngx_int_t
__wrap_ngx_k8s_sa_conn_handshake(ngx_k8s_sa_conn_t *conn, u_char *error)
{
    ngx_int_t  rc;

    rc = __real_ngx_k8s_sa_conn_handshake(conn, error);

    if (rc == NGX_OK) {
        ngx_http_k8s_sa_net_test_client(conn->pool)->handshakes++;
    }

    return rc;
}


ssize_t
__wrap_ngx_k8s_sa_conn_send(ngx_k8s_sa_conn_t *conn, u_char *buf, size_t size,
    ngx_err_t *err)
{
    ssize_t                 n;
    ngx_k8s_sa_exchange_t  *ex;

    n = __real_ngx_k8s_sa_conn_send(conn, buf, size, err);

    ex = conn->data;

    if (n > 0 && ex->sent && buf == ex->request.start) {
        ngx_http_k8s_sa_net_test_client(conn->pool)->resent++;
    }

    return n;
}


static ngx_http_k8s_sa_net_test_client_t *
ngx_http_k8s_sa_net_test_client(ngx_k8s_sa_pool_t *pool)
{
    ngx_uint_t                             i;
    ngx_http_k8s_sa_net_test_client_t     *tc;
    ngx_http_k8s_sa_net_test_main_conf_t  *tmcf;

    tmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                            ngx_http_k8s_sa_net_test_module);
    tc = tmcf->clients.elts;

    for (i = 0; &tc[i].client->connections != pool; i++) {
        /* void */
    }

    return &tc[i];
}


static ngx_uint_t
ngx_http_k8s_sa_net_test_running(ngx_k8s_sa_client_t *client)
{
    ngx_uint_t    n;
    ngx_queue_t  *q;

    n = 0;

    for (q = ngx_queue_head(&client->running);
         q != ngx_queue_sentinel(&client->running);
         q = ngx_queue_next(q))
    {
        n++;
    }

    return n;
}


static const char *
ngx_http_k8s_sa_net_test_error(ngx_k8s_sa_net_error_e error)
{
    static const char  *names[] = {
        "ok",
        "resolve",
        "connect",
        "tls",
        "timeout",
        "closed",
        "protocol",
        "too_large",
        "internal",
        "shutdown"
    };

    return names[error];
}


ngx_uint_t
ngx_http_k8s_sa_net_test_arg(ngx_http_request_t *r, char *name,
    ngx_str_t *value)
{
    ngx_str_null(value);

    return ngx_http_arg(r, (u_char *) name, ngx_strlen(name), value) == NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_net_test_handler(ngx_http_request_t *r)
{
    ngx_int_t                             n;
    ngx_str_t                             value, path, none;
    ngx_uint_t                            background;
    const char                           *err;
    ngx_keyval_t                          header;
    ngx_k8s_sa_url_t                      url;
    ngx_pool_cleanup_t                   *cln;
    ngx_k8s_sa_request_t                  req;
    ngx_http_k8s_sa_net_test_ctx_t       *ctx;
    ngx_http_k8s_sa_net_test_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_net_test_module);

    ngx_memzero(&req, sizeof(ngx_k8s_sa_request_t));

    if (ngx_http_k8s_sa_net_test_arg(r, "parse", &value)) {
        return ngx_http_k8s_sa_net_test_parse(r, &value);
    }

    url = tlcf->url;
    background = ngx_http_k8s_sa_net_test_arg(r, "background", &value);

    if (ngx_http_k8s_sa_net_test_arg(r, "path", &path)
        && ngx_k8s_sa_url_join(r->pool, &tlcf->url, &path, &url, &err)
           != NGX_OK)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    req.url = &url;

    if (ngx_http_k8s_sa_net_test_arg(r, "size", &value)) {
        n = ngx_atoi(value.data, value.len);

        req.method = NGX_K8S_SA_POST;
        req.body.len = n;
        req.body.data = ngx_palloc(r->pool, n + 1);

        if (n < 0 || req.body.data == NULL) {
            return NGX_HTTP_BAD_REQUEST;
        }

        ngx_memset(req.body.data, 'x', n);
    }

    req.idempotent = ngx_http_k8s_sa_net_test_arg(r, "idempotent", &value);
    req.hold = ngx_http_k8s_sa_net_test_arg(r, "hold", &value);

    (void) ngx_http_k8s_sa_net_test_arg(r, "token", &req.token);

    if (ngx_http_k8s_sa_net_test_arg(r, "header", &value)) {
        u_char  *dst, *src;

        dst = ngx_pnalloc(r->pool, value.len);
        if (dst == NULL) {
            return NGX_ERROR;
        }

        header.value.data = dst;
        src = value.data;
        ngx_unescape_uri(&dst, &src, value.len, 0);
        header.value.len = dst - header.value.data;
        ngx_str_set(&header.key, "X-Test");

        req.headers = &header;
        req.nheaders = 1;
    }

    ngx_str_set(&none, "error=not_started\n");

    if (background) {
        req.handler = ngx_http_k8s_sa_net_test_background;

        if (ngx_k8s_sa_client_start(tlcf->client, &req) != NULL) {
            ngx_str_set(&none, "error=background\n");
        }

        return ngx_http_k8s_sa_net_test_send(r, &none);
    }

    cln = ngx_pool_cleanup_add(r->pool,
                               sizeof(ngx_http_k8s_sa_net_test_ctx_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_k8s_sa_net_test_ctx_t));
    cln->handler = ngx_http_k8s_sa_net_test_gone;

    req.handler = ngx_http_k8s_sa_net_test_done;
    req.data = ctx;

    ctx->request = r;
    ctx->client = tlcf->client;
    ctx->exchange = ngx_k8s_sa_client_start(tlcf->client, &req);

    if (ctx->exchange == NULL) {
        return ngx_http_k8s_sa_net_test_send(r, &none);
    }

    if (ngx_http_k8s_sa_net_test_arg(r, "cancel", &value)) {
        ctx->cancel.handler = ngx_http_k8s_sa_net_test_cancel;
        ctx->cancel.data = ctx;
        ctx->cancel.log = r->connection->log;
        ngx_add_timer(&ctx->cancel, ngx_atoi(value.data, value.len));
    }

    if (ngx_http_k8s_sa_net_test_arg(r, "unhold", &value)) {
        ngx_k8s_sa_exchange_hold(ctx->exchange, 1);
        ngx_k8s_sa_exchange_hold(ctx->exchange, 0);
    }

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;

    return NGX_DONE;
}


static void
ngx_http_k8s_sa_net_test_done(const ngx_k8s_sa_result_t *res, void *data)
{
    u_char                          *p, *last;
    size_t                           len;
    ngx_str_t                        text;
    ngx_http_request_t              *r;
    ngx_connection_t                *c;
    ngx_k8s_sa_exchange_t           *ex;
    ngx_http_k8s_sa_net_test_ctx_t  *ctx = data;

    ngx_http_k8s_sa_net_test_client_t  *tc;

    r = ctx->request;
    c = r->connection;

    ctx->exchange = NULL;

    if (ctx->cancel.timer_set) {
        ngx_del_timer(&ctx->cancel);
    }

    tc = ngx_http_k8s_sa_net_test_client(&ctx->client->connections);
    ex = (ngx_k8s_sa_exchange_t *)
             ((u_char *) res - offsetof(ngx_k8s_sa_exchange_t, result));

    len = 4096 + res->body.len + res->reason.len + res->cache_control.len
          + res->retry_after.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    text.data = p;
    last = p + len;

    p = ngx_slprintf(p, last, "error=%s\nreason=%V\nstatus=%ui\naddress=%V\n",
                     ngx_http_k8s_sa_net_test_error(res->error), &res->reason,
                     res->status, &ex->address);

    p = ngx_slprintf(p, last, "cache=%V\nretry=%V\n", &res->cache_control,
                     &res->retry_after);

    p = ngx_slprintf(p, last, "connections=%ui\nhandshakes=%ui\nreused=%ui\n"
                     "resent=%ui\nidle=%ui\nrunning=%ui\nlength=%uz\n\n%V",
                     tc->connections, tc->handshakes, tc->reused, tc->resent,
                     ctx->client->connections.nidle,
                     ngx_http_k8s_sa_net_test_running(ctx->client),
                     res->body.len, &res->body);

    text.len = p - text.data;

    ngx_http_finalize_request(r, ngx_http_k8s_sa_net_test_send(r, &text));
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_k8s_sa_net_test_background(const ngx_k8s_sa_result_t *res, void *data)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "background exchange: %s %ui %V",
                  ngx_http_k8s_sa_net_test_error(res->error), res->status,
                  &res->reason);

    (void) data;
}


static void
ngx_http_k8s_sa_net_test_cancel(ngx_event_t *ev)
{
    ngx_str_t                        text;
    ngx_connection_t                *c;
    ngx_http_request_t              *r;
    ngx_http_k8s_sa_net_test_ctx_t  *ctx = ev->data;

    r = ctx->request;
    c = r->connection;

    ngx_k8s_sa_exchange_cancel(ctx->exchange);
    ctx->exchange = NULL;

    ngx_str_set(&text, "error=cancelled\n");

    ngx_http_finalize_request(r, ngx_http_k8s_sa_net_test_send(r, &text));
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_k8s_sa_net_test_gone(void *data)
{
    ngx_http_k8s_sa_net_test_ctx_t  *ctx = data;

    if (ctx->cancel.timer_set) {
        ngx_del_timer(&ctx->cancel);
    }

    if (ctx->exchange) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "client has gone");
        ngx_k8s_sa_exchange_cancel(ctx->exchange);
    }
}


ngx_int_t
ngx_http_k8s_sa_net_test_send(ngx_http_request_t *r, ngx_str_t *text)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;
    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = text->len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


static void *
ngx_http_k8s_sa_net_test_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_k8s_sa_net_test_main_conf_t  *tmcf;

    tmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_net_test_main_conf_t));

    if (tmcf == NULL
        || ngx_array_init(&tmcf->clients, cf->pool, 4,
                          sizeof(ngx_http_k8s_sa_net_test_client_t))
           != NGX_OK)
    {
        return NULL;
    }

    return tmcf;
}


static void *
ngx_http_k8s_sa_net_test_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_net_test_loc_conf_t));
}


static char *
ngx_http_k8s_sa_net_test(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_net_test_loc_conf_t  *tlcf = conf;

    ngx_int_t                  rc;
    ngx_str_t                 *value, v;
    ngx_uint_t                 i;
    const char                *err;
    ngx_k8s_sa_client_conf_t  *c;
    ngx_http_core_loc_conf_t  *clcf;

    (void) cmd;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_k8s_sa_net_test_handler;

    value = cf->args->elts;
    c = &tlcf->conf;

    c->timeout = 1000;
    c->max_body = 1024 * 1024;

    rc = ngx_k8s_sa_url_parse(cf->pool, &value[1], &tlcf->url, &err);

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"%V\"", err,
                           &value[1]);
    }

    if (rc != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        v.data = ngx_strlchr(value[i].data, value[i].data + value[i].len, '=');

        if (v.data == NULL) {
            return "has an invalid parameter";
        }

        v.data++;
        v.len = value[i].data + value[i].len - v.data;

#define key_is(name)                                                          \
        (value[i].len - v.len == sizeof(name)                                 \
         && ngx_strncmp(value[i].data, name, sizeof(name) - 1) == 0)

        if (key_is("timeout")) {
            c->timeout = ngx_parse_time(&v, 0);

        } else if (key_is("max_body")) {
            c->max_body = ngx_parse_size(&v);

        } else if (key_is("resolver_timeout")) {
            c->resolver_timeout = ngx_parse_time(&v, 0);

        } else if (key_is("max_idle")) {
            c->max_idle = ngx_atoi(v.data, v.len);

        } else if (key_is("idle_timeout")) {
            c->idle_timeout = ngx_parse_time(&v, 0);

        } else if (key_is("resolv_conf")) {
            tlcf->resolv_conf = v;

        } else if (key_is("hosts")) {
            tlcf->hosts = v;

        } else if (key_is("dns_port")) {
            tlcf->dns_port = ngx_atoi(v.data, v.len);

        } else if (key_is("ssl_name")) {
            c->ssl_name = v;

        } else if (key_is("ssl_trusted")) {
            c->ssl_trusted = v;

        } else if (key_is("ssl_certificate")) {
            c->ssl_certificate = v;

        } else if (key_is("ssl_certificate_key")) {
            c->ssl_certificate_key = v;

        } else if (key_is("ssl_verify")) {
            c->ssl_no_verify = (v.len == 3);

        } else {
            return "has an unknown parameter";
        }
    }

    return NGX_CONF_OK;
}


/* The client is created here: "resolver" may come after k8s_sa_net_test. */

static char *
ngx_http_k8s_sa_net_test_merge(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_pool_cleanup_t                    *cln;
    ngx_k8s_sa_system_t                   *system;
    ngx_http_core_loc_conf_t              *clcf;
    ngx_http_k8s_sa_net_test_client_t     *tc;
    ngx_http_k8s_sa_net_test_loc_conf_t   *tlcf = child;
    ngx_http_k8s_sa_net_test_main_conf_t  *tmcf;

    (void) parent;

    if (tlcf->url.text.len == 0) {
        return NGX_CONF_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    tmcf = ngx_http_conf_get_module_main_conf(cf,
                                            ngx_http_k8s_sa_net_test_module);

    tlcf->conf.resolver = clcf->resolver;

    if (tlcf->resolv_conf.len) {
        cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_k8s_sa_system_t));
        if (cln == NULL) {
            return NGX_CONF_ERROR;
        }

        system = cln->data;
        cln->handler = ngx_http_k8s_sa_net_test_close;

        ngx_memzero(system, sizeof(ngx_k8s_sa_system_t));

        /* nginx terminates the parameters of a directive with a NUL */

        system->resolv_file.path = tlcf->resolv_conf;
        system->hosts_file.path = tlcf->hosts;
        system->port = tlcf->dns_port ? tlcf->dns_port : 53;

        tlcf->conf.system = system;
    }

    tlcf->client = ngx_k8s_sa_client_create(cf, &tlcf->conf);
    if (tlcf->client == NULL) {
        return NGX_CONF_ERROR;
    }

    tc = ngx_array_push(&tmcf->clients);
    if (tc == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(tc, sizeof(ngx_http_k8s_sa_net_test_client_t));
    tc->client = tlcf->client;

    return NGX_CONF_OK;
}


static void
ngx_http_k8s_sa_net_test_close(void *data)
{
    ngx_k8s_sa_system_close(data);
}


static ngx_int_t
ngx_http_k8s_sa_net_test_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                             i;
    ngx_http_k8s_sa_net_test_client_t     *tc;
    ngx_http_k8s_sa_net_test_main_conf_t  *tmcf;

    tmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                            ngx_http_k8s_sa_net_test_module);
    tc = tmcf->clients.elts;

    for (i = 0; i < tmcf->clients.nelts; i++) {
        ngx_k8s_sa_client_init_process(tc[i].client);
    }

    return NGX_OK;
}


static void
ngx_http_k8s_sa_net_test_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                             i;
    ngx_http_k8s_sa_net_test_client_t     *tc;
    ngx_http_k8s_sa_net_test_main_conf_t  *tmcf;

    tmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                            ngx_http_k8s_sa_net_test_module);
    tc = tmcf->clients.elts;

    for (i = 0; i < tmcf->clients.nelts; i++) {
        ngx_k8s_sa_client_shutdown(tc[i].client);
    }
}
