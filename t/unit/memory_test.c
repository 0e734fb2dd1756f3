/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Short memory: every allocation of OpenSSL, jansson and src/token/ fails once,
 * alone and together with all that follow it.  The outcome must be the same as
 * without failures, or an internal error: never a key that counts as malformed,
 * a smaller set, or a wrong signature.
 */

#include "k8s_sa_test_keys.h"

#include "token/k8s_sa_access_review.h"
#include "token/k8s_sa_key.h"
#include "token/k8s_sa_review.h"


static size_t  counted;
static size_t  fail_at;          /* 0: no allocation fails */
static int     fail_on;          /* all after it fail, too */
static size_t  failed;


void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);


static int
fails(void)
{
    counted++;

    if (fail_at == 0
        || (counted != fail_at && !(fail_on && counted > fail_at)))
    {
        return 0;
    }

    failed++;

    return 1;
}


void *
__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}


void *
__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}


static void *
openssl_malloc(size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return size == 0 || fails() ? NULL : __real_malloc(size);
}


static void *
openssl_realloc(void *p, size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return fails() ? NULL : realloc(p, size);
}


static void
openssl_free(void *p, const char *file, int line)
{
    (void) file;
    (void) line;

    free(p);
}


static void *
jansson_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}


static void
arm(size_t at)
{
    counted = 0;
    failed = 0;
    fail_at = at;
}


static void
disarm(void)
{
    fail_at = 0;
}


/* The reason must be ours, not the input's. */

static void
internal(const char *what, size_t at, const char *text)
{
    if (strstr(text, "out of memory") == NULL
        && strstr(text, "OpenSSL") == NULL
        && strstr(text, "cannot compute") == NULL)
    {
        fail_msg("%s, allocation %zu%s: \"%s\"", what, at,
                 fail_on ? " and later" : "", text);
    }
}


static void
adding(const char *what, const char *text, int pem, size_t count)
{
    int               rc;
    size_t            at, len;
    k8s_sa_error_t    err, note;
    k8s_sa_keyset_t  *set;

    len = strlen(text);

    for (fail_on = 0; fail_on < 2; fail_on++) {
        for (at = 1; /* void */ ; at++) {

            set = k8s_sa_keyset_create();
            assert_non_null(set);

            err.text[0] = '\0';

            arm(at);
            rc = pem ? k8s_sa_keyset_add_pem(set, text, len, NULL, &note, &err)
                     : k8s_sa_keyset_add_jwks(set, text, len, &note, &err);
            disarm();

            if (rc == K8S_SA_OK) {
                if (k8s_sa_keyset_count(set) != count
                    || note.text[0] != '\0')
                {
                    fail_msg("%s, allocation %zu: %zu keys, \"%s\"", what, at,
                             k8s_sa_keyset_count(set), note.text);
                }

            } else {
                internal(what, at, err.text);
                assert_int_equal(rc, K8S_SA_NO_MEMORY);
                assert_int_equal(k8s_sa_keyset_count(set), 0);
            }

            assert_int_equal(ERR_peek_error(), 0);
            k8s_sa_keyset_free(set);

            if (failed == 0) {
                assert_int_equal(rc, K8S_SA_OK);
                break;
            }
        }

        assert_true(at > 10);
    }
}


static void
jwks(void **state)
{
    (void) state;

    adding("JWKS", test_format("{\"keys\":[%s,%s,%s,%s,%s],\"x\":[\"%0300d\"]}",
                               test_jwk(rsa, ",\"kid\":\"a\\u00e4\""),
                               test_jwk(p256, ""), test_jwk(p384, ""),
                               test_jwk(p521, ""), test_jwk(ed, ""), 0),
           0, 5);
}


static void
pem(void **state)
{
    BIO  *bio;

    (void) state;

    bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, p384, NULL, NULL, 0, NULL,
                                              NULL), 1);

    adding("PEM", test_format("%s%s%s", test_pem(rsa), test_pem(p521),
                              test_bio_text(bio)), 1, 3);
}


/* Forms whose point OpenSSL has to compute */

static void
pem_computed(void **state)
{
    BIO       *bio;
    char      *private;
    EVP_PKEY  *pkey;

    (void) state;

    pkey = EVP_PKEY_dup(p256);
    assert_int_equal(EVP_PKEY_set_int_param(pkey,
                             OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, 0), 1);
    bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL,
                                              NULL), 1);
    private = test_bio_text(bio);
    EVP_PKEY_free(pkey);

    pkey = EVP_PKEY_dup(p384);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(pkey,
                             OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                             OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED),
                     1);

    adding("PEM", test_format("%s%s", private, test_pem(pkey)), 1, 2);
    EVP_PKEY_free(pkey);
}


/* A good signature is never wrong, a wrong one never good. */

