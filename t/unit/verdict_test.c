/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The table of verdicts: what clients, logs and counters see.
 */

#include "k8s_sa_test.h"


/*
 * Log formats and dashboards depend on the words (docs/variables.md), and
 * clients on the statuses.
 */

static const struct {
    k8s_sa_verdict_e   verdict;
    const char        *word;
    unsigned           status;
    unsigned           told;      /* 1: the client gets an error_description */
} expected[] = {
    { K8S_SA_VERDICT_OK,        "ok",                200, 0 },
    { K8S_SA_BAD_PATH,          "bad_path",          400, 0 },
    { K8S_SA_NO_TOKEN,          "no_token",          401, 0 },
    { K8S_SA_TOO_LARGE,         "too_large",         401, 0 },
    { K8S_SA_MALFORMED,         "malformed",         401, 0 },
    { K8S_SA_BAD_ALGORITHM,     "bad_algorithm",     401, 0 },
    { K8S_SA_UNKNOWN_ISSUER,    "unknown_issuer",    401, 0 },
    { K8S_SA_UNKNOWN_KEY,       "unknown_key",       401, 0 },
    { K8S_SA_BAD_SIGNATURE,     "bad_signature",     401, 0 },
    { K8S_SA_WRONG_ISSUER,      "wrong_issuer",      401, 1 },
    { K8S_SA_LEGACY_TOKEN,      "legacy_token",      401, 1 },
    { K8S_SA_BAD_CLAIMS,        "bad_claims",        401, 1 },
    { K8S_SA_EXPIRED,           "expired",           401, 1 },
    { K8S_SA_NOT_YET_VALID,     "not_yet_valid",     401, 1 },
    { K8S_SA_WRONG_AUDIENCE,    "wrong_audience",    401, 1 },
    { K8S_SA_NOT_AUTHENTICATED, "not_authenticated", 401, 0 },
    { K8S_SA_BAD_ATTRIBUTES,    "bad_attributes",    400, 0 },
    { K8S_SA_NOT_ALLOWED,       "not_allowed",       403, 0 },
    { K8S_SA_NOT_REQUIRED,      "not_required",      403, 0 },
    { K8S_SA_ACCESS_DENIED,     "access_denied",     403, 0 },
    { K8S_SA_NO_KEYS,           "no_keys",           503, 0 },
    { K8S_SA_STALE_KEYS,        "stale_keys",        503, 0 },
    { K8S_SA_REVIEW_FAILED,     "review_failed",     503, 0 },
    { K8S_SA_ACCESS_FAILED,     "access_failed",     503, 0 },
    { K8S_SA_BUSY,              "busy",              503, 0 },
    { K8S_SA_INTERNAL_ERROR,    "internal_error",    503, 0 }
};


static void
words_and_statuses(void **state)
{
    size_t                        i;
    const k8s_sa_verdict_info_t  *info;

    (void) state;

    assert_int_equal(test_nelts(expected), K8S_SA_VERDICTS);

    for (i = 0; i < test_nelts(expected); i++) {
        assert_int_equal(expected[i].verdict, i);

        info = k8s_sa_verdict_info(i);

        assert_non_null(info);
        assert_string_equal(info->word, expected[i].word);
        assert_int_equal(info->status, expected[i].status);
    }
}


static void
words_are_unique_and_plain(void **state)
{
    size_t       i, j;
    const char  *word;

    (void) state;

    for (i = 0; i < K8S_SA_VERDICTS; i++) {
        word = k8s_sa_verdict_info(i)->word;

        assert_true(word[0] != '\0');
        assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz_"),
                         strlen(word));

        for (j = 0; j < i; j++) {
            assert_string_not_equal(word, k8s_sa_verdict_info(j)->word);
        }
    }
}


static void
descriptions_only_after_a_signature(void **state)
{
    size_t       i;
    const char  *text;

    (void) state;

    for (i = 0; i < test_nelts(expected); i++) {
        text = k8s_sa_verdict_info(i)->description;

        if (!expected[i].told) {

            if (text != NULL) {
                fail_msg("the client is told \"%s\" about \"%s\"", text,
                         expected[i].word);
            }

            continue;
        }

        /* RFC 6750 section 3: %x20-21 / %x23-5B / %x5D-7E */

        assert_non_null(text);
        assert_true(text[0] != '\0');

        for ( /* void */ ; *text; text++) {
            assert_true(*text >= 0x20 && *text < 0x7f);
            assert_true(*text != '"' && *text != '\\');
        }
    }
}


static void
reasons_are_sentences(void **state)
{
    size_t       i;
    const char  *text;

    (void) state;

    for (i = 0; i < K8S_SA_VERDICTS; i++) {
        text = k8s_sa_verdict_info(i)->reason;

        assert_non_null(text);
        assert_true(strlen(text) > 1);
        assert_true(text[strlen(text) - 1] != '.');
        assert_null(strpbrk(text, "\r\n\t"));
    }
}


static void
out_of_range_is_an_internal_error(void **state)
{
    const k8s_sa_verdict_info_t  *info;

    (void) state;

    info = k8s_sa_verdict_info(K8S_SA_INTERNAL_ERROR);

    assert_ptr_equal(k8s_sa_verdict_info(K8S_SA_VERDICTS), info);
    assert_ptr_equal(k8s_sa_verdict_info((k8s_sa_verdict_e) 1000), info);
    assert_ptr_equal(k8s_sa_verdict_info((k8s_sa_verdict_e) -1), info);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(words_and_statuses),
        cmocka_unit_test(words_are_unique_and_plain),
        cmocka_unit_test(descriptions_only_after_a_signature),
        cmocka_unit_test(reasons_are_sentences),
        cmocka_unit_test(out_of_range_is_an_internal_error)
    };

    return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
