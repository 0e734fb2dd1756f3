/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Attacks in the claims: each token is signed with the right key and has one
 * fault.  The first rows have none, which shows that the fault is what matters.
 */

#include "k8s_sa_test.h"


static EVP_PKEY         *rsa;
static k8s_sa_keyset_t  *keys;


/* How the token of a row is made and checked */

#define ANY_AUDIENCE  0x01
#define ANY_ISSUER    0x02
#define LEGACY_ON     0x04
#define FOREIGN       0x08      /* with "kubernetes off" */
#define FLAT          0x10      /* claims of a legacy token */


typedef struct {
    const char  *name;
    const char  *value;          /* JSON; NULL: no such member */
} member_t;


typedef struct {
    const char  *name;           /* name of the test */
    unsigned     expected;       /* set of verdicts: V() */
    unsigned     flags;
    member_t     edits[4];       /* replace members or are appended */
} row_t;


#define BC    V(BAD_CLAIMS)
#define BAD   V(MALFORMED)
#define NYV   V(NOT_YET_VALID)
#define WA    V(WRONG_AUDIENCE)
#define WI    V(WRONG_ISSUER)
#define LT    V(LEGACY_TOKEN)
#define EX    V(EXPIRED)

#define KIO   "kubernetes.io"
#define SA    "kubernetes.io/serviceaccount/"
#define USER  "system:serviceaccount:"

/* "kubernetes.io" with the names as JSON, or with one more member */

#define K(ns, name)                                                           \
    "{\"namespace\":" ns ",\"serviceaccount\":{\"name\":" name                \
    ",\"uid\":\"uid-1\"}}"

#define KM(more)                                                              \
    "{\"namespace\":\"mytest\",\"serviceaccount\":{\"name\":\"service1\","    \
    "\"uid\":\"uid-1\"}," more "}"

/* namespace and name, and the matching "sub" */

#define NAMES(ns, name)                                                       \
    { KIO, K("\"" ns "\"", "\"" name "\"") },                                 \
    { "sub", "\"" USER ns ":" name "\"" }

#define A10   "aaaaaaaaaa"
#define A63   A10 A10 A10 A10 A10 A10 "aaa"
#define A253  A63 "." A63 "." A63 "." A10 A10 A10 A10 A10 A10 "a"


static char *claims(const row_t *row);


static const member_t  nested[] = {
    { "aud", "[\"service2\"]" },
    { "exp", "2000000600" },
    { "iat", "1999999000" },
    { "iss", "\"" TEST_ISSUER "\"" },
    { "jti", "\"id-1\"" },
    { KIO, K("\"mytest\"", "\"service1\"") },
    { "nbf", "1999999000" },
    { "sub", "\"" TEST_USER "\"" },
    { NULL, NULL }
};


static const member_t  flat[] = {
    { "iss", "\"" K8S_SA_LEGACY_ISSUER "\"" },
    { SA "namespace", "\"mytest\"" },
    { SA "secret.name", "\"service1-token-abcde\"" },
    { SA "service-account.name", "\"service1\"" },
    { SA "service-account.uid", "\"uid-1\"" },
    { "sub", "\"" TEST_USER "\"" },
    { NULL, NULL }
};


