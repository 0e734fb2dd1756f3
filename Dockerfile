# SPDX-License-Identifier: BSD-2-Clause

# Images for both sides, without a shell or anything else they do not need:
#
#     docker build --target sidecar -t k8s-sa-sidecar .
#     docker build --target client -t k8s-sa-client .
#
# By default they use Debian's nginx.  To use the nginx of the official images,
# and its authors' sources:
#
#     docker build --target sidecar -t k8s-sa-sidecar \
#         --build-arg BASE=docker.io/library/nginx:1.30-trixie \
#         --build-arg NGINX=official .
#
# util/image-test.sh builds and tests both.

ARG BASE=docker.io/library/debian:trixie-slim


FROM ${BASE} AS build

ARG NGINX=debian
USER root
WORKDIR /src

RUN set -eu; \
    export DEBIAN_FRONTEND=noninteractive; \
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; \
    chmod 755 /usr/sbin/policy-rc.d; \
    apt-get update -q; \
    apt-get install -y -q --no-install-recommends \
        ca-certificates gcc libc6-dev libjansson-dev libpcre2-dev libssl-dev \
        make pkgconf zlib1g-dev; \
    if [ "$NGINX" = debian ]; then \
        apt-get install -y -q --no-install-recommends nginx nginx-dev; \
    else \
        apt-get install -y -q --no-install-recommends curl; \
        version=$(nginx -v 2>&1 | sed 's,.*/,,'); \
        curl -sSf "https://nginx.org/download/nginx-$version.tar.gz" \
            | tar -xz -C /usr/src; \
        mkdir -p /usr/share/nginx; \
        ln -s "/usr/src/nginx-$version" /usr/share/nginx/src; \
    fi

COPY . .

RUN set -eu; \
    make -j"$(nproc)" module; \
    install -D -m 644 -s build/ngx_http_k8s_sa_module.so \
        /usr/lib/nginx/modules/ngx_http_k8s_sa_module.so; \
    gcc -O2 -Wall -Wextra -Werror -s -static-pie \
        -o /usr/bin/healthcheck docker/healthcheck.c; \
    docker/collect.sh /image /usr/sbin/nginx /usr/bin/healthcheck \
        /usr/lib/nginx/modules/ngx_http_k8s_sa_module.so; \
    mkdir -p /image/etc/nginx; \
    cp docker/nginx.conf /etc/nginx/mime.types /image/etc/nginx/


FROM scratch AS sidecar

COPY --from=build /image /
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=10s --timeout=3s CMD ["/usr/bin/healthcheck"]
ENTRYPOINT ["/usr/sbin/nginx", "-e", "stderr", "-g", "daemon off;"]


# The client is one static program, with a libcurl that supports only HTTP;
# Debian's own needs thirty libraries.  The source is the newest version that
# can actually be downloaded from the package archive.

FROM ${BASE} AS build-client

USER root
WORKDIR /src

RUN set -eu; \
    export DEBIAN_FRONTEND=noninteractive; \
    for file in /etc/apt/sources.list.d/*.sources; do \
        if [ -e "$file" ]; then \
            sed -i 's/^Types: deb$/Types: deb deb-src/' "$file"; \
        fi; \
    done; \
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do \
        if [ -e "$file" ]; then \
            sed -n 's/^deb /deb-src /p' "$file" >/tmp/sources; \
            cat /tmp/sources >>"$file"; \
        fi; \
    done; \
    apt-get update -q; \
    apt-get install -y -q --no-install-recommends \
        ca-certificates dpkg-dev gcc libc6-dev libjansson-dev libssl-dev \
        libzstd-dev make pkgconf zlib1g-dev; \
    cd /usr/src; \
    for version in $(apt-cache showsrc curl | sed -n 's/^Version: //p' \
                     | sort -Vru); \
    do \
        if apt-get source -q "curl=$version"; then break; fi; \
    done; \
    cd curl-*/; \
    ./configure --prefix=/usr/local --with-openssl --disable-shared \
        --without-zlib --without-brotli --without-zstd --without-libpsl \
        --without-libidn2 --without-nghttp2 --without-librtmp \
        --without-libssh2 --disable-ldap --disable-ftp \
        --disable-file --disable-dict --disable-telnet --disable-tftp \
        --disable-pop3 --disable-imap --disable-smb --disable-smtp \
        --disable-gopher --disable-mqtt --disable-rtsp --disable-ipfs \
        --disable-ntlm --disable-manual --disable-docs --disable-websockets \
        --disable-unix-sockets --with-ca-bundle=/etc/ssl/certs/ca-certificates.crt; \
    make -j"$(nproc)" -C lib; \
    make -C lib install; \
    make -C include install

COPY . .

RUN set -eu; \
    make -j"$(nproc)" build/libk8s_sa_token.a; \
    gcc -std=gnu11 -Isrc -I/usr/local/include \
        -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64 -O2 -Wall -Wextra -s -static \
        -o /usr/bin/k8s-sa-client client/*.c build/libk8s_sa_token.a \
        -L/usr/local/lib -lcurl -ljansson -lssl -lcrypto -lzstd -lz; \
    mkdir -p /image/usr/bin /image/etc/ssl/certs; \
    cp /usr/bin/k8s-sa-client /image/usr/bin/; \
    cp -L /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/


FROM scratch AS client

COPY --from=build-client /image /
USER 65532:65532
ENTRYPOINT ["/usr/bin/k8s-sa-client"]
