/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_access.h"
#include "token/k8s_sa_out.h"
#include "token/k8s_sa_userinfo.h"
#include "token/k8s_sa_utf8.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>


#define K8S_SA_ACCESS_NAMESPACE_MAX  63

#define K8S_SA_ACCESS_DOMAIN         "k8s_sa access review"

#define k8s_sa_access_bit(field)     (1u << (field))


static int k8s_sa_access_is_path(const k8s_sa_str_t *value);
static int k8s_sa_access_is(const k8s_sa_str_t *path, const char *url);
static int k8s_sa_access_is_below(const k8s_sa_str_t *path, const char *url);
static int k8s_sa_access_is_namespace(const k8s_sa_str_t *value);
static k8s_sa_access_field_e k8s_sa_access_unfit(const k8s_sa_access_t *q);
static void k8s_sa_access_short(k8s_sa_out_t *out, const k8s_sa_access_t *q);
static void k8s_sa_access_resource(k8s_sa_out_t *out,
    const k8s_sa_access_t *q, k8s_sa_access_text_e how);
static int k8s_sa_access_can_be_told(const k8s_sa_access_t *q);
static void k8s_sa_access_value(k8s_sa_out_t *out, const k8s_sa_str_t *value,
    k8s_sa_access_text_e how);
static size_t k8s_sa_access_log_len(const k8s_sa_str_t *path);
static int k8s_sa_access_is_telling(unsigned char ch);
static void k8s_sa_access_key_user(k8s_sa_out_t *out,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id);
static void k8s_sa_access_key_len(k8s_sa_out_t *out, size_t len);
static void k8s_sa_access_key_str(k8s_sa_out_t *out, const k8s_sa_str_t *s);
static void k8s_sa_access_key_groups(k8s_sa_out_t *out,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id);
static void k8s_sa_access_key_extra(k8s_sa_out_t *out,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id);
static int k8s_sa_access_digest(EVP_MD_CTX *ctx, const k8s_sa_str_t *s);


static const char  *k8s_sa_access_fields[K8S_SA_ACCESS_FIELDS] = {
    [K8S_SA_ACCESS_PATH] = "path",
    [K8S_SA_ACCESS_VERB] = "verb",
    [K8S_SA_ACCESS_NAMESPACE] = "namespace",
    [K8S_SA_ACCESS_GROUP] = "group",
    [K8S_SA_ACCESS_RESOURCE] = "resource",
    [K8S_SA_ACCESS_SUBRESOURCE] = "subresource",
    [K8S_SA_ACCESS_NAME] = "name"
};


static const struct {
    const char  *method;
    const char  *verb;
} k8s_sa_access_verbs[] = {
    { "GET", "get" },
    { "HEAD", "get" },
    { "POST", "create" },
    { "PUT", "update" },
    { "PATCH", "patch" },
    { "DELETE", "delete" }
};

#define K8S_SA_ACCESS_VERBS                                                   \
    (sizeof(k8s_sa_access_verbs) / sizeof(k8s_sa_access_verbs[0]))


const char *
k8s_sa_access_field(k8s_sa_access_field_e field)
{
    return k8s_sa_access_fields[field];
}


k8s_sa_str_t
k8s_sa_access_verb(const k8s_sa_str_t *method)
{
    size_t        i;
    k8s_sa_str_t  verb;

    verb.len = 0;
    verb.data = NULL;

    for (i = 0; i < K8S_SA_ACCESS_VERBS; i++) {

        if (method->len == strlen(k8s_sa_access_verbs[i].method)
            && memcmp(method->data, k8s_sa_access_verbs[i].method, method->len)
               == 0)
        {
            verb.len = strlen(k8s_sa_access_verbs[i].verb);
            verb.data = (unsigned char *) k8s_sa_access_verbs[i].verb;
            break;
        }
    }

    return verb;
}


void
k8s_sa_access_lowercase(unsigned char *dst, const k8s_sa_str_t *s)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];
        dst[i] = (ch >= 'A' && ch <= 'Z') ? (ch | 0x20) : ch;
    }
}


/*
 * nonResourceURLs of system:discovery, system:public-info-viewer and
 * system:service-account-issuer-discovery (plugin/pkg/auth/authorizer/rbac/
 * bootstrappolicy/policy.go), all with the verb "get"; OpenShift adds the rest
 * of /.well-known.
 */

