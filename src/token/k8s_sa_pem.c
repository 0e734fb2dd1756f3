/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_key.h"
#include "token/k8s_sa_discovery.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>


/* Blocks with a key; structure and type are names of OpenSSL's decoders. */

typedef struct {
    const char      *name;
    const char      *structure;      /* NULL: X.509 */
    const char      *type;
    unsigned         is_private;
} k8s_sa_pem_type_t;


typedef struct {
    char            *name;
    char            *header;
    unsigned char   *data;
    long             len;
} k8s_sa_pem_block_t;


static int k8s_sa_pem_next(BIO *bio, k8s_sa_pem_block_t *block);
static void k8s_sa_pem_free(k8s_sa_pem_block_t *block);
static int k8s_sa_pem_add(k8s_sa_keyset_t *set,
    const k8s_sa_pem_block_t *block, int *has_private, k8s_sa_error_t *err);
static const k8s_sa_pem_type_t *k8s_sa_pem_type(const char *name);
static int k8s_sa_pem_is_key(const char *name);
static EVP_PKEY *k8s_sa_pem_decode(const k8s_sa_pem_type_t *type,
    const k8s_sa_pem_block_t *block);
static EVP_PKEY *k8s_sa_pem_certificate(const k8s_sa_pem_block_t *block);
static int k8s_sa_pem_no_password(char *buf, int size, int rwflag, void *data);
static int k8s_sa_pem_key(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    EVP_PKEY *pkey, k8s_sa_error_t *err);
static int k8s_sa_pem_rsa(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    EVP_PKEY *pkey, k8s_sa_error_t *err);
static int k8s_sa_pem_ec(k8s_sa_key_t **key, k8s_sa_digests_t *digests,
    EVP_PKEY *pkey, k8s_sa_error_t *err);
static int k8s_sa_pem_number(EVP_PKEY *pkey, const char *name,
    unsigned char *dst, size_t size, size_t *len);


static const k8s_sa_pem_type_t  k8s_sa_pem_types[] = {
    { "PUBLIC KEY",      "SubjectPublicKeyInfo", NULL,  0 },
    { "RSA PUBLIC KEY",  "type-specific",        "RSA", 0 },
    { "CERTIFICATE",     NULL,                   NULL,  0 },
    { "PRIVATE KEY",     "PrivateKeyInfo",       NULL,  1 },
    { "RSA PRIVATE KEY", "type-specific",        "RSA", 1 },
    { "EC PRIVATE KEY",  "type-specific",        "EC",  1 }
};

#define K8S_SA_PEM_TYPES                                                      \
    (sizeof(k8s_sa_pem_types) / sizeof(k8s_sa_pem_types[0]))


int
k8s_sa_keyset_add_pem(k8s_sa_keyset_t *set, const void *data, size_t len,
    int *has_private, k8s_sa_error_t *err)
{
    int                  rc, private;
    BIO                 *bio;
    size_t               n;
    unsigned             number, keys;
    k8s_sa_error_t       why;
    k8s_sa_pem_block_t   block;

    if (has_private == NULL) {
        has_private = &private;
    }

    *has_private = 0;

    if (len > K8S_SA_DOCUMENT_MAX) {
        k8s_sa_error_set(err, "over %d bytes", K8S_SA_DOCUMENT_MAX);
        return K8S_SA_ERROR;
    }

    bio = BIO_new_mem_buf(len ? data : "", len);
    if (bio == NULL) {
        ERR_clear_error();
        k8s_sa_error_set(err, "out of memory");
        return K8S_SA_ERROR;
    }

    n = k8s_sa_keyset_count(set);
    keys = 0;

    for (number = 1; /* void */ ; number++) {

        rc = k8s_sa_pem_next(bio, &block);

        if (rc == K8S_SA_REFUSED) {
            break;
        }

        if (rc != K8S_SA_OK) {
            k8s_sa_error_set(err, "PEM block %u is malformed", number);
            break;
        }

        why.text[0] = '\0';

        rc = k8s_sa_pem_add(set, &block, has_private, &why);

        k8s_sa_pem_free(&block);

        if (rc == K8S_SA_OK) {
            keys++;

        } else if (rc != K8S_SA_REFUSED || why.text[0] != '\0') {
            k8s_sa_error_set(err, "PEM block %u: %s", number, why.text);
            rc = K8S_SA_ERROR;
            break;
        }
    }

    BIO_free(bio);
    ERR_clear_error();

    if (rc == K8S_SA_REFUSED) {

        if (keys) {
            return K8S_SA_OK;
        }

        k8s_sa_error_set(err, "no PEM block with a public key, certificate "
                         "or private key");
    }

    k8s_sa_keyset_truncate(set, n);

    return K8S_SA_ERROR;
}


