/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * UUIDs as Kubernetes writes them (RFC 9562 section 4, in lower case), and as
 * 16 bytes.
 */

#ifndef K8S_SA_UUID_H
#define K8S_SA_UUID_H


#include "token/k8s_sa_base.h"


#define K8S_SA_UUID_LEN    16
#define K8S_SA_UUID_TEXT   36


/*
 * Returns 1 and writes K8S_SA_UUID_LEN bytes to uuid if s is a UUID in exactly
 * this form, otherwise 0.
 */

int k8s_sa_uuid_read(unsigned char *uuid, const k8s_sa_str_t *s);

/* Writes K8S_SA_UUID_TEXT bytes to p. */

void k8s_sa_uuid_write(unsigned char *p, const unsigned char *uuid);


#endif /* K8S_SA_UUID_H */
