/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_access_review.h"
#include "token/k8s_sa_out.h"
#include "token/k8s_sa_review.h"
#include "token/k8s_sa_userinfo.h"
#include "token/k8s_sa_utf8.h"

#include <string.h>


#define K8S_SA_ACCESS_VERSION     "authorization.k8s.io/v1"
#define K8S_SA_ACCESS_KIND        "SubjectAccessReview"
#define K8S_SA_ACCESS_KIND_LOCAL  "LocalSubjectAccessReview"


/* JSON that is being written */

typedef struct {
    k8s_sa_out_t  out;
    int           comma;      /* a member or element precedes */
    int           failed;     /* what is written cannot be sent */
} k8s_sa_access_json_t;


/* Names of extra that are in the JSON already */

typedef struct {
    size_t        n;
    k8s_sa_str_t  names[K8S_SA_ACCESS_EXTRA_MAX];
} k8s_sa_access_names_t;


static void k8s_sa_access_user(k8s_sa_access_json_t *json,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id);
static void k8s_sa_access_groups(k8s_sa_access_json_t *json,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id);
static void k8s_sa_access_extra(k8s_sa_access_json_t *json,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id);
static void k8s_sa_access_extra_name(k8s_sa_access_json_t *json,
    k8s_sa_access_names_t *seen, const k8s_sa_str_t *name);
static void k8s_sa_access_attributes(k8s_sa_access_json_t *json,
    const k8s_sa_access_t *q);
static void k8s_sa_access_open(k8s_sa_access_json_t *json, const char *name,
    const char *bracket);
static void k8s_sa_access_close(k8s_sa_access_json_t *json,
    const char *bracket);
static void k8s_sa_access_member(k8s_sa_access_json_t *json, const char *name,
    const k8s_sa_str_t *value);
static void k8s_sa_access_string(k8s_sa_access_json_t *json,
    const k8s_sa_str_t *before, const k8s_sa_str_t *value);
static void k8s_sa_access_escaped(k8s_sa_access_json_t *json,
    const k8s_sa_str_t *value);
static k8s_sa_verdict_e k8s_sa_access_status(k8s_sa_access_answer_t *answer,
    const json_t *status, k8s_sa_error_t *err);


static const k8s_sa_str_t  k8s_sa_access_nothing = { 0, NULL };


size_t
k8s_sa_access_review_request(unsigned char *dst,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id,
    const k8s_sa_access_t *q)
{
    k8s_sa_access_json_t  json;

    json.out.dst = dst;
    json.out.size = SIZE_MAX;
    json.out.len = 0;
    json.comma = 0;
    json.failed = 0;

    /* a SubjectAccessReview must not have "metadata", the other one must */

    if (policy->local.data) {
        k8s_sa_out_text(&json.out,
                        "{\"apiVersion\":\"" K8S_SA_ACCESS_VERSION "\","
                        "\"kind\":\"" K8S_SA_ACCESS_KIND_LOCAL "\"");
        json.comma = 1;

        k8s_sa_access_open(&json, "metadata", "{");
        k8s_sa_access_member(&json, "namespace", &policy->local);
        k8s_sa_access_close(&json, "}");

    } else {
        k8s_sa_out_text(&json.out,
                        "{\"apiVersion\":\"" K8S_SA_ACCESS_VERSION "\","
                        "\"kind\":\"" K8S_SA_ACCESS_KIND "\"");
        json.comma = 1;
    }

    k8s_sa_access_open(&json, "spec", "{");
    k8s_sa_access_user(&json, policy, id);
    k8s_sa_access_attributes(&json, q);
    k8s_sa_access_close(&json, "}}");

    return json.failed ? 0 : json.out.len;
}


static void
k8s_sa_access_user(k8s_sa_access_json_t *json,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id)
{
    if (id->username.data) {
        k8s_sa_access_open(json, "user", "");
        k8s_sa_access_string(json, &policy->username_prefix, &id->username);
    }

    k8s_sa_access_groups(json, policy, id);

    if (id->uid.data) {
        k8s_sa_access_member(json, "uid", &id->uid);
    }

    k8s_sa_access_extra(json, policy, id);
}


