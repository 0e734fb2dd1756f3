/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_json.h"
#include "token/k8s_sa_utf8.h"

#include <endian.h>
#include <string.h>


/* An open container */

typedef struct {
    k8s_sa_json_node_t   *node;
    k8s_sa_json_node_t   *last;      /* its latest child, or NULL */
    uint64_t              names;     /* bits of names: k8s_sa_json_name() */
    unsigned              suspect;   /* 1: two names have the same bit */
} k8s_sa_json_level_t;


typedef struct {
    unsigned char        *pos;
    unsigned char        *end;
    k8s_sa_json_t        *doc;
    unsigned              depth;
    k8s_sa_json_level_t   levels[K8S_SA_JSON_DEPTH];
} k8s_sa_json_parser_t;


static int k8s_sa_json_child(k8s_sa_json_parser_t *ps);
static int k8s_sa_json_value(k8s_sa_json_parser_t *ps,
    k8s_sa_json_node_t *node);
static int k8s_sa_json_open(k8s_sa_json_parser_t *ps,
    k8s_sa_json_node_t *node, k8s_sa_json_type_e type);
static int k8s_sa_json_close(k8s_sa_json_parser_t *ps);
static int k8s_sa_json_name(k8s_sa_json_parser_t *ps, k8s_sa_str_t *name);
static int k8s_sa_json_unique(const k8s_sa_json_t *doc,
    const k8s_sa_json_node_t *object);
static int k8s_sa_json_compare(const k8s_sa_str_t *a, const k8s_sa_str_t *b);
static int k8s_sa_json_is(const k8s_sa_str_t *s, const char *name);
static int k8s_sa_json_string_plain(k8s_sa_json_parser_t *ps,
    k8s_sa_str_t *s);
static unsigned char *k8s_sa_json_plain_end(unsigned char *p,
    unsigned char *end);
static int k8s_sa_json_string_rest(k8s_sa_json_parser_t *ps, k8s_sa_str_t *s)
    __attribute__((noinline, cold));
static unsigned char *k8s_sa_json_escape(k8s_sa_json_parser_t *ps,
    unsigned char *dst);
static int32_t k8s_sa_json_hex(k8s_sa_json_parser_t *ps);
static int k8s_sa_json_number(k8s_sa_json_parser_t *ps, k8s_sa_str_t *s);
static int k8s_sa_json_literal(k8s_sa_json_parser_t *ps, const char *text,
    size_t len);
static int k8s_sa_json_peek(k8s_sa_json_parser_t *ps);
static const k8s_sa_json_node_t *k8s_sa_json_find(const k8s_sa_json_t *doc,
    const k8s_sa_json_node_t *object, const char *name);


/* Bytes that need no decoding in a string, except DEL and UTF-8 */

static const unsigned char  k8s_sa_json_plain[256] = {
    [0x20 ... 0x21] = 1,         /* before '"' */
    [0x23 ... 0x5b] = 1,         /* before '\\' */
    [0x5d ... 0x7e] = 1
};


int
k8s_sa_json_parse(k8s_sa_json_t *doc, unsigned char *text, size_t len)
{
    k8s_sa_json_parser_t  ps;

    ps.pos = text;
    ps.end = text + len;
    ps.doc = doc;
    ps.depth = 0;

    doc->n = 1;
    doc->nodes[0].name.len = 0;
    doc->nodes[0].name.data = NULL;

    if (k8s_sa_json_peek(&ps) != '{') {
        return K8S_SA_ERROR;
    }

    if (k8s_sa_json_value(&ps, &doc->nodes[0]) != K8S_SA_OK) {
        return K8S_SA_ERROR;
    }

    /*
     * No recursion: each pass reads a child of the innermost open container,
     * or closes that container.
     */

    while (ps.depth) {
        if (k8s_sa_json_child(&ps) != K8S_SA_OK) {
            return K8S_SA_ERROR;
        }
    }

    return k8s_sa_json_peek(&ps) == -1 ? K8S_SA_OK : K8S_SA_ERROR;
}


