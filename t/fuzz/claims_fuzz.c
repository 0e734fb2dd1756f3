/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Header and claims: two bytes of policy, the header up to a line feed, then
 * the claims.  The token is made from them here, so that the fuzzer works on
 * JSON instead of base64url.
 */

#include "k8s_sa_fuzz_token.h"


static k8s_sa_token_t  fuzz_t;


static unsigned char *fuzz_token(const uint8_t *data, size_t size,
    size_t *len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t             len;
    int64_t            now;
    unsigned char     *text;
    k8s_sa_policy_t    policy;
    k8s_sa_verdict_e   verdict;

    fuzz_policy(&policy, &now, &data, &size);

    text = fuzz_token(data, size, &len);

    verdict = k8s_sa_token_parse(&fuzz_t, text, len);

    if (verdict == K8S_SA_VERDICT_OK) {
        fuzz_check_token(&fuzz_t, &policy, now);

    } else {
        fuzz_check(verdict == K8S_SA_TOO_LARGE || verdict == K8S_SA_MALFORMED
                   || verdict == K8S_SA_BAD_ALGORITHM);
    }

    free(text);

    return 0;
}


static unsigned char *
fuzz_token(const uint8_t *data, size_t size, size_t *len)
{
    size_t          header, claims;
    const uint8_t  *lf;
    unsigned char  *text, *p;

    lf = memchr(data, '\n', size);

    header = lf ? (size_t) (lf - data) : size;
    claims = lf ? size - header - 1 : 0;

    *len = k8s_sa_base64url_encoded_len(header) + 1
           + k8s_sa_base64url_encoded_len(claims) + sizeof(".AAAA") - 1;

    text = malloc(*len);
    fuzz_check(text != NULL);

    p = text;
    k8s_sa_base64url_encode(p, data, header);
    p += k8s_sa_base64url_encoded_len(header);
    *p++ = '.';

    k8s_sa_base64url_encode(p, data + size - claims, claims);
    p += k8s_sa_base64url_encoded_len(claims);
    memcpy(p, ".AAAA", sizeof(".AAAA") - 1);

    return text;
}
