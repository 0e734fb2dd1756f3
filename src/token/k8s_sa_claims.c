/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_claims.h"
#include "token/k8s_sa_userinfo.h"

#include <inttypes.h>
#include <string.h>


#define K8S_SA_SYSTEM_PREFIX  "system:"


static int k8s_sa_policy_lists(const k8s_sa_policy_t *policy,
    const k8s_sa_str_t *iss);
static int k8s_sa_claims_read(k8s_sa_claims_t *c);
static k8s_sa_verdict_e k8s_sa_claims_judge(k8s_sa_claims_t *c, int64_t now);
static int k8s_sa_claims_foreign(k8s_sa_claims_t *c);
static int k8s_sa_claims_prefix(k8s_sa_claims_t *c);
static int k8s_sa_claims_is_system(const k8s_sa_str_t *name);
static int k8s_sa_claims_audience(k8s_sa_claims_t *c);
static int k8s_sa_claims_in_audience(k8s_sa_claims_t *c,
    const k8s_sa_json_node_t *aud, const k8s_sa_str_t *name);
static int k8s_sa_is_legacy_issuer(const k8s_sa_str_t *iss);


int
k8s_sa_policy_accepts(const k8s_sa_policy_t *policy, const k8s_sa_str_t *iss)
{
    return k8s_sa_policy_lists(policy, iss)
           || (policy->kubernetes && policy->legacy_tokens
               && k8s_sa_is_legacy_issuer(iss));
}


static int
k8s_sa_policy_lists(const k8s_sa_policy_t *policy, const k8s_sa_str_t *iss)
{
    size_t  i;

    if (iss->len == 0) {
        return 0;
    }

    if (policy->n_issuers == 0) {
        return 1;
    }

    for (i = 0; i < policy->n_issuers; i++) {
        if (k8s_sa_str_eq(iss, &policy->issuers[i])) {
            return 1;
        }
    }

    return 0;
}


k8s_sa_verdict_e
k8s_sa_token_claims(k8s_sa_token_t *t, const k8s_sa_policy_t *policy,
    int64_t now, k8s_sa_identity_t *id, k8s_sa_error_t *err)
{
    k8s_sa_str_t      username;
    k8s_sa_claims_t   c;
    k8s_sa_verdict_e  verdict;

    memset(id, 0, sizeof(k8s_sa_identity_t));
    memset(&c, 0, sizeof(k8s_sa_claims_t));

    c.t = t;
    c.policy = policy;
    c.id = id;
    c.err = err;
    c.root = &t->claims.nodes[0];

    if (k8s_sa_claims_read(&c) == K8S_SA_OK) {
        verdict = k8s_sa_claims_judge(&c, now);

    } else {
        verdict = K8S_SA_BAD_CLAIMS;
    }

    if (verdict != K8S_SA_VERDICT_OK) {
        username = id->username;
        memset(id, 0, sizeof(k8s_sa_identity_t));
        id->username = username;
    }

    return verdict;
}


/* Finds all faults that do not depend on the time or the policy. */

static int
k8s_sa_claims_read(k8s_sa_claims_t *c)
{
    k8s_sa_identity_t  *id;

    id = c->id;

    if ((c->policy->kubernetes ? k8s_sa_claims_kubernetes(c)
                               : k8s_sa_claims_foreign(c))
        != K8S_SA_OK
        || k8s_sa_claim_string(c, c->root, "jti", K8S_SA_OPTIONAL, &id->jti)
           != K8S_SA_OK)
    {
        return K8S_SA_ERROR;
    }

    if (c->policy->kubernetes && k8s_sa_claims_extra(c) != K8S_SA_OK) {
        return K8S_SA_ERROR;
    }

    if (k8s_sa_claim_string(c, c->root, "iss", K8S_SA_REQUIRED, &id->issuer)
        != K8S_SA_OK
        || k8s_sa_claim_time(c, c->root, "exp", !c->flat, &c->exp)
           != K8S_SA_OK
        || k8s_sa_claim_time(c, c->root, "nbf", K8S_SA_OPTIONAL, &c->nbf)
           != K8S_SA_OK
        || k8s_sa_claim_time(c, c->root, "iat", K8S_SA_OPTIONAL, &c->iat)
           != K8S_SA_OK
        || k8s_sa_claims_audience(c) != K8S_SA_OK)
    {
        return K8S_SA_ERROR;
    }

    id->expires = (c->exp == -1) ? 0 : c->exp;
    id->issued = (c->iat == -1) ? 0 : c->iat;

    if (c->t->key != NULL) {
        id->kid = *k8s_sa_key_kid(c->t->key);
    }

    return K8S_SA_OK;
}


