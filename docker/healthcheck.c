/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Health check for the sidecar image, which has no shell: requests a page from
 * NGINX in the same container and succeeds if the answer is 200.
 *
 *     healthcheck [PORT [PATH]]       8080 and /healthz
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>


#define HEALTHCHECK_TIMEOUT  2                      /* seconds */


static int healthcheck_connect(int port);
static int healthcheck_ask(int fd, const char *path);


int
main(int argc, char **argv)
{
    int  fd, port, healthy;

    port = argc > 1 ? atoi(argv[1]) : 8080;

    fd = healthcheck_connect(port);
    if (fd == -1) {
        fprintf(stderr, "healthcheck: no connection to port %d\n", port);
        return 1;
    }

    healthy = healthcheck_ask(fd, argc > 2 ? argv[2] : "/healthz");
    close(fd);

    if (!healthy) {
        fprintf(stderr, "healthcheck: the answer is not 200\n");
        return 1;
    }

    return 0;
}


static int
healthcheck_connect(int port)
{
    int                 fd;
    struct timeval      timeout;
    struct sockaddr_in  addr;

    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd == -1) {
        return -1;
    }

    memset(&timeout, 0, sizeof(timeout));
    timeout.tv_sec = HEALTHCHECK_TIMEOUT;

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_port = htons((unsigned short) port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == -1
        || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout))
           == -1
        || connect(fd, (struct sockaddr *) &addr, sizeof(addr)) == -1)
    {
        close(fd);
        return -1;
    }

    return fd;
}


static int
healthcheck_ask(int fd, const char *path)
{
    int      len;
    char     buf[1024];
    size_t   size;
    ssize_t  n;

    static const char  ok[] = "HTTP/1.1 200 ";

    len = snprintf(buf, sizeof(buf), "GET %s HTTP/1.1\r\nHost: localhost\r\n"
                   "Connection: close\r\n\r\n", path);

    if (len < 0 || (size_t) len >= sizeof(buf)
        || send(fd, buf, len, MSG_NOSIGNAL) != len)
    {
        return 0;
    }

    for (size = 0; size < sizeof(ok) - 1; size += n) {
        n = recv(fd, buf + size, sizeof(buf) - size, 0);
        if (n <= 0) {
            return 0;
        }
    }

    return memcmp(buf, ok, sizeof(ok) - 1) == 0;
}
