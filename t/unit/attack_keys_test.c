/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Attacks with the wrong algorithm, the wrong key or the wrong size, and with
 * bytes that are not text.
 */

#include "k8s_sa_attack.h"


static void claims_refused(const char *what, const void *claims, size_t len,
    unsigned expected);
static void bytes_refused(const char *what, const char *bytes, size_t len,
    unsigned expected);
static char *signed_by(EVP_PKEY *pkey, const char *alg, const char *header);
static char *nested(unsigned depth, const char *open, const char *close);
static char *sized(size_t size);


static void
claims_refused(const char *what, const void *claims, size_t len,
    unsigned expected)
{
    refused(what, test_token_bytes(rsa, "RS256", "{\"alg\":\"RS256\"}", 15,
                                   claims, len), expected);
}


/* Puts the bytes into a member's name, a value, and the user name. */

static void
bytes_refused(const char *what, const char *bytes, size_t len,
    unsigned expected)
{
    char    *text, *p;
    size_t   i, n;

    static const char  *parts[][2] = {
        { ",\"x\":\"", "\"}" },
        { ",\"x\":\"0123456789012345678901234567890", "\"}" },
        { ",\"", "\":1}" },
        { ",\"x\":[{\"", "\":[]}]}" }
    };

    for (i = 0; i < test_nelts(parts); i++) {
        text = p = test_keep(malloc(4096));

        p += sprintf(p, "%.*s%s", (int) strlen(TEST_CLAIMS) - 1, TEST_CLAIMS,
                     parts[i][0]);
        memcpy(p, bytes, len);
        p += len;
        p += sprintf(p, "%s", parts[i][1]);

        claims_refused(what, text, p - text, expected);
    }

    /* in place of the last character of "sub" and of the account's name */

    n = strlen(TEST_CLAIMS);
    text = test_keep(malloc(4096));
    p = strstr(TEST_CLAIMS, "service1\"");
    i = p + 8 - TEST_CLAIMS;

    memcpy(text, TEST_CLAIMS, i);
    memcpy(text + i, bytes, len);
    memcpy(text + i + len, &TEST_CLAIMS[i], n - 2 - i);
    memcpy(text + n - 2 + len, bytes, len);
    memcpy(text + n - 2 + 2 * len, "\"}", 2);

    claims_refused(what, text, n + 2 * len,
                   expected & V_OK ? V(BAD_CLAIMS) : expected);
}


/* A token with another header than the algorithm that signs it. */

static char *
signed_by(EVP_PKEY *pkey, const char *alg, const char *header)
{
    return test_token(pkey, alg, header, TEST_CLAIMS);
}


static void
alg_does_not_fit_the_key(void **state)
{
    /* the kid belongs to a key of another type: no key fits */

    (void) state;

    refused("RS256 with an EC key",
            signed_by(p256, "ES256", test_header(p256, "RS256")),
            V(UNKNOWN_KEY));
    refused("PS256 with an EC key",
            signed_by(p256, "ES256", test_header(p256, "PS256")),
            V(UNKNOWN_KEY));
    refused("ES256 with an RSA key",
            signed_by(rsa, "RS256", test_header(rsa, "ES256")),
            V(UNKNOWN_KEY));
    refused("EdDSA with an EC key",
            signed_by(p256, "ES256", test_header(p256, "EdDSA")),
            V(UNKNOWN_KEY));
    refused("ES256 with an Ed25519 key",
            signed_by(ed, "EdDSA", test_header(ed, "ES256")),
            V(UNKNOWN_KEY));
    refused("RS256 with an Ed25519 key",
            signed_by(ed, "EdDSA", test_header(ed, "RS256")),
            V(UNKNOWN_KEY));

    /* without a kid, all keys of the right type are tried */

    refused("RS256, signed by an EC key",
            signed_by(p256, "ES256", "{\"alg\":\"RS256\"}"),
            V(BAD_SIGNATURE));
    refused("ES256, signed by an RSA key",
            signed_by(rsa, "RS256", "{\"alg\":\"ES256\"}"),
            V(BAD_SIGNATURE));
    refused("EdDSA, signed by a P-256 key",
            signed_by(p256, "ES256", "{\"alg\":\"EdDSA\"}"),
            V(BAD_SIGNATURE));
}