int
k8s_sa_access_has_default_role(const k8s_sa_str_t *path)
{
    switch (path->len > 1 ? path->data[1] : '\0') {

    case 'a':
        return k8s_sa_access_is_below(path, "/api")
               || k8s_sa_access_is_below(path, "/apis");

    case 'o':
        return k8s_sa_access_is_below(path, "/openapi")
               || k8s_sa_access_is(path, "/openid/v1/jwks")
               || k8s_sa_access_is(path, "/openid/v1/jwks/");

    case 'h':
        return k8s_sa_access_is(path, "/healthz");

    case 'l':
        return k8s_sa_access_is(path, "/livez");

    case 'r':
        return k8s_sa_access_is(path, "/readyz");

    case 'v':
        return k8s_sa_access_is(path, "/version")
               || k8s_sa_access_is(path, "/version/");

    case '.':
        return k8s_sa_access_is_below(path, "/.well-known");

    default:
        return 0;
    }
}


static int
k8s_sa_access_is(const k8s_sa_str_t *path, const char *url)
{
    return path->len == strlen(url) && memcmp(path->data, url, path->len) == 0;
}


/* Returns 1 for url, and for url followed by "/" and anything else. */

static int
k8s_sa_access_is_below(const k8s_sa_str_t *path, const char *url)
{
    size_t  len;

    len = strlen(url);

    return path->len >= len && memcmp(path->data, url, len) == 0
           && (path->len == len || path->data[len] == '/');
}


int
k8s_sa_access_is_fit(k8s_sa_access_field_e field, const k8s_sa_str_t *value,
    int literal)
{
    size_t         i;
    unsigned char  ch;

    if (field == K8S_SA_ACCESS_PATH) {
        return k8s_sa_access_is_path(value);
    }

    if (field == K8S_SA_ACCESS_NAMESPACE) {
        return k8s_sa_access_is_namespace(value);
    }

    if (value->len == 0 || value->len > K8S_SA_ACCESS_VALUE_MAX) {
        return 0;
    }

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if (ch < '!' || ch > '~' || ch == '/' || ch == '%'
            || (ch == '*' && !literal))
        {
            return 0;
        }
    }

    return value->data[0] != '.'
           || (value->len > 1 && (value->len > 2 || value->data[1] != '.'));
}


/*
 * A role for all below "/public/" tests a plain prefix, and so allows
 * "/public/../admin".  C1 controls are left: k8s_sa_path_decode() accepts them.
 */

static int
k8s_sa_access_is_path(const k8s_sa_str_t *value)
{
    size_t                len;
    const unsigned char  *p, *end, *segment;

    if (value->len == 0 || value->len > K8S_SA_ACCESS_PATH_MAX
        || value->data[0] != '/')
    {
        return 0;
    }

    end = k8s_sa_str_end(value);
    segment = value->data + 1;

    for (p = segment; /* void */ ; p++) {

        if (p < end && *p != '/') {

            if (*p < 0x20 || *p == 0x7f) {
                return 0;
            }

            continue;
        }

        len = (size_t) (p - segment);

        if ((len == 1 || len == 2)
            && segment[0] == '.' && segment[len - 1] == '.')
        {
            return 0;
        }

        if (p == end) {
            break;
        }

        segment = p + 1;
    }

    return k8s_sa_utf8_is_valid(value->data, end);
}


static int
k8s_sa_access_is_namespace(const k8s_sa_str_t *value)
{
    size_t         i;
    unsigned char  ch;

    if (value->len == 0 || value->len > K8S_SA_ACCESS_NAMESPACE_MAX) {
        return 0;
    }

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if (!(ch >= 'a' && ch <= 'z') && !(ch >= '0' && ch <= '9')
            && ch != '-')
        {
            return 0;
        }
    }

    return 1;
}


k8s_sa_verdict_e
k8s_sa_access_check(const k8s_sa_access_t *q,
    const k8s_sa_access_policy_t *policy, const k8s_sa_str_t *method,
    k8s_sa_access_field_e *field, k8s_sa_error_t *err)
{
    k8s_sa_access_field_e  unfit;

    unfit = k8s_sa_access_unfit(q);

    if (unfit == K8S_SA_ACCESS_FIELDS) {

        if (policy->local.data == NULL
            || k8s_sa_str_eq(&q->fields[K8S_SA_ACCESS_NAMESPACE],
                             &policy->local))
        {
            return K8S_SA_VERDICT_OK;
        }

        unfit = K8S_SA_ACCESS_NAMESPACE;

        k8s_sa_error_set(err, "another namespace than that of the local "
                         "review");

    } else if (q->fields[unfit].len) {
        k8s_sa_error_set(err, "unfit value for %s", k8s_sa_access_field(unfit));

    } else if (unfit == K8S_SA_ACCESS_VERB && method) {
        k8s_sa_error_set(err, "no verb for method %.*s",
                         (int) (method->len < 32 ? method->len : 32),
                         (char *) method->data);

    } else {
        k8s_sa_error_set(err, "no value for %s", k8s_sa_access_field(unfit));
    }

    if (field) {
        *field = unfit;
    }

    return q->client & k8s_sa_access_bit(unfit) ? K8S_SA_BAD_ATTRIBUTES
                                                : K8S_SA_ACCESS_DENIED;
}


