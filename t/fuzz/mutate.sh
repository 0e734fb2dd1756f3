#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Shows that the fuzzers can fail: removes one check at a time, in a copy of the
# tree, and gives the fuzzer a minute to notice.  The exit status is not 0 if it
# does not, or if a mutation no longer applies because the code has changed.
#
#     t/fuzz/mutate.sh [PATTERN]    only the mutations whose name matches

# "$1" in a mutation is perl's
# shellcheck disable=SC2016
set -eu
cd "$(dirname "$0")/../.."

TOP=$PWD
ONLY=${1:-.}
TIME=60

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
trap 'exit 1' INT TERM

failures=0

row() {
    printf '%-9s %-9s %-38s %s\n' "$1" "$2" "$3" "$4"

    case $1 in
    caught) ;;
    *) failures=$((failures + 1)) ;;
    esac
}

# mutate FUZZER NAME FILE PERL: applies PERL, an s///, once to the whole file

mutate() {
    local fuzzer=$1 name=$2 file=src/$3 perl=$4 rc=0 dict=json

    [[ $name =~ $ONLY ]] || return 0

    if [ -e "t/fuzz/dict/$fuzzer.dict" ]; then
        dict=$fuzzer
    fi

    perl -0pi -e "$perl" "$file"

    if cmp -s "$file" "$TOP/$file"; then
        row STALE "$fuzzer" "$name" "does not apply to $file"
        return
    fi

    if ! make -s -f t/fuzz/Makefile BUILD=b WARNINGS= "$fuzzer" \
        >log 2>&1
    then
        row BROKEN "$fuzzer" "$name" "$(grep -m 1 error log)"

    else
        mkdir -p found corpus "t/fuzz/corpus/$fuzzer"
        "b/${fuzzer}_fuzz" -max_total_time=$TIME -max_len=16500 -timeout=10 \
            -artifact_prefix=found/ -dict="t/fuzz/dict/$dict.dict" corpus \
            "$WORK/seeds/$fuzzer" "t/fuzz/corpus/$fuzzer" >log 2>&1 \
            </dev/null || rc=$?

        if [ $rc = 0 ]; then
            row SURVIVED "$fuzzer" "$name" ""
        else
            row caught "$fuzzer" "$name" "$(grep -m 1 -oE \
                'not true: .*|runtime error: .*|ERROR: [^ ]*: [a-z-]*' log)"
        fi

        rm -rf found corpus
    fi

    cp "$TOP/$file" "$file"
}

perl t/fuzz/seeds.pl "$WORK/seeds"

mkdir -p "$WORK/tree/src" "$WORK/tree/t"
cp -r src/token src/net "$WORK/tree/src/"
cp -r t/fuzz "$WORK/tree/t/"
ln -s "$TOP/t/fixtures" "$WORK/tree/t/fixtures"
cd "$WORK/tree"

echo "building ..."
make -s -f t/fuzz/Makefile BUILD=b


mutate base64url "unused bits" token/k8s_sa_base64url.c \
    's/bad \|= bits \| \(bits & 0x00ffffff\) >> 16;/bad |= bits;/'

mutate bearer "one space only" token/k8s_sa_bearer.c \
    's/while (\(i < end && )/if $1/'
mutate bearer "length" token/k8s_sa_bearer.c \
    's/value->len < sizeof\(scheme\)/0/'

mutate allow "kind of a pattern" token/k8s_sa_allow.c \
    's/ && slot->data\[0\] == kind\n/\n/;
     s/(k8s_sa_hash\(K8S_SA_HASH_INIT, &kind, )1\)/${1}0)/'
mutate allow "entries that move to a larger table" token/k8s_sa_allow.c \
    's/i < allow->size; i\+\+/i + 1 < allow->size; i++/'
mutate allow "length of an account" token/k8s_sa_allow.c \
    's/account.len > sizeof\(text\)/0/'

mutate json "depth" token/k8s_sa_json.c \
    's/ps->depth == K8S_SA_JSON_DEPTH/ps->depth > 99999/'
mutate json "number of values" token/k8s_sa_json.c \
    's/ps->doc->n == K8S_SA_JSON_NODES/ps->doc->n > 99999/'
mutate json "end after an escape" token/k8s_sa_json.c \
    's/if \(ps->end - ps->pos < 4\)/if (ps->end < ps->pos)/'
mutate json "end inside UTF-8" token/k8s_sa_utf8.c \
    's/\(size_t\) \(end - p\) < n \|\| //'
mutate json "duplicate names" token/k8s_sa_json.c \
    's/return level->suspect \? [^;]*;/return K8S_SA_OK;/'

mutate claims "control characters" token/k8s_sa_claim.c \
    's/!k8s_sa_str_is_clean\(&node->value\)/0/'
mutate claims "exp" token/k8s_sa_claims.c \
    's/now > c->exp\n/now < c->exp\n/'
