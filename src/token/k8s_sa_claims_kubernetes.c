/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_claims.h"
#include "token/k8s_sa_name.h"
#include "token/k8s_sa_userinfo.h"

#include <string.h>


#define K8S_SA_FLAT_PREFIX  "kubernetes.io/serviceaccount/"

#define k8s_sa_append_lit(b, s)  k8s_sa_append(b, s, sizeof(s) - 1)


typedef struct {
    unsigned char  *pos;           /* NULL after an overflow */
    unsigned char  *end;
} k8s_sa_buf_t;


static int k8s_sa_claims_flat(k8s_sa_claims_t *c);
static int k8s_sa_claims_nested(k8s_sa_claims_t *c,
    const k8s_sa_json_node_t *object);
static int k8s_sa_claims_bound(k8s_sa_claims_t *c,
    const k8s_sa_json_node_t *object, const char *kind, unsigned uid_required,
    k8s_sa_str_t *name, k8s_sa_str_t *uid);
static int k8s_sa_claims_user(k8s_sa_claims_t *c,
    const k8s_sa_str_t *namespace, const k8s_sa_str_t *name);
static int k8s_sa_claims_groups(k8s_sa_claims_t *c);
static int k8s_sa_claims_bad_name(k8s_sa_claims_t *c, const char *claim,
    const k8s_sa_str_t *name);
static void k8s_sa_append(k8s_sa_buf_t *b, const void *data, size_t len);
static void k8s_sa_append_extra(k8s_sa_buf_t *b, const char *name,
    const char *prefix, const k8s_sa_str_t *value);


int
k8s_sa_claims_kubernetes(k8s_sa_claims_t *c)
{
    const k8s_sa_json_node_t  *node, *object;

    object = k8s_sa_json_member(&c->t->claims, c->root, "kubernetes.io");

    for (node = k8s_sa_json_first(&c->t->claims, c->root);
         node != NULL;
         node = k8s_sa_json_next(&c->t->claims, node))
    {
        if (node->name.len >= sizeof(K8S_SA_FLAT_PREFIX) - 1
            && memcmp(node->name.data, K8S_SA_FLAT_PREFIX,
                      sizeof(K8S_SA_FLAT_PREFIX) - 1) == 0)
        {
            c->flat = 1;
            break;
        }
    }

    if (c->flat && object != NULL) {
        k8s_sa_error_set(c->err, "claims of a legacy token beside "
                         "\"kubernetes.io\"");
        return K8S_SA_ERROR;
    }

    if (!c->flat && object == NULL) {
        k8s_sa_error_set(c->err, "\"kubernetes.io\" is missing");
        return K8S_SA_ERROR;
    }

    if (c->flat) {
        return k8s_sa_claims_flat(c);
    }

    return k8s_sa_claims_nested(c, object);
}


/* pkg/serviceaccount/legacy.go: a legacy token has all four claims. */

static int
k8s_sa_claims_flat(k8s_sa_claims_t *c)
{
    k8s_sa_str_t        namespace, name;
    k8s_sa_identity_t  *id;

    id = c->id;

    if (k8s_sa_claim_string(c, c->root, K8S_SA_FLAT_PREFIX "namespace",
                            K8S_SA_REQUIRED, &namespace)
        != K8S_SA_OK
        || k8s_sa_claim_string(c, c->root,
                               K8S_SA_FLAT_PREFIX "service-account.name",
                               K8S_SA_REQUIRED, &name)
           != K8S_SA_OK
        || k8s_sa_claims_user(c, &namespace, &name) != K8S_SA_OK
        || k8s_sa_claim_string(c, c->root,
                               K8S_SA_FLAT_PREFIX "service-account.uid",
                               K8S_SA_REQUIRED, &id->uid)
           != K8S_SA_OK
        || k8s_sa_claim_string(c, c->root, K8S_SA_FLAT_PREFIX "secret.name",
                               K8S_SA_REQUIRED, &id->secret)
           != K8S_SA_OK)
    {
        return K8S_SA_ERROR;
    }

    if (!k8s_sa_name_is_subdomain(&id->secret)) {
        return k8s_sa_claims_bad_name(c, "secret.name", &id->secret);
    }

    return K8S_SA_OK;
}


/* pkg/serviceaccount/claims.go: privateClaims. */

