/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_authorize.h"
#include "http/ngx_http_k8s_sa_question.h"
#include "issuer/ngx_k8s_sa_access_review.h"


#define NGX_HTTP_K8S_SA_QUESTIONS  32     /* that a request may cause */


/* An evaluation of all rules.  After a wait another one begins. */

typedef struct {
    ngx_http_request_t          *r;
    ngx_http_k8s_sa_ctx_t       *ctx;
    ngx_http_k8s_sa_resume_pt    resume;
    k8s_sa_identity_t           *identity;
    ngx_k8s_sa_access_subject_t  *subject; /* the same in access reviews */
    ngx_http_k8s_sa_line_t       line;

    ngx_uint_t                   questions;
    ngx_uint_t                   hits;
    ngx_uint_t                   stale;
    ngx_uint_t                   misses;
    ngx_uint_t                   skipped;
} ngx_http_k8s_sa_evaluation_t;


static ngx_k8s_sa_access_subject_t *ngx_http_k8s_sa_authorize_subject(
    ngx_http_k8s_sa_ctx_t *ctx, const k8s_sa_identity_t *identity);
static ngx_int_t ngx_http_k8s_sa_authorize_rule(
    ngx_http_k8s_sa_evaluation_t *e, ngx_http_k8s_sa_rule_t *rule);
static ngx_int_t ngx_http_k8s_sa_authorize_ask(
    ngx_http_k8s_sa_evaluation_t *e, ngx_http_k8s_sa_rule_t *rule);
static ngx_http_k8s_sa_answered_t *ngx_http_k8s_sa_authorize_find(
    ngx_http_k8s_sa_ctx_t *ctx, const u_char *key);
static ngx_int_t ngx_http_k8s_sa_authorize_verdict(
    ngx_http_k8s_sa_evaluation_t *e, ngx_k8s_sa_review_result_t *result);
static ngx_int_t ngx_http_k8s_sa_authorize_text(ngx_http_request_t *r,
    const k8s_sa_access_t *question, k8s_sa_access_text_e how,
    const ngx_str_t *reason, ngx_str_t *text);
static ngx_int_t ngx_http_k8s_sa_authorize_wait(
    ngx_http_k8s_sa_evaluation_t *e,
    const ngx_k8s_sa_access_request_t *request);
static void ngx_http_k8s_sa_authorize_answered(ngx_k8s_sa_waiter_t *waiter);
static void ngx_http_k8s_sa_authorize_timeout(ngx_event_t *ev);
static void ngx_http_k8s_sa_authorize_log(ngx_http_k8s_sa_evaluation_t *e,
    const ngx_str_t *reason);
static void ngx_http_k8s_sa_authorize_count(ngx_http_k8s_sa_evaluation_t *e);


ngx_int_t
ngx_http_k8s_sa_authorize(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_http_k8s_sa_resume_pt resume)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_http_k8s_sa_rule_t        *rule;
    ngx_http_k8s_sa_evaluation_t   e;

    ngx_memzero(&e, sizeof(ngx_http_k8s_sa_evaluation_t));

    e.r = r;
    e.ctx = ctx;
    e.resume = resume;
    e.identity = ngx_http_k8s_sa_identity(r, ctx);

    if (e.identity == NULL
        || ngx_http_k8s_sa_line(r, lcf, &e.line) != NGX_OK)
    {
        return NGX_ERROR;
    }

    e.subject = ngx_http_k8s_sa_authorize_subject(ctx, e.identity);

    /* a main request's own path has been checked */

    if (e.line.odd && lcf->paths == NGX_HTTP_K8S_SA_PATHS_STRICT
        && (r != r->main || lcf->original))
    {
        ngx_http_k8s_sa_refuse(ctx, K8S_SA_BAD_PATH, e.line.odd);
        rc = NGX_DECLINED;

    } else {
        rc = NGX_OK;
    }

    rule = lcf->authorize->rules.elts;

    for (i = 0; rc == NGX_OK && i < lcf->authorize->rules.nelts; i++) {
        rc = ngx_http_k8s_sa_authorize_rule(&e, &rule[i]);
    }

    if (rc == NGX_DECLINED && lcf->whoami
        && k8s_sa_verdict_info(ctx->verdict)->status == NGX_HTTP_BAD_REQUEST)
    {
        /* its askers take only 401 and 403 for a refusal */

        ctx->status = NGX_HTTP_FORBIDDEN;
    }

    if (rc == NGX_OK || rc == NGX_DECLINED) {
        ngx_http_k8s_sa_authorize_count(&e);
    }

    return rc;
}


