/* SPDX-License-Identifier: BSD-2-Clause */

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "http.h"


struct client_http_s {
    const client_http_conf_t  *conf;
    CURL                      *easy;
    client_answer_t           *answer;    /* for the request in progress */
    char                       error[CURL_ERROR_SIZE];
};


static int client_http_is_loopback(const char *host);
static CURLcode client_http_setup(client_http_t *http);
static CURLcode client_http_setup_ca(client_http_t *http);
static CURLcode client_http_add_ca(CURL *easy, void *ctx, void *data);
static size_t client_http_body(char *data, size_t size, size_t n,
    void *userdata);
static struct curl_slist *client_http_headers(const k8s_sa_str_t *token);
static void client_http_free_headers(struct curl_slist *headers);
static void client_http_set_error(client_http_t *http, CURLcode code,
    k8s_sa_error_t *err);
static const char *client_http_hint(client_http_t *http, CURLcode code);


int
client_http_check_url(const char *url, k8s_sa_error_t *err)
{
    int        rc;
    char      *user;
    CURLU     *u;
    CURLUcode  code;

    if (strncasecmp(url, "http://", 7) != 0
        && strncasecmp(url, "https://", 8) != 0)
    {
        k8s_sa_error_set(err, "the URL must begin with \"http://\" or "
                         "\"https://\"");
        return K8S_SA_ERROR;
    }

    rc = K8S_SA_ERROR;
    user = NULL;

    u = curl_url();
    if (u == NULL) {
        k8s_sa_error_set(err, "out of memory");
        return K8S_SA_ERROR;
    }

    code = curl_url_set(u, CURLUPART_URL, url, 0);

    if (code != CURLUE_OK) {
        k8s_sa_error_set(err, "the URL is malformed: %s",
                         curl_url_strerror(code));
        goto done;
    }

    /* it would appear in every line of output; the token is the credential */

    if (curl_url_get(u, CURLUPART_USER, &user, 0) != CURLUE_NO_USER) {
        k8s_sa_error_set(err, "the URL must not contain a user name");
        goto done;
    }

    rc = K8S_SA_OK;

done:

    curl_free(user);
    curl_url_cleanup(u);

    return rc;
}


int
client_http_is_exposed(const char *url)
{
    int     exposed;
    char   *host;
    CURLU  *u;

    if (strncasecmp(url, "http://", 7) != 0) {
        return 0;
    }

    exposed = 1;
    host = NULL;

    u = curl_url();

    if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK
        && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
    {
        exposed = !client_http_is_loopback(host);
    }

    curl_free(host);
    curl_url_cleanup(u);

    return exposed;
}


static int
client_http_is_loopback(const char *host)
{
    struct in_addr  addr;

    if (inet_pton(AF_INET, host, &addr) == 1) {
        return ntohl(addr.s_addr) >> 24 == 127;
    }

    return strcmp(host, "[::1]") == 0 || strcasecmp(host, "localhost") == 0;
}


int
client_http_check_ca(const char *name, k8s_sa_error_t *err)
{
    int          rc;
    X509_STORE  *store;

    if (access(name, R_OK) == -1) {
        k8s_sa_error_set(err, "cannot read CA file \"%s\"", name);
        return K8S_SA_ERROR;
    }

    store = X509_STORE_new();

    if (store == NULL) {
        k8s_sa_error_set(err, "out of memory");
        return K8S_SA_ERROR;
    }

    rc = K8S_SA_OK;

    if (X509_STORE_load_file(store, name) != 1) {
        k8s_sa_error_set(err, "CA file \"%s\" contains no PEM certificate",
                         name);
        rc = K8S_SA_ERROR;
    }

    X509_STORE_free(store);
    ERR_clear_error();

    return rc;
}


client_http_t *
client_http_create(const client_http_conf_t *conf, k8s_sa_error_t *err)
{
    CURLcode        code;
    client_http_t  *http;

    http = calloc(1, sizeof(client_http_t));

    if (http == NULL) {
        k8s_sa_error_set(err, "out of memory");
        return NULL;
    }

    http->conf = conf;
    http->easy = curl_easy_init();

    code = CURLE_FAILED_INIT;

    if (http->easy != NULL) {
        code = client_http_setup(http);
    }

    if (code != CURLE_OK) {
        k8s_sa_error_set(err, "libcurl: %s", curl_easy_strerror(code));
        client_http_free(http);
        return NULL;
    }

    return http;
}


static CURLcode
client_http_setup(client_http_t *http)
{
    CURL      *easy;
    CURLcode   code;

    easy = http->easy;

#define client_http_setopt(option, value)                                     \
    code = curl_easy_setopt(easy, option, value);                             \
    if (code != CURLE_OK) {                                                   \
        return code;                                                          \
    }

    client_http_setopt(CURLOPT_URL, http->conf->url)
    client_http_setopt(CURLOPT_PROTOCOLS_STR, "http,https")
    client_http_setopt(CURLOPT_USERAGENT, "k8s-sa-client/" CLIENT_VERSION)
    client_http_setopt(CURLOPT_ERRORBUFFER, http->error)
    client_http_setopt(CURLOPT_WRITEFUNCTION, client_http_body)
    client_http_setopt(CURLOPT_WRITEDATA, http)
    client_http_setopt(CURLOPT_TIMEOUT_MS, (long) http->conf->timeout)
    client_http_setopt(CURLOPT_NOSIGNAL, 1L)

    /* a redirect would send the token to another server */

    client_http_setopt(CURLOPT_FOLLOWLOCATION, 0L)

    /*
     * Otherwise an unresponsive name server would delay timeouts and exit:
     * libcurl would wait for its resolver thread.
     */

    client_http_setopt(CURLOPT_QUICK_EXIT, 1L)

    /* a CA removed from its file must not stay trusted for a day */

    client_http_setopt(CURLOPT_CA_CACHE_TIMEOUT, 0L)

#undef client_http_setopt

    return http->conf->ca == NULL ? CURLE_OK : client_http_setup_ca(http);
}


