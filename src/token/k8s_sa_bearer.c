/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_bearer.h"


int
k8s_sa_bearer_token(const k8s_sa_str_t *value, k8s_sa_str_t *token)
{
    size_t  i;

    static const char  scheme[] = "bearer";

    token->len = 0;
    token->data = NULL;

    if (value->len < sizeof(scheme)) {
        return K8S_SA_ERROR;
    }

    /* "| 0x20" turns nothing but letters into lower-case letters */

    for (i = 0; i < sizeof(scheme) - 1; i++) {
        if ((value->data[i] | 0x20) != scheme[i]) {
            return K8S_SA_ERROR;
        }
    }

    if (value->data[i] != ' ') {
        return K8S_SA_ERROR;
    }

    while (i < value->len && value->data[i] == ' ') {
        i++;
    }

    token->len = value->len - i;
    token->data = value->data + i;

    return K8S_SA_OK;
}
