/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Limits of keys from PEM and JWK, with the reasons for refusals; what a failed
 * addition leaves in the set; and errors in OpenSSL's queue from other code.
 */

#include "k8s_sa_test.h"

#include "token/k8s_sa_key.h"


static EVP_PKEY  *rsa, *p256;


static void same_id(k8s_sa_key_t *key);
static int setup(void **state);
static int teardown(void **state);


/* Adds a JWK to a new set.  1: usable; 0: skipped with this reason. */

static int
jwk_usable(const char *jwk, const char *reason)
{
    int               rc;
    size_t            len;
    k8s_sa_error_t    err, note;
    k8s_sa_keyset_t  *set;

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    len = strlen(jwk);
    rc = k8s_sa_keyset_add_jwks(set, test_copy(jwk, len), len, &note, &err);

    assert_int_equal(k8s_sa_keyset_count(set), rc == K8S_SA_OK);
    assert_int_equal(ERR_peek_error(), 0);

    if (rc == K8S_SA_OK) {
        same_id(k8s_sa_keyset_key(set, 0));
        k8s_sa_keyset_free(set);
        assert_string_equal(note.text, "");
        return 1;
    }

    k8s_sa_keyset_free(set);

    if (strstr(note.text, reason) == NULL
        || (reason[0] == '\0' && note.text[0] != '\0'))
    {
        fail_msg("\"%s\" instead of \"%s\"", note.text, reason);
    }

    assert_non_null(strstr(err.text, reason));

    return 0;
}


/* Key ids are made from DER of our own, which must equal OpenSSL's. */

static void
same_id(k8s_sa_key_t *key)
{
    size_t          n;
    unsigned char  *id;

    id = test_unb64(test_kid(key->pkey), 43, &n);

    assert_int_equal(n, K8S_SA_KEY_ID_LEN);
    assert_memory_equal(k8s_sa_key_id(key), id, n);
}


/* An RSA number of size octets, with the given first and last one. */

static const char *
number(size_t size, unsigned char first, unsigned char last)
{
    unsigned char  *p;

    p = test_keep(malloc(size));

    memset(p, 0xda, size);
    p[size - 1] = last;
    p[0] = first;

    return test_b64(p, size);
}


static int
rsa_usable(const char *n, const char *e, const char *reason)
{
    return jwk_usable(test_format("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":"
                                  "\"%s\"}", n, e), reason);
}


/* A key with leading zeros is one that the set already has. */

static void
same_number(void)
{
    int               len;
    char             *jwk;
    k8s_sa_keyset_t  *set;

    len = EVP_PKEY_get_bits(rsa) / 8 + 3;

    set = k8s_sa_keyset_create();
    jwk = test_jwk(rsa, "");

    assert_int_equal(k8s_sa_keyset_add_jwks(set, jwk, strlen(jwk), NULL, NULL),
                     K8S_SA_OK);

    jwk = test_format("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}",
                      test_jwk_number(rsa, OSSL_PKEY_PARAM_RSA_N, len),
                      test_jwk_number(rsa, OSSL_PKEY_PARAM_RSA_E, 5));

    assert_int_equal(k8s_sa_keyset_add_jwks(set, jwk, strlen(jwk), NULL, NULL),
                     K8S_SA_OK);
    assert_int_equal(k8s_sa_keyset_count(set), 1);

    k8s_sa_keyset_free(set);
}