static int
k8s_sa_json_child(k8s_sa_json_parser_t *ps)
{
    int                   ch;
    k8s_sa_json_node_t   *node;
    k8s_sa_json_level_t  *level;

    level = &ps->levels[ps->depth - 1];
    ch = k8s_sa_json_peek(ps);

    if (ch == (level->node->type == K8S_SA_JSON_OBJECT ? '}' : ']')) {
        return k8s_sa_json_close(ps);
    }

    if (level->last != NULL) {

        if (ch != ',') {
            return K8S_SA_ERROR;
        }

        ps->pos++;
    }

    if (ps->doc->n == K8S_SA_JSON_NODES) {
        return K8S_SA_ERROR;
    }

    if (level->last != NULL) {
        level->last->next = ps->doc->n;
    }

    node = &ps->doc->nodes[ps->doc->n++];

    level->last = node;
    level->node->count++;

    node->name.len = 0;
    node->name.data = NULL;

    if (level->node->type == K8S_SA_JSON_OBJECT
        && k8s_sa_json_name(ps, &node->name) != K8S_SA_OK)
    {
        return K8S_SA_ERROR;
    }

    return k8s_sa_json_value(ps, node);
}


static int
k8s_sa_json_value(k8s_sa_json_parser_t *ps, k8s_sa_json_node_t *node)
{
    node->next = 0;
    node->count = 0;
    node->plain = 0;
    node->value.len = 0;
    node->value.data = NULL;

    switch (k8s_sa_json_peek(ps)) {

    case '"':
        node->type = K8S_SA_JSON_STRING;
        node->plain = k8s_sa_json_string_plain(ps, &node->value);
        return node->plain ? K8S_SA_OK
                           : k8s_sa_json_string_rest(ps, &node->value);

    case '{':
        return k8s_sa_json_open(ps, node, K8S_SA_JSON_OBJECT);

    case '[':
        return k8s_sa_json_open(ps, node, K8S_SA_JSON_ARRAY);

    case 't':
        node->type = K8S_SA_JSON_TRUE;
        return k8s_sa_json_literal(ps, "true", sizeof("true") - 1);

    case 'f':
        node->type = K8S_SA_JSON_FALSE;
        return k8s_sa_json_literal(ps, "false", sizeof("false") - 1);

    case 'n':
        node->type = K8S_SA_JSON_NULL;
        return k8s_sa_json_literal(ps, "null", sizeof("null") - 1);

    default:
        node->type = K8S_SA_JSON_NUMBER;
        return k8s_sa_json_number(ps, &node->value);
    }
}


static int
k8s_sa_json_open(k8s_sa_json_parser_t *ps, k8s_sa_json_node_t *node,
    k8s_sa_json_type_e type)
{
    k8s_sa_json_level_t  *level;

    if (ps->depth == K8S_SA_JSON_DEPTH) {
        return K8S_SA_ERROR;
    }

    node->type = type;

    level = &ps->levels[ps->depth++];

    level->node = node;
    level->last = NULL;
    level->names = 0;
    level->suspect = 0;

    ps->pos++;

    return K8S_SA_OK;
}


static int
k8s_sa_json_close(k8s_sa_json_parser_t *ps)
{
    k8s_sa_json_level_t  *level;

    level = &ps->levels[--ps->depth];

    ps->pos++;

    return level->suspect ? k8s_sa_json_unique(ps->doc, level->node)
                          : K8S_SA_OK;
}


/*
 * Reads a member's name and colon.  Equal names have the same bit, so an object
 * must be searched for duplicates only if two names share a bit; the claims
 * that Kubernetes issues do not.
 */

static int
k8s_sa_json_name(k8s_sa_json_parser_t *ps, k8s_sa_str_t *name)
{
    uint64_t              bit;
    k8s_sa_json_level_t  *level;

    if (k8s_sa_json_peek(ps) != '"'
        || (!k8s_sa_json_string_plain(ps, name)
            && k8s_sa_json_string_rest(ps, name) != K8S_SA_OK)
        || k8s_sa_json_peek(ps) != ':')
    {
        return K8S_SA_ERROR;
    }

    ps->pos++;

    bit = 1;

    if (name->len) {
        bit <<= (name->len * 5 + name->data[0]
                 + name->data[name->len - 1] * 3) & 63;
    }

    level = &ps->levels[ps->depth - 1];

    if (level->names & bit) {
        level->suspect = 1;
    }

    level->names |= bit;

    return K8S_SA_OK;
}


/*
 * Insertion sort with binary search: the number of comparisons is n log n for
 * all names, and moving at most 2 KB costs less than comparing.
 */

