/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * OpenSSL without Ed25519, as in FIPS mode: such a key is unusable, and the
 * others of its set are not.
 */

#include "k8s_sa_test.h"

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>


#define LIST_MAX  512

/* The default provider in a library context of its own, without Ed25519. */

static OSSL_PROVIDER  *all;


static const OSSL_ALGORITHM *
query(void *provctx, int operation, int *no_cache)
{
    size_t                  i, n;
    const OSSL_ALGORITHM   *algs;
    OSSL_ALGORITHM         *kept;
    static OSSL_ALGORITHM   lists[OSSL_OP__HIGHEST + 1][LIST_MAX];

    (void) provctx;

    algs = OSSL_PROVIDER_query_operation(all, operation, no_cache);

    kept = lists[operation];
    n = 0;

    for (i = 0; algs && algs[i].algorithm_names; i++) {

        if (strstr(algs[i].algorithm_names, "ED25519") == NULL) {
            assert_true(n < LIST_MAX - 1);
            kept[n++] = algs[i];
        }
    }

    return kept;
}


static const OSSL_DISPATCH  functions[] = {
    { OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void)) query },
    { 0, NULL }
};


static int
init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provctx)
{
    (void) handle;
    (void) in;

    *out = functions;
    *provctx = OSSL_PROVIDER_get0_provider_ctx(all);

    return 1;
}


static void
unusable(void **state)
{
    size_t            len;
    EVP_PKEY         *ec;
    const char       *text;
    k8s_sa_error_t    err, note;
    k8s_sa_keyset_t  *set;

    /* RFC 8037 appendix A.2 */

    static const char  ed[] = "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
        "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";

    (void) state;

    set = k8s_sa_keyset_create();
    assert_non_null(set);

    assert_int_equal(k8s_sa_keyset_add_jwks(set, ed, strlen(ed), NULL, &err),
                     K8S_SA_ERROR);
    assert_non_null(strstr(err.text, "Ed25519 is not supported by OpenSSL"));

    ec = test_ec("P-256");
    text = test_format("{\"keys\":[%s,%s]}", ed, test_jwk(ec, ""));
    len = strlen(text);

    assert_int_equal(k8s_sa_keyset_add_jwks(set, text, len, &note, &err),
                     K8S_SA_OK);
    assert_int_equal(k8s_sa_keyset_count(set), 1);
    assert_non_null(strstr(note.text, "Ed25519 is not supported by OpenSSL"));
    assert_int_equal(ERR_peek_error(), 0);

    k8s_sa_keyset_free(set);
    EVP_PKEY_free(ec);
}


int
main(void)
{
    OSSL_LIB_CTX  *libctx;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(unusable, test_release)
    };

    libctx = OSSL_LIB_CTX_new();
    all = OSSL_PROVIDER_load(libctx, "default");

    if (all == NULL
        || !OSSL_PROVIDER_add_builtin(NULL, "without", init)
        || OSSL_PROVIDER_load(NULL, "without") == NULL)
    {
        return 1;
    }

    return cmocka_run_group_tests(tests, NULL, NULL);
}
