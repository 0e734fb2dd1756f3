/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * Status line and headers are collected and parsed line by line, everything
 * after them goes through a state machine.
 */

#include <string.h>
#include <strings.h>

#include "net/ngx_k8s_sa_http_parse.h"


enum {
    sw_head = 0,
    sw_body,                    /* with a known length */
    sw_body_eof,                /* until the connection is closed */
    sw_chunk_start,             /* before the first digit of a size */
    sw_chunk_size,
    sw_chunk_space,             /* blanks before ';', RFC 9112, 7.1.1 */
    sw_chunk_ext,
    sw_chunk_lf,
    sw_chunk_data,
    sw_chunk_data_cr,
    sw_chunk_data_lf,
    sw_trailer_start,
    sw_trailer_name,
    sw_trailer_value,
    sw_trailer_lf,
    sw_last_lf
};


#define is_text(ch)                                                           \
    ((ch) == '\t' || ((ch) >= 0x20 && (ch) != 0x7f))


static int ngx_k8s_sa_http_next(ngx_k8s_sa_http_parse_t *p, unsigned state);
static int ngx_k8s_sa_http_invalid(ngx_k8s_sa_http_parse_t *p,
    const char *error);
static int ngx_k8s_sa_http_too_large(ngx_k8s_sa_http_parse_t *p,
    const char *error);
static int ngx_k8s_sa_http_head(ngx_k8s_sa_http_parse_t *p,
    const unsigned char **pos, const unsigned char *end);
static int ngx_k8s_sa_http_status_line(ngx_k8s_sa_http_parse_t *p,
    const unsigned char *line, size_t len);
static int ngx_k8s_sa_http_header(ngx_k8s_sa_http_parse_t *p,
    const unsigned char *line, size_t len);
static int ngx_k8s_sa_http_header_value(ngx_k8s_sa_http_parse_t *p,
    const ngx_k8s_sa_http_str_t *name, const ngx_k8s_sa_http_str_t *value);
static int ngx_k8s_sa_http_length(ngx_k8s_sa_http_parse_t *p,
    const ngx_k8s_sa_http_str_t *value);
static void ngx_k8s_sa_http_connection(ngx_k8s_sa_http_parse_t *p,
    const ngx_k8s_sa_http_str_t *value);
static void ngx_k8s_sa_http_join_cache_control(ngx_k8s_sa_http_parse_t *p,
    const ngx_k8s_sa_http_str_t *value);
static int ngx_k8s_sa_http_head_end(ngx_k8s_sa_http_parse_t *p);
static int ngx_k8s_sa_http_data(ngx_k8s_sa_http_parse_t *p,
    const unsigned char **pos, const unsigned char *end);
static int ngx_k8s_sa_http_chunk_line(ngx_k8s_sa_http_parse_t *p,
    unsigned char ch);
static int ngx_k8s_sa_http_trailer(ngx_k8s_sa_http_parse_t *p,
    unsigned char ch);
static int ngx_k8s_sa_http_is_token(unsigned char ch);
static int ngx_k8s_sa_http_str_is(const ngx_k8s_sa_http_str_t *str,
    const char *text);


void
ngx_k8s_sa_http_parse_init(ngx_k8s_sa_http_parse_t *p, uint64_t max_body)
{
    memset(p, 0, offsetof(ngx_k8s_sa_http_parse_t, head));

    p->max_body = max_body;
    p->state = sw_head;
}


int
ngx_k8s_sa_http_parse(ngx_k8s_sa_http_parse_t *p, const unsigned char **pos,
    const unsigned char *end)
{
    int  rc;

    for ( ;; ) {

        if (p->result != NGX_K8S_SA_HTTP_MORE) {
            return p->result;
        }

        if (*pos == end) {
            return NGX_K8S_SA_HTTP_MORE;
        }

        p->begun = 1;

        if (p->state == sw_head) {
            rc = ngx_k8s_sa_http_head(p, pos, end);

        } else if (p->state == sw_body
                   || p->state == sw_body_eof
                   || p->state == sw_chunk_data)
        {
            rc = ngx_k8s_sa_http_data(p, pos, end);

        } else if (p->state < sw_trailer_start) {
            rc = ngx_k8s_sa_http_chunk_line(p, *(*pos)++);

        } else {
            rc = ngx_k8s_sa_http_trailer(p, *(*pos)++);
        }

        if (rc != NGX_K8S_SA_HTTP_MORE) {
            return rc;
        }
    }
}


