# SPDX-License-Identifier: BSD-2-Clause

# Shared by the scripts in util/: progress messages, installation of missing
# packages, packages from another Debian suite, clean-up.  Sourced by bash under
# set -eu, at the top of the tree.
# shellcheck shell=bash disable=SC2034,SC2016,SC1091

export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

STARTED=$SECONDS

# a directory for this run; mode 755, since apt reads there as another user
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/k8s-sa.XXXXXX")
chmod 755 "$SCRATCH"


# Packages, each with its reason

BUILD_PACKAGES=(
    gcc make
    libc6-dev               # only recommended by gcc
    nginx nginx-dev         # the server, and its headers and build flags
    libpcre2-dev zlib1g-dev # required by nginx's configure
    libssl-dev              # OpenSSL 3: signatures, keys, TLS
    libjansson-dev          # JSON
    libcurl4-openssl-dev    # k8s-sa-client
    pkgconf
)

DEMO_PACKAGES=(
    "${BUILD_PACKAGES[@]}"
    curl                    # requests without a token or with more headers
)

TEST_PACKAGES=(
    "${BUILD_PACKAGES[@]}"
    libcmocka-dev           # unit tests
    perl                    # prove and the suites
    libcrypt-jwt-perl       # signs the suites' tokens
    libio-socket-ssl-perl   # mock issuers with TLS
    libyaml-libyaml-perl    # reads the YAML examples
    openssl curl            # keys and certificates; requests
    procps                  # finds processes that a test has left
    prometheus              # promtool checks the metrics
    valgrind                # counts instructions: t/bench
    shellcheck              # util/check-style.sh
)

FUZZ_PACKAGES=(
    gcc make libc6-dev      # clang uses gcc's and libc's files
    clang libclang-rt-dev   # libFuzzer and the sanitizers
    llvm                    # symbols in their reports
    libssl-dev libjansson-dev
    openssl perl            # seeds
)

BENCH_PACKAGES=(
    perl libcrypt-jwt-perl  # bench.pl, with the suites' helpers
    wrk valgrind            # load; instructions
    haproxy libnginx-mod-http-js    # what the module is compared with
    libnginx-mod-http-lua lua-luaossl lua-cjson
)

KUBE_PACKAGES=(
    dpkg-dev xz-utils       # unpack Debian's source package
    openssl curl            # the cluster's certificates; requests
)

CHROOT_PACKAGES=(
    mmdebstrap              # makes a minimal Debian
    git                     # for the commit that is copied into it
)


# Messages

say() {
    printf '[%3ds] %s\n' "$((SECONDS - STARTED))" "$*"
}

fail() {
    printf '[%3ds] FAILED: %s\n' "$((SECONDS - STARTED))" "$*" >&2
    exit 1
}

# step TEXT COMMAND...: runs COMMAND and shows its output only if it fails;
# every ten seconds, the last line of it

step() {
    local text=$1 log pid began=$SECONDS last rc=0
    shift

    log=$(mktemp "$SCRATCH/step.XXXXXX")
    say "$text ..."

    "$@" >"$log" 2>&1 </dev/null &
    pid=$!

    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if [ $((SECONDS - began)) -ge 10 ]; then
            began=$SECONDS
            last=$(tail -c 2000 "$log" | tr -s '\r\n' '\n' | tail -n 1)
            say "  still running: ${last:0:54}"
        fi
    done

    wait "$pid" || rc=$?
    if [ "$rc" != 0 ]; then
        grep -iE '(^|[^a-z])error|:[0-9]+:' "$log" | tail -n 20 >&2 || true
        echo "---- the end of its output:" >&2
        tail -n 20 "$log" >&2
        fail "$text (exit $rc; see above)"
    fi
}


# Clean-up at exit, in reverse order

AT_EXIT=()

at_exit() {
    AT_EXIT=("$1" "${AT_EXIT[@]}")
}

