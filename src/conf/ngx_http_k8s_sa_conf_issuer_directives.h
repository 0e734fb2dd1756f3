/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The directives inside a k8s_sa_issuer block.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_ISSUER_DIRECTIVES_H
#define NGX_HTTP_K8S_SA_CONF_ISSUER_DIRECTIVES_H


#include "conf/ngx_http_k8s_sa_conf_block.h"


/*
 * The handler for ngx_conf_parse(): reads one directive into the
 * ngx_http_k8s_sa_conf_block_t at cf->handler_conf.  Returns NGX_CONF_OK, or
 * NGX_CONF_ERROR with the reason logged.
 */

char *ngx_http_k8s_sa_conf_issuer_directive(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);


#endif /* NGX_HTTP_K8S_SA_CONF_ISSUER_DIRECTIVES_H */
