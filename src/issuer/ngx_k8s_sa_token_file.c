/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_token_file.h"
#include "token/k8s_sa_token.h"


static ngx_int_t ngx_k8s_sa_token_file_read(ngx_k8s_sa_token_file_t *tf,
    k8s_sa_error_t *err);
static void ngx_k8s_sa_token_file_changed(ngx_k8s_sa_watch_t *watch,
    ngx_log_t *log);
static void ngx_k8s_sa_token_file_cleanup(void *data);


ngx_int_t
ngx_k8s_sa_token_file_init(ngx_k8s_sa_token_file_t *tf, ngx_pool_t *pool,
    const ngx_str_t *path, k8s_sa_error_t *err)
{
    ngx_pool_cleanup_t  *cln;

    ngx_memzero(tf, sizeof(ngx_k8s_sa_token_file_t));

    tf->watch.file.path = *path;
    tf->watch.file.max = K8S_SA_TOKEN_MAX;
    tf->watch.handler = ngx_k8s_sa_token_file_changed;
    tf->watch.data = tf;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        k8s_sa_error_set(err, "out of memory");
        return NGX_ERROR;
    }

    cln->handler = ngx_k8s_sa_token_file_cleanup;
    cln->data = tf;

    return ngx_k8s_sa_token_file_read(tf, err);
}


static ngx_int_t
ngx_k8s_sa_token_file_read(ngx_k8s_sa_token_file_t *tf, k8s_sa_error_t *err)
{
    size_t     i;
    ngx_str_t  content, token;

    if (ngx_k8s_sa_file_read(&tf->watch.file, &content) != NGX_OK) {
        (void) ngx_k8s_sa_file_reason(&tf->watch.file, err->text,
                                      sizeof(err->text));
        return NGX_ERROR;
    }

    token = content;

    while (token.len && token.data[token.len - 1] <= ' ') {
        token.len--;
    }

    while (token.len && token.data[0] <= ' ') {
        token.data++;
        token.len--;
    }

    for (i = 0; i < token.len; i++) {
        if (token.data[i] <= ' ' || token.data[i] >= 0x7f) {
            k8s_sa_error_set(err, "there is more than a token in the file");
            goto failed;
        }
    }

    if (token.len == 0) {
        k8s_sa_error_set(err, "file is empty");
        goto failed;
    }

    ngx_k8s_sa_file_free(&tf->content);

    tf->content = content;
    tf->token = token;

    return NGX_OK;

failed:

    ngx_k8s_sa_file_free(&content);

    return NGX_ERROR;
}


static void
ngx_k8s_sa_token_file_changed(ngx_k8s_sa_watch_t *watch, ngx_log_t *log)
{
    k8s_sa_error_t  err;

    if (ngx_k8s_sa_token_file_read(watch->data, &err) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "k8s_sa: \"%V\" changed and cannot be used, the old "
                      "token is kept: %s", &watch->file.path, err.text);
    }
}


static void
ngx_k8s_sa_token_file_cleanup(void *data)
{
    ngx_k8s_sa_token_file_t  *tf = data;

    ngx_k8s_sa_file_free(&tf->content);
}
