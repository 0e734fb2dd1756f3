#!/bin/bash
#
# Includes point downward only: http > issuer > shared > net > token, and
# src/token/ and the client know no nginx.  No file has 800 lines.  Speaks TAP.

set -eu
cd "$(dirname "$0")/.."

ROOMS=(token net shared issuer http)            # from the bottom up
NET_HTTP_FILE=src/net/k8s_sa_net_parse.c        # borrows nginx's own parsers
MAX_LINES=800

N=0
BAD=0

result() {
    local problem=$1 text=$2

    N=$((N + 1))
    if [ -z "$problem" ]; then
        echo "ok $N - $text"
    else
        echo "not ok $N - $text"
        printf '%s\n' "$problem" | sed 's/^/# /'
        BAD=1
    fi
}

# includes PATTERN FILE...: lines that include a header which matches

includes() {
    local pattern=$1
    shift

    grep -HnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)" \
        "$@" /dev/null || true
}

shopt -s nullglob

above=
for ((i = ${#ROOMS[@]} - 1; i >= 0; i--)); do
    room=${ROOMS[i]}
    files=(src/"$room"/*.[ch])

    # a header of an upper room, by its folder or by its bare name

    pattern="(\.\./)*(${above:-none-above/})"
    for header in $(for up in $(tr '|/' '  ' <<<"$above"); do
                        (cd "src/$up" && echo *.h); done); do
        pattern="$pattern|$header\""
    done
    result "$(includes "$pattern" "${files[@]}")" \
           "src/$room includes nothing from above"
    above="$room/${above:+|$above}"

    case $room in
    token)
        result "$(includes 'ngx_|nginx' "${files[@]}" client/*.[ch])" \
               "src/token and client include no nginx header"
        ;;
    http)
        ;;
    *)
        for file in "${files[@]}"; do
            [ "$file" = "$NET_HTTP_FILE" ] || printf '%s\0' "$file"
        done | {
            mapfile -d '' others
            includes 'ngx_http' "${others[@]}"
        } >/dev/null
        others=()
        for file in "${files[@]}"; do
            [ "$file" = "$NET_HTTP_FILE" ] || others+=("$file")
        done
        result "$(includes 'ngx_http\.h|ngx_http_[a-z_]*\.h' \
                  "${others[@]+"${others[@]}"}" | grep -v ngx_http_k8s_sa || true)" \
               "src/$room does not include ngx_http.h"
        ;;
    esac
done

result "$(includes '(\.\./)*(src/)?(net|shared|issuer|http)/' client/*.[ch])" \
       "client includes src/token only"

long=
for file in *.c src/*/*.[ch] client/*.[ch] t/unit/*.[ch] util/*.sh; do
    lines=$(wc -l <"$file")
    [ "$lines" -lt $MAX_LINES ] || long="$long$file: $lines lines"$'\n'
done
result "$long" "every file has under $MAX_LINES lines"

echo "1..$N"
exit $BAD
