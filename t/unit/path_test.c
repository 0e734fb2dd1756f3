/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Request paths: which are in normal form, and what they decode to.
 */

#include "k8s_sa_test.h"

#include "token/k8s_sa_path.h"


typedef struct {
    const char  *raw;
    const char  *path;
} path_t;


static const path_t  normal[] = {
    { "/", "/" },
    { "/a", "/a" },
    { "/a/", "/a/" },
    { "/a/b", "/a/b" },
    { "/a%20b", "/a b" },
    { "/a%2Bb+c", "/a+b+c" },
    { "/%C3%BC", "/\xc3\xbc" },
    { "/%e2%82%ac%F0%9F%98%80", "/\xe2\x82\xac\xf0\x9f\x98\x80" },
    { "/a,b@c:d=e+f", "/a,b@c:d=e+f" },
    { "/%7Euser", "/~user" },
    { "/~user", "/~user" },
    { "/%6detrics", "/metrics" },
    { "/%41%3a", "/A:" },
    { "/...", "/..." },
    { "/.a", "/.a" },
    { "/a.", "/a." },
    { "/..a/.well-known", "/..a/.well-known" },
    { "/a..b", "/a..b" },
    { "/!$&'()*+,-:<=>@[]^_`{|}~\"", "/!$&'()*+,-:<=>@[]^_`{|}~\"" }
};


static const char  *odd[] = {
    "", "a", "*", "a/b", "http://host/", "?", "%2f",
    "//", "/a//b", "//a", "/a//", "///",
    "/.", "/..", "/./", "/../", "/a/.", "/a/..", "/a/./b", "/a/../b",
    "/public/../admin", "/./a", "/../a",
    "/%2e", "/%2E", "/%2e%2e", "/.%2e/a", "/%2e./a", "/a/%2e%2E/b",
    "/a%2fb", "/a%2Fb", "/admin/..%2fhealthz", "/%2f", "/a%5cb", "/a%5Cb",
    "/a\\b", "/a;b", "/a;", "/a%3bb", "/a%3Bb", "/a#b", "/a?b", "/a%23b",
    "/a%3fb", "/a%3Fb", "/a%25b", "/a%252fb", "/a%252e",
    "/a b", "/a\tb", "/a\x7f", "/a\x01", "/\xc3\xbc", "/\xff",
    "/%", "/%2", "/a%", "/a%4", "/%zz", "/%4z", "/%z4", "/%%41", "/% 41",
    "/%+1", "/%-1", "/%0x", "/%g0", "/%G0", "/%@a", "/%`a",
    "/%00", "/%0a", "/%0d", "/%1f", "/%7f", "/%09",
    "/%ff", "/%80", "/%c3", "/%c3/%bc", "/%c3a", "/%C0%AF", "/%c1%81",
    "/%e0%80%af", "/%ed%a0%80", "/%f4%90%80%80", "/%f0%80%80%af", "/%e2%82",
    "/%f8%88%80%80%80"
};


static const char *
path_decode(const char *text, size_t len, k8s_sa_str_t *path)
{
    k8s_sa_str_t    raw;
    unsigned char  *out;

    raw.len = len;
    raw.data = test_copy(text, len);

    out = malloc(len ? len : 1);
    test_keep(out);

    return k8s_sa_path_decode(&raw, out, path);
}


static void
path_normal(void **state)
{
    size_t        i;
    const char   *reason;
    k8s_sa_str_t  path;

    (void) state;

    for (i = 0; i < test_nelts(normal); i++) {
        reason = path_decode(normal[i].raw, strlen(normal[i].raw), &path);

        if (reason) {
            fail_msg("\"%s\" is refused: %s", normal[i].raw, reason);
        }

        if (path.len != strlen(normal[i].path)
            || memcmp(path.data, normal[i].path, path.len) != 0)
        {
            fail_msg("\"%s\" is \"%s\"", normal[i].raw, test_text(&path));
        }
    }
}


static void
path_odd(void **state)
{
    size_t        i;
    k8s_sa_str_t  path;

    (void) state;

    for (i = 0; i < test_nelts(odd); i++) {

        if (path_decode(odd[i], strlen(odd[i]), &path) == NULL) {
            fail_msg("\"%s\" is accepted", odd[i]);
        }

        assert_null(path.data);
        assert_int_equal(path.len, 0);
    }
}


/* Each byte as it is, and each one escaped. */

static void
path_bytes(void **state)
{
    char          text[8];
    unsigned      ch, expected;
    k8s_sa_str_t  path;

    (void) state;

    for (ch = 0; ch < 256; ch++) {
        text[0] = '/';
        text[1] = 'a';
        text[2] = (char) ch;

        expected = ch >= '!' && ch <= '~' && ch != '\\' && ch != ';'
                   && ch != '#' && ch != '?' && ch != '%';

        if ((path_decode(text, 3, &path) == NULL) != expected) {
            fail_msg("byte 0x%02x", ch);
        }

        /* the first of a segment */

        text[1] = (char) ch;

        if ((path_decode(text, 2, &path) == NULL)
            != (expected && ch != '/' && ch != '.'))
        {
            fail_msg("byte 0x%02x after a slash", ch);
        }

        snprintf(text, sizeof(text), "/a%%%02x", ch);

        expected = ch >= ' ' && ch < 0x7f && !strchr("/\\%;?#.", (int) ch);

        if ((path_decode(text, 5, &path) == NULL) != expected) {
            fail_msg("escape of 0x%02x", ch);
        }

        if (expected) {
            assert_int_equal(path.len, 3);
            assert_int_equal(path.data[2], ch);
        }
    }
}


static void
path_length(void **state)
{
    char          text[K8S_SA_PATH_MAX + 1];
    k8s_sa_str_t  path;

    (void) state;

    memset(text, 'a', sizeof(text));
    text[0] = '/';

    assert_null(path_decode(text, K8S_SA_PATH_MAX, &path));
    assert_int_equal(path.len, K8S_SA_PATH_MAX);
    assert_non_null(path_decode(text, K8S_SA_PATH_MAX + 1, &path));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(path_normal, test_release),
        cmocka_unit_test_teardown(path_odd, test_release),
        cmocka_unit_test_teardown(path_bytes, test_release),
        cmocka_unit_test_teardown(path_length, test_release)
    };

    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
