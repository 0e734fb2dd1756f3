/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A packed identity:
 *
 *     layout version, unpacked size, expires, issued, warnafter
 *     the fields in the order of k8s_sa_packed_fields[], each one of
 *         ABSENT
 *         UUID      followed by 16 bytes; never used for the first two fields,
 *                   so that these can be read in place
 *         DERIVED   for namespace and name: taken from the user name;
 *                   for groups and extra: followed by items up to END, each
 *                   the number of a known item, or ITEM_RAW + length and the
 *                   bytes
 *         RAW + length, followed by the bytes
 *
 * Numbers are varints of seven bits per byte, the lowest bits first; times are
 * zigzag-encoded.
 */

#include "token/k8s_sa_packed.h"
#include "token/k8s_sa_userinfo.h"
#include "token/k8s_sa_uuid.h"

#include <string.h>


#define K8S_SA_PACKED_VERSION   2
#define K8S_SA_PACKED_UNPACKED  65536

#define K8S_SA_PACKED_ABSENT    0
#define K8S_SA_PACKED_UUID      1
#define K8S_SA_PACKED_DERIVED   2
#define K8S_SA_PACKED_RAW       3

#define K8S_SA_ITEM_END         0
#define K8S_SA_ITEM_KNOWN       1
#define K8S_SA_ITEM_RAW         6      /* leaves room for 5 known items */

#define K8S_SA_VARINT_MAX       10

#define k8s_sa_nelts(a)         (sizeof(a) / sizeof((a)[0]))


typedef struct {
    unsigned char        *p;
    unsigned char        *end;
    int                   failed;
} k8s_sa_packed_out_t;


typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
    int                   failed;
} k8s_sa_packed_in_t;


/* A known item of a list: text, a field's value, and a line feed. */

typedef struct {
    const char           *text;
    size_t                len;
    size_t                offset;
} k8s_sa_packed_item_t;


#define k8s_sa_item(text)  text, sizeof(text) - 1


#define K8S_SA_NO_FIELD  ((size_t) -1)


static void k8s_sa_packed_put(k8s_sa_packed_out_t *out, const void *data,
    size_t len);
static inline void k8s_sa_packed_put_number(k8s_sa_packed_out_t *out,
    uint64_t n);
static void k8s_sa_packed_put_varint(k8s_sa_packed_out_t *out, uint64_t n);
static void k8s_sa_packed_put_field(k8s_sa_packed_out_t *out,
    const k8s_sa_identity_t *id, size_t offset);
static void k8s_sa_packed_put_list(k8s_sa_packed_out_t *out,
    const k8s_sa_identity_t *id, const k8s_sa_str_t *s,
    const k8s_sa_packed_item_t *known, size_t n);
static uint64_t k8s_sa_packed_begin(k8s_sa_packed_in_t *in,
    const unsigned char *packed, size_t len, k8s_sa_packed_head_t *head);
static void k8s_sa_packed_get_raw(k8s_sa_packed_in_t *in, k8s_sa_str_t *s);
static int64_t k8s_sa_packed_get_time(k8s_sa_packed_in_t *in);
static uint64_t k8s_sa_packed_get_number(k8s_sa_packed_in_t *in);
static const unsigned char *k8s_sa_packed_get(k8s_sa_packed_in_t *in,
    uint64_t len);
static void k8s_sa_packed_get_field(k8s_sa_packed_in_t *in,
    k8s_sa_packed_out_t *out, k8s_sa_identity_t *id, size_t offset);
static void k8s_sa_packed_get_uuid(k8s_sa_packed_in_t *in,
    k8s_sa_packed_out_t *out);
static void k8s_sa_packed_get_list(k8s_sa_packed_in_t *in,
    k8s_sa_packed_out_t *out, const k8s_sa_identity_t *id,
    const k8s_sa_packed_item_t *known, size_t n);
static const k8s_sa_str_t *k8s_sa_packed_str(const k8s_sa_identity_t *id,
    size_t offset);


/*
 * First the fields that k8s_sa_packed_head() reads.  The lists come last: they
 * are made from the fields before them.
 */

