/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * SubjectAccessReview: how answers are parsed, recorded ones of real API
 * servers and others.
 */

#include "k8s_sa_recorded.h"

#include "token/k8s_sa_access_review.h"
#include "token/k8s_sa_discovery.h"
#include "token/k8s_sa_review.h"


#define ANSWER(status)                                                        \
    "{\"kind\":\"SubjectAccessReview\",\"apiVersion\":"                       \
    "\"authorization.k8s.io/v1\",\"status\":" status "}"

#define V_NO      V(ACCESS_DENIED)
#define V_FAILED  V(ACCESS_FAILED)


static k8s_sa_verdict_e
parse(k8s_sa_access_answer_t *answer, const char *local, const void *text,
    size_t len)
{
    k8s_sa_error_t          err;
    k8s_sa_verdict_e        rc;
    k8s_sa_access_policy_t  policy;

    memset(&policy, 0, sizeof(policy));
    memset(answer, 0xa5, sizeof(*answer));
    err.text[0] = '\0';

    if (local) {
        policy.local = test_str(local);
    }

    rc = k8s_sa_access_review_parse(answer, test_copy(text, len), len, &policy,
                                    &err);

    assert_true(answer->len <= sizeof(answer->reason));
    assert_true(rc == K8S_SA_VERDICT_OK || rc == K8S_SA_ACCESS_DENIED
                || rc == K8S_SA_ACCESS_FAILED);
    assert_int_equal(rc == K8S_SA_ACCESS_FAILED, err.text[0] != '\0');

    if (rc == K8S_SA_ACCESS_FAILED) {
        assert_int_equal(answer->len, 0);
    }

    return rc;
}


/* INDEX.txt has the status, but a long reason only in part. */

static void
recorded_answer_is(recorded_t *rec, void *data)
{
    size_t                  *seen;
    json_t                  *root;
    const char              *local, *reason;
    k8s_sa_verdict_e         rc, expected;
    k8s_sa_access_answer_t   answer, other;

    seen = data;

    local = strncmp(rec->name, "local-", 6) == 0 ? "mytest" : NULL;

    rc = parse(&answer, local, rec->body, rec->len);
    seen[rc]++;

    /* the other kind */

    if (rc != K8S_SA_ACCESS_FAILED) {
        assert_int_equal(parse(&other, local ? NULL : "mytest", rec->body,
                               rec->len), K8S_SA_ACCESS_FAILED);
    }

    root = json_loadb((char *) rec->body, rec->len, 0, NULL);

    if (rec->status != 201 || root == NULL
        || strcmp(rec->name, "v1beta1") == 0)
    {
        expected = K8S_SA_ACCESS_FAILED;

    } else if (strstr(rec->index, "{\"allowed\": true")) {
        expected = K8S_SA_VERDICT_OK;

    } else if (strstr(rec->index, ", \"evaluationError\": \"")) {
        expected = K8S_SA_ACCESS_FAILED;

    } else {
        assert_non_null(strstr(rec->index, "{\"allowed\": false"));
        expected = K8S_SA_ACCESS_DENIED;
    }

    if (rc != expected) {
        fail_msg("%s: %s", rec->path, k8s_sa_verdict_info(rc)->word);
    }

    if (rc != K8S_SA_ACCESS_FAILED) {
        reason = json_string_value(json_object_get(
                     json_object_get(root, "status"), "reason"));
        reason = reason ? reason : "";

        assert_int_equal(answer.len, strnlen(reason, sizeof(answer.reason)));
        assert_memory_equal(answer.reason, reason, answer.len);
    }

    json_decref(root);
}


static void
recorded_answers(void **state)
{
    size_t  i, seen[K8S_SA_VERDICTS];

    static const struct {
        const char  *version;
        size_t       ok, no, failed;
    } expected[] = {
        { "1.20.2", 29, 11, 27 },
        { "1.36.2", 30, 14, 29 }
    };

    (void) state;

    for (i = 0; i < test_nelts(expected); i++) {
        memset(seen, 0, sizeof(seen));

        recorded_each(expected[i].version, "accessreview/*",
                      recorded_answer_is, seen);

        assert_int_equal(seen[K8S_SA_VERDICT_OK], expected[i].ok);
        assert_int_equal(seen[K8S_SA_ACCESS_DENIED], expected[i].no);
        assert_int_equal(seen[K8S_SA_ACCESS_FAILED],
                         expected[i].failed);
    }
}


