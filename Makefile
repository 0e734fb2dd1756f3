# SPDX-License-Identifier: BSD-2-Clause

# make                        the module and the client, in build/
# make NGINX_SRC=DIR          the same against an nginx source tree
# make check                  unit tests
# make bench                  measure; writes bench/README.md and a picture
# make install DESTDIR=DIR    install both
#
# util/test.sh installs what is needed and runs all tests.

BUILD      ?= build
NGINX_SRC  ?= /usr/share/nginx/src
NGINX_OPTS ?=

PREFIX     ?= /usr
MODULEDIR  ?= $(PREFIX)/lib/nginx/modules
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man

CC         ?= gcc
CFLAGS     ?= -O2 -g
WARNINGS    = -Wall -Wextra -Wdeclaration-after-statement -Werror
PKG_CONFIG ?= pkg-config

LIBS        = -ljansson -lssl -lcrypto
HEADERS     = $(wildcard src/*/*.h client/*.h)

TOKEN_OBJS  = $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/token/*.c))
CLIENT_OBJS = $(patsubst %.c,$(BUILD)/%.o,$(wildcard client/*.c))
UNIT_TESTS  = $(patsubst %.c,$(BUILD)/%,$(wildcard t/unit/*_test.c))

MODULE      = $(BUILD)/ngx_http_k8s_sa_module.so
CLIENT      = $(BUILD)/k8s-sa-client

.PHONY: all module client check bench install clean
.DELETE_ON_ERROR:

all: module client
module: $(MODULE)
client: $(CLIENT)


# src/token/ and the client, without nginx's headers.  The client shows times
# after 2038, also on 32-bit systems; the module has nginx's time_t.

$(BUILD)/src/token/%.o $(BUILD)/client/%.o: CPPFLAGS += -Isrc
$(BUILD)/client/%.o: CPPFLAGS += -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64

$(TOKEN_OBJS): | $(BUILD)/token.needs
$(CLIENT_OBJS): | $(BUILD)/client.needs

$(BUILD)/token.needs: NEEDS = "libcrypto >= 3.0" "jansson >= 2.14"
$(BUILD)/client.needs: NEEDS = "libcrypto >= 3.0" "jansson >= 2.14" libcurl

# Without pkg-config the compiler tells what is missing.

$(BUILD)/%.needs:
	@mkdir -p $(@D)
	@! command -v $(PKG_CONFIG) >/dev/null \
	    || $(PKG_CONFIG) --print-errors --exists $(NEEDS) \
	    || { echo 'The $* needs $(NEEDS)' >&2; exit 1; }
	@touch $@

$(BUILD)/%.o: %.c $(HEADERS) Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CPPFLAGS) $(CFLAGS) $(WARNINGS) -c -o $@ $<

$(BUILD)/libk8s_sa_token.a: $(TOKEN_OBJS)
	rm -f $@
	$(AR) rcs $@ $^

$(CLIENT): $(CLIENT_OBJS) $(BUILD)/libk8s_sa_token.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcurl $(LIBS)

$(BUILD)/t/unit/%_test: t/unit/%_test.c $(wildcard t/unit/*.h) \
                        $(BUILD)/libk8s_sa_token.a $(HEADERS) Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -Isrc $(CPPFLAGS) $(CFLAGS) $(WARNINGS) $(LDFLAGS) \
	    -o $@ $< $(BUILD)/libk8s_sa_token.a -lcmocka $(LIBS)

# lets allocations of src/token/ fail

$(BUILD)/t/unit/memory_test: override LDFLAGS += \
    -Wl,--wrap=malloc,--wrap=calloc

check: $(UNIT_TESTS)
	@set -e; for t in $(abspath $^); do echo "$$t"; $$t; done


$(BUILD)/bench/verify: bench/verify.h
$(BUILD)/bench/%: bench/%.c $(BUILD)/libk8s_sa_token.a Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -Isrc $(CPPFLAGS) $(CFLAGS) $(WARNINGS) $(LDFLAGS) \
	    -o $@ $< $(BUILD)/libk8s_sa_token.a $(LIBS)

$(BUILD)/bench/spin.so: bench/spin.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) -shared -fPIC -o $@ $<

$(BUILD)/bench/inside.so: bench/inside.c bench/verify.h Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -Isrc $(CFLAGS) $(WARNINGS) -shared -fPIC -o $@ $< \
	    src/token/k8s_sa_base64url.c -lcrypto

bench: module $(addprefix $(BUILD)/bench/,tokens verify spin.so inside.so)
	K8S_SA_MODULE=$(abspath $(MODULE)) BENCH_BIN=$(abspath $(BUILD))/bench \
	    bench/bench.pl


# The module, with nginx's own configure.  It runs in a tree of links, so that
# nginx's sources stay unchanged (they may belong to root).  Debian's nginx-dev
# provides the options of its nginx in conf_flags.

NGINX_TREE  = $(BUILD)/nginx
NGINX_STAMP = $(BUILD)/nginx.configured

$(NGINX_STAMP): config Makefile $(wildcard $(NGINX_SRC)/conf_flags) \
                src/token src/net src/shared src/issuer src/http \
                src/conf src/status
	rm -rf $(NGINX_TREE) $@
	mkdir -p $(NGINX_TREE)
	@test -d $(NGINX_SRC)/auto || { echo "no sources of nginx in" \
	    "$(NGINX_SRC): install nginx-dev or set NGINX_SRC"; exit 1; }
	cp -rs $(abspath $(NGINX_SRC))/. $(NGINX_TREE)
	rm -rf $(NGINX_TREE)/Makefile $(NGINX_TREE)/objs
	cd $(NGINX_TREE) && bash -c ' \
	    NGX_CONF_FLAGS=(--with-compat --with-http_ssl_module); \
	    if [ -f conf_flags ]; then . ./conf_flags; fi; \
	    configure=./configure; \
	    if [ ! -f $$configure ]; then configure=auto/configure; fi; \
	    $$configure "$${NGX_CONF_FLAGS[@]}" --with-cc="$(CC)" \
	        --with-cc-opt="$(CFLAGS) $(CPPFLAGS) $(WARNINGS) -Wno-unused-parameter" \
	        --with-ld-opt="$(LDFLAGS)" \
	        --add-dynamic-module=$(CURDIR) $(NGINX_OPTS)' >$(abspath $(BUILD))/configure.log \
	    || { tail -20 $(BUILD)/configure.log; exit 1; }
	touch $@

$(MODULE): $(NGINX_STAMP) $(HEADERS) $(wildcard *.c src/*/*.c)
	$(MAKE) -C $(NGINX_TREE) -f objs/Makefile modules
	cp --remove-destination $(NGINX_TREE)/objs/ngx_http_k8s_sa_module.so $@


install: all
	install -d $(DESTDIR)$(MODULEDIR) $(DESTDIR)$(BINDIR) \
	    $(DESTDIR)$(MANDIR)/man1
	install -m 644 $(MODULE) $(DESTDIR)$(MODULEDIR)
	install -m 755 $(CLIENT) $(DESTDIR)$(BINDIR)
	install -m 644 client/k8s-sa-client.1 $(DESTDIR)$(MANDIR)/man1

clean:
	rm -rf $(BUILD)
