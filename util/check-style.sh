#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The layout of C files and scripts, as far as patterns can check it.  Prints
# TAP.  The compiler sees to declarations before statements: WARNINGS in the
# Makefile.

set -eu
cd "$(dirname "$0")/.."
shopt -s nullglob

export LC_ALL=C.UTF-8

C_FILES=(*.c src/*/*.[ch] client/*.[ch] t/*/*.[ch] bench/*.[ch] util/*.c
         docker/*.c)
SHELL_FILES=(util/*.sh t/*/*.sh docker/*.sh .ci/run)
SCRIPTS=("${SHELL_FILES[@]}" util/*.p[lm] bench/*.pl bench/*.lua
         bench/lib/*.pm bench/peers/* t/*.t t/*/*.t t/lib/*/*.pm t/*/lib/*.pm)
OTHERS=(Makefile t/*/Makefile config debian/rules)  # make needs its tabs

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

# lines PATTERN FILE...: FILE:LINE of each that matches

lines() {
    local pattern=$1
    shift

    grep -nP "$pattern" "$@" /dev/null | cut -d : -f 1,2 || true
}

result "no line of C has more than 80 columns" \
    "$(lines '^.{81}' "${C_FILES[@]}")"

result "no tabs" "$(lines '\t' "${C_FILES[@]}" "${SCRIPTS[@]}")"

result "no blanks at the end of a line" \
    "$(lines '[ \t\r]$' "${C_FILES[@]}" "${SCRIPTS[@]}" "${OTHERS[@]}")"

result "each file ends with one newline" \
    "$(perl -0777 -ne 'print "$ARGV\n" if !/[^\n]\n\z/' \
           "${C_FILES[@]}" "${SCRIPTS[@]}" "${OTHERS[@]}")"

result "each file names its licence in the first line, or after #!" "$(
    awk '
        FNR == 1 && /^#!/           { next }
        FNR > 2                     { next }
        /SPDX-License-Identifier: / { named[FILENAME] = 1 }

        END {
            for (i = 1; i < ARGC; i++) {
                if (!(ARGV[i] in named)) {
                    print ARGV[i]
                }
            }
        }' "${C_FILES[@]}" "${SCRIPTS[@]}" "${OTHERS[@]}")"

# without strings and characters, which may have // in them

result "comments are /* */" "$(
    perl -0777 -ne '
        s{"(?:\\.|[^"\\])*" | \x27(?:\\.|[^\x27\\])*\x27 | /\*.*?\*/}
         {"\n" x ($& =~ tr/\n//)}gsex;
        my $n = 0;
        for (split /\n/) {
            $n++;
            print "$ARGV:$n\n" if m{//};
        }' "${C_FILES[@]}")"

# fewer where #endif or the like follows

result "two blank lines between functions" "$(
    awk '
        FNR == 1        { inside = end = 0 }
        end && /^$/     { blank++; next }
        end && !/^#/ && blank != 2  { print FILENAME ":" FNR }
                        { end = 0 }
        /^\{/           { inside = 1 }
        /^\}/ && inside { inside = blank = 0; end = 1 }
        ' "${C_FILES[@]}")"

# debian/ builds without it
if command -v shellcheck >/dev/null; then
    result "shellcheck has nothing to say" \
        "$(shellcheck -x -f gcc "${SHELL_FILES[@]}" 2>&1 || true)"
else
    N=$((N + 1))
    echo "ok $N - shellcheck # skip it is not installed"
fi

echo "1..$N"
exit $FAILED
