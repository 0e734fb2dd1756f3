/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * JWK sets, from an issuer or a file.
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

    fuzz_check_added(fuzz_set, rc, &err);

    return 0;
}
