/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The zone's cache: verified tokens, verdicts of the TokenReview API, and
 * decisions of the cluster (SubjectAccessReview API).
 *
 * An entry is found by a fingerprint, under a secret of the zone, of the token
 * or question and of all that the verdict depends on (the issuer's
 * configuration, audiences): tokens themselves are not stored, and clients
 * cannot craft two with the same fingerprint.  An entry holds facts, not
 * decisions about requests: its user checks times, signing key and rules at
 * each hit.
 *
 * The least recently used entries are evicted first, and before them those
 * that have expired.  Refused tokens get at most an eighth of the room, so
 * that a flood of them displaces no more than that.  The accepted tokens of
 * one user may take all that is free, but what was inserted beyond an eighth
 * is evicted before other users' tokens.
 *
 * Decisions have at most a quarter of the room, denials at most an eighth.
 * They evict each other and what has expired, never other tokens.  One user's
 * allowed questions beyond an eighth of the quarter are evicted first.
 *
 * A full cache only costs speed.
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
    NGX_K8S_SA_CACHE_LOCAL = 0,        /* accepted by the local check */
    NGX_K8S_SA_CACHE_REVIEWED,         /* accepted by the API server */
    NGX_K8S_SA_CACHE_REFUSED,          /* refused by the API server */
    NGX_K8S_SA_CACHE_ALLOWED,          /* a question that the cluster allowed */
    NGX_K8S_SA_CACHE_DENIED            /* one that it did not allow */
} ngx_k8s_sa_cache_kind_e;


typedef struct {
    ngx_k8s_sa_cache_kind_e  kind;
    ngx_uint_t               verdict;  /* k8s_sa_verdict_e */
    int64_t                  fresh;    /* for the caller, e.g. until when a
                                          review is not repeated; in
                                          ngx_current_msec if a clock that
                                          jumps back must not extend it */
    int64_t                  expires;  /* seconds since the epoch: the entry is
                                          not returned from then on */
    unsigned                 claimed:1;   /* ngx_k8s_sa_cache_claim() was
                                          called; not read by an insertion */
    u_char                   key_id[K8S_SA_KEY_ID_LEN];   /* the key that
                                          verified the token, or zeroes */
    size_t                   len;
    k8s_sa_str_t             user;     /* the user name of an accepted token
                                          or allowed question, at most
                                          NGX_K8S_SA_CACHE_DATA_MAX bytes; not
                                          set by a lookup */
    u_char                  *data;     /* of accepted tokens from
                                          k8s_sa_identity_pack(); otherwise any
                                          text or nothing */
} ngx_k8s_sa_cache_entry_t;


/*
 * Writes the K8S_SA_FINGERPRINT_LEN bytes of the fingerprint of a token, which
 * has at most K8S_SA_TOKEN_MAX bytes, and of digest, which has
 * NGX_K8S_SA_DIGEST_LEN bytes and covers all that the verdict depends on.
 */

void ngx_k8s_sa_cache_fingerprint(ngx_k8s_sa_zone_t *zone,
    const u_char *digest, ngx_str_t *token, u_char *fingerprint);

/*
 * Looks an entry up; now is ngx_time().  Returns NGX_OK: *e is set, its data
 * copied to buf; NGX_DECLINED: not found, expired, or its data is larger than
 * size (NGX_K8S_SA_CACHE_DATA_MAX bytes always suffice).
 */

ngx_int_t ngx_k8s_sa_cache_lookup(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint, time_t now, ngx_k8s_sa_cache_entry_t *e,
    u_char *buf, size_t size);

/*
 * Inserts a copy of e, in place of an entry with the same fingerprint.
 * Returns NGX_OK; NGX_DECLINED: expired already, too large (over
 * NGX_K8S_SA_CACHE_DATA_MAX or an eighth of the zone), or the room is taken by
 * key sets, for a decision also by tokens.  The former entry is gone in any
 * case.
 */

ngx_int_t ngx_k8s_sa_cache_insert(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint, time_t now, const ngx_k8s_sa_cache_entry_t *e);

/*
 * Claims the renewal of an entry: NGX_OK for the first caller, NGX_DECLINED
 * for others or if there is no entry.  One that replaces it is not claimed.
 */

ngx_int_t ngx_k8s_sa_cache_claim(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint);

/* Deletes the entry, if there is one. */

void ngx_k8s_sa_cache_delete(ngx_k8s_sa_zone_t *zone,
    const u_char *fingerprint);


#endif /* NGX_K8S_SA_CACHE_H */
