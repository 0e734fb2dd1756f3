/* SPDX-License-Identifier: BSD-2-Clause */

#define _GNU_SOURCE    /* strptime(), timegm() */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "file.h"
#include "options.h"
#include "text.h"


typedef struct {
    client_list_t         pub_keys;
    client_list_t         jwks;
    client_list_t         audiences;
    client_list_t         issuers;
    int64_t               leeway;        /* milliseconds */
    int64_t               at;            /* seconds since the epoch */
    unsigned              algorithms;
    int                   legacy;
    int                   not_kubernetes;
} client_verify_conf_t;


typedef struct {
    client_verify_conf_t  conf;
    k8s_sa_policy_t       policy;
    k8s_sa_str_t          audiences[CLIENT_LIST_MAX];
    k8s_sa_str_t          issuers[CLIENT_LIST_MAX];
    k8s_sa_keyset_t      *keys;
    int64_t               now;
    k8s_sa_token_t        token;
    k8s_sa_identity_t     id;
    k8s_sa_error_t        err;           /* why the claims are refused */
} client_verify_t;


static int client_verify_run(client_verify_t *v, const char *name);
static int client_verify_keys(client_verify_t *v);
static int client_verify_add_all(client_verify_t *v,
    const client_list_t *files, int jwks);
static int client_verify_add(client_verify_t *v, const char *name, int jwks);
static void client_verify_policy(client_verify_t *v);
static size_t client_verify_strings(k8s_sa_str_t *strings,
    const client_list_t *list);
static k8s_sa_verdict_e client_verify_token(client_verify_t *v,
    const k8s_sa_str_t *text);
static void client_verify_valid(client_verify_t *v);
static void client_verify_field(const char *label, const k8s_sa_str_t *value,
    const char *note);
static void client_verify_invalid(client_verify_t *v,
    k8s_sa_verdict_e verdict, const k8s_sa_str_t *text);
static void client_verify_hint(client_verify_t *v, k8s_sa_verdict_e verdict,
    const k8s_sa_str_t *text);
static int client_verify_set_algorithms(const client_option_t *option,
    const char *value, void *conf, k8s_sa_error_t *err);
static int client_verify_set_at(const client_option_t *option,
    const char *value, void *conf, k8s_sa_error_t *err);


static const client_option_t  client_verify_options[] = {

    { "--pub-key", "FILE", client_set_list,
      offsetof(client_verify_conf_t, pub_keys) },

    { "--jwks", "FILE", client_set_list,
      offsetof(client_verify_conf_t, jwks) },

    { "--audience", "NAME", client_set_list,
      offsetof(client_verify_conf_t, audiences) },

    { "--issuer", "STRING", client_set_list,
      offsetof(client_verify_conf_t, issuers) },

    { "--algorithms", "LIST", client_verify_set_algorithms,
      offsetof(client_verify_conf_t, algorithms) },

    { "--leeway", "TIME", client_set_time,
      offsetof(client_verify_conf_t, leeway) },

    { "--at", "TIME", client_verify_set_at,
      offsetof(client_verify_conf_t, at) },

    { "--legacy", NULL, client_set_flag,
      offsetof(client_verify_conf_t, legacy) },

    { "--not-kubernetes", NULL, client_set_flag,
      offsetof(client_verify_conf_t, not_kubernetes) },

    { NULL, NULL, NULL, 0 }
};


static const client_command_t  client_verify_command = {
    "k8s-sa-client verify",

    "Usage: k8s-sa-client verify (--pub-key FILE | --jwks FILE)... [OPTION]... "
    "[FILE]\n"
    "\n"
    "Checks the token in FILE offline, as the NGINX module does (\"-\": "
    "standard\n"
    "input; default: " CLIENT_TOKEN_FILE ").\n"
    "\n"
    "  --pub-key FILE      keys or certificates in PEM, e.g. sa.pub\n"
    "  --jwks FILE         a JSON Web Key Set\n"
    "  --audience NAME     one of these must be in \"aud\"; default: not "
    "checked\n"
    "  --issuer STRING     \"iss\" must be one of these; default: not checked\n"
    "  --algorithms LIST   default: RS256,ES256,ES384,ES512\n"
    "  --legacy            accept tokens from Secrets, which never expire\n"
    "  --not-kubernetes    the user is \"sub\"; no Kubernetes claims needed\n"
    "  --leeway TIME       allowed clock difference, default 60s\n"
    "  --at TIME           check as of TIME: 2026-11-23T15:04:05Z or seconds\n"
    "                      since 1970; default: now\n"
    "  --help, --version\n"
    "\n"
    "--pub-key, --jwks, --audience and --issuer can be repeated.\n"
    "Exit status: 0 if the token is valid, 1 if not, 2 if a file cannot be\n"
    "read or contains no key, or on a usage error.\n",

    "FILE",
    client_verify_options
};


