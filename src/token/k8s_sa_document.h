/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What key sets, discovery and TokenReview documents have in common: JSON
 * that came from an issuer, read with jansson.
 */

#ifndef K8S_SA_DOCUMENT_H
#define K8S_SA_DOCUMENT_H


#include "token/k8s_sa_base.h"

#include <jansson.h>


/*
 * Reads a JSON object of at most K8S_SA_DOCUMENT_MAX bytes, each name once in
 * an object, nothing behind it; flags are more of jansson's JSON_...
 * NULL with the reason in *err, which quotes nothing of the document.
 */

json_t *k8s_sa_document_read(const void *data, size_t len, size_t flags,
    k8s_sa_error_t *err);

/* The bytes of a jansson string, whose they stay; absent if it is none. */

k8s_sa_str_t k8s_sa_document_str(const json_t *json);


#endif /* K8S_SA_DOCUMENT_H */
