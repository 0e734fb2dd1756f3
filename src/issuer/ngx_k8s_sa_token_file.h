/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A token in a file that nginx itself uses.  The file is read again when it
 * changes, since projected tokens live for minutes.
 */

#ifndef NGX_K8S_SA_TOKEN_FILE_H
#define NGX_K8S_SA_TOKEN_FILE_H


#include "net/ngx_k8s_sa_file.h"
#include "token/k8s_sa_base.h"


typedef struct {
    ngx_k8s_sa_watch_t    watch;
    ngx_str_t             content;   /* the whole file, owns the memory */
    ngx_str_t             token;     /* trimmed, points into content; changes
                                        only in watch.handler */
} ngx_k8s_sa_token_file_t;


/*
 * Initializes *tf from a path (absolute, NUL-terminated) and reads the file.
 * *tf lives as long as pool.  The caller adds tf->watch to those watched.
 *
 * NGX_OK; NGX_ERROR with the reason in *err: the file cannot be read, is empty
 * or holds more than a token.  It can be watched nevertheless.
 */

ngx_int_t ngx_k8s_sa_token_file_init(ngx_k8s_sa_token_file_t *tf,
    ngx_pool_t *pool, const ngx_str_t *path, k8s_sa_error_t *err);


#endif /* NGX_K8S_SA_TOKEN_FILE_H */
