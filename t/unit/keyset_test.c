/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reading PEM as kube-apiserver does, what is refused, and the kid that
 * Kubernetes gives a key.  JWK sets are in jwks_test.c.
 */

#include "k8s_sa_test.h"


static EVP_PKEY  *rsa, *rsa2, *p256, *p384, *p521;


static char *pem_block(const char *label, const unsigned char *der,
    size_t len);
static char *pem_pkcs1_public(EVP_PKEY *pkey);
static char *pem_traditional(EVP_PKEY *pkey, int encrypted);
static char *pem_pkcs8(EVP_PKEY *pkey, int encrypted);
static char *pem_certificate(EVP_PKEY *pkey);
static k8s_sa_keyset_t *pem_set(const char *pem, int private);
static void pem_refused(const char *what, const char *pem);
static void one_key(const char *what, const char *pem, int private,
    EVP_PKEY *pkey, k8s_sa_kty_e type);
static void works(k8s_sa_key_t *key, EVP_PKEY *pkey, const char *alg);


static char *
pem_block(const char *label, const unsigned char *der, size_t len)
{
    BIO  *bio;

    bio = BIO_new(BIO_s_mem());
    assert_non_null(bio);
    assert_true(PEM_write_bio(bio, label, "", der, len) > 0);

    return test_bio_text(bio);
}


static char *
pem_pkcs1_public(EVP_PKEY *pkey)
{
    int             len;
    char           *text;
    unsigned char  *der;

    der = NULL;
    len = i2d_PublicKey(pkey, &der);
    assert_true(len > 0);

    text = pem_block("RSA PUBLIC KEY", der, len);
    OPENSSL_free(der);

    return text;
}


static char *
pem_traditional(EVP_PKEY *pkey, int encrypted)
{
    BIO  *bio;

    bio = BIO_new(BIO_s_mem());
    assert_non_null(bio);
    assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, pkey,
                             encrypted ? EVP_aes_128_cbc() : NULL,
                             (unsigned char *) (encrypted ? "secret" : NULL),
                             encrypted ? 6 : 0, NULL, NULL), 1);

    return test_bio_text(bio);
}


static char *
pem_pkcs8(EVP_PKEY *pkey, int encrypted)
{
    BIO  *bio;

    bio = BIO_new(BIO_s_mem());
    assert_non_null(bio);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey,
                             encrypted ? EVP_aes_128_cbc() : NULL,
                             encrypted ? "secret" : NULL,
                             encrypted ? 6 : 0, NULL, NULL), 1);

    return test_bio_text(bio);
}


static char *
pem_certificate(EVP_PKEY *pkey)
{
    BIO   *bio;
    X509  *cert;

    cert = X509_new();
    assert_non_null(cert);

    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert),
                             "CN", MBSTRING_ASC, (unsigned char *) "test", -1,
                             -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(cert)),
                     1);
    assert_int_equal(X509_set_pubkey(cert, pkey), 1);
    assert_true(X509_sign(cert, pkey, EVP_sha256()) > 0);

    bio = BIO_new(BIO_s_mem());
    assert_non_null(bio);
    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    X509_free(cert);

    return test_bio_text(bio);
}


static k8s_sa_keyset_t *
pem_set(const char *pem, int private)
{
    int               has_private;
    k8s_sa_error_t    err;
    k8s_sa_keyset_t  *set;

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    has_private = 7;

    if (k8s_sa_keyset_add_pem(set, test_copy(pem, strlen(pem)), strlen(pem),
                              &has_private, NULL, &err)
        != K8S_SA_OK)
    {
        fail_msg("%s: %s", err.text, pem);
    }

    assert_int_equal(has_private, private);
    assert_int_equal(ERR_peek_error(), 0);

    return set;
}


/* Refused with a reason, and passed over beside good keys. */

