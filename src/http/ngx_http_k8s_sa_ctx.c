/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_ctx.h"
#include "token/k8s_sa_packed.h"


static ngx_http_k8s_sa_ctx_t *ngx_http_k8s_sa_find_ctx(ngx_http_request_t *r);
static ngx_http_k8s_sa_ctx_t *ngx_http_k8s_sa_new_ctx(ngx_http_request_t *r,
    ngx_pool_cleanup_pt handler);
static void ngx_http_k8s_sa_ctx_cleanup(void *data);
static void ngx_http_k8s_sa_own_cleanup(void *data);
static void ngx_http_k8s_sa_entry_cleanup(void *data);


ngx_http_k8s_sa_ctx_t *
ngx_http_k8s_sa_get_ctx(ngx_http_request_t *r)
{
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_k8s_sa_module);

    if (ctx || (r == r->main && !r->internal && !r->filter_finalize)) {
        return ctx;
    }

    /*
     * An internal redirect, or a filter that answers itself, has cleared the
     * contexts, or r is a subrequest, which shares the pool, but not the
     * contexts, of the main request.
     */

    ctx = ngx_http_k8s_sa_find_ctx(r);
    if (ctx == NULL) {
        return NULL;
    }

    if (r == r->main) {

        /*
         * A client that disconnects while the request waits may cause the
         * redirect ("post_action").
         */

        ngx_http_k8s_sa_end_pause(ctx);
        ctx->prepared = 0;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_k8s_sa_module);

    return ctx;
}


static ngx_http_k8s_sa_ctx_t *
ngx_http_k8s_sa_find_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_k8s_sa_ctx_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


ngx_http_k8s_sa_ctx_t *
ngx_http_k8s_sa_make_ctx(ngx_http_request_t *r)
{
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_get_ctx(r);

    return ctx ? ctx : ngx_http_k8s_sa_new_ctx(r, ngx_http_k8s_sa_ctx_cleanup);
}


ngx_http_k8s_sa_ctx_t *
ngx_http_k8s_sa_own_ctx(ngx_http_request_t *r)
{
    return ngx_http_k8s_sa_new_ctx(r, ngx_http_k8s_sa_own_cleanup);
}


static ngx_http_k8s_sa_ctx_t *
ngx_http_k8s_sa_new_ctx(ngx_http_request_t *r, ngx_pool_cleanup_pt handler)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_k8s_sa_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_k8s_sa_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_k8s_sa_ctx_t));

    cln->handler = handler;

    ngx_http_set_ctx(r, ctx, ngx_http_k8s_sa_module);

    return ctx;
}


/* get_ctx() finds the state in the pool's list by this handler */

static void
ngx_http_k8s_sa_ctx_cleanup(void *data)
{
    ngx_http_k8s_sa_ctx_t  *ctx = data;

    ngx_http_k8s_sa_end_pause(ctx);
    ngx_http_k8s_sa_forget(ctx);
}


/* another handler, so that get_ctx() does not return this state */

static void
ngx_http_k8s_sa_own_cleanup(void *data)
{
    ngx_http_k8s_sa_ctx_cleanup(data);
}


/* variables are shared with subrequests, therefore the note is, too */

ngx_int_t
ngx_http_k8s_sa_note_early_read(ngx_http_request_t *r)
{
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_find_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_k8s_sa_new_ctx(r->main, ngx_http_k8s_sa_ctx_cleanup);
        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    ctx->read_early = 1;

    return NGX_OK;
}


ngx_uint_t
ngx_http_k8s_sa_read_early(ngx_http_request_t *r)
{
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_find_ctx(r);

    return ctx && ctx->read_early;
}


ngx_uint_t
ngx_http_k8s_sa_path_refused(ngx_http_request_t *r)
{
    ngx_http_k8s_sa_ctx_t  *ctx;

    ctx = ngx_http_k8s_sa_find_ctx(r);

    return ctx && ctx->path_refused;
}


void
ngx_http_k8s_sa_forget(ngx_http_k8s_sa_ctx_t *ctx)
{
    if (ctx->entry) {
        ngx_http_k8s_sa_front_release(ctx->entry);
    }

    ctx->state = NGX_HTTP_K8S_SA_UNDECIDED;
    ctx->cache = NGX_HTTP_K8S_SA_CACHE_UNUSED;
    ctx->entry = NULL;
    ctx->identity = NULL;
    ctx->issuer = NULL;
    ctx->detail.len = 0;
    ctx->kid.len = 0;
    ctx->lacking = 0;
    ctx->status = 0;

    ctx->identified = 0;
    ctx->question = NULL;
    ctx->each.data = NULL;
    ctx->each.len = 0;
    ctx->access_cache = NGX_HTTP_K8S_SA_ACCESS_NONE;
    ctx->description.len = 0;
}


ngx_int_t
ngx_http_k8s_sa_retire(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_pool_cleanup_t  *cln;

    if (ctx->entry) {
        cln = ngx_pool_cleanup_add(r->pool, 0);
        if (cln == NULL) {
            return NGX_ERROR;
        }

        cln->handler = ngx_http_k8s_sa_entry_cleanup;
        cln->data = ctx->entry;

        ctx->entry = NULL;
    }

    ngx_http_k8s_sa_forget(ctx);

    return NGX_OK;
}


static void
ngx_http_k8s_sa_entry_cleanup(void *data)
{
    ngx_http_k8s_sa_front_release(data);
}


k8s_sa_identity_t *
ngx_http_k8s_sa_identity(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx)
{
    size_t                          size;
    k8s_sa_identity_t              *id;
    ngx_http_k8s_sa_front_entry_t  *entry;

    entry = ctx->entry;

    if (ctx->identity || entry == NULL) {
        return ctx->identity;
    }

    size = k8s_sa_packed_size(entry->packed.data, entry->packed.len);

    id = ngx_palloc(r->pool, sizeof(k8s_sa_identity_t) + size);

    if (id == NULL
        || k8s_sa_identity_unpack(id, entry->packed.data, entry->packed.len,
                                (u_char *) (id + 1), size)
           != K8S_SA_OK)
    {
        return NULL;
    }

    id->kid = entry->kid;
    ctx->identity = id;

    return id;
}


k8s_sa_str_t *
ngx_http_k8s_sa_identity_field(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx, size_t offset)
{
    k8s_sa_identity_t  *id;

    if (offset == offsetof(k8s_sa_identity_t, username) && ctx->entry) {
        return &ctx->entry->username;
    }

    id = ngx_http_k8s_sa_identity(r, ctx);

    return id ? (k8s_sa_str_t *) ((u_char *) id + offset) : NULL;
}


ngx_http_k8s_sa_pause_t *
ngx_http_k8s_sa_pause(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx)
{
    if (ctx->pause == NULL) {
        ctx->pause = ngx_pcalloc(r->pool, sizeof(ngx_http_k8s_sa_pause_t));
    }

    return ctx->pause;
}


void
ngx_http_k8s_sa_end_pause(ngx_http_k8s_sa_ctx_t *ctx)
{
    if (ctx->pause) {
        ngx_k8s_sa_issuer_unwait(&ctx->pause->waiter);
        ngx_k8s_sa_review_cancel(&ctx->pause->review);
        ngx_k8s_sa_review_cancel(&ctx->pause->access);

        if (ctx->pause->timer.timer_set) {
            ngx_del_timer(&ctx->pause->timer);
        }
    }
}
