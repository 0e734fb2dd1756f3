/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_key.h"
#include "token/k8s_sa_base64url.h"
#include "token/k8s_sa_document.h"

#include <openssl/err.h>

#include <string.h>


/* Java's BigInteger.toByteArray() adds an octet for the sign. */

#define K8S_SA_JWK_RSA_MAX  (K8S_SA_RSA_OCTETS_MAX + 1)

/* Like K8S_SA_REFUSED, of a key that is merely not for us */

#define K8S_SA_JWK_UNUSED  2


static int k8s_sa_jwk_add_all(k8s_sa_keyset_t *set, const json_t *root,
    k8s_sa_error_t *note, k8s_sa_error_t *err);
static void k8s_sa_jwk_reason(k8s_sa_error_t *reasons, size_t number,
    const char *why);
static int k8s_sa_jwk_add(k8s_sa_keyset_t *set, const json_t *jwk,
    k8s_sa_error_t *err);
static int k8s_sa_jwk_create(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const json_t *jwk, k8s_sa_error_t *err);
static int k8s_sa_jwk_rsa(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const json_t *jwk, k8s_sa_error_t *err);
static int k8s_sa_jwk_ec(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const json_t *jwk, k8s_sa_error_t *err);
static int k8s_sa_jwk_okp(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const json_t *jwk, k8s_sa_error_t *err);
static int k8s_sa_jwk_is_private(const json_t *jwk);
static int k8s_sa_jwk_use(const json_t *jwk, k8s_sa_error_t *err);
static int k8s_sa_jwk_alg(const json_t *jwk, unsigned *algorithms,
    k8s_sa_error_t *err);
static int k8s_sa_jwk_kid(const json_t *jwk, k8s_sa_str_t *kid,
    k8s_sa_error_t *err);
static const json_t *k8s_sa_jwk_member(const json_t *jwk, const char *name);
static int k8s_sa_jwk_string(const json_t *jwk, const char *name,
    const char **value, k8s_sa_error_t *err);
static int k8s_sa_jwk_required(const json_t *jwk, const char *name,
    const char **value, k8s_sa_error_t *err);
static int k8s_sa_jwk_number(const json_t *jwk, const char *name,
    unsigned char *dst, size_t size, size_t *len, k8s_sa_error_t *err);


int
k8s_sa_keyset_add_jwks(k8s_sa_keyset_t *set, const void *data, size_t len,
    k8s_sa_error_t *note, k8s_sa_error_t *err)
{
    int             rc;
    size_t          n;
    json_t         *root;
    k8s_sa_error_t  own;

    if (note == NULL) {
        note = &own;
    }

    note->text[0] = '\0';

    root = k8s_sa_document_read(data, len, 0, err);
    if (root == NULL) {
        return k8s_sa_document_no_memory() ? K8S_SA_NO_MEMORY : K8S_SA_ERROR;
    }

    n = k8s_sa_keyset_count(set);

    rc = k8s_sa_jwk_add_all(set, root, note, err);

    if (rc != K8S_SA_OK) {
        k8s_sa_keyset_truncate(set, n);
    }

    json_decref(root);
    ERR_clear_error();

    return rc;
}


static int
k8s_sa_jwk_add_all(k8s_sa_keyset_t *set, const json_t *root,
    k8s_sa_error_t *note, k8s_sa_error_t *err)
{
    int              rc;
    size_t           i, n, usable;
    const json_t    *keys, *jwk;
    k8s_sa_error_t   why, reasons;

    keys = k8s_sa_jwk_member(root, "keys");

    if (keys == NULL && k8s_sa_jwk_member(root, "kty")) {
        n = 1;

    } else if (json_is_array(keys)) {
        n = json_array_size(keys);

    } else {
        k8s_sa_error_set(err, "neither a JWK set nor a JWK");
        return K8S_SA_ERROR;
    }

    if (n > K8S_SA_KEYS_MAX) {
        k8s_sa_error_set(err, "%zu keys, more than %d", n, K8S_SA_KEYS_MAX);
        return K8S_SA_ERROR;
    }

    usable = 0;
    k8s_sa_error_set(&reasons, "no usable key among %zu", n);

    for (i = 0; i < n; i++) {
        jwk = keys ? json_array_get(keys, i) : root;
        why.text[0] = '\0';

        rc = k8s_sa_jwk_add(set, jwk, &why);

        switch (rc) {

        case K8S_SA_OK:
            usable++;
            break;

        case K8S_SA_REFUSED:
            if (note->text[0] == '\0') {
                k8s_sa_error_set(note, "key %zu: %.200s", i + 1, why.text);
            }

            /* fall through */

        case K8S_SA_JWK_UNUSED:
            k8s_sa_jwk_reason(&reasons, i + 1, why.text);
            break;

        default:
            k8s_sa_error_set(err, "key %zu: %.200s", i + 1, why.text);
            return k8s_sa_keyset_count(set) == K8S_SA_KEYS_MAX
                   ? K8S_SA_ERROR : K8S_SA_NO_MEMORY;
        }
    }

    if (usable == 0) {
        k8s_sa_error_set(err, "%s", reasons.text);
        return K8S_SA_ERROR;
    }

    return K8S_SA_OK;
}