static const size_t  k8s_sa_packed_fields[] = {
    offsetof(k8s_sa_identity_t, username),
    offsetof(k8s_sa_identity_t, issuer),
    offsetof(k8s_sa_identity_t, namespace),
    offsetof(k8s_sa_identity_t, name),
    offsetof(k8s_sa_identity_t, uid),
    offsetof(k8s_sa_identity_t, pod),
    offsetof(k8s_sa_identity_t, pod_uid),
    offsetof(k8s_sa_identity_t, node),
    offsetof(k8s_sa_identity_t, node_uid),
    offsetof(k8s_sa_identity_t, secret),
    offsetof(k8s_sa_identity_t, audience),
    offsetof(k8s_sa_identity_t, jti),
    offsetof(k8s_sa_identity_t, groups),
    offsetof(k8s_sa_identity_t, extra)
};


static const k8s_sa_packed_item_t  k8s_sa_packed_groups[] = {
    { k8s_sa_item(K8S_SA_GROUP_ACCOUNTS), K8S_SA_NO_FIELD },
    { k8s_sa_item(K8S_SA_GROUP_NAMESPACE),
      offsetof(k8s_sa_identity_t, namespace) },
    { k8s_sa_item(K8S_SA_GROUP_AUTHENTICATED), K8S_SA_NO_FIELD }
};


static const k8s_sa_packed_item_t  k8s_sa_packed_extra[] = {
    { k8s_sa_item(K8S_SA_EXTRA_POD_NAME "\t"),
      offsetof(k8s_sa_identity_t, pod) },
    { k8s_sa_item(K8S_SA_EXTRA_POD_UID "\t"),
      offsetof(k8s_sa_identity_t, pod_uid) },
    { k8s_sa_item(K8S_SA_EXTRA_CREDENTIAL_ID "\t" K8S_SA_JTI_PREFIX),
      offsetof(k8s_sa_identity_t, jti) },
    { k8s_sa_item(K8S_SA_EXTRA_NODE_NAME "\t"),
      offsetof(k8s_sa_identity_t, node) },
    { k8s_sa_item(K8S_SA_EXTRA_NODE_UID "\t"),
      offsetof(k8s_sa_identity_t, node_uid) }
};

_Static_assert(k8s_sa_nelts(k8s_sa_packed_extra)
               <= K8S_SA_ITEM_RAW - K8S_SA_ITEM_KNOWN,
               "known items overlap with raw ones");


static const k8s_sa_str_t *
k8s_sa_packed_str(const k8s_sa_identity_t *id, size_t offset)
{
    return (const k8s_sa_str_t *) (const void *)
               ((const unsigned char *) id + offset);
}


size_t
k8s_sa_identity_pack(unsigned char *buf, size_t size,
    const k8s_sa_identity_t *id)
{
    size_t               i, total;
    const k8s_sa_str_t  *s;
    k8s_sa_packed_out_t  out;

    const int64_t        times[] = { id->expires, id->issued, id->warnafter };

    if (size > K8S_SA_PACKED_MAX) {
        size = K8S_SA_PACKED_MAX;
    }

    out.p = buf;
    out.end = buf + size;
    out.failed = 0;

    total = 0;

    for (i = 0; i < k8s_sa_nelts(k8s_sa_packed_fields); i++) {
        s = k8s_sa_packed_str(id, k8s_sa_packed_fields[i]);

        if (s->len > K8S_SA_PACKED_UNPACKED) {
            return 0;
        }

        total += s->len;
    }

    if (total > K8S_SA_PACKED_UNPACKED) {
        return 0;
    }

    k8s_sa_packed_put_number(&out, K8S_SA_PACKED_VERSION);
    k8s_sa_packed_put_number(&out, total);

    for (i = 0; i < k8s_sa_nelts(times); i++) {
        k8s_sa_packed_put_number(&out, ((uint64_t) times[i] << 1)
                                       ^ (times[i] < 0 ? UINT64_MAX : 0));
    }

    for (i = 0; i < k8s_sa_nelts(k8s_sa_packed_fields); i++) {
        k8s_sa_packed_put_field(&out, id, k8s_sa_packed_fields[i]);
    }

    return out.failed ? 0 : (size_t) (out.p - buf);
}


static void
k8s_sa_packed_put(k8s_sa_packed_out_t *out, const void *data, size_t len)
{
    if (out->failed || (size_t) (out->end - out->p) < len) {
        out->failed = 1;
        return;
    }

    if (len) {
        memcpy(out->p, data, len);
        out->p += len;
    }
}


