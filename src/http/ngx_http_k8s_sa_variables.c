/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_variables.h"
#include "http/ngx_http_k8s_sa_line.h"
#include "issuer/ngx_k8s_sa_token_file.h"


static ngx_http_k8s_sa_ctx_t *ngx_http_k8s_sa_decided(ngx_http_request_t *r);
static ngx_http_k8s_sa_ctx_t *ngx_http_k8s_sa_identified(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_k8s_sa_absent(ngx_http_request_t *r,
    ngx_http_variable_value_t *v);
static ngx_int_t ngx_http_k8s_sa_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_k8s_sa_groups_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_k8s_sa_expires_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_k8s_sa_result_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_k8s_sa_cache_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_k8s_sa_verb_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_k8s_sa_path_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_k8s_sa_each_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_k8s_sa_access_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_k8s_sa_access_cache_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_k8s_sa_claims_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_k8s_sa_claim_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_http_k8s_sa_set_value(ngx_http_variable_value_t *v,
    u_char *data, size_t len);
static ngx_int_t ngx_http_k8s_sa_set_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, int rc, char *text, size_t len);


#define ngx_http_k8s_sa_field(name, field)                                    \
    { ngx_string("k8s_sa_" name), NULL, ngx_http_k8s_sa_variable,             \
      offsetof(k8s_sa_identity_t, field), NGX_HTTP_VAR_NOCACHEABLE, 0 }


/*
 * Not cacheable: a variable that was read before the caller was identified must
 * not stay empty after it.
 */

