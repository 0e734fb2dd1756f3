/* SPDX-License-Identifier: BSD-2-Clause */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_file.h"
#include "net/ngx_k8s_sa_literal.h"
#include "net/ngx_k8s_sa_system.h"


#define NGX_K8S_SA_SYSTEM_INTERVAL  3000    /* ms between two stat() calls */
#define NGX_K8S_SA_SYSTEM_FORGET    1000    /* ms */
#define NGX_K8S_SA_HOSTS_SIZE       (256 * 1024)
#define NGX_K8S_SA_RESOLV_SIZE      (32 * 1024)
#define NGX_K8S_SA_NAMESERVERS_MAX  3       /* MAXNS of resolv.h */
#define NGX_K8S_SA_NDOTS_MAX        15      /* RES_MAXNDOTS */
#define NGX_K8S_SA_RESEND           1       /* s until the next server */


typedef struct {
    ngx_str_t            name;
    ngx_sockaddr_t       addr;
} ngx_k8s_sa_host_t;


struct ngx_k8s_sa_hosts_s {
    ngx_pool_t          *pool;         /* owns this struct */
    ngx_array_t          hosts;        /* ngx_k8s_sa_host_t */
};


struct ngx_k8s_sa_resolv_conf_s {
    ngx_pool_t          *pool;         /* owns this struct */
    ngx_str_t            servers[NGX_K8S_SA_NAMESERVERS_MAX];
    ngx_uint_t           nservers;
    ngx_str_t            search[NGX_K8S_SA_SEARCH_MAX];
    ngx_uint_t           nsearch;
    ngx_uint_t           ndots;
};


static ngx_int_t ngx_k8s_sa_system_read(ngx_k8s_sa_file_t *file,
    ngx_uint_t optional, ngx_pool_t *pool, ngx_str_t *content);
static ngx_uint_t ngx_k8s_sa_system_line(ngx_str_t *rest, ngx_str_t *line);
static void ngx_k8s_sa_system_read_hosts(ngx_k8s_sa_system_t *system);
static ngx_int_t ngx_k8s_sa_system_add_hosts(ngx_array_t *hosts,
    u_char *p, u_char *last);
static void ngx_k8s_sa_system_read_resolv_conf(ngx_k8s_sa_system_t *system);
static ngx_int_t ngx_k8s_sa_system_add_resolv(ngx_k8s_sa_resolv_conf_t *conf,
    in_port_t port, u_char *p, u_char *last);
static ngx_int_t ngx_k8s_sa_system_add_server(ngx_k8s_sa_resolv_conf_t *conf,
    const ngx_str_t *word, in_port_t port);
static void ngx_k8s_sa_system_add_option(ngx_k8s_sa_resolv_conf_t *conf,
    const ngx_str_t *word);
static ngx_uint_t ngx_k8s_sa_system_word(u_char **pos, u_char *last,
    ngx_str_t *word);
static ngx_k8s_sa_dns_t *ngx_k8s_sa_system_create_dns(
    ngx_k8s_sa_resolv_conf_t *conf);
static ngx_resolver_t *ngx_k8s_sa_system_create_resolver(ngx_pool_t *pool,
    const ngx_k8s_sa_resolv_conf_t *conf, ngx_uint_t family);
static void ngx_k8s_sa_system_retire(ngx_k8s_sa_system_t *system);


static ngx_k8s_sa_system_t  ngx_k8s_sa_system_etc = {
    .hosts_file = { .path = ngx_string("/etc/hosts") },
    .resolv_file = { .path = ngx_string("/etc/resolv.conf") },
    .port = 53
};


ngx_k8s_sa_system_t *
ngx_k8s_sa_system_default(void)
{
    return &ngx_k8s_sa_system_etc;
}


void
ngx_k8s_sa_system_close(ngx_k8s_sa_system_t *system)
{
    ngx_k8s_sa_system_retire(system);

    if (system->hosts) {
        ngx_destroy_pool(system->hosts->pool);
        system->hosts = NULL;
    }

    if (system->conf) {
        ngx_destroy_pool(system->conf->pool);
        system->conf = NULL;
    }

    ngx_k8s_sa_file_forget(&system->hosts_file);
    ngx_k8s_sa_file_forget(&system->resolv_file);
}


