/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Arguments of directives that are used as they are written: what was meant as
 * something else would silently match nothing.
 */

#ifndef NGX_HTTP_K8S_SA_CONF_VALUE_H
#define NGX_HTTP_K8S_SA_CONF_VALUE_H


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Checks that no argument of the directive being read contains a variable.
 * Returns NGX_OK, or NGX_ERROR after logging.
 */

ngx_int_t ngx_http_k8s_sa_conf_value_is_plain(ngx_conf_t *cf);

/*
 * Returns 1 for words that stand for all or none in other directives, such as
 * "off", otherwise 0.
 */

ngx_uint_t ngx_http_k8s_sa_conf_value_is_word(ngx_str_t *value);


#endif /* NGX_HTTP_K8S_SA_CONF_VALUE_H */
