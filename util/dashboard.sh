#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Draws docs/dashboard.svg: conf-examples/grafana-dashboard.json with data of a
# real run.
#
#     util/dashboard.sh [FILE]
#
# NGINX with one issuer of each kind is under mixed load for four minutes, with
# a key rotation and outages.  Debian's Prometheus scrapes it and answers the
# panels' queries.  Uses loopback only and leaves nothing running.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

BUILD=${BUILD:-build}
FILE=${1:-docs/dashboard.svg}

install_packages "${TEST_PACKAGES[@]}"
step "building the module" make -j"$(nproc)" BUILD="$BUILD" module

BUILD=$(realpath "$BUILD")

K8S_SA_MODULE=$BUILD/ngx_http_k8s_sa_module.so \
TEST_NGINX_MODULE=$BUILD/ngx_http_k8s_sa_module.so \
TMPDIR=$SCRATCH PERL5LIB=$PWD/t/lib \
    perl util/dashboard.pl conf-examples/grafana-dashboard.json \
         "$SCRATCH/panels.json"

perl util/dashboard-svg.pl "$SCRATCH/panels.json" >"$SCRATCH/dashboard.svg"
cp "$SCRATCH/dashboard.svg" "$FILE"
say "$FILE: $(wc -c <"$FILE") bytes"
