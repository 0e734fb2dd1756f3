/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Preloaded into wrk and the upstream, which then poll for events in turn
 * instead of sleeping.  Waking them up would be work for the server's core,
 * especially in a virtual machine: the more, the slower the server is.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <sched.h>
#include <sys/epoll.h>
#include <time.h>


static double
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}


int
epoll_wait(int fd, struct epoll_event *events, int size, int timeout)
{
    int         n;
    double      end;
    static int  (*look)(int, struct epoll_event *, int, int);

    if (look == NULL) {
        look = (int (*)(int, struct epoll_event *, int, int))
               dlsym(RTLD_NEXT, "epoll_wait");
    }

    end = now() + timeout;

    do {
        n = look(fd, events, size, 0);

        if (n == 0) {
            sched_yield();
        }

    } while (n == 0 && (timeout < 0 || now() < end));

    return n;
}
