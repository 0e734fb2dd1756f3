/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Strict base64url: one spelling for each sequence of bytes.
 */

#include "k8s_sa_test.h"


static int decode(const char *text, size_t len, unsigned char *out);


/* Decodes from and into buffers of exactly the right size. */

static int
decode(const char *text, size_t len, unsigned char *out)
{
    int             rc;
    size_t          n;
    unsigned char  *dst;

    n = k8s_sa_base64url_decoded_len(len);
    dst = test_keep(malloc(n ? n : 1));

    rc = k8s_sa_base64url_decode(dst, test_copy(text, len), len);

    if (rc == K8S_SA_OK && out) {
        memcpy(out, dst, n);
    }

    return rc;
}


static void
rfc4648_vectors(void **state)
{
    size_t          i, len, n;
    unsigned char   out[16];

    /* RFC 4648 section 10, without padding; the last uses "-" and "_" */

    static const struct {
        const char  *bytes;
        const char  *text;
    } vectors[] = {
        { "",             ""         },
        { "f",            "Zg"       },
        { "fo",           "Zm8"      },
        { "foo",          "Zm9v"     },
        { "foob",         "Zm9vYg"   },
        { "fooba",        "Zm9vYmE"  },
        { "foobar",       "Zm9vYmFy" },
        { "\xfb\xff\xfe", "-__-"     }
    };

    (void) state;

    for (i = 0; i < test_nelts(vectors); i++) {
        len = strlen(vectors[i].text);
        n = strlen(vectors[i].bytes);

        assert_int_equal(k8s_sa_base64url_decoded_len(len), n);
        assert_int_equal(k8s_sa_base64url_encoded_len(n), len);

        assert_int_equal(decode(vectors[i].text, len, out), K8S_SA_OK);
        assert_memory_equal(out, vectors[i].bytes, n);

        k8s_sa_base64url_encode(out, (unsigned char *) vectors[i].bytes, n);
        assert_memory_equal(out, vectors[i].text, len);
    }
}


static void
every_length_both_ways(void **state)
{
    char            *text;
    size_t           i, n, len;
    uint32_t         seed;
    unsigned char    bytes[300], back[300], *enc;

    (void) state;

    seed = 1;

    for (n = 0; n < sizeof(bytes); n++) {

        for (i = 0; i < n; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = seed >> 24;
        }

        text = test_b64(bytes, n);
        len = strlen(text);

        assert_int_equal(k8s_sa_base64url_encoded_len(n), len);
        assert_int_equal(k8s_sa_base64url_decoded_len(len), n);

        enc = test_keep(malloc(len ? len : 1));
        k8s_sa_base64url_encode(enc, test_copy(bytes, n), n);
        assert_memory_equal(enc, text, len);

        assert_int_equal(decode(text, len, back), K8S_SA_OK);
        assert_memory_equal(back, bytes, n);
    }
}


