/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_each.h"
#include "token/k8s_sa_hex.h"

#include <string.h>


static const char *k8s_sa_each_piece(k8s_sa_each_t *each,
    const unsigned char *p, const unsigned char *end,
    const k8s_sa_str_t *name, unsigned char **buf);
static unsigned char *k8s_sa_each_decode(unsigned char *dst,
    const unsigned char *p, const unsigned char *end);
static int k8s_sa_each_resembles(const k8s_sa_str_t *given,
    const k8s_sa_str_t *name);
static unsigned char k8s_sa_each_fold(unsigned char ch);


const char *
k8s_sa_each_add(k8s_sa_each_t *each, const k8s_sa_str_t *value)
{
    size_t  i;

    if (value->len == 0) {
        return "a value is empty";
    }

    if (each->found == K8S_SA_EACH_MAX) {
        return "there are too many values";
    }

    each->found++;

    for (i = 0; i < each->n; i++) {

        if (k8s_sa_str_eq(&each->values[i], value)) {
            return NULL;
        }
    }

    each->values[each->n++] = *value;

    return NULL;
}


const char *
k8s_sa_each_arg(k8s_sa_each_t *each, const k8s_sa_str_t *query,
    const k8s_sa_str_t *name, unsigned char *buf)
{
    const char           *reason;
    const unsigned char  *p, *end, *last;

    if (query->len == 0) {
        return NULL;
    }

    last = query->data + query->len;

    for (p = query->data; p < last; p++) {

        /* what some servers take for a separator, or for the query's end */

        if (*p == ';') {
            return "a semicolon in the query";
        }

        if (*p == '#') {
            return "a number sign in the query";
        }
    }

    for (p = query->data; p < last; p = end + 1) {

        end = memchr(p, '&', (size_t) (last - p));
        if (end == NULL) {
            end = last;
        }

        reason = k8s_sa_each_piece(each, p, end, name, &buf);
        if (reason) {
            return reason;
        }
    }

    return NULL;
}


static const char *
k8s_sa_each_piece(k8s_sa_each_t *each, const unsigned char *p,
    const unsigned char *end, const k8s_sa_str_t *name, unsigned char **buf)
{
    unsigned char        *dst;
    k8s_sa_str_t          given, value;
    const unsigned char  *equals;

    equals = memchr(p, '=', (size_t) (end - p));

    given.data = *buf;

    dst = k8s_sa_each_decode(given.data, p, equals ? equals : end);
    if (dst == NULL) {
        return "an escape in the query is not of two hex digits";
    }

    given.len = (size_t) (dst - given.data);

    value.data = dst;

    if (equals) {
        dst = k8s_sa_each_decode(value.data, equals + 1, end);
        if (dst == NULL) {
            return "an escape in the query is not of two hex digits";
        }
    }

    value.len = (size_t) (dst - value.data);

    if (k8s_sa_str_eq(&given, name)) {
        *buf = dst;
        return k8s_sa_each_add(each, &value);
    }

    if (k8s_sa_each_resembles(&given, name)) {
        return "a name in the query could be read as the one to look for";
    }

    return NULL;
}


/* Returns the end of what was written, or NULL for a bad escape. */

static unsigned char *
k8s_sa_each_decode(unsigned char *dst, const unsigned char *p,
    const unsigned char *end)
{
    int  high, low;

    for ( /* void */ ; p < end; p++) {

        if (*p == '+') {
            *dst++ = ' ';
            continue;
        }

        if (*p != '%') {
            *dst++ = *p;
            continue;
        }

        if (end - p < 3) {
            return NULL;
        }

        high = k8s_sa_hex(p[1]);
        low = k8s_sa_hex(p[2]);

        if (high < 0 || low < 0) {
            return NULL;
        }

        *dst++ = (unsigned char) (high << 4 | low);
        p += 2;
    }

    return dst;
}


/*
 * Whether a server that ignores case, or one of some frameworks, could read one
 * name as the other.  PHP drops blanks before a name, makes "_" of "." and
 * blanks, ends a name at a NUL, and makes an array of "NAME[...]".  For Rack
 * and for the qs of Express, "[NAME]" is NAME, for Rack also "]NAME", "NAME]".
 */

static int
k8s_sa_each_resembles(const k8s_sa_str_t *given, const k8s_sa_str_t *name)
{
    size_t                i, rest;
    const unsigned char  *p;

    p = given->data;
    rest = given->len;

    while (rest && (*p == ' ' || *p == '[' || *p == ']')) {
        p++;
        rest--;
    }

    if (rest < name->len) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {

        if (k8s_sa_each_fold(p[i]) != k8s_sa_each_fold(name->data[i])) {
            return 0;
        }
    }

    return rest == name->len
           || p[i] == '[' || p[i] == ']' || p[i] == ' ' || p[i] == '\0';
}


static unsigned char
k8s_sa_each_fold(unsigned char ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch | 0x20;
    }

    return ch == '.' || ch == ' ' ? '_' : ch;
}


int
k8s_sa_each_is_form(const k8s_sa_str_t *content_type)
{
    size_t                i, n, len;
    unsigned char         ch;
    const unsigned char  *p;

    static const char  *const forms[] = {
        "application/x-www-form-urlencoded",
        "multipart/form-data"
    };

    p = content_type->data;
    len = content_type->len;

    while (len && (*p == ' ' || *p == '\t')) {
        p++;
        len--;
    }

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {

        for (n = 0; n < len && forms[i][n]; n++) {
            ch = p[n];

            if (ch >= 'A' && ch <= 'Z') {
                ch |= 0x20;
            }

            if (ch != (unsigned char) forms[i][n]) {
                break;
            }
        }

        if (forms[i][n] == '\0' && (n == len || memchr(";, \t", p[n], 4))) {
            return 1;
        }
    }

    return 0;
}
