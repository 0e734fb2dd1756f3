/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * k8s-sa-client: what its files share.
 */

#ifndef CLIENT_H
#define CLIENT_H


#include <stdint.h>
#include <stdio.h>

#include "token/k8s_sa_base.h"
#include "token/k8s_sa_token.h"


#define CLIENT_VERSION     "0.1.0"

/* where the default service account's token is mounted in a pod */

#define CLIENT_TOKEN_FILE  "/var/run/secrets/kubernetes.io/serviceaccount/token"


/* Exit status. */

#define CLIENT_OK          0    /* every answer 2xx; token shown; token valid */
#define CLIENT_FAILED      1    /* not every answer 2xx; token no token, invalid
                                   or standard output gone */
#define CLIENT_USAGE       2    /* called wrongly, a file cannot be read */


/*
 * The three commands.  argv[0] is the command's name; the return value is the
 * exit status.  What was asked for goes to standard output, everything that
 * prevents it to standard error.
 */

int client_call(int argc, char **argv);
int client_inspect(int argc, char **argv);
int client_verify(int argc, char **argv);


#endif /* CLIENT_H */
