/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A strict JSON parser (RFC 8259) for the two small objects inside a token.
 *
 * It replaces jansson, which parses everything else, because jansson takes more
 * than half of the time of a check, the signature aside.  This parser does not
 * allocate, works in place on the decoded bytes, and accepts what jansson
 * accepts with JSON_REJECT_DUPLICATES: UTF-8 only (no overlong forms, no
 * surrogates), no raw control characters, no unpaired \u surrogates, no
 * \u0000, no duplicate names in an object (compared with escapes resolved), and
 * nothing after the value.  Unlike jansson it does not convert numbers, so that
 * a number out of range matters only if it is read; and depth and the number of
 * values are limited.
 */

#ifndef K8S_SA_JSON_H
#define K8S_SA_JSON_H


#include "token/k8s_sa_base.h"


#define K8S_SA_JSON_DEPTH  16     /* nested arrays and objects */
#define K8S_SA_JSON_NODES  1024   /* values in one document */


typedef enum {
    K8S_SA_JSON_NULL = 0,
    K8S_SA_JSON_FALSE,
    K8S_SA_JSON_TRUE,
    K8S_SA_JSON_NUMBER,
    K8S_SA_JSON_STRING,
    K8S_SA_JSON_ARRAY,
    K8S_SA_JSON_OBJECT
} k8s_sa_json_type_e;


/*
 * One value.  Values are in document order: the first member or element of a
 * container directly follows it.
 */

typedef struct {
    k8s_sa_json_type_e  type;
    uint32_t            next;    /* index of the next sibling, or 0 */
    uint32_t            count;   /* number of members or elements */
    uint32_t            plain;   /* 1 for a string of printable ASCII without
                                    escapes */
    k8s_sa_str_t        name;    /* absent unless this is a member */
    k8s_sa_str_t        value;   /* a string with escapes resolved, a number's
                                    text, otherwise absent */
} k8s_sa_json_node_t;


typedef struct {
    uint32_t            n;       /* nodes in use; nodes[0] is the root */
    k8s_sa_json_node_t  nodes[K8S_SA_JSON_NODES];
} k8s_sa_json_t;


/*
 * Parses len bytes at text, whose root must be an object.  The bytes are
 * modified (escapes are resolved in place) and must outlive doc: names and
 * values point into them.  K8S_SA_OK, or K8S_SA_ERROR if the text is not
 * acceptable (doc is undefined then).
 */

int k8s_sa_json_parse(k8s_sa_json_t *doc, unsigned char *text, size_t len);

/*
 * Returns the member of that name, or NULL if there is none, if it is null,
 * which counts as absent as in Go's encoding/json, or if object is NULL or not
 * an object.
 */

const k8s_sa_json_node_t *k8s_sa_json_member(const k8s_sa_json_t *doc,
    const k8s_sa_json_node_t *object, const char *name);

/* Returns 1 if object has a member of that name, even null, otherwise 0. */

int k8s_sa_json_has(const k8s_sa_json_t *doc,
    const k8s_sa_json_node_t *object, const char *name);

/* Iterate over a container's elements or members; NULL at the end. */

static inline const k8s_sa_json_node_t *
k8s_sa_json_first(const k8s_sa_json_t *doc,
    const k8s_sa_json_node_t *container)
{
    return container->count ? &doc->nodes[container - doc->nodes + 1] : NULL;
}


static inline const k8s_sa_json_node_t *
k8s_sa_json_next(const k8s_sa_json_t *doc, const k8s_sa_json_node_t *node)
{
    return node->next ? &doc->nodes[node->next] : NULL;
}


/*
 * Returns the length of the number (RFC 8259 section 6) at text, which may end
 * before end; 0 if there is none.
 */

size_t k8s_sa_json_number_len(const unsigned char *text,
    const unsigned char *end);

/*
 * Converts a NumericDate (RFC 7519 section 2), which may have a fraction and an
 * exponent, to whole seconds: the fraction is cut off.  K8S_SA_OK, or
 * K8S_SA_ERROR for other types, numbers with a sign and what does not fit.
 */

int k8s_sa_json_seconds(const k8s_sa_json_node_t *node, int64_t *value);


#endif /* K8S_SA_JSON_H */
