#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Installs missing packages, builds, and runs all tests:
#
#     util/test.sh [PART...]
#
# PART: layers (and style), unit, nginx (t/*.t), fuzz (FUZZ_SECONDS for each
# fuzzer, 20 by default), or a folder of t/ with *.t files, such as client, net
# or kube.  The first suite that fails ends the run.  The last line has the
# numbers of tests that passed, failed and were skipped.
#
# Not included, since they take minutes and their results depend on the tools'
# versions: util/sanitize.sh (11 minutes), util/analyze.sh (7).

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

BUILD=${BUILD:-build}
SUITE_TIMEOUT=${SUITE_TIMEOUT:-900}
FUZZ_SECONDS=${FUZZ_SECONDS:-20}

PASSED=0
FAILED=0
SKIPPED=0
SKIPS=()
AGAIN=()


# finish [REASON]: prints the summary; a REASON means failure

finish() {
    local skip again

    for skip in "${SKIPS[@]}"; do
        say "skipped: $skip"
    done

    for again in "${AGAIN[@]}"; do
        say "passed only at the second try: $again"
    done

    if [ $# != 0 ]; then
        say "FAILED: $1"
    fi

    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    [ "$FAILED" = 0 ]
    exit
}

count() {
    grep -cE "$1" "$2" || true
}

# suite NAME COMMAND...: runs COMMAND, which prints TAP.  Fails if its exit
# status is not 0, or if it runs no test without a reason, whatever it prints.
# With TRIES=2 it may fail once, since suites that depend on time do so on a
# busy machine; the first failure is reported at once and in the summary.

suite() {
    local name=$1 log ok bad skipped reason rc=0 began=$SECONDS
    local tries=${TRIES:-1}
    shift

    log=$(mktemp "$SCRATCH/tap.XXXXXX")
    timeout -k 10 "$SUITE_TIMEOUT" "$@" >"$log" 2>&1 </dev/null || rc=$?

    # a skipped test or file, in TAP's words or in prove's
    sed -nE 's/^(ok .*# *skip(ped)?|1\.\.0 # *skip|.*\.\. skipped):? *//Ip' \
        "$log" | grep -vxF '(no reason given)' >"$log.skips" || true
    skipped=$(wc -l <"$log.skips")
    ok=$(($(count '^ok ' "$log") - $(count '^ok .*# *[Ss][Kk][Ii][Pp]' "$log")))
    bad=$(grep -E '^not ok ' "$log" | grep -cv '# TODO') || true

    if [ $rc = 124 ] || [ $rc = 137 ]; then
        reason="timed out after $SUITE_TIMEOUT s"
    elif [ $((ok + bad + skipped)) = 0 ]; then
        reason="ran no test"
    elif [ "$bad" != 0 ]; then
        reason="$bad failed"
    elif [ $rc != 0 ]; then
        reason="exit $rc"
    else
        reason=
    fi

    if [ -n "$reason" ] && [ "$bad" = 0 ]; then
        bad=1
    fi

    if [ -n "$reason" ] && [ "$tries" -gt 1 ]; then
        say "  $name: $reason; trying again:"
        grep -A 6 '^not ok ' "$log" | head -n 40 >&2 || true
        AGAIN+=("$name: $reason")
        TRIES=$((tries - 1)) suite "$name" "$@"
        return
    fi

    PASSED=$((PASSED + ok))
    FAILED=$((FAILED + bad))
    SKIPPED=$((SKIPPED + skipped))

    while read -r skip; do
        SKIPS+=("$name: $skip")
    done < <(sort -u "$log.skips")

    say "  $name: $ok passed, $bad failed, $skipped skipped" \
        "($((SECONDS - began)) s)"

    if [ -n "$reason" ]; then
        grep -A 12 '^not ok ' "$log" | head -n 80 >&2 || true
        grep -hs '\[\(emerg\|alert\)\]' "$log" \
            "$TEST_NGINX_SERVROOT/logs/error.log" | sort -u | tail -n 5 >&2
        echo "---- the end of $name's output:" >&2
        tail -n 30 "$log" >&2
        finish "$name: $reason"
    fi
}

perl_suites() {
    local file

    for file in "$@"; do
        [ ! -e "$file" ] || TRIES=2 suite "$file" prove -v --merge "$file"
    done
}

unit_suites() {
    local source tests=()

    for source in t/unit/*_test.c; do
        [ ! -e "$source" ] || tests+=("$BUILD/${source%.c}")
    done

    if [ ${#tests[@]} = 0 ]; then
        return
    fi

    step "building the unit tests" \
        make -j"$(nproc)" BUILD="$BUILD" "${tests[@]}"

    for source in "${tests[@]}"; do
        suite "${source#"$BUILD/"}" env CMOCKA_MESSAGE_OUTPUT=TAP "$source"
    done
}

# t/net has its own test module and makefile

net_suites() {
    local out

    out=$BUILD/net
    step "building the test module of t/net" \
        make -C t/net -j"$(nproc)" BUILD="$out"

    export NET_TEST_MODULE=$out/ngx_http_k8s_sa_net_test_module.so
    export NET_TEST_NGINX=$TEST_NGINX_BINARY
    perl_suites t/net/*.t
}

fuzz_suites() {
    install_packages "${FUZZ_PACKAGES[@]}"
    step "building the fuzzers" \
        make -f t/fuzz/Makefile -j"$(nproc)" BUILD="$BUILD/fuzz"
    suite util/fuzz.sh util/fuzz.sh --tap "$FUZZ_SECONDS"
}

kube_suites() {
    local rc=0

    util/kube.sh build || rc=$?

    if [ $rc = 77 ]; then
        SKIPPED=$((SKIPPED + 1))
        SKIPS+=("t/kube: no API server is available (see above)")
        return
    elif [ $rc != 0 ]; then
        FAILED=$((FAILED + 1))
        finish "t/kube: the API server does not build"
    fi

    perl_suites t/kube/*.t
}


# All parts, the fastest first

PARTS=(layers unit)
for folder in t/*/; do
    folder=$(basename "$folder")
    if [ "$folder" != kube ] && compgen -G "t/$folder/*.t" >/dev/null; then
        PARTS+=("$folder")
    fi
done
PARTS+=(nginx fuzz)
if compgen -G 't/kube/*.t' >/dev/null; then
    PARTS+=(kube)
fi

for part in "$@"; do
    case " ${PARTS[*]} " in
    *" $part "*) ;;
    *) fail "there is no part '$part', only: ${PARTS[*]}" ;;
    esac
