/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_token.h"
#include "token/k8s_sa_base64url.h"

#include <stdlib.h>
#include <string.h>


/*
 * Parses the token's claims again: an identity keeps only the few that every
 * request may need.
 */

typedef struct {
    k8s_sa_json_t   json;
    size_t          len;           /* of the decoded payload */
    unsigned char   payload[];
} k8s_sa_claim_doc_t;


static k8s_sa_claim_doc_t *k8s_sa_claim_doc(const unsigned char *text,
    size_t len);
static const k8s_sa_json_node_t *k8s_sa_claim_find(
    const k8s_sa_json_t *json, const char *name, size_t len);
static int k8s_sa_claim_is_similar(const k8s_sa_str_t *s, const char *name);
static int k8s_sa_claim_is_list(const k8s_sa_json_t *json,
    const k8s_sa_json_node_t *node);
static char *k8s_sa_claim_put_list(char *p, const k8s_sa_json_t *json,
    const k8s_sa_json_node_t *node);
static char *k8s_sa_claim_put_json(char *p, const k8s_sa_json_t *json,
    const k8s_sa_json_node_t *node);
static char *k8s_sa_claim_put_string(char *p, const k8s_sa_str_t *s);
static char *k8s_sa_claim_put_clean(char *p, const k8s_sa_str_t *s);
static char *k8s_sa_claim_put(char *p, const void *data, size_t len);


int
k8s_sa_token_claim_text(const unsigned char *text, size_t len,
    const char *name, size_t name_len, char **value, size_t *value_len)
{
    char                      *buf, *p;
    k8s_sa_claim_doc_t        *doc;
    const k8s_sa_json_node_t  *node;

    buf = NULL;
    p = NULL;

    doc = k8s_sa_claim_doc(text, len);

    if (doc == NULL) {
        goto done;
    }

    node = k8s_sa_claim_find(&doc->json, name, name_len);

    if (node == NULL || node->type == K8S_SA_JSON_NULL) {
        goto done;
    }

    /* no text is longer than the payload it is made from */

    buf = malloc(doc->len);

    if (buf == NULL) {
        goto done;
    }

    if (node->type == K8S_SA_JSON_STRING) {
        p = k8s_sa_claim_put_clean(buf, &node->value);

    } else if (k8s_sa_claim_is_list(&doc->json, node)) {
        p = k8s_sa_claim_put_list(buf, &doc->json, node);

    } else {
        p = k8s_sa_claim_put_json(buf, &doc->json, node);
    }

done:

    free(doc);

    if (p == NULL) {
        free(buf);
        return K8S_SA_ERROR;
    }

    *value = buf;
    *value_len = p - buf;

    return K8S_SA_OK;
}


int
k8s_sa_token_claims_text(const unsigned char *text, size_t len, char **value,
    size_t *value_len)
{
    char                *buf, *p;
    k8s_sa_claim_doc_t  *doc;

    doc = k8s_sa_claim_doc(text, len);

    if (doc == NULL) {
        return K8S_SA_ERROR;
    }

    p = NULL;
    buf = malloc(doc->len);

    if (buf != NULL) {
        p = k8s_sa_claim_put_json(buf, &doc->json, &doc->json.nodes[0]);
    }

    free(doc);

    if (p == NULL) {
        free(buf);
        return K8S_SA_ERROR;
    }

    *value = buf;
    *value_len = p - buf;

    return K8S_SA_OK;
}


static k8s_sa_claim_doc_t *
k8s_sa_claim_doc(const unsigned char *text, size_t len)
{
    size_t                n;
    k8s_sa_claim_doc_t   *doc;
    const unsigned char  *dot, *dot2;

    if (len == 0 || len > K8S_SA_TOKEN_MAX) {
        return NULL;
    }

    dot = memchr(text, '.', len);

    if (dot == NULL) {
        return NULL;
    }

    dot2 = memchr(dot + 1, '.', text + len - dot - 1);

    if (dot2 == NULL) {
        return NULL;
    }

    n = dot2 - dot - 1;

    doc = malloc(sizeof(k8s_sa_claim_doc_t) + k8s_sa_base64url_decoded_len(n));

    if (doc == NULL) {
        return NULL;
    }

    doc->len = k8s_sa_base64url_decoded_len(n);

    if (k8s_sa_base64url_decode(doc->payload, dot + 1, n) != K8S_SA_OK
        || k8s_sa_json_parse(&doc->json, doc->payload, doc->len) != K8S_SA_OK)
    {
        free(doc);
        return NULL;
    }

    return doc;
}


static const k8s_sa_json_node_t *
k8s_sa_claim_find(const k8s_sa_json_t *json, const char *name, size_t len)
{
    int                        n;
    const k8s_sa_json_node_t  *node, *similar;

    n = 0;
    similar = NULL;

    for (node = k8s_sa_json_first(json, &json->nodes[0]);
         node != NULL;
         node = k8s_sa_json_next(json, node))
    {
        if (node->name.len != len) {
            continue;
        }

        if (memcmp(node->name.data, name, len) == 0) {
            return node;
        }

        if (k8s_sa_claim_is_similar(&node->name, name)) {
            similar = node;
            n++;
        }
    }

    return n == 1 ? similar : NULL;
}


