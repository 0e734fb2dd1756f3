/* SPDX-License-Identifier: BSD-2-Clause */

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "file.h"
#include "http.h"
#include "options.h"
#include "text.h"


typedef struct {
    const char          *ca;
    const char          *token_file;
    int64_t              interval;    /* milliseconds */
    int64_t              timeout;
    int64_t              count;
} client_call_conf_t;


typedef struct {
    client_call_conf_t   conf;
    const char          *url;
    int                  signals;     /* signalfd for SIGTERM and SIGINT */
    client_http_t       *http;
    client_answer_t      answer;
} client_call_t;


static int client_call_loop(client_call_t *call);
static int client_call_once(client_call_t *call);
static int client_call_send(client_call_t *call, const k8s_sa_str_t *token);
static int client_call_signals(void);
static int client_call_wait(client_call_t *call, int64_t until);
static int64_t client_call_now(void);
static void client_call_log_time(void);
static void client_call_log_error(client_call_t *call, const char *text);
static void client_call_log_answer(client_call_t *call);


static const client_option_t  client_call_options[] = {

    { "--ca", "FILE", client_set_string,
      offsetof(client_call_conf_t, ca) },

    { "--token-file", "FILE", client_set_string,
      offsetof(client_call_conf_t, token_file) },

    { "--interval", "TIME", client_set_time,
      offsetof(client_call_conf_t, interval) },

    { "--count", "N", client_set_number,
      offsetof(client_call_conf_t, count) },

    { "--timeout", "TIME", client_set_time,
      offsetof(client_call_conf_t, timeout) },

    { NULL, NULL, NULL, 0 }
};


static const client_command_t  client_call_command = {
    "k8s-sa-client",

    "Usage: k8s-sa-client [OPTION]... URL\n"
    "       k8s-sa-client inspect [OPTION]... [FILE]\n"
    "       k8s-sa-client verify [OPTION]... [FILE]\n"
    "\n"
    "Calls URL every 5 seconds with a Kubernetes service account token and\n"
    "reports each answer.  \"inspect\" shows the contents of a token,\n"
    "\"verify\" checks one offline; each has its own --help.\n"
    "\n"
    "  --ca FILE          also trust these CA certificates (PEM)\n"
    "  --token-file FILE  the token, read before each request; default:\n"
    "                     " CLIENT_TOKEN_FILE "\n"
    "  --interval TIME    from one request to the next, default 5s\n"
    "  --count N          stop after N requests; default: never\n"
    "  --timeout TIME     time limit for one request, default 10s\n"
    "  --help, --version\n"
    "\n"
    "TIME is a number of seconds, or a value such as 500ms, 10s, 5m or 1h.\n"
    "Exit status: 0 if every answer was 2xx, 1 if not, 2 on a usage error.\n",

    "URL",
    client_call_options
};


int
client_call(int argc, char **argv)
{
    int                  rc;
    const char          *url;
    client_call_t       *call;
    k8s_sa_error_t       err;
    client_call_conf_t   conf;
    client_http_conf_t   http;

    memset(&conf, 0, sizeof(client_call_conf_t));

    conf.interval = CLIENT_UNSET;
    conf.timeout = CLIENT_UNSET;
    conf.count = CLIENT_UNSET;

    rc = client_options(&client_call_command, argc, argv, &conf, &url);

    if (rc != -1) {
        return rc;
    }

    if (url == NULL) {
        return client_usage(&client_call_command, "no URL given");
    }

    if (client_http_check_url(url, &err) != K8S_SA_OK) {
        return client_usage(&client_call_command, "%s", err.text);
    }

    if (conf.interval == 0 || conf.timeout == 0) {
        return client_usage(&client_call_command, "%s must not be 0",
                            conf.interval == 0 ? "--interval" : "--timeout");
    }

    if (conf.ca != NULL && client_http_check_ca(conf.ca, &err) != K8S_SA_OK) {
        return client_error(&client_call_command, "%s", err.text);
    }

    if (conf.token_file == NULL) {
        conf.token_file = CLIENT_TOKEN_FILE;
    }

    if (conf.interval == CLIENT_UNSET) {
        conf.interval = 5000;
    }

    call = calloc(1, sizeof(client_call_t));

    if (call == NULL) {
        return client_error(&client_call_command, "out of memory");
    }

    call->conf = conf;
    call->url = url;
    call->signals = client_call_signals();

    if (call->signals == -1) {
        free(call);
        return client_error(&client_call_command, "signalfd() failed");
    }

    http.url = url;
    http.ca = conf.ca;
    http.timeout = conf.timeout == CLIENT_UNSET ? 10000 : conf.timeout;
    http.stop = call->signals;

    call->http = client_http_create(&http, &err);

    if (call->http == NULL) {
        rc = client_error(&client_call_command, "%s", err.text);

    } else {
        rc = client_call_loop(call);
        client_http_free(call->http);
    }

    close(call->signals);
    free(call);

    return rc;
}


