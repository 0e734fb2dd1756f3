/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * A strict parser of http:// and https:// URLs, which come from directives and
 * from documents fetched at run time.
 */

#ifndef NGX_K8S_SA_URL_H
#define NGX_K8S_SA_URL_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_K8S_SA_URL_MAX  2048


/*
 * All strings are allocated from the parser's pool, have a NUL after their end
 * and do not change.
 */

typedef struct {
    ngx_str_t    text;         /* the URL, scheme and host in lower case */
    ngx_str_t    host;         /* lower case, no brackets, no final dot */
    ngx_str_t    authority;    /* for Host: brackets, port if not default */
    ngx_str_t    path;         /* with the query, begins with '/' */

    in_port_t    port;         /* host byte order, never 0 */

    unsigned     ssl:1;        /* https */
    unsigned     literal:1;    /* the host is an IPv4 or IPv6 address */
    unsigned     loopback:1;   /* 127.0.0.0/8, ::1 or "localhost", which is
                                  resolved without name servers */
    unsigned     absolute:1;   /* ended with a dot: no search list */
} ngx_k8s_sa_url_t;


/*
 * Parses text.  Refuses other schemes, user info, fragments, ports outside 1
 * to 65535, hosts that are neither DNS names nor addresses ("127.1", zone
 * ids), characters other than printable ASCII, and more than
 * NGX_K8S_SA_URL_MAX bytes.
 *
 * NGX_OK; NGX_DECLINED: the reason is in *err, a static string for a message
 * such as: %s in "%V"; NGX_ERROR: no memory.
 */

ngx_int_t ngx_k8s_sa_url_parse(ngx_pool_t *pool, const ngx_str_t *text,
    ngx_k8s_sa_url_t *url, const char **err);

/*
 * Joins base, without final slashes, and path, which begins with '/'.  A query
 * in base is an error.  Returns as ngx_k8s_sa_url_parse().
 */

ngx_int_t ngx_k8s_sa_url_join(ngx_pool_t *pool, const ngx_k8s_sa_url_t *base,
    const ngx_str_t *path, ngx_k8s_sa_url_t *url, const char **err);


#endif /* NGX_K8S_SA_URL_H */
