/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * How this machine resolves names, as far as pods need it: /etc/hosts
 * (hostAliases), and /etc/resolv.conf with its search list and ndots, on top
 * of an nginx resolver with the name servers found there.
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


#define NGX_K8S_SA_SEARCH_MAX  32           /* as many as Kubernetes allows */


/* A resolver and those who use it: it outlives a change of resolv.conf. */

typedef struct {
    ngx_resolver_t      *resolver;
    ngx_pool_t          *pool;         /* owns this and the resolver */
    ngx_uint_t           users;
    unsigned             retired:1;
} ngx_k8s_sa_dns_t;


typedef struct ngx_k8s_sa_hosts_s        ngx_k8s_sa_hosts_t;
typedef struct ngx_k8s_sa_resolv_conf_s  ngx_k8s_sa_resolv_conf_t;


struct ngx_k8s_sa_system_s {
    /* set by the owner, everything else zeroed */

    ngx_k8s_sa_file_t          hosts_file;    /* only path */
    ngx_k8s_sa_file_t          resolv_file;   /* only path */
    in_port_t                  port;          /* of all name servers */

    /* private */

    ngx_k8s_sa_hosts_t        *hosts;         /* NULL: not read yet */
    ngx_k8s_sa_resolv_conf_t  *conf;          /* NULL: not read yet */
    ngx_k8s_sa_dns_t          *dns;
    ngx_msec_t                 forgotten;
};


/* Returns the system of /etc, one in each process. */

ngx_k8s_sa_system_t *ngx_k8s_sa_system_default(void);

/*
 * Reads what has changed, looking at most every few seconds; cheap otherwise.
 * Errors are logged, and what was known stays.
 */

void ngx_k8s_sa_system_refresh(ngx_k8s_sa_system_t *system);

/* Forgets all of it, and reads it again if it is needed after all. */

void ngx_k8s_sa_system_close(ngx_k8s_sa_system_t *system);

/*
 * The name's addresses according to /etc/hosts, with port 0, up to max of
 * them; returns how many.  "localhost" is always there (RFC 6761, 6.3).
 */

ngx_uint_t ngx_k8s_sa_system_hosts(ngx_k8s_sa_system_t *system,
    const ngx_str_t *name, ngx_sockaddr_t *addrs, ngx_uint_t max);

/*
 * The n-th name (from 0) to ask name servers for, allocated from pool.
 * NGX_OK; NGX_DONE: there are no more; NGX_ERROR: no memory.
 */

ngx_int_t ngx_k8s_sa_system_candidate(ngx_k8s_sa_system_t *system,
    const ngx_k8s_sa_url_t *url, ngx_uint_t n, ngx_pool_t *pool,
    ngx_str_t *name);

/* The name servers; NULL: no memory.  Each use ends with _release(). */

ngx_k8s_sa_dns_t *ngx_k8s_sa_system_acquire(ngx_k8s_sa_system_t *system);
void ngx_k8s_sa_system_release(ngx_k8s_sa_dns_t *dns);

/*
 * An address that came from here does not work: forget all that the name
 * servers have said, so that the next one who asks hears the truth of now.
 * At most once a second.
 */

void ngx_k8s_sa_system_forget(ngx_k8s_sa_system_t *system);


#endif /* NGX_K8S_SA_SYSTEM_H */