/* Returns the identity's subject, which is made once for a known token. */

static ngx_k8s_sa_access_subject_t *
ngx_http_k8s_sa_authorize_subject(ngx_http_k8s_sa_ctx_t *ctx,
    const k8s_sa_identity_t *identity)
{
    ngx_http_k8s_sa_front_entry_t  *entry;

    entry = ctx->entry;

    if (!entry->has_subject) {
        ngx_k8s_sa_access_subject(ctx->issuer, identity, &entry->subject);
        entry->has_subject = 1;
    }

    return &entry->subject;
}


static ngx_int_t
ngx_http_k8s_sa_authorize_rule(ngx_http_k8s_sa_evaluation_t *e,
    ngx_http_k8s_sa_rule_t *rule)
{
    size_t         i;
    ngx_int_t      rc;
    ngx_uint_t     skip;
    k8s_sa_each_t  each;

    /* "skip=" may depend on the verb, too */

    if (rule->method && ngx_http_k8s_sa_overrides_method(e->r)) {
        ngx_http_k8s_sa_refuse(e->ctx, K8S_SA_BAD_ATTRIBUTES,
                               "a header may override the method");
        return NGX_DECLINED;
    }

    if (ngx_http_k8s_sa_rule_skip(e->r, rule, &skip) != NGX_OK) {
        return NGX_ERROR;
    }

    if (skip) {
        e->skipped++;
        e->ctx->access_cache = ngx_max(e->ctx->access_cache,
                                       NGX_HTTP_K8S_SA_ACCESS_SKIP);
        return NGX_OK;
    }

    if (rule->each.nelts == 0) {
        return ngx_http_k8s_sa_authorize_ask(e, rule);
    }

    rc = ngx_http_k8s_sa_rule_each(e->r, e->ctx, rule, &e->line, &each);

    for (i = 0; rc == NGX_OK && i < each.n; i++) {
        e->ctx->each = each.values[i];
        rc = ngx_http_k8s_sa_authorize_ask(e, rule);
    }

    return rc;
}


