/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_token.h"
#include "token/k8s_sa_base64url.h"

#include <string.h>


static k8s_sa_verdict_e k8s_sa_jws_header(k8s_sa_token_t *t,
    const unsigned char *text, size_t len);
static k8s_sa_verdict_e k8s_sa_jws_header_read(k8s_sa_token_t *t,
    unsigned char *data, size_t len);


k8s_sa_verdict_e
k8s_sa_token_parse(k8s_sa_token_t *t, const unsigned char *text, size_t len)
{
    size_t                     header, payload, signature, n;
    unsigned char             *p;
    k8s_sa_verdict_e           verdict;
    const unsigned char       *end, *dot, *dot2;
    const k8s_sa_json_node_t  *iss;

    t->alg = NULL;
    t->key = NULL;

    t->kid.len = 0;
    t->kid.data = NULL;
    t->iss.len = 0;
    t->iss.data = NULL;

    if (len == 0) {
        return K8S_SA_NO_TOKEN;
    }

    if (len > K8S_SA_TOKEN_MAX) {
        return K8S_SA_TOO_LARGE;
    }

    t->text.len = len;
    t->text.data = (unsigned char *) text;

    end = text + len;
    dot = memchr(text, '.', len);

    if (dot == NULL) {
        return K8S_SA_MALFORMED;
    }

    dot2 = memchr(dot + 1, '.', end - dot - 1);

    if (dot2 == NULL) {
        return K8S_SA_MALFORMED;
    }

    t->signed_part.len = dot2 - text;
    t->signed_part.data = t->text.data;

    header = dot - text;
    payload = dot2 - dot - 1;
    signature = end - dot2 - 1;

    if (header == 0 || payload == 0 || signature == 0) {
        return K8S_SA_MALFORMED;
    }

    /*
     * All three parts are kept, one after the other: t->kid points into the
     * header.  A third dot cannot be decoded, and is thus refused.
     */

    verdict = k8s_sa_jws_header(t, text, header);

    if (verdict != K8S_SA_VERDICT_OK) {
        return verdict;
    }

    p = t->bytes + k8s_sa_base64url_decoded_len(header);
    n = k8s_sa_base64url_decoded_len(payload);

    if (k8s_sa_base64url_decode(p, dot + 1, payload) != K8S_SA_OK) {
        return K8S_SA_MALFORMED;
    }

    t->signature.len = k8s_sa_base64url_decoded_len(signature);
    t->signature.data = p + n;

    if (k8s_sa_base64url_decode(t->signature.data, dot2 + 1, signature)
        != K8S_SA_OK)
    {
        return K8S_SA_MALFORMED;
    }

    if (k8s_sa_json_parse(&t->claims, p, n) != K8S_SA_OK) {
        return K8S_SA_MALFORMED;
    }

    iss = k8s_sa_json_member(&t->claims, &t->claims.nodes[0], "iss");

    if (iss != NULL && iss->type == K8S_SA_JSON_STRING) {
        t->iss = iss->value;
    }

    return K8S_SA_VERDICT_OK;
}


/*
 * Decodes the header into t->bytes and parses it, unless it equals the previous
 * one.
 */

static k8s_sa_verdict_e
k8s_sa_jws_header(k8s_sa_token_t *t, const unsigned char *text, size_t len)
{
    k8s_sa_header_t   *h;
    k8s_sa_verdict_e   verdict;

    h = &t->header;

    if (len == h->len && memcmp(text, h->text, len) == 0) {
        t->alg = h->alg;
        t->kid = h->kid;
        return K8S_SA_VERDICT_OK;
    }

    h->len = 0;

    if (k8s_sa_base64url_decode(t->bytes, text, len) != K8S_SA_OK) {
        return K8S_SA_MALFORMED;
    }

    verdict = k8s_sa_jws_header_read(t, t->bytes,
                                     k8s_sa_base64url_decoded_len(len));

    if (verdict == K8S_SA_VERDICT_OK && len <= K8S_SA_HEADER_KEPT) {
        memcpy(h->text, text, len);
        h->len = len;
        h->alg = t->alg;
        h->kid = t->kid;
    }

    return verdict;
}


static k8s_sa_verdict_e
k8s_sa_jws_header_read(k8s_sa_token_t *t, unsigned char *data, size_t len)
{
    k8s_sa_json_t             *doc;
    const k8s_sa_json_node_t  *root, *alg, *kid;

    /* the header is no longer needed when the claims are parsed */

    doc = &t->claims;

    if (k8s_sa_json_parse(doc, data, len) != K8S_SA_OK) {
        return K8S_SA_MALFORMED;
    }

    root = &doc->nodes[0];

    /* extensions that must be understood, and none is supported */

    if (k8s_sa_json_has(doc, root, "crit")
        || k8s_sa_json_has(doc, root, "b64"))
    {
        return K8S_SA_MALFORMED;
    }

    alg = k8s_sa_json_member(doc, root, "alg");

    if (alg == NULL || alg->type != K8S_SA_JSON_STRING) {
        return K8S_SA_MALFORMED;
    }

    kid = k8s_sa_json_member(doc, root, "kid");

    if (kid != NULL) {

        if (kid->type != K8S_SA_JSON_STRING
            || kid->value.len > K8S_SA_KID_MAX
            || !k8s_sa_str_is_clean(&kid->value))
        {
            return K8S_SA_MALFORMED;
        }

        t->kid = kid->value;
    }

    t->alg = k8s_sa_alg_find(alg->value.data, alg->value.len);

    return t->alg != NULL ? K8S_SA_VERDICT_OK : K8S_SA_BAD_ALGORITHM;
}


k8s_sa_verdict_e
k8s_sa_token_verify(k8s_sa_token_t *t, const k8s_sa_keyset_t *keys,
    const k8s_sa_policy_t *policy)
{
    unsigned           tried;
    k8s_sa_key_t      *key;
    k8s_sa_verdict_e   verdict;

    t->key = NULL;

    if (!(t->alg->bit & policy->algorithms)) {
        return K8S_SA_BAD_ALGORITHM;
    }

    verdict = K8S_SA_UNKNOWN_KEY;
    key = NULL;

    for (tried = 0; tried < K8S_SA_KEYS_TRIED; tried++) {

        key = k8s_sa_keyset_find(keys, &t->kid, t->alg, policy->kubernetes,
                                 key);

        if (key == NULL) {
            break;
        }

        switch (k8s_sa_key_verify(key, t->alg, t->signed_part.data,
                                  t->signed_part.len, t->signature.data,
                                  t->signature.len))
        {
        case 1:
            t->key = key;
            return K8S_SA_VERDICT_OK;

        case 0:

            /* a key without a kid of its own may just not be the token's */

            if (verdict == K8S_SA_UNKNOWN_KEY
                && (t->kid.data == NULL
                    || k8s_sa_str_eq(k8s_sa_key_kid(key), &t->kid)))
            {
                verdict = K8S_SA_BAD_SIGNATURE;
            }

            break;

        default:
            verdict = K8S_SA_INTERNAL_ERROR;
        }
    }

    return verdict;
}