static void
rsa_limits(void **state)
{
    const char  *n, *e;

    (void) state;

    n = number(256, 0x80, 0x01);
    e = "AQAB";

    assert_true(rsa_usable(n, e, ""));

    assert_false(rsa_usable(number(256, 0x7f, 0x01), e, "2047 bits"));
    assert_false(rsa_usable(number(128, 0x80, 0x01), e, "1024 bits"));
    assert_true(rsa_usable(number(257, 0x01, 0x01), e, ""));

    assert_true(rsa_usable(number(2048, 0xff, 0x01), e, ""));
    assert_false(rsa_usable(number(2049, 0x01, 0x01), e, "16385 bits"));
    assert_false(rsa_usable(number(2050, 0x01, 0x01), e, "too long"));

    assert_false(rsa_usable(number(256, 0x80, 0x02), e, "even"));

    /* leading zeros are the same number */

    assert_true(rsa_usable(number(257, 0x00, 0x01), e, ""));
    assert_true(rsa_usable(number(2049, 0x00, 0x01), e, ""));
    assert_true(rsa_usable(n, "AAEAAQ", ""));
    assert_true(rsa_usable(n, "AAAAAAAAAAAAAQAB", ""));
    assert_false(rsa_usable(n, "AAAB", "exponent"));
    assert_false(rsa_usable("AAAA", e, "zero"));

    same_number();

    assert_false(rsa_usable("", e, "empty"));
    assert_false(rsa_usable(n, "", "empty"));

    assert_true(rsa_usable(n, "Aw", ""));
    assert_false(rsa_usable(n, "AQ", "exponent"));
    assert_false(rsa_usable(n, "AA", "zero"));
    assert_false(rsa_usable(n, "Ag", "exponent"));
    assert_false(rsa_usable(n, "AQAC", "exponent"));
    assert_true(rsa_usable(n, number(8, 0xff, 0x01), ""));
    assert_false(rsa_usable(n, number(9, 0x01, 0x01), "exponent"));
    assert_false(rsa_usable(n, n, "exponent"));
}


static void
ec_limits(void **state)
{
    char  *x, *y;

    (void) state;

    x = test_jwk_number(p256, OSSL_PKEY_PARAM_EC_PUB_X, 32);
    y = test_jwk_number(p256, OSSL_PKEY_PARAM_EC_PUB_Y, 32);

#define ec(crv, x, y, reason)                                                 \
    jwk_usable(test_format("{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\","     \
                           "\"y\":\"%s\"}", crv, x, y), reason)

    assert_true(ec("P-256", x, y, ""));

    assert_false(ec("P-256", y, x, "not on the curve"));
    assert_false(ec("P-384", x, y, "octets"));
    assert_false(ec("P-256", test_jwk_number(p256, OSSL_PKEY_PARAM_EC_PUB_X,
                                             33), y, "octets"));
    assert_false(ec("P-256", x, test_jwk_number(p256,
                                                OSSL_PKEY_PARAM_EC_PUB_Y,
                                                48), "octets"));
    assert_false(ec("P-256", number(31, 1, 1), y, "octets"));
    assert_false(ec("P-256", x, "", "octets"));
    assert_false(ec("P-256", number(67, 1, 1), y, "too long"));
    assert_false(ec("P-256", number(32, 0xff, 1), y, "not on the curve"));

    /* not for us: skipped without a reason */

    assert_false(ec("secp256k1", x, y, ""));
    assert_false(ec("P-256K", x, y, ""));

#undef ec
}


static void
members(void **state)
{
    size_t  i;

    static const struct {
        const char  *more;
        const char  *reason;     /* NULL: usable; "": not for us */
    } rows[] = {
        { "\"alg\":\"RS512\"",              NULL },
        { "\"use\":\"sig\"",                NULL },
        { "\"key_ops\":[\"verify\",\"x\"]", NULL },
        { "\"kid\":\"\"",                   NULL },
        { "\"x5c\":1,\"x5u\":2,\"more\":3", NULL },
        { "\"more\":1e999",                 NULL },
        { "\"more\":[-1e999,1.5E+999]",     NULL },
        { "\"more\":18446744073709551616",  NULL },
        { "\"more\":\"\\\"1e999\"",        NULL },

        /* null is absent */
        { "\"alg\":null,\"use\":null",      NULL },
        { "\"key_ops\":null",               NULL },
        { "\"kid\":null",                   NULL },
        { "\"d\":null,\"k\":null",          NULL },
        { "\"oth\":null,\"p\":null",        NULL },

        { "\"alg\":\"RSA-OAEP\"",           "" },
        { "\"alg\":\"none\"",               "" },
        { "\"alg\":\"\"",                   "" },
        { "\"use\":\"\"",                   "" },
        { "\"alg\":\"HS256\"",              "" },
        { "\"use\":\"enc\"",                "" },
        { "\"key_ops\":[]",                 "" },
        { "\"key_ops\":[\"sign\"]",         "" },

        { "\"alg\":\"ES256\"",              "\"alg\"" },
        { "\"alg\":\"EdDSA\"",              "\"alg\"" },
        { "\"alg\":\"Ed25519\"",            "\"alg\"" },
        { "\"alg\":[\"RS256\"]",            "\"alg\"" },
        { "\"use\":1",                      "\"use\"" },
        { "\"key_ops\":\"verify\"",         "\"key_ops\"" },
        { "\"key_ops\":[\"verify\",1]",     "\"key_ops\"" },
        { "\"kid\":1",                      "\"kid\"" },
        { "\"kid\":\"a\\u001b\"",           "\"kid\"" },
        { "\"d\":\"AQAB\"",                 "private" },
        { "\"oth\":[]",                     "private" },
        { "\"k\":\"AQAB\"",                 "private" }
    };

    (void) state;

    for (i = 0; i < test_nelts(rows); i++) {
        assert_int_equal(jwk_usable(test_jwk(rsa, test_format(",%s",
                                                              rows[i].more)),
                                    rows[i].reason ? rows[i].reason : ""),
                         rows[i].reason == NULL);
    }

    assert_false(jwk_usable("{\"kty\":\"oct\"}", "secret"));
    assert_false(jwk_usable("{\"kty\":\"new\"}", ""));
    assert_false(jwk_usable("{\"kty\":1}", "\"kty\""));
}