mutate claims "any audience" token/k8s_sa_claims.c \
    's/(?<!return )k8s_sa_str_eq\(&node->value, name\)/node->value.len/'
mutate claims "name of the namespace" token/k8s_sa_claims_kubernetes.c \
    's/!k8s_sa_str_eq\(&sub_namespace, namespace\)/0/'
mutate claims "crit" token/k8s_sa_jws.c 's/"crit"\) != NULL/"crit") == root/'
mutate claims "space for extra" token/k8s_sa_claims_kubernetes.c \
    's/b->pos == NULL \|\| \(size_t\) \(b->end - b->pos\) < len/b->pos == NULL/'

mutate token "signature" token/k8s_sa_jws.c \
    's/switch \((k8s_sa_key_verify\(.*?signature\.len\))\)/switch ($1 | 1)/s'
mutate token "size" token/k8s_sa_jws.c 's/len > K8S_SA_TOKEN_MAX/len > 99999/'

mutate packed "end of the bytes" token/k8s_sa_packed.c \
    's/\(uint64_t\) \(in->end - in->p\) < len/0/'
mutate packed "space" token/k8s_sa_packed.c \
    's/out->failed \|\| \(size_t\) \(out->end - out->p\) < len/out->failed/'

mutate jwks "small keys" token/k8s_sa_key.c \
    's/bits < K8S_SA_RSA_MIN_BITS/bits < 512/'
mutate jwks "control characters in kid" token/k8s_sa_jwk.c \
    's/!k8s_sa_str_is_clean\(kid\)/0/'
mutate pem "truncate after a bad block" token/k8s_sa_pem.c \
    's/\n            k8s_sa_keyset_truncate\(set, n\);\n/\n/'
mutate pem "leak of a block" token/k8s_sa_pem.c \
    's/\n    free\(data\);\n/\n/'

mutate discovery "control characters" token/k8s_sa_discovery.c \
    's/!k8s_sa_str_is_clean\(&value\)/0/'
mutate token_review "control characters" token/k8s_sa_token_review.c \
    's/!k8s_sa_str_is_clean\(&s\)/0/'

mutate access_review "allowed and denied" token/k8s_sa_access_review.c \
    's/ && json_is_true\(denied\)\)/ \&\& json_is_null(denied))/'
mutate access_review "evaluation error" token/k8s_sa_access_review.c \
    's/!json_is_true\(allowed\) && json_string_length\(error\)/0/'
mutate access_review "kind" token/k8s_sa_access_review.c \
    's/policy->local.data \? (K8S_SA_ACCESS_KIND)_LOCAL/1 ? $1/'
mutate access_review "control characters" token/k8s_sa_review.c \
    's/!k8s_sa_str_is_clean\(&ch\)/0/'
mutate access_request "escapes" token/k8s_sa_access_review.c \
    's/\*p >= 0x20 && \*p != .". && /*p >= 0x20 \&\& /'
mutate access_request "UTF-8" token/k8s_sa_access_review.c \
    's/!k8s_sa_utf8_is_valid\(p, end\)/0/'
mutate access_request "names of extra" token/k8s_sa_access_review.c \
    's/k8s_sa_str_eq\(&seen->names\[i\], name\)/0/'
mutate access_request "lengths in a key" token/k8s_sa_access.c \
    's/k8s_sa_access_key_len\(out, s->data [^;]*;//'
mutate access_request "text for a client" token/k8s_sa_access.c \
    's/!k8s_sa_access_can_be_told\(q\)/0/'
mutate each "another case" token/k8s_sa_each.c \
    's/ch >= .A. && ch <= .Z./0/'
mutate each "escapes" token/k8s_sa_each.c \
    's/high < 0 \|\| low < 0/high < 0/'
mutate each "semicolons" token/k8s_sa_each.c 's/\*p == .;./0/'
mutate each "number of values" token/k8s_sa_each.c \
    's/each->found == K8S_SA_EACH_MAX/each->n == K8S_SA_EACH_MAX/'

mutate path "dot segments" token/k8s_sa_path.c \
    's/len == 2 && segment\[1\]/len == 3 \&\& segment[1]/'
mutate path "escaped slashes" token/k8s_sa_path.c \
    's/strchr\("\/\\\\%/strchr("\\\\%/'

mutate http "maximum chunk" net/ngx_k8s_sa_http_parse.c \
    's/\|\| \(p->rest << 4\) \+ digit > p->max_body - p->received//'
mutate http "maximum header section" net/ngx_k8s_sa_http_parse.c \
    's/p->head_len == NGX_K8S_SA_HTTP_HEAD_MAX/p->head_len == 99999/'
mutate http "length and chunked" net/ngx_k8s_sa_http_parse.c \
    's/p->chunked && p->has_length/0/'

echo "$failures survived, stale or broken"
[ $failures = 0 ]