static void
k8s_sa_access_groups(k8s_sa_access_json_t *json,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id)
{
    int           add;
    k8s_sa_str_t  groups, group;

    add = k8s_sa_access_adds_group(policy, id);

    if (id->groups.len == 0 && !add) {
        return;
    }

    k8s_sa_access_open(json, "groups", "[");

    groups = id->groups;

    while (k8s_sa_identity_group(&groups, &group)) {
        k8s_sa_access_string(json, &k8s_sa_access_nothing, &group);
    }

    if (add) {
        group.len = sizeof(K8S_SA_GROUP_AUTHENTICATED) - 1;
        group.data = (unsigned char *) K8S_SA_GROUP_AUTHENTICATED;

        k8s_sa_access_string(json, &k8s_sa_access_nothing, &group);
    }

    k8s_sa_access_close(json, "]");
}


static void
k8s_sa_access_extra(k8s_sa_access_json_t *json,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id)
{
    k8s_sa_str_t           extra, name, value;
    k8s_sa_access_names_t  seen;

    seen.n = 0;
    extra = id->extra;

    while (k8s_sa_identity_extra(&extra, &name, &value)) {

        if (!k8s_sa_access_sends_extra(policy, &name)) {
            continue;
        }

        if (seen.n == 0) {
            k8s_sa_access_open(json, "extra", "{");
        }

        if (seen.n == 0 || !k8s_sa_str_eq(&seen.names[seen.n - 1], &name)) {

            k8s_sa_access_extra_name(json, &seen, &name);

            if (json->failed) {
                return;
            }
        }

        k8s_sa_access_string(json, &k8s_sa_access_nothing, &value);
    }

    if (seen.n) {
        k8s_sa_access_close(json, "]}");
    }
}


/* Of two members with the same name the API server would drop the first. */

static void
k8s_sa_access_extra_name(k8s_sa_access_json_t *json,
    k8s_sa_access_names_t *seen, const k8s_sa_str_t *name)
{
    size_t  i;

    for (i = 0; i < seen->n; i++) {

        if (k8s_sa_str_eq(&seen->names[i], name)) {
            json->failed = 1;
            return;
        }
    }

    if (seen->n == K8S_SA_ACCESS_EXTRA_MAX) {
        json->failed = 1;
        return;
    }

    if (seen->n) {
        k8s_sa_access_close(json, "]");
    }

    seen->names[seen->n++] = *name;

    k8s_sa_access_string(json, &k8s_sa_access_nothing, name);
    k8s_sa_out_text(&json->out, ":[");
    json->comma = 0;
}


static void
k8s_sa_access_attributes(k8s_sa_access_json_t *json, const k8s_sa_access_t *q)
{
    size_t  i;

    static const k8s_sa_access_field_e  order[] = {
        K8S_SA_ACCESS_NAMESPACE,
        K8S_SA_ACCESS_VERB,
        K8S_SA_ACCESS_GROUP,
        K8S_SA_ACCESS_RESOURCE,
        K8S_SA_ACCESS_SUBRESOURCE,
        K8S_SA_ACCESS_NAME
    };

    if (q->fields[K8S_SA_ACCESS_RESOURCE].data) {

        k8s_sa_access_open(json, "resourceAttributes", "{");

        for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
            k8s_sa_access_member(json, k8s_sa_access_field(order[i]),
                                 &q->fields[order[i]]);
        }

    } else {
        k8s_sa_access_open(json, "nonResourceAttributes", "{");
        k8s_sa_access_member(json, "path", &q->fields[K8S_SA_ACCESS_PATH]);
        k8s_sa_access_member(json, "verb", &q->fields[K8S_SA_ACCESS_VERB]);
    }

    k8s_sa_access_close(json, "}");
}


static void
k8s_sa_access_open(k8s_sa_access_json_t *json, const char *name,
    const char *bracket)
{
    k8s_sa_out_text(&json->out, json->comma ? ",\"" : "\"");
    k8s_sa_out_text(&json->out, name);
    k8s_sa_out_text(&json->out, "\":");
    k8s_sa_out_text(&json->out, bracket);

    json->comma = 0;
}


static void
k8s_sa_access_close(k8s_sa_access_json_t *json, const char *bracket)
{
    k8s_sa_out_text(&json->out, bracket);

    json->comma = 1;
}


/* Writes nothing if the value is absent. */

