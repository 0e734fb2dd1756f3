/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The identity that a verified token proves.
 */

#ifndef K8S_SA_IDENTITY_H
#define K8S_SA_IDENTITY_H


#include "token/k8s_sa_base.h"


/*
 * Fields that the token does not have are absent.  Every value passes
 * k8s_sa_str_is_clean(): it cannot break out of a header or a log line, and
 * control characters can separate the elements of lists:
 *
 *   groups  each group followed by "\n"
 *   extra   each value as name "\t" value "\n"; the values of a name are next
 *           to each other
 *
 * The function that fills an identity documents which object owns its strings.
 */

typedef struct {
    k8s_sa_str_t    username;      /* system:serviceaccount:NS:NAME or "sub" */
    k8s_sa_str_t    namespace;     /* of the service account */
    k8s_sa_str_t    name;
    k8s_sa_str_t    uid;
    k8s_sa_str_t    groups;        /* for both see k8s_sa_userinfo.h */
    k8s_sa_str_t    extra;
    k8s_sa_str_t    pod;           /* objects that the token is bound to */
    k8s_sa_str_t    pod_uid;
    k8s_sa_str_t    node;
    k8s_sa_str_t    node_uid;
    k8s_sa_str_t    secret;
    k8s_sa_str_t    issuer;        /* "iss" */
    k8s_sa_str_t    audience;      /* the configured one that matched, or the
                                      token's first if any is accepted */
    k8s_sa_str_t    jti;
    k8s_sa_str_t    kid;           /* of the key that verified */

    int64_t         expires;       /* seconds since the epoch; 0: never */
    int64_t         issued;        /* 0: unknown */
    int64_t         warnafter;     /* of extended tokens; 0: none */
} k8s_sa_identity_t;


/*
 * Returns the last second in which a renewed token is still in use: the kubelet
 * requests a new one after four fifths of the lifetime.  INT64_MAX if one of
 * the times is 0, i.e. unknown.
 */

int64_t k8s_sa_identity_renewal(int64_t expires, int64_t issued);


/*
 * Calls visit for each string field, in the order above, so that copies and
 * tests need no list of their own.
 */

typedef void (*k8s_sa_identity_pt)(k8s_sa_str_t *field, void *data);

void k8s_sa_identity_each(k8s_sa_identity_t *id, k8s_sa_identity_pt visit,
    void *data);

/*
 * Take the first group off *groups, or the first name and value off *extra,
 * which are lists as above.  Return 1, or 0 at the end of the list.
 */

int k8s_sa_identity_group(k8s_sa_str_t *groups, k8s_sa_str_t *group);
int k8s_sa_identity_extra(k8s_sa_str_t *extra, k8s_sa_str_t *name,
    k8s_sa_str_t *value);

/* Returns the total length of all strings. */

size_t k8s_sa_identity_size(const k8s_sa_identity_t *id);

/*
 * Copies src to dst, and its strings to k8s_sa_identity_size(src) bytes at
 * strings, which belong to the caller.
 */

void k8s_sa_identity_copy(k8s_sa_identity_t *dst, const k8s_sa_identity_t *src,
    unsigned char *strings);


#endif /* K8S_SA_IDENTITY_H */
