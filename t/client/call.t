# SPDX-License-Identifier: BSD-2-Clause

# The calling loop: what the server sees, what is reported, the exit status.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use ClientTest;


my ($c, $s, @lines);

my $token = spew('token', "  first.token.x\n\n");
my @quick = ('--token-file', $token, '--interval', '20ms');


# a line as the tutorial's Go client logs it: date, time, target, status, body

$s = server(sub { response(200, 'hello system:serviceaccount:a:b') });
$c = client(@quick, '--count', 2, "$s->{url}path?a=b");

is($c->{status}, 0, 'all answers 200: exit status 0');
is($c->{err}, '', 'nothing on standard error');
is_deeply([lines($c->{out})],
    [ "start client: $s->{url}path?a=b",
      ("target=$s->{url}path?a=b, status=200, "
       . "response: 'hello system:serviceaccount:a:b'") x 2 ],
    'reported as by the Go client');

my ($request) = $s->requests;
is(scalar(() = $s->requests), 2, 'two requests were made');
like($request, qr{^GET /path\?a=b HTTP/1\.1\r\n}, 'GET with path and query');
like($request, qr{^Authorization: Bearer first\.token\.x\r$}m,
    'token, trimmed');
like($request, qr{^Host: 127\.0\.0\.1:$s->{port}\r$}m, 'host');
like($request, qr{^User-Agent: k8s-sa-client/\d+\.\d+}m, 'user agent');
is(scalar(() = $request =~ /^Authorization:/mg), 1, 'one Authorization');
unlike($c->{out}, qr/first\.token/, 'token is not shown');


# exit status

for my $code (200, 204, 299) {
    $s = server(sub { response($code, '') });
    is(client(@quick, '--count', 1, $s->{url})->{status}, 0, "$code: 0");
}

for my $code (301, 401, 403, 404, 500, 503) {
    $s = server(sub { response($code, '', 'Location: http://127.0.0.1:1/') });
    $c = client(@quick, '--count', 1, $s->{url});
    is($c->{status}, 1, "$code: 1");
    like($c->{out}, qr/, status=$code, response: ''$/m, "$code is reported");
}

$s = server(sub { response($_[0] == 2 ? 500 : 200, '') });
$c = client(@quick, '--count', 3, $s->{url});
is($c->{status}, 1, 'one of three answers 500: exit status 1');
is(scalar(() = $s->requests), 3, '... but all are made');


# without TLS

for my $host ('127.0.0.1', '127.255.0.1', 'localhost', 'LOCALHOST', '[::1]') {
    $c = client(@quick, '--count', 1, "http://$host:1/");
    is($c->{err}, '', "$host: no note");
}

for my $host ('service2.invalid', '127.invalid', 'localhost.invalid',
              '128.0.0.1', '[::2]')
{
    $c = client(@quick, '--count', 2, '--timeout', '100ms', "http://$host:1/");
    is($c->{err}, "k8s-sa-client: note: without TLS others on the network can "
                  . "read the token and use it\n", "$host: one note");
}

is(client(@quick, '--count', 1, '--timeout', '100ms',
          'https://service2.invalid/')->{err}, '', 'https: no note');


# a redirect would send the token to another server

my $other = server(sub { response(200, 'stolen') });

for my $code (301, 302, 303, 307, 308) {
    $s = server(sub { response($code, 'moved', "Location: $other->{url}") });
    $c = client(@quick, '--count', 1, $s->{url});
    like($c->{out}, qr/status=$code, response: 'moved'/, "$code not followed");
}

is(scalar(() = $other->requests), 0, 'the other server got no request');


# interval, from start to start

$s = server(sub { response(200, '') });
$c = client('--token-file', $token, '--interval', '300ms', '--count', 3,
            $s->{url});
cmp_ok($c->{took}, '>', 0.55, 'waits between requests');
cmp_ok($c->{took}, '<', 3, '... but not after the last');


# each error is one line

$s = server(sub { response(200, '') });
my $gone = $s->{url};
undef $s;

