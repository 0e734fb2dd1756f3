/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_openssl.h"

#include <openssl/err.h>


int
k8s_sa_openssl_no_memory(void)
{
    int            found;
    unsigned long  e;

    found = 0;

    for ( ;; ) {
        e = ERR_get_error();

        if (e == 0) {
            return found;
        }

        if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE) {
            found = 1;
        }
    }
}