void
ngx_k8s_sa_system_refresh(ngx_k8s_sa_system_t *system)
{
    if (ngx_k8s_sa_file_changed(&system->hosts_file,
                                NGX_K8S_SA_SYSTEM_INTERVAL))
    {
        ngx_k8s_sa_system_read_hosts(system);
    }

    if (ngx_k8s_sa_file_changed(&system->resolv_file,
                                NGX_K8S_SA_SYSTEM_INTERVAL))
    {
        ngx_k8s_sa_system_read_resolv_conf(system);
    }
}


ngx_uint_t
ngx_k8s_sa_system_hosts(ngx_k8s_sa_system_t *system, const ngx_str_t *name,
    ngx_sockaddr_t *addrs, ngx_uint_t max)
{
    ngx_uint_t                i, n;
    ngx_k8s_sa_host_t        *host;
    static const ngx_str_t    loopback[] = {
        ngx_string("127.0.0.1"),
        ngx_string("::1")
    };

    n = 0;

    if (name->len == 9 && ngx_strncmp(name->data, "localhost", 9) == 0) {

        for (i = 0; i < 2 && n < max; i++) {
            n += ngx_k8s_sa_literal(&loopback[i], &addrs[n]) != 0;
        }

        return n;
    }

    if (system->hosts == NULL) {
        return 0;
    }

    host = system->hosts->hosts.elts;

    for (i = 0; i < system->hosts->hosts.nelts && n < max; i++) {

        if (host[i].name.len == name->len
            && ngx_strncmp(host[i].name.data, name->data, name->len) == 0)
        {
            addrs[n++] = host[i].addr;
        }
    }

    return n;
}


/*
 * As in resolv.conf(5): a name with at least ndots dots is tried as it is
 * before the search list, other names after it.
 */

ngx_int_t
ngx_k8s_sa_system_candidate(ngx_k8s_sa_system_t *system,
    const ngx_k8s_sa_url_t *url, ngx_uint_t n, ngx_pool_t *pool,
    ngx_str_t *name)
{
    u_char                    *p;
    size_t                     i;
    ngx_str_t                  suffix;
    ngx_uint_t                 dots, nsearch, as_is;
    ngx_k8s_sa_resolv_conf_t  *conf;

    conf = system->conf;
    nsearch = (conf == NULL || url->absolute) ? 0 : conf->nsearch;

    dots = 0;

    for (i = 0; i < url->host.len; i++) {
        if (url->host.data[i] == '.') {
            dots++;
        }
    }

    as_is = (nsearch && dots < conf->ndots) ? nsearch : 0;

    if (n > nsearch) {
        return NGX_DONE;
    }

    ngx_str_null(&suffix);

    if (n != as_is) {
        suffix = conf->search[n < as_is ? n : n - 1];
    }

    name->data = ngx_pnalloc(pool, url->host.len + 1 + suffix.len);
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(name->data, url->host.data, url->host.len);

    if (suffix.len) {
        *p++ = '.';
        p = ngx_cpymem(p, suffix.data, suffix.len);
    }

    name->len = p - name->data;

    return NGX_OK;
}


ngx_k8s_sa_dns_t *
ngx_k8s_sa_system_acquire(ngx_k8s_sa_system_t *system)
{
    if (system->conf == NULL) {
        return NULL;
    }

    if (system->dns == NULL) {
        system->dns = ngx_k8s_sa_system_create_dns(system->conf);

        if (system->dns == NULL) {
            return NULL;
        }
    }

    system->dns->users++;

    return system->dns;
}


void
ngx_k8s_sa_system_release(ngx_k8s_sa_dns_t *dns)
{
    dns->users--;

    if (dns->users == 0 && dns->retired) {
        ngx_destroy_pool(dns->pool);
    }
}


void
ngx_k8s_sa_system_forget(ngx_k8s_sa_system_t *system)
{
    if (ngx_current_msec - system->forgotten >= NGX_K8S_SA_SYSTEM_FORGET) {
        system->forgotten = ngx_current_msec;

        ngx_log_debug0(NGX_LOG_DEBUG_EVENT, ngx_cycle->log, 0,
                       "k8s sa resolve: forget what name servers said");

        ngx_k8s_sa_system_retire(system);
    }
}


