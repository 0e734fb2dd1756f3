#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause

# Measures the module and writes bench/README.md and bench/throughput.svg.
# Installs what it needs; takes less than ten minutes.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

install_packages "${BUILD_PACKAGES[@]}" "${BENCH_PACKAGES[@]}"
step "building the module" make -j"$(nproc)" module
make bench
