/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_allow.h"
#include "token/k8s_sa_hash.h"
#include "token/k8s_sa_name.h"
#include "token/k8s_sa_userinfo.h"

#include <string.h>


/*
 * A slot's first byte is its kind:
 *
 *     aNAMESPACE/NAME  nNAMESPACE  sNAME  gGROUP  uUSER
 */

#define K8S_SA_ALLOW_ACCOUNT    'a'
#define K8S_SA_ALLOW_NAMESPACE  'n'
#define K8S_SA_ALLOW_NAME       's'
#define K8S_SA_ALLOW_GROUP      'g'
#define K8S_SA_ALLOW_USER       'u'

#define K8S_SA_ALLOW_PREFIX     "group:"

#define K8S_SA_ALLOW_SLOTS      16     /* of a new table */

/* a label, "/" and a subdomain (RFC 1123) */

#define K8S_SA_ALLOW_MAX        (63 + 1 + 253)


static int k8s_sa_allow_parse(const k8s_sa_str_t *pattern,
    unsigned char *kind, k8s_sa_str_t *text);
static int k8s_sa_allow_parse_account(const k8s_sa_str_t *pattern,
    const unsigned char *slash, unsigned char *kind, k8s_sa_str_t *text);
static int k8s_sa_allow_grow(k8s_sa_allow_t *allow,
    k8s_sa_allow_alloc_pt alloc, void *pool);
static int k8s_sa_allow_has(const k8s_sa_allow_t *allow, unsigned char kind,
    const k8s_sa_str_t *text);
static int k8s_sa_allow_has_account(const k8s_sa_allow_t *allow,
    const k8s_sa_identity_t *id);
static int k8s_sa_allow_has_group(const k8s_sa_allow_t *allow,
    const k8s_sa_str_t *groups);
static k8s_sa_str_t *k8s_sa_allow_slot(const k8s_sa_allow_t *allow,
    unsigned char kind, const k8s_sa_str_t *text);
static int k8s_sa_allow_is_any(const k8s_sa_str_t *s);
static int k8s_sa_allow_holds(const k8s_sa_str_t *s, int ch);


int
k8s_sa_allow_add(k8s_sa_allow_t *allow, const k8s_sa_str_t *pattern,
    k8s_sa_allow_alloc_pt alloc, void *pool)
{
    k8s_sa_str_t   text, *slot;
    unsigned char  kind, *p;

    if (k8s_sa_allow_parse(pattern, &kind, &text) != K8S_SA_OK) {
        return K8S_SA_ALLOW_INVALID;
    }

    /* at least half of the slots stay free, so that searches are short */

    if (2 * allow->used >= allow->size
        && k8s_sa_allow_grow(allow, alloc, pool) != K8S_SA_OK)
    {
        return K8S_SA_ERROR;
    }

    slot = k8s_sa_allow_slot(allow, kind, &text);

    if (slot->len) {
        return K8S_SA_ALLOW_DUPLICATE;
    }

    p = alloc(pool, text.len + 1);
    if (p == NULL) {
        return K8S_SA_ERROR;
    }

    p[0] = kind;
    memcpy(p + 1, text.data, text.len);

    slot->data = p;
    slot->len = text.len + 1;

    allow->used++;

    if (kind == K8S_SA_ALLOW_ACCOUNT && text.len == 3
        && memcmp(text.data, "*/*", 3) == 0)
    {
        allow->accounts = 1;
    }

    return K8S_SA_OK;
}


/* Sets the kind, and text to a part of the pattern. */

static int
k8s_sa_allow_parse(const k8s_sa_str_t *pattern, unsigned char *kind,
    k8s_sa_str_t *text)
{
    size_t                prefix;
    const unsigned char  *slash;

    if (pattern->len == 0 || !k8s_sa_str_is_clean(pattern)) {
        return K8S_SA_ERROR;
    }

    *text = *pattern;

    prefix = sizeof(K8S_SA_ALLOW_PREFIX) - 1;

    if (text->len >= prefix
        && memcmp(text->data, K8S_SA_ALLOW_PREFIX, prefix) == 0)
    {
        *kind = K8S_SA_ALLOW_GROUP;

        text->data += prefix;
        text->len -= prefix;

    } else {
        slash = memchr(text->data, '/', text->len);

        if (slash && !k8s_sa_allow_holds(text, ':')
            && !k8s_sa_allow_holds(text, '@'))
        {
            return k8s_sa_allow_parse_account(pattern, slash, kind, text);
        }

        *kind = K8S_SA_ALLOW_USER;
    }

    return text->len && !k8s_sa_allow_holds(text, '*') ? K8S_SA_OK
                                                       : K8S_SA_ERROR;
}


