/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_openssl.h"

#include <openssl/err.h>


static void k8s_sa_openssl_errors(int *no_memory, int *unsupported);


int
k8s_sa_openssl_no_memory(void)
{
    int  no_memory, unsupported;

    k8s_sa_openssl_errors(&no_memory, &unsupported);

    return no_memory;
}


int
k8s_sa_openssl_unsupported(void)
{
    int  no_memory, unsupported;

    k8s_sa_openssl_errors(&no_memory, &unsupported);

    return unsupported && !no_memory;
}


static void
k8s_sa_openssl_errors(int *no_memory, int *unsupported)
{
    unsigned long  e;

    *no_memory = 0;
    *unsupported = 0;

    for ( ;; ) {
        e = ERR_get_error();

        if (e == 0 && ERR_peek_last_error() != 0) {

            /* OpenSSL had no memory to describe this one */

            *no_memory = 1;
            continue;
        }

        if (e == 0) {
            ERR_clear_error();
            return;
        }

        switch (ERR_GET_REASON(e)) {

        case ERR_R_MALLOC_FAILURE:
            *no_memory = 1;
            break;

        case ERR_R_UNSUPPORTED:
            *unsupported = 1;
        }
    }
}
