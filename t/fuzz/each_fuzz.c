/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * "each=": a name, a line feed and a query, compared with a slow
 * implementation of the same rules, which first makes a table of all names and
 * values.
 */

#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_each.h"


/* What stands among the decoded bytes of a query */

#define FUZZ_AND     (-1)
#define FUZZ_EQUALS  (-2)
#define FUZZ_END     (-3)


static int  fuzz_query[8192];


static int fuzz_table(const uint8_t *p, size_t n);
static int fuzz_expect(k8s_sa_each_t *each, const k8s_sa_str_t *name,
    unsigned char *bytes);
static int fuzz_is_name(const int *given, size_t n, const k8s_sa_str_t *name);
static int fuzz_is_like(const int *given, size_t n, const k8s_sa_str_t *name);
static int fuzz_fold(int ch);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int              refused;
    size_t           i;
    const char      *reason;
    k8s_sa_str_t     query, name;
    k8s_sa_each_t    each, expected;
    unsigned char   *buf, *bytes, *split;

    if (size > 4096) {
        return 0;
    }

    split = size ? memchr(data, '\n', size) : NULL;

    if (split == NULL || split == data) {
        return 0;
    }

    name.len = split - data;
    name.data = fuzz_copy(data, name.len);
    query.len = size - name.len - 1;
    query.data = fuzz_copy(split + 1, query.len);

    /* any bytes can be a Content-Type */

    (void) k8s_sa_each_is_form(&query);

    memset(&each, 0, sizeof(each));
    memset(&expected, 0, sizeof(expected));

    buf = fuzz_copy(query.data, query.len);
    bytes = fuzz_copy(query.data, query.len);

    reason = k8s_sa_each_arg(&each, &query, &name, buf);

    refused = fuzz_table(query.data, query.len) != 0
              || fuzz_expect(&expected, &name, bytes) != 0;

    fuzz_check(refused == (reason != NULL));

    if (!refused) {
        fuzz_check(each.n == expected.n && each.found == expected.found);

        for (i = 0; i < each.n; i++) {
            fuzz_check(fuzz_same(&each.values[i], &expected.values[i]));
            fuzz_check(each.values[i].len > 0);
        }
    }

    free(name.data);
    free(query.data);
    free(buf);
    free(bytes);

    return 0;
}


/* Decodes the query to fuzz_query.  -1 if it must be refused. */

static int
fuzz_table(const uint8_t *p, size_t n)
{
    int          value;
    char         hex[3] = { 0 };
    size_t       i, out;

    static const char  digits[] = "0123456789abcdefABCDEF";

    out = 0;
    value = 0;

    for (i = 0; i < n; i++) {

        switch (p[i]) {

        case ';':
        case '#':
            return -1;

        case '&':
            value = 0;
            fuzz_query[out++] = FUZZ_AND;
            break;

        case '=':
            fuzz_query[out++] = value ? '=' : FUZZ_EQUALS;
            value = 1;
            break;

        case '+':
            fuzz_query[out++] = ' ';
            break;

        case '%':
            if (n - i < 3 || p[i + 1] == '\0' || p[i + 2] == '\0'
                || !strchr(digits, p[i + 1]) || !strchr(digits, p[i + 2]))
            {
                return -1;
            }

            memcpy(hex, p + i + 1, 2);
            fuzz_query[out++] = (int) strtol(hex, NULL, 16);
            i += 2;
            break;

        default:
            fuzz_query[out++] = p[i];
        }
    }

    fuzz_query[out] = FUZZ_END;

    return 0;
}


/* Collects the values that are expected; -1 for a refusal. */

static int
fuzz_expect(k8s_sa_each_t *each, const k8s_sa_str_t *name,
    unsigned char *bytes)
{
    int           *p, *first;
    size_t         i, n;
    k8s_sa_str_t   value;

    for (p = fuzz_query; *p != FUZZ_END; p += (*p == FUZZ_AND)) {

        for (first = p; *p >= 0; p++) { /* void */ }

        n = p - first;

        if (*p == FUZZ_EQUALS) {
            p++;
        }

        value.data = bytes;

        for ( /* void */ ; *p >= 0; p++) {
            *bytes++ = (unsigned char) *p;
        }

        value.len = bytes - value.data;

        if (!fuzz_is_name(first, n, name)) {

            if (fuzz_is_like(first, n, name)) {
                return -1;
            }

            continue;
        }

        if (value.len == 0 || each->found++ == K8S_SA_EACH_MAX) {
            return -1;
        }

        for (i = 0; i < each->n; i++) {
            if (fuzz_same(&each->values[i], &value)) {
                break;
            }
        }

        if (i == each->n) {
            each->values[each->n++] = value;
        }
    }

    return 0;
}


static int
fuzz_is_name(const int *given, size_t n, const k8s_sa_str_t *name)
{
    size_t  i;

    for (i = 0; i < n && i < name->len; i++) {
        if (given[i] != name->data[i]) {
            return 0;
        }
    }

    return n == name->len;
}


static int
fuzz_is_like(const int *given, size_t n, const k8s_sa_str_t *name)
{
    size_t  blanks, i;

    for (blanks = 0;
         blanks < n && (given[blanks] == ' ' || given[blanks] == '['
                        || given[blanks] == ']');
         blanks++)
    {
        /* void */
    }

    given += blanks;
    n -= blanks;

    for (i = 0; i < name->len; i++) {
        if (i == n || fuzz_fold(given[i]) != fuzz_fold(name->data[i])) {
            return 0;
        }
    }

    return n == i || given[i] == '[' || given[i] == ']' || given[i] == ' '
           || given[i] == 0;
}


static int
fuzz_fold(int ch)
{
    static const char  from[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ. ";
    static const char  to[] = "abcdefghijklmnopqrstuvwxyz__";

    const char  *p;

    p = ch ? strchr(from, ch) : NULL;

    return p ? to[p - from] : ch;
}
