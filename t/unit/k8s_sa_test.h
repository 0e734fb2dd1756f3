/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Helpers of the unit tests: files, base64url, keys that are generated in each
 * run (the tree has no secrets), tokens signed with them, and the whole check
 * as the module does it.
 *
 * base64url and kid are computed here without src/token/, so that a fault there
 * cannot hide itself.  Memory given to test_keep() is freed by test_release(),
 * the teardown of every test; keys and sets of a group are freed at its end.
 */

#ifndef K8S_SA_TEST_H
#define K8S_SA_TEST_H


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 /* vasprintf() */
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "token/k8s_sa_base64url.h"
#include "token/k8s_sa_identity.h"
#include "token/k8s_sa_json.h"
#include "token/k8s_sa_keyset.h"
#include "token/k8s_sa_token.h"
#include "token/k8s_sa_verdict.h"


#define TEST_KEPT      65536
#define TEST_SIG_MAX   2048        /* bytes: RSA of 16384 bits */

/* The time at which the tests' own tokens are checked */

#define TEST_NOW       2000000000

#define TEST_ISSUER    "https://kubernetes.default.svc"
#define TEST_AUDIENCE  "service2"
#define TEST_USER      "system:serviceaccount:mytest:service1"

#define test_nelts(a)  (sizeof(a) / sizeof((a)[0]))

/* Sets of verdicts, for tests that accept more than one */

#define V(verdict)     (1u << K8S_SA_##verdict)
#define V_OK           V(VERDICT_OK)


static void    *test_kept[TEST_KEPT];
static size_t   test_nkept;


/* Keeps memory until the end of the test. */

static inline void *
test_keep(void *p)
{
    assert_non_null(p);
    assert_true(test_nkept < TEST_KEPT);

    test_kept[test_nkept++] = p;

    return p;
}


static inline int
test_release(void **state)
{
    (void) state;

    while (test_nkept > 0) {
        free(test_kept[--test_nkept]);
    }

    return 0;
}


/* Copies exactly len bytes, so that ASan reports reads past the end. */

static inline unsigned char *
test_copy(const void *data, size_t len)
{
    unsigned char  *p;

    p = test_keep(malloc(len ? len : 1));

    if (len) {
        memcpy(p, data, len);
    }

    return p;
}


static inline char *test_format(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

static inline char *
test_format(const char *fmt, ...)
{
    int       len;
    char     *text;
    va_list   args;

    va_start(args, fmt);
    len = vasprintf(&text, fmt, args);
    va_end(args);

    assert_true(len >= 0);

    return test_keep(text);
}


static inline k8s_sa_str_t
test_str(const char *text)
{
    k8s_sa_str_t  s;

    s.len = strlen(text);
    s.data = (unsigned char *) text;

    return s;
}


/* Returns a C string; "(absent)" for an absent one. */

static inline const char *
test_text(const k8s_sa_str_t *s)
{
    if (s->data == NULL) {
        return "(absent)";
    }

    return test_format("%.*s", (int) s->len, (char *) s->data);
}


static inline char *
test_read(const char *path, size_t *len)
{
    char    *data;
    FILE    *f;
    size_t   n;

    f = fopen(path, "rb");
    if (f == NULL) {
        fail_msg("cannot open %s (run from the repository's top)", path);
    }

    data = test_keep(calloc(1, K8S_SA_TOKEN_MAX * 64 + 1));
    n = fread(data, 1, K8S_SA_TOKEN_MAX * 64, f);
    fclose(f);

    if (len) {
        *len = n;
    }

    return data;
}


static inline char *
test_b64(const void *data, size_t len)
{
    char                 *out, *p;
    size_t                i;
    uint32_t              v;
    const unsigned char  *d;
    static const char     abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789-_";

    d = data;
    out = p = test_keep(malloc(len / 3 * 4 + 5));

    for (i = 0; i < len; i += 3) {
        v = d[i] << 16;
        v |= (i + 1 < len) ? d[i + 1] << 8 : 0;
        v |= (i + 2 < len) ? d[i + 2] : 0;

        *p++ = abc[v >> 18];
        *p++ = abc[v >> 12 & 63];

        if (i + 1 < len) {
            *p++ = abc[v >> 6 & 63];
        }

        if (i + 2 < len) {
            *p++ = abc[v & 63];
        }
    }

    *p = '\0';

    return out;
}


/* Decodes input that is known to be valid. */

static inline unsigned char *
test_unb64(const char *text, size_t len, size_t *n)
{
    char           *pad;
    size_t          i;
    unsigned char  *out;

    pad = test_keep(malloc(len + 5));

    for (i = 0; i < len; i++) {
        pad[i] = (text[i] == '-') ? '+' : (text[i] == '_') ? '/' : text[i];
    }

    *n = len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0);

    while (i % 4) {
        pad[i++] = '=';
    }

    out = test_keep(malloc(i / 4 * 3 + 1));
    assert_int_equal(EVP_DecodeBlock(out, (unsigned char *) pad, i),
                     (int) (i / 4 * 3));
    out[*n] = '\0';

    return out;
}


