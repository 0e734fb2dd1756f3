/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_identity.h"

#include <string.h>


static void k8s_sa_identity_add_size(k8s_sa_str_t *field, void *data);
static void k8s_sa_identity_copy_field(k8s_sa_str_t *field, void *data);


int64_t
k8s_sa_identity_renewal(int64_t expires, int64_t issued)
{
    return expires && issued ? expires - (expires - issued) / 5 : INT64_MAX;
}


void
k8s_sa_identity_each(k8s_sa_identity_t *id, k8s_sa_identity_pt visit,
    void *data)
{
    visit(&id->username, data);
    visit(&id->namespace, data);
    visit(&id->name, data);
    visit(&id->uid, data);
    visit(&id->groups, data);
    visit(&id->extra, data);
    visit(&id->pod, data);
    visit(&id->pod_uid, data);
    visit(&id->node, data);
    visit(&id->node_uid, data);
    visit(&id->secret, data);
    visit(&id->issuer, data);
    visit(&id->audience, data);
    visit(&id->jti, data);
    visit(&id->kid, data);
}


int
k8s_sa_identity_group(k8s_sa_str_t *groups, k8s_sa_str_t *group)
{
    unsigned char  *end;

    if (groups->len == 0) {
        return 0;
    }

    *group = *groups;

    end = memchr(groups->data, '\n', groups->len);

    if (end) {
        group->len = (size_t) (end - groups->data);
        groups->len -= group->len + 1;
        groups->data = end + 1;

    } else {
        groups->len = 0;
    }

    return 1;
}


int
k8s_sa_identity_extra(k8s_sa_str_t *extra, k8s_sa_str_t *name,
    k8s_sa_str_t *value)
{
    unsigned char  *tab;

    if (!k8s_sa_identity_group(extra, name)) {
        return 0;
    }

    value->data = k8s_sa_str_end(name);
    value->len = 0;

    tab = memchr(name->data, '\t', name->len);

    if (tab) {
        value->len = name->len - (size_t) (tab + 1 - name->data);
        value->data = tab + 1;
        name->len = (size_t) (tab - name->data);
    }

    return 1;
}


size_t
k8s_sa_identity_size(const k8s_sa_identity_t *id)
{
    size_t  size;

    size = 0;
    k8s_sa_identity_each((k8s_sa_identity_t *) id, k8s_sa_identity_add_size,
                         &size);

    return size;
}


static void
k8s_sa_identity_add_size(k8s_sa_str_t *field, void *data)
{
    size_t  *size = data;

    *size += field->len;
}


void
k8s_sa_identity_copy(k8s_sa_identity_t *dst, const k8s_sa_identity_t *src,
    unsigned char *strings)
{
    *dst = *src;
    k8s_sa_identity_each(dst, k8s_sa_identity_copy_field, &strings);
}


static void
k8s_sa_identity_copy_field(k8s_sa_str_t *field, void *data)
{
    unsigned char  **p = data;

    if (field->data) {
        memcpy(*p, field->data, field->len);
        field->data = *p;
        *p += field->len;
    }
}