static ngx_http_variable_t  ngx_http_k8s_sa_vars[] = {

    ngx_http_k8s_sa_field("username", username),
    ngx_http_k8s_sa_field("namespace", namespace),
    ngx_http_k8s_sa_field("name", name),
    ngx_http_k8s_sa_field("uid", uid),
    ngx_http_k8s_sa_field("pod", pod),
    ngx_http_k8s_sa_field("pod_uid", pod_uid),
    ngx_http_k8s_sa_field("node", node),
    ngx_http_k8s_sa_field("node_uid", node_uid),
    ngx_http_k8s_sa_field("secret", secret),
    ngx_http_k8s_sa_field("issuer", issuer),
    ngx_http_k8s_sa_field("audience", audience),
    ngx_http_k8s_sa_field("jti", jti),
    ngx_http_k8s_sa_field("kid", kid),

    { ngx_string("k8s_sa_groups"), NULL, ngx_http_k8s_sa_groups_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("k8s_sa_expires"), NULL, ngx_http_k8s_sa_expires_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("k8s_sa_result"), NULL, ngx_http_k8s_sa_result_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("k8s_sa_cache"), NULL, ngx_http_k8s_sa_cache_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("k8s_sa_verb"), NULL, ngx_http_k8s_sa_verb_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("k8s_sa_path"), NULL, ngx_http_k8s_sa_path_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("k8s_sa_each"), NULL, ngx_http_k8s_sa_each_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("k8s_sa_access"), NULL, ngx_http_k8s_sa_access_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("k8s_sa_access_cache"), NULL,
      ngx_http_k8s_sa_access_cache_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("k8s_sa_claims"), NULL, ngx_http_k8s_sa_claims_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("k8s_sa_claim_"), NULL, ngx_http_k8s_sa_claim_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_k8s_sa_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_k8s_sa_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_k8s_sa_field_of(ngx_str_t *value)
{
    ngx_http_variable_t  *v;

    for (v = ngx_http_k8s_sa_vars; v->name.len; v++) {
        if (v->get_handler == ngx_http_k8s_sa_variable
            && value->len == v->name.len + 1
            && value->data[0] == '$'
            && ngx_strncmp(value->data + 1, v->name.data, v->name.len) == 0)
        {
            return v->data;
        }
    }

    return NGX_DECLINED;
}


/* Returns the state of a request that was decided about, otherwise NULL. */

static ngx_http_k8s_sa_ctx_t *
ngx_http_k8s_sa_decided(ngx_http_request_t *r)
{
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_get_ctx(r);

    if (ctx == NULL || ctx->state != NGX_HTTP_K8S_SA_DECIDED) {
        return NULL;
    }

    ctx->read = 1;

    return ctx;
}


/* Returns the state of a request that has an identity, otherwise NULL. */

static ngx_http_k8s_sa_ctx_t *
ngx_http_k8s_sa_identified(ngx_http_request_t *r)
{
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_decided(r);

    return ctx && ngx_http_k8s_sa_authentic(ctx) ? ctx : NULL;
}


/* Makes a variable empty. */

static ngx_int_t
ngx_http_k8s_sa_absent(ngx_http_request_t *r, ngx_http_variable_value_t *v)
{
    ngx_http_k8s_sa_srv_conf_t  *scf;

    v->not_found = 1;

    scf = ngx_http_get_module_srv_conf(r, ngx_http_k8s_sa_module);

    if (!scf->used || ngx_http_k8s_sa_decided(r)) {
        return NGX_OK;
    }

    return ngx_http_k8s_sa_note_early_read(r);
}


static ngx_int_t
ngx_http_k8s_sa_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    k8s_sa_str_t           *field;
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_identified(r);
    if (ctx == NULL) {
        return ngx_http_k8s_sa_absent(r, v);
    }

    field = ngx_http_k8s_sa_identity_field(r, ctx, data);
    if (field == NULL) {
        return NGX_ERROR;
    }

    ngx_http_k8s_sa_set_value(v, field->data, field->len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_groups_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                      *p, *start, *name, *last, *end, separator;
    k8s_sa_str_t                *groups;
    ngx_http_k8s_sa_ctx_t       *ctx;
    ngx_http_k8s_sa_loc_conf_t  *lcf;

    ctx = ngx_http_k8s_sa_identified(r);
    if (ctx == NULL) {
        return ngx_http_k8s_sa_absent(r, v);
    }

    groups = ngx_http_k8s_sa_identity_field(r, ctx,
                                            offsetof(k8s_sa_identity_t,
                                                     groups));
    if (groups == NULL) {
        return NGX_ERROR;
    }

    if (groups->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    start = ngx_pnalloc(r->pool, groups->len);
    if (start == NULL) {
        return NGX_ERROR;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_module);
    separator = lcf->groups_separator.data[0];

    p = start;
    last = groups->data + groups->len;

    /* "a\nb\n" becomes "a,b" */

    for (name = groups->data; name < last; name = end + 1) {

        end = ngx_strlchr(name, last, '\n');
        if (end == NULL) {
            return NGX_ERROR;
        }

        /* a name with a separator would look like two */

        if (ngx_strlchr(name, end, separator)) {
            continue;
        }

        if (p != start) {
            *p++ = separator;
        }

        p = ngx_cpymem(p, name, end - name);
    }

    ngx_http_k8s_sa_set_value(v, start, p - start);

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_expires_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                 *p;
    k8s_sa_identity_t      *id;
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_identified(r);
    if (ctx == NULL) {
        return ngx_http_k8s_sa_absent(r, v);
    }

    id = ngx_http_k8s_sa_identity(r, ctx);
    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);

    if (id == NULL || p == NULL) {
        return NGX_ERROR;
    }

    if (id->expires == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_http_k8s_sa_set_value(v, p, ngx_sprintf(p, "%L", id->expires) - p);

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_result_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const char             *word;
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_decided(r);
    if (ctx == NULL) {
        return ngx_http_k8s_sa_absent(r, v);
    }

    word = k8s_sa_verdict_info(ctx->verdict)->word;

    ngx_http_k8s_sa_set_value(v, (u_char *) word, ngx_strlen(word));

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_cache_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_decided(r);
    if (ctx == NULL || ctx->cache == NGX_HTTP_K8S_SA_CACHE_UNUSED) {
        return ngx_http_k8s_sa_absent(r, v);
    }

    if (ctx->cache == NGX_HTTP_K8S_SA_CACHE_HIT) {
        ngx_http_k8s_sa_set_value(v, (u_char *) "HIT", 3);
    } else {
        ngx_http_k8s_sa_set_value(v, (u_char *) "MISS", 4);
    }

    return NGX_OK;
}


/* It does not depend on the caller: reading it early does no harm. */

static ngx_int_t
ngx_http_k8s_sa_verb_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    k8s_sa_str_t                 verb;
    ngx_http_k8s_sa_line_t       line;
    ngx_http_k8s_sa_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_module);

    if (ngx_http_k8s_sa_line(r, lcf, &line) != NGX_OK) {
        return NGX_ERROR;
    }

    verb = k8s_sa_access_verb(&line.method);

    ngx_http_k8s_sa_set_value(v, verb.data, verb.len);

    return NGX_OK;
}


/* the same */

static ngx_int_t
ngx_http_k8s_sa_path_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_k8s_sa_line_t       line;
    ngx_http_k8s_sa_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_module);

    if (ngx_http_k8s_sa_line(r, lcf, &line) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_k8s_sa_set_value(v, line.path.data, line.path.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_each_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_decided(r);
    if (ctx == NULL) {
        return ngx_http_k8s_sa_absent(r, v);
    }

    ngx_http_k8s_sa_set_value(v, ctx->each.data, ctx->each.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_access_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                 *p;
    size_t                  len;
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_decided(r);
    if (ctx == NULL || ctx->question == NULL) {
        return ngx_http_k8s_sa_absent(r, v);
    }

    len = k8s_sa_access_text(NULL, ctx->question, K8S_SA_ACCESS_SHORT);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) k8s_sa_access_text(p, ctx->question, K8S_SA_ACCESS_SHORT);

    ngx_http_k8s_sa_set_value(v, p, len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_access_cache_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_k8s_sa_ctx_t  *ctx;

    static ngx_str_t  words[] = {
        [NGX_HTTP_K8S_SA_ACCESS_SKIP] = ngx_string("SKIP"),
        [NGX_HTTP_K8S_SA_ACCESS_HIT] = ngx_string("HIT"),
        [NGX_HTTP_K8S_SA_ACCESS_STALE] = ngx_string("STALE"),
        [NGX_HTTP_K8S_SA_ACCESS_MISS] = ngx_string("MISS")
    };

    ctx = ngx_http_k8s_sa_decided(r);
    if (ctx == NULL || ctx->access_cache == NGX_HTTP_K8S_SA_ACCESS_NONE) {
        return ngx_http_k8s_sa_absent(r, v);
    }

    ngx_http_k8s_sa_set_value(v, words[ctx->access_cache].data,
                              words[ctx->access_cache].len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_claims_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    int                     rc;
    char                   *text;
    size_t                  len;
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_identified(r);
    if (ctx == NULL || !ngx_k8s_sa_issuer_has_keys(ctx->issuer)) {

        /* a review confirms a user, not claims */

        return ngx_http_k8s_sa_absent(r, v);
    }

    rc = k8s_sa_token_claims_text(ctx->token.data, ctx->token.len, &text,
                                  &len);

    return ngx_http_k8s_sa_set_text(r, v, rc, text, len);
}


static ngx_int_t
ngx_http_k8s_sa_claim_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t *name = (ngx_str_t *) data;

    int                     rc;
    char                   *text;
    size_t                  len;
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_identified(r);
    if (ctx == NULL || !ngx_k8s_sa_issuer_has_keys(ctx->issuer)) {

        /* a review confirms a user, not claims */

        return ngx_http_k8s_sa_absent(r, v);
    }

    len = sizeof("k8s_sa_claim_") - 1;

    rc = k8s_sa_token_claim_text(ctx->token.data, ctx->token.len,
                                 (char *) name->data + len, name->len - len,
                                 &text, &len);

    return ngx_http_k8s_sa_set_text(r, v, rc, text, len);
}


ngx_int_t
ngx_http_k8s_sa_token_file_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_k8s_sa_token_file_t *tf = (ngx_k8s_sa_token_file_t *) data;

    /* a copy: the file may change during the request */

    v->data = ngx_pnalloc(r->pool, tf->token.len);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(v->data, tf->token.data, tf->token.len);

    v->len = tf->token.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_set_text(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    int rc, char *text, size_t len)
{
    u_char  *p;

    if (rc != K8S_SA_OK) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p) {
        ngx_memcpy(p, text, len);
        ngx_http_k8s_sa_set_value(v, p, len);
    }

    free(text);

    return p ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_k8s_sa_set_value(ngx_http_variable_value_t *v, u_char *data,
    size_t len)
{
    v->data = data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = data == NULL;
}
