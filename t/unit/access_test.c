/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Questions to a cluster's authorizers: which values can be asked about, and
 * what people read about them.
 */

#include "k8s_sa_test.h"

#include "token/k8s_sa_access.h"


#define LITERAL  1
#define FOUND    0


static k8s_sa_access_t
question(const char *const *fields)
{
    size_t           i;
    k8s_sa_access_t  q;

    memset(&q, 0, sizeof(q));

    for (i = 0; i < K8S_SA_ACCESS_FIELDS; i++) {
        if (fields[i]) {
            q.fields[i] = test_str(fields[i]);
        }
    }

    return q;
}


static void
verbs(void **state)
{
    size_t         i;
    k8s_sa_str_t   method, verb;
    unsigned char  text[16];

    static const struct {
        const char  *method, *resource, *path;
    } methods[] = {
        { "GET", "get", "get" },
        { "HEAD", "get", "head" },
        { "POST", "create", "post" },
        { "PUT", "update", "put" },
        { "PATCH", "patch", "patch" },
        { "DELETE", "delete", "delete" },
        { "OPTIONS", NULL, "options" },
        { "TRACE", NULL, "trace" },
        { "PROPFIND", NULL, "propfind" },
        { "get", NULL, "get" },
        { "GETX", NULL, "getx" },
        { "GE", NULL, "ge" },
        { "M-SEARCH_@[`", NULL, "m-search_@[`" },
        { "", NULL, "" }
    };

    (void) state;

    for (i = 0; i < test_nelts(methods); i++) {
        method = test_str(methods[i].method);

        verb = k8s_sa_access_verb(&method);

        if (methods[i].resource) {
            assert_string_equal(test_text(&verb), methods[i].resource);

        } else {
            assert_null(verb.data);
            assert_int_equal(verb.len, 0);
        }

        k8s_sa_access_lowercase(text, &method);
        assert_memory_equal(text, methods[i].path, method.len);
    }
}


static void
default_roles(void **state)
{
    size_t        i;
    k8s_sa_str_t  path;

    static const char  *const with[] = {
        "/api", "/api/", "/api/v1", "/api/users/7", "/api/../x",
        "/apis", "/apis/", "/apis/apps/v1",
        "/openapi", "/openapi/", "/openapi/v2", "/openapi/v3/apis",
        "/healthz", "/livez", "/readyz", "/version", "/version/",
        "/.well-known", "/.well-known/openid-configuration",
        "/openid/v1/jwks", "/openid/v1/jwks/"
    };

    static const char  *const without[] = {
        "", "/", "/ap", "/apiv2", "/api-docs", "/API", "/metrics", "/logs",
        "/apisx", "/openapi.json", "/healthz/", "/healthz/ping", "/healthzx",
        "/livez/", "/livez/ping", "/readyz/", "/versions", "/version/x",
        "/swagger.json", "/swaggerapi", "/openid", "/openid/v1",
        "/openid/v1/jwks/x", "/.well-knownx", "api", "//api", "/x/api"
    };

    (void) state;

    for (i = 0; i < test_nelts(with); i++) {
        path = test_str(with[i]);

        if (!k8s_sa_access_has_default_role(&path)) {
            fail_msg("%s has a default role", with[i]);
        }
    }

    for (i = 0; i < test_nelts(without); i++) {
        path = test_str(without[i]);

        if (k8s_sa_access_has_default_role(&path)) {
            fail_msg("%s has no default role", without[i]);
        }
    }

    memset(&path, 0, sizeof(path));
    assert_false(k8s_sa_access_has_default_role(&path));
}


/* What the recorded API servers allow to an account without any binding */

