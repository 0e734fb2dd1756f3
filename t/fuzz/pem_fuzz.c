/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * PEM files: the first byte chooses between a file as it is, and a block made
 * from DER, so that the fuzzer works on DER instead of base64.
 */

#include "k8s_sa_fuzz_keys.h"

#include <openssl/evp.h>


static k8s_sa_keyset_t  *fuzz_set;

static const char  *fuzz_labels[] = {
    "PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE", "RSA PRIVATE KEY",
    "EC PRIVATE KEY", "PRIVATE KEY", "EC PARAMETERS"
};


static unsigned char *
fuzz_block(const char *label, const uint8_t *der, size_t size, size_t *len)
{
    int      n;
    char    *pem, *p;
    size_t   done, line;

    pem = malloc(200 + size * 2);
    fuzz_check(pem != NULL);

    p = pem + sprintf(pem, "-----BEGIN %s-----\n", label);

    for (done = 0; done < size; done += line) {
        line = size - done < 48 ? size - done : 48;
        n = EVP_EncodeBlock((unsigned char *) p, der + done, (int) line);
        p += n;
        *p++ = '\n';
    }

    p += sprintf(p, "-----END %s-----\n", label);

    *len = p - pem;
    pem = realloc(pem, *len);
    fuzz_check(pem != NULL);

    return (unsigned char *) pem;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int              rc, has_private;
    size_t           len;
    unsigned         label;
    unsigned char   *pem;
    k8s_sa_error_t   err;

    fuzz_empty(&fuzz_set);

    label = fuzz_byte(&data, &size);

    if (label >= '0' && label < '0' + fuzz_nelts(fuzz_labels)) {
        pem = fuzz_block(fuzz_labels[label - '0'], data, size, &len);

    } else {
        pem = fuzz_copy(data, size);
        len = size;
    }

    memset(&err, 0xa5, sizeof(err));
    has_private = -1;

    rc = k8s_sa_keyset_add_pem(fuzz_set, pem, len, &has_private, NULL, &err);

    free(pem);

    fuzz_check(has_private == 0 || has_private == 1);
    fuzz_check_added(fuzz_set, rc, &err);

    return 0;
}
