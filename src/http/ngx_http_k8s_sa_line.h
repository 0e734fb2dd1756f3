/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What is asked for: path, query and method as the client sent them, whatever
 * a rewrite, a redirect or a subrequest has made of them.
 */

#ifndef NGX_HTTP_K8S_SA_LINE_H
#define NGX_HTTP_K8S_SA_LINE_H


#include "http/ngx_http_k8s_sa.h"


/* Where a k8s_sa_whoami location takes them from: k8s_sa_original. */

struct ngx_http_k8s_sa_original_s {
    ngx_http_complex_value_t   uri;
    ngx_http_complex_value_t   method;
    ngx_str_t                  uri_header;      /* "" or, of "$http_NAME", */
    ngx_str_t                  method_header;   /* NAME */
    ngx_uint_t                 used;            /* by such a location */
    u_char                    *file;
    ngx_uint_t                 line;
};


/* Absent strings could not be found. */

typedef struct {
    k8s_sa_str_t               method;
    k8s_sa_str_t               path;       /* decoded, only in normal form */
    k8s_sa_str_t               query;      /* as sent, without "?" */
    const char                *odd;        /* why there is no path; NULL if
                                              there is one, or no URI */
} ngx_http_k8s_sa_line_t;


/*
 * Fills *line from the client's request line, or as k8s_sa_original says in a
 * location that has it.  Its strings live as long as r->pool.  NGX_OK, or
 * NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_line(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_line_t *line);


#endif /* NGX_HTTP_K8S_SA_LINE_H */
