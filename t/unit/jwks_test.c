/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * JWK sets (RFC 7517): which keys are accepted, which are skipped, and how the
 * key of a token is found.
 */

#include "k8s_sa_test_keys.h"


static const k8s_sa_alg_t *alg(const char *name);
static k8s_sa_keyset_t *load(const char *jwks);
static void passed_over(const char *what, const char *jwk, int noted);
static k8s_sa_key_t *find(const k8s_sa_keyset_t *set, const char *kid,
    const char *name, k8s_sa_key_t *last);
static int verifies(k8s_sa_key_t *key, EVP_PKEY *pkey, const char *name);
static char *rsa_jwk(const char *n, const char *e);
static char *modulus(size_t bytes);


static const k8s_sa_alg_t *
alg(const char *name)
{
    const k8s_sa_alg_t  *a;

    a = k8s_sa_alg_find((unsigned char *) name, strlen(name));
    assert_non_null(a);
    assert_string_equal(a->name, name);

    return a;
}


static k8s_sa_keyset_t *
load(const char *jwks)
{
    k8s_sa_error_t    note, err;
    k8s_sa_keyset_t  *set;

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    if (k8s_sa_keyset_add_jwks(set, test_copy(jwks, strlen(jwks)),
                               strlen(jwks), &note, &err)
        != K8S_SA_OK)
    {
        fail_msg("%s: %s", err.text, jwks);
    }

    assert_int_equal(ERR_peek_error(), 0);

    if (note.text[0] != '\0') {
        fail_msg("note \"%s\" for %s", note.text, jwks);
    }

    return set;
}


/*
 * Alone, the key is an error and the set remains unchanged; with a good key,
 * only the good one is added.  noted: there is a reason.
 */

static void
passed_over(const char *what, const char *jwk, int noted)
{
    char             *jwks;
    k8s_sa_error_t    note, err;
    k8s_sa_keyset_t  *set;

    set = load(test_jwk(rsa, ""));

    err.text[0] = '\0';
    jwks = test_format("{\"keys\":[%s]}", jwk);

    if (k8s_sa_keyset_add_jwks(set, test_copy(jwks, strlen(jwks)),
                               strlen(jwks), NULL, &err)
        != K8S_SA_ERROR)
    {
        fail_msg("%s: accepted", what);
    }

    assert_true(err.text[0] != '\0');
    assert_int_equal(k8s_sa_keyset_count(set), 1);

    jwks = test_format("{\"keys\":[%s,%s]}", jwk, test_jwk(p384, ""));

    if (k8s_sa_keyset_add_jwks(set, test_copy(jwks, strlen(jwks)),
                               strlen(jwks), &note, &err)
        != K8S_SA_OK)
    {
        fail_msg("%s makes the set unusable: %s", what, err.text);
    }

    assert_int_equal(k8s_sa_keyset_count(set), 2);
    assert_int_equal(k8s_sa_key_type(k8s_sa_keyset_key(set, 1)),
                     K8S_SA_KTY_P384);
    assert_int_equal(ERR_peek_error(), 0);

    if ((note.text[0] != '\0') != noted) {
        fail_msg("%s: note \"%s\"", what, note.text);
    }

    k8s_sa_keyset_free(set);
}


static k8s_sa_key_t *
find(const k8s_sa_keyset_t *set, const char *kid, const char *name,
    k8s_sa_key_t *last)
{
    k8s_sa_str_t  s = { 0, NULL };

    if (kid) {
        s = test_str(kid);
    }

    return k8s_sa_keyset_find(set, &s, alg(name), 1, last);
}


static int
verifies(k8s_sa_key_t *key, EVP_PKEY *pkey, const char *name)
{
    int             rc;
    size_t          n;
    unsigned char   sig[TEST_SIG_MAX];

    n = test_sign(pkey, name, "data", 4, sig);
    rc = k8s_sa_key_verify(key, alg(name), (unsigned char *) "data", 4, sig,
                           n);
    assert_int_equal(ERR_peek_error(), 0);

    return rc;
}


static char *
rsa_jwk(const char *n, const char *e)
{
    return test_format("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", n, e);
}


/* Returns an odd number with its highest bit set. */

static char *
modulus(size_t bytes)
{
    size_t          i;
    unsigned char  *n;

    n = test_keep(malloc(bytes));

    for (i = 0; i < bytes; i++) {
        n[i] = i * 37 + 11;
    }

    n[0] = 0xc5;
    n[bytes - 1] |= 1;

    return test_b64(n, bytes);
}


