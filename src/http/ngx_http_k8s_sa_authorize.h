/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * k8s_sa_authorize: the cluster decides whether the caller may do this.
 */

#ifndef NGX_HTTP_K8S_SA_AUTHORIZE_H
#define NGX_HTTP_K8S_SA_AUTHORIZE_H


#include "http/ngx_http_k8s_sa_identify.h"
#include "token/k8s_sa_access.h"


#define NGX_HTTP_K8S_SA_EACH_SOURCES  4


/* Where values of $k8s_sa_each come from: each=arg:NAME, each=header:NAME. */

typedef struct {
    ngx_str_t                  name;
    unsigned                   header:1;
} ngx_http_k8s_sa_source_each_t;


/* One k8s_sa_authorize directive. */

typedef struct {
    ngx_http_complex_value_t  *fields[K8S_SA_ACCESS_FIELDS];   /* NULL: not
                                              written */
    ngx_http_complex_value_t  *skip;       /* or NULL */
    ngx_array_t                each;       /* ngx_http_k8s_sa_source_each_t */

    unsigned                   literal;    /* as in k8s_sa_access_t */
    unsigned                   client;
    unsigned                   resource:1; /* otherwise about a path */
    unsigned                   method:1;   /* the verb follows from the
                                              client's method */
    unsigned                   form_pass:1;   /* form bodies do not matter */

    u_char                    *file;
    ngx_uint_t                 line;
} ngx_http_k8s_sa_rule_t;


/* All of a location; each must be allowed. */

struct ngx_http_k8s_sa_rules_s {
    ngx_array_t                rules;      /* ngx_http_k8s_sa_rule_t */
    ngx_uint_t                 used;       /* by a location with k8s_sa_auth */
};


#endif /* NGX_HTTP_K8S_SA_AUTHORIZE_H */
