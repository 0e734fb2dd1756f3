#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Static analysis of all C code: clang-tidy (.clang-tidy says what is off, and
# why), cppcheck and gcc -fanalyzer:
#
#     util/analyze.sh [TOOL...]
#
# TOOL: clang-tidy, cppcheck, gcc.  Prints what they report; the exit status is
# not 0 if that is anything.  KNOWN has what was looked at and is wrong.

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

# TOOL FILE CHECK; one that is no longer reported has to go

KNOWN=(
    # lists and trees inside of structs: the analyzer does not see that taking
    # one out changes the head
    "clang-tidy src/issuer/ngx_k8s_sa_review.c clang-analyzer-unix.Malloc"
    "clang-tidy src/issuer/ngx_k8s_sa_review.c
        clang-analyzer-core.NullDereference"

    # it takes the address of a member for one that may be NULL
    "clang-tidy src/http/ngx_http_k8s_sa_headers.c
        clang-analyzer-core.NullDereference"

    # *cf is put back before the variable goes
    "cppcheck src/conf/ngx_http_k8s_sa_conf_issuer.c autoVariables"
)

NGINX_INCLUDES=(
    src/core src/event src/event/modules src/os/unix objs src/http
    src/http/modules src/http/v2
)


# analyze TOOL FILE: its reports, FILE:LINE:...  [CHECK]

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

        # one configuration: nginx has more than it would look at
        cppcheck --quiet --std=c11 --max-configs=1 \
            --enable=warning,performance,portability \
            --suppress=toomanyconfigs --suppress="*:$TREE/*" \
            --template='{file}:{line}: {severity}: {message} [{id}]' \
            "${flags[@]/#-isystem/-I}" "$file" 2>&1
        ;;
    esac
}

# run TOOL: all files, into $SCRATCH/TOOL; nothing is printed

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

# judge TOOL: prints what is not known; counts into REPORTS

judge() {
    local tool=$1 known of file check n=0

    for known in "${KNOWN[@]}"; do
        read -r of file check <<<"${known//$'\n'/ }"
        [ "$of" = "$tool" ] || continue

        if ! grep -q "^$file:.*\[${check}[],]" "$SCRATCH/$tool"; then
            echo "KNOWN: $known is not reported any more"
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
        "($n known ones left out)"
}


TOOLS=(clang-tidy cppcheck gcc)

for tool in "$@"; do
    case " ${TOOLS[*]} " in
    *" $tool "*) ;;
    *) fail "no tool '$tool'; there are: ${TOOLS[*]}" ;;
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