/* Returns the first unfit field, or K8S_SA_ACCESS_FIELDS. */

static k8s_sa_access_field_e
k8s_sa_access_unfit(const k8s_sa_access_t *q)
{
    int                  resource;
    unsigned             i;
    const k8s_sa_str_t  *value;

    resource = q->fields[K8S_SA_ACCESS_RESOURCE].data != NULL;

    for (i = 0; i < K8S_SA_ACCESS_FIELDS; i++) {
        value = &q->fields[i];

        if (value->data == NULL) {

            if (i == K8S_SA_ACCESS_VERB
                || i == (resource ? K8S_SA_ACCESS_RESOURCE
                                  : K8S_SA_ACCESS_PATH))
            {
                break;
            }

            continue;
        }

        if (!k8s_sa_access_is_fit(i, value,
                                  (q->literal & k8s_sa_access_bit(i)) != 0)
            || (resource && i == K8S_SA_ACCESS_PATH)
            || (!resource && i > K8S_SA_ACCESS_VERB))
        {
            break;
        }
    }

    return i;
}


size_t
k8s_sa_access_text(unsigned char *dst, const k8s_sa_access_t *q,
    k8s_sa_access_text_e how)
{
    k8s_sa_str_t         path;
    k8s_sa_out_t         out;
    const k8s_sa_str_t  *fields;

    out.dst = dst;
    out.size = SIZE_MAX;
    out.len = 0;

    if (how == K8S_SA_ACCESS_SHORT) {
        k8s_sa_access_short(&out, q);
        return out.len;
    }

    if (how == K8S_SA_ACCESS_DESCRIPTION && !k8s_sa_access_can_be_told(q)) {
        return 0;
    }

    fields = q->fields;

    if (how != K8S_SA_ACCESS_LOG_ALLOWED) {
        k8s_sa_out_text(&out, "cannot ");
    }

    k8s_sa_access_value(&out, &fields[K8S_SA_ACCESS_VERB], how);

    if (fields[K8S_SA_ACCESS_RESOURCE].data == NULL) {
        path = fields[K8S_SA_ACCESS_PATH];

        k8s_sa_out_text(&out, " path ");

        if (how == K8S_SA_ACCESS_DESCRIPTION) {
            k8s_sa_access_value(&out, &path, how);
            return out.len;
        }

        path.len = k8s_sa_access_log_len(&path);

        k8s_sa_out_text(&out, "\"");
        k8s_sa_access_value(&out, &path, how);
        k8s_sa_out_text(&out, "\"");

        if (path.len < fields[K8S_SA_ACCESS_PATH].len) {
            k8s_sa_out_text(&out, "...");
        }

        return out.len;
    }

    k8s_sa_out_text(&out, " ");
    k8s_sa_access_resource(&out, q, how);

    if (fields[K8S_SA_ACCESS_NAME].data) {
        k8s_sa_out_text(&out, " ");
        k8s_sa_access_value(&out, &fields[K8S_SA_ACCESS_NAME], how);
    }

    if (fields[K8S_SA_ACCESS_NAMESPACE].data) {
        k8s_sa_out_text(&out, " in namespace ");
        k8s_sa_access_value(&out, &fields[K8S_SA_ACCESS_NAMESPACE], how);

    } else {
        k8s_sa_out_text(&out, " at the cluster scope");
    }

    return out.len;
}


static void
k8s_sa_access_short(k8s_sa_out_t *out, const k8s_sa_access_t *q)
{
    const k8s_sa_str_t  *fields;

    fields = q->fields;

    k8s_sa_out_str(out, &fields[K8S_SA_ACCESS_VERB]);
    k8s_sa_out_text(out, " ");

    if (fields[K8S_SA_ACCESS_RESOURCE].data == NULL) {
        k8s_sa_out_str(out, &fields[K8S_SA_ACCESS_PATH]);
        return;
    }

    k8s_sa_access_resource(out, q, K8S_SA_ACCESS_SHORT);

    if (fields[K8S_SA_ACCESS_NAMESPACE].data) {
        k8s_sa_out_text(out, " namespace=");
        k8s_sa_out_str(out, &fields[K8S_SA_ACCESS_NAMESPACE]);
    }

    if (fields[K8S_SA_ACCESS_NAME].data) {
        k8s_sa_out_text(out, " name=");
        k8s_sa_out_str(out, &fields[K8S_SA_ACCESS_NAME]);
    }
}


