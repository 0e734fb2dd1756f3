/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Attacks on a token's shape, its header and the choice of its key.  Where the
 * attack permits, tokens are signed with the right key and have one fault.
 */

#include "k8s_sa_attack.h"

#include <openssl/hmac.h>


static EVP_PKEY  *attacker;


static char *resign(const char *signed_part);
static void header_refused(const char *header, unsigned expected);


/* Signs any text with the RSA key. */

static char *
resign(const char *signed_part)
{
    size_t         n;
    unsigned char  sig[TEST_SIG_MAX];

    n = test_sign(rsa, "RS256", signed_part, strlen(signed_part), sig);

    return test_format("%s.%s", signed_part, test_b64(sig, n));
}


/* The header is the only fault. */

static void
header_refused(const char *header, unsigned expected)
{
    refused(header, test_token(rsa, "RS256", header, TEST_CLAIMS), expected);
}


static void
valid_tokens(void **state)
{
    size_t       i, j;
    const char  *alg;

    (void) state;

    for (i = 0; i < TEST_KEYS; i++) {
        for (j = 0; test_key_algs[i][j]; j++) {
            alg = test_key_algs[i][j];

            /* with and without a kid */

            refused(alg, test_token(test_keys[i], alg,
                                    test_header(test_keys[i], alg),
                                    TEST_CLAIMS), V_OK);
            refused(alg, test_token(test_keys[i], alg,
                                    test_format("{\"alg\":\"%s\"}", alg),
                                    TEST_CLAIMS), V_OK);
        }
    }

    header_refused(test_format("{\"alg\":\"RS256\",\"typ\":\"JWT\","
                               "\"cty\":\"x\",\"x\":{\"alg\":[1]},"
                               "\"kid\":\"%s\"}", test_kid(rsa)), V_OK);
    header_refused(test_format(" {\n \"\\u0061lg\" : \"RS\\u003256\" }"),
                   V_OK);
}


static void
alg_none_in_any_spelling(void **state)
{
    char    *part, *header;
    size_t   i;

    static const char  *names[] = {
        "none", "None", "NONE", "nOnE", "", " none", "none ", "\\tnone",
        "\\u006eone", "null", "0", "no", "plain"
    };

    (void) state;

    for (i = 0; i < test_nelts(names); i++) {

        /* a valid signature, an invalid one, and none */

        header = test_format("{\"alg\":\"%s\",\"kid\":\"%s\"}", names[i],
                             test_kid(rsa));
        header_refused(header, V(BAD_ALGORITHM));

        header = test_format("{\"alg\":\"%s\"}", names[i]);
        header_refused(header, V(BAD_ALGORITHM));

        part = test_signed_part(header, strlen(header), TEST_CLAIMS,
                                strlen(TEST_CLAIMS));
        refused(header, test_format("%s.AA", part), V(BAD_ALGORITHM));
        refused(header, test_format("%s.", part), V(MALFORMED));
        refused(header, part, V(MALFORMED));
    }
}


static void
alg_is_compared_exactly(void **state)
{
    size_t  i;

    static const char  *names[] = {
        "rs256", "Rs256", "RS256 ", " RS256", "RS2566", "RS25", "RS-256",
        "RSA256", "RS256\\n", "RS1", "RSA", "RSA-SHA256", "ES256K", "Ed448",
        "ed25519", "Ed25519 ", "eddsa", "HS256", "HS384", "HS512", "A128KW",
        "dir", "RSA-OAEP", "RS257", "PS1", "ES521", "\xd0\xa0S256"
    };

    (void) state;

    for (i = 0; i < test_nelts(names); i++) {
        header_refused(test_format("{\"alg\":\"%s\",\"kid\":\"%s\"}",
                                   names[i], test_kid(rsa)),
                       V(BAD_ALGORITHM));
    }
}