static const row_t  rows[] = {

    /* nothing wrong */

    { "valid", V_OK, 0, {} },
    { "valid, any issuer and audience", V_OK, ANY_ISSUER|ANY_AUDIENCE, {} },
    { "valid, legacy tokens on", V_OK, LEGACY_ON, {} },
    { "valid, bound to everything", V_OK, 0,
      { { KIO, KM("\"pod\":{\"name\":\"p.1\",\"uid\":\"u\"},\"node\":{"
                  "\"name\":\"n\",\"uid\":\"u\"},\"secret\":{\"name\":\"s\","
                  "\"uid\":\"u\"},\"warnafter\":2000000000") } } },
    { "valid, longest names", V_OK, 0, { NAMES(A63, A253) } },
    { "valid, unknown members", V_OK, 0,
      { { "x", "{\"aud\":1,\"exp\":[]}" }, { KIO, KM("\"x\":null") } } },

    /* aud */

    { "aud missing", BC, 0, { { "aud", NULL } } },
    { "aud a string", V_OK, 0, { { "aud", "\"service2\"" } } },
    { "aud second of two", V_OK, 0, { { "aud", "[\"x\",\"service2\"]" } } },
    { "aud escaped", V_OK, 0, { { "aud", "\"\\u0073ervic\\u00652\"" } } },
    { "aud a number", BC, 0, { { "aud", "2" } } },
    { "aud an empty string", BC|WA, 0, { { "aud", "\"\"" } } },
    { "aud an empty array", BC, 0, { { "aud", "[]" } } },
    { "aud an array of an empty string", BC|WA, 0, { { "aud", "[\"\"]" } } },
    { "aud a nested array", BC, 0, { { "aud", "[[\"service2\"]]" } } },
    { "aud an object", BC, 0, { { "aud", "{\"service2\":true}" } } },
    { "aud an object of strings", BC, 0,
      { { "aud", "{\"a\":\"service2\"}" } } },
    { "aud null", BC, 0, { { "aud", "null" } } },
    { "aud true", BC, 0, { { "aud", "true" } } },
    { "aud mixed with a number", BC, 0, { { "aud", "[\"service2\",2]" } } },
    { "aud mixed with null", BC, 0, { { "aud", "[null,\"service2\"]" } } },
    { "aud mixed with an array", BC, 0,
      { { "aud", "[\"service2\",[\"x\"]]" } } },
    { "aud another", WA, 0, { { "aud", "[\"service3\"]" } } },
    { "aud another string", WA, 0, { { "aud", "\"service3\"" } } },
    { "aud a prefix", WA, 0, { { "aud", "[\"service\"]" } } },
    { "aud longer", WA, 0, { { "aud", "[\"service22\"]" } } },
    { "aud longer string", WA, 0, { { "aud", "\"service22\"" } } },
    { "aud in upper case", WA, 0,
      { { "aud", "[\"SERVICE2\",\"Service2\"]" } } },
    { "aud with a space", WA, 0,
      { { "aud", "[\" service2\",\"service2 \"]" } } },
    { "aud a list in a string", WA, 0, { { "aud", "\"service2,other\"" } } },
    { "aud with a NUL", BAD, 0, { { "aud", "[\"service2\\u0000\"]" } } },
    { "aud missing, any accepted", V_OK, ANY_AUDIENCE, { { "aud", NULL } } },
    { "aud a number, any accepted", BC, ANY_AUDIENCE, { { "aud", "5" } } },
    { "aud mixed, any accepted", BC, ANY_AUDIENCE, { { "aud", "[\"a\",5]" } } },
    { "aud with a line feed, any accepted", BC, ANY_AUDIENCE,
      { { "aud", "[\"a\\nb\"]" } } },

    /* exp */

    { "exp missing", BC, 0, { { "exp", NULL } } },
    { "exp missing, legacy tokens on", BC, LEGACY_ON, { { "exp", NULL } } },
    { "exp at the leeway's end", V_OK, 0, { { "exp", "1999999940" } } },
    { "exp past the leeway", EX, 0, { { "exp", "1999999939" } } },
    { "exp zero", EX|BC, 0, { { "exp", "0" } } },
    { "exp -1", EX|BC, 0, { { "exp", "-1" } } },
    { "exp -2^63", EX|BC, 0, { { "exp", "-9223372036854775808" } } },
    { "exp below -2^63", BC, 0, { { "exp", "-9223372036854775809" } } },
    { "exp 2^63 - 1", V_OK, 0, { { "exp", "9223372036854775807" } } },
    { "exp 2^63", BC, 0, { { "exp", "9223372036854775808" } } },
    { "exp 2^64 and a valid one", BC, 0,
      { { "exp", "18446744075709552216" } } },
    { "exp 1e309", BC, 0, { { "exp", "1e309" } } },
    { "exp with an exponent", V_OK, 0, { { "exp", "3e9" } } },
    { "exp with a fraction", V_OK, 0, { { "exp", "2000000600.5" } } },
    { "exp with a fraction of 0", V_OK, 0, { { "exp", "2000000600.0" } } },
    { "exp past the leeway, with a fraction", EX, 0,
      { { "exp", "1999999939.9" } } },
    { "exp below 1", EX, 0, { { "exp", "0.5" } } },
    { "exp 1.7e26", BC, 0, { { "exp", "1.7e26" } } },
    { "exp -1.5", BC, 0, { { "exp", "-1.5" } } },
    { "exp -0", BC, 0, { { "exp", "-0" } } },
    { "exp a string", BC, 0, { { "exp", "\"2000000600\"" } } },
    { "exp \"1e3\"", BC, 0, { { "exp", "\"1e3\"" } } },
    { "exp an empty string", BC, 0, { { "exp", "\"\"" } } },
    { "exp null", BC, 0, { { "exp", "null" } } },
    { "exp null, legacy tokens on", BC, LEGACY_ON, { { "exp", "null" } } },
    { "exp true", BC, 0, { { "exp", "true" } } },
    { "exp an array", BC, 0, { { "exp", "[2000000600]" } } },
    { "exp an object", BC, 0, { { "exp", "{}" } } },
    { "exp in another case", BC, 0,
      { { "exp", NULL }, { "Exp", "2000000600" } } },

    /* nbf and iat */

    { "nbf missing", V_OK, 0, { { "nbf", NULL } } },
    { "nbf at the leeway's end", V_OK, 0, { { "nbf", "2000000060" } } },
    { "nbf beyond the leeway", NYV, 0, { { "nbf", "2000000061" } } },
    { "nbf 2^63 - 1", NYV, 0, { { "nbf", "9223372036854775807" } } },
    { "nbf 2^63", BC, 0, { { "nbf", "9223372036854775808" } } },
    { "nbf -2^63", BC|V_OK, 0, { { "nbf", "-9223372036854775808" } } },
    { "nbf a string", BC, 0, { { "nbf", "\"1999999000\"" } } },
    { "nbf with a fraction", V_OK, 0, { { "nbf", "1999999000.5" } } },
    { "nbf 1e309", BC, 0, { { "nbf", "1e309" } } },
    { "nbf beyond the leeway, with an exponent", NYV, 0,
      { { "nbf", "2.000000061e9" } } },
    { "nbf null", V_OK, 0, { { "nbf", "null" } } },
    { "nbf true", BC, 0, { { "nbf", "true" } } },
    { "nbf an array", BC, 0, { { "nbf", "[1]" } } },
    { "iat missing", V_OK, 0, { { "iat", NULL } } },
    { "iat at the leeway's end", V_OK, 0, { { "iat", "2000000060" } } },
    { "iat in the future", NYV, 0, { { "iat", "2000000061" } } },
    { "iat 2^63 - 1", NYV, 0, { { "iat", "9223372036854775807" } } },
    { "iat a string", BC, 0, { { "iat", "\"1999999000\"" } } },
    { "iat with a fraction", V_OK, 0, { { "iat", "1999999000.5" } } },
    { "iat 1e309", BC, 0, { { "iat", "1e309" } } },
    { "iat null", V_OK, 0, { { "iat", "null" } } },
    { "iat an object", BC, 0, { { "iat", "{}" } } },

    /* iss */

    { "iss missing", BC, 0, { { "iss", NULL } } },
    { "iss missing, any issuer", BC, ANY_ISSUER, { { "iss", NULL } } },
    { "iss an array", BC, 0, { { "iss", "[\"" TEST_ISSUER "\"]" } } },
    { "iss a number", BC, 0, { { "iss", "1" } } },
    { "iss a number, any issuer", BC, ANY_ISSUER, { { "iss", "1" } } },
    { "iss null", BC, 0, { { "iss", "null" } } },
    { "iss an object", BC, 0, { { "iss", "{}" } } },
    { "iss empty", BC, 0, { { "iss", "\"\"" } } },
    { "iss empty, any issuer", BC, ANY_ISSUER, { { "iss", "\"\"" } } },
    { "iss another", WI, 0, { { "iss", "\"https://other.example\"" } } },
    { "iss another, any issuer", V_OK, ANY_ISSUER, { { "iss", "\"x\"" } } },
    { "iss with a trailing slash", WI, 0,
      { { "iss", "\"" TEST_ISSUER "/\"" } } },
    { "iss truncated", WI, 0,
      { { "iss", "\"https://kubernetes.default.sv\"" } } },
    { "iss in upper case", WI, 0,
      { { "iss", "\"HTTPS://kubernetes.default.svc\"" } } },
    { "iss with a NUL", BAD, 0, { { "iss", "\"" TEST_ISSUER "\\u0000\"" } } },
    { "iss with a line feed, any issuer", BC, ANY_ISSUER,
      { { "iss", "\"a\\nb\"" } } },

    /* sub */

    { "sub missing", BC, 0, { { "sub", NULL } } },
    { "sub another account", BC, 0,
      { { "sub", "\"" USER "mytest:service2\"" } } },
    { "sub another namespace", BC, 0,
      { { "sub", "\"" USER "kube-system:service1\"" } } },
    { "sub another namespace of the same length", BC, 0,
      { { "sub", "\"" USER "mytesu:service1\"" } } },
    { "sub another prefix of the same length", BC, 0,
      { { "sub", "\"system:serviceaccounT:mytest:service1\"" } } },
    { "sub another separator", BC, 0,
      { { "sub", "\"" USER "mytest/service1\"" } } },
    { "sub longer", BC, 0, { { "sub", "\"" TEST_USER "1\"" } } },
    { "sub truncated", BC, 0, { { "sub", "\"" USER "mytest:service\"" } } },
    { "sub in upper case", BC, 0,
      { { "sub", "\"SYSTEM:SERVICEACCOUNT:MYTEST:SERVICE1\"" } } },
    { "sub without the prefix", BC, 0, { { "sub", "\"mytest:service1\"" } } },
    { "sub system:admin", BC, 0, { { "sub", "\"system:admin\"" } } },
    { "sub empty", BC, 0, { { "sub", "\"\"" } } },
    { "sub null", BC, 0, { { "sub", "null" } } },
    { "sub an array", BC, 0, { { "sub", "[\"" TEST_USER "\"]" } } },
    { "sub a number", BC, 0, { { "sub", "1" } } },

    /* kubernetes.io */

    { "kubernetes.io missing", BC, 0, { { KIO, NULL } } },
    { "kubernetes.io an array", BC, 0, { { KIO, "[]" } } },
    { "kubernetes.io a string", BC, 0, { { KIO, "\"mytest\"" } } },
    { "kubernetes.io null", BC, 0, { { KIO, "null" } } },
    { "kubernetes.io empty", BC, 0, { { KIO, "{}" } } },
    { "kubernetes.io in a list", BC, 0,
      { { KIO, "[" K("\"mytest\"", "\"service1\"") "]" } } },
    { "namespace missing", BC, 0,
      { { KIO, "{\"serviceaccount\":{\"name\":\"service1\","
               "\"uid\":\"u\"}}" } } },
    { "namespace a number", BC, 0, { { KIO, K("1", "\"service1\"") } } },
    { "namespace null", BC, 0, { { KIO, K("null", "\"service1\"") } } },
    { "namespace an array", BC, 0,
      { { KIO, K("[\"mytest\"]", "\"service1\"") } } },
    { "namespace empty", BC, 0, { NAMES("", "service1") } },
    { "namespace with ':'", BC, 0, { NAMES("my:test", "service1") } },
    { "namespace ends inside the name", BC, 0,
      { { KIO, K("\"mytest:service1\"", "\"x\"") },
        { "sub", "\"" USER "mytest:service1:x\"" } } },
    { "namespace with '/'", BC, 0, { NAMES("my/test", "service1") } },
    { "namespace with '.'", BC, 0, { NAMES("my.test", "service1") } },
    { "namespace with '*'", BC, 0, { NAMES("*", "service1") } },
    { "namespace in upper case", BC, 0, { NAMES("MyTest", "service1") } },
    { "namespace begins with '-'", BC, 0, { NAMES("-test", "service1") } },
    { "namespace ends with '-'", BC, 0, { NAMES("test-", "service1") } },
    { "namespace with a space", BC, 0, { NAMES("my test", "service1") } },
    { "namespace not ASCII", BC, 0, { NAMES("myt\xc3\xa4st", "service1") } },
    { "namespace too long", BC, 0, { NAMES("a" A63, "service1") } },
    { "serviceaccount missing", BC, 0,
      { { KIO, "{\"namespace\":\"mytest\"}" } } },
    { "serviceaccount a string", BC, 0,
      { { KIO, "{\"namespace\":\"mytest\","
               "\"serviceaccount\":\"service1\"}" } } },
    { "serviceaccount an array", BC, 0,
      { { KIO, "{\"namespace\":\"mytest\",\"serviceaccount\":[]}" } } },
    { "name missing", BC, 0,
      { { KIO, "{\"namespace\":\"mytest\","
               "\"serviceaccount\":{\"uid\":\"u\"}}" } } },
    { "name a number", BC, 0, { { KIO, K("\"mytest\"", "1") } } },
    { "name empty", BC, 0, { NAMES("mytest", "") } },
    { "name with ':'", BC, 0, { NAMES("mytest", "a:b") } },
    { "name with '/'", BC, 0, { NAMES("mytest", "a/b") } },
    { "name with a line feed", BC, 0, { NAMES("mytest", "a\\nb") } },
    { "name with CR LF", BC, 0, { NAMES("mytest", "a\\r\\nX-A: b") } },
    { "name in upper case", BC, 0, { NAMES("mytest", "Service1") } },
    { "name '..'", BC, 0, { NAMES("mytest", "..") } },
    { "name ends with '.'", BC, 0, { NAMES("mytest", "a.") } },
    { "name too long", BC, 0, { NAMES("mytest", "a" A253) } },
    { "uid missing", BC, 0,
      { { KIO, "{\"namespace\":\"mytest\",\"serviceaccount\":{\"name\":"
               "\"service1\"}}" } } },
    { "uid empty", BC, 0,
      { { KIO, "{\"namespace\":\"mytest\",\"serviceaccount\":{\"name\":"
               "\"service1\",\"uid\":\"\"}}" } } },
    { "uid with CR LF", BC, 0,
      { { KIO, "{\"namespace\":\"mytest\",\"serviceaccount\":{\"name\":"
               "\"service1\",\"uid\":\"a\\r\\nb\"}}" } } },
    { "pod a string", BC, 0, { { KIO, KM("\"pod\":\"p\"") } } },
    { "pod null", V_OK, 0, { { KIO, KM("\"pod\":null") } } },
    { "pod an array", BC, 0, { { KIO, KM("\"pod\":[]") } } },
    { "pod empty", BC, 0, { { KIO, KM("\"pod\":{}") } } },
    { "pod's name a number", BC, 0,
      { { KIO, KM("\"pod\":{\"name\":1,\"uid\":\"u\"}") } } },
    { "pod's name with a line feed", BC, 0,
      { { KIO, KM("\"pod\":{\"name\":\"a\\nb\",\"uid\":\"u\"}") } } },
    { "pod's name with a tab", BC, 0,
      { { KIO, KM("\"pod\":{\"name\":\"a\\tb\",\"uid\":\"u\"}") } } },
    { "pod's name with a DEL", BC, 0,
      { { KIO, KM("\"pod\":{\"name\":\"a\\u007fb\",\"uid\":\"u\"}") } } },
    { "pod's uid with a line feed", BC, 0,
      { { KIO, KM("\"pod\":{\"name\":\"a\",\"uid\":\"u\\nv\"}") } } },
    { "node's name with CR", BC, 0,
      { { KIO, KM("\"node\":{\"name\":\"a\\rb\",\"uid\":\"u\"}") } } },
    { "node's uid with a tab", BC, 0,
      { { KIO, KM("\"node\":{\"name\":\"a\",\"uid\":\"u\\tv\"}") } } },
    { "secret's name with a NUL", BAD, 0,
      { { KIO, KM("\"secret\":{\"name\":\"a\\u0000b\",\"uid\":\"u\"}") } } },
    { "secret's name in upper case", BC, 0,
      { { KIO, KM("\"secret\":{\"name\":\"A\",\"uid\":\"u\"}") } } },
    { "warnafter a string", BC, 0, { { KIO, KM("\"warnafter\":\"1\"") } } },
    { "warnafter 2^63", BC, 0,
      { { KIO, KM("\"warnafter\":9223372036854775808") } } },

    /* strings of the identity cannot break out of a header or log line */

    { "jti missing", V_OK, 0, { { "jti", NULL } } },
    { "jti a number", BC, 0, { { "jti", "1" } } },
    { "jti null", V_OK, 0, { { "jti", "null" } } },
    { "jti with CR", BC, 0, { { "jti", "\"a\\rb\"" } } },
    { "jti with LF", BC, 0, { { "jti", "\"a\\nb\"" } } },
    { "jti with a tab", BC, 0, { { "jti", "\"a\\tb\"" } } },
    { "jti with a DEL", BC, 0, { { "jti", "\"a\\u007fb\"" } } },
    { "jti with U+0001", BC, 0, { { "jti", "\"\\u0001\"" } } },
    { "jti with U+001F", BC, 0, { { "jti", "\"a\\u001f\"" } } },
    { "sub with CR", BC, FOREIGN, { { "sub", "\"a\\rb\"" } } },
    { "sub with LF", BC, FOREIGN, { { "sub", "\"a\\nb\"" } } },
    { "sub with a tab", BC, FOREIGN, { { "sub", "\"a\\tb\"" } } },
    { "sub with a DEL", BC, FOREIGN, { { "sub", "\"a\\u007fb\"" } } },
    { "sub with U+0085", BC, FOREIGN, { { "sub", "\"a\\u0085b\"" } } },
    { "sub with U+009B, raw", BC, FOREIGN,
      { { "sub", "\"a\xc2\x9b" "b\"" } } },
    { "sub with U+2028", BC, FOREIGN, { { "sub", "\"a\\u2028b\"" } } },
    { "sub with a NUL", BAD, FOREIGN, { { "sub", "\"a\\u0000b\"" } } },

    /* "kubernetes off" */

    { "foreign, valid", V_OK, FOREIGN, { { "sub", "\"alice\"" } } },
    { "foreign, kubernetes.io ignored", V_OK, FOREIGN,
      { { "sub", "\"alice\"" }, { KIO, "5" } } },
    { "foreign, sub missing", BC, FOREIGN, { { "sub", NULL } } },
    { "foreign, sub empty", BC, FOREIGN, { { "sub", "\"\"" } } },
    { "foreign, sub a number", BC, FOREIGN, { { "sub", "1" } } },
    { "foreign, sub system:admin", BC, FOREIGN,
      { { "sub", "\"system:admin\"" } } },
    { "foreign, sub a service account", BC, FOREIGN, {} },
    { "foreign, sub system:", BC, FOREIGN, { { "sub", "\"system:\"" } } },
    { "foreign, sub system: escaped", BC, FOREIGN,
      { { "sub", "\"\\u0073ystem\\u003aadmin\"" } } },
    { "foreign, exp missing", BC, FOREIGN|LEGACY_ON,
      { { "sub", "\"alice\"" }, { "exp", NULL } } },
    { "foreign, a legacy token", BC|WI|LT, FOREIGN|LEGACY_ON|FLAT, {} },
    { "foreign, a legacy issuer", WI|LT, FOREIGN|LEGACY_ON,
      { { "sub", "\"alice\"" }, { "iss", "\"" K8S_SA_LEGACY_ISSUER "\"" } } },

    /* legacy tokens */

    { "legacy, off", LT, FLAT, {} },
    { "legacy, on", V_OK, FLAT|LEGACY_ON, {} },
    { "legacy, off, any issuer and audience", LT,
      FLAT|ANY_ISSUER|ANY_AUDIENCE, {} },
    { "legacy, on, exp past the leeway", EX, FLAT|LEGACY_ON,
      { { "exp", "1999999939" } } },
    { "legacy, on, exp a string", BC, FLAT|LEGACY_ON,
      { { "exp", "\"9999999999\"" } } },
    { "legacy, on, exp null", V_OK, FLAT|LEGACY_ON, { { "exp", "null" } } },
    { "legacy, on, nbf beyond the leeway", NYV, FLAT|LEGACY_ON,
      { { "nbf", "2000000061" } } },
    { "legacy, on, aud another", WA, FLAT|LEGACY_ON,
      { { "aud", "[\"service3\"]" } } },
    { "legacy, on, aud the right one", V_OK, FLAT|LEGACY_ON,
      { { "aud", "[\"service2\"]" } } },
    { "legacy, on, aud a number", BC, FLAT|LEGACY_ON, { { "aud", "1" } } },
    { "legacy, on, namespace missing", BC, FLAT|LEGACY_ON,
      { { SA "namespace", NULL } } },
    { "legacy, on, namespace empty", BC, FLAT|LEGACY_ON,
      { { SA "namespace", "\"\"" }, { "sub", "\"" USER ":service1\"" } } },
    { "legacy, on, namespace an array", BC, FLAT|LEGACY_ON,
      { { SA "namespace", "[\"mytest\"]" } } },
    { "legacy, on, name missing", BC, FLAT|LEGACY_ON,
      { { SA "service-account.name", NULL } } },
    { "legacy, on, name with a line feed", BC, FLAT|LEGACY_ON,
      { { SA "service-account.name", "\"a\\nb\"" },
        { "sub", "\"" USER "mytest:a\\nb\"" } } },
    { "legacy, on, uid missing", BC, FLAT|LEGACY_ON,
      { { SA "service-account.uid", NULL } } },
    { "legacy, on, secret missing", BC, FLAT|LEGACY_ON,
      { { SA "secret.name", NULL } } },
    { "legacy, on, secret in upper case", BC, FLAT|LEGACY_ON,
      { { SA "secret.name", "\"Secret\"" } } },
    { "legacy, on, secret with a line feed", BC, FLAT|LEGACY_ON,
      { { SA "secret.name", "\"a\\nb\"" } } },
    { "legacy, on, uid with a tab", BC, FLAT|LEGACY_ON,
      { { SA "service-account.uid", "\"a\\tb\"" } } },
    { "legacy, on, sub missing", BC, FLAT|LEGACY_ON, { { "sub", NULL } } },
    { "legacy, on, sub another", BC, FLAT|LEGACY_ON,
      { { "sub", "\"" USER "mytest:service2\"" } } },
    { "legacy, on, the usual issuer", LT|WI|BC, FLAT|LEGACY_ON,
      { { "iss", "\"" TEST_ISSUER "\"" } } },
    { "legacy, on, another issuer", LT|WI|BC, FLAT|LEGACY_ON,
      { { "iss", "\"https://other.example\"" } } },
    { "legacy, off, the usual issuer", LT|WI|BC, FLAT,
      { { "iss", "\"" TEST_ISSUER "\"" } } },
    { "legacy, on, another issuer, any issuer", LT|WI|BC,
      FLAT|LEGACY_ON|ANY_ISSUER, { { "iss", "\"https://other.example\"" } } },
    { "legacy issuer, nested claims, no exp", BC, LEGACY_ON,
      { { "iss", "\"" K8S_SA_LEGACY_ISSUER "\"" }, { "exp", NULL } } },
    { "legacy issuer, nested claims, no exp, no aud", BC, LEGACY_ON,
      { { "iss", "\"" K8S_SA_LEGACY_ISSUER "\"" }, { "exp", NULL },
        { "aud", NULL } } },
    { "legacy issuer, nested claims", WI, LEGACY_ON,
      { { "iss", "\"" K8S_SA_LEGACY_ISSUER "\"" } } },
    { "legacy issuer, nested claims, legacy tokens off", WI|LT, 0,
      { { "iss", "\"" K8S_SA_LEGACY_ISSUER "\"" } } },
    { "nested and flat claims at once", BC, LEGACY_ON,
      { { SA "namespace", "\"mytest\"" },
        { SA "service-account.name", "\"service1\"" },
        { SA "service-account.uid", "\"uid-1\"" },
        { SA "secret.name", "\"s\"" } } },
    { "flat and nested claims at once", BC, FLAT|LEGACY_ON,
      { { KIO, K("\"mytest\"", "\"service1\"") } } },
    { "one flat claim among nested ones", BC, 0,
      { { SA "namespace", "\"mytest\"" } } },
    { "an unknown flat claim only", BC, LEGACY_ON,
      { { KIO, NULL }, { SA "x", "1" } } },

    /* several faults: the first one in the documented order counts */

    { "all faults but bad claims", WI, 0,
      { { "iss", "\"x\"" }, { "exp", "1" }, { "nbf", "3000000000" },
        { "aud", "\"x\"" } } },
    { "expired, not yet valid, wrong audience", EX, 0,
      { { "exp", "1" }, { "nbf", "3000000000" }, { "aud", "\"x\"" } } },
    { "not yet valid, wrong audience", NYV, 0,
      { { "nbf", "3000000000" }, { "aud", "\"x\"" } } },
    { "all faults", BC, 0,
      { { "iss", "\"x\"" }, { "exp", "1" }, { "aud", "\"x\"" },
        { "jti", "1" } } },
    { "legacy and expired", LT, FLAT, { { "exp", "1" } } }
};