static void
wrong_curve(void **state)
{
    (void) state;

    refused("ES256 with a P-384 key",
            signed_by(p384, "ES256", test_header(p384, "ES256")),
            V(UNKNOWN_KEY));
    refused("ES384 with a P-256 key",
            signed_by(p256, "ES384", test_header(p256, "ES384")),
            V(UNKNOWN_KEY));
    refused("ES512 with a P-256 key",
            signed_by(p256, "ES512", test_header(p256, "ES512")),
            V(UNKNOWN_KEY));
    refused("ES384 with a P-521 key",
            signed_by(p521, "ES384", test_header(p521, "ES384")),
            V(UNKNOWN_KEY));

    refused("ES512, a P-256 signature",
            signed_by(p256, "ES256", test_header(p521, "ES512")),
            V(BAD_SIGNATURE));
    refused("ES256, a P-384 signature",
            signed_by(p384, "ES384", test_header(p256, "ES256")),
            V(BAD_SIGNATURE));
    refused("ES256, a P-521 signature",
            signed_by(p521, "ES512", test_header(p256, "ES256")),
            V(BAD_SIGNATURE));

    /* the right curve with another digest */

    refused("ES256, SHA-512",
            signed_by(p256, "ES512", test_header(p256, "ES256")),
            V(BAD_SIGNATURE));
    refused("ES512, SHA-256",
            signed_by(p521, "ES256", test_header(p521, "ES512")),
            V(BAD_SIGNATURE));
}


static void
rsa_algorithms_are_not_interchangeable(void **state)
{
    size_t  i, j;

    static const char  *algs[] = {
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"
    };

    (void) state;

    for (i = 0; i < test_nelts(algs); i++) {
        for (j = 0; j < test_nelts(algs); j++) {
            refused(test_format("%s under %s", algs[i], algs[j]),
                    signed_by(rsa, algs[i], test_header(rsa, algs[j])),
                    i == j ? V_OK : V(BAD_SIGNATURE));
            refused(test_format("%s under %s without kid", algs[i], algs[j]),
                    signed_by(rsa, algs[i],
                              test_format("{\"alg\":\"%s\"}", algs[j])),
                    i == j ? V_OK : V(BAD_SIGNATURE));
        }
    }
}


static void
alg_not_in_the_policy(void **state)
{
    char                *token;
    size_t               i, n;
    EVP_PKEY            *pkey;
    k8s_sa_policy_t      policy;
    const k8s_sa_alg_t  *table;

    (void) state;

    table = k8s_sa_alg_table(&n);
    assert_int_equal(n, 10);

    for (i = 0; i < n; i++) {
        pkey = test_keys[table[i].kty];
        token = signed_by(pkey, table[i].name,
                          test_header(pkey, table[i].name));

        policy = test_policy();

        policy.algorithms = table[i].bit;
        test_verdict(test_check(token, keys, &policy), VERDICT_OK);

        policy.algorithms = ~table[i].bit;
        test_verdict(test_check(token, keys, &policy), BAD_ALGORITHM);

        policy.algorithms = 0;
        test_verdict(test_check(token, keys, &policy), BAD_ALGORITHM);

        policy.algorithms = K8S_SA_ALG_DEFAULT;
        test_verdict_in(test_check(token, keys, &policy),
                        strstr("RS256 ES256 ES384 ES512", table[i].name)
                        ? V_OK : V(BAD_ALGORITHM));
    }
}


/* The token's "alg" does not override the JWK's own. */

static void
alg_of_the_jwk(void **state)
{
    char             *jwk;
    k8s_sa_keyset_t  *set;

    (void) state;

    set = k8s_sa_keyset_create();
    assert_non_null(set);
    jwk = test_jwk(rsa, ",\"alg\":\"PS256\",\"kid\":\"k\"");
    assert_int_equal(k8s_sa_keyset_add_jwks(set, jwk, strlen(jwk), NULL,
                                            NULL), K8S_SA_OK);

    test_verdict(test_check(signed_by(rsa, "PS256",
                                "{\"alg\":\"PS256\",\"kid\":\"k\"}"), set,
                            &all), VERDICT_OK);
    test_verdict(test_check(signed_by(rsa, "RS256",
                                "{\"alg\":\"RS256\",\"kid\":\"k\"}"), set,
                            &all), UNKNOWN_KEY);
    test_verdict(test_check(signed_by(rsa, "RS256", "{\"alg\":\"RS256\"}"),
                            set, &all), UNKNOWN_KEY);

    k8s_sa_keyset_free(set);
}