/* A truncated answer is an error of the API server, not a verdict. */

static void
answer_cut(recorded_t *rec, void *data)
{
    size_t                  n;
    k8s_sa_access_answer_t  answer;

    (void) data;

    while (rec->body[rec->len - 1] == '\n') {
        rec->len--;
    }

    for (n = 0; n < rec->len; n++) {
        assert_int_equal(parse(&answer, NULL, rec->body, n),
                         K8S_SA_ACCESS_FAILED);
    }
}


static void
truncated_answers(void **state)
{
    (void) state;

    recorded_each("1.36.2", "accessreview/allowed-metrics", answer_cut, NULL);
    recorded_each("1.20.2", "accessreview/denied-unbound", answer_cut, NULL);
}


static void
verdicts(void **state)
{
    size_t                  i;
    k8s_sa_verdict_e        rc;
    k8s_sa_access_answer_t  answer;

    static const struct {
        unsigned     verdict;
        const char  *text;
    } answers[] = {
        { V_OK,     ANSWER("{\"allowed\":true}") },
        { V_OK,     ANSWER("{\"allowed\":true,\"denied\":false}") },
        { V_OK,     ANSWER("{\"allowed\":true,\"denied\":null,"
                           "\"reason\":null,\"evaluationError\":null}") },
        { V_OK,     ANSWER("{\"allowed\":true,\"reason\":\"r\","
                           "\"evaluationError\":\"e\"}") },
        { V_OK,     ANSWER("{\"allowed\":true,\"unknown\":[{}],\"n\":1e999}") },
        { V_OK,     ANSWER("{\"allowed\":true},\"spec\":{\"allowed\":false},"
                           "\"metadata\":null") },

        { V_NO,     ANSWER("{}") },
        { V_NO,     ANSWER("{\"allowed\":false}") },
        { V_NO,     ANSWER("{\"allowed\":null}") },
        { V_NO,     ANSWER("{\"allowed\":false,\"denied\":true}") },
        { V_NO,     ANSWER("{\"denied\":true,\"reason\":\"r\"}") },
        { V_NO,     ANSWER("{\"allowed\":false,\"evaluationError\":\"\"}") },
        { V_NO,     ANSWER("{\"allowed\":false,\"evaluationError\":null}") },
        { V_NO,     ANSWER("{\"conditionalDecision\":{\"allowed\":true}}") },

        /* other names, other places */
        { V_NO,     ANSWER("{\"Allowed\":true,\"allowed \":true}") },
        { V_NO,     ANSWER("{\"status\":{\"allowed\":true}}") },
        { V_NO,     ANSWER("{}") },
        { V_NO,     ANSWER("{},\"spec\":{\"allowed\":true},\"allowed\":true") },

        /* an authorizer of the cluster failed */
        { V_FAILED, ANSWER("{\"allowed\":false,\"evaluationError\":\"e\"}") },
        { V_FAILED, ANSWER("{\"evaluationError\":\"e\"}") },
        { V_FAILED, ANSWER("{\"evaluationError\":\"\\u0000\"}") },
        { V_FAILED, ANSWER("{\"allowed\":false,\"denied\":true,"
                           "\"reason\":\"r\",\"evaluationError\":\"e\"}") },

        /* contradictions and other types */
        { V_FAILED, ANSWER("{\"allowed\":true,\"denied\":true}") },
        { V_FAILED, ANSWER("{\"allowed\":\"true\"}") },
        { V_FAILED, ANSWER("{\"allowed\":1}") },
        { V_FAILED, ANSWER("{\"allowed\":[true]}") },
        { V_FAILED, ANSWER("{\"allowed\":{}}") },
        { V_FAILED, ANSWER("{\"allowed\":true,\"denied\":\"false\"}") },
        { V_FAILED, ANSWER("{\"allowed\":true,\"denied\":0}") },
        { V_FAILED, ANSWER("{\"allowed\":true,\"reason\":[]}") },
        { V_FAILED, ANSWER("{\"allowed\":true,\"evaluationError\":1}") },
        { V_FAILED, ANSWER("{\"allowed\":false,\"evaluationError\":{}}") },
        { V_FAILED, ANSWER("{\"allowed\":false,\"allowed\":true}") },
        { V_FAILED, ANSWER("{\"allowed\":true,\"allow\\u0065d\":false}") },
        { V_FAILED, ANSWER("{\"allowed\":true},\"status\":{}") },

        /* no status */
        { V_FAILED, ANSWER("null") },
        { V_FAILED, ANSWER("true") },
        { V_FAILED, ANSWER("[]") },
        { V_FAILED, ANSWER("\"allowed\"") },
        { V_FAILED, "{\"kind\":\"SubjectAccessReview\",\"apiVersion\":"
                    "\"authorization.k8s.io/v1\"}" },
        { V_FAILED, "{\"kind\":\"SubjectAccessReview\",\"apiVersion\":"
                    "\"authorization.k8s.io/v1\",\"Status\":"
                    "{\"allowed\":true}}" },

        /* something else */
        { V_FAILED, "" },
        { V_FAILED, "{}" },
        { V_FAILED, "[]" },
        { V_FAILED, "true" },
        { V_FAILED, "<html><body>allowed</body></html>" },
        { V_FAILED, ANSWER("{\"allowed\":true}") "x" },
        { V_FAILED, ANSWER("{\"allowed\":true}") "{}" },
        { V_FAILED, ANSWER("{\"allowed\":true,}") },
        { V_FAILED, ANSWER("{\"allowed\":true,\"reason\":\"\xff\"}") },
        { V_FAILED, "{\"status\":{\"allowed\":true}}" },
        { V_FAILED, "{\"kind\":\"SubjectAccessReview\","
                    "\"status\":{\"allowed\":true}}" },
        { V_FAILED, "{\"apiVersion\":\"authorization.k8s.io/v1\","
                    "\"status\":{\"allowed\":true}}" },
        { V_FAILED, "{\"kind\":\"SubjectAccessReview\",\"apiVersion\":"
                    "\"authorization.k8s.io/v1beta1\","
                    "\"status\":{\"allowed\":true}}" },
        { V_FAILED, "{\"kind\":\"SubjectAccessReview\",\"apiVersion\":"
                    "\"authentication.k8s.io/v1\","
                    "\"status\":{\"allowed\":true}}" },
        { V_FAILED, "{\"kind\":\"SelfSubjectAccessReview\",\"apiVersion\":"
                    "\"authorization.k8s.io/v1\","
                    "\"status\":{\"allowed\":true}}" },
        { V_FAILED, "{\"kind\":\"LocalSubjectAccessReview\",\"apiVersion\":"
                    "\"authorization.k8s.io/v1\","
                    "\"status\":{\"allowed\":true}}" },
        { V_FAILED, "{\"kind\":\"SubjectAccessReview\\u0000\",\"apiVersion\":"
                    "\"authorization.k8s.io/v1\","
                    "\"status\":{\"allowed\":true}}" },
        { V_FAILED, "{\"kind\":[\"SubjectAccessReview\"],\"apiVersion\":"
                    "\"authorization.k8s.io/v1\","
                    "\"status\":{\"allowed\":true}}" },
        { V_FAILED, "{\"kind\":\"Status\",\"apiVersion\":\"v1\","
                    "\"status\":\"Success\",\"allowed\":true}" }
    };

    (void) state;

    for (i = 0; i < test_nelts(answers); i++) {
        rc = parse(&answer, NULL, answers[i].text, strlen(answers[i].text));

        if (answers[i].verdict != (1u << rc)) {
            fail_msg("\"%s\": %s", k8s_sa_verdict_info(rc)->word,
                     answers[i].text);
        }
    }
}


