/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The JWS examples of RFC 7515, RFC 7520 and RFC 8037.  The signature of each
 * is verified, and the whole token if its payload is JSON.  Examples with an
 * HMAC are refused, although valid.
 */

#include "k8s_sa_test.h"


#define RFC7515_PAYLOAD                                                       \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9l"            \
    "eGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

#define RFC7520_PAYLOAD                                                       \
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0"            \
    "IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlv"            \
    "dSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcg"            \
    "d2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"

#define RFC7515_A2_N                                                          \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHm"            \
    "fHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"            \
    "YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5"            \
    "z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD"            \
    "Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia"            \
    "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"

#define RFC7520_RSA                                                           \
    "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\","            \
    "\"use\":\"sig\",\"e\":\"AQAB\",\"n\":\""                                 \
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2"            \
    "jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL"            \
    "-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tp"            \
    "e-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzw"            \
    "OHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_"            \
    "qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"                              \
    "\"}"


typedef struct {
    const char  *name;
    const char  *jwk;
    const char  *alg;
    const char  *header;
    const char  *payload;
    const char  *signature;
    unsigned     json;         /* 1: the payload is JSON */
} vector_t;


static k8s_sa_keyset_t *load(const char *jwk);
static void verify_signed_part(const vector_t *v);
static void check_whole(const vector_t *v);


static const vector_t  vectors[] = {

    { "RFC 7515 A.2, RS256",
      "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC7515_A2_N "\"}",
      "RS256", "eyJhbGciOiJSUzI1NiJ9", RFC7515_PAYLOAD,
      "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5R"
      "Zmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQ"
      "jbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQB"
      "MHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqt"
      "FZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq"
      "Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw", 1 },

    { "RFC 7515 A.3, ES256",
      "{\"kty\":\"EC\",\"crv\":\"P-256\","
      "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
      "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
      "ES256", "eyJhbGciOiJFUzI1NiJ9", RFC7515_PAYLOAD,
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8I"
      "SlSApmWQxfKTUJqPP3-Kg6NU1Q", 1 },

    { "RFC 7520 4.1, RS256", RFC7520_RSA, "RS256",
      "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24u"
      "ZXhhbXBsZSJ9",
      RFC7520_PAYLOAD,
      "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoF"
      "mKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-"
      "Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5a"
      "AE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrD"
      "aLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJu"
      "shZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg", 0 },

    { "RFC 7520 4.2, PS384", RFC7520_RSA, "PS384",
      "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24u"
      "ZXhhbXBsZSJ9",
      RFC7520_PAYLOAD,
      "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk"
      "2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMx"
      "bbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRm"
      "BqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8c"
      "BE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0"
      "uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw", 0 },

    { "RFC 7520 4.3, ES512",
      "{\"kty\":\"EC\",\"kid\":\"bilbo.baggins@hobbiton.example\","
      "\"use\":\"sig\",\"crv\":\"P-521\",\"x\":"
      "\"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTK"
      "qjqvjyekWF-7ytDyRXYgCF5cj0Kt\",\"y\":"
      "\"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQ"
      "kAgDPrwQrJmbnX9cwlGfP-HqHZR1\"}", "ES512",
      "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24u"
      "ZXhhbXBsZSJ9",
      RFC7520_PAYLOAD,
      "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9q"
      "vbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0l"
      "w-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2", 0 },

    { "RFC 8037 A.4, EdDSA",
      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
      "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
      "EdDSA", "eyJhbGciOiJFZERTQSJ9",
      "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylG"
      "jg5BhVsPt9g7sVvpAr_MuM0KAg", 0 }
};


static k8s_sa_keyset_t *
load(const char *jwk)
{
    k8s_sa_error_t    err;
    k8s_sa_keyset_t  *set;

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    if (k8s_sa_keyset_add_jwks(set, jwk, strlen(jwk), NULL, &err)
        != K8S_SA_OK)
    {
        fail_msg("%s", err.text);
    }

    return set;
}


static void
verify_signed_part(const vector_t *v)
{
    char                *part;
    size_t               i, n, len;
    unsigned char       *sig;
    k8s_sa_str_t         kid;
    k8s_sa_key_t        *key;
    k8s_sa_keyset_t     *set;
    const k8s_sa_alg_t  *alg;

    set = load(v->jwk);
    alg = k8s_sa_alg_find((unsigned char *) v->alg, strlen(v->alg));
    assert_non_null(alg);

    kid.len = 0;
    kid.data = NULL;
    key = k8s_sa_keyset_find(set, &kid, alg, 1, NULL);
    assert_non_null(key);

    part = test_format("%s.%s", v->header, v->payload);
    len = strlen(part);
    sig = test_unb64(v->signature, strlen(v->signature), &n);

    assert_int_equal(k8s_sa_key_verify(key, alg, (unsigned char *) part, len,
                                       sig, n), 1);

    /* every byte of the signature and of the signed part matters */

    for (i = 0; i < n; i++) {
        sig[i] ^= 1;
        assert_int_equal(k8s_sa_key_verify(key, alg, (unsigned char *) part,
                                           len, sig, n), 0);
        sig[i] ^= 1;
    }

    for (i = 0; i < len; i += 7) {
        part[i] ^= 1;
        assert_int_equal(k8s_sa_key_verify(key, alg, (unsigned char *) part,
                                           len, sig, n), 0);
        part[i] ^= 1;
    }

    assert_int_equal(k8s_sa_key_verify(key, alg, (unsigned char *) part, len,
                                       sig, n), 1);
    assert_int_equal(ERR_peek_error(), 0);

    k8s_sa_keyset_free(set);
}


