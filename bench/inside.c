/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Preloaded into a plain nginx: for each response sent, verifies the signature
 * of one of the tokens in VERIFY_DIR and does nothing else with it.  No check
 * in nginx can cost less: unlike in a loop, the verification has to share the
 * CPU's caches and branch predictors with the rest of the server.
 */

#define _GNU_SOURCE

#include "verify.h"

#include <dlfcn.h>
#include <sys/uio.h>


static int      count, next;
static ssize_t  (*send_parts)(int, const struct iovec *, int);


/* runs in the master, so that the workers inherit it */

__attribute__((constructor))
static void
begin(void)
{
    const char  *dir;

    dir = getenv("VERIFY_DIR");
    if (dir == NULL) {
        die("no VERIFY_DIR");
    }

    count = prepare(dir);
    send_parts = (ssize_t (*)(int, const struct iovec *, int))
                 dlsym(RTLD_NEXT, "writev");
}


ssize_t
writev(int fd, const struct iovec *parts, int n)
{
    verify(&tokens[next]);
    next = (next + 1) % count;

    return send_parts(fd, parts, n);
}
