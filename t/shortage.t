# SPDX-License-Identifier: BSD-2-Clause

# A file that could not be read because memory or descriptors were short is
# read again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::MockIssuer;
use K8sSa::Nginx;

plan skip_all => 'the sanitizer has a malloc() of its own'
    if $ENV{NET_TEST_ASAN};


# malloc() of SIZE bytes, and open() of saved keys, fail while a file exists

my $library = dir() . '/fail.so';
my $fail = dir() . '/fail';
my $size = 12345;

write_file('fail.c', <<"_");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IS_SHORT  (access("$fail", F_OK) == 0)

static void *
next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

void *
malloc(size_t n)
{
    static void *(*real)(size_t);

    if (real == NULL) {
        *(void **) &real = next("malloc");
    }

    return n == $size + 1 && IS_SHORT ? NULL : real(n);
}

#define OPEN(name)                                                            \\
int                                                                           \\
name(const char *path, int flags, ...)                                        \\
{                                                                             \\
    int         mode;                                                         \\
    va_list     args;                                                         \\
    static int  (*real)(const char *, int, ...);                              \\
                                                                              \\
    if (real == NULL) {                                                       \\
        *(void **) &real = next(#name);                                       \\
    }                                                                         \\
                                                                              \\
    va_start(args, flags);                                                    \\
    mode = va_arg(args, int);                                                 \\
    va_end(args);                                                             \\
                                                                              \\
    if (strstr(path, "/saved.json") && IS_SHORT) {                            \\
        errno = EMFILE;                                                       \\
        return -1;                                                            \\
    }                                                                         \\
                                                                              \\
    return real(path, flags, mode);                                           \\
}

OPEN(open)
OPEN(open64)
_

system("\${CC:-cc} -O1 -shared -fPIC -o $library " . dir() . '/fail.c -ldl')
    == 0 or die "cannot compile fail.c\n";

my $port = free_port();
my $state = dir() . '/state';
my $mock = K8sSa::MockIssuer->new;

$mock->set('saved', jwks => { body => jwks([ 'ec', 'first', kid => 'k' ]) });

sub padded {
    my $text = jwks([ 'ec', $_[0] ]);
    return $text . ' ' x ($size - length $text);
}

my $json = write_file('keys.json', padded('a'));

sub start {
    local $ENV{LD_PRELOAD} = $library;

    return K8sSa::Nginx->new(main => 'env LD_PRELOAD;', http => <<"_")->start;
k8s_sa_issuer file { jwks_file $json; audience service2; }
k8s_sa_issuer saved {
    discovery @{[ $mock->discovery('saved') ]};
    audience service2; timeout 1s; state_path $state;
}
server {
    listen 127.0.0.1:$port;
    location = /file { k8s_sa_auth file; empty_gif; }
    location = /saved { k8s_sa_auth saved; empty_gif; }
}
_
}

my %token = (
    file => sign_token(key => [ 'ec', 'b' ]),
    saved => issuer_token($mock->url('saved')),
);

sub status {
    my ($name) = @_;
    return get($port, "/$name", bearer($token{$name}))->{status};
}

sub until_ok {
    my ($name) = @_;
    my $until = time() + 10;
    sleep 0.1 while status($name) != 200 && time() < $until;
    return status($name);
}

my $nginx = start();

is(until_ok('saved'), 200, 'saved keys: fetched');
ok(until_true(5, sub { -e "$state/saved.json" }), '... and saved');

write_file('fail', '');
write_file('keys.json', padded('b'));

ok($nginx->wait_log(qr/keys.json" changed and cannot be used.*out of memory/),
   'a key file: memory is short');
is(status('file'), 401, 'the old keys stay');
unlink $fail;
is(until_ok('file'), 200, 'the file is read again');

$nginx->stop;
$mock->stop;

write_file('keys.json', jwks([ 'ec', 'b' ]));
write_file('fail', '');
$nginx = start();
ok($nginx->wait_log(qr/saved.json": open\(\) failed/),
   'saved keys: descriptors are short');
is(status('saved'), 503, 'no keys');
unlink $fail;
is(until_ok('saved'), 200, 'the file is read again');


K8sSa::Nginx->finish;
