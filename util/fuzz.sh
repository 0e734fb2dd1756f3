#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Builds the fuzzers of t/fuzz/ and runs each for SECONDS:
#
#     util/fuzz.sh [--tap] SECONDS [NAME...]
#
# They start from t/fuzz/corpus/ and from the seeds that t/fuzz/seeds.pl makes
# of t/fixtures/.  New inputs go to build/fuzz/corpus/, inputs that make a
# fuzzer fail to build/fuzz/findings/.  Two fuzzers run at a time (JOBS).
# Prints a table, or TAP; the exit status is not 0 if there is a finding.
#
#     util/fuzz.sh keep [NAME...]
#
# merges build/fuzz/corpus/ into t/fuzz/corpus/ and minimizes that.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

BUILD=${BUILD:-build}/fuzz
JOBS=${JOBS:-$(($(nproc) < 2 ? 1 : 2))}

# bytes: slightly above each parser's limit, or enough to reach all code

declare -A MAX_LEN=(
    [access_request]=4096 [access_review]=8192 [each]=2048
    [allow]=2048 [base64url]=512 [bearer]=128 [claims]=12400
    [discovery]=4096 [http]=20000 [json]=12400 [jwks]=8192 [pem]=8192
    [packed]=8192 [path]=5000 [reuse]=8192 [token_review]=8192 [token]=16500
)

declare -A DICT=(
    [claims]=json [discovery]=json [json]=json [jwks]=json [token_review]=json
    [access_review]=json [reuse]=json
    [allow]=allow [http]=http [pem]=pem [packed]=packed
)


usage() {
    sed -n 's/^#  *\(util\/fuzz\.sh .*\)/usage: \1/p' "$0" >&2
    exit 2
}

# run NAME SECONDS: writes its output to $BUILD/NAME.log and its exit status to
# $BUILD/NAME.rc

run() {
    local name=$1 rc=0 args
    shift

    args=(-max_total_time="$1" -max_len="${MAX_LEN[$name]:-4096}" -timeout=10
          -rss_limit_mb=2048 -print_final_stats=1
          -artifact_prefix="$BUILD/findings/$name-")

    if [ -n "${DICT[$name]:-}" ]; then
        args+=(-dict="t/fuzz/dict/${DICT[$name]}.dict")
    fi

    mkdir -p "$BUILD/corpus/$name" "t/fuzz/corpus/$name"

    "$BUILD/${name}_fuzz" "${args[@]}" "$BUILD/corpus/$name" \
        "t/fuzz/corpus/$name" "$BUILD/seeds/$name" \
        >"$BUILD/$name.log" 2>&1 </dev/null || rc=$?

    echo $rc >"$BUILD/$name.rc"
}

stat_of() {
    sed -n "s/^stat::$2: *//p" "$BUILD/$1.log" | tail -n 1
}

# row NAME: prints its line of the table, or of TAP; returns 1 if there is a
# finding

row() {
    local name=$1 result=ok runs

    runs=$(stat_of "$name" number_of_executed_units)

    if [ "$(cat "$BUILD/$name.rc")" != 0 ]; then
        result=$(sed -n 's/.*Test unit written to //p' "$BUILD/$name.log")
        result="FAILED ${result:-(see $BUILD/$name.log)}"
    elif [ "${runs:-0}" = 0 ]; then
        result="FAILED: ran nothing (see $BUILD/$name.log)"
    fi

    if [ -n "$TAP" ]; then
        [ "$result" = ok ] || printf 'not '
        printf 'ok - %s: %s executions, %s\n' "$name" "${runs:-no}" "$result"
    else
        printf '%-10s %12s %8s %9s  %s\n' "$name" "${runs:--}" \
            "$(stat_of "$name" average_exec_per_sec)" \
            "$(stat_of "$name" new_units_added)" "$result"
    fi

    [ "$result" = ok ]
}

# Keeps a small set that reaches the same code as all inputs.  Private keys stay
# out of the tree, although they are the fuzzers' own: in PEM they appear as
# text, or in inputs that begin with the number of such a label.

keep() {
    local name file

    for name in "${NAMES[@]}"; do
        [ -d "$BUILD/corpus/$name" ] || continue
        rm -rf "$BUILD/kept"
        mkdir -p "$BUILD/kept" "t/fuzz/corpus/$name"

        step "merging the corpora of $name" "$BUILD/${name}_fuzz" -merge=1 \
            -use_counters=0 -max_len="${MAX_LEN[$name]:-4096}" -timeout=10 \
            "$BUILD/kept" "t/fuzz/corpus/$name" "$BUILD/corpus/$name"

        rm -rf "t/fuzz/corpus/$name"
        mkdir "t/fuzz/corpus/$name"

        for file in "$BUILD"/kept/*; do
            if ! grep -q 'PRIVATE KEY' "$file" \
                && [[ $name != pem || $(head -c 1 "$file") != [345] ]]
            then
                mv "$file" "t/fuzz/corpus/$name/"
            fi
        done

        say "  $(find "t/fuzz/corpus/$name" -type f | wc -l) files," \
            "$(cat "t/fuzz/corpus/$name"/* | wc -c) bytes"
    done
}


TAP=
if [ "${1:-}" = --tap ]; then
    TAP=1
    shift
fi

[ $# != 0 ] || usage
WHAT=$1
shift

install_packages "${FUZZ_PACKAGES[@]}"
mkdir -p "$BUILD/findings"

read -ra NAMES <<<"$(make -s -f t/fuzz/Makefile names)"

if [ $# != 0 ]; then
    for name in "$@"; do
        case " ${NAMES[*]} " in
        *" $name "*) ;;
        *) fail "there is no fuzzer '$name', only: ${NAMES[*]}" ;;
        esac
    done

    NAMES=("$@")
fi

step "building the fuzzers" \
    make -f t/fuzz/Makefile -j"$JOBS" BUILD="$BUILD" "${NAMES[@]}"

if [ "$WHAT" = keep ]; then
    keep
    exit
fi

[[ $WHAT =~ ^[1-9][0-9]*$ ]] || usage

rm -rf "$BUILD/seeds"
perl t/fuzz/seeds.pl "$BUILD/seeds"

say "fuzzing: ${NAMES[*]} ($WHAT s each, $JOBS at a time) ..."
at_exit 'wait'

for name in "${NAMES[@]}"; do
    while [ "$(jobs -pr | wc -l)" -ge "$JOBS" ]; do
        wait -n || true
    done

    run "$name" "$WHAT" &
done

wait

[ -n "$TAP" ] || printf '\n%-10s %12s %8s %9s  %s\n' \
    fuzzer executions exec/s "new units" result

findings=0

for name in "${NAMES[@]}"; do
    if ! row "$name"; then
        findings=$((findings + 1))
    fi
done

echo

for name in "${NAMES[@]}"; do
    if [ "$(cat "$BUILD/$name.rc")" != 0 ]; then
        echo "---- $BUILD/$name.log:" >&2
        grep -E -m 1 -A 40 'ERROR:|not true|runtime error' \
            "$BUILD/$name.log" >&2 || tail -n 20 "$BUILD/$name.log" >&2
    fi
done

[ $findings = 0 ] || fail "$findings of ${#NAMES[@]} fuzzers found something"