/* Appends a key's reason, or "..." if it does not fit. */

static void
k8s_sa_jwk_reason(k8s_sa_error_t *reasons, size_t number, const char *why)
{
    size_t  len, size;

    len = strlen(reasons->text);
    size = sizeof(reasons->text) - len;

    if (snprintf(reasons->text + len, size, ", key %zu: %s", number, why)
        >= (int) size)
    {
        memcpy(reasons->text + sizeof(reasons->text) - 4, "...", 4);
    }
}


/*
 * K8S_SA_OK; K8S_SA_REFUSED or K8S_SA_JWK_UNUSED, with the reason in *err; or
 * K8S_SA_ERROR.
 */

static int
k8s_sa_jwk_add(k8s_sa_keyset_t *set, const json_t *jwk, k8s_sa_error_t *err)
{
    int            rc;
    unsigned       algorithms;
    k8s_sa_str_t   kid;
    k8s_sa_key_t  *key;

    if (!json_is_object(jwk)) {
        k8s_sa_error_set(err, "not an object");
        return K8S_SA_REFUSED;
    }

    if (k8s_sa_jwk_is_private(jwk)) {
        k8s_sa_error_set(err, "holds a private or secret key");
        return K8S_SA_REFUSED;
    }

    rc = k8s_sa_jwk_use(jwk, err);
    if (rc != K8S_SA_OK) {
        return rc;
    }

    rc = k8s_sa_jwk_alg(jwk, &algorithms, err);
    if (rc != K8S_SA_OK) {
        return rc;
    }

    rc = k8s_sa_jwk_kid(jwk, &kid, err);
    if (rc != K8S_SA_OK) {
        return rc;
    }

    rc = k8s_sa_jwk_create(&key, k8s_sa_keyset_digests(set), jwk, err);
    if (rc != K8S_SA_OK) {
        return rc;
    }

    key->algorithms &= algorithms;

    if (key->algorithms == 0) {
        k8s_sa_key_free(key);
        k8s_sa_error_set(err, "\"alg\" does not fit the type of the key");
        return K8S_SA_REFUSED;
    }

    key->kid_source = kid.data ? K8S_SA_KID_GIVEN : K8S_SA_KID_NONE;

    if (kid.data
        && k8s_sa_key_set_kid(key, kid.data, kid.len) != K8S_SA_OK)
    {
        k8s_sa_key_free(key);
        k8s_sa_error_set(err, "out of memory");
        return K8S_SA_ERROR;
    }

    return k8s_sa_keyset_add(set, key, err);
}


static int
k8s_sa_jwk_create(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const json_t *jwk, k8s_sa_error_t *err)
{
    const char  *kty;

    if (k8s_sa_jwk_required(jwk, "kty", &kty, err) != K8S_SA_OK) {
        return K8S_SA_REFUSED;
    }

    if (strcmp(kty, "RSA") == 0) {
        return k8s_sa_jwk_rsa(key, digests, jwk, err);
    }

    if (strcmp(kty, "EC") == 0) {
        return k8s_sa_jwk_ec(key, digests, jwk, err);
    }

    if (strcmp(kty, "OKP") == 0) {
        return k8s_sa_jwk_okp(key, digests, jwk, err);
    }

    k8s_sa_error_set(err, "\"kty\" is not supported");

    return K8S_SA_JWK_UNUSED;
}


/* RFC 7518 section 6.3.1 */

