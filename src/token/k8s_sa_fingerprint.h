/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What caches know a token by: 16 bytes, made of the token and of a context,
 * the digest of what a verdict about it depends on.
 *
 * A universal hash under a secret key, as in UMAC (RFC 4418): not the digest
 * that anybody can compute, and so fast that looking up a token costs next to
 * nothing.  For any two pairs of context and token, whoever chose them, the
 * probability over the keys that their fingerprints are the same is at most
 * 2^-127.  That holds for a caller who does not see fingerprints: they must not
 * leave the processes that share the key.
 */

#ifndef K8S_SA_FINGERPRINT_H
#define K8S_SA_FINGERPRINT_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_token.h"


#define K8S_SA_FINGERPRINT_LEN          16
#define K8S_SA_FINGERPRINT_SECRET_LEN   32
#define K8S_SA_FINGERPRINT_CONTEXT_LEN  32


/* What the first step leaves: two sums of two words, and the token's length. */

#define K8S_SA_FINGERPRINT_PARTS        5

/* One word for each of the longest message, and two more. */

#define K8S_SA_FINGERPRINT_WORDS                                              \
    ((K8S_SA_FINGERPRINT_CONTEXT_LEN + K8S_SA_TOKEN_MAX) / 8 + 2)

typedef struct {
    uint64_t        words[K8S_SA_FINGERPRINT_WORDS];
    uint64_t        rows[2][K8S_SA_FINGERPRINT_PARTS + 1][2];   /* low, high */
} k8s_sa_fingerprint_key_t;


/*
 * The key that follows from a secret of K8S_SA_FINGERPRINT_SECRET_LEN random
 * bytes, the same in each process (SHAKE256, FIPS 202).  K8S_SA_OK or
 * K8S_SA_ERROR.
 */

int k8s_sa_fingerprint_init(k8s_sa_fingerprint_key_t *key,
    const unsigned char *secret);

/*
 * Writes K8S_SA_FINGERPRINT_LEN bytes, any part of which is a hash, too.
 * context has K8S_SA_FINGERPRINT_CONTEXT_LEN bytes, the token at most
 * K8S_SA_TOKEN_MAX.  The same on machines of one byte order.
 */

void k8s_sa_fingerprint(const k8s_sa_fingerprint_key_t *key,
    const unsigned char *context, const k8s_sa_str_t *token,
    unsigned char *fingerprint);


#endif /* K8S_SA_FINGERPRINT_H */
