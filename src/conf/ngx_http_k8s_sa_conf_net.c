/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_net.h"
#include "conf/ngx_http_k8s_sa_conf_access.h"
#include "conf/ngx_http_k8s_sa_conf_digest.h"
#include "conf/ngx_http_k8s_sa_conf_url.h"
#include "issuer/ngx_k8s_sa_access_review.h"
#include "issuer/ngx_k8s_sa_review_token.h"
#include "token/k8s_sa_discovery.h"
#include "token/k8s_sa_token_review.h"


#define NGX_HTTP_K8S_SA_MOUNT  "/var/run/secrets/kubernetes.io/serviceaccount"


static ngx_int_t ngx_http_k8s_sa_conf_net_in_cluster(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block);
static ngx_int_t ngx_http_k8s_sa_conf_net_discovery(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block);
static ngx_int_t ngx_http_k8s_sa_conf_net_token_review(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block);
static ngx_int_t ngx_http_k8s_sa_conf_net_audiences(ngx_conf_t *cf,
    ngx_k8s_sa_issuer_t *issuer);
static void ngx_http_k8s_sa_conf_net_debug(ngx_conf_t *cf,
    ngx_k8s_sa_issuer_t *issuer);
static ngx_k8s_sa_client_t *ngx_http_k8s_sa_conf_net_client(ngx_conf_t *cf,
    ngx_http_k8s_sa_named_issuer_t *named);
static ngx_int_t ngx_http_k8s_sa_conf_net_token_file(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block, ngx_uint_t in_cluster);
static ngx_int_t ngx_http_k8s_sa_conf_net_state_path(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block);


