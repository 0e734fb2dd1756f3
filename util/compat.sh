#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Does it all build, and do the tests pass, with each nginx that Debian has?
#
#     util/compat.sh [SUITE...]       bookworm, trixie and forky without SUITE
#
# In a fresh Debian each (util/chroot.sh; has to be root): builds the module
# and the client with gcc and with clang against Debian's nginx-dev, and the
# module with nginx's own configure in its plain source tree, dynamic and
# static; then runs the unit tests and the NGINX suites.  Prints README.md's
# table at the end.
#
# Environment: K8S_SA_CACHE, where minimal Debians are kept.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

K8S_SA_CACHE=${K8S_SA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/k8s-sa}
export K8S_SA_CACHE
ROWS=$K8S_SA_CACHE/compat

COMPAT_PACKAGES=(
    "${TEST_PACKAGES[@]}"
    clang                   # the other compiler
    dpkg-dev                # unpacks nginx's sources
)


# What runs in the chroot

# plain TARGET OPTION...: nginx's own configure, in a fresh copy of its sources

plain() {
    local dir=$SCRATCH/plain.$1 target=$1 configure=./configure
    shift

    cp -r "$SOURCES" "$dir"
    cd "$dir"
    [ -f $configure ] || configure=auto/configure
    $configure --with-http_ssl_module --with-http_v2_module "$@"
    make -j"$(nproc)" -f objs/Makefile "$target"
}

# loads NGINX [MODULE]: the static one knows the directives, and Debian's takes
# the dynamic one

loads() {
    local nginx=$1 dir=$SCRATCH/loads
    shift

    mkdir -p "$dir/logs"
    cat >"$dir/nginx.conf" <<END
${1:+load_module $1;}
error_log  stderr;
pid        nginx.pid;
events { }
http { access_log off; server { k8s_sa_realm test; } }
END
    "$nginx" -p "$dir" -c nginx.conf -t
}

# nginx as its authors publish it, without Debian's patches

get_sources() {
    other_suite deb-src "$1" \
        && cd "$SCRATCH" \
        && apt_other apt-get source -q --tar-only nginx \
        && tar -xf nginx_*.orig.tar.*z
}

plain_builds() {
    SOURCES=$(echo "$SCRATCH"/nginx-*/)
    step "--with-compat --add-dynamic-module" \
        plain modules --with-compat --add-dynamic-module="$PWD"
    step "which Debian's nginx loads" loads /usr/sbin/nginx \
        "$SCRATCH/plain.modules/objs/ngx_http_k8s_sa_module.so"
    step "--add-module" plain binary --add-module="$PWD"
    step "which has the directives" loads "$SCRATCH/plain.binary/objs/nginx"
}

version_of() {
    dpkg-query -W -f '${Version}' "$1" | sed 's/^[0-9]*://; s/[-+~].*//'
}

# The versions of HTTP that this nginx has; each has its suite, which must not
# have been skipped.

http_versions() {
    local log=$1 versions=1.1 version suite

    for version in 2:spoof_protocols 3:http3; do
        suite=t/${version#*:}.t
        version=${version%:*}
        nginx -V 2>&1 | grep -q -- "--with-http_v${version}_module" || continue
        grep -q "$suite: [1-9][0-9]* passed, 0 failed, 0 skipped" "$log" \
            || fail "HTTP/$version was not tried: $suite"
        versions="$versions, $version"
    done

    echo "$versions"
}

inside() {
    local suite=$1 result http openssl

    install_packages "${COMPAT_PACKAGES[@]}"
    install_test_nginx

    step "building with clang" make -j"$(nproc)" BUILD=build-clang CC=clang
    step "building with gcc" make -j"$(nproc)" BUILD=build CC=gcc

    # the list of the newest suite may be ahead of the files
    say "fetching nginx's sources ..."
    if (get_sources "$suite") >"$SCRATCH/sources.log" 2>&1; then
        plain_builds
        result=pass
    else
        grep '^E:' "$SCRATCH/sources.log" >&2 || true
        say "  the archive has none: nginx's own configure is not tried"
        result="pass; no sources for nginx's own configure"
    fi

    util/test.sh unit nginx 2>&1 | tee "$SCRATCH/tests"
    http=$(http_versions "$SCRATCH/tests")
    openssl=$(version_of libssl-dev)

    # shellcheck disable=SC1091
    . /etc/os-release
    printf '| Debian %s (%s) | %s | %s | %s | %s | gcc %s, clang %s | %s |\n' \
        "${VERSION_ID:-testing}" "$suite" "$(version_of nginx)" "$http" \
        "${openssl%.*}" "$(version_of libjansson-dev)" \
        "$(gcc -dumpversion)" "$(clang -dumpversion | sed 's/\..*//')" \
        "$result" \
        >"/cache/compat/$suite"
}


if [ "${1:-}" = inside ]; then
    set -o pipefail
    inside "$2"
    exit
fi

[ "$(id -u)" = 0 ] || fail "has to be root, for chroots"
[ $# != 0 ] || set -- bookworm trixie forky

say "builds, unit tests and NGINX suites on Debian $*"
mkdir -p "$ROWS"
FAILURES=''

for suite in "$@"; do
    rm -f "$ROWS/$suite"
    util/chroot.sh "$suite" util/compat.sh inside "$suite" \
        || FAILURES="$FAILURES $suite"
done

echo
echo "| system | nginx | HTTP | OpenSSL | jansson | compilers | tests |"
echo "|---|---|---|---|---|---|---|"
for suite in "$@"; do
    cat "$ROWS/$suite" 2>/dev/null || echo "| $suite | | | | | | FAILED |"
done
echo

[ -z "$FAILURES" ] || fail "on$FAILURES (above: why)"
say "passed: $*"
