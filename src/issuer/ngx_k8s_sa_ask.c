/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_ask.h"
#include "issuer/ngx_k8s_sa_call.h"


#define NGX_K8S_SA_ASK_RETRY    100    /* ms, doubled with each try */
#define NGX_K8S_SA_ASK_REFUSED  50     /* ms, times the number of tries: an API
                                          server that starts refuses everyone
                                          for about 100 ms */


struct ngx_k8s_sa_ask_s {
    ngx_k8s_sa_question_t    question;
    ngx_k8s_sa_exchange_t   *exchange;     /* NULL between two tries */
    ngx_event_t              timer;        /* the next try */
    ngx_connection_t         dummy;        /* for the timer's debug log */
    ngx_uint_t               tries;
    unsigned                 private:1;    /* the credential is sent */
};


static ngx_int_t ngx_k8s_sa_ask_send(ngx_k8s_sa_ask_t *ask);
static void ngx_k8s_sa_ask_received(const ngx_k8s_sa_result_t *res,
    void *data);
static ngx_uint_t ngx_k8s_sa_ask_is_starting(const ngx_k8s_sa_result_t *res);
static ngx_uint_t ngx_k8s_sa_ask_is_down(const ngx_k8s_sa_result_t *res);
static ngx_uint_t ngx_k8s_sa_ask_is_gone(const ngx_k8s_sa_result_t *res);
static ngx_int_t ngx_k8s_sa_ask_again(ngx_k8s_sa_ask_t *ask,
    const ngx_k8s_sa_result_t *res);
static void ngx_k8s_sa_ask_timer(ngx_event_t *ev);
static void ngx_k8s_sa_ask_done(ngx_k8s_sa_ask_t *ask,
    const ngx_k8s_sa_answer_t *answer);


ngx_k8s_sa_ask_t *
ngx_k8s_sa_ask(const ngx_k8s_sa_question_t *question)
{
    u_char            *p;
    ngx_k8s_sa_ask_t  *ask;

    ask = ngx_calloc(sizeof(ngx_k8s_sa_ask_t) + question->body.len,
                     question->log);
    if (ask == NULL) {
        return NULL;
    }

    p = (u_char *) ask + sizeof(ngx_k8s_sa_ask_t);
    ngx_memcpy(p, question->body.data, question->body.len);

    ask->question = *question;
    ask->question.body.data = p;

    ask->private = ngx_k8s_sa_client_is_private(question->client,
                                                question->url);

    /* ngx_event_ident() in nginx's debug log needs a connection */

    ask->dummy.fd = (ngx_socket_t) -1;
    ask->dummy.data = ask;

    ask->timer.data = &ask->dummy;
    ask->timer.handler = ngx_k8s_sa_ask_timer;
    ask->timer.log = question->log;
    ask->timer.cancelable = !question->hold;

    if (ngx_k8s_sa_ask_send(ask) != NGX_OK) {
        ngx_k8s_sa_ask_cancel(ask);
        return NULL;
    }

    return ask;
}


void
ngx_k8s_sa_ask_hold(ngx_k8s_sa_ask_t *ask, ngx_uint_t hold)
{
    ask->question.hold = hold;
    ask->timer.cancelable = !hold;

    if (ask->exchange) {
        ngx_k8s_sa_exchange_hold(ask->exchange, hold);
    }
}


void
ngx_k8s_sa_ask_cancel(ngx_k8s_sa_ask_t *ask)
{
    if (ask->exchange) {
        ngx_k8s_sa_exchange_cancel(ask->exchange);
    }

    if (ask->timer.timer_set) {
        ngx_del_timer(&ask->timer);
    }

    ngx_explicit_memzero(ask, sizeof(ngx_k8s_sa_ask_t)
                              + ask->question.body.len);
    ngx_free(ask);
}