/*
 * Times are compared as by the API server (go-jose, jwt/validation.go): the
 * last second of the leeway still counts.
 */

static k8s_sa_verdict_e
k8s_sa_claims_judge(k8s_sa_claims_t *c, int64_t now)
{
    char                       shown[K8S_SA_SHOWN_SIZE];
    uint64_t                   leeway;
    k8s_sa_str_t               first;
    const k8s_sa_str_t        *iss;
    const k8s_sa_json_node_t  *aud;

    iss = &c->t->iss;
    leeway = (uint64_t) c->policy->leeway;

    /*
     * For legacy tokens legacy_tokens decides, not the list of issuers.  Other
     * tokens with this "iss" are wrong: the API server does not issue them.
     */

    if (!(c->flat && k8s_sa_is_legacy_issuer(iss))
        && !k8s_sa_policy_lists(c->policy, iss))
    {
        k8s_sa_error_set(c->err, "\"iss\" is \"%s\", which is not an "
                         "accepted issuer", k8s_sa_claim_show(shown, iss));
        return K8S_SA_WRONG_ISSUER;
    }

    if (c->flat
        && !(c->policy->legacy_tokens && k8s_sa_is_legacy_issuer(iss)))
    {
        k8s_sa_error_set(c->err, "%s", c->policy->legacy_tokens
                         ? "a legacy token whose \"iss\" is not \""
                           K8S_SA_LEGACY_ISSUER "\""
                         : "legacy tokens are not accepted");
        return K8S_SA_LEGACY_TOKEN;
    }

    /*
     * Differences are unsigned: the difference of any two times fits.  An "exp"
     * of 0 must not become an id->expires of 0, which means never.
     */

    if (c->exp == 0
        || (c->exp != -1 && now > c->exp
            && (uint64_t) now - (uint64_t) c->exp > leeway))
    {
        k8s_sa_error_set(c->err, "\"exp\" is %" PRId64 ", %" PRIu64
                         " seconds ago", c->exp,
                         (uint64_t) now - (uint64_t) c->exp);
        return K8S_SA_EXPIRED;
    }

    if (c->nbf > now && (uint64_t) c->nbf - (uint64_t) now > leeway) {
        k8s_sa_error_set(c->err, "\"nbf\" is %" PRId64 ", in %" PRIu64
                         " seconds", c->nbf,
                         (uint64_t) c->nbf - (uint64_t) now);
        return K8S_SA_NOT_YET_VALID;
    }

    if (c->iat > now && (uint64_t) c->iat - (uint64_t) now > leeway) {
        k8s_sa_error_set(c->err, "\"iat\" is %" PRId64 ", in %" PRIu64
                         " seconds", c->iat,
                         (uint64_t) c->iat - (uint64_t) now);
        return K8S_SA_NOT_YET_VALID;
    }

    if (!c->audience_ok) {
        aud = k8s_sa_json_member(&c->t->claims, c->root, "aud");

        first = (aud->type == K8S_SA_JSON_STRING)
                ? aud->value : k8s_sa_json_first(&c->t->claims, aud)->value;

        k8s_sa_error_set(c->err, "\"aud\" has none of the configured "
                         "audiences, it is \"%s\"%s",
                         k8s_sa_claim_show(shown, &first),
                         aud->count > 1 ? " and others" : "");
        return K8S_SA_WRONG_AUDIENCE;
    }

    return K8S_SA_VERDICT_OK;
}


static int
k8s_sa_claims_foreign(k8s_sa_claims_t *c)
{
    k8s_sa_str_t  sub;

    if (k8s_sa_claim_string(c, c->root, "sub", K8S_SA_REQUIRED, &sub)
        != K8S_SA_OK)
    {
        return K8S_SA_ERROR;
    }

    /* other issuers must not name Kubernetes' own users */

    if (k8s_sa_claims_is_system(&sub)) {
        k8s_sa_error_set(c->err, "\"sub\" begins with \"" K8S_SA_SYSTEM_PREFIX
                         "\", but the issuer is not Kubernetes");
        return K8S_SA_ERROR;
    }

    c->id->username = sub;

    return c->policy->username_prefix.data ? k8s_sa_claims_prefix(c)
                                           : K8S_SA_OK;
}


/*
 * Makes the user one of the cluster, as the API server does for OpenID
 * Connect: --oidc-username-prefix, and the group of all authenticated users.
 */