static int
k8s_sa_claims_nested(k8s_sa_claims_t *c, const k8s_sa_json_node_t *object)
{
    k8s_sa_str_t               namespace, name, secret_uid;
    k8s_sa_identity_t         *id;
    const k8s_sa_json_node_t  *account;

    id = c->id;

    if (object->type != K8S_SA_JSON_OBJECT) {
        k8s_sa_error_set(c->err, "\"kubernetes.io\" is not an object");
        return K8S_SA_ERROR;
    }

    account = k8s_sa_json_member(&c->t->claims, object, "serviceaccount");

    if (account == NULL || account->type != K8S_SA_JSON_OBJECT) {
        k8s_sa_error_set(c->err, "\"serviceaccount\" is not an object");
        return K8S_SA_ERROR;
    }

    if (k8s_sa_claim_string(c, object, "namespace", K8S_SA_REQUIRED,
                            &namespace)
        != K8S_SA_OK
        || k8s_sa_claim_string(c, account, "name", K8S_SA_REQUIRED, &name)
           != K8S_SA_OK
        || k8s_sa_claims_user(c, &namespace, &name) != K8S_SA_OK
        || k8s_sa_claim_string(c, account, "uid", K8S_SA_REQUIRED, &id->uid)
           != K8S_SA_OK)
    {
        return K8S_SA_ERROR;
    }

    /* a pod's token lacks the node's uid if the node no longer exists */

    if (k8s_sa_claims_bound(c, object, "node", K8S_SA_OPTIONAL, &id->node,
                            &id->node_uid)
        != K8S_SA_OK
        || k8s_sa_claims_bound(c, object, "pod", K8S_SA_REQUIRED, &id->pod,
                               &id->pod_uid)
           != K8S_SA_OK
        || k8s_sa_claims_bound(c, object, "secret", K8S_SA_REQUIRED,
                               &id->secret, &secret_uid)
           != K8S_SA_OK)
    {
        return K8S_SA_ERROR;
    }

    if (k8s_sa_claim_time(c, object, "warnafter", K8S_SA_OPTIONAL,
                          &id->warnafter)
        != K8S_SA_OK)
    {
        return K8S_SA_ERROR;
    }

    if (id->warnafter == -1) {
        id->warnafter = 0;
    }

    return K8S_SA_OK;
}


/* An object that a projected token may be bound to. */

static int
k8s_sa_claims_bound(k8s_sa_claims_t *c, const k8s_sa_json_node_t *object,
    const char *kind, unsigned uid_required, k8s_sa_str_t *name,
    k8s_sa_str_t *uid)
{
    const k8s_sa_json_node_t  *bound;

    bound = k8s_sa_json_member(&c->t->claims, object, kind);

    if (bound == NULL) {
        return K8S_SA_OK;
    }

    if (bound->type != K8S_SA_JSON_OBJECT) {
        k8s_sa_error_set(c->err, "\"%s\" is not an object", kind);
        return K8S_SA_ERROR;
    }

    if (k8s_sa_claim_string(c, bound, "name", K8S_SA_REQUIRED, name)
        != K8S_SA_OK)
    {
        return K8S_SA_ERROR;
    }

    if (!k8s_sa_name_is_subdomain(name)) {
        return k8s_sa_claims_bad_name(c, kind, name);
    }

    return k8s_sa_claim_string(c, bound, "uid", uid_required, uid);
}


/* "sub" must be the user name; the identity's names point into it. */

static int
k8s_sa_claims_user(k8s_sa_claims_t *c, const k8s_sa_str_t *namespace,
    const k8s_sa_str_t *name)
{
    char                shown[K8S_SA_SHOWN_SIZE];
    k8s_sa_str_t        sub, sub_namespace, sub_name;
    k8s_sa_identity_t  *id;

    if (!k8s_sa_name_is_label(namespace)) {
        return k8s_sa_claims_bad_name(c, "namespace", namespace);
    }

    if (!k8s_sa_name_is_subdomain(name)) {
        return k8s_sa_claims_bad_name(c, "serviceaccount", name);
    }

    if (k8s_sa_claim_string(c, c->root, "sub", K8S_SA_REQUIRED, &sub)
        != K8S_SA_OK)
    {
        return K8S_SA_ERROR;
    }

    if (k8s_sa_username_split(&sub, &sub_namespace, &sub_name) != K8S_SA_OK
        || !k8s_sa_str_eq(&sub_namespace, namespace)
        || !k8s_sa_str_eq(&sub_name, name))
    {
        k8s_sa_error_set(c->err, "\"sub\" is \"%s\", but the service account "
                         "is %.*s in namespace %.*s",
                         k8s_sa_claim_show(shown, &sub), (int) name->len,
                         name->data, (int) namespace->len, namespace->data);
        return K8S_SA_ERROR;
    }

    id = c->id;

    id->username = sub;
    id->namespace = sub_namespace;
    id->name = sub_name;

    return k8s_sa_claims_groups(c);
}