static void
pem_refused(const char *what, const char *pem)
{
    char             *both;
    size_t            n, len;
    k8s_sa_error_t    err, note;
    k8s_sa_keyset_t  *set;

    set = pem_set(test_pem(p256), 0);

    len = strlen(pem);
    memset(&err, 0, sizeof(err));

    if (k8s_sa_keyset_add_pem(set, test_copy(pem, len), len, NULL, NULL, &err)
        != K8S_SA_ERROR)
    {
        fail_msg("%s: not refused", what);
    }

    if (err.text[0] == '\0') {
        fail_msg("%s: refused without a reason", what);
    }

    assert_int_equal(k8s_sa_keyset_count(set), 1);
    assert_int_equal(ERR_peek_error(), 0);

    /* a bad block is passed over beside a good one */

    if (strstr(pem, "-----END")) {
        both = test_format("%s%s%s", test_pem(p384), pem, test_pem(p521));
        n = strlen(both);

        if (k8s_sa_keyset_add_pem(set, test_copy(both, n), n, NULL, &note,
                                  &err)
            != K8S_SA_OK)
        {
            fail_msg("%s: not passed over: %s", what, err.text);
        }

        if (strstr(note.text, "PEM block 2: ") == NULL) {
            fail_msg("%s: note \"%s\"", what, note.text);
        }

        assert_int_equal(k8s_sa_keyset_count(set), 3);
        assert_int_equal(ERR_peek_error(), 0);
    }

    k8s_sa_keyset_free(set);
}


/* Checks that the key verifies what pkey has signed. */

static void
works(k8s_sa_key_t *key, EVP_PKEY *pkey, const char *alg)
{
    size_t               n;
    unsigned char        sig[TEST_SIG_MAX];
    const k8s_sa_alg_t  *a;

    a = k8s_sa_alg_find((unsigned char *) alg, strlen(alg));
    assert_non_null(a);

    n = test_sign(pkey, alg, "some data", 9, sig);

    assert_int_equal(k8s_sa_key_verify(key, a,
                             (unsigned char *) "some data", 9, sig, n), 1);
    assert_int_equal(k8s_sa_key_verify(key, a,
                             (unsigned char *) "some dat!", 9, sig, n), 0);
    assert_int_equal(ERR_peek_error(), 0);
}


static void
one_key(const char *what, const char *pem, int private, EVP_PKEY *pkey,
    k8s_sa_kty_e type)
{
    size_t            n;
    k8s_sa_key_t     *key;
    unsigned char    *id;
    k8s_sa_str_t      kid;
    k8s_sa_keyset_t  *set;

    static const char  *algs[] = { "RS256", "ES256", "ES384", "ES512" };

    set = pem_set(pem, private);

    if (k8s_sa_keyset_count(set) != 1) {
        fail_msg("%s: %d keys", what, (int) k8s_sa_keyset_count(set));
    }

    key = k8s_sa_keyset_key(set, 0);
    assert_non_null(key);

    assert_string_equal(test_text(k8s_sa_key_kid(key)), test_kid(pkey));
    assert_int_equal(k8s_sa_key_type(key), type);
    assert_int_equal(k8s_sa_key_bits(key), EVP_PKEY_get_bits(pkey));

    id = test_unb64(test_kid(pkey), strlen(test_kid(pkey)), &n);
    assert_int_equal(n, K8S_SA_KEY_ID_LEN);
    assert_memory_equal(k8s_sa_key_id(key), id, n);
    assert_ptr_equal(k8s_sa_keyset_by_id(set, id), key);

    id[31] ^= 1;
    assert_null(k8s_sa_keyset_by_id(set, id));

    kid = test_str(test_kid(pkey));
    assert_int_equal(k8s_sa_keyset_has_kid(set, &kid), 1);

    kid.len--;
    assert_int_equal(k8s_sa_keyset_has_kid(set, &kid), 0);

    works(key, pkey, algs[type]);

    k8s_sa_keyset_free(set);
}


static void
every_kind_of_block(void **state)
{
    char  *params;

    static const unsigned char  oid[] = {
        0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07
    };

    (void) state;

    one_key("RSA PKIX", test_pem(rsa), 0, rsa, K8S_SA_KTY_RSA);
    one_key("P-256 PKIX", test_pem(p256), 0, p256, K8S_SA_KTY_P256);
    one_key("P-384 PKIX", test_pem(p384), 0, p384, K8S_SA_KTY_P384);
    one_key("P-521 PKIX", test_pem(p521), 0, p521, K8S_SA_KTY_P521);

    one_key("RSA PUBLIC KEY", pem_pkcs1_public(rsa), 0, rsa, K8S_SA_KTY_RSA);

    one_key("RSA certificate", pem_certificate(rsa), 0, rsa, K8S_SA_KTY_RSA);
    one_key("EC certificate", pem_certificate(p384), 0, p384,
            K8S_SA_KTY_P384);

    one_key("RSA PRIVATE KEY", pem_traditional(rsa, 0), 1, rsa,
            K8S_SA_KTY_RSA);
    one_key("EC PRIVATE KEY", pem_traditional(p521, 0), 1, p521,
            K8S_SA_KTY_P521);
    one_key("RSA PKCS#8", pem_pkcs8(rsa, 0), 1, rsa, K8S_SA_KTY_RSA);
    one_key("EC PKCS#8", pem_pkcs8(p256, 0), 1, p256, K8S_SA_KTY_P256);

    /* as written by "openssl ecparam -genkey" */

    params = pem_block("EC PARAMETERS", oid, sizeof(oid));
    one_key("EC PARAMETERS",
            test_format("%s%s", params, pem_traditional(p256, 0)), 1, p256,
            K8S_SA_KTY_P256);
}


