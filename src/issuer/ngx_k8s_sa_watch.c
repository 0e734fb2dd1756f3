/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_watch.h"

#include <ngx_event.h>
#include <sys/stat.h>


static ngx_int_t ngx_k8s_sa_watch_changed(ngx_k8s_sa_watch_t *watch);
static void ngx_k8s_sa_watch_note(ngx_k8s_sa_watch_t *watch, struct stat *st);
static void ngx_k8s_sa_watch_timer(ngx_event_t *ev);


static ngx_event_t       ngx_k8s_sa_watch_event;
static ngx_connection_t  ngx_k8s_sa_watch_dummy;


ngx_int_t
ngx_k8s_sa_watch_read(ngx_k8s_sa_watch_t *watch, size_t max,
    ngx_str_t *content, k8s_sa_error_t *err)
{
    int           fd;
    u_char       *buf;
    size_t        len;
    ssize_t       n;
    struct stat   st;

    buf = NULL;
    ngx_memzero(&st, sizeof(struct stat));

    /* O_NONBLOCK: opening a FIFO must not block */

    fd = open((char *) watch->path.data, O_RDONLY|O_NONBLOCK|O_CLOEXEC);

    if (fd == -1) {
        k8s_sa_error_set(err, "open() failed (%d: %s)", errno,
                         strerror(errno));
        (void) stat((char *) watch->path.data, &st);
        goto failed;
    }

    if (fstat(fd, &st) == -1) {
        k8s_sa_error_set(err, "fstat() failed (%d: %s)", errno,
                         strerror(errno));
        goto failed;
    }

    if (!S_ISREG(st.st_mode)) {
        k8s_sa_error_set(err, "not a regular file");
        goto failed;
    }

    if (st.st_size > (off_t) max) {
        k8s_sa_error_set(err, "file is larger than %lu bytes",
                         (unsigned long) max);
        goto failed;
    }

    buf = malloc(st.st_size + 1);
    if (buf == NULL) {
        k8s_sa_error_set(err, "out of memory");
        goto failed;
    }

    for (len = 0; len < (size_t) st.st_size; len += n) {

        n = read(fd, buf + len, st.st_size - len);

        if (n == -1) {
            k8s_sa_error_set(err, "read() failed (%d: %s)", errno,
                             strerror(errno));
            goto failed;
        }

        if (n == 0) {
            break;
        }
    }

    close(fd);

    buf[len] = '\0';
    content->data = buf;
    content->len = len;

    ngx_k8s_sa_watch_note(watch, &st);

    return NGX_OK;

failed:

    free(buf);

    if (fd != -1) {
        close(fd);
    }

    ngx_k8s_sa_watch_note(watch, &st);

    return NGX_ERROR;
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

    /* ngx_event_ident() of debugging logs wants a connection */

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

        if (ngx_k8s_sa_watch_changed(watch[i])) {
            watch[i]->handler(watch[i], ev->log);
        }
    }

    ngx_add_timer(ev, NGX_K8S_SA_WATCH_INTERVAL);
}


static ngx_int_t
ngx_k8s_sa_watch_changed(ngx_k8s_sa_watch_t *watch)
{
    struct stat  st;

    if (stat((char *) watch->path.data, &st) == -1) {
        ngx_memzero(&st, sizeof(struct stat));
    }

    return st.st_dev != watch->dev
           || st.st_ino != watch->ino
           || st.st_mode != watch->mode
           || st.st_size != watch->size
           || st.st_mtim.tv_sec != watch->mtime.tv_sec
           || st.st_mtim.tv_nsec != watch->mtime.tv_nsec
           || st.st_ctim.tv_sec != watch->ctime.tv_sec
           || st.st_ctim.tv_nsec != watch->ctime.tv_nsec;
}


static void
ngx_k8s_sa_watch_note(ngx_k8s_sa_watch_t *watch, struct stat *st)
{
    watch->mode = st->st_mode;
    watch->uid = st->st_uid;
    watch->dev = st->st_dev;
    watch->ino = st->st_ino;
    watch->size = st->st_size;
    watch->mtime = st->st_mtim;
    watch->ctime = st->st_ctim;
}
