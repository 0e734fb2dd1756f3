/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The check of one token: a compact JWS (RFC 7515 section 7.1) with the
 * claims of a Kubernetes service account (SPEC section 3).
 *
 *     k8s_sa_token_parse()    shape, header, JSON; nothing is trusted yet
 *     k8s_sa_token_verify()   the signature, with an issuer's keys
 *     k8s_sa_token_claims()   time, audience, issuer, identity
 *
 * in this order, each only after the one before said K8S_SA_VERDICT_OK.
 */

#ifndef K8S_SA_TOKEN_H
#define K8S_SA_TOKEN_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_alg.h"
#include "token/k8s_sa_identity.h"
#include "token/k8s_sa_json.h"
#include "token/k8s_sa_keyset.h"
#include "token/k8s_sa_verdict.h"


#define K8S_SA_TOKEN_MAX       16384     /* bytes, RFC 7519 sets no limit */

#define K8S_SA_LEGACY_ISSUER   "kubernetes/serviceaccount"


/* How one issuer's tokens are checked.  Owned by the configuration. */

typedef struct {
    const k8s_sa_str_t  *issuers;      /* accepted "iss", compared exactly */
    size_t               n_issuers;    /* 0: any (the keys are the proof) */
    const k8s_sa_str_t  *audiences;    /* one of them must be in "aud" */
    size_t               n_audiences;
    unsigned             any_audience; /* "aud" is not compared */
    unsigned             algorithms;   /* K8S_SA_ALG_... */
    unsigned             legacy_tokens;
    unsigned             kubernetes;
    int64_t              leeway;       /* seconds */
} k8s_sa_policy_t;


#define K8S_SA_HEADER_KEPT     256       /* bytes of the largest one */


/*
 * What the last header was read as: all tokens of one key have the same.  The
 * decoded one stands at the beginning of k8s_sa_token_t's bytes.
 */

typedef struct {
    size_t               len;          /* of the text, 0: none is kept */
    unsigned char        text[K8S_SA_HEADER_KEPT];
    const k8s_sa_alg_t  *alg;
    k8s_sa_str_t         kid;
} k8s_sa_header_t;


/*
 * Working space of one check, about 70 KB, zeroed before the first one and used
 * again for the next token without being cleared.  Everything in it points into
 * it or into the token's text, and is valid until the next parse.
 */

typedef struct {
    k8s_sa_str_t         text;         /* the token itself */
    k8s_sa_str_t         signed_part;  /* "header.payload" */

    const k8s_sa_alg_t  *alg;
    k8s_sa_str_t         kid;          /* absent if the header has none */
    k8s_sa_str_t         iss;          /* absent if no string; unverified! */
    k8s_sa_str_t         signature;    /* decoded */

    k8s_sa_key_t        *key;          /* that verified, set by verify */

    k8s_sa_header_t      header;
    k8s_sa_json_t        claims;
    unsigned char        groups[512];  /* identity strings that are made */
    unsigned char        extra[2048];
    unsigned char        bytes[K8S_SA_TOKEN_MAX];
} k8s_sa_token_t;


/*
 * Takes len bytes at text apart; text is not changed and must stay until the
 * check is over.  K8S_SA_VERDICT_OK, K8S_SA_NO_TOKEN (len is 0),
 * K8S_SA_TOO_LARGE, K8S_SA_MALFORMED or K8S_SA_BAD_ALGORITHM (none of ours).
 *
 * The header must have a string "alg", may have a string "kid", "typ" and
 * others, but no "crit" and no "b64" (RFC 7515 section 4.1.11, RFC 7797);
 * jwk, jku, x5u and x5c are not looked at.
 */

k8s_sa_verdict_e k8s_sa_token_parse(k8s_sa_token_t *t,
    const unsigned char *text, size_t len);

/*
 * 1 if the policy accepts this "iss" (also the legacy one, where legacy tokens
 * are on), otherwise 0.
 */

int k8s_sa_policy_accepts(const k8s_sa_policy_t *policy,
    const k8s_sa_str_t *iss);

#define k8s_sa_token_issuer_matches(t, policy)                                \
    k8s_sa_policy_accepts(policy, &(t)->iss)

/*
 * K8S_SA_VERDICT_OK and t->key, K8S_SA_BAD_ALGORITHM (not in the policy's
 * list), K8S_SA_UNKNOWN_KEY, K8S_SA_BAD_SIGNATURE or K8S_SA_INTERNAL_ERROR.
 */

k8s_sa_verdict_e k8s_sa_token_verify(k8s_sa_token_t *t,
    const k8s_sa_keyset_t *keys, const k8s_sa_policy_t *policy);

/*
 * Decides about the claims at the time now (seconds since the epoch) and
 * fills id, whose strings point into t, into the policy and (kid) into t->key.
 * If several things are wrong, the first of K8S_SA_BAD_CLAIMS,
 * K8S_SA_WRONG_ISSUER, K8S_SA_LEGACY_TOKEN, K8S_SA_EXPIRED,
 * K8S_SA_NOT_YET_VALID, K8S_SA_WRONG_AUDIENCE.  (A legacy token's own "iss" is
 * never a wrong issuer: legacy_tokens decides.)  *err (may be NULL) tells which
 * claim and why.
 * id->username is filled with refusals, too, as soon as it is known and sound
 * (for the log), otherwise absent.
 */

k8s_sa_verdict_e k8s_sa_token_claims(k8s_sa_token_t *t,
    const k8s_sa_policy_t *policy, int64_t now, k8s_sa_identity_t *id,
    k8s_sa_error_t *err);

/*
 * One top-level claim of a verified token as text: a string's value, a
 * number as written, true or false, an array of strings joined by ",", other
 * arrays and objects as compact JSON.  The caller frees *value with free().
 * K8S_SA_OK; K8S_SA_ERROR if there is no such claim, it is null, it would
 * hold a control character, a string in the array holds a "," (it could pass
 * for two), or memory is short.
 */

int k8s_sa_token_claim_text(const unsigned char *text, size_t len,
    const char *name, size_t name_len, char **value, size_t *value_len);

/*
 * All claims as they stand in the token, in the same order: compact JSON on
 * one line, freed likewise.  K8S_SA_OK or K8S_SA_ERROR as above.
 */

int k8s_sa_token_claims_text(const unsigned char *text, size_t len,
    char **value, size_t *value_len);


#endif /* K8S_SA_TOKEN_H */
