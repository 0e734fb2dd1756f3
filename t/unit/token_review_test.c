/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TokenReview: the requests, and how answers are parsed, recorded ones of real
 * API servers and others that must be refused.
 */

#include "k8s_sa_recorded.h"

#include "token/k8s_sa_discovery.h"
#include "token/k8s_sa_token_review.h"


#define AUDIENCES_MAX  256

#define EXTRA          "authentication.kubernetes.io/"

/* An answer with this status, or with these members of status.user */

#define ANSWER(status)                                                        \
    "{\"kind\":\"TokenReview\",\"apiVersion\":\"authentication.k8s.io/v1\","  \
    "\"status\":" status "}"

#define USER(more)                                                            \
    ANSWER("{\"authenticated\":true,\"user\":{\"username\":\"u\"" more "},"   \
           "\"audiences\":[\"service2\"]}")

#define V_NO      V(NOT_AUTHENTICATED)
#define V_FAILED  V(REVIEW_FAILED)


typedef struct {
    const char      *version;
    unsigned         seen[K8S_SA_VERDICTS];
} review_seen_t;


static k8s_sa_verdict_e
review_parse(k8s_sa_token_review_t *r, const char *text, size_t len)
{
    k8s_sa_str_t       audience;
    k8s_sa_error_t     err;
    k8s_sa_verdict_e   rc;

    audience = test_str(TEST_AUDIENCE);
    err.text[0] = '\0';

    rc = k8s_sa_token_review_parse(r, test_copy(text, len), len, &audience, 1,
                                   &err);

    if (rc == K8S_SA_REVIEW_FAILED) {
        assert_true(err.text[0] != '\0');
    }

    /* a refusal has no partial identity */

    if (rc != K8S_SA_VERDICT_OK) {
        assert_null(r->identity.uid.data);
        assert_null(r->identity.groups.data);
        assert_null(r->identity.extra.data);
        assert_null(r->identity.namespace.data);
    }

    return rc;
}


/* The audiences of a recorded request, or of its echo in the answer. */

static size_t
review_audiences(recorded_t *rec, k8s_sa_str_t *audiences)
{
    FILE          *f;
    char          *path, *text;
    size_t         i, n, len;
    json_t        *root, *list;
    json_error_t   err;

    path = test_format("%s.request.json", rec->path);

    f = fopen(path, "rb");

    if (f) {
        fclose(f);
        text = test_read(path, &len);

    } else {
        text = (char *) rec->body;
        len = rec->len;
    }

    root = json_loadb(text, len, 0, &err);
    list = json_object_get(json_object_get(root, "spec"), "audiences");
    n = json_array_size(list);

    assert_true(n <= AUDIENCES_MAX);

    for (i = 0; i < n; i++) {
        audiences[i] = test_str(
            test_format("%s", json_string_value(json_array_get(list, i))));
    }

    json_decref(root);

    return n;
}


static void
review_compare(const char *path, const k8s_sa_identity_t *id, json_t *status)
{
    recorded_user(path, id, status);

    assert_string_equal(test_text(&id->namespace), "mytest");
    assert_string_equal(test_format("system:serviceaccount:mytest:%s",
                                    test_text(&id->name)),
                        test_text(&id->username));

    assert_null(id->issuer.data);
    assert_null(id->secret.data);
    assert_null(id->kid.data);
    assert_int_equal(id->expires, 0);
}


/* INDEX.txt has the status where it matters. */

