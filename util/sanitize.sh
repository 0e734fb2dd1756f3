#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs the suites with nginx and the module built with the address, leak and
# undefined behaviour sanitizers and with NGX_DEBUG_PALLOC, so that each small
# allocation is a separate one:
#
#     util/sanitize.sh [SUITE...]              default: t/*.t, t/net, t/shared
#     util/sanitize.sh --valgrind [SUITE...]   in valgrind, without sanitizers
#
# Fails if there is any report, except for memory that nginx itself never frees
# (NGINX_LEAKS), or if a suite fails twice.  Valgrind is too slow for suites
# that depend on time: there, a failed suite is only reported.
#
# Environment: BUILD; SUITE_TIMEOUT; NGINX_SRC, nginx's sources (default: those
# of Debian's source package).

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

SUITE_TIMEOUT=${SUITE_TIMEOUT:-900}
TOOL=sanitizers
CC=clang
TOOL_PACKAGES=(
    clang libclang-rt-dev   # gcc's UBSan writes to stderr, which nginx closes
    llvm                    # symbols in reports
)

# nginx makes unaligned reads on x86, where they are allowed; nginx and each
# module have an ngx_modules of their own
SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined
          -fno-sanitize=alignment -fsanitize-address-use-odr-indicator
          -fno-omit-frame-pointer"

# nginx 1.22 does such things itself, for example memcpy(dst, NULL, 0)
NOT_IN_NGINX=-fno-sanitize=nonnull-attribute,pointer-overflow,shift,function

# functions of nginx 1.22 whose memory is never freed; none calls a module
NGINX_LEAKS=(ngx_event_process_init ngx_epoll_init ngx_set_environment
             ngx_save_argv ngx_init_setproctitle ngx_regex_malloc)

if [ "${1:-}" = --valgrind ]; then
    TOOL=valgrind
    CC=gcc
    TOOL_PACKAGES=(valgrind)
    SANITIZE=
    NOT_IN_NGINX=
    shift
fi

BUILD=${BUILD:-build-$TOOL}
mkdir -p "$BUILD"
BUILD=$(realpath "$BUILD")
REPORTS=$BUILD/reports

install_packages "${TEST_PACKAGES[@]}" "${TOOL_PACKAGES[@]}" dpkg-dev
install_test_nginx


# Debian's source package of nginx, or only the original sources if the archive
# no longer has the package, such as after a security update

get_sources() {
    local version

    other_suite deb-src "$(own_codename)"
    cd "$SCRATCH"

    for version in "" $(apt_other apt-cache showsrc nginx \
                            | sed -n 's/^Version: /=/p' | sort -u -V -r)
    do
        rm -rf nginx-*/
        apt_other apt-get source -q "nginx$version" && return
    done

    apt_other apt-get source -q --tar-only nginx
    tar -xf nginx_*.orig.tar.*
}

if [ -z "${NGINX_SRC:-}" ]; then
    step "fetching nginx's sources" get_sources
    NGINX_SRC=$(echo "$SCRATCH"/nginx-*/)
fi


# nginx with the modules that the suites need, then our module with the same
# options, which the Makefile reads from conf_flags

