#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs util/demo.sh and util/test.sh on a fresh Debian:
#
#     util/chroot.sh bookworm|trixie|SUITE [PROGRAM [ARGUMENT...]]
#
# Makes a minimal Debian in $TMPDIR, copies the last commit into it, and runs
# there, in separate process and mount namespaces, util/demo.sh as a user with
# sudo and util/test.sh as root, each in a fresh Debian; or PROGRAM, as root.
# Needs root.
#
# Environment: K8S_SA_CACHE, a directory that the chroot shares, for minimal
# Debians and the binaries of util/kube.sh.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

[ $# != 0 ] || { sed -n '4,/^$/s/^# \?//p' "$0"; exit 2; }
[ "$(id -u)" = 0 ] || fail "chroot and its mounts need root"

SUITE=$1
shift

CACHE=${K8S_SA_CACHE:-}
INSIDE=/home/tester/k8s-sa

install_packages "${CHROOT_PACKAGES[@]}"
ROOT=$SCRATCH/root
TAR=${CACHE:-$SCRATCH}/debian-$SUITE.tar


# apt sources for SUITE, from the archives that this machine uses: the main one
# and the one for security updates

sources() {
    local own security key=/usr/share/keyrings/debian-archive-keyring.gpg
    local options="check-valid-until=no signed-by=$key"

    own=$(archive_uri "$(own_codename)")
    security=$(archive_uri '.*-security')

    echo "deb [$options] $own $SUITE main"
    case $SUITE in
    sid | unstable)
        ;;
    *)
        echo "deb [$options] $own $SUITE-updates main"
        [ -z "$security" ] \
            || echo "deb [$options] $security $SUITE-security main"
        ;;
    esac
}

# process 1 in the chroot; fails if the program leaves any process

inside() {
    local user=$1 rc=0 left='' process
    shift

    # tests that unshare mounts need a mount point as root
    mount --bind "$ROOT" "$ROOT"
    mount -t proc proc "$ROOT/proc"
    mount --rbind /dev "$ROOT/dev"
    mount -t tmpfs tmpfs "$ROOT/dev/shm"
    if [ -n "$CACHE" ]; then
        mkdir -p "$ROOT/cache"
        mount --bind "$CACHE" "$ROOT/cache"
        export K8S_SA_CACHE=/cache
    fi

    chroot "$ROOT" su "$user" -s /bin/bash -w K8S_SA_CACHE \
        -c "cd $INSIDE && $*" </dev/null || rc=$?

    for process in "$ROOT"/proc/[0-9]*; do
        if [ "$(readlink "$process/root")" = "$ROOT" ]; then
            left="$left $(tr '\0' ' ' <"$process/cmdline");"
        fi
    done
    if [ -n "$left" ]; then
        say "left running: $left"
        rc=1
    fi

    return $rc
}

# run USER PROGRAM...: runs PROGRAM in a fresh copy

run() {
    local began=$SECONDS

    rm -rf "$ROOT"
    mkdir -p "$ROOT"
    tar -C "$ROOT" -xpf "$TAR"

    cp /etc/resolv.conf /etc/hosts "$ROOT/etc/"
    chroot "$ROOT" useradd -m -s /bin/bash tester
    if [ "$1" = tester ]; then
        echo "tester ALL=(ALL) NOPASSWD: ALL" >"$ROOT/etc/sudoers.d/tester"
    fi

    mkdir "$ROOT$INSIDE"
    git archive HEAD | tar -C "$ROOT$INSIDE" -x
    chroot "$ROOT" chown -R "$1" "$INSIDE"

    say "$SUITE, as $1: ${*:2}"
    export -f inside say
    export ROOT CACHE INSIDE STARTED
    unshare --mount --pid --fork --kill-child \
        bash -euc 'SECONDS='$SECONDS'; inside "$@"' inside "$@" \
        || fail "$SUITE, as $1: ${*:2}"
    say "$SUITE, as $1: ${*:2}: passed in $((SECONDS - began)) s"
}


if [ ! -e "$TAR" ]; then
    mkdir -p "$(dirname "$TAR")"
    sources >"$SCRATCH/sources.list"
    step "making a minimal Debian $SUITE" \
        mmdebstrap --variant=minbase --include=sudo --format=tar \
        "$SUITE" "$TAR.new" "$SCRATCH/sources.list"
    mv "$TAR.new" "$TAR"
fi

if [ $# != 0 ]; then
    run root "$@"
else
    run tester util/demo.sh
    run root util/test.sh
fi
