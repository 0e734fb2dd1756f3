#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# HTTP answers: which are accepted, which are refused, and why.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use NetTest;
use Test::More;
use Time::HiRes qw(sleep);

my $MIB = 1024 * 1024;

sub raw { my ($c, @text) = @_; syswrite $c, $_ for @text; }

sub chunked {
    my ($c, $text, @headers) = @_;
    raw($c, join('', map { "$_\r\n" } "HTTP/1.1 200 OK",
                 "Transfer-Encoding: chunked", @headers) . "\r\n$text");
}

# the path selects what the server does

my %paths = (
    '/len'          => sub { answer($_[0], '{"a":1}',
                                    'Content-Type: application/json',
                                    'Cache-Control: public',
                                    'Cache-Control:  max-age=3600 ',
                                    'Retry-After: 7',
                                    'Retry-After: 8') },
    '/empty'        => sub { answer($_[0], '') },
    '/204'          => sub { raw($_[0], "HTTP/1.1 204 No Content\r\n\r\n") },
    '/304'          => sub { raw($_[0], "HTTP/1.1 304 Not Modified\r\n"
                                        . "Content-Length: 50\r\n\r\n") },
    '/close'        => sub { raw($_[0], "HTTP/1.1 200 OK\r\n\r\nuntil close");
                             close $_[0]; },
    '/http10'       => sub { raw($_[0], "HTTP/1.0 200 OK\r\n"
                                        . "Server: old\r\n\r\nold");
                             close $_[0]; },
    '/http10-len'   => sub { raw($_[0], "HTTP/1.0 200 OK\r\n"
                                        . "Content-Length: 3\r\n\r\nold") },
    '/http10-te'    => sub { raw($_[0], "HTTP/1.0 200 OK\r\n"
                                        . "Transfer-Encoding: chunked\r\n\r\n"
                                        . "0\r\n\r\n") },
    '/no-reason'    => sub { raw($_[0], "HTTP/1.1 200\r\n"
                                        . "Content-Length: 1\r\n\r\nx") },
    '/chunked'      => sub { chunked($_[0], "3\r\nabc\r\n04\r\ndefg\r\n"
                                            . "0\r\n\r\n") },
    '/chunked-ext'  => sub { chunked($_[0], "3;a=b;c=\"d e\"\r\nabc\r\n"
                                            . "1 ; x\r\nd\r\n0;last\r\n"
                                            . "X-Trailer: 1\r\nY: \r\n\r\n") },
    '/chunked-slow' => sub { my ($c) = @_; chunked($c, '');
                             slowly($c, "3;a\r\nabc\r\n2\r\nde\r\n0\r\n"
                                        . "T: v\r\n\r\n", 0.005) },
    '/redirect'     => sub { raw($_[0], "HTTP/1.1 302 Found\r\n"
                                        . "Location: http://127.0.0.1:1/x\r\n"
                                        . "Content-Length: 0\r\n\r\n") },
    '/404'          => sub { raw($_[0], "HTTP/1.1 404 Not Found\r\n"
                                        . "Content-Length: 3\r\n\r\nnot") },
    '/429'          => sub { raw($_[0], "HTTP/1.1 429 Too Many Requests\r\n"
                                        . "Retry-After: 1\r\n"
                                        . "Content-Type: text/plain\r\n"
                                        . "Content-Length: 4\r\n\r\nslow") },
    '/continue'     => sub { raw($_[0], "HTTP/1.1 100 Continue\r\n\r\n"
                                        . "HTTP/1.1 103 Early Hints\r\n"
                                        . "Retry-After: 1\r\n\r\n");
                             answer($_[0], 'after', 'Retry-After: 2') },
    '/continue-9'   => sub { raw($_[0], "HTTP/1.1 100 Continue\r\n\r\n" x 9);
                             answer($_[0], 'x') },
    '/identity'     => sub { answer($_[0], 'x',
                                    'Content-Encoding: identity') },
    '/mib'          => sub { answer($_[0], 'x' x $MIB) },
    '/mib-chunked'  => sub { chunked($_[0], sprintf("%x\r\n", $MIB)
                                            . 'x' x $MIB . "\r\n0\r\n\r\n") },
    '/slow-ok'      => sub { slowly($_[0], "HTTP/1.1 200 OK\r\n"
                                           . "Content-Length: 5\r\n\r\nslow!",
                                    0.01) },

    # refused: too large

    '/mib+1'        => sub { answer($_[0], 'x' x ($MIB + 1)) },
    '/mib+1-close'  => sub { raw($_[0], "HTTP/1.1 200 OK\r\n\r\n");
                             raw($_[0], 'x' x 65536) for 1 .. 17; },
    '/mib+1-chunks' => sub { chunked($_[0], '');
                             raw($_[0], "10000\r\n" . 'x' x 65536 . "\r\n")
                                 for 1 .. 16;
                             raw($_[0], "1\r\nx\r\n0\r\n\r\n") },
    '/chunk-huge'   => sub { chunked($_[0], "ffffffffffffffffff\r\n") },
    '/chunk-wrap'   => sub { chunked($_[0], "1\r\na\r\n"
                                            . "ffffffffffffffff\r\nb") },
    '/len-huge'     => sub { raw($_[0], "HTTP/1.1 200 OK\r\nContent-Length: "
                                        . "999999999999999999\r\n\r\nx") },
    '/head-huge'    => sub { raw($_[0], "HTTP/1.1 200 OK\r\n");
                             raw($_[0], "X: " . 'y' x 4000 . "\r\n")
                                 for 1 .. 5; },
    '/head-many'    => sub { raw($_[0], "HTTP/1.1 200 OK\r\n");
                             raw($_[0], "A: b\r\n" x 101);
                             raw($_[0], "\r\n") },
    '/trailer-huge' => sub { chunked($_[0], "0\r\n");
                             raw($_[0], "X: " . 'y' x 4000 . "\r\n")
                                 for 1 .. 5; },
    '/ext-huge'     => sub { chunked($_[0], "1;" . 'y' x 2000 . "\r\n") },

    # refused: not HTTP, or a form that is not accepted

    '/gzip'         => sub { answer($_[0], 'x', 'Content-Encoding: gzip') },
    '/te-gzip'      => sub { raw($_[0], "HTTP/1.1 200 OK\r\nTransfer-Encoding:"
                                        . " gzip, chunked\r\n\r\n") },
    '/te-twice'     => sub { chunked($_[0], "0\r\n\r\n",
                                     'Transfer-Encoding: chunked') },
    '/te-len'       => sub { chunked($_[0], "0\r\n\r\n",
                                     'Content-Length: 5') },
    '/len-twice'    => sub { answer($_[0], 'x', 'Content-Length: 1') },
    '/len-differ'   => sub { answer($_[0], 'x', 'Content-Length: 2') },
    '/len-list'     => sub { raw($_[0], "HTTP/1.1 200 OK\r\n"
                                        . "Content-Length: 1, 1\r\n\r\nx") },
    '/len-plus'     => sub { raw($_[0], "HTTP/1.1 200 OK\r\n"
                                        . "Content-Length: +1\r\n\r\nx") },
    '/len-minus'    => sub { raw($_[0], "HTTP/1.1 200 OK\r\n"
                                        . "Content-Length: -1\r\n\r\nx") },
    '/len-none'     => sub { raw($_[0], "HTTP/1.1 200 OK\r\n"
                                        . "Content-Length:\r\n\r\nx") },
    '/len-wrap'     => sub { raw($_[0], "HTTP/1.1 200 OK\r\nContent-Length: "
                                        . "18446744073709551617\r\n\r\nx") },
    '/garbage'      => sub { raw($_[0], "SSH-2.0-OpenSSH_9.2\r\n") },
    '/garbage-nl'   => sub { raw($_[0], "\0\1\2\3") },
    '/http09'       => sub { raw($_[0], "<html>old</html>\n"); close $_[0] },
    '/http2'        => sub { raw($_[0], "HTTP/2 200\r\n\r\n") },
    '/http12'       => sub { raw($_[0], "HTTP/1.2 200 OK\r\n\r\n") },
    '/status-99'    => sub { raw($_[0], "HTTP/1.1 099 Low\r\n\r\n") },
    '/status-600'   => sub { raw($_[0], "HTTP/1.1 600 High\r\n\r\n") },
    '/status-4'     => sub { raw($_[0], "HTTP/1.1 2000 Long\r\n\r\n") },
    '/status-x'     => sub { raw($_[0], "HTTP/1.1 2x0 OK\r\n\r\n") },
    '/101'          => sub { raw($_[0], "HTTP/1.1 101 Switching\r\n"
                                        . "Upgrade: x\r\n\r\n") },
    '/bare-lf'      => sub { raw($_[0], "HTTP/1.1 200 OK\nContent-Length: 1"
                                        . "\n\nx") },
    '/bare-cr'      => sub { raw($_[0], "HTTP/1.1 200 OK\r\nA: b\rc\r\n"
                                        . "Content-Length: 1\r\n\r\nx") },
    '/nul'          => sub { answer($_[0], 'x', "A: b\0c") },
    '/fold'         => sub { answer($_[0], 'x', "A: b", " folded") },
    '/name-space'   => sub { answer($_[0], 'x', "A : b") },
    '/no-colon'     => sub { answer($_[0], 'x', "A") },
    '/no-name'      => sub { answer($_[0], 'x', ": b") },
    '/chunk-bad'    => sub { chunked($_[0], "g\r\n") },
    '/chunk-none'   => sub { chunked($_[0], "\r\n") },
    '/chunk-neg'    => sub { chunked($_[0], "-1\r\n") },
    '/chunk-0x'     => sub { chunked($_[0], "0x1\r\nx\r\n0\r\n\r\n") },
    '/chunk-lf'     => sub { chunked($_[0], "1\nx\n0\n\n") },
    '/chunk-long'   => sub { chunked($_[0], "1\r\nxx\r\n0\r\n\r\n") },
    '/chunk-space'  => sub { chunked($_[0], "1 \r\nx\r\n0\r\n\r\n") },
    '/chunk-ext-lf' => sub { chunked($_[0], "1;a\nx\r\n0\r\n\r\n") },
    '/trailer-bad'  => sub { chunked($_[0], "0\r\nno colon\r\n\r\n") },
    '/trailer-lf'   => sub { chunked($_[0], "0\r\n\n") },

    # closed

    '/close-at-once'  => sub { close $_[0] },
    '/close-in-line'  => sub { raw($_[0], "HTTP/1.1 2"); close $_[0] },
    '/close-in-head'  => sub { raw($_[0], "HTTP/1.1 200 OK\r\nA:");
                               close $_[0] },
    '/close-in-body'  => sub { raw($_[0], "HTTP/1.1 200 OK\r\n"
                                          . "Content-Length: 5\r\n\r\nabcd");
                               close $_[0] },
    '/close-in-size'  => sub { chunked($_[0], "1\r\nx\r\n1"); close $_[0] },
    '/close-in-chunk' => sub { chunked($_[0], "5\r\nabcd"); close $_[0] },
    '/close-in-last'  => sub { chunked($_[0], "1\r\nx\r\n0\r\n");
                               close $_[0] },
    '/close-after-100' => sub { raw($_[0], "HTTP/1.1 100 Continue\r\n\r\n");
                               close $_[0] },
    '/rst'            => sub { reset_connection($_[0]) },
    '/rst-in-body'    => sub { raw($_[0], "HTTP/1.1 200 OK\r\n\r\nabcd");
                               sleep 0.1;
                               reset_connection($_[0]) },

    # too slow

    '/hang'           => sub { sleep 30 },
    '/hang-in-head'   => sub { raw($_[0], "HTTP/1.1 200 OK\r\n"); sleep 30 },
    '/hang-in-body'   => sub { raw($_[0], "HTTP/1.1 200 OK\r\n"
                                          . "Content-Length: 5\r\n\r\na");
                               sleep 30 },
    '/slow'           => sub { slowly($_[0], "HTTP/1.1 200 OK\r\n"
                                             . "X: " . "y" x 100, 0.1) },

    '/echo'           => sub { my ($c, $r) = @_;
                               answer($c, "$r->{head}\n\n"
                                          . length $r->{body}) },
);