static ngx_int_t
ngx_k8s_sa_ask_send(ngx_k8s_sa_ask_t *ask)
{
    ngx_keyval_t            headers[2];
    ngx_k8s_sa_request_t    req;
    ngx_k8s_sa_question_t  *question;

    question = &ask->question;
    ask->tries++;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, question->log, 0,
                   "k8s_sa ask: POST \"%V\"%s, try %ui", &question->url->text,
                   ask->private && question->credential
                   ? " with our own token" : "",
                   ask->tries);

    ngx_str_set(&headers[0].key, "Content-Type");
    ngx_str_set(&headers[0].value, "application/json");
    ngx_str_set(&headers[1].key, "Accept");
    ngx_str_set(&headers[1].value, "application/json");

    ngx_memzero(&req, sizeof(ngx_k8s_sa_request_t));

    req.method = NGX_K8S_SA_POST;
    req.url = question->url;
    req.headers = headers;
    req.nheaders = 2;
    req.body = question->body;
    req.header = "x-kubernetes-pf-flowschema-uid";
    req.handler = ngx_k8s_sa_ask_received;
    req.data = ask;
    req.idempotent = 1;
    req.hold = question->hold;

    if (ask->private && question->credential) {
        req.token = question->credential->token;
    }

    ask->exchange = ngx_k8s_sa_client_start(question->client, &req);

    return ask->exchange ? NGX_OK : NGX_ERROR;
}


static void
ngx_k8s_sa_ask_received(const ngx_k8s_sa_result_t *res, void *data)
{
    ngx_k8s_sa_ask_t *ask = data;

    k8s_sa_error_t           err;
    ngx_k8s_sa_answer_t      answer;
    ngx_k8s_sa_call_hints_t  hints;

    ask->exchange = NULL;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ask->question.log, 0,
                   "k8s_sa ask: \"%V\": status %ui %V",
                   &ask->question.url->text, res->status, &res->reason);

    ngx_memzero(&answer, sizeof(ngx_k8s_sa_answer_t));

    if (res->error == NGX_K8S_SA_NET_OK
        && (res->status == 200 || res->status == 201)
        && !(ngx_k8s_sa_ask_is_starting(res) && ask->question.refuses
             && ask->question.refuses(&res->body, ask->question.data)))
    {
        answer.body = res->body;
        ngx_k8s_sa_ask_done(ask, &answer);
        return;
    }

    if (res->error == NGX_K8S_SA_NET_SHUTDOWN && !ask->question.hold) {
        answer.outcome = NGX_K8S_SA_ABANDONED;
        ngx_k8s_sa_ask_done(ask, &answer);
        return;
    }

    if (ngx_k8s_sa_ask_again(ask, res) == NGX_OK) {
        return;
    }

    if (ngx_k8s_sa_ask_is_starting(res) && res->status < 300) {
        k8s_sa_error_set(&err, "the API server is starting and refuses what "
                         "it does not know yet");
    } else {
        hints.forbidden = ask->question.forbidden;
        hints.not_found = " (is that an API server?)";

        ngx_k8s_sa_call_explain(res, ask->question.credential, ask->private,
                                &hints, &err);
    }

    answer.outcome = NGX_K8S_SA_UNANSWERED;
    answer.reason = err.text;
    answer.down = ngx_k8s_sa_ask_is_down(res);
    answer.gone = answer.down && ngx_k8s_sa_ask_is_gone(res);

    ngx_k8s_sa_ask_done(ask, &answer);
}


/*
 * While an API server starts, its header about priority and fairness is empty
 * (seen with 1.20 and 1.36).
 */

static ngx_uint_t
ngx_k8s_sa_ask_is_starting(const ngx_k8s_sa_result_t *res)
{
    return res->error == NGX_K8S_SA_NET_OK
           && res->header.data && res->header.len == 0;
}


static ngx_uint_t
ngx_k8s_sa_ask_is_down(const ngx_k8s_sa_result_t *res)
{
    switch (res->error) {

    case NGX_K8S_SA_NET_OK:
        return res->status == 429 || res->status >= 500;

    case NGX_K8S_SA_NET_SHUTDOWN:
    case NGX_K8S_SA_NET_INTERNAL:
        return 0;

    default:
        return 1;
    }
}


