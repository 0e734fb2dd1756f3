/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The module's configuration, as requests use it.  Made by src/conf/ and
 * allocated from the configuration's pool.
 */

#ifndef NGX_HTTP_K8S_SA_H
#define NGX_HTTP_K8S_SA_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "token/k8s_sa_allow.h"
#include "token/k8s_sa_token.h"
#include "issuer/ngx_k8s_sa_issuer.h"


typedef struct {
    ngx_str_t                  name;
    unsigned                   prefix:1;   /* matches longer names, too */
} ngx_http_k8s_sa_protected_t;


/* An issuer that a k8s_sa_issuer block or a k8s_sa_auth directive names. */

typedef struct {
    ngx_str_t                  name;
    ngx_k8s_sa_issuer_t       *issuer;     /* NULL until its block is read */
    ngx_k8s_sa_client_conf_t   client;

    u_char                    *file;       /* where its block begins; until */
    ngx_uint_t                 line;       /* that is read, where k8s_sa_auth
                                              names it first */
} ngx_http_k8s_sa_named_issuer_t;


/* The issuers of a k8s_sa_auth directive. */

typedef struct {
    ngx_array_t                issuers;    /* named issuers, pointers */
    u_char                     digest[NGX_K8S_SA_DIGEST_LEN];   /* covers all
                                              settings that decide about a
                                              token, but not the keys */
    u_char                    *file;       /* where it is written */
    ngx_uint_t                 line;
} ngx_http_k8s_sa_auth_t;


typedef struct ngx_http_k8s_sa_front_s  ngx_http_k8s_sa_front_t;
typedef struct ngx_http_k8s_sa_rules_s  ngx_http_k8s_sa_rules_t;
typedef struct ngx_http_k8s_sa_original_s  ngx_http_k8s_sa_original_t;


typedef struct {
    ngx_str_t                  zone_name;
    ssize_t                    zone_size;
    ngx_k8s_sa_zone_t         *zone;       /* NULL without issuers */

    ngx_array_t                issuers;    /* named issuers, pointers */
    ngx_array_t                auths;      /* ngx_http_k8s_sa_auth_t * */
    ngx_http_k8s_sa_front_t   *front;      /* this worker's token cache */
    ngx_array_t                rules;      /* ngx_http_k8s_sa_rules_t * */
    ngx_array_t                originals;  /* ngx_http_k8s_sa_original_t * */
    ngx_array_t                watches;    /* ngx_k8s_sa_watch_t * */

    ngx_array_t                header_vars;   /* ngx_uint_t: see
                                              ngx_http_k8s_sa_headers_start() */

    /* names of all identity headers, wherever configured */
    ngx_array_t                protected;  /* ngx_http_k8s_sa_protected_t */
    uint64_t                   lengths;    /* bit n: a name of n bytes may
                                              match; bit 63: a longer one */
    uint64_t                   initials;   /* bits of the first characters; see
                                              ngx_http_k8s_sa_initial() */
} ngx_http_k8s_sa_main_conf_t;


typedef struct {
    ngx_uint_t                 used;       /* a location of the server requires
                                              tokens */
    ngx_uint_t                 strict;     /* one has "k8s_sa_paths strict" */

    ngx_array_t               *locations;  /* void **, the loc_conf of each and
                                              of the server itself, first; only
                                              while the configuration is read */
} ngx_http_k8s_sa_srv_conf_t;


/* An identity header: k8s_sa_set_header. */

typedef struct {
    ngx_str_t                  name;
    ngx_str_t                  lowcase;
    ngx_uint_t                 hash;       /* ngx_hash_key() of lowcase */
    ngx_int_t                  field;      /* the offset in k8s_sa_identity_t
                                              if the value is one of its
                                              strings, else NGX_DECLINED */
    ngx_http_complex_value_t   value;
    unsigned                   front_proxy:1;  /* k8s_sa_front_proxy_headers
                                                  sets it, too */
} ngx_http_k8s_sa_header_t;


/* Where the token comes from: k8s_sa_token. */

typedef struct {
    ngx_http_complex_value_t   value;
    ngx_int_t                  index;      /* the variable's, if the value is
                                              just that, else NGX_DECLINED */
} ngx_http_k8s_sa_source_t;


/* The phase in which callers are identified: k8s_sa_phase. */

typedef enum {
    NGX_HTTP_K8S_SA_PREACCESS = 0,
    NGX_HTTP_K8S_SA_ACCESS
} ngx_http_k8s_sa_phase_e;


/* Which request paths a location accepts: k8s_sa_paths. */

typedef enum {
    NGX_HTTP_K8S_SA_PATHS_ANY = 0,
    NGX_HTTP_K8S_SA_PATHS_STRICT
} ngx_http_k8s_sa_paths_e;


/* What a rule's error message names, and where it is written. */

typedef struct {
    ngx_str_t                  text;       /* "": none */
    u_char                    *file;
    ngx_uint_t                 line;
} ngx_http_k8s_sa_place_t;


typedef struct {
    ngx_http_k8s_sa_auth_t    *auth;       /* NULL: off */
    ngx_flag_t                 optional;

    ngx_http_k8s_sa_source_t  *token;      /* NULL: Authorization */
    ngx_flag_t                 token_in_uri;   /* known while reading */
    u_char                    *token_file; /* where k8s_sa_token is set */
    ngx_uint_t                 token_line;
    ngx_flag_t                 forward_token;

    ngx_str_t                  realm;      /* Bearer realm="..." */
    ngx_str_t                  groups_separator;   /* one byte */
    ngx_array_t               *headers;    /* ngx_http_k8s_sa_header_t;
                                              NULL: off */
    ngx_uint_t                 log_level;
    ngx_uint_t                 prometheus; /* the format of k8s_sa_status */

    k8s_sa_allow_t            *allow;      /* NULL: all */
    ngx_array_t               *require;    /* ngx_http_k8s_sa_require_t;
                                              NULL: none */
    ngx_http_k8s_sa_rules_t   *authorize;  /* NULL: off */
    ngx_http_k8s_sa_original_t  *original; /* NULL: off */
    ngx_http_k8s_sa_place_t    rule;       /* the last of allow and require */
    ngx_http_k8s_sa_place_t    foreign;    /* the first pattern of allow that
                                              matches no service account */
    ngx_uint_t                 open;       /* "k8s_sa_auth off" is written
                                              further inside than the rule */
    ngx_flag_t                 dry_run;
    ngx_flag_t                 front_proxy;
    ngx_uint_t                 phase;      /* ngx_http_k8s_sa_phase_e */
    ngx_uint_t                 paths;      /* ngx_http_k8s_sa_paths_e */
    ngx_uint_t                 whoami;     /* k8s_sa_whoami answers */
    ngx_http_handler_pt        handler;    /* k8s_sa_whoami, k8s_sa_status; or
                                              NULL */
} ngx_http_k8s_sa_loc_conf_t;


extern ngx_module_t  ngx_http_k8s_sa_module;


#endif /* NGX_HTTP_K8S_SA_H */
