/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Makes the input of the benchmark: a signing key, other keys for the JWK set,
 * and tokens as a 1.36 API server issues them to a pod, each with its own jti.
 *
 *     tokens rs256|es256 COUNT KEYS DIR
 *
 * writes DIR/jwks.json, DIR/key.pem (public), DIR/tokens, and files of tokens
 * that have to be refused, each for another reason.
 */

#include "token/k8s_sa_base64url.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define ALIVE    3600
#define EXPIRED  (-3600)

/* more than the size limit for a token */

#define TOO_LARGE  17000


static EVP_PKEY  *key;
static int        rsa;


static void
die(const char *what)
{
    fprintf(stderr, "tokens: %s\n", what);
    exit(1);
}


static FILE *
create(const char *dir, const char *name)
{
    char   path[4096];
    FILE  *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);

    f = fopen(path, "w");
    if (f == NULL) {
        die(path);
    }

    return f;
}


static void
print_base64url(FILE *f, const unsigned char *data, size_t len)
{
    unsigned char  text[2048];

    k8s_sa_base64url_encode(text, data, len);
    fwrite(text, 1, k8s_sa_base64url_encoded_len(len), f);
}


static void
print_number(FILE *f, EVP_PKEY *k, const char *name, int size)
{
    BIGNUM         *n;
    unsigned char   buf[512];

    n = NULL;

    if (!EVP_PKEY_get_bn_param(k, name, &n)) {
        die(name);
    }

    if (size == 0) {
        size = BN_num_bytes(n);
    }

    BN_bn2binpad(n, buf, size);
    print_base64url(f, buf, size);
    BN_free(n);
}


static void
print_jwk(FILE *f, EVP_PKEY *k, const char *kid)
{
    if (rsa) {
        fprintf(f, "{\"use\":\"sig\",\"kty\":\"RSA\",\"kid\":\"%s\","
                "\"alg\":\"RS256\",\"n\":\"", kid);
        print_number(f, k, OSSL_PKEY_PARAM_RSA_N, 0);
        fprintf(f, "\",\"e\":\"");
        print_number(f, k, OSSL_PKEY_PARAM_RSA_E, 0);

    } else {
        fprintf(f, "{\"use\":\"sig\",\"kty\":\"EC\",\"kid\":\"%s\","
                "\"crv\":\"P-256\",\"alg\":\"ES256\",\"x\":\"", kid);
        print_number(f, k, OSSL_PKEY_PARAM_EC_PUB_X, 32);
        fprintf(f, "\",\"y\":\"");
        print_number(f, k, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
    }

    fprintf(f, "\"}");
}


static size_t
sign(const char *text, size_t len, unsigned char *sig)
{
    size_t                n;
    ECDSA_SIG            *ec;
    EVP_MD_CTX           *ctx;
    unsigned char         der[256];
    const unsigned char  *p;

    ctx = EVP_MD_CTX_new();
    n = rsa ? 256 : sizeof(der);

    if (!EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key)
        || !EVP_DigestSign(ctx, rsa ? sig : der, &n,
                           (const unsigned char *) text, len))
    {
        die("signing failed");
    }

    EVP_MD_CTX_free(ctx);

    if (!rsa) {
        p = der;
        ec = d2i_ECDSA_SIG(NULL, &p, n);
        BN_bn2binpad(ECDSA_SIG_get0_r(ec), sig, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(ec), sig + 32, 32);
        ECDSA_SIG_free(ec);
        n = 64;
    }

    return n;
}


/* An unsigned token gets a random signature. */