my ($port) = tcp_server(code => sub {
    my ($c) = @_;

    while (my $r = read_request($c)) {
        my $code = $paths{$r->{path}} or die "no path $r->{path}";
        $code->($c, $r);
        return if !defined fileno $c;
    }
});

nginx_start(<<"CONF");
    location /f {
        k8s_sa_net_test http://127.0.0.1:$port timeout=1s max_body=1m;
    }
    location /slow {
        k8s_sa_net_test http://127.0.0.1:$port timeout=3s max_body=1m;
    }
    location /ka {
        k8s_sa_net_test http://127.0.0.1:$port timeout=1s max_body=1m
                        max_idle=4;
    }
CONF

my $r;

# accepted

$r = fetch('/f?path=/len');
is($r->{error}, 'ok', 'Content-Length');
is($r->{status}, 200, 'status');
is($r->{body}, '{"a":1}', 'body');
is($r->{cache}, 'public, max-age=3600', 'Cache-Control is joined');
is($r->{retry}, 7, 'the first Retry-After');
is($r->{address}, "127.0.0.1:$port", 'address');
is($r->{reason}, '', 'an empty reason');

my @good = (
    ['/empty', 200, ''],
    ['/204', 204, ''],
    ['/304', 304, ''],
    ['/close', 200, 'until close'],
    ['/http10', 200, 'old'],
    ['/http10-len', 200, 'old'],
    ['/no-reason', 200, 'x'],
    ['/chunked', 200, 'abcdefg'],
    ['/chunked-ext', 200, 'abcd'],
    ['/chunked-slow', 200, 'abcde'],
    ['/404', 404, 'not'],
    ['/redirect', 302, ''],
    ['/429', 429, 'slow'],
    ['/continue', 200, 'after'],
    ['/identity', 200, 'x'],
    ['/slow-ok', 200, 'slow!'],
);