static void
recorded_default_roles(void **state)
{
    int           allowed, get;
    char         *text, *line, *rest;
    size_t        i, n;
    json_t       *question, *spec, *attributes;
    const char   *name, *verb;
    k8s_sa_str_t  path;

    static const char  *const versions[] = { "1.20.2", "1.36.2" };

    (void) state;

    for (i = 0; i < test_nelts(versions); i++) {
        n = 0;
        text = test_read(test_format("t/fixtures/%s/accessreview/"
                                     "questions.jsonl", versions[i]), NULL);

        for (line = strtok_r(text, "\n", &rest);
             line;
             line = strtok_r(NULL, "\n", &rest))
        {
            question = json_loads(line, JSON_ALLOW_NUL, NULL);
            name = json_string_value(json_object_get(question, "name"));

            if (strncmp(name, "default-path-", 13) == 0
                && strstr(name, "-anonymous") == NULL)
            {
                spec = json_object_get(question, "spec");
                attributes = json_object_get(spec, "nonResourceAttributes");
                verb = json_string_value(json_object_get(attributes, "verb"));
                get = strcmp(verb, "get") == 0;
                path = test_str(json_string_value(json_object_get(attributes,
                                                                  "path")));

                allowed = json_is_true(json_object_get(
                    json_object_get(question, "status"), "allowed"));

                if (allowed
                    != (get && k8s_sa_access_has_default_role(&path)))
                {
                    fail_msg("%s: %s", versions[i], name);
                }

                n++;
            }

            json_decref(question);
        }

        assert_true(n > 10);
    }
}


