/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_authorize.h"
#include "conf/ngx_http_k8s_sa_conf_access.h"
#include "http/ngx_http_k8s_sa_authorize.h"
#include "http/ngx_http_k8s_sa_headers.h"
#include "http/ngx_http_k8s_sa_question.h"
#include "issuer/ngx_k8s_sa_access_review.h"


/* What a variable in a rule holds, and what to write instead of it. */

typedef struct {
    const char      *name;
    unsigned         prefix:1;    /* of names */
    const char      *advice;      /* NULL: it is welcome */
} ngx_http_k8s_sa_conf_variable_t;


static char *ngx_http_k8s_sa_conf_authorize_param(ngx_conf_t *cf,
    ngx_http_k8s_sa_rule_t *rule, ngx_str_t *param);
static char *ngx_http_k8s_sa_conf_authorize_value(ngx_conf_t *cf,
    ngx_http_k8s_sa_rule_t *rule, ngx_str_t *param, ngx_str_t *value,
    ngx_int_t field, ngx_http_complex_value_t **slot);
static char *ngx_http_k8s_sa_conf_authorize_each(ngx_conf_t *cf,
    ngx_http_k8s_sa_rule_t *rule, ngx_str_t *param);
static ngx_uint_t ngx_http_k8s_sa_conf_same_name(ngx_str_t *a, ngx_str_t *b,
    ngx_uint_t header);
static char *ngx_http_k8s_sa_conf_authorize_finish(ngx_conf_t *cf,
    ngx_http_k8s_sa_rule_t *rule);
static void ngx_http_k8s_sa_conf_authorize_warn(ngx_conf_t *cf,
    ngx_str_t *value);
static ngx_uint_t ngx_http_k8s_sa_conf_names(ngx_str_t *value,
    const ngx_http_k8s_sa_conf_variable_t *var, ngx_str_t *name);
static ngx_int_t ngx_http_k8s_sa_conf_authorize_local(ngx_conf_t *cf,
    ngx_http_k8s_sa_rule_t *rule, ngx_k8s_sa_issuer_t *issuer);
static ngx_http_k8s_sa_rule_t *ngx_http_k8s_sa_conf_authorize_first(
    ngx_http_k8s_sa_rules_t *rules);


/* What the client sends, other than as its method or in its token */

static const ngx_http_k8s_sa_conf_variable_t
    ngx_http_k8s_sa_conf_client_vars[] = {

    { "k8s_sa_path", 0, NULL },
    { "k8s_sa_each", 0, NULL },

    { "arg_", 1, "\"each=arg:NAME\" and \"$k8s_sa_each\"" },
    { "args", 0, "\"each=arg:NAME\" and \"$k8s_sa_each\"" },
    { "query_string", 0, "\"each=arg:NAME\" and \"$k8s_sa_each\"" },
    { "http_", 1, "\"each=header:NAME\" and \"$k8s_sa_each\"" },
    { "cookie_", 1, "\"each=header:NAME\" and \"$k8s_sa_each\"" },
    { "request_uri", 0, "\"$k8s_sa_path\", which is the default" },
    { "uri", 0, "\"$k8s_sa_path\", which is the default" },
    { "document_uri", 0, "\"$k8s_sa_path\", which is the default" },

    { NULL, 0, NULL }
};

static const ngx_http_k8s_sa_conf_variable_t
    ngx_http_k8s_sa_conf_method_vars[] = {

    { "k8s_sa_verb", 0, NULL },
    { "request_method", 0, "\"$k8s_sa_verb\" or the default" },

    { NULL, 0, NULL }
};

static const ngx_http_k8s_sa_conf_variable_t  ngx_http_k8s_sa_conf_each_var = {
    "k8s_sa_each", 0, NULL
};