/* The base members with the edits of a row, as JSON. */

static char *
claims(const row_t *row)
{
    char            *text;
    size_t           i, j;
    unsigned         used;
    const char      *value;
    const member_t  *base, *e;

    base = (row->flags & FLAT) ? flat : nested;
    text = test_format("{");
    used = 0;

    for (i = 0; base[i].name; i++) {
        value = base[i].value;

        for (j = 0; j < test_nelts(row->edits); j++) {
            e = &row->edits[j];

            if (e->name && strcmp(e->name, base[i].name) == 0) {
                value = e->value;
                used |= 1 << j;
            }
        }

        if (value) {
            text = test_format("%s%s\"%s\":%s", text, text[1] ? "," : "",
                               base[i].name, value);
        }
    }

    for (j = 0; j < test_nelts(row->edits); j++) {
        e = &row->edits[j];

        if (e->name && e->value && !(used & (1 << j))) {
            text = test_format("%s,\"%s\":%s", text, e->name, e->value);
        }
    }

    return test_format("%s}", text);
}


static void
row_test(void **state)
{
    char               *token;
    const row_t        *row;
    k8s_sa_policy_t     policy;
    k8s_sa_verdict_e    rc;
    k8s_sa_identity_t   id;

    row = *state;

    token = test_token(rsa, "RS256", test_header(rsa, "RS256"), claims(row));

    policy = test_policy();
    policy.kubernetes = (row->flags & FOREIGN) == 0;
    policy.legacy_tokens = (row->flags & LEGACY_ON) != 0;
    policy.any_audience = (row->flags & ANY_AUDIENCE) != 0;

    if (row->flags & ANY_ISSUER) {
        policy.n_issuers = 0;
    }

    rc = test_check_bytes(token, strlen(token), keys, &policy, TEST_NOW, &id);
    test_verdict_in(rc, row->expected);

    if (rc == K8S_SA_VERDICT_OK && (row->flags & FOREIGN)) {
        assert_string_equal(test_text(&id.username), "alice");
        assert_null(id.namespace.data);
        assert_null(id.name.data);
        assert_null(id.uid.data);
        assert_null(id.groups.data);
    }

    if (rc == K8S_SA_VERDICT_OK && !(row->flags & FOREIGN)) {
        assert_string_equal(test_text(&id.username),
                            test_format(USER "%s:%s",
                                        test_text(&id.namespace),
                                        test_text(&id.name)));
        assert_string_equal(test_text(&id.uid), "uid-1");
    }

    /* a refusal has nothing but the user name, for the log */

    if (rc != K8S_SA_VERDICT_OK) {
        assert_null(id.namespace.data);
        assert_null(id.groups.data);
        assert_null(id.audience.data);
        assert_int_equal(id.expires, 0);
    }
}


