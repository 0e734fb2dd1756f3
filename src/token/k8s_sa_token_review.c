/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_token_review.h"
#include "token/k8s_sa_discovery.h"
#include "token/k8s_sa_document.h"
#include "token/k8s_sa_name.h"
#include "token/k8s_sa_review.h"
#include "token/k8s_sa_userinfo.h"

#include <stdlib.h>
#include <string.h>


#define K8S_SA_REVIEW_VERSION  "authentication.k8s.io/v1"
#define K8S_SA_REVIEW_KIND     "TokenReview"

/* The owner of a review's strings */

typedef struct {
    json_t             *root;
    char               *text;      /* the reason, or both lists */
} k8s_sa_token_review_document_t;


/* A value of user.extra that becomes a field of the identity */

typedef struct {
    const char         *name;
    const char         *prefix;
    size_t              offset;    /* of the field */
} k8s_sa_token_review_extra_t;


static k8s_sa_verdict_e k8s_sa_token_review_status(k8s_sa_token_review_t *r,
    const json_t *status, const k8s_sa_str_t *audiences, size_t n,
    k8s_sa_error_t *err);
static int k8s_sa_token_review_reason(k8s_sa_token_review_t *r,
    const json_t *error);
static k8s_sa_verdict_e k8s_sa_token_review_user(k8s_sa_token_review_t *r,
    const json_t *user, k8s_sa_error_t *err);
static k8s_sa_verdict_e k8s_sa_token_review_user_members(const json_t *user,
    k8s_sa_error_t *err);
static int k8s_sa_token_review_lists(k8s_sa_token_review_t *r,
    const json_t *user, k8s_sa_error_t *err);
static size_t k8s_sa_token_review_lists_size(const json_t *groups,
    json_t *extra);
static char *k8s_sa_token_review_copy(char *dst, const json_t *string);
static void k8s_sa_token_review_extra(k8s_sa_identity_t *id,
    const json_t *extra);
static void k8s_sa_token_review_account(k8s_sa_identity_t *id);
static k8s_sa_verdict_e k8s_sa_token_review_audience(k8s_sa_identity_t *id,
    const json_t *list, const k8s_sa_str_t *audiences, size_t n,
    k8s_sa_error_t *err);
static const json_t *k8s_sa_token_review_find(const json_t *list,
    const k8s_sa_str_t *audience);
static k8s_sa_verdict_e k8s_sa_token_review_string(const json_t *string,
    k8s_sa_error_t *err);
static k8s_sa_verdict_e k8s_sa_token_review_list(const json_t *list,
    k8s_sa_error_t *err);


static const k8s_sa_token_review_extra_t  k8s_sa_token_review_extras[] = {
    { K8S_SA_EXTRA_POD_NAME, "",
      offsetof(k8s_sa_identity_t, pod) },
    { K8S_SA_EXTRA_POD_UID, "",
      offsetof(k8s_sa_identity_t, pod_uid) },
    { K8S_SA_EXTRA_NODE_NAME, "",
      offsetof(k8s_sa_identity_t, node) },
    { K8S_SA_EXTRA_NODE_UID, "",
      offsetof(k8s_sa_identity_t, node_uid) },
    { K8S_SA_EXTRA_CREDENTIAL_ID, K8S_SA_JTI_PREFIX,
      offsetof(k8s_sa_identity_t, jti) }
};

#define K8S_SA_REVIEW_EXTRAS                                                  \
    (sizeof(k8s_sa_token_review_extras) / sizeof(k8s_sa_token_review_extras[0]))


char *
k8s_sa_token_review_request(const k8s_sa_str_t *token,
    const k8s_sa_str_t *audiences, size_t n, size_t *len)
{
    int      rc;
    char    *text;
    size_t   i;
    json_t  *root, *spec, *list;

    text = NULL;

    root = json_object();
    spec = json_object();
    list = json_array();

    /* jansson's functions fail if an argument is NULL */

    rc = json_object_set_new(root, "kind", json_string(K8S_SA_REVIEW_KIND));
    rc |= json_object_set_new(root, "apiVersion",
                              json_string(K8S_SA_REVIEW_VERSION));
    rc |= json_object_set_new(spec, "token",
                              json_stringn((char *) token->data, token->len));

    for (i = 0; i < n; i++) {
        rc |= json_array_append_new(list,
                                    json_stringn((char *) audiences[i].data,
                                                 audiences[i].len));
    }

    if (n) {
        rc |= json_object_set(spec, "audiences", list);
    }

    rc |= json_object_set(root, "spec", spec);

    if (rc == 0) {
        text = json_dumps(root, JSON_COMPACT);
    }

    if (text) {
        *len = strlen(text);
    }

    json_decref(list);
    json_decref(spec);
    json_decref(root);

    return text;
}


