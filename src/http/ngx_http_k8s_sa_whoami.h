/* SPDX-License-Identifier: BSD-2-Clause */

/* k8s_sa_whoami: answers with the caller's identity. */

#ifndef NGX_HTTP_K8S_SA_WHOAMI_H
#define NGX_HTTP_K8S_SA_WHOAMI_H


#include "http/ngx_http_k8s_sa.h"


char *ngx_http_k8s_sa_whoami(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* NGX_HTTP_K8S_SA_WHOAMI_H */
