#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Static analysis of all C code with clang-tidy (see .clang-tidy for the checks
# that are off), cppcheck and gcc -fanalyzer:
#
#     util/analyze.sh [TOOL...]
#
# TOOL: clang-tidy, cppcheck, gcc.  Prints their reports; the exit status is not
# 0 if there are any, except for the false ones in KNOWN.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

BUILD=${BUILD:-build}
JOBS=${JOBS:-$(nproc)}
TREE=$BUILD/nginx

ANALYZE_PACKAGES=(
    "${BUILD_PACKAGES[@]}"
    clang clang-tidy cppcheck
)

# false reports: TOOL FILE CHECK.  An entry that is no longer reported fails.

KNOWN=(
    # the analyzer does not see that removing an element from an intrusive list
    # or tree changes its head
    "clang-tidy src/issuer/ngx_k8s_sa_review.c clang-analyzer-unix.Malloc"
    "clang-tidy src/issuer/ngx_k8s_sa_review.c
        clang-analyzer-core.NullDereference"

    # the analyzer believes that a member's address may be NULL
    "clang-tidy src/http/ngx_http_k8s_sa_headers.c
        clang-analyzer-core.NullDereference"

    # *cf is restored before the variable ends
    "cppcheck src/conf/ngx_http_k8s_sa_conf_issuer.c autoVariables"
)

NGINX_INCLUDES=(
    src/core src/event src/event/modules src/os/unix objs src/http
    src/http/modules src/http/v2
)


# analyze TOOL FILE: prints its reports, FILE:LINE:...  [CHECK]

analyze() {
    local tool=$1 file=$2 flags=(-std=gnu11 -Isrc)
    local warnings=(-Wall -Wextra -Wno-unused-parameter)

    case $file in
    client/*) flags+=(-Iclient) ;;
    src/token/* | src/net/ngx_k8s_sa_http_parse.c) ;;
    *) flags+=("${NGINX_INCLUDES[@]/#/-isystem$TREE/}") ;;
    esac

    case $tool in
    clang-tidy)
        clang-tidy --quiet "$file" -- "${flags[@]}" "${warnings[@]}" 2>&1 \
            | grep -E ':[0-9]+: (warning|error):|^error' || true
        ;;
    gcc)
        gcc "${flags[@]}" -O2 -fanalyzer "${warnings[@]}" -c -o /dev/null \
            "$file" 2>&1 | grep -E '(warning|error):' || true
        ;;
    cppcheck)
        flags=("${flags[@]:1}")

        # one configuration of macros: nginx has more than it could check
        cppcheck --quiet --std=c11 --max-configs=1 \
            --enable=warning,performance,portability \
            --suppress=toomanyconfigs --suppress="*:$TREE/*" \
            --template='{file}:{line}: {severity}: {message} [{id}]' \
            "${flags[@]/#-isystem/-I}" "$file" 2>&1
        ;;
    esac
}

# run TOOL: analyzes all files; the reports go to $SCRATCH/TOOL

run() {
    local tool=$1 file

    for file in "${FILES[@]}"; do
        while [ "$(jobs -pr | wc -l)" -ge "$JOBS" ]; do
            wait -n || true
        done

        echo "$file"
        analyze "$tool" "$file" >"$SCRATCH/$tool.${file//\//_}" &
    done

    wait
    cat "$SCRATCH/$tool".* | sed "s|^$PWD/||" | sort -u >"$SCRATCH/$tool"
}

# judge TOOL: prints the reports that are not in KNOWN and adds their number to
# REPORTS

judge() {
    local tool=$1 known of file check n=0

    for known in "${KNOWN[@]}"; do
        read -r of file check <<<"${known//$'\n'/ }"
        [ "$of" = "$tool" ] || continue

        if ! grep -q "^$file:.*\[${check}[],]" "$SCRATCH/$tool"; then
            echo "KNOWN: $known is no longer reported"
            REPORTS=$((REPORTS + 1))
        fi

        grep -v "^$file:.*\[${check}[],]" "$SCRATCH/$tool" \
            >"$SCRATCH/$tool.rest" || true
        mv "$SCRATCH/$tool.rest" "$SCRATCH/$tool"
        n=$((n + 1))
    done

    cat "$SCRATCH/$tool"
    REPORTS=$((REPORTS + $(wc -l <"$SCRATCH/$tool")))
    say "  $tool: ${#FILES[@]} files, $(wc -l <"$SCRATCH/$tool") reports" \
        "($n known ones not shown)"
}


TOOLS=(clang-tidy cppcheck gcc)

for tool in "$@"; do
    case " ${TOOLS[*]} " in
    *" $tool "*) ;;
    *) fail "there is no tool '$tool', only: ${TOOLS[*]}" ;;
    esac
done

[ $# = 0 ] || TOOLS=("$@")

install_packages "${ANALYZE_PACKAGES[@]}"
step "configuring nginx" make BUILD="$BUILD" "$BUILD/nginx.configured"

FILES=(*.c src/*/*.c client/*.c)
REPORTS=0

for tool in "${TOOLS[@]}"; do
    step "$tool" run "$tool"
    judge "$tool"
done

[ $REPORTS = 0 ] || fail "$REPORTS reports"
