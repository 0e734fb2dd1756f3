/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * k8s_sa_allow: one pattern per line; after 0xff the user name, namespace, name
 * and groups of an identity, separated by 0xff.  Valid patterns, and what they
 * match, are implemented here once more, without a table.
 */

#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_allow.h"

#include <regex.h>


#define FUZZ_BLOCKS    4096
#define FUZZ_PATTERNS  1024

#define FUZZ_LABEL      "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define FUZZ_SUBDOMAIN  FUZZ_LABEL "(\\." FUZZ_LABEL ")*"


typedef struct {
    void    *blocks[FUZZ_BLOCKS];
    size_t   n;
} fuzz_pool_t;


static regex_t  fuzz_label, fuzz_subdomain;


static void *fuzz_alloc(void *data, size_t size);
static k8s_sa_str_t fuzz_until(const uint8_t **data, size_t *size, int end);
static int fuzz_is_account(const k8s_sa_str_t *s, k8s_sa_str_t *ns,
    k8s_sa_str_t *name);
static int fuzz_is_group(const k8s_sa_str_t *s, k8s_sa_str_t *group);
static int fuzz_is_pattern(const k8s_sa_str_t *s);
static int fuzz_is_name(const k8s_sa_str_t *s, const regex_t *re, size_t max);
static int fuzz_allows(const k8s_sa_str_t *s, const k8s_sa_identity_t *id);


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;

    fuzz_check(regcomp(&fuzz_label, "^" FUZZ_LABEL "$",
                       REG_EXTENDED|REG_NOSUB)
               == 0);
    fuzz_check(regcomp(&fuzz_subdomain, "^" FUZZ_SUBDOMAIN "$",
                       REG_EXTENDED|REG_NOSUB)
               == 0);

    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 rc, allowed;
    size_t              i, n, rest;
    fuzz_pool_t         pool;
    k8s_sa_str_t        list, pattern, patterns[FUZZ_PATTERNS];
    k8s_sa_allow_t      allow;
    const uint8_t      *p;
    k8s_sa_identity_t   id;

    memset(&id, 0, sizeof(id));
    memset(&allow, 0, sizeof(allow));
    pool.n = 0;
    n = 0;

    list = fuzz_until(&data, &size, 0xff);
    id.username = fuzz_until(&data, &size, 0xff);
    id.namespace = fuzz_until(&data, &size, 0xff);
    id.name = fuzz_until(&data, &size, 0xff);
    id.groups = fuzz_until(&data, &size, 0xff);

    for (p = list.data, rest = list.len; rest && n < FUZZ_PATTERNS; ) {
        pattern = fuzz_until(&p, &rest, '\n');

        rc = k8s_sa_allow_add(&allow, &pattern, fuzz_alloc, &pool);

        fuzz_check((rc == K8S_SA_ALLOW_INVALID) == !fuzz_is_pattern(&pattern));

        for (i = 0; i < n; i++) {
            if (fuzz_same(&pattern, &patterns[i])) {
                break;
            }
        }

        fuzz_check((rc == K8S_SA_ALLOW_DUPLICATE) == (i < n));

        if (rc == K8S_SA_OK) {
            patterns[n++] = pattern;
        }
    }

    fuzz_check(allow.used == n);

    allowed = 0;

    for (i = 0; i < n; i++) {
        allowed |= fuzz_allows(&patterns[i], &id);
    }

    fuzz_check(k8s_sa_allow_matches(&allow, &id) == allowed);

    while (pool.n) {
        free(pool.blocks[--pool.n]);
    }

    return 0;
}


static void *
fuzz_alloc(void *data, size_t size)
{
    fuzz_pool_t  *pool = data;

    fuzz_check(pool->n < FUZZ_BLOCKS);

    return pool->blocks[pool->n++] = malloc(size);
}


static k8s_sa_str_t
fuzz_until(const uint8_t **data, size_t *size, int end)
{
    k8s_sa_str_t    s;
    const uint8_t  *p;

    p = memchr(*data, end, *size);

    s.data = (unsigned char *) *data;
    s.len = p ? (size_t) (p - *data) : *size;

    *data += s.len + (p != NULL);
    *size -= s.len + (p != NULL);

    return s;
}


static int
fuzz_is_account(const k8s_sa_str_t *s, k8s_sa_str_t *ns, k8s_sa_str_t *name)
{
    size_t          rest;
    const uint8_t  *p;

    if (memchr(s->data, '/', s->len) == NULL
        || memchr(s->data, ':', s->len) != NULL
        || memchr(s->data, '@', s->len) != NULL)
    {
        return 0;
    }

    p = s->data;
    rest = s->len;

    *ns = fuzz_until(&p, &rest, '/');

    name->data = (unsigned char *) p;
    name->len = rest;

    return 1;
}


static int
fuzz_is_group(const k8s_sa_str_t *s, k8s_sa_str_t *group)
{
    if (s->len < 6 || memcmp(s->data, "group:", 6) != 0) {
        return 0;
    }

    group->data = s->data + 6;
    group->len = s->len - 6;

    return 1;
}


static int
fuzz_is_pattern(const k8s_sa_str_t *s)
{
    k8s_sa_str_t  ns, name, text;

    static const k8s_sa_str_t  any = fuzz_lit("*");

    if (!fuzz_is_text(s->data, s->len, "")) {
        return 0;
    }

    if (fuzz_is_account(s, &ns, &name)) {
        return (fuzz_same(&ns, &any) || fuzz_is_name(&ns, &fuzz_label, 63))
               && (fuzz_same(&name, &any)
                   || fuzz_is_name(&name, &fuzz_subdomain, 253));
    }

    text = *s;
    (void) fuzz_is_group(s, &text);

    return text.len != 0 && memchr(text.data, '*', text.len) == NULL;
}


static int
fuzz_is_name(const k8s_sa_str_t *s, const regex_t *re, size_t max)
{
    char  name[254];

    if (s->len == 0 || s->len > max) {
        return 0;
    }

    memcpy(name, s->data, s->len);
    name[s->len] = '\0';

    return regexec(re, name, 0, NULL, 0) == 0;
}


static int
fuzz_allows(const k8s_sa_str_t *s, const k8s_sa_identity_t *id)
{
    size_t          rest;
    k8s_sa_str_t    ns, name, group, one;
    const uint8_t  *p;

    static const k8s_sa_str_t  any = fuzz_lit("*");

    if (fuzz_is_account(s, &ns, &name)) {
        return id->namespace.len != 0 && id->name.len != 0
               && (fuzz_same(&ns, &any) || fuzz_same(&ns, &id->namespace))
               && (fuzz_same(&name, &any) || fuzz_same(&name, &id->name));
    }

    if (!fuzz_is_group(s, &group)) {
        return fuzz_same(s, &id->username);
    }

    p = id->groups.data;
    rest = id->groups.len;

    while (rest && memchr(p, '\n', rest)) {
        one = fuzz_until(&p, &rest, '\n');

        if (fuzz_same(&one, &group)) {
            return 1;
        }
    }

    return 0;
}
