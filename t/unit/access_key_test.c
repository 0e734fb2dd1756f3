/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The names of questions in the cache: every field of a question is varied, and
 * bytes are moved between neighbours.  Two questions must have the same name
 * only if the requests to the API server are the same.
 */

#include "k8s_sa_test.h"

#include "token/k8s_sa_access_review.h"


#define VARIANTS_MAX  1024
#define STRINGS_MAX   32

#define URL           "https://10.0.0.1" K8S_SA_ACCESS_REVIEW_PATH


/* A question with all that it is asked with, as strings; NULL: absent */

typedef struct {
    const char   *url;
    const char   *local;
    const char   *prefix;
    const char   *username;
    const char   *uid;
    const char   *groups[3];
    const char   *extra[4][2];
    const char   *fields[K8S_SA_ACCESS_FIELDS];
    unsigned      all_extra;
    unsigned      authenticated;
} asked_t;


typedef struct {
    char           *request;      /* URL and body */
    size_t          len;          /* length of the key */
    unsigned char  *key;
    unsigned char   context[K8S_SA_FINGERPRINT_CONTEXT_LEN];
    unsigned char   fingerprint[K8S_SA_FINGERPRINT_LEN];
} variant_t;


static const asked_t  path = {
    .url = URL,
    .prefix = "p:",
    .username = "user",
    .uid = "uid",
    .groups = { "group1", "group2" },
    .extra = { { "extra", "value" }, { "extra", "other" },
               { "authentication.kubernetes.io/pod-name", "pod" } },
    .fields = { "/path", "get" },
    .all_extra = 1
};

static const asked_t  resource = {
    .url = URL,
    .local = "local",
    .username = "user",
    .uid = "uid",
    .groups = { "group1" },
    .extra = { { "extra", "value" } },
    .fields = { NULL, "verb", "namespace", "group", "resource", "sub",
                "name" },
    .all_extra = 1
};


static k8s_sa_fingerprint_key_t   secret;

static variant_t                  variants[VARIANTS_MAX];
static size_t                     nvariants;


static k8s_sa_str_t
str(const char *text)
{
    k8s_sa_str_t  s;

    if (text == NULL) {
        memset(&s, 0, sizeof(s));
        return s;
    }

    return test_str(text);
}


static void
add(const asked_t *asked)
{
    char                    *list;
    size_t                   i, len;
    variant_t               *v;
    k8s_sa_str_t             url, key;
    k8s_sa_access_t          q;
    k8s_sa_identity_t        id;
    k8s_sa_access_policy_t   policy;

    assert_true(nvariants < VARIANTS_MAX);
    v = &variants[nvariants++];

    memset(&policy, 0, sizeof(policy));
    memset(&id, 0, sizeof(id));
    memset(&q, 0, sizeof(q));

    url = test_str(asked->url);

    policy.local = str(asked->local);
    policy.username_prefix = str(asked->prefix);
    policy.extra = asked->all_extra;
    policy.authenticated = asked->authenticated;

    id.username = str(asked->username);
    id.uid = str(asked->uid);

    list = "";

    for (i = 0; i < test_nelts(asked->groups) && asked->groups[i]; i++) {
        list = test_format("%s%s\n", list, asked->groups[i]);
    }

    id.groups = test_str(list);

    list = "";

    for (i = 0; i < test_nelts(asked->extra) && asked->extra[i][0]; i++) {
        list = test_format("%s%s\t%s\n", list, asked->extra[i][0],
                           asked->extra[i][1]);
    }

    id.extra = test_str(list);

    /* what a token says besides this is not asked */

    id.jti = test_str(test_format("%zu", nvariants));
    id.expires = (int64_t) nvariants;

    for (i = 0; i < K8S_SA_ACCESS_FIELDS; i++) {
        q.fields[i] = str(asked->fields[i]);
    }

    len = k8s_sa_access_review_request(NULL, &policy, &id, &q);
    assert_true(len > 0);

    list = test_keep(calloc(1, len + 1));
    assert_int_equal(k8s_sa_access_review_request((unsigned char *) list,
                                                  &policy, &id, &q), len);

    v->request = test_format("%s %s", asked->url, list);

    assert_int_equal(k8s_sa_access_context(v->context, &url, &policy),
                     K8S_SA_OK);

    v->key = test_keep(malloc(K8S_SA_TOKEN_MAX));
    v->len = k8s_sa_access_key(v->key, K8S_SA_TOKEN_MAX, &policy, &id, &q);
    assert_true(v->len > 0);

    key.len = v->len;
    key.data = v->key;

    k8s_sa_fingerprint(&secret, v->context, &key, v->fingerprint);
}


