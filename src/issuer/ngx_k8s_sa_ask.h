/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One question to an API server: a POST of JSON, and its answer.
 *
 * What the JSON says is the caller's.  A question that the API server did not
 * answer is asked again, as long as that may help and time is left.
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
    NGX_K8S_SA_ABANDONED               /* the worker exits, hold was not set */
} ngx_k8s_sa_outcome_e;


typedef struct {
    ngx_k8s_sa_outcome_e            outcome;
    ngx_str_t                       body;     /* of an answer 200 or 201 */
    const char                     *reason;   /* if unanswered: printable */
    unsigned                        down:1;   /* if unanswered: the API server
                                                 is unreachable or overloaded;
                                                 it did not refuse us */
} ngx_k8s_sa_answer_t;


/*
 * Called once, from the event loop, unless the question is cancelled.  The
 * question is gone by then; the answer is valid during the call.
 */

typedef void (*ngx_k8s_sa_answer_pt)(const ngx_k8s_sa_answer_t *answer,
    void *data);


/* body is copied, whatever else is pointed to must outlive the question. */

typedef struct {
    ngx_k8s_sa_client_t            *client;
    const ngx_k8s_sa_url_t         *url;
    const ngx_k8s_sa_token_file_t  *credential;   /* or NULL */
    ngx_str_t                       body;         /* may hold a token */
    ngx_msec_t                      deadline;     /* ngx_current_msec: no try
                                                     starts at or after it */
    ngx_k8s_sa_answer_pt            handler;
    void                           *data;
    ngx_log_t                      *log;
    ngx_uint_t                      hold;         /* as in _ask_hold() */
} ngx_k8s_sa_question_t;


/* Returns NULL if there is no memory; the handler is not called then. */

ngx_k8s_sa_ask_t *ngx_k8s_sa_ask(const ngx_k8s_sa_question_t *question);

/*
 * hold 1: the worker does not exit before the answer; 0: it may, and the
 * question is abandoned.
 */

void ngx_k8s_sa_ask_hold(ngx_k8s_sa_ask_t *ask, ngx_uint_t hold);

/* Ends a question without calling its handler. */

void ngx_k8s_sa_ask_cancel(ngx_k8s_sa_ask_t *ask);


#endif /* NGX_K8S_SA_ASK_H */
