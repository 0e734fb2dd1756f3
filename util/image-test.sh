#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Builds the images of the Dockerfile and calls one with the other:
#
#     util/image-test.sh [BASE-TREE.tar]
#
# Uses Debian's buildah, without a container engine and without a registry.
# The base image is a minimal Debian trixie made by mmdebstrap, or
# BASE-TREE.tar, such as one that util/chroot.sh keeps.  The sidecar runs as in
# the manifests of conf-examples/kubernetes/: not as root, without
# capabilities, on a read-only file system.  Needs root.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

[ "$(id -u)" = 0 ] || fail "building images without an engine needs root"

install_packages buildah mmdebstrap curl

BASE=docker.io/library/debian:trixie-slim
TOKENS=$PWD/t/fixtures/1.36.2/tokens
PORT=$(free_port)
SERVICE2=$(free_port)
URL=http://127.0.0.1:$PORT

export BUILDAH_ISOLATION=chroot BUILDAH_FORMAT=docker

images() {
    local command=$1
    shift
    buildah --storage-driver vfs --root "$SCRATCH/storage" \
        --runroot "$SCRATCH/run" "$command" "$@"
}


# The base image and the images built on it

import_base() {
    local container

    container=$(images from scratch)
    images add -q "$container" "$1" /
    images commit -q "$container" $BASE
    images rm "$container"
}

build() {
    images bud --pull-never --layers=false --target "$1" -t "k8s-sa-$1" .
}

size_of() {
    du -sk --apparent-size "$1" | awk '{ printf "%.1f MB\n", $1 / 1024 }'
}

TREE=${1:-$SCRATCH/base.tar}
if [ ! -e "$TREE" ]; then
    K8S_SA_CACHE=$SCRATCH/cache util/chroot.sh trixie true
    mv "$SCRATCH/cache/debian-trixie.tar" "$TREE"
fi

say "the images of the Dockerfile, by buildah; then one calls the other"
mkdir -p "$SCRATCH/tmp"
export TMPDIR=$SCRATCH/tmp
step "importing the base image" import_base "$TREE"
step "building the sidecar" build sidecar
step "building the client" build client


# The containers' contents and user

declare -A CONTAINER MOUNTED

for image in sidecar client; do
    CONTAINER[$image]=$(images from --pull-never k8s-sa-$image)
    MOUNTED[$image]=$(images mount "${CONTAINER[$image]}")
    say "$image: $(size_of "${MOUNTED[$image]}")," \
        "$(find "${MOUNTED[$image]}" -type f | wc -l) files"

    ! find "${MOUNTED[$image]}" \( -name '*sh' -o -name 'apt*' \) -type f \
        | grep . || fail "$image has a shell or a package manager"
done

# entrypoint IMAGE: prints one argument per line

entrypoint() {
    images inspect --type image \
        --format '{{range .Docker.Config.Entrypoint}}{{println .}}{{end}}' \
        "k8s-sa-$1" | sed '/^$/d'
}

for word in HEALTHCHECK/Healthcheck USER/User STOPSIGNAL/StopSignal; do
    images inspect --type image --format "{{.Docker.Config.${word#*/}}}" \
        k8s-sa-sidecar | grep -q '[a-zA-Z0-9]' \
        || fail "the sidecar has no ${word%/*}"
done


# Service 2 behind the sidecar, configured as in a cluster

mkdir "$SCRATCH/nginx"
cp t/fixtures/1.36.2/sa.pub "$SCRATCH/nginx/"
sed "s/listen 8080;/listen 127.0.0.1:$PORT;/" docker/nginx.conf \
    | sed "s,return 503;,k8s_sa_auth cluster;\\n\
            proxy_pass http://127.0.0.1:$SERVICE2;," \
    | sed "/^http {/a k8s_sa_issuer cluster {\\n\
               issuer https://kubernetes.default.svc;\\n\
               audience service2; public_key /etc/nginx/sa.pub; }\\n\
           server { listen 127.0.0.1:$SERVICE2;\\n\
               return 200 \"hello \$http_x_remote_user\"; }" \
    >"$SCRATCH/nginx/nginx.conf"