/* Once the right key is the last that is tried, once the next one. */

static void
keys_tried_without_kid(void **state)
{
    char             *jwk, *token;
    size_t            i;
    EVP_PKEY         *pkey;
    k8s_sa_keyset_t  *set;

    (void) state;

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    for (i = 1; i < 16; i++) {
        pkey = test_ec("P-256");
        jwk = test_jwk(pkey, "");
        assert_int_equal(k8s_sa_keyset_add_jwks(set, jwk, strlen(jwk), NULL,
                                                NULL), K8S_SA_OK);
        EVP_PKEY_free(pkey);
    }

    /* keys of other types do not count */

    jwk = test_jwk(p384, "");
    assert_int_equal(k8s_sa_keyset_add_jwks(set, jwk, strlen(jwk), NULL,
                                            NULL), K8S_SA_OK);
    jwk = test_jwk(p256, "");
    assert_int_equal(k8s_sa_keyset_add_jwks(set, jwk, strlen(jwk), NULL,
                                            NULL), K8S_SA_OK);

    pkey = test_ec("P-256");
    jwk = test_jwk(pkey, "");
    assert_int_equal(k8s_sa_keyset_add_jwks(set, jwk, strlen(jwk), NULL,
                                            NULL), K8S_SA_OK);

    token = signed_by(p256, "ES256", "{\"alg\":\"ES256\"}");
    test_verdict(test_check(token, set, &all), VERDICT_OK);

    token = signed_by(pkey, "ES256", "{\"alg\":\"ES256\"}");
    test_verdict(test_check(token, set, &all), BAD_SIGNATURE);

    token = signed_by(pkey, "ES256", test_header(pkey, "ES256"));
    test_verdict(test_check(token, set, &all), VERDICT_OK);

    EVP_PKEY_free(pkey);
    k8s_sa_keyset_free(set);
}


/* The number of keys that share a kid does not raise a forgery's cost. */

static void
keys_tried_with_a_shared_kid(void **state)
{
    char             *jwk, *header;
    size_t            i;
    EVP_PKEY         *pkeys[17];
    k8s_sa_keyset_t  *set;

    (void) state;

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    for (i = 0; i < 17; i++) {
        pkeys[i] = test_ec("P-256");
        jwk = test_jwk(pkeys[i], ",\"kid\":\"same\"");
        assert_int_equal(k8s_sa_keyset_add_jwks(set, jwk, strlen(jwk), NULL,
                                                NULL), K8S_SA_OK);
    }

    header = "{\"alg\":\"ES256\",\"kid\":\"same\"}";

    test_verdict(test_check(signed_by(pkeys[15], "ES256", header), set, &all),
                 VERDICT_OK);
    test_verdict(test_check(signed_by(pkeys[16], "ES256", header), set, &all),
                 BAD_SIGNATURE);

    for (i = 0; i < 17; i++) {
        EVP_PKEY_free(pkeys[i]);
    }

    k8s_sa_keyset_free(set);
}


static void
no_keys_at_all(void **state)
{
    k8s_sa_keyset_t  *set;

    (void) state;

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    test_verdict(test_check(signed_by(rsa, "RS256",
                                      test_header(rsa, "RS256")), set, &all),
                 UNKNOWN_KEY);
    test_verdict(test_check(signed_by(rsa, "RS256", "{\"alg\":\"RS256\"}"),
                            set, &all), UNKNOWN_KEY);

    k8s_sa_keyset_free(set);
}


/* The signature covers every character of header and payload. */

