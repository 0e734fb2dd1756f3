/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What must be true of every token that the check accepts: its claims are read
 * again with jansson, and judged by rules that are implemented here once more.
 */

#ifndef K8S_SA_FUZZ_TOKEN_H
#define K8S_SA_FUZZ_TOKEN_H


#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_base64url.h"
#include "token/k8s_sa_name.h"
#include "token/k8s_sa_packed.h"
#include "token/k8s_sa_token.h"
#include "token/k8s_sa_userinfo.h"

#include <jansson.h>
#include <math.h>


#define FUZZ_FLAT  "kubernetes.io/serviceaccount/"

/* Takes policy and time from two bytes of the input. */

#define FUZZ_POLICY_LEN  2


static const k8s_sa_str_t  fuzz_issuers[] = {
    fuzz_lit("https://kubernetes.default.svc"),
    fuzz_lit("k"),
    fuzz_lit("")
};

static const k8s_sa_str_t  fuzz_audiences[] = {
    fuzz_lit(""),
    fuzz_lit("x"),
    fuzz_lit("service2")
};

/* The recorded tokens date from 2026; most last an hour, some 100 years. */

static const int64_t  fuzz_times[] = {
    1795439950, 1795443600, 3000000000, 0, -1, INT64_MAX, INT64_MIN, 59
};

static const int64_t  fuzz_leeways[] = { 60, 0, 1, INT64_MAX };

static const char  *fuzz_names[] = {
    "aud", "exp", "groups", "kubernetes.io", "sub", "x", ""
};


static inline void
fuzz_policy(k8s_sa_policy_t *policy, int64_t *now, const uint8_t **data,
    size_t *size)
{
    unsigned  bits;

    bits = fuzz_byte(data, size);

    memset(policy, 0, sizeof(k8s_sa_policy_t));

    policy->kubernetes = !(bits & 1);
    policy->legacy_tokens = bits >> 1 & 1;
    policy->any_audience = bits >> 2 & 1;
    policy->algorithms = K8S_SA_ALG_DEFAULT;

    policy->issuers = fuzz_issuers;
    policy->n_issuers = bits >> 3 & 3;

    policy->audiences = fuzz_audiences;
    policy->n_audiences = fuzz_nelts(fuzz_audiences);

    bits = fuzz_byte(data, size);

    *now = fuzz_times[bits & 7];
    policy->leeway = fuzz_leeways[bits >> 3 & 3];
}


/* Decodes a part of an accepted token; to be freed with free(). */

static inline unsigned char *
fuzz_part(const unsigned char *p, size_t len, size_t *n)
{
    unsigned char  *part;

    *n = k8s_sa_base64url_decoded_len(len);
    part = malloc(*n ? *n : 1);
    fuzz_check(part != NULL);

    fuzz_check(k8s_sa_base64url_decode(part, p, len) == K8S_SA_OK);

    return part;
}


/* Returns NULL if a number is too large for jansson. */

static inline json_t *
fuzz_json(const unsigned char *p, size_t len)
{
    json_t        *json;
    json_error_t   error;

    json = json_loadb((const char *) p, len, JSON_REJECT_DUPLICATES, &error);

    fuzz_check(json != NULL
               || json_error_code(&error) == json_error_numeric_overflow);
    fuzz_check(json == NULL || json_is_object(json));

    return json;
}


/* A null member is an absent one. */

static inline json_t *
fuzz_member(const json_t *object, const char *name)
{
    json_t  *member;

    member = json_object_get(object, name);

    return json_is_null(member) ? NULL : member;
}


static inline int
fuzz_is(const k8s_sa_str_t *s, const json_t *json)
{
    return json_is_string(json) && s->len == json_string_length(json)
           && s->len != 0
           && memcmp(s->data, json_string_value(json), s->len) == 0;
}


/* RFC 7515 section 5.2: the steps that need no key. */

static inline void
fuzz_check_parsed(const k8s_sa_token_t *t)
{
    size_t          n, len;
    json_t         *header, *kid;
    unsigned char  *part, *dot;

    part = t->text.data;
    len = t->text.len;

    dot = memchr(part, '.', len);
    fuzz_check(dot != NULL);

    part = fuzz_part(part, dot - part, &n);
    header = fuzz_json(part, n);
    free(part);

    if (header != NULL) {
        fuzz_check(json_is_string(fuzz_member(header, "alg")));
        fuzz_check(strcmp(json_string_value(fuzz_member(header, "alg")),
                          t->alg->name)
                   == 0);

        fuzz_check(json_object_get(header, "crit") == NULL);
        fuzz_check(json_object_get(header, "b64") == NULL);

        kid = fuzz_member(header, "kid");
        fuzz_check((kid == NULL) == (t->kid.data == NULL));
        fuzz_check(kid == NULL || t->kid.len == 0 || fuzz_is(&t->kid, kid));
        fuzz_check(fuzz_is_text(t->kid.data, t->kid.len, ""));
    }

    json_decref(header);

    fuzz_check(t->signed_part.data == t->text.data);
    fuzz_check(t->signed_part.len + 1 < t->text.len);
    fuzz_check(t->text.data[t->signed_part.len] == '.');
    fuzz_check(memchr(dot + 1, '.', t->text.data + len - dot - 1)
               == t->text.data + t->signed_part.len);

    part = fuzz_part(t->text.data + t->signed_part.len + 1,
                     len - t->signed_part.len - 1, &n);
    fuzz_check(n == t->signature.len && n != 0);
    fuzz_check(memcmp(part, t->signature.data, n) == 0);
    free(part);
}


