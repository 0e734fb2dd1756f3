/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Fingerprints of tokens, compared with sums computed with OpenSSL's big
 * numbers, for both ways to multiply two words.
 */

#include "k8s_sa_test.h"

#include "token/k8s_sa_fingerprint.h"

/* once more, as with a compiler without 128-bit integers */

#undef __SIZEOF_INT128__
#define k8s_sa_fingerprint       without_int128
#define k8s_sa_fingerprint_init  without_int128_init
#include "token/k8s_sa_fingerprint.c"
#undef k8s_sa_fingerprint
#undef k8s_sa_fingerprint_init


#define LEN  K8S_SA_FINGERPRINT_LEN


static k8s_sa_fingerprint_key_t  key;

static const unsigned char  context[] = "a context of thirty-two bytes...";

static unsigned char  text[K8S_SA_TOKEN_MAX];


static void
of(unsigned char *fingerprint, const unsigned char *p, size_t len)
{
    k8s_sa_str_t  token;

    token.len = len;
    token.data = test_copy(p, len);

    k8s_sa_fingerprint(&key, context, &token, fingerprint);
}


static BIGNUM *
number(uint64_t n)
{
    int            i;
    BIGNUM        *bn;
    unsigned char  bytes[8];

    for (i = 7; i >= 0; i--) {
        bytes[i] = n & 0xff;
        n >>= 8;
    }

    bn = BN_bin2bn(bytes, sizeof(bytes), NULL);
    assert_non_null(bn);

    return bn;
}


/* Adds a * b to sum, modulo 2^128. */

static void
add_product(BIGNUM *sum, const BIGNUM *a, const BIGNUM *b, BN_CTX *ctx)
{
    BIGNUM  *product;

    product = BN_new();

    assert_true(BN_mul(product, a, b, ctx));
    assert_true(BN_add(sum, sum, product));

    if (BN_num_bits(sum) > 128) {
        assert_true(BN_mask_bits(sum, 128));
    }

    BN_free(product);
}


static void
expected(unsigned char *fingerprint, const unsigned char *p, size_t len)
{
    size_t         i, j, n;
    BIGNUM        *nh[2], *sum, *a, *b;
    BN_CTX        *ctx;
    uint64_t       words[5] = { 0 }, *m, half[2] = { 0 };
    unsigned char  bytes[16];

    ctx = BN_CTX_new();
    n = 4 + (len + 15) / 16 * 2;
    m = calloc(n, 8);

    memcpy(m, context, 32);
    memcpy(m + 4, p, len);

    for (i = 0; i < 2; i++) {
        nh[i] = BN_new();

        for (j = 0; j < n; j += 2) {
            a = number(m[j] + key.words[j + 2 * i]);
            b = number(m[j + 1] + key.words[j + 2 * i + 1]);
            add_product(nh[i], a, b, ctx);
            BN_free(a);
            BN_free(b);
        }

        assert_int_equal(BN_bn2lebinpad(nh[i], bytes, 16), 16);

        for (j = 0; j < 16; j++) {
            words[2 * i + j / 8] = words[2 * i + j / 8] >> 8
                                   | (uint64_t) bytes[j] << 56;
        }

        BN_free(nh[i]);
    }

    words[4] = len;

    for (i = 0; i < 2; i++) {
        sum = BN_new();

        for (j = 0; j < 6; j++) {
            a = number(key.rows[i][j][1]);
            b = number(key.rows[i][j][0]);
            assert_true(BN_lshift(a, a, 64));
            assert_true(BN_add(a, a, b));
            BN_free(b);

            b = number(j ? words[j - 1] : 1);
            add_product(sum, a, b, ctx);
            BN_free(a);
            BN_free(b);
        }

        assert_true(BN_rshift(sum, sum, 64));
        assert_int_equal(BN_bn2lebinpad(sum, bytes, 16), 16);

        for (j = 0; j < 8; j++) {
            half[i] = half[i] >> 8 | (uint64_t) bytes[j] << 56;
        }

        BN_free(sum);
    }

    memcpy(fingerprint, half, LEN);

    free(m);
    BN_CTX_free(ctx);
}


static void
known_sums(void **state)
{
    size_t         i;
    unsigned char  is[LEN], want[LEN];

    static const size_t  lens[] = {
        0, 1, 15, 16, 17, 31, 32, 33, 1100, K8S_SA_TOKEN_MAX - 1,
        K8S_SA_TOKEN_MAX
    };

    (void) state;

    for (i = 0; i < test_nelts(lens); i++) {
        of(is, text, lens[i]);
        expected(want, text, lens[i]);
        assert_memory_equal(is, want, LEN);
    }
}