static void
alg_missing_or_not_a_string(void **state)
{
    header_refused("{}", V(MALFORMED));
    header_refused("{\"typ\":\"JWT\"}", V(MALFORMED));
    header_refused("{\"Alg\":\"RS256\"}", V(MALFORMED));
    header_refused("{\"alg\":null}", V(MALFORMED));
    header_refused("{\"alg\":256}", V(MALFORMED));
    header_refused("{\"alg\":true}", V(MALFORMED));
    header_refused("{\"alg\":[\"RS256\"]}", V(MALFORMED));
    header_refused("{\"alg\":{\"RS256\":1}}", V(MALFORMED));
    header_refused("{\"x\":{\"alg\":\"RS256\"}}", V(MALFORMED));

    (void) state;
}


/* The public key, which everyone has, used as an HMAC secret. */

static void
hmac_with_the_public_key(void **state)
{
    int             der_len;
    char           *part, *header, *pem, *jwk;
    size_t          i, j, n;
    unsigned        len;
    unsigned char  *der, *raw, mac[EVP_MAX_MD_SIZE];

    struct {
        const void  *data;
        size_t       len;
    } secrets[7];

    static const char  *algs[] = { "HS256", "HS384", "HS512" };

    (void) state;

    pem = test_pem(rsa);
    jwk = test_jwk(rsa, "");
    raw = test_unb64(test_jwk_number(rsa, OSSL_PKEY_PARAM_RSA_N, 0), 342, &n);

    secrets[0].data = pem;
    secrets[0].len = strlen(pem);
    secrets[1].data = pem;
    secrets[1].len = strlen(pem) - 1;
    secrets[2].data = jwk;
    secrets[2].len = strlen(jwk);
    secrets[3].data = raw;
    secrets[3].len = n;
    secrets[4].data = "";
    secrets[4].len = 0;

    der = NULL;
    der_len = i2d_PUBKEY(rsa, &der);
    assert_true(der_len > 0);
    secrets[5].data = test_copy(der, der_len);
    secrets[5].len = der_len;
    OPENSSL_free(der);

    der = NULL;
    der_len = i2d_PublicKey(rsa, &der);
    assert_true(der_len > 0);
    secrets[6].data = test_copy(der, der_len);
    secrets[6].len = der_len;
    OPENSSL_free(der);

    for (i = 0; i < test_nelts(algs); i++) {
        for (j = 0; j < test_nelts(secrets); j++) {
            header = test_header(rsa, algs[i]);
            part = test_signed_part(header, strlen(header), TEST_CLAIMS,
                                    strlen(TEST_CLAIMS));
            assert_non_null(HMAC(test_md(algs[i]), secrets[j].data,
                                 secrets[j].len, (unsigned char *) part,
                                 strlen(part), mac, &len));
            refused(header, test_format("%s.%s", part, test_b64(mac, len)),
                    V(BAD_ALGORITHM));

            /* the same with a supported "alg" */

            header = test_header(rsa, "RS256");
            part = test_signed_part(header, strlen(header), TEST_CLAIMS,
                                    strlen(TEST_CLAIMS));
            assert_non_null(HMAC(test_md(algs[i]), secrets[j].data,
                                 secrets[j].len, (unsigned char *) part,
                                 strlen(part), mac, &len));
            refused("HMAC under RS256",
                    test_format("%s.%s", part, test_b64(mac, len)),
                    V(BAD_SIGNATURE));
        }
    }
}