/* Returns 1 if no client can have caused it: 500 and 429 it might. */

static ngx_uint_t
ngx_k8s_sa_ask_is_gone(const ngx_k8s_sa_result_t *res)
{
    switch (res->error) {

    case NGX_K8S_SA_NET_OK:
        return res->status >= 502 && res->status <= 504;

    case NGX_K8S_SA_NET_RESOLVE:
    case NGX_K8S_SA_NET_CONNECT:
    case NGX_K8S_SA_NET_CLOSED:
    case NGX_K8S_SA_NET_TIMEOUT:
        return 1;

    default:
        return 0;
    }
}


/* NGX_OK: asks again, now or later; NGX_DECLINED: that would not help. */

static ngx_int_t
ngx_k8s_sa_ask_again(ngx_k8s_sa_ask_t *ask, const ngx_k8s_sa_result_t *res)
{
    ngx_int_t       after;
    ngx_uint_t      max;
    ngx_msec_t      delay;
    ngx_msec_int_t  left;

    delay = NGX_K8S_SA_ASK_RETRY << ngx_min(ask->tries - 1, 10);

    switch (res->error) {

    case NGX_K8S_SA_NET_OK:

        if (ngx_k8s_sa_ask_is_starting(res)
            && (res->status < 300 || res->status == 403))
        {
            max = 100;
            delay = NGX_K8S_SA_ASK_REFUSED;

        } else if (res->status == 401 || res->status == 403) {
            max = 3;
            delay = NGX_K8S_SA_ASK_REFUSED * ask->tries;

        } else if (res->status == 429 || res->status >= 500) {
            max = 100;

        } else {
            return NGX_DECLINED;
        }

        break;

    case NGX_K8S_SA_NET_CONNECT:
    case NGX_K8S_SA_NET_CLOSED:

        /* several API servers may share the address */

        max = 2;
        break;

    case NGX_K8S_SA_NET_SHUTDOWN:

        /* hold was set after the exchange had begun to end */

        return ngx_k8s_sa_ask_send(ask) == NGX_OK ? NGX_OK : NGX_DECLINED;

    default:

        return NGX_DECLINED;
    }

    /* jitter, so that questions refused together do not return together */

    delay += ngx_random() % (delay / 2 + 1);

    if (res->retry_after.data) {
        after = ngx_atoi(res->retry_after.data, res->retry_after.len);

        if (after != NGX_ERROR && after < 3600) {
            delay = ngx_max(delay, (ngx_msec_t) after * 1000);
        }
    }

    left = ask->question.deadline - ngx_current_msec;

    if (ask->tries >= max || (ngx_msec_int_t) delay >= left
        || (ngx_exiting && !ask->question.hold))
    {
        return NGX_DECLINED;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ask->question.log, 0,
                   "k8s_sa ask: \"%V\" again in %M ms",
                   &ask->question.url->text, delay);

    ngx_add_timer(&ask->timer, delay);

    return NGX_OK;
}


static void
ngx_k8s_sa_ask_timer(ngx_event_t *ev)
{
    ngx_connection_t     *dummy;
    ngx_k8s_sa_ask_t     *ask;
    ngx_k8s_sa_answer_t   answer;

    dummy = ev->data;
    ask = dummy->data;

    if (ngx_k8s_sa_ask_send(ask) == NGX_OK) {
        return;
    }

    ngx_memzero(&answer, sizeof(ngx_k8s_sa_answer_t));

    answer.outcome = NGX_K8S_SA_UNANSWERED;
    answer.reason = "no memory";

    ngx_k8s_sa_ask_done(ask, &answer);
}


static void
ngx_k8s_sa_ask_done(ngx_k8s_sa_ask_t *ask, const ngx_k8s_sa_answer_t *answer)
{
    void                  *data;
    ngx_k8s_sa_answer_pt   handler;

    handler = ask->question.handler;
    data = ask->question.data;

    ngx_k8s_sa_ask_cancel(ask);

    handler(answer, data);
}