char *
ngx_http_k8s_sa_conf_authorize(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t *lcf = conf;

    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_k8s_sa_rule_t        *rule;
    ngx_http_k8s_sa_rules_t       *rules, **slot;
    ngx_http_k8s_sa_main_conf_t   *mcf;

    if (lcf->authorize == NULL) {
        return "cannot be combined with \"off\"";
    }

    value = cf->args->elts;

    if (cf->args->nelts > 1 && ngx_strcmp(value[1].data, "off") == 0) {

        if (cf->args->nelts > 2) {
            return "has parameters after \"off\"";
        }

        if (lcf->authorize != NGX_CONF_UNSET_PTR) {
            return "cannot be combined with \"off\"";
        }

        lcf->authorize = NULL;
        return NGX_CONF_OK;
    }

    if (lcf->authorize == NGX_CONF_UNSET_PTR) {

        mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);

        rules = ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_rules_t));
        slot = ngx_array_push(&mcf->rules);

        if (rules == NULL || slot == NULL
            || ngx_array_init(&rules->rules, cf->pool, 1,
                              sizeof(ngx_http_k8s_sa_rule_t))
               != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        *slot = rules;
        lcf->authorize = rules;
    }

    rule = ngx_array_push(&lcf->authorize->rules);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(rule, sizeof(ngx_http_k8s_sa_rule_t));

    rule->file = cf->conf_file->file.name.data;
    rule->line = cf->conf_file->line;

    if (ngx_array_init(&rule->each, cf->pool, 1,
                       sizeof(ngx_http_k8s_sa_each_source_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_k8s_sa_conf_authorize_param(cf, rule, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_k8s_sa_conf_authorize_finish(cf, rule);
}


static char *
ngx_http_k8s_sa_conf_authorize_param(ngx_conf_t *cf,
    ngx_http_k8s_sa_rule_t *rule, ngx_str_t *param)
{
    size_t       len;
    u_char      *p;
    ngx_str_t    value;
    ngx_int_t    field;
    const char  *name, *hint;

    hint = "";

    p = ngx_strlchr(param->data, param->data + param->len, '=');
    if (p == NULL) {
        goto invalid;
    }

    len = p - param->data;

    value.data = p + 1;
    value.len = param->len - len - 1;

    for (field = 0; field < K8S_SA_ACCESS_FIELDS; field++) {
        name = k8s_sa_access_field(field);

        if (ngx_strlen(name) == len
            && ngx_strncmp(param->data, name, len) == 0)
        {
            return ngx_http_k8s_sa_conf_authorize_value(cf, rule, param,
                                         &value, field, &rule->fields[field]);
        }
    }

    if (len == 4 && ngx_strncmp(param->data, "skip", 4) == 0) {
        return ngx_http_k8s_sa_conf_authorize_value(cf, rule, param, &value,
                                                    NGX_DECLINED,
                                                    &rule->skip);
    }

    if (len == 4 && ngx_strncmp(param->data, "each", 4) == 0) {
        return ngx_http_k8s_sa_conf_authorize_each(cf, rule, &value);
    }

    if (ngx_strcmp(param->data, "form=pass") == 0 && !rule->form_pass) {
        rule->form_pass = 1;
        return NGX_CONF_OK;
    }

    if ((len == 8 && ngx_strncasecmp(param->data, (u_char *) "apigroup", 8)
                     == 0)
        || (len == 10 && ngx_strncasecmp(param->data, (u_char *) "apiversion",
                                         10)
                         == 0))
    {
        hint = ", use \"group=\"";
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"%s",
                       param, hint);
    return NGX_CONF_ERROR;
}


/* field: a k8s_sa_access_field_e, or NGX_DECLINED */

static char *
ngx_http_k8s_sa_conf_authorize_value(ngx_conf_t *cf,
    ngx_http_k8s_sa_rule_t *rule, ngx_str_t *param, ngx_str_t *value,
    ngx_int_t field, ngx_http_complex_value_t **slot)
{
    const ngx_http_k8s_sa_conf_variable_t  *var;
    ngx_http_compile_complex_value_t        ccv;

    if (*slot) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate parameter \"%V\"",
                           param);
        return NGX_CONF_ERROR;
    }

    if (value->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "empty parameter \"%V\"",
                           param);
        return NGX_CONF_ERROR;
    }

    *slot = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*slot == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = *slot;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_k8s_sa_conf_authorize_warn(cf, value);

    if (field == NGX_DECLINED) {
        return NGX_CONF_OK;
    }

    if ((*slot)->lengths == NULL) {

        rule->literal |= 1 << field;

        if (field == K8S_SA_ACCESS_RESOURCE
            && ngx_strlchr(value->data, value->data + value->len, '/'))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter "
                               "\"%V\", use \"subresource=\"", param);
            return NGX_CONF_ERROR;
        }

        return ngx_http_k8s_sa_conf_attribute(cf, field, value) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    for (var = ngx_http_k8s_sa_conf_client_vars; var->name; var++) {
        if (ngx_http_k8s_sa_conf_names(value, var, NULL)) {
            rule->client |= 1 << field;
        }
    }

    if (field == K8S_SA_ACCESS_VERB) {

        /* any variable may be a "map" of the method */

        rule->method = 1;
    }

    return NGX_CONF_OK;
}