/* Numbers that jansson refuses are not read, but must be numbers. */

static void
numbers(void **state)
{
    size_t            i;
    char             *text;
    k8s_sa_error_t    err;
    k8s_sa_keyset_t  *set;

    static const char  *const wrong[] = {
        "-", "01", "1.", ".5", "1e", "1e+", "1-2", "1.5.5", "1e5e5", "-01",
        "+1", "0x1", "1 2", "1a", "NaN"
    };

    (void) state;

    for (i = 0; i < test_nelts(wrong); i++) {
        set = k8s_sa_keyset_create();
        text = test_format("{\"keys\":[%s],\"x\":[%s]}", test_jwk(rsa, ""),
                           wrong[i]);

        if (k8s_sa_keyset_add_jwks(set, text, strlen(text), NULL, &err)
            != K8S_SA_ERROR)
        {
            fail_msg("%s is accepted", wrong[i]);
        }

        assert_non_null(strstr(err.text, "JSON"));
        k8s_sa_keyset_free(set);
    }
}


static void
reason_of_each_key(void **state)
{
    int               i;
    char             *text;
    size_t            j;
    k8s_sa_error_t    err, note;
    k8s_sa_keyset_t  *set;

    static const char  *const reasons[] = {
        "no usable key among 6", "key 1: \"kty\" is", "key 2: holds",
        "key 3: \"use\" is", "key 4: \"alg\" is", "key 5: \"key_ops\"",
        "key 6: \"crv\""
    };

    (void) state;

    set = k8s_sa_keyset_create();

    text = test_format("{\"keys\":[{\"kty\":\"new\"},{\"kty\":\"oct\"},"
                       "{\"use\":\"enc\"},{\"alg\":\"\"},"
                       "{\"key_ops\":[]},{\"kty\":\"EC\",\"crv\":\"x\"}]}");
    assert_int_equal(k8s_sa_keyset_add_jwks(set, text, strlen(text), &note,
                                            &err), K8S_SA_ERROR);

    for (j = 0; j < test_nelts(reasons); j++) {
        if (strstr(err.text, reasons[j]) == NULL) {
            fail_msg("\"%s\" lacks \"%s\"", err.text, reasons[j]);
        }
    }

    /* only the second one is worth a warning */

    assert_non_null(strstr(note.text, "key 2:"));

    /* more than there is room for */

    text = "{\"kty\":\"new\"}";

    for (i = 0; i < 20; i++) {
        text = test_format("%s,{\"kty\":\"new\"}", text);
    }

    text = test_format("{\"keys\":[%s]}", text);

    assert_int_equal(k8s_sa_keyset_add_jwks(set, text, strlen(text), &note,
                                            &err), K8S_SA_ERROR);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_string_equal(err.text + strlen(err.text) - 3, "...");
    assert_string_equal(note.text, "");

    k8s_sa_keyset_free(set);
}


static void
numbers_are_strict_base64url(void **state)
{
    size_t  i;

    static const struct {
        const char  *x;
        const char  *reason;     /* NULL: usable */
    } rows[] = {
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-_", "base64url" },
        { "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-8", NULL },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+8", "base64url" },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/8", "base64url" },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-8=", "base64url" },
        { " AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-8", "base64url" },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-w", "octets" }
    };

    (void) state;

    for (i = 0; i < test_nelts(rows); i++) {
        assert_int_equal(jwk_usable(test_format("{\"kty\":\"OKP\",\"crv\":"
                                                "\"Ed25519\",\"x\":\"%s\"}",
                                                rows[i].x),
                                    rows[i].reason ? rows[i].reason : ""),
                         rows[i].reason == NULL);
    }
}


