/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Makes the operations of src/shared/ available through URIs, for t/shared:
 *
 *     shared_test_zone NAME:SIZE;
 *     shared_test_issuer NAME...;
 *
 *     location / { shared_test; }      GET /?op=insert&token=a&...
 *
 * Not part of the module, never installed.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <openssl/sha.h>

#include "shared/ngx_k8s_sa_sh.h"
#include "shared/ngx_k8s_sa_zone.h"
#include "ngx_http_k8s_sa_shared_test.h"


typedef ngx_int_t (*ngx_http_k8s_sa_shared_test_pt)(
    ngx_http_k8s_sa_shared_test_t *t);

typedef ngx_int_t (*ngx_http_k8s_sa_shared_test_wait_pt)(
    ngx_k8s_sa_zone_t *zone, ngx_k8s_sa_record_ref_t *ref, ngx_msec_t msec,
    ngx_msec_t *wait);

typedef struct {
    ngx_str_t                        name;
    ngx_http_k8s_sa_shared_test_pt   run;
} ngx_http_k8s_sa_shared_test_op_t;


static void *ngx_http_k8s_sa_shared_test_create_conf(ngx_conf_t *cf);
static char *ngx_http_k8s_sa_shared_test_zone(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_k8s_sa_shared_test_issuer(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_k8s_sa_shared_test_set(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_k8s_sa_shared_test_init_process(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_k8s_sa_shared_test_handler(ngx_http_request_t *r);

static ngx_int_t ngx_http_k8s_sa_shared_test_insert(
    ngx_http_k8s_sa_shared_test_t *t);
static ngx_int_t ngx_http_k8s_sa_shared_test_lookup(
    ngx_http_k8s_sa_shared_test_t *t);
static ngx_int_t ngx_http_k8s_sa_shared_test_known(
    ngx_http_k8s_sa_shared_test_t *t);
static ngx_int_t ngx_http_k8s_sa_shared_test_delete(
    ngx_http_k8s_sa_shared_test_t *t);
static ngx_int_t ngx_http_k8s_sa_shared_test_stat(
    ngx_http_k8s_sa_shared_test_t *t);
static ngx_int_t ngx_http_k8s_sa_shared_test_state(
    ngx_http_k8s_sa_shared_test_t *t);
static ngx_int_t ngx_http_k8s_sa_shared_test_store(
    ngx_http_k8s_sa_shared_test_t *t);
static ngx_int_t ngx_http_k8s_sa_shared_test_load(
    ngx_http_k8s_sa_shared_test_t *t);
static ngx_int_t ngx_http_k8s_sa_shared_test_lease(
    ngx_http_k8s_sa_shared_test_t *t);
static ngx_int_t ngx_http_k8s_sa_shared_test_wait(
    ngx_http_k8s_sa_shared_test_t *t, ngx_http_k8s_sa_shared_test_wait_pt run,
    ngx_msec_t fallback);
static ngx_int_t ngx_http_k8s_sa_shared_test_release(
    ngx_http_k8s_sa_shared_test_t *t);
static ngx_int_t ngx_http_k8s_sa_shared_test_fail(
    ngx_http_k8s_sa_shared_test_t *t);
static ngx_int_t ngx_http_k8s_sa_shared_test_force(
    ngx_http_k8s_sa_shared_test_t *t);


static ngx_http_k8s_sa_shared_test_op_t  ngx_http_k8s_sa_shared_test_ops[] = {

    { ngx_string("insert"),   ngx_http_k8s_sa_shared_test_insert },
    { ngx_string("lookup"),   ngx_http_k8s_sa_shared_test_lookup },
    { ngx_string("known"),    ngx_http_k8s_sa_shared_test_known },
    { ngx_string("delete"),   ngx_http_k8s_sa_shared_test_delete },
    { ngx_string("stat"),     ngx_http_k8s_sa_shared_test_stat },
    { ngx_string("state"),    ngx_http_k8s_sa_shared_test_state },
    { ngx_string("store"),    ngx_http_k8s_sa_shared_test_store },
    { ngx_string("load"),     ngx_http_k8s_sa_shared_test_load },
    { ngx_string("lease"),    ngx_http_k8s_sa_shared_test_lease },
    { ngx_string("release"),  ngx_http_k8s_sa_shared_test_release },
    { ngx_string("fail"),     ngx_http_k8s_sa_shared_test_fail },
    { ngx_string("force"),    ngx_http_k8s_sa_shared_test_force },
    { ngx_string("count"),    ngx_http_k8s_sa_shared_test_count },
    { ngx_string("caller"),   ngx_http_k8s_sa_shared_test_caller },
    { ngx_string("review"),   ngx_http_k8s_sa_shared_test_review },
    { ngx_string("reviewed"), ngx_http_k8s_sa_shared_test_reviewed },
    { ngx_string("check"),    ngx_http_k8s_sa_shared_test_check },
    { ngx_string("die"),      ngx_http_k8s_sa_shared_test_die },
    { ngx_string("storm"),    ngx_http_k8s_sa_shared_test_storm },
    { ngx_string("bench"),    ngx_http_k8s_sa_shared_test_bench },
    { ngx_null_string, NULL }
};


static ngx_command_t  ngx_http_k8s_sa_shared_test_commands[] = {

    { ngx_string("shared_test_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_k8s_sa_shared_test_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("shared_test_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_k8s_sa_shared_test_issuer,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("shared_test"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_k8s_sa_shared_test_set,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_k8s_sa_shared_test_module_ctx = {
    NULL,                                    /* preconfiguration */
    NULL,                                    /* postconfiguration */

    ngx_http_k8s_sa_shared_test_create_conf, /* create main configuration */
    NULL,                                    /* init main configuration */

    NULL,                                    /* create server configuration */
    NULL,                                    /* merge server configuration */

    NULL,                                    /* create location config. */
    NULL                                     /* merge location config. */
};


ngx_module_t  ngx_http_k8s_sa_shared_test_module = {
    NGX_MODULE_V1,
    &ngx_http_k8s_sa_shared_test_module_ctx, /* module context */
    ngx_http_k8s_sa_shared_test_commands,    /* module directives */
    NGX_HTTP_MODULE,                         /* module type */
    NULL,                                    /* init master */
    NULL,                                    /* init module */
    ngx_http_k8s_sa_shared_test_init_process,  /* init process */
    NULL,                                    /* init thread */
    NULL,                                    /* exit thread */
    NULL,                                    /* exit process */
    NULL,                                    /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_k8s_sa_shared_test_create_conf(ngx_conf_t *cf)
{
    ngx_http_k8s_sa_shared_test_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_k8s_sa_shared_test_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->issuers, cf->pool, 4,
                       sizeof(ngx_http_k8s_sa_shared_test_issuer_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static char *
ngx_http_k8s_sa_shared_test_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_k8s_sa_shared_test_conf_t  *tcf = conf;

    u_char     *p;
    ssize_t     size;
    ngx_str_t  *value, name, s;

    value = cf->args->elts;

    p = (u_char *) ngx_strchr(value[1].data, ':');
    if (p == NULL) {
        return "needs NAME:SIZE";
    }

    name.data = value[1].data;
    name.len = p - name.data;
    s.data = p + 1;
    s.len = value[1].data + value[1].len - s.data;

    size = ngx_parse_size(&s);
    if (size == NGX_ERROR) {
        return "has an invalid size";
    }

    tcf->zone = ngx_k8s_sa_zone_add(cf, &name, size, cmd);

    return tcf->zone ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_k8s_sa_shared_test_issuer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_k8s_sa_shared_test_conf_t  *tcf = conf;

    ngx_str_t                              *value;
    ngx_uint_t                              i;
    ngx_http_k8s_sa_shared_test_issuer_t   *issuer, **p;

    if (tcf->zone == NULL) {
        return "needs a zone before it";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        issuer = ngx_pcalloc(cf->pool,
                             sizeof(ngx_http_k8s_sa_shared_test_issuer_t));
        p = ngx_array_push(&tcf->issuers);

        if (issuer == NULL || p == NULL) {
            return NGX_CONF_ERROR;
        }

        *p = issuer;

        issuer->name = value[i];
        SHA256(value[i].data, value[i].len, issuer->ref.digest);

        if (ngx_k8s_sa_keystore_register(tcf->zone, &issuer->ref) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_k8s_sa_shared_test_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_k8s_sa_shared_test_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_k8s_sa_shared_test_init_process(ngx_cycle_t *cycle)
{
    ngx_http_k8s_sa_shared_test_conf_t  *tcf;

    if (ngx_process != NGX_PROCESS_WORKER) {
        return NGX_OK;
    }

    tcf = ngx_http_cycle_get_module_main_conf(cycle,
                                           ngx_http_k8s_sa_shared_test_module);

    return ngx_k8s_sa_zone_start(tcf->zone);
}


static ngx_int_t
ngx_http_k8s_sa_shared_test_handler(ngx_http_request_t *r)
{
    ngx_int_t                              rc, after;
    ngx_str_t                              op, name;
    ngx_buf_t                             *b;
    ngx_uint_t                             i;
    ngx_chain_t                            out;
    ngx_http_k8s_sa_shared_test_t          t;
    ngx_http_k8s_sa_shared_test_op_t      *ops;
    ngx_http_k8s_sa_shared_test_conf_t    *tcf;
    ngx_http_k8s_sa_shared_test_issuer_t **issuers;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    tcf = ngx_http_get_module_main_conf(r, ngx_http_k8s_sa_shared_test_module);

    ngx_memzero(&t, sizeof(ngx_http_k8s_sa_shared_test_t));

    t.request = r;
    t.zone = tcf->zone;

    if (ngx_http_arg(r, (u_char *) "issuer", 6, &name) == NGX_OK) {
        issuers = tcf->issuers.elts;

        for (i = 0; i < tcf->issuers.nelts; i++) {
            if (issuers[i]->name.len == name.len
                && ngx_memcmp(issuers[i]->name.data, name.data, name.len) == 0)
            {
                t.ref = &issuers[i]->ref;
            }
        }

        if (t.ref == NULL) {
            return NGX_HTTP_NOT_FOUND;
        }
    }

    b = ngx_create_temp_buf(r->pool, 65536);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    t.out = b;

    ngx_http_k8s_sa_shared_test_print(&t, "pid=%P", ngx_pid);

    if (ngx_http_arg(r, (u_char *) "op", 2, &op) != NGX_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    for (ops = ngx_http_k8s_sa_shared_test_ops; ops->run; ops++) {
        if (ops->name.len == op.len
            && ngx_memcmp(ops->name.data, op.data, op.len) == 0)
        {
            break;
        }
    }

    if (ops->run == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    /* keeps this worker busy while others continue */

    after = ngx_http_k8s_sa_shared_test_number(&t, "after", 0);

    if (after) {
        ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                      "busy for %i ms", after);
        ngx_msleep(after);
    }

    rc = ops->run(&t);

    ngx_http_k8s_sa_shared_test_print(&t, " rc=%s\n",
                                      rc == NGX_OK ? "ok"
                                      : rc == NGX_DECLINED ? "declined"
                                      : rc == NGX_BUSY ? "busy"
                                      : rc == NGX_ERROR ? "error"
                                      : "unknown");

    b->last_buf = 1;
    b->last_in_chain = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


void
ngx_http_k8s_sa_shared_test_print(ngx_http_k8s_sa_shared_test_t *t,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    t->out->last = ngx_vslprintf(t->out->last, t->out->end, fmt, args);
    va_end(args);
}


ngx_int_t
ngx_http_k8s_sa_shared_test_number(ngx_http_k8s_sa_shared_test_t *t,
    const char *name, ngx_int_t fallback)
{
    ngx_int_t  n;
    ngx_str_t  value;

    if (ngx_http_arg(t->request, (u_char *) name, ngx_strlen(name), &value)
        != NGX_OK)
    {
        return fallback;
    }

    n = ngx_atoi(value.data, value.len);

    return n == NGX_ERROR ? fallback : n;
}


ngx_str_t
ngx_http_k8s_sa_shared_test_string(ngx_http_k8s_sa_shared_test_t *t,
    const char *name)
{
    u_char     *src, *dst;
    ngx_str_t   value, text;

    ngx_str_null(&text);

    if (ngx_http_arg(t->request, (u_char *) name, ngx_strlen(name), &value)
        != NGX_OK)
    {
        return text;
    }

    text.data = ngx_pnalloc(t->request->pool, value.len + 1);
    if (text.data == NULL) {
        return text;
    }

    src = value.data;
    dst = text.data;

    ngx_unescape_uri(&dst, &src, value.len, 0);

    text.len = dst - text.data;

    return text;
}


void
ngx_http_k8s_sa_shared_test_fill(u_char *data, size_t len, uint32_t seed)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        seed = seed * 1103515245 + 12345;
        data[i] = (u_char) (seed >> 16);
    }
}


static void
ngx_http_k8s_sa_shared_test_fingerprint(ngx_http_k8s_sa_shared_test_t *t,
    ngx_str_t *name, u_char *fingerprint)
{
    u_char  digest[SHA256_DIGEST_LENGTH];

    SHA256(name->data ? name->data : (u_char *) "", name->len, digest);
    ngx_memcpy(fingerprint, digest, K8S_SA_FINGERPRINT_LEN);

    /* fingerprints that differ only in their last byte */

    fingerprint[K8S_SA_FINGERPRINT_LEN - 1] ^=
        (u_char) ngx_http_k8s_sa_shared_test_number(t, "tail", 0);
}


/*
 * Inserts "token", which is its own "user" by default; with "to" tokens whose
 * names end in "from" to "to".
 */

static ngx_int_t
ngx_http_k8s_sa_shared_test_insert(ngx_http_k8s_sa_shared_test_t *t)
{
    time_t                    now;
    u_char                    fingerprint[K8S_SA_FINGERPRINT_LEN];
    ngx_int_t                 i, to, evictions, rc;
    ngx_str_t                 name, user, numbered;
    ngx_k8s_sa_cache_entry_t  e;

    name = ngx_http_k8s_sa_shared_test_string(t, "token");
    user = ngx_http_k8s_sa_shared_test_string(t, "user");
    to = ngx_http_k8s_sa_shared_test_number(t, "to", -1);
    evictions = ngx_http_k8s_sa_shared_test_number(t, "evictions",
                                                   NGX_MAX_INT_T_VALUE);

    now = ngx_time() + ngx_http_k8s_sa_shared_test_number(t, "later", 0);

    ngx_memzero(&e, sizeof(ngx_k8s_sa_cache_entry_t));

    e.kind = ngx_http_k8s_sa_shared_test_number(t, "kind", 0);
    e.verdict = ngx_http_k8s_sa_shared_test_number(t, "verdict", 0);
    e.fresh = now + 1;
    e.expires = now + ngx_http_k8s_sa_shared_test_number(t, "ttl", 600);
    e.len = ngx_http_k8s_sa_shared_test_number(t, "len", 237);

    e.data = ngx_pnalloc(t->request->pool, e.len + 1);
    numbered.data = ngx_pnalloc(t->request->pool, name.len + NGX_INT_T_LEN);
    if (e.data == NULL || numbered.data == NULL) {
        return NGX_ERROR;
    }

    i = ngx_http_k8s_sa_shared_test_number(t, "from", 1);
    rc = NGX_OK;

    do {
        numbered.len = ngx_sprintf(numbered.data, to == -1 ? "%V" : "%V%i",
                                   &name, i)
                       - numbered.data;

        ngx_http_k8s_sa_shared_test_fingerprint(t, &numbered, fingerprint);

        e.user.len = user.len ? user.len : numbered.len;
        e.user.data = user.len ? user.data : numbered.data;

        ngx_memset(e.key_id, fingerprint[1], sizeof(e.key_id));
        ngx_http_k8s_sa_shared_test_fill(e.data, e.len, fingerprint[0]);

        if (ngx_k8s_sa_cache_insert(t->zone, fingerprint, now, &e) != NGX_OK) {
            rc = NGX_DECLINED;
        }

    } while (++i <= to && t->zone->sh->evictions < (ngx_uint_t) evictions);

    ngx_http_k8s_sa_shared_test_print(t, " next=%i", i);

    return rc;
}


static ngx_int_t
ngx_http_k8s_sa_shared_test_lookup(ngx_http_k8s_sa_shared_test_t *t)
{
    size_t                    size;
    time_t                    now;
    u_char                   *buf, *want;
    u_char                    fingerprint[K8S_SA_FINGERPRINT_LEN];
    u_char                    key_id[K8S_SA_KEY_ID_LEN];
    ngx_int_t                 rc;
    ngx_str_t                 name;
    ngx_k8s_sa_cache_entry_t  e;

    name = ngx_http_k8s_sa_shared_test_string(t, "token");

    ngx_http_k8s_sa_shared_test_fingerprint(t, &name, fingerprint);

    now = ngx_time() + ngx_http_k8s_sa_shared_test_number(t, "later", 0);
    size = ngx_http_k8s_sa_shared_test_number(t, "size",
                                              NGX_K8S_SA_CACHE_DATA_MAX);

    buf = ngx_pnalloc(t->request->pool, NGX_K8S_SA_CACHE_DATA_MAX);
    want = ngx_pnalloc(t->request->pool, NGX_K8S_SA_CACHE_DATA_MAX);
    if (buf == NULL || want == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_k8s_sa_cache_lookup(t->zone, fingerprint, now, &e, buf, size);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_k8s_sa_shared_test_fill(want, e.len, fingerprint[0]);
    ngx_memset(key_id, fingerprint[1], sizeof(key_id));

    ngx_http_k8s_sa_shared_test_print(t,
        " kind=%ui verdict=%ui fresh=%T ttl=%T len=%uz data=%s",
        (ngx_uint_t) e.kind, e.verdict, (time_t) e.fresh - now,
        (time_t) e.expires - now, e.len,
        ngx_memcmp(want, e.data, e.len) == 0
        && ngx_memcmp(key_id, e.key_id, sizeof(key_id)) == 0 ? "right"
                                                             : "WRONG");

    return NGX_OK;
}


/* Counts the tokens that are there, of those named as for insert. */

static ngx_int_t
ngx_http_k8s_sa_shared_test_known(ngx_http_k8s_sa_shared_test_t *t)
{
    u_char                   *buf, fingerprint[K8S_SA_FINGERPRINT_LEN];
    ngx_int_t                 i, to, n;
    ngx_str_t                 name, numbered;
    ngx_k8s_sa_cache_entry_t  e;

    name = ngx_http_k8s_sa_shared_test_string(t, "token");
    to = ngx_http_k8s_sa_shared_test_number(t, "to", 1);
    n = 0;

    buf = ngx_pnalloc(t->request->pool, NGX_K8S_SA_CACHE_DATA_MAX);
    numbered.data = ngx_pnalloc(t->request->pool, name.len + NGX_INT_T_LEN);
    if (buf == NULL || numbered.data == NULL) {
        return NGX_ERROR;
    }

    for (i = ngx_http_k8s_sa_shared_test_number(t, "from", 1); i <= to; i++) {
        numbered.len = ngx_sprintf(numbered.data, "%V%i", &name, i)
                       - numbered.data;

        ngx_http_k8s_sa_shared_test_fingerprint(t, &numbered, fingerprint);

        if (ngx_k8s_sa_cache_lookup(t->zone, fingerprint, ngx_time(), &e, buf,
                                    NGX_K8S_SA_CACHE_DATA_MAX)
            == NGX_OK)
        {
            n++;
        }
    }

    ngx_http_k8s_sa_shared_test_print(t, " known=%i", n);

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_shared_test_delete(ngx_http_k8s_sa_shared_test_t *t)
{
    u_char     fingerprint[K8S_SA_FINGERPRINT_LEN];
    ngx_str_t  name;

    name = ngx_http_k8s_sa_shared_test_string(t, "token");

    ngx_http_k8s_sa_shared_test_fingerprint(t, &name, fingerprint);

    ngx_k8s_sa_cache_delete(t->zone, fingerprint);

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_shared_test_stat(ngx_http_k8s_sa_shared_test_t *t)
{
    ngx_k8s_sa_zone_stat_t  stat;

    ngx_k8s_sa_zone_stat(t->zone, &stat);

    ngx_http_k8s_sa_shared_test_print(t,
        " size=%uz room=%uz used=%uz tokens=%ui tokens_used=%uz refusals=%ui"
        " refusals_used=%uz grants=%ui grants_used=%uz denials=%ui"
        " denials_used=%uz evictions=%ui recoveries=%ui",
        stat.size, stat.room, stat.used, stat.tokens, stat.tokens_used,
        stat.refusals, stat.refusals_used, stat.grants, stat.grants_used,
        stat.denials, stat.denials_used, stat.evictions, stat.recoveries);

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_shared_test_state(ngx_http_k8s_sa_shared_test_t *t)
{
    ngx_int_t               rc;
    ngx_str_t               error;
    ngx_k8s_sa_key_state_t  s;

    rc = ngx_k8s_sa_keystore_state(t->zone, t->ref, &s);
    if (rc != NGX_OK) {
        return rc;
    }

    error.data = s.error;
    error.len = s.error_len;

    ngx_http_k8s_sa_shared_test_print(t,
        " generation=%ui events=%ui keys=%uz fetched=%T age=%M refresh=%i"
        " owner=%P failures=%ui failed=%T error=[%V]",
        s.generation, s.events, s.keys_len,
        s.fetched ? ngx_time() - s.fetched : -1,
        ngx_current_msec - s.fetched_msec,
        s.refresh_set ? (ngx_int_t) (s.refresh_msec - ngx_current_msec) : -1,
        s.lease_owner, s.failures, s.failed ? ngx_time() - s.failed : -1,
        &error);

    if (s.generation != ngx_k8s_sa_keystore_generation(t->ref)
        || s.events != ngx_k8s_sa_keystore_events(t->ref))
    {
        ngx_http_k8s_sa_shared_test_print(t, " MOVED");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_shared_test_store(ngx_http_k8s_sa_shared_test_t *t)
{
    ngx_int_t          rc;
    ngx_k8s_sa_keys_t  keys;

    ngx_memzero(&keys, sizeof(ngx_k8s_sa_keys_t));

    keys.issuer = ngx_http_k8s_sa_shared_test_string(t, "iss");
    keys.keys.len = ngx_http_k8s_sa_shared_test_number(t, "len", 1000);
    keys.keys.data = ngx_alloc(keys.keys.len + 1, t->request->connection->log);

    if (keys.keys.data == NULL) {
        return NGX_ERROR;
    }

    ngx_http_k8s_sa_shared_test_fill(keys.keys.data, keys.keys.len,
                        ngx_http_k8s_sa_shared_test_number(t, "seed", 0));

    if (ngx_http_k8s_sa_shared_test_number(t, "age", 0)) {
        keys.fetched = ngx_time()
                       - ngx_http_k8s_sa_shared_test_number(t, "age", 0);
    }

    rc = ngx_k8s_sa_keystore_store(t->zone, t->ref, &keys,
               ngx_http_k8s_sa_shared_test_number(t, "refresh", 600000));

    ngx_free(keys.keys.data);

    return rc;
}


static ngx_int_t
ngx_http_k8s_sa_shared_test_load(ngx_http_k8s_sa_shared_test_t *t)
{
    u_char             *want;
    ngx_int_t           rc;
    ngx_k8s_sa_keys_t   keys;

    rc = ngx_k8s_sa_keystore_load(t->zone, t->ref, &keys,
                                  t->request->connection->log);

    ngx_http_k8s_sa_shared_test_print(t, " generation=%ui", keys.generation);

    if (rc != NGX_OK) {
        return rc;
    }

    want = ngx_alloc(keys.keys.len, t->request->connection->log);
    if (want == NULL) {
        ngx_free(keys.keys.data);
        return NGX_ERROR;
    }

    ngx_http_k8s_sa_shared_test_fill(want, keys.keys.len,
                        ngx_http_k8s_sa_shared_test_number(t, "seed", 0));

    ngx_http_k8s_sa_shared_test_print(t, " len=%uz issuer=[%V] data=%s",
        keys.keys.len, &keys.issuer,
        ngx_memcmp(want, keys.keys.data, keys.keys.len) == 0 ? "right"
                                                             : "WRONG");
    ngx_free(want);
    ngx_free(keys.keys.data);

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_shared_test_lease(ngx_http_k8s_sa_shared_test_t *t)
{
    return ngx_http_k8s_sa_shared_test_wait(t, ngx_k8s_sa_keystore_lease,
                                            5000);
}


/* Prints for how long another worker has what this one wants. */

static ngx_int_t
ngx_http_k8s_sa_shared_test_wait(ngx_http_k8s_sa_shared_test_t *t,
    ngx_http_k8s_sa_shared_test_wait_pt run, ngx_msec_t fallback)
{
    ngx_int_t   rc;
    ngx_msec_t  wait;

    wait = 0;

    rc = run(t->zone, t->ref,
             ngx_http_k8s_sa_shared_test_number(t, "msec", fallback), &wait);

    ngx_http_k8s_sa_shared_test_print(t, " wait=%M", wait);

    return rc;
}


static ngx_int_t
ngx_http_k8s_sa_shared_test_release(ngx_http_k8s_sa_shared_test_t *t)
{
    ngx_k8s_sa_keystore_release(t->zone, t->ref);

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_shared_test_fail(ngx_http_k8s_sa_shared_test_t *t)
{
    ngx_str_t  text;

    text = ngx_http_k8s_sa_shared_test_string(t, "text");

    return ngx_k8s_sa_keystore_fail(t->zone, t->ref, text.data, text.len,
                       ngx_http_k8s_sa_shared_test_number(t, "retry", 1000));
}


static ngx_int_t
ngx_http_k8s_sa_shared_test_force(ngx_http_k8s_sa_shared_test_t *t)
{
    return ngx_http_k8s_sa_shared_test_wait(t, ngx_k8s_sa_keystore_force,
                                            10000);
}
