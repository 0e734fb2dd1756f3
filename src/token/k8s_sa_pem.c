/* SPDX-License-Identifier: BSD-2-Clause */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 /* memmem() */
#endif

#include "token/k8s_sa_key.h"
#include "token/k8s_sa_discovery.h"
#include "token/k8s_sa_openssl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <stdlib.h>
#include <string.h>


#define K8S_SA_PEM_BEGIN  "-----BEGIN "
#define K8S_SA_PEM_END    "-----END "
#define K8S_SA_PEM_TAIL   "-----"


typedef struct {
    k8s_sa_str_t     label;
    k8s_sa_str_t     body;         /* base64 */
    unsigned         encrypted:1;  /* by its headers */
    unsigned         complete:1;   /* it has its END line */
    unsigned         cut:1;        /* the text ends before an END line */
} k8s_sa_pem_block_t;


static int k8s_sa_pem_next(k8s_sa_str_t *text, k8s_sa_pem_block_t *block);
static void k8s_sa_pem_headers(k8s_sa_pem_block_t *block);
static int k8s_sa_pem_line(k8s_sa_str_t *text, k8s_sa_str_t *line);
static int k8s_sa_pem_boundary(const k8s_sa_str_t *line, const char *prefix,
    k8s_sa_str_t *label);
static int k8s_sa_pem_add(k8s_sa_keyset_t *set,
    const k8s_sa_pem_block_t *block, int *has_private, k8s_sa_error_t *err);
static int k8s_sa_pem_add_der(k8s_sa_keyset_t *set,
    const k8s_sa_pem_block_t *block, const unsigned char *data, size_t len,
    int *has_private, k8s_sa_error_t *err);
static int k8s_sa_pem_has_suffix(const k8s_sa_str_t *label,
    const char *suffix);
static int k8s_sa_pem_decode(const k8s_sa_str_t *body, unsigned char *dst,
    size_t *len);
static int k8s_sa_pem_value(unsigned char ch);


int
k8s_sa_keyset_add_pem(k8s_sa_keyset_t *set, const void *data, size_t len,
    int *has_private, k8s_sa_error_t *note, k8s_sa_error_t *err)
{
    int                  rc, private;
    size_t               n;
    unsigned             number, keys;
    k8s_sa_str_t         text;
    k8s_sa_error_t       why, own;
    k8s_sa_pem_block_t   block;

    if (has_private == NULL) {
        has_private = &private;
    }

    if (note == NULL) {
        note = &own;
    }

    *has_private = 0;
    note->text[0] = '\0';

    if (len > K8S_SA_DOCUMENT_MAX) {
        k8s_sa_error_set(err, "over %d bytes", K8S_SA_DOCUMENT_MAX);
        return K8S_SA_ERROR;
    }

    text.data = (unsigned char *) data;
    text.len = len;

    n = k8s_sa_keyset_count(set);
    keys = 0;

    for (number = 1; k8s_sa_pem_next(&text, &block) == K8S_SA_OK; number++) {

        why.text[0] = '\0';

        if (block.cut) {

            /* the file may still be being written */

            k8s_sa_error_set(&why, "has no END line");
            rc = K8S_SA_ERROR;

        } else if (number > K8S_SA_KEYS_MAX) {
            k8s_sa_error_set(&why, "more than %d blocks", K8S_SA_KEYS_MAX);
            rc = K8S_SA_ERROR;

        } else {
            rc = k8s_sa_pem_add(set, &block, has_private, &why);

            if (rc == K8S_SA_ERROR
                && k8s_sa_keyset_count(set) < K8S_SA_KEYS_MAX)
            {
                rc = K8S_SA_NO_MEMORY;
            }
        }

        if (rc == K8S_SA_OK) {
            keys++;

        } else if (rc != K8S_SA_REFUSED) {
            k8s_sa_error_set(err, "PEM block %u: %s", number, why.text);
            k8s_sa_keyset_truncate(set, n);
            ERR_clear_error();
            return rc;

        } else if (why.text[0] != '\0' && note->text[0] == '\0') {
            k8s_sa_error_set(note, "PEM block %u: %s", number, why.text);
        }
    }

    ERR_clear_error();

    if (keys == 0) {
        k8s_sa_error_set(err, "%s", note->text[0] != '\0' ? note->text
                         : "no PEM block with a public key, certificate or "
                           "private key");
        return K8S_SA_ERROR;
    }

    return K8S_SA_OK;
}