static void
first_note_is_kept(void **state)
{
    char             *text;
    k8s_sa_error_t    err, note;
    k8s_sa_keyset_t  *set;

    (void) state;

    set = k8s_sa_keyset_create();
    text = test_format("{\"keys\":[{\"kty\":\"new\"},{\"kty\":\"oct\"},%s,1]}",
                       test_jwk(rsa, ""));

    assert_int_equal(k8s_sa_keyset_add_jwks(set, text, strlen(text), &note,
                                            &err), K8S_SA_OK);
    assert_int_equal(k8s_sa_keyset_count(set), 1);
    assert_non_null(strstr(note.text, "key 2:"));

    k8s_sa_keyset_free(set);
}


/*
 * Keys with the same numbers, kid and algorithms are one, from any source,
 * unless only one of them has a kid of its own.
 */

static void
same_key_again(void **state)
{
    char             *text;
    size_t            i;
    k8s_sa_keyset_t  *set;

    static const struct {
        const char  *more;
        size_t       count;
    } rows[] = {
        { "",                                       1 },
        { "",                                       1 },
        { ",\"alg\":\"RS256\"",                     2 },
        { ",\"alg\":\"RS256\",\"use\":\"sig\"",     2 },
        { ",\"alg\":\"RS512\"",                     3 },
        { ",\"kid\":\"k\"",                         4 },
        { ",\"kid\":\"k\"",                         4 }
    };

    (void) state;

    set = k8s_sa_keyset_create();

    for (i = 0; i < test_nelts(rows); i++) {
        text = test_jwk(rsa, rows[i].more);
        assert_int_equal(k8s_sa_keyset_add_jwks(set, text, strlen(text), NULL,
                                                NULL), K8S_SA_OK);
        assert_int_equal(k8s_sa_keyset_count(set), rows[i].count);
    }

    text = test_pem(rsa);
    assert_int_equal(k8s_sa_keyset_add_pem(set, text, strlen(text), NULL, NULL,
                                           NULL), K8S_SA_OK);
    assert_int_equal(k8s_sa_keyset_count(set), 5);
    assert_int_equal(k8s_sa_keyset_add_pem(set, text, strlen(text), NULL, NULL,
                                           NULL), K8S_SA_OK);
    assert_int_equal(k8s_sa_keyset_count(set), 5);

    text = test_jwk_named(rsa);
    assert_int_equal(k8s_sa_keyset_add_jwks(set, text, strlen(text), NULL,
                                            NULL), K8S_SA_OK);
    assert_int_equal(k8s_sa_keyset_count(set), 5);

    assert_ptr_equal(k8s_sa_keyset_by_id(set, k8s_sa_key_id(
                                             k8s_sa_keyset_key(set, 3))),
                     k8s_sa_keyset_key(set, 0));

    k8s_sa_keyset_free(set);
}


static void
failed_addition_leaves_nothing(void **state)
{
    char                *text, *p, *jwk;
    size_t               i;
    k8s_sa_str_t         kid, none;
    k8s_sa_error_t       err;
    k8s_sa_keyset_t     *set;
    const k8s_sa_alg_t  *alg;

    (void) state;

    set = test_keyset(rsa);
    alg = k8s_sa_alg_find((unsigned char *) "ES256", 5);

    /* the last of these is one too many */

    jwk = test_jwk(p256, "");
    jwk[strlen(jwk) - 1] = '\0';

    p = text = test_keep(malloc(K8S_SA_KEYS_MAX * (strlen(jwk) + 32)));
    p += sprintf(p, "{\"keys\":[");

    for (i = 0; i < K8S_SA_KEYS_MAX; i++) {
        p += sprintf(p, "%s%s,\"kid\":\"new%zu\"}", i ? "," : "", jwk, i);
    }

    p += sprintf(p, "]}");

    assert_int_equal(k8s_sa_keyset_add_jwks(set, text, p - text, NULL, &err),
                     K8S_SA_ERROR);
    assert_non_null(strstr(err.text, "more than 1000 keys"));
    assert_int_equal(k8s_sa_keyset_count(set), 1);

    kid = test_str("new0");
    memset(&none, 0, sizeof(none));

    assert_int_equal(k8s_sa_keyset_has_kid(set, &kid), 0);
    assert_null(k8s_sa_keyset_find(set, &kid, alg, 1, NULL));
    assert_null(k8s_sa_keyset_find(set, &none, alg, 1, NULL));

    alg = k8s_sa_alg_find((unsigned char *) "RS256", 5);

    assert_ptr_equal(k8s_sa_keyset_find(set, &none, alg, 1, NULL),
                     k8s_sa_keyset_key(set, 0));

    k8s_sa_keyset_free(set);
}


