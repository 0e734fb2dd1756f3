/* SPDX-License-Identifier: BSD-2-Clause */

#include "conf/ngx_http_k8s_sa_conf_issuer.h"
#include "issuer/ngx_k8s_sa_review.h"
#include "token/k8s_sa_discovery.h"
#include "token/k8s_sa_token_review.h"


#define NGX_HTTP_K8S_SA_MOUNT  "/var/run/secrets/kubernetes.io/serviceaccount"


static ngx_int_t ngx_http_k8s_sa_in_cluster(ngx_conf_t *cf,
    ngx_http_k8s_sa_issuer_conf_t *icf);
static ngx_int_t ngx_http_k8s_sa_discovery(ngx_conf_t *cf,
    ngx_http_k8s_sa_issuer_conf_t *icf);
static ngx_int_t ngx_http_k8s_sa_token_review(ngx_conf_t *cf,
    ngx_http_k8s_sa_issuer_conf_t *icf);
static ngx_int_t ngx_http_k8s_sa_audiences(ngx_conf_t *cf,
    ngx_k8s_sa_issuer_t *issuer);
static ngx_k8s_sa_client_t *ngx_http_k8s_sa_client(ngx_conf_t *cf,
    ngx_http_k8s_sa_named_issuer_t *ref, ngx_k8s_sa_client_conf_t *conf);
static ngx_int_t ngx_http_k8s_sa_url(ngx_conf_t *cf, const char *directive,
    ngx_str_t *text, const char *path, ngx_k8s_sa_url_t *url);
static ngx_int_t ngx_http_k8s_sa_own_token(ngx_conf_t *cf,
    ngx_http_k8s_sa_issuer_conf_t *icf, ngx_uint_t in_cluster);
static ngx_int_t ngx_http_k8s_sa_state_path(ngx_conf_t *cf,
    ngx_http_k8s_sa_issuer_conf_t *icf);


