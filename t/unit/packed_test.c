/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Packed identities: unpacking returns what was packed, whatever it is, and no
 * content makes the reader leave its bounds.
 */

#include "k8s_sa_test.h"

#include "token/k8s_sa_packed.h"


#define S(literal)  { sizeof(literal) - 1, (unsigned char *) (literal) }

#define EXTRA       "authentication.kubernetes.io/"
#define JTI         "1ea0282d-ed12-42dc-8ea3-0d721a2c855d"
#define POD_UID     "32eca69f-1b10-42a1-809c-b3a49caf497b"
#define NODE_UID    "ca69054d-d02f-47c9-aa00-df22ea57418d"
#define POD         "service1-6d4cf56db6-x7k2p-0001"
#define NODE        "node-pool-1-europe-west-3-0042"


/* The identity of a pod-bound token as Kubernetes 1.36 issues it. */

static const k8s_sa_identity_t  typical = {
    .username = S("system:serviceaccount:mytest:service1"),
    .namespace = S("mytest"),
    .name = S("service1"),
    .uid = S("16fe82e9-96c6-4087-94e7-e4c53dfaa6f5"),
    .groups = S("system:serviceaccounts\nsystem:serviceaccounts:mytest\n"
                "system:authenticated\n"),
    .extra = S(EXTRA "credential-id\tJTI=" JTI "\n"
               EXTRA "node-name\t" NODE "\n"
               EXTRA "node-uid\t" NODE_UID "\n"
               EXTRA "pod-name\t" POD "\n"
               EXTRA "pod-uid\t" POD_UID "\n"),
    .pod = S(POD),
    .pod_uid = S(POD_UID),
    .node = S(NODE),
    .node_uid = S(NODE_UID),
    .issuer = S("https://kubernetes.default.svc"),
    .audience = S("service2"),
    .jti = S(JTI),
    .kid = S("6CUMo4qrTD8F484yYk2bvfEuRF_CsY6SkkG3fd-yRJ8"),
    .expires = 1795440798,
    .issued = 1795437198
};


typedef struct {
    size_t         n;
    k8s_sa_str_t  *fields[32];
} fields_t;


static void
collect(k8s_sa_str_t *field, void *data)
{
    fields_t  *f = data;

    assert_true(f->n < test_nelts(f->fields));

    f->fields[f->n++] = field;
}


static void
assert_same(k8s_sa_identity_t *a, k8s_sa_identity_t *b)
{
    size_t    i;
    fields_t  fa, fb;

    fa.n = 0;
    fb.n = 0;

    k8s_sa_identity_each(a, collect, &fa);
    k8s_sa_identity_each(b, collect, &fb);

    for (i = 0; i < fa.n; i++) {

        if (fa.fields[i] == &a->kid) {
            assert_null(fb.fields[i]->data);
            assert_int_equal(fb.fields[i]->len, 0);
            continue;
        }

        assert_int_equal(fa.fields[i]->data == NULL,
                         fb.fields[i]->data == NULL);
        assert_int_equal(fa.fields[i]->len, fb.fields[i]->len);

        if (fa.fields[i]->len) {
            assert_memory_equal(fa.fields[i]->data, fb.fields[i]->data,
                                fa.fields[i]->len);
        }
    }

    assert_true(a->expires == b->expires);
    assert_true(a->issued == b->issued);
    assert_true(a->warnafter == b->warnafter);
}


/* A string that is read in place. */

static void
assert_seen(const k8s_sa_str_t *seen, const k8s_sa_str_t *s,
    const unsigned char *packed, size_t len)
{
    assert_int_equal(seen->data == NULL, s->data == NULL);
    assert_int_equal(seen->len, s->len);

    if (s->data != NULL) {
        assert_true(seen->data > packed);
        assert_true(seen->data + seen->len <= packed + len);
        assert_memory_equal(seen->data, s->data, s->len);
    }
}


/* Packs and unpacks, in buffers of exactly the size needed. */

static size_t
round_trip(const k8s_sa_identity_t *id)
{
    size_t                len, size;
    unsigned char        *packed, *dst, buf[K8S_SA_PACKED_MAX];
    k8s_sa_identity_t     copy, out;
    k8s_sa_packed_head_t  head;

    copy = *id;

    len = k8s_sa_identity_pack(buf, sizeof(buf), &copy);
    assert_true(len > 0);

    packed = test_copy(buf, len);

    assert_int_equal(k8s_sa_identity_pack(test_copy(buf, len), len, &copy),
                     len);
    assert_int_equal(k8s_sa_identity_pack(test_copy(buf, len), len - 1, &copy),
                     0);

    size = k8s_sa_packed_size(packed, len);
    assert_true(size > 0);

    assert_int_equal(k8s_sa_packed_head(&head, packed, len), K8S_SA_OK);
    assert_seen(&head.username, &copy.username, packed, len);
    assert_seen(&head.issuer, &copy.issuer, packed, len);
    assert_true(head.expires == copy.expires);
    assert_true(head.issued == copy.issued);
    assert_true(head.warnafter == copy.warnafter);

    dst = test_keep(malloc(size));

    assert_int_equal(k8s_sa_identity_unpack(&out, packed, len, dst, size),
                     K8S_SA_OK);

    memset(packed, 0, len);

    assert_same(&copy, &out);

    return len;
}


