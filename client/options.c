/* SPDX-License-Identifier: BSD-2-Clause */

#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include <curl/curl.h>

#include "options.h"


static int client_option_has_token(const char *arg);
static const client_option_t *client_option_find(const client_command_t *cmd,
    const char *arg, size_t len);
static void client_vreport(const client_command_t *cmd, const char *fmt,
    va_list args);
static const char *client_digits(const char *p, int64_t max, int64_t *number);


int
client_options(const client_command_t *cmd, int argc, char **argv, void *conf,
    const char **operand)
{
    int                     i, only_operands;
    char                   *arg;
    size_t                  len;
    const char             *value;
    k8s_sa_error_t          err;
    const client_option_t  *option;

    *operand = NULL;
    only_operands = 0;

    /* first of all, since errors show the argument */

    for (i = 1; i < argc; i++) {
        if (client_option_has_token(argv[i])) {
            return client_usage(cmd, "argument %d contains a token, which "
                                "other users could read there: give the name "
                                "of its file", i);
        }
    }

    for (i = 1; i < argc; i++) {

        arg = argv[i];

        if (only_operands || arg[0] != '-' || arg[1] == '\0') {

            if (*operand != NULL) {

                return client_usage(cmd, "only one %s can be given",
                                    cmd->operand);
            }

            *operand = arg;
            continue;
        }

        if (strcmp(arg, "--") == 0) {
            only_operands = 1;
            continue;
        }

        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            fputs(cmd->help, stdout);
            return CLIENT_OK;
        }

        if (strcmp(arg, "--version") == 0) {
            printf("k8s-sa-client %s (%s)\n", CLIENT_VERSION, curl_version());
            return CLIENT_OK;
        }

        len = strcspn(arg, "=");
        value = arg[len] == '=' ? &arg[len + 1] : NULL;

        option = client_option_find(cmd, arg, len);

        if (option == NULL) {
            return client_usage(cmd, "unknown option \"%.*s\"", (int) len,
                                arg);
        }

        if (option->value == NULL && value != NULL) {
            return client_usage(cmd, "%s takes no value", option->name);
        }

        if (option->value != NULL && value == NULL) {

            /* a value that begins with "--" is more likely the next option */

            if (i + 1 == argc || strncmp(argv[i + 1], "--", 2) == 0) {
                return client_usage(cmd, "%s needs a value: %s %s",
                                    option->name, option->name,
                                    option->value);
            }

            value = argv[++i];
        }

        if (value != NULL && value[0] == '\0') {
            return client_usage(cmd, "%s has an empty value", option->name);
        }

        if (option->set(option, value, conf, &err) != K8S_SA_OK) {
            return client_usage(cmd, "%s %s", option->name, err.text);
        }
    }

    if (*operand != NULL && (*operand)[0] == '\0') {
        return client_usage(cmd, "%s is empty", cmd->operand);
    }

    return -1;
}


/* Header and payload of a JWT are JSON objects: both begin with {" */

static int
client_option_has_token(const char *arg)
{
    const char  *p, *end;

    for (p = strstr(arg, "eyJ"); p != NULL; p = strstr(p + 1, "eyJ")) {

        end = p + strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "abcdefghijklmnopqrstuvwxyz0123456789-_");

        if (strncmp(end, ".eyJ", 4) == 0) {
            return 1;
        }
    }

    return 0;
}


static const client_option_t *
client_option_find(const client_command_t *cmd, const char *arg, size_t len)
{
    const client_option_t  *option;

    for (option = cmd->options; option->name != NULL; option++) {
        if (strlen(option->name) == len && memcmp(option->name, arg, len) == 0)
        {
            return option;
        }
    }

    return NULL;
}


int
client_usage(const client_command_t *cmd, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    client_vreport(cmd, fmt, args);
    va_end(args);

    fprintf(stderr, "Try \"%s --help\".\n", cmd->name);

    return CLIENT_USAGE;
}


int
client_error(const client_command_t *cmd, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    client_vreport(cmd, fmt, args);
    va_end(args);

    return CLIENT_USAGE;
}


static void
client_vreport(const client_command_t *cmd, const char *fmt, va_list args)
{
    fprintf(stderr, "%s: ", cmd->name);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
}