k8s_sa_verdict_e
k8s_sa_token_review_parse(k8s_sa_token_review_t *r, const void *data,
    size_t len, const k8s_sa_str_t *audiences, size_t n, k8s_sa_error_t *err)
{
    k8s_sa_str_t                     username;
    const json_t                    *status;
    k8s_sa_verdict_e                 verdict;
    k8s_sa_token_review_document_t  *document;

    memset(r, 0, sizeof(k8s_sa_token_review_t));

    document = calloc(1, sizeof(k8s_sa_token_review_document_t));
    if (document == NULL) {
        k8s_sa_error_set(err, "out of memory");
        return K8S_SA_REVIEW_FAILED;
    }

    r->document = document;

    document->root = k8s_sa_review_read(data, len, K8S_SA_REVIEW_KIND,
                                        K8S_SA_REVIEW_VERSION, &status, err);
    if (document->root == NULL) {
        return K8S_SA_REVIEW_FAILED;
    }

    verdict = k8s_sa_token_review_status(r, status, audiences, n, err);

    if (verdict != K8S_SA_VERDICT_OK) {
        username = r->identity.username;
        memset(&r->identity, 0, sizeof(k8s_sa_identity_t));

        if (verdict == K8S_SA_WRONG_AUDIENCE) {
            r->identity.username = username;
        }
    }

    return verdict;
}


static k8s_sa_verdict_e
k8s_sa_token_review_status(k8s_sa_token_review_t *r, const json_t *status,
    const k8s_sa_str_t *audiences, size_t n, k8s_sa_error_t *err)
{
    const json_t      *authenticated, *error, *member;
    k8s_sa_verdict_e   verdict;

    authenticated = k8s_sa_review_member(status, "authenticated");
    error = k8s_sa_review_member(status, "error");

    if ((authenticated && !json_is_boolean(authenticated))
        || (error && !json_is_string(error)))
    {
        k8s_sa_error_set(err, "\"status\" has members of the wrong type");
        return K8S_SA_REVIEW_FAILED;
    }

    if (!json_is_true(authenticated)) {

        if (k8s_sa_token_review_reason(r, error) != K8S_SA_OK) {
            k8s_sa_error_set(err, "out of memory");
            return K8S_SA_REVIEW_FAILED;
        }

        return K8S_SA_NOT_AUTHENTICATED;
    }

    /* types.go: "the token couldn't be checked" */

    if (json_string_length(error)) {
        k8s_sa_error_set(err, "\"status\" has both \"authenticated\" and "
                         "an error");
        return K8S_SA_REVIEW_FAILED;
    }

    member = k8s_sa_review_member(status, "user");

    verdict = k8s_sa_token_review_user(r, member, err);
    if (verdict != K8S_SA_VERDICT_OK) {
        return verdict;
    }

    member = k8s_sa_review_member(status, "audiences");

    return k8s_sa_token_review_audience(&r->identity, member, audiences, n,
                                        err);
}


static int
k8s_sa_token_review_reason(k8s_sa_token_review_t *r, const json_t *error)
{
    char                            *p;
    size_t                           len;
    k8s_sa_token_review_document_t  *document;

    len = json_string_length(error);

    if (len == 0) {
        return K8S_SA_OK;
    }

    p = malloc(len + 1);
    if (p == NULL) {
        return K8S_SA_ERROR;
    }

    len = k8s_sa_review_text((unsigned char *) p, len, error);
    p[len] = '\0';

    document = r->document;
    document->text = p;
    r->reason = p;

    return K8S_SA_OK;
}


static k8s_sa_verdict_e
k8s_sa_token_review_user(k8s_sa_token_review_t *r, const json_t *user,
    k8s_sa_error_t *err)
{
    k8s_sa_verdict_e    verdict;
    k8s_sa_identity_t  *id;

    verdict = k8s_sa_token_review_user_members(user, err);
    if (verdict != K8S_SA_VERDICT_OK) {
        return verdict;
    }

    if (k8s_sa_token_review_lists(r, user, err) != K8S_SA_OK) {
        return K8S_SA_REVIEW_FAILED;
    }

    id = &r->identity;

    id->username = k8s_sa_document_str(json_object_get(user, "username"));
    id->uid = k8s_sa_document_str(json_object_get(user, "uid"));

    k8s_sa_token_review_extra(id, json_object_get(user, "extra"));
    k8s_sa_token_review_account(id);

    return K8S_SA_VERDICT_OK;
}