/*
 * Reads the next block of text and advances it; K8S_SA_ERROR if there are no
 * more.  A block is not complete if text ends or another one begins before its
 * END line.
 */

static int
k8s_sa_pem_next(k8s_sa_str_t *text, k8s_sa_pem_block_t *block)
{
    k8s_sa_str_t  line, label, rest;

    do {
        if (!k8s_sa_pem_line(text, &line)) {
            return K8S_SA_ERROR;
        }

    } while (!k8s_sa_pem_boundary(&line, K8S_SA_PEM_BEGIN, &block->label));

    block->body = *text;
    block->complete = 0;
    block->cut = 0;

    for ( ;; ) {
        rest = *text;

        if (!k8s_sa_pem_line(text, &line)) {
            block->cut = 1;
            break;
        }

        if (k8s_sa_pem_boundary(&line, K8S_SA_PEM_BEGIN, &label)) {
            *text = rest;
            break;
        }

        if (k8s_sa_pem_boundary(&line, K8S_SA_PEM_END, &label)) {
            block->complete = k8s_sa_str_eq(&label, &block->label);
            break;
        }
    }

    block->body.len = (size_t) (rest.data - block->body.data);

    k8s_sa_pem_headers(block);

    return K8S_SA_OK;
}


/* RFC 1421 section 4.6: removes lines with a colon; a blank line follows. */

static void
k8s_sa_pem_headers(k8s_sa_pem_block_t *block)
{
    k8s_sa_str_t  rest, line;

    static const char  encrypted[] = "ENCRYPTED";

    block->encrypted = 0;
    rest = block->body;

    while (k8s_sa_pem_line(&rest, &line)) {

        if (line.len && memchr(line.data, ':', line.len) == NULL) {
            return;
        }

        if (memmem(line.data, line.len, encrypted, sizeof(encrypted) - 1)) {
            block->encrypted = 1;
        }

        block->body = rest;
    }
}


/* Takes a line from text, without blanks at its end; 0 if there is none. */

static int
k8s_sa_pem_line(k8s_sa_str_t *text, k8s_sa_str_t *line)
{
    size_t          n;
    unsigned char  *end;

    if (text->len == 0) {
        return 0;
    }

    line->data = text->data;

    end = memchr(text->data, '\n', text->len);
    line->len = end ? (size_t) (end - text->data) : text->len;

    n = line->len + (end != NULL);
    text->data += n;
    text->len -= n;

    while (line->len) {

        switch (line->data[line->len - 1]) {

        case ' ':
        case '\t':
        case '\r':
            line->len--;
            continue;
        }

        break;
    }

    return 1;
}


/* Returns 1 if the line is a BEGIN or END line, and sets its label. */

static int
k8s_sa_pem_boundary(const k8s_sa_str_t *line, const char *prefix,
    k8s_sa_str_t *label)
{
    size_t  n, tail;

    n = strlen(prefix);
    tail = sizeof(K8S_SA_PEM_TAIL) - 1;

    if (line->len < n + tail
        || memcmp(line->data, prefix, n) != 0
        || memcmp(line->data + line->len - tail, K8S_SA_PEM_TAIL, tail) != 0)
    {
        return 0;
    }

    label->data = line->data + n;
    label->len = line->len - n - tail;

    return 1;
}


/*
 * K8S_SA_OK; K8S_SA_REFUSED, with the reason in *err unless the block is not a
 * key at all; or K8S_SA_ERROR.
 */