static void
k8s_sa_access_member(k8s_sa_access_json_t *json, const char *name,
    const k8s_sa_str_t *value)
{
    if (value->data) {
        k8s_sa_access_open(json, name, "");
        k8s_sa_access_string(json, &k8s_sa_access_nothing, value);
    }
}


/* Writes both strings as one. */

static void
k8s_sa_access_string(k8s_sa_access_json_t *json, const k8s_sa_str_t *before,
    const k8s_sa_str_t *value)
{
    k8s_sa_out_text(&json->out, json->comma ? ",\"" : "\"");
    k8s_sa_access_escaped(json, before);
    k8s_sa_access_escaped(json, value);
    k8s_sa_out_text(&json->out, "\"");

    json->comma = 1;
}


/* RFC 8259 section 7 */

static void
k8s_sa_access_escaped(k8s_sa_access_json_t *json, const k8s_sa_str_t *value)
{
    char                  escape[6];
    const unsigned char  *p, *end, *plain;

    static const char  hex[] = "0123456789abcdef";

    if (value->len == 0) {
        return;
    }

    p = value->data;
    end = p + value->len;

    if (!k8s_sa_utf8_is_valid(p, end)) {
        json->failed = 1;
        return;
    }

    for (plain = p; p < end; p++) {

        if (*p >= 0x20 && *p != '"' && *p != '\\') {
            continue;
        }

        k8s_sa_out(&json->out, plain, (size_t) (p - plain));
        plain = p + 1;

        escape[0] = '\\';
        escape[1] = (char) *p;

        if (*p >= 0x20) {
            k8s_sa_out(&json->out, escape, 2);
            continue;
        }

        memcpy(&escape[1], "u00", 3);
        escape[4] = hex[*p >> 4];
        escape[5] = hex[*p & 0xf];

        k8s_sa_out(&json->out, escape, sizeof(escape));
    }

    k8s_sa_out(&json->out, plain, (size_t) (end - plain));
}


k8s_sa_verdict_e
k8s_sa_access_review_parse(k8s_sa_access_answer_t *answer, const void *data,
    size_t len, const k8s_sa_access_policy_t *policy, k8s_sa_error_t *err)
{
    json_t            *root;
    const json_t      *status;
    k8s_sa_verdict_e   verdict;

    answer->len = 0;

    root = k8s_sa_review_read(data, len,
                              policy->local.data ? K8S_SA_ACCESS_KIND_LOCAL
                                                 : K8S_SA_ACCESS_KIND,
                              K8S_SA_ACCESS_VERSION, &status, err);
    if (root == NULL) {
        return K8S_SA_ACCESS_FAILED;
    }

    verdict = k8s_sa_access_status(answer, status, err);

    json_decref(root);

    return verdict;
}


static k8s_sa_verdict_e
k8s_sa_access_status(k8s_sa_access_answer_t *answer, const json_t *status,
    k8s_sa_error_t *err)
{
    size_t         len;
    unsigned char  text[200];
    const json_t  *allowed, *denied, *reason, *error;

    allowed = k8s_sa_review_member(status, "allowed");
    denied = k8s_sa_review_member(status, "denied");
    reason = k8s_sa_review_member(status, "reason");
    error = k8s_sa_review_member(status, "evaluationError");

    if ((allowed && !json_is_boolean(allowed))
        || (denied && !json_is_boolean(denied))
        || (reason && !json_is_string(reason))
        || (error && !json_is_string(error)))
    {
        k8s_sa_error_set(err, "\"status\" has members of the wrong type");
        return K8S_SA_ACCESS_FAILED;
    }

    if (json_is_true(allowed) && json_is_true(denied)) {
        k8s_sa_error_set(err, "\"status\" is both allowed and denied");
        return K8S_SA_ACCESS_FAILED;
    }

    /* the API server itself answers 500 in this case, not 403 */

    if (!json_is_true(allowed) && json_string_length(error)) {
        len = k8s_sa_review_text(text, sizeof(text) - 1, error);
        text[len] = '\0';

        k8s_sa_error_set(err, "evaluation error: %s", text);
        return K8S_SA_ACCESS_FAILED;
    }

    answer->len = k8s_sa_review_text(answer->reason, sizeof(answer->reason),
                                     reason);

    return json_is_true(allowed) ? K8S_SA_VERDICT_OK : K8S_SA_ACCESS_DENIED;
}
