/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * SubjectAccessReview: the requests, compared with those that were recorded
 * with real API servers.
 */

#include "k8s_sa_recorded.h"

#include "token/k8s_sa_access_review.h"


/* What a recorded request asks */

typedef struct {
    k8s_sa_access_policy_t  policy;
    k8s_sa_identity_t       id;
    k8s_sa_access_t         q;
} asked_t;


typedef struct {
    size_t          total;
    size_t          made;        /* requests that we can make */
    size_t          same;        /* byte for byte */
} seen_t;


static char *
body(const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id,
    const k8s_sa_access_t *q)
{
    char    *text;
    size_t   len;

    len = k8s_sa_access_review_request(NULL, policy, id, q);

    if (len == 0) {
        return NULL;
    }

    text = test_keep(malloc(len));
    assert_int_equal(k8s_sa_access_review_request((unsigned char *) text,
                                                  policy, id, q), len);

    return test_format("%.*s", (int) len, text);
}


/* 1 if the member is absent, or a string, which becomes *s */

static int
take(json_t *object, const char *name, k8s_sa_str_t *s, size_t *taken)
{
    json_t  *member;

    member = json_object_get(object, name);

    if (member == NULL) {
        return 1;
    }

    if (!json_is_string(member)) {
        return 0;
    }

    s->len = json_string_length(member);
    s->data = test_copy(json_string_value(member), s->len);

    (*taken)++;

    return 1;
}


static int
take_user(json_t *spec, k8s_sa_identity_t *id, size_t *taken)
{
    char        *list;
    size_t       i;
    json_t      *member, *values, *value;
    const char  *name;

    if (!take(spec, "user", &id->username, taken)
        || !take(spec, "uid", &id->uid, taken))
    {
        return 0;
    }

    member = json_object_get(spec, "groups");

    if (member) {
        list = "";

        json_array_foreach(member, i, value) {
            list = test_format("%s%s\n", list, json_string_value(value));
        }

        id->groups = test_str(list);
        *taken += json_array_size(member) != 0;
    }

    member = json_object_get(spec, "extra");

    if (member) {
        list = "";

        json_object_foreach(member, name, values) {

            if (json_array_size(values) == 0) {
                return 0;
            }

            json_array_foreach(values, i, value) {
                list = test_format("%s%s\t%s\n", list, name,
                                   json_string_value(value));
            }
        }

        id->extra = test_str(list);
        *taken += json_object_size(member) != 0;
    }

    return 1;
}


static int
take_attributes(json_t *spec, k8s_sa_access_t *q, size_t *taken)
{
    size_t    n;
    json_t   *member;
    unsigned  i;

    member = json_object_get(spec, "resourceAttributes");

    if (member) {
        n = 0;

        for (i = K8S_SA_ACCESS_VERB; i < K8S_SA_ACCESS_FIELDS; i++) {

            if (!take(member, k8s_sa_access_field(i), &q->fields[i], &n)) {
                return 0;
            }
        }

        (*taken)++;

        return n == json_object_size(member)
               && q->fields[K8S_SA_ACCESS_RESOURCE].data
               && json_object_get(spec, "nonResourceAttributes") == NULL;
    }

    member = json_object_get(spec, "nonResourceAttributes");
    n = 0;

    (*taken)++;

    return take(member, "path", &q->fields[K8S_SA_ACCESS_PATH], &n)
           && take(member, "verb", &q->fields[K8S_SA_ACCESS_VERB], &n)
           && member && n == json_object_size(member);
}


/*
 * Returns 1 if a module that is configured for it could send this request: no
 * member that we do not send, none of another type, none missing.
 */

static int
take_request(json_t *root, asked_t *asked)
{
    size_t       n, taken;
    json_t      *spec, *metadata;
    const char  *kind, *version;

    memset(asked, 0, sizeof(asked_t));
    asked->policy.extra = 1;

    kind = json_string_value(json_object_get(root, "kind"));
    version = json_string_value(json_object_get(root, "apiVersion"));
    metadata = json_object_get(root, "metadata");
    spec = json_object_get(root, "spec");

    if (kind == NULL || version == NULL
        || strcmp(version, "authorization.k8s.io/v1") != 0
        || json_object_size(root) != (metadata ? 4 : 3))
    {
        return 0;
    }

    n = 0;

    if (strcmp(kind, "LocalSubjectAccessReview") == 0) {

        if (!take(metadata, "namespace", &asked->policy.local, &n)
            || n != 1 || json_object_size(metadata) != 1)
        {
            return 0;
        }

    } else if (strcmp(kind, "SubjectAccessReview") != 0 || metadata) {
        return 0;
    }

    taken = 0;

    return take_user(spec, &asked->id, &taken)
           && take_attributes(spec, &asked->q, &taken)
           && taken == json_object_size(spec);
}


