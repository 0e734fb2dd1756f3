/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * "each=": the values of a name in a query, and what is refused since an
 * upstream could read it otherwise.
 */

#include "k8s_sa_test.h"

#include "token/k8s_sa_each.h"


/* "a|b" for the values a and b, or "refused" */

static char *
values(const char *query, size_t len, const char *name)
{
    char           *text;
    size_t          i;
    const char     *reason;
    k8s_sa_str_t    q, n;
    k8s_sa_each_t   each;

    memset(&each, 0, sizeof(each));

    q.len = len;
    q.data = test_copy(query, len);
    n = test_str(name);

    reason = k8s_sa_each_arg(&each, &q, &n, test_keep(malloc(len + !len)));

    if (reason) {
        assert_true(strlen(reason) > 5);
        return "refused";
    }

    text = "";

    for (i = 0; i < each.n; i++) {
        text = test_format("%s%s%s", text, i ? "|" : "",
                           test_text(&each.values[i]));
    }

    return text;
}


static void
queries(void **state)
{
    size_t   i;
    char    *text;

    static const struct {
        const char  *query, *values;
    } cases[] = {
        { "ns=a", "a" },
        { "ns=a&ns=b", "a|b" },
        { "ns=b&x=1&ns=a&ns=b", "b|a" },
        { "x=1&ns=a&y", "a" },
        { "&&ns=a&", "a" },
        { "n%73=a", "a" },
        { "%6e%73=%61%2Bb", "a+b" },
        { "ns=a+b%20c", "a b c" },
        { "ns=a=b", "a=b" },
        { "ns==", "=" },
        { "ns=%3b%23%26%3D", ";#&=" },
        { "ns=\xff%ff", "\xff\xff" },
        { "ns=a?b/c", "a?b/c" },

        { "", "" },
        { "x=1", "" },
        { "nsx=a&xns=b&n=c&s=d", "" },
        { "ns.x=a&ns-=b&ns_=d", "" },
        { "=ns&=a", "" },
        { "&", "" },
        { "x=ns=a", "" },
        { "x[ns]=a", "" },

        /* empty */

        { "ns", "refused" },
        { "ns=", "refused" },
        { "ns=a&ns=", "refused" },
        { "ns&ns=a", "refused" },

        /* other separators and ends */

        { "ns=a;ns=b", "refused" },
        { "x=1;y=2", "refused" },
        { ";", "refused" },
        { "ns=a#", "refused" },
        { "ns=a#&ns=b", "refused" },

        /* bad escapes, wherever they are */

        { "ns=%", "refused" },
        { "ns=a%4", "refused" },
        { "ns=%zz", "refused" },
        { "ns=%u0061", "refused" },
        { "ns=% 1", "refused" },
        { "ns=%%", "refused" },
        { "ns=a&x=%", "refused" },
        { "ns=a&%g0=b", "refused" },
        { "ns=a&b%", "refused" },

        /* names that some read as this one */

        { "NS=a", "refused" },
        { "ns=a&nS=b", "refused" },
        { "%4e%53=a", "refused" },
        { "ns[]=a", "refused" },
        { "ns%5B0%5D=a", "refused" },
        { "ns[=a", "refused" },
        { "Ns[x]=a", "refused" },
        { "ns=a&ns[]=b", "refused" },
        { "[ns]=a", "refused" },
        { "ns=a&%5Bns%5D=b", "refused" },
        { "]ns=a", "refused" },
        { "+[ns=a", "refused" },
        { "ns%5d=a", "refused" },
        { "+ns=a", "refused" },
        { "%20%20ns=a", "refused" },
        { "ns+=a", "refused" },
        { "ns%20x=a", "refused" },
        { "ns%00=a", "refused" },
        { "ns%00x=a", "refused" },
        { "NS", "refused" }
    };

    (void) state;

    for (i = 0; i < test_nelts(cases); i++) {
        text = values(cases[i].query, strlen(cases[i].query), "ns");

        if (strcmp(text, cases[i].values) != 0) {
            fail_msg("\"%s\": \"%s\"", cases[i].query, text);
        }
    }

    assert_string_equal(values("a_b=1&a%5fb=2", 13, "a_b"), "1|2");
    assert_string_equal(values("a.b=1", 5, "a_b"), "refused");
    assert_string_equal(values("a+b=1", 5, "a_b"), "refused");
    assert_string_equal(values("a_b=1", 5, "a.b"), "refused");
    assert_string_equal(values("a-b=1", 5, "a_b"), "");
    assert_string_equal(values("ns=a\0b", 6, "ns"), "a");
}