static void
foreign_kid(void **state)
{
    size_t  i;

    static const char  *kids[] = {
        "", " ", "x", "../../../../dev/null", "/dev/null", "' OR 1=1 --",
        "*", "%00", "\xc3\xa4"
    };

    (void) state;

    for (i = 0; i < test_nelts(kids); i++) {
        header_refused(test_format("{\"alg\":\"RS256\",\"kid\":\"%s\"}",
                                   kids[i]), V(UNKNOWN_KEY));
    }

    header_refused(test_format("{\"alg\":\"RS256\",\"kid\":\"%s=\"}",
                               test_kid(rsa)), V(UNKNOWN_KEY));
    header_refused(test_format("{\"alg\":\"RS256\",\"kid\":\"%.42s\"}",
                               test_kid(rsa)), V(UNKNOWN_KEY));
    header_refused(test_format("{\"alg\":\"RS256\",\"kid\":\"%s\"}",
                               test_kid(attacker)), V(UNKNOWN_KEY));
    header_refused(test_format("{\"alg\":\"RS256\",\"kid\":\"%01024d\"}", 0),
                   V(UNKNOWN_KEY));

    /* too long, of the wrong type, unfit for a log line */

    header_refused(test_format("{\"alg\":\"RS256\",\"kid\":\"%01025d\"}", 0),
                   V(MALFORMED)|V(UNKNOWN_KEY));
    header_refused("{\"alg\":\"RS256\",\"kid\":1}", V(MALFORMED));
    refused("kid null, as if absent",
            test_token(rsa, "RS256", "{\"alg\":\"RS256\",\"kid\":null}",
                       TEST_CLAIMS), V_OK);
    header_refused(test_format("{\"alg\":\"RS256\",\"kid\":[\"%s\"]}",
                               test_kid(rsa)), V(MALFORMED));
    header_refused(test_format("{\"alg\":\"RS256\",\"kid\":\"%s\\u0000\"}",
                               test_kid(rsa)), V(MALFORMED));
    header_refused("{\"alg\":\"RS256\",\"kid\":\"a\\r\\nb\"}",
                   V(MALFORMED)|V(UNKNOWN_KEY));
}


static void
key_of_the_attacker(void **state)
{
    char        *jwk, *header, *x;
    size_t       i;
    const char  *members[6];

    (void) state;

    jwk = test_jwk(attacker, "");
    x = test_b64(jwk, strlen(jwk));

    members[0] = test_format("\"jwk\":%s", jwk);
    members[1] = "\"jku\":\"https://attacker.example/jwks\"";
    members[2] = "\"x5u\":\"https://attacker.example/cert\"";
    members[3] = test_format("\"x5c\":[\"%s\"]", x);
    members[4] = test_format("\"x5t\":\"%s\"", x);
    members[5] = test_format("\"x5t#S256\":\"%s\"", x);

    for (i = 0; i < test_nelts(members); i++) {
        header = test_format("{\"alg\":\"RS256\",%s", members[i]);

        /* with our kid, with its own, and without */

        refused(members[i],
                test_token(attacker, "RS256",
                           test_format("%s,\"kid\":\"%s\"}", header,
                                       test_kid(rsa)), TEST_CLAIMS),
                V(BAD_SIGNATURE));
        refused(members[i],
                test_token(attacker, "RS256",
                           test_format("%s,\"kid\":\"%s\"}", header,
                                       test_kid(attacker)), TEST_CLAIMS),
                V(UNKNOWN_KEY));
        refused(members[i],
                test_token(attacker, "RS256", test_format("%s}", header),
                           TEST_CLAIMS), V(BAD_SIGNATURE));

        /* they are ignored: signed with our key, the token is valid */

        header_refused(test_format("%s}", header), V_OK);
    }
}


static void
crit_and_b64(void **state)
{
    size_t  i;

    static const char  *members[] = {
        "\"crit\":[\"exp\"]", "\"crit\":[]", "\"crit\":\"exp\"",
        "\"crit\":null", "\"crit\":{}", "\"crit\":[\"alg\"]",
        "\"crit\":[\"b64\"],\"b64\":true", "\"crit\":[\"b64\"],\"b64\":false",
        "\"b64\":false", "\"b64\":true", "\"b64\":null", "\"cri\\u0074\":[]",
        "\"b\\u00364\":false"
    };

    (void) state;

    for (i = 0; i < test_nelts(members); i++) {
        header_refused(test_format("{\"alg\":\"RS256\",%s}", members[i]),
                       V(MALFORMED));
    }
}