static int
k8s_sa_jwk_rsa(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const json_t *jwk, k8s_sa_error_t *err)
{
    size_t         n_len, e_len;
    unsigned char  n[K8S_SA_JWK_RSA_MAX], e[K8S_SA_JWK_RSA_MAX];

    if (k8s_sa_jwk_number(jwk, "n", n, sizeof(n), &n_len, err) != K8S_SA_OK
        || k8s_sa_jwk_number(jwk, "e", e, sizeof(e), &e_len, err)
           != K8S_SA_OK)
    {
        return K8S_SA_REFUSED;
    }

    return k8s_sa_key_rsa(key, digests, n, n_len, e, e_len, err);
}


/* RFC 7518 section 6.2.1 */

static int
k8s_sa_jwk_ec(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const json_t *jwk, k8s_sa_error_t *err)
{
    size_t                 x_len, y_len;
    const char            *crv;
    unsigned char          x[K8S_SA_EC_OCTETS_MAX], y[K8S_SA_EC_OCTETS_MAX];
    const k8s_sa_curve_t  *curve;

    if (k8s_sa_jwk_required(jwk, "crv", &crv, err) != K8S_SA_OK) {
        return K8S_SA_REFUSED;
    }

    curve = k8s_sa_curve_by_crv(crv);
    if (curve == NULL) {
        k8s_sa_error_set(err, "\"crv\" is not supported");
        return K8S_SA_JWK_UNUSED;
    }

    if (k8s_sa_jwk_number(jwk, "x", x, sizeof(x), &x_len, err) != K8S_SA_OK
        || k8s_sa_jwk_number(jwk, "y", y, sizeof(y), &y_len, err)
           != K8S_SA_OK)
    {
        return K8S_SA_REFUSED;
    }

    /* section 6.2.1.2: padded with zeros to exactly this length */

    if (x_len != curve->octets || y_len != curve->octets) {
        k8s_sa_error_set(err, "\"x\" or \"y\" does not have %zu octets",
                         curve->octets);
        return K8S_SA_REFUSED;
    }

    return k8s_sa_key_ec(key, digests, curve, x, y, err);
}


/* RFC 8037 section 2 */

static int
k8s_sa_jwk_okp(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    const json_t *jwk, k8s_sa_error_t *err)
{
    size_t          len;
    const char     *crv;
    unsigned char   x[K8S_SA_ED25519_OCTETS];

    if (k8s_sa_jwk_required(jwk, "crv", &crv, err) != K8S_SA_OK) {
        return K8S_SA_REFUSED;
    }

    if (strcmp(crv, "Ed25519") != 0) {
        k8s_sa_error_set(err, "\"crv\" is not supported");
        return K8S_SA_JWK_UNUSED;
    }

    if (k8s_sa_jwk_number(jwk, "x", x, sizeof(x), &len, err) != K8S_SA_OK) {
        return K8S_SA_REFUSED;
    }

    if (len != sizeof(x)) {
        k8s_sa_error_set(err, "\"x\" does not have %zu octets", sizeof(x));
        return K8S_SA_REFUSED;
    }

    return k8s_sa_key_ed25519(key, digests, x, err);
}


/* RFC 7518 sections 6.2.2, 6.3.2, 6.4.1: a published private key is lost. */

static int
k8s_sa_jwk_is_private(const json_t *jwk)
{
    size_t             i;
    const char        *kty;
    static const char  *const names[] = {
        "d", "p", "q", "dp", "dq", "qi", "oth", "k"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (k8s_sa_jwk_member(jwk, names[i])) {
            return 1;
        }
    }

    kty = json_string_value(k8s_sa_jwk_member(jwk, "kty"));

    return kty && strcmp(kty, "oct") == 0;
}


/* RFC 7517 sections 4.2 and 4.3 */

static int
k8s_sa_jwk_use(const json_t *jwk, k8s_sa_error_t *err)
{
    int            verify;
    size_t         i;
    const char    *use;
    const json_t  *ops, *op;

    if (k8s_sa_jwk_string(jwk, "use", &use, err) != K8S_SA_OK) {
        return K8S_SA_REFUSED;
    }

    if (use && strcmp(use, "sig") != 0) {
        k8s_sa_error_set(err, "\"use\" is not \"sig\"");
        return K8S_SA_JWK_UNUSED;
    }

    ops = k8s_sa_jwk_member(jwk, "key_ops");

    if (ops == NULL) {
        return K8S_SA_OK;
    }

    if (!json_is_array(ops)) {
        k8s_sa_error_set(err, "\"key_ops\" is not an array");
        return K8S_SA_REFUSED;
    }

    verify = 0;

    for (i = 0; i < json_array_size(ops); i++) {
        op = json_array_get(ops, i);

        if (!json_is_string(op)) {
            k8s_sa_error_set(err, "\"key_ops\" holds something other than "
                             "strings");
            return K8S_SA_REFUSED;
        }

        if (strcmp(json_string_value(op), "verify") == 0) {
            verify = 1;
        }
    }

    if (!verify) {
        k8s_sa_error_set(err, "\"key_ops\" lacks \"verify\"");
        return K8S_SA_JWK_UNUSED;
    }

    return K8S_SA_OK;
}