/* K8S_SA_OK and a block; K8S_SA_REFUSED at the end; or K8S_SA_ERROR. */

static int
k8s_sa_pem_next(BIO *bio, k8s_sa_pem_block_t *block)
{
    unsigned long  e;

    ERR_clear_error();

    /* PEM_FLAG_SECURE makes OpenSSL wipe its buffers */

    if (PEM_read_bio_ex(bio, &block->name, &block->header, &block->data,
                        &block->len, PEM_FLAG_SECURE)
        == 1)
    {
        return K8S_SA_OK;
    }

    e = ERR_peek_last_error();

    if (ERR_GET_LIB(e) == ERR_LIB_PEM
        && ERR_GET_REASON(e) == PEM_R_NO_START_LINE)
    {
        return K8S_SA_REFUSED;
    }

    return K8S_SA_ERROR;
}


static void
k8s_sa_pem_free(k8s_sa_pem_block_t *block)
{
    OPENSSL_secure_free(block->name);
    OPENSSL_secure_free(block->header);
    OPENSSL_secure_clear_free(block->data, block->len);
}


/*
 * K8S_SA_OK; K8S_SA_REFUSED, with the reason in *err unless the block is not a
 * key at all; or K8S_SA_ERROR.
 */

static int
k8s_sa_pem_add(k8s_sa_keyset_t *set, const k8s_sa_pem_block_t *block,
    int *has_private, k8s_sa_error_t *err)
{
    int                       rc;
    EVP_PKEY                 *pkey;
    k8s_sa_key_t             *key;
    const k8s_sa_pem_type_t  *type;

    type = k8s_sa_pem_type(block->name);

    if (type == NULL) {

        if (strcmp(block->name, "ENCRYPTED PRIVATE KEY") == 0) {
            *has_private = 1;
            k8s_sa_error_set(err, "private key is encrypted");

        } else if (k8s_sa_pem_is_key(block->name)) {
            k8s_sa_error_set(err, "unsupported type of key");
        }

        return K8S_SA_REFUSED;
    }

    if (type->is_private) {
        *has_private = 1;
    }

    /* RFC 1421 section 4.6.1.1: Proc-Type and DEK-Info */

    if (strstr(block->header, "ENCRYPTED")) {
        k8s_sa_error_set(err, "%s is encrypted", type->name);
        return K8S_SA_REFUSED;
    }

    pkey = k8s_sa_pem_decode(type, block);

    if (pkey == NULL) {

        if (k8s_sa_openssl_no_memory()) {
            k8s_sa_error_set(err, "out of memory");
            return K8S_SA_ERROR;
        }

        k8s_sa_error_set(err, "%s is malformed or of an unsupported type",
                         type->name);
        return K8S_SA_REFUSED;
    }

    rc = k8s_sa_pem_key(&key, k8s_sa_keyset_digests(set), pkey, err);

    /* wipes the private half if there is one */

    EVP_PKEY_free(pkey);

    if (rc != K8S_SA_OK) {
        return rc;
    }

    return k8s_sa_keyset_add(set, key, err);
}


static const k8s_sa_pem_type_t *
k8s_sa_pem_type(const char *name)
{
    size_t  i;

    for (i = 0; i < K8S_SA_PEM_TYPES; i++) {
        if (strcmp(k8s_sa_pem_types[i].name, name) == 0) {
            return &k8s_sa_pem_types[i];
        }
    }

    return NULL;
}


/* "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY", ... */

static int
k8s_sa_pem_is_key(const char *name)
{
    size_t             i, len, n;
    static const char  *const ends[] = { "PUBLIC KEY", "PRIVATE KEY" };

    len = strlen(name);

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        n = strlen(ends[i]);

        if (len >= n && strcmp(name + len - n, ends[i]) == 0) {
            return 1;
        }
    }

    return 0;
}


static EVP_PKEY *
k8s_sa_pem_decode(const k8s_sa_pem_type_t *type,
    const k8s_sa_pem_block_t *block)
{
    size_t                len;
    EVP_PKEY             *pkey;
    OSSL_DECODER_CTX     *ctx;
    const unsigned char  *p;

    if (type->structure == NULL) {
        return k8s_sa_pem_certificate(block);
    }

    pkey = NULL;

    ctx = OSSL_DECODER_CTX_new_for_pkey(&pkey, "DER", type->structure,
                                        type->type,
                                        type->is_private ? EVP_PKEY_KEYPAIR
                                                       : EVP_PKEY_PUBLIC_KEY,
                                        NULL, NULL);
    if (ctx == NULL) {
        return NULL;
    }

    p = block->data;
    len = block->len;

    if (OSSL_DECODER_CTX_set_pem_password_cb(ctx, k8s_sa_pem_no_password,
                                             NULL)
        != 1
        || OSSL_DECODER_from_data(ctx, &p, &len) != 1
        || len != 0)
    {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }

    OSSL_DECODER_CTX_free(ctx);

    return pkey;
}