static void
print_token(FILE *f, unsigned number, const char *kid, const char *iss,
    int life, int is_signed)
{
    int            len;
    char           text[4096], json[2048];
    size_t         n, sig_len;
    time_t         now;
    unsigned char  sig[512];

    now = time(NULL);

    len = snprintf(json, sizeof(json), "{\"alg\":\"%s\",\"kid\":\"%s\"}",
                   rsa ? "RS256" : "ES256", kid);

    k8s_sa_base64url_encode((unsigned char *) text, (unsigned char *) json,
                            len);
    n = k8s_sa_base64url_encoded_len(len);
    text[n++] = '.';

    len = snprintf(json, sizeof(json),
        "{\"aud\":[\"service2\"],\"exp\":%ld,\"iat\":%ld,"
        "\"iss\":\"%s\",\"jti\":\"1ea0282d-ed12-42dc-8ea3-%012x\","
        "\"kubernetes.io\":{\"namespace\":\"mytest\","
        "\"node\":{\"name\":\"node1\","
        "\"uid\":\"ca69054d-d02f-47c9-aa00-df22ea57418d\"},"
        "\"pod\":{\"name\":\"service1-66d5bcbc7d-x4x%u\","
        "\"uid\":\"32eca69f-1b10-42a1-809c-%012x\"},"
        "\"serviceaccount\":{\"name\":\"service1\","
        "\"uid\":\"16fe82e9-96c6-4087-94e7-e4c53dfaa6f5\"}},\"nbf\":%ld,"
        "\"sub\":\"system:serviceaccount:mytest:service1\"}",
        now + life, now - 3600, iss, number, number, number, now - 3600);

    k8s_sa_base64url_encode((unsigned char *) text + n,
                            (unsigned char *) json, len);
    n += k8s_sa_base64url_encoded_len(len);

    if (is_signed) {
        sig_len = sign(text, n, sig);

    } else {
        sig_len = rsa ? 256 : 64;
        RAND_bytes(sig, sig_len);

        /* possible numbers: below the modulus, or the curve's order */

        sig[0] &= 0x7f;
        sig[32] &= 0x7f;
    }

    fwrite(text, 1, n, f);
    fputc('.', f);
    print_base64url(f, sig, sig_len);
    fputc('\n', f);
}


static EVP_PKEY *
generate(void)
{
    EVP_PKEY  *k;

    k = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    if (k == NULL) {
        die("no key");
    }

    return k;
}


/* No token is verified with this key: any odd number will do as a modulus. */

static void
print_other_jwk(FILE *f, const char *kid)
{
    EVP_PKEY       *k;
    unsigned char   n[256];

    if (rsa) {
        RAND_bytes(n, sizeof(n));
        n[0] |= 0x80;
        n[sizeof(n) - 1] |= 1;

        fprintf(f, "{\"use\":\"sig\",\"kty\":\"RSA\",\"kid\":\"%s\","
                "\"alg\":\"RS256\",\"e\":\"AQAB\",\"n\":\"", kid);
        print_base64url(f, n, sizeof(n));
        fprintf(f, "\"}");
        return;
    }

    k = generate();
    print_jwk(f, k, kid);
    EVP_PKEY_free(k);
}


static void
print_tokens(const char *dir, const char *name, int count, const char *kid,
    const char *iss, int life, int is_signed)
{
    int    i;
    FILE  *f;

    f = create(dir, name);

    for (i = 0; i < count; i++) {
        print_token(f, i, kid, iss, life, is_signed);
    }

    fclose(f);
}


int
main(int argc, char **argv)
{
    int          i, count, keys;
    char         kid[32];
    FILE        *f;
    const char  *dir;

    static const char  iss[] = "https://kubernetes.default.svc";
    static const char  name[] = "signing-key";

    if (argc != 5) {
        die("usage: tokens rs256|es256 COUNT KEYS DIR");
    }

    rsa = strcmp(argv[1], "rs256") == 0;
    count = atoi(argv[2]);
    keys = atoi(argv[3]);
    dir = argv[4];

    key = generate();

    f = create(dir, "jwks.json");
    fprintf(f, "{\"keys\":[");

    for (i = 1; i < keys; i++) {
        snprintf(kid, sizeof(kid), "other-%d", i);
        print_other_jwk(f, kid);
        fprintf(f, ",");
    }

    print_jwk(f, key, name);
    fprintf(f, "]}");
    fclose(f);

    f = create(dir, "key.pem");
    PEM_write_PUBKEY(f, key);
    fclose(f);

    print_tokens(dir, "tokens", count, name, iss, ALIVE, 1);
    print_tokens(dir, "expired", count / 10, name, iss, EXPIRED, 1);
    print_tokens(dir, "forged", count / 10, name, iss, ALIVE, 0);
    print_tokens(dir, "unknown-key", count / 2, "no-such-key", iss, ALIVE, 0);
    print_tokens(dir, "unknown-issuer", count / 2, "no-such-key",
                 "https://elsewhere.example", ALIVE, 0);

    f = create(dir, "alg");

    for (i = 0; i < count / 2; i++) {
        fprintf(f, "eyJhbGciOiJub25lIn0.%0*d.AAAA\n", 1000, i);
    }

    fclose(f);

    f = create(dir, "shape");

    for (i = 0; i < count / 2; i++) {
        fprintf(f, "eyJhbGciOiJSUzI1NiJ9.%0*d\n", 1000, i);
    }

    fclose(f);

    f = create(dir, "size");

    for (i = 0; i < count / 20; i++) {
        fprintf(f, "eyJhbGciOiJSUzI1NiJ9.%0*d.AAAA\n", TOO_LARGE, i);
    }

    fclose(f);

    return 0;
}