static int
client_call_loop(client_call_t *call)
{
    int      rc, status;
    int64_t  n, start;

    /* line-buffered even into a pipe: this is a container's log */

    setvbuf(stdout, NULL, _IOLBF, 0);

    client_call_log_time();
    printf("start client: %s\n", call->url);

    status = CLIENT_OK;
    n = 0;

    for ( ;; ) {
        start = client_call_now();

        rc = client_call_once(call);

        if (rc == CLIENT_HTTP_STOPPED) {
            break;
        }

        if (rc == CLIENT_HTTP_FAILED) {
            status = CLIENT_FAILED;
        }

        /* standard output is closed; main() reports it */

        if (ferror(stdout)) {
            return CLIENT_FAILED;
        }

        if (call->conf.count != CLIENT_UNSET && ++n == call->conf.count) {
            return status;
        }

        if (client_call_wait(call, start + call->conf.interval)
            == CLIENT_HTTP_STOPPED)
        {
            break;
        }
    }

    /* stopped by a signal, which is the only way without --count */

    return call->conf.count == CLIENT_UNSET ? CLIENT_OK : CLIENT_FAILED;
}


/*
 * Returns CLIENT_HTTP_DONE if the answer was 2xx, CLIENT_HTTP_STOPPED after a
 * signal, otherwise CLIENT_HTTP_FAILED.
 */

static int
client_call_once(client_call_t *call)
{
    int             rc;
    client_file_t   token, fresh;
    k8s_sa_error_t  err;

    if (client_file_read_token(&token, call->conf.token_file, &err)
        != K8S_SA_OK)
    {
        client_call_log_error(call, err.text);
        return CLIENT_HTTP_FAILED;
    }

    rc = client_call_send(call, &token.text);

    /* the token may have been replaced while the request was under way */

    if (rc == CLIENT_HTTP_DONE && call->answer.status == 401
        && client_file_read_token(&fresh, call->conf.token_file, NULL)
           == K8S_SA_OK)
    {
        if (!k8s_sa_str_eq(&token.text, &fresh.text)) {
            rc = client_call_send(call, &fresh.text);
        }

        client_file_free(&fresh);
    }

    client_file_free(&token);

    if (rc == CLIENT_HTTP_DONE && call->answer.status / 100 != 2) {
        return CLIENT_HTTP_FAILED;
    }

    return rc;
}


static int
client_call_send(client_call_t *call, const k8s_sa_str_t *token)
{
    int             rc;
    k8s_sa_error_t  err;

    rc = client_http_get(call->http, token, &call->answer, &err);

    if (rc == CLIENT_HTTP_DONE) {
        client_call_log_answer(call);
    }

    if (rc == CLIENT_HTTP_FAILED) {
        client_call_log_error(call, err.text);
    }

    return rc;
}


/*
 * SIGTERM and SIGINT arrive through a descriptor, so that they end a wait for
 * the server or for the next request at once, also in process 1 of a
 * container, for which they have no default action.  Returns -1 on failure.
 */

static int
client_call_signals(void)
{
    sigset_t  set;

    signal(SIGPIPE, SIG_IGN);

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);

    if (sigprocmask(SIG_BLOCK, &set, NULL) == -1) {
        return -1;
    }

    return signalfd(-1, &set, SFD_CLOEXEC|SFD_NONBLOCK);
}


static int
client_call_wait(client_call_t *call, int64_t until)
{
    int64_t        left;
    struct pollfd  pfd;

    pfd.fd = call->signals;
    pfd.events = POLLIN;

    do {
        left = until - client_call_now();

        if (left < 0) {
            left = 0;
        }

        if (poll(&pfd, 1, left > INT_MAX ? INT_MAX : (int) left) > 0) {
            return CLIENT_HTTP_STOPPED;
        }

    } while (left > 0);

    return CLIENT_HTTP_DONE;
}


/* Returns milliseconds of the monotonic clock. */

static int64_t
client_call_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* In the default format of Go's log package, so that logs are comparable. */

static void
client_call_log_time(void)
{
    char       buf[sizeof("2006/01/02 15:04:05 ")];
    time_t     now;
    struct tm  tm;

    now = time(NULL);

    if (localtime_r(&now, &tm) != NULL
        && strftime(buf, sizeof(buf), "%Y/%m/%d %H:%M:%S ", &tm) != 0)
    {
        fputs(buf, stdout);
    }
}


static void
client_call_log_error(client_call_t *call, const char *text)
{
    client_call_log_time();
    printf("target=%s, error: ", call->url);
    client_text_print(stdout, text, strlen(text), CLIENT_TEXT_PLAIN);
    putchar('\n');
}


static void
client_call_log_answer(client_call_t *call)
{
    client_answer_t  *answer;

    answer = &call->answer;

    client_call_log_time();
    printf("target=%s, status=%ld, response: '", call->url, answer->status);
    client_text_print(stdout, answer->body, answer->len, CLIENT_TEXT_QUOTED);
    putchar('\'');

    if (answer->size > CLIENT_HTTP_BODY_READ) {
        printf(" (first %zu of more than %d bytes)", answer->len,
               CLIENT_HTTP_BODY_READ);

    } else if (answer->size > answer->len) {
        printf(" (first %zu of %zu bytes)", answer->len, answer->size);
    }

    putchar('\n');
}
