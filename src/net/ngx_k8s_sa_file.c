/* SPDX-License-Identifier: BSD-2-Clause */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <openssl/evp.h>

#include "net/ngx_k8s_sa_file.h"


#define NGX_K8S_SA_FILE_SETTLED  2           /* seconds */


static ngx_err_t ngx_k8s_sa_file_load(ngx_k8s_sa_file_t *file, ngx_fd_t fd,
    ngx_str_t *content);
static ngx_uint_t ngx_k8s_sa_file_same(ngx_file_info_t *a, ngx_file_info_t *b);
static void ngx_k8s_sa_watch_timer(ngx_event_t *ev);


static ngx_event_t       ngx_k8s_sa_watch_event;
static ngx_connection_t  ngx_k8s_sa_watch_dummy;


ngx_uint_t
ngx_k8s_sa_file_changed(ngx_k8s_sa_file_t *file, ngx_msec_t interval)
{
    ngx_str_t          content;
    ngx_file_info_t    info;
    ngx_k8s_sa_file_t  now;

    if (!file->known) {
        return 1;
    }

    if (interval && ngx_current_msec - file->looked < interval) {
        return 0;
    }

    file->looked = ngx_current_msec;

    if (file->settled
        && ngx_file_info(file->path.data, &info) != NGX_FILE_ERROR
        && ngx_k8s_sa_file_same(&info, &file->info))
    {
        return 0;
    }

    /* *file stays as it is until the caller has read the file itself */

    now = *file;

    if (ngx_k8s_sa_file_read(&now, &content) == NGX_OK) {
        ngx_k8s_sa_file_free(&content);
    }

    if (now.error != file->error
        || (now.error == 0
            && ngx_memcmp(now.digest, file->digest, NGX_K8S_SA_FILE_DIGEST_LEN)
               != 0))
    {
        ngx_log_debug1(NGX_LOG_DEBUG_EVENT, ngx_cycle->log, 0,
                       "k8s sa file changed: \"%V\"", &file->path);
        return 1;
    }

    *file = now;

    return 0;
}


ngx_int_t
ngx_k8s_sa_file_read(ngx_k8s_sa_file_t *file, ngx_str_t *content)
{
    ngx_fd_t  fd;

    ngx_str_null(content);

    file->known = 1;
    file->settled = 0;
    file->looked = ngx_current_msec;

    /* O_NONBLOCK: open() of a FIFO would wait for a writer */

    fd = open((char *) file->path.data, O_RDONLY|O_NONBLOCK|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        file->error = ngx_errno;
        file->failed = "open()";

    } else {
        file->error = ngx_k8s_sa_file_load(file, fd, content);

        if (ngx_close_file(fd) == NGX_FILE_ERROR) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                          ngx_close_file_n " \"%V\" failed", &file->path);
        }
    }

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, ngx_cycle->log, 0,
                   "k8s sa file read: \"%V\", %uz bytes, error %d",
                   &file->path, content->len, file->error);

    if (file->error) {
        ngx_k8s_sa_file_free(content);
        return NGX_ERROR;
    }

    /* a time stamp in the future does not keep a file unsettled forever */

    file->settled = ngx_time() - file->info.st_ctim.tv_sec
                    >= NGX_K8S_SA_FILE_SETTLED
                    || file->info.st_ctim.tv_sec > ngx_time() + 1;

    return NGX_OK;
}


/* Returns 0 or an errno. */

static ngx_err_t
ngx_k8s_sa_file_load(ngx_k8s_sa_file_t *file, ngx_fd_t fd, ngx_str_t *content)
{
    ssize_t  n;

    file->failed = "fstat()";

    if (ngx_fd_info(fd, &file->info) == NGX_FILE_ERROR) {
        return ngx_errno;
    }

    if (!ngx_is_file(&file->info)) {
        return EINVAL;
    }

    /* the file may grow while it is read, so its size is not relied upon */

    file->failed = "malloc()";

    content->data = ngx_alloc(file->max + 1, ngx_cycle->log);
    if (content->data == NULL) {
        return NGX_ENOMEM;
    }

    file->failed = "read()";

    do {
        n = ngx_read_fd(fd, content->data + content->len,
                        file->max + 1 - content->len);

        if (n == -1) {
            return ngx_errno;
        }

        content->len += n;

        if (content->len > file->max) {
            return EFBIG;
        }

    } while (n);

    content->data[content->len] = '\0';

    file->failed = "EVP_Digest()";

    if (EVP_Digest(content->data, content->len, file->digest, NULL,
                   EVP_sha256(), NULL)
        != 1)
    {
        return NGX_ENOMEM;
    }

    return 0;
}


static ngx_uint_t
ngx_k8s_sa_file_same(ngx_file_info_t *a, ngx_file_info_t *b)
{
    return a->st_dev == b->st_dev
           && a->st_ino == b->st_ino
           && a->st_size == b->st_size
           && a->st_mtim.tv_sec == b->st_mtim.tv_sec
           && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec
           && a->st_ctim.tv_sec == b->st_ctim.tv_sec
           && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}


void
ngx_k8s_sa_file_free(ngx_str_t *content)
{
    if (content->data) {
        ngx_explicit_memzero(content->data, content->len);
        ngx_free(content->data);
    }

    ngx_str_null(content);
}


void
ngx_k8s_sa_file_forget(ngx_k8s_sa_file_t *file)
{
    file->known = 0;
}


char *
ngx_k8s_sa_file_reason(const ngx_k8s_sa_file_t *file, void *text, size_t size)
{
    u_char  *p, *last;

    p = text;
    last = p + size - 1;

    switch (file->error) {

    case EINVAL:
        p = ngx_slprintf(p, last, "not a regular file");
        break;

    case EFBIG:
        p = ngx_slprintf(p, last, "file is larger than %uz bytes", file->max);
        break;

    default:
        p = ngx_slprintf(p, last, "%s failed (%d: %s)", file->failed,
                         file->error, strerror(file->error));
    }

    *p = '\0';

    return text;
}


void
ngx_k8s_sa_watch_start(ngx_cycle_t *cycle, ngx_array_t *watches)
{
    ngx_event_t  *ev;

    if (watches->nelts == 0) {
        return;
    }

    ev = &ngx_k8s_sa_watch_event;

    ngx_memzero(ev, sizeof(ngx_event_t));

    /* ngx_event_ident() in debug logs needs a connection */

    ngx_k8s_sa_watch_dummy.fd = (ngx_socket_t) -1;
    ngx_k8s_sa_watch_dummy.data = watches;

    ev->data = &ngx_k8s_sa_watch_dummy;
    ev->handler = ngx_k8s_sa_watch_timer;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_K8S_SA_WATCH_INTERVAL);
}


static void
ngx_k8s_sa_watch_timer(ngx_event_t *ev)
{
    ngx_uint_t            i;
    ngx_array_t          *watches;
    ngx_connection_t     *dummy;
    ngx_k8s_sa_watch_t  **watch;

    if (ngx_exiting || ngx_terminate) {
        return;
    }

    dummy = ev->data;
    watches = dummy->data;
    watch = watches->elts;

    for (i = 0; i < watches->nelts; i++) {

        if (ngx_k8s_sa_file_changed(&watch[i]->file, 0)) {
            watch[i]->handler(watch[i], ev->log);
        }
    }

    ngx_add_timer(ev, NGX_K8S_SA_WATCH_INTERVAL);
}