chmod -R a+rX "$SCRATCH/nginx"

mapfile -t SIDECAR < <(entrypoint sidecar)
mapfile -t CLIENT < <(entrypoint client)

# Applies a pod's securityContext, as a container engine does.  An engine also
# makes the image's user own the standard output, since nginx opens /dev/stdout;
# buildah does not.

run_locked() {
    local root=$1 conf=$2
    shift 2

    # shellcheck disable=SC2016
    exec unshare --mount bash -euc '
        root=$1 conf=$2
        shift 2
        mkdir -p "$root/proc" "$root/dev"
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount -t tmpfs tmpfs "$root/dev"
        : >"$root/dev/null"
        mount --bind /dev/null "$root/dev/null"
        ln -s /proc/self/fd/1 "$root/dev/stdout"
        ln -s /proc/self/fd/2 "$root/dev/stderr"
        mount -t tmpfs tmpfs "$root/tmp"
        mount --bind "$conf" "$root/etc/nginx"
        mount -o remount,bind,ro "$root"
        exec setpriv --no-new-privs \
            chroot --userspec=65532:65532 --groups=65532 "$root" "$@"
        ' run_locked "$root" "$conf" "$@"
}

: >"$SCRATCH/sidecar.log"
chown 65532 "$SCRATCH/sidecar.log"

run_locked "${MOUNTED[sidecar]}" "$SCRATCH/nginx" "${SIDECAR[@]}" \
    >>"$SCRATCH/sidecar.log" 2>&1 &
NGINX=$!

stop_sidecar() {
    kill -QUIT "$NGINX" 2>/dev/null || true
    wait
}

at_exit stop_sidecar

for _ in {1..100}; do
    if curl -sf -m 5 --noproxy '*' "$URL/healthz"; then
        break
    fi
    sleep 0.1
done

check() {
    local what=$1 pattern=$2
    shift 2

    "$@" >"$SCRATCH/answer" 2>&1 || true
    if ! grep -qE "$pattern" "$SCRATCH/answer"; then
        cat "$SCRATCH/answer" "$SCRATCH/sidecar.log" >&2
        fail "$what: expected $pattern"
    fi
    say "$what: $(grep -m 1 -oE "$pattern" "$SCRATCH/answer")"
}

call() {
    images run --isolation chroot -v "$TOKENS:/tokens:ro" \
        "${CONTAINER[client]}" -- "${CLIENT[@]}" \
        --count 1 --token-file "/tokens/$1.jwt" "$URL/"
}

health() {
    images run --isolation chroot "${CONTAINER[sidecar]}" -- \
        /usr/bin/healthcheck "$@" && echo healthy
}

rights_of_nginx() {
    sed -n 's/^Uid:\t\([0-9]*\).*/uid \1/p; s/^CapPrm:\t/capabilities /p' \
        "/proc/$NGINX/status" | paste -sd ' '
}

write_into_image() {
    touch "/proc/$NGINX/root/etc/new"
}

check "a health check" '^healthy' health "$PORT"
check "a health check of a closed port" 'no connection' health 1
check "nginx runs as" '^uid 65532 capabilities 0+$' rights_of_nginx
check "its file system" 'Read-only' write_into_image
check "a genuine token" \
    "status=200, response: 'hello system:serviceaccount:mytest:service1'" \
    call long-aud-service2
check "a token for another audience" "status=401" call long-service2-aud-service3
check "the log on standard output" '"GET / HTTP/1.1" 401' \
    cat "$SCRATCH/sidecar.log"
check "the log on standard error" 'k8s_sa.*audience' \
    cat "$SCRATCH/sidecar.log"

stop_sidecar
say "passed: k8s-sa-sidecar and k8s-sa-client"
