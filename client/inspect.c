/* SPDX-License-Identifier: BSD-2-Clause */

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "file.h"
#include "options.h"
#include "text.h"
#include "token/k8s_sa_base64url.h"


#define CLIENT_LEGACY_PREFIX  "kubernetes.io/serviceaccount/"

/* the widest label and two spaces */

#define CLIENT_LABEL  17


typedef enum {
    CLIENT_KIND_LEGACY = 0,
    CLIENT_KIND_PROJECTED,
    CLIENT_KIND_OTHER
} client_kind_e;


static int client_inspect_token(const k8s_sa_str_t *text);
static json_t *client_inspect_part(const char *name, const unsigned char *data,
    size_t len);
static void client_inspect_json(const char *name, const json_t *json);
static client_kind_e client_inspect_kind(const json_t *claims);
static void client_inspect_summary(const json_t *header, const json_t *claims);
static void client_inspect_account(const json_t *claims, client_kind_e kind);
static void client_inspect_bound(const json_t *claims, client_kind_e kind);
static int client_inspect_object(const json_t *k8s, const char *name, int n);
static void client_inspect_strings(const char *label, const json_t *value);
static void client_inspect_string(const json_t *value);
static void client_inspect_life(const json_t *claims, client_kind_e kind);
static void client_inspect_time(const char *label, const json_t *value,
    int64_t now, const char *past, const char *future);
static void client_inspect_remark(const k8s_sa_str_t *text);


static const client_option_t  client_inspect_options[] = {
    { NULL, NULL, NULL, 0 }
};


static const client_command_t  client_inspect_command = {
    "k8s-sa-client inspect",

    "Usage: k8s-sa-client inspect [FILE]\n"
    "\n"
    "Shows the header, claims and lifetime of the token in FILE (\"-\":\n"
    "standard input; default: " CLIENT_TOKEN_FILE ").\n"
    "Nothing is verified: see \"k8s-sa-client verify\".\n"
    "\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 if the token could be shown, 1 if it is malformed, 2 if\n"
    "the file cannot be read or on a usage error.\n",

    "FILE",
    client_inspect_options
};


int
client_inspect(int argc, char **argv)
{
    int              rc;
    const char      *name;
    client_file_t    file;
    k8s_sa_error_t   err;

    rc = client_options(&client_inspect_command, argc, argv, NULL, &name);

    if (rc != -1) {
        return rc;
    }

    if (name == NULL) {
        name = CLIENT_TOKEN_FILE;
    }

    if (client_file_read(&file, name, &err) != K8S_SA_OK) {
        return client_error(&client_inspect_command, "%s", err.text);
    }

    rc = client_inspect_token(&file.text);

    client_file_free(&file);

    return rc;
}


static int
client_inspect_token(const k8s_sa_str_t *text)
{
    int                   rc;
    size_t                i, dots;
    json_t               *header, *claims;
    const char           *hint;
    const unsigned char  *dot[2];

    if (text->len == 0) {
        client_error(&client_inspect_command, "the input is empty or only "
                     "white space");
        return CLIENT_FAILED;
    }

    dots = 0;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] == '.') {

            if (dots < 2) {
                dot[dots] = &text->data[i];
            }

            dots++;
        }
    }

    hint = client_file_hint(text);

    if (hint != NULL) {
        client_error(&client_inspect_command, "malformed token: %s", hint);
        return CLIENT_FAILED;
    }

    if (dots != 2) {
        client_error(&client_inspect_command, "not a signed token: it has %zu "
                     "part%s instead of 3, separated by dots%s",
                     dots + 1, dots == 0 ? "" : "s",
                     dots == 4 ? ", like an encrypted one (JWE)" : "");
        return CLIENT_FAILED;
    }

    rc = CLIENT_FAILED;
    claims = NULL;

    header = client_inspect_part("header", text->data, dot[0] - text->data);

    if (header != NULL) {
        claims = client_inspect_part("payload", dot[0] + 1,
                                     dot[1] - dot[0] - 1);
    }

    if (claims != NULL) {
        printf("Nothing was verified: this is what the token says, "
               "and it may be forged.\n\n");

        client_inspect_json("header", header);
        client_inspect_json("claims", claims);
        client_inspect_summary(header, claims);
        client_inspect_remark(text);

        rc = CLIENT_OK;
    }

    json_decref(header);
    json_decref(claims);

    return rc;
}


