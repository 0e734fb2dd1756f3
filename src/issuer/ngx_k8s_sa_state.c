/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_issuer.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <sys/stat.h>


/* bytes of the file; JSON escapes may double the key set */

#define NGX_K8S_SA_STATE_MAX  (3 * NGX_K8S_SA_KEYS_MAX)


static ngx_int_t ngx_k8s_sa_state_check(ngx_k8s_sa_issuer_t *issuer,
    json_t *state, ngx_k8s_sa_keys_t *keys, k8s_sa_error_t *err);
static ngx_int_t ngx_k8s_sa_state_digest(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_keys_t *keys, u_char *hex);
static ngx_int_t ngx_k8s_sa_state_save(ngx_k8s_sa_issuer_t *issuer,
    const char *text, size_t len);


#define NGX_K8S_SA_HEX_LEN  64


ngx_int_t
ngx_k8s_sa_state_read(ngx_k8s_sa_issuer_t *issuer)
{
    json_t              *state;
    ngx_int_t            rc;
    ngx_str_t            content;
    ngx_uint_t           level;
    json_error_t         error;
    k8s_sa_error_t       err;
    ngx_k8s_sa_keys_t    keys;
    ngx_k8s_sa_file_t    file;

    ngx_memzero(&file, sizeof(ngx_k8s_sa_file_t));

    file.path = issuer->state_file;
    file.max = NGX_K8S_SA_STATE_MAX;

    state = NULL;
    rc = NGX_DECLINED;

    if (ngx_k8s_sa_file_read(&file, &content) != NGX_OK) {
        (void) ngx_k8s_sa_file_reason(&file, err.text, sizeof(err.text));

    } else {
        state = json_loadb((char *) content.data, content.len,
                           JSON_REJECT_DUPLICATES, &error);
        ngx_k8s_sa_file_free(&content);

        if (file.info.st_mode & S_IWOTH) {
            k8s_sa_error_set(&err, "anyone may write it");

        } else if (file.info.st_uid != geteuid() && file.info.st_uid != 0) {

            /* the digest is not a secret: any user could have made it */

            k8s_sa_error_set(&err, "it belongs to another user");

        } else if (state == NULL) {
            k8s_sa_error_set(&err, "not JSON");

        } else {
            rc = ngx_k8s_sa_state_check(issuer, state, &keys, &err);
        }
    }

    /* the next fetch tries again if this could not be read now */

    issuer->state_tried = file.error != NGX_EMFILE
                          && file.error != NGX_ENFILE
                          && file.error != NGX_ENOMEM;

    /* a fetch is due at once: these keys serve until the issuer answers */

    if (rc == NGX_OK
        && ngx_k8s_sa_keystore_store(issuer->zone, &issuer->ref, &keys, 0)
           != NGX_OK)
    {
        k8s_sa_error_set(&err, "the zone has no room for them");
        rc = NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_NOTICE, issuer->log, 0,
                      "k8s_sa: issuer \"%V\" has saved keys from \"%V\"",
                      &issuer->name, &issuer->state_file);

    } else {

        level = file.error == NGX_ENOENT ? NGX_LOG_NOTICE : NGX_LOG_WARN;

        ngx_log_error(level, issuer->log, 0,
                      "k8s_sa: saved keys of issuer \"%V\" cannot be used: "
                      "\"%V\": %s",
                      &issuer->name, &issuer->state_file, err.text);
    }

    json_decref(state);

    return rc;
}


static ngx_int_t
ngx_k8s_sa_state_check(ngx_k8s_sa_issuer_t *issuer, json_t *state,
    ngx_k8s_sa_keys_t *keys, k8s_sa_error_t *err)
{
    u_char            hex[NGX_K8S_SA_HEX_LEN];
    size_t            iss_len, jwks_len, digest_len;
    const char       *iss, *jwks, *digest;
    json_int_t        fetched;
    json_error_t      error;
    k8s_sa_error_t    note;

    if (json_unpack_ex(state, &error, JSON_STRICT,
                       "{s:I, s:s%, s:s%, s:s%}",
                       "fetched", &fetched, "issuer", &iss, &iss_len,
                       "jwks", &jwks, &jwks_len,
                       "digest", &digest, &digest_len)
        != 0)
    {
        k8s_sa_error_set(err, "%.128s", error.text);
        return NGX_DECLINED;
    }

    keys->issuer.data = (u_char *) iss;
    keys->issuer.len = iss_len;
    keys->keys.data = (u_char *) jwks;
    keys->keys.len = jwks_len;
    keys->fetched = fetched;

    if (ngx_k8s_sa_state_digest(issuer, keys, hex) != NGX_OK
        || digest_len != NGX_K8S_SA_HEX_LEN
        || ngx_memcmp(digest, hex, NGX_K8S_SA_HEX_LEN) != 0)
    {
        k8s_sa_error_set(err, "damaged, or from another configuration");
        return NGX_DECLINED;
    }

    if (fetched < 0 || fetched > ngx_time()) {
        k8s_sa_error_set(err, "its time, or the clock, is wrong");
        return NGX_DECLINED;
    }

    if ((ngx_msec_t) (ngx_time() - fetched) >= issuer->stale / 1000) {
        k8s_sa_error_set(err, "older than \"stale\"");
        return NGX_DECLINED;
    }

    return ngx_k8s_sa_issuer_check(issuer, &keys->keys, &note, err) == NGX_OK
           ? NGX_OK : NGX_DECLINED;
}


