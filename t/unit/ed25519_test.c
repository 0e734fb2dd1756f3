/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Ed25519: which public keys are points of the curve, and the algorithm's two
 * names.
 */

#include "k8s_sa_test.h"


static EVP_PKEY        *ed;
static k8s_sa_error_t   err;


static int
add(k8s_sa_keyset_t *set, const char *jwk)
{
    return k8s_sa_keyset_add_jwks(set, jwk, strlen(jwk), NULL, &err);
}


/* Returns 1 if the key is usable, 0 if it is refused for this reason. */

static int
usable(const char *jwk, const char *reason)
{
    int               rc;
    k8s_sa_keyset_t  *set;

    set = k8s_sa_keyset_create();
    rc = add(set, jwk);

    assert_int_equal(ERR_peek_error(), 0);
    k8s_sa_keyset_free(set);

    if (rc != K8S_SA_OK && strstr(err.text, reason) == NULL) {
        fail_msg("\"%s\" instead of \"%s\"", err.text, reason);
    }

    return rc == K8S_SA_OK;
}


static char *
jwk_of(const unsigned char *x)
{
    return test_format("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}",
                       test_b64(x, 32));
}


static char *
token(const char *alg)
{
    return test_token(ed, "EdDSA", test_header(ed, alg), TEST_CLAIMS);
}


/*
 * With a public key of small order, R = identity and S = 0 is a signature of
 * many texts, and OpenSSL accepts it.
 */

static void
small_order(void **state)
{
    size_t          i, j;
    unsigned char   x[32];

    static const char  *const weak[] = {
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU",
        "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o",
        "7P_______________________________________38",
        "7f_______________________________________38",
        "7v_______________________________________38"
    };

    (void) state;

    for (i = 0; i < test_nelts(weak); i++) {
        memcpy(x, test_unb64(weak[i], 43, &j), sizeof(x));
        assert_int_equal(j, sizeof(x));

        /* both signs of x */

        for (j = 0; j < 2; j++) {
            assert_false(usable(jwk_of(x), "small order"));
            x[31] ^= 0x80;
        }
    }
}


/* Euler's criterion: 2^255 - 19 is a prime, x^2 a square or not. */

static int
decodes(const unsigned char *key)
{
    int      rc;
    BIGNUM  *p, *d, *u, *v, *w;
    BN_CTX  *ctx;

    ctx = BN_CTX_new();
    p = d = u = v = NULL;

    assert_true(BN_dec2bn(&p, "57896044618658097711785492504343953926634992332"
                          "820282019728792003956564819949") > 0);
    assert_true(BN_dec2bn(&d, "37095705934669439343138083508754565189542113879"
                          "843219016388785533085940283555") > 0);

    u = BN_lebin2bn(key, 32, NULL);
    v = BN_new();
    w = BN_new();

    /* (y^2 - 1) / (d y^2 + 1), to the power of (p - 1) / 2 */

    assert_int_equal(BN_mod_sqr(u, u, p, ctx), 1);
    assert_int_equal(BN_mod_mul(v, u, d, p, ctx), 1);
    assert_int_equal(BN_add_word(v, 1), 1);
    assert_int_equal(BN_sub_word(u, 1), 1);
    assert_non_null(BN_mod_inverse(v, v, p, ctx));
    assert_int_equal(BN_mod_mul(u, u, v, p, ctx), 1);
    assert_non_null(BN_copy(w, p));
    assert_int_equal(BN_rshift1(w, w), 1);
    assert_int_equal(BN_mod_exp(v, u, w, p, ctx), 1);

    rc = BN_is_one(v);

    BN_free(p);
    BN_free(d);
    BN_free(u);
    BN_free(v);
    BN_free(w);
    BN_CTX_free(ctx);

    return rc;
}


/* OpenSSL takes the key, and fails with each signature. */

static void
not_on_the_curve(void **state)
{
    int             on, with_x;
    size_t          i, len;
    EVP_PKEY       *pkey;
    unsigned char   x[32];

    (void) state;

    memset(x, 0xff, sizeof(x));

    /* y from p to 2^255 - 1 is not canonical, with both signs of x */

    for (i = 0xed; i <= 0xff; i++) {
        x[0] = i;
        x[31] = 0x7f;
        assert_false(usable(jwk_of(x), "Ed25519 key is"));
        x[31] = 0xff;
        assert_false(usable(jwk_of(x), "Ed25519 key is"));
    }

    with_x = 0;

    for (i = 2; i < 200; i++) {
        memset(x, 0, sizeof(x));
        x[0] = i;

        on = usable(jwk_of(x), "Ed25519 key is");
        with_x += on;

        assert_int_equal(on, decodes(x));

        x[31] = 0x80;
        assert_int_equal(on, usable(jwk_of(x), "Ed25519 key is"));
    }

    assert_true(with_x >= 70 && with_x <= 130);

    for (i = 0; i < 20; i++) {
        pkey = test_ed25519();
        len = sizeof(x);
        assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, x, &len), 1);
        assert_true(usable(jwk_of(x), "Ed25519 key is"));
        EVP_PKEY_free(pkey);
    }
}


static void
newer_name(void **state)
{
    size_t            i, j;
    k8s_sa_policy_t   policy;
    k8s_sa_keyset_t  *set;

    static const char  *const names[] = { "EdDSA", "Ed25519" };

    (void) state;

    assert_true(usable(test_jwk(ed, ",\"alg\":\"Ed25519\""), ""));
    assert_true(usable(test_jwk(ed, ",\"alg\":\"EdDSA\""), ""));
    assert_false(usable(test_jwk(ed, ",\"alg\":\"Ed448\""), "\"alg\""));

    policy = test_policy();

    for (i = 0; i < test_nelts(names); i++) {
        set = k8s_sa_keyset_create();
        assert_int_equal(add(set, test_jwk(ed, test_format(",\"alg\":\"%s\"",
                                                           names[i]))),
                         K8S_SA_OK);

        for (j = 0; j < test_nelts(names); j++) {
            policy.algorithms = K8S_SA_ALG_EDDSA;
            test_verdict(test_check(token(names[j]), set, &policy),
                         VERDICT_OK);

            policy.algorithms = K8S_SA_ALG_DEFAULT;
            test_verdict(test_check(token(names[j]), set, &policy),
                         BAD_ALGORITHM);
        }

        k8s_sa_keyset_free(set);
    }
}


static int
setup(void **state)
{
    (void) state;

    ed = test_ed25519();

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    EVP_PKEY_free(ed);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(small_order, test_release),
        cmocka_unit_test_teardown(not_on_the_curve, test_release),
        cmocka_unit_test_teardown(newer_name, test_release)
    };

    return cmocka_run_group_tests_name("ed25519", tests, setup, teardown);
}