static void
test_typical(void **state)
{
    size_t  len;

    (void) state;

    len = round_trip(&typical);

    /* with a cache node's 104 bytes it must fit three blocks of 128 */

    print_message("a typical packed identity has %zu bytes\n", len);
    assert_true(len <= 24 + 124 + 124);
}


/* No field is forgotten, or mixed up with another. */

static void
test_every_field(void **state)
{
    size_t             i;
    fields_t           f;
    k8s_sa_identity_t  id;

    (void) state;

    memset(&id, 0, sizeof(id));
    f.n = 0;
    k8s_sa_identity_each(&id, collect, &f);
    assert_int_equal(f.n, 15);

    (void) round_trip(&id);

    for (i = 0; i < f.n; i++) {
        *f.fields[i] = test_str(test_format("value of field %zu", i));
    }

    (void) round_trip(&id);

    for (i = 0; i < f.n; i++) {
        *f.fields[i] = test_str("");
    }

    (void) round_trip(&id);

    for (i = 0; i < f.n; i++) {
        *f.fields[i] = test_str(test_format("field %zu\n", i));
    }

    (void) round_trip(&id);

    for (i = 0; i < f.n; i++) {
        *f.fields[i] = test_str(JTI);
    }

    (void) round_trip(&id);

    for (i = 0; i < f.n; i++) {
        id = typical;
        f.fields[i]->data = NULL;
        f.fields[i]->len = 0;
        (void) round_trip(&id);
    }
}


static void
test_odd_values(void **state)
{
    size_t             i;
    k8s_sa_identity_t  id;

    static const char *const  usernames[] = {
        "system:serviceaccount:", "system:serviceaccount:mytest",
        "system:serviceaccount::", "system:serviceaccount:mytest:",
        "system:serviceaccount::service1", "system:serviceaccount",
        "system:serviceaccount:mytest:service1:x", "system:serviceaccounT:a:b",
        "alice", ":", ""
    };

    static const char *const  uids[] = {
        "16FE82E9-96C6-4087-94E7-E4C53DFAA6F5",
        "16fe82e9-96c6-4087-94e7-e4c53dfaa6fg",
        "16fe82e9096c6-4087-94e7-e4c53dfaa6f5",
        "16fe82e9-96c6-4087-94e7-e4c53dfaa6f-",
        "16fe82e9-96c6-4087-94e7-e4c53dfaa6f",
        "16fe82e9-96c6-4087-94e7-e4c53dfaa6f55",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff", "", "7"
    };

    static const char *const  lists[] = {
        "", "\n", "\n\n", "system:serviceaccounts", "system:serviceaccounts\n",
        "system:serviceaccounts:\n", "system:serviceaccounts:mytest\n",
        "system:serviceaccounts:mytestx\n", "system:authenticated\nadmins\n",
        "admins\nsystem:authenticated", EXTRA "pod-name\t\n",
        EXTRA "pod-name\t" POD "\n" EXTRA "pod-name\t" POD "\n",
        EXTRA "pod-uid\t" POD "\n", EXTRA "credential-id\t" JTI "\n",
        EXTRA "credential-id\tJTI=" JTI "x\n", "scopes\tview\nscopes\tedit\n"
    };

    (void) state;

    for (i = 0; i < test_nelts(usernames); i++) {
        id = typical;
        id.username = test_str(usernames[i]);
        (void) round_trip(&id);

        id.namespace = test_str("");
        id.name = test_str("");
        (void) round_trip(&id);
    }

    for (i = 0; i < test_nelts(uids); i++) {
        id = typical;
        id.uid = test_str(uids[i]);
        (void) round_trip(&id);
    }

    for (i = 0; i < test_nelts(lists); i++) {
        id = typical;
        id.groups = test_str(lists[i]);
        id.extra = test_str(lists[i]);
        (void) round_trip(&id);

        memset(&id, 0, sizeof(id));
        id.groups = test_str(lists[i]);
        id.extra = test_str(lists[i]);
        (void) round_trip(&id);
    }
}


/* A string that a UUID would not restore exactly is not packed as one. */