int
client_set_string(const client_option_t *option, const char *value, void *conf,
    k8s_sa_error_t *err)
{
    const char  **field;

    field = (const char **) ((char *) conf + option->offset);

    if (*field != NULL) {
        k8s_sa_error_set(err, "is given twice");
        return K8S_SA_ERROR;
    }

    *field = value;

    return K8S_SA_OK;
}


int
client_set_flag(const client_option_t *option, const char *value, void *conf,
    k8s_sa_error_t *err)
{
    (void) value;
    (void) err;

    *(int *) ((char *) conf + option->offset) = 1;

    return K8S_SA_OK;
}


int
client_set_list(const client_option_t *option, const char *value, void *conf,
    k8s_sa_error_t *err)
{
    client_list_t  *list;

    list = (client_list_t *) ((char *) conf + option->offset);

    if (list->n == CLIENT_LIST_MAX) {
        k8s_sa_error_set(err, "is given more than %d times", CLIENT_LIST_MAX);
        return K8S_SA_ERROR;
    }

    list->items[list->n++] = value;

    return K8S_SA_OK;
}


int64_t *
client_unset_field(const client_option_t *option, void *conf,
    k8s_sa_error_t *err)
{
    int64_t  *field;

    field = (int64_t *) ((char *) conf + option->offset);

    if (*field != CLIENT_UNSET) {
        k8s_sa_error_set(err, "is given twice");
        return NULL;
    }

    return field;
}


int
client_set_number(const client_option_t *option, const char *value, void *conf,
    k8s_sa_error_t *err)
{
    int64_t  *field;

    field = client_unset_field(option, conf, err);

    if (field == NULL) {
        return K8S_SA_ERROR;
    }

    if (client_number(value, INT_MAX, field) != K8S_SA_OK || *field == 0) {
        k8s_sa_error_set(err, "\"%s\" is not a number from 1 to %d", value,
                         INT_MAX);
        return K8S_SA_ERROR;
    }

    return K8S_SA_OK;
}


int
client_number(const char *value, int64_t max, int64_t *number)
{
    const char  *end;

    end = client_digits(value, max, number);

    return end != NULL && *end == '\0' ? K8S_SA_OK : K8S_SA_ERROR;
}


int
client_set_time(const client_option_t *option, const char *value, void *conf,
    k8s_sa_error_t *err)
{
    size_t       i, len;
    int64_t      number, total, *field;
    const char  *p;

    /* in this order, each at most once, as in ngx_parse_time() */

    static const struct {
        const char  *name;
        int64_t      msec;
    } units[] = {
        { "w",  7 * 24 * 3600 * 1000 },
        { "d",  24 * 3600 * 1000 },
        { "h",  3600 * 1000 },
        { "m",  60 * 1000 },
        { "s",  1000 },
        { "ms", 1 },
    };

    field = client_unset_field(option, conf, err);

    if (field == NULL) {
        return K8S_SA_ERROR;
    }

    total = 0;
    i = 0;
    p = value;

    do {
        p = client_digits(p, INT_MAX, &number);
        if (p == NULL) {
            goto invalid;
        }

        len = strspn(p, "wdhms");

        if (len == 0) {

            /* a bare number: seconds, with nothing before or after it */

            if (*p != '\0' || i != 0) {
                goto invalid;
            }

            total = number * 1000;
            break;
        }

        while (i < sizeof(units) / sizeof(units[0])
               && (strlen(units[i].name) != len
                   || memcmp(units[i].name, p, len) != 0))
        {
            i++;
        }

        if (i == sizeof(units) / sizeof(units[0])) {
            goto invalid;
        }

        total += number * units[i++].msec;
        p += len;
        p += strspn(p, " ");

    } while (*p != '\0');

    if (total > INT_MAX) {
        k8s_sa_error_set(err, "\"%s\" is longer than 24 days", value);
        return K8S_SA_ERROR;
    }

    *field = total;

    return K8S_SA_OK;

invalid:

    k8s_sa_error_set(err, "\"%s\" is not a time such as 5s, 500ms or 1m",
                     value);

    return K8S_SA_ERROR;
}


/* Parses a number of at most max.  Returns what follows it, or NULL. */

static const char *
client_digits(const char *p, int64_t max, int64_t *number)
{
    if (*p < '0' || *p > '9') {
        return NULL;
    }

    for (*number = 0; *p >= '0' && *p <= '9'; p++) {

        if (*number > (max - (*p - '0')) / 10) {
            return NULL;
        }

        *number = *number * 10 + (*p - '0');
    }

    return p;
}
