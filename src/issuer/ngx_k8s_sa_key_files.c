/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_issuer.h"
#include "token/k8s_sa_discovery.h"

#include <sys/stat.h>


ngx_int_t
ngx_k8s_sa_key_file_read(ngx_k8s_sa_key_file_t *file, k8s_sa_keyset_t *keys,
    ngx_uint_t *exposed, k8s_sa_error_t *note, k8s_sa_error_t *err)
{
    int        rc, has_private;
    ngx_str_t  content;

    note->text[0] = '\0';
    has_private = 0;

    file->watch.file.max = K8S_SA_DOCUMENT_MAX;

    if (ngx_k8s_sa_file_read(&file->watch.file, &content) != NGX_OK) {
        (void) ngx_k8s_sa_file_reason(&file->watch.file, err->text,
                                      sizeof(err->text));
        return NGX_ERROR;
    }

    if (file->jwks) {
        rc = k8s_sa_keyset_add_jwks(keys, content.data, content.len, note,
                                    err);
    } else {
        rc = k8s_sa_keyset_add_pem(keys, content.data, content.len,
                                   &has_private, note, err);
    }

    ngx_k8s_sa_file_free(&content);

    if (rc == K8S_SA_NO_MEMORY) {
        ngx_k8s_sa_file_forget(&file->watch.file);
    }

    *exposed = has_private && (file->watch.file.info.st_mode & S_IROTH);

    return rc == K8S_SA_OK ? NGX_OK : NGX_ERROR;
}


void
ngx_k8s_sa_issuer_reload(ngx_k8s_sa_watch_t *watch, ngx_log_t *log)
{
    ngx_uint_t               i, exposed, failed;
    k8s_sa_error_t           note, err;
    k8s_sa_keyset_t         *keys;
    ngx_k8s_sa_issuer_t     *issuer;
    ngx_k8s_sa_key_file_t  **file;

    issuer = watch->data;
    file = issuer->key_files.elts;

    keys = k8s_sa_keyset_create();
    if (keys == NULL) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "k8s_sa: no memory for the keys of issuer \"%V\"",
                      &issuer->name);
        return;
    }

    failed = 0;

    /* a broken file does not end the loop: each one is logged */

    for (i = 0; i < issuer->key_files.nelts; i++) {

        if (ngx_k8s_sa_key_file_read(file[i], keys, &exposed, &note, &err)
            != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "k8s_sa: \"%V\" changed and cannot be used, "
                          "issuer \"%V\" keeps its old keys: %s",
                          &file[i]->watch.file.path, &issuer->name, err.text);

            failed = 1;
            continue;
        }

        if (note.text[0] != '\0') {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "k8s_sa: key in \"%V\" passed over: %s",
                          &file[i]->watch.file.path, note.text);
        }
    }

    if (failed) {
        k8s_sa_keyset_free(keys);
        return;
    }

    k8s_sa_keyset_free(issuer->file_keys);
    issuer->file_keys = keys;
    issuer->version++;

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "k8s_sa: issuer \"%V\" has new keys from \"%V\"",
                  &issuer->name, &watch->file.path);
}
