/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * An incremental, strict parser of HTTP/1.0 and HTTP/1.1 responses (RFC 9112)
 * that knows no nginx, so that it can be fuzzed and unit-tested as it is.
 *
 * It takes bytes in pieces of any size and hands out the body in pieces of
 * the input.  Stricter than the RFC where leniency is only good for
 * smuggling: lines end with CRLF, no line folding, one Content-Length at most
 * and never together with Transfer-Encoding, "chunked" as the only transfer
 * coding, no content coding.
 */

#ifndef NGX_K8S_SA_HTTP_PARSE_H
#define NGX_K8S_SA_HTTP_PARSE_H


#include <stddef.h>
#include <stdint.h>


#define NGX_K8S_SA_HTTP_HEAD_MAX     16384  /* status line and headers; also
                                               the limit for trailers */
#define NGX_K8S_SA_HTTP_HEADERS_MAX  100    /* header lines; also trailers */
#define NGX_K8S_SA_HTTP_CHUNK_MAX    1024   /* a chunk's size line */
#define NGX_K8S_SA_HTTP_INTERIM_MAX  8      /* 1xx answers in a row */


enum {
    NGX_K8S_SA_HTTP_MORE = 0,   /* all input has been used up: more, please */
    NGX_K8S_SA_HTTP_HEAD,       /* the header section is complete; call again */
    NGX_K8S_SA_HTTP_BODY,       /* p->piece is a part of the body; call again */
    NGX_K8S_SA_HTTP_DONE,       /* the answer is complete */
    NGX_K8S_SA_HTTP_INVALID,    /* p->error says why */
    NGX_K8S_SA_HTTP_TOO_LARGE,  /* the same, for the limits on sizes */
    NGX_K8S_SA_HTTP_TRUNCATED   /* only of _eof() */
};


typedef struct {
    const unsigned char    *data;            /* NULL: absent */
    size_t                  len;
} ngx_k8s_sa_http_str_t;


typedef struct {
    /* results, valid from _HEAD on; strings point into head[] */

    unsigned                status;
    unsigned                minor;           /* HTTP/1.minor, 0 or 1 */

    ngx_k8s_sa_http_str_t   cache_control;   /* values of repeated headers are
                                                joined with ", " */
    ngx_k8s_sa_http_str_t   retry_after;     /* the first one */

    int                     has_length;      /* there is a body of known... */
    uint64_t                length;          /* ...length; <= max_body */
    int                     keep_alive;      /* the connection may be used
                                                again after _DONE */
    uint64_t                received;        /* body bytes so far */

    ngx_k8s_sa_http_str_t   piece;           /* of _BODY, in the input */
    const char             *error;           /* static text */

    int                     begun;           /* a byte of an answer has come,
                                                be it of a 1xx one */

    /* private */

    uint64_t                max_body;
    uint64_t                rest;            /* of the body or the chunk */
    size_t                  head_len;
    size_t                  line_start;
    size_t                  count;           /* bytes of a chunk line, of the
                                                trailers */
    unsigned                nheaders;        /* also trailers */
    unsigned                interim;
    unsigned                state;
    int                     result;          /* the final one, or _MORE */

    unsigned                chunked:1;
    unsigned                close:1;
    unsigned                persist:1;

    /* cache_control is joined behind the header section */

    unsigned char           head[2 * NGX_K8S_SA_HTTP_HEAD_MAX];
} ngx_k8s_sa_http_parse_t;


/* Prepares p for the answer to a GET or POST. */

void ngx_k8s_sa_http_parse_init(ngx_k8s_sa_http_parse_t *p, uint64_t max_body);

/*
 * Parses from *pos on, which moves to what has been used.  After _DONE, what
 * is left between *pos and end does not belong to the answer.  The final
 * results (_DONE, _INVALID, _TOO_LARGE) are returned again by later calls.
 */

int ngx_k8s_sa_http_parse(ngx_k8s_sa_http_parse_t *p,
    const unsigned char **pos, const unsigned char *end);

/*
 * The connection has been closed in an orderly way: _DONE if that is how this
 * body ends, otherwise _TRUNCATED.  Not to be called after a reset or a broken
 * TLS connection, which must not pass for a body's end.
 */

int ngx_k8s_sa_http_parse_eof(ngx_k8s_sa_http_parse_t *p);


#endif /* NGX_K8S_SA_HTTP_PARSE_H */
