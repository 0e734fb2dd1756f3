/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * FNV-1a (Fowler, Noll, Vo), 32 bits: for hash tables whose content the
 * configuration or the issuer chooses.  Anyone can make its values collide.
 */

#ifndef K8S_SA_HASH_H
#define K8S_SA_HASH_H


#include "token/k8s_sa_base.h"


#define K8S_SA_HASH_INIT  2166136261u


/* Adds len bytes to a hash, which begins as K8S_SA_HASH_INIT. */

static inline uint32_t
k8s_sa_hash(uint32_t hash, const unsigned char *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        hash = (hash ^ data[i]) * 16777619u;
    }

    return hash;
}


/* The upper bits folded into the lower ones, which index a table. */

static inline uint32_t
k8s_sa_hash_fold(uint32_t hash)
{
    return hash ^ (hash >> 16);
}


#endif /* K8S_SA_HASH_H */
