/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The command line: a table of options per command, as nginx has one of
 * directives per module.
 */

#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H


#include "client.h"


/* How many values an option that may be repeated can have. */

#define CLIENT_LIST_MAX  64

/* A time or number that the command line does not give. */

#define CLIENT_UNSET     -1


typedef struct {
    const char     *items[CLIENT_LIST_MAX];
    size_t          n;
} client_list_t;


typedef struct client_option_s  client_option_t;

/*
 * Stores value (NULL for a flag) in the field of conf that the option is
 * about.  K8S_SA_OK, or K8S_SA_ERROR with a sentence that goes on after the
 * option's name in *err.
 */

typedef int (*client_option_pt)(const client_option_t *option,
    const char *value, void *conf, k8s_sa_error_t *err);


struct client_option_s {
    const char         *name;      /* "--name" */
    const char         *value;     /* what follows, "FILE"; NULL: a flag */
    client_option_pt    set;
    size_t              offset;    /* of the field in conf */
};


typedef struct {
    const char             *name;      /* as it is called, for messages */
    const char             *help;      /* all of --help's text */
    const char             *operand;   /* "URL" or "FILE", at most one */
    const client_option_t  *options;   /* ends with a NULL name */
} client_command_t;


/*
 * Reads the command line into conf.  -1: go on, *operand is the operand or
 * NULL.  Otherwise the exit status: --help or --version was answered, or a
 * mistake was reported.
 */

int client_options(const client_command_t *cmd, int argc, char **argv,
    void *conf, const char **operand);

/* Reports a mistake on the command line: CLIENT_USAGE. */

int client_usage(const client_command_t *cmd, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Reports what else prevents a command: CLIENT_USAGE. */

int client_error(const client_command_t *cmd, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


/* const char *, NULL before; int, 0 before; client_list_t. */

int client_set_string(const client_option_t *option, const char *value,
    void *conf, k8s_sa_error_t *err);
int client_set_flag(const client_option_t *option, const char *value,
    void *conf, k8s_sa_error_t *err);
int client_set_list(const client_option_t *option, const char *value,
    void *conf, k8s_sa_error_t *err);

/*
 * int64_t, CLIENT_UNSET before: milliseconds, from a time as nginx's
 * configuration has it ("1h 30m", "500ms", a number alone is seconds); a
 * number of at least 1.
 */

int client_set_time(const client_option_t *option, const char *value,
    void *conf, k8s_sa_error_t *err);
int client_set_number(const client_option_t *option, const char *value,
    void *conf, k8s_sa_error_t *err);

/* K8S_SA_OK if value is a number from 0 to max, otherwise K8S_SA_ERROR. */

int client_number(const char *value, int64_t max, int64_t *number);


#endif /* CLIENT_OPTIONS_H */
