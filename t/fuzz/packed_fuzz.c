/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Packed identities, as the shared cache keeps them.  The first byte chooses:
 * 0 for a packed identity as it is, possibly damaged; otherwise the rest is an
 * identity whose fields end with 0xff and are absent if they begin with 0xfe.
 */

#include "k8s_sa_fuzz.h"

#include "token/k8s_sa_packed.h"


typedef struct {
    const uint8_t  *data;
    size_t          size;
} fuzz_input_t;


static void fuzz_unpack(const uint8_t *data, size_t size);
static void fuzz_pack(const uint8_t *data, size_t size);
static void fuzz_unpack_same(const unsigned char *packed, size_t len,
    k8s_sa_identity_t *id);
static void fuzz_head(const uint8_t *data, size_t size,
    const k8s_sa_identity_t *id);
static void fuzz_check_seen(const k8s_sa_str_t *seen, const k8s_sa_str_t *s,
    const uint8_t *data, size_t size);
static void fuzz_fill(k8s_sa_str_t *field, void *data);
static int64_t fuzz_time(fuzz_input_t *in);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (fuzz_byte(&data, &size) == 0) {
        fuzz_unpack(data, size);

    } else {
        fuzz_pack(data, size);
    }

    return 0;
}


static void
fuzz_unpack(const uint8_t *data, size_t size)
{
    size_t              n, len;
    unsigned char      *text;
    k8s_sa_identity_t   id;

    static unsigned char  packed[K8S_SA_PACKED_MAX];

    n = k8s_sa_packed_size(data, size);
    fuzz_check(n <= 65536);

    text = malloc(n ? n : 1);
    fuzz_check(text != NULL);

    memset(&id, 0xa5, sizeof(id));

    fuzz_head(data, size, NULL);

    if (k8s_sa_identity_unpack(&id, data, size, text, n) != K8S_SA_OK) {
        free(text);
        return;
    }

    fuzz_check(id.kid.data == NULL);

    /* packed again, unless it is too large */

    len = k8s_sa_identity_pack(packed, sizeof(packed), &id);

    if (len != 0) {
        fuzz_unpack_same(packed, len, &id);
    }

    free(text);
}


static void
fuzz_pack(const uint8_t *data, size_t size)
{
    size_t              len, room;
    fuzz_input_t        in;
    unsigned char      *packed;
    k8s_sa_identity_t   id;

    in.data = data;
    in.size = size;

    memset(&id, 0, sizeof(id));

    room = fuzz_byte(&in.data, &in.size) << 8;
    room += fuzz_byte(&in.data, &in.size);

    id.expires = fuzz_time(&in);
    id.issued = fuzz_time(&in);
    id.warnafter = fuzz_time(&in);

    k8s_sa_identity_each(&id, fuzz_fill, &in);

    id.kid.len = 0;
    id.kid.data = NULL;

    packed = malloc(room ? room : 1);
    fuzz_check(packed != NULL);

    len = k8s_sa_identity_pack(packed, room, &id);
    fuzz_check(len <= room && len <= K8S_SA_PACKED_MAX);

    if (len != 0) {
        fuzz_unpack_same(packed, len, &id);
        fuzz_head(packed, len, &id);
    }

    free(packed);
}


/* Unpacking must return the identity that was packed. */

static void
fuzz_unpack_same(const unsigned char *packed, size_t len, k8s_sa_identity_t *id)
{
    size_t              n;
    unsigned char      *text;
    k8s_sa_identity_t   unpacked;

    n = k8s_sa_packed_size(packed, len);
    text = malloc(n ? n : 1);
    fuzz_check(text != NULL);

    fuzz_check(k8s_sa_identity_unpack(&unpacked, packed, len, text, n)
               == K8S_SA_OK);
    fuzz_check_same(id, &unpacked);

    free(text);
}


/* The head of a packed identity; if id is NULL, data may hold anything. */

static void
fuzz_head(const uint8_t *data, size_t size, const k8s_sa_identity_t *id)
{
    unsigned char         *packed;
    k8s_sa_packed_head_t   head;

    packed = malloc(size ? size : 1);
    fuzz_check(packed != NULL);

    if (size) {
        memcpy(packed, data, size);
    }

    if (k8s_sa_packed_head(&head, packed, size) == K8S_SA_OK) {
        fuzz_check_seen(&head.username, id ? &id->username : NULL, packed,
                        size);
        fuzz_check_seen(&head.issuer, id ? &id->issuer : NULL, packed, size);

    } else {
        fuzz_check(id == NULL);
    }

    free(packed);
}


static void
fuzz_check_seen(const k8s_sa_str_t *seen, const k8s_sa_str_t *s,
    const uint8_t *data, size_t size)
{
    if (seen->data != NULL) {
        fuzz_check(seen->data >= data && seen->len <= size
                   && seen->data + seen->len <= data + size);
    }

    if (s != NULL) {
        fuzz_check(seen->len == s->len);
        fuzz_check(s->len == 0 || memcmp(seen->data, s->data, s->len) == 0);
    }
}


static int64_t
fuzz_time(fuzz_input_t *in)
{
    int       i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < 8; i++) {
        n = n << 8 | fuzz_byte(&in->data, &in->size);
    }

    return (int64_t) n;
}


static void
fuzz_fill(k8s_sa_str_t *field, void *data)
{
    size_t          len;
    fuzz_input_t   *in = data;
    const uint8_t  *end;

    end = memchr(in->data, 0xff, in->size);
    len = end ? (size_t) (end - in->data) : in->size;

    if (len == 0 || in->data[0] != 0xfe) {
        field->len = len;
        field->data = (unsigned char *) in->data;
    }

    len += (end != NULL);

    in->data += len;
    in->size -= len;
}