/* arg:NAME or header:NAME */

static char *
ngx_http_k8s_sa_conf_authorize_each(ngx_conf_t *cf,
    ngx_http_k8s_sa_rule_t *rule, ngx_str_t *param)
{
    ngx_str_t                       name;
    ngx_uint_t                      i, header;
    ngx_http_k8s_sa_each_source_t  *each;

    if (ngx_strncmp(param->data, "arg:", 4) == 0) {
        header = 0;
        name.data = param->data + 4;

    } else if (ngx_strncmp(param->data, "header:", 7) == 0) {
        header = 1;
        name.data = param->data + 7;

    } else {
        goto invalid;
    }

    name.len = param->data + param->len - name.data;

    if (name.len == 0) {
        goto invalid;
    }

    for (i = 0; i < name.len; i++) {

        /* names are taken literally, without variables and escapes */

        if (name.data[i] <= ' ' || name.data[i] >= 0x7f
            || ngx_strchr(header ? "\"(),/:;<=>?@[\\]{}$" : "&;=+%#[]$",
                          name.data[i]))
        {
            goto invalid;
        }
    }

    each = rule->each.elts;

    for (i = 0; i < rule->each.nelts; i++) {
        if (each[i].header == header
            && ngx_http_k8s_sa_conf_same_name(&each[i].name, &name, header))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"each=%V\"", param);
            return NGX_CONF_ERROR;
        }
    }

    if (rule->each.nelts == NGX_HTTP_K8S_SA_EACH_SOURCES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d parameters \"each=\"",
                           NGX_HTTP_K8S_SA_EACH_SOURCES);
        return NGX_CONF_ERROR;
    }

    each = ngx_array_push(&rule->each);
    if (each == NULL) {
        return NGX_CONF_ERROR;
    }

    each->name = name;
    each->header = header;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"each=%V\"",
                       param);
    return NGX_CONF_ERROR;
}


/* Headers are compared as in requests, arguments without case. */

static ngx_uint_t
ngx_http_k8s_sa_conf_same_name(ngx_str_t *a, ngx_str_t *b, ngx_uint_t header)
{
    ngx_http_k8s_sa_protected_t  list;

    if (!header) {
        return a->len == b->len
               && ngx_strncasecmp(a->data, b->data, a->len) == 0;
    }

    list.name = *a;
    list.prefix = 0;

    return ngx_http_k8s_sa_header_matches(b, &list, 1);
}


/* what can be said about a rule alone */