static void
values(void **state)
{
    size_t         i, n;
    unsigned       c;
    k8s_sa_str_t   value;
    unsigned char  bytes[3];

    static const struct {
        k8s_sa_access_field_e   field;
        int                     literal;
        int                     fit;
        const char             *value;
    } cases[] = {
        { K8S_SA_ACCESS_PATH, FOUND, 1, "/" },
        { K8S_SA_ACCESS_PATH, FOUND, 1, "/metrics" },
        { K8S_SA_ACCESS_PATH, FOUND, 1, "/a b/*/%2F//x/" },
        { K8S_SA_ACCESS_PATH, FOUND, 1, "/\xc3\xbc\xc2\x85" },
        { K8S_SA_ACCESS_PATH, FOUND, 1, "/.a/..b/a./a../..." },
        { K8S_SA_ACCESS_PATH, FOUND, 0, "" },
        { K8S_SA_ACCESS_PATH, FOUND, 0, "metrics" },
        { K8S_SA_ACCESS_PATH, LITERAL, 0, "*" },
        { K8S_SA_ACCESS_PATH, FOUND, 0, "/." },
        { K8S_SA_ACCESS_PATH, FOUND, 0, "/.." },
        { K8S_SA_ACCESS_PATH, FOUND, 0, "/./a" },
        { K8S_SA_ACCESS_PATH, FOUND, 0, "/public/../admin" },
        { K8S_SA_ACCESS_PATH, FOUND, 0, "/public//.." },
        { K8S_SA_ACCESS_PATH, FOUND, 0, "/a\n" },
        { K8S_SA_ACCESS_PATH, FOUND, 0, "/a\x7f" },
        { K8S_SA_ACCESS_PATH, FOUND, 0, "/\xff" },
        { K8S_SA_ACCESS_PATH, FOUND, 0, "/\xc3" },
        { K8S_SA_ACCESS_PATH, FOUND, 0, "/\xed\xa0\x80" },

        { K8S_SA_ACCESS_NAMESPACE, FOUND, 1, "a" },
        { K8S_SA_ACCESS_NAMESPACE, FOUND, 1, "kube-system-9" },
        { K8S_SA_ACCESS_NAMESPACE, FOUND, 1, "-" },
        { K8S_SA_ACCESS_NAMESPACE, LITERAL, 0, "*" },
        { K8S_SA_ACCESS_NAMESPACE, LITERAL, 0, "" },
        { K8S_SA_ACCESS_NAMESPACE, FOUND, 0, "A" },
        { K8S_SA_ACCESS_NAMESPACE, FOUND, 0, "a.b" },
        { K8S_SA_ACCESS_NAMESPACE, FOUND, 0, "a/b" },
        { K8S_SA_ACCESS_NAMESPACE, FOUND, 0, "a_b" },
        { K8S_SA_ACCESS_NAMESPACE, FOUND, 0, "a b" },
        { K8S_SA_ACCESS_NAMESPACE, FOUND, 0, "\xc3\xbc" },

        { K8S_SA_ACCESS_VERB, FOUND, 1, "get" },
        { K8S_SA_ACCESS_VERB, LITERAL, 1, "*" },
        { K8S_SA_ACCESS_VERB, FOUND, 0, "*" },
        { K8S_SA_ACCESS_VERB, FOUND, 0, "" },
        { K8S_SA_ACCESS_GROUP, FOUND, 1, "apps" },
        { K8S_SA_ACCESS_GROUP, FOUND, 1, "rbac.authorization.k8s.io" },
        { K8S_SA_ACCESS_GROUP, LITERAL, 0, "" },
        { K8S_SA_ACCESS_RESOURCE, FOUND, 1, "services" },
        { K8S_SA_ACCESS_RESOURCE, FOUND, 0, "services/proxy" },
        { K8S_SA_ACCESS_RESOURCE, LITERAL, 0, "services/proxy" },
        { K8S_SA_ACCESS_RESOURCE, LITERAL, 1, "*" },
        { K8S_SA_ACCESS_SUBRESOURCE, FOUND, 0, "a%2fb" },
        { K8S_SA_ACCESS_SUBRESOURCE, FOUND, 0, "p*" },
        { K8S_SA_ACCESS_NAME, FOUND, 1, "system:node:a" },
        { K8S_SA_ACCESS_NAME, FOUND, 1, "..." },
        { K8S_SA_ACCESS_NAME, FOUND, 1, ".a" },
        { K8S_SA_ACCESS_NAME, FOUND, 1, "~!@#$^&()_+|\"\\'?;:,<>=" },
        { K8S_SA_ACCESS_NAME, FOUND, 0, "." },
        { K8S_SA_ACCESS_NAME, LITERAL, 0, ".." },
        { K8S_SA_ACCESS_NAME, FOUND, 0, "a b" },
        { K8S_SA_ACCESS_NAME, FOUND, 0, "a\xc3\xbc" },
        { K8S_SA_ACCESS_NAME, FOUND, 0, "a\n" }
    };

    static const struct {
        k8s_sa_access_field_e  field;
        size_t                 max;
    } limits[] = {
        { K8S_SA_ACCESS_PATH, K8S_SA_ACCESS_PATH_MAX },
        { K8S_SA_ACCESS_VERB, 253 },
        { K8S_SA_ACCESS_NAMESPACE, 63 },
        { K8S_SA_ACCESS_GROUP, 253 },
        { K8S_SA_ACCESS_RESOURCE, 253 },
        { K8S_SA_ACCESS_SUBRESOURCE, 253 },
        { K8S_SA_ACCESS_NAME, 253 }
    };

    (void) state;

    for (i = 0; i < test_nelts(cases); i++) {
        n = strlen(cases[i].value);
        value.len = n;
        value.data = test_copy(cases[i].value, n);

        if (k8s_sa_access_is_fit(cases[i].field, &value, cases[i].literal)
            != cases[i].fit)
        {
            fail_msg("%s \"%s\"", k8s_sa_access_field(cases[i].field),
                     cases[i].value);
        }
    }

    for (i = 0; i < test_nelts(limits); i++) {
        value.data = test_keep(malloc(limits[i].max + 1));
        memset(value.data, 'a', limits[i].max + 1);

        if (limits[i].field == K8S_SA_ACCESS_PATH) {
            value.data[0] = '/';
        }

        value.len = limits[i].max;
        assert_true(k8s_sa_access_is_fit(limits[i].field, &value, FOUND));

        value.len++;
        assert_false(k8s_sa_access_is_fit(limits[i].field, &value, LITERAL));

        memset(&value, 0, sizeof(value));
        assert_false(k8s_sa_access_is_fit(limits[i].field, &value, LITERAL));
    }

    for (c = 0; c < 256; c++) {
        bytes[0] = 'a';
        bytes[1] = (unsigned char) c;
        bytes[2] = 'a';
        value.len = 3;
        value.data = bytes;

        assert_int_equal(k8s_sa_access_is_fit(K8S_SA_ACCESS_NAMESPACE, &value,
                                              LITERAL),
                         (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
                         || c == '-');
        assert_int_equal(k8s_sa_access_is_fit(K8S_SA_ACCESS_NAME, &value,
                                              FOUND),
                         c >= '!' && c <= '~' && c != '/' && c != '%'
                         && c != '*');

        bytes[0] = '/';
        assert_int_equal(k8s_sa_access_is_fit(K8S_SA_ACCESS_PATH, &value,
                                              FOUND),
                         c >= ' ' && c < 0x7f);
    }
}


#define BIT(field)  (1u << K8S_SA_ACCESS_##field)

static void
checks(void **state)
{
    size_t                   i;
    k8s_sa_str_t             method;
    k8s_sa_error_t           err;
    k8s_sa_access_t          q;
    k8s_sa_verdict_e         rc;
    k8s_sa_access_field_e    field;
    k8s_sa_access_policy_t   policy;

    static const struct {
        const char  *fields[K8S_SA_ACCESS_FIELDS];
        unsigned     literal, client;
        const char  *local, *method;
        unsigned     verdict;
        unsigned     field;
        const char  *reason;
    } cases[] = {
        { { "/p", "get" }, 0, 0, NULL, "GET", V_OK, 0, NULL },
        { { "/p", "*" }, BIT(VERB), 0, NULL, NULL, V_OK, 0, NULL },
        { { NULL, "get", NULL, NULL, "nodes" },
          0, 0, NULL, NULL, V_OK, 0, NULL },
        { { NULL, "get", "a", "b", "c", "d", "e" },
          0, 0, NULL, NULL, V_OK, 0, NULL },
        { { NULL, "get", "a", NULL, "c" }, 0, 0, "a", NULL, V_OK, 0, NULL },

        { { "/p", "" }, 0, 0, NULL, "OPTIONS", V(ACCESS_DENIED),
          K8S_SA_ACCESS_VERB, "no verb for method OPTIONS" },
        { { "/p", NULL }, 0, 0, NULL, "OPTIONS", V(ACCESS_DENIED),
          K8S_SA_ACCESS_VERB, "no verb for method OPTIONS" },
        { { "/p", "" }, 0, 0, NULL, NULL, V(ACCESS_DENIED),
          K8S_SA_ACCESS_VERB, "no value for verb" },
        { { "/p", "" }, 0, BIT(VERB), NULL, NULL, V(BAD_ATTRIBUTES),
          K8S_SA_ACCESS_VERB, "no value for verb" },
        { { "/p", "*" }, 0, 0, NULL, "GET", V(ACCESS_DENIED),
          K8S_SA_ACCESS_VERB, "unfit value for verb" },
        { { "/p", "*" }, BIT(PATH), 0, NULL, "GET", V(ACCESS_DENIED),
          K8S_SA_ACCESS_VERB, "unfit value for verb" },

        { { NULL, "get" }, 0, 0, NULL, NULL, V(ACCESS_DENIED),
          K8S_SA_ACCESS_PATH, "no value for path" },
        { { "", "get" }, 0, 0, NULL, NULL, V(ACCESS_DENIED),
          K8S_SA_ACCESS_PATH, "no value for path" },
        { { "/../x", "get" }, 0, BIT(PATH), NULL, NULL, V(BAD_ATTRIBUTES),
          K8S_SA_ACCESS_PATH, "unfit value for path" },
        { { "/../x", "get" }, BIT(PATH), 0, NULL, NULL, V(ACCESS_DENIED),
          K8S_SA_ACCESS_PATH, "unfit value for path" },

        { { NULL, "get", "", NULL, "pods" }, 0, 0, NULL, NULL,
          V(ACCESS_DENIED), K8S_SA_ACCESS_NAMESPACE,
          "no value for namespace" },
        { { NULL, "get", "", NULL, "pods" }, 0, BIT(NAMESPACE), NULL, NULL,
          V(BAD_ATTRIBUTES), K8S_SA_ACCESS_NAMESPACE,
          "no value for namespace" },
        { { NULL, "get", "A", NULL, "pods" }, 0, BIT(NAME), NULL, NULL,
          V(ACCESS_DENIED), K8S_SA_ACCESS_NAMESPACE,
          "unfit value for namespace" },
        { { NULL, "get", "a", "", "pods" }, 0, 0, NULL, NULL,
          V(ACCESS_DENIED), K8S_SA_ACCESS_GROUP, "no value for group" },
        { { NULL, "get", "a", NULL, "" }, 0, 0, NULL, NULL,
          V(ACCESS_DENIED), K8S_SA_ACCESS_RESOURCE, "no value for resource" },
        { { NULL, "get", "a", NULL, "pods", "" }, 0, 0, NULL, NULL,
          V(ACCESS_DENIED), K8S_SA_ACCESS_SUBRESOURCE,
          "no value for subresource" },
        { { NULL, "get", "a", NULL, "pods", NULL, "" }, 0, 0, NULL, NULL,
          V(ACCESS_DENIED), K8S_SA_ACCESS_NAME, "no value for name" },
        { { NULL, "get", "a", NULL, "pods", NULL, "*" }, 0, BIT(NAME), NULL,
          NULL, V(BAD_ATTRIBUTES), K8S_SA_ACCESS_NAME,
          "unfit value for name" },

        /* a question is about one of both */

        { { "/p", "get", NULL, NULL, "pods" }, 0, 0, NULL, NULL,
          V(ACCESS_DENIED), K8S_SA_ACCESS_PATH, "unfit value for path" },
        { { "/p", "get", "a" }, 0, 0, NULL, NULL,
          V(ACCESS_DENIED), K8S_SA_ACCESS_NAMESPACE,
          "unfit value for namespace" },

        /* of one namespace only */

        { { NULL, "get", "b", NULL, "pods" }, 0, BIT(NAMESPACE), "a", NULL,
          V(BAD_ATTRIBUTES), K8S_SA_ACCESS_NAMESPACE,
          "another namespace than that of the local review" },
        { { NULL, "get", NULL, NULL, "pods" }, 0, 0, "a", NULL,
          V(ACCESS_DENIED), K8S_SA_ACCESS_NAMESPACE,
          "another namespace than that of the local review" },
        { { "/p", "get" }, 0, 0, "a", NULL,
          V(ACCESS_DENIED), K8S_SA_ACCESS_NAMESPACE,
          "another namespace than that of the local review" }
    };

    (void) state;

    for (i = 0; i < test_nelts(cases); i++) {
        q = question(cases[i].fields);
        q.literal = cases[i].literal;
        q.client = cases[i].client;

        memset(&policy, 0, sizeof(policy));

        if (cases[i].local) {
            policy.local = test_str(cases[i].local);
        }

        if (cases[i].method) {
            method = test_str(cases[i].method);
        }

        field = K8S_SA_ACCESS_FIELDS;
        err.text[0] = '\0';

        rc = k8s_sa_access_check(&q, &policy,
                                 cases[i].method ? &method : NULL, &field,
                                 &err);

        if ((1u << rc) != cases[i].verdict) {
            fail_msg("%zu: %s, %s", i, k8s_sa_verdict_info(rc)->word,
                     err.text);
        }

        assert_int_equal(k8s_sa_access_check(&q, &policy, NULL, NULL, NULL),
                         rc);

        if (rc == K8S_SA_VERDICT_OK) {
            assert_int_equal(field, K8S_SA_ACCESS_FIELDS);
            continue;
        }

        assert_string_equal(err.text, cases[i].reason);
        assert_int_equal(field, cases[i].field);
    }
}


static void
text_is(const k8s_sa_access_t *q, k8s_sa_access_text_e how,
    const char *expected)
{
    size_t        len;
    k8s_sa_str_t  text;

    len = k8s_sa_access_text(NULL, q, how);

    text.data = test_copy("", 0);
    text.len = len;

    if (len) {
        text.data = test_keep(malloc(len));
        assert_int_equal(k8s_sa_access_text(text.data, q, how), len);
    }

    assert_string_equal(test_text(&text), expected);
}


static void
texts(void **state)
{
    size_t           i;
    k8s_sa_access_t  q;

    static const struct {
        const char  *fields[K8S_SA_ACCESS_FIELDS];
        const char  *text, *description, *log;
    } cases[] = {
        { { "/metrics", "get" }, "get /metrics", "cannot get path /metrics",
          "cannot get path \"/metrics\"" },
        { { NULL, "create", "a", "apps", "services", "proxy", "b" },
          "create services/proxy.apps namespace=a name=b",
          "cannot create services/proxy.apps b in namespace a",
          "cannot create services/proxy.apps b in namespace a" },
        { { NULL, "list", NULL, NULL, "nodes" }, "list nodes",
          "cannot list nodes at the cluster scope",
          "cannot list nodes at the cluster scope" },
        { { NULL, "get", "kube-system", NULL, "pods" },
          "get pods namespace=kube-system",
          "cannot get pods in namespace kube-system",
          "cannot get pods in namespace kube-system" },
        { { NULL, "*", NULL, "*", "*", "*", "n" }, "* */*.* name=n",
          "cannot * */*.* n at the cluster scope",
          "cannot * */*.* n at the cluster scope" },

        { { "/a b", "get" }, "get /a b", "", "cannot get path \"/a b\"" },
        { { "/a\"b\\", "get" }, "get /a\"b\\", "",
          "cannot get path \"/a\\x22b\\x5C\"" },
        { { "/\xc3\xbc\x7f", "get" }, "get /\xc3\xbc\x7f", "",
          "cannot get path \"/\\xC3\\xBC\\x7F\"" },
        { { NULL, "get", NULL, NULL, "a", NULL, "b\"" }, "get a name=b\"", "",
          "cannot get a b\\x22 at the cluster scope" }
    };

    (void) state;

    for (i = 0; i < test_nelts(cases); i++) {
        q = question(cases[i].fields);

        text_is(&q, K8S_SA_ACCESS_SHORT, cases[i].text);
        text_is(&q, K8S_SA_ACCESS_DESCRIPTION, cases[i].description);
        text_is(&q, K8S_SA_ACCESS_LOG, cases[i].log);
        text_is(&q, K8S_SA_ACCESS_LOG_ALLOWED,
                cases[i].log + strlen("cannot "));
    }

    memset(&q, 0, sizeof(q));
    q.fields[K8S_SA_ACCESS_VERB] = test_str("get");

    q.fields[K8S_SA_ACCESS_PATH] = test_str(test_format("/%0511d", 0));
    text_is(&q, K8S_SA_ACCESS_LOG, test_format("cannot get path \"/%0511d\"",
                                               0));

    q.fields[K8S_SA_ACCESS_PATH] = test_str(test_format("/%0512d", 0));
    text_is(&q, K8S_SA_ACCESS_LOG,
            test_format("cannot get path \"/%0511d\"...", 0));
    text_is(&q, K8S_SA_ACCESS_DESCRIPTION,
            test_format("cannot get path /%0512d", 0));

    /* an escape counts as what is written */

    q.fields[K8S_SA_ACCESS_PATH] = test_str(test_format("/%0507d\"", 0));
    text_is(&q, K8S_SA_ACCESS_LOG,
            test_format("cannot get path \"/%0507d\\x22\"", 0));

    q.fields[K8S_SA_ACCESS_PATH] = test_str(test_format("/%0508d\"", 0));
    text_is(&q, K8S_SA_ACCESS_LOG,
            test_format("cannot get path \"/%0508d\"...", 0));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(verbs, test_release),
        cmocka_unit_test_teardown(default_roles, test_release),
        cmocka_unit_test_teardown(recorded_default_roles, test_release),
        cmocka_unit_test_teardown(values, test_release),
        cmocka_unit_test_teardown(checks, test_release),
        cmocka_unit_test_teardown(texts, test_release)
    };

    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