static void
algorithms_that_do_not_fit(void **state)
{
    size_t               i, n, count;
    k8s_sa_key_t        *key;
    unsigned char        sig[TEST_SIG_MAX];
    k8s_sa_keyset_t     *set;
    const k8s_sa_alg_t  *alg;

    (void) state;

    set = k8s_sa_keyset_create();
    assert_int_equal(k8s_sa_keyset_add_jwks(set,
                             test_jwk(rsa, ",\"alg\":\"RS256\""),
                             strlen(test_jwk(rsa, ",\"alg\":\"RS256\"")),
                             NULL, NULL), K8S_SA_OK);
    key = k8s_sa_keyset_key(set, 0);

    alg = k8s_sa_alg_table(&count);

    for (i = 0; i < count; i++) {

        /* valid signatures, with the right length for the key */

        n = test_sign(rsa, alg[i].kty == K8S_SA_KTY_RSA ? alg[i].name
                                                        : "RS256",
                      "data", 4, sig);

        assert_int_equal(k8s_sa_key_verify(key, &alg[i],
                                           (unsigned char *) "data", 4, sig,
                                           n),
                         strcmp(alg[i].name, "RS256") == 0);
    }

    k8s_sa_keyset_free(set);
}


/* OpenSSL's error queue is shared with other code in the process. */

static void
errors_of_other_code(void **state)
{
    size_t               i, n;
    EVP_PKEY            *pkey[3];
    k8s_sa_key_t        *key;
    unsigned char        sig[TEST_SIG_MAX];
    k8s_sa_keyset_t     *set;
    const k8s_sa_alg_t  *alg;

    static const char  *const names[] = { "RS256", "ES256", "EdDSA" };

    (void) state;

    pkey[0] = rsa;
    pkey[1] = p256;
    pkey[2] = test_ed25519();

    for (i = 0; i < test_nelts(names); i++) {
        set = test_keyset(pkey[i]);
        key = k8s_sa_keyset_key(set, 0);
        alg = k8s_sa_alg_find((unsigned char *) names[i], 5);
        n = test_sign(pkey[i], names[i], "data", 4, sig);

        ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);

        assert_int_equal(k8s_sa_key_verify(key, alg,
                                           (unsigned char *) "data", 4, sig,
                                           n), 1);
        assert_int_equal(ERR_peek_error(), 0);

        ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);

        assert_int_equal(k8s_sa_key_verify(key, alg,
                                           (unsigned char *) "dat", 3, sig,
                                           n), 0);
        assert_int_equal(ERR_peek_error(), 0);

        k8s_sa_keyset_free(set);
    }

    EVP_PKEY_free(pkey[2]);
}


static int
setup(void **state)
{
    (void) state;

    rsa = test_rsa(2048);
    p256 = test_ec("P-256");

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(rsa_limits, test_release),
        cmocka_unit_test_teardown(ec_limits, test_release),
        cmocka_unit_test_teardown(members, test_release),
        cmocka_unit_test_teardown(numbers, test_release),
        cmocka_unit_test_teardown(reason_of_each_key, test_release),
        cmocka_unit_test_teardown(numbers_are_strict_base64url, test_release),
        cmocka_unit_test_teardown(first_note_is_kept, test_release),
        cmocka_unit_test_teardown(same_key_again, test_release),
        cmocka_unit_test_teardown(failed_addition_leaves_nothing,
                                  test_release),
        cmocka_unit_test_teardown(algorithms_that_do_not_fit, test_release),
        cmocka_unit_test_teardown(errors_of_other_code, test_release)
    };

    return cmocka_run_group_tests_name("key limits", tests, setup, teardown);
}