for my $t (@good) {
    my ($path, $status, $body) = @$t;

    $r = fetch("/slow?path=$path");
    is("$r->{error} $r->{status} $r->{body}", "ok $status $body", $path);
}

is(fetch('/f?path=/continue')->{retry}, 2,
   'nothing is taken from an interim answer');

for my $path ('/mib', '/mib-chunked') {
    $r = fetch("/f?path=$path");
    is("$r->{error} $r->{length}", "ok $MIB", $path);
    is(length $r->{body}, $MIB, "$path is all there");
}

# refused

for my $path (qw(/mib+1 /mib+1-close /mib+1-chunks /chunk-huge /chunk-wrap
                 /len-huge /head-huge /head-many /trailer-huge /ext-huge))
{
    $r = fetch("/f?path=$path");
    is("$r->{error} $r->{status} $r->{length}", 'too_large 0 0', $path);
}

for my $path (qw(/gzip /te-gzip /te-twice /te-len /len-twice /len-differ
                 /len-list /len-plus /len-minus /len-none /len-wrap /garbage
                 /garbage-nl /http09 /http2 /http12 /status-99 /status-600
                 /status-4 /status-x /101 /bare-lf /bare-cr /nul /fold
                 /name-space /no-colon /no-name /chunk-bad /chunk-none
                 /chunk-neg /chunk-0x /chunk-lf /chunk-long /chunk-space
                 /chunk-ext-lf /trailer-bad /trailer-lf /http10-te
                 /continue-9))
{
    $r = fetch("/f?path=$path");
    is("$r->{error} $r->{status} $r->{length}", 'protocol 0 0', $path);
    cmp_ok($r->{took}, '<', 0.8, "$path is refused at once")
        if !sanitized();
}