static void
test_uuids(void **state)
{
    int                ch;
    size_t             i, packed;
    unsigned           valid;
    unsigned char      was;
    k8s_sa_identity_t  id;

    (void) state;

    id = typical;
    id.uid = test_str("01234567-89ab-cdef-fedc-ba9876543210");
    id.uid.data = test_copy(id.uid.data, id.uid.len);

    packed = round_trip(&id);

    for (i = 0; i < id.uid.len; i++) {
        was = id.uid.data[i];

        for (ch = 0; ch < 256; ch++) {
            id.uid.data[i] = (unsigned char) ch;

            valid = (was == '-') ? ch == '-'
                    : (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f');

            if (valid) {
                assert_int_equal(round_trip(&id), packed);

            } else {
                assert_int_equal(round_trip(&id), packed + 20);
            }
        }

        id.uid.data[i] = was;
    }
}


static void
test_times(void **state)
{
    size_t             i;
    k8s_sa_identity_t  id;

    static const int64_t  times[] = {
        0, 1, -1, 63, 64, 1795440798, INT32_MAX, INT64_MAX, INT64_MIN
    };

    (void) state;

    for (i = 0; i < test_nelts(times); i++) {
        id = typical;
        id.expires = times[i];
        id.issued = times[test_nelts(times) - 1 - i];
        id.warnafter = times[i];
        (void) round_trip(&id);
    }
}


static void
test_too_large(void **state)
{
    unsigned char      buf[K8S_SA_PACKED_MAX + 1];
    k8s_sa_identity_t  id;

    (void) state;

    id = typical;
    id.secret.data = test_keep(calloc(1, 100000));
    memset(id.secret.data, 'x', 100000);

    id.secret.len = K8S_SA_PACKED_MAX - 400;
    (void) round_trip(&id);

    id.secret.len = K8S_SA_PACKED_MAX;
    assert_int_equal(k8s_sa_identity_pack(buf, sizeof(buf), &id), 0);

    id.secret.len = 100000;
    assert_int_equal(k8s_sa_identity_pack(buf, sizeof(buf), &id), 0);

    /* short when packed, but not when unpacked */

    memset(&id, 0, sizeof(id));
    id.groups.data = test_keep(malloc(70000));
    id.groups.len = 0;

    while (id.groups.len < 66000) {
        memcpy(id.groups.data + id.groups.len, "system:authenticated\n", 21);
        id.groups.len += 21;
    }

    assert_int_equal(k8s_sa_identity_pack(buf, sizeof(buf), &id), 0);

    id.groups.len = 21 * 3000;
    assert_true(round_trip(&id) < 3100);

    /* no room at all */

    assert_int_equal(k8s_sa_identity_pack(buf, 0, &typical), 0);
}


/* Any bytes: the reader stays within bounds, and strings within dst. */

static void
unpack_any(const unsigned char *packed, size_t len, size_t size)
{
    int                rc;
    size_t             i;
    fields_t           f;
    unsigned char     *dst, *copy;
    k8s_sa_identity_t  id;

    copy = malloc(len ? len : 1);
    dst = malloc(size ? size : 1);
    assert_non_null(copy);
    assert_non_null(dst);

    memcpy(copy, packed, len);

    rc = k8s_sa_identity_unpack(&id, copy, len, dst, size);

    f.n = 0;
    k8s_sa_identity_each(&id, collect, &f);

    for (i = 0; i < f.n; i++) {

        if (rc != K8S_SA_OK) {
            assert_null(f.fields[i]->data);
        }

        if (f.fields[i]->data == NULL) {
            assert_int_equal(f.fields[i]->len, 0);
            continue;
        }

        assert_true(f.fields[i]->data >= dst);
        assert_true(f.fields[i]->data + f.fields[i]->len <= dst + size);
    }

    free(copy);
    free(dst);
}


static void
test_damaged(void **state)
{
    size_t             i, j, len, size;
    unsigned           n;
    unsigned char      buf[1024], bad[1024], dst[2048];
    k8s_sa_identity_t  id;

    (void) state;

    len = k8s_sa_identity_pack(buf, sizeof(buf), &typical);
    size = k8s_sa_packed_size(buf, len);

    for (i = 0; i < len; i++) {
        assert_int_equal(k8s_sa_identity_unpack(&id, buf, i, dst, sizeof(dst)),
                         K8S_SA_ERROR);
        unpack_any(buf, i, size);
    }

    /* the last byte of size is never written */

    for (i = 0; i < size - 1; i++) {
        assert_int_equal(k8s_sa_identity_unpack(&id, buf, len, dst, i),
                         K8S_SA_ERROR);
        unpack_any(buf, len, i);
    }

    memcpy(bad, buf, len);
    bad[len] = 0;
    assert_int_equal(k8s_sa_identity_unpack(&id, bad, len + 1, dst, size),
                     K8S_SA_ERROR);

    for (i = 0; i < len; i++) {
        for (n = 0; n < 256; n++) {
            memcpy(bad, buf, len);
            bad[i] = (unsigned char) n;
            unpack_any(bad, len, size);
        }
    }

    /* noise, with many bytes that have a meaning */

    srand(1);

    for (i = 0; i < 100000; i++) {
        bad[0] = buf[0];         /* the layout's version */

        for (j = 1; j < 64; j++) {
            n = (unsigned) rand();
            bad[j] = (unsigned char) (n & 0x10000 ? n & 0x07 : n);
        }

        unpack_any(bad, (unsigned) rand() % 64, (unsigned) rand() % 256);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(test_typical, test_release),
        cmocka_unit_test_teardown(test_every_field, test_release),
        cmocka_unit_test_teardown(test_odd_values, test_release),
        cmocka_unit_test_teardown(test_uuids, test_release),
        cmocka_unit_test_teardown(test_times, test_release),
        cmocka_unit_test_teardown(test_too_large, test_release),
        cmocka_unit_test_teardown(test_damaged, test_release)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
