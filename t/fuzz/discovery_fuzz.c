/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Discovery documents.
 */

#include <strings.h>

#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_discovery.h"


static void
fuzz_check_text(const char *text)
{
    fuzz_check(text != NULL && text[0] != '\0');
    fuzz_check(fuzz_is_clean((const unsigned char *) text, strlen(text), ""));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    k8s_sa_error_t      err;
    k8s_sa_discovery_t  doc;

    memset(&doc, 0xa5, sizeof(doc));
    memset(&err, 0xa5, sizeof(err));

    if (k8s_sa_discovery_parse(&doc, data, size, &err) != K8S_SA_OK) {
        fuzz_check_error(&err);
        fuzz_check(err.text[0] != '\0');
        return 0;
    }

    fuzz_check_text(doc.issuer);
    fuzz_check_text(doc.jwks_uri);
    fuzz_check(strncasecmp(doc.jwks_uri, "https://", 8) == 0
               || strncasecmp(doc.jwks_uri, "http://", 7) == 0);

    k8s_sa_discovery_free(&doc);

    return 0;
}