static inline void
k8s_sa_packed_put_number(k8s_sa_packed_out_t *out, uint64_t n)
{
    if (n <= 0x7f && out->p < out->end && !out->failed) {
        *out->p++ = (unsigned char) n;
        return;
    }

    k8s_sa_packed_put_varint(out, n);
}


static void
k8s_sa_packed_put_varint(k8s_sa_packed_out_t *out, uint64_t n)
{
    size_t         i;
    unsigned char  buf[K8S_SA_VARINT_MAX];

    for (i = 0; n > 0x7f; n >>= 7) {
        buf[i++] = (unsigned char) (n | 0x80);
    }

    buf[i++] = (unsigned char) n;

    k8s_sa_packed_put(out, buf, i);
}


static void
k8s_sa_packed_put_field(k8s_sa_packed_out_t *out, const k8s_sa_identity_t *id,
    size_t offset)
{
    k8s_sa_str_t         ns, name;
    unsigned char        uuid[K8S_SA_UUID_LEN];
    const k8s_sa_str_t  *s;

    s = k8s_sa_packed_str(id, offset);

    if (s->data == NULL) {
        k8s_sa_packed_put_number(out, K8S_SA_PACKED_ABSENT);
        return;
    }

    if (s == &id->groups) {
        k8s_sa_packed_put_list(out, id, s, k8s_sa_packed_groups,
                               k8s_sa_nelts(k8s_sa_packed_groups));
        return;
    }

    if (s == &id->extra) {
        k8s_sa_packed_put_list(out, id, s, k8s_sa_packed_extra,
                               k8s_sa_nelts(k8s_sa_packed_extra));
        return;
    }

    if (s == &id->namespace || s == &id->name) {
        if (k8s_sa_username_split(&id->username, &ns, &name) == K8S_SA_OK
            && k8s_sa_str_eq(s, s == &id->namespace ? &ns : &name))
        {
            k8s_sa_packed_put_number(out, K8S_SA_PACKED_DERIVED);
            return;
        }
    }

    if (s != &id->username && s != &id->issuer && k8s_sa_uuid_read(uuid, s)) {
        k8s_sa_packed_put_number(out, K8S_SA_PACKED_UUID);
        k8s_sa_packed_put(out, uuid, sizeof(uuid));
        return;
    }

    k8s_sa_packed_put_number(out, K8S_SA_PACKED_RAW + s->len);
    k8s_sa_packed_put(out, s->data, s->len);
}


static void
k8s_sa_packed_put_list(k8s_sa_packed_out_t *out, const k8s_sa_identity_t *id,
    const k8s_sa_str_t *s, const k8s_sa_packed_item_t *known, size_t n)
{
    size_t                i, len, tried;
    const k8s_sa_str_t   *value;
    const unsigned char  *p, *end, *lf;

    static const k8s_sa_str_t  none = { 0, NULL };

    if (s->len == 0 || s->data[s->len - 1] != '\n') {
        k8s_sa_packed_put_number(out, K8S_SA_PACKED_RAW + s->len);
        k8s_sa_packed_put(out, s->data, s->len);
        return;
    }

    k8s_sa_packed_put_number(out, K8S_SA_PACKED_DERIVED);

    end = s->data + s->len;
    i = n - 1;

    for (p = s->data; p < end; p = lf + 1) {
        lf = memchr(p, '\n', (size_t) (end - p));
        len = (size_t) (lf - p);

        /* most often it is the one after the last match */

        for (tried = 0; tried < n; tried++) {
            i = i + 1 < n ? i + 1 : 0;

            value = known[i].offset == K8S_SA_NO_FIELD ? &none
                    : k8s_sa_packed_str(id, known[i].offset);

            if (len == known[i].len + value->len
                && memcmp(p, known[i].text, known[i].len) == 0
                && (value->len == 0
                    || memcmp(p + known[i].len, value->data, value->len)
                       == 0))
            {
                break;
            }
        }

        if (tried < n) {
            k8s_sa_packed_put_number(out, K8S_SA_ITEM_KNOWN + i);
            continue;
        }

        k8s_sa_packed_put_number(out, K8S_SA_ITEM_RAW + len);
        k8s_sa_packed_put(out, p, len);
    }

    k8s_sa_packed_put_number(out, K8S_SA_ITEM_END);
}


