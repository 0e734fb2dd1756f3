/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Readable output: text from a token or a server reaches the terminal as
 * visible characters only.
 */

#ifndef CLIENT_TEXT_H
#define CLIENT_TEXT_H


#include "client.h"


#define CLIENT_TEXT_PLAIN   0
#define CLIENT_TEXT_QUOTED  1    /* for use within '': ' and \ are escaped */
#define CLIENT_TEXT_LINES   2    /* \n is kept */

/*
 * Writes len bytes and escapes what is not a visible character: control and
 * invisible formatting characters, which could recolour, hide or reorder the
 * text around them, as \n, \r, \t or \uXXXX, as in JSON; bytes that are not
 * UTF-8 as \xXX.
 */

void client_text_print(FILE *out, const void *data, size_t len,
    unsigned flags);

/* The same for a counted string; writes nothing if it is absent. */

void client_text_str(FILE *out, const k8s_sa_str_t *str);


#define CLIENT_TIME_LEN  48
#define CLIENT_TIME_MAX  INT64_C(253402300799)   /* 9999-12-31 23:59:59 UTC */

/* "2026-11-23 15:04:05 UTC", or the number if it is out of range. */

void client_text_time(char buf[CLIENT_TIME_LEN], int64_t when);

/* A duration in at most two units: "9m12s", "3h", "99y 364d". */

void client_text_span(char buf[CLIENT_TIME_LEN], int64_t seconds);

/* "3h ago", "in 9m12s" or "now". */

void client_text_relative(char buf[CLIENT_TIME_LEN], int64_t when,
    int64_t now);


#endif /* CLIENT_TEXT_H */