static void
duplicate_members(void **state)
{
    char    *text;
    size_t   i;

    static const char  *headers[] = {
        "{\"alg\":\"RS256\",\"alg\":\"RS256\"}",
        "{\"alg\":\"RS256\",\"alg\":\"none\"}",
        "{\"alg\":\"none\",\"alg\":\"RS256\"}",
        "{\"alg\":\"RS256\",\"\\u0061lg\":\"RS256\"}",
        "{\"alg\":\"RS256\",\"kid\":\"a\",\"kid\":\"b\"}",
        "{\"alg\":\"RS256\",\"x\":{\"y\":1,\"y\":2}}",
        "{\"alg\":\"RS256\",\"x\":[{\"y\":1,\"\\u0079\":2}]}"
    };

    /* after the valid claims, which end in "}" */

    static const char  *claims[] = {
        "\"aud\":\"service2\"", "\"\\u0061ud\":[\"service2\"]",
        "\"exp\":2000000600", "\"e\\u0078p\":1", "\"sub\":\"" TEST_USER "\"",
        "\"iss\":\"" TEST_ISSUER "\"", "\"kubernetes.io\":{}",
        "\"kubernetes\\u002eio\":{}", "\"x\":1,\"x\":1",
        "\"x\":{\"y\":{\"z\":1,\"z\":1}}", "\"x\":[[{\"\":1,\"\":1}]]"
    };

    (void) state;

    for (i = 0; i < test_nelts(headers); i++) {
        header_refused(headers[i], V(MALFORMED));
    }

    for (i = 0; i < test_nelts(claims); i++) {
        text = test_format("%.*s,%s}", (int) strlen(TEST_CLAIMS) - 1,
                           TEST_CLAIMS, claims[i]);
        refused(claims[i], test_token(rsa, "RS256", "{\"alg\":\"RS256\"}",
                                      text), V(MALFORMED));
    }

    /* within "kubernetes.io" */

    text = test_format("%.*s,\"namespace\":\"mytest\"%s",
                       (int) (strstr(TEST_CLAIMS, "},\"nbf\"") - TEST_CLAIMS),
                       TEST_CLAIMS, strstr(TEST_CLAIMS, "},\"nbf\""));
    refused("two namespaces", test_token(rsa, "RS256", "{\"alg\":\"RS256\"}",
                                         text), V(MALFORMED));
}


/* The signature covers the changed text: only the spelling is wrong. */

static void
characters_outside_the_alphabet(void **state)
{
    char    *good, *part, *text, *dot;
    size_t   i, at, n;

    static const char  *pieces[] = {
        "=", "==", "\n", "\r\n", " ", "\t", "+", "/", "%", ",", "~", ":",
        "\x01", "\x7f", "\xc3\xa4", "\xff"
    };

    (void) state;

    good = test_token(rsa, "RS256", test_header(rsa, "RS256"), TEST_CLAIMS);
    refused("unchanged", good, V_OK);

    n = strrchr(good, '.') - good;
    part = test_format("%.*s", (int) n, good);
    dot = strchr(part, '.');

    for (i = 0; i < test_nelts(pieces); i++) {

        for (at = 0; at <= n; at += (at < n && n - at < 7) ? n - at : 7) {
            text = test_format("%.*s%s%s", (int) at, part, pieces[i],
                               part + at);
            refused(pieces[i], resign(text), V(MALFORMED));
        }

        /* at the dots */

        at = dot - part;
        refused(pieces[i], resign(test_format("%.*s%s%s", (int) at, part,
                                              pieces[i], dot)), V(MALFORMED));
        refused(pieces[i], resign(test_format("%.*s.%s%s", (int) at, part,
                                              pieces[i], dot + 1)),
                V(MALFORMED));

        /* within, before and after the signature */

        text = strrchr(good, '.') + 1;
        refused(pieces[i], test_format("%s.%s%s", part, pieces[i], text),
                V(MALFORMED));
        refused(pieces[i], test_format("%s.%s%s", part, text, pieces[i]),
                V(MALFORMED));
        refused(pieces[i], test_format("%s.%.100s%s%s", part, text,
                                       pieces[i], text + 100), V(MALFORMED));

        test_release(NULL);

        good = test_token(rsa, "RS256", test_header(rsa, "RS256"),
                          TEST_CLAIMS);
        part = test_format("%.*s", (int) n, good);
        dot = strchr(part, '.');
    }
}