static int
k8s_sa_pem_add(k8s_sa_keyset_t *set, const k8s_sa_pem_block_t *block,
    int *has_private, k8s_sa_error_t *err)
{
    int             rc;
    size_t          len;
    unsigned char  *data;

    if (k8s_sa_pem_has_suffix(&block->label, "PRIVATE KEY")) {
        *has_private = 1;
    }

    if (block->encrypted
        || k8s_sa_pem_has_suffix(&block->label, "ENCRYPTED PRIVATE KEY"))
    {
        k8s_sa_error_set(err, "private key is encrypted");
        return K8S_SA_REFUSED;
    }

    data = malloc(block->body.len + 1);
    if (data == NULL) {
        k8s_sa_error_set(err, "out of memory");
        return K8S_SA_ERROR;
    }

    if (!block->complete
        || k8s_sa_pem_decode(&block->body, data, &len) != K8S_SA_OK)
    {
        k8s_sa_error_set(err, "malformed");
        rc = K8S_SA_REFUSED;

    } else {
        rc = k8s_sa_pem_add_der(set, block, data, len, has_private, err);
    }

    /* it may be a private key */

    OPENSSL_cleanse(data, block->body.len + 1);
    free(data);

    return rc;
}


static int
k8s_sa_pem_add_der(k8s_sa_keyset_t *set, const k8s_sa_pem_block_t *block,
    const unsigned char *data, size_t len, int *has_private,
    k8s_sa_error_t *err)
{
    int            rc, is_private;
    k8s_sa_key_t  *key;

    rc = k8s_sa_key_from_der(&key, k8s_sa_keyset_digests(set), data, len,
                             &is_private, err);

    if (is_private) {
        *has_private = 1;
    }

    if (rc == K8S_SA_OK) {
        return k8s_sa_keyset_add(set, key, err);
    }

    /* EC PARAMETERS, X509 CRL, ...: other blocks are no mistake */

    if (rc == K8S_SA_REFUSED
        && !k8s_sa_pem_has_suffix(&block->label, "KEY")
        && !k8s_sa_pem_has_suffix(&block->label, "CERTIFICATE"))
    {
        err->text[0] = '\0';
    }

    return rc;
}


static int
k8s_sa_pem_has_suffix(const k8s_sa_str_t *label, const char *suffix)
{
    size_t  n;

    n = strlen(suffix);

    return label->len >= n
           && memcmp(label->data + label->len - n, suffix, n) == 0;
}


/* RFC 4648 section 4, with white space anywhere, as for Go's encoding/pem */

static int
k8s_sa_pem_decode(const k8s_sa_str_t *body, unsigned char *dst, size_t *len)
{
    int             value;
    size_t          i, digits, pads;
    uint32_t        bits;
    unsigned char   ch, *p;

    p = dst;
    bits = 0;
    digits = 0;
    pads = 0;

    for (i = 0; i < body->len; i++) {
        ch = body->data[i];

        if (ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n') {
            continue;
        }

        if (ch == '=') {
            pads++;
            continue;
        }

        value = k8s_sa_pem_value(ch);

        if (value < 0 || pads) {
            return K8S_SA_ERROR;
        }

        bits = bits << 6 | (uint32_t) value;
        digits++;

        /* a byte is complete with the second, third and fourth digit */

        if (digits % 4 != 1) {
            *p++ = (unsigned char) (bits >> ((4 - digits % 4) % 4 * 2));
        }
    }

    if (pads > 2 || digits % 4 == 1 || (digits + pads) % 4 != 0) {
        return K8S_SA_ERROR;
    }

    *len = (size_t) (p - dst);

    return K8S_SA_OK;
}


static int
k8s_sa_pem_value(unsigned char ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }

    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26;
    }

    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52;
    }

    return ch == '+' ? 62 : ch == '/' ? 63 : -1;
}