done

if [ $# = 0 ]; then
    set -- "${PARTS[@]}"
fi

# a suite that is interrupted may leave servers
# shellcheck disable=SC2317

stop_leftovers() {
    local file pid

    util/kube.sh down

    find "$SCRATCH" -name '*.pid' | while read -r file; do
        pid=$(cat "$file")
        if [ "$(readlink "/proc/$pid/exe")" = "$TEST_NGINX_BINARY" ]; then
            kill "$pid"
        fi
    done
}

install_packages "${TEST_PACKAGES[@]}"
install_test_nginx
step "building the module and the client" make -j"$(nproc)" BUILD="$BUILD"


# The tests' environment; each variable has a default in the tests

K8S_SA_MODULE=$(realpath "$BUILD/ngx_http_k8s_sa_module.so")
K8S_SA_CLIENT=$(realpath "$BUILD/k8s-sa-client")
TEST_NGINX_BINARY=${TEST_NGINX_BINARY:-/usr/sbin/nginx}
TEST_NGINX_MODULE=$K8S_SA_MODULE
TEST_NGINX_LOAD_MODULES=$K8S_SA_MODULE
TEST_NGINX_SERVROOT=${TEST_NGINX_SERVROOT:-$SCRATCH/servroot}
TEST_NGINX_PORT=${TEST_NGINX_PORT:-$(free_port)}
PERL5LIB=$PWD/util:$PWD/t/lib${PERL5LIB:+:$PERL5LIB}
PERL5OPT=-MLoopbackOnly
TMPDIR=$SCRATCH
BUILD=$(realpath "$BUILD")
export PERL5LIB PERL5OPT TMPDIR BUILD K8S_SA_MODULE K8S_SA_CLIENT \
       TEST_NGINX_BINARY TEST_NGINX_MODULE TEST_NGINX_LOAD_MODULES \
       TEST_NGINX_SERVROOT TEST_NGINX_PORT

at_exit stop_leftovers

# t/token_review_load.t opens more than a thousand connections
if [ "$(ulimit -n)" != unlimited ] && [ "$(ulimit -n)" -lt 4096 ]; then
    ulimit -n 4096 || fail "the tests need 4096 open files: ulimit -n"
fi

for part in "$@"; do
    say "tests: $part"
    before=$((PASSED + FAILED + SKIPPED))

    case $part in
    layers) suite util/check-layers.sh util/check-layers.sh
            suite util/check-style.sh util/check-style.sh ;;
    unit)   unit_suites ;;
    net)    net_suites ;;
    fuzz)   fuzz_suites ;;
    kube)   kube_suites ;;
    nginx)  perl_suites t/*.t ;;
    *)      perl_suites t/"$part"/*.t ;;
    esac

    if [ $((PASSED + FAILED + SKIPPED)) = "$before" ]; then
        say "  there are none"
    fi
done

if [ $((PASSED + FAILED + SKIPPED)) = 0 ]; then
    FAILED=1
    finish "there was no test to run"
fi

finish