static void
check_whole(const vector_t *v)
{
    char                *token;
    k8s_sa_token_t      *t;
    k8s_sa_policy_t      policy;
    k8s_sa_keyset_t     *set;
    k8s_sa_identity_t    id;

    token = test_format("%s.%s.%s", v->header, v->payload, v->signature);
    t = test_space();
    set = load(v->jwk);

    policy = test_policy();
    policy.algorithms = ~0u;

    if (!v->json) {
        test_verdict(test_check(token, set, &policy), MALFORMED);
        k8s_sa_keyset_free(set);
        return;
    }

    test_verdict(k8s_sa_token_parse(t, (unsigned char *) token,
                                    strlen(token)), VERDICT_OK);
    assert_string_equal(test_text(&t->iss), "joe");
    assert_string_equal(t->alg->name, v->alg);
    assert_null(t->kid.data);

    test_verdict(k8s_sa_token_verify(t, set, &policy), VERDICT_OK);
    assert_ptr_equal(t->key, k8s_sa_keyset_key(set, 0));

    /* verified, but not a service account's token: no "sub" */

    test_verdict(k8s_sa_token_claims(t, &policy, 1300819380, &id, NULL),
                 BAD_CLAIMS);

    policy.kubernetes = 0;
    test_verdict(k8s_sa_token_claims(t, &policy, 1300819380, &id, NULL),
                 BAD_CLAIMS);

    k8s_sa_keyset_free(set);
}


static void
vector(void **state)
{
    verify_signed_part(*state);
    check_whole(*state);
}


static void
hmac_is_refused(void **state)
{
    size_t             i;
    k8s_sa_policy_t    policy;
    k8s_sa_keyset_t   *set;

    static const char  *tokens[] = {

        /* RFC 7515 A.1 and RFC 7520 4.4 */

        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC7515_PAYLOAD
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",

        "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LW"
        "VlZjMxNGJjNzAzNyJ9." RFC7520_PAYLOAD
        ".s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"
    };

    (void) state;

    set = load(RFC7520_RSA);

    policy = test_policy();
    policy.algorithms = ~0u;

    for (i = 0; i < test_nelts(tokens); i++) {
        test_verdict(test_check(tokens[i], set, &policy), BAD_ALGORITHM);
    }

    k8s_sa_keyset_free(set);
}


/* The keys of the HMAC examples are refused. */

static void
hmac_keys_are_refused(void **state)
{
    size_t            i;
    k8s_sa_keyset_t  *set;

    static const char  *keys[] = {
        "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQ"
        "Lr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
        "{\"kty\":\"oct\",\"kid\":\"018c0ae5-4d9b-471b-bfd6-eef314bc7037\","
        "\"use\":\"sig\",\"alg\":\"HS256\","
        "\"k\":\"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg\"}"
    };

    (void) state;

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    for (i = 0; i < test_nelts(keys); i++) {
        assert_int_equal(k8s_sa_keyset_add_jwks(set, keys[i],
                                                strlen(keys[i]), NULL, NULL),
                         K8S_SA_ERROR);
    }

    assert_int_equal(k8s_sa_keyset_count(set), 0);
    k8s_sa_keyset_free(set);
}


int
main(void)
{
    size_t             i, n;
    struct CMUnitTest  tests[test_nelts(vectors) + 2];

    memset(tests, 0, sizeof(tests));
    n = 0;

    for (i = 0; i < test_nelts(vectors); i++) {
        tests[n].name = vectors[i].name;
        tests[n].test_func = vector;
        tests[n].initial_state = (void *) &vectors[i];
        tests[n++].teardown_func = test_release;
    }

    tests[n].name = "hmac_is_refused";
    tests[n].test_func = hmac_is_refused;
    tests[n++].teardown_func = test_release;

    tests[n].name = "hmac_keys_are_refused";
    tests[n].test_func = hmac_keys_are_refused;
    tests[n++].teardown_func = test_release;

    return cmocka_run_group_tests_name("jws", tests, NULL, NULL);
}