/* The identity of a Kubernetes token; returns 1 for a legacy token. */

static inline int
fuzz_check_account(const json_t *root, const k8s_sa_policy_t *policy,
    const k8s_sa_identity_t *id)
{
    int            flat;
    size_t         n;
    k8s_sa_str_t   sub;
    const json_t  *object, *account, *ns, *name, *uid;

    object = fuzz_member(root, "kubernetes.io");
    flat = (object == NULL);

    if (flat) {
        fuzz_check(policy->legacy_tokens);
        fuzz_check(strcmp(json_string_value(fuzz_member(root, "iss")),
                          K8S_SA_LEGACY_ISSUER)
                   == 0);

        ns = fuzz_member(root, FUZZ_FLAT "namespace");
        name = fuzz_member(root, FUZZ_FLAT "service-account.name");
        uid = fuzz_member(root, FUZZ_FLAT "service-account.uid");

    } else {
        account = fuzz_member(object, "serviceaccount");

        ns = fuzz_member(object, "namespace");
        name = fuzz_member(account, "name");
        uid = fuzz_member(account, "uid");
    }

    fuzz_check(fuzz_is(&id->namespace, ns) && fuzz_is(&id->name, name)
               && fuzz_is(&id->uid, uid));
    fuzz_check(k8s_sa_name_is_label(&id->namespace));
    fuzz_check(k8s_sa_name_is_subdomain(&id->name));

    n = sizeof(K8S_SA_USERNAME_PREFIX) - 1;
    sub = id->username;

    fuzz_check(sub.len == n + id->namespace.len + 1 + id->name.len);
    fuzz_check(memcmp(sub.data, K8S_SA_USERNAME_PREFIX, n) == 0);
    fuzz_check(memcmp(sub.data + n, id->namespace.data, id->namespace.len)
               == 0);
    fuzz_check(sub.data[n + id->namespace.len] == ':');
    fuzz_check(memcmp(sub.data + sub.len - id->name.len, id->name.data,
                      id->name.len)
               == 0);

    return flat;
}


/* jansson rounds reals to 53 bits. */

static inline int
fuzz_is_time(const json_t *json, int64_t seconds)
{
    double  n;

    if (json_is_integer(json)) {
        return seconds == json_integer_value(json);
    }

    n = json_number_value(json);

    return json_is_real(json) && n >= 0
           && (fabs((double) seconds - n) <= 1
               || fabs((double) seconds - n) <= n * 1e-15);
}


/* Returns 1 if a is more than leeway seconds later than b, otherwise 0. */

static inline int
fuzz_is_later(int64_t a, int64_t b, int64_t leeway)
{
    return a > b && (uint64_t) a - (uint64_t) b > (uint64_t) leeway;
}


static inline void
fuzz_check_times(const json_t *root, const k8s_sa_policy_t *policy, int flat,
    int64_t now, const k8s_sa_identity_t *id)
{
    int64_t        leeway;
    const json_t  *exp, *nbf, *iat;

    leeway = policy->leeway;

    exp = fuzz_member(root, "exp");
    nbf = fuzz_member(root, "nbf");
    iat = fuzz_member(root, "iat");

    fuzz_check(json_is_number(exp) || (flat && exp == NULL));
    fuzz_check(exp == NULL ? id->expires == 0
               : (id->expires > 0
                  && !fuzz_is_later(now, id->expires, leeway)
                  && fuzz_is_time(exp, id->expires)));

    fuzz_check(nbf == NULL || (json_is_number(nbf)
                               && json_number_value(nbf) >= 0
                               && json_number_value(nbf) * (1 - 1e-15) - 1
                                  <= (double) now + (double) leeway));

    fuzz_check(iat == NULL ? id->issued == 0
               : (!fuzz_is_later(id->issued, now, leeway)
                  && fuzz_is_time(iat, id->issued)));
}


static inline void
fuzz_check_audience(const json_t *root, const k8s_sa_policy_t *policy,
    int flat, const k8s_sa_identity_t *id)
{
    int            found;
    size_t         i;
    const json_t  *aud, *item;

    aud = fuzz_member(root, "aud");

    if (aud == NULL) {
        fuzz_check(flat || policy->any_audience);
        fuzz_check(id->audience.data == NULL);
        return;
    }

    found = fuzz_is(&id->audience, aud);

    json_array_foreach(aud, i, item) {
        fuzz_check(json_is_string(item));
        found |= fuzz_is(&id->audience, item);
    }

    if (policy->any_audience) {
        fuzz_check(found || id->audience.len == 0);
        return;
    }

    fuzz_check(found);

    for (i = 0; i < policy->n_audiences; i++) {
        if (id->audience.data == policy->audiences[i].data) {
            return;
        }
    }

    fuzz_check(!"an audience that is not configured");
}


