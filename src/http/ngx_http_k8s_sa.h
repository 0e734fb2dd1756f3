/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the files of src/http/ share.
 */

#ifndef NGX_HTTP_K8S_SA_H
#define NGX_HTTP_K8S_SA_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "token/k8s_sa_allow.h"
#include "token/k8s_sa_token.h"
#include "issuer/ngx_k8s_sa_issuer.h"
#include "issuer/ngx_k8s_sa_review.h"


/* configuration */

typedef struct {
    ngx_str_t                  name;
    unsigned                   prefix:1;   /* and all that begin with it */
} ngx_http_k8s_sa_protected_t;


typedef struct {
    ngx_str_t                  name;       /* as in k8s_sa_auth */
    ngx_k8s_sa_issuer_t       *issuer;     /* NULL until its block is read */
    ngx_k8s_sa_client_conf_t   client;     /* of the issuer */

    u_char                    *file;       /* of its block, or of the first */
    ngx_uint_t                 line;       /* k8s_sa_auth until that is read */
} ngx_http_k8s_sa_named_issuer_t;


/* the issuers of a k8s_sa_auth directive */

typedef struct {
    ngx_array_t                issuers;    /* ngx_http_k8s_sa_named_issuer_t * */
    u_char                     digest[NGX_K8S_SA_DIGEST_LEN];   /* of all that
                                              they decide by, except keys */
} ngx_http_k8s_sa_auth_t;


typedef struct ngx_http_k8s_sa_front_entry_s  ngx_http_k8s_sa_front_entry_t;
typedef struct ngx_http_k8s_sa_front_s  ngx_http_k8s_sa_front_t;
typedef struct ngx_http_k8s_sa_reviewed_s  ngx_http_k8s_sa_reviewed_t;
typedef struct ngx_http_k8s_sa_withheld_s  ngx_http_k8s_sa_withheld_t;


typedef struct {
    ngx_str_t                  zone_name;
    ssize_t                    zone_size;
    ngx_k8s_sa_zone_t         *zone;       /* NULL without issuers */

    ngx_array_t                issuers;    /* ngx_http_k8s_sa_named_issuer_t * */
    ngx_array_t                auths;      /* ngx_http_k8s_sa_auth_t * */
    ngx_http_k8s_sa_front_t   *front;      /* this worker's token cache */
    ngx_array_t                watches;    /* ngx_k8s_sa_watch_t * */

    /* names of all identity headers, wherever configured */
    ngx_array_t                protected;  /* ngx_http_k8s_sa_protected_t */
    uint64_t                   lengths;    /* bit n: one is n bytes long */
} ngx_http_k8s_sa_main_conf_t;


typedef struct {
    ngx_uint_t                 used;       /* a location here requires tokens */
} ngx_http_k8s_sa_srv_conf_t;


typedef struct {
    ngx_str_t                  name;
    ngx_str_t                  lowcase;
    ngx_uint_t                 hash;
    ngx_int_t                  field;      /* its offset, if the value is that
                                              of an identity, or NGX_DECLINED */
    ngx_http_complex_value_t   value;
    unsigned                   front_proxy:1;  /* k8s_sa_front_proxy_headers
                                                  sets it, too */
} ngx_http_k8s_sa_header_t;


/* of k8s_sa_token */

typedef struct {
    ngx_http_complex_value_t   value;
    ngx_int_t                  index;      /* of the variable, if it is nothing
                                              else, or NGX_DECLINED */
} ngx_http_k8s_sa_source_t;


typedef struct {
    ngx_http_k8s_sa_auth_t    *auth;       /* NULL: off */
    ngx_flag_t                 optional;

    ngx_http_k8s_sa_source_t  *token;      /* NULL: Authorization */
    ngx_flag_t                 token_in_args;
    u_char                    *token_file; /* where k8s_sa_token stands */
    ngx_uint_t                 token_line;
    ngx_flag_t                 forward_token;

    ngx_str_t                  realm;      /* Bearer realm="..." */
    ngx_array_t               *headers;    /* ngx_http_k8s_sa_header_t,
                                              NULL: off */
    ngx_uint_t                 log_level;
    ngx_uint_t                 prometheus; /* of k8s_sa_status */

    k8s_sa_allow_t            *allow;      /* NULL: all */
    ngx_array_t               *require;    /* ngx_http_k8s_sa_require_t */
    ngx_flag_t                 dry_run;
    ngx_flag_t                 front_proxy;
} ngx_http_k8s_sa_loc_conf_t;