static void
ngx_k8s_sa_system_retire(ngx_k8s_sa_system_t *system)
{
    ngx_k8s_sa_dns_t  *dns;

    dns = system->dns;

    if (dns) {
        system->dns = NULL;
        dns->retired = 1;
        dns->users++;
        ngx_k8s_sa_system_release(dns);
    }
}


/*
 * Copies a file into pool; an optional one that does not exist is empty.
 * NGX_OK; NGX_DECLINED: cannot be read, which has been logged; NGX_ERROR: no
 * memory.
 */

static ngx_int_t
ngx_k8s_sa_system_read(ngx_k8s_sa_file_t *file, ngx_uint_t optional,
    ngx_pool_t *pool, ngx_str_t *content)
{
    char       reason[256];
    ngx_str_t  text;

    ngx_str_null(content);

    if (ngx_k8s_sa_file_read(file, &text) != NGX_OK) {

        if (optional && file->error == NGX_ENOENT) {
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "cannot read \"%V\": %s", &file->path,
                      ngx_k8s_sa_file_reason(file, reason, sizeof(reason)));

        return NGX_DECLINED;
    }

    content->len = text.len;
    content->data = ngx_pstrdup(pool, &text);

    ngx_k8s_sa_file_free(&text);

    return content->data ? NGX_OK : NGX_ERROR;
}


/* Takes the next line off *rest.  Returns 0 at the end. */

static ngx_uint_t
ngx_k8s_sa_system_line(ngx_str_t *rest, ngx_str_t *line)
{
    u_char  *last, *end;

    if (rest->len == 0) {
        return 0;
    }

    last = rest->data + rest->len;
    end = ngx_strlchr(rest->data, last, '\n');

    line->data = rest->data;
    line->len = (end ? end : last) - rest->data;

    rest->data = end ? end + 1 : last;
    rest->len = last - rest->data;

    return 1;
}


static void
ngx_k8s_sa_system_read_hosts(ngx_k8s_sa_system_t *system)
{
    ngx_int_t            rc;
    ngx_str_t            content, line;
    ngx_pool_t          *pool;
    ngx_k8s_sa_hosts_t  *hosts;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    system->hosts_file.max = NGX_K8S_SA_HOSTS_SIZE;

    rc = ngx_k8s_sa_system_read(&system->hosts_file, 1, pool, &content);

    if (rc == NGX_DECLINED) {
        ngx_destroy_pool(pool);
        return;
    }

    if (rc == NGX_ERROR) {
        goto failed;
    }

    hosts = ngx_palloc(pool, sizeof(ngx_k8s_sa_hosts_t));
    if (hosts == NULL
        || ngx_array_init(&hosts->hosts, pool, 8, sizeof(ngx_k8s_sa_host_t))
           != NGX_OK)
    {
        goto failed;
    }

    hosts->pool = pool;

    while (ngx_k8s_sa_system_line(&content, &line)) {

        if (ngx_k8s_sa_system_add_hosts(&hosts->hosts, line.data,
                                        line.data + line.len)
            != NGX_OK)
        {
            goto failed;
        }
    }

    if (system->hosts) {
        ngx_destroy_pool(system->hosts->pool);
    }

    system->hosts = hosts;

    return;

failed:

    /* no memory */

    ngx_k8s_sa_file_forget(&system->hosts_file);
    ngx_destroy_pool(pool);
}


/* One line: address name... # comment */

static ngx_int_t
ngx_k8s_sa_system_add_hosts(ngx_array_t *hosts, u_char *p, u_char *last)
{
    u_char             *comment;
    ngx_str_t           word;
    ngx_sockaddr_t      addr;
    ngx_k8s_sa_host_t  *host;

    comment = ngx_strlchr(p, last, '#');
    last = comment ? comment : last;

    if (!ngx_k8s_sa_system_word(&p, last, &word)
        || !ngx_k8s_sa_literal(&word, &addr))
    {
        return NGX_OK;
    }

    while (ngx_k8s_sa_system_word(&p, last, &word)) {

        host = ngx_array_push(hosts);
        if (host == NULL) {
            return NGX_ERROR;
        }

        ngx_strlow(word.data, word.data, word.len);

        host->name = word;
        host->addr = addr;
    }

    return NGX_OK;
}