static void
answers_that_are_too_large(void **state)
{
    char                    *text;
    k8s_sa_access_answer_t   answer;

    (void) state;

    text = test_format(ANSWER("{\"allowed\":true}") "%*s",
                       K8S_SA_DOCUMENT_MAX, "");
    assert_int_equal(parse(&answer, NULL, text, strlen(text)),
                     K8S_SA_ACCESS_FAILED);

    text = test_format(ANSWER("{\"allowed\":true}") "%*s",
                       K8S_SA_DOCUMENT_MAX / 2, "");
    assert_int_equal(parse(&answer, NULL, text, strlen(text)),
                     K8S_SA_VERDICT_OK);
}


static void
reasons(void **state)
{
    char                    *text;
    size_t                   i, n;
    k8s_sa_access_answer_t   answer;

    static const struct {
        const char  *sent, *kept;
    } cleaned[] = {
        { "no", "no" },
        { "", "" },
        { "a \\\"b\\\" c\\\\", "a \"b\" c\\" },
        { "a\\nb\\r\\tc\\u0000d\\u001be\\u007f", "a b  c d e " },
        { "\\u0085|\\u2028|\\u009f|\\u2029", "  |   |  |   " },
        { "\\u00fc\\u20ac\\ud83d\\ude00\\u00a0",
          "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\xc2\xa0" }
    };

    (void) state;

    for (i = 0; i < test_nelts(cleaned); i++) {
        text = test_format(ANSWER("{\"reason\":\"%s\"}"), cleaned[i].sent);

        assert_int_equal(parse(&answer, NULL, text, strlen(text)),
                         K8S_SA_ACCESS_DENIED);
        assert_int_equal(answer.len, strlen(cleaned[i].kept));
        assert_memory_equal(answer.reason, cleaned[i].kept, answer.len);
    }

    /* cut, but not inside a character */

    for (n = 250; n < 260; n++) {
        text = test_format(ANSWER("{\"allowed\":true,"
                                  "\"reason\":\"%0*d\xe2\x82\xac\"}"),
                           (int) n, 0);

        assert_int_equal(parse(&answer, NULL, text, strlen(text)),
                         K8S_SA_VERDICT_OK);

        if (n + 3 <= K8S_SA_ACCESS_REASON_MAX) {
            assert_int_equal(answer.len, n + 3);

        } else {
            assert_int_equal(answer.len, n < K8S_SA_ACCESS_REASON_MAX ? n :
                                         K8S_SA_ACCESS_REASON_MAX);
            assert_int_equal(answer.reason[answer.len - 1], '0');
        }
    }
}