/* What a request needs that may have to wait: for keys, or for a review. */

typedef struct {
    ngx_k8s_sa_waiter_t        waiter;
    ngx_uint_t                 waits;      /* so many so far */

    ngx_k8s_sa_review_request_t  question; /* valid if review_due */
    ngx_k8s_sa_review_waiter_t   review;
    ngx_http_k8s_sa_reviewed_t  *reviewed; /* answers so far */
} ngx_http_k8s_sa_pause_t;


/*
 * A request's state.  Found again after an internal redirect, and from
 * subrequests: it belongs to the main request and its pool.
 */

typedef struct {
    ngx_str_t                  token;      /* as the client sent it */
    u_char                     key[NGX_K8S_SA_CACHE_KEY_LEN];   /* of the token
                                              in caches, once it is decided */
    ngx_http_k8s_sa_withheld_t  *withheld; /* from upstream, or NULL */
    ngx_table_elt_t           *challenge;  /* WWW-Authenticate sent, or NULL */

    k8s_sa_verdict_e           verdict;    /* valid if decided */
    k8s_sa_identity_t         *identity;   /* NULL: unknown, or not asked for,
                                              see ngx_http_k8s_sa_identity() */
    ngx_k8s_sa_issuer_t       *issuer;     /* that decided, or NULL */
    ngx_http_k8s_sa_front_entry_t   *entry;      /* owner of the identity, or NULL */
    ngx_str_t                  detail;     /* more about a refusal, or empty */

    ngx_http_k8s_sa_pause_t   *pause;      /* NULL: not needed so far */
    uint64_t                   lacking;    /* bit n: the n-th issuer may have
                                              the token's key once it fetches */

    ngx_int_t                  status;     /* of k8s_sa_require, or 0 */

    unsigned                   prepared:1;     /* headers are cleaned */
    unsigned                   refused:1;      /* not even as "optional" */
    unsigned                   decided:1;      /* verdict is there */
    unsigned                   looked_up:1;    /* in the token cache */
    unsigned                   hit:1;          /* found there */
    unsigned                   claimed:1;      /* an issuer knows its "iss",
                                                  or its key */
    unsigned                   review_due:1;   /* verdict may change: issuer
                                                  has to be asked */
} ngx_http_k8s_sa_ctx_t;


extern ngx_module_t  ngx_http_k8s_sa_module;


/* ngx_http_k8s_sa_token_file.c: k8s_sa_token_file $variable FILE */

char *ngx_http_k8s_sa_token_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* ngx_http_k8s_sa_status.c: k8s_sa_status [json | prometheus] */

char *ngx_http_k8s_sa_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* ngx_http_k8s_sa_variables.c */

ngx_int_t ngx_http_k8s_sa_add_variables(ngx_conf_t *cf);

/*
 * The offset of the k8s_sa_str_t in k8s_sa_identity_t that "$NAME" stands for;
 * NGX_DECLINED: value is something else.
 */

ngx_int_t ngx_http_k8s_sa_field_of(ngx_str_t *value);


/*
 * ngx_http_k8s_sa_request.c
 *
 * The state of the request: NULL if there is none yet (get) or no memory
 * (make).
 */

ngx_http_k8s_sa_ctx_t *ngx_http_k8s_sa_get_ctx(ngx_http_request_t *r);
ngx_http_k8s_sa_ctx_t *ngx_http_k8s_sa_make_ctx(ngx_http_request_t *r);

/*
 * A state of its own for a subrequest that decides for itself, with its token;
 * NULL: no memory.
 */

ngx_http_k8s_sa_ctx_t *ngx_http_k8s_sa_sub_ctx(ngx_http_request_t *r);

/*
 * ctx->pause, made if it is not there yet: NULL without memory.  end_pause() ends
 * a wait; nothing if there is none.
 */

ngx_http_k8s_sa_pause_t *ngx_http_k8s_sa_pause(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);
void ngx_http_k8s_sa_end_pause(ngx_http_k8s_sa_ctx_t *ctx);

#define ngx_http_k8s_sa_paused(ctx)                                           \
    ((ctx)->pause && ((ctx)->pause->waiter.waiting                            \
                      || (ctx)->pause->review.waiting))

/*
 * Preaccess phase: removes what could be mistaken for identity headers, finds
 * the token and withholds it from the upstream.
 */

ngx_int_t ngx_http_k8s_sa_preaccess_handler(ngx_http_request_t *r);


