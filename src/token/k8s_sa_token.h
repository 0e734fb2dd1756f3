/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The check of a token: a compact JWS (RFC 7515 section 7.1) with the claims of
 * a Kubernetes service account (pkg/serviceaccount/claims.go, legacy.go).
 *
 *     k8s_sa_token_parse()    shape, header, JSON; nothing is trusted yet
 *     k8s_sa_token_verify()   the signature, with an issuer's keys
 *     k8s_sa_token_claims()   times, audience, issuer, identity
 *
 * They are called in this order, each only after the previous one returned
 * K8S_SA_VERDICT_OK.
 */

#ifndef K8S_SA_TOKEN_H
#define K8S_SA_TOKEN_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_alg.h"
#include "token/k8s_sa_identity.h"
#include "token/k8s_sa_json.h"
#include "token/k8s_sa_keyset.h"
#include "token/k8s_sa_verdict.h"


#define K8S_SA_TOKEN_MAX       16384     /* bytes; RFC 7519 sets no limit */

#define K8S_SA_LEGACY_ISSUER   "kubernetes/serviceaccount"


/* How an issuer's tokens are checked; owned by the configuration */

typedef struct {
    const k8s_sa_str_t  *issuers;      /* accepted "iss", compared exactly */
    size_t               n_issuers;    /* 0: any (the keys are the proof) */
    const k8s_sa_str_t  *audiences;    /* "aud" must have one of them */
    size_t               n_audiences;
    unsigned             any_audience; /* 1: any "aud" is accepted */
    unsigned             algorithms;   /* accepted ones, K8S_SA_ALG_... */
    unsigned             legacy_tokens;
    unsigned             kubernetes;
    k8s_sa_str_t         username_prefix;  /* before "sub", unless kubernetes;
                                          absent: the user is of no cluster */
    int64_t              leeway;       /* seconds */
} k8s_sa_policy_t;


#define K8S_SA_HEADER_KEPT     256       /* bytes; longer ones are not kept */


/*
 * The last header and what it was parsed to: tokens signed with the same key
 * usually have the same header.  Decoded, it is at the beginning of
 * k8s_sa_token_t's bytes.
 */

typedef struct {
    size_t               len;          /* 0: no header is kept */
    unsigned char        text[K8S_SA_HEADER_KEPT];
    const k8s_sa_alg_t  *alg;
    k8s_sa_str_t         kid;
} k8s_sa_header_t;


/*
 * The working space of a check, about 70 KB: zeroed before the first check, and
 * reused for the next token without clearing.  Everything in it points into
 * itself or into the token's text, and is valid until the next
 * k8s_sa_token_parse().
 */

typedef struct {
    k8s_sa_str_t         text;         /* the whole token */
    k8s_sa_str_t         signed_part;  /* "header.payload" */

    const k8s_sa_alg_t  *alg;
    k8s_sa_str_t         kid;          /* absent if the header has none */
    k8s_sa_str_t         iss;          /* unverified; absent if not a string */
    k8s_sa_str_t         signature;    /* decoded */

    k8s_sa_key_t        *key;          /* the key that verified, or NULL */

    k8s_sa_header_t      header;
    k8s_sa_json_t        claims;
    unsigned char        username[1024];
    unsigned char        groups[512];  /* of the identity */
    unsigned char        extra[2048];
    unsigned char        bytes[K8S_SA_TOKEN_MAX];
} k8s_sa_token_t;


/*
 * Parses len bytes at text, which are not modified and must remain valid until
 * the check is over.  K8S_SA_VERDICT_OK, K8S_SA_NO_TOKEN (len is 0),
 * K8S_SA_TOO_LARGE, K8S_SA_MALFORMED or K8S_SA_BAD_ALGORITHM (unsupported).
 *
 * The header must have "alg", may have "kid" (both strings), "typ" and other
 * members, but neither "crit" nor "b64" (RFC 7515 section 4.1.11, RFC 7797);
 * jwk, jku, x5u and x5c are ignored.
 */

k8s_sa_verdict_e k8s_sa_token_parse(k8s_sa_token_t *t,
    const unsigned char *text, size_t len);

/*
 * Returns 1 if the policy accepts this "iss", including that of legacy tokens
 * if they are accepted, otherwise 0.
 */

int k8s_sa_policy_accepts(const k8s_sa_policy_t *policy,
    const k8s_sa_str_t *iss);

#define k8s_sa_token_issuer_matches(t, policy)                                \
    k8s_sa_policy_accepts(policy, &(t)->iss)

/*
 * Verifies the signature, with the keys that k8s_sa_keyset_find() finds.  If
 * none verifies and none has the token's kid, the key counts as unknown.
 * K8S_SA_VERDICT_OK and t->key, K8S_SA_BAD_ALGORITHM (not in the policy's
 * list), K8S_SA_UNKNOWN_KEY, K8S_SA_BAD_SIGNATURE or K8S_SA_INTERNAL_ERROR.
 */

k8s_sa_verdict_e k8s_sa_token_verify(k8s_sa_token_t *t,
    const k8s_sa_keyset_t *keys, const k8s_sa_policy_t *policy);

/*
 * Judges the claims at the time now (seconds since the epoch) and fills id,
 * whose strings point into t, the policy and (kid) t->key.
 *
 * If several things are wrong, returns the first of K8S_SA_BAD_CLAIMS,
 * K8S_SA_WRONG_ISSUER, K8S_SA_LEGACY_TOKEN, K8S_SA_EXPIRED,
 * K8S_SA_NOT_YET_VALID and K8S_SA_WRONG_AUDIENCE, with the claim and the reason
 * in *err (may be NULL).  (The "iss" of a legacy token is never a wrong issuer:
 * legacy_tokens decides.)  After a refusal id is empty, except for the username
 * if it was found to be valid: it is for the log.
 */

k8s_sa_verdict_e k8s_sa_token_claims(k8s_sa_token_t *t,
    const k8s_sa_policy_t *policy, int64_t now, k8s_sa_identity_t *id,
    k8s_sa_error_t *err);

/*
 * Returns a top-level claim of a verified token as text: a string's value, a
 * number as written, true or false, an array of strings joined by ",", other
 * arrays and objects as compact JSON.  The caller frees *value with free().
 * If no claim has this name, the only one that has it in lower case is taken:
 * nginx makes the names of variables lower-case.  K8S_SA_OK, or K8S_SA_ERROR if
 * the claim is missing or null, the text would contain a control character, a
 * string of an array contains "," (it could pass for two), or memory is short.
 */

int k8s_sa_token_claim_text(const unsigned char *text, size_t len,
    const char *name, size_t name_len, char **value, size_t *value_len);

/*
 * Returns all claims, in the token's order, as compact JSON on one line; freed
 * and failing like k8s_sa_token_claim_text().
 */

int k8s_sa_token_claims_text(const unsigned char *text, size_t len,
    char **value, size_t *value_len);


#endif /* K8S_SA_TOKEN_H */
