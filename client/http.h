/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sends GET requests with a token, through libcurl.
 */

#ifndef CLIENT_HTTP_H
#define CLIENT_HTTP_H


#include "client.h"


#define CLIENT_HTTP_BODY_SHOWN  1024
#define CLIENT_HTTP_BODY_READ   (64 * 1024)


typedef struct client_http_s  client_http_t;

typedef struct {
    long            status;     /* HTTP status */
    size_t          size;       /* bytes read; the transfer ends after
                                   CLIENT_HTTP_BODY_READ */
    size_t          len;        /* bytes kept in body */
    unsigned char   body[CLIENT_HTTP_BODY_SHOWN];
} client_answer_t;


typedef struct {
    const char     *url;
    const char     *ca;         /* file of additional CA certificates, or
                                   NULL */
    int64_t         timeout;    /* milliseconds, from name resolution to the
                                   last byte */
} client_http_conf_t;


/*
 * Returns K8S_SA_OK if url can be called, otherwise K8S_SA_ERROR with *err
 * set.
 */

int client_http_check_url(const char *url, k8s_sa_error_t *err);

/*
 * Returns 1 if others on the network could read the token, otherwise 0: url
 * begins with "http://", and its host is not this one.
 */

int client_http_is_exposed(const char *url);

/*
 * Returns K8S_SA_OK if the file contains a certificate, otherwise K8S_SA_ERROR
 * with *err set.
 */

int client_http_check_ca(const char *name, k8s_sa_error_t *err);

/*
 * Returns a client for any number of requests, one at a time, or NULL with
 * *err set.  conf must live until client_http_free().
 */

client_http_t *client_http_create(const client_http_conf_t *conf,
    k8s_sa_error_t *err);
void client_http_free(client_http_t *http);

/*
 * Sends a GET request with "Authorization: Bearer" and the token.  Returns
 * K8S_SA_OK with *answer set, or K8S_SA_ERROR with *err set.
 */

int client_http_get(client_http_t *http, const k8s_sa_str_t *token,
    client_answer_t *answer, k8s_sa_error_t *err);


#endif /* CLIENT_HTTP_H */