/*
 * ngx_http_k8s_sa_headers.c
 *
 * Rebuilds the list of request headers without those for which drop() says 1,
 * with room for more.  The old elements stay where they are: r->headers_in's
 * pointers to them remain valid.  To cut them out in place is no way: loops over
 * a list, as nginx has them, do not expect an empty part behind another.  NGX_OK,
 * or NGX_ERROR without memory.
 */

typedef ngx_uint_t (*ngx_http_k8s_sa_drop_pt)(ngx_http_request_t *r,
    ngx_table_elt_t *h, void *data);

ngx_int_t ngx_http_k8s_sa_drop_headers(ngx_http_request_t *r,
    ngx_http_k8s_sa_drop_pt drop, void *data);

/* 1 if a header could be mistaken for one of the identity headers. */

ngx_uint_t ngx_http_k8s_sa_is_protected(ngx_http_k8s_sa_main_conf_t *mcf,
    ngx_str_t *name);

/*
 * Adds the location's identity headers to a list of headers, that of the
 * request or that of the answer.  NGX_OK, NGX_HTTP_BAD_REQUEST if a value
 * cannot stand in a header, or NGX_ERROR.
 */

ngx_int_t ngx_http_k8s_sa_push_headers(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_list_t *list);


/*
 * ngx_http_k8s_sa_check.c
 *
 * Decides about ctx->token with the issuers of the location; fills verdict,
 * identity, issuer and detail of ctx.  NGX_OK when decided, NGX_ERROR without
 * memory.
 */

ngx_int_t ngx_http_k8s_sa_check(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx);

/* Takes the decision back. */

void ngx_http_k8s_sa_forget(ngx_http_k8s_sa_ctx_t *ctx);


/*
 * ngx_http_k8s_sa_front.c: verified tokens, in this worker and in the zone.
 *
 * An entry is owned by whoever holds a reference to it.  What a hit looks at
 * comes first, and all strings are in the entry.  One that is for this request
 * only keeps the identity as the zone has it: to fill the memory of many requests
 * with strings that nobody asks for drives out of the CPU's cache what nginx and
 * the kernel need next.
 */

struct ngx_http_k8s_sa_front_entry_s {
    ngx_uint_t                 refs;
    ngx_http_k8s_sa_front_t   *front;      /* NULL: it is the request's own */
    ngx_http_k8s_sa_auth_t    *auth;
    ngx_k8s_sa_issuer_t       *issuer;
    ngx_uint_t                 version;    /* of the issuer's keys, when the
                                              key was last seen among them */
    int64_t                    expires;    /* valid before this second */
    int64_t                    issued;     /* the token's "iat" */
    int64_t                    notable;    /* from this second on its times
                                              may be counted */

    k8s_sa_str_t               username;
    k8s_sa_identity_t         *identity;   /* NULL: packed still, */
    k8s_sa_str_t               record;     /* this is it, */
    k8s_sa_str_t               kid;        /* and what a record leaves out */
    ngx_msec_t                 fresh;      /* if reviewed: ngx_current_msec
                                              until which that counts */
    unsigned                   reviewed:1;

    u_char                     key_id[K8S_SA_KEY_ID_LEN];
};

/*
 * Finds a token that was verified for auth and is valid still: in this worker
 * (find), in the zone (load).  The key is ngx_k8s_sa_cache_key()'s, of the token
 * and auth's digest.  Returns a new reference, or NULL.  An entry that is not
 * taken into this worker's table is from pool, the request's.
 */

ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_find(
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_http_k8s_sa_auth_t *auth,
    const u_char *key);
ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_load(
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_http_k8s_sa_auth_t *auth,
    const u_char *key, ngx_pool_t *pool);

/*
 * Puts a verified token into the zone, and into the worker's table as load does.
 * Returns a reference to its entry, or NULL without memory.  Where a review has
 * to follow, load and add leave it out of the worker's table.
 */

ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_add(
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_http_k8s_sa_auth_t *auth,
    const u_char *key, ngx_k8s_sa_issuer_t *issuer, const u_char *key_id,
    const k8s_sa_identity_t *identity, ngx_pool_t *pool);

/*
 * Puts a reviewed token into the worker's table: the review itself is in the
 * zone.  local: the entry of the local check, or NULL; not_after: seconds since
 * the epoch.  Returns as add.
 */

ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_reviewed(
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_http_k8s_sa_auth_t *auth,
    const u_char *key, ngx_k8s_sa_issuer_t *issuer,
    ngx_http_k8s_sa_front_entry_t *local, const k8s_sa_identity_t *identity,
    ngx_msec_t fresh, int64_t not_after, ngx_pool_t *pool);