static int
k8s_sa_allow_parse_account(const k8s_sa_str_t *pattern,
    const unsigned char *slash, unsigned char *kind, k8s_sa_str_t *text)
{
    int           any_namespace, any_name;
    k8s_sa_str_t  ns, name;

    ns.data = pattern->data;
    ns.len = (size_t) (slash - pattern->data);
    name.data = ns.data + ns.len + 1;
    name.len = pattern->len - ns.len - 1;

    any_namespace = k8s_sa_allow_is_any(&ns);
    any_name = k8s_sa_allow_is_any(&name);

    if ((!any_namespace && !k8s_sa_name_is_label(&ns))
        || (!any_name && !k8s_sa_name_is_subdomain(&name)))
    {
        return K8S_SA_ERROR;
    }

    if (any_namespace == any_name) {
        *kind = K8S_SA_ALLOW_ACCOUNT;
        *text = *pattern;

    } else if (any_namespace) {
        *kind = K8S_SA_ALLOW_NAME;
        *text = name;

    } else {
        *kind = K8S_SA_ALLOW_NAMESPACE;
        *text = ns;
    }

    return K8S_SA_OK;
}


static int
k8s_sa_allow_grow(k8s_sa_allow_t *allow, k8s_sa_allow_alloc_pt alloc,
    void *pool)
{
    size_t          i;
    k8s_sa_str_t    text, *slot;
    k8s_sa_allow_t  larger;

    larger = *allow;

    larger.size = allow->size ? 2 * allow->size : K8S_SA_ALLOW_SLOTS;
    larger.slots = alloc(pool, larger.size * sizeof(k8s_sa_str_t));
    if (larger.slots == NULL) {
        return K8S_SA_ERROR;
    }

    memset(larger.slots, 0, larger.size * sizeof(k8s_sa_str_t));

    for (i = 0; i < allow->size; i++) {
        slot = &allow->slots[i];

        if (slot->len) {
            text.data = slot->data + 1;
            text.len = slot->len - 1;

            *k8s_sa_allow_slot(&larger, slot->data[0], &text) = *slot;
        }
    }

    *allow = larger;

    return K8S_SA_OK;
}


int
k8s_sa_allow_equal(const k8s_sa_allow_t *a, const k8s_sa_allow_t *b)
{
    size_t        i;
    k8s_sa_str_t  text, *slot;

    if (a->used != b->used) {
        return 0;
    }

    for (i = 0; i < a->size; i++) {
        slot = &a->slots[i];

        if (slot->len == 0) {
            continue;
        }

        text.data = slot->data + 1;
        text.len = slot->len - 1;

        if (k8s_sa_allow_slot(b, slot->data[0], &text)->len == 0) {
            return 0;
        }
    }

    return 1;
}


int
k8s_sa_allow_is_account(const k8s_sa_str_t *pattern)
{
    k8s_sa_str_t   text, ns, name;
    unsigned char  kind;

    static const char  authenticated[] = "system:authenticated";
    static const char  accounts[] = "system:serviceaccounts";

    if (k8s_sa_allow_parse(pattern, &kind, &text) != K8S_SA_OK) {
        return 0;
    }

    switch (kind) {

    case K8S_SA_ALLOW_USER:
        return k8s_sa_username_split(&text, &ns, &name) == K8S_SA_OK
               && k8s_sa_name_is_label(&ns) && k8s_sa_name_is_subdomain(&name);

    case K8S_SA_ALLOW_GROUP:
        break;

    default:
        return 1;
    }

    if (text.len == sizeof(authenticated) - 1
        && memcmp(text.data, authenticated, text.len) == 0)
    {
        return 1;
    }

    /* "system:serviceaccounts", and with ":NAMESPACE" */

    if (text.len < sizeof(accounts) - 1
        || memcmp(text.data, accounts, sizeof(accounts) - 1) != 0)
    {
        return 0;
    }

    if (text.len == sizeof(accounts) - 1) {
        return 1;
    }

    ns.data = text.data + sizeof(accounts);
    ns.len = text.len - sizeof(accounts);

    return ns.data[-1] == ':' && k8s_sa_name_is_label(&ns);
}


