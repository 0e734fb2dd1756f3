/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Forged and malformed signatures.  RSA paddings are made by hand and signed
 * with the raw private key: with small exponents, an attacker without the key
 * could forge whatever the verifier accepts here (Bleichenbacher 2006).
 */

#include "k8s_sa_attack.h"


#define EM  256       /* bytes of an encoded message, RSA-2048 */


static char           *part;            /* header.payload for RS256 */
static unsigned char   digest[32];      /* its SHA-256 */


static k8s_sa_verdict_e check(const char *signed_part,
    const unsigned char *sig, size_t len);
static void raw_rsa(const unsigned char *em, unsigned char *sig);
static void forged(const char *what, const unsigned char *em,
    unsigned expected);
static void encode(const char *what, size_t ff, const void *prefix,
    size_t prefix_len, const void *hash, size_t hash_len, unsigned expected);
static char *part_for(EVP_PKEY *pkey, const char *alg, unsigned n);
static void number(EVP_PKEY *pkey, const char *param, unsigned char *out,
    size_t len);
static int add(unsigned char *a, const unsigned char *b, size_t len);
static void order(EVP_PKEY *pkey, unsigned char *out, size_t len);


static const char  *const ecdsa_algs[] = { "ES256", "ES384", "ES512" };

static EVP_PKEY         **ecdsa_keys = &test_keys[K8S_SA_KTY_P256];


/* DigestInfo up to the hash: RFC 8017 section 9.2, note 1 */

static const unsigned char  sha256_info[] = {
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
    0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20
};


static k8s_sa_verdict_e
check(const char *signed_part, const unsigned char *sig, size_t len)
{
    return test_check(test_format("%s.%s", signed_part, test_b64(sig, len)),
                      keys, &all);
}


static void
raw_rsa(const unsigned char *em, unsigned char *sig)
{
    size_t         len;
    EVP_PKEY_CTX  *ctx;

    ctx = EVP_PKEY_CTX_new(rsa, NULL);
    assert_non_null(ctx);
    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) > 0);

    len = EM;
    assert_int_equal(EVP_PKEY_sign(ctx, sig, &len, em, EM), 1);
    assert_int_equal(len, EM);

    EVP_PKEY_CTX_free(ctx);
}


static void
forged(const char *what, const unsigned char *em, unsigned expected)
{
    unsigned char     sig[EM];
    k8s_sa_verdict_e  rc;

    raw_rsa(em, sig);
    rc = check(part, sig, EM);

    if ((expected & (1u << rc)) == 0) {
        fail_msg("%s: %s", what, k8s_sa_verdict_info(rc)->word);
    }
}


/*
 * Encodes 00 01 ff ... ff 00 prefix hash, with ff bytes of 0xff, or if ff is 0
 * as many as fit; the rest is filled with 0xaa.
 */

static void
encode(const char *what, size_t ff, const void *prefix, size_t prefix_len,
    const void *hash, size_t hash_len, unsigned expected)
{
    unsigned char  em[EM];

    if (ff == 0) {
        ff = EM - 3 - prefix_len - hash_len;
    }

    assert_true(3 + ff + prefix_len + hash_len <= EM);

    memset(em, 0xaa, EM);
    em[0] = 0;
    em[1] = 1;
    memset(em + 2, 0xff, ff);
    em[2 + ff] = 0;
    memcpy(em + 3 + ff, prefix, prefix_len);
    memcpy(em + 3 + ff + prefix_len, hash, hash_len);

    forged(what, em, expected);
}