/* Checks that all members have the right type and no control characters. */

static k8s_sa_verdict_e
k8s_sa_token_review_user_members(const json_t *user, k8s_sa_error_t *err)
{
    json_t            *extra, *values;
    const char        *name;
    k8s_sa_str_t       s;
    const json_t      *member;
    k8s_sa_verdict_e   verdict;

    member = json_object_get(user, "username");

    if (json_string_length(member) == 0) {
        k8s_sa_error_set(err, "authenticated, but there is no user name");
        return K8S_SA_REVIEW_FAILED;
    }

    verdict = k8s_sa_token_review_string(member, err);
    if (verdict != K8S_SA_VERDICT_OK) {
        return verdict;
    }

    member = k8s_sa_review_member(user, "uid");

    verdict = k8s_sa_token_review_string(member, err);
    if (verdict != K8S_SA_VERDICT_OK) {
        return verdict;
    }

    member = k8s_sa_review_member(user, "groups");

    verdict = k8s_sa_token_review_list(member, err);
    if (verdict != K8S_SA_VERDICT_OK) {
        return verdict;
    }

    extra = k8s_sa_review_member(user, "extra");

    if (extra && !json_is_object(extra)) {
        k8s_sa_error_set(err, "\"extra\" is not an object");
        return K8S_SA_REVIEW_FAILED;
    }

    json_object_foreach(extra, name, values) {
        s.len = strlen(name);
        s.data = (unsigned char *) name;

        if (!k8s_sa_str_is_clean(&s)) {
            k8s_sa_error_set(err, "\"extra\" holds a control character");
            return K8S_SA_BAD_CLAIMS;
        }

        verdict = k8s_sa_token_review_list(values, err);
        if (verdict != K8S_SA_VERDICT_OK) {
            return verdict;
        }
    }

    return K8S_SA_VERDICT_OK;
}


/* Sets the identity's groups and extra. */

static int
k8s_sa_token_review_lists(k8s_sa_token_review_t *r, const json_t *user,
    k8s_sa_error_t *err)
{
    char                            *p;
    size_t                           i, size;
    json_t                          *groups, *extra, *values, *value;
    const char                      *name;
    k8s_sa_token_review_document_t  *document;

    groups = json_object_get(user, "groups");
    extra = json_object_get(user, "extra");

    size = k8s_sa_token_review_lists_size(groups, extra);

    if (size > K8S_SA_DOCUMENT_MAX) {
        k8s_sa_error_set(err, "\"user\" is too large");
        return K8S_SA_ERROR;
    }

    if (size == 0) {
        return K8S_SA_OK;
    }

    p = malloc(size);
    if (p == NULL) {
        k8s_sa_error_set(err, "out of memory");
        return K8S_SA_ERROR;
    }

    document = r->document;
    document->text = p;

    if (json_array_size(groups)) {
        r->identity.groups.data = (unsigned char *) p;
    }

    json_array_foreach(groups, i, value) {
        p = k8s_sa_token_review_copy(p, value);
    }

    r->identity.groups.len = p - document->text;

    if (size > r->identity.groups.len) {
        r->identity.extra.data = (unsigned char *) p;
        r->identity.extra.len = size - r->identity.groups.len;
    }

    json_object_foreach(extra, name, values) {

        json_array_foreach(values, i, value) {
            size = strlen(name);

            memcpy(p, name, size);
            p += size;

            *p++ = '\t';

            p = k8s_sa_token_review_copy(p, value);
        }
    }

    return K8S_SA_OK;
}


/*
 * Stops above K8S_SA_DOCUMENT_MAX: a long name, repeated with each of many
 * values, would take far more memory than the document itself.
 */

static size_t
k8s_sa_token_review_lists_size(const json_t *groups, json_t *extra)
{
    size_t       i, size, len;
    json_t      *values, *value;
    const char  *name;

    size = 0;

    json_array_foreach(groups, i, value) {
        size += json_string_length(value) + 1;
    }

    json_object_foreach(extra, name, values) {
        len = strlen(name) + 1;

        json_array_foreach(values, i, value) {
            size += len + json_string_length(value) + 1;

            if (size > K8S_SA_DOCUMENT_MAX) {
                return size;
            }
        }
    }

    return size;
}


static char *
k8s_sa_token_review_copy(char *dst, const json_t *string)
{
    size_t  len;

    len = json_string_length(string);

    memcpy(dst, json_string_value(string), len);
    dst += len;

    *dst++ = '\n';

    return dst;
}


/* A name with several values does not identify one pod or node. */

