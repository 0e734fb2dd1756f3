/* SPDX-License-Identifier: BSD-2-Clause */

#include "token/k8s_sa_key.h"
#include "token/k8s_sa_der.h"
#include "token/k8s_sa_openssl.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

#include <string.h>


/*
 * SEQUENCE { INTEGER r, INTEGER s }: an integer has an extra zero octet if its
 * highest bit is set, and with P-521 the length takes two octets.
 */

#define K8S_SA_DER_MAX  (3 + 2 * (2 + 1 + K8S_SA_EC_OCTETS_MAX))


static int k8s_sa_key_verify_digest(k8s_sa_key_t *key,
    const k8s_sa_alg_t *alg, const unsigned char *data, size_t len,
    const unsigned char *sig, size_t sig_len);
static int k8s_sa_key_verify_ed25519(k8s_sa_key_t *key,
    const unsigned char *data, size_t len, const unsigned char *sig,
    size_t sig_len);
static int k8s_sa_key_try_ed25519(k8s_sa_key_t *key,
    const unsigned char *data, size_t len, const unsigned char *sig,
    size_t sig_len);
static int k8s_sa_key_probe_memory(void);
static EVP_PKEY_CTX *k8s_sa_key_prepare(k8s_sa_key_t *key,
    const k8s_sa_alg_t *alg);
static unsigned char *k8s_sa_key_der(const k8s_sa_key_t *key,
    const unsigned char *sig, unsigned char *end);
static int k8s_sa_key_in_order(const unsigned char *number,
    const unsigned char *order, size_t len);


int
k8s_sa_key_verify(k8s_sa_key_t *key, const k8s_sa_alg_t *alg,
    const unsigned char *data, size_t len, const unsigned char *sig,
    size_t sig_len)
{
    int             rc;
    unsigned char  *p, der[K8S_SA_DER_MAX];

    if ((key->algorithms & alg->bit) == 0 || sig_len != key->sig_len) {
        return 0;
    }

    /* errors that other code left in the queue are not our failure */

    if (ERR_peek_error() != 0) {
        ERR_clear_error();
    }

    switch (key->kty) {

    case K8S_SA_KTY_ED25519:
        rc = k8s_sa_key_verify_ed25519(key, data, len, sig, sig_len);
        break;

    case K8S_SA_KTY_RSA:
        rc = k8s_sa_key_verify_digest(key, alg, data, len, sig, sig_len);
        break;

    default: /* ECDSA */
        p = k8s_sa_key_der(key, sig, der + sizeof(der));
        if (p == NULL) {
            return 0;
        }

        rc = k8s_sa_key_verify_digest(key, alg, data, len, p,
                                      der + sizeof(der) - p);
    }

    if (rc == 1) {

        if (ERR_peek_error() != 0) {
            ERR_clear_error();
        }

        return 1;
    }

    /*
     * OpenSSL returns 0 or less for wrong and malformed signatures as well as
     * for its own failures
     */

    if (k8s_sa_openssl_no_memory() || rc == K8S_SA_ERROR) {
        return K8S_SA_ERROR;
    }

    return 0;
}


/* 1: verified; 0: not verified; K8S_SA_ERROR: could not be tried. */

static int
k8s_sa_key_verify_digest(k8s_sa_key_t *key, const k8s_sa_alg_t *alg,
    const unsigned char *data, size_t len, const unsigned char *sig,
    size_t sig_len)
{
    int             rc;
    unsigned        i, md_len;
    EVP_MD_CTX     *md_ctx;
    EVP_PKEY_CTX   *ctx;
    unsigned char   md[EVP_MAX_MD_SIZE];

    i = k8s_sa_alg_index(alg);

    ctx = key->verify[i];

    if (ctx == NULL) {
        ctx = k8s_sa_key_prepare(key, alg);
        if (ctx == NULL) {
            return K8S_SA_ERROR;
        }
    }

    md_ctx = key->digests->ctx[i];

    if (EVP_DigestInit_ex2(md_ctx, key->digests->md[i], NULL) != 1
        || EVP_DigestUpdate(md_ctx, data, len) != 1
        || EVP_DigestFinal_ex(md_ctx, md, &md_len) != 1)
    {
        return K8S_SA_ERROR;
    }

    rc = EVP_PKEY_verify(ctx, sig, sig_len, md, md_len);

    /* ECDSA: 0 if it is wrong, negative if it could not be computed */

    if (rc < 0 && key->kty != K8S_SA_KTY_RSA) {
        return K8S_SA_ERROR;
    }

    return rc == 1;
}


