/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_userinfo.h"

#include <string.h>


int
k8s_sa_username_split(const k8s_sa_str_t *username, k8s_sa_str_t *namespace,
    k8s_sa_str_t *name)
{
    unsigned char  *colon;

    const size_t    len = sizeof(K8S_SA_USERNAME_PREFIX) - 1;

    namespace->len = 0;
    namespace->data = NULL;

    name->len = 0;
    name->data = NULL;

    if (username->len < len
        || memcmp(username->data, K8S_SA_USERNAME_PREFIX, len) != 0)
    {
        return K8S_SA_ERROR;
    }

    colon = memchr(username->data + len, ':', username->len - len);

    if (colon == NULL) {
        return K8S_SA_ERROR;
    }

    namespace->data = username->data + len;
    namespace->len = (size_t) (colon - namespace->data);

    name->data = colon + 1;
    name->len = (size_t) (username->data + username->len - name->data);

    return K8S_SA_OK;
}