build() {
    rm -rf "$BUILD/server"
    cp -r "$NGINX_SRC" "$BUILD/server"
    rm -rf "$BUILD/server/objs" "$BUILD/server/Makefile"

    cat >"$BUILD/server/conf_flags" <<'END'
NGX_CONF_FLAGS=(--with-compat --with-debug --with-threads --with-pcre-jit
    --with-http_ssl_module --with-http_v2_module
    --with-http_auth_request_module --with-http_realip_module
    --with-http_stub_status_module --with-http_sub_module
    --with-http_addition_module --with-http_slice_module
    --with-http_dav_module --with-http_gunzip_module
    --with-http_gzip_static_module --with-http_random_index_module
    --with-http_secure_link_module)
END

    export CC CFLAGS LDFLAGS
    CFLAGS="-O1 -g -DNGX_DEBUG_PALLOC=1 ${SANITIZE//$'\n'/ }"
    LDFLAGS=${SANITIZE//$'\n'/ }

    $CC -Wall -Wextra -Werror -O1 -g -fPIC -DREPORTS="\"$REPORTS\"" \
        -DSYMBOLIZER="\"$(command -v llvm-symbolizer || true)\"" \
        -DNGINX_LEAKS="\"$(printf 'leak:^%s$\\n' "${NGINX_LEAKS[@]}")\"" \
        -c -o "$BUILD/sanitize.o" util/sanitize.c

    (
        cd "$BUILD/server"
        # shellcheck disable=SC1091
        . ./conf_flags
        configure=./configure
        [ -f $configure ] || configure=auto/configure
        $configure "${NGX_CONF_FLAGS[@]}" --with-cc=$CC \
            --with-cc-opt="$CFLAGS $NOT_IN_NGINX" \
            --with-ld-opt="$LDFLAGS $BUILD/sanitize.o -Wl,-E \
                -Wl,--wrap=ngx_init_cycle -Wl,--wrap=kill"
        make -j"$(nproc)" -f objs/Makefile binary
    )

    export NGINX_SRC=$BUILD/server
    make -j"$(nproc)" BUILD="$BUILD" module
    make -j"$(nproc)" BUILD="$BUILD" LDFLAGS="$LDFLAGS $BUILD/sanitize.o" client
    make -C t/net -j"$(nproc)" BUILD="$BUILD/net"
    t/lib/build-test-module.sh t/shared "$BUILD/t/shared"
}

step "building nginx and the modules" build

# suites set sanitizer options, too; ours are compiled in (util/sanitize.c)

SERVER=$BUILD/server/objs/nginx
COMMAND="exec $SERVER"

if [ $TOOL = valgrind ]; then
    COMMAND="exec valgrind --quiet --leak-check=full --num-callers=30
        --show-leak-kinds=definite --keep-debuginfo=yes --vgdb=no
        --trace-children=yes --log-file=$REPORTS/report.%p
        --suppressions=$BUILD/valgrind.supp $SERVER"
fi

# also the connections that are open when a worker terminates: for valgrind,
# their array is reachable from their own pools only

{
    for leak in "${NGINX_LEAKS[@]}"; do
        printf '{\n%s\nMemcheck:Leak\n...\nfun:%s\n...\n}\n' "$leak" "$leak"
    done

    printf '%s\n' '{' connections Memcheck:Leak fun:memalign \
        fun:posix_memalign fun:ngx_memalign fun:ngx_create_pool \
        fun:ngx_event_accept ... '}'
} >"$BUILD/valgrind.supp"

cat >"$BUILD/nginx-$TOOL" <<END
#!/bin/sh
unset ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS LD_PRELOAD
${COMMAND//$'\n'/ } "\$@"
END
chmod 755 "$BUILD/nginx-$TOOL"


# servers: the pids of nginx, alone or in valgrind

servers() {
    local file

    for file in /proc/[0-9]*; do
        if [ "$(readlink "$file/exe")" = "$SERVER" ] \
            || grep -sqzxF -e "--log-file=$REPORTS/report.%p" "$file/cmdline"
        then
            basename "$file"
        fi
    done
}

# Servers that a test leaves have 30 seconds to end and to report leaks.

wait_for_servers() {
    local pids

    for _ in {1..60}; do
        pids=$(servers)
        [ -n "$pids" ] || return 0
        sleep 0.5
    done

    # shellcheck disable=SC2086
    ps -o pid,etimes,args $pids
    # shellcheck disable=SC2086
    kill -KILL $pids
    return 1
}

SUITES=("$@")
[ $# != 0 ] || SUITES=(t/*.t t/net/*.t t/shared/*.t)

export TEST_NGINX_BINARY=$BUILD/nginx-$TOOL
export NET_TEST_NGINX=$TEST_NGINX_BINARY NET_TEST_ASAN=1
export K8S_SA_MODULE=$BUILD/ngx_http_k8s_sa_module.so
export K8S_SA_CLIENT=$BUILD/k8s-sa-client
export TEST_NGINX_MODULE=$K8S_SA_MODULE TEST_NGINX_LOAD_MODULES=$K8S_SA_MODULE
export NET_TEST_MODULE=$BUILD/net/ngx_http_k8s_sa_net_test_module.so
export TEST_NGINX_TIMEOUT=20 BUILD NGINX_SRC
export PERL5LIB=$PWD/util:$PWD/t/lib PERL5OPT=-MLoopbackOnly TMPDIR=$SCRATCH

# run SUITE: writes its TAP to $SCRATCH/tap, reports to $REPORTS; returns 1 if
# it failed

run() {
    local rc=0

    # workers run as another user
    rm -rf "$REPORTS"
    mkdir "$REPORTS"
    touch "$REPORTS/checked"    # a byte for each process
    chmod 1777 "$REPORTS"
    chmod 666 "$REPORTS/checked"

    TEST_NGINX_SERVROOT=$SCRATCH/servroot TEST_NGINX_PORT=$(free_port)
    export TEST_NGINX_SERVROOT TEST_NGINX_PORT

    timeout -k 10 "$SUITE_TIMEOUT" prove -v --merge "$1" \
        >"$SCRATCH/tap" 2>&1 </dev/null || rc=1
    wait_for_servers || rc=1

    return $rc
}

reported() {
    grep -qs . "$REPORTS"/report*
}

FOUND=0
FAILED=()

for suite in "${SUITES[@]}"; do
    began=$SECONDS
    rc=0
    run "$suite" || rc=1

    # some suites depend on time
    if [ $rc = 1 ] && ! reported; then
        say "$suite failed; trying again"
        rc=0
        run "$suite" || rc=1
    fi

    say "$suite: $(grep -c '^ok ' "$SCRATCH/tap" || true) passed," \
        "$(grep -c '^not ok ' "$SCRATCH/tap" || true) failed," \
        "$(wc -c <"$REPORTS/checked") processes checked for leaks" \
        "($((SECONDS - began)) s)"

    if reported; then
        rm -rf "$BUILD/reports.$FOUND"
        cp -r "$REPORTS" "$BUILD/reports.$FOUND"
        cat "$REPORTS"/report* | grep . | head -n 60
        say "$suite: the whole reports are in $BUILD/reports.$FOUND"
        FOUND=$((FOUND + 1))
    elif [ $rc = 1 ]; then
        FAILED+=("$suite")
        grep -A 4 '^not ok ' "$SCRATCH/tap" | head -n 20 || true
        grep -q '^not ok ' "$SCRATCH/tap" || tail -n 5 "$SCRATCH/tap"
    fi
done

[ $FOUND = 0 ] || fail "reports in $FOUND of ${#SUITES[@]} suites"

if [ ${#FAILED[@]} != 0 ]; then
    say "no reports, but failed tests in: ${FAILED[*]}"
    [ $TOOL = valgrind ] || exit 1
fi

say "no reports in ${#SUITES[@]} suites"
