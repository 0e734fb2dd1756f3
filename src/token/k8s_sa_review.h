/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the answers to all kinds of reviews have in common, and the Status that
 * an API server sends instead of them.
 */

#ifndef K8S_SA_REVIEW_H
#define K8S_SA_REVIEW_H


#include "token/k8s_sa_base.h"

#include <jansson.h>


/*
 * Parses an answer, which must have this kind and apiVersion and an object as
 * its "status"; strings in it may contain U+0000.  Returns the document, to be
 * freed with json_decref(), with *status in it; NULL with the reason in *err.
 */

json_t *k8s_sa_review_read(const void *data, size_t len, const char *kind,
    const char *version, const json_t **status, k8s_sa_error_t *err);

/* Returns NULL for null, too: Go writes null for a missing list. */

json_t *k8s_sa_review_member(const json_t *object, const char *name);

/*
 * Copies a jansson string (NULL: an empty one) to dst, at most size bytes and
 * whole characters of UTF-8, with each byte of a control character replaced by
 * a blank: the result passes k8s_sa_str_is_clean().  Returns the length.
 */

size_t k8s_sa_review_text(unsigned char *dst, size_t size,
    const json_t *string);

/*
 * Copies, in the same way, the message of a Status, which an API server sends
 * with 4xx and 5xx (apimachinery, pkg/apis/meta/v1/types.go).  Returns its
 * length, or 0 if data is not a Status of v1 with a message.
 */

size_t k8s_sa_review_message(unsigned char *dst, size_t size,
    const void *data, size_t len);


#endif /* K8S_SA_REVIEW_H */
