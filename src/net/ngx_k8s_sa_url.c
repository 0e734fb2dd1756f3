/* SPDX-License-Identifier: BSD-2-Clause */


#include <ngx_config.h>
#include <ngx_core.h>

#include "net/ngx_k8s_sa_literal.h"
#include "net/ngx_k8s_sa_url.h"


#define NGX_K8S_SA_HOST_MAX   253           /* RFC 1035: a name as text */
#define NGX_K8S_SA_LABEL_MAX  63


static const char *ngx_k8s_sa_url_check_text(const ngx_str_t *text);
static const char *ngx_k8s_sa_url_parse_host(ngx_k8s_sa_url_t *url);
static const char *ngx_k8s_sa_url_check_name(const ngx_str_t *host);
static ngx_uint_t ngx_k8s_sa_url_is_number(const u_char *label, size_t len);
static const char *ngx_k8s_sa_url_parse_port(ngx_k8s_sa_url_t *url,
    u_char *p, u_char *last);


ngx_int_t
ngx_k8s_sa_url_parse(ngx_pool_t *pool, const ngx_str_t *text,
    ngx_k8s_sa_url_t *url, const char **err)
{
    u_char     *p, *last, *host, *end;
    ngx_str_t  *path;

    ngx_memzero(url, sizeof(ngx_k8s_sa_url_t));

    *err = ngx_k8s_sa_url_check_text(text);
    if (*err) {
        return NGX_DECLINED;
    }

    url->text.data = ngx_pnalloc(pool, text->len + sizeof("/"));
    if (url->text.data == NULL) {
        return NGX_ERROR;
    }

    url->text.len = text->len;

    p = url->text.data;
    last = ngx_cpymem(p, text->data, text->len);
    *last = '\0';

    if (text->len > 8 && ngx_strncasecmp(p, (u_char *) "https://", 8) == 0) {
        url->ssl = 1;
        host = p + 8;

    } else if (text->len > 7
               && ngx_strncasecmp(p, (u_char *) "http://", 7) == 0)
    {
        host = p + 7;

    } else {
        *err = "neither https:// nor http://";
        return NGX_DECLINED;
    }

    for (end = host; end < last && *end != '/' && *end != '?'; end++) {

        if (*end == '@') {
            *err = "user information";
            return NGX_DECLINED;
        }
    }

    if (*end == '?') {
        *err = "query without a path";
        return NGX_DECLINED;
    }

    ngx_strlow(url->text.data, url->text.data, end - url->text.data);

    if (end == last) {
        *last++ = '/';
        *last = '\0';
        url->text.len++;
    }

    path = &url->path;
    path->data = end;
    path->len = last - end;

    /* authority is host[:port] as given, until it is rebuilt below */

    url->authority.data = host;
    url->authority.len = end - host;

    *err = ngx_k8s_sa_url_parse_host(url);
    if (*err) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(pool, 2 * (url->host.len + 1)
                          + sizeof("[]:65535"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, url->host.data, url->host.len);
    url->host.data = p;
    p += url->host.len;
    *p++ = '\0';

    url->authority.data = p;

    if (url->literal && ngx_strlchr(url->host.data, p - 1, ':')) {
        p = ngx_sprintf(p, "[%V]", &url->host);

    } else {
        p = ngx_sprintf(p, "%V", &url->host);
    }

    if (url->port != (url->ssl ? 443 : 80)) {
        p = ngx_sprintf(p, ":%d", (int) url->port);
    }

    *p = '\0';
    url->authority.len = p - url->authority.data;

    return NGX_OK;
}


ngx_int_t
ngx_k8s_sa_url_join(ngx_pool_t *pool, const ngx_k8s_sa_url_t *base,
    const ngx_str_t *path, ngx_k8s_sa_url_t *url, const char **err)
{
    u_char     *p;
    size_t      len;
    ngx_int_t   rc;
    ngx_str_t   text;

    if (ngx_strlchr(base->path.data, base->path.data + base->path.len, '?')) {
        *err = "query in a base address";
        return NGX_DECLINED;
    }

    len = base->text.len;

    while (base->text.data[len - 1] == '/') {
        len--;
    }

    text.len = len + path->len;
    text.data = ngx_pnalloc(pool, text.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text.data, base->text.data, len);
    ngx_memcpy(p, path->data, path->len);

    rc = ngx_k8s_sa_url_parse(pool, &text, url, err);

    ngx_pfree(pool, text.data);

    return rc;
}


/* Accepts what needs no escaping in a request line and in a log. */

static const char *
ngx_k8s_sa_url_check_text(const ngx_str_t *text)
{
    size_t  i;

    if (text->len > NGX_K8S_SA_URL_MAX) {
        return "overlong URL";
    }

    for (i = 0; i < text->len; i++) {

        switch (text->data[i]) {

        case '"':
        case '<':
        case '>':
        case '\\':
        case '^':
        case '`':
        case '{':
        case '|':
        case '}':
            return "unescaped character";

        case '#':
            return "fragment";

        default:
            if (text->data[i] <= ' ' || text->data[i] >= 0x7f) {
                return "unescaped character";
            }
        }
    }

    return NULL;
}


/* Parses url->authority into host, port, literal, loopback, absolute. */

static const char *
ngx_k8s_sa_url_parse_host(ngx_k8s_sa_url_t *url)
{
    u_char          *p, *last, *end;
    const char      *err;
    ngx_sockaddr_t   addr;

    p = url->authority.data;
    last = p + url->authority.len;

    if (p < last && *p == '[') {

        p++;
        end = ngx_strlchr(p, last, ']');

        if (end == NULL) {
            return "invalid IPv6 address";
        }

        url->host.data = p;
        url->host.len = end - p;

        if (!ngx_k8s_sa_literal(&url->host, &addr)
            || addr.sockaddr.sa_family == AF_INET)
        {
            return "invalid IPv6 address";
        }

        url->literal = 1;
#if (NGX_HAVE_INET6)
        url->loopback = IN6_IS_ADDR_LOOPBACK(&addr.sockaddr_in6.sin6_addr);
#endif

        return ngx_k8s_sa_url_parse_port(url, end + 1, last);
    }

    end = ngx_strlchr(p, last, ':');
    if (end == NULL) {
        end = last;
    }

    url->host.data = p;
    url->host.len = end - p;

    if (ngx_k8s_sa_literal(&url->host, &addr)) {
        url->literal = 1;
        url->loopback = ntohl(addr.sockaddr_in.sin_addr.s_addr) >> 24 == 127;

        return ngx_k8s_sa_url_parse_port(url, end, last);
    }

    if (url->host.len && p[url->host.len - 1] == '.') {
        url->absolute = 1;
        url->host.len--;
    }

    err = ngx_k8s_sa_url_check_name(&url->host);
    if (err) {
        return err;
    }

    url->loopback = (url->host.len == 9
                     && ngx_strncmp(p, "localhost", 9) == 0);

    return ngx_k8s_sa_url_parse_port(url, end, last);
}


static const char *
ngx_k8s_sa_url_check_name(const ngx_str_t *host)
{
    u_char  ch;
    size_t  i, label;

    if (host->len == 0) {
        return "missing host";
    }

    if (host->len > NGX_K8S_SA_HOST_MAX) {
        return "overlong host name";
    }

    label = 0;

    for (i = 0; i < host->len; i++) {

        ch = host->data[i];

        if (ch == '.') {

            if (label == 0) {
                return "invalid host name";
            }

            label = 0;
            continue;
        }

        if (++label > NGX_K8S_SA_LABEL_MAX) {
            return "invalid host name";
        }

        if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z')
              || ch == '_' || (ch == '-' && label > 1)))
        {
            return "invalid host name";
        }
    }

    if (label == 0) {
        return "invalid host name";
    }

    /* some resolvers take "127.1" and "0x7f000001" for addresses */

    if (ngx_k8s_sa_url_is_number(host->data + host->len - label, label)) {
        return "invalid IPv4 address";
    }

    return NULL;
}


static ngx_uint_t
ngx_k8s_sa_url_is_number(const u_char *label, size_t len)
{
    size_t      i;
    ngx_uint_t  hex;

    hex = (len > 1 && label[0] == '0' && label[1] == 'x');

    for (i = hex ? 2 : 0; i < len; i++) {

        if (!(label[i] >= '0' && label[i] <= '9')
            && !(hex && label[i] >= 'a' && label[i] <= 'f'))
        {
            return 0;
        }
    }

    return 1;
}


static const char *
ngx_k8s_sa_url_parse_port(ngx_k8s_sa_url_t *url, u_char *p, u_char *last)
{
    ngx_int_t  port;

    if (p == last) {
        url->port = url->ssl ? 443 : 80;
        return NULL;
    }

    if (*p++ != ':') {
        return "invalid host";
    }

    port = ngx_atoi(p, last - p);

    if (port < 1 || port > 65535 || last - p > 5) {
        return "invalid port";
    }

    url->port = (in_port_t) port;

    return NULL;
}
