/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Creates, merges and completes the configuration; sets k8s_sa_zone,
 * k8s_sa_auth, k8s_sa_realm and k8s_sa_groups_separator.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_H
#define NGX_HTTP_K8S_SA_CONF_H


#include "http/ngx_http_k8s_sa.h"


/* The callbacks of ngx_http_module_t. */

void *ngx_http_k8s_sa_create_main_conf(ngx_conf_t *cf);
char *ngx_http_k8s_sa_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_k8s_sa_create_srv_conf(ngx_conf_t *cf);
void *ngx_http_k8s_sa_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_k8s_sa_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


/* Setters of directives, as in ngx_command_t. */

char *ngx_http_k8s_sa_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_k8s_sa_conf_auth(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_k8s_sa_conf_realm(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_k8s_sa_conf_groups_separator(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


#endif /* NGX_HTTP_K8S_SA_CONF_H */