char *
ngx_http_k8s_sa_conf_net(ngx_conf_t *cf, ngx_http_k8s_sa_conf_block_t *block)
{
    ngx_uint_t                 in_cluster;
    ngx_k8s_sa_issuer_t       *issuer;
    ngx_k8s_sa_client_conf_t  *client;

    issuer = block->issuer;
    client = &block->named->client;

    ngx_conf_init_msec_value(block->refresh, 600000);
    ngx_conf_init_msec_value(block->stale, 86400000);
    ngx_conf_init_msec_value(block->timeout, 5000);
    ngx_conf_init_value(block->ssl_verify, 1);

    if (block->timeout == 0 || block->refresh == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"timeout\" and \"refresh\" must be greater than "
                           "0 in issuer \"%V\"", &issuer->name);
        return NGX_CONF_ERROR;
    }

    if (block->stale == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"stale\" must be greater than 0 in issuer "
                           "\"%V\"", &issuer->name);
        return NGX_CONF_ERROR;
    }

    /* "refresh" is an upper bound: keys must not expire between two fetches */

    block->refresh = ngx_min(block->refresh, (block->stale + 1) / 2);

    issuer->refresh = block->refresh;
    issuer->stale = block->stale;
    issuer->timeout = block->timeout;

    in_cluster = block->api_server.len
                 && ngx_strcmp(block->api_server.data, "in_cluster") == 0;

    if (in_cluster
        && ngx_http_k8s_sa_conf_net_in_cluster(cf, block) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (block->discovery.data
        && ngx_http_k8s_sa_conf_net_discovery(cf, block) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (block->jwks_uri.len
        && ngx_http_k8s_sa_conf_url(cf, "jwks_uri", &block->jwks_uri,
                                    NULL, &issuer->jwks_uri)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_k8s_sa_conf_net_token_review(cf, block) != NGX_OK
        || ngx_http_k8s_sa_conf_access(cf, block) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (block->token_file.len
        && ngx_http_k8s_sa_conf_net_token_file(cf, block, in_cluster)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (block->state_path.len
        && ngx_http_k8s_sa_conf_net_state_path(cf, block) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    issuer->private_ca = block->ssl_trusted_certificate.len != 0;

    client->timeout = block->timeout;
    client->max_body = K8S_SA_DOCUMENT_MAX;
    client->max_idle = 1;
    client->ssl_name = block->ssl_name;
    client->ssl_trusted = block->ssl_trusted_certificate;
    client->ssl_certificate = block->ssl_certificate;
    client->ssl_certificate_key = block->ssl_certificate_key;
    client->ssl_no_verify = !block->ssl_verify;

    return NGX_CONF_OK;
}


/* like rest.InClusterConfig() of Kubernetes' client-go */

static ngx_int_t
ngx_http_k8s_sa_conf_net_in_cluster(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block)
{
    char    *host, *port;
    u_char  *p;
    size_t   len;

    host = getenv("KUBERNETES_SERVICE_HOST");
    port = getenv("KUBERNETES_SERVICE_PORT");

    if (host == NULL || port == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"api_server in_cluster\" in issuer \"%V\": "
                           "KUBERNETES_SERVICE_HOST and "
                           "KUBERNETES_SERVICE_PORT must be set in the "
                           "environment", &block->issuer->name);
        return NGX_ERROR;
    }

    len = sizeof("https://[]:") + ngx_strlen(host) + ngx_strlen(port);

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    block->api_server.data = p;

    if (ngx_strchr(host, ':')) {
        p = ngx_sprintf(p, "https://[%s]:%s%Z", host, port);
    } else {
        p = ngx_sprintf(p, "https://%s:%s%Z", host, port);
    }

    block->api_server.len = p - block->api_server.data - 1;

    if (block->ssl_trusted_certificate.len == 0) {
        ngx_str_set(&block->ssl_trusted_certificate,
                    NGX_HTTP_K8S_SA_MOUNT "/ca.crt");
    }

    if (block->token_file.len == 0) {
        ngx_str_set(&block->token_file, NGX_HTTP_K8S_SA_MOUNT "/token");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_conf_net_discovery(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block)
{
    ngx_str_t      base;
    k8s_sa_str_t  *iss;

    /* OpenID Connect Discovery 1.0 section 4 */

    static const char  path[] = "/.well-known/openid-configuration";

    if (block->discovery.len) {
        return ngx_http_k8s_sa_conf_url(cf, "discovery", &block->discovery,
                                        NULL, &block->issuer->discovery);
    }

    if (block->api_server.len) {
        return ngx_http_k8s_sa_conf_url(cf, "api_server",
                                        &block->api_server, path,
                                        &block->issuer->discovery);
    }

    if (block->issuer->issuers.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"discovery\" in issuer \"%V\" needs a URL, "
                           "\"api_server\" or \"issuer\"",
                           &block->issuer->name);
        return NGX_ERROR;
    }

    iss = block->issuer->issuers.elts;

    base.data = iss[0].data;
    base.len = iss[0].len;

    return ngx_http_k8s_sa_conf_url(cf, "issuer", &base, path,
                                    &block->issuer->discovery);
}


static ngx_int_t
ngx_http_k8s_sa_conf_net_token_review(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block)
{
    ngx_k8s_sa_reviews_t  *reviews;

    if (block->token_review.data == NULL) {

        if (block->review_cache.allowed == NGX_CONF_UNSET_MSEC) {
            return NGX_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"token_review_cache\" in issuer \"%V\" needs "
                           "\"token_review\"", &block->issuer->name);
        return NGX_ERROR;
    }

    if (ngx_http_k8s_sa_conf_net_audiences(cf, block->issuer) != NGX_OK) {
        return NGX_ERROR;
    }

    reviews = ngx_pcalloc(cf->pool, sizeof(ngx_k8s_sa_reviews_t));
    if (reviews == NULL) {
        return NGX_ERROR;
    }

    ngx_conf_init_msec_value(block->review_cache.allowed, 10000);
    ngx_conf_init_msec_value(block->review_cache.denied, 2000);
    ngx_conf_init_msec_value(block->review_cache.stale, 0);

    reviews->kind = &ngx_k8s_sa_token_review;
    reviews->issuer = block->issuer;
    reviews->cache = block->review_cache.allowed;
    reviews->failed = block->review_cache.denied;
    reviews->stale = block->review_cache.stale;

    block->issuer->reviews = reviews;

    return ngx_http_k8s_sa_conf_api_url(cf, block, "token_review",
                                        &block->token_review,
                                        K8S_SA_REVIEW_PATH, &reviews->url);
}


/* a TokenReview is JSON: it cannot hold an audience that is not UTF-8 */

static ngx_int_t
ngx_http_k8s_sa_conf_net_audiences(ngx_conf_t *cf, ngx_k8s_sa_issuer_t *issuer)
{
    char          *body;
    size_t         i, len;
    k8s_sa_str_t   token, *audience;

    token.data = (u_char *) "token";
    token.len = sizeof("token") - 1;

    audience = issuer->audiences.elts;

    for (i = 0; i < issuer->audiences.nelts; i++) {

        body = k8s_sa_token_review_request(&token, &audience[i], 1, &len);

        if (body == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "audience \"%*s\" in issuer \"%V\" is not "
                               "UTF-8",
                               audience[i].len, audience[i].data,
                               &issuer->name);
            return NGX_ERROR;
        }

        free(body);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_conf_net_token_file(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block, ngx_uint_t in_cluster)
{
    ngx_str_t                      path;
    k8s_sa_error_t                 err;
    ngx_k8s_sa_url_t              *url;
    ngx_k8s_sa_watch_t           **watch;
    ngx_k8s_sa_token_file_t       *tf;
    ngx_http_k8s_sa_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);

    path = block->token_file;

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    tf = ngx_palloc(cf->pool, sizeof(ngx_k8s_sa_token_file_t));
    if (tf == NULL) {
        return NGX_ERROR;
    }

    if (ngx_k8s_sa_token_file_init(tf, cf->pool, &path, &err) != NGX_OK) {

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"token_file\" \"%V\": %s%s", &path, err.text,
                           in_cluster ? " (is automountServiceAccountToken "
                                        "off?)" : "");
        return NGX_ERROR;
    }

    watch = ngx_array_push(&mcf->watches);
    if (watch == NULL) {
        return NGX_ERROR;
    }

    *watch = &tf->watch;
    block->issuer->token_file = tf;

    url = block->issuer->discovery.text.len ? &block->issuer->discovery
                                          : &block->issuer->jwks_uri;

    if (url->text.len && !(url->ssl && block->ssl_verify)) {

        /* the server will probably answer 401 or 403 */

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"token_file\" of issuer \"%V\" is not sent to "
                           "\"%V\": it is sent over verified TLS only",
                           &block->issuer->name, &url->text);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_conf_net_state_path(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block)
{
    u_char      *p;
    ngx_str_t   *file;
    ngx_path_t  *path;

    /* nginx creates the directory, owned by the workers' user */

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NGX_ERROR;
    }

    path->name = block->state_path;

    if (path->name.data[path->name.len - 1] == '/') {
        path->name.len--;
    }

    if (ngx_conf_full_name(cf->cycle, &path->name, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    if (ngx_add_path(cf, &path) != NGX_OK) {
        return NGX_ERROR;
    }

    file = &block->issuer->state_file;

    file->len = path->name.len + block->issuer->name.len
                + sizeof("/.json") - 1;
    file->data = ngx_pnalloc(cf->pool, file->len + 1);
    if (file->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(file->data, "%V/%V.json", &path->name,
                    &block->issuer->name);
    *p = '\0';

    return NGX_OK;
}


ngx_int_t
ngx_http_k8s_sa_conf_net_complete(ngx_conf_t *cf,
    ngx_http_k8s_sa_named_issuer_t *named)
{
    ngx_k8s_sa_issuer_t          *issuer;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_k8s_sa_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);
    issuer = named->issuer;

    if (ngx_http_k8s_sa_conf_digest_issuer(named) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_k8s_sa_conf_net_debug(cf, issuer);

    issuer->zone = mcf->zone;

    if (ngx_k8s_sa_keystore_register(mcf->zone, &issuer->ref) != NGX_OK) {
        return NGX_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    named->client.resolver = clcf->resolver;

    if (clcf->resolver_timeout != NGX_CONF_UNSET_MSEC) {
        named->client.resolver_timeout = clcf->resolver_timeout;
    }

    if (issuer->reviews) {

        /* a kept connection for each of the reviews that run at once */

        named->client.max_idle = NGX_K8S_SA_REVIEW_RUNNING;
    }

    if (issuer->access) {
        named->client.max_idle += NGX_K8S_SA_REVIEW_RUNNING;
    }

    if (issuer->reviews || issuer->access
        || ngx_k8s_sa_issuer_fetches(issuer))
    {
        issuer->client = ngx_http_k8s_sa_conf_net_client(cf, named);

        if (issuer->client == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_k8s_sa_conf_net_debug(ngx_conf_t *cf, ngx_k8s_sa_issuer_t *issuer)
{
#if (NGX_DEBUG)
    size_t  len;
    u_char  source[8], all[8];

    static ngx_str_t  none = ngx_string("");

    /* enough to see which of them a reload has changed */

    len = ngx_hex_dump(source, issuer->ref.digest, 4) - source;
    ngx_hex_dump(all, issuer->digest, 4);

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "k8s_sa issuer \"%V\": digest %*s, with all rules %*s",
                   &issuer->name, len, source, len, all);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "k8s_sa issuer \"%V\": document \"%V\", keys \"%V\", "
                   "reviews \"%V\"",
                   &issuer->name, &issuer->discovery.text,
                   &issuer->jwks_uri.text,
                   issuer->reviews ? &issuer->reviews->url.text : &none);
#endif
}


/* messages about TLS files name the line of the issuer's block */

static ngx_k8s_sa_client_t *
ngx_http_k8s_sa_conf_net_client(ngx_conf_t *cf,
    ngx_http_k8s_sa_named_issuer_t *named)
{
    ngx_conf_file_t      *save, file;
    ngx_k8s_sa_client_t  *client;

    save = cf->conf_file;
    file = *save;
    file.file.name.data = named->file;
    file.file.name.len = ngx_strlen(named->file);
    file.line = named->line;
    cf->conf_file = &file;

    client = ngx_k8s_sa_client_create(cf, &named->client);

    cf->conf_file = save;

    return client;
}