static void
without_128_bit_integers(void **state)
{
    size_t                    len;
    k8s_sa_str_t              token;
    unsigned char             is[LEN], want[LEN];
    k8s_sa_fingerprint_key_t  other;

    static const unsigned char  secret[K8S_SA_FINGERPRINT_SECRET_LEN];

    (void) state;

    assert_int_equal(without_int128_init(&other, secret), K8S_SA_OK);
    token.data = text;

    for (len = 0; len < 2000; len++) {
        token.len = len;
        k8s_sa_fingerprint(&other, context, &token, want);
        without_int128(&other, context, &token, is);
        assert_memory_equal(is, want, LEN);
    }
}


/* all bits set: the most carries */

static void
largest_numbers(void **state)
{
    unsigned char             is[LEN], want[LEN], ones[K8S_SA_TOKEN_MAX];
    k8s_sa_str_t              token;
    k8s_sa_fingerprint_key_t  saved;

    (void) state;

    saved = key;

    memset(ones, 0xff, sizeof(ones));
    memset(&key, 0xff, sizeof(key));

    token.len = sizeof(ones);
    token.data = ones;

    expected(want, ones, sizeof(ones));
    of(is, ones, sizeof(ones));
    assert_memory_equal(is, want, LEN);

    without_int128(&key, context, &token, is);
    assert_memory_equal(is, want, LEN);

    memset(&ones, 0, sizeof(ones));

    expected(want, ones, sizeof(ones));
    of(is, ones, sizeof(ones));
    assert_memory_equal(is, want, LEN);

    key = saved;
}


/*
 * Every bit of the token, its length, the context and the secret change both
 * halves.
 */

static void
everything_matters(void **state)
{
    size_t                    i, len;
    k8s_sa_str_t              token;
    unsigned char             a[LEN], b[LEN], bytes[1100], secret[32], ctx[32];
    k8s_sa_fingerprint_key_t  other;

    (void) state;

    memcpy(bytes, text, sizeof(bytes));
    of(a, bytes, sizeof(bytes));

    for (i = 0; i < 8 * sizeof(bytes); i++) {
        bytes[i / 8] ^= 1 << i % 8;
        of(b, bytes, sizeof(bytes));
        bytes[i / 8] ^= 1 << i % 8;

        assert_memory_not_equal(a, b, 8);
        assert_memory_not_equal(a + 8, b + 8, 8);
    }

    /* zeros at the end differ from padding */

    memset(bytes, 0, sizeof(bytes));

    for (len = 0; len < 64; len++) {
        of(a, bytes, len);
        of(b, bytes, len + 1);

        assert_memory_not_equal(a, b, 8);
        assert_memory_not_equal(a + 8, b + 8, 8);
    }

    token.len = 1100;
    token.data = text;
    k8s_sa_fingerprint(&key, context, &token, a);

    memcpy(ctx, context, sizeof(ctx));

    for (i = 0; i < 8 * sizeof(ctx); i++) {
        ctx[i / 8] ^= 1 << i % 8;
        k8s_sa_fingerprint(&key, ctx, &token, b);
        ctx[i / 8] ^= 1 << i % 8;

        assert_memory_not_equal(a, b, 8);
        assert_memory_not_equal(a + 8, b + 8, 8);
    }

    memset(secret, 0, sizeof(secret));
    assert_int_equal(k8s_sa_fingerprint_init(&other, secret), K8S_SA_OK);
    k8s_sa_fingerprint(&other, context, &token, a);

    for (i = 0; i < 8 * sizeof(secret); i++) {
        secret[i / 8] ^= 1 << i % 8;
        assert_int_equal(k8s_sa_fingerprint_init(&other, secret), K8S_SA_OK);
        k8s_sa_fingerprint(&other, context, &token, b);
        secret[i / 8] ^= 1 << i % 8;

        assert_memory_not_equal(a, b, 8);
        assert_memory_not_equal(a + 8, b + 8, 8);
    }
}


/* No word of the key is used for two parts of a message, or is zero. */

static void
key_is_random(void **state)
{
    size_t    i, j;
    uint64_t  words[sizeof(key) / 8];

    (void) state;

    memcpy(words, &key, sizeof(key));

    for (i = 0; i < test_nelts(words); i++) {
        assert_true(words[i] != 0);

        for (j = 0; j < i; j++) {
            assert_true(words[i] != words[j]);
        }
    }
}


static int
make_key(void **state)
{
    size_t  i;

    static const unsigned char  secret[] = "a secret of thirty-two bytes....";

    (void) state;

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (unsigned char) (i * i / 7 + i);
    }

    return k8s_sa_fingerprint_init(&key, secret);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(known_sums, test_release),
        cmocka_unit_test_teardown(without_128_bit_integers, test_release),
        cmocka_unit_test_teardown(largest_numbers, test_release),
        cmocka_unit_test_teardown(everything_matters, test_release),
        cmocka_unit_test_teardown(key_is_random, test_release),
    };

    return cmocka_run_group_tests_name("fingerprint", tests, make_key, NULL);
}
