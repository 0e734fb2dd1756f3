/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Questions to a cluster's authorizers: whether a user may do something with a
 * resource or a path (staging/src/k8s.io/api/authorization/v1/types.go).
 *
 *     k8s_sa_access_check()    whether the values can be asked about
 *     k8s_sa_access_key()      the question's name in a cache
 *     k8s_sa_access_text()     the question for people
 *
 * k8s_sa_access_review.h has the request and its answer.
 */

#ifndef K8S_SA_ACCESS_H
#define K8S_SA_ACCESS_H


#include "token/k8s_sa_base.h"
#include "token/k8s_sa_fingerprint.h"
#include "token/k8s_sa_identity.h"
#include "token/k8s_sa_verdict.h"


#define K8S_SA_ACCESS_VALUE_MAX  253    /* bytes of a value, but not a path */
#define K8S_SA_ACCESS_PATH_MAX   8192   /* bytes; longer than K8S_SA_PATH_MAX,
                                           since a rule can add a prefix */
#define K8S_SA_ACCESS_LOG_MAX    512    /* bytes of a path in a log line,
                                           with escapes */


/* Parameters of a rule and attributes of a question */

typedef enum {
    K8S_SA_ACCESS_PATH = 0,         /* of a question about a path only */
    K8S_SA_ACCESS_VERB,
    K8S_SA_ACCESS_NAMESPACE,        /* the others: about a resource only */
    K8S_SA_ACCESS_GROUP,
    K8S_SA_ACCESS_RESOURCE,
    K8S_SA_ACCESS_SUBRESOURCE,
    K8S_SA_ACCESS_NAME,

    K8S_SA_ACCESS_FIELDS            /* number of fields */
} k8s_sa_access_field_e;


/* Returns "path", "verb", ...: the parameter's name, and the attribute's. */

const char *k8s_sa_access_field(k8s_sa_access_field_e field);


/*
 * A question.  It is about a resource if fields[K8S_SA_ACCESS_RESOURCE] is
 * present, otherwise about a path.  An absent field is left out; one that is
 * present, but empty means "all" or "any" to the API server, and is refused by
 * k8s_sa_access_check().  The strings belong to the caller.
 */

typedef struct {
    k8s_sa_str_t  fields[K8S_SA_ACCESS_FIELDS];
    unsigned      literal;          /* bits (1 << field): fields that the
                                       configuration sets without a variable,
                                       and that may contain "*" */
    unsigned      client;           /* bits (1 << field): fields that hold what
                                       the client has sent, other than as its
                                       method or in its token */
} k8s_sa_access_t;


/* How an issuer's API server is asked; owned by the configuration. */

typedef struct {
    k8s_sa_str_t  local;            /* present: LocalSubjectAccessReview of
                                       this namespace */
    k8s_sa_str_t  username_prefix;  /* precedes the identity's user name */
    unsigned      extra;            /* 1: send all of the identity's extra,
                                       0: without authentication.kubernetes.io/
                                       ... */
    unsigned      authenticated;    /* 1: add the group system:authenticated if
                                       the identity is not in it */
} k8s_sa_access_policy_t;


/*
 * Returns the verb of a method for a resource: "get" for GET and HEAD, "create"
 * for POST, "update" for PUT, "patch" for PATCH, "delete" for DELETE, otherwise
 * an absent string.  (For a path, the verb is the method in lower case:
 * k8s_sa_access_lowercase().)
 */

k8s_sa_str_t k8s_sa_access_verb(const k8s_sa_str_t *method);

/* Copies s in lower case (ASCII) to dst, which has room for s->len bytes. */

void k8s_sa_access_lowercase(unsigned char *dst, const k8s_sa_str_t *s);

/*
 * Returns 1 if a default role of Kubernetes lets each account "get" this path,
 * decoded, without any binding of the operator's: such a path must not be asked
 * about unless the rule names it.  Otherwise 0.
 */

int k8s_sa_access_has_default_role(const k8s_sa_str_t *path);

/*
 * Returns 1 if a field can have this value, as k8s_sa_access_check() requires
 * it, otherwise 0.  literal: the configuration sets it without a variable.
 */

int k8s_sa_access_is_fit(k8s_sa_access_field_e field,
    const k8s_sa_str_t *value, int literal);

