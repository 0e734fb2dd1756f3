/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * All tokens that real API servers issued, checked at the time of their review:
 * our verdicts and identities are compared with theirs.
 */

#include "k8s_sa_recorded.h"

#include <time.h>


#define FIXTURES       "t/fixtures/"
#define API            "https://kubernetes.default.svc"
#define NEW_ISSUER     "https://new.example"


static k8s_sa_keyset_t  *old_keys, *new_keys;       /* of 1.20.2 and 1.36.2 */


/*
 * The clock is a claim of the token plus some seconds; INDEX.txt has the time
 * of the review.  Tokens of deleted and terminating objects are accepted here:
 * only the API server knows about these.
 */

typedef struct {
    const char        *name;
    const char        *audience;
    const char        *claim;
    int                seconds;
    unsigned           legacy;         /* with "legacy_tokens on" */
    k8s_sa_verdict_e   verdict;
    const char        *user;           /* after system:serviceaccount: */
    unsigned           met;
} fixture_t;


static k8s_sa_keyset_t *load(const char *file, k8s_sa_keyset_t *set);
static json_t *load_claims(const char *path);
static fixture_t *fixture(const char *path);
static const char *string(json_t *object, const char *kind,
    const char *member);
static void check_identity(const fixture_t *f, json_t *claims,
    k8s_sa_identity_t *id, const char *kid);
static void check_fixture(const char *path);
static json_t *load_review(const char *path, int64_t *date);
static int compare_review(const char *path, json_t *spec, json_t *review,
    int64_t now);