static int
k8s_sa_claims_prefix(k8s_sa_claims_t *c)
{
    k8s_sa_str_t         username;
    k8s_sa_token_t      *t;
    const k8s_sa_str_t  *prefix;

    static const char  group[] = K8S_SA_GROUP_AUTHENTICATED "\n";

    t = c->t;
    prefix = &c->policy->username_prefix;

    username.data = t->username;
    username.len = prefix->len + c->id->username.len;

    if (username.len > sizeof(t->username)) {
        k8s_sa_error_set(c->err, "\"sub\" is too long");
        return K8S_SA_ERROR;
    }

    memcpy(t->username, prefix->data, prefix->len);
    memcpy(t->username + prefix->len, c->id->username.data,
           c->id->username.len);

    if (k8s_sa_claims_is_system(&username)) {
        k8s_sa_error_set(c->err, "\"sub\" with its prefix begins with \""
                         K8S_SA_SYSTEM_PREFIX "\"");
        return K8S_SA_ERROR;
    }

    memcpy(t->groups, group, sizeof(group) - 1);

    c->id->username = username;
    c->id->groups.data = t->groups;
    c->id->groups.len = sizeof(group) - 1;

    return K8S_SA_OK;
}


static int
k8s_sa_claims_is_system(const k8s_sa_str_t *name)
{
    return name->len >= sizeof(K8S_SA_SYSTEM_PREFIX) - 1
           && memcmp(name->data, K8S_SA_SYSTEM_PREFIX,
                     sizeof(K8S_SA_SYSTEM_PREFIX) - 1) == 0;
}


static int
k8s_sa_claims_audience(k8s_sa_claims_t *c)
{
    size_t                     i;
    const k8s_sa_policy_t     *policy;
    const k8s_sa_json_node_t  *aud, *node;

    policy = c->policy;
    aud = k8s_sa_json_member(&c->t->claims, c->root, "aud");

    if (aud == NULL) {

        if (c->flat || policy->any_audience) {
            c->audience_ok = 1;
            return K8S_SA_OK;
        }

        k8s_sa_error_set(c->err, "\"aud\" is missing");
        return K8S_SA_ERROR;
    }

    if (aud->type != K8S_SA_JSON_STRING
        && (aud->type != K8S_SA_JSON_ARRAY || aud->count == 0))
    {
        k8s_sa_error_set(c->err, "\"aud\" is neither a string nor a list");
        return K8S_SA_ERROR;
    }

    for (node = k8s_sa_json_first(&c->t->claims, aud);
         node != NULL;
         node = k8s_sa_json_next(&c->t->claims, node))
    {
        if (node->type != K8S_SA_JSON_STRING) {
            k8s_sa_error_set(c->err, "\"aud\" is not a list of strings");
            return K8S_SA_ERROR;
        }
    }

    if (policy->any_audience) {
        c->id->audience = (aud->type == K8S_SA_JSON_STRING)
                          ? aud->value
                          : k8s_sa_json_first(&c->t->claims, aud)->value;
        c->audience_ok = 1;

    } else {
        for (i = 0; i < policy->n_audiences; i++) {
            if (k8s_sa_claims_in_audience(c, aud, &policy->audiences[i])) {
                c->id->audience = policy->audiences[i];
                c->audience_ok = 1;
                break;
            }
        }
    }

    if (!k8s_sa_str_is_clean(&c->id->audience)) {
        k8s_sa_error_set(c->err, "\"aud\" holds a control character");
        return K8S_SA_ERROR;
    }

    return K8S_SA_OK;
}


static int
k8s_sa_claims_in_audience(k8s_sa_claims_t *c, const k8s_sa_json_node_t *aud,
    const k8s_sa_str_t *name)
{
    const k8s_sa_json_node_t  *node;

    if (name->len == 0) {
        return 0;
    }

    if (aud->type == K8S_SA_JSON_STRING) {
        return k8s_sa_str_eq(&aud->value, name);
    }

    for (node = k8s_sa_json_first(&c->t->claims, aud);
         node != NULL;
         node = k8s_sa_json_next(&c->t->claims, node))
    {
        if (k8s_sa_str_eq(&node->value, name)) {
            return 1;
        }
    }

    return 0;
}


static int
k8s_sa_is_legacy_issuer(const k8s_sa_str_t *iss)
{
    return iss->len == sizeof(K8S_SA_LEGACY_ISSUER) - 1
           && memcmp(iss->data, K8S_SA_LEGACY_ISSUER, iss->len) == 0;
}
