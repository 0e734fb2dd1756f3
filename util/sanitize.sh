#!/bin/bash
#
# The suites with an nginx that is built, like the module, with the address,
# leak and undefined behaviour sanitizers and with NGX_DEBUG_PALLOC, which makes
# each small allocation one that these see:
#
#     util/sanitize.sh [SUITE...]              all of t/*.t, t/net, t/shared
#     util/sanitize.sh --valgrind [SUITE...]   without sanitizers, in valgrind;
#                                              a few suites
#
# Fails if there is a report about anything but nginx's own leaks.  Tests that
# fail without one are named: everything is several times slower here, and some
# look at the time.
#
# nginx's sources are NGINX_SRC, or those of Debian's source package.
# Environment: BUILD, SUITE_TIMEOUT.

set -eu
cd "$(dirname "$0")/.."
. util/lib.sh

SUITE_TIMEOUT=${SUITE_TIMEOUT:-900}
TOOL=sanitizers

# shellcheck disable=SC2054
SANITIZE=(
    -fsanitize=address,undefined
    -fno-sanitize=alignment             # x86 may, and nginx does
    -fsanitize-undefined-trap-on-error  # a report by the address sanitizer,
                                        # which has a file for them
)

# what nginx 1.22 itself does, such as memcpy(dst, NULL, 0)
NOT_IN_NGINX=-fno-sanitize=nonnull-attribute,pointer-overflow,shift

if [ "${1:-}" = --valgrind ]; then
    TOOL=valgrind
    SANITIZE=()
    NOT_IN_NGINX=
    shift
fi

BUILD=${BUILD:-build-$TOOL}
mkdir -p "$BUILD"
BUILD=$(realpath "$BUILD")
REPORTS=$BUILD/reports

install_packages "${TEST_PACKAGES[@]}" dpkg-dev valgrind
install_test_nginx


# Debian's nginx: its source package; without the packaging where that cannot be
# had, as of a version that a security update has replaced

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


# nginx with the modules that the suites need, then ours in the same tree's
# likeness; the Makefile takes the options from conf_flags

build() {
    rm -rf "$BUILD/server"
    cp -r "$NGINX_SRC" "$BUILD/server"
    rm -rf "$BUILD/server/objs" "$BUILD/server/Makefile"

    cat >"$BUILD/server/conf_flags" <<-'END'
	NGX_CONF_FLAGS=(--with-compat --with-debug --with-threads --with-pcre-jit
	    --with-http_ssl_module --with-http_v2_module
	    --with-http_auth_request_module --with-http_realip_module
	    --with-http_stub_status_module --with-http_sub_module
	    --with-http_addition_module --with-http_slice_module
	    --with-http_dav_module --with-http_gunzip_module
	    --with-http_gzip_static_module --with-http_random_index_module
	    --with-http_secure_link_module)
	END

    CFLAGS="-O1 -g -fno-omit-frame-pointer ${SANITIZE[*]} -DNGX_DEBUG_PALLOC=1"
    LDFLAGS="${SANITIZE[*]}"
    export CFLAGS LDFLAGS

    gcc -Wall -Wextra -Werror -O1 -g -fPIC -DREPORTS="\"$REPORTS/report\"" \
        -c -o "$BUILD/sanitize.o" util/sanitize.c

    (
        cd "$BUILD/server"
        # shellcheck disable=SC1091
        . ./conf_flags
        configure=./configure
        [ -f $configure ] || configure=auto/configure
        $configure "${NGX_CONF_FLAGS[@]}" \
            --with-cc-opt="$CFLAGS $NOT_IN_NGINX" \
            --with-ld-opt="$LDFLAGS $BUILD/sanitize.o -Wl,-E"
        make -j"$(nproc)" -f objs/Makefile binary
    )

    export NGINX_SRC=$BUILD/server
    make -j"$(nproc)" BUILD="$BUILD" module
    make -C t/net BUILD="$BUILD/net"
    t/lib/build-test-module.sh t/shared "$BUILD/t/shared"
}

step "building nginx and the modules" build

# suites have an opinion on the options of sanitizers; ours are built in

COMMAND="exec $BUILD/server/objs/nginx"

