/* SPDX-License-Identifier: BSD-2-Clause */

#include <inttypes.h>
#include <time.h>

#include "text.h"


static size_t client_text_decode(const unsigned char *p, size_t len,
    uint32_t *code);
static int client_text_visible(uint32_t code);
static void client_text_escape(FILE *out, uint32_t code);


void
client_text_print(FILE *out, const void *data, size_t len, unsigned flags)
{
    size_t                n;
    uint32_t              code;
    const unsigned char  *p, *end;

    p = data;
    end = p + len;

    for ( /* void */ ; p < end; p += n) {

        n = client_text_decode(p, end - p, &code);

        if (n == 0) {
            fprintf(out, "\\x%02x", *p);
            n = 1;
            continue;
        }

        if (code == '\n' && (flags & CLIENT_TEXT_LINES)) {
            putc('\n', out);
            continue;
        }

        if (!client_text_visible(code)) {
            client_text_escape(out, code);
            continue;
        }

        if ((code == '\'' || code == '\\') && (flags & CLIENT_TEXT_QUOTED)) {
            putc('\\', out);
        }

        fwrite(p, 1, n, out);
    }
}


void
client_text_str(FILE *out, const k8s_sa_str_t *str)
{
    if (str->data != NULL) {
        client_text_print(out, str->data, str->len, CLIENT_TEXT_PLAIN);
    }
}


/*
 * Decodes one character of strict UTF-8 (RFC 3629 section 4: shortest form, no
 * surrogates, up to 10FFFF).  Returns its length, or 0 if it is invalid.
 */

static size_t
client_text_decode(const unsigned char *p, size_t len, uint32_t *code)
{
    size_t    i, n;
    uint32_t  c, min;

    c = p[0];

    if (c < 0x80) {
        *code = c;
        return 1;
    }

    if (c >= 0xc2 && c < 0xe0) {
        n = 2;
        c &= 0x1f;
        min = 0x80;

    } else if (c >= 0xe0 && c < 0xf0) {
        n = 3;
        c &= 0x0f;
        min = 0x800;

    } else if (c >= 0xf0 && c < 0xf5) {
        n = 4;
        c &= 0x07;
        min = 0x10000;

    } else {
        return 0;
    }

    if (len < n) {
        return 0;
    }

    for (i = 1; i < n; i++) {

        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }

    *code = c;

    return n;
}


static int
client_text_visible(uint32_t code)
{
    size_t  i;

    /* controls, and characters of Unicode's Cf, Zl and Zp without a glyph */

    static const struct {
        uint32_t  first;
        uint32_t  last;
    } hidden[] = {
        { 0x0000, 0x001f },
        { 0x007f, 0x009f },
        { 0x00ad, 0x00ad },      /* soft hyphen */
        { 0x061c, 0x061c },      /* bidirectional mark */
        { 0x115f, 0x1160 },      /* Hangul fillers */
        { 0x180b, 0x180f },      /* Mongolian selectors */
        { 0x200b, 0x200f },      /* zero width, bidirectional marks */
        { 0x2028, 0x202e },      /* line separators, embeddings, overrides */
        { 0x2060, 0x206f },      /* joiners, isolates */
        { 0x3164, 0x3164 },
        { 0xfe00, 0xfe0f },      /* variation selectors */
        { 0xfeff, 0xfeff },
        { 0xffa0, 0xffa0 },
        { 0xfff0, 0xfffb },
        { 0xe0000, 0xe0fff },    /* tags */
    };

    for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (code >= hidden[i].first && code <= hidden[i].last) {
            return 0;
        }
    }

    return 1;
}


static void
client_text_escape(FILE *out, uint32_t code)
{
    switch (code) {

    case '\n':
        fputs("\\n", out);
        return;

    case '\r':
        fputs("\\r", out);
        return;

    case '\t':
        fputs("\\t", out);
        return;
    }

    if (code < 0x10000) {
        fprintf(out, "\\u%04" PRIx32, code);
        return;
    }

    /* a surrogate pair */

    code -= 0x10000;
    fprintf(out, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + (code >> 10),
            0xdc00 + (code & 0x3ff));
}


void
client_text_time(char buf[CLIENT_TIME_LEN], int64_t when)
{
    time_t     t;
    struct tm  tm;

    t = when;

    if (when < 0 || when > CLIENT_TIME_MAX || t != when
        || gmtime_r(&t, &tm) == NULL
        || strftime(buf, CLIENT_TIME_LEN, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
    {
        snprintf(buf, CLIENT_TIME_LEN, "%" PRId64, when);
    }
}


void
client_text_span(char buf[CLIENT_TIME_LEN], int64_t seconds)
{
    size_t   i, n;
    int64_t  first, second;

    static const struct {
        const char  *name;
        const char  *gap;        /* before the second unit */
        int64_t      seconds;
    } units[] = {
        { "y", " ", 365 * 24 * 3600 },
        { "d", " ", 24 * 3600 },
        { "h", "",  3600 },
        { "m", "",  60 },
        { "s", "",  1 },
    };

    n = sizeof(units) / sizeof(units[0]);

    for (i = 0; i < n - 1 && seconds < units[i].seconds; i++) { /* void */ }

    first = seconds / units[i].seconds;

    if (i == n - 1) {
        snprintf(buf, CLIENT_TIME_LEN, "%" PRId64 "s", first);
        return;
    }

    second = seconds % units[i].seconds / units[i + 1].seconds;

    if (second == 0) {
        snprintf(buf, CLIENT_TIME_LEN, "%" PRId64 "%s", first, units[i].name);
        return;
    }

    snprintf(buf, CLIENT_TIME_LEN, "%" PRId64 "%s%s%" PRId64 "%s", first,
             units[i].name, units[i].gap, second, units[i + 1].name);
}


void
client_text_relative(char buf[CLIENT_TIME_LEN], int64_t when, int64_t now)
{
    char  span[CLIENT_TIME_LEN];

    if (when == now) {
        snprintf(buf, CLIENT_TIME_LEN, "now");

    } else if (when > now) {
        client_text_span(span, when - now);
        snprintf(buf, CLIENT_TIME_LEN, "in %.40s", span);

    } else {
        client_text_span(span, now - when);
        snprintf(buf, CLIENT_TIME_LEN, "%.40s ago", span);
    }
}