static void
every_kind_of_key(void **state)
{
    char               *jwks;
    size_t              i, j;
    k8s_sa_key_t       *key;
    k8s_sa_keyset_t    *set;
    const char *const  *algs;

    (void) state;

    jwks = test_format("{\"keys\":[%s,%s,%s,%s,%s],\"more\":[1]}",
                       test_jwk(rsa, ""), test_jwk(p256, ""),
                       test_jwk(p384, ""), test_jwk(p521, ""),
                       test_jwk(ed, ""));
    set = load(jwks);
    assert_int_equal(k8s_sa_keyset_count(set), 5);

    for (i = 0; i < 5; i++) {
        key = k8s_sa_keyset_key(set, i);

        assert_int_equal(k8s_sa_key_type(key), K8S_SA_KTY_RSA + i);
        assert_string_equal(test_text(k8s_sa_key_kid(key)),
                            test_kid(test_keys[i]));

        algs = test_key_algs[i];

        for (j = 0; algs[j]; j++) {
            assert_ptr_equal(find(set, NULL, algs[j], NULL), key);
            assert_null(find(set, NULL, algs[j], key));
            assert_int_equal(verifies(key, test_keys[i], algs[j]), 1);

            /* once more, with contexts that have been used */

            assert_int_equal(verifies(key, test_keys[i], algs[j]), 1);
        }
    }

    k8s_sa_keyset_free(set);

    /* a single JWK */

    for (i = 0; i < 5; i++) {
        set = load(test_jwk(test_keys[i], ",\"use\":\"sig\",\"kid\":\"a b\","
                            "\"key_ops\":[\"verify\"],\"x\\u0035t\":\"?\""));
        assert_int_equal(k8s_sa_keyset_count(set), 1);
        assert_non_null(find(set, "a b", test_key_algs[i][0], NULL));
        assert_null(find(set, "a", test_key_algs[i][0], NULL));
        k8s_sa_keyset_free(set);
    }
}


static void
fixtures(void **state)
{
    char             *jwks, *pem;
    size_t            i;
    k8s_sa_keyset_t  *set;

    static const char  *versions[] = { "1.20.2", "1.36.2" };

    (void) state;

    for (i = 0; i < 2; i++) {
        jwks = test_read(test_format("t/fixtures/%s/jwks.json", versions[i]),
                         NULL);
        set = load(jwks);
        assert_int_equal(k8s_sa_keyset_count(set), i + 1);

        /* the same key from PEM is not another one */

        pem = test_read(test_format("t/fixtures/%s/sa.pub", versions[i]),
                        NULL);
        assert_int_equal(k8s_sa_keyset_add_pem(set, pem, strlen(pem), NULL,
                                               NULL, NULL), K8S_SA_OK);
        assert_non_null(k8s_sa_keyset_by_id(set,
                                k8s_sa_key_id(k8s_sa_keyset_key(set, 0))));
        k8s_sa_keyset_free(set);
    }
}


static void
not_for_us(void **state)
{
    size_t     i;
    EVP_PKEY  *key;

    static const char  *members[] = {
        ",\"use\":\"enc\"", ",\"use\":\"tls\"", ",\"use\":\"SIG\"",
        ",\"key_ops\":[\"sign\"]", ",\"key_ops\":[]",
        ",\"key_ops\":[\"encrypt\",\"wrapKey\"]",
        ",\"alg\":\"HS256\"", ",\"alg\":\"none\"", ",\"alg\":\"RSA-OAEP\"",
        ",\"alg\":\"rs256\"", ",\"alg\":\"ES256K\""
    };

    (void) state;

    for (i = 0; i < test_nelts(members); i++) {
        passed_over(members[i], test_jwk(p256, members[i]), 0);
        passed_over(members[i], test_jwk(rsa, members[i]), 0);
    }

    passed_over("other kty", "{\"kty\":\"AKP\",\"pub\":\"AA\"}", 0);
    passed_over("rsa in lower case", "{\"kty\":\"rsa\"}", 0);
    passed_over("Ed448", "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AA\"}",
                0);
    passed_over("X25519", "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":"
                "\"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08\"}", 0);

    key = test_ec("secp256k1");
    passed_over("secp256k1",
                test_format("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":"
                            "\"%s\",\"y\":\"%s\"}",
                            test_jwk_number(key, OSSL_PKEY_PARAM_EC_PUB_X,
                                            32),
                            test_jwk_number(key, OSSL_PKEY_PARAM_EC_PUB_Y,
                                            32)), 0);
    EVP_PKEY_free(key);
}


