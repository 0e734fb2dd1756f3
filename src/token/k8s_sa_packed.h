/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An identity as a short sequence of bytes, for the shared token cache.
 *
 * Whatever can be derived from other fields is not stored: namespace and name
 * are parts of the user name, and a service account's groups and extra are
 * made from the other fields.  A UUID takes 16 bytes.  The identity of a
 * pod-bound token takes about 240 bytes.  Values that do not fit the pattern
 * are stored as they are: unpacking always returns what was packed.
 *
 * kid is not stored: it belongs to the key, which is found by its id.
 */

#ifndef K8S_SA_PACKED_H
#define K8S_SA_PACKED_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_identity.h"


#define K8S_SA_PACKED_MAX  16384


/*
 * Packs id into buf, which has room for size bytes; at most K8S_SA_PACKED_MAX
 * of them are used.  Returns the packed length, or 0 if id does not fit.
 */

size_t k8s_sa_identity_pack(unsigned char *buf, size_t size,
    const k8s_sa_identity_t *id);

/* What can be read in place; the strings point into the packed identity. */

typedef struct {
    k8s_sa_str_t    username;
    k8s_sa_str_t    issuer;
    int64_t         expires;       /* times as in k8s_sa_identity_t */
    int64_t         issued;
    int64_t         warnafter;
} k8s_sa_packed_head_t;

/* Reads the head of a packed identity.  K8S_SA_OK or K8S_SA_ERROR. */

int k8s_sa_packed_head(k8s_sa_packed_head_t *head, unsigned char *packed,
    size_t len);

/*
 * Returns how many bytes k8s_sa_identity_unpack() needs for the strings, or 0
 * if packed is not a packed identity.
 */

size_t k8s_sa_packed_size(const unsigned char *packed, size_t len);

/*
 * Unpacks into id, whose strings are written to dst, which belongs to the
 * caller and has room for the size that k8s_sa_packed_size() returned.  packed
 * may be freed afterwards; kid is absent.  K8S_SA_OK, or K8S_SA_ERROR if packed
 * is malformed or size too small; stays within bounds whatever packed holds.
 */

int k8s_sa_identity_unpack(k8s_sa_identity_t *id, const unsigned char *packed,
    size_t len, unsigned char *dst, size_t size);


#endif /* K8S_SA_PACKED_H */