static void
pkcs1_digest_info(void **state)
{
    unsigned char  hash[64], other[128], info[EM];

    /* without NULL; with other parameters; other OIDs; BER instead of DER */

    static const unsigned char  no_null[] = {
        0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
        0x03, 0x04, 0x02, 0x01, 0x04, 0x20
    };
    static const unsigned char  octets[] = {
        0x30, 0x33, 0x30, 0x0f, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
        0x03, 0x04, 0x02, 0x01, 0x04, 0x02, 0xde, 0xad, 0x04, 0x20
    };
    static const unsigned char  null_twice[] = {
        0x30, 0x33, 0x30, 0x0f, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
        0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x05, 0x00, 0x04, 0x20
    };
    static const unsigned char  sha512_oid[] = {
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
        0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x20
    };
    static const unsigned char  sha3_oid[] = {
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
        0x03, 0x04, 0x02, 0x08, 0x05, 0x00, 0x04, 0x20
    };
    static const unsigned char  sha1_info[] = {
        0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a,
        0x05, 0x00, 0x04, 0x14
    };
    static const unsigned char  sha384_info[] = {
        0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
        0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30
    };
    static const unsigned char  long_length[] = {
        0x30, 0x81, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
        0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20
    };
    static const unsigned char  indefinite[] = {
        0x30, 0x80, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
        0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20
    };
    static const unsigned char  short_hash[] = {
        0x30, 0x30, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
        0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x1f
    };

#define bad(what, prefix, hash, len)                                          \
    encode(what, 0, prefix, sizeof(prefix), hash, len, V(BAD_SIGNATURE))

    (void) state;

    encode("as it should be", 0, sha256_info, sizeof(sha256_info), digest, 32,
           V_OK);

    bad("no NULL", no_null, digest, 32);
    bad("garbage in the parameters", octets, digest, 32);
    bad("NULL twice", null_twice, digest, 32);
    bad("SHA-512's name", sha512_oid, digest, 32);
    bad("SHA3-256's name", sha3_oid, digest, 32);
    bad("long form of a length", long_length, digest, 32);
    bad("hash one byte short", short_hash, digest, 31);

    memcpy(other, digest, 32);
    other[32] = other[33] = 0;
    bad("indefinite length", indefinite, other, 34);
    bad("trailing zero", sha256_info, other, 33);

    memcpy(other, digest, 32);
    other[31] ^= 1;
    bad("another hash", sha256_info, other, 32);

    encode("no DigestInfo", 0, "", 0, digest, 32, V(BAD_SIGNATURE));

    SHA1((unsigned char *) part, strlen(part), hash);
    bad("SHA-1", sha1_info, hash, 20);
    SHA384((unsigned char *) part, strlen(part), hash);
    bad("SHA-384 under RS256", sha384_info, hash, 48);

    /* all padding moved into the parameters, none before them */

    memset(info, 0xbb, sizeof(info));
    memcpy(info, "\x30\x81\xf5\x30\x81\xd0\x06\x09\x60\x86\x48\x01\x65\x03"
           "\x04\x02\x01\x04\x81\xc2", 20);
    memcpy(info + 20 + 0xc2, "\x04\x20", 2);
    encode("parameters instead of padding", 5, info, 20 + 0xc2 + 2, digest,
           32, V(BAD_SIGNATURE));
}


static void
pkcs1_padding(void **state)
{
    size_t         i, n;
    unsigned char  em[EM], good[EM], info[EM];

    (void) state;

    n = sizeof(sha256_info);
    memcpy(info, sha256_info, n);
    memcpy(info + n, digest, 32);
    n += 32;

    /* short padding, and garbage at the end */

    encode("no ff, garbage after", 1, info, n, "", 0, V(BAD_SIGNATURE));
    encode("8 ff, garbage after", 8, info, n, "", 0, V(BAD_SIGNATURE));
    encode("100 ff, garbage after", 100, info, n, "", 0, V(BAD_SIGNATURE));
    encode("one byte after", EM - 3 - n - 1, info, n, "", 0,
           V(BAD_SIGNATURE));

    memset(good, 0xff, EM);
    good[0] = 0;
    good[1] = 1;
    good[EM - n - 1] = 0;
    memcpy(good + EM - n, info, n);
    forged("as it should be", good, V_OK);

    /* each byte of the padding, changed */

    for (i = 0; i < EM - n; i++) {
        memcpy(em, good, EM);
        em[i] ^= 1;
        forged(test_format("byte %d of the padding", (int) i), em,
               V(BAD_SIGNATURE));
    }

    memcpy(em, good, EM);
    em[1] = 0;
    memset(em + 2, 0, EM - n - 2);
    forged("block type 0", em, V(BAD_SIGNATURE));

    memcpy(em, good, EM);
    em[1] = 2;
    forged("block type 2", em, V(BAD_SIGNATURE));

    /* an early separator, followed by something other than DigestInfo */

    memcpy(em, good, EM);
    em[12] = 0;
    forged("separator too early", em, V(BAD_SIGNATURE));

    memset(em, 0, EM);
    memcpy(em + EM - n, info, n);
    forged("zeros only", em, V(BAD_SIGNATURE));

    memset(em, 0, EM);
    memcpy(em + EM - 32, digest, 32);
    forged("the hash only", em, V(BAD_SIGNATURE));
}


