/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What OpenSSL's error queue says.
 */

#ifndef K8S_SA_OPENSSL_H
#define K8S_SA_OPENSSL_H


/*
 * Empties OpenSSL's error queue after a failure.  Returns 1 if memory was
 * short, otherwise 0.
 */

int k8s_sa_openssl_no_memory(void);

/*
 * Does the same, and returns 1 if OpenSSL's providers lack the algorithm (e.g.
 * Ed25519 in FIPS mode) and memory was not short, otherwise 0.
 */

int k8s_sa_openssl_unsupported(void);


#endif /* K8S_SA_OPENSSL_H */