/*
 * More tolerant than the module's check, so that tokens that it refuses can be
 * inspected, too; client_inspect_remark() reports the refusal.
 */

static json_t *
client_inspect_part(const char *name, const unsigned char *data, size_t len)
{
    json_t         *json;
    size_t          size;
    json_error_t    error;
    unsigned char  *text;

    size = k8s_sa_base64url_decoded_len(len);

    text = malloc(size + 1);

    if (text == NULL) {
        client_error(&client_inspect_command, "out of memory");
        return NULL;
    }

    json = NULL;

    if (k8s_sa_base64url_decode(text, data, len) != K8S_SA_OK) {
        client_error(&client_inspect_command, "malformed token: its %s is not "
                     "base64url", name);
        goto done;
    }

    json = json_loadb((char *) text, size, JSON_ALLOW_NUL, &error);

    /* valid JSON, which the module accepts, but which we cannot show */

    if (json == NULL
        && json_error_code(&error) == json_error_numeric_overflow)
    {
        client_error(&client_inspect_command, "the token's %s holds a number "
                     "out of range", name);
        goto done;
    }

    if (!json_is_object(json)) {
        client_error(&client_inspect_command, "malformed token: its %s is not "
                     "a JSON object", name);
        json_decref(json);
        json = NULL;
    }

done:

    OPENSSL_cleanse(text, size);
    free(text);

    return json;
}


static void
client_inspect_json(const char *name, const json_t *json)
{
    char  *text;

    text = json_dumps(json, JSON_INDENT(2));

    if (text == NULL) {
        return;
    }

    printf("%s:\n", name);
    client_text_print(stdout, text, strlen(text), CLIENT_TEXT_LINES);
    printf("\n\n");

    free(text);
}


static client_kind_e
client_inspect_kind(const json_t *claims)
{
    const char  *iss;

    iss = json_string_value(json_object_get(claims, "iss"));

    if (iss != NULL && strcmp(iss, K8S_SA_LEGACY_ISSUER) == 0) {
        return CLIENT_KIND_LEGACY;
    }

    if (json_is_object(json_object_get(claims, "kubernetes.io"))) {
        return CLIENT_KIND_PROJECTED;
    }

    return CLIENT_KIND_OTHER;
}


static void
client_inspect_summary(const json_t *header, const json_t *claims)
{
    client_kind_e  kind;

    static const char  *kinds[] = {
        "legacy, from a Secret",
        "projected, bound service account token",
        "other, not from a Kubernetes service account"
    };

    kind = client_inspect_kind(claims);

    printf("%-*s%s\n", CLIENT_LABEL, "kind:", kinds[kind]);

    client_inspect_strings("algorithm:", json_object_get(header, "alg"));
    client_inspect_strings("key id:", json_object_get(header, "kid"));
    client_inspect_strings("issuer:", json_object_get(claims, "iss"));
    client_inspect_strings("subject:", json_object_get(claims, "sub"));
    client_inspect_account(claims, kind);
    client_inspect_strings("audiences:", json_object_get(claims, "aud"));
    client_inspect_bound(claims, kind);
    client_inspect_life(claims, kind);
}


static void
client_inspect_account(const json_t *claims, client_kind_e kind)
{
    const json_t  *k8s, *account, *namespace, *name, *uid;

    if (kind == CLIENT_KIND_PROJECTED) {
        k8s = json_object_get(claims, "kubernetes.io");
        account = json_object_get(k8s, "serviceaccount");
        namespace = json_object_get(k8s, "namespace");
        name = json_object_get(account, "name");
        uid = json_object_get(account, "uid");

    } else if (kind == CLIENT_KIND_LEGACY) {
        namespace = json_object_get(claims, CLIENT_LEGACY_PREFIX "namespace");
        name = json_object_get(claims,
                               CLIENT_LEGACY_PREFIX "service-account.name");
        uid = json_object_get(claims,
                              CLIENT_LEGACY_PREFIX "service-account.uid");

    } else {
        return;
    }

    printf("%-*s", CLIENT_LABEL, "service account:");
    client_inspect_string(namespace);
    putchar('/');
    client_inspect_string(name);
    printf(" (uid ");
    client_inspect_string(uid);
    printf(")\n");
}