static void
compare(const char *name, const char *text, json_t *root, seen_t *seen)
{
    char     *made;
    json_t   *again;
    asked_t   asked;

    seen->total++;

    if (!take_request(root, &asked)) {
        return;
    }

    made = body(&asked.policy, &asked.id, &asked.q);
    assert_non_null(made);

    again = json_loads(made, JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, NULL);

    if (again == NULL || !json_equal(again, root)) {
        fail_msg("%s: %s", name, made);
    }

    json_decref(again);

    seen->made++;
    seen->same += text && strcmp(text, made) == 0;
}


static void
recorded_request(const char *path, seen_t *seen)
{
    char    *text;
    size_t   len;
    json_t  *root;

    text = test_read(path, &len);
    root = json_loadb(text, len, 0, NULL);

    if (root) {
        compare(path, test_format("%.*s", (int) len, text), root, seen);
        json_decref(root);
    }
}


static void
recorded_questions(const char *version, seen_t *seen)
{
    char    *text, *line, *rest, *root_text;
    json_t  *question, *root, *spec, *member;

    text = test_read(test_format("t/fixtures/%s/accessreview/questions.jsonl",
                                 version), NULL);

    for (line = strtok_r(text, "\n", &rest);
         line;
         line = strtok_r(NULL, "\n", &rest))
    {
        question = json_loads(line, JSON_ALLOW_NUL, NULL);

        assert_non_null(question);

        member = json_object_get(question, "request");
        spec = json_object_get(question, "spec");

        if (json_is_object(member)) {
            root = json_incref(member);

        } else if (json_is_object(spec)
                   && json_object_get(question, "path") == NULL)
        {
            root = json_pack("{s:s,s:s,s:O}",
                             "apiVersion", "authorization.k8s.io/v1",
                             "kind", "SubjectAccessReview", "spec", spec);
        } else {
            root = NULL;
        }

        if (root) {
            root_text = json_dumps(root, JSON_COMPACT);
            compare(json_string_value(json_object_get(question, "name")),
                    test_keep(root_text), root, seen);
            json_decref(root);
        }

        json_decref(question);
    }
}


static void
recorded_requests(void **state)
{
    size_t   i, n;
    glob_t   found;
    seen_t   files, questions;

    static const struct {
        const char  *version;
        size_t       made, same;       /* of the files */
        size_t       asked;            /* of questions.jsonl */
    } expected[] = {
        { "1.20.2", 26, 26, 167 },
        { "1.36.2", 28, 28, 171 }
    };

    (void) state;

    for (i = 0; i < test_nelts(expected); i++) {
        memset(&files, 0, sizeof(seen_t));
        memset(&questions, 0, sizeof(seen_t));

        assert_int_equal(glob(test_format("t/fixtures/%s/accessreview/"
                                          "*.request.json",
                                          expected[i].version),
                              0, NULL, &found), 0);

        for (n = 0; n < found.gl_pathc; n++) {
            recorded_request(found.gl_pathv[n], &files);
        }

        globfree(&found);

        recorded_questions(expected[i].version, &questions);

        assert_int_equal(files.made, expected[i].made);
        assert_int_equal(files.same, expected[i].same);
        assert_int_equal(questions.made, expected[i].asked);
    }
}


/* The request of an identity with these groups and this extra */

static void
asks(const char *expected, const k8s_sa_access_policy_t *policy,
    const char *groups, const char *extra)
{
    char               *text, *whole;
    k8s_sa_access_t     q;
    k8s_sa_identity_t   id;

    memset(&id, 0, sizeof(id));
    memset(&q, 0, sizeof(q));

    id.username = test_str("u");
    id.groups = test_str(groups);
    id.extra = test_str(extra);
    id.jti = test_str("jti");
    id.pod = test_str("pod");

    q.fields[K8S_SA_ACCESS_PATH] = test_str("/p");
    q.fields[K8S_SA_ACCESS_VERB] = test_str("get");

    text = body(policy, &id, &q);

    if (expected == NULL) {
        assert_null(text);
        return;
    }

    whole = test_format("{\"apiVersion\":\"authorization.k8s.io/v1\","
                        "\"kind\":\"SubjectAccessReview\",\"spec\":{%s,"
                        "\"nonResourceAttributes\":{\"path\":\"/p\","
                        "\"verb\":\"get\"}}}", expected);
    assert_non_null(text);
    assert_string_equal(text, whole);
}


