/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The outcome of a request's check: one per reason.  The table behind it
 * gives each the word of $k8s_sa_result and of the counters, and what the
 * caller may be told.  docs/variables.md documents the words.
 */

#ifndef K8S_SA_VERDICT_H
#define K8S_SA_VERDICT_H


#include "token/k8s_sa_base.h"


typedef enum {
    K8S_SA_VERDICT_OK = 0,

    /* refused before a signature was verified: nothing is told (401) */
    K8S_SA_NO_TOKEN,           /* no credential where it should be */
    K8S_SA_TOO_LARGE,          /* over K8S_SA_TOKEN_MAX */
    K8S_SA_MALFORMED,          /* not a compact JWS as SPEC section 3 has it */
    K8S_SA_BAD_ALGORITHM,      /* "alg" unknown or not in the issuer's list */
    K8S_SA_UNKNOWN_ISSUER,     /* no issuer accepts "iss", its key is unknown */
    K8S_SA_UNKNOWN_KEY,        /* "kid" names none, or no key fits */
    K8S_SA_BAD_SIGNATURE,

    /* the signature is right, but (401 with error_description) */
    K8S_SA_WRONG_ISSUER,
    K8S_SA_LEGACY_TOKEN,       /* Secret-based, and legacy_tokens is off */
    K8S_SA_BAD_CLAIMS,         /* missing, of a wrong type, inconsistent */
    K8S_SA_EXPIRED,
    K8S_SA_NOT_YET_VALID,      /* nbf, or iat, in the future */
    K8S_SA_WRONG_AUDIENCE,
    K8S_SA_NOT_AUTHENTICATED,  /* the TokenReview API refuses it; may also
                                  mean a bad signature, so nothing is told */

    /* authenticated, but (403) */
    K8S_SA_NOT_ALLOWED,        /* k8s_sa_allow */
    K8S_SA_NOT_REQUIRED,       /* a k8s_sa_require value is empty or 0 */

    /* our fault (503) */
    K8S_SA_NO_KEYS,            /* none fetched yet */
    K8S_SA_STALE_KEYS,         /* last fetch longer ago than "stale" */
    K8S_SA_REVIEW_FAILED,      /* TokenReview could not be had */
    K8S_SA_BUSY,               /* too many requests wait already */
    K8S_SA_INTERNAL_ERROR,     /* out of memory, OpenSSL failed */

    K8S_SA_VERDICTS            /* how many there are */
} k8s_sa_verdict_e;


typedef struct {
    const char     *word;          /* [a-z_]+, of $k8s_sa_result */
    unsigned        status;        /* HTTP status: 200, 401, 403 or 503 */
    const char     *description;   /* error_description for the caller, or
                                      NULL where nothing may be told */
    const char     *reason;        /* a sentence for log and client */
} k8s_sa_verdict_info_t;


/* Never NULL; for a value out of range that of K8S_SA_INTERNAL_ERROR. */

const k8s_sa_verdict_info_t *k8s_sa_verdict_info(k8s_sa_verdict_e verdict);


#endif /* K8S_SA_VERDICT_H */
