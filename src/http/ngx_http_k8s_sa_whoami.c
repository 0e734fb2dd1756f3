/* SPDX-License-Identifier: BSD-2-Clause */

#include "http/ngx_http_k8s_sa_whoami.h"
#include "http/ngx_http_k8s_sa_access.h"
#include "http/ngx_http_k8s_sa_answer.h"
#include "http/ngx_http_k8s_sa_body.h"
#include "http/ngx_http_k8s_sa_identity_headers.h"
#include "http/ngx_http_k8s_sa_path.h"
#include "http/ngx_http_k8s_sa_request.h"


static ngx_int_t ngx_http_k8s_sa_whoami_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_k8s_sa_whoami_decide(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);
static void ngx_http_k8s_sa_whoami_resume(ngx_k8s_sa_waiter_t *waiter);
static ngx_int_t ngx_http_k8s_sa_whoami_answer(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);
static ngx_int_t ngx_http_k8s_sa_whoami_send(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx);
static ngx_int_t ngx_http_k8s_sa_whoami_json(ngx_http_request_t *r,
    k8s_sa_identity_t *id, ngx_str_t *body);
static void ngx_http_k8s_sa_whoami_set(json_t *obj, const char *name,
    const k8s_sa_str_t *s);
static json_t *ngx_http_k8s_sa_whoami_groups(const k8s_sa_str_t *groups);
static json_t *ngx_http_k8s_sa_whoami_extra(const k8s_sa_str_t *extra);


char *
ngx_http_k8s_sa_whoami(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_loc_conf_t *lcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == ngx_http_k8s_sa_whoami_handler) {
        return "is duplicate";
    }

    clcf->handler = ngx_http_k8s_sa_whoami_handler;
    lcf->handler = clcf->handler;
    lcf->whoami = 1;

    return NGX_CONF_OK;
}


/*
 * Any method, conditions and expectations: external authorization may pass on
 * the caller's.  An asker takes 304, 412 and "100 Continue" for a verdict.
 */

static ngx_int_t
ngx_http_k8s_sa_whoami_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_k8s_sa_ctx_t  *ctx;

    r->disable_not_modified = 1;
    r->expect_tested = 1;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (r == r->main) {

        /* the access phase has decided, if k8s_sa_auth is on */

        ctx = ngx_http_k8s_sa_get_ctx(r);

        return ngx_http_k8s_sa_whoami_answer(r, ctx);
    }

    /* nginx skips the access phase in subrequests */

    ctx = ngx_http_k8s_sa_sub_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_k8s_sa_whoami_decide(r, ctx);

    if (rc == NGX_AGAIN) {
        r->main->count++;
        return NGX_DONE;
    }

    return rc;
}


static ngx_int_t
ngx_http_k8s_sa_whoami_decide(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_k8s_sa_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_module);

    if (lcf->auth == NULL) {
        return NGX_HTTP_UNAUTHORIZED;
    }

    if (ngx_http_k8s_sa_path_refused(r)) {
        rc = ngx_http_k8s_sa_refuse_path(r, lcf, ctx, NULL);
        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    rc = ngx_http_k8s_sa_pass(r, lcf, ctx, ngx_http_k8s_sa_whoami_resume);

    switch (rc) {

    case NGX_OK:
    case NGX_DECLINED:
        return ngx_http_k8s_sa_whoami_answer(r, ctx);

    case NGX_ERROR:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;

    default:
        return rc;
    }
}


static void
ngx_http_k8s_sa_whoami_resume(ngx_k8s_sa_waiter_t *waiter)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ngx_http_k8s_sa_waited(waiter->data);
    if (r == NULL) {
        return;
    }

    c = r->connection;

    r->read_event_handler = ngx_http_block_reading;

    rc = ngx_http_k8s_sa_whoami_decide(r, waiter->data);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }

    ngx_http_run_posted_requests(c);
}


/*
 * A request that passed without a verified identity ("optional",
 * "k8s_sa_dry_run") is refused here.
 */

