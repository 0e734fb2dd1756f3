/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verified tokens, and verdicts of the TokenReview API, in the shared zone.
 *
 * The key is a fingerprint of the token and of everything that the verdict
 * depends on (the issuer's configuration, audiences), under a secret of the
 * zone: tokens themselves are not stored, and no caller can make two that are
 * one here.  An entry holds facts, not decisions: who uses it looks at times,
 * key and rules at each hit.
 *
 * The least recently used entries go first, expired ones before them.  Refused
 * tokens have at most an eighth of the room, so that garbage displaces only
 * garbage.  A full cache costs speed, nothing else.
 */

#ifndef NGX_K8S_SA_CACHE_H
#define NGX_K8S_SA_CACHE_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "shared/ngx_k8s_sa_shared.h"
#include "token/k8s_sa_fingerprint.h"
#include "token/k8s_sa_keyset.h"


#define NGX_K8S_SA_CACHE_DATA_MAX  16384


typedef enum {
    NGX_K8S_SA_CACHE_LOCAL = 0,        /* accepted by our own check */
    NGX_K8S_SA_CACHE_REVIEWED,         /* accepted by the API server */
    NGX_K8S_SA_CACHE_REFUSED           /* refused by the API server */
} ngx_k8s_sa_cache_kind_e;


typedef struct {
    ngx_k8s_sa_cache_kind_e  kind;
    ngx_uint_t               verdict;  /* k8s_sa_verdict_e */
    int64_t                  fresh;    /* the caller's own, e.g. until when a
                                          review need not be repeated; in
                                          ngx_current_msec if the clock must
                                          not prolong it by jumping back */
    int64_t                  expires;  /* seconds since the epoch: never
                                          returned at or after this */
    u_char                   key_id[K8S_SA_KEY_ID_LEN];   /* that verified,
                                          or zeroes */
    size_t                   len;
    u_char                  *data;     /* k8s_sa_identity_pack()ed identity; for
                                          refused ones any text or nothing */
} ngx_k8s_sa_cache_entry_t;


/*
 * Writes the key of a token of at most K8S_SA_TOKEN_MAX bytes; digest, of
 * NGX_K8S_SA_DIGEST_LEN bytes, is of what the verdict depends on.
 */

void ngx_k8s_sa_cache_fingerprint(ngx_k8s_sa_zone_t *zone,
    const u_char *digest, ngx_str_t *token, u_char *fingerprint);

/*
 * now is ngx_time().  NGX_OK: e is filled, its data copied to buf;
 * NGX_DECLINED: not there, expired, or its data is larger than size (those of
 * NGX_K8S_SA_CACHE_DATA_MAX bytes always suffice).
 */

ngx_int_t ngx_k8s_sa_cache_lookup(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint, time_t now, ngx_k8s_sa_cache_entry_t *e,
    u_char *buf, size_t size);

/*
 * Puts a copy of e in, in place of what was there under this key.  NGX_OK;
 * NGX_DECLINED: expired already, too large (over NGX_K8S_SA_CACHE_DATA_MAX or
 * an eighth of the zone), or the room is taken by key sets.  What was there is
 * gone in any case.
 */

ngx_int_t ngx_k8s_sa_cache_insert(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint, time_t now, const ngx_k8s_sa_cache_entry_t *e);

void ngx_k8s_sa_cache_delete(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint);


#endif /* NGX_K8S_SA_CACHE_H */
