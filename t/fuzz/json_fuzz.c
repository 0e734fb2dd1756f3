/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The JSON parser compared with jansson: jansson must accept whatever it
 * accepts (with JSON_REJECT_DUPLICATES), with the same values; what only
 * jansson accepts must exceed our limits of depth and number of values.
 */

#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_json.h"

#include <jansson.h>
#include <math.h>


static k8s_sa_json_t  fuzz_doc;


static void fuzz_compare(const k8s_sa_json_node_t *node, json_t *json);
static void fuzz_compare_number(const k8s_sa_json_node_t *node, json_t *json);
static size_t fuzz_count(json_t *json, size_t depth, size_t *deepest);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             rc;
    size_t          nodes, depth;
    json_t         *json;
    json_error_t    error;
    unsigned char  *text;

    text = fuzz_copy(data, size);

    memset(&fuzz_doc, 0xa5, sizeof(fuzz_doc));

    rc = k8s_sa_json_parse(&fuzz_doc, text, size);
    json = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES,
                      &error);

    if (rc == K8S_SA_OK) {

        if (json == NULL) {

            /* we do not convert numbers, so they cannot overflow */

            fuzz_check(json_error_code(&error)
                       == json_error_numeric_overflow);

        } else {
            fuzz_compare(&fuzz_doc.nodes[0], json);
        }

    } else if (json_is_object(json)) {
        depth = 0;
        nodes = fuzz_count(json, 1, &depth);

        /* jansson 2.14 overlooks a NUL after a number */

        fuzz_check(nodes > K8S_SA_JSON_NODES || depth > K8S_SA_JSON_DEPTH
                   || memchr(data, '\0', size) != NULL);
    }

    json_decref(json);
    free(text);

    return 0;
}


/* jansson's own limit of depth is 2048. */

static void
fuzz_compare(const k8s_sa_json_node_t *node, json_t *json)
{
    size_t                     i;
    json_t                    *value;
    const k8s_sa_json_node_t  *child;

    i = 0;

    switch (node->type) {

    case K8S_SA_JSON_NULL:
        fuzz_check(json_is_null(json));
        return;

    case K8S_SA_JSON_FALSE:
        fuzz_check(json_is_false(json));
        return;

    case K8S_SA_JSON_TRUE:
        fuzz_check(json_is_true(json));
        return;

    case K8S_SA_JSON_NUMBER:
        fuzz_compare_number(node, json);
        return;

    case K8S_SA_JSON_STRING:
        fuzz_check(json_is_string(json));
        fuzz_check(json_string_length(json) == node->value.len);
        fuzz_check(memcmp(json_string_value(json), node->value.data,
                          node->value.len)
                   == 0);
        return;

    case K8S_SA_JSON_ARRAY:
        fuzz_check(json_is_array(json));
        fuzz_check(json_array_size(json) == node->count);
        break;

    default:
        fuzz_check(node->type == K8S_SA_JSON_OBJECT);
        fuzz_check(json_is_object(json));
        fuzz_check(json_object_size(json) == node->count);
    }

    for (child = k8s_sa_json_first(&fuzz_doc, node);
         child != NULL;
         child = k8s_sa_json_next(&fuzz_doc, child))
    {
        if (node->type == K8S_SA_JSON_ARRAY) {
            fuzz_check(child->name.data == NULL);
            value = json_array_get(json, i);

        } else {
            value = json_object_getn(json, (const char *) child->name.data,
                                     child->name.len);
        }

        fuzz_check(value != NULL);
        fuzz_compare(child, value);
        i++;
    }

    fuzz_check(i == node->count);
}


static void
fuzz_compare_number(const k8s_sa_json_node_t *node, json_t *json)
{
    double   real;
    int64_t  n;

    if (k8s_sa_json_seconds(node, &n) != K8S_SA_OK) {
        fuzz_check(node->value.data[0] == '-'
                   || json_number_value(json) > 9.2e18);
        return;
    }

    fuzz_check(node->value.data[0] != '-' && n >= 0);

    if (json_is_integer(json)) {
        fuzz_check(n == json_integer_value(json));
        return;
    }

    /* jansson rounds to 53 bits before we cut */

    real = json_real_value(json);
    fuzz_check(fabs((double) n - real) <= 1
               || fabs((double) n - real) <= real * 1e-15);
}


static size_t
fuzz_count(json_t *json, size_t depth, size_t *deepest)
{
    size_t       i, n;
    json_t      *value;
    const char  *name;

    n = 1;

    if ((json_is_array(json) || json_is_object(json)) && depth > *deepest) {
        *deepest = depth;
    }

    json_array_foreach(json, i, value) {
        n += fuzz_count(value, depth + 1, deepest);
    }

    json_object_foreach(json, name, value) {
        n += fuzz_count(value, depth + 1, deepest);
    }

    return n;
}