int
client_verify(int argc, char **argv)
{
    int               rc;
    const char       *name;
    client_verify_t  *v;

    v = calloc(1, sizeof(client_verify_t));

    if (v == NULL) {
        return client_error(&client_verify_command, "out of memory");
    }

    v->conf.leeway = CLIENT_UNSET;
    v->conf.at = CLIENT_UNSET;

    rc = client_options(&client_verify_command, argc, argv, &v->conf, &name);

    if (rc == -1) {
        rc = client_verify_run(v, name != NULL ? name : CLIENT_TOKEN_FILE);
    }

    k8s_sa_keyset_free(v->keys);
    OPENSSL_cleanse(v, sizeof(client_verify_t));
    free(v);

    return rc;
}


static int
client_verify_run(client_verify_t *v, const char *name)
{
    int               rc;
    client_file_t     file;
    k8s_sa_error_t    err;
    k8s_sa_verdict_e  verdict;

    if (v->conf.pub_keys.n + v->conf.jwks.n == 0) {
        return client_usage(&client_verify_command, "no keys given: use "
                            "--pub-key FILE or --jwks FILE");
    }

    rc = client_verify_keys(v);

    if (rc != CLIENT_OK) {
        return rc;
    }

    if (client_file_read(&file, name, &err) != K8S_SA_OK) {
        return client_error(&client_verify_command, "%s", err.text);
    }

    client_verify_policy(v);

    verdict = client_verify_token(v, &file.text);

    if (verdict == K8S_SA_VERDICT_OK) {
        client_verify_valid(v);
        rc = CLIENT_OK;

    } else if (verdict == K8S_SA_INTERNAL_ERROR) {
        rc = client_error(&client_verify_command, "OpenSSL failed or out of "
                          "memory: the token was not checked");

    } else {
        client_verify_invalid(v, verdict, &file.text);
        rc = CLIENT_FAILED;
    }

    client_file_free(&file);

    return rc;
}


static int
client_verify_keys(client_verify_t *v)
{
    int  rc;

    v->keys = k8s_sa_keyset_create();

    if (v->keys == NULL) {
        return client_error(&client_verify_command, "OpenSSL lacks an "
                            "algorithm, or out of memory");
    }

    rc = client_verify_add_all(v, &v->conf.pub_keys, 0);

    if (rc != CLIENT_OK) {
        return rc;
    }

    return client_verify_add_all(v, &v->conf.jwks, 1);
}


static int
client_verify_add_all(client_verify_t *v, const client_list_t *files, int jwks)
{
    int     rc;
    size_t  i;

    for (i = 0; i < files->n; i++) {

        rc = client_verify_add(v, files->items[i], jwks);

        if (rc != CLIENT_OK) {
            return rc;
        }
    }

    return CLIENT_OK;
}


static int
client_verify_add(client_verify_t *v, const char *name, int jwks)
{
    int             rc, has_private;
    client_file_t   file;
    k8s_sa_error_t  err, note;

    if (client_file_read(&file, name, &err) != K8S_SA_OK) {
        return client_error(&client_verify_command, "%s", err.text);
    }

    has_private = 0;
    note.text[0] = '\0';

    if (jwks) {
        rc = k8s_sa_keyset_add_jwks(v->keys, file.data, file.size, &note,
                                    &err);
    } else {
        rc = k8s_sa_keyset_add_pem(v->keys, file.data, file.size,
                                   &has_private, &note, &err);
    }

    client_file_free(&file);

    if (rc != K8S_SA_OK) {
        return client_error(&client_verify_command, "\"%s\": %s", name,
                            err.text);
    }

    if (note.text[0] != '\0') {
        client_error(&client_verify_command, "note: \"%s\": a key was passed "
                     "over: %s", name, note.text);
    }

    if (has_private) {
        client_error(&client_verify_command, "note: \"%s\" contains a "
                     "private key; only its public half is needed", name);
    }

    return CLIENT_OK;
}


