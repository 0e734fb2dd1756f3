/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * JWK sets, as an issuer or a file brings them.
 */

#include "k8s_sa_fuzz_keys.h"


static k8s_sa_keyset_t  *fuzz_set;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int              rc;
    k8s_sa_error_t   note, err;

    fuzz_empty(&fuzz_set);

    memset(&note, 0xa5, sizeof(note));
    memset(&err, 0xa5, sizeof(err));

    rc = k8s_sa_keyset_add_jwks(fuzz_set, data, size, &note, &err);

    fuzz_check_error(&note);

    if (rc == K8S_SA_OK) {
        fuzz_check_keys(fuzz_set);
        return 0;
    }

    fuzz_check_error(&err);
    fuzz_check(err.text[0] != '\0');
    fuzz_check(k8s_sa_keyset_count(fuzz_set) == 0);

    return 0;
}
