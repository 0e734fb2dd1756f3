/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_document.h"
#include "token/k8s_sa_discovery.h"
#include "token/k8s_sa_json.h"

#include <stdlib.h>
#include <string.h>


static void *k8s_sa_document_alloc(size_t size);
static unsigned char *k8s_sa_document_copy(const void *data, size_t len,
    size_t *values);


/*
 * jansson reports some failed allocations as errors of syntax, and loses a
 * character after others, so they are counted here.
 */

static json_malloc_t  k8s_sa_document_malloc;
static int            k8s_sa_document_failed;


json_t *
k8s_sa_document_read(const void *data, size_t len, size_t flags,
    k8s_sa_error_t *err)
{
    size_t          values;
    json_t         *root;
    json_free_t     release;
    json_error_t    why;
    unsigned char  *copy;

    k8s_sa_document_failed = 0;

    if (len > K8S_SA_DOCUMENT_MAX) {
        k8s_sa_error_set(err, "over %d bytes", K8S_SA_DOCUMENT_MAX);
        return NULL;
    }

    copy = k8s_sa_document_copy(data, len, &values);
    if (copy == NULL) {
        k8s_sa_document_failed = 1;
        k8s_sa_error_set(err, "out of memory");
        return NULL;
    }

    if (values > K8S_SA_DOCUMENT_VALUES_MAX) {
        free(copy);
        k8s_sa_error_set(err, "over %d JSON values",
                         K8S_SA_DOCUMENT_VALUES_MAX);
        return NULL;
    }

    json_get_alloc_funcs(&k8s_sa_document_malloc, &release);
    json_set_alloc_funcs(k8s_sa_document_alloc, release);

    root = json_loadb((char *) copy, len, JSON_REJECT_DUPLICATES|flags, &why);

    json_set_alloc_funcs(k8s_sa_document_malloc, release);

    free(copy);

    if (k8s_sa_document_failed) {
        json_decref(root);
        k8s_sa_error_set(err, "out of memory");
        return NULL;
    }

    if (root == NULL) {
        k8s_sa_error_set(err, "invalid JSON in line %d, column %d", why.line,
                         why.column);
        return NULL;
    }

    if (!json_is_object(root)) {
        json_decref(root);
        k8s_sa_error_set(err, "not a JSON object");
        return NULL;
    }

    return root;
}


int
k8s_sa_document_no_memory(void)
{
    return k8s_sa_document_failed;
}


static void *
k8s_sa_document_alloc(size_t size)
{
    void  *p;

    p = k8s_sa_document_malloc(size);

    if (p == NULL) {
        k8s_sa_document_failed = 1;
    }

    return p;
}


/*
 * Returns a copy in which every number is 0, or NULL if memory is short, and
 * sets *values to at least the number of values in it.  jansson refuses a whole
 * text for one number out of range, and no number of these documents is used.
 */

static unsigned char *
k8s_sa_document_copy(const void *data, size_t len, size_t *values)
{
    size_t          n;
    unsigned char  *copy, *p, *end;

    copy = malloc(len + 1);
    if (copy == NULL) {
        return NULL;
    }

    if (len) {
        memcpy(copy, data, len);
    }

    end = copy + len;
    *values = 0;

    for (p = copy; p < end; p++) {

        if (*p == '"') {
            for (p++; p < end && *p != '"'; p++) {
                if (*p == '\\' && p + 1 < end) {
                    p++;
                }
            }

            continue;
        }

        if (*p == '{' || *p == '[' || *p == ',') {
            (*values)++;
            continue;
        }

        n = k8s_sa_json_number_len(p, end);

        if (n) {
            memset(p, ' ', n);
            *p = '0';
            p += n - 1;
        }
    }

    return copy;
}


k8s_sa_str_t
k8s_sa_document_str(const json_t *json)
{
    k8s_sa_str_t  s;

    s.len = json_string_length(json);
    s.data = (unsigned char *) json_string_value(json);

    return s;
}
