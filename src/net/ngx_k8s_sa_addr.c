/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include "net/ngx_k8s_sa_addr.h"


#define NGX_K8S_SA_ADDR_MEMORY  (10 * 60 * 1000)    /* ms */
#define NGX_K8S_SA_ADDR_GOOD    ((ngx_msec_t) -1)   /* no failure known */


static ngx_k8s_sa_addr_failure_t *ngx_k8s_sa_addr_find(
    const ngx_k8s_sa_addr_memory_t *memory, const ngx_str_t *name);
static ngx_int_t ngx_k8s_sa_addr_compare(const void *one, const void *two);


ngx_uint_t
ngx_k8s_sa_addr_supported(int family)
{
    ngx_socket_t       s;
    static ngx_uint_t  known, supported;

    if (family == AF_INET || known) {
        return family == AF_INET || supported;
    }

    s = ngx_socket(family, SOCK_STREAM, 0);

    if (s != (ngx_socket_t) -1) {
        (void) ngx_close_socket(s);
        supported = 1;
        known = 1;

    } else if (ngx_socket_errno == EAFNOSUPPORT) {
        known = 1;

    } else {

        /* e.g. no descriptor: this says nothing about the family */

        return 1;
    }

    return supported;
}


void
ngx_k8s_sa_addr_sort(const ngx_k8s_sa_addr_memory_t *memory,
    ngx_k8s_sa_addr_t *addrs, ngx_uint_t n)
{
    ngx_uint_t                  i, v4, v6;
    ngx_k8s_sa_addr_failure_t  *failure;

    v4 = 0;
    v6 = 0;

    for (i = 0; i < n; i++) {

        addrs[i].position = addrs[i].sockaddr.sockaddr.sa_family == AF_INET
                            ? v4++ : v6++;
        addrs[i].age = NGX_K8S_SA_ADDR_GOOD;

        failure = ngx_k8s_sa_addr_find(memory, &addrs[i].name);

        if (failure
            && ngx_current_msec - failure->when < NGX_K8S_SA_ADDR_MEMORY)
        {
            addrs[i].age = ngx_current_msec - failure->when;
        }
    }

    ngx_sort(addrs, n, sizeof(ngx_k8s_sa_addr_t), ngx_k8s_sa_addr_compare);

    for (i = 0; i < n; i++) {
        addrs[i].name.data = addrs[i].text;
    }
}


static ngx_int_t
ngx_k8s_sa_addr_compare(const void *one, const void *two)
{
    const ngx_k8s_sa_addr_t  *a = one;
    const ngx_k8s_sa_addr_t  *b = two;

    if (a->age != b->age) {
        return a->age < b->age ? 1 : -1;
    }

    if (a->position != b->position) {
        return a->position > b->position ? 1 : -1;
    }

    return a->sockaddr.sockaddr.sa_family != AF_INET;
}


void
ngx_k8s_sa_addr_failed(ngx_k8s_sa_addr_memory_t *memory,
    const ngx_str_t *name)
{
    ngx_k8s_sa_addr_failure_t  *failure;

    if (name->len > NGX_SOCKADDR_STRLEN) {
        return;
    }

    failure = ngx_k8s_sa_addr_find(memory, name);

    if (failure == NULL) {
        failure = &memory->failures[memory->next++];
        memory->next %= 2 * NGX_K8S_SA_ADDRS_MAX;
    }

    ngx_memcpy(failure->text, name->data, name->len);
    failure->len = name->len;
    failure->when = ngx_current_msec;
}


void
ngx_k8s_sa_addr_worked(ngx_k8s_sa_addr_memory_t *memory,
    const ngx_str_t *name)
{
    ngx_k8s_sa_addr_failure_t  *failure;

    failure = ngx_k8s_sa_addr_find(memory, name);

    if (failure) {
        failure->len = 0;
    }
}


static ngx_k8s_sa_addr_failure_t *
ngx_k8s_sa_addr_find(const ngx_k8s_sa_addr_memory_t *memory,
    const ngx_str_t *name)
{
    ngx_uint_t                        i;
    const ngx_k8s_sa_addr_failure_t  *failure;

    for (i = 0; i < 2 * NGX_K8S_SA_ADDRS_MAX; i++) {
        failure = &memory->failures[i];

        if (failure->len && failure->len == name->len
            && ngx_memcmp(failure->text, name->data, name->len) == 0)
        {
            return (ngx_k8s_sa_addr_failure_t *) failure;
        }
    }

    return NULL;
}