static void
text_around_and_line_ends(void **state)
{
    char  *pem, *crlf, *p, *out;

    (void) state;

    pem = test_pem(rsa);

    one_key("text before", test_format("# the key\nsubject=x\n%s", pem), 0,
            rsa, K8S_SA_KTY_RSA);
    one_key("text after", test_format("%s\nend of file", pem), 0, rsa,
            K8S_SA_KTY_RSA);

    crlf = out = test_keep(malloc(strlen(pem) * 2 + 1));

    for (p = pem; *p; p++) {
        if (*p == '\n') {
            *out++ = '\r';
        }

        *out++ = *p;
    }

    *out = '\0';
    one_key("CRLF", crlf, 0, rsa, K8S_SA_KTY_RSA);

    pem[strlen(pem) - 1] = '\0';
    one_key("no final line end", pem, 0, rsa, K8S_SA_KTY_RSA);
}


static void
several_blocks(void **state)
{
    char             *pem;
    size_t            i;
    k8s_sa_keyset_t  *set;
    EVP_PKEY         *keys[4];

    (void) state;

    keys[0] = rsa;
    keys[1] = p521;
    keys[2] = p256;
    keys[3] = rsa2;

    /* in order; the same key three times is one */

    pem = test_format("%s\n%stext\n%s%s%s%s", pem_pkcs1_public(rsa),
                      pem_certificate(p521), test_pem(rsa), test_pem(p256),
                      pem_certificate(rsa), test_pem(rsa2));

    set = pem_set(pem, 0);
    assert_int_equal(k8s_sa_keyset_count(set), 4);

    for (i = 0; i < 4; i++) {
        assert_string_equal(
            test_text(k8s_sa_key_kid(k8s_sa_keyset_key(set, i))),
            test_kid(keys[i]));
    }

    /* a second file, which repeats a key */

    pem = test_format("%s%s", pem_pkcs8(p384, 0), test_pem(p256));
    assert_int_equal(k8s_sa_keyset_add_pem(set, pem, strlen(pem), NULL, NULL,
                                           NULL), K8S_SA_OK);
    assert_int_equal(k8s_sa_keyset_count(set), 5);

    works(k8s_sa_keyset_key(set, 0), rsa, "RS256");
    works(k8s_sa_keyset_key(set, 3), rsa2, "RS512");
    works(k8s_sa_keyset_key(set, 4), p384, "ES384");

    k8s_sa_keyset_free(set);

    set = pem_set(test_format("%s%s", test_pem(rsa), pem_pkcs8(p256, 0)), 1);
    assert_int_equal(k8s_sa_keyset_count(set), 2);
    k8s_sa_keyset_free(set);
}


static void
weak_and_unsupported(void **state)
{
    size_t     i;
    EVP_PKEY  *pkey;

    static const char  *curves[] = {
        "P-224", "P-192", "secp256k1", "brainpoolP256r1"
    };

    (void) state;

    pkey = test_rsa(1024);
    pem_refused("RSA 1024", test_pem(pkey));
    pem_refused("RSA 1024, PKCS#1", pem_pkcs1_public(pkey));
    pem_refused("RSA 1024, certificate", pem_certificate(pkey));
    pem_refused("RSA 1024, private", pem_pkcs8(pkey, 0));
    EVP_PKEY_free(pkey);

    pkey = test_rsa(2040);
    pem_refused("RSA 2040", test_pem(pkey));
    EVP_PKEY_free(pkey);

    pkey = test_ed25519();
    pem_refused("Ed25519", test_pem(pkey));
    pem_refused("Ed25519, private", pem_pkcs8(pkey, 0));
    EVP_PKEY_free(pkey);

    pkey = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    assert_non_null(pkey);
    pem_refused("X25519", test_pem(pkey));
    EVP_PKEY_free(pkey);

    for (i = 0; i < test_nelts(curves); i++) {
        pkey = test_ec(curves[i]);
        pem_refused(curves[i], test_pem(pkey));
        EVP_PKEY_free(pkey);
    }

    ERR_clear_error();
}