static EVP_PKEY *
k8s_sa_pem_certificate(const k8s_sa_pem_block_t *block)
{
    X509                 *cert;
    EVP_PKEY             *pkey;
    const unsigned char  *p;

    p = block->data;

    cert = d2i_X509(NULL, &p, block->len);
    if (cert == NULL) {
        return NULL;
    }

    pkey = NULL;

    if (p == block->data + block->len) {
        pkey = X509_get_pubkey(cert);
    }

    X509_free(cert);

    return pkey;
}


/* There is no one to ask for a password. */

static int
k8s_sa_pem_no_password(char *buf, int size, int rwflag, void *data)
{
    (void) buf;
    (void) size;
    (void) rwflag;
    (void) data;

    return -1;
}


static int
k8s_sa_pem_key(k8s_sa_key_t **key, k8s_sa_digests_t *digests, EVP_PKEY *pkey,
    k8s_sa_error_t *err)
{
    if (EVP_PKEY_is_a(pkey, "RSA")) {
        return k8s_sa_pem_rsa(key, digests, pkey, err);
    }

    if (EVP_PKEY_is_a(pkey, "EC")) {
        return k8s_sa_pem_ec(key, digests, pkey, err);
    }

    k8s_sa_error_set(err, "unsupported type of key, neither RSA nor EC");

    return K8S_SA_REFUSED;
}


static int
k8s_sa_pem_rsa(k8s_sa_key_t **key, k8s_sa_digests_t *digests, EVP_PKEY *pkey,
    k8s_sa_error_t *err)
{
    size_t         n_len, e_len;
    unsigned char  n[K8S_SA_RSA_OCTETS_MAX], e[K8S_SA_RSA_OCTETS_MAX];

    if (k8s_sa_pem_number(pkey, OSSL_PKEY_PARAM_RSA_N, n, sizeof(n), &n_len)
        != K8S_SA_OK
        || k8s_sa_pem_number(pkey, OSSL_PKEY_PARAM_RSA_E, e, sizeof(e),
                             &e_len)
           != K8S_SA_OK)
    {
        k8s_sa_error_set(err, "RSA modulus or exponent over %d bits",
                         K8S_SA_RSA_MAX_BITS);
        return K8S_SA_REFUSED;
    }

    return k8s_sa_key_rsa(key, digests, n, n_len, e, e_len, err);
}


static int
k8s_sa_pem_ec(k8s_sa_key_t **key, k8s_sa_digests_t *digests, EVP_PKEY *pkey,
    k8s_sa_error_t *err)
{
    int                    is_explicit;
    char                   group[32];
    unsigned char          x[K8S_SA_EC_OCTETS_MAX], y[K8S_SA_EC_OCTETS_MAX];
    const char            *param;
    const k8s_sa_curve_t  *curve;

    curve = NULL;
    param = OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS;

    if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1) {
        curve = k8s_sa_curve_by_group(group);
    }

    /* RFC 5480 section 2.1.1: namedCurve only */

    if (curve == NULL
        || EVP_PKEY_get_int_param(pkey, param, &is_explicit) != 1
        || is_explicit)
    {
        k8s_sa_error_set(err, "EC key is not on the named curve P-256, P-384 "
                         "or P-521");
        return K8S_SA_REFUSED;
    }

    if (k8s_sa_pem_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, x, curve->octets,
                          NULL)
        != K8S_SA_OK
        || k8s_sa_pem_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, y,
                             curve->octets, NULL)
           != K8S_SA_OK)
    {
        k8s_sa_error_set(err, "EC key has no public point");
        return K8S_SA_REFUSED;
    }

    return k8s_sa_key_ec(key, digests, curve, x, y, err);
}


/*
 * Writes a number of the key to dst, big-endian: in as few bytes as possible,
 * *len of them, or padded with zeros to size bytes if len is NULL.
 */

static int
k8s_sa_pem_number(EVP_PKEY *pkey, const char *name, unsigned char *dst,
    size_t size, size_t *len)
{
    int      rc;
    BIGNUM  *bn;

    bn = NULL;

    if (EVP_PKEY_get_bn_param(pkey, name, &bn) != 1) {
        return K8S_SA_ERROR;
    }

    if (len) {
        *len = BN_num_bytes(bn);

        if (*len < size) {
            size = *len;
        }
    }

    /* fails if the number has more bytes than size */

    rc = BN_bn2binpad(bn, dst, size);

    BN_free(bn);

    return rc == (int) size ? K8S_SA_OK : K8S_SA_ERROR;
}
