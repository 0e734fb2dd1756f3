/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_bearer.h"


static int k8s_sa_bearer_space(unsigned char ch);


int
k8s_sa_bearer_token(const k8s_sa_str_t *value, k8s_sa_str_t *token)
{
    size_t  i, end;

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

    if (!k8s_sa_bearer_space(value->data[i])) {
        return K8S_SA_ERROR;
    }

    end = value->len;

    while (i < end && k8s_sa_bearer_space(value->data[i])) {
        i++;
    }

    while (i < end && k8s_sa_bearer_space(value->data[end - 1])) {
        end--;
    }

    token->len = end - i;
    token->data = value->data + i;

    return K8S_SA_OK;
}


static int
k8s_sa_bearer_space(unsigned char ch)
{
    return ch == ' ' || ch == '\t';
}
