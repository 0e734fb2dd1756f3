/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Who a verified token speaks for.
 */

#ifndef K8S_SA_IDENTITY_H
#define K8S_SA_IDENTITY_H


#include "token/k8s_sa_base.h"


/*
 * Fields are absent where the token does not name them.  None holds a control
 * character (0x00-0x1f, 0x7f), so that none can break out of a header or of a
 * log line, and lists can be one string:
 *
 *   groups  each group followed by "\n";
 *   extra   each value as key "\t" value "\n"; a key may come repeatedly.
 *
 * The strings belong to whoever filled the identity: see there.
 */

typedef struct {
    k8s_sa_str_t    username;      /* system:serviceaccount:NS:NAME or "sub" */
    k8s_sa_str_t    namespace;     /* of the service account */
    k8s_sa_str_t    name;
    k8s_sa_str_t    uid;
    k8s_sa_str_t    groups;        /* authentication/serviceaccount/util.go */
    k8s_sa_str_t    extra;         /* the same file, e.g. pod-name */
    k8s_sa_str_t    pod;           /* what the token is bound to */
    k8s_sa_str_t    pod_uid;
    k8s_sa_str_t    node;
    k8s_sa_str_t    node_uid;
    k8s_sa_str_t    secret;
    k8s_sa_str_t    issuer;        /* "iss" */
    k8s_sa_str_t    audience;      /* the configured one that matched; with
                                      "any" the token's first */
    k8s_sa_str_t    jti;
    k8s_sa_str_t    kid;           /* of the key that verified */

    int64_t         expires;       /* seconds since the epoch, 0: never */
    int64_t         issued;        /* 0: unknown */
    int64_t         warnafter;     /* 0: none; Kubernetes' extended tokens */
} k8s_sa_identity_t;


/*
 * The last second in which a token that is renewed is still used: the kubelet
 * takes a new one when four fifths of its time are over.  INT64_MAX if it is not
 * known, where one of both is 0.
 */

int64_t k8s_sa_identity_renewal(int64_t expires, int64_t issued);


/*
 * Calls visit for each field that is a string, in the order above, so that
 * copies, records in shared memory and tests need no list of their own.
 */

typedef void (*k8s_sa_identity_pt)(k8s_sa_str_t *field, void *data);

void k8s_sa_identity_each(k8s_sa_identity_t *id, k8s_sa_identity_pt visit,
    void *data);

/*
 * Bytes of all strings together, and a copy of src whose strings stand in
 * that many bytes at strings, which belong to the caller.
 */

size_t k8s_sa_identity_size(const k8s_sa_identity_t *id);

void k8s_sa_identity_copy(k8s_sa_identity_t *dst, const k8s_sa_identity_t *src,
    unsigned char *strings);


#endif /* K8S_SA_IDENTITY_H */
