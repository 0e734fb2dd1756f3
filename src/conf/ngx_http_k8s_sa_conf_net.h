/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Where an issuer's keys are fetched and its tokens are reviewed, and with
 * which credential.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_NET_H
#define NGX_HTTP_K8S_SA_CONF_NET_H


#include "conf/ngx_http_k8s_sa_conf_block.h"


/*
 * Checks a block that has been read, sets defaults, and fills block->issuer
 * and the client's configuration.  Returns NGX_CONF_OK, or NGX_CONF_ERROR with
 * the reason logged.
 */

char *ngx_http_k8s_sa_conf_net(ngx_conf_t *cf,
    ngx_http_k8s_sa_conf_block_t *block);

/*
 * Completes an issuer after the whole http block has been read, since it needs
 * the zone and the resolver: sets its digests, registers it in the zone and
 * creates its clients.  Returns NGX_OK, or NGX_ERROR with the reason logged.
 */

ngx_int_t ngx_http_k8s_sa_conf_net_complete(ngx_conf_t *cf,
    ngx_http_k8s_sa_named_issuer_t *named);


#endif /* NGX_HTTP_K8S_SA_CONF_NET_H */
