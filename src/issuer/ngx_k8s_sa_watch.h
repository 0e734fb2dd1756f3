/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Files that are read again when they change: key files, own tokens.
 *
 * Kubernetes changes a mounted file by swapping a symbolic link above it, so
 * a change is whatever makes stat() differ.  A timer in each worker looks
 * every NGX_K8S_SA_WATCH_INTERVAL; no request ever reads a file.
 */

#ifndef NGX_K8S_SA_WATCH_H
#define NGX_K8S_SA_WATCH_H


#include <ngx_config.h>
#include <ngx_core.h>
#include "token/k8s_sa_base.h"


#define NGX_K8S_SA_WATCH_INTERVAL  2000       /* ms */


typedef struct ngx_k8s_sa_watch_s  ngx_k8s_sa_watch_t;

/*
 * Called in a worker after a change.  What cannot be used is the handler's to
 * log; it is called again only after the next change.
 */

typedef void (*ngx_k8s_sa_watch_pt)(ngx_k8s_sa_watch_t *watch, ngx_log_t *log);


struct ngx_k8s_sa_watch_s {
    ngx_str_t              path;      /* absolute, NUL-terminated */
    ngx_k8s_sa_watch_pt    handler;
    void                  *data;      /* the handler's */

    /* what stat() said when the file was last read, zeroes: not there */
    mode_t                 mode;
    uid_t                  uid;
    dev_t                  dev;
    ino_t                  ino;
    off_t                  size;
    struct timespec        mtime;
    struct timespec        ctime;
};


/*
 * Reads a file of at most max bytes into malloc()ed memory, NUL-terminated,
 * and notes its state in watch, so that only later changes count.
 * NGX_OK; NGX_ERROR with the reason in *err and nothing allocated.
 */

ngx_int_t ngx_k8s_sa_watch_read(ngx_k8s_sa_watch_t *watch, size_t max,
    ngx_str_t *content, k8s_sa_error_t *err);

/*
 * Starts looking after an array of ngx_k8s_sa_watch_t *, which outlives the
 * worker.  Called once a worker, from init_process.
 */

void ngx_k8s_sa_watch_start(ngx_cycle_t *cycle, ngx_array_t *watches);


#endif /* NGX_K8S_SA_WATCH_H */
