/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Who is allowed: the patterns of k8s_sa_allow, looked up by identity.
 *
 *     NAMESPACE/NAME   a service account; each may be "*"
 *     group:NAME       whoever is in the group
 *     anything else    a whole user name
 *
 * With "/", but neither ":" nor "@", it is meant as a service account and has
 * to be one by Kubernetes' rules for names: no such name has these characters,
 * and many a user's name has.  "*" stands nowhere else.
 */

#ifndef K8S_SA_ALLOW_H
#define K8S_SA_ALLOW_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_identity.h"


/* Returned by k8s_sa_allow_add() beside K8S_SA_OK and K8S_SA_ERROR. */

#define K8S_SA_ALLOW_INVALID    1
#define K8S_SA_ALLOW_DUPLICATE  2


/*
 * Memory of what owns the list, a pool: it is never given back.  NULL if there
 * is none.
 */

typedef void *(*k8s_sa_allow_alloc_pt)(void *pool, size_t size);


/*
 * All patterns are in one hash table, so that a look at an identity costs a
 * handful of lookups, however many there are.  Filled with zeros: nobody.
 */

typedef struct {
    k8s_sa_str_t   *slots;       /* kind and text; len 0: free */
    size_t          size;        /* a power of two, or 0 */
    size_t          used;
    unsigned        accounts;    /* all service accounts */
} k8s_sa_allow_t;


/*
 * Adds a pattern, whose text is copied.  K8S_SA_OK; K8S_SA_ALLOW_INVALID or
 * K8S_SA_ALLOW_DUPLICATE, the list is as it was; K8S_SA_ERROR without memory.
 */

int k8s_sa_allow_add(k8s_sa_allow_t *allow, const k8s_sa_str_t *pattern,
    k8s_sa_allow_alloc_pt alloc, void *pool);

/* 1 if a pattern is about this identity, otherwise 0. */

int k8s_sa_allow_matches(const k8s_sa_allow_t *allow,
    const k8s_sa_identity_t *id);


#endif /* K8S_SA_ALLOW_H */
