/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_document.h"
#include "token/k8s_sa_discovery.h"


json_t *
k8s_sa_document_read(const void *data, size_t len, size_t flags,
    k8s_sa_error_t *err)
{
    json_t        *root;
    json_error_t   why;

    if (len > K8S_SA_DOCUMENT_MAX) {
        k8s_sa_error_set(err, "over %d bytes", K8S_SA_DOCUMENT_MAX);
        return NULL;
    }

    root = json_loadb(len ? data : "", len, JSON_REJECT_DUPLICATES|flags,
                      &why);

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


k8s_sa_str_t
k8s_sa_document_str(const json_t *json)
{
    k8s_sa_str_t  s;

    s.len = json_string_length(json);
    s.data = (unsigned char *) json_string_value(json);

    return s;
}