static void
review_recorded(recorded_t *rec, void *data)
{
    size_t                 n;
    json_t                *status;
    const char            *p;
    json_error_t           error;
    k8s_sa_str_t           audiences[AUDIENCES_MAX];
    k8s_sa_error_t         err;
    k8s_sa_token_review_t  r;
    review_seen_t         *seen;
    k8s_sa_verdict_e       rc;

    seen = data;
    err.text[0] = '\0';

    n = review_audiences(rec, audiences);
    rc = k8s_sa_token_review_parse(&r, rec->body, rec->len, audiences, n, &err);

    seen->seen[rc]++;

    p = strstr(rec->index, "=> HTTP/");
    p = p ? strchr(p, '{') : NULL;

    if (rec->status != 201
        || strcmp(rec->name, "accept-protobuf") == 0
        || strcmp(rec->name, "accept-yaml") == 0
        || strcmp(rec->name, "v1beta1") == 0)
    {
        assert_int_equal(rc, K8S_SA_REVIEW_FAILED);
        assert_true(err.text[0] != '\0');

    } else if (p == NULL) {
        assert_int_equal(rc, K8S_SA_VERDICT_OK);
        assert_string_equal(test_text(&r.identity.username), TEST_USER);

    } else {
        status = json_loads(p, 0, &error);
        assert_non_null(status);

        if (json_is_true(json_object_get(status, "authenticated"))) {

            if (rc != K8S_SA_VERDICT_OK) {
                fail_msg("%s: %s", rec->path, err.text);
            }

            review_compare(rec->path, &r.identity, status);

        } else {
            assert_int_equal(rc, K8S_SA_NOT_AUTHENTICATED);
            assert_string_equal(r.reason,
                json_string_value(json_object_get(status, "error")));
        }

        json_decref(status);
    }

    k8s_sa_token_review_free(&r);
    k8s_sa_token_review_free(&r);
}


static void
recorded_answers(void **state)
{
    size_t          i;
    review_seen_t   seen;

    static const struct {
        const char  *version;
        unsigned     ok, no, failed;
    } expected[] = {
        { "1.20.2", 55, 31, 26 },
        { "1.36.2", 57, 31, 27 }
    };

    (void) state;

    for (i = 0; i < test_nelts(expected); i++) {
        memset(&seen, 0, sizeof(seen));

        recorded_each(expected[i].version, "tokenreview/*", review_recorded,
                      &seen);

        assert_int_equal(seen.seen[K8S_SA_VERDICT_OK], expected[i].ok);
        assert_int_equal(seen.seen[K8S_SA_NOT_AUTHENTICATED],
                         expected[i].no);
        assert_int_equal(seen.seen[K8S_SA_REVIEW_FAILED],
                         expected[i].failed);
    }
}


static void
review_pod(recorded_t *rec, void *data)
{
    k8s_sa_str_t           audience;
    k8s_sa_token_review_t  r;
    k8s_sa_identity_t     *id;

    (void) data;

    audience = test_str(TEST_AUDIENCE);

    assert_int_equal(k8s_sa_token_review_parse(&r, rec->body, rec->len,
                                               &audience, 1, NULL),
                     K8S_SA_VERDICT_OK);

    id = &r.identity;

    assert_string_equal(test_text(&id->name), "service1");
    assert_string_equal(test_text(&id->pod), "pod1");
    assert_string_equal(test_text(&id->pod_uid),
                        "32eca69f-1b10-42a1-809c-b3a49caf497b");
    assert_string_equal(test_text(&id->node), "node1");
    assert_string_equal(test_text(&id->node_uid),
                        "ca69054d-d02f-47c9-aa00-df22ea57418d");
    assert_string_equal(test_text(&id->jti),
                        "1ea0282d-ed12-42dc-8ea3-0d721a2c855d");
    assert_string_equal(test_text(&id->audience), TEST_AUDIENCE);

    k8s_sa_token_review_free(&r);
}


static void
pod_and_node(void **state)
{
    (void) state;

    recorded_each("1.36.2", "tokenreview/valid-projected-pod", review_pod,
                  NULL);
}


/* A truncated answer is an error of the API server, not a refusal. */

static void
review_cut(recorded_t *rec, void *data)
{
    size_t                 n;
    k8s_sa_token_review_t  r;

    (void) data;

    while (rec->body[rec->len - 1] == '\n') {
        rec->len--;
    }

    for (n = 0; n < rec->len; n++) {
        assert_int_equal(review_parse(&r, (char *) rec->body, n),
                         K8S_SA_REVIEW_FAILED);
        k8s_sa_token_review_free(&r);
    }
}


