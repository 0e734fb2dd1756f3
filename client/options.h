/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The command line.  Each command has a table of options, as an nginx module
 * has one of directives.
 */

#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H


#include "client.h"


/* The most values that a repeatable option accepts. */

#define CLIENT_LIST_MAX  64

/* A time or number that is not given on the command line. */

#define CLIENT_UNSET     -1


typedef struct {
    const char     *items[CLIENT_LIST_MAX];
    size_t          n;
} client_list_t;


typedef struct client_option_s  client_option_t;

/*
 * Stores value (NULL for a flag) in the option's field of conf.  Returns
 * K8S_SA_OK, or K8S_SA_ERROR with *err set to a message that continues the
 * option's name, e.g. "is given twice".
 */

typedef int (*client_option_pt)(const client_option_t *option,
    const char *value, void *conf, k8s_sa_error_t *err);


struct client_option_s {
    const char         *name;      /* "--name" */
    const char         *value;     /* placeholder, "FILE"; NULL: a flag */
    client_option_pt    set;
    size_t              offset;    /* the field's offset in conf */
};


typedef struct {
    const char             *name;      /* with the program's, for messages */
    const char             *help;      /* the text of --help */
    const char             *operand;   /* "URL" or "FILE", at most one */
    const client_option_t  *options;   /* up to a NULL name */
} client_command_t;


/*
 * Parses the command line into conf.  Returns -1 with *operand set to the
 * operand or NULL; or the exit status, after --help, --version or a reported
 * error.
 */

int client_options(const client_command_t *cmd, int argc, char **argv,
    void *conf, const char **operand);

/* Reports a usage error with a hint at --help.  Returns CLIENT_USAGE. */

int client_usage(const client_command_t *cmd, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Reports another error, or a note.  Returns CLIENT_USAGE. */

int client_error(const client_command_t *cmd, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


/*
 * Setters of a const char *, initially NULL, of an int, initially 0, and of a
 * client_list_t.
 */

int client_set_string(const client_option_t *option, const char *value,
    void *conf, k8s_sa_error_t *err);
int client_set_flag(const client_option_t *option, const char *value,
    void *conf, k8s_sa_error_t *err);
int client_set_list(const client_option_t *option, const char *value,
    void *conf, k8s_sa_error_t *err);

/*
 * Setters of an int64_t, initially CLIENT_UNSET: a time in the syntax of
 * nginx's configuration ("1h 30m", "500ms"; a bare number is seconds), stored
 * in milliseconds; a number of at least 1.
 */

int client_set_time(const client_option_t *option, const char *value,
    void *conf, k8s_sa_error_t *err);
int client_set_number(const client_option_t *option, const char *value,
    void *conf, k8s_sa_error_t *err);

/*
 * Returns the int64_t that the option sets in conf, or NULL with *err set: it
 * is not CLIENT_UNSET any more.
 */

int64_t *client_unset_field(const client_option_t *option, void *conf,
    k8s_sa_error_t *err);

/* Parses a number from 0 to max.  Returns K8S_SA_OK or K8S_SA_ERROR. */

int client_number(const char *value, int64_t max, int64_t *number);


#endif /* CLIENT_OPTIONS_H */
