/* SPDX-License-Identifier: BSD-2-Clause */

#include "issuer/ngx_k8s_sa_call.h"


void
ngx_k8s_sa_call_explain(const ngx_k8s_sa_result_t *res,
    const ngx_k8s_sa_token_file_t *credential, ngx_uint_t sent,
    const ngx_k8s_sa_call_hints_t *hints, k8s_sa_error_t *err)
{
    const char  *hint;

    if (res->error) {
        k8s_sa_error_set(err, "%.*s", (int) res->reason.len,
                         res->reason.data);
        return;
    }

    switch (res->status) {

    case 401:
    case 403:

        if (credential == NULL) {
            hint = " (our own token is missing: set \"token_file\")";

        } else if (!sent) {
            hint = " (our own token is not sent there: see \"token_file\")";

        } else if (res->status == 401) {
            hint = " (our own token is refused: see \"token_file\")";

        } else {
            hint = hints->forbidden;
        }

        break;

    case 404:
        hint = hints->not_found;
        break;

    default:
        hint = res->status / 100 == 3 ? " (redirects are not followed)" : "";
    }

    k8s_sa_error_set(err, "answered %u%s", (unsigned) res->status, hint);
}