static void
ngx_k8s_sa_system_read_resolv_conf(ngx_k8s_sa_system_t *system)
{
    ngx_int_t                  rc;
    ngx_str_t                  content, line;
    ngx_pool_t                *pool;
    ngx_k8s_sa_resolv_conf_t  *conf;
    static const ngx_str_t     local = ngx_string("127.0.0.1");

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    system->resolv_file.max = NGX_K8S_SA_RESOLV_SIZE;

    rc = ngx_k8s_sa_system_read(&system->resolv_file, 0, pool, &content);

    /* without the file, use a local name server, as the C library does */

    if (rc == NGX_DECLINED && system->conf) {
        ngx_destroy_pool(pool);
        return;
    }

    conf = ngx_pcalloc(pool, sizeof(ngx_k8s_sa_resolv_conf_t));

    if (rc == NGX_ERROR || conf == NULL) {
        goto failed;
    }

    conf->pool = pool;
    conf->ndots = 1;

    while (ngx_k8s_sa_system_line(&content, &line)) {

        if (ngx_k8s_sa_system_add_resolv(conf, system->port, line.data,
                                         line.data + line.len)
            != NGX_OK)
        {
            goto failed;
        }
    }

    if (conf->nservers == 0
        && ngx_k8s_sa_system_add_server(conf, &local, system->port) != NGX_OK)
    {
        goto failed;
    }

    ngx_k8s_sa_system_retire(system);

    if (system->conf) {
        ngx_destroy_pool(system->conf->pool);
    }

    system->conf = conf;

    return;

failed:

    /* no memory */

    ngx_k8s_sa_file_forget(&system->resolv_file);
    ngx_destroy_pool(pool);
}


static ngx_int_t
ngx_k8s_sa_system_add_resolv(ngx_k8s_sa_resolv_conf_t *conf, in_port_t port,
    u_char *p, u_char *last)
{
    ngx_str_t   word;
    ngx_uint_t  search;

    if (!ngx_k8s_sa_system_word(&p, last, &word)) {
        return NGX_OK;
    }

    if (word.len == 10 && ngx_strncmp(word.data, "nameserver", 10) == 0) {

        if (ngx_k8s_sa_system_word(&p, last, &word)) {
            return ngx_k8s_sa_system_add_server(conf, &word, port);
        }

        return NGX_OK;
    }

    if (word.len == 7 && ngx_strncmp(word.data, "options", 7) == 0) {

        while (ngx_k8s_sa_system_word(&p, last, &word)) {
            ngx_k8s_sa_system_add_option(conf, &word);
        }

        return NGX_OK;
    }

    search = (word.len == 6 && ngx_strncmp(word.data, "search", 6) == 0);

    if (!search
        && !(word.len == 6 && ngx_strncmp(word.data, "domain", 6) == 0))
    {
        return NGX_OK;
    }

    /* the last "search" or "domain" line wins */

    conf->nsearch = 0;

    while (conf->nsearch < (search ? NGX_K8S_SA_SEARCH_MAX : 1)
           && ngx_k8s_sa_system_word(&p, last, &word))
    {
        ngx_strlow(word.data, word.data, word.len);

        if (word.data[word.len - 1] == '.') {
            word.len--;
        }

        if (word.len) {
            conf->search[conf->nsearch++] = word;
        }
    }

    return NGX_OK;
}


/*
 * Accepts addresses only: ngx_resolver_create() would block while it resolves
 * a name.  nginx does not support IPv6 zone ids.
 */

static ngx_int_t
ngx_k8s_sa_system_add_server(ngx_k8s_sa_resolv_conf_t *conf,
    const ngx_str_t *word, in_port_t port)
{
    ngx_str_t       *server;
    ngx_sockaddr_t   addr;

    if (conf->nservers == NGX_K8S_SA_NAMESERVERS_MAX) {
        return NGX_OK;
    }

    if (!ngx_k8s_sa_literal(word, &addr)) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "name server \"%V\" is not supported, ignored", word);
        return NGX_OK;
    }

    server = &conf->servers[conf->nservers];

    server->data = ngx_pnalloc(conf->pool, NGX_SOCKADDR_STRLEN);
    if (server->data == NULL) {
        return NGX_ERROR;
    }

    ngx_inet_set_port(&addr.sockaddr, port);

    server->len = ngx_sock_ntop(&addr.sockaddr, sizeof(ngx_sockaddr_t),
                                server->data, NGX_SOCKADDR_STRLEN, 1);
    conf->nservers++;

    return NGX_OK;
}


