/* SPDX-License-Identifier: BSD-2-Clause */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "client.h"


static void client_open_standard(void);


static const struct {
    const char   *name;
    int         (*run)(int argc, char **argv);
} client_commands[] = {
    { "inspect", client_inspect },
    { "verify",  client_verify },
};


int
main(int argc, char **argv)
{
    int      rc;
    size_t   i;
    int    (*run)(int argc, char **argv);

    client_open_standard();

    run = client_call;

    for (i = 0; i < sizeof(client_commands) / sizeof(client_commands[0]); i++)
    {
        if (argc > 1 && strcmp(argv[1], client_commands[i].name) == 0) {
            run = client_commands[i].run;
            argc--;
            argv++;
            break;
        }
    }

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fprintf(stderr, "k8s-sa-client: libcurl cannot be initialized\n");
        return CLIENT_USAGE;
    }

    rc = run(argc, argv);

    curl_global_cleanup();

    if (fflush(stdout) == EOF || ferror(stdout)) {
        fprintf(stderr, "k8s-sa-client: cannot write to standard output: %s\n",
                strerror(errno));
        return CLIENT_FAILED;
    }

    return rc;
}


/*
 * Otherwise a socket could get the number of a closed standard descriptor,
 * and the output would go there.  Reading standard input and writing the
 * others still fails with EBADF.
 */

static void
client_open_standard(void)
{
    int  fd;

    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {

        if (fcntl(fd, F_GETFD) == -1) {

            /* returns fd, the lowest number that is free */

            (void) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}