/* Returns 1 if s, in lower case, is the name of the same length. */

static int
k8s_sa_claim_is_similar(const k8s_sa_str_t *s, const char *name)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        if (ch >= 'A' && ch <= 'Z') {
            ch |= 0x20;
        }

        if (ch != (unsigned char) name[i]) {
            return 0;
        }
    }

    return 1;
}


/*
 * An empty array is a list, too: its text is empty, so that no rule mistakes it
 * for a value.
 */

static int
k8s_sa_claim_is_list(const k8s_sa_json_t *json, const k8s_sa_json_node_t *node)
{
    if (node->type != K8S_SA_JSON_ARRAY) {
        return 0;
    }

    for (node = k8s_sa_json_first(json, node);
         node != NULL;
         node = k8s_sa_json_next(json, node))
    {
        if (node->type != K8S_SA_JSON_STRING) {
            return 0;
        }
    }

    return 1;
}


static char *
k8s_sa_claim_put_list(char *p, const k8s_sa_json_t *json,
    const k8s_sa_json_node_t *node)
{
    unsigned  first;

    first = 1;

    for (node = k8s_sa_json_first(json, node);
         node != NULL && p != NULL;
         node = k8s_sa_json_next(json, node))
    {
        /* "a,b" must not pass for two elements */

        if (memchr(node->value.data, ',', node->value.len) != NULL) {
            return NULL;
        }

        if (!first) {
            *p++ = ',';
        }

        first = 0;

        p = k8s_sa_claim_put_clean(p, &node->value);
    }

    return p;
}


/* Recurses at most K8S_SA_JSON_DEPTH deep.  NULL if a string is refused. */

static char *
k8s_sa_claim_put_json(char *p, const k8s_sa_json_t *json,
    const k8s_sa_json_node_t *node)
{
    unsigned  object, first;

    switch (node->type) {

    case K8S_SA_JSON_NULL:
        return k8s_sa_claim_put(p, "null", sizeof("null") - 1);

    case K8S_SA_JSON_FALSE:
        return k8s_sa_claim_put(p, "false", sizeof("false") - 1);

    case K8S_SA_JSON_TRUE:
        return k8s_sa_claim_put(p, "true", sizeof("true") - 1);

    case K8S_SA_JSON_NUMBER:
        return k8s_sa_claim_put(p, node->value.data, node->value.len);

    case K8S_SA_JSON_STRING:
        return k8s_sa_claim_put_string(p, &node->value);

    default: /* K8S_SA_JSON_ARRAY, K8S_SA_JSON_OBJECT */
        break;
    }

    object = (node->type == K8S_SA_JSON_OBJECT);
    first = 1;

    *p++ = object ? '{' : '[';

    for (node = k8s_sa_json_first(json, node);
         node != NULL;
         node = k8s_sa_json_next(json, node))
    {
        if (!first) {
            *p++ = ',';
        }

        first = 0;

        if (object) {
            p = k8s_sa_claim_put_string(p, &node->name);

            if (p == NULL) {
                return NULL;
            }

            *p++ = ':';
        }

        p = k8s_sa_claim_put_json(p, json, node);

        if (p == NULL) {
            return NULL;
        }
    }

    *p++ = object ? '}' : ']';

    return p;
}


/*
 * Writes no more than the token has: characters that are escaped here have no
 * shorter form in JSON.  NULL if s has one of the control characters that JSON
 * does not escape (U+007F to U+009F, U+2028, U+2029).
 */

static char *
k8s_sa_claim_put_string(char *p, const k8s_sa_str_t *s)
{
    size_t          i;
    const char     *q;
    k8s_sa_str_t    text;
    unsigned char   ch;

    static const char  special[] = "\"\\\b\f\n\r\t";
    static const char  letters[] = "\"\\bfnrt";
    static const char  hex[] = "0123456789abcdef";

    text.data = (unsigned char *) p;

    *p++ = '"';

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        q = memchr(special, ch, sizeof(special) - 1);

        if (q != NULL) {
            *p++ = '\\';
            *p++ = letters[q - special];

        } else if (ch < 0x20) {
            p = k8s_sa_claim_put(p, "\\u00", sizeof("\\u00") - 1);
            *p++ = hex[ch >> 4];
            *p++ = hex[ch & 0x0f];

        } else {
            *p++ = (char) ch;
        }
    }

    *p++ = '"';

    text.len = p - (char *) text.data;

    return k8s_sa_str_is_clean(&text) ? p : NULL;
}


/* NULL if s has a control character. */

static char *
k8s_sa_claim_put_clean(char *p, const k8s_sa_str_t *s)
{
    if (!k8s_sa_str_is_clean(s)) {
        return NULL;
    }

    return k8s_sa_claim_put(p, s->data, s->len);
}


static char *
k8s_sa_claim_put(char *p, const void *data, size_t len)
{
    memcpy(p, data, len);

    return p + len;
}
