/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_answer.h"


static ngx_int_t ngx_http_k8s_sa_challenge(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_int_t status);
static u_char *ngx_http_k8s_sa_log_kid(u_char *p, u_char *last, u_char *kid,
    size_t len);


ngx_int_t
ngx_http_k8s_sa_answer(ngx_http_request_t *r, ngx_http_k8s_sa_loc_conf_t *lcf,
    ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_int_t  status;

    status = ctx->status;

    if (status == 0) {
        status = k8s_sa_verdict_info(ctx->verdict)->status;
    }

    /* nothing is wrong with the token of a request that has no one meaning */

    if ((status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_FORBIDDEN)
        && k8s_sa_verdict_info(ctx->verdict)->status != NGX_HTTP_BAD_REQUEST
        && ngx_http_k8s_sa_challenge(r, lcf, ctx, status) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "k8s_sa answer: %i", status);

    return status;
}


/* RFC 6750 section 3 */

static ngx_int_t
ngx_http_k8s_sa_challenge(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_int_t status)
{
    u_char                       *p;
    size_t                        len;
    ngx_str_t                     description;
    const char                   *error;
    ngx_table_elt_t              *h;
    const k8s_sa_verdict_info_t  *info;

    info = k8s_sa_verdict_info(ctx->verdict);
    description = ctx->description;

    if (description.len == 0 && info->description) {
        description.data = (u_char *) info->description;
        description.len = ngx_strlen(info->description);
    }

    if (ctx->verdict == K8S_SA_NO_TOKEN) {
        error = NULL;

    } else if (status == NGX_HTTP_FORBIDDEN) {
        error = "insufficient_scope";

    } else if (info->status == NGX_HTTP_FORBIDDEN) {

        /* k8s_sa_require with error=401: nothing is wrong with the token */

        error = NULL;

    } else {
        error = "invalid_token";
    }

    len = lcf->realm.len;

    if (error) {
        len += sizeof(", error=\"\"") - 1 + ngx_strlen(error);
    }

    if (description.len) {
        len += sizeof(", error_description=\"\"") - 1 + description.len;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    /* nothing may fail before the element is filled: it would be sent */

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->lowcase_key = (u_char *) "www-authenticate";
    ngx_str_set(&h->key, "WWW-Authenticate");
    h->value.data = p;

    p = ngx_cpymem(p, lcf->realm.data, lcf->realm.len);

    if (error) {
        p = ngx_sprintf(p, ", error=\"%s\"", error);
    }

    if (description.len) {
        p = ngx_sprintf(p, ", error_description=\"%V\"", &description);
    }

    h->value.len = p - h->value.data;

#if (nginx_version >= 1023000)

    /* with "satisfy any" another module may have added one already */

    h->next = r->headers_out.www_authenticate;
#endif

    r->headers_out.www_authenticate = h;
    ctx->challenge = h;

    return NGX_OK;
}


void
ngx_http_k8s_sa_count(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx)
{
    time_t                        now;
    k8s_sa_identity_t            *id;
    ngx_k8s_sa_counters_t        *counters;
    ngx_http_k8s_sa_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_k8s_sa_module);

    counters = ctx->issuer ? ngx_k8s_sa_keystore_counters(&ctx->issuer->ref)
                           : ngx_k8s_sa_zone_counters(mcf->zone);

    ngx_k8s_sa_count(counters->verdicts[ctx->verdict]);

    if (ctx->cache == NGX_HTTP_K8S_SA_CACHE_HIT) {
        ngx_k8s_sa_count(counters->cache_hits);

    } else if (ctx->cache == NGX_HTTP_K8S_SA_CACHE_MISS) {
        ngx_k8s_sa_count(counters->cache_misses);
    }

    now = ngx_time();

    if (ctx->verdict != K8S_SA_VERDICT_OK || now < ctx->entry->notable) {
        return;
    }

    id = ngx_http_k8s_sa_identity(r, ctx);

    if (id == NULL || id->name.len == 0) {
        return;
    }

    if (id->warnafter && now >= id->warnafter) {
        ngx_k8s_sa_count_caller(mcf->zone, counters, &id->namespace, &id->name,
                                NGX_K8S_SA_CALLER_WARNAFTER);
    }

    if (now > k8s_sa_identity_renewal(id->expires, id->issued)) {
        ngx_k8s_sa_count_caller(mcf->zone, counters, &id->namespace, &id->name,
                                NGX_K8S_SA_CALLER_LATE);
    }
}


void
ngx_http_k8s_sa_log(ngx_http_request_t *r, ngx_http_k8s_sa_loc_conf_t *lcf,
    ngx_http_k8s_sa_ctx_t *ctx)
{
    u_char                       *p, *last;
    u_char                        by[NGX_MAX_ERROR_STR / 2];
    ngx_uint_t                    level;
    k8s_sa_identity_t            *id;
    const k8s_sa_verdict_info_t  *info;

    static time_t  faulted, bad_path;

    info = k8s_sa_verdict_info(ctx->verdict);
    level = lcf->log_level;

    /* our fault: log it as an error, but once a second */

    if (info->status == NGX_HTTP_SERVICE_UNAVAILABLE
        && faulted != ngx_time())
    {
        faulted = ngx_time();
        level = NGX_LOG_ERR;
    }

    /* any client can cause these: log one a second, and the rest as info */

    if (info->status == NGX_HTTP_BAD_REQUEST) {

        if (bad_path == ngx_time()) {
            level = NGX_LOG_INFO;
        }

        bad_path = ngx_time();
    }

    if (r->connection->log->log_level < level) {
        return;
    }

    p = by;
    last = by + sizeof(by);

    if (ctx->issuer) {
        p = ngx_slprintf(p, last, ", issuer: \"%V\"", &ctx->issuer->name);
    }

    id = ngx_http_k8s_sa_identity(r, ctx);

    if (id) {
        p = ngx_slprintf(p, last, ", subject: \"%*s\"", id->username.len,
                         id->username.data);

        p = ngx_http_k8s_sa_log_kid(p, last, id->kid.data, id->kid.len);

    } else if (ctx->issuer) {
        p = ngx_http_k8s_sa_log_kid(p, last, ctx->kid.data, ctx->kid.len);
    }

    ngx_log_error(level, r->connection->log, 0,
                  "k8s_sa: request refused%s (%s): %s%s%V%*s",
                  lcf->dry_run ? ", dry run" : "", info->word, info->reason,
                  ctx->detail.len ? ": " : "", &ctx->detail,
                  (size_t) (p - by), by);
}


/*
 * Writes a kid, which may be from an unverified token, as nginx's access log
 * escapes values: it must not look like the end of the field, or like text in
 * another direction.
 */

static u_char *
ngx_http_k8s_sa_log_kid(u_char *p, u_char *last, u_char *kid, size_t len)
{
    size_t  i;

    if (len == 0) {
        return p;
    }

    p = ngx_slprintf(p, last, ", kid: \"");

    for (i = 0; i < len; i++) {

        if (kid[i] < 0x20 || kid[i] > 0x7e || kid[i] == '"'
            || kid[i] == '\\')
        {
            p = ngx_slprintf(p, last, "\\x%02Xd", kid[i]);

        } else {
            p = ngx_slprintf(p, last, "%c", kid[i]);
        }
    }

    return ngx_slprintf(p, last, "\"");
}