/* How a token's issuer is chosen before the token is verified. */

static void
issuer_matches(void **state)
{
    char             *token, *text;
    size_t            i;
    k8s_sa_str_t      issuers[2];
    k8s_sa_token_t   *t;
    k8s_sa_policy_t   policy;

    /* two issuers; any; with legacy tokens; and with "kubernetes off" */

    static const struct {
        const char  *iss;
        int          matches[4];
    } list[] = {
        { "\"" TEST_ISSUER "\"",             { 1, 1, 1, 1 } },
        { "\"https://second.example\"",      { 1, 1, 1, 1 } },
        { "\"https://second.example/\"",     { 0, 1, 0, 0 } },
        { "\"https://second.exampl\"",       { 0, 1, 0, 0 } },
        { "\"https\\u003a//second.example\"", { 1, 1, 1, 1 } },
        { "\"" K8S_SA_LEGACY_ISSUER "\"",    { 0, 1, 1, 0 } },
        { "\"" K8S_SA_LEGACY_ISSUER "s\"",   { 0, 1, 0, 0 } },
        { "\"\"",                            { 0, 0, 0, 0 } },
        { "1",                               { 0, 0, 0, 0 } },
        { "null",                            { 0, 0, 0, 0 } },
        { "[\"" TEST_ISSUER "\"]",           { 0, 0, 0, 0 } }
    };

    (void) state;

    t = test_space();
    issuers[0] = test_str(TEST_ISSUER);
    issuers[1] = test_str("https://second.example");

    for (i = 0; i < test_nelts(list); i++) {
        text = test_format("{\"iss\":%s}", list[i].iss);
        token = test_token(rsa, "RS256", "{\"alg\":\"RS256\"}", text);

        test_verdict(k8s_sa_token_parse(t, (unsigned char *) token,
                                        strlen(token)), VERDICT_OK);

        policy = test_policy();
        policy.issuers = issuers;
        policy.n_issuers = 2;
        assert_int_equal(k8s_sa_token_issuer_matches(t, &policy),
                         list[i].matches[0]);

        policy.legacy_tokens = 1;
        assert_int_equal(k8s_sa_token_issuer_matches(t, &policy),
                         list[i].matches[2]);

        policy.kubernetes = 0;
        assert_int_equal(k8s_sa_token_issuer_matches(t, &policy),
                         list[i].matches[3]);

        policy = test_policy();
        policy.n_issuers = 0;
        assert_int_equal(k8s_sa_token_issuer_matches(t, &policy),
                         list[i].matches[1]);
    }
}


