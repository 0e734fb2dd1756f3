/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An identity as a short sequence of bytes, for the shared token cache.
 *
 * What follows from something else in it is not stored: namespace and name
 * are parts of the user name, groups and extra of a service account are made
 * from the other fields, a UUID takes 16 bytes.  A pod-bound token's identity
 * is about 240 bytes.  Anything that does not follow that pattern is stored
 * as it is: what comes out is always what went in.
 *
 * kid is left out: it is the key's, found by the key's id.
 */

#ifndef K8S_SA_PACKED_H
#define K8S_SA_PACKED_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_identity.h"


#define K8S_SA_RECORD_MAX  16384


/*
 * Writes the record of id to buf, which has room for size bytes, of which at
 * most K8S_SA_RECORD_MAX are used.  Returns its length, or 0 if it is larger.
 */

size_t k8s_sa_identity_pack(unsigned char *buf, size_t size,
    const k8s_sa_identity_t *id);

/* What is seen of a record as it is; the strings stand in it. */

typedef struct {
    k8s_sa_str_t    username;
    k8s_sa_str_t    issuer;
    int64_t         expires;       /* these as in k8s_sa_identity_t */
    int64_t         issued;
    int64_t         warnafter;
} k8s_sa_packed_head_t;

/* Fills head from a record of len bytes: K8S_SA_OK, or K8S_SA_ERROR. */

int k8s_sa_packed_head(k8s_sa_packed_head_t *head, unsigned char *record,
    size_t len);

/*
 * How many bytes the strings of a record of len bytes need when unpacked; 0
 * if it is none.
 */

size_t k8s_sa_packed_size(const unsigned char *record, size_t len);

/*
 * Fills id; its strings are in dst, which has room for size bytes (as said by
 * k8s_sa_packed_size()) and belongs to the caller.  The record may go away
 * then; kid is absent.  K8S_SA_OK, or K8S_SA_ERROR if the record or size is
 * not right; reads and writes within bounds whatever the record holds.
 */

int k8s_sa_identity_unpack(k8s_sa_identity_t *id, const unsigned char *record,
    size_t len, unsigned char *dst, size_t size);


#endif /* K8S_SA_PACKED_H */