static void
client_verify_policy(client_verify_t *v)
{
    k8s_sa_policy_t       *policy;
    client_verify_conf_t  *conf;

    conf = &v->conf;
    policy = &v->policy;

    policy->issuers = v->issuers;
    policy->n_issuers = client_verify_strings(v->issuers, &conf->issuers);

    policy->audiences = v->audiences;
    policy->n_audiences = client_verify_strings(v->audiences,
                                                &conf->audiences);
    policy->any_audience = (conf->audiences.n == 0);

    policy->algorithms = conf->algorithms != 0 ? conf->algorithms
                                               : K8S_SA_ALG_DEFAULT;
    policy->legacy_tokens = conf->legacy;
    policy->kubernetes = !conf->not_kubernetes;
    policy->leeway = conf->leeway != CLIENT_UNSET ? conf->leeway / 1000 : 60;

    v->now = conf->at != CLIENT_UNSET ? conf->at : time(NULL);
}


static size_t
client_verify_strings(k8s_sa_str_t *strings, const client_list_t *list)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        strings[i].data = (unsigned char *) list->items[i];
        strings[i].len = strlen(list->items[i]);
    }

    return list->n;
}


static k8s_sa_verdict_e
client_verify_token(client_verify_t *v, const k8s_sa_str_t *text)
{
    k8s_sa_verdict_e  verdict;

    verdict = k8s_sa_token_parse(&v->token, text->data, text->len);

    if (verdict == K8S_SA_VERDICT_OK) {
        verdict = k8s_sa_token_verify(&v->token, v->keys, &v->policy);
    }

    if (verdict == K8S_SA_VERDICT_OK) {
        verdict = k8s_sa_token_claims(&v->token, &v->policy, v->now, &v->id,
                                      &v->err);
    }

    return verdict;
}


static void
client_verify_valid(client_verify_t *v)
{
    k8s_sa_identity_t  *id;
    char                at[CLIENT_TIME_LEN], relative[CLIENT_TIME_LEN];

    id = &v->id;

    printf("valid: ");
    client_text_str(stdout, &id->username);
    putchar('\n');

    client_verify_field("issuer:", &id->issuer,
                        v->policy.n_issuers == 0
                        ? " (not checked: no --issuer given)" : "");
    client_verify_field("audience:", &id->audience,
                        v->policy.any_audience
                        ? " (not checked: no --audience given)" : "");

    printf("algorithm:   %s\n", v->token.alg->name);
    client_verify_field("key id:", &id->kid, "");

    if (id->expires == 0) {
        printf("expires:     never\n");

    } else {
        client_text_time(at, id->expires);
        client_text_relative(relative, id->expires, v->now);
        printf("expires:     %s (%s)\n", at, relative);
    }
}


static void
client_verify_field(const char *label, const k8s_sa_str_t *value,
    const char *note)
{
    printf("%-13s", label);

    if (value->data == NULL) {
        printf("none");
    }

    client_text_str(stdout, value);
    printf("%s\n", note);
}


static void
client_verify_invalid(client_verify_t *v, k8s_sa_verdict_e verdict,
    const k8s_sa_str_t *text)
{
    const k8s_sa_verdict_info_t  *info;

    info = k8s_sa_verdict_info(verdict);

    printf("invalid: %s: %s", info->word, info->reason);

    if (v->err.text[0] != '\0' && strcmp(v->err.text, info->reason) != 0) {
        printf(": ");
        client_text_print(stdout, v->err.text, strlen(v->err.text),
                          CLIENT_TEXT_PLAIN);
    }

    putchar('\n');

    if (v->token.alg != NULL) {
        printf("algorithm:   %s\n", v->token.alg->name);
        client_verify_field("key id:", &v->token.kid, "");
    }

    client_verify_hint(v, verdict, text);
}


