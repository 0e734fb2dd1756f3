/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Strings: whether they are equal, and where they end.
 */

#include "k8s_sa_test.h"


#define LEN     20
#define FILLER  "xxxxxxxxxxxxxxxxxxxxxxxxx"


/* Every byte is compared, at any distance from both ends. */

static void
each_byte_matters(void **state)
{
    size_t         len, i;
    unsigned       bit;
    k8s_sa_str_t   a, b;
    unsigned char  bytes[LEN];

    (void) state;

    memset(bytes, 'x', LEN);

    for (len = 0; len <= LEN; len++) {
        a.len = b.len = len;
        a.data = test_copy(bytes, len);
        b.data = test_copy(bytes, len);

        assert_true(k8s_sa_str_eq(&a, &b));

        for (i = 0; i < len; i++) {
            for (bit = 0; bit < 8; bit++) {
                b.data[i] ^= 1 << bit;

                assert_false(k8s_sa_str_eq(&a, &b));

                b.data[i] ^= 1 << bit;
            }
        }
    }
}


static void
lengths_matter(void **state)
{
    k8s_sa_str_t   a, b;
    unsigned char  bytes[LEN];

    (void) state;

    memset(bytes, 0, LEN);

    a.data = b.data = bytes;

    for (a.len = 0; a.len <= LEN; a.len++) {
        for (b.len = 0; b.len <= LEN; b.len++) {
            assert_int_equal(k8s_sa_str_eq(&a, &b), a.len == b.len);
        }
    }
}


/* An absent string's NULL is not dereferenced. */

static void
absent(void **state)
{
    k8s_sa_str_t  a, b;

    (void) state;

    a.len = b.len = 0;
    a.data = NULL;
    b.data = (unsigned char *) "";

    assert_true(k8s_sa_str_eq(&a, &b));
}


static void
ends(void **state)
{
    k8s_sa_str_t  s;

    (void) state;

    s.data = (unsigned char *) "ab";

    for (s.len = 0; s.len <= 2; s.len++) {
        assert_ptr_equal(k8s_sa_str_end(&s), s.data + s.len);
    }

    s.len = 0;
    s.data = NULL;

    assert_null(k8s_sa_str_end(&s));
}


/* Every position, since eight bytes are tested at a time. */

static void
control_characters(void **state)
{
    size_t        i, len, pos;
    char          text[3 * LEN];
    k8s_sa_str_t  s;

    static const char  *const refused[] = {
        "\x01", "\t", "\n", "\x1f", "\x7f",
        "\xc2\x80", "\xc2\x85", "\xc2\x9b", "\xc2\x9f",
        "\xe2\x80\xa8", "\xe2\x80\xa9"
    };
    static const char  *const accepted[] = {
        " ", "~", "\"",
        "\xc2\xa0", "\xc2\xbf", "\xc3\x80", "\xc3\x9f",
        "\xe2\x80\xa7", "\xe2\x80\xaa", "\xe2\x81\xa8", "\xe3\x80\xa8",
        "\xf0\x9f\x98\x80"
    };

    (void) state;

    for (pos = 0; pos < LEN; pos++) {
        for (len = pos; len < LEN; len++) {

            for (i = 0; i < test_nelts(refused); i++) {
                s.len = sprintf(text, "%.*s%s%.*s", (int) pos, FILLER,
                                refused[i], (int) (len - pos), FILLER);
                s.data = (unsigned char *) text;
                assert_int_equal(k8s_sa_str_is_clean(&s), 0);
            }

            for (i = 0; i < test_nelts(accepted); i++) {
                s.len = sprintf(text, "%.*s%s%.*s", (int) pos, FILLER,
                                accepted[i], (int) (len - pos), FILLER);
                s.data = (unsigned char *) text;
                assert_int_equal(k8s_sa_str_is_clean(&s), 1);
            }
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(each_byte_matters, test_release),
        cmocka_unit_test(lengths_matter),
        cmocka_unit_test(absent),
        cmocka_unit_test(ends),
        cmocka_unit_test(control_characters)
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
