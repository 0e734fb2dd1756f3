#include "http/ngx_http_k8s_sa.h"


typedef struct {
    ngx_k8s_sa_watch_t    watch;
    ngx_str_t             content;   /* of the file, owns the memory */
    ngx_str_t             token;     /* the same, trimmed */
} ngx_http_k8s_sa_token_file_t;


static ngx_int_t ngx_http_k8s_sa_token_file_read(
    ngx_http_k8s_sa_token_file_t *file, k8s_sa_error_t *err);
static void ngx_http_k8s_sa_token_file_changed(ngx_k8s_sa_watch_t *watch,
    ngx_log_t *log);
static void ngx_http_k8s_sa_token_file_cleanup(void *data);
static ngx_int_t ngx_http_k8s_sa_token_file_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


char *
ngx_http_k8s_sa_token_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_k8s_sa_main_conf_t *mcf = conf;

    ngx_str_t                      *value, name;
    k8s_sa_error_t                  err;
    ngx_pool_cleanup_t             *cln;
    ngx_k8s_sa_watch_t            **watch;
    ngx_http_variable_t            *var;
    ngx_http_k8s_sa_token_file_t   *file;

    value = cf->args->elts;
    name = value[1];

    if (name.len < 2 || name.data[0] != '$') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid variable name \"%V\"", &name);
        return NGX_CONF_ERROR;
    }

    name.data++;
    name.len--;

    var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_CONF_ERROR;
    }

    if (var->get_handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "variable \"%V\" is duplicate", &value[1]);
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool,
                               sizeof(ngx_http_k8s_sa_token_file_t));
    watch = ngx_array_push(&mcf->watches);

    if (cln == NULL || watch == NULL) {
        return NGX_CONF_ERROR;
    }

    file = cln->data;
    ngx_memzero(file, sizeof(ngx_http_k8s_sa_token_file_t));

    cln->handler = ngx_http_k8s_sa_token_file_cleanup;
    *watch = &file->watch;

    file->watch.handler = ngx_http_k8s_sa_token_file_changed;
    file->watch.data = file;
    file->watch.path = value[2];

    var->get_handler = ngx_http_k8s_sa_token_file_variable;
    var->data = (uintptr_t) file;

    if (ngx_conf_full_name(cf->cycle, &file->watch.path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_k8s_sa_token_file_read(file, &err) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" \"%V\": %s",
                           &cmd->name, &file->watch.path, err.text);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_k8s_sa_token_file_read(ngx_http_k8s_sa_token_file_t *file,
    k8s_sa_error_t *err)
{
    size_t     i;
    ngx_str_t  content, token;

    if (ngx_k8s_sa_watch_read(&file->watch, K8S_SA_TOKEN_MAX, &content, err)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    token = content;

    while (token.len && token.data[token.len - 1] <= ' ') {
        token.len--;
    }

    while (token.len && token.data[0] <= ' ') {
        token.data++;
        token.len--;
    }

    for (i = 0; i < token.len; i++) {
        if (token.data[i] <= ' ' || token.data[i] >= 0x7f) {
            k8s_sa_error_set(err, "there is more than a token in the file");
            goto failed;
        }
    }

    if (token.len == 0) {
        k8s_sa_error_set(err, "file is empty");
        goto failed;
    }

    ngx_http_k8s_sa_token_file_cleanup(file);

    file->content = content;
    file->token = token;

    return NGX_OK;

failed:

    ngx_explicit_memzero(content.data, content.len);
    free(content.data);

    return NGX_ERROR;
}


static void
ngx_http_k8s_sa_token_file_changed(ngx_k8s_sa_watch_t *watch, ngx_log_t *log)
{
    k8s_sa_error_t  err;

    if (ngx_http_k8s_sa_token_file_read(watch->data, &err) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "k8s_sa: \"%V\" changed and cannot be used, the old "
                      "token is kept: %s", &watch->path, err.text);
    }
}


static void
ngx_http_k8s_sa_token_file_cleanup(void *data)
{
    ngx_http_k8s_sa_token_file_t  *file = data;

    ngx_explicit_memzero(file->content.data, file->content.len);
    free(file->content.data);
}


static ngx_int_t
ngx_http_k8s_sa_token_file_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_k8s_sa_token_file_t *file =
                                         (ngx_http_k8s_sa_token_file_t *) data;

    /* a copy: the file may change while the request goes on */

    v->data = ngx_pnalloc(r->pool, file->token.len);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(v->data, file->token.data, file->token.len);

    v->len = file->token.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
