#include "token/k8s_sa_bearer.h"

#include <strings.h>


#define K8S_SA_BEARER  "Bearer "


int
k8s_sa_bearer_token(const k8s_sa_str_t *value, k8s_sa_str_t *token)
{
    size_t  i;

    token->len = 0;
    token->data = NULL;

    i = sizeof(K8S_SA_BEARER) - 1;

    if (value->len < i
        || strncasecmp((const char *) value->data, K8S_SA_BEARER, i) != 0)
    {
        return K8S_SA_ERROR;
    }

    while (i < value->len && value->data[i] == ' ') {
        i++;
    }

    token->len = value->len - i;
    token->data = value->data + i;

    return K8S_SA_OK;
}
