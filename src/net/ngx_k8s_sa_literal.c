/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>

#include "net/ngx_k8s_sa_literal.h"


socklen_t
ngx_k8s_sa_literal(const ngx_str_t *text, ngx_sockaddr_t *addr)
{
    size_t     n;
    u_char     canonical[NGX_INET_ADDRSTRLEN];
    in_addr_t  in;

    ngx_memzero(addr, sizeof(ngx_sockaddr_t));

    in = ngx_inet_addr(text->data, text->len);

    if (in != INADDR_NONE) {

        /* "010.0.0.1" and "1..2.3" are different addresses elsewhere */

        n = ngx_inet_ntop(AF_INET, &in, canonical, NGX_INET_ADDRSTRLEN);

        if (n != text->len || ngx_strncmp(canonical, text->data, n) != 0) {
            return 0;
        }

        addr->sockaddr_in.sin_family = AF_INET;
        addr->sockaddr_in.sin_addr.s_addr = in;

        return sizeof(struct sockaddr_in);
    }

#if (NGX_HAVE_INET6)

    if (ngx_inet6_addr(text->data, text->len,
                       addr->sockaddr_in6.sin6_addr.s6_addr)
        == NGX_OK)
    {
        addr->sockaddr_in6.sin6_family = AF_INET6;

        return sizeof(struct sockaddr_in6);
    }

#endif

    return 0;
}
