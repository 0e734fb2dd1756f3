/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Discovery documents and key sets: those that real API servers publish, and
 * those that must be refused.
 */

#include "k8s_sa_recorded.h"

#include "token/k8s_sa_discovery.h"


typedef struct {
    const char  *issuer;
    const char  *jwks_uri;
    unsigned     documents;
    unsigned     others;
    unsigned     key_sets;
    unsigned     keys;
} discovery_seen_t;


#define URI     "https://example.com/jwks"
#define OTHER   "https://new.example"


static int
discovery_parse(k8s_sa_discovery_t *doc, const char *text)
{
    int             rc;
    size_t          len;
    k8s_sa_error_t  err;

    err.text[0] = '\0';
    len = strlen(text);

    rc = k8s_sa_discovery_parse(doc, test_copy(text, len), len, &err);

    /* a refusal has a reason and leaves nothing to free */

    assert_true((rc == K8S_SA_OK) == (err.text[0] == '\0'));
    assert_true((rc == K8S_SA_OK) == (doc->issuer != NULL));
    assert_true((rc == K8S_SA_OK) == (doc->jwks_uri != NULL));

    return rc;
}


static void
discovery_recorded_document(recorded_t *rec, void *data)
{
    int                  rc;
    k8s_sa_error_t       err;
    discovery_seen_t    *seen;
    k8s_sa_discovery_t   doc;

    seen = data;

    rc = k8s_sa_discovery_parse(&doc, rec->body, rec->len, &err);

    if (rec->status != 200) {
        assert_int_equal(rc, K8S_SA_ERROR);
        seen->others++;
        return;
    }

    if (rc != K8S_SA_OK) {
        fail_msg("%s: %s", rec->path, err.text);
    }

    if (strcmp(rec->name, "discovery-two-issuers") == 0) {
        assert_string_equal(doc.issuer, OTHER);

    } else {
        assert_string_equal(doc.issuer, seen->issuer);
        assert_string_equal(doc.jwks_uri, seen->jwks_uri);
    }

    k8s_sa_discovery_free(&doc);

    /* a second call must be harmless */

    k8s_sa_discovery_free(&doc);

    seen->documents++;
}


static void
discovery_recorded_keys(recorded_t *rec, void *data)
{
    int                rc;
    k8s_sa_error_t     err, note;
    k8s_sa_keyset_t   *set;
    discovery_seen_t  *seen;

    seen = data;
    set = k8s_sa_keyset_create();

    rc = k8s_sa_keyset_add_jwks(set, rec->body, rec->len, &note, &err);

    if (rec->status != 200) {
        assert_int_equal(rc, K8S_SA_ERROR);
        assert_int_equal(k8s_sa_keyset_count(set), 0);

    } else {
        if (rc != K8S_SA_OK) {
            fail_msg("%s: %s", rec->path, err.text);
        }

        assert_string_equal(note.text, "");
        assert_int_equal(k8s_sa_keyset_count(set), seen->keys);
        seen->key_sets++;
    }

    k8s_sa_keyset_free(set);
}


static void
recorded_answers(void **state)
{
    size_t             i;
    discovery_seen_t   seen;

    static const struct {
        const char        *version;
        discovery_seen_t   expected;
    } versions[] = {
        { "1.20.2", { "https://kubernetes.default.svc",
                      "https://127.0.0.1:6443/openid/v1/jwks",
                      12, 9, 13, 1 } },
        { "1.36.2", { "https://kubernetes.default.svc",
                      "https://127.0.0.1:6444/openid/v1/jwks",
                      13, 9, 14, 2 } }
    };

    (void) state;

    for (i = 0; i < test_nelts(versions); i++) {
        seen = versions[i].expected;
        seen.documents = 0;
        seen.others = 0;
        seen.key_sets = 0;

        recorded_each(versions[i].version, "openid/discovery-*",
                      discovery_recorded_document, &seen);
        recorded_each(versions[i].version, "openid/jwks-*",
                      discovery_recorded_keys, &seen);

        assert_int_equal(seen.documents, versions[i].expected.documents);
        assert_int_equal(seen.others, versions[i].expected.others);
        assert_int_equal(seen.key_sets, versions[i].expected.key_sets);
    }
}


static void
truncated_documents(void **state)
{
    char                *data;
    size_t               len, n;
    k8s_sa_error_t       err;
    k8s_sa_discovery_t   doc;

    (void) state;

    data = test_read("t/fixtures/1.36.2/discovery.json", &len);

    while (data[len - 1] == '\n') {
        len--;
    }

    for (n = 0; n < len; n++) {
        assert_int_equal(k8s_sa_discovery_parse(&doc, test_copy(data, n), n,
                                                &err), K8S_SA_ERROR);
    }

    assert_int_equal(k8s_sa_discovery_parse(&doc, test_copy(data, len), len,
                                            NULL), K8S_SA_OK);
    k8s_sa_discovery_free(&doc);
}


static void
valid_documents(void **state)
{
    size_t               i;
    k8s_sa_discovery_t   doc;

    static const char  *const uris[] = {
        "https://example.com/jwks",
        "HTTPS://example.com/jwks",
        "https://example.com",
        "http://127.0.0.1:8080/jwks?a=b",
        "https://[::1]:6443/openid/v1/jwks"
    };

    (void) state;

    for (i = 0; i < test_nelts(uris); i++) {
        assert_int_equal(discovery_parse(&doc,
                             test_format("{\"issuer\":\"any \\u00e4\","
                                         "\"jwks_uri\":\"%s\",\"more\":"
                                         "[1,{}]}", uris[i])),
                         K8S_SA_OK);
        assert_string_equal(doc.issuer, "any \xc3\xa4");
        assert_string_equal(doc.jwks_uri, uris[i]);
        k8s_sa_discovery_free(&doc);
    }
}


