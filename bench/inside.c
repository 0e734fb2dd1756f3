/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Preloaded into a plain nginx: it makes the bare verification of one of the
 * tokens in VERIFY_DIR for each answer that it sends, and nothing else.  A check
 * cannot cost less than that inside nginx, where the CPU's caches and branch
 * predictors are never its own, as they are in a loop.
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
