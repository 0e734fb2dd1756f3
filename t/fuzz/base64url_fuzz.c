/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * base64url: the decoder must accept exactly what a decoder of single bits
 * accepts, and only one spelling of it.
 */

#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_base64url.h"


/* Decodes bit by bit; -1 if the text is not strict base64url. */

static long
fuzz_decode(unsigned char *dst, const uint8_t *src, size_t len)
{
    int          bit;
    size_t       i, nbits;
    const char  *p;

    static const char  alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "abcdefghijklmnopqrstuvwxyz0123456789-_";

    if (len % 4 == 1) {
        return -1;
    }

    nbits = 0;
    memset(dst, 0, len + 1);

    for (i = 0; i < len; i++) {
        p = memchr(alphabet, src[i], sizeof(alphabet) - 1);

        if (p == NULL) {
            return -1;
        }

        for (bit = 5; bit >= 0; bit--) {
            if ((p - alphabet) >> bit & 1) {
                dst[nbits / 8] |= 0x80 >> nbits % 8;
            }

            nbits++;
        }
    }

    /* the bits after the last whole byte */

    if (nbits % 8 && dst[nbits / 8] != 0) {
        return -1;
    }

    return nbits / 8;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             rc;
    long            n;
    size_t          len;
    unsigned char  *want, *out, *text;

    want = malloc(size + 1);
    len = k8s_sa_base64url_decoded_len(size);
    out = malloc(len ? len : 1);
    fuzz_check(want != NULL && out != NULL);

    n = fuzz_decode(want, data, size);
    rc = k8s_sa_base64url_decode(out, data, size);

    fuzz_check((rc == K8S_SA_OK) == (n >= 0));

    if (rc == K8S_SA_OK) {
        fuzz_check((size_t) n == len);
        fuzz_check(memcmp(out, want, len) == 0);
    }

    free(out);
    free(want);

    len = k8s_sa_base64url_encoded_len(size);
    text = malloc(len ? len : 1);
    out = malloc(size ? size : 1);
    fuzz_check(text != NULL && out != NULL);

    k8s_sa_base64url_encode(text, data, size);

    fuzz_check(k8s_sa_base64url_decoded_len(len) == size);
    fuzz_check(k8s_sa_base64url_decode(out, text, len) == K8S_SA_OK);
    fuzz_check(size == 0 || memcmp(out, data, size) == 0);

    free(out);
    free(text);

    return 0;
}