/*
 * Decides whether the question can be asked.  method is the client's, in case
 * the verb was made of it, and may be NULL; it is named in the reason.
 *
 * K8S_SA_VERDICT_OK, or, with the reason in *err (may be NULL) and the first
 * field that is unfit in *field (may be NULL): K8S_SA_BAD_ATTRIBUTES if that
 * field is among q->client, otherwise K8S_SA_ACCESS_DENIED.  The reason never
 * quotes a value: "no value for namespace", "unfit value for name", "no verb
 * for method OPTIONS", "another namespace than that of the local review".
 *
 * A verb and, depending on the kind, a path or a resource must be present.  A
 * field that is present must not be empty.  A path is UTF-8 without control
 * characters, begins with "/" and has no segment "." or "..".  A namespace
 * consists of 1 to 63 characters of [a-z0-9-].  The others are visible ASCII
 * without "/" and "%", and neither "." nor "..".  "*" must be literal, except
 * in a path.
 *
 * With policy->local only resources in that namespace can be asked about.
 */

k8s_sa_verdict_e k8s_sa_access_check(const k8s_sa_access_t *q,
    const k8s_sa_access_policy_t *policy, const k8s_sa_str_t *method,
    k8s_sa_access_field_e *field, k8s_sa_error_t *err);


/*
 * Writes a question to dst, or only measures it if dst is NULL; returns the
 * number of bytes.
 *
 * K8S_SA_ACCESS_SHORT: "get /metrics", "create services/proxy.apps namespace=a
 * name=b".
 *
 * K8S_SA_ACCESS_DESCRIPTION: "cannot get path /metrics", "cannot create
 * services/proxy.apps b in namespace a", "cannot list nodes at the cluster
 * scope", for an error_description (RFC 6750 section 3).  0 if a value is not
 * visible ASCII without '"' and "\": nothing must be sent then.
 *
 * K8S_SA_ACCESS_LOG: the same for a log line, with the path in quotes; bytes
 * that an error_description must not have are written as \xHH, and of the path
 * at most K8S_SA_ACCESS_LOG_MAX bytes are written ('"/a"...').
 *
 * K8S_SA_ACCESS_LOG_ALLOWED: that without "cannot ".
 */

typedef enum {
    K8S_SA_ACCESS_SHORT = 0,
    K8S_SA_ACCESS_DESCRIPTION,
    K8S_SA_ACCESS_LOG,
    K8S_SA_ACCESS_LOG_ALLOWED
} k8s_sa_access_text_e;

size_t k8s_sa_access_text(unsigned char *dst, const k8s_sa_access_t *q,
    k8s_sa_access_text_e how);


/*
 * The name of a question in a cache: k8s_sa_fingerprint() of a context and a
 * key.  Two questions, of any users, have the same name only if the requests to
 * the API server are the same: tokens are not part of it.
 *
 * k8s_sa_access_context() writes K8S_SA_FINGERPRINT_CONTEXT_LEN bytes, a digest
 * of the URL that is asked and of policy->local, which differs from all
 * contexts of tokens.  K8S_SA_OK or K8S_SA_ERROR.
 *
 * k8s_sa_access_key() writes the user (user name, uid, groups, extra as far as
 * it is sent), unless id is NULL, and the question, unless q is NULL, to dst,
 * which has room for size bytes.  Returns the number of bytes, or 0 if there is
 * no room.  A key of more than K8S_SA_TOKEN_MAX bytes has no fingerprint: its
 * verdict cannot be cached.
 */

int k8s_sa_access_context(unsigned char *context, const k8s_sa_str_t *url,
    const k8s_sa_access_policy_t *policy);

size_t k8s_sa_access_key(unsigned char *dst, size_t size,
    const k8s_sa_access_policy_t *policy, const k8s_sa_identity_t *id,
    const k8s_sa_access_t *q);

/*
 * What is sent of a user: return 1 if the group system:authenticated is added
 * to the identity's, or if this name of its extra is sent, otherwise 0.
 */

int k8s_sa_access_adds_group(const k8s_sa_access_policy_t *policy,
    const k8s_sa_identity_t *id);
int k8s_sa_access_sends_extra(const k8s_sa_access_policy_t *policy,
    const k8s_sa_str_t *name);


#endif /* K8S_SA_ACCESS_H */