int
ngx_k8s_sa_http_parse_eof(ngx_k8s_sa_http_parse_t *p)
{
    if (p->result != NGX_K8S_SA_HTTP_MORE) {
        return p->result;
    }

    if (p->state == sw_body_eof) {
        p->result = NGX_K8S_SA_HTTP_DONE;
        return p->result;
    }

    p->error = "connection closed before the end of the answer";

    return NGX_K8S_SA_HTTP_TRUNCATED;
}


static int
ngx_k8s_sa_http_next(ngx_k8s_sa_http_parse_t *p, unsigned state)
{
    p->state = state;

    return NGX_K8S_SA_HTTP_MORE;
}


static int
ngx_k8s_sa_http_invalid(ngx_k8s_sa_http_parse_t *p, const char *error)
{
    p->error = error;
    p->keep_alive = 0;
    p->result = NGX_K8S_SA_HTTP_INVALID;

    return p->result;
}


static int
ngx_k8s_sa_http_too_large(ngx_k8s_sa_http_parse_t *p, const char *error)
{
    p->error = error;
    p->keep_alive = 0;
    p->result = NGX_K8S_SA_HTTP_TOO_LARGE;

    return p->result;
}


/* Collects a line and parses it when it is complete. */

static int
ngx_k8s_sa_http_head(ngx_k8s_sa_http_parse_t *p, const unsigned char **pos,
    const unsigned char *end)
{
    int                   rc;
    size_t                len;
    unsigned char         ch;
    const unsigned char  *line;

    do {
        if (p->head_len == NGX_K8S_SA_HTTP_HEAD_MAX) {
            return ngx_k8s_sa_http_too_large(p, "headers are too large");
        }

        ch = *(*pos)++;

        /* a server of another protocol may never send a newline */

        if (p->head_len < 5 && ch != (unsigned char) "HTTP/"[p->head_len]) {
            return ngx_k8s_sa_http_invalid(p, "not an HTTP status line");
        }

        p->head[p->head_len++] = ch;

        if (ch == '\n') {
            break;
        }

        if (*pos == end) {
            return NGX_K8S_SA_HTTP_MORE;
        }

    } while (1);

    line = p->head + p->line_start;
    len = p->head_len - p->line_start - 1;

    if (len == 0 || line[len - 1] != '\r') {
        return ngx_k8s_sa_http_invalid(p, "header line without CRLF");
    }

    len--;

    if (p->line_start == 0) {
        rc = ngx_k8s_sa_http_status_line(p, line, len);

    } else if (len == 0) {
        return ngx_k8s_sa_http_head_end(p);

    } else {
        rc = ngx_k8s_sa_http_header(p, line, len);
    }

    p->line_start = p->head_len;

    return rc;
}


/* HTTP-version SP status-code [ SP reason-phrase ] */

static int
ngx_k8s_sa_http_status_line(ngx_k8s_sa_http_parse_t *p,
    const unsigned char *line, size_t len)
{
    size_t    i;
    unsigned  status;

    if (len < sizeof("HTTP/1.1 200") - 1
        || memcmp(line, "HTTP/1.", 7) != 0
        || line[8] != ' ')
    {
        return ngx_k8s_sa_http_invalid(p, "not an HTTP/1.x status line");
    }

    if (line[7] != '0' && line[7] != '1') {
        return ngx_k8s_sa_http_invalid(p, "neither HTTP/1.0 nor HTTP/1.1");
    }

    p->minor = line[7] - '0';

    status = 0;

    for (i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9') {
            status = 0;
            break;
        }

        status = status * 10 + (line[i] - '0');
    }

    if (status < 100 || status > 599) {
        return ngx_k8s_sa_http_invalid(p, "invalid status code");
    }

    for (i = 12; i < len; i++) {
        if (!is_text(line[i]) || (i == 12 && line[i] != ' ')) {
            return ngx_k8s_sa_http_invalid(p, "invalid status line");
        }
    }

    p->status = status;

    return NGX_K8S_SA_HTTP_MORE;
}