static void
verification(void **state)
{
    int                 rc, good;
    char               *token, *p;
    size_t              i, at;
    k8s_sa_token_t     *t;
    k8s_sa_policy_t     policy;
    k8s_sa_keyset_t    *set;
    k8s_sa_verdict_e    expected;

    (void) state;

    policy = test_policy();
    policy.algorithms = ~0u;
    t = test_space();

    for (i = 0; i < TEST_KEYS * 4; i++) {
        good = i & 1;
        fail_on = (i >> 1) & 1;
        expected = good ? K8S_SA_VERDICT_OK : K8S_SA_BAD_SIGNATURE;

        token = test_token(test_keys[i / 4], test_key_algs[i / 4][0],
                           test_header(test_keys[i / 4],
                                       test_key_algs[i / 4][0]),
                           TEST_CLAIMS);

        if (!good) {
            p = &token[strlen(token) - 20];
            *p = (*p == 'A') ? 'B' : 'A';
        }

        for (at = 1; /* void */ ; at++) {
            set = test_keyset(test_keys[i / 4]);

            rc = k8s_sa_token_parse(t, (unsigned char *) token,
                                    strlen(token));
            assert_int_equal(rc, K8S_SA_VERDICT_OK);

            arm(at);
            rc = k8s_sa_token_verify(t, set, &policy);
            disarm();

            if (rc != (int) expected && rc != K8S_SA_INTERNAL_ERROR) {
                fail_msg("%s, %s signature, allocation %zu%s: %s",
                         test_key_algs[i / 4][0], good ? "good" : "bad", at,
                         fail_on ? " and later" : "",
                         k8s_sa_verdict_info(rc)->word);
            }

            assert_int_equal(ERR_peek_error(), 0);

            if (failed == 0) {
                assert_int_equal(rc, expected);
                k8s_sa_keyset_free(set);
                break;
            }

            /* nothing half-made remains */

            assert_int_equal(k8s_sa_token_verify(t, set, &policy), expected);
            k8s_sa_keyset_free(set);
        }
    }
}


static void
creation(void **state)
{
    size_t            at;
    k8s_sa_keyset_t  *set;

    (void) state;

    for (at = 1; /* void */ ; at++) {
        arm(at);
        set = k8s_sa_keyset_create();
        disarm();

        k8s_sa_keyset_free(set);
        assert_int_equal(ERR_peek_error(), 0);

        if (failed == 0) {
            assert_non_null(set);
            break;
        }
    }
}


/* An answer is parsed, or it failed: never another verdict, or no reason. */

static void
access_answers(void **state)
{
    char                    *text;
    size_t                   i, at;
    k8s_sa_error_t           err;
    k8s_sa_verdict_e         rc;
    k8s_sa_access_answer_t   answer;
    k8s_sa_access_policy_t   policy;

    static const struct {
        k8s_sa_verdict_e   verdict;
        const char        *status;
    } answers[] = {
        { K8S_SA_VERDICT_OK, "\"allowed\":true,\"reason\":\"a\\u00e4\"" },
        { K8S_SA_ACCESS_DENIED, "\"allowed\":false,\"reason\":\"b\"" },
        { K8S_SA_ACCESS_DENIED, "\"denied\":true,\"reason\":\"c\"" }
    };

    (void) state;

    memset(&policy, 0, sizeof(policy));

    for (i = 0; i < test_nelts(answers) * 2; i++) {
        fail_on = i & 1;

        text = test_format("{\"kind\":\"SubjectAccessReview\",\"apiVersion\":"
                           "\"authorization.k8s.io/v1\",\"status\":{%s}}",
                           answers[i / 2].status);

        for (at = 1; /* void */ ; at++) {
            err.text[0] = '\0';

            arm(at);
            rc = k8s_sa_access_review_parse(&answer, text, strlen(text),
                                            &policy, &err);
            disarm();

            if (rc == K8S_SA_ACCESS_FAILED) {
                internal("access review", at, err.text);
                assert_int_equal(answer.len, 0);

            } else {
                assert_int_equal(rc, answers[i / 2].verdict);
                assert_true(answer.len > 0);
            }

            if (failed == 0) {
                assert_int_equal(rc, answers[i / 2].verdict);
                break;
            }
        }

        assert_true(at > 10);
    }
}


static void
status_messages(void **state)
{
    size_t         at, n;
    unsigned char  text[16];

    static const char  status[] = "{\"kind\":\"Status\","
                                  "\"apiVersion\":\"v1\","
                                  "\"message\":\"no\"}";

    (void) state;

    for (at = 1; /* void */ ; at++) {
        arm(at);
        n = k8s_sa_review_message(text, sizeof(text), status,
                                  sizeof(status) - 1);
        disarm();

        assert_true(n == 0 || (n == 2 && memcmp(text, "no", 2) == 0));

        if (failed == 0) {
            assert_int_equal(n, 2);
            break;
        }
    }
}


/* A digest is complete, or there is none. */

static void
access_contexts(void **state)
{
    int                      rc;
    size_t                   at;
    k8s_sa_str_t             url;
    unsigned char            good[K8S_SA_FINGERPRINT_CONTEXT_LEN];
    unsigned char            context[K8S_SA_FINGERPRINT_CONTEXT_LEN];
    k8s_sa_access_policy_t   policy;

    (void) state;

    memset(&policy, 0, sizeof(policy));
    url = test_str("https://api/");

    assert_int_equal(k8s_sa_access_context(good, &url, &policy), K8S_SA_OK);

    for (at = 1; /* void */ ; at++) {
        arm(at);
        rc = k8s_sa_access_context(context, &url, &policy);
        disarm();

        if (rc == K8S_SA_OK) {
            assert_memory_equal(context, good, sizeof(good));
        }

        if (failed == 0) {
            assert_int_equal(rc, K8S_SA_OK);
            break;
        }
    }

    assert_int_equal(ERR_peek_error(), 0);
}


static int
setup(void **state)
{
    (void) state;

    test_keys_make(test_rsa(2048));

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    test_keys_free();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(jwks, test_release),
        cmocka_unit_test_teardown(pem, test_release),
        cmocka_unit_test_teardown(pem_computed, test_release),
        cmocka_unit_test_teardown(verification, test_release),
        cmocka_unit_test_teardown(creation, test_release),
        cmocka_unit_test_teardown(access_answers, test_release),
        cmocka_unit_test_teardown(status_messages, test_release),
        cmocka_unit_test_teardown(access_contexts, test_release)
    };

    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free)
        != 1)
    {
        fputs("OpenSSL has allocated already\n", stderr);
        return 1;
    }

    json_set_alloc_funcs(jansson_malloc, free);

    return cmocka_run_group_tests_name("memory", tests, setup, teardown);
}
