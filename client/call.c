/* SPDX-License-Identifier: BSD-2-Clause */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
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
    client_http_t       *http;
    client_answer_t      answer;
} client_call_t;


static int client_call_loop(client_call_t *call);
static int client_call_once(client_call_t *call);
static int client_call_send(client_call_t *call, const k8s_sa_str_t *token);
static void client_call_signals(const client_call_conf_t *conf);
static void client_call_stop(int signo);
static void client_call_wait(int64_t until);
static int64_t client_call_now(void);
static void client_call_log_time(void);
static void client_call_log_error(client_call_t *call, const char *text);
static void client_call_log_answer(client_call_t *call);


static volatile sig_atomic_t  client_call_stopped;    /* exit status */


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

    if (client_http_is_exposed(url)) {
        client_error(&client_call_command, "note: without TLS others on the "
                     "network can read the token and use it");
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

    client_call_signals(&conf);

    http.url = url;
    http.ca = conf.ca;
    http.timeout = conf.timeout == CLIENT_UNSET ? 10000 : conf.timeout;

    call->http = client_http_create(&http, &err);

    if (call->http == NULL) {
        rc = client_error(&client_call_command, "%s", err.text);

    } else {
        rc = client_call_loop(call);
        client_http_free(call->http);
    }

    free(call);

    return rc;
}


static int
client_call_loop(client_call_t *call)
{
    int      status;
    int64_t  n, start;

    /* line-buffered even into a pipe: this is a container's log */

    setvbuf(stdout, NULL, _IOLBF, 0);

    client_call_log_time();
    printf("start client: %s\n", call->url);

    status = CLIENT_OK;

    for (n = 1; /* void */ ; n++) {

        /* main() reports it; the token is not sent if no answer can be */

        if (ferror(stdout)) {
            return CLIENT_FAILED;
        }

        start = client_call_now();

        if (client_call_once(call) != K8S_SA_OK) {
            status = CLIENT_FAILED;
        }

        if (n == call->conf.count) {
            return status;
        }

        client_call_wait(start + call->conf.interval);
    }
}


/* Returns K8S_SA_OK if the answer was 2xx, otherwise K8S_SA_ERROR. */

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
        return K8S_SA_ERROR;
    }

    rc = client_call_send(call, &token.text);

    /* the token may have been replaced while the request was under way */

    if (rc == K8S_SA_OK && call->answer.status == 401
        && client_file_read_token(&fresh, call->conf.token_file, NULL)
           == K8S_SA_OK)
    {
        if (!k8s_sa_str_eq(&token.text, &fresh.text)) {
            rc = client_call_send(call, &fresh.text);
        }

        client_file_free(&fresh);
    }

    client_file_free(&token);

    if (rc == K8S_SA_OK && call->answer.status / 100 != 2) {
        return K8S_SA_ERROR;
    }

    return rc;
}


static int
client_call_send(client_call_t *call, const k8s_sa_str_t *token)
{
    k8s_sa_error_t  err;

    if (client_http_get(call->http, token, &call->answer, &err) != K8S_SA_OK) {
        client_call_log_error(call, err.text);
        return K8S_SA_ERROR;
    }

    client_call_log_answer(call);

    return K8S_SA_OK;
}


/*
 * SIGTERM and SIGINT end the program from their handler, whatever it is
 * waiting for: the server, a name server, the next request, or the reader of
 * its output.  Process 1 of a container needs the handler, since it has no
 * default action.
 */

static void
client_call_signals(const client_call_conf_t *conf)
{
    sigset_t          set;
    struct sigaction  sa;

    /* without --count a signal is the only way to end */

    client_call_stopped = conf->count == CLIENT_UNSET ? CLIENT_OK
                                                      : CLIENT_FAILED;

    memset(&sa, 0, sizeof(struct sigaction));
    sigemptyset(&sa.sa_mask);

    sa.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &sa, NULL);

    sa.sa_handler = client_call_stop;
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);

    /* the parent may have blocked them */

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}


static void
client_call_stop(int signo)
{
    (void) signo;

    _exit(client_call_stopped);
}


static void
client_call_wait(int64_t until)
{
    struct timespec  ts;

    ts.tv_sec = until / 1000;
    ts.tv_nsec = until % 1000 * 1000000;

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL)
           == EINTR)
    {
        /* void */
    }
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
