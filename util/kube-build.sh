#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Builds a genuine kube-apiserver and kube-controller-manager 1.20 from Debian
# 12's source package "kubernetes" with Debian 12's Go, and fetches its etcd,
# on a later Debian, too: these sources do not build with a later Go.  Installs
# nothing: everything is in the cache directory that kube.sh gives.  Exit status
# 77: the packages are not available.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

SUITE=bookworm
DEBS=(
    golang-1.19-go golang-1.19-src          # the compiler
    golang-github-modern-go-reflect2-dev    # the vendored one panics with it
    etcd-server                             # the API server's storage
)
CACHE=$1
VERSION=v1.20.2

KUBE=k8s.io/kubernetes
WORK=$CACHE/building

unavailable() {
    say "not available: $*"
    exit 77
}

fetch() {
    mkdir -p "$WORK/download" "$WORK/root"

    say "fetching kubernetes (35 MB), Go and etcd (80 MB) from Debian $SUITE ..."
    (
        other_suite deb-src "$SUITE"
        cd "$WORK/download"
        apt_other apt-get source -q --download-only kubernetes
    ) >"$WORK/log" 2>&1 || {
        grep '^[EW]:' "$WORK/log" >&2 || true
        unavailable "Debian $SUITE's source package kubernetes"
    }

    (fetch_debs "$SUITE" "$WORK/download" "${DEBS[@]}") >"$WORK/log" 2>&1 || {
        grep '^[EW]:' "$WORK/log" >&2 || true
        unavailable "one of Debian $SUITE's ${DEBS[*]}"
    }
}

unpack() {
    local deb module=github.com/modern-go/reflect2

    for deb in "$WORK"/download/*.deb; do
        dpkg -x "$deb" "$WORK/root"
    done

    mkdir -p "$WORK/go/src/k8s.io"
    dpkg-source --no-check -x "$WORK"/download/kubernetes_*.dsc \
        "$WORK/go/src/$KUBE"

    rm -r "$WORK/go/src/$KUBE/vendor/$module"
    cp -r "$WORK/root/usr/share/gocode/src/$module" \
        "$WORK/go/src/$KUBE/vendor/$module"
}

go_build() {
    go build -v -o "$WORK/bin/${1##*/}" -ldflags "$LDFLAGS" "$1"
}

# the only generated file that the source package lacks

generate_openapi() {
    local packages

    packages=$(grep -rl --include='*.go' '+k8s:openapi-gen=' \
                   cmd pkg plugin staging/src \
               | grep -vE '/(code-generator|sample-apiserver)/|/testdata/' \
               | xargs -n 1 dirname | sort -u \
               | sed "s|^staging/src/|vendor/|; s|^|$KUBE/|" | paste -sd ,)

    "$WORK/bin/openapi-gen" -i "$packages" -p $KUBE/pkg/generated/openapi \
        -O zz_generated.openapi -h hack/boilerplate/boilerplate.generatego.txt \
        -r "$WORK/violations"
}

build() {
    local package

    export GO111MODULE=off GOPROXY=off GOFLAGS='' CGO_ENABLED=0
    export GOROOT=$WORK/root/usr/lib/go-1.19 GOPATH=$WORK/go
    export GOCACHE=$WORK/gocache PATH=$WORK/root/usr/lib/go-1.19/bin:$PATH

    LDFLAGS="-s -w"
    for package in component-base/version client-go/pkg/version; do
        package=$KUBE/vendor/k8s.io/$package
        LDFLAGS="$LDFLAGS -X $package.gitVersion=$VERSION"
        LDFLAGS="$LDFLAGS -X $package.gitMajor=1 -X $package.gitMinor=20"
    done

    cd "$GOPATH/src/$KUBE"
    step "building openapi-gen" go_build ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
    step "generating its OpenAPI definitions" generate_openapi
    step "building kube-apiserver (some minutes)" go_build ./cmd/kube-apiserver
    step "building kube-controller-manager" go_build ./cmd/kube-controller-manager
}


install_packages "${KUBE_PACKAGES[@]}"

mkdir -p "$CACHE"
exec 9>"$CACHE/lock"
flock -n 9 || { say "waiting for another build"; flock 9; }

if [ -x "$CACHE/bin/kube-apiserver" ]; then
    exit 0
fi

rm -rf "$WORK"

at_exit "rm -rf $WORK"
fetch
step "unpacking" unpack
build

cp "$WORK/root/usr/bin/etcd" "$WORK/bin/"
rm -rf "${CACHE:?}/bin"
mv "$WORK/bin" "$CACHE/bin"
say "kept in $CACHE/bin"
