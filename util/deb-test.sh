#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Builds the Debian packages, checks them with lintian, installs them on a fresh
# Debian, and sends requests:
#
#     util/deb-test.sh [SUITE]        default: bookworm
#
# In chroots (util/chroot.sh; needs root), from the last commit.  The packages
# remain in K8S_SA_CACHE/deb/SUITE.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

K8S_SA_CACHE=${K8S_SA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/k8s-sa}
export K8S_SA_CACHE
MODULE_PACKAGE=libnginx-mod-http-k8s-sa


# In the first chroot: builds

build() {
    local out=/cache/deb/$1

    install_packages build-essential debhelper lintian nginx-dev \
        libcmocka-dev libcurl4-openssl-dev libjansson-dev libssl-dev pkgconf
    mkdir -p "$SCRATCH/source"
    cp -r . "$SCRATCH/source/k8s-sa"
    cd "$SCRATCH/source/k8s-sa"
    step "building the packages" dpkg-buildpackage -us -uc

    cd ..
    step "lintian" lintian --fail-on error,warning --pedantic --info ./*.changes
    rm -rf "$out"
    mkdir -p "$out"
    cp ./*.deb "$out"
}


# In the second one: installs and tests

stop_nginx() {
    local pid

    pid=$(cat /run/nginx.pid 2>/dev/null) || return 0
    kill "$pid"
    timeout 10 tail -f --pid="$pid" /dev/null
}

try() {
    local out=/cache/deb/$1 url=http://127.0.0.1:18080 status

    as_root apt-get update -q >/dev/null
    step "installing the packages" apt_install nginx curl "$out"/*.deb

    [ -e /etc/nginx/modules-enabled/50-mod-http-k8s-sa.conf ] \
        || fail "the package does not enable the module"

    cp t/fixtures/1.36.2/sa.pub /etc/nginx/
    cat >/etc/nginx/conf.d/k8s-sa.conf <<END
k8s_sa_issuer cluster {
    issuer      https://kubernetes.default.svc;
    public_key  /etc/nginx/sa.pub;
    audience    service2;
}
server {
    listen 127.0.0.1:18081;
    return 200 "hello \$http_x_remote_user";
}
server {
    listen 127.0.0.1:18080;
    location / {
        k8s_sa_auth  cluster;
        proxy_pass   http://127.0.0.1:18081;
    }
}
END
    rm /etc/nginx/sites-enabled/default
    nginx
    at_exit stop_nginx

    say "$(k8s-sa-client --count 1 "$url/" \
           --token-file t/fixtures/1.36.2/tokens/long-aud-service2.jwt \
           | tee "$SCRATCH/answer" | tail -n 1)"
    grep -q "status=200, response: 'hello system:serviceaccount:mytest:" \
        "$SCRATCH/answer" || fail "expected 200"

    status=$(curl -s -o /dev/null -w '%{http_code}' "$url/")
    [ "$status" = 401 ] || fail "without a token: $status"
    say "without a token: $status"

    stop_nginx
    step "removing the module" apt-get purge -y -q $MODULE_PACKAGE
    [ ! -e /etc/nginx/modules-enabled/50-mod-http-k8s-sa.conf ] \
        || fail "the module is still enabled"
}


case ${1:-} in
build | try)
    "$@"
    exit
    ;;
esac

[ "$(id -u)" = 0 ] || fail "chroots need root"
SUITE=${1:-bookworm}

say "the Debian packages: built on a fresh $SUITE, tested on another one"
util/chroot.sh "$SUITE" util/deb-test.sh build "$SUITE"
util/chroot.sh "$SUITE" util/deb-test.sh try "$SUITE"
say "passed: $K8S_SA_CACHE/deb/$SUITE"