/* RESOURCE[/SUBRESOURCE][.GROUP] */

static void
k8s_sa_access_resource(k8s_sa_out_t *out, const k8s_sa_access_t *q,
    k8s_sa_access_text_e how)
{
    const k8s_sa_str_t  *fields;

    fields = q->fields;

    k8s_sa_access_value(out, &fields[K8S_SA_ACCESS_RESOURCE], how);

    if (fields[K8S_SA_ACCESS_SUBRESOURCE].data) {
        k8s_sa_out_text(out, "/");
        k8s_sa_access_value(out, &fields[K8S_SA_ACCESS_SUBRESOURCE], how);
    }

    if (fields[K8S_SA_ACCESS_GROUP].data) {
        k8s_sa_out_text(out, ".");
        k8s_sa_access_value(out, &fields[K8S_SA_ACCESS_GROUP], how);
    }
}


static int
k8s_sa_access_can_be_told(const k8s_sa_access_t *q)
{
    size_t    i;
    unsigned  field;

    for (field = 0; field < K8S_SA_ACCESS_FIELDS; field++) {

        for (i = 0; i < q->fields[field].len; i++) {

            if (q->fields[field].data[i] == ' '
                || !k8s_sa_access_is_telling(q->fields[field].data[i]))
            {
                return 0;
            }
        }
    }

    return 1;
}


static void
k8s_sa_access_value(k8s_sa_out_t *out, const k8s_sa_str_t *value,
    k8s_sa_access_text_e how)
{
    size_t         i;
    char           escape[4];

    static const char  hex[] = "0123456789ABCDEF";

    if (how != K8S_SA_ACCESS_LOG && how != K8S_SA_ACCESS_LOG_ALLOWED) {
        k8s_sa_out_str(out, value);
        return;
    }

    for (i = 0; i < value->len; i++) {

        if (k8s_sa_access_is_telling(value->data[i])) {
            k8s_sa_out(out, &value->data[i], 1);
            continue;
        }

        escape[0] = '\\';
        escape[1] = 'x';
        escape[2] = hex[value->data[i] >> 4];
        escape[3] = hex[value->data[i] & 0xf];

        k8s_sa_out(out, escape, sizeof(escape));
    }
}


/* Returns how much of the path has room: the line must not lose its end. */

static size_t
k8s_sa_access_log_len(const k8s_sa_str_t *path)
{
    size_t  i, written;

    written = 0;

    for (i = 0; i < path->len; i++) {
        written += k8s_sa_access_is_telling(path->data[i]) ? 1 : 4;

        if (written > K8S_SA_ACCESS_LOG_MAX) {
            break;
        }
    }

    return i;
}


/* RFC 6750 section 3: %x20-21 / %x23-5B / %x5D-7E */

static int
k8s_sa_access_is_telling(unsigned char ch)
{
    return ch >= ' ' && ch <= '~' && ch != '"' && ch != '\\';
}


/*
 * Strings with their length before them, as in the key: bytes cannot move from
 * one to the next, and an absent string is not an empty one.
 */

int
k8s_sa_access_context(unsigned char *context, const k8s_sa_str_t *url,
    const k8s_sa_access_policy_t *policy)
{
    int          rc;
    EVP_MD_CTX  *ctx;

    static const k8s_sa_str_t  domain = {
        sizeof(K8S_SA_ACCESS_DOMAIN) - 1,
        (unsigned char *) K8S_SA_ACCESS_DOMAIN
    };

    _Static_assert(K8S_SA_FINGERPRINT_CONTEXT_LEN == 32, "SHA-256");

    rc = K8S_SA_ERROR;

    ctx = EVP_MD_CTX_new();

    if (ctx != NULL
        && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1
        && k8s_sa_access_digest(ctx, &domain) == K8S_SA_OK
        && k8s_sa_access_digest(ctx, url) == K8S_SA_OK
        && k8s_sa_access_digest(ctx, &policy->local) == K8S_SA_OK
        && EVP_DigestFinal_ex(ctx, context, NULL) == 1)
    {
        rc = K8S_SA_OK;

    } else {
        ERR_clear_error();
    }

    EVP_MD_CTX_free(ctx);

    return rc;
}