static void
every_character_at_every_place(void **state)
{
    int     ok;
    char    text[8];
    size_t  len, at;
    int     ch;

    (void) state;

    /* "A" is six zero bits, so that each place can be tested alone */

    for (len = 2; len <= 8; len++) {

        if (len % 4 == 1) {
            continue;
        }

        for (at = 0; at < len; at++) {
            for (ch = 0; ch < 256; ch++) {
                memset(text, 'A', sizeof(text));
                text[at] = ch;

                ok = (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
                     || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_';

                if (at == len - 1 && len % 4 == 2) {
                    ok = (ch == 'A' || ch == 'Q' || ch == 'g' || ch == 'w');
                }

                if (at == len - 1 && len % 4 == 3) {
                    ok = ok && ch != '-' && ch != '_'
                         && strchr("AEIMQUYcgkosw048", ch) != NULL;
                }

                if (decode(text, len, NULL) != (ok ? K8S_SA_OK
                                                   : K8S_SA_ERROR))
                {
                    fail_msg("%d characters, 0x%02x as number %d: not %s",
                             (int) len, ch, (int) at,
                             ok ? "accepted" : "refused");
                }
            }

            test_release(NULL);
        }
    }
}


static void
one_spelling_only(void **state)
{
    char            text[4];
    size_t          i, j, k, n;
    unsigned char   out[3], *seen;
    const char     *abc = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                          "0123456789-_";

    (void) state;

    /* exactly one text for each value of one and of two bytes */

    seen = test_keep(calloc(1, 65536));
    n = 0;

    for (i = 0; i < 64; i++) {
        for (j = 0; j < 64; j++) {
            text[0] = abc[i];
            text[1] = abc[j];

            if (k8s_sa_base64url_decode(out, (unsigned char *) text, 2)
                == K8S_SA_OK)
            {
                assert_int_equal(seen[out[0]], 0);
                seen[out[0]] = 1;
                n++;
            }
        }
    }

    assert_int_equal(n, 256);

    memset(seen, 0, 65536);
    n = 0;

    for (i = 0; i < 64; i++) {
        for (j = 0; j < 64; j++) {
            for (k = 0; k < 64; k++) {
                text[0] = abc[i];
                text[1] = abc[j];
                text[2] = abc[k];

                if (k8s_sa_base64url_decode(out, (unsigned char *) text, 3)
                    == K8S_SA_OK)
                {
                    assert_int_equal(seen[out[0] << 8 | out[1]], 0);
                    seen[out[0] << 8 | out[1]] = 1;
                    n++;
                }
            }
        }
    }

    assert_int_equal(n, 65536);
}


static void
refused(void **state)
{
    size_t  i;

    static const struct {
        const char  *text;
        size_t       len;
    } texts[] = {
        { "A", 1 }, { "AAAAA", 5 }, { "AAAAAAAAA", 9 },    /* 4n + 1 */
        { "Zg==", 4 }, { "Zm8=", 4 }, { "Zg=", 3 },        /* padding */
        { "Zm9v=", 5 }, { "Zm9v====", 8 }, { "====", 4 }, { "=", 1 },
        { "Zm9vYg==", 8 }, { "Zm=v", 4 },
        { " Zm9v", 5 }, { "Zm9v ", 5 }, { "Zm 9v", 5 },    /* white space */
        { "Zm9v\n", 5 }, { "Zm9v\r\n", 6 }, { "Zm\n9vYg", 7 },
        { "Zm9vYg\n", 7 }, { "\tZm9vYg", 7 },
        { "-_+/", 4 }, { "+A", 2 }, { "/A", 2 },      /* standard alphabet */
        { "Zm9v\0", 5 }, { "Zm\0v", 4 }, { "\0\0\0\0", 4 },
        { "Zm9v.", 5 }, { "Zm.v", 4 }, { "Zm9v,A", 6 },
        { "Zh", 2 }, { "Zm9", 3 }, { "Zm9vYh", 6 },        /* stray bits */
        { "\xc3\xa4" "AA", 4 }, { "\xff\xff\xff\xff", 4 }
    };

    (void) state;

    for (i = 0; i < test_nelts(texts); i++) {
        if (decode(texts[i].text, texts[i].len, NULL) != K8S_SA_ERROR) {
            fail_msg("\"%s\" (number %d) is not refused", texts[i].text,
                     (int) i);
        }
    }
}


static void
nothing_past_the_end(void **state)
{
    size_t          len, n;
    unsigned char   dst[64];

    (void) state;

    /* even if the last group is malformed */

    for (len = 0; len <= 40; len++) {
        n = k8s_sa_base64url_decoded_len(len);

        memset(dst, 0x5a, sizeof(dst));
        (void) k8s_sa_base64url_decode(dst, test_copy(
                       "----------------------------------------", len), len);
        assert_int_equal(dst[n], 0x5a);

        memset(dst, 0x5a, sizeof(dst));
        n = k8s_sa_base64url_encoded_len(len);
        k8s_sa_base64url_encode(dst, test_copy(
                       "----------------------------------------", len), len);
        assert_int_equal(dst[n], 0x5a);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(rfc4648_vectors, test_release),
        cmocka_unit_test_teardown(every_length_both_ways, test_release),
        cmocka_unit_test_teardown(every_character_at_every_place,
                                  test_release),
        cmocka_unit_test_teardown(one_spelling_only, test_release),
        cmocka_unit_test_teardown(refused, test_release),
        cmocka_unit_test_teardown(nothing_past_the_end, test_release)
    };

    return cmocka_run_group_tests_name("base64url", tests, NULL, NULL);
}
