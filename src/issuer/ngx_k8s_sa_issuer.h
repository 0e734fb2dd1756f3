/*
 * An issuer: who signs tokens, and the keys that check them.
 */

#ifndef NGX_K8S_SA_ISSUER_H
#define NGX_K8S_SA_ISSUER_H


#include <ngx_config.h>
#include <ngx_core.h>
#include "token/k8s_sa_token.h"
#include "issuer/ngx_k8s_sa_watch.h"


typedef struct ngx_k8s_sa_issuer_s  ngx_k8s_sa_issuer_t;


typedef struct {
    ngx_k8s_sa_watch_t       watch;      /* data: the issuer */
    unsigned                 jwks:1;     /* a JWK set, otherwise PEM */
} ngx_k8s_sa_key_file_t;


struct ngx_k8s_sa_issuer_s {
    ngx_str_t                name;

    /* configuration, owned by its pool */

    k8s_sa_policy_t          policy;     /* points into the arrays */
    ngx_array_t              issuers;    /* k8s_sa_str_t */
    ngx_array_t              audiences;  /* k8s_sa_str_t */
    ngx_array_t              key_files;  /* ngx_k8s_sa_key_file_t * */

    /* of this process; replaced as a whole, freed with the configuration */

    k8s_sa_keyset_t         *keys;
};


/*
 * Adds the keys of one file to a set.  NGX_OK; NGX_ERROR with the reason in
 * *err.  note->text is empty, or says why a key of the file was passed over;
 * *exposed is set if the file holds a private key and anyone may read it.
 */

ngx_int_t ngx_k8s_sa_key_file_read(ngx_k8s_sa_key_file_t *file,
    k8s_sa_keyset_t *keys, ngx_uint_t *exposed, k8s_sa_error_t *note,
    k8s_sa_error_t *err);

/*
 * The watch handler of key files: reads all files of the issuer again and
 * replaces its keys if every file is sound, otherwise keeps them and logs an
 * error.
 */

void ngx_k8s_sa_issuer_reload(ngx_k8s_sa_watch_t *watch, ngx_log_t *log);


#endif /* NGX_K8S_SA_ISSUER_H */