static ngx_int_t
ngx_http_k8s_sa_whoami_answer(ngx_http_request_t *r,
    ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_http_k8s_sa_loc_conf_t  *lcf;

    if (ctx == NULL || ctx->state == NGX_HTTP_K8S_SA_UNDECIDED) {
        return NGX_HTTP_UNAUTHORIZED;
    }

    if (ngx_http_k8s_sa_authentic(ctx)) {
        return ngx_http_k8s_sa_whoami_send(r, ctx);
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_module);

    return ngx_http_k8s_sa_answer(r, lcf, ctx);
}


static ngx_int_t
ngx_http_k8s_sa_whoami_send(ngx_http_request_t *r, ngx_http_k8s_sa_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_str_t                    body;
    ngx_table_elt_t             *h;
    k8s_sa_identity_t           *id;
    ngx_http_k8s_sa_loc_conf_t  *lcf;

    static ngx_str_t  type = ngx_string("application/json");

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_k8s_sa_module);

    id = ngx_http_k8s_sa_identity(r, ctx);

    if (id == NULL || ngx_http_k8s_sa_whoami_json(r, id, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_k8s_sa_push_headers(r, lcf, ctx, &r->headers_out.headers);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    /* nothing may fail before the element is filled: it would be sent */

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h->hash = 1;
    h->lowcase_key = (u_char *) "cache-control";
    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "no-store");
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return ngx_http_k8s_sa_send_body(r, &type, &body);
}


static ngx_int_t
ngx_http_k8s_sa_whoami_json(ngx_http_request_t *r, k8s_sa_identity_t *id,
    ngx_str_t *body)
{
    json_t  *obj;

    obj = json_object();

    ngx_http_k8s_sa_whoami_set(obj, "username", &id->username);
    ngx_http_k8s_sa_whoami_set(obj, "uid", &id->uid);

    (void) json_object_set_new(obj, "groups",
                               ngx_http_k8s_sa_whoami_groups(&id->groups));
    (void) json_object_set_new(obj, "extra",
                               ngx_http_k8s_sa_whoami_extra(&id->extra));

    ngx_http_k8s_sa_whoami_set(obj, "issuer", &id->issuer);

    (void) json_object_set_new(obj, "audiences",
                       id->audience.len
                       ? json_pack("[s%]", id->audience.data, id->audience.len)
                       : json_array());

    (void) json_object_set_new(obj, "expires", id->expires
                               ? json_integer(id->expires) : json_null());

    return ngx_http_k8s_sa_json_body(r->pool, obj, JSON_COMPACT, body);
}


static void
ngx_http_k8s_sa_whoami_set(json_t *obj, const char *name,
    const k8s_sa_str_t *s)
{
    (void) json_object_set_new(obj, name,
                               s->data ? json_stringn((char *) s->data, s->len)
                                       : json_null());
}


static json_t *
ngx_http_k8s_sa_whoami_groups(const k8s_sa_str_t *groups)
{
    json_t        *list;
    k8s_sa_str_t   rest, group;

    list = json_array();
    rest = *groups;

    while (k8s_sa_identity_group(&rest, &group)) {
        (void) json_array_append_new(list, json_stringn((char *) group.data,
                                                        group.len));
    }

    return list;
}


/* a key may occur more than once */

static json_t *
ngx_http_k8s_sa_whoami_extra(const k8s_sa_str_t *extra)
{
    json_t        *obj, *list;
    k8s_sa_str_t   rest, key, value;

    obj = json_object();
    rest = *extra;

    while (k8s_sa_identity_extra(&rest, &key, &value)) {

        list = json_object_getn(obj, (char *) key.data, key.len);

        if (list == NULL) {
            list = json_array();
            (void) json_object_setn_new(obj, (char *) key.data, key.len, list);
        }

        (void) json_array_append_new(list, json_stringn((char *) value.data,
                                                        value.len));
    }

    return obj;
}
