/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What util/sanitize.sh links into nginx.  As functions and not in the
 * environment, which nginx does not hand on when it is upgraded.
 */

#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>


const char *__asan_default_options(void);
const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);
const char *__ubsan_default_options(void);
int __lsan_is_turned_off(void);

/* weak: only nginx has them, not the client and what configure tries */
void *__real_ngx_init_cycle(void *old) __attribute__((weak));
void *__wrap_ngx_init_cycle(void *old);
int __real_kill(pid_t pid, int sig) __attribute__((weak));
int __wrap_kill(pid_t pid, int sig);


static void *volatile  cycle;
static void *volatile  pool;


/* every module has an ngx_module_names of its own: no ODR violation */

const char *
__asan_default_options(void)
{
    return "exitcode=99:detect_odr_violation=0:check_initialization_order=1"
           ":strict_string_checks=1:allocator_may_return_null=1"
           ":malloc_context_size=30:external_symbolizer_path=" SYMBOLIZER
           ":log_path=" REPORTS "/report";
}


const char *
__ubsan_default_options(void)
{
    return "print_stacktrace=1";
}


/* leaks are told, and do not change what tests see */

const char *
__lsan_default_options(void)
{
    return "exitcode=0:print_suppressions=0";
}


const char *
__lsan_default_suppressions(void)
{
    return NGINX_LEAKS;
}


/* asked when a process looks for leaks: a byte for each that does */

int
__lsan_is_turned_off(void)
{
    int  fd;

    fd = open(REPORTS "/checked", O_WRONLY|O_APPEND);

    if (fd != -1) {
        if (write(fd, ".", 1) != 1) {
            _exit(98);
        }

        close(fd);
    }

    return 0;
}


/*
 * nginx -t ends with its configuration in memory, or, if there is none, with
 * the pool of a cycle of main()'s: both are no leak.
 */

void *
__wrap_ngx_init_cycle(void *old)
{
    if (pool == NULL) {
        pool = ((void **) old)[1];      /* of ngx_cycle_t */
    }

    cycle = __real_ngx_init_cycle(old);

    return cycle;
}


/* a worker that looks for leaks takes longer than the master waits */

int
__wrap_kill(pid_t pid, int sig)
{
    return sig == SIGKILL ? 0 : __real_kill(pid, sig);
}
