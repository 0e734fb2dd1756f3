/* SPDX-License-Identifier: BSD-2-Clause */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "net/ngx_k8s_sa_file.h"


#define NGX_K8S_SA_FILE_SETTLED  2          /* seconds */


ngx_uint_t
ngx_k8s_sa_file_changed(ngx_k8s_sa_file_t *file, ngx_msec_t interval)
{
    ngx_err_t        err;
    ngx_uint_t       changed;
    ngx_file_info_t  fi, *old;

    if (file->known
        && interval
        && ngx_current_msec - file->checked < interval)
    {
        return 0;
    }

    ngx_memzero(&fi, sizeof(ngx_file_info_t));

    err = 0;

    if (ngx_file_info(file->path, &fi) == NGX_FILE_ERROR) {
        err = ngx_errno;
    }

    old = &file->info;

    changed = !file->known
              || !file->settled
              || err != file->error
              || fi.st_ino != old->st_ino
              || fi.st_dev != old->st_dev
              || fi.st_size != old->st_size
              || fi.st_mtim.tv_sec != old->st_mtim.tv_sec
              || fi.st_mtim.tv_nsec != old->st_mtim.tv_nsec;

    file->checked = ngx_current_msec;

    if (!changed) {
        return 0;
    }

    file->known = 1;
    file->error = err;
    file->info = fi;

    /* a time stamp in the future does not make a file unsettled for ever */

    file->settled = err
                     || ngx_time() - fi.st_mtim.tv_sec
                        >= NGX_K8S_SA_FILE_SETTLED
                     || fi.st_mtim.tv_sec > ngx_time() + 1;

    return 1;
}


ngx_int_t
ngx_k8s_sa_file_read(ngx_pool_t *pool, const char *path, size_t max,
    ngx_str_t *content, ngx_err_t *error)
{
    u_char           *p;
    size_t            len;
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_int_t         rc;
    ngx_file_info_t   fi;

    /* not blocking: path may be a FIFO, for which open() would wait */

    fd = open(path, O_RDONLY|O_NONBLOCK|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        *error = ngx_errno;
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        *error = ngx_errno;
        goto done;
    }

    if (!ngx_is_file(&fi)) {
        *error = EINVAL;
        goto done;
    }

    /* the size is no promise: the file may grow while it is read */

    p = ngx_pnalloc(pool, max + 2);
    if (p == NULL) {
        rc = NGX_ERROR;
        goto done;
    }

    len = 0;

    while (len <= max) {

        n = ngx_read_fd(fd, p + len, max + 1 - len);

        if (n == -1) {
            *error = ngx_errno;
            goto done;
        }

        if (n == 0) {
            break;
        }

        len += n;
    }

    if (len > max) {
        *error = EFBIG;
        goto done;
    }

    p[len] = '\0';

    content->data = p;
    content->len = len;

    rc = NGX_OK;

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      ngx_close_file_n " \"%s\" failed", path);
    }

    return rc;
}