static int
ngx_k8s_sa_http_header(ngx_k8s_sa_http_parse_t *p, const unsigned char *line,
    size_t len)
{
    size_t                 i;
    ngx_k8s_sa_http_str_t  name, value;

    if (++p->nheaders > NGX_K8S_SA_HTTP_HEADERS_MAX) {
        return ngx_k8s_sa_http_too_large(p, "too many headers");
    }

    for (i = 0; i < len && ngx_k8s_sa_http_is_token(line[i]); i++) {
        /* void */
    }

    /* a blank in a name, or before it (line folding), is refused, too */

    if (i == 0 || i == len || line[i] != ':') {
        return ngx_k8s_sa_http_invalid(p, "invalid header line");
    }

    name.data = line;
    name.len = i;

    for (i++; i < len && (line[i] == ' ' || line[i] == '\t'); i++) {
        /* void */
    }

    while (len > i && (line[len - 1] == ' ' || line[len - 1] == '\t')) {
        len--;
    }

    value.data = line + i;
    value.len = len - i;

    for ( /* void */ ; i < len; i++) {
        if (!is_text(line[i])) {
            return ngx_k8s_sa_http_invalid(p, "control character in a header");
        }
    }

    return ngx_k8s_sa_http_header_value(p, &name, &value);
}


static int
ngx_k8s_sa_http_header_value(ngx_k8s_sa_http_parse_t *p,
    const ngx_k8s_sa_http_str_t *name, const ngx_k8s_sa_http_str_t *value)
{
    if (ngx_k8s_sa_http_str_is(name, "content-length")) {
        return ngx_k8s_sa_http_length(p, value);
    }

    if (ngx_k8s_sa_http_str_is(name, "transfer-encoding")) {
        if (p->chunked || !ngx_k8s_sa_http_str_is(value, "chunked")) {
            return ngx_k8s_sa_http_invalid(p, "unsupported Transfer-Encoding");
        }

        p->chunked = 1;
        return NGX_K8S_SA_HTTP_MORE;
    }

    if (ngx_k8s_sa_http_str_is(name, "content-encoding")) {
        if (!ngx_k8s_sa_http_str_is(value, "identity")) {
            return ngx_k8s_sa_http_invalid(p, "unsupported Content-Encoding");
        }

        return NGX_K8S_SA_HTTP_MORE;
    }

    if (ngx_k8s_sa_http_str_is(name, "connection")) {
        ngx_k8s_sa_http_connection(p, value);
        return NGX_K8S_SA_HTTP_MORE;
    }

    if (ngx_k8s_sa_http_str_is(name, "cache-control")) {
        ngx_k8s_sa_http_join_cache_control(p, value);
        return NGX_K8S_SA_HTTP_MORE;
    }

    if (p->retry_after.data == NULL
        && ngx_k8s_sa_http_str_is(name, "retry-after"))
    {
        p->retry_after = *value;
    }

    if (p->wanted && p->header.data == NULL
        && ngx_k8s_sa_http_str_is(name, p->wanted))
    {
        p->header = *value;
    }

    return NGX_K8S_SA_HTTP_MORE;
}


static int
ngx_k8s_sa_http_length(ngx_k8s_sa_http_parse_t *p,
    const ngx_k8s_sa_http_str_t *value)
{
    size_t    i;
    uint64_t  n;

    if (p->has_length) {
        return ngx_k8s_sa_http_invalid(p, "repeated Content-Length");
    }

    n = 0;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < '0' || value->data[i] > '9') {
            break;
        }

        if (n > (UINT64_MAX - 9) / 10) {
            break;
        }

        n = n * 10 + (value->data[i] - '0');
    }

    if (i == 0 || i != value->len) {
        return ngx_k8s_sa_http_invalid(p, "invalid Content-Length");
    }

    p->has_length = 1;
    p->length = n;

    return NGX_K8S_SA_HTTP_MORE;
}


static void
ngx_k8s_sa_http_connection(ngx_k8s_sa_http_parse_t *p,
    const ngx_k8s_sa_http_str_t *value)
{
    size_t                 i;
    ngx_k8s_sa_http_str_t  option;

    i = 0;

    while (i < value->len) {

        if (!ngx_k8s_sa_http_is_token(value->data[i])) {
            i++;
            continue;
        }

        option.data = value->data + i;

        while (i < value->len && ngx_k8s_sa_http_is_token(value->data[i])) {
            i++;
        }

        option.len = value->data + i - option.data;

        if (ngx_k8s_sa_http_str_is(&option, "close")) {
            p->close = 1;

        } else if (ngx_k8s_sa_http_str_is(&option, "keep-alive")) {
            p->persist = 1;
        }
    }
}