static void
one_character_changed(void **state)
{
    char    *good, *text;
    size_t   i, n;

    (void) state;

    good = signed_by(p256, "ES256", test_header(p256, "ES256"));
    refused("unchanged", good, V_OK);
    n = strrchr(good, '.') - good;

    for (i = 0; i < n; i++) {

        if (good[i] == '.') {
            continue;
        }

        text = test_format("%s", good);
        text[i] = (text[i] == 'A') ? 'B' : 'A';

        refused("one character changed", text,
                V(MALFORMED)|V(BAD_ALGORITHM)|V(UNKNOWN_KEY)
                |V(BAD_SIGNATURE));
    }
}


static void
signature_of_another_token(void **state)
{
    char  *a, *b;

    (void) state;

    a = test_token(rsa, "RS256", test_header(rsa, "RS256"), TEST_CLAIMS);
    b = test_token(rsa, "RS256", test_header(rsa, "RS256"), TEST_CLAIMS " ");

    refused("the other signature",
            test_format("%.*s%s", (int) (strrchr(a, '.') - a), a,
                        strrchr(b, '.')), V(BAD_SIGNATURE));
}


static char *
nested(unsigned depth, const char *open, const char *close)
{
    char      *text;
    unsigned   i;

    text = test_format("%.*s,\"x\":", (int) strlen(TEST_CLAIMS) - 1,
                       TEST_CLAIMS);

    for (i = 1; i < depth; i++) {
        text = test_format("%s%s", text, open);
    }

    text = test_format("%s1", text);

    for (i = 1; i < depth; i++) {
        text = test_format("%s%s", text, close);
    }

    return test_format("%s}", text);
}


static void
depth(void **state)
{
    char      *text;
    unsigned   n;

    (void) state;

    for (n = 15; n <= 17; n++) {
        text = nested(n, "[", "]");
        claims_refused("arrays", text, strlen(text),
                       n <= 16 ? V_OK : V(MALFORMED));

        text = nested(n, "{\"x\":", "}");
        claims_refused("objects", text, strlen(text),
                       n <= 16 ? V_OK : V(MALFORMED));
    }

    text = nested(1000, "[", "]");
    claims_refused("a thousand", text, strlen(text), V(MALFORMED));
}


static void
too_many_values(void **state)
{
    char      *text, *p;
    unsigned   i, n;

    (void) state;

    /* TEST_CLAIMS has 14 values, and "x" is another */

    for (n = 1023; n <= 1025; n++) {
        text = p = test_keep(malloc(8192));
        p += sprintf(p, "%.*s,\"x\":[", (int) strlen(TEST_CLAIMS) - 1,
                     TEST_CLAIMS);

        for (i = 15; i < n; i++) {
            p += sprintf(p, "%s1", i > 15 ? "," : "");
        }

        sprintf(p, "]}");

        claims_refused(test_format("%u values", n), text, strlen(text),
                       n <= 1024 ? V_OK : V(MALFORMED));
    }
}


/* A valid token of exactly that many bytes. */

static char *
sized(size_t size)
{
    char    *text, *token;
    size_t   h, p, len;

    /* base64url has no length of 4n + 1, so both parts must vary */

    for (h = 0; h < 3; h++) {
        len = strlen(TEST_CLAIMS);
        p = (size - 400) / 4 * 3 - len - 40;

        for ( /* void */ ; p < size; p++) {
            text = test_format("%.*s,\"x\":\"%0*d\"}", (int) len - 1,
                               TEST_CLAIMS, (int) p, 0);
            token = test_token(p256, "ES256",
                               test_format("{\"alg\":\"ES256\"%.*s}", (int) h,
                                           "  "), text);

            if (strlen(token) == size) {
                return token;
            }

            if (strlen(token) > size) {
                break;
            }
        }

        test_release(NULL);
    }

    fail_msg("no token of %zu bytes", size);

    return NULL;
}