static void
users(void **state)
{
    char                    *names;
    size_t                   i;
    k8s_sa_access_policy_t   all, few, foreign;

    static const char  extra[] =
        "authentication.kubernetes.io/pod-name\tp\n"
        "scopes\ta\nscopes\tb\n"
        "authentication.kubernetes.io\tc\n"
        "authentication.kubernetes.io/\td\n"
        "x\t\n";

    (void) state;

    memset(&all, 0, sizeof(all));
    all.extra = 1;

    few = all;
    few.extra = 0;

    foreign = all;
    foreign.username_prefix = test_str("oidc:");
    foreign.authenticated = 1;

    asks("\"user\":\"u\"", &all, "", "");
    asks("\"user\":\"u\",\"groups\":[\"a\",\"b b\"]", &all, "a\nb b\n", "");

    asks("\"user\":\"u\",\"extra\":{"
         "\"authentication.kubernetes.io/pod-name\":[\"p\"],"
         "\"scopes\":[\"a\",\"b\"],\"authentication.kubernetes.io\":[\"c\"],"
         "\"authentication.kubernetes.io/\":[\"d\"],\"x\":[\"\"]}",
         &all, "", extra);
    asks("\"user\":\"u\",\"extra\":{\"scopes\":[\"a\",\"b\"],"
         "\"authentication.kubernetes.io\":[\"c\"],\"x\":[\"\"]}",
         &few, "", extra);
    asks("\"user\":\"u\"", &few, "",
         "authentication.kubernetes.io/pod-name\tp\n");

    asks("\"user\":\"oidc:u\",\"groups\":[\"system:authenticated\"]",
         &foreign, "", "");
    asks("\"user\":\"oidc:u\",\"groups\":[\"a\",\"system:authenticated\"]",
         &foreign, "a\n", "");
    asks("\"user\":\"oidc:u\",\"groups\":[\"system:authenticated\",\"a\"]",
         &foreign, "system:authenticated\na\n", "");

    asks("\"user\":\"u\",\"groups\":[\"\\\"\\\\/\\u0001\xc3\xbc\x7f\"]", &all,
         "\"\\/\x01\xc3\xbc\x7f\n", "");

    /* not UTF-8; a name whose values are not together; too many names */

    asks(NULL, &all, "a\n\xff\n", "");
    asks(NULL, &all, "", "a\t\xc3\n");
    asks(NULL, &all, "", "\x80\tb\n");
    asks(NULL, &all, "", "a\tb\nc\td\na\te\n");

    names = "";

    for (i = 0; i < K8S_SA_ACCESS_EXTRA_MAX; i++) {
        names = test_format("%s%zu\tx\n%zu\ty\n", names, i, i);
    }

    asks(NULL, &all, "", test_format("%slast\tz\n", names));
    asks(NULL, &all, "", test_format("%s0\tz\n", names));
}


static void
requests_of_bytes(void **state)
{
    int                      c, i;
    char                    *text;
    json_t                  *root, *spec;
    unsigned char            value[2];
    k8s_sa_access_t          q;
    k8s_sa_identity_t        id;
    k8s_sa_access_policy_t   policy;

    (void) state;

    memset(&policy, 0, sizeof(policy));
    memset(&id, 0, sizeof(id));

    for (c = 0; c < 256; c++) {
        value[0] = '/';
        value[1] = (unsigned char) c;

        for (i = 0; i < 2; i++) {
            memset(&q, 0, sizeof(q));

            q.fields[K8S_SA_ACCESS_VERB] = test_str("get");
            q.fields[i ? K8S_SA_ACCESS_RESOURCE : K8S_SA_ACCESS_PATH] =
                (k8s_sa_str_t) { 2, value };

            text = body(&policy, &id, &q);

            if (c >= 0x80) {
                assert_null(text);
                continue;
            }

            root = json_loads(text, JSON_ALLOW_NUL, NULL);
            assert_non_null(root);

            spec = json_object_get(json_object_get(root, "spec"),
                                   i ? "resourceAttributes"
                                     : "nonResourceAttributes");
            spec = json_object_get(spec, i ? "resource" : "path");

            assert_int_equal(json_string_length(spec), 2);
            assert_memory_equal(json_string_value(spec), value, 2);

            json_decref(root);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(recorded_requests, test_release),
        cmocka_unit_test_teardown(users, test_release),
        cmocka_unit_test_teardown(requests_of_bytes, test_release)
    };

    return cmocka_run_group_tests_name("access_request", tests, NULL, NULL);
}