static int
k8s_sa_claims_groups(k8s_sa_claims_t *c)
{
    k8s_sa_buf_t        b;
    k8s_sa_identity_t  *id;

    id = c->id;

    b.pos = c->t->groups;
    b.end = c->t->groups + sizeof(c->t->groups);

    k8s_sa_append_lit(&b, K8S_SA_GROUP_ACCOUNTS "\n" K8S_SA_GROUP_NAMESPACE);
    k8s_sa_append(&b, id->namespace.data, id->namespace.len);
    k8s_sa_append_lit(&b, "\n" K8S_SA_GROUP_AUTHENTICATED "\n");

    if (b.pos == NULL) {
        k8s_sa_error_set(c->err, "\"namespace\" is too long");
        return K8S_SA_ERROR;
    }

    id->groups.len = b.pos - c->t->groups;
    id->groups.data = c->t->groups;

    return K8S_SA_OK;
}


/*
 * In the order of TokenReview's answers.  The API server gives legacy tokens no
 * extra.
 */

int
k8s_sa_claims_extra(k8s_sa_claims_t *c)
{
    k8s_sa_buf_t        b;
    k8s_sa_identity_t  *id;

    if (c->flat) {
        return K8S_SA_OK;
    }

    id = c->id;

    b.pos = c->t->extra;
    b.end = c->t->extra + sizeof(c->t->extra);

    k8s_sa_append_extra(&b, K8S_SA_EXTRA_CREDENTIAL_ID, K8S_SA_JTI_PREFIX,
                        &id->jti);
    k8s_sa_append_extra(&b, K8S_SA_EXTRA_NODE_NAME, "", &id->node);
    k8s_sa_append_extra(&b, K8S_SA_EXTRA_NODE_UID, "", &id->node_uid);
    k8s_sa_append_extra(&b, K8S_SA_EXTRA_POD_NAME, "", &id->pod);
    k8s_sa_append_extra(&b, K8S_SA_EXTRA_POD_UID, "", &id->pod_uid);

    if (b.pos == NULL) {
        k8s_sa_error_set(c->err, "names and uids are too long");
        return K8S_SA_ERROR;
    }

    if (b.pos != c->t->extra) {
        id->extra.len = b.pos - c->t->extra;
        id->extra.data = c->t->extra;
    }

    return K8S_SA_OK;
}


static int
k8s_sa_claims_bad_name(k8s_sa_claims_t *c, const char *claim,
    const k8s_sa_str_t *name)
{
    char  shown[K8S_SA_SHOWN_SIZE];

    k8s_sa_error_set(c->err, "\"%s\" is \"%s\", which is not a valid "
                     "Kubernetes name", claim, k8s_sa_claim_show(shown, name));

    return K8S_SA_ERROR;
}


static void
k8s_sa_append(k8s_sa_buf_t *b, const void *data, size_t len)
{
    if (b->pos == NULL || (size_t) (b->end - b->pos) < len) {
        b->pos = NULL;
        return;
    }

    memcpy(b->pos, data, len);
    b->pos += len;
}


static void
k8s_sa_append_extra(k8s_sa_buf_t *b, const char *name, const char *prefix,
    const k8s_sa_str_t *value)
{
    if (value->len == 0) {
        return;
    }

    k8s_sa_append(b, name, strlen(name));
    k8s_sa_append_lit(b, "\t");
    k8s_sa_append(b, prefix, strlen(prefix));
    k8s_sa_append(b, value->data, value->len);
    k8s_sa_append_lit(b, "\n");
}
