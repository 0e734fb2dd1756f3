#!/bin/bash

# Measures the module and writes bench/README.md and bench/throughput.svg.
# Installs what it needs; takes under ten minutes.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

install_packages "${BUILD_PACKAGES[@]}" wrk haproxy valgrind curl procps
make
make bench
