#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Includes point downward only: http > issuer > shared > net > token, and
# src/token/ and the client know no nginx.  No file has 800 lines.  Speaks TAP.

set -eu
cd "$(dirname "$0")/.."
shopt -s nullglob

ROOMS=(token net shared issuer http conf)   # from the bottom up
MAX_LINES=800

N=0
FAILED=0

result() {
    local text=$1 problems=$2

    N=$((N + 1))
    if [ -z "$problems" ]; then
        echo "ok $N - $text"
    else
        echo "not ok $N - $text"
        printf '%s\n' "$problems" | sed 's/^/# /'
        FAILED=1
    fi
}

# includes PATTERN FILE...: the lines that include such a header

includes() {
    local pattern=$1
    shift

    grep -HnE "^ *# *include +[<\"]([^\">]*/)?($pattern)[\">]" \
        "$@" /dev/null || true
}

# A header is known by its name, whether or not its folder is written with it.

names_of() {
    local room file names=none

    for room in "$@"; do
        for file in src/"$room"/*.h; do
            names="$names|$(basename "$file" .h)\.h"
        done
    done

    echo "$names"
}

for i in "${!ROOMS[@]}"; do
    room=${ROOMS[i]}
    result "src/$room includes nothing from above it" \
        "$(includes "$(names_of "${ROOMS[@]:i+1}")" src/"$room"/*.[ch])"
done

result "src/status includes nothing of src/conf, nor the others of it" \
    "$(includes "$(names_of conf)" src/status/*.[ch]; \
       includes "$(names_of status)" $(printf "src/%s/*.[ch] " "${ROOMS[@]}"))"

result "client/ includes nothing above src/token" \
    "$(includes "$(names_of "${ROOMS[@]:1}")" client/*.[ch])"

result "src/token and client/ include no header of nginx" \
    "$(includes 'ngx_[a-z0-9_]*\.h|nginx\.h' src/token/*.[ch] client/*.[ch])"

# one file of src/net borrows nginx's response parsers

borrowers=$(includes 'ngx_http(_[a-z0-9_]*)?\.h' \
            src/{net,shared,issuer}/*.[ch] | cut -d : -f 1 | sort -u)
if [[ $borrowers == src/net/* && $borrowers != *$'\n'* ]]; then
    borrowers=
fi
result "below src/http, one file of src/net alone includes ngx_http.h" \
    "$borrowers"

long=
for file in *.c src/*/*.[ch] client/*.[ch] t/unit/*.[ch] util/*.sh; do
    lines=$(wc -l <"$file")
    [ "$lines" -lt $MAX_LINES ] || long="$long $file ($lines)"
done
result "every file has under $MAX_LINES lines" "$long"

echo "1..$N"
exit $FAILED