static void
truncated_answers(void **state)
{
    (void) state;

    recorded_each("1.36.2", "tokenreview/valid-projected-pod", review_cut,
                  NULL);
    recorded_each("1.36.2", "tokenreview/garbage", review_cut, NULL);
}


static void
verdicts(void **state)
{
    size_t                 i;
    unsigned               rc;
    k8s_sa_token_review_t  r;

    static const struct {
        unsigned     verdict;
        const char  *text;
    } answers[] = {
        { V_OK,     USER("") },
        { V_OK,     USER(",\"uid\":\"\",\"groups\":[],\"extra\":{}") },
        { V_OK,     USER(",\"uid\":null,\"groups\":null,\"extra\":null") },
        { V_OK,     USER(",\"unknown\":{\"a\":1}") },
        { V_OK,     ANSWER("{\"authenticated\":true,\"error\":\"\","
                           "\"user\":{\"username\":\"u\"},"
                           "\"audiences\":[\"x\",\"service2\"]}") },

        /* only the boolean true counts */
        { V_NO,     ANSWER("{}") },
        { V_NO,     ANSWER("{\"authenticated\":false,\"user\":{\"username\":"
                           "\"u\"},\"audiences\":[\"service2\"]}") },
        { V_NO,     ANSWER("{\"authenticated\":null}") },
        { V_NO,     ANSWER("{\"user\":{},\"error\":\"no\"}") },
        { V_FAILED, ANSWER("{\"authenticated\":\"true\"}") },
        { V_FAILED, ANSWER("{\"authenticated\":1}") },
        { V_FAILED, ANSWER("{\"authenticated\":[true]}") },
        { V_FAILED, ANSWER("{\"authenticated\":{}}") },
        { V_FAILED, ANSWER("{\"error\":1}") },
        { V_FAILED, ANSWER("{\"authenticated\":true,\"error\":\"no\","
                           "\"user\":{\"username\":\"u\"},"
                           "\"audiences\":[\"service2\"]}") },
        { V_FAILED, ANSWER("{\"authenticated\":false,\"authenticated\":true,"
                           "\"user\":{\"username\":\"u\"},"
                           "\"audiences\":[\"service2\"]}") },

        /* not a TokenReview */
        { V_FAILED, "" },
        { V_FAILED, "null" },
        { V_FAILED, "true" },
        { V_FAILED, "[]" },
        { V_FAILED, "{}" },
        { V_FAILED, "{\"authenticated\":true}" },
        { V_FAILED, "<html></html>" },
        { V_FAILED, "{\"kind\":\"Status\",\"apiVersion\":\"v1\","
                    "\"status\":\"Failure\"}" },
        { V_FAILED, "{\"kind\":\"TokenReview\",\"status\":{}}" },
        { V_FAILED, "{\"kind\":\"TokenReview\",\"apiVersion\":"
                    "\"authentication.k8s.io/v1beta1\",\"status\":{}}" },
        { V_FAILED, "{\"kind\":\"SubjectAccessReview\",\"apiVersion\":"
                    "\"authentication.k8s.io/v1\",\"status\":{}}" },
        { V_FAILED, "{\"kind\":\"TokenReview\",\"apiVersion\":"
                    "\"authentication.k8s.io/v1\"}" },
        { V_FAILED, ANSWER("null") },
        { V_FAILED, ANSWER("true") },
        { V_FAILED, ANSWER("[]") },
        { V_FAILED, ANSWER("{}") "x" },

        /* spec echoes the request and is not an answer */
        { V_NO,     "{\"kind\":\"TokenReview\",\"apiVersion\":"
                    "\"authentication.k8s.io/v1\",\"spec\":{"
                    "\"authenticated\":true,\"audiences\":[\"service2\"]},"
                    "\"authenticated\":true,\"status\":{}}" },

        /* no valid user */
        { V_FAILED, ANSWER("{\"authenticated\":true,"
                           "\"audiences\":[\"service2\"]}") },
        { V_FAILED, ANSWER("{\"authenticated\":true,\"user\":null,"
                           "\"audiences\":[\"service2\"]}") },
        { V_FAILED, ANSWER("{\"authenticated\":true,\"user\":\"u\","
                           "\"audiences\":[\"service2\"]}") },
        { V_FAILED, ANSWER("{\"authenticated\":true,\"user\":{},"
                           "\"audiences\":[\"service2\"]}") },
        { V_FAILED, ANSWER("{\"authenticated\":true,"
                           "\"user\":{\"username\":\"\"},"
                           "\"audiences\":[\"service2\"]}") },
        { V_FAILED, ANSWER("{\"authenticated\":true,"
                           "\"user\":{\"username\":[\"u\"]},"
                           "\"audiences\":[\"service2\"]}") },
        { V_FAILED, USER(",\"username\":\"v\"") },
        { V_FAILED, USER(",\"uid\":1") },
        { V_FAILED, USER(",\"groups\":\"g\"") },
        { V_FAILED, USER(",\"groups\":{}") },
        { V_FAILED, USER(",\"groups\":[1]") },
        { V_FAILED, USER(",\"groups\":[null]") },
        { V_FAILED, USER(",\"groups\":[[\"g\"]]") },
        { V_FAILED, USER(",\"extra\":[]") },
        { V_FAILED, USER(",\"extra\":\"x\"") },
        { V_FAILED, USER(",\"extra\":{\"a\":\"b\"}") },
        { V_FAILED, USER(",\"extra\":{\"a\":[1]}") },
        { V_FAILED, USER(",\"extra\":{\"a\":{}}") },
        { V_FAILED, USER(",\"extra\":{\"a\":[],\"a\":[]}") },

        /* strings that could break out of a header or a log line */
        { V(BAD_CLAIMS), ANSWER("{\"authenticated\":true,"
                                "\"user\":{\"username\":\"u\\n\"},"
                                "\"audiences\":[\"service2\"]}") },
        { V(BAD_CLAIMS), ANSWER("{\"authenticated\":true,"
                                "\"user\":{\"username\":\"u\\u0000\"},"
                                "\"audiences\":[\"service2\"]}") },
        { V(BAD_CLAIMS), USER(",\"uid\":\"\\r\"") },
        { V(BAD_CLAIMS), USER(",\"uid\":\"\\u0000\"") },
        { V(BAD_CLAIMS), USER(",\"uid\":\"\\u007f\"") },
        { V(BAD_CLAIMS), USER(",\"groups\":[\"g\",\"g\\ng\"]") },
        { V(BAD_CLAIMS), USER(",\"groups\":[\"g\\t\"]") },
        { V(BAD_CLAIMS), USER(",\"extra\":{\"a\":[\"\\n\"]}") },
        { V(BAD_CLAIMS), USER(",\"extra\":{\"a\\tb\":[\"c\"]}") },
        { V(BAD_CLAIMS), USER(",\"extra\":{\"a\\n\":[]}") },

        /* other audiences */
        { V(WRONG_AUDIENCE), ANSWER("{\"authenticated\":true,"
                                    "\"user\":{\"username\":\"u\"}}") },
        { V(WRONG_AUDIENCE), ANSWER("{\"authenticated\":true,"
                                    "\"user\":{\"username\":\"u\"},"
                                    "\"audiences\":null}") },
        { V(WRONG_AUDIENCE), ANSWER("{\"authenticated\":true,"
                                    "\"user\":{\"username\":\"u\"},"
                                    "\"audiences\":[]}") },
        { V(WRONG_AUDIENCE), ANSWER("{\"authenticated\":true,"
                                    "\"user\":{\"username\":\"u\"},"
                                    "\"audiences\":[\"\",\"service\","
                                    "\"service22\",\"Service2\","
                                    "\"service2\\u0020\"]}") },
        { V(BAD_CLAIMS),     ANSWER("{\"authenticated\":true,"
                                    "\"user\":{\"username\":\"u\"},"
                                    "\"audiences\":[\"service2\\u0000\"]}") },
        { V_FAILED,          ANSWER("{\"authenticated\":true,"
                                    "\"user\":{\"username\":\"u\"},"
                                    "\"audiences\":\"service2\"}") },
        { V_FAILED,          ANSWER("{\"authenticated\":true,"
                                    "\"user\":{\"username\":\"u\"},"
                                    "\"audiences\":[\"service2\",1]}") }
    };

    (void) state;

    for (i = 0; i < test_nelts(answers); i++) {
        rc = review_parse(&r, answers[i].text, strlen(answers[i].text));

        if (answers[i].verdict != (1u << rc)) {
            fail_msg("\"%s\": %s", k8s_sa_verdict_info(rc)->word,
                     answers[i].text);
        }

        if (rc == K8S_SA_WRONG_AUDIENCE) {
            assert_string_equal(test_text(&r.identity.username), "u");

        } else if (rc != K8S_SA_VERDICT_OK) {
            assert_null(r.identity.username.data);
        }

        k8s_sa_token_review_free(&r);
    }
}


