/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Questions: two bytes of settings, then strings that end at FF, of which FE
 * means an absent one.  jansson must read from the request what was put in;
 * the key must tell the question from another one, of which one string has lost
 * its last byte to the next.
 */

#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_access_review.h"

#include <jansson.h>


enum {
    FUZZ_LOCAL = 0,
    FUZZ_PREFIX,
    FUZZ_USER,
    FUZZ_UID,
    FUZZ_GROUPS,
    FUZZ_EXTRA,
    FUZZ_FIELDS,
    FUZZ_STRINGS = FUZZ_FIELDS + K8S_SA_ACCESS_FIELDS
};


typedef struct {
    k8s_sa_access_policy_t   policy;
    k8s_sa_identity_t        id;
    k8s_sa_access_t          q;
    unsigned char           *body;      /* NULL: cannot be asked */
    size_t                   len;
    unsigned char            key[K8S_SA_TOKEN_MAX];
    size_t                   key_len;
} fuzz_question_t;


static void fuzz_question(fuzz_question_t *f, unsigned settings,
    const k8s_sa_str_t *strings);
static void fuzz_move(k8s_sa_str_t *strings, unsigned from);
static void fuzz_check_body(const fuzz_question_t *f);
static json_t *fuzz_expect(const fuzz_question_t *f);
static int fuzz_expect_extra(json_t *spec, const fuzz_question_t *f);
static json_t *fuzz_string(const k8s_sa_str_t *a, const k8s_sa_str_t *b);
static void fuzz_check_text(const fuzz_question_t *f);
static void fuzz_check_checked(const fuzz_question_t *f);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t         i;
    unsigned       settings, from;
    k8s_sa_str_t   strings[FUZZ_STRINGS];
    const uint8_t  *end;

    static fuzz_question_t  one, two;

    settings = fuzz_byte(&data, &size);
    from = fuzz_byte(&data, &size);

    memset(strings, 0, sizeof(strings));

    for (i = 0; i < FUZZ_STRINGS && size; i++) {
        end = memchr(data, 0xff, size);

        strings[i].len = end ? (size_t) (end - data) : size;
        strings[i].data = (unsigned char *) data;

        if (strings[i].len == 1 && data[0] == 0xfe) {
            memset(&strings[i], 0, sizeof(k8s_sa_str_t));
        }

        if (end == NULL) {
            break;
        }

        size -= end + 1 - data;
        data = end + 1;
    }

    /* copies, so that ASan reports reads past the end */

    for (i = 0; i < FUZZ_STRINGS; i++) {
        if (strings[i].data) {
            strings[i].data = fuzz_copy(strings[i].data, strings[i].len);
        }
    }

    /* jansson does not read a name with a NUL, nor does an identity have one */

    for (i = 0; i < strings[FUZZ_EXTRA].len; i++) {
        if (strings[FUZZ_EXTRA].data[i] == '\0') {
            strings[FUZZ_EXTRA].data[i] = 'x';
        }
    }

    fuzz_question(&one, settings, strings);
    fuzz_check_body(&one);
    fuzz_check_text(&one);
    fuzz_check_checked(&one);

    fuzz_move(strings, from % (FUZZ_STRINGS - 1));
    fuzz_question(&two, settings, strings);

    /*
     * The same name: the same request.  (Prefix and name may be UTF-8 together
     * only, and then there is no request.)
     */

    if (one.key_len && one.key_len == two.key_len
        && memcmp(one.key, two.key, one.key_len) == 0
        && fuzz_same(&one.policy.local, &two.policy.local)
        && one.body && two.body)
    {
        fuzz_check(one.len == two.len);
        fuzz_check(memcmp(one.body, two.body, one.len) == 0);
    }

    free(one.body);
    free(two.body);

    for (i = 0; i < FUZZ_STRINGS; i++) {
        free(strings[i].data);
    }

    return 0;
}


static void
fuzz_question(fuzz_question_t *f, unsigned settings,
    const k8s_sa_str_t *strings)
{
    size_t  i;

    memset(f, 0, offsetof(fuzz_question_t, key));

    f->policy.local = strings[FUZZ_LOCAL];
    f->policy.username_prefix = strings[FUZZ_PREFIX];
    f->policy.extra = settings & 1;
    f->policy.authenticated = (settings >> 1) & 1;

    f->id.username = strings[FUZZ_USER];
    f->id.uid = strings[FUZZ_UID];
    f->id.groups = strings[FUZZ_GROUPS];
    f->id.extra = strings[FUZZ_EXTRA];

    for (i = 0; i < K8S_SA_ACCESS_FIELDS; i++) {
        f->q.fields[i] = strings[FUZZ_FIELDS + i];
    }

    f->q.literal = settings >> 2;
    f->q.client = settings >> 4;

    f->len = k8s_sa_access_review_request(NULL, &f->policy, &f->id, &f->q);

    if (f->len) {
        f->body = malloc(f->len);
        fuzz_check(f->body != NULL);
        fuzz_check(k8s_sa_access_review_request(f->body, &f->policy, &f->id,
                                                &f->q) == f->len);
    }

    f->key_len = k8s_sa_access_key(f->key, sizeof(f->key), &f->policy, &f->id,
                                   &f->q);
}