static void
evaluation_errors(void **state)
{
    char                    *text;
    k8s_sa_error_t           err;
    k8s_sa_access_answer_t   answer;
    k8s_sa_access_policy_t   policy;

    (void) state;

    memset(&policy, 0, sizeof(policy));

    text = ANSWER("{\"evaluationError\":\"web\\nhook\"}");
    assert_int_equal(k8s_sa_access_review_parse(&answer, text, strlen(text),
                                                &policy, &err),
                     K8S_SA_ACCESS_FAILED);
    assert_string_equal(err.text, "evaluation error: web hook");

    text = test_format(ANSWER("{\"evaluationError\":\"%0300d\"}"), 0);
    assert_int_equal(k8s_sa_access_review_parse(&answer, text, strlen(text),
                                                &policy, &err),
                     K8S_SA_ACCESS_FAILED);
    assert_int_equal(k8s_sa_access_review_parse(&answer, text, strlen(text),
                                                &policy, NULL),
                     K8S_SA_ACCESS_FAILED);
}


static void
messages(void **state)
{
    size_t         n;
    recorded_t     rec;
    unsigned char  text[64];

    static const char  status[] = "{\"kind\":\"Status\","
                                  "\"apiVersion\":\"v1\","
                                  "\"message\":\"a\\nb\"}";

    (void) state;

    rec.path = "t/fixtures/1.36.2/accessreview/local-other-namespace";
    recorded_answer(&rec);

    n = k8s_sa_review_message(text, sizeof(text), rec.body, rec.len);
    assert_int_equal(n, sizeof(text));
    assert_memory_equal(text, ".authorization.k8s.io \"\" is invalid: ", 37);

    n = k8s_sa_review_message(text, sizeof(text), rec.body, rec.len - 9);
    assert_int_equal(n, 0);

    n = k8s_sa_review_message(text, sizeof(text), "{}", 2);
    assert_int_equal(n, 0);

    n = k8s_sa_review_message(text, sizeof(text), status, sizeof(status) - 1);
    assert_int_equal(n, 3);
    assert_memory_equal(text, "a b", 3);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(recorded_answers, test_release),
        cmocka_unit_test_teardown(truncated_answers, test_release),
        cmocka_unit_test_teardown(verdicts, test_release),
        cmocka_unit_test_teardown(answers_that_are_too_large, test_release),
        cmocka_unit_test_teardown(reasons, test_release),
        cmocka_unit_test_teardown(evaluation_errors, test_release),
        cmocka_unit_test_teardown(messages, test_release)
    };

    return cmocka_run_group_tests_name("access_review", tests, NULL, NULL);
}
