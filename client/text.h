/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Text for people: nothing that a token or a server says may reach the
 * terminal as anything but visible characters.
 */

#ifndef CLIENT_TEXT_H
#define CLIENT_TEXT_H


#include "client.h"


#define CLIENT_TEXT_PLAIN   0
#define CLIENT_TEXT_QUOTED  1    /* will stand in '', so ' and \ are escaped */
#define CLIENT_TEXT_LINES   2    /* several lines: \n stays */

/*
 * Writes len bytes.  What is no visible character is written as an escape:
 * control and invisible formatting characters (which could recolour, hide or
 * reorder what stands around them) as \n, \r, \t or \uXXXX, as JSON has it;
 * bytes that are no UTF-8 as \xXX.
 */

void client_text_print(FILE *out, const void *data, size_t len,
    unsigned flags);

/* The same for counted strings; nothing is written for an absent one. */

void client_text_str(FILE *out, const k8s_sa_str_t *str);


#define CLIENT_TIME_LEN  48
#define CLIENT_TIME_MAX  INT64_C(253402300799)   /* 9999-12-31 23:59:59 UTC */

/* "2026-11-23 15:04:05 UTC", or the number if it is no time of this era. */

void client_text_time(char buf[CLIENT_TIME_LEN], int64_t when);

/* How long seconds are, in at most two units: "9m12s", "3h", "99y 364d". */

void client_text_span(char buf[CLIENT_TIME_LEN], int64_t seconds);

/* "3h ago", "in 9m12s" or "now". */

void client_text_relative(char buf[CLIENT_TIME_LEN], int64_t when,
    int64_t now);


#endif /* CLIENT_TEXT_H */
