/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * Name resolution as pods need it: /etc/hosts (hostAliases) and
 * /etc/resolv.conf, whose search list and ndots nginx's resolver does not
 * know.  The name servers found there are asked by a resolver of nginx.
 *
 * One object serves all clients of a process.
 */

#ifndef NGX_K8S_SA_SYSTEM_H
#define NGX_K8S_SA_SYSTEM_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "net/ngx_k8s_sa_client.h"
#include "net/ngx_k8s_sa_file.h"
#include "net/ngx_k8s_sa_url.h"


#define NGX_K8S_SA_SEARCH_MAX  32           /* Kubernetes: MaxDNSSearchPaths */


#if (NGX_HAVE_INET6)
#define NGX_K8S_SA_DNS_FAMILIES  2
#else
#define NGX_K8S_SA_DNS_FAMILIES  1
#endif


/*
 * The name servers, which their users keep after a change of resolv.conf.
 * Each address family has a resolver, because nginx's fails if either family
 * of a name cannot be resolved.
 */

typedef struct {
    ngx_resolver_t      *resolvers[NGX_K8S_SA_DNS_FAMILIES];   /* IPv4 first */
    ngx_pool_t          *pool;         /* owns this and the resolvers */
    ngx_uint_t           users;
    unsigned             retired:1;
} ngx_k8s_sa_dns_t;


typedef struct ngx_k8s_sa_hosts_s        ngx_k8s_sa_hosts_t;
typedef struct ngx_k8s_sa_resolv_conf_s  ngx_k8s_sa_resolv_conf_t;


struct ngx_k8s_sa_system_s {
    /* set by the owner, everything else zeroed */

    ngx_k8s_sa_file_t          hosts_file;    /* only path is set */
    ngx_k8s_sa_file_t          resolv_file;   /* only path is set */
    in_port_t                  port;          /* for all name servers */

    /* private */

    ngx_k8s_sa_hosts_t        *hosts;         /* NULL: not read yet */
    ngx_k8s_sa_resolv_conf_t  *conf;          /* NULL: not read yet */
    ngx_k8s_sa_dns_t          *dns;
    ngx_msec_t                 forgotten;
};


/* Returns the object for the files in /etc. */

ngx_k8s_sa_system_t *ngx_k8s_sa_system_default(void);

/*
 * Reads files that have changed; looks at them at most every three seconds.
 * Errors are logged, and the old content stays in use.
 */

void ngx_k8s_sa_system_refresh(ngx_k8s_sa_system_t *system);

/* Frees everything; the files are read again by the next refresh. */

void ngx_k8s_sa_system_close(ngx_k8s_sa_system_t *system);

/*
 * Copies at most max addresses of name in /etc/hosts, with port 0, to addrs
 * and returns their number.  "localhost" is always known (RFC 6761, section
 * 6.3).
 */

ngx_uint_t ngx_k8s_sa_system_hosts(ngx_k8s_sa_system_t *system,
    const ngx_str_t *name, ngx_sockaddr_t *addrs, ngx_uint_t max);

/*
 * Sets *name, allocated from pool, to the n-th name (from 0) to ask name
 * servers for.  NGX_OK; NGX_DONE: there are no more; NGX_ERROR: no memory.
 */

ngx_int_t ngx_k8s_sa_system_candidate(ngx_k8s_sa_system_t *system,
    const ngx_k8s_sa_url_t *url, ngx_uint_t n, ngx_pool_t *pool,
    ngx_str_t *name);

/*
 * Returns the resolvers, or NULL if there is no memory.  Each use ends with
 * ngx_k8s_sa_system_release().
 */

ngx_k8s_sa_dns_t *ngx_k8s_sa_system_acquire(ngx_k8s_sa_system_t *system);
void ngx_k8s_sa_system_release(ngx_k8s_sa_dns_t *dns);

/*
 * Drops all cached answers, at most once a second.  Called when an address
 * does not work, since it may have changed.
 */

void ngx_k8s_sa_system_forget(ngx_k8s_sa_system_t *system);


#endif /* NGX_K8S_SA_SYSTEM_H */
