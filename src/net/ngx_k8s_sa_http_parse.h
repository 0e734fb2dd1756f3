/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * An incremental, strict parser of HTTP/1.0 and HTTP/1.1 responses (RFC 9112).
 * It does not depend on nginx, so that it can be fuzzed on its own.
 *
 * The input comes in pieces of any size, and the body is returned as parts of
 * them.  Where the RFC permits leniency that helps only request smuggling, the
 * parser is stricter: lines end with CRLF and are not folded, there is at most
 * one Content-Length and none beside Transfer-Encoding, "chunked" is the only
 * transfer coding, and there is no content coding.
 */

#ifndef NGX_K8S_SA_HTTP_PARSE_H
#define NGX_K8S_SA_HTTP_PARSE_H


#include <stddef.h>
#include <stdint.h>


#define NGX_K8S_SA_HTTP_HEAD_MAX     16384  /* bytes of status line and
                                               headers; of trailers */
#define NGX_K8S_SA_HTTP_HEADERS_MAX  100    /* header lines, trailer lines */
#define NGX_K8S_SA_HTTP_CHUNK_MAX    1024   /* bytes of a chunk's size line */
#define NGX_K8S_SA_HTTP_INTERIM_MAX  8      /* consecutive 1xx responses */


enum {
    NGX_K8S_SA_HTTP_MORE = 0,   /* all input is consumed, more is needed */
    NGX_K8S_SA_HTTP_HEAD,       /* the headers are complete; call again */
    NGX_K8S_SA_HTTP_BODY,       /* p->piece is part of the body; call again */
    NGX_K8S_SA_HTTP_DONE,       /* the answer is complete */
    NGX_K8S_SA_HTTP_INVALID,    /* the reason is in p->error */
    NGX_K8S_SA_HTTP_TOO_LARGE,  /* the same, a size exceeds its limit */
    NGX_K8S_SA_HTTP_TRUNCATED   /* only returned by _eof() */
};


typedef struct {
    const unsigned char    *data;            /* NULL: absent */
    size_t                  len;
} ngx_k8s_sa_http_str_t;


typedef struct {
    /* results, valid after _HEAD; strings point into head[] */

    unsigned                status;
    unsigned                minor;           /* HTTP/1.minor, 0 or 1 */

    ngx_k8s_sa_http_str_t   cache_control;   /* values of repeated headers are
                                                joined with ", " */
    ngx_k8s_sa_http_str_t   retry_after;     /* the first one */
    ngx_k8s_sa_http_str_t   header;          /* the first one named wanted */

    int                     has_length;      /* length is set */
    uint64_t                length;          /* of the body, <= max_body */
    int                     keep_alive;      /* the connection may be used
                                                again after _DONE */
    uint64_t                received;        /* bytes of the body so far */

    ngx_k8s_sa_http_str_t   piece;           /* with _BODY, in the input */
    const char             *error;           /* static text */

    int                     begun;           /* a byte has come, also of a
                                                1xx response */

    const char             *wanted;          /* in lower case, set after
                                                _init(); or NULL */

    /* private */

    uint64_t                max_body;
    uint64_t                rest;            /* bytes left of body or chunk */
    size_t                  head_len;
    size_t                  line_start;
    size_t                  count;           /* bytes of the chunk line or the
                                                trailers so far */
    unsigned                nheaders;        /* so far, also trailers */
    unsigned                interim;
    unsigned                state;
    int                     result;          /* the final result, or _MORE */

    unsigned                chunked:1;
    unsigned                close:1;
    unsigned                persist:1;

    /* values of Cache-Control are joined in the second half */

    unsigned char           head[2 * NGX_K8S_SA_HTTP_HEAD_MAX];
} ngx_k8s_sa_http_parse_t;


/* Prepares p for the response to a GET or POST. */

void ngx_k8s_sa_http_parse_init(ngx_k8s_sa_http_parse_t *p, uint64_t max_body);

/*
 * Parses the input from *pos to end and moves *pos.  After _DONE, the bytes
 * from *pos to end do not belong to the response.  The final results (_DONE,
 * _INVALID, _TOO_LARGE) are returned again by later calls.
 */

int ngx_k8s_sa_http_parse(ngx_k8s_sa_http_parse_t *p,
    const unsigned char **pos, const unsigned char *end);

/*
 * Tells that the server has closed the connection.  Returns _DONE if that ends
 * the body, otherwise _TRUNCATED.  Must not be called after a reset or a TLS
 * error, which do not end a body.
 */

int ngx_k8s_sa_http_parse_eof(ngx_k8s_sa_http_parse_t *p);


#endif /* NGX_K8S_SA_HTTP_PARSE_H */
