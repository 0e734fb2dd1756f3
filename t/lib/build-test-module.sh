#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Builds an nginx module that exists only for tests:
#
#     t/lib/build-test-module.sh DIR OUT
#
# DIR contains a "config" file, as for --add-dynamic-module.  The .so is put
# into OUT, which is created.  Does nothing if it is newer than all sources.
# Uses the options of Debian's nginx-dev and a tree of links, as the Makefile
# does, and the same variables: NGINX_SRC, NGINX_OPTS, CC, CFLAGS, LDFLAGS.

set -eu

dir=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
src=$(realpath "${NGINX_SRC:-/usr/share/nginx/src}")
top=$(realpath "$(dirname "$0")/../..")

name=$(sed -n 's/^ngx_addon_name=//p' "$dir/config")
tree=$out/nginx

if [ -f "$out/$name.so" ] \
    && [ -z "$(find "$dir" "$top/src" -type f -newer "$out/$name.so")" ]
then
    exit 0
fi

rm -rf "$tree"
mkdir -p "$tree"
cp -rs "$src/." "$tree"
rm -rf "$tree/Makefile" "$tree/objs"
cd "$tree"

NGX_CONF_FLAGS=(--with-compat --with-http_ssl_module)
if [ -f conf_flags ]; then
    # shellcheck disable=SC1091
    . ./conf_flags
fi

configure=./configure
if [ ! -f $configure ]; then
    configure=auto/configure
fi

# shellcheck disable=SC2086
{
    $configure "${NGX_CONF_FLAGS[@]}" --with-cc="${CC:-gcc}" \
        --with-cc-opt="${CFLAGS:--O2 -g} -Wall -Wextra -Werror \
            -Wno-unused-parameter" \
        --with-ld-opt="${LDFLAGS:-}" --add-dynamic-module="$dir" \
        ${NGINX_OPTS:-} &&
    make -j"$(nproc)" -f objs/Makefile modules
} >"$out/build.log" 2>&1 || { tail -n 30 "$out/build.log" >&2; exit 1; }

cp "objs/$name.so" "$out/$name.so"
