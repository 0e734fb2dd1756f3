/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One question to an API server: a POST of JSON, and its answer.
 *
 * The caller makes the JSON and reads the answer's.  A question without an
 * answer is sent again if that may help and there is time.
 */

#ifndef NGX_K8S_SA_ASK_H
#define NGX_K8S_SA_ASK_H


#include <ngx_config.h>
#include <ngx_core.h>
#include "net/ngx_k8s_sa_client.h"
#include "issuer/ngx_k8s_sa_token_file.h"


typedef struct ngx_k8s_sa_ask_s  ngx_k8s_sa_ask_t;


typedef enum {
    NGX_K8S_SA_ANSWERED = 0,
    NGX_K8S_SA_UNANSWERED,
    NGX_K8S_SA_ABANDONED               /* the worker exits, hold is not set */
} ngx_k8s_sa_outcome_e;


typedef struct {
    ngx_k8s_sa_outcome_e            outcome;
    ngx_str_t                       body;     /* ANSWERED: with 200 or 201 */
    const char                     *reason;   /* UNANSWERED: printable */
    unsigned                        down:1;   /* UNANSWERED: the API server is
                                                 unreachable or overloaded, it
                                                 did not refuse us */
    unsigned                        gone:1;   /* with down: no connection or
                                                 answer, or 502 to 504 */
} ngx_k8s_sa_answer_t;


/*
 * Called once, from the event loop, unless the question is cancelled.  The
 * question has been freed by then; the answer is valid during the call.
 */

typedef void (*ngx_k8s_sa_answer_pt)(const ngx_k8s_sa_answer_t *answer,
    void *data);


/* body is copied; everything else pointed to must outlive the question. */

typedef struct {
    ngx_k8s_sa_client_t            *client;
    const ngx_k8s_sa_url_t         *url;
    const ngx_k8s_sa_token_file_t  *credential;   /* or NULL */
    ngx_str_t                       body;         /* wiped when it is freed */
    ngx_msec_t                      deadline;     /* ngx_current_msec: no try
                                                     is started after it */
    const char                     *forbidden;    /* " (...)": advice if our
                                                     token may not ask */
    ngx_k8s_sa_answer_pt            handler;
    void                           *data;

    /*
     * NULL, or called with a body: returns 1 if it holds a refusal, which is
     * not final while the API server starts and does not know all objects.
     */

    ngx_uint_t                    (*refuses)(const ngx_str_t *body,
        void *data);

    ngx_log_t                      *log;
    ngx_uint_t                      hold;         /* see _ask_hold() */
} ngx_k8s_sa_question_t;


/* Returns NULL without memory; the handler is not called then. */

ngx_k8s_sa_ask_t *ngx_k8s_sa_ask(const ngx_k8s_sa_question_t *question);

/*
 * With hold 1 a worker that shuts down stays until the answer has come; with 0
 * the question is abandoned.
 */

void ngx_k8s_sa_ask_hold(ngx_k8s_sa_ask_t *ask, ngx_uint_t hold);

/* Ends a question without calling its handler. */

void ngx_k8s_sa_ask_cancel(ngx_k8s_sa_ask_t *ask);


#endif /* NGX_K8S_SA_ASK_H */
