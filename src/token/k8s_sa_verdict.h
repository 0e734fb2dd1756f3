/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The outcomes of a check, one per reason.  A table gives each its word, used
 * in $k8s_sa_result and by the counters, and what the client may be told.
 * docs/variables.md documents the words.
 */

#ifndef K8S_SA_VERDICT_H
#define K8S_SA_VERDICT_H


#include "token/k8s_sa_base.h"


typedef enum {
    K8S_SA_VERDICT_OK = 0,

    /* 400: before the token is looked at */
    K8S_SA_BAD_PATH,           /* not in normal form: k8s_sa_path_decode() */

    /* 401: not verified, so the client is not told why */
    K8S_SA_NO_TOKEN,           /* the request has no token */
    K8S_SA_TOO_LARGE,          /* over K8S_SA_TOKEN_MAX */
    K8S_SA_MALFORMED,          /* not a compact JWS: k8s_sa_token_parse() */
    K8S_SA_BAD_ALGORITHM,      /* "alg" is unknown, or not in the list */
    K8S_SA_UNKNOWN_ISSUER,     /* no issuer accepts "iss" or has the key */
    K8S_SA_UNKNOWN_KEY,        /* no key has this "kid", or no key fits */
    K8S_SA_BAD_SIGNATURE,

    /* 401 with error_description: the signature is valid */
    K8S_SA_WRONG_ISSUER,
    K8S_SA_LEGACY_TOKEN,       /* Secret-based, and legacy_tokens is off */
    K8S_SA_BAD_CLAIMS,         /* missing, of the wrong type, inconsistent */
    K8S_SA_EXPIRED,
    K8S_SA_NOT_YET_VALID,      /* "nbf" or "iat" is in the future */
    K8S_SA_WRONG_AUDIENCE,
    K8S_SA_NOT_AUTHENTICATED,  /* TokenReview refuses it, possibly for a bad
                                  signature: the client is not told why */

    /* 400: nothing is asked */
    K8S_SA_BAD_ATTRIBUTES,     /* the request has no value, or an unfit one,
                                  for an access review */

    /* 403: authenticated */
    K8S_SA_NOT_ALLOWED,        /* by k8s_sa_allow */
    K8S_SA_NOT_REQUIRED,       /* a k8s_sa_require value is empty or 0 */
    K8S_SA_ACCESS_DENIED,      /* by an access review, or not to be asked */

    /* 503: our fault */
    K8S_SA_NO_KEYS,            /* none fetched yet */
    K8S_SA_STALE_KEYS,         /* last fetched longer ago than "stale" */
    K8S_SA_REVIEW_FAILED,      /* TokenReview gave no usable answer */
    K8S_SA_ACCESS_FAILED,      /* nor did the access review */
    K8S_SA_BUSY,               /* too many requests are waiting */
    K8S_SA_INTERNAL_ERROR,     /* out of memory, OpenSSL failed */

    K8S_SA_VERDICTS            /* number of verdicts */
} k8s_sa_verdict_e;


typedef struct {
    const char     *word;          /* [a-z_]+, for $k8s_sa_result */
    unsigned        status;        /* HTTP status: 200, 400, 401, 403 or 503 */
    const char     *description;   /* error_description for the client, or
                                      NULL if it must not be told */
    const char     *reason;        /* sentence for the log, k8s-sa-client */
} k8s_sa_verdict_info_t;


/* Never NULL: a value out of range counts as K8S_SA_INTERNAL_ERROR. */

const k8s_sa_verdict_info_t *k8s_sa_verdict_info(k8s_sa_verdict_e verdict);


#endif /* K8S_SA_VERDICT_H */