/*
 * The joined values fit into the second half of p->head: each is shorter than
 * its header line by the header's name, which is longer than ", ".
 */

static void
ngx_k8s_sa_http_join_cache_control(ngx_k8s_sa_http_parse_t *p,
    const ngx_k8s_sa_http_str_t *value)
{
    unsigned char  *start;

    start = p->head + NGX_K8S_SA_HTTP_HEAD_MAX;

    if (p->cache_control.data) {
        memcpy(start + p->cache_control.len, ", ", 2);
        p->cache_control.len += 2;
    }

    memcpy(start + p->cache_control.len, value->data, value->len);

    p->cache_control.data = start;
    p->cache_control.len += value->len;
}


/* Determines the length of the body, RFC 9112, section 6.3. */

static int
ngx_k8s_sa_http_head_end(ngx_k8s_sa_http_parse_t *p)
{
    unsigned     interim;
    uint64_t     max_body;
    const char  *wanted;

    if (p->chunked && p->has_length) {
        return ngx_k8s_sa_http_invalid(p, "Content-Length with "
                                          "Transfer-Encoding");
    }

    if (p->chunked && p->minor == 0) {
        return ngx_k8s_sa_http_invalid(p, "Transfer-Encoding in HTTP/1.0");
    }

    if (p->status == 101) {
        return ngx_k8s_sa_http_invalid(p, "unexpected switch of protocols");
    }

    if (p->status < 200) {
        interim = p->interim + 1;
        max_body = p->max_body;
        wanted = p->wanted;

        if (interim > NGX_K8S_SA_HTTP_INTERIM_MAX) {
            return ngx_k8s_sa_http_invalid(p, "too many interim answers");
        }

        ngx_k8s_sa_http_parse_init(p, max_body);

        p->wanted = wanted;
        p->interim = interim;
        p->begun = 1;

        return NGX_K8S_SA_HTTP_MORE;
    }

    p->keep_alive = !p->close && (p->minor == 1 || p->persist);

    if (p->status == 204 || p->status == 304) {
        p->chunked = 0;
        p->has_length = 1;
        p->length = 0;
    }

    if (p->chunked) {
        p->state = sw_chunk_start;

    } else if (p->has_length) {

        if (p->length > p->max_body) {
            return ngx_k8s_sa_http_too_large(p, "body is too large");
        }

        p->rest = p->length;
        p->state = sw_body;

        if (p->length == 0) {
            p->result = NGX_K8S_SA_HTTP_DONE;
        }

    } else {
        p->keep_alive = 0;
        p->state = sw_body_eof;
    }

    return NGX_K8S_SA_HTTP_HEAD;
}


static int
ngx_k8s_sa_http_data(ngx_k8s_sa_http_parse_t *p, const unsigned char **pos,
    const unsigned char *end)
{
    size_t  len;

    len = end - *pos;

    if (p->state == sw_body_eof) {

        if (len > p->max_body - p->received) {
            return ngx_k8s_sa_http_too_large(p, "body is too large");
        }

    } else {

        if (len > p->rest) {
            len = p->rest;
        }

        p->rest -= len;

        if (p->rest == 0) {
            if (p->state == sw_body) {
                p->result = NGX_K8S_SA_HTTP_DONE;
            }

            p->state = sw_chunk_data_cr;
        }
    }

    p->piece.data = *pos;
    p->piece.len = len;

    p->received += len;
    *pos += len;

    return NGX_K8S_SA_HTTP_BODY;
}


/* Parses chunked coding except for data and trailers, byte by byte. */