static void
alg_of_another_type(void **state)
{
    char             *jwks;
    k8s_sa_keyset_t  *set;

    (void) state;

    /* supported, but not for this type of key: the key is never found */

    set = load(test_jwk(p521, ""));

    jwks = test_format("{\"keys\":[%s,%s,%s,%s]}",
                       test_jwk(p256, ",\"alg\":\"ES384\""),
                       test_jwk(p256, ",\"alg\":\"RS256\""),
                       test_jwk(rsa, ",\"alg\":\"ES256\""),
                       test_jwk(rsa, ",\"alg\":\"EdDSA\""));
    (void) k8s_sa_keyset_add_jwks(set, jwks, strlen(jwks), NULL, NULL);

    assert_null(find(set, NULL, "ES256", NULL));
    assert_null(find(set, NULL, "ES384", NULL));
    assert_null(find(set, NULL, "RS256", NULL));
    assert_null(find(set, NULL, "EdDSA", NULL));

    k8s_sa_keyset_free(set);
}


static void
malformed_keys(void **state)
{
    char  *n, *x, *y;

    (void) state;

    n = test_jwk_number(rsa, OSSL_PKEY_PARAM_RSA_N, 0);

    passed_over("n missing", "{\"kty\":\"RSA\",\"e\":\"AQAB\"}", 1);
    passed_over("e missing",
                test_format("{\"kty\":\"RSA\",\"n\":\"%s\"}", n), 1);
    passed_over("n a number", "{\"kty\":\"RSA\",\"n\":5,\"e\":\"AQAB\"}", 1);
    passed_over("n empty", rsa_jwk("", "AQAB"), 1);
    passed_over("e empty", rsa_jwk(n, ""), 1);
    passed_over("n padded", rsa_jwk(test_format("%s==", n), "AQAB"), 1);
    passed_over("n with a space", rsa_jwk(test_format("%s ", n), "AQAB"), 1);
    passed_over("n not base64url", rsa_jwk(test_format("%s*", n), "AQAB"), 1);

    x = test_jwk_number(p256, OSSL_PKEY_PARAM_EC_PUB_X, 32);
    y = test_jwk_number(p256, OSSL_PKEY_PARAM_EC_PUB_Y, 32);

#define ec_jwk(crv, x, y)                                                     \
    test_format("{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}",  \
                crv, x, y)

    passed_over("x and y swapped", ec_jwk("P-256", y, x), 1);
    passed_over("y is x", ec_jwk("P-256", x, x), 1);
    passed_over("another curve", ec_jwk("P-384", x, y), 1);
    passed_over("x empty", ec_jwk("P-256", "", y), 1);
    passed_over("zero", ec_jwk("P-256",
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 1);
    passed_over("over the field", ec_jwk("P-256",
                "__________________________________________8", y), 1);

    /* RFC 7518 section 6.2.1.2: coordinates have their full size */

    passed_over("x with a leading zero", ec_jwk("P-256",
                test_jwk_number(p256, OSSL_PKEY_PARAM_EC_PUB_X, 33), y), 1);
    passed_over("x cut", ec_jwk("P-256", test_format("%.40s", x), y), 1);
    passed_over("y missing",
                test_format("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\"}",
                            x), 1);
    passed_over("crv missing",
                test_format("{\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x,
                            y), 1);

    passed_over("Ed25519 of 31 bytes",
                "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
                "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ\"}", 1);
    passed_over("Ed25519 of 33 bytes",
                "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
                "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURoA\"}", 1);
    passed_over("Ed25519 x missing",
                "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", 1);

    passed_over("kid a number", test_jwk(p256, ",\"kid\":1"), 1);
    passed_over("kid with a line feed", test_jwk(p256, ",\"kid\":\"a\\n\""),
                1);
    passed_over("kid too long",
                test_jwk(p256, test_format(",\"kid\":\"%01025d\"", 0)), 1);
    passed_over("alg a number", test_jwk(p256, ",\"alg\":1"), 1);
    passed_over("use a number", test_jwk(p256, ",\"use\":1"), 1);
    passed_over("key_ops a string",
                test_jwk(p256, ",\"key_ops\":\"verify\""), 1);

    passed_over("private EC", test_jwk(p256, ",\"d\":\"AAAA\""), 1);
    passed_over("private RSA", test_jwk(rsa, ",\"d\":\"AAAA\""), 1);
    passed_over("private Ed25519", test_jwk(ed, ",\"d\":\"AAAA\""), 1);
    passed_over("oct", "{\"kty\":\"oct\",\"k\":\"AAAA\",\"alg\":\"HS256\"}",
                1);
    passed_over("no object", "\"kty\"", 1);
    passed_over("kty missing", "{\"n\":\"AA\"}", 1);
    passed_over("kty a number", "{\"kty\":1}", 1);
}


static void
weak_rsa(void **state)
{
    char             *n, *big;
    size_t            len;
    EVP_PKEY         *small;
    unsigned char    *raw, zeros[300];
    k8s_sa_keyset_t  *set;

    (void) state;

    n = test_jwk_number(rsa, OSSL_PKEY_PARAM_RSA_N, 0);

    /* with an exponent of 1, the padded message is its own signature */

    passed_over("e 1", rsa_jwk(n, "AQ"), 1);
    passed_over("e 0", rsa_jwk(n, "AA"), 1);
    passed_over("e 2", rsa_jwk(n, "Ag"), 1);
    passed_over("e even", rsa_jwk(n, "AQAC"), 1);

    small = test_rsa(1024);
    passed_over("1024 bits", test_jwk(small, ""), 1);

    /* leading zeros do not make a key longer */

    big = test_jwk_number(small, OSSL_PKEY_PARAM_RSA_N, 0);
    raw = test_unb64(big, strlen(big), &len);
    memset(zeros, 0, sizeof(zeros));
    memcpy(zeros + 256 - len, raw, len);
    passed_over("1024 bits in 2048", rsa_jwk(test_b64(zeros, 256), "AQAB"),
                1);
    EVP_PKEY_free(small);

    passed_over("2040 bits", rsa_jwk(modulus(255), "AQAB"), 1);
    passed_over("16392 bits", rsa_jwk(modulus(2049), "AQAB"), 1);

    set = load(rsa_jwk(modulus(256), "AQAB"));
    assert_int_equal(k8s_sa_key_bits(k8s_sa_keyset_key(set, 0)), 2048);
    k8s_sa_keyset_free(set);

    set = load(rsa_jwk(modulus(2048), "AQAB"));
    assert_int_equal(k8s_sa_key_bits(k8s_sa_keyset_key(set, 0)), 16384);
    k8s_sa_keyset_free(set);
}


static void
not_a_set(void **state)
{
    char             *good;
    size_t            i;
    k8s_sa_error_t    err;
    k8s_sa_keyset_t  *set;
    const char       *texts[32];

    (void) state;

    good = test_jwk(p256, "");
    i = 0;

    texts[i++] = "";
    texts[i++] = " ";
    texts[i++] = "null";
    texts[i++] = "[]";
    texts[i++] = "{}";
    texts[i++] = "\"keys\"";
    texts[i++] = "{\"keys\":[]}";
    texts[i++] = "{\"keys\":{}}";
    texts[i++] = "{\"keys\":null}";
    texts[i++] = "{\"keys\":\"\"}";
    texts[i++] = "<html><body>502 Bad Gateway</body></html>";
    texts[i++] = test_format("{\"keys\":%s}", good);
    texts[i++] = test_format("[%s]", good);
    texts[i++] = test_format("{\"keys\":[%s]", good);
    texts[i++] = test_format("{\"keys\":[%s]}}", good);
    texts[i++] = test_format("{\"keys\":[%s]}x", good);
    texts[i++] = test_format("{\"keys\":[],\"keys\":[%s]}", good);
    texts[i++] = test_format("{\"keys\":[%s]}",
                             test_jwk(p256, ",\"kty\":\"RSA\""));
    texts[i++] = test_format("{\"Keys\":[%s]}", good);
    texts[i] = NULL;

    set = load(test_jwk(rsa, ""));

    for (i = 0; texts[i]; i++) {
        err.text[0] = '\0';

        if (k8s_sa_keyset_add_jwks(set, test_copy(texts[i], strlen(texts[i])),
                                   strlen(texts[i]), NULL, &err)
            != K8S_SA_ERROR)
        {
            fail_msg("accepted: %s", texts[i]);
        }

        assert_true(err.text[0] != '\0');
        assert_int_equal(k8s_sa_keyset_count(set), 1);
    }

    k8s_sa_keyset_free(set);
}


static void
alg_binds_the_key(void **state)
{
    k8s_sa_keyset_t  *set;

    (void) state;

    set = load(test_jwk(rsa, ",\"alg\":\"PS256\",\"kid\":\"k\""));

    assert_non_null(find(set, "k", "PS256", NULL));
    assert_null(find(set, "k", "RS256", NULL));
    assert_null(find(set, "k", "PS384", NULL));
    assert_null(find(set, NULL, "RS256", NULL));
    assert_null(find(set, "k", "ES256", NULL));

    k8s_sa_keyset_free(set);
}


/* The limit for external signers: externaljwt/apis/v1, api.proto */

static void
kid_of_1024_characters(void **state)
{
    char             *kid;
    k8s_sa_keyset_t  *set;

    (void) state;

    kid = test_format("%01024d", 0);

    set = load(test_jwk(rsa, test_format(",\"kid\":\"%s\"", kid)));

    assert_non_null(find(set, kid, "RS256", NULL));

    k8s_sa_keyset_free(set);
}


static void
kid_shared_by_keys(void **state)
{
    char             *jwks;
    EVP_PKEY         *other;
    k8s_sa_key_t     *first, *second;
    k8s_sa_keyset_t  *set;

    (void) state;

    other = test_ec("P-256");

    jwks = test_format("{\"keys\":[%s,%s,%s,%s]}",
                       test_jwk(rsa, ",\"kid\":\"same\""),
                       test_jwk(p256, ",\"kid\":\"same\""),
                       test_jwk(other, ",\"kid\":\"same\""),
                       test_jwk(p384, ",\"kid\":\"other\""));
    set = load(jwks);
    assert_int_equal(k8s_sa_keyset_count(set), 4);

    /* in order, and only those that fit */

    first = find(set, "same", "ES256", NULL);
    assert_ptr_equal(first, k8s_sa_keyset_key(set, 1));
    second = find(set, "same", "ES256", first);
    assert_ptr_equal(second, k8s_sa_keyset_key(set, 2));
    assert_null(find(set, "same", "ES256", second));

    assert_int_equal(verifies(second, other, "ES256"), 1);
    assert_int_equal(verifies(first, other, "ES256"), 0);

    assert_ptr_equal(find(set, "same", "RS256", NULL),
                     k8s_sa_keyset_key(set, 0));
    assert_null(find(set, "other", "ES256", NULL));
    assert_null(find(set, "", "ES256", NULL));
    assert_null(find(set, "SAME", "ES256", NULL));

    k8s_sa_keyset_free(set);
    EVP_PKEY_free(other);
}


static void
many_keys(void **state)
{
    char             *jwks, *p, *kid;
    size_t            i, n;
    EVP_PKEY         *pkey;
    k8s_sa_key_t     *key;
    k8s_sa_str_t      s;
    k8s_sa_keyset_t  *set;

    (void) state;

    jwks = p = test_keep(malloc(400 * 300));
    p += sprintf(p, "{\"keys\":[");

    for (i = 0; i < 300; i++) {
        pkey = test_ec("P-256");
        kid = test_format(",\"kid\":\"%d\"", (int) i);
        p += sprintf(p, "%s%s", i ? "," : "", test_jwk(pkey, kid));
        EVP_PKEY_free(pkey);
    }

    sprintf(p, "]}");

    set = load(jwks);
    assert_int_equal(k8s_sa_keyset_count(set), 300);

    for (i = 0; i < 300; i++) {
        key = k8s_sa_keyset_key(set, i);
        s = test_str(test_format("%d", (int) i));

        assert_true(k8s_sa_str_eq(k8s_sa_key_kid(key), &s));
        assert_int_equal(k8s_sa_keyset_has_kid(set, &s), 1);
        assert_ptr_equal(find(set, test_text(&s), "ES256", NULL), key);
        assert_null(find(set, test_text(&s), "ES256", key));
        assert_ptr_equal(k8s_sa_keyset_by_id(set, k8s_sa_key_id(key)), key);
    }

    /* without a kid: the first sixteen, in order */

    key = NULL;

    for (n = 0; (key = find(set, NULL, "ES256", key)) != NULL; n++) {
        assert_ptr_equal(key, k8s_sa_keyset_key(set, n));
    }

    assert_int_equal(n, K8S_SA_KEYS_TRIED);

    k8s_sa_keyset_free(set);
}


static void
too_many_keys(void **state)
{
    char             *jwks, *p;
    size_t            i;
    EVP_PKEY         *pkey;
    k8s_sa_keyset_t  *set;

    (void) state;

    jwks = p = test_keep(malloc((K8S_SA_KEYS_MAX + 1) * 200));
    pkey = test_ec("P-256");
    p += sprintf(p, "{\"keys\":[");

    /* one key with many kids, for speed */

    for (i = 0; i < K8S_SA_KEYS_MAX + 1; i++) {
        p += sprintf(p, "%s%s", i ? "," : "",
                     test_jwk(pkey, test_format(",\"kid\":\"%d\"", (int) i)));
    }

    sprintf(p, "]}");
    EVP_PKEY_free(pkey);

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    /* all or nothing */

    assert_int_equal(k8s_sa_keyset_add_jwks(set, jwks, strlen(jwks), NULL,
                                            NULL), K8S_SA_ERROR);
    assert_int_equal(k8s_sa_keyset_count(set), 0);

    /* unusable keys count, too; one less is accepted */

    p = strstr(jwks, "\"kty\"");
    p[1] = 'K';

    assert_int_equal(k8s_sa_keyset_add_jwks(set, jwks, strlen(jwks), NULL,
                                            NULL), K8S_SA_ERROR);

    p = strchr(p, '}') + 2;
    jwks = test_format("{\"keys\":[%s", p);

    assert_int_equal(k8s_sa_keyset_add_jwks(set, jwks, strlen(jwks), NULL,
                                            NULL), K8S_SA_OK);
    assert_int_equal(k8s_sa_keyset_count(set), K8S_SA_KEYS_MAX);

    k8s_sa_keyset_free(set);
}


static void
signatures_of_wrong_length(void **state)
{
    size_t             i, n;
    unsigned char      sig[TEST_SIG_MAX], more[TEST_SIG_MAX + 1];
    k8s_sa_keyset_t   *set;
    k8s_sa_key_t      *key;

    static const char    *algs[] = {
        "PS384", "ES256", "ES384", "ES512", "EdDSA"
    };
    static const size_t   lengths[] = { 256, 64, 96, 132, 64 };

    (void) state;

    for (i = 0; i < 5; i++) {
        set = load(test_jwk(test_keys[i], ""));
        key = k8s_sa_keyset_key(set, 0);

        n = test_sign(test_keys[i], algs[i], "data", 4, sig);
        assert_int_equal(n, lengths[i]);

        memcpy(more + 1, sig, n);
        more[0] = 0;
        sig[n] = 0;

#define verify(s, len)                                                        \
        k8s_sa_key_verify(key, alg(algs[i]), (unsigned char *) "data", 4,     \
                          test_copy(s, len), len)

        assert_int_equal(verify(sig, n), 1);
        assert_int_equal(verify(sig, n + 1), 0);
        assert_int_equal(verify(more, n + 1), 0);
        assert_int_equal(verify(sig, n - 1), 0);
        assert_int_equal(verify(sig + 1, n - 1), 0);
        assert_int_equal(verify(sig, 0), 0);
        assert_int_equal(verify(sig, 1), 0);

        sig[n / 2] ^= 1;
        assert_int_equal(verify(sig, n), 0);
        memset(sig, 0, n);
        assert_int_equal(verify(sig, n), 0);
        memset(sig, 0xff, n);
        assert_int_equal(verify(sig, n), 0);

        assert_int_equal(ERR_peek_error(), 0);
        k8s_sa_keyset_free(set);
    }
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

    return test_release(NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(every_kind_of_key, test_release),
        cmocka_unit_test_teardown(fixtures, test_release),
        cmocka_unit_test_teardown(not_for_us, test_release),
        cmocka_unit_test_teardown(alg_of_another_type, test_release),
        cmocka_unit_test_teardown(malformed_keys, test_release),
        cmocka_unit_test_teardown(weak_rsa, test_release),
        cmocka_unit_test_teardown(not_a_set, test_release),
        cmocka_unit_test_teardown(alg_binds_the_key, test_release),
        cmocka_unit_test_teardown(kid_of_1024_characters, test_release),
        cmocka_unit_test_teardown(kid_shared_by_keys, test_release),
        cmocka_unit_test_teardown(many_keys, test_release),
        cmocka_unit_test_teardown(too_many_keys, test_release),
        cmocka_unit_test_teardown(signatures_of_wrong_length, test_release)
    };

    return cmocka_run_group_tests_name("jwks", tests, setup, teardown);
}