/* Keys. */


static inline EVP_PKEY *
test_rsa(unsigned bits)
{
    EVP_PKEY  *pkey;

    pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) bits);
    assert_non_null(pkey);

    return pkey;
}


static inline EVP_PKEY *
test_ec(const char *curve)
{
    EVP_PKEY  *pkey;

    pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);
    assert_non_null(pkey);

    return pkey;
}


static inline EVP_PKEY *
test_ed25519(void)
{
    EVP_PKEY  *pkey;

    pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(pkey);

    return pkey;
}


/* Returns what was written to bio, and frees it. */

static inline char *
test_bio_text(BIO *bio)
{
    char  *data, *text;
    long   len;

    len = BIO_get_mem_data(bio, &data);
    assert_true(len > 0);

    text = test_keep(calloc(1, len + 1));
    memcpy(text, data, len);
    BIO_free(bio);

    return text;
}


static inline char *
test_pem(EVP_PKEY *pkey)
{
    BIO  *bio;

    bio = BIO_new(BIO_s_mem());
    assert_non_null(bio);
    assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);

    return test_bio_text(bio);
}


/* Returns the kid that Kubernetes gives a key. */

static inline char *
test_kid(EVP_PKEY *pkey)
{
    int             len;
    unsigned char  *der, md[SHA256_DIGEST_LENGTH];

    der = NULL;
    len = i2d_PUBKEY(pkey, &der);
    assert_true(len > 0);

    SHA256(der, len, md);
    OPENSSL_free(der);

    return test_b64(md, sizeof(md));
}


/* A number of a key, as in a JWK, of size bytes (0: as few as possible). */

static inline char *
test_jwk_number(EVP_PKEY *pkey, const char *param, int size)
{
    BIGNUM         *bn;
    unsigned char   bytes[TEST_SIG_MAX];

    bn = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(pkey, param, &bn), 1);

    if (size == 0) {
        size = BN_num_bytes(bn);
    }

    assert_int_equal(BN_bn2binpad(bn, bytes, size), size);
    BN_free(bn);

    return test_b64(bytes, size);
}


/* A public JWK; more, e.g. ",\"use\":\"sig\"", precedes the closing brace. */

static inline char *
test_jwk(EVP_PKEY *pkey, const char *more)
{
    int            size;
    size_t         len;
    unsigned char  raw[32];

    switch (EVP_PKEY_get_base_id(pkey)) {

    case EVP_PKEY_RSA:
        return test_format("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}",
                           test_jwk_number(pkey, OSSL_PKEY_PARAM_RSA_N, 0),
                           test_jwk_number(pkey, OSSL_PKEY_PARAM_RSA_E, 0),
                           more);

    case EVP_PKEY_EC:
        size = (EVP_PKEY_get_bits(pkey) + 7) / 8;

        return test_format("{\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\","
                           "\"y\":\"%s\"%s}", EVP_PKEY_get_bits(pkey),
                           test_jwk_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X,
                                           size),
                           test_jwk_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y,
                                           size),
                           more);

    default:
        len = sizeof(raw);
        assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, raw, &len), 1);

        return test_format("{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                           "\"x\":\"%s\"%s}", test_b64(raw, len), more);
    }
}


/* A JWK with the kid that Kubernetes gives it. */

static inline char *
test_jwk_named(EVP_PKEY *pkey)
{
    return test_jwk(pkey, test_format(",\"kid\":\"%s\"", test_kid(pkey)));
}


/* A set with one key, which has the kid that Kubernetes gives it. */

static inline k8s_sa_keyset_t *
test_keyset(EVP_PKEY *pkey)
{
    char             *jwk;
    k8s_sa_error_t    err;
    k8s_sa_keyset_t  *set;

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    jwk = test_jwk_named(pkey);

    if (k8s_sa_keyset_add_jwks(set, jwk, strlen(jwk), NULL, &err)
        != K8S_SA_OK)
    {
        fail_msg("key refused: %s", err.text);
    }

    return set;
}