static void
standard_base64_alphabet(void **state)
{
    char  *claims, *token, *p;

    (void) state;

    /* in one of these "~~~" and "???" are at a multiple of three bytes */

    claims = test_format("%.*s,\"x\":\"~~~~~~~~ ????????\"}",
                         (int) strlen(TEST_CLAIMS) - 1, TEST_CLAIMS);
    token = test_token(rsa, "RS256", test_header(rsa, "RS256"), claims);
    refused("unchanged", token, V_OK);

    *strrchr(token, '.') = '\0';
    p = strchr(token, '.');
    assert_true(strpbrk(p, "-_") != NULL);

    for ( /* void */ ; *p; p++) {
        *p = (*p == '-') ? '+' : (*p == '_') ? '/' : *p;
    }

    refused("base64", resign(token), V(MALFORMED));

    /* and in the signature */

    do {
        token = test_token(p256, "ES256", test_header(p256, "ES256"),
                           TEST_CLAIMS);
        p = strrchr(token, '.');
    } while (strpbrk(p, "-_") == NULL);

    for ( /* void */ ; *p; p++) {
        *p = (*p == '-') ? '+' : (*p == '_') ? '/' : *p;
    }

    refused("base64 in the signature", token, V(MALFORMED));
}


/*
 * All last characters that decode to the same bytes if the unused bits are
 * ignored.  The signature covers the changed text.
 */

static void
stray_bits(void **state)
{
    char         *good, *part, *text, *header, *claims, *abc, *p;
    size_t        i, bits, bit, n, tried[3];

    (void) state;

    abc = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    memset(tried, 0, sizeof(tried));

    for (i = 0; i < 9; i++) {

        /* header and claims with all lengths modulo three */

        header = test_format("{\"alg\":\"RS256\"%.*s}", (int) i % 3, "  ");
        claims = test_format("%s%.*s", TEST_CLAIMS, (int) i / 3, "  ");

        good = test_token(rsa, "RS256", header, claims);
        refused("unchanged", good, V_OK);
        part = test_format("%.*s", (int) (strrchr(good, '.') - good), good);

        /* the header's last character, then the payload's */

        for (n = 0; n < 2; n++) {
            text = test_format("%s", part);
            p = n ? text + strlen(text) - 1 : strchr(text, '.') - 1;
            bits = n ? strlen(strchr(text, '.') + 1) % 4
                     : (size_t) (p + 1 - text) % 4;

            bits = (bits == 2) ? 4 : (bits == 3) ? 2 : 0;

            for (bit = 1; bit < (1u << bits); bit++) {
                text = test_format("%s", part);
                p = n ? text + strlen(text) - 1 : strchr(text, '.') - 1;
                *p = abc[(strchr(abc, *p) - abc) | bit];
                refused("stray bits", resign(text), V(MALFORMED));
                tried[n]++;
            }
        }

        /* the signature's: 256 bytes are 342 characters */

        for (bit = 1; bit < 16; bit++) {
            text = test_format("%s", good);
            p = text + strlen(text) - 1;
            *p = abc[(strchr(abc, *p) - abc) | bit];
            refused("stray bits", text, V(MALFORMED));
            tried[2]++;
        }
    }

    /* three texts of each length modulo three: (0 + 3 + 15) * 3 */

    assert_int_equal(tried[0], 54);
    assert_int_equal(tried[1], 54);
    assert_int_equal(tried[2], 135);
}