static void
rsa_numbers(void **state)
{
    char           *p;
    unsigned        i;
    unsigned char   n[EM], sig[TEST_SIG_MAX], sum[EM + 1];

    (void) state;

    number(rsa, OSSL_PKEY_PARAM_RSA_N, n, EM);

    memset(sum, 0, sizeof(sum));
    test_verdict(check(part, sum, EM), BAD_SIGNATURE);
    sum[EM - 1] = 1;
    test_verdict(check(part, sum, EM), BAD_SIGNATURE);
    memset(sum, 0xff, sizeof(sum));
    test_verdict(check(part, sum, EM), BAD_SIGNATURE);
    test_verdict(check(part, n, EM), BAD_SIGNATURE);

    memcpy(sum, n, EM);
    sum[EM - 1] -= 1;
    test_verdict(check(part, sum, EM), BAD_SIGNATURE);

    /* s + n equals s modulo n, but a signature has only one spelling */

    for (i = 0; /* void */ ; i++) {
        assert_true(i < 4000);

        p = part_for(rsa, "RS256", i);
        assert_int_equal(test_sign(rsa, "RS256", p, strlen(p), sig), EM);

        if (add(sig, n, EM) == 0) {
            break;
        }

        test_release(NULL);
    }

    test_verdict(check(p, sig, EM), BAD_SIGNATURE);
}


static void
rsa_lengths(void **state)
{
    char           *p;
    unsigned        i;
    unsigned char   sig[TEST_SIG_MAX];

    (void) state;

    assert_int_equal(test_sign(rsa, "RS256", part, strlen(part), sig + 1),
                     EM);
    test_verdict(check(part, sig + 1, EM), VERDICT_OK);

    sig[0] = 0;
    test_verdict(check(part, sig, EM + 1), BAD_SIGNATURE);

    sig[EM + 1] = 0;
    test_verdict(check(part, sig + 1, EM + 1), BAD_SIGNATURE);
    test_verdict(check(part, sig + 1, EM - 1), BAD_SIGNATURE);
    test_verdict(check(part, sig + 2, EM - 1), BAD_SIGNATURE);
    test_verdict(check(part, sig + 1, 1), BAD_SIGNATURE);

    /* a signature with a leading zero, which is removed */

    for (i = 0; /* void */ ; i++) {
        assert_true(i < 20000);

        p = part_for(rsa, "RS256", i);
        assert_int_equal(test_sign(rsa, "RS256", p, strlen(p), sig), EM);

        if (sig[0] == 0) {
            break;
        }

        test_release(NULL);
    }

    test_verdict(check(p, sig, EM), VERDICT_OK);
    test_verdict(check(p, sig + 1, EM - 1), BAD_SIGNATURE);
}


static void
pss_salt(void **state)
{
    int             salt;
    char           *p;
    size_t          i, len;
    unsigned char   sig[TEST_SIG_MAX];

    static const char  *algs[] = { "PS256", "PS384", "PS512" };
    static const int    digests[] = { 32, 48, 64 };

    (void) state;

    for (i = 0; i < 3; i++) {
        p = part_for(rsa, algs[i], 0);

        for (salt = 0; salt <= 96; salt += 8) {
            len = test_sign_salt(rsa, algs[i], salt, p, strlen(p), sig);
            test_verdict_in(check(p, sig, len),
                            salt == digests[i] ? V_OK : V(BAD_SIGNATURE));
        }

        len = test_sign_salt(rsa, algs[i], digests[i] - 1, p, strlen(p), sig);
        test_verdict(check(p, sig, len), BAD_SIGNATURE);
        len = test_sign_salt(rsa, algs[i], digests[i] + 1, p, strlen(p), sig);
        test_verdict(check(p, sig, len), BAD_SIGNATURE);
        len = test_sign_salt(rsa, algs[i], RSA_PSS_SALTLEN_MAX, p, strlen(p),
                             sig);
        test_verdict(check(p, sig, len), BAD_SIGNATURE);
    }
}


static void
pss_other_mask(void **state)
{
    char           *p;
    size_t          n;
    EVP_MD_CTX     *ctx;
    EVP_PKEY_CTX   *pctx;
    unsigned char   sig[EM];

    (void) state;

    p = part_for(rsa, "PS256", 0);

    ctx = EVP_MD_CTX_new();
    assert_non_null(ctx);
    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, rsa),
                     1);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING)
                > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 32) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, EVP_sha1()) > 0);

    n = sizeof(sig);
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (unsigned char *) p,
                                    strlen(p)), 1);
    EVP_MD_CTX_free(ctx);

    test_verdict(check(p, sig, n), BAD_SIGNATURE);
}


/* A header.payload that is different for each n. */

static char *
part_for(EVP_PKEY *pkey, const char *alg, unsigned n)
{
    char  *header, *claims;

    header = test_header(pkey, alg);
    claims = test_format("%.*s,\"n\":%u}", (int) strlen(TEST_CLAIMS) - 1,
                         TEST_CLAIMS, n);

    return test_signed_part(header, strlen(header), claims, strlen(claims));
}