static int
k8s_sa_json_unique(const k8s_sa_json_t *doc, const k8s_sa_json_node_t *object)
{
    int                        rc;
    size_t                     n, low, high, middle;
    uint16_t                   sorted[K8S_SA_JSON_NODES];
    const k8s_sa_json_node_t  *node;

    n = 0;

    for (node = k8s_sa_json_first(doc, object);
         node != NULL;
         node = k8s_sa_json_next(doc, node))
    {
        low = 0;
        high = n;

        while (low < high) {
            middle = (low + high) / 2;

            rc = k8s_sa_json_compare(&node->name,
                                     &doc->nodes[sorted[middle]].name);
            if (rc == 0) {
                return K8S_SA_ERROR;
            }

            if (rc < 0) {
                high = middle;

            } else {
                low = middle + 1;
            }
        }

        memmove(&sorted[low + 1], &sorted[low], (n - low) * sizeof(uint16_t));

        sorted[low] = (uint16_t) (node - doc->nodes);
        n++;
    }

    return K8S_SA_OK;
}


static int
k8s_sa_json_compare(const k8s_sa_str_t *a, const k8s_sa_str_t *b)
{
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }

    return memcmp(a->data, b->data, a->len);
}


/*
 * Reads a string from its opening quote on.  1 if it is plain; otherwise 0, at
 * the first byte that is not: k8s_sa_json_string_rest() continues there.
 */

static int
k8s_sa_json_string_plain(k8s_sa_json_parser_t *ps, k8s_sa_str_t *s)
{
    s->data = ++ps->pos;

    ps->pos = k8s_sa_json_plain_end(s->data, ps->end);

    s->len = ps->pos - s->data;

    if (ps->pos == ps->end || *ps->pos != '"') {
        return 0;
    }

    ps->pos++;

    return 1;
}


/*
 * Returns the first byte that is not in k8s_sa_json_plain[], or end.  Tests
 * eight bytes at a time: bit 7 gets set in the lowest such byte and in none
 * below it, because no other byte borrows from the next or carries into it.
 */

static unsigned char *
k8s_sa_json_plain_end(unsigned char *p, unsigned char *end)
{
    uint64_t  x, bits;

    for ( /* void */ ; end - p >= 8; p += 8) {
        memcpy(&x, p, 8);
        x = le64toh(x);

        bits = (x - K8S_SA_BYTES(0x20))            /* < 0x20, > 0x9f */
               | (x + K8S_SA_BYTES(0x01))          /* 0x7f to 0xfe */
               | ((x ^ K8S_SA_BYTES('"')) - K8S_SA_BYTES(0x01))
               | ((x ^ K8S_SA_BYTES('\\')) - K8S_SA_BYTES(0x01));

        bits &= K8S_SA_BYTES(0x80);

        if (bits) {
            return p + __builtin_ctzll(bits) / 8;
        }
    }

    while (p < end && k8s_sa_json_plain[*p]) {
        p++;
    }

    return p;
}


/*
 * Reads the rest of a string, from the first byte that is not plain.  Never
 * writes more than it has read: \uXXXX becomes at most three bytes.
 */

static int
k8s_sa_json_string_rest(k8s_sa_json_parser_t *ps, k8s_sa_str_t *s)
{
    size_t          n;
    unsigned char  *dst;

    dst = ps->pos;

    while (ps->pos < ps->end) {

        if (k8s_sa_json_plain[*ps->pos] || *ps->pos == 0x7f) {
            *dst++ = *ps->pos++;
            continue;
        }

        if (*ps->pos == '"') {
            ps->pos++;
            s->len = dst - s->data;
            return K8S_SA_OK;
        }

        if (*ps->pos == '\\') {
            ps->pos++;
            dst = k8s_sa_json_escape(ps, dst);

            if (dst == NULL) {
                return K8S_SA_ERROR;
            }

            continue;
        }

        n = k8s_sa_utf8_multibyte(ps->pos, ps->end);

        if (n == 0) {
            return K8S_SA_ERROR;
        }

        while (n--) {
            *dst++ = *ps->pos++;
        }
    }

    return K8S_SA_ERROR;
}


/*
 * Decodes an escape, starting after the backslash.  Returns the new end of the
 * output, or NULL.
 */

