/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TokenReview: one byte chooses the audiences, the rest is the answer.  The
 * same bytes are used as the token of a request, which is not checked before.
 */

#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_token_review.h"

#include <jansson.h>


static const k8s_sa_str_t  fuzz_audiences[] = {
    fuzz_lit("service2"),
    fuzz_lit("https://kubernetes.default.svc"),
    fuzz_lit("other")
};


static void fuzz_check_audience(const uint8_t *data, size_t size,
    const k8s_sa_str_t *audience, size_t n);
static void fuzz_check_request(const uint8_t *data, size_t size, size_t n);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                 n;
    k8s_sa_error_t         err;
    k8s_sa_token_review_t  review;
    k8s_sa_verdict_e       verdict;

    n = fuzz_byte(&data, &size) & 3;

    memset(&review, 0xa5, sizeof(review));
    memset(&err, 0xa5, sizeof(err));

    verdict = k8s_sa_token_review_parse(&review, data, size, fuzz_audiences, n,
                                        &err);

    fuzz_check_identity(&review.identity);

    switch (verdict) {

    case K8S_SA_VERDICT_OK:
        fuzz_check(review.identity.username.len != 0);
        fuzz_check_audience(data, size, &review.identity.audience, n);
        break;

    case K8S_SA_NOT_AUTHENTICATED:
        fuzz_check(review.identity.username.data == NULL);
        fuzz_check(review.reason == NULL
                   || fuzz_is_clean((unsigned char *) review.reason,
                                    strlen(review.reason), ""));
        break;

    case K8S_SA_WRONG_AUDIENCE:
        fuzz_check(n != 0);
        break;

    default:
        fuzz_check(verdict == K8S_SA_BAD_CLAIMS
                   || verdict == K8S_SA_REVIEW_FAILED);
        fuzz_check(review.identity.username.data == NULL);
        fuzz_check_error(&err);
    }

    k8s_sa_token_review_free(&review);

    fuzz_check_request(data, size, n);

    return 0;
}


/* The API server authenticated the token, for the requested audience. */

static void
fuzz_check_audience(const uint8_t *data, size_t size,
    const k8s_sa_str_t *audience, size_t n)
{
    size_t       i;
    json_t      *root, *status, *list, *item;
    const char  *text;

    root = json_loadb((const char *) data, size,
                      JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, NULL);
    fuzz_check(root != NULL);

    status = json_object_get(root, "status");
    fuzz_check(json_is_true(json_object_get(status, "authenticated")));

    if (n != 0) {
        list = json_object_get(status, "audiences");

        json_array_foreach(list, i, item) {
            text = json_string_value(item);

            if (text && json_string_length(item) == audience->len
                && memcmp(text, audience->data, audience->len) == 0)
            {
                break;
            }
        }

        fuzz_check(i < json_array_size(list));

        for (i = 0; i < n; i++) {
            if (fuzz_same(audience, &fuzz_audiences[i])) {
                break;
            }
        }

        fuzz_check(i < n);
    }

    json_decref(root);
}


static void
fuzz_check_request(const uint8_t *data, size_t size, size_t n)
{
    char          *text;
    size_t         len;
    json_t        *root, *token;
    k8s_sa_str_t   s;

    s.len = size;
    s.data = (unsigned char *) data;

    text = k8s_sa_token_review_request(&s, fuzz_audiences, n, &len);

    if (text == NULL) {
        return;
    }

    root = json_loadb(text, len, JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, NULL);
    fuzz_check(root != NULL);

    token = json_object_get(json_object_get(root, "spec"), "token");

    fuzz_check(json_string_length(token) == size);
    fuzz_check(size == 0
               || memcmp(json_string_value(token), data, size) == 0);

    json_decref(root);
    free(text);
}
