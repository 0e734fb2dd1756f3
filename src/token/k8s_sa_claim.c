/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_claim.h"


static const k8s_sa_json_node_t *k8s_sa_claim_member(k8s_sa_claims_t *c,
    const k8s_sa_json_node_t *object, const char *name, unsigned required);


int
k8s_sa_claim_string(k8s_sa_claims_t *c, const k8s_sa_json_node_t *object,
    const char *name, unsigned required, k8s_sa_str_t *value)
{
    const k8s_sa_json_node_t  *node;

    value->len = 0;
    value->data = NULL;

    node = k8s_sa_claim_member(c, object, name, required);

    if (node == NULL) {
        return required ? K8S_SA_ERROR : K8S_SA_OK;
    }

    if (node->type != K8S_SA_JSON_STRING) {
        k8s_sa_error_set(c->err, "\"%s\" is not a string", name);
        return K8S_SA_ERROR;
    }

    if (node->value.len == 0) {
        k8s_sa_error_set(c->err, "\"%s\" is empty", name);
        return K8S_SA_ERROR;
    }

    if (!node->plain && !k8s_sa_str_is_clean(&node->value)) {
        k8s_sa_error_set(c->err, "\"%s\" holds a control character", name);
        return K8S_SA_ERROR;
    }

    *value = node->value;

    return K8S_SA_OK;
}


int
k8s_sa_claim_time(k8s_sa_claims_t *c, const k8s_sa_json_node_t *object,
    const char *name, unsigned required, int64_t *value)
{
    const k8s_sa_json_node_t  *node;

    *value = -1;

    node = k8s_sa_claim_member(c, object, name, required);

    if (node == NULL) {
        return required ? K8S_SA_ERROR : K8S_SA_OK;
    }

    if (k8s_sa_json_seconds(node, value) != K8S_SA_OK) {
        k8s_sa_error_set(c->err, "\"%s\" is not a time", name);
        return K8S_SA_ERROR;
    }

    return K8S_SA_OK;
}


/* NULL if it is missing, with c->err if it is required. */

static const k8s_sa_json_node_t *
k8s_sa_claim_member(k8s_sa_claims_t *c, const k8s_sa_json_node_t *object,
    const char *name, unsigned required)
{
    const k8s_sa_json_node_t  *node;

    node = k8s_sa_json_member(&c->t->claims, object, name);

    if (node == NULL && required) {
        k8s_sa_error_set(c->err, "\"%s\" is missing", name);
    }

    return node;
}


const char *
k8s_sa_claim_show(char dst[K8S_SA_SHOWN_SIZE], const k8s_sa_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len && i < K8S_SA_SHOWN_SIZE - 1; i++) {
        dst[i] = (s->data[i] < 0x20 || s->data[i] > 0x7e
                  || s->data[i] == '"' || s->data[i] == '\\')
                 ? '?' : (char) s->data[i];
    }

    dst[i] = '\0';

    return dst;
}