void ngx_http_k8s_sa_front_release(ngx_http_k8s_sa_front_entry_t *entry);

/*
 * Who the request is from, unpacked into its pool when that is needed; or only
 * the string at an offset of the identity, cheaply if it is the user name.
 * NULL: unknown, or no memory.
 */

k8s_sa_identity_t *ngx_http_k8s_sa_identity(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);
k8s_sa_str_t *ngx_http_k8s_sa_identity_field(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, size_t offset);

/* Makes the worker's table; it goes with the configuration. */

ngx_int_t ngx_http_k8s_sa_front_init(ngx_conf_t *cf,
    ngx_http_k8s_sa_main_conf_t *mcf);


/*
 * ngx_http_k8s_sa_review.c: what the API server says of a token.
 *
 * The answers that a request got, from r->pool.  They outlive forget().
 */

struct ngx_http_k8s_sa_reviewed_s {
    ngx_http_k8s_sa_reviewed_t  *next;
    ngx_k8s_sa_issuer_t         *issuer;
    ngx_k8s_sa_review_result_t   result;
};

/*
 * After the local check: ctx->entry has been accepted with the keys of
 * ctx->issuer, which has "token_review", too.  Changes ctx accordingly; the
 * verdict is final unless ctx->review_due.  NGX_OK, or NGX_ERROR.
 */

ngx_int_t ngx_http_k8s_sa_review_local(ngx_http_request_t *r,
    ngx_http_k8s_sa_auth_t *auth, ngx_http_k8s_sa_ctx_t *ctx);

/* The same where no keys decide: asks the issuers that have none. */

ngx_int_t ngx_http_k8s_sa_review_any(ngx_http_request_t *r,
    ngx_http_k8s_sa_auth_t *auth, ngx_http_k8s_sa_ctx_t *ctx);

/*
 * If ctx->review_due: NGX_AGAIN, ctx->waiter.handler will be called;
 * NGX_DECLINED: ctx->verdict tells why not.
 */

ngx_int_t ngx_http_k8s_sa_review_wait(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);


/*
 * ngx_http_k8s_sa_access.c
 *
 * The decision about a request, with its line in the log and its headers in
 * the answer.  NGX_OK: it has an identity, which may pass; NGX_DECLINED: it
 * may pass, but nothing vouches for it ("optional", "k8s_sa_dry_run");
 * NGX_AGAIN: resume() will be called, then ask again; NGX_ERROR: no memory; or
 * the HTTP status of the answer.
 */

typedef void (*ngx_http_k8s_sa_resume_pt)(ngx_k8s_sa_waiter_t *waiter);

ngx_int_t ngx_http_k8s_sa_pass(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx,
    ngx_http_k8s_sa_resume_pt resume);

/* 1 if the identity is known for sure, be it allowed or not. */

#define ngx_http_k8s_sa_authentic(ctx)                                        \
    ((ctx)->decided && ((ctx)->verdict == K8S_SA_VERDICT_OK                   \
                        || ((ctx)->entry                                      \
                            && ((ctx)->verdict == K8S_SA_NOT_ALLOWED          \
                                || (ctx)->verdict == K8S_SA_NOT_REQUIRED))))

ngx_int_t ngx_http_k8s_sa_access_handler(ngx_http_request_t *r);


/*
 * ngx_http_k8s_sa_allow.c: k8s_sa_allow, k8s_sa_require
 *
 * Looks whether the identity is allowed, and changes the verdict if not.
 * NGX_OK, or NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_authorize(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx);

char *ngx_http_k8s_sa_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_k8s_sa_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* ngx_http_k8s_sa_whoami.c: k8s_sa_whoami */

char *ngx_http_k8s_sa_whoami(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/*
 * ngx_http_k8s_sa_answer.c: the answer to a refused request (its status), its
 * line in the log, and the counters.
 */

ngx_int_t ngx_http_k8s_sa_answer(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx);
void ngx_http_k8s_sa_log(ngx_http_request_t *r,
    ngx_http_k8s_sa_loc_conf_t *lcf, ngx_http_k8s_sa_ctx_t *ctx);
void ngx_http_k8s_sa_count(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx);


#endif /* NGX_HTTP_K8S_SA_H */