static void
size(void **state)
{
    char            *token;
    unsigned char   *big;

    (void) state;

    refused("one byte less", sized(16383), V_OK);
    refused("the largest size", sized(16384), V_OK);
    refused("one byte more", sized(16385), V(TOO_LARGE));
    refused("much more", sized(50000), V(TOO_LARGE));

    /* a large one is refused without looking at its shape */

    big = test_keep(malloc(1024 * 1024));
    memset(big, '.', 1024 * 1024);
    test_verdict(test_check_bytes(big, 1024 * 1024, keys, &all, TEST_NOW,
                                  NULL), TOO_LARGE);
    test_verdict(test_check_bytes(big, K8S_SA_TOKEN_MAX, keys, &all, TEST_NOW,
                                  NULL), MALFORMED);

    /* a signature or header that takes nearly the whole token */

    token = test_format("eyJhbGciOiJSUzI1NiJ9.e30.%s",
                        test_b64(big, (K8S_SA_TOKEN_MAX - 26) / 4 * 3));
    refused("a large signature", token, V(BAD_SIGNATURE));

    token = test_format("%s.e30.AA",
                        test_b64(big, (K8S_SA_TOKEN_MAX - 8) / 4 * 3));
    refused("a large header", token, V(MALFORMED));
}


static void
bytes_that_are_not_text(void **state)
{
    size_t  i;

    static const struct {
        const char  *what;
        const char  *bytes;
        size_t       len;
        unsigned     expected;
    } list[] = {
        { "U+007F is JSON", "\x7f", 1, V_OK },
        { "U+00E4 is JSON", "\xc3\xa4", 2, V_OK },
        { "\\u0001 is JSON", "\\u0001", 6, V_OK },
        { "NUL", "\0", 1, V(MALFORMED) },
        { "NUL in the middle", "a\0b", 3, V(MALFORMED) },
        { "\\u0000", "\\u0000", 6, V(MALFORMED) },
        { "\\u0000 in the middle", "a\\u0000b", 8, V(MALFORMED) },
        { "LF", "\n", 1, V(MALFORMED) },
        { "CR", "\r", 1, V(MALFORMED) },
        { "tab", "\t", 1, V(MALFORMED) },
        { "ESC", "\x1b", 1, V(MALFORMED) },
        { "overlong '/'", "\xc0\xaf", 2, V(MALFORMED) },
        { "overlong NUL", "\xc0\x80", 2, V(MALFORMED) },
        { "overlong in three", "\xe0\x80\xaf", 3, V(MALFORMED) },
        { "overlong in four", "\xf0\x80\x80\xaf", 4, V(MALFORMED) },
        { "high surrogate", "\xed\xa0\x80", 3, V(MALFORMED) },
        { "low surrogate", "\xed\xbf\xbf", 3, V(MALFORMED) },
        { "escaped surrogate", "\\ud800", 6, V(MALFORMED) },
        { "cut in two", "\xc3", 1, V(MALFORMED) },
        { "cut in three", "\xe2\x82", 2, V(MALFORMED) },
        { "cut in four", "\xf0\x9f\x98", 3, V(MALFORMED) },
        { "continuation", "\x80", 1, V(MALFORMED) },
        { "over U+10FFFF", "\xf4\x90\x80\x80", 4, V(MALFORMED) },
        { "0xfe", "\xfe", 1, V(MALFORMED) },
        { "0xff", "\xff", 1, V(MALFORMED) },
        { "Latin-1", "M\xfcller", 6, V(MALFORMED) }
    };

    (void) state;

    for (i = 0; i < test_nelts(list); i++) {
        bytes_refused(list[i].what, list[i].bytes, list[i].len,
                      list[i].expected);
    }

    claims_refused("trailing NUL", TEST_CLAIMS, sizeof(TEST_CLAIMS),
                   V(MALFORMED));
    claims_refused("NUL before", "\0" TEST_CLAIMS, sizeof(TEST_CLAIMS),
                   V(MALFORMED));
    claims_refused("byte order mark", "\xef\xbb\xbf" TEST_CLAIMS,
                   sizeof(TEST_CLAIMS) + 2, V(MALFORMED));
    claims_refused("an array", "[" TEST_CLAIMS "]", sizeof(TEST_CLAIMS) + 1,
                   V(MALFORMED));
    claims_refused("two objects", TEST_CLAIMS TEST_CLAIMS,
                   2 * (sizeof(TEST_CLAIMS) - 1), V(MALFORMED));
    claims_refused("no JSON", "hello", 5, V(MALFORMED));
    claims_refused("empty object", "{}", 2, V(BAD_CLAIMS));
}


/* One working space is used for token after token, as in the module. */