static int
ngx_k8s_sa_http_chunk_line(ngx_k8s_sa_http_parse_t *p, unsigned char ch)
{
    int  digit;

    if (++p->count > NGX_K8S_SA_HTTP_CHUNK_MAX) {
        return ngx_k8s_sa_http_too_large(p, "chunk size line is too long");
    }

    switch (p->state) {

    case sw_chunk_start:
    case sw_chunk_size:

        if (ch >= '0' && ch <= '9') {
            digit = ch - '0';

        } else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f') {
            digit = (ch | 0x20) - 'a' + 10;

        } else if (p->state == sw_chunk_start) {
            break;

        } else if (ch == '\r') {
            return ngx_k8s_sa_http_next(p, sw_chunk_lf);

        } else if (ch == ';') {
            return ngx_k8s_sa_http_next(p, sw_chunk_ext);

        } else if (ch == ' ' || ch == '\t') {
            return ngx_k8s_sa_http_next(p, sw_chunk_space);

        } else {
            break;
        }

        /* with the digits so far, rest <= max_body */

        if (p->rest > UINT64_MAX >> 4
            || (p->rest << 4) + digit > p->max_body - p->received)
        {
            return ngx_k8s_sa_http_too_large(p, "body is too large");
        }

        p->rest = (p->rest << 4) + digit;
        return ngx_k8s_sa_http_next(p, sw_chunk_size);

    case sw_chunk_space:

        if (ch == ';') {
            return ngx_k8s_sa_http_next(p, sw_chunk_ext);
        }

        if (ch == ' ' || ch == '\t') {
            return NGX_K8S_SA_HTTP_MORE;
        }

        break;

    case sw_chunk_ext:

        if (ch == '\r') {
            return ngx_k8s_sa_http_next(p, sw_chunk_lf);
        }

        if (is_text(ch)) {
            return NGX_K8S_SA_HTTP_MORE;
        }

        break;

    case sw_chunk_lf:

        if (ch != '\n') {
            break;
        }

        p->count = 0;

        if (p->rest) {
            p->state = sw_chunk_data;

        } else {
            p->nheaders = 0;
            p->state = sw_trailer_start;
        }

        return NGX_K8S_SA_HTTP_MORE;

    case sw_chunk_data_cr:

        if (ch == '\r') {
            return ngx_k8s_sa_http_next(p, sw_chunk_data_lf);
        }

        break;

    default: /* sw_chunk_data_lf */

        if (ch == '\n') {
            p->count = 0;
            return ngx_k8s_sa_http_next(p, sw_chunk_start);
        }
    }

    return ngx_k8s_sa_http_invalid(p, "invalid chunk");
}


/* Trailers are checked as headers are, and ignored. */

static int
ngx_k8s_sa_http_trailer(ngx_k8s_sa_http_parse_t *p, unsigned char ch)
{
    if (++p->count > NGX_K8S_SA_HTTP_HEAD_MAX
        || p->nheaders > NGX_K8S_SA_HTTP_HEADERS_MAX)
    {
        return ngx_k8s_sa_http_too_large(p, "trailers are too large");
    }

    switch (p->state) {

    case sw_trailer_start:

        if (ch == '\r') {
            return ngx_k8s_sa_http_next(p, sw_last_lf);
        }

        p->nheaders++;

        if (ngx_k8s_sa_http_is_token(ch)) {
            return ngx_k8s_sa_http_next(p, sw_trailer_name);
        }

        break;

    case sw_trailer_name:

        if (ch == ':') {
            return ngx_k8s_sa_http_next(p, sw_trailer_value);
        }

        if (ngx_k8s_sa_http_is_token(ch)) {
            return NGX_K8S_SA_HTTP_MORE;
        }

        break;

    case sw_trailer_value:

        if (ch == '\r') {
            return ngx_k8s_sa_http_next(p, sw_trailer_lf);
        }

        if (is_text(ch)) {
            return NGX_K8S_SA_HTTP_MORE;
        }

        break;

    case sw_trailer_lf:

        if (ch == '\n') {
            return ngx_k8s_sa_http_next(p, sw_trailer_start);
        }

        break;

    default: /* sw_last_lf */

        if (ch == '\n') {
            p->result = NGX_K8S_SA_HTTP_DONE;
            return NGX_K8S_SA_HTTP_MORE;
        }
    }

    return ngx_k8s_sa_http_invalid(p, "invalid trailer");
}


/* RFC 9110, section 5.6.2 */

static int
ngx_k8s_sa_http_is_token(unsigned char ch)
{
    if ((ch >= '0' && ch <= '9')
        || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z'))
    {
        return 1;
    }

    return ch != '\0' && strchr("!#$%&'*+-.^_`|~", ch) != NULL;
}


/* Ignores case; text is in lower case. */

static int
ngx_k8s_sa_http_str_is(const ngx_k8s_sa_http_str_t *str, const char *text)
{
    return str->len == strlen(text)
           && strncasecmp((const char *) str->data, text, str->len) == 0;
}
