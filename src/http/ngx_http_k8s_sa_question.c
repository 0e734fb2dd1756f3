/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_question.h"
#include "http/ngx_http_k8s_sa_cached_value.h"
#include "http/ngx_http_k8s_sa_header_lines.h"
#include "http/ngx_http_k8s_sa_headers.h"
#include "issuer/ngx_k8s_sa_access_review.h"


static const char *ngx_http_k8s_sa_each_values(ngx_http_request_t *r,
    ngx_http_k8s_sa_each_source_t *source, const k8s_sa_str_t *query,
    k8s_sa_each_t *each, u_char *buf);
static ngx_uint_t ngx_http_k8s_sa_has_form(ngx_http_request_t *r);
static ngx_int_t ngx_http_k8s_sa_question_values(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, ngx_http_k8s_sa_rule_t *rule,
    k8s_sa_access_t *q);
static ngx_int_t ngx_http_k8s_sa_question_verb(ngx_http_request_t *r,
    const k8s_sa_str_t *method, k8s_sa_access_t *q);


ngx_int_t
ngx_http_k8s_sa_rule_skip(ngx_http_request_t *r, ngx_http_k8s_sa_rule_t *rule,
    ngx_uint_t *skip)
{
    ngx_str_t  value;

    *skip = 0;

    if (rule->skip == NULL
        || ngx_http_k8s_sa_is_early(r, rule->skip, "k8s_sa_authorize"))
    {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, rule->skip, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    *skip = value.len != 0 && !(value.len == 1 && value.data[0] == '0');

    return NGX_OK;
}


ngx_int_t
ngx_http_k8s_sa_rule_each(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_http_k8s_sa_rule_t *rule, const ngx_http_k8s_sa_line_t *line,
    k8s_sa_each_t *each)
{
    u_char                         *buf;
    ngx_uint_t                      i;
    const char                     *reason;
    ngx_http_k8s_sa_each_source_t  *source;

    ngx_memzero(each, sizeof(k8s_sa_each_t));

    source = rule->each.elts;

    for (i = 0; i < rule->each.nelts; i++) {

        buf = NULL;

        if (!source[i].header) {

            /* the upstream may put fields of a form beside the query's */

            if (!rule->form_pass && ngx_http_k8s_sa_has_form(r)) {
                ngx_http_k8s_sa_refuse(ctx, K8S_SA_BAD_ATTRIBUTES,
                    "a form may hold \"each=\" values (\"form=pass\")");
                return NGX_DECLINED;
            }

            buf = ngx_pnalloc(r->pool, line->query.len + 1);
            if (buf == NULL) {
                return NGX_ERROR;
            }
        }

        reason = ngx_http_k8s_sa_each_values(r, &source[i], &line->query, each,
                                             buf);
        if (reason) {
            ngx_http_k8s_sa_refuse(ctx, K8S_SA_BAD_ATTRIBUTES, reason);
            return NGX_DECLINED;
        }
    }

    if (each->n == 0) {
        ngx_http_k8s_sa_refuse(ctx, K8S_SA_BAD_ATTRIBUTES,
                               "no value for \"each=\"");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* Returns NULL, or why the values must not be used. */

static const char *
ngx_http_k8s_sa_each_values(ngx_http_request_t *r,
    ngx_http_k8s_sa_each_source_t *source, const k8s_sa_str_t *query,
    k8s_sa_each_t *each, u_char *buf)
{
    const char       *reason;
    k8s_sa_str_t      s;
    ngx_table_elt_t  *h;

    if (!source->header) {
        s.data = source->name.data;
        s.len = source->name.len;

        return k8s_sa_each_arg(each, query, &s, buf);
    }

    for (h = ngx_http_k8s_sa_next_header(r, &source->name, NULL);
         h;
         h = ngx_http_k8s_sa_next_header(r, &source->name, h))
    {
        s.data = h->value.data;
        s.len = h->value.len;

        reason = k8s_sa_each_add(each, &s);
        if (reason) {
            return reason;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_k8s_sa_has_form(ngx_http_request_t *r)
{
    k8s_sa_str_t      type;
    ngx_table_elt_t  *h;

    static const ngx_str_t  name = ngx_string("content-type");

    for (h = ngx_http_k8s_sa_next_header(r, &name, NULL);
         h;
         h = ngx_http_k8s_sa_next_header(r, &name, h))
    {
        type.data = h->value.data;
        type.len = h->value.len;

        if (k8s_sa_each_is_form(&type)) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_k8s_sa_overrides_method(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static const ngx_http_k8s_sa_protected_t  names[] = {
        { ngx_string("x-http-method-override"), 0 },
        { ngx_string("x-http-method"), 0 },
        { ngx_string("x-method-override"), 0 }
    };

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if ((h[i].key.data[0] | 0x20) == 'x'
                && ngx_http_k8s_sa_header_matches(&h[i].key, names, 3))
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_int_t
ngx_http_k8s_sa_rule_question(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, ngx_http_k8s_sa_rule_t *rule,
    const ngx_http_k8s_sa_line_t *line)
{
    ngx_int_t                      rc;
    k8s_sa_error_t                 err;
    k8s_sa_access_t               *q;
    k8s_sa_verdict_e               verdict;
    const k8s_sa_access_policy_t  *policy;

    q = ngx_pcalloc(r->pool, sizeof(k8s_sa_access_t));
    if (q == NULL) {
        return NGX_ERROR;
    }

    policy = &ctx->issuer->access->policy;

    q->literal = rule->literal;
    q->client = rule->client;

    rc = ngx_http_k8s_sa_question_values(r, ctx, rule, q);

    if (rc != NGX_OK) {
        return rc;
    }

    /* what is not written */

    if (rule->fields[K8S_SA_ACCESS_VERB] == NULL) {

        if (rule->resource) {
            q->fields[K8S_SA_ACCESS_VERB] = k8s_sa_access_verb(&line->method);

        } else if (ngx_http_k8s_sa_question_verb(r, &line->method, q)
                   != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (rule->resource && rule->fields[K8S_SA_ACCESS_NAMESPACE] == NULL) {
        q->fields[K8S_SA_ACCESS_NAMESPACE] = policy->local;
    }

    if (!rule->resource && rule->fields[K8S_SA_ACCESS_PATH] == NULL) {
        q->fields[K8S_SA_ACCESS_PATH] = line->path;
    }

    verdict = k8s_sa_access_check(q, policy, &line->method, NULL, &err);

    if (verdict == K8S_SA_VERDICT_OK
        && !rule->resource && rule->fields[K8S_SA_ACCESS_PATH] == NULL
        && k8s_sa_access_has_default_role(&line->path))
    {
        ngx_http_k8s_sa_refuse(ctx, K8S_SA_ACCESS_DENIED,
            "default roles allow this path to every account, write "
            "\"path=\" if the rule shall decide about it");
        return NGX_DECLINED;
    }

    if (verdict == K8S_SA_VERDICT_OK) {
        ctx->question = q;
        return NGX_OK;
    }

    ctx->verdict = verdict;
    ctx->detail.len = ngx_strlen(err.text);
    ctx->detail.data = ngx_pnalloc(r->pool, ctx->detail.len);

    if (ctx->detail.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ctx->detail.data, err.text, ctx->detail.len);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_k8s_sa_question_values(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, ngx_http_k8s_sa_rule_t *rule,
    k8s_sa_access_t *q)
{
    ngx_str_t                  value;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *cv;

    for (i = 0; i < K8S_SA_ACCESS_FIELDS; i++) {
        cv = rule->fields[i];

        if (cv == NULL) {
            continue;
        }

        if (ngx_http_k8s_sa_is_early(r, cv, "k8s_sa_authorize")) {
            ngx_http_k8s_sa_refuse(ctx, K8S_SA_INTERNAL_ERROR,
                "a variable of \"k8s_sa_authorize\" may have been computed "
                "before the caller was identified");
            return NGX_DECLINED;
        }

        if (ngx_http_complex_value(r, cv, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        /* an empty value is present, though */

        q->fields[i].data = value.data ? value.data : (u_char *) "";
        q->fields[i].len = value.len;
    }

    return NGX_OK;
}


/* the API server's own verb for a path is the method in lower case */

static ngx_int_t
ngx_http_k8s_sa_question_verb(ngx_http_request_t *r,
    const k8s_sa_str_t *method, k8s_sa_access_t *q)
{
    k8s_sa_str_t  *verb;

    if (method->data == NULL) {
        return NGX_OK;
    }

    verb = &q->fields[K8S_SA_ACCESS_VERB];

    verb->data = ngx_pnalloc(r->pool, method->len);
    if (verb->data == NULL) {
        return NGX_ERROR;
    }

    verb->len = method->len;
    k8s_sa_access_lowercase(verb->data, method);

    return NGX_OK;
}


void
ngx_http_k8s_sa_refuse(ngx_http_k8s_sa_ctx_t *ctx, k8s_sa_verdict_e verdict,
    const char *detail)
{
    ctx->verdict = verdict;
    ctx->detail.data = (u_char *) detail;
    ctx->detail.len = ngx_strlen(detail);
}