static void
number(EVP_PKEY *pkey, const char *param, unsigned char *out, size_t len)
{
    BIGNUM  *bn;

    bn = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(pkey, param, &bn), 1);
    assert_int_equal(BN_bn2binpad(bn, out, len), len);
    BN_free(bn);
}


/* Adds b to a, big-endian, and returns the carry. */

static int
add(unsigned char *a, const unsigned char *b, size_t len)
{
    unsigned  carry;

    carry = 0;

    while (len-- > 0) {
        carry += a[len] + b[len];
        a[len] = carry;
        carry >>= 8;
    }

    return carry;
}


static void
order(EVP_PKEY *pkey, unsigned char *out, size_t len)
{
    number(pkey, OSSL_PKEY_PARAM_EC_ORDER, out, len);
}


static void
ecdsa_numbers(void **state)
{
    char           *p;
    size_t          i, half;
    unsigned char   good[132], sig[132], n[66], zero[66];

    static const size_t  halves[] = { 32, 48, 66 };

    (void) state;

    memset(zero, 0, sizeof(zero));

#define replaced(r, s)                                                        \
    (memcpy(sig, r, half), memcpy(sig + half, s, half),                       \
     check(p, sig, 2 * half))

    for (i = 0; i < 3; i++) {
        half = halves[i];
        p = part_for(ecdsa_keys[i], ecdsa_algs[i], 0);
        assert_int_equal(test_sign(ecdsa_keys[i], ecdsa_algs[i], p, strlen(p),
                                   good), 2 * half);
        order(ecdsa_keys[i], n, half);

        test_verdict(replaced(good, good + half), VERDICT_OK);

        /* RFC 6979, FIPS 186-4: 0 < r, s < n; CVE-2022-21449 */

        test_verdict(replaced(zero, zero), BAD_SIGNATURE);
        test_verdict(replaced(zero, good + half), BAD_SIGNATURE);
        test_verdict(replaced(good, zero), BAD_SIGNATURE);
        test_verdict(replaced(n, n), BAD_SIGNATURE);
        test_verdict(replaced(n, good + half), BAD_SIGNATURE);
        test_verdict(replaced(good, n), BAD_SIGNATURE);
        test_verdict(replaced(n, zero), BAD_SIGNATURE);

        test_verdict(replaced(good + half, good), BAD_SIGNATURE);
        test_verdict(replaced(good, good), BAD_SIGNATURE);

        memset(sig, 0xff, sizeof(sig));
        test_verdict(check(p, sig, 2 * half), BAD_SIGNATURE);

        memset(sig, 0, sizeof(sig));
        sig[half - 1] = sig[2 * half - 1] = 1;
        test_verdict(check(p, sig, 2 * half), BAD_SIGNATURE);
    }

    /* P-521 has seven spare bits: r + n, s + n, and higher bits */

    memcpy(sig, good, 132);
    assert_int_equal(add(sig, n, 66), 0);
    test_verdict(check(p, sig, 132), BAD_SIGNATURE);

    memcpy(sig, good, 132);
    assert_int_equal(add(sig + 66, n, 66), 0);
    test_verdict(check(p, sig, 132), BAD_SIGNATURE);

    for (i = 1; i < 8; i++) {
        memcpy(sig, good, 132);
        sig[0] |= 1 << i;
        test_verdict(check(p, sig, 132), BAD_SIGNATURE);

        memcpy(sig, good, 132);
        sig[66] |= 1 << i;
        test_verdict(check(p, sig, 132), BAD_SIGNATURE);
    }
}


static void
ecdsa_der(void **state)
{
    char           *p;
    size_t          i, n;
    EVP_MD_CTX     *ctx;
    unsigned char   der[TEST_SIG_MAX];

    (void) state;

    for (i = 0; i < 3; i++) {
        p = part_for(ecdsa_keys[i], ecdsa_algs[i], 0);

        ctx = EVP_MD_CTX_new();
        assert_non_null(ctx);
        assert_int_equal(EVP_DigestSignInit(ctx, NULL, test_md(ecdsa_algs[i]),
                                            NULL, ecdsa_keys[i]), 1);
        n = sizeof(der);
        assert_int_equal(EVP_DigestSign(ctx, der, &n, (unsigned char *) p,
                                        strlen(p)), 1);
        EVP_MD_CTX_free(ctx);

        assert_int_equal(der[0], 0x30);
        test_verdict(check(p, der, n), BAD_SIGNATURE);

        /* padded or truncated to the expected length */

        memset(der + n, 0, sizeof(der) - n);
        n = EVP_PKEY_get_bits(ecdsa_keys[i]);
        test_verdict(check(p, der, (n + 7) / 8 * 2), BAD_SIGNATURE);
    }
}


