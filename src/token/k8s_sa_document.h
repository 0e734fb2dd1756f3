/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * JSON from an issuer, parsed with jansson: key sets, discovery documents and
 * answers to reviews.
 */

#ifndef K8S_SA_DOCUMENT_H
#define K8S_SA_DOCUMENT_H


#include "token/k8s_sa_base.h"

#include <jansson.h>


/*
 * Parses a JSON object of at most K8S_SA_DOCUMENT_MAX bytes and about
 * K8S_SA_DOCUMENT_VALUES_MAX values, without duplicate names and with nothing
 * after it; flags are further JSON_... flags of jansson.  Every number is read
 * as 0, since none is used: one out of range must not make the document
 * useless.  NULL with the reason in *err, which does not quote the document.
 */

json_t *k8s_sa_document_read(const void *data, size_t len, size_t flags,
    k8s_sa_error_t *err);

/* Returns 1 if the last document was not read because memory is short. */

int k8s_sa_document_no_memory(void);

/*
 * Returns a jansson string as a counted one, whose bytes jansson still owns;
 * absent if json is not a string.
 */

k8s_sa_str_t k8s_sa_document_str(const json_t *json);


#endif /* K8S_SA_DOCUMENT_H */
