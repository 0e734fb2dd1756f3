/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ngx_http_k8s_sa_module: checks Kubernetes service account tokens.
 *
 * The directive table and the module's registration.  src/conf/ reads the
 * configuration, src/http/ handles requests, src/status/ answers operators.
 */

#include "conf/ngx_http_k8s_sa_conf.h"
#include "conf/ngx_http_k8s_sa_conf_authorize.h"
#include "conf/ngx_http_k8s_sa_conf_headers.h"
#include "conf/ngx_http_k8s_sa_conf_issuer.h"
#include "conf/ngx_http_k8s_sa_conf_original.h"
#include "conf/ngx_http_k8s_sa_conf_paths.h"
#include "conf/ngx_http_k8s_sa_conf_rules.h"
#include "conf/ngx_http_k8s_sa_conf_token.h"
#include "conf/ngx_http_k8s_sa_conf_token_file.h"
#include "http/ngx_http_k8s_sa_access.h"
#include "http/ngx_http_k8s_sa_headers.h"
#include "http/ngx_http_k8s_sa_request.h"
#include "http/ngx_http_k8s_sa_variables.h"
#include "http/ngx_http_k8s_sa_whoami.h"
#include "shared/ngx_k8s_sa_zone.h"
#include "status/ngx_http_k8s_sa_status.h"


static ngx_int_t ngx_http_k8s_sa_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_k8s_sa_init_process(ngx_cycle_t *cycle);
static void ngx_http_k8s_sa_exit_process(ngx_cycle_t *cycle);
static ngx_http_k8s_sa_main_conf_t *ngx_http_k8s_sa_worker_conf(
    ngx_cycle_t *cycle);


#define NGX_HTTP_K8S_SA_ANY_CONF                                              \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LMT_CONF)


static ngx_conf_enum_t  ngx_http_k8s_sa_log_levels[] = {
    { ngx_string("info"), NGX_LOG_INFO },
    { ngx_string("notice"), NGX_LOG_NOTICE },
    { ngx_string("warn"), NGX_LOG_WARN },
    { ngx_string("error"), NGX_LOG_ERR },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_k8s_sa_phases[] = {
    { ngx_string("preaccess"), NGX_HTTP_K8S_SA_PREACCESS },
    { ngx_string("access"), NGX_HTTP_K8S_SA_ACCESS },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_k8s_sa_paths[] = {
    { ngx_string("strict"), NGX_HTTP_K8S_SA_PATHS_STRICT },
    { ngx_string("any"), NGX_HTTP_K8S_SA_PATHS_ANY },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_k8s_sa_commands[] = {

    { ngx_string("k8s_sa_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_k8s_sa_conf_issuer,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_k8s_sa_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_token_file"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_k8s_sa_conf_token_file,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_auth"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_k8s_sa_conf_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_token"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_k8s_sa_conf_token,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_realm"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_k8s_sa_conf_realm,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_groups_separator"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_k8s_sa_conf_groups_separator,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_set_header"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_k8s_sa_conf_set_header,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_forward_token"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_k8s_sa_loc_conf_t, forward_token),
      NULL },

    { ngx_string("k8s_sa_log_level"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_k8s_sa_loc_conf_t, log_level),
      &ngx_http_k8s_sa_log_levels },

    { ngx_string("k8s_sa_allow"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_k8s_sa_conf_allow,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_require"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_k8s_sa_conf_require,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_authorize"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_ANY,
      ngx_http_k8s_sa_conf_authorize,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_dry_run"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_k8s_sa_loc_conf_t, dry_run),
      NULL },

    { ngx_string("k8s_sa_phase"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_k8s_sa_loc_conf_t, phase),
      &ngx_http_k8s_sa_phases },

    { ngx_string("k8s_sa_paths"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_k8s_sa_loc_conf_t, paths),
      &ngx_http_k8s_sa_paths },

    { ngx_string("k8s_sa_front_proxy_headers"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_k8s_sa_loc_conf_t, front_proxy),
      NULL },

    { ngx_string("k8s_sa_whoami"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_k8s_sa_whoami,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_original"),
      NGX_HTTP_K8S_SA_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_k8s_sa_conf_original,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("k8s_sa_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_k8s_sa_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_k8s_sa_module_ctx = {
    ngx_http_k8s_sa_add_variables,         /* preconfiguration */
    ngx_http_k8s_sa_init,                  /* postconfiguration */

    ngx_http_k8s_sa_create_main_conf,      /* create main configuration */
    ngx_http_k8s_sa_init_main_conf,        /* init main configuration */

    ngx_http_k8s_sa_create_srv_conf,       /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_k8s_sa_create_loc_conf,       /* create location configuration */
    ngx_http_k8s_sa_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_k8s_sa_module = {
    NGX_MODULE_V1,
    &ngx_http_k8s_sa_module_ctx,           /* module context */
    ngx_http_k8s_sa_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_k8s_sa_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_k8s_sa_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_k8s_sa_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    if (ngx_http_k8s_sa_conf_authorize_used(cf) != NGX_OK
        || ngx_http_k8s_sa_conf_original_used(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_k8s_sa_conf_paths_complete(cf);

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_k8s_sa_post_read_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_k8s_sa_preaccess_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_k8s_sa_access_handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_k8s_sa_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_http_k8s_sa_main_conf_t      *mcf;
    ngx_http_k8s_sa_named_issuer_t  **ni;

    mcf = ngx_http_k8s_sa_worker_conf(cycle);
    if (mcf == NULL) {
        return NGX_OK;
    }

    if ((mcf->zone && ngx_k8s_sa_zone_start(mcf->zone) != NGX_OK)
        || ngx_http_k8s_sa_headers_start(cycle, mcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_k8s_sa_watch_start(cycle, &mcf->watches);

    ni = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        ngx_k8s_sa_issuer_start(ni[i]->issuer, cycle);
    }

    return NGX_OK;
}


static void
ngx_http_k8s_sa_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_http_k8s_sa_main_conf_t      *mcf;
    ngx_http_k8s_sa_named_issuer_t  **ni;

    mcf = ngx_http_k8s_sa_worker_conf(cycle);
    if (mcf == NULL) {
        return;
    }

    ni = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        ngx_k8s_sa_issuer_stop(ni[i]->issuer);
    }
}


/*
 * Returns NULL in processes that do not serve requests, and without an http
 * block.
 */

static ngx_http_k8s_sa_main_conf_t *
ngx_http_k8s_sa_worker_conf(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NULL;
    }

    return ngx_http_cycle_get_module_main_conf(cycle, ngx_http_k8s_sa_module);
}
