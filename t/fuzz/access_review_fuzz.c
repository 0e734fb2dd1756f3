/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Answers to access reviews: one byte chooses the kind, the rest is the answer.
 * Whatever is accepted must be what jansson reads there, too.
 */

#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_access_review.h"
#include "token/k8s_sa_review.h"

#include <jansson.h>


static void fuzz_check_verdict(const uint8_t *data, size_t size, int local,
    k8s_sa_verdict_e verdict);
static void fuzz_check_message(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                      local;
    k8s_sa_error_t           err;
    k8s_sa_verdict_e         verdict;
    k8s_sa_access_answer_t   answer;
    k8s_sa_access_policy_t   policy;

    local = fuzz_byte(&data, &size) & 1;

    memset(&policy, 0, sizeof(policy));
    memset(&answer, 0xa5, sizeof(answer));
    memset(&err, 0xa5, sizeof(err));

    if (local) {
        policy.local = (k8s_sa_str_t) fuzz_lit("mytest");
    }

    verdict = k8s_sa_access_review_parse(&answer, data, size, &policy, &err);

    fuzz_check(answer.len <= sizeof(answer.reason));
    fuzz_check(fuzz_is_text(answer.reason, answer.len, ""));

    switch (verdict) {

    case K8S_SA_VERDICT_OK:
    case K8S_SA_ACCESS_DENIED:
        fuzz_check_verdict(data, size, local, verdict);
        break;

    default:
        fuzz_check(verdict == K8S_SA_ACCESS_FAILED);
        fuzz_check(answer.len == 0);
        fuzz_check_error(&err);
    }

    fuzz_check_message(data, size);

    return 0;
}


static void
fuzz_check_verdict(const uint8_t *data, size_t size, int local,
    k8s_sa_verdict_e verdict)
{
    json_t      *root, *status, *error;
    const char  *kind, *version;

    root = json_loadb((const char *) data, size,
                      JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, NULL);
    if (root == NULL) {

        /* a number out of range, which is not read */

        return;
    }

    kind = json_string_value(json_object_get(root, "kind"));
    version = json_string_value(json_object_get(root, "apiVersion"));

    fuzz_check(kind && version);
    fuzz_check(strcmp(kind, local ? "LocalSubjectAccessReview"
                                  : "SubjectAccessReview") == 0);
    fuzz_check(strcmp(version, "authorization.k8s.io/v1") == 0);

    status = json_object_get(root, "status");
    fuzz_check(json_is_object(status));

    if (verdict == K8S_SA_VERDICT_OK) {
        fuzz_check(json_is_true(json_object_get(status, "allowed")));
        fuzz_check(!json_is_true(json_object_get(status, "denied")));

    } else {
        error = json_object_get(status, "evaluationError");

        fuzz_check(!json_is_true(json_object_get(status, "allowed")));
        fuzz_check(json_string_length(error) == 0);
    }

    json_decref(root);
}


static void
fuzz_check_message(const uint8_t *data, size_t size)
{
    size_t          n;
    unsigned char  *text;

    text = fuzz_copy("0123456789abcdef", 16);

    n = k8s_sa_review_message(text, 16, data, size);

    fuzz_check(n <= 16);
    fuzz_check(fuzz_is_text(text, n, ""));

    free(text);
}
