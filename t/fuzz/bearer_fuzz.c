/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The Authorization header: only the scheme, spaces and tabs are removed.
 */

#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_bearer.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        i, n;
    unsigned      is;
    k8s_sa_str_t  value, token;

    static const char  upper[] = "BEARER ";
    static const char  lower[] = "bearer\t";

    value.len = size;
    value.data = (unsigned char *) data;

    n = sizeof(upper) - 1;
    is = (size >= n);

    for (i = 0; is && i < n; i++) {
        is = (data[i] == upper[i] || data[i] == lower[i]);
    }

    if (k8s_sa_bearer_token(&value, &token) != K8S_SA_OK) {
        fuzz_check(!is);
        fuzz_check(token.data == NULL && token.len == 0);
        return 0;
    }

    fuzz_check(is);
    fuzz_check(token.data >= data + n);
    fuzz_check(token.data + token.len <= data + size);

    for (i = n; i < size; i++) {
        if (data + i < token.data || data + i >= token.data + token.len) {
            fuzz_check(data[i] == ' ' || data[i] == '\t');
        }
    }

    if (token.len) {
        fuzz_check(token.data[0] != ' ' && token.data[0] != '\t');
        fuzz_check(token.data[token.len - 1] != ' '
                   && token.data[token.len - 1] != '\t');
    }

    return 0;
}