int
k8s_sa_packed_head(k8s_sa_packed_head_t *head, unsigned char *packed,
    size_t len)
{
    k8s_sa_packed_in_t  in;

    (void) k8s_sa_packed_begin(&in, packed, len, head);

    k8s_sa_packed_get_raw(&in, &head->username);
    k8s_sa_packed_get_raw(&in, &head->issuer);

    return in.failed ? K8S_SA_ERROR : K8S_SA_OK;
}


size_t
k8s_sa_packed_size(const unsigned char *packed, size_t len)
{
    uint64_t              size;
    k8s_sa_packed_in_t    in;
    k8s_sa_packed_head_t  head;

    size = k8s_sa_packed_begin(&in, packed, len, &head);

    /* one more, so that empty strings have somewhere to point */

    return in.failed ? 0 : (size_t) size + 1;
}


int
k8s_sa_identity_unpack(k8s_sa_identity_t *id, const unsigned char *packed,
    size_t len, unsigned char *dst, size_t size)
{
    size_t                i;
    k8s_sa_packed_in_t    in;
    k8s_sa_packed_out_t   out;
    k8s_sa_packed_head_t  head;

    memset(id, 0, sizeof(k8s_sa_identity_t));

    out.p = dst;
    out.end = dst + size;
    out.failed = 0;

    (void) k8s_sa_packed_begin(&in, packed, len, &head);

    id->expires = head.expires;
    id->issued = head.issued;
    id->warnafter = head.warnafter;

    for (i = 0; i < k8s_sa_nelts(k8s_sa_packed_fields); i++) {
        k8s_sa_packed_get_field(&in, &out, id, k8s_sa_packed_fields[i]);
    }

    if (in.failed || out.failed || in.p != in.end) {
        memset(id, 0, sizeof(k8s_sa_identity_t));
        return K8S_SA_ERROR;
    }

    return K8S_SA_OK;
}


/*
 * Reads everything before the fields, the times into head, and returns the
 * unpacked size.
 */

static uint64_t
k8s_sa_packed_begin(k8s_sa_packed_in_t *in, const unsigned char *packed,
    size_t len, k8s_sa_packed_head_t *head)
{
    uint64_t  version, size;

    in->p = packed;
    in->end = packed + len;
    in->failed = 0;

    version = k8s_sa_packed_get_number(in);
    size = k8s_sa_packed_get_number(in);

    head->expires = k8s_sa_packed_get_time(in);
    head->issued = k8s_sa_packed_get_time(in);
    head->warnafter = k8s_sa_packed_get_time(in);

    if (version != K8S_SA_PACKED_VERSION || size > K8S_SA_PACKED_UNPACKED) {
        in->failed = 1;
        in->end = in->p;
    }

    return size;
}


/* Reads a field that is stored as it is, without copying it. */

static void
k8s_sa_packed_get_raw(k8s_sa_packed_in_t *in, k8s_sa_str_t *s)
{
    uint64_t  n;

    s->len = 0;
    s->data = NULL;

    n = k8s_sa_packed_get_number(in);

    if (n == K8S_SA_PACKED_ABSENT) {
        return;
    }

    if (n < K8S_SA_PACKED_RAW) {
        in->failed = 1;
        return;
    }

    s->data = (unsigned char *) k8s_sa_packed_get(in, n - K8S_SA_PACKED_RAW);

    if (s->data != NULL) {
        s->len = (size_t) (n - K8S_SA_PACKED_RAW);
    }
}


static int64_t
k8s_sa_packed_get_time(k8s_sa_packed_in_t *in)
{
    uint64_t  n;

    n = k8s_sa_packed_get_number(in);

    return (int64_t) ((n >> 1) ^ (n & 1 ? UINT64_MAX : 0));
}


/* A failure leaves nothing more to read, so that loops end. */

static uint64_t
k8s_sa_packed_get_number(k8s_sa_packed_in_t *in)
{
    unsigned  shift;
    uint64_t  n;

    if (in->p < in->end && *in->p < 0x80) {
        return *in->p++;
    }

    n = 0;

    for (shift = 0; shift < 7 * K8S_SA_VARINT_MAX; shift += 7) {

        if (in->p == in->end) {
            break;
        }

        n |= (uint64_t) (*in->p & 0x7f) << shift;

        if ((*in->p++ & 0x80) == 0) {
            return n;
        }
    }

    in->failed = 1;
    in->end = in->p;

    return 0;
}


