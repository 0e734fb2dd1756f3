/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_request.h"
#include "http/ngx_http_k8s_sa_headers.h"
#include "http/ngx_http_k8s_sa_identify.h"
#include "http/ngx_http_k8s_sa_path.h"
#include "token/k8s_sa_bearer.h"


/*
 * Anything shorter, or without the shape of a JWT, is only looked for in the
 * header that it comes from: a client must not be able to change other headers
 * by what it sends as a token.
 */

#define NGX_HTTP_K8S_SA_TOKEN_MIN  32


typedef struct {
    ngx_http_k8s_sa_main_conf_t  *mcf;
    ngx_http_k8s_sa_ctx_t        *ctx;        /* NULL unless withhold */
    ngx_uint_t                    withhold;   /* 1: withhold the token, too */
} ngx_http_k8s_sa_clean_t;


static ngx_int_t ngx_http_k8s_sa_find_token(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx);
static ngx_int_t ngx_http_k8s_sa_strip_scheme(ngx_str_t *value);
static ngx_uint_t ngx_http_k8s_sa_two_credentials(ngx_str_t *value);
static ngx_uint_t ngx_http_k8s_sa_other_auth(
    ngx_http_k8s_sa_loc_conf_t *conf, ngx_http_k8s_sa_loc_conf_t *lcf);
static ngx_uint_t ngx_http_k8s_sa_in_uri(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_str_t *token);
static ngx_uint_t ngx_http_k8s_sa_is_own(ngx_str_t *value, ngx_str_t *token);
static ngx_uint_t ngx_http_k8s_sa_has_shape(ngx_http_k8s_sa_loc_conf_t *lcf,
    ngx_str_t *token);
static ngx_int_t ngx_http_k8s_sa_cut(ngx_http_request_t *r, ngx_str_t *value,
    ngx_str_t *token);
static ngx_int_t ngx_http_k8s_sa_prepare(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx);
static ngx_int_t ngx_http_k8s_sa_attach(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);
static ngx_int_t ngx_http_k8s_sa_prepare_sub(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx);
static ngx_int_t ngx_http_k8s_sa_clean(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);
static ngx_int_t ngx_http_k8s_sa_clean_header(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_str_t *value, void *data);


ngx_http_k8s_sa_ctx_t *
ngx_http_k8s_sa_sub_ctx(ngx_http_request_t *r)
{
    ngx_http_k8s_sa_ctx_t       *ctx, *prepared;
    ngx_http_k8s_sa_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_module);
    prepared = ngx_http_k8s_sa_get_ctx(r);

    /* variables are shared: some may be about the main request's identity */

    if (prepared && prepared->read && lcf->auth
        && ngx_http_k8s_sa_other_auth(prepared->conf, lcf)
        && ngx_http_k8s_sa_note_early_read(r) != NGX_OK)
    {
        return NULL;
    }

    ctx = ngx_http_k8s_sa_own_ctx(r);
    if (ctx == NULL) {
        return NULL;
    }

    /* the header may have been removed, here or in the main request */

    if (prepared && (prepared->prepared || prepared->withheld)) {
        ctx->token = prepared->token;

    } else if (lcf->auth && ngx_http_k8s_sa_find_token(r, lcf, ctx) != NGX_OK)
    {
        return NULL;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa subrequest, token: %uz bytes", ctx->token.len);

    return ctx;
}


