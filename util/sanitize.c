/*
 * What util/sanitize.sh links into nginx.  As functions and not in the
 * environment, which nginx does not hand on when it is upgraded.
 */

#include <fcntl.h>
#include <unistd.h>


const char *__asan_default_options(void);
const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);
int __lsan_is_turned_off(void);


/* every module has an ngx_module_names of its own: no ODR violation */

const char *
__asan_default_options(void)
{
    return "halt_on_error=1:exitcode=99:detect_leaks=1"
           ":detect_odr_violation=0:check_initialization_order=1"
           ":strict_string_checks=1:allocator_may_return_null=1"
           ":malloc_context_size=25:handle_sigill=1:handle_sigtrap=1"
           ":log_path=" REPORTS;
}


/* leaks are told, and do not change what tests see */

const char *
__lsan_default_options(void)
{
    return "exitcode=0:print_suppressions=0";
}


/* what nginx 1.22 itself never frees */

const char *
__lsan_default_suppressions(void)
{
    return "leak:ngx_event_process_init\n"
           "leak:ngx_epoll_init\n"
           "leak:ngx_set_environment\n"
           "leak:ngx_save_argv\n"
           "leak:ngx_init_setproctitle\n"
           "leak:ngx_regex_malloc\n";
}


/* nginx -t ends with its configuration in memory */

int
__lsan_is_turned_off(void)
{
    int      fd;
    char     buf[4096];
    ssize_t  i, n;

    fd = open("/proc/self/cmdline", O_RDONLY);
    if (fd == -1) {
        return 0;
    }

    n = read(fd, buf, sizeof(buf));
    close(fd);

    for (i = 0; i + 2 < n; i++) {
        if (buf[i] == '\0' && buf[i + 1] == '-'
            && (buf[i + 2] == 't' || buf[i + 2] == 'T'))
        {
            return 1;
        }
    }

    return 0;
}
