#include "http/ngx_http_k8s_sa.h"
#include "token/k8s_sa_name.h"


/*
 * Patterns are kept in one hash table, each under a letter that tells its kind:
 *
 *     aNAMESPACE/NAME  nNAMESPACE  sNAME  gGROUP  uUSER
 *
 * so that a request costs a handful of lookups, however many there are.
 */

#define NGX_HTTP_K8S_SA_ACCOUNT    'a'
#define NGX_HTTP_K8S_SA_NAMESPACE  'n'
#define NGX_HTTP_K8S_SA_NAME       's'
#define NGX_HTTP_K8S_SA_GROUP      'g'
#define NGX_HTTP_K8S_SA_USER       'u'


struct ngx_http_k8s_sa_allow_s {
    ngx_str_t                 *slots;      /* len 0: free */
    ngx_uint_t                 size;       /* a power of two */
    ngx_uint_t                 used;
    unsigned                   accounts:1; /* all service accounts */
};


typedef struct {
    ngx_array_t                values;     /* ngx_http_complex_value_t */
    ngx_int_t                  status;
} ngx_http_k8s_sa_require_t;


static ngx_uint_t ngx_http_k8s_sa_allowed(ngx_http_k8s_sa_allow_t *allow,
    k8s_sa_identity_t *id);
static ngx_uint_t ngx_http_k8s_sa_allows(ngx_http_k8s_sa_allow_t *allow,
    u_char kind, const k8s_sa_str_t *s);
static ngx_uint_t ngx_http_k8s_sa_allows_account(
    ngx_http_k8s_sa_allow_t *allow, k8s_sa_identity_t *id);
static ngx_str_t *ngx_http_k8s_sa_slot(ngx_http_k8s_sa_allow_t *allow,
    uint32_t hash, u_char kind, const u_char *data, size_t len);
static ngx_int_t ngx_http_k8s_sa_required(ngx_http_request_t *r,
    ngx_array_t *require, ngx_int_t *status);
static char *ngx_http_k8s_sa_pattern(ngx_conf_t *cf,
    ngx_http_k8s_sa_allow_t *allow, ngx_str_t *pattern);
static char *ngx_http_k8s_sa_account_pattern(ngx_conf_t *cf,
    ngx_http_k8s_sa_allow_t *allow, ngx_str_t *pattern, u_char *slash);
static char *ngx_http_k8s_sa_add_pattern(ngx_conf_t *cf,
    ngx_http_k8s_sa_allow_t *allow, u_char kind, u_char *data, size_t len);
static ngx_int_t ngx_http_k8s_sa_grow(ngx_conf_t *cf,
    ngx_http_k8s_sa_allow_t *allow);


ngx_int_t
ngx_http_k8s_sa_authorize(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->verdict == K8S_SA_NO_TOKEN && lcf->optional) {

        /* who is nobody is not on any list, and has to say who it is */

        if (lcf->allow) {
            ctx->refused = 1;
            return NGX_OK;
        }

    } else if (ctx->verdict != K8S_SA_VERDICT_OK) {
        return NGX_OK;

    } else if (lcf->allow
               && !ngx_http_k8s_sa_allowed(lcf->allow, ctx->identity))
    {
        ctx->verdict = K8S_SA_NOT_ALLOWED;
        return NGX_OK;
    }

    if (lcf->require == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_k8s_sa_required(r, lcf->require, &ctx->status);

    if (rc == NGX_DECLINED) {
        ctx->verdict = K8S_SA_NOT_REQUIRED;
        return NGX_OK;
    }

    return rc;
}


