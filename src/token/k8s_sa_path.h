/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Request paths that every server reads the same way.
 *
 * nginx chooses a location by the decoded and merged path, but an upstream may
 * route by the bytes that the client sent, before or after it decodes them:
 * "/admin/..%2fhealthz" is "/healthz" to one and below "/admin" to another.
 * A path in normal form has one reading only.
 */

#ifndef K8S_SA_PATH_H
#define K8S_SA_PATH_H


#include "token/k8s_sa_base.h"


#define K8S_SA_PATH_MAX  4096     /* bytes, as sent */


/*
 * Percent-decodes the path of a request line (RFC 3986 section 3.3, without
 * its query) if it is in normal form:
 *
 *   - a leading "/", no empty segment except the last one, no "." or ".."
 *   - visible ASCII without "\", ";", "#" and "?"
 *   - "%" and two hex digits, not for one of / \ % ; ? # . or a control
 *     character; what comes out is UTF-8
 *
 * out has room for raw->len bytes; path points into it afterwards, or into raw
 * if there is nothing to decode.  Returns NULL, or the reason for a refusal: a
 * static phrase, without any byte of the path.
 */

const char *k8s_sa_path_decode(const k8s_sa_str_t *raw, unsigned char *out,
    k8s_sa_str_t *path);


#endif /* K8S_SA_PATH_H */