clean_up() {
    local command

    for command in "${AT_EXIT[@]}"; do
        $command || true
    done

    rm -rf "$SCRATCH"
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP


# A loopback port that nothing listens on.  If it is taken before the server
# binds to it, the server reports that.

free_port() {
    local port tries

    for tries in {1..100}; do
        port=$((10000 + RANDOM % 20000))
        if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done

    fail "no free port on 127.0.0.1 after $tries tries"
}


# Installing

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        fail "root or sudo is needed for: $*"
    fi
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# sudo asks for the password before a step hides its prompt

ask_for_root() {
    as_root true || fail "could not become root to install packages"
}

# Debian starts a server when its package is installed; policy-rc.d prevents
# that, as in container images.

apt_install() {
    as_root bash -c '
        policy=/usr/sbin/policy-rc.d
        if [ ! -e $policy ]; then
            trap "rm -f $policy" EXIT
            printf "#!/bin/sh\nexit 101\n" >$policy
            chmod 755 $policy
        fi
        apt-get install -y -q --no-install-recommends \
            -o DPkg::Lock::Timeout=300 "$@"' apt_install "$@"
}

install_packages() {
    local package missing=()

    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done

    if [ ${#missing[@]} = 0 ]; then
        return
    fi

    command -v apt-get >/dev/null \
        || fail "this is not Debian; missing are Debian's ${missing[*]}"

    ask_for_root
    step "reading the lists of Debian's packages" \
        as_root apt-get update -q -o DPkg::Lock::Timeout=300
    step "installing ${missing[*]}" apt_install "${missing[@]}"

    if [ -d /run/systemd/system ]; then
        for package in "${missing[@]}"; do
            case $package in
            nginx|prometheus)
                as_root systemctl disable --quiet "$package" 2>/dev/null || true
            esac
        done
    fi
}


# Packages of another suite, with a separate apt state: the machine's sources
# stay unchanged, and no other package can come from that suite.  The archive is
# the one that the machine's own release comes from.

own_codename() {
    . /etc/os-release
    echo "${VERSION_CODENAME:-sid}"
}

# archive_uri PATTERN: the archive of the release with this code name

archive_uri() {
    apt-get indextargets --format '$(CODENAME) $(REPO_URI)' \
        | awk -v codename="^$1\$" '$1 ~ codename { print $2; exit }'
}

# other_suite deb|deb-src SUITE: makes apt_other use that suite

other_suite() {
    local uri key=/usr/share/keyrings/debian-archive-keyring.gpg
    local options="check-valid-until=no"

    uri=$(archive_uri "$(own_codename)")
    if [ -z "$uri" ]; then
        ask_for_root
        step "reading the lists of Debian's packages" \
            as_root apt-get update -q -o DPkg::Lock::Timeout=300
        uri=$(archive_uri "$(own_codename)")
    fi

    [ -n "$uri" ] || fail "apt-get indextargets shows no archive for this" \
                          "machine's release"

    if [ -e $key ]; then
        options="$options signed-by=$key"
    fi

    OTHER=$SCRATCH/apt.$2.$1
    mkdir -p "$OTHER/lists/partial" "$OTHER/cache/archives/partial"
    echo "$1 [$options] $uri $2 main" >"$OTHER/sources.list"

    apt_other apt-get update -q
}

apt_other() {
    local command=$1
    shift

    "$command" -o Dir::Etc::SourceList="$OTHER/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::PreferencesParts=/dev/null \
        -o Dir::State::Lists="$OTHER/lists" \
        -o Dir::Cache="$OTHER/cache" "$@"
}

# fetch_debs SUITE DIR PACKAGE...: downloads the .deb files to DIR

fetch_debs() {
    local suite=$1 dir=$2
    shift 2

    other_suite deb "$suite" && cd "$dir" && apt_other apt-get download -q "$@"
}


# No stable Debian has Test::Nginx yet, but the package installs on 12 and 13.

have_test_nginx() {
    perl -MTest::Nginx::Socket -e 1 2>/dev/null
}

install_test_nginx() {
    local package=libtest-nginx-perl suite dir

    if have_test_nginx; then
        return
    fi

    if apt-cache show $package >/dev/null 2>&1; then
        install_packages $package
        return
    fi

    dir=$SCRATCH/test-nginx
    mkdir -p "$dir"

    for suite in forky sid; do
        say "fetching $package from Debian $suite ..."
        if (fetch_debs $suite "$dir" $package) >"$dir/log" 2>&1; then
            ask_for_root
            step "installing $package" apt_install "$dir"/*.deb
            have_test_nginx || fail "$package does not load"
            return
        fi
        grep '^[EW]:' "$dir/log" >&2 || true
    done

    fail "this machine's Debian archive does not provide Test::Nginx (see" \
         "above). Install it from CPAN: cpan Test::Nginx"
}