char *
ngx_http_k8s_sa_conf_net(ngx_conf_t *cf, ngx_http_k8s_sa_issuer_conf_t *icf)
{
    ngx_uint_t                 in_cluster;
    ngx_k8s_sa_issuer_t       *issuer;
    ngx_k8s_sa_client_conf_t  *client;

    issuer = icf->issuer;
    client = &icf->ref->client;

    ngx_conf_init_msec_value(icf->refresh, 600000);
    ngx_conf_init_msec_value(icf->stale, 86400000);
    ngx_conf_init_msec_value(icf->timeout, 5000);
    ngx_conf_init_value(icf->ssl_verify, 1);

    if (icf->timeout == 0 || icf->refresh == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"timeout\" and \"refresh\" must be greater than "
                           "0 in issuer \"%V\"", &issuer->name);
        return NGX_CONF_ERROR;
    }

    if (icf->stale == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"stale\" must be greater than 0 in issuer "
                           "\"%V\"", &issuer->name);
        return NGX_CONF_ERROR;
    }

    /* "refresh" is an upper bound: between two fetches keys must serve */

    icf->refresh = ngx_min(icf->refresh, (icf->stale + 1) / 2);

    issuer->refresh = icf->refresh;
    issuer->stale = icf->stale;
    issuer->timeout = icf->timeout;

    in_cluster = icf->api_server.len
                 && ngx_strcmp(icf->api_server.data, "in_cluster") == 0;

    if (in_cluster && ngx_http_k8s_sa_in_cluster(cf, icf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (icf->discovery.data && ngx_http_k8s_sa_discovery(cf, icf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (icf->jwks_uri.len
        && ngx_http_k8s_sa_url(cf, "jwks_uri", &icf->jwks_uri, NULL,
                               &issuer->jwks_uri)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_k8s_sa_token_review(cf, icf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (icf->token_file.len
        && ngx_http_k8s_sa_own_token(cf, icf, in_cluster) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (icf->state_path.len && ngx_http_k8s_sa_state_path(cf, icf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    issuer->private_ca = icf->ssl_trusted_certificate.len != 0;

    client->timeout = icf->timeout;
    client->max_body = K8S_SA_DOCUMENT_MAX;
    client->max_idle = 1;
    client->ssl_name = icf->ssl_name;
    client->ssl_trusted = icf->ssl_trusted_certificate;
    client->ssl_certificate = icf->ssl_certificate;
    client->ssl_certificate_key = icf->ssl_certificate_key;
    client->ssl_no_verify = !icf->ssl_verify;

    return NGX_CONF_OK;
}


/* as client-go's rest.InClusterConfig() */

static ngx_int_t
ngx_http_k8s_sa_in_cluster(ngx_conf_t *cf, ngx_http_k8s_sa_issuer_conf_t *icf)
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
                           "KUBERNETES_SERVICE_PORT are not in the "
                           "environment", &icf->issuer->name);
        return NGX_ERROR;
    }

    len = sizeof("https://[]:") + ngx_strlen(host) + ngx_strlen(port);

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    icf->api_server.data = p;

    if (ngx_strchr(host, ':')) {
        p = ngx_sprintf(p, "https://[%s]:%s%Z", host, port);
    } else {
        p = ngx_sprintf(p, "https://%s:%s%Z", host, port);
    }

    icf->api_server.len = p - icf->api_server.data - 1;

    if (icf->ssl_trusted_certificate.len == 0) {
        ngx_str_set(&icf->ssl_trusted_certificate,
                    NGX_HTTP_K8S_SA_MOUNT "/ca.crt");
    }

    if (icf->token_file.len == 0) {
        ngx_str_set(&icf->token_file, NGX_HTTP_K8S_SA_MOUNT "/token");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_discovery(ngx_conf_t *cf, ngx_http_k8s_sa_issuer_conf_t *icf)
{
    ngx_str_t      base;
    k8s_sa_str_t  *iss;

    /* OpenID Connect Discovery 1.0, section 4 */

    static const char  path[] = "/.well-known/openid-configuration";

    if (icf->discovery.len) {
        return ngx_http_k8s_sa_url(cf, "discovery", &icf->discovery, NULL,
                                   &icf->issuer->discovery);
    }

    if (icf->api_server.len) {
        return ngx_http_k8s_sa_url(cf, "api_server", &icf->api_server, path,
                                   &icf->issuer->discovery);
    }

    if (icf->issuer->issuers.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"discovery\" in issuer \"%V\" needs a URL, "
                           "\"api_server\" or \"issuer\"",
                           &icf->issuer->name);
        return NGX_ERROR;
    }

    iss = icf->issuer->issuers.elts;

    base.data = iss[0].data;
    base.len = iss[0].len;

    return ngx_http_k8s_sa_url(cf, "issuer", &base, path,
                               &icf->issuer->discovery);
}


static ngx_int_t
ngx_http_k8s_sa_token_review(ngx_conf_t *cf,
    ngx_http_k8s_sa_issuer_conf_t *icf)
{
    const char            *path;
    ngx_k8s_sa_reviews_t  *reviews;

    if (icf->token_review.data == NULL) {

        if (icf->review_cache == NGX_CONF_UNSET_MSEC) {
            return NGX_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"token_review_cache\" in issuer \"%V\" needs "
                           "\"token_review\"", &icf->issuer->name);
        return NGX_ERROR;
    }

    if (icf->token_review.len == 0 && icf->api_server.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"token_review\" in issuer \"%V\" needs a URL or "
                           "\"api_server\"", &icf->issuer->name);
        return NGX_ERROR;
    }

    if (ngx_http_k8s_sa_audiences(cf, icf->issuer) != NGX_OK) {
        return NGX_ERROR;
    }

    reviews = ngx_pcalloc(cf->pool, sizeof(ngx_k8s_sa_reviews_t));
    if (reviews == NULL) {
        return NGX_ERROR;
    }

    ngx_conf_init_msec_value(icf->review_cache, 10000);
    ngx_conf_init_msec_value(icf->review_failed, 2000);
    ngx_conf_init_msec_value(icf->review_stale, 0);

    reviews->cache = icf->review_cache;
    reviews->failed = icf->review_failed;
    reviews->stale = icf->review_stale;

    icf->issuer->reviews = reviews;

    path = K8S_SA_REVIEW_PATH;

    if (icf->token_review.len == 0) {
        return ngx_http_k8s_sa_url(cf, "api_server", &icf->api_server, path,
                                   &reviews->url);
    }

    if (ngx_http_k8s_sa_url(cf, "token_review", &icf->token_review, NULL,
                            &reviews->url)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (reviews->url.path.len > 1) {
        return NGX_OK;
    }

    return ngx_http_k8s_sa_url(cf, "token_review", &icf->token_review, path,
                               &reviews->url);
}


/* each must be able to stand in a request, which is JSON */

static ngx_int_t
ngx_http_k8s_sa_audiences(ngx_conf_t *cf, ngx_k8s_sa_issuer_t *issuer)
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
                               "audience \"%*s\" in issuer \"%V\" is not UTF-8",
                               audience[i].len, audience[i].data,
                               &issuer->name);
            return NGX_ERROR;
        }

        free(body);
    }

    return NGX_OK;
}


/* text, or path below it; only over TLS, or on this machine */

static ngx_int_t
ngx_http_k8s_sa_url(ngx_conf_t *cf, const char *directive, ngx_str_t *text,
    const char *path, ngx_k8s_sa_url_t *url)
{
    ngx_int_t          rc;
    ngx_str_t          tail;
    const char        *err;
    ngx_k8s_sa_url_t   base;

    rc = ngx_k8s_sa_url_parse(cf->pool, text, &base, &err);

    if (rc == NGX_OK && path) {
        tail.data = (u_char *) path;
        tail.len = ngx_strlen(path);

        rc = ngx_k8s_sa_url_join(cf->pool, &base, &tail, url, &err);

    } else if (rc == NGX_OK) {
        *url = base;
    }

    if (rc == NGX_OK && !url->ssl && !url->loopback) {
        err = "\"https\" is required unless the host is a loopback address";
        rc = NGX_DECLINED;
    }

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URL \"%V\" in \"%s\": %s",
                           text, directive, err);
    }

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_k8s_sa_own_token(ngx_conf_t *cf, ngx_http_k8s_sa_issuer_conf_t *icf,
    ngx_uint_t in_cluster)
{
    ngx_str_t                     path;
    k8s_sa_error_t                err;
    ngx_k8s_sa_url_t             *url;
    ngx_k8s_sa_watch_t          **watch;
    ngx_k8s_sa_token_file_t      *tf;
    ngx_http_k8s_sa_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);

    path = icf->token_file;

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
    icf->issuer->token_file = tf;

    url = icf->issuer->discovery.text.len ? &icf->issuer->discovery
                                          : &icf->issuer->jwks_uri;

    if (url->text.len && !(url->ssl && icf->ssl_verify)) {

        /* a 401 or 403 later on */

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"token_file\" of issuer \"%V\" is not sent to "
                           "\"%V\": only over verified TLS",
                           &icf->issuer->name, &url->text);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_state_path(ngx_conf_t *cf, ngx_http_k8s_sa_issuer_conf_t *icf)
{
    u_char      *p;
    ngx_str_t   *file;
    ngx_path_t  *path;

    /* nginx makes the directory, and gives it to the workers' user */

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NGX_ERROR;
    }

    path->name = icf->state_path;

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

    file = &icf->issuer->state_file;

    file->len = path->name.len + icf->issuer->name.len + sizeof("/.json") - 1;
    file->data = ngx_pnalloc(cf->pool, file->len + 1);
    if (file->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(file->data, "%V/%V.json", &path->name, &icf->issuer->name);
    *p = '\0';

    return NGX_OK;
}


ngx_int_t
ngx_http_k8s_sa_issuer_complete(ngx_conf_t *cf,
    ngx_http_k8s_sa_named_issuer_t *ref)
{
    ngx_k8s_sa_issuer_t           *issuer;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_k8s_sa_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_k8s_sa_module);
    issuer = ref->issuer;

    if (ngx_http_k8s_sa_issuer_digest(ref) != NGX_OK) {
        return NGX_ERROR;
    }

    issuer->zone = mcf->zone;

    if (ngx_k8s_sa_keystore_register(mcf->zone, &issuer->ref) != NGX_OK) {
        return NGX_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ref->client.resolver = clcf->resolver;

    if (clcf->resolver_timeout != NGX_CONF_UNSET_MSEC) {
        ref->client.resolver_timeout = clcf->resolver_timeout;
    }

    if (issuer->reviews) {

        /* as many connections are kept as reviews run at once */

        ref->client.max_idle = NGX_K8S_SA_REVIEW_RUNNING;
    }

    if (issuer->reviews || ngx_k8s_sa_issuer_fetches(issuer)) {
        issuer->client = ngx_http_k8s_sa_client(cf, ref, &ref->client);

        if (issuer->client == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* what is wrong with the TLS files is to be found in the issuer's block */

static ngx_k8s_sa_client_t *
ngx_http_k8s_sa_client(ngx_conf_t *cf, ngx_http_k8s_sa_named_issuer_t *ref,
    ngx_k8s_sa_client_conf_t *conf)
{
    ngx_conf_file_t      *save, file;
    ngx_k8s_sa_client_t  *client;

    save = cf->conf_file;
    file = *save;
    file.file.name.data = ref->file;
    file.file.name.len = ngx_strlen(ref->file);
    file.line = ref->line;
    cf->conf_file = &file;

    client = ngx_k8s_sa_client_create(cf, conf);

    cf->conf_file = save;

    return client;
}
