#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Faults of everything around the module, under load:
#
#     util/faults.sh [PART...]
#
# PART: issuers, rotation, processes, limits, clock, flood (default: all).  Each
# fault happens under steady load with valid and with invalid tokens; wrong
# decisions are counted.  Ends with the table of docs/security.md; the exit
# status is 0 if no decision was wrong.  Takes about three minutes.
#
# Environment: BUILD; FAULTS_VALID and FAULTS_GARBAGE, the numbers of tokens in
# the floods (100000 and 1000000).

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

BUILD=${BUILD:-build}

install_packages "${TEST_PACKAGES[@]}" libfaketime

step "building the module" \
    make -j"$(nproc)" BUILD="$BUILD" module "$BUILD/bench/tokens"

BUILD=$(realpath "$BUILD")
FAKETIME=(/usr/lib/*/faketime/libfaketime.so.1)
TABLE=$SCRATCH/table

rc=0
K8S_SA_MODULE=$BUILD/ngx_http_k8s_sa_module.so \
TEST_NGINX_MODULE=$BUILD/ngx_http_k8s_sa_module.so \
FAULTS_TOKENS=$BUILD/bench/tokens FAULTS_FAKETIME=${FAKETIME[0]} \
FAULTS_TABLE=$TABLE TMPDIR=$SCRATCH PERL5LIB=$PWD/util:$PWD/t/lib \
PERL5OPT=-MLoopbackOnly \
    perl util/faults.pl "$@" || rc=$?

if [ -e "$TABLE" ]; then
    echo
    cat "$TABLE"
fi

exit $rc