static void
ecdsa_lengths(void **state)
{
    char           *p;
    size_t          i, n;
    unsigned char   sig[140], wide[140];

    (void) state;

    for (i = 0; i < 3; i++) {
        p = part_for(ecdsa_keys[i], ecdsa_algs[i], 0);
        memset(sig, 0, sizeof(sig));
        n = test_sign(ecdsa_keys[i], ecdsa_algs[i], p, strlen(p), sig);

        test_verdict(check(p, sig, n), VERDICT_OK);
        test_verdict(check(p, sig, n - 1), BAD_SIGNATURE);
        test_verdict(check(p, sig, n - 2), BAD_SIGNATURE);
        test_verdict(check(p, sig, n + 1), BAD_SIGNATURE);
        test_verdict(check(p, sig, n + 2), BAD_SIGNATURE);
        test_verdict(check(p, sig, n / 2), BAD_SIGNATURE);
        test_verdict(check(p, sig, 1), BAD_SIGNATURE);

        /* both numbers one byte wider, with a leading zero */

        wide[0] = wide[n / 2 + 1] = 0;
        memcpy(wide + 1, sig, n / 2);
        memcpy(wide + n / 2 + 2, sig + n / 2, n / 2);
        test_verdict(check(p, wide, n + 2), BAD_SIGNATURE);
    }
}


static void
eddsa(void **state)
{
    char           *p;
    size_t          i;
    unsigned        carry;
    unsigned char   sig[66], bad[66];

    /* L, the order of the base point, little-endian: RFC 8032 section 5.1 */

    static const unsigned char  l[32] = {
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
        0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0x10
    };

    (void) state;

    p = part_for(ed, "EdDSA", 0);
    memset(sig, 0, sizeof(sig));
    assert_int_equal(test_sign(ed, "EdDSA", p, strlen(p), sig), 64);

    test_verdict(check(p, sig, 64), VERDICT_OK);
    test_verdict(check(p, sig, 63), BAD_SIGNATURE);
    test_verdict(check(p, sig, 65), BAD_SIGNATURE);
    test_verdict(check(p, sig, 32), BAD_SIGNATURE);

    /* S + L would verify, too, and so S must be below L */

    memcpy(bad, sig, 64);
    carry = 0;

    for (i = 0; i < 32; i++) {
        carry += bad[32 + i] + l[i];
        bad[32 + i] = carry;
        carry >>= 8;
    }

    assert_int_equal(carry, 0);
    test_verdict(check(p, bad, 64), BAD_SIGNATURE);

    memset(bad, 0, 64);
    test_verdict(check(p, bad, 64), BAD_SIGNATURE);
    bad[0] = 1;
    test_verdict(check(p, bad, 64), BAD_SIGNATURE);

    for (i = 0; i < 64; i++) {
        memcpy(bad, sig, 64);
        bad[i] ^= 0x80;
        test_verdict(check(p, bad, 64), BAD_SIGNATURE);
    }
}


static int
setup(void **state)
{
    EVP_PKEY       *pkey;
    unsigned char   n[EM];

    static char  text[2048];

    (void) state;

    /* rsa_numbers() needs room above the modulus */

    for ( ;; ) {
        pkey = test_rsa(2048);
        number(pkey, OSSL_PKEY_PARAM_RSA_N, n, EM);

        if (n[0] < 0xf0) {
            break;
        }

        EVP_PKEY_free(pkey);
    }

    snprintf(text, sizeof(text), "%s", part_for(pkey, "RS256", 0));
    part = text;
    SHA256((unsigned char *) part, strlen(part), digest);

    return attack_setup(pkey);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(pkcs1_digest_info, test_release),
        cmocka_unit_test_teardown(pkcs1_padding, test_release),
        cmocka_unit_test_teardown(rsa_numbers, test_release),
        cmocka_unit_test_teardown(rsa_lengths, test_release),
        cmocka_unit_test_teardown(pss_salt, test_release),
        cmocka_unit_test_teardown(pss_other_mask, test_release),
        cmocka_unit_test_teardown(ecdsa_numbers, test_release),
        cmocka_unit_test_teardown(ecdsa_der, test_release),
        cmocka_unit_test_teardown(ecdsa_lengths, test_release),
        cmocka_unit_test_teardown(eddsa, test_release)
    };

    return cmocka_run_group_tests_name("attack_signature", tests, setup,
                                       attack_teardown);
}