/* Collects the strings of *asked, in the order of the key. */

static size_t
strings(asked_t *asked, const char ***s)
{
    size_t  i, n;

    n = 0;

    s[n++] = &asked->url;
    s[n++] = &asked->local;
    s[n++] = &asked->prefix;
    s[n++] = &asked->username;
    s[n++] = &asked->uid;

    for (i = 0; i < test_nelts(asked->groups); i++) {
        s[n++] = &asked->groups[i];
    }

    for (i = 0; i < test_nelts(asked->extra); i++) {
        s[n++] = &asked->extra[i][0];
        s[n++] = &asked->extra[i][1];
    }

    for (i = 0; i < K8S_SA_ACCESS_FIELDS; i++) {
        s[n++] = &asked->fields[i];
    }

    assert_true(n <= STRINGS_MAX);

    return n;
}


/*
 * Adds variants of one string: a byte more, a byte less, another byte, empty
 * and, outside lists and attributes, absent.
 */

static void
vary_one(const asked_t *base, size_t at)
{
    size_t        len;
    asked_t       asked;
    const char  **s[STRINGS_MAX], *text;

    asked = *base;
    (void) strings(&asked, s);
    text = *s[at];

    if (text == NULL) {
        return;
    }

    len = strlen(text);

    *s[at] = test_format("%sx", text);
    add(&asked);

    *s[at] = test_format("x%s", text);
    add(&asked);

    *s[at] = test_format("%.*s", (int) len - 1, text);
    add(&asked);

    *s[at] = test_format("%.*s~", (int) len - 1, text);
    add(&asked);

    *s[at] = "";
    add(&asked);

    if (text == base->local || text == base->prefix || text == base->username
        || text == base->uid)
    {
        *s[at] = NULL;
        add(&asked);
    }
}


/* Moves one byte, and all, from a string to the next that is present. */

static void
vary_two(const asked_t *base, size_t from, size_t to)
{
    size_t        len;
    asked_t       asked;
    const char  **s[STRINGS_MAX], *a, *b;

    asked = *base;
    (void) strings(&asked, s);

    a = *s[from];
    b = *s[to];
    len = strlen(a);

    *s[from] = test_format("%.*s", (int) len - 1, a);
    *s[to] = test_format("%s%s", a + len - 1, b);
    add(&asked);

    *s[from] = test_format("%s%c", a, *b);
    *s[to] = test_format("%s", b + 1);
    add(&asked);

    *s[from] = "";
    *s[to] = test_format("%s%s", a, b);
    add(&asked);

    *s[from] = test_format("%s%s", a, b);
    *s[to] = "";
    add(&asked);

    *s[from] = b;
    *s[to] = a;
    add(&asked);
}


static void
vary(const asked_t *base)
{
    size_t        i, n, last;
    asked_t       asked;
    unsigned      field;
    const char  **s[STRINGS_MAX];

    add(base);

    asked = *base;
    n = strings(&asked, s);
    last = n;

    for (i = 0; i < n; i++) {

        if (*s[i] == NULL) {
            continue;
        }

        vary_one(base, i);

        if (last < n) {
            vary_two(base, last, i);
        }

        last = i;
    }

    /* absent fields, and a value in each other's place */

    for (field = K8S_SA_ACCESS_VERB; field < K8S_SA_ACCESS_FIELDS; field++) {
        asked = *base;

        if (asked.fields[field] && field != K8S_SA_ACCESS_RESOURCE) {
            asked.fields[field] = NULL;
            add(&asked);

            if (field + 1 < K8S_SA_ACCESS_FIELDS
                && asked.fields[K8S_SA_ACCESS_RESOURCE])
            {
                asked.fields[field + 1] = base->fields[field];
                add(&asked);
            }
        }
    }

    /* lists: shorter, longer, in another order, split otherwise */

    asked = *base;
    asked.groups[0] = NULL;
    add(&asked);

    asked = *base;
    asked.groups[0] = base->extra[0][0];
    add(&asked);

    asked = *base;
    asked.groups[test_nelts(asked.groups) - 1] = "last";
    asked.groups[1] = "more";
    add(&asked);

    asked.groups[1] = "last";
    asked.groups[2] = "more";
    add(&asked);

    asked = *base;
    asked.groups[0] = "gro";
    asked.groups[1] = "up1";
    add(&asked);

    asked = *base;
    asked.extra[0][0] = NULL;
    add(&asked);

    asked = *base;
    asked.extra[3][0] = "more";
    asked.extra[3][1] = "value";
    asked.extra[1][0] = "second";
    asked.extra[1][1] = "value";
    asked.extra[2][0] = "third";
    asked.extra[2][1] = "value";
    add(&asked);

    asked.extra[3][0] = NULL;
    add(&asked);

    asked = *base;
    asked.all_extra = 0;
    add(&asked);

    asked = *base;
    asked.authenticated = 1;
    add(&asked);

    asked.groups[1] = "system:authenticated";
    add(&asked);

    asked.authenticated = 0;
    add(&asked);

    asked = *base;
    asked.url = "https://10.0.0.2" K8S_SA_ACCESS_REVIEW_PATH;
    add(&asked);
}