static void
encrypted(void **state)
{
    char  *pem;

    (void) state;

    /* refused without asking for a password */

    pem = pem_pkcs8(rsa, 1);
    assert_non_null(strstr(pem, "ENCRYPTED PRIVATE KEY"));
    pem_refused("encrypted PKCS#8", pem);

    pem = pem_traditional(rsa, 1);
    assert_non_null(strstr(pem, "Proc-Type"));
    pem_refused("encrypted RSA PRIVATE KEY", pem);

    pem = pem_traditional(p256, 1);
    pem_refused("encrypted EC PRIVATE KEY", pem);
}


static void
malformed(void **state)
{
    int             len;
    char           *pem, *p;
    size_t          n;
    unsigned char  *der, *more;

    (void) state;

    pem_refused("nothing", "");
    pem_refused("no PEM", "hello\n");
    pem_refused("a JWKS", "{\"keys\":[]}");

    pem = test_pem(rsa);
    n = strlen(pem);

    pem_refused("cut", test_format("%.*s", (int) n / 2, pem));
    pem_refused("no end line",
                test_format("%.*s", (int) (strstr(pem, "-----END") - pem),
                            pem));
    pem_refused("first line only", "-----BEGIN PUBLIC KEY-----\n");

    p = (char *) test_copy(pem, n + 1);
    p[60] = '*';
    pem_refused("no base64", p);

    p = test_format("%s", pem);
    memcpy(strstr(p, "-----END PUBLIC"), "-----END PUBLIG", 15);
    pem_refused("other end line", p);

    pem_refused("empty block",
                "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n");
    pem_refused("garbage in a block", "-----BEGIN PUBLIC KEY-----\nAAAA\n"
                "-----END PUBLIC KEY-----\n");
    pem_refused("garbage in a certificate", "-----BEGIN CERTIFICATE-----\n"
                "AAAA\n-----END CERTIFICATE-----\n");

    /* DER too short or too long */

    der = NULL;
    len = i2d_PUBKEY(rsa, &der);
    assert_true(len > 0);

    pem = pem_block("PUBLIC KEY", der, len - 1);
    pem_refused("DER cut", pem);

    more = test_keep(calloc(1, len + 1));
    memcpy(more, der, len);
    OPENSSL_free(der);
    pem = pem_block("PUBLIC KEY", more, len + 1);
    pem_refused("bytes after the DER", pem);

    /* a point that is not on its curve: the last byte of y changed */

    der = NULL;
    len = i2d_PUBKEY(p256, &der);
    assert_true(len > 0);
    der[len - 1] ^= 1;
    pem = pem_block("PUBLIC KEY", der, len);
    pem_refused("point not on the curve", pem);
    OPENSSL_free(der);

    ERR_clear_error();
}


static void
compressed_point(void **state)
{
    char              *pem;
    size_t             i;
    k8s_sa_keyset_t   *set;

    /* SubjectPublicKeyInfo of P-256 with a point of 33 bytes: 02 or 03, x */

    unsigned char  der[59] = {
        0x30, 0x39, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
        0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
        0x07, 0x03, 0x22, 0x00
    };

    (void) state;

    /*
     * Go, and thus Kubernetes, does not read compressed points.  If we do, the
     * kid must be that of the uncompressed form.
     */

    i = 0;
    EVP_PKEY_get_octet_string_param(p256, OSSL_PKEY_PARAM_PUB_KEY, NULL, 0,
                                    &i);
    pem = test_keep(malloc(i));
    assert_int_equal(EVP_PKEY_get_octet_string_param(p256,
                             OSSL_PKEY_PARAM_PUB_KEY, (unsigned char *) pem,
                             i, &i), 1);
    assert_int_equal(i, 65);

    der[26] = 0x02 | (pem[64] & 1);
    memcpy(der + 27, pem + 1, 32);

    pem = pem_block("PUBLIC KEY", der, sizeof(der));

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    if (k8s_sa_keyset_add_pem(set, pem, strlen(pem), NULL, NULL, NULL)
        == K8S_SA_OK)
    {
        assert_string_equal(
            test_text(k8s_sa_key_kid(k8s_sa_keyset_key(set, 0))),
            test_kid(p256));
    }

    k8s_sa_keyset_free(set);
}


/* Our kid of a fixture's PEM is the one in the tokens of Kubernetes. */

