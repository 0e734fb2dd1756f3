/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One GET with a token, by libcurl.
 */

#ifndef CLIENT_HTTP_H
#define CLIENT_HTTP_H


#include "client.h"


#define CLIENT_HTTP_BODY_SHOWN  1024
#define CLIENT_HTTP_BODY_READ   (64 * 1024)

#define CLIENT_HTTP_DONE        0
#define CLIENT_HTTP_FAILED      1
#define CLIENT_HTTP_STOPPED     2


typedef struct client_http_s  client_http_t;

typedef struct {
    long            status;     /* HTTP status */
    size_t          size;       /* of the body, as far as it was read: the
                                   transfer ends after
                                   CLIENT_HTTP_BODY_READ bytes */
    size_t          len;        /* of its beginning, in body */
    unsigned char   body[CLIENT_HTTP_BODY_SHOWN];
} client_answer_t;


typedef struct {
    const char     *url;
    const char     *ca;         /* file of further CA certificates or NULL */
    int64_t         timeout;    /* milliseconds, from resolving to the end */
    int             stop;       /* descriptor: readable when it is to end */
} client_http_conf_t;


/* K8S_SA_OK if url is one that can be called, K8S_SA_ERROR and why not. */

int client_http_check_url(const char *url, k8s_sa_error_t *err);

/* K8S_SA_OK if certificates can be read from a file, K8S_SA_ERROR and *err. */

int client_http_check_ca(const char *name, k8s_sa_error_t *err);

/* For many requests one after the other; conf must stay. */

client_http_t *client_http_create(const client_http_conf_t *conf,
    k8s_sa_error_t *err);
void client_http_free(client_http_t *http);

/*
 * Asks with "Authorization: Bearer" and the token.  CLIENT_HTTP_DONE and the
 * answer, CLIENT_HTTP_FAILED and the reason, or CLIENT_HTTP_STOPPED: conf's
 * stop became readable.
 */

int client_http_get(client_http_t *http, const k8s_sa_str_t *token,
    client_answer_t *answer, k8s_sa_error_t *err);


#endif /* CLIENT_HTTP_H */