$c = client(@quick, '--count', 2, $gone);
is($c->{status}, 1, 'connection refused: exit status 1');
@lines = lines($c->{out});
is(scalar @lines, 3, 'continues after an error');
like($lines[1], qr/^target=\Q$gone\E, error: .*Connection refused/,
    'connection refused');

$c = client(@quick, '--count', 1, 'http://service2.invalid:8080/');
is($c->{status}, 1, 'unknown host: exit status 1');
like((lines($c->{out}))[1], qr{^target=http://service2\.invalid:8080/,
    \ error:\ could\ not\ resolve\ host:\ service2\.invalid}x,
    'unknown host');

$s = server(sub { undef });
$c = client(@quick, '--count', 1, '--timeout', '200ms', $s->{url});
is($c->{status}, 1, 'timeout: exit status 1');
like((lines($c->{out}))[1], qr/ error: operation timed out/, 'timeout');
cmp_ok($c->{took}, '>=', 0.2, '... not too early');
cmp_ok($c->{took}, '<', 5, '... in time');

$s = server(sub {
    my $socket = $_[2];
    $socket->autoflush(1);
    print $socket "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    for (1 .. 100) {
        print $socket 'x' or last;
        select undef, undef, undef, 0.05;
    }
    return '';
});
$c = client(@quick, '--count', 1, '--timeout', '300ms', $s->{url});
is($c->{status}, 1, 'slow byte by byte: exit status 1');
like((lines($c->{out}))[1], qr/ error: operation timed out/,
    'the timeout is for the whole exchange');

$s = server(sub { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort" });
$c = client(@quick, '--count', 1, $s->{url});
is($c->{status}, 1, 'truncated answer: exit status 1');
like((lines($c->{out}))[1], qr/ error: /, 'truncated answer');

$s = server(sub { '' });
$c = client(@quick, '--count', 1, $s->{url});
like((lines($c->{out}))[1], qr/ error: .*empty reply/i, 'no answer at all');

$s = server(sub { "\e[2Jnonsense\r\n\r\n" });
$c = client(@quick, '--count', 1, $s->{url});
is($c->{status}, 1, 'not HTTP: exit status 1');
unlike($c->{out}, qr/\e/, 'not HTTP: no escape sequence');


# output that cannot be written: the client exits instead of looping unseen

SKIP: {
    skip 'no /dev/full', 3 unless -c '/dev/full';

    $s = server(sub { response(200, '') });
    $c = client({ out => '/dev/full' }, @quick, $s->{url});
    is($c->{status}, 1, 'standard output full: exit status 1');
    like($c->{err}, qr/cannot write to standard output: No space left/,
        '... and why');
    is(scalar(() = $s->requests), 0, '... and sends no request');
}

# a descriptor that the client opens must not become its standard output

for my $closed ('>&-', '<&- >&-', '<&- >&- 2>&-') {
    my @closed = ('sh', '-c', "exec \"\$0\" \"\$@\" $closed");

    $s = server(sub { response(200, '') });

    for my $args ([@quick, $s->{url}], ['--help'],
                  ['inspect', fixture('1.36.2/tokens/aud-two.jwt')],
                  ['verify', '--jwks', fixture('1.36.2/jwks.json'),
                   fixture('1.36.2/tokens/long-aud-service2-pod.jwt')])
    {
        $c = client({ wrapper => \@closed }, @$args);
        is($c->{status}, 1, "$args->[0] $closed: exit status 1");
        like($c->{err}, qr/cannot write to standard output: Bad file desc/,
            '... and why') if $closed !~ /2/;
    }

    is(scalar(() = $s->requests), 0, '... and sends no request');
}


# proxies come from the environment

$s = server(sub { response(200, 'by proxy') });
$c = client({ env => { http_proxy => $s->{url} } }, @quick, '--count', 1,
            'http://service2.invalid/x');
like($c->{out}, qr/status=200, response: 'by proxy'/, 'http_proxy is used');
like(($s->requests)[0], qr{^GET http://service2\.invalid/x }, '... as proxy');

done_testing();