/* An audience that is empty by mistake must not let any token in. */

static void
empty_audience_matches_nothing(void **state)
{
    char             *token;
    size_t            i;
    k8s_sa_str_t      empty;
    k8s_sa_policy_t   policy;

    static const row_t  list[] = {
        { "", 0, 0, { { "aud", "\"\"" } } },
        { "", 0, 0, { { "aud", "[\"\"]" } } },
        { "", 0, 0, { { "aud", "[\"a\",\"\"]" } } },
        { "", 0, 0, { { "aud", "\"service2\"" } } }
    };

    (void) state;

    empty = test_str("");
    policy = test_policy();
    policy.audiences = &empty;

    for (i = 0; i < test_nelts(list); i++) {
        token = test_token(rsa, "RS256", test_header(rsa, "RS256"),
                           claims(&list[i]));
        test_verdict(test_check(token, keys, &policy), WRONG_AUDIENCE);
    }

    /* nor must an empty list of audiences */

    policy.n_audiences = 0;
    token = test_token(rsa, "RS256", test_header(rsa, "RS256"), TEST_CLAIMS);
    test_verdict(test_check(token, keys, &policy), WRONG_AUDIENCE);
}


/*
 * No combination of clock and times overflows (UBSan checks, too).  An "exp" of
 * 0 must not become an identity's 0, which means "never".
 */