for my $path (qw(/close-at-once /close-in-line /close-in-head /close-in-body
                 /close-in-size /close-in-chunk /close-in-last
                 /close-after-100 /rst /rst-in-body))
{
    $r = fetch("/f?path=$path");
    is("$r->{error} $r->{status} $r->{length}", 'closed 0 0', $path);
}

like(fetch('/f?path=/rst')->{reason},
     qr/^connection to 127.0.0.1:$port was lost without an answer \(104: /,
     'reason of a reset');
like(fetch('/f?path=/close-in-body')->{reason},
     qr/^127.0.0.1:$port closed the connection in the middle of the answer$/,
     'reason of an early close');
like(fetch('/f?path=/gzip')->{reason}, qr/unsupported Content-Encoding$/,
     'reason of gzip');

for my $path (qw(/hang /hang-in-head /hang-in-body /slow)) {
    $r = fetch("/f?path=$path");
    is("$r->{error} $r->{status} $r->{length}", 'timeout 0 0', $path);
    cmp_ok($r->{took}, '>=', 0.95, "$path: not before the timeout");
    cmp_ok($r->{took}, '<', 1.6, "$path: not long after it")
        if !sanitized();
}

like(fetch('/f?path=/hang')->{reason},
     qr/^timed out while waiting for an answer from 127.0.0.1:$port$/,
     'reason of a timeout');
like(fetch('/f?path=/slow')->{reason}, qr/reading the answer from/,
     'reason of a timeout in the answer');

# the request

$r = fetch('/ka?path=/echo');
is($r->{body}, join("\r\n", 'GET /echo HTTP/1.1', "Host: 127.0.0.1:$port",
                    'User-Agent: ngx_http_k8s_sa',
                    'Connection: keep-alive') . "\n\n0", 'GET request');

$r = fetch('/ka?path=/echo&size=100000&header=one%20two');
is($r->{body}, join("\r\n", 'POST /echo HTTP/1.1', "Host: 127.0.0.1:$port",
                    'User-Agent: ngx_http_k8s_sa',
                    'Connection: keep-alive', 'X-Test: one two',
                    'Content-Length: 100000') . "\n\n100000", 'POST request');

for my $header ('a%0d%0aX:%20y', 'a%0ab', 'a%00b', 'a%0db', '%7f') {
    is(fetch("/f?path=/echo&header=$header")->{error}, 'not_started',
       "header value $header is not sent");
}

is(fetch('/f?path=/echo&token=SECRET')->{error}, 'not_started',
   'no token without TLS');
ok(log_like(qr/credential for "http:.*is not sent without verified TLS/),
   'and the log says so');

# connection refused

my $dead = free_port();

ok(nginx_stop(), 'a clean log');

nginx_start(<<"CONF");
    location /dead {
        k8s_sa_net_test http://127.0.0.1:$dead timeout=1s;
    }
    location /v6dead {
        k8s_sa_net_test http://[::1]:$dead timeout=1s;
    }
    location /kept/ {
        k8s_sa_net_test http://127.0.0.1:$port timeout=1s max_idle=1;
    }
    location = /stub {
        stub_status;
    }
CONF

$r = fetch('/dead');
is($r->{error}, 'connect', 'connection refused');
like($r->{reason}, qr/^connect\(\) to 127.0.0.1:$dead failed \(111: /,
     'reason of a refused connection');

$r = fetch('/v6dead');
is($r->{error}, 'connect', 'connection refused, IPv6');
like($r->{reason}, qr/^connect\(\) to \[::1\]:$dead failed \(/,
     'reason of a refused connection, IPv6');
ok(!log_like(qr/\[(?:error|crit)\]/), 'it is not logged here as an error');

# numbers of clients

is(fetch('/kept/?path=/echo')->{idle}, 1, 'a kept connection');

my $stub = connection();
print $stub "GET /stub HTTP/1.0\r\n\r\n";
like(join('', <$stub>), qr/Waiting: 0/, 'is not counted as a client');

ok(nginx_stop(), 'a clean log');

done_testing();
