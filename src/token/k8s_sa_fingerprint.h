/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A token's name in the caches: 16 bytes, computed from the token and a
 * context, which is a digest of everything that a verdict depends on.  The key
 * of a question to a cluster (k8s_sa_access.h) takes the place of a token.
 *
 * A universal hash with a secret key, as in UMAC (RFC 4418): it cannot be
 * computed without the key, and is fast enough for lookups to cost next to
 * nothing.  For any two different pairs of context and token, even if chosen by
 * an attacker, the probability over the keys of equal fingerprints is at most
 * 2^-127.  This assumes that the attacker does not see fingerprints: they must
 * not leave the processes that share the key.
 */

#ifndef K8S_SA_FINGERPRINT_H
#define K8S_SA_FINGERPRINT_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_token.h"


#define K8S_SA_FINGERPRINT_LEN          16
#define K8S_SA_FINGERPRINT_SECRET_LEN   32
#define K8S_SA_FINGERPRINT_CONTEXT_LEN  32


/* The result of the first step: two sums of two words, the token's length */

#define K8S_SA_FINGERPRINT_PARTS        5

/* one word for each word of the longest message, and two more */

#define K8S_SA_FINGERPRINT_WORDS                                              \
    ((K8S_SA_FINGERPRINT_CONTEXT_LEN + K8S_SA_TOKEN_MAX) / 8 + 2)

typedef struct {
    uint64_t        words[K8S_SA_FINGERPRINT_WORDS];
    uint64_t        rows[2][K8S_SA_FINGERPRINT_PARTS + 1][2];   /* low, high */
} k8s_sa_fingerprint_key_t;


/*
 * Derives the key from a secret of K8S_SA_FINGERPRINT_SECRET_LEN random bytes
 * (SHAKE256, FIPS 202): equal secrets give equal keys in all processes.
 * K8S_SA_OK or K8S_SA_ERROR.
 */

int k8s_sa_fingerprint_init(k8s_sa_fingerprint_key_t *key,
    const unsigned char *secret);

/*
 * Writes K8S_SA_FINGERPRINT_LEN bytes; any part of them is a good hash, too.
 * context has K8S_SA_FINGERPRINT_CONTEXT_LEN bytes, the token at most
 * K8S_SA_TOKEN_MAX.  The result depends on the machine's byte order.
 */

void k8s_sa_fingerprint(const k8s_sa_fingerprint_key_t *key,
    const unsigned char *context, const k8s_sa_str_t *token,
    unsigned char *fingerprint);


#endif /* K8S_SA_FINGERPRINT_H */