static void
k8s_sa_token_review_extra(k8s_sa_identity_t *id, const json_t *extra)
{
    size_t                              i, n;
    json_t                             *values;
    k8s_sa_str_t                        s, *field;
    const k8s_sa_token_review_extra_t  *known;

    for (i = 0; i < K8S_SA_REVIEW_EXTRAS; i++) {
        known = &k8s_sa_token_review_extras[i];

        values = json_object_get(extra, known->name);

        if (json_array_size(values) != 1) {
            continue;
        }

        s = k8s_sa_document_str(json_array_get(values, 0));
        n = strlen(known->prefix);

        if (s.len <= n || memcmp(s.data, known->prefix, n) != 0) {
            continue;
        }

        field = (k8s_sa_str_t *) ((char *) id + known->offset);

        field->len = s.len - n;
        field->data = s.data + n;
    }
}


static void
k8s_sa_token_review_account(k8s_sa_identity_t *id)
{
    k8s_sa_str_t  namespace, name;

    if (k8s_sa_username_split(&id->username, &namespace, &name) == K8S_SA_OK
        && k8s_sa_name_is_label(&namespace)
        && k8s_sa_name_is_subdomain(&name))
    {
        id->namespace = namespace;
        id->name = name;
    }
}


static k8s_sa_verdict_e
k8s_sa_token_review_audience(k8s_sa_identity_t *id, const json_t *list,
    const k8s_sa_str_t *audiences, size_t n, k8s_sa_error_t *err)
{
    size_t             i;
    const json_t      *found;
    k8s_sa_verdict_e   verdict;

    verdict = k8s_sa_token_review_list(list, err);
    if (verdict != K8S_SA_VERDICT_OK) {
        return verdict;
    }

    if (n == 0) {
        id->audience = k8s_sa_document_str(json_array_get(list, 0));
        return K8S_SA_VERDICT_OK;
    }

    /* types.go: without "audiences" the token is for the API server */

    for (i = 0; i < n; i++) {
        found = k8s_sa_token_review_find(list, &audiences[i]);

        if (found) {
            id->audience = k8s_sa_document_str(found);
            return K8S_SA_VERDICT_OK;
        }
    }

    return K8S_SA_WRONG_AUDIENCE;
}


static const json_t *
k8s_sa_token_review_find(const json_t *list, const k8s_sa_str_t *audience)
{
    size_t         i;
    json_t        *value;
    k8s_sa_str_t   s;

    if (audience->len == 0) {
        return NULL;
    }

    json_array_foreach(list, i, value) {
        s = k8s_sa_document_str(value);

        if (k8s_sa_str_eq(&s, audience)) {
            return value;
        }
    }

    return NULL;
}


/* Checks a string for control characters; NULL is acceptable. */

static k8s_sa_verdict_e
k8s_sa_token_review_string(const json_t *string, k8s_sa_error_t *err)
{
    k8s_sa_str_t  s;

    if (string == NULL) {
        return K8S_SA_VERDICT_OK;
    }

    if (!json_is_string(string)) {
        k8s_sa_error_set(err, "\"status\" has another type where a string "
                         "is expected");
        return K8S_SA_REVIEW_FAILED;
    }

    s = k8s_sa_document_str(string);

    if (!k8s_sa_str_is_clean(&s)) {
        k8s_sa_error_set(err, "\"status\" holds a control character");
        return K8S_SA_BAD_CLAIMS;
    }

    return K8S_SA_VERDICT_OK;
}


/* Checks an array of such strings; NULL is acceptable. */

static k8s_sa_verdict_e
k8s_sa_token_review_list(const json_t *list, k8s_sa_error_t *err)
{
    size_t             i;
    json_t            *value;
    k8s_sa_verdict_e   verdict;

    if (list == NULL) {
        return K8S_SA_VERDICT_OK;
    }

    if (!json_is_array(list)) {
        k8s_sa_error_set(err, "\"status\" has another type where an array "
                         "is expected");
        return K8S_SA_REVIEW_FAILED;
    }

    json_array_foreach(list, i, value) {

        verdict = k8s_sa_token_review_string(value, err);
        if (verdict != K8S_SA_VERDICT_OK) {
            return verdict;
        }
    }

    return K8S_SA_VERDICT_OK;
}


void
k8s_sa_token_review_free(k8s_sa_token_review_t *r)
{
    k8s_sa_token_review_document_t  *document;

    document = r->document;

    if (document) {
        json_decref(document->root);
        free(document->text);
        free(document);
    }

    memset(r, 0, sizeof(k8s_sa_token_review_t));
}