static void
audiences_in_our_order(void **state)
{
    k8s_sa_str_t           asked[3];
    k8s_sa_token_review_t  r;

    static const char  text[] = ANSWER("{\"authenticated\":true,"
                                       "\"user\":{\"username\":\"u\"},"
                                       "\"audiences\":[\"c\",\"b\",\"\"]}");

    (void) state;

    asked[0] = test_str("");
    asked[1] = test_str("b");
    asked[2] = test_str("c");

    assert_int_equal(k8s_sa_token_review_parse(&r, text, sizeof(text) - 1,
                                               asked, 3, NULL),
                     K8S_SA_VERDICT_OK);
    assert_string_equal(test_text(&r.identity.audience), "b");
    k8s_sa_token_review_free(&r);

    /* none requested: the API server's own, whatever they are */

    assert_int_equal(k8s_sa_token_review_parse(&r, text, sizeof(text) - 1,
                                               NULL, 0, NULL),
                     K8S_SA_VERDICT_OK);
    assert_string_equal(test_text(&r.identity.audience), "c");
    k8s_sa_token_review_free(&r);
}


static void
reasons_are_cleaned(void **state)
{
    k8s_sa_token_review_t  r;

    static const char  text[] = ANSWER("{\"error\":\"a\\r\\nb\\u0000"
                                       "\\u007f\\u00e4\"}");

    (void) state;

    assert_int_equal(review_parse(&r, text, sizeof(text) - 1),
                     K8S_SA_NOT_AUTHENTICATED);
    assert_string_equal(r.reason, "a  b  \xc3\xa4");
    k8s_sa_token_review_free(&r);
}


