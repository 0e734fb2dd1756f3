/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reads whole files of bounded size: tokens and keys.
 */

#ifndef CLIENT_FILE_H
#define CLIENT_FILE_H


#include "client.h"


#define CLIENT_FILE_MAX  (1024 * 1024)


/*
 * A file's contents, until client_file_free() wipes and frees them.  text
 * points into data: the contents without surrounding white space.
 */

typedef struct {
    unsigned char  *data;
    size_t          size;
    k8s_sa_str_t    text;
} client_file_t;


/*
 * Reads the file name, or standard input if it is "-", which must be shorter
 * than CLIENT_FILE_MAX bytes.  Returns K8S_SA_OK, or K8S_SA_ERROR with *err
 * set and nothing to free.
 */

int client_file_read(client_file_t *file, const char *name,
    k8s_sa_error_t *err);

/*
 * Reads a token to be sent: 1 to K8S_SA_TOKEN_MAX visible ASCII characters,
 * from a regular file, since reading a FIFO could block.  Returns as
 * client_file_read() does; err may be NULL.
 */

int client_file_read_token(client_file_t *file, const char *name,
    k8s_sa_error_t *err);

/*
 * Returns what is wrong with text, which should be a token ("it begins with
 * ..."), or NULL if it is none of the usual mistakes.
 */

const char *client_file_hint(const k8s_sa_str_t *text);

/* Wipes and frees the contents; does nothing if file is zeroed or freed. */

void client_file_free(client_file_t *file);


#endif /* CLIENT_FILE_H */
