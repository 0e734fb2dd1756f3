/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_path.h"
#include "token/k8s_sa_hex.h"
#include "token/k8s_sa_utf8.h"

#include <string.h>


static int k8s_sa_path_is_plain(const k8s_sa_str_t *raw);
static const char *k8s_sa_path_decode_odd(const k8s_sa_str_t *raw,
    unsigned char *out, k8s_sa_str_t *path);
static const char *k8s_sa_path_segment(const unsigned char *segment,
    const unsigned char *end, int last);
static const char *k8s_sa_path_byte(unsigned char ch);
static const char *k8s_sa_path_escape(const unsigned char *p,
    const unsigned char *end, unsigned char *byte);


/* The states of a scan, and the next one for each state and byte. */

#define K8S_SA_PATH_ODD      0x000     /* not plain, whatever comes */
#define K8S_SA_PATH_SEGMENT  0x100
#define K8S_SA_PATH_SLASH    0x200

#define K8S_SA_PATH_PLAIN(state)                                              \
    [(state) | '!' ... (state) | '"'] = K8S_SA_PATH_SEGMENT,                  \
    [(state) | '$'] = K8S_SA_PATH_SEGMENT,                                    \
    [(state) | '&' ... (state) | '-'] = K8S_SA_PATH_SEGMENT,                  \
    [(state) | '0' ... (state) | ':'] = K8S_SA_PATH_SEGMENT,                  \
    [(state) | '<' ... (state) | '>'] = K8S_SA_PATH_SEGMENT,                  \
    [(state) | '@' ... (state) | '['] = K8S_SA_PATH_SEGMENT,                  \
    [(state) | ']' ... (state) | '~'] = K8S_SA_PATH_SEGMENT

static const uint16_t  k8s_sa_path_next[0x300] = {

    K8S_SA_PATH_PLAIN(K8S_SA_PATH_SEGMENT),
    [K8S_SA_PATH_SEGMENT | '.'] = K8S_SA_PATH_SEGMENT,
    [K8S_SA_PATH_SEGMENT | '/'] = K8S_SA_PATH_SLASH,

    K8S_SA_PATH_PLAIN(K8S_SA_PATH_SLASH)
};


const char *
k8s_sa_path_decode(const k8s_sa_str_t *raw, unsigned char *out,
    k8s_sa_str_t *path)
{
    path->len = 0;
    path->data = NULL;

    if (raw->len == 0 || raw->data[0] != '/') {
        return "it does not begin with a slash";
    }

    if (raw->len > K8S_SA_PATH_MAX) {
        return "it is too long";
    }

    if (k8s_sa_path_is_plain(raw)) {
        *path = *raw;
        return NULL;
    }

    return k8s_sa_path_decode_odd(raw, out, path);
}


static const char *
k8s_sa_path_decode_odd(const k8s_sa_str_t *raw, unsigned char *out,
    k8s_sa_str_t *path)
{
    const char           *reason;
    unsigned char        *dst;
    const unsigned char  *p, *end, *segment;

    dst = out;
    p = raw->data;
    end = raw->data + raw->len;

    *dst++ = *p++;
    segment = p;

    for ( /* void */ ; p < end; p++) {

        if (*p == '/') {
            reason = k8s_sa_path_segment(segment, p, 0);
            segment = p + 1;
            *dst++ = '/';

        } else if (*p == '%') {
            reason = k8s_sa_path_escape(p, end, dst++);
            p += 2;

        } else {
            reason = k8s_sa_path_byte(*p);
            *dst++ = *p;
        }

        if (reason) {
            return reason;
        }
    }

    reason = k8s_sa_path_segment(segment, end, 1);
    if (reason) {
        return reason;
    }

    if (!k8s_sa_utf8_is_valid(out, dst)) {
        return "an escape is not UTF-8";
    }

    path->len = dst - out;
    path->data = out;

    return NULL;
}


/*
 * Returns 1 if the path is in normal form, nothing is escaped, and no segment
 * begins with a dot: most are so, and this is the quickest way to find out.
 */

static int
k8s_sa_path_is_plain(const k8s_sa_str_t *raw)
{
    unsigned              state;
    const unsigned char  *p, *end;

    p = raw->data + 1;
    end = raw->data + raw->len;
    state = K8S_SA_PATH_SLASH;

    for ( /* void */ ; end - p >= 4; p += 4) {
        state = k8s_sa_path_next[state | p[0]];
        state = k8s_sa_path_next[state | p[1]];
        state = k8s_sa_path_next[state | p[2]];
        state = k8s_sa_path_next[state | p[3]];
    }

    for ( /* void */ ; p < end; p++) {
        state = k8s_sa_path_next[state | *p];
    }

    return state != K8S_SA_PATH_ODD;
}


/* An escaped dot is refused elsewhere, so the bytes as sent are enough. */

static const char *
k8s_sa_path_segment(const unsigned char *segment, const unsigned char *end,
    int last)
{
    size_t  len;

    len = end - segment;

    if (len == 0) {
        return last ? NULL : "a segment is empty";
    }

    if (segment[0] == '.' && (len == 1 || (len == 2 && segment[1] == '.'))) {
        return "a segment is \".\" or \"..\"";
    }

    return NULL;
}


static const char *
k8s_sa_path_byte(unsigned char ch)
{
    if (ch < '!' || ch > '~') {
        return "a byte is not visible ASCII";
    }

    switch (ch) {

    case '\\':
        return "a backslash";

    case ';':
        return "a semicolon";

    case '#':
        return "a number sign";

    case '?':
        return "a question mark";

    default:
        return NULL;
    }
}


/* p is at the percent sign. */

static const char *
k8s_sa_path_escape(const unsigned char *p, const unsigned char *end,
    unsigned char *byte)
{
    int            high, low;
    unsigned char  ch;

    if (end - p < 3) {
        return "an escape is cut off";
    }

    high = k8s_sa_hex(p[1]);
    low = k8s_sa_hex(p[2]);

    if (high < 0 || low < 0) {
        return "an escape is not of two hex digits";
    }

    ch = (unsigned char) (high << 4 | low);

    if (ch < 0x20 || ch == 0x7f) {
        return "an escape is a control character";
    }

    if (strchr("/\\%;?#.", ch)) {
        return "an escape is one of / \\ % ; ? # .";
    }

    *byte = ch;

    return NULL;
}