if [ $TOOL = valgrind ]; then
    COMMAND="exec valgrind --quiet --leak-check=full --num-callers=30"
    COMMAND="$COMMAND --show-leak-kinds=definite --keep-debuginfo=yes"
    COMMAND="$COMMAND --log-file=$REPORTS/report.%p $BUILD/server/objs/nginx"
fi

cat >"$BUILD/nginx-$TOOL" <<END
#!/bin/sh
unset ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS LD_PRELOAD
$COMMAND "\$@"
END
chmod 755 "$BUILD/nginx-$TOOL"


# ours FILE...: what in these reports is no leak of nginx's own.  A stack that
# ends in a library may be ours, and the module has no names once it is
# unloaded.

ours() {
    perl -e '
        my $errors = qr/^(?:Invalid|Conditional|Use of|Syscall|Process term
                         |Jump|Mismatched|Source and dest)/mx;

        for my $file (@ARGV) {
            open my $fh, "<", $file or next;
            my $text = join "", <$fh>;

            if ($text =~ /ERROR: AddressSanitizer/) {
                print "$file:\n$text\n";
                next;
            }

            $text =~ s/^==\d+== ?//mg if $text !~ /LeakSanitizer/;

            for my $part (split /\n\s*\n/, $text) {

                if ($part =~ /leak of|lost in loss record/) {
                    next if $part =~ / ngx_| main /
                            && $part !~ /k8s_sa|unknown module|jansson/;

                } else {
                    next if $part !~ $errors;

                    # padding of what nginx sends to its workers
                    next if $part =~ /^Syscall/
                            && $part =~ /ngx_write_channel/;
                }

                print "$file:\n$part\n\n";
            }
        }' -- "$@"
}

SUITES=("$@")

if [ $# = 0 ]; then
    SUITES=(t/*.t t/net/*.t t/shared/*.t)
    if [ $TOOL = valgrind ]; then
        SUITES=(t/leak.t t/files.t t/whoami.t t/discovery_refresh.t
                t/discovery_rotation.t t/token_review.t)
    fi
fi

export TEST_NGINX_BINARY=$BUILD/nginx-$TOOL
export NET_TEST_NGINX=$TEST_NGINX_BINARY NET_TEST_ASAN=1
export K8S_SA_MODULE=$BUILD/ngx_http_k8s_sa_module.so
export TEST_NGINX_MODULE=$K8S_SA_MODULE TEST_NGINX_LOAD_MODULES=$K8S_SA_MODULE
export NET_TEST_MODULE=$BUILD/net/ngx_http_k8s_sa_net_test_module.so
export TEST_NGINX_TIMEOUT=20 BUILD NGINX_SRC
export PERL5LIB=$PWD/util:$PWD/t/lib PERL5OPT=-MLoopbackOnly TMPDIR=$SCRATCH

FOUND=0
SLOW=()

for suite in "${SUITES[@]}"; do

    # workers are another user
    rm -rf "$REPORTS"
    mkdir "$REPORTS"
    chmod 1777 "$REPORTS"

    TEST_NGINX_SERVROOT=$SCRATCH/servroot TEST_NGINX_PORT=$(free_port)
    export TEST_NGINX_SERVROOT TEST_NGINX_PORT

    rc=0
    began=$SECONDS
    timeout -k 10 "$SUITE_TIMEOUT" prove -v --merge "$suite" \
        >"$SCRATCH/tap" 2>&1 </dev/null || rc=$?

    ours "$REPORTS"/* >"$SCRATCH/found"

    say "$suite: $(grep -c '^ok ' "$SCRATCH/tap" || true) passed," \
        "$(grep -c '^not ok ' "$SCRATCH/tap" || true) failed" \
        "($((SECONDS - began)) s)"

    if [ -s "$SCRATCH/found" ]; then
        cat "$SCRATCH/found"
        FOUND=$((FOUND + 1))
    elif [ $rc != 0 ]; then
        SLOW+=("$suite")
        grep -A 4 '^not ok ' "$SCRATCH/tap" | head -n 20 || true
        grep -q '^not ok ' "$SCRATCH/tap" || tail -n 5 "$SCRATCH/tap"
    fi
done

if [ ${#SLOW[@]} != 0 ]; then
    say "tests failed without a report in: ${SLOW[*]}"
fi

[ $FOUND = 0 ] || fail "reports in $FOUND of ${#SUITES[@]} suites"
say "no report in ${#SUITES[@]} suites"
