#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Copies programs and the libraries they need into a separate tree, which becomes
# the whole file system of an image:
#
#     docker/collect.sh ROOT FILE...

set -eu

root=$1
shift

mkdir -p "$root/etc" "$root/etc/ssl/certs" "$root/tmp"
chmod 1777 "$root/tmp"

echo "nonroot:x:65532:65532::/:/sbin/nologin" >"$root/etc/passwd"
echo "nonroot:x:65532:" >"$root/etc/group"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"

# loaded when a thread ends; no program is linked with it
libgcc=$(ldconfig -p | sed -n 's/.*libgcc_s\.so\.1 .*=> //p' | head -n 1)

for file in "$@" $libgcc; do
    echo "$file"
    # a static program has no libraries
    ldd "$file" 2>/dev/null | grep -o '/[^ ]*' || true
done | sort -u | while read -r file; do
    mkdir -p "$root/$(dirname "$file")"
    cp -L "$file" "$root/$file"
done
