/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_discovery.h"
#include "token/k8s_sa_document.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>


static char *k8s_sa_discovery_member(const json_t *root, const char *name,
    k8s_sa_error_t *err);
static int k8s_sa_discovery_is_url(const char *text);


int
k8s_sa_discovery_parse(k8s_sa_discovery_t *doc, const void *data, size_t len,
    k8s_sa_error_t *err)
{
    json_t  *root;

    doc->issuer = NULL;
    doc->jwks_uri = NULL;

    root = k8s_sa_document_read(data, len, 0, err);
    if (root == NULL) {
        return K8S_SA_ERROR;
    }

    doc->issuer = k8s_sa_discovery_member(root, "issuer", err);

    if (doc->issuer) {
        doc->jwks_uri = k8s_sa_discovery_member(root, "jwks_uri", err);
    }

    json_decref(root);

    if (doc->jwks_uri == NULL) {
        k8s_sa_discovery_free(doc);
        return K8S_SA_ERROR;
    }

    if (!k8s_sa_discovery_is_url(doc->jwks_uri)) {
        k8s_sa_error_set(err, "\"jwks_uri\" is not an absolute http or https "
                         "URL: \"%.128s\"", doc->jwks_uri);
        k8s_sa_discovery_free(doc);
        return K8S_SA_ERROR;
    }

    return K8S_SA_OK;
}


void
k8s_sa_discovery_free(k8s_sa_discovery_t *doc)
{
    free(doc->issuer);
    free(doc->jwks_uri);

    doc->issuer = NULL;
    doc->jwks_uri = NULL;
}


static char *
k8s_sa_discovery_member(const json_t *root, const char *name,
    k8s_sa_error_t *err)
{
    char          *copy;
    k8s_sa_str_t   value;

    value = k8s_sa_document_str(json_object_get(root, name));

    if (value.len == 0) {
        k8s_sa_error_set(err, "\"%s\" is missing, empty or not a string",
                         name);
        return NULL;
    }

    if (!k8s_sa_str_is_clean(&value)) {
        k8s_sa_error_set(err, "\"%s\" holds a control character", name);
        return NULL;
    }

    copy = strdup((char *) value.data);
    if (copy == NULL) {
        k8s_sa_error_set(err, "out of memory");
    }

    return copy;
}


/* A scheme, a host, and only visible ASCII characters. */

static int
k8s_sa_discovery_is_url(const char *text)
{
    const unsigned char  *p;

    if (strncasecmp(text, "https://", 8) == 0) {
        text += 8;

    } else if (strncasecmp(text, "http://", 7) == 0) {
        text += 7;

    } else {
        return 0;
    }

    if (*text == '\0' || strchr("/?#:@", *text)) {
        return 0;
    }

    for (p = (const unsigned char *) text; *p; p++) {
        if (*p == ' ' || *p > 0x7e) {
            return 0;
        }
    }

    return 1;
}
