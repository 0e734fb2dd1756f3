#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Mixed load for some minutes, each with a key rotation, a restart of the API
# server and a reload.  The workers' memory and descriptors must not grow:
#
#     util/soak.sh MINUTES
#
# Environment: BUILD; SOAK_MINUTE, the seconds of a minute.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

BUILD=${BUILD:-build}

case ${1:-} in
''|*[!0-9]*) fail "usage: util/soak.sh MINUTES" ;;
esac

install_packages "${TEST_PACKAGES[@]}"
step "building the module" make -j"$(nproc)" BUILD="$BUILD" module

BUILD=$(realpath "$BUILD")

K8S_SA_MODULE=$BUILD/ngx_http_k8s_sa_module.so \
TEST_NGINX_MODULE=$BUILD/ngx_http_k8s_sa_module.so \
TMPDIR=$SCRATCH PERL5LIB=$PWD/util:$PWD/t/lib PERL5OPT=-MLoopbackOnly \
    perl util/soak.pl "$1"
