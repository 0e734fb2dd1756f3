/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The patterns of k8s_sa_allow.
 */

#include "k8s_sa_test.h"

#include "token/k8s_sa_allow.h"


typedef struct {
    const char  *patterns[4];
    const char  *accounts;     /* the accounts below that match */
} allow_t;


/* A letter, then namespace and name, or a user name */

static const char  *const accounts[][3] = {
    { "1", "mytest", "service1" },
    { "2", "mytest", "service2" },
    { "3", "other", "service1" },
    { "4", "mytest2", "service1" },
    { "5", "my", "test-service1" },
    { "6", "mytest", "a.b-c.d" },
    { "a", "alice", NULL },
    { "b", "bob@example.com", NULL },
    { "c", "https://idp.example/users/7", NULL },
    { "d", "mytest/service1", NULL }
};


static const allow_t  lists[] = {
    { { NULL }, "" },
    { { "mytest/service1" }, "1" },
    { { "mytest/*" }, "126" },
    { { "*/service1" }, "134" },
    { { "*/*" }, "123456" },
    { { "mytest/a.b-c.d" }, "6" },
    { { "mytest/a.b-c" }, "" },
    { { "my/*" }, "5" },
    { { "myt/service1" }, "" },
    { { "mytest/service" }, "" },
    { { "mytest/service11" }, "" },
    { { "service1/mytest" }, "" },
    { { "group:system:serviceaccounts" }, "123456" },
    { { "group:system:serviceaccounts:mytest" }, "126" },
    { { "group:system:serviceaccounts:m" }, "" },
    { { "group:system:authenticated" }, "123456" },
    { { "group:mytest" }, "" },
    { { "group:service1" }, "" },
    { { "system:serviceaccount:mytest:service1" }, "1" },
    { { "system:serviceaccount:mytest" }, "" },
    { { "mytest" }, "" },
    { { "service1" }, "" },
    { { "alice" }, "a" },
    { { "ALICE" }, "" },
    { { "alic" }, "" },
    { { "bob@example.com" }, "b" },
    { { "https://idp.example/users/7" }, "c" },
    { { "mytest/service1", "mytest/service2", "alice" }, "12a" },
    { { "alice", "*/service1", "my/*" }, "1345a" }
};


static void *
allow_alloc(void *pool, size_t size)
{
    (void) pool;

    return test_keep(malloc(size));
}


static void *
allow_no_memory(void *pool, size_t size)
{
    size_t  *calls = pool;

    return (*calls)-- ? allow_alloc(NULL, size) : NULL;
}


static int
allow_add(k8s_sa_allow_t *allow, const char *pattern)
{
    k8s_sa_str_t  s;

    s.len = strlen(pattern);
    s.data = test_copy(pattern, s.len);

    return k8s_sa_allow_add(allow, &s, allow_alloc, NULL);
}


static void
allow_identity(k8s_sa_identity_t *id, const char *const *account)
{
    memset(id, 0, sizeof(k8s_sa_identity_t));

    if (account[2] == NULL) {
        id->username = test_str(account[1]);
        return;
    }

    id->namespace = test_str(account[1]);
    id->name = test_str(account[2]);
    id->username = test_str(test_format("system:serviceaccount:%s:%s",
                                        account[1], account[2]));
    id->groups = test_str(test_format("system:serviceaccounts\n"
                                      "system:serviceaccounts:%s\n"
                                      "system:authenticated\n", account[1]));
}


static void
matching_accounts(void **state)
{
    int                 rc;
    size_t              i, n;
    k8s_sa_allow_t      allow;
    k8s_sa_identity_t   id;

    (void) state;

    for (i = 0; i < test_nelts(lists); i++) {
        memset(&allow, 0, sizeof(k8s_sa_allow_t));

        for (n = 0; lists[i].patterns[n]; n++) {
            assert_int_equal(allow_add(&allow, lists[i].patterns[n]),
                             K8S_SA_OK);
        }

        for (n = 0; n < test_nelts(accounts); n++) {
            allow_identity(&id, accounts[n]);

            rc = k8s_sa_allow_matches(&allow, &id);

            if (rc != (strchr(lists[i].accounts, accounts[n][0][0]) != NULL)) {
                fail_msg("\"%s\" ...: %s is %sallowed", lists[i].patterns[0],
                         test_text(&id.username), rc ? "" : "not ");
            }
        }
    }
}


static void
equal_lists(void **state)
{
    size_t          i, n, k;
    k8s_sa_allow_t  a, b, empty;

    (void) state;

    memset(&empty, 0, sizeof(k8s_sa_allow_t));
    assert_int_equal(k8s_sa_allow_equal(&empty, &empty), 1);

    for (i = 0; i < test_nelts(lists); i++) {

        for (k = 0; k < test_nelts(lists); k++) {
            a = empty;
            b = empty;

            for (n = 0; lists[i].patterns[n]; n++) {
                (void) allow_add(&a, lists[i].patterns[n]);
            }

            /* in reverse order */

            for (n = test_nelts(lists[k].patterns); n--; /* void */ ) {
                if (lists[k].patterns[n]) {
                    (void) allow_add(&b, lists[k].patterns[n]);
                }
            }

            if (k8s_sa_allow_equal(&a, &b) != (i == k)) {
                fail_msg("\"%s\" ... and \"%s\" ...", lists[i].patterns[0],
                         lists[k].patterns[0]);
            }
        }
    }

    /* tables of different sizes */

    a = empty;

    for (i = 0; i < 100; i++) {
        (void) allow_add(&a, test_format("a/%zu", i));
    }

    b = a;
    assert_int_equal(allow_add(&b, "a/100"), K8S_SA_OK);
    assert_int_equal(k8s_sa_allow_equal(&a, &b), 0);
    assert_int_equal(k8s_sa_allow_equal(&b, &a), 0);
}