static const unsigned char *
k8s_sa_packed_get(k8s_sa_packed_in_t *in, uint64_t len)
{
    const unsigned char  *p;

    if ((uint64_t) (in->end - in->p) < len) {
        in->failed = 1;
        in->end = in->p;
        return NULL;
    }

    p = in->p;
    in->p += len;

    return p;
}


static void
k8s_sa_packed_get_field(k8s_sa_packed_in_t *in, k8s_sa_packed_out_t *out,
    k8s_sa_identity_t *id, size_t offset)
{
    uint64_t              n;
    k8s_sa_str_t         *s, ns, name;
    const unsigned char  *data;

    n = k8s_sa_packed_get_number(in);

    if (n == K8S_SA_PACKED_ABSENT) {
        return;
    }

    s = (k8s_sa_str_t *) (void *) ((unsigned char *) id + offset);
    s->data = out->p;

    switch (n) {

    case K8S_SA_PACKED_UUID:
        k8s_sa_packed_get_uuid(in, out);
        break;

    case K8S_SA_PACKED_DERIVED:

        if (s == &id->groups) {
            k8s_sa_packed_get_list(in, out, id, k8s_sa_packed_groups,
                                   k8s_sa_nelts(k8s_sa_packed_groups));

        } else if (s == &id->extra) {
            k8s_sa_packed_get_list(in, out, id, k8s_sa_packed_extra,
                                   k8s_sa_nelts(k8s_sa_packed_extra));

        } else {
            if (k8s_sa_username_split(&id->username, &ns, &name) != K8S_SA_OK) {
                in->failed = 1;
                return;
            }

            if (s == &id->namespace) {
                k8s_sa_packed_put(out, ns.data, ns.len);

            } else if (s == &id->name) {
                k8s_sa_packed_put(out, name.data, name.len);

            } else {
                in->failed = 1;
            }
        }

        break;

    default:
        data = k8s_sa_packed_get(in, n - K8S_SA_PACKED_RAW);

        if (data != NULL) {
            k8s_sa_packed_put(out, data, (size_t) (n - K8S_SA_PACKED_RAW));
        }
    }

    s->len = (size_t) (out->p - s->data);
}


static void
k8s_sa_packed_get_uuid(k8s_sa_packed_in_t *in, k8s_sa_packed_out_t *out)
{
    const unsigned char  *uuid;

    uuid = k8s_sa_packed_get(in, K8S_SA_UUID_LEN);

    if (uuid == NULL || (size_t) (out->end - out->p) < K8S_SA_UUID_TEXT) {
        out->failed = 1;
        return;
    }

    k8s_sa_uuid_write(out->p, uuid);
    out->p += K8S_SA_UUID_TEXT;
}


static void
k8s_sa_packed_get_list(k8s_sa_packed_in_t *in, k8s_sa_packed_out_t *out,
    const k8s_sa_identity_t *id, const k8s_sa_packed_item_t *known, size_t n)
{
    size_t                i;
    uint64_t              item, len;
    const k8s_sa_str_t   *value;
    const unsigned char  *data;

    /* stop when dst is full, too: few bytes must not cause much work */

    while (!out->failed) {
        item = k8s_sa_packed_get_number(in);

        if (item == K8S_SA_ITEM_END) {
            return;
        }

        if (item >= K8S_SA_ITEM_RAW) {
            len = item - K8S_SA_ITEM_RAW;
            data = k8s_sa_packed_get(in, len);

            if (data != NULL) {
                k8s_sa_packed_put(out, data, (size_t) len);
            }

        } else if (item - K8S_SA_ITEM_KNOWN < n) {
            i = (size_t) item - K8S_SA_ITEM_KNOWN;
            k8s_sa_packed_put(out, known[i].text, known[i].len);

            if (known[i].offset != K8S_SA_NO_FIELD) {
                value = k8s_sa_packed_str(id, known[i].offset);
                k8s_sa_packed_put(out, value->data, value->len);
            }

        } else {
            in->failed = 1;
            return;
        }

        k8s_sa_packed_put(out, "\n", 1);
    }
}