static void
too_many(void **state)
{
    char    *query, *expected;
    size_t   i;

    (void) state;

    query = "";
    expected = "";

    for (i = 0; i < K8S_SA_EACH_MAX; i++) {
        query = test_format("%s&ns=%zu", query, i);
        expected = test_format("%s%s%zu", expected, i ? "|" : "", i);
    }

    assert_string_equal(values(query, strlen(query), "ns"), expected);

    query = test_format("%s&ns=0", query);
    assert_string_equal(values(query, strlen(query), "ns"), "refused");

    query = "";

    for (i = 0; i < K8S_SA_EACH_MAX; i++) {
        query = test_format("%s&ns=x", query);
    }

    assert_string_equal(values(query, strlen(query), "ns"), "x");

    query = test_format("%s&ns=x", query);
    assert_string_equal(values(query, strlen(query), "ns"), "refused");
}


/* The sources of a rule share the limit, and equal values. */

static void
several_sources(void **state)
{
    k8s_sa_str_t    query, name, value;
    k8s_sa_each_t   each;
    unsigned char   buf[2][32];

    (void) state;

    memset(&each, 0, sizeof(each));

    query = test_str("ns=a&tenant=b");

    name = test_str("ns");
    assert_null(k8s_sa_each_arg(&each, &query, &name, buf[0]));

    name = test_str("tenant");
    assert_null(k8s_sa_each_arg(&each, &query, &name, buf[1]));

    value = test_str("a");
    assert_null(k8s_sa_each_add(&each, &value));

    value = test_str("c");
    assert_null(k8s_sa_each_add(&each, &value));

    assert_int_equal(each.n, 3);
    assert_int_equal(each.found, 4);
    assert_string_equal(test_text(&each.values[0]), "a");
    assert_string_equal(test_text(&each.values[1]), "b");
    assert_string_equal(test_text(&each.values[2]), "c");

    value = test_str("");
    assert_non_null(k8s_sa_each_add(&each, &value));

    memset(&value, 0, sizeof(value));
    assert_non_null(k8s_sa_each_add(&each, &value));

    /* no query */

    assert_null(k8s_sa_each_arg(&each, &value, &name, buf[0]));
    assert_int_equal(each.n, 3);
}


static void
forms(void **state)
{
    size_t        i;
    k8s_sa_str_t  type;

    static const struct {
        int          form;
        const char  *type;
    } cases[] = {
        { 1, "application/x-www-form-urlencoded" },
        { 1, "multipart/form-data; boundary=x" },
        { 1, "Application/X-WWW-Form-Urlencoded" },
        { 1, "APPLICATION/X-WWW-FORM-URLENCODED;charset=utf-8" },
        { 1, "application/x-www-form-urlencoded , text/plain" },
        { 1, "application/x-www-form-urlencoded,text/plain" },
        { 1, " \tmultipart/form-data" },
        { 1, "multipart/form-data\tx" },
        { 0, "" },
        { 0, " " },
        { 0, "application/json" },
        { 0, "application/x-www-form-urlencode" },
        { 0, "application/x-www-form-urlencodedx" },
        { 0, "multipart/form-datax; boundary=x" },
        { 0, "multipart/mixed" },
        { 0, "text/plain; x=multipart/form-data" },
        { 0, "m" }
    };

    (void) state;

    for (i = 0; i < test_nelts(cases); i++) {
        type.len = strlen(cases[i].type);
        type.data = test_copy(cases[i].type, type.len);

        if (k8s_sa_each_is_form(&type) != cases[i].form) {
            fail_msg("\"%s\"", cases[i].type);
        }
    }

    memset(&type, 0, sizeof(type));
    assert_false(k8s_sa_each_is_form(&type));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(queries, test_release),
        cmocka_unit_test_teardown(too_many, test_release),
        cmocka_unit_test_teardown(several_sources, test_release),
        cmocka_unit_test_teardown(forms, test_release)
    };

    return cmocka_run_group_tests_name("each", tests, NULL, NULL);
}