static inline void
fuzz_check_accepted(const unsigned char *payload, size_t len,
    const k8s_sa_policy_t *policy, int64_t now, const k8s_sa_identity_t *id)
{
    int      flat;
    size_t   i;
    json_t  *root;

    root = fuzz_json(payload, len);

    if (root == NULL) {
        return;
    }

    fuzz_check(fuzz_is(&id->issuer, fuzz_member(root, "iss")));
    fuzz_check(fuzz_is(&id->username, fuzz_member(root, "sub")));

    if (policy->kubernetes) {
        flat = fuzz_check_account(root, policy, id);

    } else {
        flat = 0;
        fuzz_check(id->namespace.data == NULL && id->groups.data == NULL
                   && id->extra.data == NULL && id->pod.data == NULL);
        fuzz_check(id->username.len < 7
                   || memcmp(id->username.data, "system:", 7) != 0);
    }

    if (!flat && policy->n_issuers) {

        for (i = 0; i < policy->n_issuers; i++) {
            if (fuzz_is(&policy->issuers[i], fuzz_member(root, "iss"))) {
                break;
            }
        }

        fuzz_check(i < policy->n_issuers);
    }

    fuzz_check_times(root, policy, flat, now, id);
    fuzz_check_audience(root, policy, flat, id);

    json_decref(root);
}


/* Packs and unpacks the identity, as the shared cache does. */

static inline void
fuzz_check_packed(k8s_sa_identity_t *id)
{
    size_t              len, size;
    k8s_sa_str_t        kid;
    unsigned char      *text, *copied;
    k8s_sa_identity_t   copy;

    static unsigned char  packed[K8S_SA_PACKED_MAX];

    len = k8s_sa_identity_pack(packed, sizeof(packed), id);

    if (len == 0) {
        return;
    }

    fuzz_check(k8s_sa_identity_pack(packed, len - 1, id) == 0);
    fuzz_check(k8s_sa_identity_pack(packed, len, id) == len);

    copied = fuzz_copy(packed, len);
    size = k8s_sa_packed_size(copied, len);
    text = malloc(size ? size : 1);
    fuzz_check(text != NULL);

    memset(&copy, 0xa5, sizeof(copy));
    fuzz_check(k8s_sa_identity_unpack(&copy, copied, len, text, size)
               == K8S_SA_OK);

    kid = id->kid;
    id->kid = copy.kid;
    fuzz_check_same(id, &copy);
    id->kid = kid;

    free(text);
    free(copied);
}


/* The texts of variables that show claims. */

static inline void
fuzz_check_texts(const unsigned char *text, size_t len,
    const unsigned char *payload, size_t payload_len)
{
    char    *value;
    size_t   i, n;
    json_t  *whole, *again;

    if (k8s_sa_token_claims_text(text, len, &value, &n) == K8S_SA_OK) {
        fuzz_check(fuzz_is_text((unsigned char *) value, n, ""));

        whole = fuzz_json(payload, payload_len);
        again = fuzz_json((unsigned char *) value, n);
        fuzz_check((whole == NULL) == (again == NULL));
        fuzz_check(whole == NULL || json_equal(whole, again));

        json_decref(whole);
        json_decref(again);
        free(value);
    }

    for (i = 0; i < fuzz_nelts(fuzz_names); i++) {
        if (k8s_sa_token_claim_text(text, len, fuzz_names[i],
                                    strlen(fuzz_names[i]), &value, &n)
            == K8S_SA_OK)
        {
            fuzz_check(fuzz_is_text((unsigned char *) value, n, ""));
            free(value);
        }
    }
}


/* Everything that follows a successful parse. */

static inline void
fuzz_check_token(k8s_sa_token_t *t, const k8s_sa_policy_t *policy,
    int64_t now)
{
    size_t              n;
    unsigned char      *payload, *dot;
    k8s_sa_error_t      err;
    k8s_sa_verdict_e    verdict;
    k8s_sa_identity_t   id;

    fuzz_check_parsed(t);

    dot = memchr(t->text.data, '.', t->text.len);
    payload = fuzz_part(dot + 1,
                        t->text.data + t->signed_part.len - dot - 1, &n);

    memset(&id, 0xa5, sizeof(id));
    memset(&err, 0xa5, sizeof(err));

    verdict = k8s_sa_token_claims(t, policy, now, &id, &err);

    fuzz_check_identity(&id);

    if (verdict == K8S_SA_VERDICT_OK) {
        fuzz_check(k8s_sa_token_issuer_matches(t, policy));
        fuzz_check_accepted(payload, n, policy, now, &id);
        fuzz_check_packed(&id);

    } else {
        fuzz_check(verdict >= K8S_SA_WRONG_ISSUER
                   && verdict <= K8S_SA_WRONG_AUDIENCE);
        fuzz_check_error(&err);
        fuzz_check(id.name.data == NULL && id.groups.data == NULL);
    }

    fuzz_check_texts(t->text.data, t->text.len, payload, n);

    free(payload);
}


#endif /* K8S_SA_FUZZ_TOKEN_H */