static void
fuzz_move(k8s_sa_str_t *strings, unsigned from)
{
    unsigned char  *p;
    k8s_sa_str_t   *a, *b;

    a = &strings[from];
    b = &strings[from + 1];

    if (a->len == 0) {
        return;
    }

    p = malloc(b->len + 1);
    fuzz_check(p != NULL);

    p[0] = a->data[--a->len];

    if (b->len) {
        memcpy(p + 1, b->data, b->len);
    }

    free(b->data);

    b->data = p;
    b->len++;
}


static void
fuzz_check_body(const fuzz_question_t *f)
{
    json_t  *root, *expected;

    expected = fuzz_expect(f);
    fuzz_check((expected == NULL) == (f->body == NULL));

    if (f->body) {
        root = json_loadb((char *) f->body, f->len,
                          JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, NULL);

        fuzz_check(root != NULL);
        fuzz_check(json_equal(root, expected));

        json_decref(root);
    }

    json_decref(expected);
}


/* NULL if jansson does not accept a string either */

static json_t *
fuzz_expect(const fuzz_question_t *f)
{
    int           rc, found;
    size_t        i;
    json_t       *root, *spec, *list, *attributes;
    k8s_sa_str_t  rest, group;

    static const k8s_sa_str_t  none, added = fuzz_lit("system:authenticated");

    rc = 0;
    root = json_object();
    spec = json_object();
    list = json_array();
    attributes = json_object();

    rc |= json_object_set_new(root, "apiVersion",
                              json_string("authorization.k8s.io/v1"));
    rc |= json_object_set_new(root, "kind", json_string(f->policy.local.data
                                              ? "LocalSubjectAccessReview"
                                              : "SubjectAccessReview"));
    if (f->policy.local.data) {
        rc |= json_object_set_new(root, "metadata",
                  json_pack("{s:o}", "namespace",
                            fuzz_string(&f->policy.local, &none)));
    }

    if (f->id.username.data) {
        rc |= json_object_set_new(spec, "user",
                  fuzz_string(&f->policy.username_prefix, &f->id.username));
    }

    if (f->id.uid.data) {
        rc |= json_object_set_new(spec, "uid", fuzz_string(&f->id.uid, &none));
    }

    found = 0;
    rest = f->id.groups;

    while (k8s_sa_identity_group(&rest, &group)) {
        rc |= json_array_append_new(list, fuzz_string(&group, &none));
        found |= group.len == added.len
                 && memcmp(group.data, added.data, added.len) == 0;
    }

    if (f->policy.authenticated && !found) {
        rc |= json_array_append_new(list, fuzz_string(&added, &none));
    }

    if (json_array_size(list)) {
        rc |= json_object_set(spec, "groups", list);
    }

    rc |= fuzz_expect_extra(spec, f);

    for (i = 0; i < K8S_SA_ACCESS_FIELDS; i++) {

        if (f->q.fields[K8S_SA_ACCESS_RESOURCE].data
            ? i == K8S_SA_ACCESS_PATH : i > K8S_SA_ACCESS_VERB)
        {
            continue;
        }

        if (f->q.fields[i].data) {
            rc |= json_object_set_new(attributes, k8s_sa_access_field(i),
                                      fuzz_string(&f->q.fields[i], &none));
        }
    }

    rc |= json_object_set(spec, f->q.fields[K8S_SA_ACCESS_RESOURCE].data
                                ? "resourceAttributes"
                                : "nonResourceAttributes", attributes);
    rc |= json_object_set(root, "spec", spec);

    json_decref(attributes);
    json_decref(list);
    json_decref(spec);

    if (rc != 0) {
        json_decref(root);
        return NULL;
    }

    return root;
}


