# SPDX-License-Identifier: BSD-2-Clause

# What the scripts in util/ share: telling what they do, installing what is
# missing, taking a package from another Debian suite, and cleaning up.
# Sourced by bash under set -eu, from the top of the tree.
# shellcheck shell=bash disable=SC2034,SC2016,SC1091

export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

STARTED=$SECONDS

# a directory of this run's own; 755: apt reads below it as its own user
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/k8s-sa.XXXXXX")
chmod 755 "$SCRATCH"


# Packages, each with its reason

BUILD_PACKAGES=(
    gcc make                # the compiler and what drives it
    libc6-dev               # gcc only recommends it
    nginx nginx-dev         # the server, and its headers and build flags
    libpcre2-dev zlib1g-dev # nginx's own configure looks for them
    libssl-dev              # OpenSSL 3: signatures, keys, TLS
    libjansson-dev          # JSON
    libcurl4-openssl-dev    # k8s-sa-client
    pkgconf                 # finds the libraries
)

DEMO_PACKAGES=(
    "${BUILD_PACKAGES[@]}"
    curl                    # calls without a token, and with headers
)

TEST_PACKAGES=(
    "${BUILD_PACKAGES[@]}"
    libcmocka-dev           # unit tests
    perl                    # prove, and the tests that it runs
    libcrypt-jwt-perl       # tests sign tokens of their own
    libio-socket-ssl-perl   # mock issuers that speak TLS
    libyaml-libyaml-perl    # examples are YAML
    openssl curl            # keys and certificates; requests
    procps                  # what a test has left running
    prometheus              # its promtool checks the metrics
    valgrind                # counts instructions: t/bench
    shellcheck              # checks scripts: util/check-style.sh
)

FUZZ_PACKAGES=(
    gcc make libc6-dev      # what clang needs of them; make
    clang libclang-rt-dev   # libFuzzer and the sanitizers
    llvm                    # names in their reports
    libssl-dev libjansson-dev
    openssl perl            # seeds
)

BENCH_PACKAGES=(
    perl libcrypt-jwt-perl  # what drives it, with the tests' helpers
    wrk valgrind            # makes load; counts instructions
    haproxy libnginx-mod-http-js    # measured beside the module
    libnginx-mod-http-lua lua-luaossl lua-cjson
)

KUBE_PACKAGES=(
    dpkg-dev xz-utils       # unpack Debian's source package
    openssl curl            # its certificates; talking to it
)

CHROOT_PACKAGES=(
    mmdebstrap              # makes a fresh Debian
    git                     # what is copied into it: a clone
)


# Telling

say() {
    printf '[%3ds] %s\n' "$((SECONDS - STARTED))" "$*"
}

fail() {
    printf '[%3ds] FAILED: %s\n' "$((SECONDS - STARTED))" "$*" >&2
    exit 1
}

# step TEXT COMMAND...: run it, its output in a log that is shown only when it
# fails; a sign of life every ten seconds, with the last line of the log

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
            say "  still at it: ${last:0:56}"
        fi
    done

    wait "$pid" || rc=$?
    if [ "$rc" != 0 ]; then
        grep -iE '(^|[^a-z])error|:[0-9]+:' "$log" | tail -n 20 >&2 || true
        echo "---- the end of what it said:" >&2
        tail -n 20 "$log" >&2
        fail "$text (exit $rc; above: why)"
    fi
}


# What runs at the end, in reverse order

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


# Loopback ports that nothing listens on.  One that is taken between the look
# and the bind shows as the server's own error.

free_port() {
    local port tries

    for tries in {1..100}; do
        port=$((10000 + RANDOM % 20000))
        if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done

    fail "no free port on 127.0.0.1 in $tries tries"
}


# Installing

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        fail "neither root nor sudo, needed for: $*"
    fi
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# sudo's question has to come before a step hides it

ask_for_root() {
    as_root true || fail "could not become root to install packages"
}

# Debian starts a server when its package is installed; a script that leaves
# nothing running asks it not to, as container images do.

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
        || fail "not a Debian machine; install what Debian calls: ${missing[*]}"

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


# Packages of another suite, by an apt state of its own: the machine's sources
# stay as they are, and nothing else can come from that suite.  The archive is
# the one that the machine's own release comes from.

own_codename() {
    . /etc/os-release
    echo "${VERSION_CODENAME:-sid}"
}

# archive_uri CODENAME: a pattern

archive_uri() {
    apt-get indextargets --format '$(CODENAME) $(REPO_URI)' \
        | awk -v codename="^$1\$" '$1 ~ codename { print $2; exit }'
}

# other_suite deb|deb-src SUITE: apt_other, from now on, is about that one

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

    [ -n "$uri" ] || fail "apt-get indextargets names no archive for this" \
                          "machine's own release"

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

# fetch_debs SUITE DIR PACKAGE...: the .deb files, into DIR

fetch_debs() {
    local suite=$1 dir=$2
    shift 2

    other_suite deb "$suite" && cd "$dir" && apt_other apt-get download -q "$@"
}


# Test::Nginx is in no stable release yet, but installs on 12 and 13.

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

    fail "Test::Nginx cannot be had from this machine's Debian archive" \
         "(above: why). Install it from CPAN: cpan Test::Nginx"
}
