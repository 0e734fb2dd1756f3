/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * HTTP responses: two bytes choose the largest body and how the rest is split
 * into pieces.  The result must not depend on the pieces.
 */

#include "k8s_sa_fuzz.h"

#include "net/ngx_k8s_sa_http_parse.h"


#define FUZZ_BODY_MAX  65536


typedef struct {
    ngx_k8s_sa_http_parse_t  p;
    int                      rc;        /* the last return code */
    int                      eof;       /* return code of _eof() */
    unsigned                 head;      /* 1: seen */
    size_t                   used;
    size_t                   body_len;
    unsigned char            body[FUZZ_BODY_MAX];
} fuzz_answer_t;


static fuzz_answer_t  fuzz_whole, fuzz_pieces;


static void fuzz_run(fuzz_answer_t *a, const uint8_t *data, size_t size,
    uint64_t max_body, size_t piece);
static void fuzz_check_head(const ngx_k8s_sa_http_parse_t *p);
static void fuzz_check_str(const ngx_k8s_sa_http_parse_t *p,
    const ngx_k8s_sa_http_str_t *s);
static int fuzz_same_str(const ngx_k8s_sa_http_str_t *a,
    const ngx_k8s_sa_http_str_t *b);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                    piece;
    uint64_t                  max_body;
    ngx_k8s_sa_http_parse_t  *a, *b;

    static const uint64_t  limits[] = { FUZZ_BODY_MAX, 0, 1, 100 };

    max_body = limits[fuzz_byte(&data, &size) & 3];
    piece = fuzz_byte(&data, &size) % 64 + 1;

    fuzz_run(&fuzz_whole, data, size, max_body, size);
    fuzz_run(&fuzz_pieces, data, size, max_body, piece);

    a = &fuzz_whole.p;
    b = &fuzz_pieces.p;

    fuzz_check(fuzz_whole.rc == fuzz_pieces.rc);
    fuzz_check(fuzz_whole.eof == fuzz_pieces.eof);
    fuzz_check(fuzz_whole.head == fuzz_pieces.head);

    /* what was parsed before a refusal may depend on the pieces */

    if (fuzz_whole.rc == NGX_K8S_SA_HTTP_DONE
        || fuzz_whole.rc == NGX_K8S_SA_HTTP_MORE)
    {
        fuzz_check(fuzz_whole.used == fuzz_pieces.used);
        fuzz_check(fuzz_whole.body_len == fuzz_pieces.body_len);
        fuzz_check(memcmp(fuzz_whole.body, fuzz_pieces.body,
                          fuzz_whole.body_len)
                   == 0);
        fuzz_check(a->received == fuzz_whole.body_len);
        fuzz_check(a->keep_alive == b->keep_alive);

    } else {
        fuzz_check(!a->keep_alive && !b->keep_alive);
    }

    if (fuzz_whole.head) {
        fuzz_check(a->status == b->status && a->minor == b->minor);
        fuzz_check(a->has_length == b->has_length && a->length == b->length);
        fuzz_check(fuzz_same_str(&a->cache_control, &b->cache_control));
        fuzz_check(fuzz_same_str(&a->retry_after, &b->retry_after));
    }

    return 0;
}


static void
fuzz_run(fuzz_answer_t *a, const uint8_t *data, size_t size,
    uint64_t max_body, size_t piece)
{
    size_t                n, steps;
    unsigned char        *copy;
    const unsigned char  *pos, *end;

    memset(&a->p, 0xa5, sizeof(a->p));
    ngx_k8s_sa_http_parse_init(&a->p, max_body);

    a->rc = NGX_K8S_SA_HTTP_MORE;
    a->head = 0;
    a->used = 0;
    a->body_len = 0;

    /* each step but _HEAD and the last one of a piece consumes a byte */

    steps = size * 2 + 3;

    while (size > 0 && a->rc == NGX_K8S_SA_HTTP_MORE) {
        n = size < piece ? size : piece;
        copy = fuzz_copy(data, n);

        pos = copy;
        end = copy + n;

        for ( ;; ) {
            fuzz_check(steps-- > 0);

            a->rc = ngx_k8s_sa_http_parse(&a->p, &pos, end);
            fuzz_check(pos >= copy && pos <= end);

            if (a->rc == NGX_K8S_SA_HTTP_HEAD) {
                fuzz_check(!a->head);
                a->head = 1;
                fuzz_check_head(&a->p);
                continue;
            }

            if (a->rc != NGX_K8S_SA_HTTP_BODY) {
                break;
            }

            fuzz_check(a->head);
            fuzz_check(a->p.piece.len != 0);
            fuzz_check(a->p.piece.data >= copy
                       && a->p.piece.data + a->p.piece.len <= pos);
            fuzz_check(a->p.piece.len <= max_body - a->body_len);

            memcpy(a->body + a->body_len, a->p.piece.data, a->p.piece.len);
            a->body_len += a->p.piece.len;
        }

        fuzz_check(a->rc != NGX_K8S_SA_HTTP_MORE || pos == end);

        a->used += pos - copy;
        data += n;
        size -= n;
        free(copy);
    }

    if (a->rc != NGX_K8S_SA_HTTP_MORE) {
        pos = end = data;
        fuzz_check(ngx_k8s_sa_http_parse(&a->p, &pos, end) == a->rc);
    }

    a->eof = ngx_k8s_sa_http_parse_eof(&a->p);

    fuzz_check(a->p.begun == (a->used > 0));
    fuzz_check((a->rc == NGX_K8S_SA_HTTP_INVALID
                || a->rc == NGX_K8S_SA_HTTP_TOO_LARGE
                || a->eof == NGX_K8S_SA_HTTP_TRUNCATED)
               == (a->p.error != NULL));

    if (a->rc == NGX_K8S_SA_HTTP_MORE) {
        fuzz_check(a->eof == NGX_K8S_SA_HTTP_DONE
                   || a->eof == NGX_K8S_SA_HTTP_TRUNCATED);

        /* a body that ends with the connection must have no known length */

        if (a->eof == NGX_K8S_SA_HTTP_DONE) {
            fuzz_check(a->head && !a->p.has_length && !a->p.keep_alive);
        }

    } else {
        fuzz_check(a->eof == a->rc);
    }

    if (a->eof == NGX_K8S_SA_HTTP_DONE && a->p.has_length) {
        fuzz_check(a->p.length == a->body_len);
    }
}


static void
fuzz_check_head(const ngx_k8s_sa_http_parse_t *p)
{
    fuzz_check(p->status >= 200 && p->status <= 599);
    fuzz_check(p->minor <= 1);
    fuzz_check(p->head_len <= NGX_K8S_SA_HTTP_HEAD_MAX);
    fuzz_check(!p->has_length || p->length <= p->max_body);

    fuzz_check_str(p, &p->cache_control);
    fuzz_check_str(p, &p->retry_after);
}


static void
fuzz_check_str(const ngx_k8s_sa_http_parse_t *p,
    const ngx_k8s_sa_http_str_t *s)
{
    if (s->data == NULL) {
        fuzz_check(s->len == 0);
        return;
    }

    fuzz_check(s->data >= p->head
               && s->data + s->len <= p->head + sizeof(p->head));
    fuzz_check(fuzz_is_clean(s->data, s->len, "\t"));
}


static int
fuzz_same_str(const ngx_k8s_sa_http_str_t *a, const ngx_k8s_sa_http_str_t *b)
{
    return (a->data == NULL) == (b->data == NULL) && a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}
