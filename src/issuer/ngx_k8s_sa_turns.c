/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_turns.h"


static ngx_k8s_sa_turn_t *ngx_k8s_sa_turn(ngx_k8s_sa_turns_t *turns,
    uint32_t owner);


void
ngx_k8s_sa_turns_init(ngx_k8s_sa_turns_t *turns)
{
    ngx_uint_t  i;

    ngx_queue_init(&turns->ring);

    for (i = 0; i < NGX_K8S_SA_CLIENTS; i++) {
        ngx_queue_init(&turns->owners[i].waiting);
    }
}


static ngx_k8s_sa_turn_t *
ngx_k8s_sa_turn(ngx_k8s_sa_turns_t *turns, uint32_t owner)
{
    return &turns->owners[owner % NGX_K8S_SA_CLIENTS];
}


void
ngx_k8s_sa_turns_push(ngx_k8s_sa_turns_t *turns, uint32_t owner,
    ngx_queue_t *q)
{
    ngx_k8s_sa_turn_t  *turn;

    turn = ngx_k8s_sa_turn(turns, owner);

    if (ngx_queue_empty(&turn->waiting)) {
        ngx_queue_insert_tail(&turns->ring, &turn->ring);
    }

    ngx_queue_insert_tail(&turn->waiting, q);
}


void
ngx_k8s_sa_turns_remove(ngx_k8s_sa_turns_t *turns, uint32_t owner,
    ngx_queue_t *q)
{
    ngx_k8s_sa_turn_t  *turn;

    turn = ngx_k8s_sa_turn(turns, owner);

    ngx_queue_remove(q);

    if (ngx_queue_empty(&turn->waiting)) {
        ngx_queue_remove(&turn->ring);
    }
}


ngx_queue_t *
ngx_k8s_sa_turns_next(ngx_k8s_sa_turns_t *turns)
{
    ngx_queue_t        *q;
    ngx_k8s_sa_turn_t  *turn;

    if (ngx_queue_empty(&turns->ring)) {
        return NULL;
    }

    q = ngx_queue_head(&turns->ring);
    ngx_queue_remove(q);

    turn = ngx_queue_data(q, ngx_k8s_sa_turn_t, ring);

    q = ngx_queue_head(&turn->waiting);
    ngx_queue_remove(q);

    if (!ngx_queue_empty(&turn->waiting)) {
        ngx_queue_insert_tail(&turns->ring, &turn->ring);
    }

    return q;
}


ngx_queue_t *
ngx_k8s_sa_turns_newest(ngx_k8s_sa_turns_t *turns, uint32_t owner)
{
    ngx_k8s_sa_turn_t  *turn;

    turn = ngx_k8s_sa_turn(turns, owner);

    return ngx_queue_empty(&turn->waiting) ? NULL
                                           : ngx_queue_last(&turn->waiting);
}