static unsigned char *
k8s_sa_json_escape(k8s_sa_json_parser_t *ps, unsigned char *dst)
{
    int32_t      ch, low;
    const char  *p;

    static const char  letters[] = "\"\\/bfnrt";
    static const char  stand_for[] = "\"\\/\b\f\n\r\t";

    if (ps->pos == ps->end) {
        return NULL;
    }

    if (*ps->pos != 'u') {
        p = memchr(letters, *ps->pos++, sizeof(letters) - 1);

        if (p == NULL) {
            return NULL;
        }

        *dst++ = (unsigned char) stand_for[p - letters];

        return dst;
    }

    ps->pos++;

    ch = k8s_sa_json_hex(ps);

    if (ch <= 0 || (ch >= 0xdc00 && ch <= 0xdfff)) {
        return NULL;
    }

    if (ch >= 0xd800 && ch <= 0xdbff) {

        if (ps->end - ps->pos < 2 || ps->pos[0] != '\\' || ps->pos[1] != 'u') {
            return NULL;
        }

        ps->pos += 2;

        low = k8s_sa_json_hex(ps);

        if (low < 0xdc00 || low > 0xdfff) {
            return NULL;
        }

        ch = 0x10000 + ((ch - 0xd800) << 10) + (low - 0xdc00);

        *dst++ = (unsigned char) (0xf0 | ch >> 18);
        *dst++ = (unsigned char) (0x80 | (ch >> 12 & 0x3f));
        *dst++ = (unsigned char) (0x80 | (ch >> 6 & 0x3f));
        *dst++ = (unsigned char) (0x80 | (ch & 0x3f));

        return dst;
    }

    if (ch < 0x80) {
        *dst++ = (unsigned char) ch;
        return dst;
    }

    if (ch < 0x800) {
        *dst++ = (unsigned char) (0xc0 | ch >> 6);
        *dst++ = (unsigned char) (0x80 | (ch & 0x3f));
        return dst;
    }

    *dst++ = (unsigned char) (0xe0 | ch >> 12);
    *dst++ = (unsigned char) (0x80 | (ch >> 6 & 0x3f));
    *dst++ = (unsigned char) (0x80 | (ch & 0x3f));

    return dst;
}


/* Returns the value of four hexadecimal digits, or -1. */

static int32_t
k8s_sa_json_hex(k8s_sa_json_parser_t *ps)
{
    int             i;
    int32_t         value;
    unsigned char   ch;

    if (ps->end - ps->pos < 4) {
        return -1;
    }

    value = 0;

    for (i = 0; i < 4; i++) {
        ch = *ps->pos++;

        if (ch >= '0' && ch <= '9') {
            value = value << 4 | (ch - '0');
            continue;
        }

        ch |= 0x20;

        if (ch < 'a' || ch > 'f') {
            return -1;
        }

        value = value << 4 | (ch - 'a' + 10);
    }

    return value;
}


static int
k8s_sa_json_number(k8s_sa_json_parser_t *ps, k8s_sa_str_t *s)
{
    s->data = ps->pos;
    s->len = k8s_sa_json_number_len(ps->pos, ps->end);

    ps->pos += s->len;

    return s->len ? K8S_SA_OK : K8S_SA_ERROR;
}


static int
k8s_sa_json_literal(k8s_sa_json_parser_t *ps, const char *text, size_t len)
{
    if ((size_t) (ps->end - ps->pos) < len
        || memcmp(ps->pos, text, len) != 0)
    {
        return K8S_SA_ERROR;
    }

    ps->pos += len;

    return K8S_SA_OK;
}


/* Returns the next byte that is not white space, or -1 at the end. */

static int
k8s_sa_json_peek(k8s_sa_json_parser_t *ps)
{
    while (ps->pos < ps->end) {

        switch (*ps->pos) {

        case ' ':
        case '\t':
        case '\n':
        case '\r':
            ps->pos++;
            continue;

        default:
            return *ps->pos;
        }
    }

    return -1;
}


const k8s_sa_json_node_t *
k8s_sa_json_member(const k8s_sa_json_t *doc, const k8s_sa_json_node_t *object,
    const char *name)
{
    const k8s_sa_json_node_t  *node;

    node = k8s_sa_json_find(doc, object, name);

    return node != NULL && node->type != K8S_SA_JSON_NULL ? node : NULL;
}


int
k8s_sa_json_has(const k8s_sa_json_t *doc, const k8s_sa_json_node_t *object,
    const char *name)
{
    return k8s_sa_json_find(doc, object, name) != NULL;
}


static const k8s_sa_json_node_t *
k8s_sa_json_find(const k8s_sa_json_t *doc, const k8s_sa_json_node_t *object,
    const char *name)
{
    const k8s_sa_json_node_t  *node;

    if (object == NULL || object->type != K8S_SA_JSON_OBJECT) {
        return NULL;
    }

    for (node = k8s_sa_json_first(doc, object);
         node != NULL;
         node = k8s_sa_json_next(doc, node))
    {
        if (k8s_sa_json_is(&node->name, name)) {
            return node;
        }
    }

    return NULL;
}


/* Most names differ in their first byte. */

static int
k8s_sa_json_is(const k8s_sa_str_t *s, const char *name)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (name[i] == '\0' || s->data[i] != (unsigned char) name[i]) {
            return 0;
        }
    }

    return name[i] == '\0';
}