/* covers all that is read from the file, and the issuer's configuration */

static ngx_int_t
ngx_k8s_sa_state_digest(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_keys_t *keys, u_char *hex)
{
    int          ok;
    u_char       digest[EVP_MAX_MD_SIZE];
    int64_t      fetched;
    uint64_t     len;
    EVP_MD_CTX  *ctx;

    fetched = keys->fetched;
    len = keys->issuer.len;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ok = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL)
         && EVP_DigestUpdate(ctx, issuer->ref.digest, NGX_K8S_SA_DIGEST_LEN)
         && EVP_DigestUpdate(ctx, &fetched, sizeof(fetched))
         && EVP_DigestUpdate(ctx, &len, sizeof(len))
         && EVP_DigestUpdate(ctx, keys->issuer.data, keys->issuer.len)
         && EVP_DigestUpdate(ctx, keys->keys.data, keys->keys.len)
         && EVP_DigestFinal_ex(ctx, digest, NULL);

    EVP_MD_CTX_free(ctx);

    if (!ok) {
        return NGX_ERROR;
    }

    ngx_hex_dump(hex, digest, NGX_K8S_SA_HEX_LEN / 2);

    return NGX_OK;
}


void
ngx_k8s_sa_state_write(ngx_k8s_sa_issuer_t *issuer,
    const ngx_k8s_sa_keys_t *keys)
{
    char    *text;
    u_char   hex[NGX_K8S_SA_HEX_LEN];
    json_t  *state;

    if (ngx_k8s_sa_state_digest(issuer, keys, hex) != NGX_OK) {
        return;
    }

    state = json_pack("{s:I, s:s%, s:s%, s:s%}",
                      "fetched", (json_int_t) keys->fetched,
                      "issuer", keys->issuer.data ? keys->issuer.data
                                                  : (u_char *) "",
                      keys->issuer.len,
                      "jwks", keys->keys.data, keys->keys.len,
                      "digest", hex, (size_t) NGX_K8S_SA_HEX_LEN);

    text = json_dumps(state, JSON_COMPACT);
    json_decref(state);

    if (text == NULL
        || ngx_k8s_sa_state_save(issuer, text, ngx_strlen(text)) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, issuer->log, ngx_errno,
                      "k8s_sa: cannot save the keys of issuer \"%V\" in "
                      "\"%V\"", &issuer->name, &issuer->state_file);
    }

    free(text);
}


/*
 * Replaces the file atomically.  fsync(), which can take seconds, is not
 * needed: a file truncated by a power failure fails the digest check.
 */

static ngx_int_t
ngx_k8s_sa_state_save(ngx_k8s_sa_issuer_t *issuer, const char *text,
    size_t len)
{
    int      fd;
    size_t   n;
    ssize_t  written;
    u_char   temp[NGX_MAX_PATH];

    if (ngx_snprintf(temp, NGX_MAX_PATH, "%V.%P%Z", &issuer->state_file,
                     ngx_pid)
        >= temp + NGX_MAX_PATH)
    {
        ngx_set_errno(ENAMETOOLONG);
        return NGX_ERROR;
    }

    /* left over from a killed worker with the same process ID */

    (void) unlink((char *) temp);

    fd = open((char *) temp, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC,
              S_IRUSR|S_IWUSR);
    if (fd == -1) {
        return NGX_ERROR;
    }

    for (n = 0; n < len; n += written) {

        written = write(fd, text + n, len - n);

        if (written == -1) {
            close(fd);
            goto failed;
        }
    }

    if (close(fd) == -1
        || rename((char *) temp, (char *) issuer->state_file.data) == -1)
    {
        goto failed;
    }

    return NGX_OK;

failed:

    (void) unlink((char *) temp);

    return NGX_ERROR;
}