static ngx_uint_t
ngx_http_k8s_sa_allowed(ngx_http_k8s_sa_allow_t *allow, k8s_sa_identity_t *id)
{
    u_char        *p, *last, *next;
    k8s_sa_str_t   group;

    if (ngx_http_k8s_sa_allows(allow, NGX_HTTP_K8S_SA_USER, &id->username)) {
        return 1;
    }

    if (id->namespace.len && id->name.len
        && (allow->accounts
            || ngx_http_k8s_sa_allows_account(allow, id)
            || ngx_http_k8s_sa_allows(allow, NGX_HTTP_K8S_SA_NAMESPACE,
                                      &id->namespace)
            || ngx_http_k8s_sa_allows(allow, NGX_HTTP_K8S_SA_NAME,
                                      &id->name)))
    {
        return 1;
    }

    /* each group is followed by "\n" */

    last = id->groups.data + id->groups.len;

    for (p = id->groups.data; p < last; p = next + 1) {

        next = ngx_strlchr(p, last, '\n');
        if (next == NULL) {
            break;
        }

        group.data = p;
        group.len = next - p;

        if (ngx_http_k8s_sa_allows(allow, NGX_HTTP_K8S_SA_GROUP, &group)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_k8s_sa_allows(ngx_http_k8s_sa_allow_t *allow, u_char kind,
    const k8s_sa_str_t *s)
{
    return ngx_http_k8s_sa_slot(allow, ngx_murmur_hash2(s->data, s->len), kind,
                                s->data, s->len)->len;
}


static ngx_uint_t
ngx_http_k8s_sa_allows_account(ngx_http_k8s_sa_allow_t *allow,
    k8s_sa_identity_t *id)
{
    u_char        *p;
    k8s_sa_str_t   account;

    /* a label and a subdomain, RFC 1123 */

    u_char         buf[63 + 1 + 253];

    if (id->namespace.len + 1 + id->name.len > sizeof(buf)) {
        return 0;
    }

    p = ngx_cpymem(buf, id->namespace.data, id->namespace.len);
    *p++ = '/';
    p = ngx_cpymem(p, id->name.data, id->name.len);

    account.data = buf;
    account.len = p - buf;

    return ngx_http_k8s_sa_allows(allow, NGX_HTTP_K8S_SA_ACCOUNT, &account);
}


/* where it is, or where it would be */

static ngx_str_t *
ngx_http_k8s_sa_slot(ngx_http_k8s_sa_allow_t *allow, uint32_t hash,
    u_char kind, const u_char *data, size_t len)
{
    ngx_str_t   *slot;
    ngx_uint_t   i;

    for (i = hash + kind; /* void */ ; i++) {
        slot = &allow->slots[i & (allow->size - 1)];

        if (slot->len == 0
            || (slot->len == len + 1 && slot->data[0] == kind
                && ngx_memcmp(slot->data + 1, data, len) == 0))
        {
            return slot;
        }
    }
}


/* NGX_OK, NGX_ERROR, or NGX_DECLINED and the status of the answer */

static ngx_int_t
ngx_http_k8s_sa_required(ngx_http_request_t *r, ngx_array_t *require,
    ngx_int_t *status)
{
    ngx_str_t                   value;
    ngx_uint_t                  i, n;
    ngx_http_complex_value_t   *cv;
    ngx_http_k8s_sa_require_t  *req;

    req = require->elts;

    for (i = 0; i < require->nelts; i++) {
        cv = req[i].values.elts;

        for (n = 0; n < req[i].values.nelts; n++) {

            if (ngx_http_complex_value(r, &cv[n], &value) != NGX_OK) {
                return NGX_ERROR;
            }

            if (value.len == 0 || (value.len == 1 && value.data[0] == '0')) {
                *status = req[i].status;
                return NGX_DECLINED;
            }
        }
    }

    return NGX_OK;
}


char *
ngx_http_k8s_sa_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t *lcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (lcf->allow == NGX_CONF_UNSET_PTR) {

        lcf->allow = ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_allow_t));
        if (lcf->allow == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rv = ngx_http_k8s_sa_pattern(cf, lcf->allow, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_k8s_sa_pattern(ngx_conf_t *cf, ngx_http_k8s_sa_allow_t *allow,
    ngx_str_t *pattern)
{
    u_char        *slash, *last;
    k8s_sa_str_t   s;

    s.data = pattern->data;
    s.len = pattern->len;

    if (s.len == 0 || !k8s_sa_str_is_clean(&s)) {
        goto invalid;
    }

    last = s.data + s.len;

    if (ngx_strncmp(s.data, "group:", 6) == 0) {

        if (s.len == 6 || ngx_strlchr(s.data, last, '*')) {
            goto invalid;
        }

        return ngx_http_k8s_sa_add_pattern(cf, allow, NGX_HTTP_K8S_SA_GROUP,
                                           s.data + 6, s.len - 6);
    }

    /* no namespace and no name has ":", but many a user's name */

    slash = ngx_strlchr(s.data, last, '/');

    if (slash && ngx_strlchr(s.data, last, ':') == NULL
        && ngx_strlchr(s.data, last, '@') == NULL)
    {
        return ngx_http_k8s_sa_account_pattern(cf, allow, pattern, slash);
    }

    if (ngx_strlchr(s.data, last, '*')) {
        goto invalid;
    }

    return ngx_http_k8s_sa_add_pattern(cf, allow, NGX_HTTP_K8S_SA_USER,
                                       s.data, s.len);

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid pattern \"%V\"",
                       pattern);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_k8s_sa_account_pattern(ngx_conf_t *cf,
    ngx_http_k8s_sa_allow_t *allow, ngx_str_t *pattern, u_char *slash)
{
    ngx_uint_t    any_namespace, any_name;
    k8s_sa_str_t  ns, name;

    ns.data = pattern->data;
    ns.len = slash - pattern->data;
    name.data = slash + 1;
    name.len = pattern->len - ns.len - 1;

    any_namespace = ns.len == 1 && ns.data[0] == '*';
    any_name = name.len == 1 && name.data[0] == '*';

    if ((!any_namespace && !k8s_sa_name_is_label(&ns))
        || (!any_name && !k8s_sa_name_is_subdomain(&name)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid pattern \"%V\"",
                           pattern);
        return NGX_CONF_ERROR;
    }

    if (any_namespace && any_name) {
        allow->accounts = 1;

        /* the table must be there, be it empty */

        return ngx_http_k8s_sa_add_pattern(cf, allow, NGX_HTTP_K8S_SA_ACCOUNT,
                                           pattern->data, pattern->len);
    }

    if (any_namespace) {
        return ngx_http_k8s_sa_add_pattern(cf, allow, NGX_HTTP_K8S_SA_NAME,
                                           name.data, name.len);
    }

    if (any_name) {
        return ngx_http_k8s_sa_add_pattern(cf, allow,
                                           NGX_HTTP_K8S_SA_NAMESPACE,
                                           ns.data, ns.len);
    }

    return ngx_http_k8s_sa_add_pattern(cf, allow, NGX_HTTP_K8S_SA_ACCOUNT,
                                       pattern->data, pattern->len);
}


static char *
ngx_http_k8s_sa_add_pattern(ngx_conf_t *cf, ngx_http_k8s_sa_allow_t *allow,
    u_char kind, u_char *data, size_t len)
{
    u_char     *p;
    ngx_str_t  *slot;

    /* half of the slots stay free, so that a search ends soon */

    if (2 * allow->used >= allow->size
        && ngx_http_k8s_sa_grow(cf, allow) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    slot = ngx_http_k8s_sa_slot(allow, ngx_murmur_hash2(data, len), kind, data,
                                len);

    if (slot->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pattern for \"%*s\" is duplicate", len, data);
        return NGX_CONF_ERROR;
    }

    p = ngx_pnalloc(cf->pool, len + 1);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    slot->data = p;
    slot->len = len + 1;

    *p++ = kind;
    ngx_memcpy(p, data, len);

    allow->used++;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_k8s_sa_grow(ngx_conf_t *cf, ngx_http_k8s_sa_allow_t *allow)
{
    ngx_str_t                *s, *slot;
    ngx_uint_t                i;
    ngx_http_k8s_sa_allow_t   old;

    old = *allow;

    allow->size = ngx_max(2 * old.size, 16);
    allow->slots = ngx_pcalloc(cf->pool, allow->size * sizeof(ngx_str_t));
    if (allow->slots == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < old.size; i++) {
        s = &old.slots[i];

        if (s->len == 0) {
            continue;
        }

        slot = ngx_http_k8s_sa_slot(allow,
                                 ngx_murmur_hash2(s->data + 1, s->len - 1),
                                 s->data[0], s->data + 1, s->len - 1);
        *slot = *s;
    }

    return NGX_OK;
}


char *
ngx_http_k8s_sa_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t *lcf = conf;

    ngx_str_t                          *value;
    ngx_uint_t                          i;
    ngx_http_complex_value_t           *cv;
    ngx_http_k8s_sa_require_t          *req;
    ngx_http_compile_complex_value_t    ccv;

    if (lcf->require == NGX_CONF_UNSET_PTR) {
        lcf->require = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_http_k8s_sa_require_t));
        if (lcf->require == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    req = ngx_array_push(lcf->require);

    if (req == NULL
        || ngx_array_init(&req->values, cf->pool, cf->args->nelts - 1,
                          sizeof(ngx_http_complex_value_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    req->status = NGX_HTTP_FORBIDDEN;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "error=", 6) == 0) {

            /* anywhere else it would be a value that is always there */

            if (i == 1 || i != cf->args->nelts - 1) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"%V\" must come behind the values",
                                   &value[i]);
                return NGX_CONF_ERROR;
            }

            req->status = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (req->status < 400 || req->status > 599
                || req->status == NGX_HTTP_CLOSE
                || req->status == NGX_HTTP_CLIENT_CLOSED_REQUEST)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid value \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }

            break;
        }

        cv = ngx_array_push(&req->values);
        if (cv == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = cv;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
