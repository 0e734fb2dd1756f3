/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The configuration: what makes, merges and completes it, and the setters of
 * directives.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_H
#define NGX_HTTP_K8S_SA_CONF_H


#include "http/ngx_http_k8s_sa.h"


/* As ngx_http_module_t calls them. */

void *ngx_http_k8s_sa_create_main_conf(ngx_conf_t *cf);
char *ngx_http_k8s_sa_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_k8s_sa_create_srv_conf(ngx_conf_t *cf);
void *ngx_http_k8s_sa_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_k8s_sa_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


/* The setters of k8s_sa_zone, k8s_sa_auth and so on. */

char *ngx_http_k8s_sa_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_k8s_sa_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_k8s_sa_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_k8s_sa_realm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_k8s_sa_set_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_http_k8s_sa_conf_issuer.c: k8s_sa_issuer NAME { ... } */

char *ngx_http_k8s_sa_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* NGX_HTTP_K8S_SA_CONF_H */
