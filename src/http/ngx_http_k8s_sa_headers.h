/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Request headers: which are protected, and how some are removed.
 */

#ifndef NGX_HTTP_K8S_SA_HEADERS_H
#define NGX_HTTP_K8S_SA_HEADERS_H


#include "http/ngx_http_k8s_sa_ctx.h"


/*
 * Finds the variables that nginx computes from request headers: the indexed
 * ones whose values it may have cached.  From init_process.  NGX_OK, or
 * NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_headers_start(ngx_cycle_t *cycle,
    ngx_http_k8s_sa_main_conf_t *mcf);

/*
 * Calls filter() for each request header.  NGX_OK: it stays; NGX_DECLINED: it
 * is removed; NGX_DONE: it gets *value; NGX_ERROR ends the loop.
 *
 * The list is rebuilt if something changes, with room for more.  The old
 * elements stay where they are, so pointers to them remain valid.  They cannot
 * be removed in place: nginx's own loops over a list do not expect an empty
 * part after a full one, and a subrequest shares the main request's.  Pointers
 * of r->headers_in and cached variables follow.  NGX_OK, or NGX_ERROR without
 * memory.
 */

typedef ngx_int_t (*ngx_http_k8s_sa_filter_pt)(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_str_t *value, void *data);

ngx_int_t ngx_http_k8s_sa_filter_headers(ngx_http_request_t *r,
    ngx_http_k8s_sa_filter_pt filter, void *data);

/*
 * Adds a removed header to the main request again.  NGX_OK, or NGX_ERROR
 * without memory.
 */

ngx_int_t ngx_http_k8s_sa_restore_header(ngx_http_request_t *r,
    ngx_table_elt_t *header);

/* Forgets the cached values of variables that depend on request headers. */

void ngx_http_k8s_sa_reset_variables(ngx_http_request_t *r);

/*
 * Returns 1 if one of the n names of list is this header's, otherwise 0.  Case
 * is ignored, and all characters but letters and digits are the same.
 */

ngx_uint_t ngx_http_k8s_sa_header_matches(ngx_str_t *name,
    const ngx_http_k8s_sa_protected_t *list, ngx_uint_t n);

/*
 * 1 if a header could be mistaken for one of the identity headers of any
 * location.  The masks decide about nearly all others.
 */

#define ngx_http_k8s_sa_is_protected(mcf, name)                               \
    (((mcf)->lengths & 1ULL << ngx_min((name)->len, 63))                      \
     && ((mcf)->initials & ngx_http_k8s_sa_initial(name))                     \
     && ngx_http_k8s_sa_header_matches(name, (mcf)->protected.elts,           \
                                       (mcf)->protected.nelts))

/* The bit in mcf->initials of a name that begins with a letter or a digit. */

#define ngx_http_k8s_sa_initial(name)                                         \
    (1ULL << (((name)->data[0] | 0x20) & 63))

/*
 * 1 for such a header, and for a Connection header that names one: the next
 * proxy would remove ours (RFC 9110 section 7.6.1).
 */

#define ngx_http_k8s_sa_is_spoof(mcf, h)                                      \
    (ngx_http_k8s_sa_is_protected(mcf, &(h)->key)                             \
     || ((h)->key.len == sizeof("connection") - 1                             \
         && ngx_http_k8s_sa_connection_names(mcf, h)))

ngx_uint_t ngx_http_k8s_sa_connection_names(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_table_elt_t *h);

/* Returns 1 if the request has one of these, otherwise 0. */

ngx_uint_t ngx_http_k8s_sa_has_spoof(ngx_http_request_t *r,
    ngx_http_k8s_sa_main_conf_t *mcf);


#endif /* NGX_HTTP_K8S_SA_HEADERS_H */
