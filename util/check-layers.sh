#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Includes and calls point downward only, and no two files call each other,
# not even through a third; src/token/ and the client know nothing of nginx.
# No file has 800 lines, no function 120.  Reads the objects of the last build
# (in $BUILD).  Prints TAP.

set -eu
cd "$(dirname "$0")/.."
shopt -s nullglob

BUILD=${BUILD:-build}
ROOMS=(token net shared issuer http conf)   # bottom to top; status beside conf
MAX_LINES=800
MAX_FUNCTION=120

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

# includes PATTERN FILE...: the lines that include a header of this name

includes() {
    local pattern=$1
    shift

    grep -HnE "^ *# *include +[<\"]([^\">]*/)?($pattern)[\">]" \
        "$@" /dev/null || true
}

# names_of ROOM...: a pattern of its headers' names; an #include may leave out
# the folder

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
        "$(includes "$(names_of "${ROOMS[@]:i+1}" status)" src/"$room"/*.[ch])"
done

result "src/status includes nothing of src/conf" \
    "$(includes "$(names_of conf)" src/status/*.[ch])"

result "client/ includes nothing above src/token" \
    "$(includes "$(names_of "${ROOMS[@]:1}" status)" client/*.[ch])"

result "src/token and client/ include no header of nginx" \
    "$(includes 'ngx_[a-z0-9_]*\.h|nginx\.h' src/token/*.[ch] client/*.[ch])"

result "below src/http nothing includes ngx_http*.h" \
    "$(includes 'ngx_http[a-z0-9_]*\.h' src/{net,shared,issuer}/*.[ch])"


# The objects: the module's are in a folder for each folder of sources, with the
# tree's own name for the top.

ADDON=$BUILD/nginx/objs/addon
TOP=$(basename "$PWD")
SOURCES=(*.c src/*/*.c client/*.c)
OBJECTS=()
OLD=

for source in "${SOURCES[@]}"; do
    case $source in
    client/*)  object=$BUILD/${source%.c}.o ;;
    src/*)     object=$ADDON/${source:4:-2}.o ;;
    *)         object=$ADDON/$TOP/${source%.c}.o ;;
    esac

    OBJECTS+=("$object")
    if [ ! -e "$object" ] || [ "$source" -nt "$object" ]; then
        OLD="$OLD $source"
    fi
done

if [ -n "$OLD" ]; then
    echo "Bail out! Not built, or changed since:$OLD"
    echo "build first: make BUILD=$BUILD" >&2
    exit 1
fi

# CALLS: "CALLER CALLEE SYMBOL" for each symbol of another file, data too.  Each
# file may name ngx_http_k8s_sa_module: nginx finds configurations and contexts
# by it.

CALLS=$(
    nm -A -P "${OBJECTS[@]}" \
        | sed -e "s|^$ADDON/$TOP/||" -e "s|^$ADDON/|src/|" \
              -e "s|^$BUILD/||" -e "s|\.o: |.c |" \
        | awk '
            $2 == "ngx_http_k8s_sa_module"  { next }
            $3 ~ /^[A-TV-Z]$/               { file[$2] = $1 }
            $3 == "U"                       { from[++n] = $1; name[n] = $2 }

            END {
                for (i = 1; i <= n; i++) {
                    if (name[i] in file) {
                        print from[i], file[name[i]], name[i]
                    }
                }
            }' | sort)

# a tree of this size has more calls than files; otherwise nm was misread
[ "$(wc -l <<<"$CALLS")" -gt ${#SOURCES[@]} ] \
    || CALLS="only these calls were found: $CALLS"

# upward: the calls into a room above the caller's; "." is the top folder

upward() {
    awk -v rooms="${ROOMS[*]}" '
        BEGIN {
            n = split(rooms, room, " ")
            for (i = 1; i <= n; i++) {
                rank["src/" room[i]] = i
            }
            rank["src/status"] = n
            rank["."] = n + 1
        }

        function folder(file) {
            return sub(/\/[^\/]*$/, "", file) ? file : "."
        }

        NF != 3 { print; next }

        {
            from = folder($1)
            to = folder($2)
        }

        from == to || (from == "client" && to == "src/token")  { next }

        !(from in rank && to in rank) || rank[from] <= rank[to] {
            print $1 " uses " $3 " of " $2
        }' <<<"$CALLS"
}

result "calls point downward" "$(upward)"

# circles: what a topological sort cannot order.  Takes away the files that no
# remaining file calls, or that call none, until there are no more; then prints
# the rest in groups that call each other, with the symbols.

circles() {
    awk '
        NF != 3 { print; next }

        !(($1, $2) in symbols)  { callees[$1] = callees[$1] " " $2 }

        {
            symbols[$1, $2] = symbols[$1, $2] " " $3
            left[$1] = left[$2] = 1
        }

        # is_busy FILE: calls a file that is left; notes in called which
        function is_busy(file,    to, n, i, busy) {
            n = split(callees[file], to, " ")
            for (i = 1; i <= n; i++) {
                if (to[i] in left) {
                    called[to[i]] = busy = 1
                }
            }
            return busy
        }

        function visit(root, file,    to, n, i) {
            n = split(callees[file], to, " ")
            for (i = 1; i <= n; i++) {
                if (to[i] in left && !((root, to[i]) in reach)) {
                    reach[root, to[i]] = 1
                    visit(root, to[i])
                }
            }
        }

        END {
            do {
                split("", called)
                split("", gone)

                for (file in left) {
                    if (!is_busy(file)) {
                        gone[file] = 1
                    }
                }

                n = 0
                for (file in left) {
                    if (file in gone || !(file in called)) {
                        delete left[file]
                        n++
                    }
                }
            } while (n)

            for (file in left) {
                visit(file, file)
            }

            for (a in left) {
                if (a in told || !((a, a) in reach)) {
                    continue
                }

                print "circle " ++circle ":"

                for (b in left) {
                    if (!((a, b) in reach && (b, a) in reach)) {
                        continue
                    }

                    told[b] = 1

                    for (c in left) {
                        if ((b, c) in symbols && (c, b) in reach) {
                            print "  " b " -> " c ":" symbols[b, c]
                        }
                    }
                }
            }
        }' <<<"$CALLS"
}

result "no two files call each other" "$(circles)"


long=
for file in *.c src/*/*.[ch] client/*.[ch] t/unit/*.[ch] util/*.sh; do
    lines=$(wc -l <"$file")
    [ "$lines" -lt $MAX_LINES ] || long="$long $file ($lines)"
done
result "every file has under $MAX_LINES lines" "$long"

result "every function has under $MAX_FUNCTION lines" "$(
    awk -v max=$MAX_FUNCTION '
        FNR == 1            { begin = 0 }
        /^\{/               { begin = FNR }
        /^\}/ && begin      {
            if (FNR - begin + 1 >= max) {
                print FILENAME ":" begin ": " FNR - begin + 1 " lines"
            }
            begin = 0
        }' ./*.c src/*/*.[ch] client/*.[ch] bench/*.[ch] util/*.c)"

echo "1..$N"
exit $FAILED
