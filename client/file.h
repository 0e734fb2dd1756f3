/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Files: tokens, keys and CA certificates, each read whole and bounded.
 */

#ifndef CLIENT_FILE_H
#define CLIENT_FILE_H


#include "client.h"


#define CLIENT_FILE_MAX  (1024 * 1024)


/*
 * A file's content in memory of its own, to be given to client_file_free(),
 * which wipes it.  text is the content without the white space around it.
 */

typedef struct {
    unsigned char  *data;
    size_t          size;
    k8s_sa_str_t    text;
} client_file_t;


/*
 * Reads name, which is shorter than CLIENT_FILE_MAX; "-" is standard input.
 * K8S_SA_OK, or K8S_SA_ERROR and *err; file needs no client_file_free() then.
 */

int client_file_read(client_file_t *file, const char *name,
    k8s_sa_error_t *err);

/*
 * Reads a token that is to be sent: from a regular file only, so that it never
 * waits for somebody to write, not empty, at most K8S_SA_TOKEN_MAX visible
 * ASCII characters.
 */

int client_file_read_token(client_file_t *file, const char *name,
    k8s_sa_error_t *err);

/* Also takes a file that is all zeroes or was freed. */

void client_file_free(client_file_t *file);


#endif /* CLIENT_FILE_H */
