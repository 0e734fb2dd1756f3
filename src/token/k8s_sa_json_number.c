/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_json.h"


/* More than the digits of any number in a token */

#define K8S_SA_JSON_EXPONENT_MAX  1000000


static const unsigned char *k8s_sa_json_digits(const unsigned char *p,
    const unsigned char *end);
static int64_t k8s_sa_json_point(const unsigned char *p,
    const unsigned char *end);


size_t
k8s_sa_json_number_len(const unsigned char *text, const unsigned char *end)
{
    const unsigned char  *p, *start;

    p = text;

    if (p < end && *p == '-') {
        p++;
    }

    start = p;
    p = (p < end && *p == '0') ? p + 1 : k8s_sa_json_digits(p, end);

    if (p == start) {
        return 0;
    }

    if (p < end && *p == '.') {
        start = p + 1;
        p = k8s_sa_json_digits(start, end);

        if (p == start) {
            return 0;
        }
    }

    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }

        start = p;
        p = k8s_sa_json_digits(start, end);

        if (p == start) {
            return 0;
        }
    }

    return p - text;
}


static const unsigned char *
k8s_sa_json_digits(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    return p;
}


int
k8s_sa_json_seconds(const k8s_sa_json_node_t *node, int64_t *value)
{
    int64_t               n, point;
    const unsigned char  *p, *end;

    if (node->type != K8S_SA_JSON_NUMBER || node->value.data[0] == '-') {
        return K8S_SA_ERROR;
    }

    p = node->value.data;
    end = p + node->value.len;

    point = k8s_sa_json_point(p, end);
    n = 0;

    for ( /* void */ ; point > 0 && p < end && (*p | 0x20) != 'e'; p++) {

        if (*p == '.') {
            continue;
        }

        if (__builtin_mul_overflow(n, 10, &n)
            || __builtin_add_overflow(n, *p - '0', &n))
        {
            return K8S_SA_ERROR;
        }

        point--;
    }

    /* an exponent may append zeros */

    for ( /* void */ ; point > 0 && n != 0; point--) {
        if (__builtin_mul_overflow(n, 10, &n)) {
            return K8S_SA_ERROR;
        }
    }

    *value = n;

    return K8S_SA_OK;
}


/*
 * Returns the number of digits before the decimal point, once the exponent has
 * moved it; not positive if the number is below 1.
 */

static int64_t
k8s_sa_json_point(const unsigned char *p, const unsigned char *end)
{
    int64_t               point, exponent;
    unsigned              negative;
    const unsigned char  *start;

    start = p;
    p = k8s_sa_json_digits(p, end);
    point = p - start;

    while (p < end && (*p | 0x20) != 'e') {
        p++;
    }

    if (p == end) {
        return point;
    }

    p++;

    negative = (*p == '-');
    exponent = 0;

    if (*p == '+' || *p == '-') {
        p++;
    }

    /* a number this long does not fit, whatever follows */

    for ( /* void */ ; p < end && exponent < K8S_SA_JSON_EXPONENT_MAX; p++) {
        exponent = exponent * 10 + (*p - '0');
    }

    return negative ? point - exponent : point + exponent;
}
