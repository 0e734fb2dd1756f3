# SPDX-License-Identifier: BSD-2-Clause

# Short of memory, a response has nothing of another client: a header that was
# added to it before an allocation failed would hold what the memory held.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::MockApi;
use K8sSa::Nginx;
use K8sSa::Server;

plan skip_all => 'the sanitizer has a malloc() of its own'
    if $ENV{NET_TEST_ASAN};


# malloc() of LOW to HIGH bytes fails while a file exists

my $library = dir() . '/fail.so';
my $fail = dir() . '/fail';

write_file('fail.c', <<"_");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

void *
malloc(size_t n)
{
    static void *(*next)(size_t);

    if (next == NULL) {
        *(void **) &next = dlsym(RTLD_NEXT, "malloc");
    }

    return n >= LOW && n <= HIGH && access("$fail", F_OK) == 0 ? NULL : next(n);
}
_

sub failing {
    my ($low, $high, %arg) = @_;

    system("\${CC:-cc} -O1 -shared -fPIC -DLOW=$low -DHIGH=$high -o $library "
           . dir() . '/fail.c -ldl') == 0
        or die "cannot compile fail.c\n";

    local $ENV{LD_PRELOAD} = $library;

    return K8sSa::Nginx->new(main => 'env LD_PRELOAD;', %arg)->start;
}


my $port = free_port();
my $api = K8sSa::MockApi->new;
my $secret = 'of-another-client';

my $up = free_port();
my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 50,
                                   LocalPort => $up, ReuseAddr => 1);

serve($listen, sub {
    my ($c) = @_;
    my $head = '';

    while ($head !~ /\r\n\r\n/) {
        sysread $c, $head, 65536, length $head or return;
    }

    print $c join "\r\n", 'HTTP/1.1 200 OK', (map { "X-H$_: $secret" } 1 .. 8),
                          'Content-Length: 2', 'Connection: close', '', 'ok';
});

sub is_clean {
    my ($path, @headers) = @_;
    my $leaked = 0;

    for (1 .. 5) {
        unlink $fail;
        is(get($port, '/up')->{status}, 200, "$path: another client");
        write_file('fail', '');

        my $answer = get($port, $path, @headers);

        is($answer->{status}, 500, '... and one when malloc() fails');
        $leaked++ if $answer->{head} =~ /\Q$secret\E/;
    }

    unlink $fail;
    is($leaked, 0, "$path: no header of the other one");
}


# The value of WWW-Authenticate

my $realm = '"' x 3300;

failing(6000, 7900, http => <<"_");
k8s_sa_issuer made { public_key @{[ key_file('ec') ]}; audience service2; }
server {
    listen 127.0.0.1:$port;
    location = /up { proxy_pass http://127.0.0.1:$up; }
    location = /realm { k8s_sa_auth made; k8s_sa_realm '$realm'; }
}
_

is_clean('/realm');


# The body of k8s_sa_whoami

$port = free_port();
$api->set('many', review => { user => 'alice', uid => 'u', groups => [
    map { "group-number-$_" } 1 .. 300 ] });

failing(5690, 5698, http => <<"_");
k8s_sa_issuer review { token_review @{[ $api->base ]}/many/review; }
server {
    listen 127.0.0.1:$port;
    location = /up { proxy_pass http://127.0.0.1:$up; }
    location = /who { k8s_sa_auth review; k8s_sa_whoami; }
}
_

my @bearer = bearer(opaque_token());
my $body = get($port, '/who', @bearer)->{body};

cmp_ok(length $body, '>=', 5690, 'a long list of groups');
cmp_ok(length $body, '<=', 5698, '... whose length is known');
is_clean('/who', @bearer);


K8sSa::Nginx->finish(allow => qr/malloc\(\d+\) failed/);