static void
client_inspect_bound(const json_t *claims, client_kind_e kind)
{
    int            n;
    const json_t  *k8s, *secret;

    if (kind == CLIENT_KIND_OTHER) {
        return;
    }

    printf("%-*s", CLIENT_LABEL, "bound to:");

    if (kind == CLIENT_KIND_LEGACY) {
        secret = json_object_get(claims, CLIENT_LEGACY_PREFIX "secret.name");
        printf("secret ");
        client_inspect_string(secret);
        putchar('\n');
        return;
    }

    k8s = json_object_get(claims, "kubernetes.io");

    n = client_inspect_object(k8s, "pod", 0);
    n = client_inspect_object(k8s, "secret", n);
    n = client_inspect_object(k8s, "node", n);

    printf("%s\n", n == 0 ? "nothing but its service account" : "");
}


static int
client_inspect_object(const json_t *k8s, const char *name, int n)
{
    const json_t  *object;

    object = json_object_get(k8s, name);

    if (object == NULL) {
        return n;
    }

    printf("%s%s ", n > 0 ? ", " : "", name);
    client_inspect_string(json_object_get(object, "name"));
    printf(" (uid ");
    client_inspect_string(json_object_get(object, "uid"));
    putchar(')');

    return n + 1;
}


/* Prints a string, or the strings of an array. */

static void
client_inspect_strings(const char *label, const json_t *value)
{
    size_t  i;

    printf("%-*s", CLIENT_LABEL, label);

    if (!json_is_array(value)) {
        client_inspect_string(value);

    } else if (json_array_size(value) == 0) {
        printf("none");

    } else {
        for (i = 0; i < json_array_size(value); i++) {
            printf("%s", i > 0 ? ", " : "");
            client_inspect_string(json_array_get(value, i));
        }
    }

    putchar('\n');
}


static void
client_inspect_string(const json_t *value)
{
    if (json_is_string(value)) {
        client_text_print(stdout, json_string_value(value),
                          json_string_length(value), CLIENT_TEXT_PLAIN);

    } else {
        printf("%s", value == NULL ? "none" : "(not a string)");
    }
}


static void
client_inspect_life(const json_t *claims, client_kind_e kind)
{
    int64_t        now;
    const json_t  *k8s;

    now = time(NULL);

    client_inspect_time("issued:", json_object_get(claims, "iat"), now,
                        "", "");
    client_inspect_time("not before:", json_object_get(claims, "nbf"), now,
                        "", "not valid yet, becomes valid ");

    if (json_object_get(claims, "exp") == NULL) {
        printf("%-*snever expires\n", CLIENT_LABEL, "expires:");

    } else {
        client_inspect_time("expires:", json_object_get(claims, "exp"), now,
                            "expired ", "expires ");
    }

    if (kind == CLIENT_KIND_PROJECTED) {
        k8s = json_object_get(claims, "kubernetes.io");

        client_inspect_time("warn after:", json_object_get(k8s, "warnafter"),
                            now, "should have been renewed ",
                            "should be renewed ");
    }
}


/* Prints nothing if the claim is absent. */

static void
client_inspect_time(const char *label, const json_t *value, int64_t now,
    const char *past, const char *future)
{
    double   number;
    int64_t  when;
    char     at[CLIENT_TIME_LEN], relative[CLIENT_TIME_LEN];

    if (value == NULL) {
        return;
    }

    printf("%-*s", CLIENT_LABEL, label);

    number = json_number_value(value);

    /* far within int64_t, so that differences cannot overflow */

    if (!json_is_number(value) || !(fabs(number) < 1e15)) {
        printf("(%s)\n", json_is_number(value) ? "not a possible time"
                                               : "not a number");
        return;
    }

    when = (int64_t) number;

    client_text_time(at, when);
    client_text_relative(relative, when, now);

    printf("%s (%s%s)\n", at, when <= now ? past : future, relative);
}


/* Reports it if the module refuses the token for its form. */

static void
client_inspect_remark(const k8s_sa_str_t *text)
{
    k8s_sa_token_t    *t;
    k8s_sa_verdict_e   verdict;

    t = calloc(1, sizeof(k8s_sa_token_t));

    if (t == NULL) {
        return;
    }

    verdict = k8s_sa_token_parse(t, text->data, text->len);

    if (verdict != K8S_SA_VERDICT_OK) {
        printf("\nremark: the module refuses this token whatever the keys: "
               "%s, %s%s\n", k8s_sa_verdict_info(verdict)->word,
               k8s_sa_verdict_info(verdict)->reason,
               text->data[text->len - 1] == '.' ? ": it has no signature"
                                                : "");
    }

    OPENSSL_cleanse(t, sizeof(k8s_sa_token_t));
    free(t);
}