static void
service_accounts(void **state)
{
    char                  *text, *label, *subdomain;
    size_t                 i;
    k8s_sa_token_review_t  r;

    static const struct {
        const char  *rest;
        const char  *namespace;      /* NULL: not a service account */
        const char  *name;
    } users[] = {
        { "ns:name",        "ns",    "name" },
        { "n-1:a.b-c.d",    "n-1",   "a.b-c.d" },
        { "0:0",            "0",     "0" },
        { ":name",          NULL,    NULL },
        { "ns:",            NULL,    NULL },
        { ":",              NULL,    NULL },
        { "",               NULL,    NULL },
        { "ns",             NULL,    NULL },
        { "ns:name:more",   NULL,    NULL },
        { "ns::name",       NULL,    NULL },
        { "n.s:name",       NULL,    NULL },
        { "Ns:name",        NULL,    NULL },
        { "ns:Name",        NULL,    NULL },
        { "-ns:name",       NULL,    NULL },
        { "ns-:name",       NULL,    NULL },
        { "ns:.name",       NULL,    NULL },
        { "ns:name.",       NULL,    NULL },
        { "ns:na..me",      NULL,    NULL },
        { "ns:na-.me",      NULL,    NULL },
        { "ns:na.-me",      NULL,    NULL },
        { "ns:na/me",       NULL,    NULL },
        { "ns:na me",       NULL,    NULL }
    };

    (void) state;

    for (i = 0; i < test_nelts(users); i++) {
        text = test_format(ANSWER("{\"authenticated\":true,\"user\":"
                                  "{\"username\":\"system:serviceaccount:"
                                  "%s\"},\"audiences\":[\"service2\"]}"),
                           users[i].rest);

        assert_int_equal(review_parse(&r, text, strlen(text)),
                         K8S_SA_VERDICT_OK);
        assert_string_equal(test_text(&r.identity.namespace),
                            users[i].namespace ? users[i].namespace
                                               : "(absent)");
        assert_string_equal(test_text(&r.identity.name),
                            users[i].name ? users[i].name : "(absent)");
        k8s_sa_token_review_free(&r);
    }

    /* at most 63 and 253 characters */

    for (i = 0; i < 3; i++) {
        label = test_format("%0*d", i == 1 ? 64 : 63, 0);
        subdomain = test_format("%0*d", i == 2 ? 254 : 253, 0);
        text = test_format(ANSWER("{\"authenticated\":true,\"user\":"
                                  "{\"username\":\"system:serviceaccount:"
                                  "%s:%s\"},\"audiences\":[\"service2\"]}"),
                           label, subdomain);

        assert_int_equal(review_parse(&r, text, strlen(text)),
                         K8S_SA_VERDICT_OK);
        assert_true((r.identity.name.data != NULL) == (i == 0));
        k8s_sa_token_review_free(&r);
    }
}