static void
kid_as_in_kubernetes(void **state)
{
    char             *pem;
    size_t            i, len;
    json_t           *json, *key;
    k8s_sa_keyset_t  *set;

    static const struct {
        const char  *pem;
        const char  *header;
        const char  *jwks;
        size_t       at;
    } files[] = {
        { "1.20.2/sa.pub", "1.20.2/tokens/aud-service2.header.json",
          "1.20.2/jwks.json", 0 },
        { "1.36.2/sa.pub", "1.36.2/tokens/aud-service2.header.json",
          "1.36.2/jwks.json", 0 },
        { "1.36.2/keys/sa.pub", "1.36.2/tokens/legacy-manual.header.json",
          "1.36.2/jwks.json", 0 },
        { "1.36.2/keys/sa-ec.pub",
          "1.36.2/tokens/es256-aud-service2.header.json",
          "1.36.2/jwks.json", 1 }
    };

    (void) state;

    for (i = 0; i < test_nelts(files); i++) {
        pem = test_read(test_format("t/fixtures/%s", files[i].pem), &len);
        set = pem_set(pem, 0);
        assert_int_equal(k8s_sa_keyset_count(set), 1);

        json = json_load_file(test_format("t/fixtures/%s", files[i].header),
                              0, NULL);
        assert_non_null(json);
        assert_string_equal(
            json_string_value(json_object_get(json, "kid")),
            test_text(k8s_sa_key_kid(k8s_sa_keyset_key(set, 0))));
        json_decref(json);

        json = json_load_file(test_format("t/fixtures/%s", files[i].jwks), 0,
                              NULL);
        assert_non_null(json);
        key = json_array_get(json_object_get(json, "keys"), files[i].at);
        assert_string_equal(
            json_string_value(json_object_get(key, "kid")),
            test_text(k8s_sa_key_kid(k8s_sa_keyset_key(set, 0))));
        json_decref(json);

        k8s_sa_keyset_free(set);
    }
}


/* The public keys in the fixtures' certificates. */

static void
fixture_certificates(void **state)
{
    size_t            i;
    k8s_sa_keyset_t  *set;

    static const char  *files[] = {
        "1.20.2/ca.crt", "1.20.2/keys/ca.crt", "1.20.2/keys/apiserver.crt",
        "1.36.2/ca.crt", "1.36.2/keys/ca.crt", "1.36.2/keys/apiserver.crt"
    };

    (void) state;

    for (i = 0; i < test_nelts(files); i++) {
        set = pem_set(test_read(test_format("t/fixtures/%s", files[i]), NULL),
                      0);
        assert_int_equal(k8s_sa_keyset_count(set), 1);
        k8s_sa_keyset_free(set);
    }
}


static void
an_empty_set(void **state)
{
    k8s_sa_str_t      absent = { 0, NULL }, empty = { 0, (void *) "" };
    k8s_sa_keyset_t  *set;

    (void) state;

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    assert_int_equal(k8s_sa_keyset_count(set), 0);
    assert_int_equal(k8s_sa_keyset_has_kid(set, &empty), 0);
    assert_null(k8s_sa_keyset_by_id(set, (unsigned char *)
                                    "0123456789abcdef0123456789abcdef"));
    assert_null(k8s_sa_keyset_find(set, &absent,
                            k8s_sa_alg_find((unsigned char *) "RS256", 5),
                            1, NULL));

    k8s_sa_keyset_free(set);
    k8s_sa_keyset_free(NULL);
}


static int
setup(void **state)
{
    (void) state;

    rsa = test_rsa(2048);
    rsa2 = test_rsa(3072);
    p256 = test_ec("P-256");
    p384 = test_ec("P-384");
    p521 = test_ec("P-521");

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    EVP_PKEY_free(rsa);
    EVP_PKEY_free(rsa2);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(p521);

    return test_release(NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(every_kind_of_block, test_release),
        cmocka_unit_test_teardown(text_around_and_line_ends, test_release),
        cmocka_unit_test_teardown(several_blocks, test_release),
        cmocka_unit_test_teardown(weak_and_unsupported, test_release),
        cmocka_unit_test_teardown(encrypted, test_release),
        cmocka_unit_test_teardown(malformed, test_release),
        cmocka_unit_test_teardown(compressed_point, test_release),
        cmocka_unit_test_teardown(kid_as_in_kubernetes, test_release),
        cmocka_unit_test_teardown(fixture_certificates, test_release),
        cmocka_unit_test_teardown(an_empty_set, test_release)
    };

    return cmocka_run_group_tests_name("keyset", tests, setup, teardown);
}