static void
invalid_patterns(void **state)
{
    size_t          i;
    char           *ns, *name;
    k8s_sa_allow_t  allow;

    static const char  *const wrong[] = {
        "", "/", "a/", "/a", "*", "*/", "/*", "a/b/c", "**/a", "a*/b", "a/b*",
        "*/*/*", "A/b", "a/B", "a_b/c", "a.b/c", "a/b_c", "-a/b", "a-/b",
        "a/-b", "a/.b", "a/b.", "a/b..c", "group:", "group:*", "group:a*",
        "system:serviceaccount:mytest:*", "ali*ce", "al\tice", "a/b\x7f"
    };

    (void) state;

    memset(&allow, 0, sizeof(k8s_sa_allow_t));

    for (i = 0; i < test_nelts(wrong); i++) {
        if (allow_add(&allow, wrong[i]) != K8S_SA_ALLOW_INVALID) {
            fail_msg("\"%s\" is accepted", wrong[i]);
        }
    }

    assert_int_equal(allow.used, 0);

    ns = test_format("%063d", 0);
    name = test_format("%063d.%063d.%063d.%061d", 0, 0, 0, 0);

    assert_int_equal(strlen(name), 253);
    assert_int_equal(allow_add(&allow, test_format("%s/%s", ns, name)),
                     K8S_SA_OK);
    assert_int_equal(allow_add(&allow, test_format("%s0/%s", ns, name)),
                     K8S_SA_ALLOW_INVALID);
    assert_int_equal(allow_add(&allow, test_format("%s/%s0", ns, name)),
                     K8S_SA_ALLOW_INVALID);
}


/* Names in an identity from a review can have any length. */

static void
long_names(void **state)
{
    k8s_sa_allow_t     allow;
    k8s_sa_identity_t  id;

    (void) state;

    memset(&allow, 0, sizeof(k8s_sa_allow_t));
    assert_int_equal(allow_add(&allow, "a/b"), K8S_SA_OK);

    memset(&id, 0, sizeof(k8s_sa_identity_t));
    id.username = test_str("x");
    id.namespace = test_str(test_format("%0300d", 0));
    id.name = test_str(test_format("%0300d", 0));

    assert_int_equal(k8s_sa_allow_matches(&allow, &id), 0);

    /* the last group is not followed by a line feed */

    id.groups = test_str("b");
    assert_int_equal(allow_add(&allow, "group:b"), K8S_SA_OK);
    assert_int_equal(k8s_sa_allow_matches(&allow, &id), 0);
}


static void
many_patterns(void **state)
{
    size_t             i;
    k8s_sa_allow_t     allow;
    k8s_sa_identity_t  id;

    (void) state;

    memset(&allow, 0, sizeof(k8s_sa_allow_t));
    memset(&id, 0, sizeof(k8s_sa_identity_t));

    for (i = 0; i < 10000; i++) {
        assert_int_equal(allow_add(&allow, test_format("ns-%zu/*", i)),
                         K8S_SA_OK);
    }

    assert_int_equal(allow_add(&allow, "ns-0/*"), K8S_SA_ALLOW_DUPLICATE);
    assert_int_equal(allow_add(&allow, "ns-9999/*"), K8S_SA_ALLOW_DUPLICATE);
    assert_int_equal(allow.used, 10000);

    /* not duplicates: the same text, but another kind of pattern */

    assert_int_equal(allow_add(&allow, "*/ns-0"), K8S_SA_OK);
    assert_int_equal(allow_add(&allow, "group:ns-0"), K8S_SA_OK);
    assert_int_equal(allow_add(&allow, "ns-0"), K8S_SA_OK);

    id.username = test_str("x");
    id.name = test_str("b");

    for (i = 0; i < 10001; i++) {
        id.namespace = test_str(test_format("ns-%zu", i));
        assert_int_equal(k8s_sa_allow_matches(&allow, &id), i < 10000);
    }
}


static void
out_of_memory(void **state)
{
    size_t          calls, n;
    k8s_sa_str_t    s;
    k8s_sa_allow_t  allow;

    (void) state;

    s = test_str("a/b");

    for (n = 0; n < 2; n++) {
        memset(&allow, 0, sizeof(k8s_sa_allow_t));
        calls = n;

        assert_int_equal(k8s_sa_allow_add(&allow, &s, allow_no_memory, &calls),
                         K8S_SA_ERROR);
        assert_int_equal(allow.used, 0);
        assert_int_equal(allow_add(&allow, "a/b"), K8S_SA_OK);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(matching_accounts, test_release),
        cmocka_unit_test_teardown(equal_lists, test_release),
        cmocka_unit_test_teardown(invalid_patterns, test_release),
        cmocka_unit_test_teardown(long_names, test_release),
        cmocka_unit_test_teardown(many_patterns, test_release),
        cmocka_unit_test_teardown(out_of_memory, test_release)
    };

    return cmocka_run_group_tests_name("allow", tests, NULL, NULL);
}
