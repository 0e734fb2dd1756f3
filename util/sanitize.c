/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Linked into nginx by util/sanitize.sh.  The options are functions and not in
 * the environment, since nginx does not pass that on at a binary upgrade.
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

/* weak: only nginx has them, not the client or configure's test programs */
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


/* leaks are reported, but do not change the exit status that tests see */

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


/* called by each process that checks for leaks: counts it with a byte */

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
 * nginx -t ends with its configuration in memory, or without one, with the pool
 * of main()'s own cycle: neither is a leak.
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


/* a worker that checks for leaks needs longer than the master waits */

int
__wrap_kill(pid_t pid, int sig)
{
    return sig == SIGKILL ? 0 : __real_kill(pid, sig);
}
