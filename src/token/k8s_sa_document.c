/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_document.h"
#include "token/k8s_sa_discovery.h"
#include "token/k8s_sa_json.h"

#include <stdlib.h>
#include <string.h>


static unsigned char *k8s_sa_document_copy(const void *data, size_t len);


json_t *
k8s_sa_document_read(const void *data, size_t len, size_t flags,
    k8s_sa_error_t *err)
{
    json_t         *root;
    json_error_t    why;
    unsigned char  *copy;

    if (len > K8S_SA_DOCUMENT_MAX) {
        k8s_sa_error_set(err, "over %d bytes", K8S_SA_DOCUMENT_MAX);
        return NULL;
    }

    copy = k8s_sa_document_copy(data, len);
    if (copy == NULL) {
        k8s_sa_error_set(err, "out of memory");
        return NULL;
    }

    root = json_loadb((char *) copy, len, JSON_REJECT_DUPLICATES|flags, &why);

    free(copy);

    if (root == NULL) {

        if (json_error_code(&why) == json_error_out_of_memory) {
            k8s_sa_error_set(err, "out of memory");

        } else {
            k8s_sa_error_set(err, "invalid JSON in line %d, column %d",
                             why.line, why.column);
        }

        return NULL;
    }

    if (!json_is_object(root)) {
        json_decref(root);
        k8s_sa_error_set(err, "not a JSON object");
        return NULL;
    }

    return root;
}


/*
 * Returns a copy in which every number is 0, or NULL if memory is short.
 * jansson refuses a whole text for one number out of range, and no number of
 * these documents is used.
 */

static unsigned char *
k8s_sa_document_copy(const void *data, size_t len)
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

    for (p = copy; p < end; p++) {

        if (*p == '"') {
            for (p++; p < end && *p != '"'; p++) {
                if (*p == '\\' && p + 1 < end) {
                    p++;
                }
            }

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