/*
 * OpenSSL allocates for each signature, and fails without an error if memory is
 * short, as if the signature were wrong.  So a signature is wrong only if it
 * fails again, after what OpenSSL allocates could be allocated.
 */

static int
k8s_sa_key_verify_ed25519(k8s_sa_key_t *key, const unsigned char *data,
    size_t len, const unsigned char *sig, size_t sig_len)
{
    int  rc;

    rc = k8s_sa_key_try_ed25519(key, data, len, sig, sig_len);

    if (rc != 0) {
        return rc;
    }

    if (k8s_sa_key_probe_memory() != K8S_SA_OK) {
        return K8S_SA_ERROR;
    }

    return k8s_sa_key_try_ed25519(key, data, len, sig, sig_len);
}


static int
k8s_sa_key_try_ed25519(k8s_sa_key_t *key, const unsigned char *data,
    size_t len, const unsigned char *sig, size_t sig_len)
{
    if (key->ed25519 == NULL) {
        key->ed25519 = EVP_MD_CTX_new();
        if (key->ed25519 == NULL) {
            return K8S_SA_ERROR;
        }
    }

    /* since OpenSSL 3.4 a context cannot verify twice without this */

    if (EVP_DigestVerifyInit_ex(key->ed25519, NULL, NULL, NULL, NULL,
                                key->pkey, NULL)
        != 1)
    {
        return K8S_SA_ERROR;
    }

    return EVP_DigestVerify(key->ed25519, sig, sig_len, data, len) == 1;
}


/* Allocates what OpenSSL's ossl_ed25519_verify() does. */

static int
k8s_sa_key_probe_memory(void)
{
    int          rc;
    EVP_MD      *md;
    EVP_MD_CTX  *ctx;

    md = EVP_MD_fetch(NULL, "SHA512", NULL);
    ctx = EVP_MD_CTX_new();

    rc = md != NULL && ctx != NULL && EVP_DigestInit_ex2(ctx, md, NULL) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_MD_free(md);

    return rc ? K8S_SA_OK : K8S_SA_ERROR;
}


static EVP_PKEY_CTX *
k8s_sa_key_prepare(k8s_sa_key_t *key, const k8s_sa_alg_t *alg)
{
    unsigned       i;
    EVP_MD        *md;
    EVP_PKEY_CTX  *ctx;

    i = k8s_sa_alg_index(alg);
    md = key->digests->md[i];

    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);

    if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1) {
        goto failed;
    }

    if (alg->kty == K8S_SA_KTY_RSA
        && EVP_PKEY_CTX_set_rsa_padding(ctx, alg->pss ? RSA_PKCS1_PSS_PADDING
                                                      : RSA_PKCS1_PADDING)
           != 1)
    {
        goto failed;
    }

    if (EVP_PKEY_CTX_set_signature_md(ctx, md) != 1) {
        goto failed;
    }

    /* RFC 7518 section 3.5: the salt is as long as the digest */

    if (alg->pss
        && (EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) != 1
            || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST)
               != 1))
    {
        goto failed;
    }

    key->verify[i] = ctx;

    return ctx;

failed:

    EVP_PKEY_CTX_free(ctx);

    return NULL;
}


/*
 * Writes R || S as DER in front of end and returns its beginning, or NULL if R
 * or S is not in [1, order - 1].
 */

static unsigned char *
k8s_sa_key_der(const k8s_sa_key_t *key, const unsigned char *sig,
    unsigned char *end)
{
    size_t          len;
    unsigned char  *p;

    len = key->sig_len / 2;

    if (!k8s_sa_key_in_order(sig, key->order, len)
        || !k8s_sa_key_in_order(sig + len, key->order, len))
    {
        return NULL;
    }

    p = k8s_sa_der_integer(end, sig + len, len);
    p = k8s_sa_der_integer(p, sig, len);

    return k8s_sa_der_head(p, K8S_SA_DER_SEQUENCE, end - p);
}


static int
k8s_sa_key_in_order(const unsigned char *number, const unsigned char *order,
    size_t len)
{
    size_t  i;

    if (memcmp(number, order, len) >= 0) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (number[i]) {
            return 1;
        }
    }

    return 0;
}
