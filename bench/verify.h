/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A signature check without anything else: OpenSSL's verification of the tokens
 * in DIR/tokens with the key in DIR/key.pem, with contexts prepared once.
 */

#ifndef BENCH_VERIFY_H
#define BENCH_VERIFY_H


#include "token/k8s_sa_base64url.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>


#define MOST  20000


typedef struct {
    char            text[2048];
    size_t          len;            /* of the signed part of the text */
    unsigned char   sig[512];
    size_t          sig_len;
} token_t;


static token_t        tokens[MOST];
static EVP_MD        *md;
static EVP_MD_CTX    *md_ctx;
static EVP_PKEY_CTX  *pkey_ctx;


static void
die(const char *what)
{
    fprintf(stderr, "verify: %s\n", what);
    exit(1);
}


static int
load(const char *dir, EVP_PKEY **key)
{
    int             n;
    char            path[4096], *dot;
    FILE           *f;
    size_t          len;
    token_t        *t;
    ECDSA_SIG      *ec;
    unsigned char  *p, raw[512];

    snprintf(path, sizeof(path), "%s/key.pem", dir);

    f = fopen(path, "r");
    *key = f ? PEM_read_PUBKEY(f, NULL, NULL, NULL) : NULL;
    if (*key == NULL) {
        die(path);
    }

    fclose(f);

    snprintf(path, sizeof(path), "%s/tokens", dir);

    f = fopen(path, "r");
    if (f == NULL) {
        die(path);
    }

    for (n = 0; n < MOST && fgets(tokens[n].text, 2048, f); n++) {
        t = &tokens[n];
        dot = strrchr(t->text, '.');
        t->len = dot - t->text;
        len = strcspn(dot + 1, "\n");

        if (k8s_sa_base64url_decode(raw, (unsigned char *) dot + 1, len)
            != K8S_SA_OK)
        {
            die("not base64url");
        }

        t->sig_len = k8s_sa_base64url_decoded_len(len);

        if (EVP_PKEY_is_a(*key, "RSA")) {
            memcpy(t->sig, raw, t->sig_len);
            continue;
        }

        ec = ECDSA_SIG_new();
        ECDSA_SIG_set0(ec, BN_bin2bn(raw, 32, NULL),
                       BN_bin2bn(raw + 32, 32, NULL));
        p = t->sig;
        t->sig_len = i2d_ECDSA_SIG(ec, &p);
        ECDSA_SIG_free(ec);
    }

    fclose(f);

    return n;
}


/* Returns the number of tokens. */

static int
prepare(const char *dir)
{
    int        n;
    EVP_PKEY  *key;

    n = load(dir, &key);

    md = EVP_MD_fetch(NULL, "SHA256", NULL);
    md_ctx = EVP_MD_CTX_new();
    pkey_ctx = EVP_PKEY_CTX_new(key, NULL);

    if (EVP_PKEY_verify_init(pkey_ctx) != 1
        || EVP_PKEY_CTX_set_signature_md(pkey_ctx, md) != 1)
    {
        die("no context");
    }

    return n;
}


static void
verify(const token_t *t)
{
    unsigned        len;
    unsigned char   digest[32];

    if (EVP_DigestInit_ex2(md_ctx, md, NULL) != 1
        || EVP_DigestUpdate(md_ctx, t->text, t->len) != 1
        || EVP_DigestFinal_ex(md_ctx, digest, &len) != 1
        || EVP_PKEY_verify(pkey_ctx, t->sig, t->sig_len, digest, len) != 1)
    {
        die("not verified");
    }
}


#endif /* BENCH_VERIFY_H */
