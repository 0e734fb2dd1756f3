/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The questions of a k8s_sa_authorize rule about a request.
 */

#ifndef NGX_HTTP_K8S_SA_QUESTION_H
#define NGX_HTTP_K8S_SA_QUESTION_H


#include "http/ngx_http_k8s_sa_ctx.h"
#include "http/ngx_http_k8s_sa_line.h"
#include "token/k8s_sa_access.h"
#include "token/k8s_sa_each.h"


#define NGX_HTTP_K8S_SA_EACH_SOURCES  4


/* Where values of $k8s_sa_each come from: each=arg:NAME, each=header:NAME. */

typedef struct {
    ngx_str_t                  name;
    unsigned                   header:1;
} ngx_http_k8s_sa_each_source_t;


/* One k8s_sa_authorize directive. */

typedef struct {
    ngx_http_complex_value_t  *fields[K8S_SA_ACCESS_FIELDS];   /* NULL: not
                                              written */
    ngx_http_complex_value_t  *skip;       /* or NULL */
    ngx_array_t                each;       /* ngx_http_k8s_sa_each_source_t */

    unsigned                   literal;    /* as in k8s_sa_access_t */
    unsigned                   client;
    unsigned                   resource:1; /* otherwise about a path */
    unsigned                   method:1;   /* the verb may follow from the
                                              client's method */
    unsigned                   form_pass:1;   /* form bodies do not matter */

    u_char                    *file;
    ngx_uint_t                 line;
} ngx_http_k8s_sa_rule_t;


/*
 * Returns 1 if the upstream may take the method from a header, as many web
 * frameworks do, otherwise 0.
 */

ngx_uint_t ngx_http_k8s_sa_overrides_method(ngx_http_request_t *r);

/*
 * Sets *skip to 1 if the rule need not be asked about, otherwise to 0.  Returns
 * NGX_OK, or NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_rule_skip(ngx_http_request_t *r,
    ngx_http_k8s_sa_rule_t *rule, ngx_uint_t *skip);

/*
 * Collects the values of $k8s_sa_each.  NGX_OK; NGX_DECLINED: ctx->verdict and
 * ctx->detail say why there are none; NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_k8s_sa_rule_each(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, ngx_http_k8s_sa_rule_t *rule,
    const ngx_http_k8s_sa_line_t *line, k8s_sa_each_t *each);

/*
 * Makes the question, with ctx->each as the value of $k8s_sa_each, and puts it
 * into ctx->question.  Returns as ngx_http_k8s_sa_rule_each() does.
 */

ngx_int_t ngx_http_k8s_sa_rule_question(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, ngx_http_k8s_sa_rule_t *rule,
    const ngx_http_k8s_sa_line_t *line);

/* Refuses the request: sets ctx->verdict, and ctx->detail to a static text. */

void ngx_http_k8s_sa_refuse(ngx_http_k8s_sa_ctx_t *ctx,
    k8s_sa_verdict_e verdict, const char *detail);


#endif /* NGX_HTTP_K8S_SA_QUESTION_H */
