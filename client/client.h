/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Declarations shared by the files of k8s-sa-client.
 */

#ifndef CLIENT_H
#define CLIENT_H


#include <stdint.h>
#include <stdio.h>

#include "token/k8s_sa_base.h"
#include "token/k8s_sa_token.h"


#define CLIENT_VERSION     "0.1.0"

/* where a pod's service account token is mounted */

#define CLIENT_TOKEN_FILE  "/var/run/secrets/kubernetes.io/serviceaccount/token"


/* Exit status. */

#define CLIENT_OK          0    /* all answers 2xx, token shown, token valid */
#define CLIENT_FAILED      1    /* a request failed or was not answered 2xx,
                                   token malformed or invalid, standard output
                                   cannot be written */
#define CLIENT_USAGE       2    /* usage error, or a file cannot be read */


/*
 * The three commands.  argv[0] is the command's name.  Each returns the exit
 * status, and writes results to standard output and errors to standard error.
 */

int client_call(int argc, char **argv);
int client_inspect(int argc, char **argv);
int client_verify(int argc, char **argv);


#endif /* CLIENT_H */