static int
fuzz_expect_extra(json_t *spec, const fuzz_question_t *f)
{
    int           rc;
    json_t       *extra, *values;
    k8s_sa_str_t  rest, name, value, last;

    static const k8s_sa_str_t  none;
    static const char          prefix[] = "authentication.kubernetes.io/";

    rc = 0;
    extra = json_object();
    rest = f->id.extra;
    memset(&last, 0, sizeof(last));

    while (k8s_sa_identity_extra(&rest, &name, &value)) {

        if (!f->policy.extra && name.len >= sizeof(prefix) - 1
            && memcmp(name.data, prefix, sizeof(prefix) - 1) == 0)
        {
            continue;
        }

        values = json_object_getn(extra, (char *) name.data, name.len);

        if (values == NULL) {
            values = json_array();
            rc |= json_object_setn_new(extra, (char *) name.data, name.len,
                                       values);

        } else if (last.len != name.len
                   || memcmp(last.data, name.data, name.len) != 0)
        {
            rc = -1;
        }

        if (rc != 0) {
            break;
        }

        last = name;
        rc |= json_array_append_new(values, fuzz_string(&value, &none));
    }

    if (json_object_size(extra) > K8S_SA_ACCESS_EXTRA_MAX) {
        rc = -1;
    }

    if (json_object_size(extra)) {
        rc |= json_object_set(spec, "extra", extra);
    }

    json_decref(extra);

    return rc;
}


/* NULL if the bytes are not UTF-8 */

static json_t *
fuzz_string(const k8s_sa_str_t *a, const k8s_sa_str_t *b)
{
    char    *text;
    json_t  *string;

    /* each on its own */

    string = json_stringn((char *) a->data, a->data ? a->len : 0);

    if (a->data && string == NULL) {
        return NULL;
    }

    json_decref(string);

    text = malloc(a->len + b->len + 1);
    fuzz_check(text != NULL);

    memcpy(text, a->len ? (char *) a->data : "", a->len);
    memcpy(text + a->len, b->len ? (char *) b->data : "", b->len);

    string = json_stringn(text, a->len + b->len);
    free(text);

    return string;
}


static void
fuzz_check_text(const fuzz_question_t *f)
{
    size_t          len, i;
    unsigned char  *text;

    static const k8s_sa_access_text_e  all[] = {
        K8S_SA_ACCESS_SHORT, K8S_SA_ACCESS_DESCRIPTION, K8S_SA_ACCESS_LOG,
        K8S_SA_ACCESS_LOG_ALLOWED
    };

    for (i = 0; i < fuzz_nelts(all); i++) {
        len = k8s_sa_access_text(NULL, &f->q, all[i]);

        if (len == 0) {
            fuzz_check(all[i] == K8S_SA_ACCESS_DESCRIPTION);
            continue;
        }

        text = malloc(len);
        fuzz_check(text != NULL);
        fuzz_check(k8s_sa_access_text(text, &f->q, all[i]) == len);

        if (all[i] != K8S_SA_ACCESS_SHORT) {
            fuzz_check(fuzz_is_clean(text, len, ""));
        }

        while (all[i] == K8S_SA_ACCESS_DESCRIPTION && len--) {
            fuzz_check(text[len] >= 0x20 && text[len] < 0x7f);
            fuzz_check(text[len] != '"' && text[len] != '\\');
        }

        free(text);
    }
}


/* A question that passes can be asked, unless the user cannot be told. */

static void
fuzz_check_checked(const fuzz_question_t *f)
{
    size_t                   i;
    k8s_sa_error_t           err;
    fuzz_question_t         *other;
    const k8s_sa_str_t      *field;
    k8s_sa_verdict_e         verdict;
    k8s_sa_access_field_e    unfit;

    memset(&err, 0xa5, sizeof(err));

    verdict = k8s_sa_access_check(&f->q, &f->policy, NULL, &unfit, &err);

    if (verdict != K8S_SA_VERDICT_OK) {
        fuzz_check(verdict == K8S_SA_ACCESS_DENIED
                   || verdict == K8S_SA_BAD_ATTRIBUTES);
        fuzz_check((verdict == K8S_SA_BAD_ATTRIBUTES)
                   == ((f->q.client >> unfit) & 1));
        fuzz_check_error(&err);
        return;
    }

    other = calloc(1, sizeof(fuzz_question_t));
    fuzz_check(other != NULL);

    other->policy.local = f->policy.local;
    fuzz_check(k8s_sa_access_review_request(NULL, &other->policy, &other->id,
                                            &f->q) != 0);
    free(other);

    for (i = 0; i < K8S_SA_ACCESS_FIELDS; i++) {
        field = &f->q.fields[i];

        fuzz_check(field->data == NULL || field->len > 0);
        fuzz_check(fuzz_is_clean(field->data, field->len, ""));
        fuzz_check(i == K8S_SA_ACCESS_PATH || field->len <= 253);
    }
}