/* Signatures and tokens. */


static inline const EVP_MD *
test_md(const char *alg)
{
    switch (alg[2]) {
    case '2':
        return EVP_sha256();
    case '3':
        return EVP_sha384();
    default:
        return EVP_sha512();
    }
}


/* Converts DER to R || S of size bytes each. */

static inline void
test_ecdsa_raw(unsigned char *out, const unsigned char *der, size_t len,
    int size)
{
    ECDSA_SIG  *sig;

    sig = d2i_ECDSA_SIG(NULL, &der, len);
    assert_non_null(sig);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, size), size);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + size, size),
                     size);
    ECDSA_SIG_free(sig);
}


/*
 * Signs with the algorithm alg ("RS256", ..., "EdDSA") and any key.  For PSS,
 * salt is the length of the salt: RSA_PSS_SALTLEN_DIGEST in valid signatures.
 * Returns the length of the signature.
 */

static inline size_t
test_sign_salt(EVP_PKEY *pkey, const char *alg, int salt, const void *data,
    size_t len, unsigned char *sig)
{
    int            size;
    size_t         n;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;
    unsigned char  der[TEST_SIG_MAX];

    ctx = EVP_MD_CTX_new();
    assert_non_null(ctx);

    assert_int_equal(EVP_DigestSignInit(ctx, &pctx,
                                        alg[1] == 'd' ? NULL : test_md(alg),
                                        NULL, pkey), 1);

    if (alg[0] == 'P') {
        assert_true(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING)
                    > 0);
        assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt) > 0);
    }

    n = sizeof(der);
    assert_int_equal(EVP_DigestSign(ctx, der, &n, data, len), 1);
    EVP_MD_CTX_free(ctx);

    if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC) {
        size = (EVP_PKEY_get_bits(pkey) + 7) / 8;
        test_ecdsa_raw(sig, der, n, size);
        return 2 * size;
    }

    memcpy(sig, der, n);

    return n;
}


static inline size_t
test_sign(EVP_PKEY *pkey, const char *alg, const void *data, size_t len,
    unsigned char *sig)
{
    return test_sign_salt(pkey, alg, RSA_PSS_SALTLEN_DIGEST, data, len, sig);
}


/* Returns header.payload of any bytes, which need not be JSON. */

static inline char *
test_signed_part(const void *header, size_t hlen, const void *payload,
    size_t plen)
{
    return test_format("%s.%s", test_b64(header, hlen),
                       test_b64(payload, plen));
}


/* Returns a token of any bytes, signed with the algorithm alg. */

static inline char *
test_token_bytes(EVP_PKEY *pkey, const char *alg, const void *header,
    size_t hlen, const void *payload, size_t plen)
{
    char           *part;
    size_t          n;
    unsigned char   sig[TEST_SIG_MAX];

    part = test_signed_part(header, hlen, payload, plen);
    n = test_sign(pkey, alg, part, strlen(part), sig);

    return test_format("%s.%s", part, test_b64(sig, n));
}


static inline char *
test_token(EVP_PKEY *pkey, const char *alg, const char *header,
    const char *payload)
{
    return test_token_bytes(pkey, alg, header, strlen(header), payload,
                            strlen(payload));
}


/* A header as written by Kubernetes. */

static inline char *
test_header(EVP_PKEY *pkey, const char *alg)
{
    return test_format("{\"alg\":\"%s\",\"kid\":\"%s\"}", alg,
                       test_kid(pkey));
}


/* Claims as written by Kubernetes, valid at TEST_NOW */

#define TEST_CLAIMS                                                           \
    "{\"aud\":[\"service2\"],\"exp\":2000000600,\"iat\":1999999000,"          \
    "\"iss\":\"https://kubernetes.default.svc\",\"jti\":\"id-1\","            \
    "\"kubernetes.io\":{\"namespace\":\"mytest\",\"serviceaccount\":"         \
    "{\"name\":\"service1\",\"uid\":\"uid-1\"}},\"nbf\":1999999000,"          \
    "\"sub\":\"system:serviceaccount:mytest:service1\"}"


/* The check. */


/* Returns 1 if there are no control characters but those in allowed. */

