#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Shows that the unit tests can fail: removes one check of src/token/ at a
# time, in a copy of the tree, and expects a test to notice.  Prints a table.
# The exit status is not 0 if a mutation survives, does not build, or no longer
# applies because the code has changed.
#
#     util/mutate.sh [PATTERN]    only the mutations whose name matches

# "$1" in a mutation is perl's
# shellcheck disable=SC2016
set -u

cd "$(dirname "$0")/.." || exit 1

TOP=$PWD
ONLY=${1:-.}
CC=${CC:-gcc}
CFLAGS=(-std=gnu11 -O0 -fPIC -Isrc)
LIBS=(-lcmocka -ljansson -lssl -lcrypto)
TEST_TIMEOUT=60

# fast tests, and those that catch most, come first
TESTS="base base64url fingerprint verdict attack_claims attack attack_keys jwks
       keyset json claim_text token attack_signature jws json_jansson"

WORK=$(mktemp -d) || exit 1
trap 'rm -rf "$WORK"' EXIT
trap 'exit 1' INT TERM

mutations=0
failures=0


fail() {
    echo "mutate.sh: $*" >&2
    exit 1
}


# compile FILE: a .c file, or every file for a header

compile() {
    local f files=("$1")

    case $1 in
    *.h) files=(src/token/*.c) ;;
    esac

    for f in "${files[@]}"; do
        $CC "${CFLAGS[@]}" -c -o "o/$(basename "$f" .c).o" "$f" 2>"$WORK/log" \
            || return
    done
}


# a shared library: the tests need not be linked again

link_library() {
    $CC -shared -o libtoken.so o/k8s_sa_*.o "${LIBS[@]}" 2>"$WORK/log"
}


# first_failure: runs the tests until one fails, and prints its name

first_failure() {
    local t rc

    for t in $TESTS; do
        timeout $TEST_TIMEOUT "./${t}_test" >"$WORK/out" 2>&1 </dev/null
        rc=$?

        if [ $rc -ne 0 ]; then
            rc=$(sed -n 's/^\[  FAILED  \] \(.*[a-z].*\)$/\1/p' "$WORK/out" \
                 | grep -v 'test(s)' | head -1)
            echo "$t: ${rc:-crashed or hung}"
            return
        fi
    done
}


row() {
    printf '%-9s %-40s %s\n' "$1" "$2" "$3"
}


# mutate NAME FILE PERL: PERL has s/// for the whole file

mutate() {
    local name=$1 file=src/token/$2 perl=$3 found

    [[ $name =~ $ONLY ]] || return

    mutations=$((mutations + 1))
    cp "$file" "$WORK/saved"
    perl -0pi -e "$perl" "$file"

    if cmp -s "$file" "$WORK/saved"; then
        row STALE "$name" "does not apply to $file"
        failures=$((failures + 1))
        return
    fi

    if ! compile "$file"; then
        row BROKEN "$name" "$(grep -m1 error "$WORK/log")"
        failures=$((failures + 1))

    else
        link_library || fail "cannot link: $(cat "$WORK/log")"
        found=$(first_failure)

        if [ -z "$found" ]; then
            row SURVIVED "$name" ""
            failures=$((failures + 1))

        else
            row caught "$name" "$found"
        fi
    fi

    cp "$WORK/saved" "$file"
    compile "$file" || fail "cannot compile $file again"
}


echo "building in $WORK"

mkdir -p "$WORK/tree/t" "$WORK/tree/src" "$WORK/tree/o" || exit 1
cp -r src/token "$WORK/tree/src/" || exit 1
cp -r t/unit "$WORK/tree/t/" || exit 1
ln -s "$TOP/t/fixtures" "$WORK/tree/t/fixtures" || exit 1
cd "$WORK/tree" || exit 1

for f in src/token/*.c; do
    compile "$f" || { cat "$WORK/log"; fail "cannot compile $f"; }
done

link_library || { cat "$WORK/log"; fail "cannot link src/token/"; }

for t in $TESTS; do
    $CC "${CFLAGS[@]}" -o "${t}_test" "t/unit/${t}_test.c" -L. -ltoken \
        -Wl,-rpath,"$PWD" "${LIBS[@]}" 2>"$WORK/log" \
        || { cat "$WORK/log"; fail "cannot build ${t}_test"; }
done

found=$(first_failure)
[ -z "$found" ] || fail "a test fails without a mutation: $found"

echo "all tests pass; now with one check removed at a time"
echo


# fingerprints

mutate "last bytes of a token" k8s_sa_fingerprint.c 's/memcpy\(rest, p, n\);//'
mutate "length of a token" k8s_sa_fingerprint.c \
    's/words\[4\] = token->len/words[4] = 0/'
mutate "carry of a product" k8s_sa_fingerprint.c 's/ \+ \(sum->lo < lo\)//'

# base64url

mutate "stray bits after one byte" k8s_sa_base64url.c \
    's/bad \|= bits \| \(bits & 0x00ffffff\) >> 16;/bad |= bits;/'
mutate "stray bits after two bytes" k8s_sa_base64url.c \
    's/bad \|= bits \| \(bits & 0x0000ffff\) >> 8;/bad |= bits;/'
mutate "length 4n + 1" k8s_sa_base64url.c \
    's/(default: [^\n]*\n\s+)return K8S_SA_ERROR;/$1break;/'
mutate "\"=\" is a character" k8s_sa_base64url.c \
    's/: \(c\) == \x27-\x27 \?/: (c) == \x27=\x27 ? 0 : (c) == \x27-\x27 ?/'
mutate "\"+\" is a character" k8s_sa_base64url.c \
    's/: \(c\) == \x27-\x27 \?/: (c) == \x27-\x27 || (c) == \x27+\x27 ?/'

# JSON

mutate "duplicate names" k8s_sa_json.c \
    's/return level->suspect \? [^;]*;/return K8S_SA_OK;/'
mutate "text after the document" k8s_sa_json.c \
    's/return (\w+\(&ps\)) == -1 \? K8S_SA_OK : K8S_SA_ERROR;/return K8S_SA_OK;/'
mutate "overlong UTF-8" k8s_sa_utf8.c 's/low = 0xa0;/low = 0x80;/'
mutate "surrogates in UTF-8" k8s_sa_utf8.c 's/high = 0x9f;/high = 0xbf;/'
mutate "over U+10FFFF" k8s_sa_utf8.c 's/high = 0x8f;/high = 0xbf;/'
mutate "raw control characters" k8s_sa_json.c \
    's/\[0x20 \.\.\. 0x21\] = 1/[0x01 ... 0x21] = 1/'
mutate "\\u0000" k8s_sa_json.c 's/if \(ch <= 0 \|\|/if (ch < 0 ||/'
mutate "depth" k8s_sa_json.h \
    's/(#define K8S_SA_JSON_DEPTH  )16/${1}17/'

# the header and the three parts

mutate "crit" k8s_sa_jws.c 's/"crit"\) != NULL/"crit") == root/'
mutate "b64" k8s_sa_jws.c 's/"b64"\) != NULL/"b64") == root/'
mutate "maximum size" k8s_sa_jws.c 's/len > K8S_SA_TOKEN_MAX/len > K8S_SA_TOKEN_MAX + 1/'
mutate "empty signature" k8s_sa_jws.c 's/ \|\| signature == 0//'
mutate "alg in another case" k8s_sa_alg.c \
    's/memcmp\((k8s_sa_algs[^)]*)\)/strncasecmp($1, (char *) name, K8S_SA_ALG_NAME)/; s/strncasecmp\(([^,]*), name, K8S_SA_ALG_NAME, /strncasecmp($1, /'
mutate "alg that is not allowed" k8s_sa_jws.c \
    's/t->alg->bit & policy->algorithms/t->alg->bit/'

# keys and signatures

mutate "alg does not fit the key" k8s_sa_keyset.c \
    's/\(key->algorithms & alg->bit\) == 0\s*\|\| //'
mutate "kid is not compared" k8s_sa_keyset.c \
    's/\|\| !k8s_sa_str_eq\(&key->kid, kid\)//; s/key = last \? last->next_kid : k8s_sa_keyset_chain\(set, kid\);/if (last) return NULL; for (size_t i = 0; i < set->n; i++) { key = set->keys[i]; if (key->algorithms & alg->bit) return key; } key = NULL;/'
mutate "sixteen keys without kid" k8s_sa_keyset.h \
    's/(#define K8S_SA_KEYS_TRIED +)16/${1}17/'
mutate "signature not verified" k8s_sa_key_verify.c \
    's/return 0;\n\}\n\n\n\/\* 1: verified/return 1;\n}\n\n\n\/* 1: verified/'
mutate "length of a signature" k8s_sa_key_verify.c \
    's/ \|\| sig_len != key->sig_len//'
mutate "length of the PSS salt" k8s_sa_key_verify.c \
    's/RSA_PSS_SALTLEN_DIGEST/RSA_PSS_SALTLEN_AUTO/'
mutate "RSA of 1024 bits" k8s_sa_key.c \
    's/bits < K8S_SA_RSA_MIN_BITS/bits < 1024/'
mutate "RSA exponent 1" k8s_sa_key.c \
    's/\(e_len == 1 && e\[0\] == 1\)/0/'
mutate "private keys in a JWKS" k8s_sa_jwk.c \
    's/if \(k8s_sa_jwk_is_private\(jwk\)\)/if (0 && k8s_sa_jwk_is_private(jwk))/'
mutate "use of a JWK" k8s_sa_jwk.c \
    's/if \(use && strcmp\(use, "sig"\) != 0\)/if (0)/'
mutate "key_ops of a JWK" k8s_sa_jwk.c \
    's/return verify \? K8S_SA_OK : K8S_SA_REFUSED;/return (void) verify, K8S_SA_OK;/'
mutate "alg of a JWK" k8s_sa_jwk.c 's/key->algorithms &= algorithms;/(void) algorithms;/'
mutate "bytes after the DER" k8s_sa_pem.c 's/\|\| len != 0\)/|| 0)/'

# claims

mutate "exp" k8s_sa_claims.c \
    's/\(uint64_t\) now - \(uint64_t\) c->exp > leeway/0/'
mutate "exp missing" k8s_sa_claims.c 's/"exp", !c->flat,/"exp", 0,/'
mutate "exp 0" k8s_sa_claims.c 's/if \(c->exp == 0\s*\|\| \(/if ((/'
mutate "exp negative" k8s_sa_claim.c 's/ \|\| \*value < 0\)/)/'
mutate "nbf" k8s_sa_claims.c 's/if \(c->nbf > now && /if (0 && /'
mutate "iat" k8s_sa_claims.c 's/if \(c->iat > now && /if (0 && /'
mutate "aud" k8s_sa_claims.c 's/if \(!c->audience_ok\)/if (0)/'
mutate "aud of mixed types" k8s_sa_claims.c \
    's/(holds? [^"]*"|)(if \(node->type != K8S_SA_JSON_STRING\) \{\n\s+k8s_sa_error_set\(c->err, "\\"aud\\")/$1if (0) { (void) node; k8s_sa_error_set(c->err, "\\"aud\\"/'
mutate "iss" k8s_sa_claims.c \
    's/k8s_sa_str_eq\([^,]*iss, &policy->issuers\[i\]\)/1/'
mutate "legacy tokens off" k8s_sa_claims.c \
    's/&& !\(c->policy->legacy_tokens && k8s_sa_is_legacy_issuer\(iss\)\)/\&\& !k8s_sa_is_legacy_issuer(iss)/'
mutate "legacy claims from another issuer" k8s_sa_claims.c \
    's/&& !\(c->policy->legacy_tokens && k8s_sa_is_legacy_issuer\(iss\)\)/\&\& !c->policy->legacy_tokens/'
mutate "nested and flat claims" k8s_sa_claims_kubernetes.c \
    's/if \(c->flat && object != NULL\)/if (0)/'
mutate "name in sub" k8s_sa_claims_kubernetes.c \
    's/\|\| !k8s_sa_str_eq\(&sub_name, name\)//'
mutate "namespace in sub" k8s_sa_claims_kubernetes.c \
    's/\|\| !k8s_sa_str_eq\(&sub_namespace, namespace\)//'
mutate "syntax of Kubernetes names" k8s_sa_name.c \
    's/\} else \{\s*return 0;/} else { last = ch;/'
mutate "control characters" k8s_sa_base.c \
    's/return \(bad & K8S_SA_BYTES\(0x80\)\) == 0;/return 1;/; s/if \(\*p < 0x20 \|\| \*p == 0x7f\)/if (0)/'
mutate "system: from another issuer" k8s_sa_claims.c \
    's/if \(sub\.len >= sizeof\(K8S_SA_SYSTEM_PREFIX\) - 1/if (0/'

# claims as text

mutate "claim with a control character" k8s_sa_claim_text.c \
    's/if \(!k8s_sa_str_is_clean\(s\)\)/if (0)/'
mutate "DEL in a claim's JSON" k8s_sa_claim_text.c 's/if \(ch == 0x7f\)/if (0)/'
mutate "\",\" in an element of a list" k8s_sa_claim_text.c \
    's/if \(memchr\(node->value\.data, \x27,\x27, node->value\.len\) != NULL\)/if (0)/'

# the answer

mutate "reason \"bad signature\" in the answer" k8s_sa_verdict.c \
    's/"bad_signature", 401, NULL/"bad_signature", 401, "bad"/'


echo
echo "$mutations mutations, $((mutations - failures)) caught"

[ $failures -eq 0 ]
