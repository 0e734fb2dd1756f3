/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * PEM files as kube-apiserver takes them, and the reasons for refusals.
 */

#include "k8s_sa_test.h"

#include "token/k8s_sa_discovery.h"


static EVP_PKEY  *rsa, *p256;


static void
pem_refused(const char *pem, const char *reason)
{
    k8s_sa_error_t    err;
    k8s_sa_keyset_t  *set;

    set = k8s_sa_keyset_create();
    err.text[0] = '\0';

    assert_int_equal(k8s_sa_keyset_add_pem(set, pem, strlen(pem), NULL, NULL,
                                           &err), K8S_SA_ERROR);

    if (strstr(err.text, reason) == NULL) {
        fail_msg("\"%s\" instead of \"%s\"", err.text, reason);
    }

    assert_int_equal(k8s_sa_keyset_count(set), 0);
    assert_int_equal(ERR_peek_error(), 0);

    k8s_sa_keyset_free(set);
}


/* Renames a block. */

static char *
renamed(const char *pem, const char *from, const char *to)
{
    char        *out;
    const char  *p;

    out = "";

    while ((p = strstr(pem, from)) != NULL) {
        out = test_format("%s%.*s%s", out, (int) (p - pem), pem, to);
        pem = p + strlen(from);
    }

    return test_format("%s%s", out, pem);
}


static void
pem_accepted(const char *pem, size_t count)
{
    k8s_sa_error_t    err;
    k8s_sa_keyset_t  *set;

    set = k8s_sa_keyset_create();

    if (k8s_sa_keyset_add_pem(set, test_copy(pem, strlen(pem)), strlen(pem),
                              NULL, NULL, &err)
        != K8S_SA_OK)
    {
        fail_msg("%s:\n%s", err.text, pem);
    }

    assert_int_equal(k8s_sa_keyset_count(set), count);
    assert_int_equal(ERR_peek_error(), 0);

    k8s_sa_keyset_free(set);
}


static void
pem_same_key(const char *pem, EVP_PKEY *pkey)
{
    k8s_sa_error_t    err;
    k8s_sa_keyset_t  *set;

    set = k8s_sa_keyset_create();

    if (k8s_sa_keyset_add_pem(set, pem, strlen(pem), NULL, NULL, &err)
        != K8S_SA_OK)
    {
        fail_msg("%s:\n%s", err.text, pem);
    }

    assert_string_equal(test_text(k8s_sa_key_kid(k8s_sa_keyset_key(set, 0))),
                        test_kid(pkey));

    k8s_sa_keyset_free(set);
}


static X509 *
certificate(EVP_PKEY *pkey)
{
    X509  *cert;

    cert = X509_new();
    assert_non_null(cert);

    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -7200));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), -3600));
    assert_int_equal(X509_set_pubkey(cert, pkey), 1);
    assert_true(X509_sign(cert, pkey, EVP_sha256()) > 0);

    return cert;
}


static char *
test_pem_certificate(EVP_PKEY *pkey)
{
    BIO   *bio;
    X509  *cert;

    cert = certificate(pkey);
    bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    X509_free(cert);

    return test_bio_text(bio);
}


static void
pem_reasons(void **state)
{
    char    *good, *text;
    size_t   i;

    (void) state;

    good = test_pem(rsa);

    pem_refused("", "no PEM block");
    pem_refused("# nothing\n", "no PEM block");
    pem_refused("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
                "no PEM block");
    pem_refused("-----BEGIN DSA PRIVATE KEY-----\nMAA=\n"
                "-----END DSA PRIVATE KEY-----\n", "block 1: malformed");
    pem_refused(renamed(good, "PUBLIC KEY", "ENCRYPTED PRIVATE KEY"),
                "block 1: private key is encrypted");

    text = renamed(good, "PUBLIC KEY", "RSA PRIVATE KEY");
    pem_refused(renamed(text, "-----BEGIN RSA PRIVATE KEY-----\n",
                        "-----BEGIN RSA PRIVATE KEY-----\n"
                        "Proc-Type: 4,ENCRYPTED\n"
                        "DEK-Info: AES-128-CBC,0123456789ABCDEF01234567"
                        "89ABCDEF\n\n"),
                "block 1: private key is encrypted");

    pem_refused(test_format("%s%*s", good, K8S_SA_DOCUMENT_MAX, ""), "over");

    text = test_keep(malloc((K8S_SA_KEYS_MAX + 1) * strlen(good) + 1));

    for (i = 0; i < K8S_SA_KEYS_MAX + 1; i++) {
        strcpy(text + i * strlen(good), good);
    }

    pem_refused(text, "block 1001: more than 1000 blocks");
}


/* A file that is still being written must not replace the keys. */

static void
pem_cut(void **state)
{
    char    *good, *cut;
    size_t   len;

    (void) state;

    good = test_pem(rsa);

    for (len = strlen("-----BEGIN PUBLIC KEY-----"); len < strlen(good) - 2;
         len++)
    {
        cut = test_format("%.*s", (int) len, good);

        pem_refused(cut, "block 1: has no END line");
        pem_refused(test_format("%s%s", good, cut),
                    "block 2: has no END line");
    }
}


/* Go's encoding/pem takes all of these, and k8s keyutil any label. */

