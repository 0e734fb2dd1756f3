/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Several tokens, one after another: two bytes of policy, then a header and
 * claims on a line each, in turn.  A token struct that is reused, as a worker
 * does it, must give what a fresh one gives: nothing is left of the tokens
 * before.
 */

#include "k8s_sa_fuzz_token.h"

#include "token/k8s_sa_base64url.h"


#define FUZZ_TOKENS  8


typedef struct {
    k8s_sa_verdict_e    parsed;
    k8s_sa_verdict_e    verified;
    k8s_sa_verdict_e    judged;
    k8s_sa_identity_t   id;
    k8s_sa_error_t      err;
} fuzz_outcome_t;


static k8s_sa_keyset_t  *fuzz_none;
static k8s_sa_token_t    fuzz_reused;
static k8s_sa_token_t    fuzz_fresh;


static size_t fuzz_part64(unsigned char *dst, const uint8_t **data,
    size_t *size);
static void fuzz_check_one(k8s_sa_token_t *t, const unsigned char *text,
    size_t len, const k8s_sa_policy_t *policy, int64_t now,
    fuzz_outcome_t *outcome);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t           now;
    size_t            i, len;
    fuzz_outcome_t    a, b;
    unsigned char    *text, *exact;
    k8s_sa_policy_t   policy;

    if (fuzz_none == NULL) {
        fuzz_none = k8s_sa_keyset_create();
        fuzz_check(fuzz_none != NULL);
    }

    fuzz_policy(&policy, &now, &data, &size);

    text = malloc(size * 2 + 64);
    fuzz_check(text != NULL);

    for (i = 0; i < FUZZ_TOKENS && size; i++) {
        len = fuzz_part64(text, &data, &size);
        text[len++] = '.';
        len += fuzz_part64(text + len, &data, &size);
        memcpy(text + len, ".AAAA", 5);
        len += 5;

        exact = fuzz_copy(text, len);

        memset(&fuzz_fresh, 0, sizeof(fuzz_fresh));

        fuzz_check_one(&fuzz_reused, exact, len, &policy, now, &a);
        fuzz_check_one(&fuzz_fresh, exact, len, &policy, now, &b);

        fuzz_check(a.parsed == b.parsed);

        if (a.parsed == K8S_SA_VERDICT_OK) {
            fuzz_check(a.verified == b.verified && a.judged == b.judged);
            fuzz_check(strcmp(a.err.text, b.err.text) == 0);
            fuzz_check(fuzz_reused.alg == fuzz_fresh.alg);
            fuzz_check(fuzz_same(&fuzz_reused.kid, &fuzz_fresh.kid));
            fuzz_check(fuzz_same(&fuzz_reused.iss, &fuzz_fresh.iss));
            fuzz_check(fuzz_same(&fuzz_reused.signature,
                                 &fuzz_fresh.signature));
            fuzz_check_same(&a.id, &b.id);
        }

        free(exact);
    }

    free(text);

    return 0;
}


/* Encodes the next line; returns the length. */

static size_t
fuzz_part64(unsigned char *dst, const uint8_t **data, size_t *size)
{
    size_t          n, len;
    const uint8_t  *end;

    end = *size ? memchr(*data, '\n', *size) : NULL;
    n = end ? (size_t) (end - *data) : *size;

    len = k8s_sa_base64url_encoded_len(n);
    k8s_sa_base64url_encode(dst, *data, n);

    n += (end != NULL);

    *data += n;
    *size -= n;

    return len;
}


static void
fuzz_check_one(k8s_sa_token_t *t, const unsigned char *text, size_t len,
    const k8s_sa_policy_t *policy, int64_t now, fuzz_outcome_t *outcome)
{
    memset(outcome, 0, sizeof(fuzz_outcome_t));

    outcome->parsed = k8s_sa_token_parse(t, text, len);

    if (outcome->parsed != K8S_SA_VERDICT_OK) {
        return;
    }

    /* there is no key; the claims are judged nevertheless */

    outcome->verified = k8s_sa_token_verify(t, fuzz_none, policy);
    outcome->judged = k8s_sa_token_claims(t, policy, now, &outcome->id,
                                          &outcome->err);
}