static CURLcode
client_http_setup_ca(client_http_t *http)
{
    char      *file;
    CURL      *easy;
    CURLcode   code;

    easy = http->easy;
    file = NULL;

    code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION,
                            client_http_add_ca);

    if (code == CURLE_OK) {
        code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA,
                                (void *) http->conf->ca);
    }

    /*
     * In an image without system CA certificates libcurl would fail on the
     * missing file before it loads ours.
     */

    if (code == CURLE_OK) {
        code = curl_easy_getinfo(easy, CURLINFO_CAINFO, &file);
    }

    if (code == CURLE_OK && file != NULL && access(file, R_OK) == -1) {

        code = curl_easy_setopt(easy, CURLOPT_CAINFO, http->conf->ca);

        if (code == CURLE_OK) {
            code = curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        }
    }

    return code;
}


/* Adds the file's certificates to the system's. */

static CURLcode
client_http_add_ca(CURL *easy, void *ctx, void *data)
{
    (void) easy;

    if (X509_STORE_load_file(SSL_CTX_get_cert_store(ctx), data) != 1) {
        ERR_clear_error();
        return CURLE_SSL_CACERT_BADFILE;
    }

    return CURLE_OK;
}


void
client_http_free(client_http_t *http)
{
    curl_easy_cleanup(http->easy);
    free(http);
}


int
client_http_get(client_http_t *http, const k8s_sa_str_t *token,
    client_answer_t *answer, k8s_sa_error_t *err)
{
    CURLcode            code;
    struct curl_slist  *headers;

    headers = client_http_headers(token);

    if (headers == NULL) {
        k8s_sa_error_set(err, "out of memory");
        return K8S_SA_ERROR;
    }

    http->answer = answer;
    http->error[0] = '\0';

    answer->status = 0;
    answer->size = 0;
    answer->len = 0;

    code = curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, headers);

    if (code == CURLE_OK) {
        code = curl_easy_perform(http->easy);
    }

    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
    client_http_free_headers(headers);

    /* client_http_body() ended the transfer of a long body */

    if (code == CURLE_WRITE_ERROR && answer->size > CLIENT_HTTP_BODY_READ) {
        code = CURLE_OK;
    }

    if (code != CURLE_OK) {
        client_http_set_error(http, code, err);
        return K8S_SA_ERROR;
    }

    curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &answer->status);

    return K8S_SA_OK;
}


static struct curl_slist *
client_http_headers(const k8s_sa_str_t *token)
{
    char               *line;
    size_t              size;
    struct curl_slist  *headers;

    size = sizeof("Authorization: Bearer ") + token->len;

    line = malloc(size);

    if (line == NULL) {
        return NULL;
    }

    snprintf(line, size, "Authorization: Bearer %.*s", (int) token->len,
             (char *) token->data);

    headers = curl_slist_append(NULL, line);

    OPENSSL_cleanse(line, size);
    free(line);

    return headers;
}


static void
client_http_free_headers(struct curl_slist *headers)
{
    struct curl_slist  *h;

    for (h = headers; h != NULL; h = h->next) {
        OPENSSL_cleanse(h->data, strlen(h->data));
    }

    curl_slist_free_all(headers);
}


static void
client_http_set_error(client_http_t *http, CURLcode code, k8s_sa_error_t *err)
{
    char        *text;
    size_t       i;
    const char  *hint;

    text = http->error;

    if (text[0] == '\0') {
        k8s_sa_error_set(err, "%s", curl_easy_strerror(code));
        return;
    }

    /* lowercase "Could not" and "Connection", but not "SSL" or "OpenSSL" */

    for (i = 1; islower((unsigned char) text[i]); i++) { /* void */ }

    if (i > 1 && !isupper((unsigned char) text[i])) {
        text[0] = tolower((unsigned char) text[0]);
    }

    hint = client_http_hint(http, code);

    if (hint != NULL) {
        k8s_sa_error_set(err, "%s (%s)", text, hint);

    } else {
        k8s_sa_error_set(err, "%s", text);
    }
}


/* Returns what libcurl's error leaves out, or NULL. */

static const char *
client_http_hint(client_http_t *http, CURLcode code)
{
    long  number;

    number = 0;

    if (code == CURLE_COULDNT_CONNECT) {
        curl_easy_getinfo(http->easy, CURLINFO_OS_ERRNO, &number);

        return number != 0 ? strerror(number) : NULL;
    }

    if (code != CURLE_PEER_FAILED_VERIFICATION) {
        return NULL;
    }

    curl_easy_getinfo(http->easy, CURLINFO_SSL_VERIFYRESULT, &number);

    switch (number) {

    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return http->conf->ca == NULL
               ? "--ca trusts a CA that the system does not know"
               : "its CA is not in the file of --ca";

    default:
        return NULL;
    }
}


static size_t
client_http_body(char *data, size_t size, size_t n, void *userdata)
{
    size_t            room;
    client_http_t    *http;
    client_answer_t  *answer;

    http = userdata;
    answer = http->answer;
    n *= size;

    room = sizeof(answer->body) - answer->len;

    if (room > n) {
        room = n;
    }

    memcpy(&answer->body[answer->len], data, room);
    answer->len += room;
    answer->size += n;

    /* libcurl ends the transfer if less than n is returned */

    return answer->size > CLIENT_HTTP_BODY_READ ? 0 : n;
}