ngx_int_t
ngx_http_k8s_sa_post_read_handler(ngx_http_request_t *r)
{
    ngx_http_k8s_sa_srv_conf_t  *scf;

    scf = ngx_http_get_module_srv_conf(r, ngx_http_k8s_sa_module);

    if (scf->used && ngx_http_k8s_sa_clean(r, NULL) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/* NGX_OK would skip limit_req and limit_conn */

ngx_int_t
ngx_http_k8s_sa_preaccess_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_k8s_sa_ctx_t       *ctx;
    ngx_http_k8s_sa_loc_conf_t  *lcf;
    ngx_http_k8s_sa_srv_conf_t  *scf;

    scf = ngx_http_get_module_srv_conf(r, ngx_http_k8s_sa_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_module);

    if (!scf->used && !scf->strict) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_k8s_sa_get_ctx(r);

    if (!scf->used) {
        return r == r->main ? ngx_http_k8s_sa_check_path(r, lcf, ctx)
                            : NGX_DECLINED;
    }

    if (r != r->main) {
        return ngx_http_k8s_sa_prepare_sub(r, lcf, ctx);
    }

    /* after a wait the phase begins again */

    if (ctx == NULL || !ctx->prepared || ctx->conf != lcf) {

        if (lcf->auth) {
            ctx = ngx_http_k8s_sa_make_ctx(r);
            if (ctx == NULL) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
        }

        if (ctx && ngx_http_k8s_sa_prepare(r, lcf, ctx) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ngx_http_k8s_sa_clean(r, ctx) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (scf->strict) {
            rc = ngx_http_k8s_sa_check_path(r, lcf, ctx);
            if (rc != NGX_DECLINED) {
                return rc;
            }
        }
    }

    if (lcf->auth == NULL || lcf->phase != NGX_HTTP_K8S_SA_PREACCESS) {
        return NGX_DECLINED;
    }

    rc = ngx_http_k8s_sa_identify(r, lcf, ctx, ngx_http_k8s_sa_resume);

    switch (rc) {

    case NGX_OK:
        return NGX_DECLINED;

    case NGX_AGAIN:
        return NGX_AGAIN;

    default: /* NGX_ERROR */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


/* nginx skips the access phase in subrequests: this is about headers only */

static ngx_int_t
ngx_http_k8s_sa_prepare_sub(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx)
{
    /*
     * The headers are the main request's, cleaned and with its identity, or
     * without the token of a location before a redirect.
     */

    if (ctx && (ctx->prepared || ctx->withheld)) {
        return NGX_DECLINED;
    }

    ctx = NULL;

    if (lcf->auth) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_k8s_sa_ctx_t));

        if (ctx == NULL || ngx_http_k8s_sa_prepare(r, lcf, ctx) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_http_set_ctx(r, ctx, ngx_http_k8s_sa_module);
    }

    if (ngx_http_k8s_sa_clean(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/*
 * Removes headers that must not reach the upstream: those that could be
 * mistaken for identity headers, and in a location with k8s_sa_auth the token.
 */

static ngx_int_t
ngx_http_k8s_sa_clean(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_http_k8s_sa_clean_t  clean;

    clean.mcf = ngx_http_get_module_main_conf(r, ngx_http_k8s_sa_module);
    clean.ctx = ctx;
    clean.withhold = ctx && ctx->prepared && !ctx->conf->forward_token
                     && ctx->token.len;

    if (!clean.withhold && !ngx_http_k8s_sa_has_spoof(r, clean.mcf)) {
        return NGX_OK;
    }

    return ngx_http_k8s_sa_filter_headers(r, ngx_http_k8s_sa_clean_header,
                                          &clean);
}


/* The header of the token is kept in ctx->withheld. */

static ngx_int_t
ngx_http_k8s_sa_clean_header(ngx_http_request_t *r, ngx_table_elt_t *h,
    ngx_str_t *value, void *data)
{
    ngx_http_k8s_sa_clean_t *clean = data;

    ngx_http_k8s_sa_ctx_t       *ctx;
    ngx_http_k8s_sa_withheld_t  *withheld, **last;

    if (ngx_http_k8s_sa_is_spoof(clean->mcf, h)) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "k8s_sa identity header removed");
        return NGX_DECLINED;
    }

    ctx = clean->ctx;

    if (!clean->withhold || h->value.len < ctx->token.len) {
        return NGX_OK;
    }

    if (!ngx_http_k8s_sa_is_own(&h->value, &ctx->token)) {

        if (!ngx_http_k8s_sa_has_shape(ctx->conf, &ctx->token))
        {
            return NGX_OK;
        }

        *value = h->value;

        return ngx_http_k8s_sa_cut(r, value, &ctx->token);
    }

    withheld = ngx_palloc(r->pool, sizeof(ngx_http_k8s_sa_withheld_t));
    if (withheld == NULL) {
        return NGX_ERROR;
    }

    withheld->header = h;
    withheld->next = NULL;

    last = &ctx->withheld;

    while (*last) {
        last = &(*last)->next;
    }

    *last = withheld;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa header with the token removed");

    return NGX_DECLINED;
}


/* Returns 1 if the token comes from this header, or the header is a copy. */

static ngx_uint_t
ngx_http_k8s_sa_is_own(ngx_str_t *value, ngx_str_t *token)
{
    ngx_str_t  copy;

    if (token->data >= value->data
        && token->data < value->data + value->len)
    {
        return 1;
    }

    if (token->len < NGX_HTTP_K8S_SA_TOKEN_MIN) {
        return 0;
    }

    copy = *value;
    (void) ngx_http_k8s_sa_strip_scheme(&copy);

    return copy.len == token->len
           && ngx_memcmp(copy.data, token->data, token->len) == 0;
}


/*
 * Returns 1 for what looks like a JWT: three parts, of which the first begins
 * as the base64url of an object does.  A token that k8s_sa_token computes may
 * be a copy out of any header, and a blank is in no token.
 */

static ngx_uint_t
ngx_http_k8s_sa_has_shape(ngx_http_k8s_sa_loc_conf_t *lcf, ngx_str_t *token)
{
    u_char  *dot, *last;

    if (token->len < NGX_HTTP_K8S_SA_TOKEN_MIN) {
        return 0;
    }

    last = token->data + token->len;

    if (lcf->token) {
        return ngx_strlchr(token->data, last, ' ') == NULL;
    }

    if (token->data[0] != 'e' || token->data[1] != 'y') {
        return 0;
    }

    dot = ngx_strlchr(token->data, last, '.');

    return dot && ngx_strlchr(dot + 1, last, '.');
}


/*
 * Cuts the token out of a value.  NGX_OK: it is not there; NGX_DONE; NGX_ERROR
 * without memory.
 */

static ngx_int_t
ngx_http_k8s_sa_cut(ngx_http_request_t *r, ngx_str_t *value, ngx_str_t *token)
{
    u_char  *p;

    p = memmem(value->data, value->len, token->data, token->len);
    if (p == NULL) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, value->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = ngx_cpymem(p, value->data, value->len) - value->len;

    /* what is left may be the token again */

    while ((p = memmem(value->data, value->len, token->data, token->len))) {
        value->len -= token->len;
        ngx_memmove(p, p + token->len, value->data + value->len - p);
    }

    value->data[value->len] = '\0';

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa token cut out of a header");

    return NGX_DONE;
}


static ngx_int_t
ngx_http_k8s_sa_prepare(ngx_http_request_t *r, ngx_http_k8s_sa_loc_conf_t *lcf,
    ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_str_t                    token;
    ngx_http_k8s_sa_loc_conf_t  *conf;

    ngx_http_k8s_sa_end_pause(ctx);

    /*
     * An internal redirect starts again with the client's headers.  But the
     * token for one location is not sent to the upstream of another, unless
     * that asks for tokens, too, or forwards them.
     */

    if (ctx->withheld && (lcf->auth || lcf->forward_token)
        && ngx_http_k8s_sa_attach(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->prepared = 0;

    if (lcf->auth == NULL) {

        /* the decision of the location before stays, for the log */

        return NGX_OK;
    }

    if (ctx->state != NGX_HTTP_K8S_SA_UNDECIDED
        && ngx_http_k8s_sa_retire(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    token = ctx->token;
    conf = ctx->conf;

    ngx_str_null(&ctx->token);

    if (ctx->challenge) {
        ctx->challenge->hash = 0;
    }

    ctx->prepared = 1;
    ctx->conf = lcf;
    ctx->pause = NULL;

    if (ngx_http_k8s_sa_find_token(r, lcf, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (lcf->token && !lcf->forward_token
        && ngx_http_k8s_sa_in_uri(r, lcf, &ctx->token))
    {
        return NGX_ERROR;
    }

    /* without k8s_sa_auth in a location before, that was about the path */

    if (ctx->read
        && (ngx_http_k8s_sa_other_auth(conf, lcf)
            || token.len != ctx->token.len
            || ngx_memcmp(token.data, ctx->token.data, token.len) != 0))
    {
        ctx->read_early = 1;
    }

    ctx->read = 0;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa token: %uz bytes", ctx->token.len);

    return NGX_OK;
}


/* Returns 1 if other issuers have decided; conf may be NULL. */

static ngx_uint_t
ngx_http_k8s_sa_other_auth(ngx_http_k8s_sa_loc_conf_t *conf,
    ngx_http_k8s_sa_loc_conf_t *lcf)
{
    return conf == NULL
           || ngx_memcmp(conf->auth->digest, lcf->auth->digest,
                         NGX_K8S_SA_DIGEST_LEN)
              != 0;
}


/*
 * Returns 1 if the token is in the request's URI, otherwise 0.  "nginx -t"
 * refuses variables that are known to be from there, but not those of "set" or
 * "map".
 */

static ngx_uint_t
ngx_http_k8s_sa_in_uri(ngx_http_request_t *r, ngx_http_k8s_sa_loc_conf_t *lcf,
    ngx_str_t *token)
{
    static time_t  logged;

    if (!ngx_http_k8s_sa_has_shape(lcf, token)
        || memmem(r->unparsed_uri.data, r->unparsed_uri.len, token->data,
                  token->len)
           == NULL)
    {
        return 0;
    }

    if (logged != ngx_time()) {
        logged = ngx_time();

        /* the connection's log would add the request line, with the token */

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "k8s_sa: the token is in the request's URI, where it "
                      "cannot be withheld from the upstream: "
                      "\"k8s_sa_forward_token on\" is required");
    }

    return 1;
}


/* Adds the withheld headers again. */

static ngx_int_t
ngx_http_k8s_sa_attach(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_http_k8s_sa_withheld_t  *withheld;

    for (withheld = ctx->withheld; withheld; withheld = withheld->next) {
        if (ngx_http_k8s_sa_restore_header(r, withheld->header) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ctx->withheld = NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_find_token(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_http_variable_value_t  *v;

    if (lcf->token) {

        if (lcf->token->index != NGX_DECLINED) {

            /* not a copy: holds() recognizes the header by its address */

            v = ngx_http_get_flushed_variable(r, lcf->token->index);

            if (v && !v->not_found) {
                ctx->token.len = v->len;
                ctx->token.data = v->data;
            }

        } else if (ngx_http_complex_value(r, &lcf->token->value, &ctx->token)
                   != NGX_OK)
        {
            return NGX_ERROR;
        }

        (void) ngx_http_k8s_sa_strip_scheme(&ctx->token);

        return NGX_OK;
    }

    /* nginx refuses requests with two Authorization headers */

    if (r->headers_in.authorization) {

        ctx->token = r->headers_in.authorization->value;

        if (ngx_http_k8s_sa_strip_scheme(&ctx->token) != NGX_OK
            && !ngx_http_k8s_sa_two_credentials(&ctx->token))
        {
            ngx_str_null(&ctx->token);
        }
    }

    return NGX_OK;
}


/*
 * Returns 1 for "Basic ..., Bearer ...": as a whole it is a malformed token, so
 * that it is refused and does not reach the upstream.
 */

static ngx_uint_t
ngx_http_k8s_sa_two_credentials(ngx_str_t *value)
{
    u_char     *p, *last;
    ngx_str_t   rest;

    last = value->data + value->len;

    for (p = value->data; (p = ngx_strlchr(p, last, ',')); /* void */ ) {

        do {
            p++;
        } while (p < last && (*p == ' ' || *p == '\t'));

        rest.data = p;
        rest.len = last - p;

        if (ngx_http_k8s_sa_strip_scheme(&rest) == NGX_OK) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_k8s_sa_strip_scheme(ngx_str_t *value)
{
    k8s_sa_str_t  header, token;

    header.len = value->len;
    header.data = value->data;

    if (k8s_sa_bearer_token(&header, &token) != K8S_SA_OK) {
        return NGX_DECLINED;
    }

    value->len = token.len;
    value->data = token.data;

    return NGX_OK;
}
