/* SPDX-License-Identifier: BSD-2-Clause */


/*
 * Small files that others write: noticing that one has changed, reading it.
 * ConfigMap and Secret volumes change by a symlink swap, editors by rename,
 * the kubelet's /etc/hosts in place.
 */

#ifndef NGX_K8S_SA_FILE_H
#define NGX_K8S_SA_FILE_H


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    const char          *path;         /* NUL-terminated, outlives the struct */

    /* private; all zero at first */

    ngx_msec_t           checked;
    ngx_file_info_t      info;
    ngx_err_t            error;
    unsigned             known:1;
    unsigned             settled:1;
} ngx_k8s_sa_file_t;


/*
 * 1 if the file has to be read: at the first call, and when it is not the same
 * as at the last call that returned 1 (also when it has vanished or is back).
 * A file changed less than two seconds before it was read counts as changed
 * once more, because a time stamp does not tell a write during the reading.
 * stat() is called at most once every interval milliseconds; 0: always.
 */

ngx_uint_t ngx_k8s_sa_file_changed(ngx_k8s_sa_file_t *file,
    ngx_msec_t interval);

/*
 * Reads a regular file of at most max bytes into pool, with a NUL behind it.
 * NGX_OK; NGX_DECLINED: *error has the errno (EFBIG: too large, EINVAL: not a
 * regular file); NGX_ERROR: no memory.
 */

ngx_int_t ngx_k8s_sa_file_read(ngx_pool_t *pool, const char *path, size_t max,
    ngx_str_t *content, ngx_err_t *error);


#endif /* NGX_K8S_SA_FILE_H */