static char *
ngx_http_k8s_sa_conf_authorize_finish(ngx_conf_t *cf,
    ngx_http_k8s_sa_rule_t *rule)
{
    ngx_uint_t                      i, uses_each, arg;
    ngx_http_k8s_sa_each_source_t  *each;

    uses_each = 0;

    for (i = 0; i < K8S_SA_ACCESS_FIELDS; i++) {

        if (rule->fields[i] == NULL) {
            continue;
        }

        if (ngx_http_k8s_sa_conf_names(&rule->fields[i]->value,
                                       &ngx_http_k8s_sa_conf_each_var, NULL))
        {
            uses_each = 1;
        }

        if (i != K8S_SA_ACCESS_PATH && i != K8S_SA_ACCESS_VERB) {
            rule->resource = 1;
        }
    }

    if (rule->resource && rule->fields[K8S_SA_ACCESS_PATH]) {
        return "has parameters of a resource beside \"path=\"";
    }

    if (rule->resource && rule->fields[K8S_SA_ACCESS_RESOURCE] == NULL) {
        return "has no \"resource=\"";
    }

    if (!rule->resource && (rule->each.nelts || uses_each)) {
        return "has \"each=\" or \"$k8s_sa_each\", but no \"resource=\"";
    }

    if (rule->each.nelts && !uses_each) {
        return "has \"each=\", but no \"$k8s_sa_each\"";
    }

    if (uses_each && rule->each.nelts == 0) {
        return "has \"$k8s_sa_each\", but no \"each=\"";
    }

    arg = 0;
    each = rule->each.elts;

    for (i = 0; i < rule->each.nelts; i++) {
        arg |= !each[i].header;
    }

    if (rule->form_pass && !arg) {
        return "has \"form=pass\", but no \"each=arg:\"";
    }

    if (rule->fields[K8S_SA_ACCESS_VERB] == NULL) {
        rule->method = 1;
    }

    if (!rule->resource && rule->fields[K8S_SA_ACCESS_PATH] == NULL) {
        rule->client |= 1 << K8S_SA_ACCESS_PATH;
    }

    return NGX_CONF_OK;
}


/*
 * The upstream may read something else than what nginx has found, or decided
 * by: another occurrence of a name, another spelling, another decoding.
 */

static void
ngx_http_k8s_sa_conf_authorize_warn(ngx_conf_t *cf, ngx_str_t *value)
{
    ngx_str_t                               name;
    ngx_uint_t                              i;
    const ngx_http_k8s_sa_conf_variable_t  *var;

    for (i = 0; i < 2; i++) {
        var = i ? ngx_http_k8s_sa_conf_method_vars
                : ngx_http_k8s_sa_conf_client_vars;

        for ( /* void */ ; var->name; var++) {

            if (var->advice && ngx_http_k8s_sa_conf_names(value, var, &name)) {
                ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                                   "\"$%V\" in \"k8s_sa_authorize\" may "
                                   "differ from what the upstream reads, use "
                                   "%s", &name, var->advice);
            }
        }
    }
}


/* Returns 1 if a value has the variable, and sets *name, which may be NULL. */