static ngx_int_t
ngx_http_k8s_sa_authorize_ask(ngx_http_k8s_sa_evaluation_t *e,
    ngx_http_k8s_sa_rule_t *rule)
{
    ngx_int_t                     rc;
    ngx_http_k8s_sa_ctx_t        *ctx;
    ngx_k8s_sa_review_result_t    result;
    ngx_http_k8s_sa_answered_t   *answered;
    ngx_k8s_sa_access_request_t   request;

    ctx = e->ctx;

    if (e->questions++ == NGX_HTTP_K8S_SA_QUESTIONS) {
        ngx_http_k8s_sa_refuse(ctx, K8S_SA_BAD_ATTRIBUTES,
                               "too many questions");
        return NGX_DECLINED;
    }

    rc = ngx_http_k8s_sa_rule_question(e->r, ctx, rule, &e->line);

    if (rc != NGX_OK) {

        /* the client's bytes, decoded: a line end may be among them */

        ctx->each.data = NULL;
        ctx->each.len = 0;

        return rc;
    }

    request.identity = e->identity;
    request.question = ctx->question;
    request.subject = e->subject;

    if (ngx_k8s_sa_access_request(ctx->issuer, &request) != NGX_OK) {
        return NGX_ERROR;
    }

    answered = ngx_http_k8s_sa_authorize_find(ctx, request.review.key);

    if (answered) {
        e->misses++;
        ctx->access_cache = NGX_HTTP_K8S_SA_ACCESS_MISS;

        if (answered->result.verdict == K8S_SA_VERDICT_OK) {
            ngx_http_k8s_sa_authorize_log(e, &answered->result.reason);
        }

        return ngx_http_k8s_sa_authorize_verdict(e, &answered->result);
    }

    rc = ngx_k8s_sa_review_lookup(&ctx->issuer->access->reviews,
                                  &request.review, e->r->pool, &result);

    if (rc == NGX_DECLINED) {
        return ngx_http_k8s_sa_authorize_wait(e, &request);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if ((ngx_msec_int_t) (result.fresh - ngx_current_msec) > 0) {
        e->hits++;
        ctx->access_cache = ngx_max(ctx->access_cache,
                                    NGX_HTTP_K8S_SA_ACCESS_HIT);
    } else {
        e->stale++;
        ctx->access_cache = ngx_max(ctx->access_cache,
                                    NGX_HTTP_K8S_SA_ACCESS_STALE);
    }

    return ngx_http_k8s_sa_authorize_verdict(e, &result);
}


/* Returns the answer that this request has waited for, or NULL. */

static ngx_http_k8s_sa_answered_t *
ngx_http_k8s_sa_authorize_find(ngx_http_k8s_sa_ctx_t *ctx, const u_char *key)
{
    ngx_http_k8s_sa_answered_t  *answered;

    if (ctx->pause == NULL) {
        return NULL;
    }

    for (answered = ctx->pause->answered; answered; answered = answered->next)
    {
        if (ngx_memcmp(answered->key, key, K8S_SA_FINGERPRINT_LEN) == 0) {
            return answered;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_k8s_sa_authorize_verdict(ngx_http_k8s_sa_evaluation_t *e,
    ngx_k8s_sa_review_result_t *result)
{
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = e->ctx;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, e->r->connection->log, 0,
                   "k8s_sa access: %s",
                   k8s_sa_verdict_info(result->verdict)->word);

    if (result->verdict == K8S_SA_VERDICT_OK) {
        return NGX_OK;
    }

    ctx->verdict = result->verdict;

    if (ngx_http_k8s_sa_authorize_text(e->r, ctx->question, K8S_SA_ACCESS_LOG,
                                       &result->reason, &ctx->detail)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* only whom the cluster has refused is told what was asked */

    if (result->verdict == K8S_SA_ACCESS_DENIED
        && ngx_http_k8s_sa_authorize_text(e->r, ctx->question,
                                          K8S_SA_ACCESS_DESCRIPTION, NULL,
                                          &ctx->description)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


/* Makes a text of the question and, if there is one, the reason. */

static ngx_int_t
ngx_http_k8s_sa_authorize_text(ngx_http_request_t *r,
    const k8s_sa_access_t *question, k8s_sa_access_text_e how,
    const ngx_str_t *reason, ngx_str_t *text)
{
    u_char  *p;
    size_t   len;

    len = k8s_sa_access_text(NULL, question, how);

    p = ngx_pnalloc(r->pool, len + 2 + (reason ? reason->len : 0));
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    p += k8s_sa_access_text(p, question, how);

    if (reason && reason->len) {
        *p++ = ':';
        *p++ = ' ';
        p = ngx_cpymem(p, reason->data, reason->len);
    }

    text->len = p - text->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_authorize_wait(ngx_http_k8s_sa_evaluation_t *e,
    const ngx_k8s_sa_access_request_t *request)
{
    ngx_msec_int_t               left;
    ngx_http_k8s_sa_ctx_t       *ctx;
    ngx_http_k8s_sa_pause_t     *pause;
    ngx_http_k8s_sa_answered_t  *answered, *before;

    ctx = e->ctx;

    pause = ngx_http_k8s_sa_pause(e->r, ctx);
    answered = ngx_pcalloc(e->r->pool, sizeof(ngx_http_k8s_sa_answered_t));

    if (pause == NULL || answered == NULL) {
        return NGX_ERROR;
    }

    before = pause->answered;

    if (before == NULL) {
        pause->deadline = ngx_current_msec + ctx->issuer->timeout;
    }

    left = pause->deadline - ngx_current_msec;

    if (left <= 0) {
        ngx_http_k8s_sa_refuse(ctx, K8S_SA_ACCESS_FAILED,
                               "no time is left for another question");
        return NGX_DECLINED;
    }

    /* until the answer comes */

    answered->result.verdict = K8S_SA_ACCESS_FAILED;

    ngx_memcpy(answered->key, request->review.key, K8S_SA_FINGERPRINT_LEN);

    answered->next = before;
    pause->answered = answered;

    pause->request = e->r;
    pause->waiter.handler = e->resume;
    pause->waiter.data = ctx;

    pause->access.handler = ngx_http_k8s_sa_authorize_answered;
    pause->access.data = ctx;

    switch (ngx_k8s_sa_review_start(&ctx->issuer->access->reviews,
                                    &request->review, &pause->access))
    {

    case NGX_AGAIN:
        break;

    case NGX_BUSY:
        ngx_http_k8s_sa_refuse(ctx, K8S_SA_BUSY,
                               "too many access reviews are waiting");
        return NGX_DECLINED;

    default: /* NGX_ERROR */
        return NGX_ERROR;
    }

    /* the first question ends in time by itself */

    if (before) {
        pause->timer.handler = ngx_http_k8s_sa_authorize_timeout;
        pause->timer.log = e->r->connection->log;
        pause->timer.data = &pause->dummy;
        pause->dummy.fd = (ngx_socket_t) -1;
        pause->dummy.data = ctx;

        ngx_add_timer(&pause->timer, left);
    }

    return ngx_http_k8s_sa_suspend(e->r, ctx);
}


static void
ngx_http_k8s_sa_authorize_answered(ngx_k8s_sa_waiter_t *waiter)
{
    ngx_http_k8s_sa_ctx_t *ctx = waiter->data;

    u_char                      *p;
    ngx_http_k8s_sa_pause_t     *pause;
    ngx_k8s_sa_review_result_t  *result, *kept;

    pause = ctx->pause;
    result = waiter->result;
    kept = &pause->answered->result;

    if (pause->timer.timer_set) {
        ngx_del_timer(&pause->timer);
    }

    /* copies the result for when the request is decided about again */

    kept->verdict = result->verdict == K8S_SA_REVIEW_FAILED
                    ? K8S_SA_ACCESS_FAILED : result->verdict;

    if (result->reason.len) {
        p = ngx_pstrdup(pause->request->pool, &result->reason);

        kept->reason.data = p;
        kept->reason.len = p ? result->reason.len : 0;
    }

    pause->waiter.handler(&pause->waiter);
}


/* the time for all questions is over, but not that of the last one */

static void
ngx_http_k8s_sa_authorize_timeout(ngx_event_t *ev)
{
    ngx_connection_t         *dummy;
    ngx_http_k8s_sa_ctx_t    *ctx;
    ngx_http_k8s_sa_pause_t  *pause;

    dummy = ev->data;
    ctx = dummy->data;
    pause = ctx->pause;

    ngx_k8s_sa_review_cancel(&pause->access);

    ngx_str_set(&pause->answered->result.reason, "timed out");

    pause->waiter.handler(&pause->waiter);
}


/* who allows it, which the caller is never told */

static void
ngx_http_k8s_sa_authorize_log(ngx_http_k8s_sa_evaluation_t *e,
    const ngx_str_t *reason)
{
    ngx_str_t           text;
    ngx_connection_t   *c;

    c = e->r->connection;

    if (c->log->log_level < NGX_LOG_INFO
        || ngx_http_k8s_sa_authorize_text(e->r, e->ctx->question,
                                          K8S_SA_ACCESS_LOG_ALLOWED, reason,
                                          &text)
           != NGX_OK)
    {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "k8s_sa: allowed by the cluster: %V, issuer: \"%V\", "
                  "subject: \"%*s\"", &text, &e->ctx->issuer->name,
                  e->identity->username.len, e->identity->username.data);
}


static void
ngx_http_k8s_sa_authorize_count(ngx_http_k8s_sa_evaluation_t *e)
{
    ngx_k8s_sa_counters_t  *counters;

    counters = ngx_k8s_sa_keystore_counters(&e->ctx->issuer->ref);

    if (e->hits) {
        ngx_k8s_sa_count_many(counters->access_hits, e->hits);
    }

    if (e->stale) {
        ngx_k8s_sa_count_many(counters->access_stale, e->stale);
    }

    if (e->misses) {
        ngx_k8s_sa_count_many(counters->access_misses, e->misses);
    }

    if (e->skipped) {
        ngx_k8s_sa_count_many(counters->access_skipped, e->skipped);
    }
}
