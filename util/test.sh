#!/bin/bash
#
# Installs what is missing, builds, and runs all tests:
#
#     util/test.sh [PART...]
#
# PART: layers unit client net nginx kube.  The last line counts what passed,
# failed and was skipped; the first suite that fails ends the run.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

PARTS=(layers unit client net nginx kube)
BUILD=${BUILD:-build}
FILE_TIMEOUT=${TEST_TIMEOUT:-900}

PASSED=0
FAILED=0
SKIPPED=0
SKIPS=()


# A file of tests speaks TAP: "ok N - text", "not ok N - text", and
# "ok N # SKIP reason" or "1..0 # SKIP reason" for all of it.

count() {
    grep -cE "$1" "$2" || true
}

# run_file TEXT COMMAND...

run_file() {
    local text=$1 log rc=0 ok bad skipped reason began=$SECONDS
    shift

    log=$(mktemp "$SCRATCH/tap.XXXXXX")
    timeout -k 10 "$FILE_TIMEOUT" "$@" >"$log" 2>&1 </dev/null || rc=$?

    skipped=$(count '^[[:space:]]*(ok [0-9]*.*|1\.\.0) # [Ss][Kk][Ii][Pp]' "$log")
    ok=$(($(count '^ok ' "$log") - $(count '^ok .*# [Ss][Kk][Ii][Pp]' "$log")))
    bad=$(count '^not ok ' "$log")

    reason=
    if [ $rc = 124 ] || [ $rc = 137 ]; then
        reason="no end after $FILE_TIMEOUT s"
    elif [ $rc != 0 ] || [ "$bad" != 0 ]; then
        reason="exit $rc"
    elif [ "$ok" = 0 ] && [ "$skipped" = 0 ]; then
        reason="ran no test"
    fi

    if [ -n "$reason" ] && [ "$bad" = 0 ]; then
        bad=1
    fi

    PASSED=$((PASSED + ok))
    FAILED=$((FAILED + bad))
    SKIPPED=$((SKIPPED + skipped))

    if [ "$skipped" != 0 ]; then
        while read -r reason; do
            SKIPS+=("$text: $reason")
        done < <(sed -nE 's/^.*# skip:? *//Ip' "$log" | sort -u)
        reason=
    fi

    say "  $text: $ok passed$([ "$skipped" = 0 ] || echo ", $skipped skipped")" \
        "($((SECONDS - began)) s)"

    if [ "$bad" != 0 ]; then
        grep -nE '^(not ok|# |nginx:)|\[(emerg|alert|crit)\]|died|ERROR' "$log" \
            | tail -n 60 >&2 || true
        echo "... the end of what it said:" >&2
        tail -n 25 "$log" >&2
        finish "$text: $bad failed${reason:+ ($reason)}"
    fi
}

finish() {
    local skip

    for skip in "${SKIPS[@]+"${SKIPS[@]}"}"; do
        say "skipped: $skip"
    done

    if [ $# != 0 ]; then
        say "FAILED: $1"
    fi

    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    [ "$FAILED" = 0 ]
    exit
}

# run_perl TEXT FILE...: prove, a file at a time

run_perl() {
    local text=$1 file
    shift

    for file in "$@"; do
        [ -e "$file" ] || continue
        run_file "$file" prove -v --merge "$file"
    done
}


# The parts.  Each finds its files by a wildcard.

part_layers() {
    run_file "includes point downward" util/check-layers.sh
}

part_unit() {
    local source tests=()

    for source in t/unit/*_test.c; do
        [ -e "$source" ] || continue
        tests+=("$BUILD/${source%.c}")
    done

    [ ${#tests[@]} != 0 ] || return 0

    step "building unit tests" make -j"$(nproc)" BUILD="$BUILD" "${tests[@]}"

    for source in "${tests[@]}"; do
        run_file "${source#"$BUILD/"}" env CMOCKA_MESSAGE_OUTPUT=TAP "$source"
    done
}

part_client() {
    run_perl client t/client/*.t
}

part_net() {
    run_perl net t/net/*.t
}

part_nginx() {
    run_perl nginx t/*.t
}

part_kube() {
    [ -n "$(compgen -G 't/kube/*.t')" ] || return 0

    if ! (install_packages "${KUBE_PACKAGES[@]}"; util/kube.sh build); then
        SKIPPED=$((SKIPPED + 1))
        SKIPS+=("t/kube: no kube-apiserver could be built (above: why)")
        return
    fi

    run_perl kube t/kube/*.t
}


# What tests find in their environment

export K8S_SA_MODULE=$PWD/$BUILD/ngx_http_k8s_sa_module.so
export K8S_SA_CLIENT=$PWD/$BUILD/k8s-sa-client
export TEST_NGINX_BINARY=${TEST_NGINX_BINARY:-/usr/sbin/nginx}
export TEST_NGINX_LOAD_MODULES=$K8S_SA_MODULE

for part in "$@"; do
    case " ${PARTS[*]} " in
    *" $part "*) ;;
    *) fail "no such part: $part (there are: ${PARTS[*]})" ;;
    esac
done

if [ $# = 0 ]; then
    set -- "${PARTS[@]}"
fi

scratch
say "testing: $*"
install_packages "${TEST_PACKAGES[@]}"

case " $* " in
*" nginx "* | *" net "* | *" kube "*) install_test_nginx ;;
esac

step "building" make -j"$(nproc)" BUILD="$BUILD"

TEST_NGINX_SERVROOT=${TEST_NGINX_SERVROOT:-$SCRATCH/servroot}
TEST_NGINX_PORT=${TEST_NGINX_PORT:-$(free_port)}
export TEST_NGINX_SERVROOT TEST_NGINX_PORT

for part in "$@"; do
    say "$part"
    "part_$part"
done

if [ $((PASSED + SKIPPED)) = 0 ]; then
    FAILED=1
    finish "there was no test to run"
fi

finish