static fixture_t  fixtures[] = {

    { "api-aud", API, "iat", 20, 0, K8S_SA_VERDICT_OK, "mytest:service1", 0 },
    { "api-aud-two", "k3s", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "aud-service2", "service2", "iat", 0, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "aud-service2-b", "service2", "exp", 60, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "aud-service2-c", "service2", "exp", 61, 0, K8S_SA_EXPIRED,
      "mytest:service1", 0 },
    { "aud-service2-node", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "aud-service2-pod", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "aud-service2-secret", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "aud-two", "other", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "cache-window", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:shortlived", 0 },
    { "default-aud-service2", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:default", 0 },
    { "es256-aud-service2", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "es256-aud-service2-pod", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "etcd-fresh", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "etcd-fresh-pod", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "exp600", "service2", "exp", -1, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "reviewer", API, "iat", 20, 0, K8S_SA_VERDICT_OK, "mytest:reviewer",
      0 },
    { "service2-aud-service2", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service2", 0 },
    { "two-issuers", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "warnafter", API, "iat", 3607, 0, K8S_SA_VERDICT_OK, "mytest:service1",
      0 },

    { "deleted-pod", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "deleted-sa", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:gone", 0 },
    { "reborn-pod", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "reborn-sa", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:reborn", 0 },
    { "terminating-pod", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },

    { "expired-20s", "service2", "exp", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "expired-55s", "service2", "exp", 55, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "expired-65s", "service2", "exp", 65, 0, K8S_SA_EXPIRED,
      "mytest:service1", 0 },
    { "expired-3600s", "service2", "exp", 3600, 0, K8S_SA_EXPIRED,
      "mytest:service1", 0 },
    { "future-30s", "service2", "nbf", -30, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "future-90s", "service2", "nbf", -90, 0, K8S_SA_NOT_YET_VALID,
      "mytest:service1", 0 },

    { "forged-aud-string", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "forged-no-kid", "service2", "iat", 20, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "forged-other-issuer", "service2", "iat", 20, 0, K8S_SA_WRONG_ISSUER,
      "mytest:service1", 0 },
    { "forged-no-aud", "service2", "iat", 20, 0, K8S_SA_BAD_CLAIMS,
      "mytest:service1", 0 },
    { "forged-no-kubernetes.io", "service2", "iat", 20, 0, K8S_SA_BAD_CLAIMS,
      NULL, 0 },
    { "forged-other-key", "service2", "iat", 20, 0, K8S_SA_BAD_SIGNATURE,
      NULL, 0 },

    /* accepted by an API server, see t/fixtures/FACTS.md, but not by us */

    { "forged-no-exp", "service2", "iat", 20, 0, K8S_SA_BAD_CLAIMS,
      "mytest:service1", 0 },
    { "forged-no-sub", "service2", "iat", 20, 0, K8S_SA_BAD_CLAIMS, NULL,
      0 },
    { "forged-other-sub", "service2", "iat", 20, 0, K8S_SA_BAD_CLAIMS, NULL,
      0 },
    { "forged-other-kid", "service2", "iat", 20, 0, K8S_SA_UNKNOWN_KEY, NULL,
      0 },

    { "legacy-auto", "service2", NULL, 0, 1, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "legacy-default", "service2", NULL, 0, 1, K8S_SA_VERDICT_OK,
      "mytest:default", 0 },
    { "legacy-manual", "service2", NULL, 0, 0, K8S_SA_LEGACY_TOKEN,
      "mytest:service1", 0 },
    { "legacy-reviewer", "service2", NULL, 0, 1, K8S_SA_VERDICT_OK,
      "mytest:reviewer", 0 },
    { "deleted-legacy-secret", "service2", NULL, 0, 1, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "deleted-sa-legacy", "service2", NULL, 0, 1, K8S_SA_VERDICT_OK,
      "mytest:gone", 0 },

    { "long-api-aud", API, "iat", 2000000000, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "long-aud-service2", "service2", "iat", 2000000000, 0,
      K8S_SA_VERDICT_OK, "mytest:service1", 0 },
    { "long-aud-service2-pod", "service2", "iat", -60, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "long-aud-two", "service2", "iat", -61, 0, K8S_SA_NOT_YET_VALID,
      "mytest:service1", 0 },
    { "long-default-aud-service2", "service2", "exp", 60, 0,
      K8S_SA_VERDICT_OK, "mytest:default", 0 },
    { "long-es256-aud-service2", "service2", "exp", 0, 0, K8S_SA_VERDICT_OK,
      "mytest:service1", 0 },
    { "long-es256-aud-service2-pod", "service2", "iat", 1, 0,
      K8S_SA_VERDICT_OK, "mytest:service1", 0 },
    { "long-service2-aud-service3", "service2", "iat", 1, 0,
      K8S_SA_WRONG_AUDIENCE, "mytest:service2", 0 }
};


/* Reviews whose verdict we cannot know, or must not share */

static struct {
    const char        *review;
    const char        *version;     /* NULL: both versions */
    k8s_sa_verdict_e   ours;
    unsigned           met;
} differences[] = {

    /* only the API server knows about deleted objects */

    { "deleted-legacy-secret", NULL, K8S_SA_VERDICT_OK, 0 },
    { "deleted-pod",           NULL, K8S_SA_VERDICT_OK, 0 },
    { "deleted-sa",            NULL, K8S_SA_VERDICT_OK, 0 },
    { "deleted-sa-legacy",     NULL, K8S_SA_VERDICT_OK, 0 },
    { "reborn-pod",            NULL, K8S_SA_VERDICT_OK, 0 },
    { "reborn-sa",             NULL, K8S_SA_VERDICT_OK, 0 },
    { "terminating-pod-110s",  NULL, K8S_SA_VERDICT_OK, 0 },

    /* it treats a legacy token as one for its own audience */

    { "legacy-aud-service2",   NULL, K8S_SA_VERDICT_OK, 0 },

    /* it accepts these, see t/fixtures/FACTS.md, but we do not */

    { "forged-no-sub",         NULL, K8S_SA_BAD_CLAIMS, 0 },
    { "forged-other-sub",      NULL, K8S_SA_BAD_CLAIMS, 0 },
    { "forged-no-exp",     "1.36.2", K8S_SA_BAD_CLAIMS, 0 },
    { "forged-other-kid",  "1.20.2", K8S_SA_UNKNOWN_KEY, 0 },
    { "trailing-newline",      NULL, K8S_SA_MALFORMED, 0 }
};


static k8s_sa_keyset_t *
load(const char *file, k8s_sa_keyset_t *set)
{
    char            *pem;
    size_t           len;
    k8s_sa_error_t   err;

    if (set == NULL) {
        set = k8s_sa_keyset_create();
        assert_non_null(set);
    }

    pem = test_read(file, &len);

    if (k8s_sa_keyset_add_pem(set, pem, len, NULL, NULL, &err) != K8S_SA_OK) {
        fail_msg("%s: %s", file, err.text);
    }

    return set;
}


static json_t *
load_claims(const char *path)
{
    char          *file;
    json_t        *claims;
    json_error_t   err;

    file = test_format("%.*s.claims.json", (int) strlen(path) - 4, path);
    claims = json_load_file(file, 0, &err);

    if (claims == NULL) {
        fail_msg("%s: %s", file, err.text);
    }

    return claims;
}


static fixture_t *
fixture(const char *path)
{
    size_t       i, len;
    const char  *name;

    name = strrchr(path, '/') + 1;
    len = strlen(name) - 4;

    for (i = 0; i < test_nelts(fixtures); i++) {
        if (strlen(fixtures[i].name) == len
            && strncmp(fixtures[i].name, name, len) == 0)
        {
            return &fixtures[i];
        }
    }

    fail_msg("%s is not in the table", path);

    return NULL;
}


static const char *
string(json_t *object, const char *kind, const char *member)
{
    const char  *value;

    object = json_object_get(object, "kubernetes.io");

    if (kind) {
        object = json_object_get(object, kind);
    }

    value = json_string_value(json_object_get(object, member));

    return value ? value : "(absent)";
}


/* Checks the fields that are copied from the claims. */

static void
check_identity(const fixture_t *f, json_t *claims, k8s_sa_identity_t *id,
    const char *kid)
{
    const char  *jti, *flat;

    flat = json_string_value(json_object_get(claims,
                             "kubernetes.io/serviceaccount/secret.name"));

    assert_string_equal(test_text(&id->issuer),
                        json_string_value(json_object_get(claims, "iss")));
    assert_string_equal(test_text(&id->kid), kid);
    assert_string_equal(test_format("%s:%s", test_text(&id->namespace),
                                    test_text(&id->name)), f->user);

    assert_int_equal(id->expires,
                     json_integer_value(json_object_get(claims, "exp")));
    assert_int_equal(id->issued,
                     json_integer_value(json_object_get(claims, "iat")));
    assert_int_equal(id->warnafter,
                     json_integer_value(json_object_get(
                         json_object_get(claims, "kubernetes.io"),
                         "warnafter")));

    jti = json_string_value(json_object_get(claims, "jti"));
    assert_string_equal(test_text(&id->jti), jti ? jti : "(absent)");

    if (flat) {
        assert_string_equal(test_text(&id->secret), flat);
        assert_string_equal(test_text(&id->audience), "(absent)");
        assert_string_equal(test_text(&id->extra), "(absent)");
        return;
    }

    assert_string_equal(test_text(&id->audience), f->audience);
    assert_string_equal(test_text(&id->uid),
                        string(claims, "serviceaccount", "uid"));
    assert_string_equal(test_text(&id->pod), string(claims, "pod", "name"));
    assert_string_equal(test_text(&id->pod_uid),
                        string(claims, "pod", "uid"));
    assert_string_equal(test_text(&id->node), string(claims, "node", "name"));
    assert_string_equal(test_text(&id->node_uid),
                        string(claims, "node", "uid"));
    assert_string_equal(test_text(&id->secret),
                        string(claims, "secret", "name"));
}


static void
check_fixture(const char *path)
{
    char              *token, *user;
    size_t             len;
    json_t            *claims;
    int64_t            now;
    fixture_t         *f;
    k8s_sa_str_t       audience, issuers[2];
    k8s_sa_policy_t    policy;
    k8s_sa_keyset_t   *keys;
    k8s_sa_verdict_e   rc;
    k8s_sa_identity_t  id;

    f = fixture(path);
    f->met++;

    token = test_read(path, &len);
    claims = load_claims(path);
    keys = strstr(path, "/1.20.2/") ? old_keys : new_keys;

    audience = test_str(f->audience);
    issuers[0] = test_str(API);
    issuers[1] = test_str(NEW_ISSUER);

    policy = test_policy();
    policy.audiences = &audience;
    policy.issuers = issuers;
    policy.n_issuers = 2;
    policy.legacy_tokens = f->legacy;

    now = TEST_NOW;

    if (f->claim) {
        now = json_integer_value(json_object_get(claims, f->claim))
              + f->seconds;
    }

    rc = test_check_bytes(token, len, keys, &policy, now, &id);

    if (rc != f->verdict) {
        fail_msg("%s: %s instead of %s", path, k8s_sa_verdict_info(rc)->word,
                 k8s_sa_verdict_info(f->verdict)->word);
    }

    user = f->user ? test_format("system:serviceaccount:%s", f->user)
                   : "(absent)";

    if (strcmp(test_text(&id.username), user) != 0) {
        fail_msg("%s: user \"%s\"", path, test_text(&id.username));
    }

    if (rc == K8S_SA_VERDICT_OK) {
        check_identity(f, claims, &id, test_text(k8s_sa_key_kid(
                       k8s_sa_keyset_key(keys, strstr(path, "es256") != 0))));
    }

    json_decref(claims);
}


static void
every_fixture(void **state)
{
    glob_t  files;
    size_t  i;

    (void) state;

    assert_int_equal(glob(FIXTURES "*/tokens/*.jwt", 0, NULL, &files), 0);

    for (i = 0; i < files.gl_pathc; i++) {
        check_fixture(files.gl_pathv[i]);
        test_release(NULL);
    }

    for (i = 0; i < test_nelts(fixtures); i++) {
        if (fixtures[i].met == 0) {
            fail_msg("there is no fixture %s", fixtures[i].name);
        }
    }

    globfree(&files);
}


/* The JWK sets that the API servers publish are as good as the PEM. */

static void
with_published_keys(void **state)
{
    char             *jwks;
    glob_t            files;
    size_t            i;
    k8s_sa_keyset_t  *pem[2], *set[2];

    static const char  *versions[] = { "1.20.2", "1.36.2" };

    (void) state;

    pem[0] = old_keys;
    pem[1] = new_keys;

    for (i = 0; i < 2; i++) {
        jwks = test_read(test_format(FIXTURES "%s/jwks.json", versions[i]),
                         NULL);
        set[i] = k8s_sa_keyset_create();
        assert_non_null(set[i]);
        assert_int_equal(k8s_sa_keyset_add_jwks(set[i], jwks, strlen(jwks),
                                                NULL, NULL), K8S_SA_OK);
    }

    old_keys = set[0];
    new_keys = set[1];

    assert_int_equal(glob(FIXTURES "*/tokens/*.jwt", 0, NULL, &files), 0);

    for (i = 0; i < files.gl_pathc; i++) {
        check_fixture(files.gl_pathv[i]);
        test_release(NULL);
    }

    globfree(&files);

    old_keys = pem[0];
    new_keys = pem[1];
    k8s_sa_keyset_free(set[0]);
    k8s_sa_keyset_free(set[1]);
}


/* No key of one cluster verifies a token of the other. */

static void
keys_of_the_other_cluster(void **state)
{
    char              *token;
    glob_t             files;
    size_t             i, len;
    k8s_sa_policy_t    policy;

    (void) state;

    policy = test_policy();
    assert_int_equal(glob(FIXTURES "*/tokens/*.jwt", 0, NULL, &files), 0);

    for (i = 0; i < files.gl_pathc; i++) {
        token = test_read(files.gl_pathv[i], &len);

        test_verdict_in(test_check_bytes(token, len,
                                 strstr(files.gl_pathv[i], "/1.20.2/")
                                 ? new_keys : old_keys,
                                 &policy, TEST_NOW, NULL),
                        strstr(files.gl_pathv[i], "no-kid")
                        ? V(BAD_SIGNATURE) : V(UNKNOWN_KEY));
        test_release(NULL);
    }

    globfree(&files);
}


/* Reviews. */


/* The JSON of an answer and its Date, or NULL if it is not 201. */

static json_t *
load_review(const char *path, int64_t *date)
{
    char       *text, *body, *chunk, *p;
    size_t      n;
    struct tm   tm;

    text = test_read(path, NULL);

    if (strncmp(text, "HTTP/1.1 201 ", 13) != 0) {
        return NULL;
    }

    p = strstr(text, "\nDate: ");
    assert_non_null(p);
    memset(&tm, 0, sizeof(tm));
    assert_non_null(strptime(p + 7, "%a, %d %b %Y %H:%M:%S GMT", &tm));
    *date = timegm(&tm);

    p = strstr(text, "\r\n\r\n");
    body = p ? p + 4 : strstr(text, "\n\n") + 2;

    if (strstr(text, "Transfer-Encoding: chunked")) {
        p = chunk = body;

        while ((n = strtoul(chunk, &chunk, 16)) > 0) {
            chunk = strchr(chunk, '\n') + 1;
            memmove(p, chunk, n);
            p += n;
            chunk += n;
        }

        *p = '\0';
    }

    return json_loads(body, 0, NULL);
}


/* Returns 1 if both accept, 0 if both refuse, -1 for a known difference. */

static int
compare_review(const char *path, json_t *spec, json_t *review, int64_t now)
{
    int                 theirs;
    char               *name;
    json_t             *list, *status;
    size_t              i, n;
    const char         *token, *version;
    k8s_sa_str_t        audiences[256], issuers[2];
    k8s_sa_policy_t     policy;
    k8s_sa_verdict_e    rc;
    k8s_sa_identity_t   id;

    version = strstr(path, "/1.20.2/") ? "1.20.2" : "1.36.2";
    name = test_format("%s", strrchr(path, '/') + 1);
    *strstr(name, ".http") = '\0';

    list = json_object_get(spec, "audiences");
    n = json_array_size(list);
    assert_true(n <= test_nelts(audiences));

    for (i = 0; i < n; i++) {
        audiences[i] = test_str(json_string_value(json_array_get(list, i)));
    }

    if (n == 0) {
        audiences[n++] = test_str(API);
    }

    issuers[0] = test_str(API);
    issuers[1] = test_str(NEW_ISSUER);

    policy = test_policy();
    policy.audiences = audiences;
    policy.n_audiences = n;
    policy.issuers = issuers;
    policy.n_issuers = 2;
    policy.legacy_tokens = 1;

    token = json_string_value(json_object_get(spec, "token"));
    rc = test_check_bytes(token, strlen(token),
                          version[2] == '2' ? old_keys : new_keys, &policy,
                          now, &id);

    theirs = json_is_true(json_object_get(json_object_get(review, "status"),
                                          "authenticated"));

    for (i = 0; i < test_nelts(differences); i++) {
        if (strcmp(differences[i].review, name) == 0
            && (differences[i].version == NULL
                || strcmp(differences[i].version, version) == 0))
        {
            if (rc != differences[i].ours) {
                fail_msg("%s: %s", path, k8s_sa_verdict_info(rc)->word);
            }

            if (theirs == (rc == K8S_SA_VERDICT_OK)) {
                fail_msg("%s is no longer a difference", path);
            }

            differences[i].met++;

            return -1;
        }
    }

    if ((rc == K8S_SA_VERDICT_OK) != theirs) {
        fail_msg("%s: the API server says %s, we %s", path,
                 theirs ? "yes" : "no", k8s_sa_verdict_info(rc)->word);
    }

    if (theirs) {
        status = json_object_get(review, "status");

        recorded_user(path, &id, status);

        if (id.audience.data) {
            list = json_object_get(status, "audiences");

            assert_string_equal(test_text(&id.audience),
                                json_string_value(json_array_get(list, 0)));
        }
    }

    return theirs;
}


static void
same_verdicts_as_the_api_server(void **state)
{
    char        *file;
    glob_t       files;
    size_t       i, counts[3];
    json_t      *request, *review, *spec;
    int64_t      now;

    (void) state;

    memset(counts, 0, sizeof(counts));

    assert_int_equal(glob(FIXTURES "*/tokenreview/*.request.json", 0, NULL,
                          &files), 0);

    for (i = 0; i < files.gl_pathc; i++) {
        request = json_load_file(files.gl_pathv[i], 0, NULL);
        spec = json_object_get(request, "spec");

        file = test_format("%.*s.http",
                           (int) strlen(files.gl_pathv[i]) - 13,
                           files.gl_pathv[i]);
        review = load_review(file, &now);

        if (review && json_is_string(json_object_get(spec, "token"))) {
            counts[compare_review(file, spec, review, now) + 1]++;
        }

        json_decref(request);
        json_decref(review);
        test_release(NULL);
    }

    globfree(&files);

    for (i = 0; i < test_nelts(differences); i++) {
        if (differences[i].met == 0) {
            fail_msg("there is no review %s", differences[i].review);
        }
    }

    /* enough was compared: differences, both refuse, both accept */

    assert_true(counts[0] >= 20);
    assert_true(counts[1] >= 25);
    assert_true(counts[2] >= 60);
}


static int
setup(void **state)
{
    (void) state;

    old_keys = load(FIXTURES "1.20.2/sa.pub", NULL);
    new_keys = load(FIXTURES "1.36.2/sa.pub", NULL);
    new_keys = load(FIXTURES "1.36.2/keys/sa-ec.pub", new_keys);

    return test_release(NULL);
}


static int
teardown(void **state)
{
    (void) state;

    k8s_sa_keyset_free(old_keys);
    k8s_sa_keyset_free(new_keys);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(every_fixture, test_release),
        cmocka_unit_test_teardown(with_published_keys, test_release),
        cmocka_unit_test_teardown(keys_of_the_other_cluster, test_release),
        cmocka_unit_test_teardown(same_verdicts_as_the_api_server, test_release)
    };

    return cmocka_run_group_tests_name("token", tests, setup, teardown);
}