static ngx_uint_t
ngx_http_k8s_sa_conf_names(ngx_str_t *value,
    const ngx_http_k8s_sa_conf_variable_t *var, ngx_str_t *name)
{
    u_char      *p, *start, *last;
    size_t       len, n;
    ngx_uint_t   bracket;

    last = value->data + value->len;
    n = ngx_strlen(var->name);

    for (p = value->data; (p = ngx_strlchr(p, last, '$')); /* void */ ) {

        p++;
        bracket = (p < last && *p == '{');
        p += bracket;

        for (start = p;
             p < last && (*p == '_' || (*p >= '0' && *p <= '9')
                          || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z'));
             p++)
        {
            /* void */
        }

        len = p - start;

        if ((var->prefix ? len > n : len == n)
            && ngx_strncasecmp(start, (u_char *) var->name, n) == 0)
        {
            if (name) {
                name->data = start;
                name->len = len;
            }

            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_k8s_sa_conf_authorize_merge(ngx_conf_t *cf,
    ngx_http_k8s_sa_loc_conf_t *prev, ngx_http_k8s_sa_loc_conf_t *conf)
{
    ngx_http_k8s_sa_rule_t  *rule, *replaced;

    if (conf->authorize == NGX_CONF_UNSET_PTR) {
        conf->authorize = (prev->authorize == NGX_CONF_UNSET_PTR)
                          ? NULL : prev->authorize;
        return NGX_OK;
    }

    if (conf->authorize == NULL) {
        return NGX_OK;
    }

    rule = ngx_http_k8s_sa_conf_authorize_first(conf->authorize);

    if (conf->auth == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"k8s_sa_authorize\" is beside \"k8s_sa_auth off\" "
                      "in %s:%ui", rule->file, rule->line);
        return NGX_ERROR;
    }

    if (prev->authorize != NGX_CONF_UNSET_PTR && prev->authorize) {
        replaced = ngx_http_k8s_sa_conf_authorize_first(prev->authorize);

        ngx_log_error(NGX_LOG_NOTICE, cf->log, 0,
                      "\"k8s_sa_authorize\" in %s:%ui replaces the inherited "
                      "one of %s:%ui", rule->file, rule->line,
                      replaced->file, replaced->line);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_k8s_sa_conf_authorize_check(ngx_conf_t *cf,
    ngx_http_k8s_sa_loc_conf_t *conf)
{
    ngx_uint_t                        i, n;
    ngx_http_k8s_sa_rule_t           *rule;
    ngx_http_k8s_sa_named_issuer_t  **ni;

    if (conf->authorize == NULL) {
        return NGX_OK;
    }

    conf->authorize->used = 1;

    ni = conf->auth->issuers.elts;
    rule = conf->authorize->rules.elts;

    for (i = 0; i < conf->auth->issuers.nelts; i++) {

        if (ni[i]->issuer->access == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"k8s_sa_authorize\" needs \"access_review\" in "
                          "issuer \"%V\" in %s:%ui",
                          &ni[i]->name, rule->file, rule->line);
            return NGX_ERROR;
        }

        for (n = 0; n < conf->authorize->rules.nelts; n++) {
            if (ngx_http_k8s_sa_conf_authorize_local(cf, &rule[n],
                                                     ni[i]->issuer)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* With "local=" only resources of that namespace can be asked about. */

static ngx_int_t
ngx_http_k8s_sa_conf_authorize_local(ngx_conf_t *cf,
    ngx_http_k8s_sa_rule_t *rule, ngx_k8s_sa_issuer_t *issuer)
{
    k8s_sa_str_t              *local;
    const char                *fault;
    ngx_http_complex_value_t  *ns;

    local = &issuer->access->policy.local;

    if (local->data == NULL) {
        return NGX_OK;
    }

    ns = rule->fields[K8S_SA_ACCESS_NAMESPACE];

    if (!rule->resource) {
        fault = "is about a path";

    } else if ((rule->literal & 1 << K8S_SA_ACCESS_NAMESPACE)
               && (ns->value.len != local->len
                   || ngx_memcmp(ns->value.data, local->data, local->len)
                      != 0))
    {
        fault = "names another namespace";

    } else {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"k8s_sa_authorize\" %s, but issuer \"%V\" has "
                  "\"access_review local=%*s\" in %s:%ui",
                  fault, &issuer->name, local->len, local->data,
                  rule->file, rule->line);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_k8s_sa_conf_authorize_used(ngx_conf_t *cf)
{
    ngx_uint_t                     i;
    ngx_http_k8s_sa_rule_t        *rule;
    ngx_http_k8s_sa_rules_t      **rules;
    ngx_http_k8s_sa_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);
    rules = mcf->rules.elts;

    for (i = 0; i < mcf->rules.nelts; i++) {

        if (!rules[i]->used) {
            rule = ngx_http_k8s_sa_conf_authorize_first(rules[i]);

            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"k8s_sa_authorize\" is not used by any location "
                          "with \"k8s_sa_auth\" in %s:%ui",
                          rule->file, rule->line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_http_k8s_sa_rule_t *
ngx_http_k8s_sa_conf_authorize_first(ngx_http_k8s_sa_rules_t *rules)
{
    return rules->rules.elts;
}