static int
k8s_sa_access_digest(EVP_MD_CTX *ctx, const k8s_sa_str_t *s)
{
    uint64_t  n;

    n = s->data ? s->len : UINT64_MAX;

    if (EVP_DigestUpdate(ctx, &n, sizeof(n)) != 1
        || (s->len && EVP_DigestUpdate(ctx, s->data, s->len) != 1))
    {
        return K8S_SA_ERROR;
    }

    return K8S_SA_OK;
}


size_t
k8s_sa_access_key(unsigned char *dst, size_t size,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id,
    const k8s_sa_access_t *q)
{
    unsigned      i, last;
    k8s_sa_out_t  out;

    out.dst = dst;
    out.size = size;
    out.len = 0;

    if (id) {
        k8s_sa_access_key_user(&out, policy, id);
    }

    if (q) {
        /* the first one, of a path, is absent if the question has a resource */

        last = q->fields[K8S_SA_ACCESS_RESOURCE].data ? K8S_SA_ACCESS_FIELDS
                                                      : K8S_SA_ACCESS_VERB + 1;

        for (i = 0; i < last; i++) {
            k8s_sa_access_key_str(&out, &q->fields[i]);
        }
    }

    return out.len <= size ? out.len : 0;
}


static void
k8s_sa_access_key_user(k8s_sa_out_t *out, const k8s_sa_access_policy_t *policy,
    const k8s_sa_identity_t *id)
{
    if (id->username.data) {
        k8s_sa_access_key_len(out,
                              policy->username_prefix.len + id->username.len);
        k8s_sa_out_str(out, &policy->username_prefix);
        k8s_sa_out_str(out, &id->username);

    } else {
        k8s_sa_access_key_str(out, &id->username);
    }

    k8s_sa_access_key_str(out, &id->uid);
    k8s_sa_access_key_groups(out, policy, id);
    k8s_sa_access_key_extra(out, policy, id);
}


static void
k8s_sa_access_key_len(k8s_sa_out_t *out, size_t len)
{
    uint32_t  n;

    n = (uint32_t) len;

    k8s_sa_out(out, &n, sizeof(n));
}


static void
k8s_sa_access_key_str(k8s_sa_out_t *out, const k8s_sa_str_t *s)
{
    k8s_sa_access_key_len(out, s->data ? s->len : UINT32_MAX);
    k8s_sa_out_str(out, s);
}


static void
k8s_sa_access_key_groups(k8s_sa_out_t *out,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id)
{
    size_t  len;

    static const char  added[] = K8S_SA_GROUP_AUTHENTICATED "\n";

    len = k8s_sa_access_adds_group(policy, id) ? sizeof(added) - 1 : 0;

    k8s_sa_access_key_len(out, id->groups.len + len);
    k8s_sa_out_str(out, &id->groups);
    k8s_sa_out(out, added, len);
}


int
k8s_sa_access_adds_group(const k8s_sa_access_policy_t *policy,
    const k8s_sa_identity_t *id)
{
    k8s_sa_str_t  groups, group;

    static const k8s_sa_str_t  added = {
        sizeof(K8S_SA_GROUP_AUTHENTICATED) - 1,
        (unsigned char *) K8S_SA_GROUP_AUTHENTICATED
    };

    if (!policy->authenticated) {
        return 0;
    }

    groups = id->groups;

    while (k8s_sa_identity_group(&groups, &group)) {

        if (k8s_sa_str_eq(&group, &added)) {
            return 0;
        }
    }

    return 1;
}


/* As far as it is sent: each name and value, and a length that none has */

static void
k8s_sa_access_key_extra(k8s_sa_out_t *out,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id)
{
    k8s_sa_str_t  extra, name, value;

    extra = id->extra;

    while (k8s_sa_identity_extra(&extra, &name, &value)) {

        if (k8s_sa_access_sends_extra(policy, &name)) {
            k8s_sa_access_key_str(out, &name);
            k8s_sa_access_key_str(out, &value);
        }
    }

    k8s_sa_access_key_len(out, UINT32_MAX);
}


int
k8s_sa_access_sends_extra(const k8s_sa_access_policy_t *policy,
    const k8s_sa_str_t *name)
{
    static const char  prefix[] = K8S_SA_EXTRA_PREFIX;

    return policy->extra
           || name->len < sizeof(prefix) - 1
           || memcmp(name->data, prefix, sizeof(prefix) - 1) != 0;
}