static void
pem_as_go_takes_it(void **state)
{
    size_t   i;
    char    *good, *lines, *texts[24];

    (void) state;

    good = test_pem(rsa);
    i = 0;

    texts[i++] = renamed(good, "\n", " \n");
    texts[i++] = renamed(good, "\n", "\t\n");
    texts[i++] = renamed(good, "\n", " \t\r\n");
    texts[i++] = renamed(good, "END PUBLIC KEY-----", "END PUBLIC KEY-----  ");
    texts[i++] = renamed(good, "BEGIN PUBLIC KEY-----",
                         "BEGIN PUBLIC KEY----- \t");
    texts[i++] = renamed(good, "\n", "\n\n");
    texts[i++] = renamed(good, "KEY-----\n", "KEY-----\n\n \n");
    texts[i++] = renamed(good, "-----BEGIN PUBLIC KEY-----\n",
                         "-----BEGIN PUBLIC KEY-----\nComment: x\n\n");
    texts[i++] = renamed(good, "PUBLIC KEY", "RSA PUBLIC KEY");
    texts[i++] = renamed(good, "PUBLIC KEY", "EC PUBLIC KEY");
    texts[i++] = renamed(good, "PUBLIC KEY", "CERTIFICATE");
    texts[i++] = renamed(good, "PUBLIC KEY", "X509 CERTIFICATE");
    texts[i++] = renamed(good, "PUBLIC KEY", "ANYTHING");
    texts[i++] = test_format("text\n%stext", good);

    lines = test_pem_certificate(rsa);
    texts[i++] = lines;
    texts[i++] = renamed(lines, "CERTIFICATE", "PUBLIC KEY");
    texts[i++] = renamed(lines, "CERTIFICATE", "X509 CERTIFICATE");

    while (i--) {
        pem_accepted(texts[i], 1);
    }

    /* beside what is no key, before and after */

    pem_accepted(test_format("-----BEGIN PUBLIC KEY-----\n%s", good), 1);
    pem_accepted(test_format("-----BEGIN X-----\n*\n-----END X-----\n%s",
                             good), 1);
    pem_accepted(test_format("%s-----BEGIN X-----\n-----END Y-----\n", good),
                 1);
    pem_accepted(test_format("%s%s", test_pem(p256), good), 2);
}


/* Forms that other tools write: without the public point, or compressed */

static void
pem_ec_forms(void **state)
{
    BIO       *bio;
    EVP_PKEY  *pkey;

    (void) state;

    pkey = EVP_PKEY_dup(p256);
    assert_non_null(pkey);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(pkey,
                             OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                             OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED),
                     1);
    pem_same_key(test_pem(pkey), p256);
    EVP_PKEY_free(pkey);

    pkey = EVP_PKEY_dup(p256);
    assert_non_null(pkey);
    assert_int_equal(EVP_PKEY_set_int_param(pkey,
                             OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, 0), 1);

    bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL,
                                              NULL), 1);
    pem_same_key(test_bio_text(bio), p256);

    bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL,
                                                          NULL, 0, NULL, NULL),
                     1);
    pem_same_key(test_bio_text(bio), p256);

    EVP_PKEY_free(pkey);
}


static void
pem_ed25519(void **state)
{
    EVP_PKEY  *pkey;

    (void) state;

    pkey = test_ed25519();

    pem_refused(test_pem(pkey), "block 1: unsupported type of key");

    EVP_PKEY_free(pkey);
}


/* RFC 5480 section 2.1.1: named curves only */

static void
pem_explicit_curve(void **state)
{
    EVP_PKEY  *pkey;

    (void) state;

    pkey = EVP_PKEY_dup(p256);
    assert_non_null(pkey);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(pkey,
                             OSSL_PKEY_PARAM_EC_ENCODING,
                             OSSL_PKEY_EC_ENCODING_EXPLICIT), 1);

    pem_refused(test_pem(pkey), "named curve");

    EVP_PKEY_free(pkey);
}


/* A certificate's validity is ignored, but nothing may follow its DER. */

static void
pem_with_trailing_bytes(void **state)
{
    int               len, rc;
    BIO              *bio;
    char             *pem;
    X509             *cert;
    size_t            i;
    unsigned char    *der;
    k8s_sa_keyset_t  *set;

    (void) state;

    cert = certificate(p256);

    for (i = 0; i < 4; i++) {
        der = NULL;

        len = (i & 1) ? i2d_X509(cert, &der) : i2d_PUBKEY(p256, &der);
        assert_true(len > 0);

        if (i & 2) {
            der = OPENSSL_realloc(der, len + 1);
            der[len++] = 0;
        }

        bio = BIO_new(BIO_s_mem());
        assert_true(PEM_write_bio(bio, (i & 1) ? "CERTIFICATE" : "PUBLIC KEY",
                                  "", der, len) > 0);
        OPENSSL_free(der);

        pem = test_bio_text(bio);

        if (i & 2) {
            pem_refused(pem, "malformed");
            continue;
        }

        set = k8s_sa_keyset_create();
        rc = k8s_sa_keyset_add_pem(set, pem, strlen(pem), NULL, NULL, NULL);
        assert_int_equal(rc, K8S_SA_OK);
        k8s_sa_keyset_free(set);
    }

    X509_free(cert);
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
        cmocka_unit_test_teardown(pem_reasons, test_release),
        cmocka_unit_test_teardown(pem_cut, test_release),
        cmocka_unit_test_teardown(pem_as_go_takes_it, test_release),
        cmocka_unit_test_teardown(pem_ec_forms, test_release),
        cmocka_unit_test_teardown(pem_ed25519, test_release),
        cmocka_unit_test_teardown(pem_explicit_curve, test_release),
        cmocka_unit_test_teardown(pem_with_trailing_bytes, test_release)
    };

    return cmocka_run_group_tests_name("pem", tests, setup, teardown);
}