static inline int
test_is_clean(const void *data, size_t len, const char *allowed)
{
    size_t                i;
    const unsigned char  *p;

    p = data;

    for (i = 0; i < len; i++) {
        if ((p[i] < 0x20 || p[i] == 0x7f)
            && (p[i] == '\0' || strchr(allowed, p[i]) == NULL))
        {
            return 0;
        }
    }

    return 1;
}


static inline void
test_field_is_clean(k8s_sa_str_t *field, void *data)
{
    k8s_sa_identity_t  *id;

    id = data;

    assert_true(field->data != NULL || field->len == 0);
    assert_true(test_is_clean(field->data, field->len,
                              field == &id->groups ? "\n"
                              : field == &id->extra ? "\t\n" : ""));
}


/* Checks what k8s_sa_identity.h promises about every identity. */

static inline void
test_identity_is_clean(k8s_sa_identity_t *id)
{
    k8s_sa_identity_each(id, test_field_is_clean, id);
}


static inline k8s_sa_policy_t
test_policy(void)
{
    k8s_sa_policy_t             policy;
    static const k8s_sa_str_t   issuer = {
        sizeof(TEST_ISSUER) - 1, (unsigned char *) TEST_ISSUER
    };
    static const k8s_sa_str_t   audience = {
        sizeof(TEST_AUDIENCE) - 1, (unsigned char *) TEST_AUDIENCE
    };

    memset(&policy, 0, sizeof(policy));

    policy.issuers = &issuer;
    policy.n_issuers = 1;
    policy.audiences = &audience;
    policy.n_audiences = 1;
    policy.algorithms = K8S_SA_ALG_DEFAULT;
    policy.kubernetes = 1;
    policy.leeway = 60;

    return policy;
}


/* A working space for tokens, filled with garbage. */

static inline k8s_sa_token_t *
test_space(void)
{
    k8s_sa_token_t  *t;

    t = test_keep(malloc(sizeof(k8s_sa_token_t)));
    memset(t, 0xa5, sizeof(k8s_sa_token_t));
    t->header.len = 0;

    return t;
}


/*
 * The whole check of len bytes, with the steps that k8s_sa_token.h documents.
 * id (may be NULL) is filled as by the check; its strings live until the end of
 * the test.
 */

static inline k8s_sa_verdict_e
test_check_bytes(const void *text, size_t len, const k8s_sa_keyset_t *keys,
    const k8s_sa_policy_t *policy, int64_t now, k8s_sa_identity_t *id)
{
    k8s_sa_error_t      err;
    k8s_sa_token_t     *t;
    k8s_sa_verdict_e    rc;
    k8s_sa_identity_t   own;

    t = test_space();

    if (id == NULL) {
        id = &own;
    }

    memset(id, 0, sizeof(k8s_sa_identity_t));

    rc = k8s_sa_token_parse(t, test_copy(text, len), len);
    if (rc != K8S_SA_VERDICT_OK) {
        return rc;
    }

    rc = k8s_sa_token_verify(t, keys, policy);
    if (rc != K8S_SA_VERDICT_OK) {
        return rc;
    }

    assert_non_null(t->key);

    err.text[0] = '\0';
    rc = k8s_sa_token_claims(t, policy, now, id, &err);

    assert_int_equal(ERR_peek_error(), 0);
    test_identity_is_clean(id);

    /* the reason must not break out of a log line */

    if (rc != K8S_SA_VERDICT_OK) {
        assert_true(err.text[0] != '\0');
        assert_true(memchr(err.text, '\0', K8S_SA_ERROR_LEN) != NULL);
        assert_true(test_is_clean(err.text, strlen(err.text), ""));
    }

    return rc;
}


static inline k8s_sa_verdict_e
test_check(const char *token, const k8s_sa_keyset_t *keys,
    const k8s_sa_policy_t *policy)
{
    return test_check_bytes(token, strlen(token), keys, policy, TEST_NOW,
                            NULL);
}


/* Fails unless the verdict is in the expected set. */

#define test_verdict_in(rc, expected)                                         \
    do {                                                                      \
        k8s_sa_verdict_e  verdict_ = (rc);                                    \
                                                                              \
        if (((expected) & (1u << verdict_)) == 0) {                           \
            fail_msg("verdict \"%s\" is not among the expected %#x",          \
                     k8s_sa_verdict_info(verdict_)->word,                     \
                     (unsigned) (expected));                                  \
        }                                                                     \
    } while (0)

#define test_verdict(rc, expected)  test_verdict_in(rc, V(expected))


#endif /* K8S_SA_TEST_H */