static void
names_are_of_one_request(void **state)
{
    int     same;
    size_t  i, j, pairs;

    (void) state;

    nvariants = 0;

    vary(&path);
    vary(&resource);
    vary(&path);

    pairs = 0;

    for (i = 0; i < nvariants; i++) {
        for (j = 0; j < i; j++) {
            same = strcmp(variants[i].request, variants[j].request) == 0;
            pairs += same;

            if (same != (memcmp(variants[i].fingerprint,
                                variants[j].fingerprint,
                                K8S_SA_FINGERPRINT_LEN) == 0))
            {
                fail_msg("%zu and %zu have %s name:\n%s\n%s", i, j,
                         same ? "another" : "the same", variants[i].request,
                         variants[j].request);
            }

            /* nor do the fingerprints hide what the keys have in common */

            assert_int_equal(same,
                memcmp(variants[i].context, variants[j].context,
                       K8S_SA_FINGERPRINT_CONTEXT_LEN) == 0
                && variants[i].len == variants[j].len
                && memcmp(variants[i].key, variants[j].key, variants[i].len)
                   == 0);
        }
    }

    assert_true(nvariants > 200);
    assert_true(pairs > 50);
}


static void
kinds_do_not_mix(void **state)
{
    asked_t  asked;

    (void) state;

    nvariants = 0;
    asked = path;

    asked.fields[K8S_SA_ACCESS_PATH] = "get";
    asked.fields[K8S_SA_ACCESS_VERB] = "get";
    add(&asked);

    asked.fields[K8S_SA_ACCESS_PATH] = NULL;
    asked.fields[K8S_SA_ACCESS_RESOURCE] = "get";
    add(&asked);

    assert_int_not_equal(variants[0].len, variants[1].len);
}


/* No prefix of a key, and no size of the room, is the key of another. */

static void
room(void **state)
{
    size_t                   n, len;
    k8s_sa_access_t          q;
    k8s_sa_identity_t        id;
    k8s_sa_access_policy_t   policy;

    (void) state;

    memset(&policy, 0, sizeof(policy));
    memset(&id, 0, sizeof(id));
    memset(&q, 0, sizeof(q));

    id.username = test_str("user");
    id.groups = test_str("a\nb\n");
    q.fields[K8S_SA_ACCESS_PATH] = test_str("/");
    q.fields[K8S_SA_ACCESS_VERB] = test_str("get");

    len = k8s_sa_access_key(test_keep(malloc(K8S_SA_TOKEN_MAX)),
                            K8S_SA_TOKEN_MAX, &policy, &id, &q);
    assert_true(len > 0);

    for (n = 0; n < len; n++) {
        assert_int_equal(k8s_sa_access_key(test_keep(malloc(n + !n)), n,
                                           &policy, &id, &q), 0);
    }

    assert_int_equal(k8s_sa_access_key(test_keep(malloc(len)), len, &policy,
                                       &id, &q), len);
}


static int
setup(void **state)
{
    static const unsigned char  bytes[K8S_SA_FINGERPRINT_SECRET_LEN] = { 1 };

    (void) state;

    return k8s_sa_fingerprint_init(&secret, bytes);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(names_are_of_one_request, test_release),
        cmocka_unit_test_teardown(kinds_do_not_mix, test_release),
        cmocka_unit_test_teardown(room, test_release)
    };

    return cmocka_run_group_tests_name("access_key", tests, setup, NULL);
}
