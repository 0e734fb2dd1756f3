/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * Strict http:// and https:// URLs, for directives and for addresses learned
 * at run time (jwks_uri of a discovery document).
 */

#ifndef NGX_K8S_SA_URL_H
#define NGX_K8S_SA_URL_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_K8S_SA_URL_MAX  2048


/*
 * All strings are allocated from the pool given to the parser (one block,
 * with a NUL behind each string) and are not changed afterwards.
 */

typedef struct {
    ngx_str_t    text;         /* all of it, scheme and host in lower case */
    ngx_str_t    host;         /* lower case; no brackets, no final dot */
    ngx_str_t    authority;    /* for "Host:": brackets, port if not default */
    ngx_str_t    path;         /* begins with '/', with the query */

    in_port_t    port;         /* host byte order, never 0 */

    unsigned     ssl:1;        /* https */
    unsigned     literal:1;    /* the host is an IPv4 or IPv6 address */
    unsigned     loopback:1;   /* 127.0.0.0/8, ::1, or the name "localhost",
                                  which never leaves the machine either */
    unsigned     absolute:1;   /* the name ended with a dot: no search list */
} ngx_k8s_sa_url_t;


/*
 * Parses text.  Refused: other schemes, user info, fragments, ports outside
 * of 1 to 65535, host names that are neither DNS names nor addresses ("127.1",
 * zone ids), anything but printable ASCII, and more than NGX_K8S_SA_URL_MAX
 * bytes.
 *
 * NGX_OK; NGX_DECLINED: *err is a static string that says what is wrong
 * (fits into: %s in "%V"); NGX_ERROR: no memory.
 */

ngx_int_t ngx_k8s_sa_url_parse(ngx_pool_t *pool, const ngx_str_t *text,
    ngx_k8s_sa_url_t *url, const char **err);

/*
 * Makes base + path, where path begins with '/': final slashes of base's path
 * go, a query in base is an error.  Returns as ngx_k8s_sa_url_parse().
 */

ngx_int_t ngx_k8s_sa_url_join(ngx_pool_t *pool, const ngx_k8s_sa_url_t *base,
    const ngx_str_t *path, ngx_k8s_sa_url_t *url, const char **err);


#endif /* NGX_K8S_SA_URL_H */