/* Names the option that would help, if there is one. */

static void
client_verify_hint(client_verify_t *v, k8s_sa_verdict_e verdict,
    const k8s_sa_str_t *text)
{
    const char  *hint;

    hint = NULL;

    switch (verdict) {

    case K8S_SA_MALFORMED:
    case K8S_SA_TOO_LARGE:
        hint = client_file_hint(text);
        break;

    case K8S_SA_BAD_ALGORITHM:

        if (v->token.alg != NULL) {
            printf("hint:        --algorithms accepts %s if it is in the "
                   "list\n", v->token.alg->name);
            return;
        }

        hint = "\"inspect\" shows the algorithm, which is not supported";
        break;

    case K8S_SA_UNKNOWN_KEY:
        hint = "--jwks or --pub-key must name a file with this key";
        break;

    case K8S_SA_WRONG_ISSUER:
        hint = "--issuer accepts another issuer";
        break;

    case K8S_SA_LEGACY_TOKEN:
        hint = v->policy.legacy_tokens ? NULL
                                       : "--legacy accepts such tokens";
        break;

    case K8S_SA_EXPIRED:
    case K8S_SA_NOT_YET_VALID:
        hint = "--at checks the token as of another time, --leeway allows "
               "for a clock difference";
        break;

    case K8S_SA_WRONG_AUDIENCE:
        hint = "--audience accepts another audience";
        break;

    case K8S_SA_BAD_CLAIMS:

        if (!v->policy.kubernetes) {
            break;
        }

        v->policy.kubernetes = 0;

        if (k8s_sa_token_claims(&v->token, &v->policy, v->now, &v->id, NULL)
            != K8S_SA_BAD_CLAIMS)
        {
            hint = "--not-kubernetes accepts tokens of other issuers";
        }

        break;

    default:
        break;
    }

    if (hint != NULL) {
        printf("hint:        %s\n", hint);
    }
}


static int
client_verify_set_algorithms(const client_option_t *option, const char *value,
    void *conf, k8s_sa_error_t *err)
{
    size_t               len;
    unsigned            *field;
    const k8s_sa_alg_t  *alg;

    field = (unsigned *) ((char *) conf + option->offset);

    if (*field != 0) {
        k8s_sa_error_set(err, "is given twice");
        return K8S_SA_ERROR;
    }

    for ( ;; ) {
        len = strcspn(value, ",");

        alg = k8s_sa_alg_find((const unsigned char *) value, len);

        if (alg == NULL) {
            k8s_sa_error_set(err, "has an unknown algorithm \"%.*s\"; known "
                             "are RS256, RS384, RS512, PS256, PS384, PS512, "
                             "ES256, ES384, ES512 and EdDSA, separated by "
                             "commas", (int) len, value);
            return K8S_SA_ERROR;
        }

        *field |= alg->bit;

        if (value[len] == '\0') {
            return K8S_SA_OK;
        }

        value += len + 1;
    }
}


static int
client_verify_set_at(const client_option_t *option, const char *value,
    void *conf, k8s_sa_error_t *err)
{
    char         again[sizeof("9999-12-31T23:59:59Z")];
    time_t       at;
    int64_t     *field;
    struct tm    tm;
    const char  *end;

    static const char  format[] = "%Y-%m-%dT%H:%M:%SZ";

    field = client_unset_field(option, conf, err);

    if (field == NULL) {
        return K8S_SA_ERROR;
    }

    memset(&tm, 0, sizeof(struct tm));

    end = strptime(value, format, &tm);

    if (end != NULL && *end == '\0') {
        at = timegm(&tm);

        /*
         * No token has times before 1970, and -1 is CLIENT_UNSET; timegm()
         * makes March 3 of February 31.
         */

        if (at >= 0 && strftime(again, sizeof(again), format, &tm) != 0
            && strcmp(again, value) == 0)
        {
            *field = at;
            return K8S_SA_OK;
        }

    } else if (client_number(value, CLIENT_TIME_MAX, field) == K8S_SA_OK) {
        return K8S_SA_OK;
    }

    k8s_sa_error_set(err, "\"%s\" is not a time such as "
                     "2026-11-23T15:04:05Z", value);

    return K8S_SA_ERROR;
}