static void
lists(void **state)
{
    k8s_sa_token_review_t  r;

    static const char  text[] = USER(",\"groups\":[\"g1\",\"\",\"g 2\"],"
        "\"extra\":{\"b\":[\"2\",\"1\"],\"a\":[],\"c\":[\"\"],"
        "\"" EXTRA "pod-name\":[\"p\",\"q\"],"
        "\"" EXTRA "node-name\":[],"
        "\"" EXTRA "node-uid\":[\"n\"],"
        "\"" EXTRA "credential-id\":[\"X509SHA256=1\"]}");

    (void) state;

    assert_int_equal(review_parse(&r, text, sizeof(text) - 1),
                     K8S_SA_VERDICT_OK);

    assert_string_equal(test_text(&r.identity.groups), "g1\n\ng 2\n");
    assert_string_equal(test_text(&r.identity.extra),
                        "b\t2\nb\t1\nc\t\n"
                        EXTRA "pod-name\tp\n"
                        EXTRA "pod-name\tq\n"
                        EXTRA "node-uid\tn\n"
                        EXTRA "credential-id\tX509SHA256=1\n");

    /* two pods are not one pod, and other credentials are not a jti */

    assert_null(r.identity.pod.data);
    assert_null(r.identity.node.data);
    assert_string_equal(test_text(&r.identity.node_uid), "n");
    assert_null(r.identity.jti.data);

    k8s_sa_token_review_free(&r);

    assert_int_equal(review_parse(&r, USER(""), sizeof(USER("")) - 1),
                     K8S_SA_VERDICT_OK);
    assert_null(r.identity.uid.data);
    assert_null(r.identity.groups.data);
    assert_null(r.identity.extra.data);
    k8s_sa_token_review_free(&r);
}


static void
size_is_bounded(void **state)
{
    char                  *text, *p;
    size_t                 i, n;
    k8s_sa_token_review_t  r;

    (void) state;

    text = test_format(USER(",\"a\":\"%*s\""), K8S_SA_DOCUMENT_MAX, "");
    assert_int_equal(review_parse(&r, text, strlen(text)),
                     K8S_SA_REVIEW_FAILED);
    k8s_sa_token_review_free(&r);

    /* 300,000 characters in front of each of 100,000 values make 30 GB */

    n = 100000;
    text = test_format(USER(",\"extra\":{\"%0300000d\":[\"\"%*s]}"), 0,
                       (int) (3 * n), "");
    p = strstr(text, "[\"\"") + 3;

    for (i = 0; i < n; i++) {
        memcpy(p + 3 * i, ",\"\"", 3);
    }

    assert_int_equal(review_parse(&r, text, strlen(text)),
                     K8S_SA_REVIEW_FAILED);
    k8s_sa_token_review_free(&r);
}


