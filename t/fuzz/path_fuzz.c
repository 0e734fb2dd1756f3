/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Request paths: an accepted one decodes in one way only.
 */

#define _GNU_SOURCE                 /* memmem() */

#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_path.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          i, n;
    unsigned char  *out, *again;
    k8s_sa_str_t    raw, path, second;

    raw.len = size;
    raw.data = (unsigned char *) data;

    out = malloc(size + 1);
    again = malloc(size + 1);
    fuzz_check(out && again);

    if (k8s_sa_path_decode(&raw, out, &path) != NULL) {
        fuzz_check(path.data == NULL && path.len == 0);
        free(out);
        free(again);
        return 0;
    }

    fuzz_check(path.data == out || path.data == data);
    fuzz_check(path.len > 0 && path.len <= size && size <= K8S_SA_PATH_MAX);
    fuzz_check(path.data[0] == '/');

    /* the same number of segments for those that decode late and early */

    n = 0;

    for (i = 0; i < size; i++) {
        n += data[i] == '/';
    }

    for (i = 0; i < path.len; i++) {
        n -= path.data[i] == '/';
        fuzz_check(path.data[i] >= 0x20 && path.data[i] != 0x7f);
        fuzz_check(!memchr("\\%;?#", path.data[i], 5));

        if (path.data[i] == '/' && i + 1 < path.len) {
            fuzz_check(path.data[i + 1] != '/');
            fuzz_check(path.len - i - 1 != 1 || path.data[i + 1] != '.');
        }
    }

    fuzz_check(n == 0);
    fuzz_check(memmem(path.data, path.len, "/../", 4) == NULL);
    fuzz_check(memmem(path.data, path.len, "/./", 3) == NULL);
    fuzz_check(path.len < 3
               || memcmp(path.data + path.len - 3, "/..", 3) != 0);

    /* decoding twice, as some chains of servers do, changes nothing */

    if (k8s_sa_path_decode(&path, again, &second) == NULL) {
        fuzz_check(second.len == path.len);
        fuzz_check(memcmp(second.data, path.data, path.len) == 0);
    }

    free(out);
    free(again);

    return 0;
}
