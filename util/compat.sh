#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Builds and tests with the nginx of several Debian releases:
#
#     util/compat.sh [SUITE...]       default: bookworm trixie forky
#
# In a fresh Debian for each (util/chroot.sh; needs root): builds the module and
# the client with gcc and with clang against Debian's nginx-dev, and the module
# with nginx's own configure in the original sources, dynamic and static; then
# runs the unit tests and the NGINX suites.  Prints the table for README.md.
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
    clang
    dpkg-dev                # unpacks nginx's sources
)


# In the chroot

# plain TARGET OPTION...: configures and builds a fresh copy of nginx's sources

plain() {
    local dir=$SCRATCH/plain.$1 target=$1 configure=./configure
    shift

    cp -r "$SOURCES" "$dir"
    cd "$dir"
    [ -f $configure ] || configure=auto/configure
    $configure --with-http_ssl_module --with-http_v2_module "$@"
    make -j"$(nproc)" -f objs/Makefile "$target"
}

# loads NGINX [MODULE]: succeeds if NGINX, with MODULE, knows a directive

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

# the original sources, without Debian's patches

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
    step "Debian's nginx loads it" loads /usr/sbin/nginx \
        "$SCRATCH/plain.modules/objs/ngx_http_k8s_sa_module.so"
    step "--add-module" plain binary --add-module="$PWD"
    step "it has the directives" loads "$SCRATCH/plain.binary/objs/nginx"
}

version_of() {
    dpkg-query -W -f '${Version}' "$1" | sed 's/^[0-9]*://; s/[-+~].*//'
}

# http_versions LOG: the HTTP versions that nginx supports; fails if the suite
# for one of them was skipped

http_versions() {
    local log=$1 versions=1.1 version suite

    for version in 2:spoof_protocols 3:http3; do
        suite=t/${version#*:}.t
        version=${version%:*}
        nginx -V 2>&1 | grep -q -- "--with-http_v${version}_module" || continue
        grep -q "$suite: [1-9][0-9]* passed, 0 failed, 0 skipped" "$log" \
            || fail "HTTP/$version was not tested: $suite"
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

    # the newest suite's package list may be ahead of its files
    say "fetching nginx's sources ..."
    if (get_sources "$suite") >"$SCRATCH/sources.log" 2>&1; then
        plain_builds
        result=pass
    else
        grep '^E:' "$SCRATCH/sources.log" >&2 || true
        say "  not in the archive: nginx's own configure is not tested"
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

[ "$(id -u)" = 0 ] || fail "chroots need root"
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

[ -z "$FAILURES" ] || fail "on$FAILURES (see above)"
say "passed: $*"