static void
clocks_and_times(void **state)
{
    char             *token;
    size_t            i, j, k;
    int64_t           now, exp;
    k8s_sa_policy_t   policy;

    static const int64_t  times[] = {
        0, 1, 60, 2000000000, 4294967296, INT64_MAX - 61, INT64_MAX - 1,
        INT64_MAX
    };
    static const int64_t  leeways[] = { 0, 60, INT64_MAX };
    static const int64_t  clocks[] = {
        -1, 0, 61, 2000000000, INT64_MAX - 1, INT64_MAX
    };

    (void) state;

    policy = test_policy();

    for (i = 0; i < test_nelts(times); i++) {
        exp = times[i];

        token = test_token(rsa, "RS256", test_header(rsa, "RS256"),
                           test_format("{\"aud\":\"service2\",\"exp\":%lld,"
                                       "\"iss\":\"" TEST_ISSUER "\",\"" KIO
                                       "\":" K("\"mytest\"", "\"service1\"")
                                       ",\"sub\":\"" TEST_USER "\"}",
                                       (long long) exp));

        for (j = 0; j < test_nelts(clocks); j++) {
            for (k = 0; k < test_nelts(leeways); k++) {
                now = clocks[j];
                policy.leeway = leeways[k];

                test_verdict_in(test_check_bytes(token, strlen(token), keys,
                                                 &policy, now, NULL),
                                exp == 0
                                || (now > exp
                                    && (uint64_t) now - (uint64_t) exp
                                       > (uint64_t) leeways[k])
                                ? V(EXPIRED) : V_OK);
            }
        }
    }
}


static int
setup(void **state)
{
    (void) state;

    rsa = test_rsa(2048);
    keys = test_keyset(rsa);

    return test_release(NULL);
}


static int
teardown(void **state)
{
    (void) state;

    k8s_sa_keyset_free(keys);
    EVP_PKEY_free(rsa);

    return 0;
}


int
main(void)
{
    size_t             i;
    struct CMUnitTest  tests[test_nelts(rows) + 3];

    memset(tests, 0, sizeof(tests));

    for (i = 0; i < test_nelts(rows); i++) {
        tests[i].name = rows[i].name;
        tests[i].test_func = row_test;
        tests[i].initial_state = (void *) &rows[i];
        tests[i].teardown_func = test_release;
    }

    tests[i].name = "issuer_matches";
    tests[i].test_func = issuer_matches;
    tests[i++].teardown_func = test_release;

    tests[i].name = "empty_audience_matches_nothing";
    tests[i].test_func = empty_audience_matches_nothing;
    tests[i++].teardown_func = test_release;

    tests[i].name = "clocks_and_times";
    tests[i].test_func = clocks_and_times;
    tests[i].teardown_func = test_release;

    return cmocka_run_group_tests_name("attack_claims", tests, setup,
                                       teardown);
}