int
k8s_sa_allow_matches(const k8s_sa_allow_t *allow, const k8s_sa_identity_t *id)
{
    if (allow->used == 0) {
        return 0;
    }

    if (k8s_sa_allow_has(allow, K8S_SA_ALLOW_USER, &id->username)) {
        return 1;
    }

    if (id->namespace.len && id->name.len
        && (allow->accounts
            || k8s_sa_allow_has_account(allow, id)
            || k8s_sa_allow_has(allow, K8S_SA_ALLOW_NAMESPACE, &id->namespace)
            || k8s_sa_allow_has(allow, K8S_SA_ALLOW_NAME, &id->name)))
    {
        return 1;
    }

    return k8s_sa_allow_has_group(allow, &id->groups);
}


static int
k8s_sa_allow_has_account(const k8s_sa_allow_t *allow,
    const k8s_sa_identity_t *id)
{
    k8s_sa_str_t   account;
    unsigned char  text[K8S_SA_ALLOW_MAX];

    account.len = id->namespace.len + 1 + id->name.len;
    account.data = text;

    if (id->namespace.len >= sizeof(text) || id->name.len >= sizeof(text)
        || account.len > sizeof(text))
    {
        return 0;
    }

    memcpy(text, id->namespace.data, id->namespace.len);
    text[id->namespace.len] = '/';
    memcpy(text + id->namespace.len + 1, id->name.data, id->name.len);

    return k8s_sa_allow_has(allow, K8S_SA_ALLOW_ACCOUNT, &account);
}


static int
k8s_sa_allow_has_group(const k8s_sa_allow_t *allow,
    const k8s_sa_str_t *groups)
{
    size_t                pos;
    k8s_sa_str_t          group;
    const unsigned char  *end;

    for (pos = 0; pos < groups->len; pos += group.len + 1) {

        group.data = groups->data + pos;

        end = memchr(group.data, '\n', groups->len - pos);
        if (end == NULL) {
            return 0;
        }

        group.len = (size_t) (end - group.data);

        if (k8s_sa_allow_has(allow, K8S_SA_ALLOW_GROUP, &group)) {
            return 1;
        }
    }

    return 0;
}


static int
k8s_sa_allow_has(const k8s_sa_allow_t *allow, unsigned char kind,
    const k8s_sa_str_t *text)
{
    return text->len && k8s_sa_allow_slot(allow, kind, text)->len;
}


/*
 * Returns the slot that holds the text, or the free one where it belongs.
 * There is always a free slot.
 */

static k8s_sa_str_t *
k8s_sa_allow_slot(const k8s_sa_allow_t *allow, unsigned char kind,
    const k8s_sa_str_t *text)
{
    size_t         i;
    uint32_t       hash;
    k8s_sa_str_t  *slot;

    hash = k8s_sa_hash(K8S_SA_HASH_INIT, &kind, 1);
    hash = k8s_sa_hash(hash, text->data, text->len);

    for (i = k8s_sa_hash_fold(hash); /* void */ ; i++) {
        slot = &allow->slots[i & (allow->size - 1)];

        if (slot->len == 0
            || (slot->len == text->len + 1 && slot->data[0] == kind
                && memcmp(slot->data + 1, text->data, text->len) == 0))
        {
            return slot;
        }
    }
}


static int
k8s_sa_allow_is_any(const k8s_sa_str_t *s)
{
    return s->len == 1 && s->data[0] == '*';
}


static int
k8s_sa_allow_holds(const k8s_sa_str_t *s, int ch)
{
    return memchr(s->data, ch, s->len) != NULL;
}
