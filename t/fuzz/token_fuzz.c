/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Whole tokens: two bytes of policy, then the token.  The fuzzer does not have
 * the private keys of the recorded tokens, so a token that verifies must be one
 * of them, byte for byte (with ECDSA up to the signature: -S is valid, too).
 */

#include "k8s_sa_fuzz_token.h"

#include <glob.h>


#define FUZZ_RECORDED  256


static k8s_sa_token_t    fuzz_t;
static k8s_sa_keyset_t  *fuzz_keys;
static k8s_sa_str_t      fuzz_recorded[FUZZ_RECORDED];
static size_t            fuzz_nrecorded;


static k8s_sa_str_t fuzz_read(const char *path);
static void fuzz_check_verified(void);


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    size_t          i;
    glob_t          files;
    k8s_sa_str_t    pem;
    k8s_sa_error_t  err;

    (void) argc;
    (void) argv;

    fuzz_keys = k8s_sa_keyset_create();
    fuzz_check(fuzz_keys != NULL);

    fuzz_check(glob("t/fixtures/*/keys/sa*.pub", 0, NULL, &files) == 0);

    for (i = 0; i < files.gl_pathc; i++) {
        pem = fuzz_read(files.gl_pathv[i]);
        fuzz_check(k8s_sa_keyset_add_pem(fuzz_keys, pem.data, pem.len, NULL,
                                         NULL, &err)
                   == K8S_SA_OK);
        free(pem.data);
    }

    globfree(&files);

    fuzz_check(glob("t/fixtures/*/tokens/*.jwt", 0, NULL, &files) == 0);

    for (i = 0; i < files.gl_pathc && i < FUZZ_RECORDED; i++) {
        fuzz_recorded[fuzz_nrecorded++] = fuzz_read(files.gl_pathv[i]);
    }

    globfree(&files);

    return 0;
}


/* Reads a file, without trailing white space. */

static k8s_sa_str_t
fuzz_read(const char *path)
{
    FILE          *f;
    k8s_sa_str_t   s;

    static unsigned char  buf[K8S_SA_TOKEN_MAX];

    f = fopen(path, "rb");
    fuzz_check(f != NULL);
    s.len = fread(buf, 1, sizeof(buf), f);
    fclose(f);

    while (s.len && buf[s.len - 1] <= ' ') {
        s.len--;
    }

    s.data = fuzz_copy(buf, s.len);

    return s;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t            now;
    unsigned char     *text;
    k8s_sa_policy_t    policy;
    k8s_sa_verdict_e   verdict;

    fuzz_policy(&policy, &now, &data, &size);

    text = fuzz_copy(data, size);

    verdict = k8s_sa_token_parse(&fuzz_t, text, size);

    fuzz_check((verdict == K8S_SA_NO_TOKEN) == (size == 0));
    fuzz_check((verdict == K8S_SA_TOO_LARGE) == (size > K8S_SA_TOKEN_MAX));

    if (verdict == K8S_SA_VERDICT_OK) {

        verdict = k8s_sa_token_verify(&fuzz_t, fuzz_keys, &policy);

        if (verdict == K8S_SA_VERDICT_OK) {
            fuzz_check_verified();

        } else {
            fuzz_check(verdict == K8S_SA_BAD_ALGORITHM
                       || verdict == K8S_SA_UNKNOWN_KEY
                       || verdict == K8S_SA_BAD_SIGNATURE);
            fuzz_check(fuzz_t.key == NULL);
        }

        fuzz_check_token(&fuzz_t, &policy, now);
    }

    free(text);

    return 0;
}


static void
fuzz_check_verified(void)
{
    size_t                 i;
    const k8s_sa_str_t    *known;
    const k8s_sa_token_t  *t;

    t = &fuzz_t;

    for (i = 0; i < fuzz_nrecorded; i++) {
        known = &fuzz_recorded[i];

        if (known->len == t->text.len
            && memcmp(known->data, t->text.data,
                      t->alg->kty == K8S_SA_KTY_RSA ? t->text.len
                                                    : t->signed_part.len + 1)
               == 0)
        {
            return;
        }
    }

    fuzz_check(!"a forged signature");
}
