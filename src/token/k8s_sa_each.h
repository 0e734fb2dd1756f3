/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The values of one name that a request has sent, for a rule that is asked once
 * for each of them.  Whatever the upstream could read otherwise than we do is
 * refused: it could find another value than the one that was asked about.
 */

#ifndef K8S_SA_EACH_H
#define K8S_SA_EACH_H


#include "token/k8s_sa_base.h"


#define K8S_SA_EACH_MAX  16     /* values of a rule, equal ones included */


/* Zeroed before the first call; in the order found, equal values once */

typedef struct {
    size_t        n;
    size_t        found;        /* equal ones included */
    k8s_sa_str_t  values[K8S_SA_EACH_MAX];
} k8s_sa_each_t;


/*
 * Adds a value, whose bytes stay the caller's.  Returns NULL, or the reason for
 * a refusal, a static phrase: the value is empty, or there are more than
 * K8S_SA_EACH_MAX.
 */

const char *k8s_sa_each_add(k8s_sa_each_t *each, const k8s_sa_str_t *value);

/*
 * Adds the values of name in the query of a request line, as the client sent it
 * and without "?" (absent: no query).  The values are decoded to buf, which has
 * room for query->len bytes and must outlive *each.
 *
 * Pieces are separated by "&"; in names and values "%" and two hex digits are a
 * byte, and "+" is a blank.  Returns NULL, also if there is no such name, or
 * the reason for a refusal, a static phrase:
 *
 *   - ";" or "#" anywhere, as sent, or an escape that is not two hex digits
 *   - a name that some servers read as this one: in another case, after
 *     blanks or brackets, with "." or a blank for "_", or followed by a
 *     bracket, a blank or a NUL
 *   - a refusal of k8s_sa_each_add()
 */

const char *k8s_sa_each_arg(k8s_sa_each_t *each, const k8s_sa_str_t *query,
    const k8s_sa_str_t *name, unsigned char *buf);

/*
 * Returns 1 if a body of this Content-Type (absent: none) has a form's fields,
 * which a server may put together with those of the query, otherwise 0:
 * application/x-www-form-urlencoded and multipart/form-data, whatever follows
 * after ";", "," or a blank.
 */

int k8s_sa_each_is_form(const k8s_sa_str_t *content_type);


#endif /* K8S_SA_EACH_H */
