/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * The addresses of a server and the order in which they are tried: one that
 * has failed is tried last for some time (after an idea of RFC 8305).
 */

#ifndef NGX_K8S_SA_ADDR_H
#define NGX_K8S_SA_ADDR_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_K8S_SA_ADDRS_MAX  16            /* per name; others are unused */


typedef struct {
    ngx_sockaddr_t            sockaddr;
    socklen_t                 socklen;
    ngx_str_t                 name;         /* "10.0.0.1:443", in text */
    u_char                    text[NGX_SOCKADDR_STRLEN];

    /* private: set while sorting */

    ngx_msec_t                age;          /* of its last failure */
    ngx_uint_t                position;     /* in its address family */
} ngx_k8s_sa_addr_t;


typedef struct {
    size_t                    len;          /* 0: unused */
    u_char                    text[NGX_SOCKADDR_STRLEN];
    ngx_msec_t                when;
} ngx_k8s_sa_addr_failure_t;


/* What is known about addresses; all zero at first. */

typedef struct {
    ngx_k8s_sa_addr_failure_t  failures[2 * NGX_K8S_SA_ADDRS_MAX];
    ngx_uint_t                 next;        /* overwritten by a new one */
} ngx_k8s_sa_addr_memory_t;


/* Returns 0 if the kernel does not support the address family, otherwise 1. */

ngx_uint_t ngx_k8s_sa_addr_supported(int family);

/*
 * Sorts addresses: those that have not failed in the last ten minutes first,
 * then by age of the failure, oldest first.  Among equals, IPv4 and IPv6
 * alternate; otherwise their order does not change.
 */

void ngx_k8s_sa_addr_sort(const ngx_k8s_sa_addr_memory_t *memory,
    ngx_k8s_sa_addr_t *addrs, ngx_uint_t n);

/* Remember that a server has not answered, or has, at an address. */

void ngx_k8s_sa_addr_failed(ngx_k8s_sa_addr_memory_t *memory,
    const ngx_str_t *name);
void ngx_k8s_sa_addr_worked(ngx_k8s_sa_addr_memory_t *memory,
    const ngx_str_t *name);


#endif /* NGX_K8S_SA_ADDR_H */
