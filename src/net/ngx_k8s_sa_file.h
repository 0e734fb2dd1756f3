/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Small files that are read again when they change: keys, tokens, CAs,
 * resolv.conf, hosts.  ConfigMap and Secret volumes change by a swap of
 * symbolic links, editors rename, the kubelet writes /etc/hosts in place.
 *
 * A file counts as read only after all of it has been read.  As long as it
 * cannot be opened or read (EMFILE, EACCES, ...), each look tries again.
 */

#ifndef NGX_K8S_SA_FILE_H
#define NGX_K8S_SA_FILE_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_K8S_SA_FILE_DIGEST_LEN  32       /* SHA-256 */
#define NGX_K8S_SA_WATCH_INTERVAL   2000     /* ms */


typedef struct {
    ngx_str_t             path;      /* NUL-terminated, outlives the struct */
    size_t                max;       /* bytes; a larger file is not read */

    /* the result of the last ngx_k8s_sa_file_read() */

    ngx_err_t             error;     /* 0: it was read, info is valid */
    const char           *failed;    /* with error: the function */
    ngx_file_info_t       info;      /* fstat() before reading */

    /* private, all zero at first */

    u_char                digest[NGX_K8S_SA_FILE_DIGEST_LEN];
    ngx_msec_t            looked;
    unsigned              known:1;
    unsigned              settled:1;
} ngx_k8s_sa_file_t;


/*
 * Returns 1 if ngx_k8s_sa_file_read() has not been called yet or would have
 * another result now (other content, another error), otherwise 0.
 *
 * An unchanged file costs a stat().  Time stamps are coarse, so for two
 * seconds after a change the content is compared as well.  Looks at the file
 * at most once every interval milliseconds; 0: at each call.
 */

ngx_uint_t ngx_k8s_sa_file_changed(ngx_k8s_sa_file_t *file,
    ngx_msec_t interval);

/*
 * Reads a regular file into malloc()ed memory, with a NUL after its end.  The
 * caller frees it with ngx_k8s_sa_file_free().  Never blocks on a FIFO.
 *
 * NGX_OK; NGX_ERROR: the errno is in file->error (EFBIG: larger than max,
 * EINVAL: not a regular file), nothing is allocated.
 */

ngx_int_t ngx_k8s_sa_file_read(ngx_k8s_sa_file_t *file, ngx_str_t *content);

/* Wipes and frees the content of a file, and sets *content to null. */

void ngx_k8s_sa_file_free(ngx_str_t *content);

/* Makes the file count as changed, e.g. if there was no memory to use it. */

void ngx_k8s_sa_file_forget(ngx_k8s_sa_file_t *file);

/*
 * Writes the reason why the file could not be read to text, NUL-terminated and
 * cut off after size bytes.  Returns text.
 */

char *ngx_k8s_sa_file_reason(const ngx_k8s_sa_file_t *file, void *text,
    size_t size);


typedef struct ngx_k8s_sa_watch_s  ngx_k8s_sa_watch_t;

/*
 * Called in a worker when ngx_k8s_sa_file_changed() says so.  Reads the file
 * and logs what is wrong with it.
 */

typedef void (*ngx_k8s_sa_watch_pt)(ngx_k8s_sa_watch_t *watch, ngx_log_t *log);


/* A file that a timer looks at, so that no request ever reads it. */

struct ngx_k8s_sa_watch_s {
    ngx_k8s_sa_file_t     file;
    ngx_k8s_sa_watch_pt   handler;
    void                 *data;      /* for the handler */
};


/*
 * Starts looking at an array of ngx_k8s_sa_watch_t * every
 * NGX_K8S_SA_WATCH_INTERVAL.  The array outlives the worker.  Called once in
 * each worker, from init_process.
 */

void ngx_k8s_sa_watch_start(ngx_cycle_t *cycle, ngx_array_t *watches);


#endif /* NGX_K8S_SA_FILE_H */
