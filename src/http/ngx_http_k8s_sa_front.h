/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verified tokens: in this worker's own table, and in the zone for all
 * workers.
 */

#ifndef NGX_HTTP_K8S_SA_FRONT_H
#define NGX_HTTP_K8S_SA_FRONT_H


#include "http/ngx_http_k8s_sa.h"
#include "issuer/ngx_k8s_sa_access_review.h"
#include "shared/ngx_k8s_sa_cache.h"


/*
 * An entry lives until its last reference is released.  The members that a hit
 * reads come first; all strings are in the entry's memory.  An entry for one
 * request only keeps the identity packed, as the zone has it: unpacked strings
 * that are never read would displace data of nginx and the kernel from the
 * CPU's cache.
 */

typedef struct {
    ngx_uint_t                 refs;
    ngx_http_k8s_sa_front_t   *front;      /* NULL: from a request's pool */
    ngx_k8s_sa_issuer_t       *issuer;
    ngx_uint_t                 version;    /* ngx_k8s_sa_issuer_version() when
                                              the key was last looked up */
    int64_t                    expires;    /* valid before this second */
    int64_t                    issued;     /* the token's "iat" */
    int64_t                    notable;    /* from this second on its times
                                              may be counted */

    k8s_sa_str_t               username;
    k8s_sa_identity_t         *identity;   /* NULL: packed, */
    k8s_sa_str_t               packed;     /* in these bytes, */
    k8s_sa_str_t               kid;        /* which do not include the kid */
    ngx_msec_t                 fresh;      /* if reviewed: the review is valid
                                              before this ngx_current_msec */
    unsigned                   reviewed:1; /* accepted by the API server */
    unsigned                   has_subject:1;

    u_char                     key_id[K8S_SA_KEY_ID_LEN];
    ngx_k8s_sa_access_subject_t  subject;  /* in access reviews */
} ngx_http_k8s_sa_front_entry_t;


/*
 * Writes the key of a token of the request into key, K8S_SA_FINGERPRINT_LEN
 * bytes.  Returns a new reference if the token was verified for auth and is
 * still valid, otherwise NULL.  Where the issuer has "token_review", the entry
 * is either reviewed and fresh, or has to be reviewed.
 */

ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_get(
    ngx_http_request_t *r, ngx_http_k8s_sa_auth_t *auth, ngx_str_t *token,
    u_char *key);

/*
 * Puts a verified token into the zone, and into the worker's table unless a
 * review has to follow or the table prefers what it has.  Returns a new
 * reference, or NULL without memory.
 */

ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_add(
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_http_k8s_sa_auth_t *auth,
    const u_char *key, ngx_k8s_sa_issuer_t *issuer, const u_char *key_id,
    const k8s_sa_identity_t *identity, ngx_pool_t *pool);

/*
 * Puts a reviewed token into the worker's table; the zone has the review
 * itself.  local: the entry of the local check, or NULL; fresh: in
 * ngx_current_msec; not_after: in seconds since the epoch.  Returns a new
 * reference, or NULL without memory.
 */

ngx_http_k8s_sa_front_entry_t *ngx_http_k8s_sa_front_reviewed(
    ngx_http_k8s_sa_main_conf_t *mcf, ngx_http_k8s_sa_auth_t *auth,
    const u_char *key, ngx_k8s_sa_issuer_t *issuer,
    ngx_http_k8s_sa_front_entry_t *local, const k8s_sa_identity_t *identity,
    ngx_msec_t fresh, int64_t not_after, ngx_pool_t *pool);

void ngx_http_k8s_sa_front_release(ngx_http_k8s_sa_front_entry_t *entry);

/*
 * Makes the worker's table, mcf->front, while the configuration is read; it is
 * freed with the configuration.  NGX_OK, or NGX_ERROR without memory.
 */

ngx_int_t ngx_http_k8s_sa_front_init(ngx_conf_t *cf,
    ngx_http_k8s_sa_main_conf_t *mcf);


#endif /* NGX_HTTP_K8S_SA_FRONT_H */