static void
invalid_documents(void **state)
{
    size_t               i;
    k8s_sa_discovery_t   doc;

    static const char  *const texts[] = {
        "",
        " ",
        "null",
        "[]",
        "\"issuer\"",
        "{}",
        "<html></html>",
        "{\"issuer\":\"i\"}",
        "{\"jwks_uri\":\"" URI "\"}",
        "{\"issuer\":\"\",\"jwks_uri\":\"" URI "\"}",
        "{\"issuer\":1,\"jwks_uri\":\"" URI "\"}",
        "{\"issuer\":null,\"jwks_uri\":\"" URI "\"}",
        "{\"issuer\":[\"i\"],\"jwks_uri\":\"" URI "\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":null}",
        "{\"issuer\":\"i\",\"jwks_uri\":{}}",
        "{\"issuer\":\"i\",\"jwks_uri\":[\"" URI "\"]}",

        /* duplicate names, trailing text, not UTF-8 */
        "{\"issuer\":\"i\",\"issuer\":\"i\",\"jwks_uri\":\"" URI "\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"" URI "\",\"jwks_uri\":\"x\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"" URI "\",\"a\":{\"b\":1,\"b\":1}}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"" URI "\"}}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"" URI "\"}{}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"" URI "\",}",
        "{\"issuer\":\"\xff\",\"jwks_uri\":\"" URI "\"}",
        "\xef\xbb\xbf{\"issuer\":\"i\",\"jwks_uri\":\"" URI "\"}",

        /* strings that could break out of a log line or a request */
        "{\"issuer\":\"i\\n\",\"jwks_uri\":\"" URI "\"}",
        "{\"issuer\":\"i\\u007f\",\"jwks_uri\":\"" URI "\"}",
        "{\"issuer\":\"i\\u0000\",\"jwks_uri\":\"" URI "\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"" URI "\\r\\nHost: x\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"" URI "\\u0000\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"" URI " HTTP/1.1\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"" URI "\\u00e4\"}",

        /* not an absolute http or https URL */
        "{\"issuer\":\"i\",\"jwks_uri\":\"/openid/v1/jwks\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"//example.com/jwks\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"example.com\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"file:///etc/passwd\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"ftp://example.com/\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"https:example.com\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"https:/example.com\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"https://\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"https:///jwks\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"https://:443/jwks\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"https://?jwks\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\" https://example.com\"}",
        "{\"issuer\":\"i\",\"jwks_uri\":\"httpss://example.com\"}"
    };

    (void) state;

    for (i = 0; i < test_nelts(texts); i++) {

        if (discovery_parse(&doc, texts[i]) == K8S_SA_OK) {
            fail_msg("accepted: %s", texts[i]);
        }
    }
}


static void
size_is_bounded(void **state)
{
    int                  n, more;
    char                *text, *p;
    k8s_sa_discovery_t   doc;

    (void) state;

    text = test_format("{\"issuer\":\"i\",\"jwks_uri\":\"" URI "\",\"a\":"
                       "\"%*s\"}", K8S_SA_DOCUMENT_MAX, "");
    n = strlen(text) - K8S_SA_DOCUMENT_MAX;

    text = test_format("{\"issuer\":\"i\",\"jwks_uri\":\"" URI "\",\"a\":"
                       "\"%*s\"}", K8S_SA_DOCUMENT_MAX - n, "");
    assert_int_equal(strlen(text), K8S_SA_DOCUMENT_MAX);
    assert_int_equal(discovery_parse(&doc, text), K8S_SA_OK);
    k8s_sa_discovery_free(&doc);

    text = test_format("%s ", text);
    assert_int_equal(discovery_parse(&doc, text), K8S_SA_ERROR);

    /* the number of values is, too, without what strings contain */

    text = test_keep(malloc(20 * (K8S_SA_DOCUMENT_VALUES_MAX + 1)));

    for (more = 0; more < 2; more++) {
        p = text + sprintf(text, "{\"issuer\":\"i\",\"jwks_uri\":\"" URI
                           "\",\"a,[{\":[");

        for (n = 4; n < K8S_SA_DOCUMENT_VALUES_MAX + more; n += 2) {
            p += sprintf(p, "{},");
        }

        sprintf(p, "0]}");

        if (more == 0) {
            assert_int_equal(discovery_parse(&doc, text), K8S_SA_OK);
            k8s_sa_discovery_free(&doc);

        } else {
            assert_int_equal(discovery_parse(&doc, text), K8S_SA_ERROR);
        }
    }

    /* deep nesting must not exhaust the stack */

    text = test_format("{\"a\":%*s", 200000, "");
    memset(text + 5, '[', 200000);
    assert_int_equal(discovery_parse(&doc, text), K8S_SA_ERROR);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(recorded_answers, test_release),
        cmocka_unit_test_teardown(truncated_documents, test_release),
        cmocka_unit_test_teardown(valid_documents, test_release),
        cmocka_unit_test_teardown(invalid_documents, test_release),
        cmocka_unit_test_teardown(size_is_bounded, test_release)
    };

    return cmocka_run_group_tests_name("discovery", tests, NULL, NULL);
}