static void
ngx_k8s_sa_system_add_option(ngx_k8s_sa_resolv_conf_t *conf,
    const ngx_str_t *word)
{
    ngx_int_t  n;

    if (word->len > 6 && ngx_strncmp(word->data, "ndots:", 6) == 0) {

        n = ngx_atoi(word->data + 6, word->len - 6);

        if (n != NGX_ERROR) {
            conf->ndots = ngx_min(n, NGX_K8S_SA_NDOTS_MAX);
        }
    }
}


/* Takes the next word off a line.  Returns 0 at its end or at a comment. */

static ngx_uint_t
ngx_k8s_sa_system_word(u_char **pos, u_char *last, ngx_str_t *word)
{
    u_char  *p;

    p = *pos;

    while (p < last && (*p == ' ' || *p == '\t' || *p == '\r')) {
        p++;
    }

    word->data = p;

    while (p < last && *p != ' ' && *p != '\t' && *p != '\r') {
        p++;
    }

    word->len = p - word->data;
    *pos = p;

    return word->len != 0 && *word->data != '#' && *word->data != ';';
}


static ngx_k8s_sa_dns_t *
ngx_k8s_sa_system_create_dns(ngx_k8s_sa_resolv_conf_t *conf)
{
    ngx_uint_t         i;
    ngx_pool_t        *pool;
    ngx_k8s_sa_dns_t  *dns;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    dns = ngx_pcalloc(pool, sizeof(ngx_k8s_sa_dns_t));
    if (dns == NULL) {
        goto failed;
    }

    dns->pool = pool;

    for (i = 0; i < NGX_K8S_SA_DNS_FAMILIES; i++) {
        dns->resolvers[i] = ngx_k8s_sa_system_create_resolver(pool, conf, i);

        if (dns->resolvers[i] == NULL) {
            goto failed;
        }
    }

    return dns;

failed:

    /* no memory */

    ngx_destroy_pool(pool);

    return NULL;
}


/*
 * ngx_resolver_create() expects an ngx_conf_t, but uses only its pools, log
 * and cycle.
 */

static ngx_resolver_t *
ngx_k8s_sa_system_create_resolver(ngx_pool_t *pool,
    const ngx_k8s_sa_resolv_conf_t *conf, ngx_uint_t family)
{
    ngx_str_t       *servers;
    ngx_conf_t       cf;
    ngx_resolver_t  *resolver;

    servers = ngx_palloc(pool, conf->nservers * sizeof(ngx_str_t));
    if (servers == NULL) {
        return NULL;
    }

    ngx_memcpy(servers, conf->servers, conf->nservers * sizeof(ngx_str_t));

    ngx_memzero(&cf, sizeof(ngx_conf_t));

    cf.pool = pool;
    cf.temp_pool = pool;
    cf.log = ngx_cycle->log;
    cf.cycle = (ngx_cycle_t *) ngx_cycle;

    resolver = ngx_resolver_create(&cf, servers, conf->nservers);
    if (resolver == NULL) {
        return NULL;
    }

    /* a dead name server must not use up the time of an exchange */

    resolver->resend_timeout = NGX_K8S_SA_RESEND;
    resolver->tcp_timeout = NGX_K8S_SA_RESEND;
    resolver->log = ngx_cycle->log;

#if (NGX_HAVE_INET6)

    if (family == 0) {
        resolver->ipv6 = 0;
        return resolver;
    }

#if (nginx_version >= 1023001)
    resolver->ipv4 = 0;
#else

    /* the answers for IPv4 are unexpected: see ngx_k8s_sa_resolve_ask() */

    resolver->log_level = NGX_LOG_DEBUG;
#endif

#endif

    return resolver;
}
