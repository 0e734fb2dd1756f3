/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_review.h"
#include "token/k8s_sa_document.h"
#include "token/k8s_sa_utf8.h"

#include <string.h>


static json_t *k8s_sa_review_document(const void *data, size_t len,
    const char *kind, const char *version, k8s_sa_error_t *err);
static int k8s_sa_review_is(const json_t *string, const char *value);


json_t *
k8s_sa_review_read(const void *data, size_t len, const char *kind,
    const char *version, const json_t **status, k8s_sa_error_t *err)
{
    json_t  *root;

    root = k8s_sa_review_document(data, len, kind, version, err);
    if (root == NULL) {
        return NULL;
    }

    *status = k8s_sa_review_member(root, "status");

    if (!json_is_object(*status)) {
        k8s_sa_error_set(err, "\"status\" is missing or not an object");
        json_decref(root);
        return NULL;
    }

    return root;
}


static json_t *
k8s_sa_review_document(const void *data, size_t len, const char *kind,
    const char *version, k8s_sa_error_t *err)
{
    json_t  *root;

    /* a NUL in a string is not a reason to read nothing */

    root = k8s_sa_document_read(data, len, JSON_ALLOW_NUL, err);
    if (root == NULL) {
        return NULL;
    }

    if (!k8s_sa_review_is(json_object_get(root, "kind"), kind)
        || !k8s_sa_review_is(json_object_get(root, "apiVersion"), version))
    {
        k8s_sa_error_set(err, "not a %s of %s", kind, version);
        json_decref(root);
        return NULL;
    }

    return root;
}


static int
k8s_sa_review_is(const json_t *string, const char *value)
{
    return json_string_length(string) == strlen(value)
           && memcmp(json_string_value(string), value, strlen(value)) == 0;
}


json_t *
k8s_sa_review_member(const json_t *object, const char *name)
{
    json_t  *member;

    member = json_object_get(object, name);

    return json_is_null(member) ? NULL : member;
}


size_t
k8s_sa_review_text(unsigned char *dst, size_t size, const json_t *string)
{
    size_t                n, len;
    k8s_sa_str_t          ch;
    const unsigned char  *p, *end;

    len = 0;
    p = (const unsigned char *) json_string_value(string);
    end = p;

    if (p) {
        end = p + json_string_length(string);
    }

    for ( /* void */ ; p < end; p += n) {

        /* jansson's strings are UTF-8 */

        n = k8s_sa_utf8_multibyte(p, end);

        if (n == 0) {
            n = 1;
        }

        if (n > size - len) {
            break;
        }

        ch.len = n;
        ch.data = dst + len;

        memcpy(ch.data, p, n);

        if (!k8s_sa_str_is_clean(&ch)) {
            memset(ch.data, ' ', n);
        }

        len += n;
    }

    return len;
}


size_t
k8s_sa_review_message(unsigned char *dst, size_t size, const void *data,
    size_t len)
{
    size_t   n;
    json_t  *root;

    root = k8s_sa_review_document(data, len, "Status", "v1", NULL);

    n = k8s_sa_review_text(dst, size, json_object_get(root, "message"));

    json_decref(root);

    return n;
}