static void
requests(void **state)
{
    char           *text, *recorded;
    size_t          len;
    json_t         *ours, *theirs, *spec;
    json_error_t    err;
    k8s_sa_str_t    token, audiences[2];

    (void) state;

    recorded = test_read("t/fixtures/1.36.2/tokenreview/"
                         "valid-projected.request.json", &len);
    theirs = json_loadb(recorded, len, 0, &err);
    assert_non_null(theirs);

    spec = json_object_get(theirs, "spec");
    token = test_str(json_string_value(json_object_get(spec, "token")));
    audiences[0] = test_str("service2");
    audiences[1] = test_str("\"\\\n\xc3\xa4");

    text = k8s_sa_token_review_request(&token, audiences, 1, &len);
    assert_non_null(text);
    assert_int_equal(len, strlen(text));

    ours = json_loads(text, JSON_REJECT_DUPLICATES, &err);
    assert_true(json_equal(ours, theirs));
    json_decref(ours);
    free(text);

    /* two audiences, in order, with any content */

    text = k8s_sa_token_review_request(&token, audiences, 2, &len);
    assert_non_null(text);

    json_array_append_new(json_object_get(spec, "audiences"),
                          json_string("\"\\\n\xc3\xa4"));
    ours = json_loads(text, JSON_REJECT_DUPLICATES, &err);
    assert_true(json_equal(ours, theirs));
    json_decref(ours);
    free(text);

    /* none, which means the API server's own: the member is missing */

    text = k8s_sa_token_review_request(&token, NULL, 0, &len);
    assert_non_null(text);

    json_object_del(spec, "audiences");
    ours = json_loads(text, JSON_REJECT_DUPLICATES, &err);
    assert_true(json_equal(ours, theirs));
    json_decref(ours);
    json_decref(theirs);
    free(text);
}


static void
requests_of_bytes(void **state)
{
    char           *text;
    size_t          i, len;
    json_t         *root;
    json_error_t    err;
    k8s_sa_str_t    token, audience;

    static const char  *const bad[] = {
        "\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "a\x80z"
    };

    (void) state;

    audience = test_str("service2");

    for (i = 0; i < test_nelts(bad); i++) {
        token = test_str(bad[i]);
        assert_null(k8s_sa_token_review_request(&token, &audience, 1, &len));

        token = test_str("t");
        audience = test_str(bad[i]);
        assert_null(k8s_sa_token_review_request(&token, &audience, 1, &len));

        audience = test_str("service2");
    }

    /* no token can inject JSON */

    token.data = (unsigned char *) "a\0\",\"audiences\":[],\"b\":\"\\";
    token.len = 26;

    text = k8s_sa_token_review_request(&token, &audience, 1, &len);
    assert_non_null(text);

    root = json_loadb(text, len, JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, &err);
    assert_non_null(root);
    assert_int_equal(json_object_size(json_object_get(root, "spec")), 2);
    json_decref(root);
    free(text);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(recorded_answers, test_release),
        cmocka_unit_test_teardown(pod_and_node, test_release),
        cmocka_unit_test_teardown(truncated_answers, test_release),
        cmocka_unit_test_teardown(verdicts, test_release),
        cmocka_unit_test_teardown(audiences_in_our_order, test_release),
        cmocka_unit_test_teardown(reasons_are_cleaned, test_release),
        cmocka_unit_test_teardown(service_accounts, test_release),
        cmocka_unit_test_teardown(lists, test_release),
        cmocka_unit_test_teardown(size_is_bounded, test_release),
        cmocka_unit_test_teardown(requests, test_release),
        cmocka_unit_test_teardown(requests_of_bytes, test_release)
    };

    return cmocka_run_group_tests_name("review", tests, NULL, NULL);
}
