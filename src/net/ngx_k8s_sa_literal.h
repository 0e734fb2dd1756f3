/* SPDX-License-Identifier: BSD-2-Clause */

/* IP addresses in text. */

#ifndef NGX_K8S_SA_LITERAL_H
#define NGX_K8S_SA_LITERAL_H


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Parses an IPv4 address (four decimal numbers, RFC 6943, section 3.1.1) or an
 * IPv6 address (RFC 4291, section 2.2) without brackets or zone id.
 *
 * Returns the length of *addr, whose port is 0, or 0 if text is not an
 * address: names such as "127.1" and "010.0.0.1" are not.
 */

socklen_t ngx_k8s_sa_literal(const ngx_str_t *text, ngx_sockaddr_t *addr);


#endif /* NGX_K8S_SA_LITERAL_H */
