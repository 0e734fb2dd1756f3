/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A credential of our own in a file, read again when it changes: projected
 * tokens live for minutes.
 */

#ifndef NGX_K8S_SA_TOKEN_FILE_H
#define NGX_K8S_SA_TOKEN_FILE_H


#include "net/ngx_k8s_sa_file.h"
#include "token/k8s_sa_base.h"


typedef struct {
    ngx_k8s_sa_watch_t    watch;
    ngx_str_t             content;   /* of the file, owns the memory */
    ngx_str_t             token;     /* the same, trimmed; changes only in
                                        watch.handler */
} ngx_k8s_sa_token_file_t;


/*
 * Makes a token file of a path (absolute, NUL-terminated) and reads it.
 * *tf lives as long as pool; the caller has it watched.  NGX_OK; NGX_ERROR
 * with the reason in *err: unreadable, empty, more than a token in it.  It can
 * be watched nevertheless.
 */

ngx_int_t ngx_k8s_sa_token_file_init(ngx_k8s_sa_token_file_t *tf,
    ngx_pool_t *pool, const ngx_str_t *path, k8s_sa_error_t *err);


#endif /* NGX_K8S_SA_TOKEN_FILE_H */