/* RFC 7517 section 4.4: sets the algorithms that "alg" permits. */

static int
k8s_sa_jwk_alg(const json_t *jwk, unsigned *algorithms, k8s_sa_error_t *err)
{
    const char          *name;
    const k8s_sa_alg_t  *alg;

    if (k8s_sa_jwk_string(jwk, "alg", &name, err) != K8S_SA_OK) {
        return K8S_SA_REFUSED;
    }

    if (name == NULL) {
        *algorithms = ~0u;
        return K8S_SA_OK;
    }

    alg = k8s_sa_alg_find((const unsigned char *) name, strlen(name));
    if (alg == NULL) {
        k8s_sa_error_set(err, "\"alg\" is not supported");
        return K8S_SA_JWK_UNUSED;
    }

    *algorithms = alg->bit;

    return K8S_SA_OK;
}


/* RFC 7517 section 4.5; kid is absent if the JWK has none. */

static int
k8s_sa_jwk_kid(const json_t *jwk, k8s_sa_str_t *kid, k8s_sa_error_t *err)
{
    const char  *value;

    if (k8s_sa_jwk_string(jwk, "kid", &value, err) != K8S_SA_OK) {
        return K8S_SA_REFUSED;
    }

    *kid = k8s_sa_document_str(k8s_sa_jwk_member(jwk, "kid"));

    if (kid->len > K8S_SA_KID_MAX) {
        k8s_sa_error_set(err, "\"kid\" is over %d bytes", K8S_SA_KID_MAX);
        return K8S_SA_REFUSED;
    }

    /* it is used in a variable and in log lines */

    if (!k8s_sa_str_is_clean(kid)) {
        k8s_sa_error_set(err, "\"kid\" holds a control character");
        return K8S_SA_REFUSED;
    }

    return K8S_SA_OK;
}


/* Returns NULL for null, too, which counts as absent as in Go. */

static const json_t *
k8s_sa_jwk_member(const json_t *jwk, const char *name)
{
    const json_t  *member;

    member = json_object_get(jwk, name);

    return json_is_null(member) ? NULL : member;
}


/* Sets *value to NULL if there is no such member. */

static int
k8s_sa_jwk_string(const json_t *jwk, const char *name, const char **value,
    k8s_sa_error_t *err)
{
    const json_t  *member;

    member = k8s_sa_jwk_member(jwk, name);

    *value = json_string_value(member);

    if (member && *value == NULL) {
        k8s_sa_error_set(err, "\"%s\" is not a string", name);
        return K8S_SA_REFUSED;
    }

    return K8S_SA_OK;
}


static int
k8s_sa_jwk_required(const json_t *jwk, const char *name, const char **value,
    k8s_sa_error_t *err)
{
    if (k8s_sa_jwk_string(jwk, name, value, err) != K8S_SA_OK) {
        return K8S_SA_REFUSED;
    }

    if (*value == NULL) {
        k8s_sa_error_set(err, "\"%s\" is missing", name);
        return K8S_SA_REFUSED;
    }

    return K8S_SA_OK;
}


/* Decodes a base64url member of at most size octets into dst. */

static int
k8s_sa_jwk_number(const json_t *jwk, const char *name, unsigned char *dst,
    size_t size, size_t *len, k8s_sa_error_t *err)
{
    size_t       n;
    const char  *value;

    if (k8s_sa_jwk_required(jwk, name, &value, err) != K8S_SA_OK) {
        return K8S_SA_REFUSED;
    }

    n = strlen(value);
    *len = k8s_sa_base64url_decoded_len(n);

    if (*len > size) {
        k8s_sa_error_set(err, "\"%s\" is too long", name);
        return K8S_SA_REFUSED;
    }

    if (k8s_sa_base64url_decode(dst, (const unsigned char *) value, n)
        != K8S_SA_OK)
    {
        k8s_sa_error_set(err, "\"%s\" is not base64url", name);
        return K8S_SA_REFUSED;
    }

    return K8S_SA_OK;
}
