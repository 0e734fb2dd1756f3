/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Preloaded into a plain nginx: verifies the signature of one of the tokens in
 * VERIFY_DIR for each answer sent, and nothing else.  No check inside nginx can
 * cost less: there, unlike in a loop, the rest of the server shares the CPU's
 * caches and branch predictors.
 */

#define _GNU_SOURCE

#include "verify.h"

#include <dlfcn.h>
#include <sys/uio.h>


static int      count, next;
static ssize_t  (*send_parts)(int, const struct iovec *, int);


/* in the master, so that workers have it */

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