static void
working_space_is_reused(void **state)
{
    char               *tokens[10], *other, *large;
    size_t              i, j;
    k8s_sa_token_t     *t;
    k8s_sa_verdict_e    rc;
    k8s_sa_identity_t   id;

    static const k8s_sa_verdict_e  expected[] = {
        K8S_SA_VERDICT_OK, K8S_SA_UNKNOWN_KEY, K8S_SA_BAD_SIGNATURE,
        K8S_SA_MALFORMED, K8S_SA_BAD_CLAIMS, K8S_SA_VERDICT_OK,
        K8S_SA_UNKNOWN_KEY, K8S_SA_MALFORMED, K8S_SA_VERDICT_OK,
        K8S_SA_BAD_ALGORITHM
    };

    (void) state;

    tokens[0] = signed_by(rsa, "RS256", test_header(rsa, "RS256"));
    tokens[1] = signed_by(rsa, "RS256", test_header(p256, "RS256"));
    tokens[2] = signed_by(p256, "ES384", "{\"alg\":\"ES256\"}");
    tokens[3] = signed_by(rsa, "RS256", "{\"alg\":\"RS256\",\"b64\":true}");
    tokens[4] = test_token(rsa, "RS256", "{\"alg\":\"RS256\"}", "{}");
    tokens[5] = signed_by(p256, "ES256", "{\"alg\":\"ES256\"}");

    /* headers as long as the first one, and one that is too long to keep */

    other = test_format("%s", test_header(rsa, "RS256"));
    other[strlen(other) - 3] ^= 1;
    tokens[6] = signed_by(rsa, "RS256", other);

    tokens[7] = test_format("%s", tokens[0]);
    tokens[7][3] = '!';

    large = test_format("{\"alg\":\"RS256\",\"kid\":\"%s\",\"x\":\"%0400d\"}",
                        test_kid(rsa), 0);
    tokens[8] = signed_by(rsa, "RS256", large);
    tokens[9] = signed_by(rsa, "RS256", "{\"alg\":\"RS255\"}");

    t = test_space();

    /* every token after every other one */

    for (i = 0; i < 200; i++) {
        j = (i % 2) ? i / 2 % 10 : i / 20;

        rc = k8s_sa_token_parse(t, (unsigned char *) tokens[j],
                                strlen(tokens[j]));

        if (rc == K8S_SA_VERDICT_OK) {
            rc = k8s_sa_token_verify(t, keys, &all);

            /* the key is this token's, not the previous one's */

            assert_true((t->key != NULL) == (rc == K8S_SA_VERDICT_OK));
        }

        if (rc == K8S_SA_VERDICT_OK) {
            rc = k8s_sa_token_claims(t, &all, TEST_NOW, &id, NULL);
        }

        assert_int_equal(rc, expected[j]);

        if (rc == K8S_SA_VERDICT_OK) {
            assert_string_equal(test_text(&id.kid),
                                test_kid(j == 5 ? p256 : rsa));
        }
    }
}


static int
setup(void **state)
{
    (void) state;

    return attack_setup(test_rsa(2048));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(alg_does_not_fit_the_key, test_release),
        cmocka_unit_test_teardown(wrong_curve, test_release),
        cmocka_unit_test_teardown(rsa_algorithms_are_not_interchangeable,
                                  test_release),
        cmocka_unit_test_teardown(alg_not_in_the_policy, test_release),
        cmocka_unit_test_teardown(alg_of_the_jwk, test_release),
        cmocka_unit_test_teardown(keys_tried_without_kid, test_release),
        cmocka_unit_test_teardown(keys_tried_with_a_shared_kid, test_release),
        cmocka_unit_test_teardown(no_keys_at_all, test_release),
        cmocka_unit_test_teardown(one_character_changed, test_release),
        cmocka_unit_test_teardown(signature_of_another_token, test_release),
        cmocka_unit_test_teardown(depth, test_release),
        cmocka_unit_test_teardown(too_many_values, test_release),
        cmocka_unit_test_teardown(size, test_release),
        cmocka_unit_test_teardown(bytes_that_are_not_text, test_release),
        cmocka_unit_test_teardown(working_space_is_reused, test_release)
    };

    return cmocka_run_group_tests_name("attack_keys", tests, setup,
                                       attack_teardown);
}
