/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The patterns of k8s_sa_allow, looked up by identity:
 *
 *     NAMESPACE/NAME   a service account; either part may be "*"
 *     group:NAME       all members of a group
 *     anything else    a whole user name
 *
 * A pattern with "/", but without ":" and "@", is a service account and must
 * follow Kubernetes' rules for names: these exclude ":" and "@", which are
 * common in the names of other users.  "*" is not allowed anywhere else.
 */

#ifndef K8S_SA_ALLOW_H
#define K8S_SA_ALLOW_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_identity.h"


/* Return codes of k8s_sa_allow_add() besides K8S_SA_OK and K8S_SA_ERROR */

#define K8S_SA_ALLOW_INVALID    1
#define K8S_SA_ALLOW_DUPLICATE  2


/*
 * Allocates from the pool that owns the list; nothing is ever freed.  Returns
 * NULL if memory is short.
 */

typedef void *(*k8s_sa_allow_alloc_pt)(void *pool, size_t size);


/*
 * One hash table holds all patterns, so that matching an identity takes a few
 * lookups, whatever their number.  All zeros is an empty list, which matches
 * nothing.
 */

typedef struct {
    k8s_sa_str_t   *slots;       /* kind and text; len 0 if free */
    size_t          size;        /* a power of two, or 0 */
    size_t          used;
    unsigned        accounts;    /* 1: all service accounts match */
} k8s_sa_allow_t;


/*
 * Adds a pattern, copying its text.  K8S_SA_OK; K8S_SA_ALLOW_INVALID or
 * K8S_SA_ALLOW_DUPLICATE, which leave the list unchanged; K8S_SA_ERROR if
 * memory is short.
 */

int k8s_sa_allow_add(k8s_sa_allow_t *allow, const k8s_sa_str_t *pattern,
    k8s_sa_allow_alloc_pt alloc, void *pool);

/* Returns 1 if both lists have the same patterns, otherwise 0. */

int k8s_sa_allow_equal(const k8s_sa_allow_t *a, const k8s_sa_allow_t *b);

/*
 * Returns 0 if a pattern can match no service account that presents a token of
 * its own: groups and user names that Kubernetes does not give to these.
 */

int k8s_sa_allow_is_account(const k8s_sa_str_t *pattern);

/* Returns 1 if a pattern matches the identity, otherwise 0. */

int k8s_sa_allow_matches(const k8s_sa_allow_t *allow,
    const k8s_sa_identity_t *id);


#endif /* K8S_SA_ALLOW_H */
