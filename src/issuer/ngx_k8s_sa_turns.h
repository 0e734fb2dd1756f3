/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A queue that serves its owners by turns: each owner's elements come oldest
 * first, and an owner with many elements does not delay the others.
 *
 * An owner is named by a hash; owners whose hashes are equal modulo
 * NGX_K8S_SA_CLIENTS share their turns.
 */

#ifndef NGX_K8S_SA_TURNS_H
#define NGX_K8S_SA_TURNS_H


#include <ngx_config.h>
#include <ngx_core.h>
#include "issuer/ngx_k8s_sa_waiter.h"


typedef struct {
    ngx_queue_t              ring;       /* in the ring, if waiting is not
                                            empty */
    ngx_queue_t              waiting;    /* elements, the oldest first */
} ngx_k8s_sa_turn_t;


typedef struct {
    ngx_queue_t              ring;       /* ngx_k8s_sa_turn_t */
    ngx_k8s_sa_turn_t        owners[NGX_K8S_SA_CLIENTS];
} ngx_k8s_sa_turns_t;


void ngx_k8s_sa_turns_init(ngx_k8s_sa_turns_t *turns);

void ngx_k8s_sa_turns_push(ngx_k8s_sa_turns_t *turns, uint32_t owner,
    ngx_queue_t *q);

/* Removes an element, which may be anywhere in the queue. */

void ngx_k8s_sa_turns_remove(ngx_k8s_sa_turns_t *turns, uint32_t owner,
    ngx_queue_t *q);

/* Removes and returns the element whose turn it is, or NULL if none waits. */

ngx_queue_t *ngx_k8s_sa_turns_next(ngx_k8s_sa_turns_t *turns);

/* Returns an owner's newest element, or NULL. */

ngx_queue_t *ngx_k8s_sa_turns_newest(ngx_k8s_sa_turns_t *turns,
    uint32_t owner);


#endif /* NGX_K8S_SA_TURNS_H */
