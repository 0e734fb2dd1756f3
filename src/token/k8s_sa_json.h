/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A strict JSON reader (RFC 8259) for the two small objects inside a token.
 *
 * Why not jansson, which reads everything else: it costs more than half of
 * what a check costs beside the signature.  This one allocates nothing, works
 * in place on the decoded bytes, and reads what jansson reads with
 * JSON_REJECT_DUPLICATES: UTF-8 only (no overlong forms, no surrogates), no
 * raw control characters, unpaired \u surrogates or \u0000 refused, each name
 * once in an object (compared after its escapes are resolved), nothing behind
 * the value.  Unlike jansson's, numbers are not evaluated, so that none is out
 * of range until somebody asks for it; depth and the number of values are
 * bounded.
 */

#ifndef K8S_SA_JSON_H
#define K8S_SA_JSON_H


#include "token/k8s_sa_base.h"


#define K8S_SA_JSON_DEPTH  16     /* arrays and objects inside each other */
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
 * One value.  Values stand in document order: the first member or element of
 * a container directly follows it, next is the index of its sibling or 0.
 */

typedef struct {
    k8s_sa_json_type_e  type;
    uint32_t            next;
    uint32_t            count;   /* members or elements of a container */
    uint32_t            plain;   /* a string of ASCII without escapes, which
                                    has no control characters */
    k8s_sa_str_t        name;    /* of a member, otherwise absent */
    k8s_sa_str_t        value;   /* a string, escapes resolved; a number's
                                    text; otherwise absent */
} k8s_sa_json_node_t;


typedef struct {
    uint32_t            n;       /* nodes in use; nodes[0] is the root */
    k8s_sa_json_node_t  nodes[K8S_SA_JSON_NODES];
} k8s_sa_json_t;


/*
 * Reads len bytes at text, which are changed (escapes are resolved in place)
 * and must outlive the document: names and values point into them.
 * The root must be an object.  K8S_SA_OK, or K8S_SA_ERROR if the text is not
 * such JSON (doc is undefined then).
 */

int k8s_sa_json_parse(k8s_sa_json_t *doc, unsigned char *text, size_t len);

/*
 * The member of an object called name, or NULL if there is none or object is
 * NULL or no object.  nodes[0] is the document's root.
 */

const k8s_sa_json_node_t *k8s_sa_json_member(const k8s_sa_json_t *doc,
    const k8s_sa_json_node_t *object, const char *name);

/* The first element or member of a container and each one's next, or NULL. */

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
 * A number as an integer.  K8S_SA_OK if it is written as one (no fraction, no
 * exponent, no "-0") and fits; otherwise, also for other types, K8S_SA_ERROR.
 */

int k8s_sa_json_integer(const k8s_sa_json_node_t *node, int64_t *value);


#endif /* K8S_SA_JSON_H */