static void
other_numbers_of_parts(void **state)
{
    char  *token, *h, *p, *s;

    (void) state;

    token = test_token(rsa, "RS256", test_header(rsa, "RS256"), TEST_CLAIMS);

    h = test_format("%.*s", (int) (strchr(token, '.') - token), token);
    s = strrchr(token, '.') + 1;
    p = test_format("%.*s", (int) (s - 2 - strchr(token, '.')),
                    strchr(token, '.') + 1);

    refused("as it should be", test_format("%s.%s.%s", h, p, s), V_OK);

    refused("nothing", "", V(NO_TOKEN));
    refused("a dot", ".", V(MALFORMED));
    refused("two dots", "..", V(MALFORMED));
    refused("three dots", "...", V(MALFORMED));
    refused("one part", h, V(MALFORMED));
    refused("two parts", test_format("%s.%s", h, p), V(MALFORMED));
    refused("two parts, signed", resign(h), V(MALFORMED));
    refused("no signature", test_format("%s.%s.", h, p), V(MALFORMED));
    refused("no payload", resign(test_format("%s.", h)), V(MALFORMED));
    refused("no header", resign(test_format(".%s", p)), V(MALFORMED));
    refused("signature only", resign("."), V(MALFORMED));
    refused("dot before", test_format(".%s", token), V(MALFORMED));
    refused("dot before, signed", resign(test_format(".%s.%s", h, p)),
            V(MALFORMED));
    refused("trailing dot", test_format("%s.", token), V(MALFORMED));
    refused("four parts", test_format("%s.AAAA", token), V(MALFORMED));
    refused("four parts, signed", resign(test_format("%s.%s.AAAA", h, p)),
            V(MALFORMED));
    refused("four parts, empty one", resign(test_format("%s..%s", h, p)),
            V(MALFORMED));
    refused("five parts", test_format("%s.AAAA.AAAA", token), V(MALFORMED));
    refused("five parts, signed",
            resign(test_format("%s.%s.AAAA.AAAA", h, p)), V(MALFORMED));
    refused("a JWE", "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AAAA."
            "AAAA.AAAA.AAAA", V(MALFORMED)|V(BAD_ALGORITHM));
    refused("two tokens", test_format("%s,%s", token, token), V(MALFORMED));
    refused("the JSON serialization",
            test_format("{\"protected\":\"%s\",\"payload\":\"%s\","
                        "\"signature\":\"%s\"}", h, p, s), V(MALFORMED));
    refused("with its scheme", test_format("Bearer %s", token),
            V(MALFORMED));
    refused("quoted", test_format("\"%s\"", token), V(MALFORMED));
}


static void
header_is_not_an_object(void **state)
{
    header_refused("[]", V(MALFORMED));
    header_refused("[\"alg\",\"RS256\"]", V(MALFORMED));
    header_refused("\"RS256\"", V(MALFORMED));
    header_refused("null", V(MALFORMED));
    header_refused("RS256", V(MALFORMED));
    header_refused("{\"alg\":\"RS256\"", V(MALFORMED));
    header_refused("{\"alg\":\"RS256\"}}", V(MALFORMED));
    header_refused("{\"alg\":\"RS256\"}{}", V(MALFORMED));
    header_refused("\xef\xbb\xbf{\"alg\":\"RS256\"}", V(MALFORMED));
    header_refused("{\"alg\":\"RS256\",\"x\":\"\xff\"}", V(MALFORMED));
    header_refused("{\"alg\":\"RS256\",\"x\":\"\xc0\xaf\"}", V(MALFORMED));
    header_refused("{\"alg\":\"RS256\",\"x\":\"\n\"}", V(MALFORMED));
    header_refused("{\"alg\":\"RS256\",\"x\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"
                   "}", V(MALFORMED));

    (void) state;
}


static int
setup(void **state)
{
    (void) state;

    attacker = test_rsa(2048);

    return attack_setup(test_rsa(2048));
}


static int
teardown(void **state)
{
    EVP_PKEY_free(attacker);

    return attack_teardown(state);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(valid_tokens, test_release),
        cmocka_unit_test_teardown(alg_none_in_any_spelling, test_release),
        cmocka_unit_test_teardown(alg_is_compared_exactly, test_release),
        cmocka_unit_test_teardown(alg_missing_or_not_a_string, test_release),
        cmocka_unit_test_teardown(hmac_with_the_public_key, test_release),
        cmocka_unit_test_teardown(foreign_kid, test_release),
        cmocka_unit_test_teardown(key_of_the_attacker, test_release),
        cmocka_unit_test_teardown(crit_and_b64, test_release),
        cmocka_unit_test_teardown(duplicate_members, test_release),
        cmocka_unit_test_teardown(characters_outside_the_alphabet,
                                  test_release),
        cmocka_unit_test_teardown(standard_base64_alphabet, test_release),
        cmocka_unit_test_teardown(stray_bits, test_release),
        cmocka_unit_test_teardown(other_numbers_of_parts, test_release),
        cmocka_unit_test_teardown(header_is_not_an_object, test_release)
    };

    return cmocka_run_group_tests_name("attack", tests, setup, teardown);
}
