# SPDX-License-Identifier: BSD-2-Clause

# All kinds of requests: HTTP/1.0, HEAD, bodies, WebSocket, large tokens; with
# debug logging on, to check that log as well.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $port = free_port();
my $up = echo_http();

my $nginx = K8sSa::Nginx->new(level => 'debug', http => <<"_");
k8s_sa_issuer made {
    public_key @{[ key_file('ec') ]};
    audience service2;
}
large_client_header_buffers 4 32k;
server {
    listen 127.0.0.1:$port;

    add_header X-Result \$k8s_sa_result always;
    add_header X-Cache \$k8s_sa_cache always;
    k8s_sa_auth made;

    location / {
        proxy_pass http://127.0.0.1:$up;
    }
    location /unbuffered {
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://127.0.0.1:$up;
    }
    location /socket {
        proxy_http_version 1.1;
        proxy_set_header Upgrade \$http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_pass http://127.0.0.1:$up;
    }
    location /forward {
        k8s_sa_forward_token on;
        proxy_pass http://127.0.0.1:$up;
    }
    location /argument {
        k8s_sa_token \$arg_token;
        k8s_sa_forward_token on;
        access_log off;
        proxy_pass http://127.0.0.1:$up/;
    }
}
_

$nginx->start;

my $token = sign_token();
my $bearer = bearer($token);
my $user = 'X-Remote-User: system:serviceaccount:mytest:service1';
my $challenge = 'Bearer realm="kubernetes"';


# HTTP/1.0, HTTP/0.9

my $answer = request($port, "GET / HTTP/1.0\r\n$bearer\r\n\r\n");
is($answer->{status}, 200, 'HTTP/1.0');
like($answer->{body}, qr/^$user\r$/m, 'HTTP/1.0: identity');

$answer = request($port, "GET / HTTP/1.0\r\n\r\n");
is($answer->{status}, 401, 'HTTP/1.0: no token');

sub ancient {
    my ($path) = @_;
    my $c = talk($port);
    print {$c->{socket}} "GET $path\r\n";
    local $/;
    return readline $c->{socket};
}

my $body = ancient('/');
unlike($body, qr/Remote|HTTP\/1/, 'HTTP/0.9 has no headers');
like($body, qr/401/, '... and thus no token');
like(ancient("/argument?token=$token"), qr/^$user\r$/m,
     'HTTP/0.9: a token in an argument');


# HEAD and other methods

for my $method (qw(HEAD OPTIONS DELETE PATCH WHATEVER)) {
    my $rest = "/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";

    $answer = request($port, "$method $rest$bearer\r\n\r\n");
    is($answer->{status}, 200, "$method");

    $answer = request($port, "$method $rest\r\n");
    is($answer->{status}, 401, "$method: no token");
    is((header_values($answer->{head}, 'WWW-Authenticate'))[0], $challenge,
       "$method: challenge");
}

$answer = request($port, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close"
                         . "\r\n\r\n");
is($answer->{body}, '', 'HEAD: no body');


# Bodies

for my $path ('/', '/unbuffered') {
    my $head = "POST $path HTTP/1.1\r\nHost: a\r\n";
    my $rest = "Content-Length: 5\r\n\r\nhello";

    $answer = request($port, "$head$bearer\r\n$rest");
    like($answer->{body}, qr/^$user\r$/m, "$path: a body: identity");
    like($answer->{body}, qr/\nhello\z/, "$path: a body");

    $rest = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

    $answer = request($port, "${head}$bearer\r\n$rest");
    is($answer->{status}, 200, "$path: chunked");
    like($answer->{body}, qr/^$user\r$/m, "$path: chunked: identity");
    like($answer->{body}, qr/hello/, "$path: chunked: body");

    # the body of a refused request is followed by the next request
    my $c = talk($port);
    print {$c->{socket}} "$head$rest", "${head}Content-Length: 100000\r\n\r\n",
                         'x' x 100000, "GET / HTTP/1.1\r\nHost: a\r\n$bearer",
                         "\r\n\r\n";

    is(receive($c)->{status}, 401, "$path: chunked, refused");
    is(receive($c)->{status}, 401, "$path: a large body, refused");
    is(receive($c)->{status}, 200, "$path: the next request is read correctly");
}

$answer = request($port, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue"
                  . "\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
is($answer->{status}, 401, 'Expect: refused before the body is sent');


# WebSocket

my $c = talk($port);
print {$c->{socket}} "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\n"
                     . "Connection: upgrade\r\n$bearer\r\n\r\n";
$answer = receive($c);
is($answer->{status}, 101, 'Upgrade');

{
    local $/ = "\n";
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 10;

    my $seen = $c->{buffer};
    $seen .= readline $c->{socket} until $seen =~ /\r\n\n/;
    like($seen, qr/^$user\r$/m, 'Upgrade: identity');
    unlike($seen, qr/^Authorization/m, 'Upgrade: the token is withheld');

    print {$c->{socket}} "ping\n";
    is(readline $c->{socket}, "ping\n", 'Upgrade: both sides can send');
    alarm 0;
}

$answer = request($port, "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\n"
                         . "Connection: upgrade\r\n\r\n");
is($answer->{status}, 401, 'Upgrade: no token');


# Large tokens: 16 KiB, and one byte more

sub token_of {
    my ($length) = @_;
    my $fill = 0;

    # no base64 text has a length of 1 modulo 4
    for (1 .. 10) {
        my $token = sign_token(claims => claims(fill => 'x' x $fill));
        my $missing = $length - length $token;

        return $token if $missing == 0;
        $fill += int($missing * 3 / 4) || ($missing > 0 ? 1 : -1);
    }

    return undef;
}

my %large = map { $_ => token_of($_) } 16383, 16384, 16385, 16386;

for my $length (sort keys %large) {
    next unless defined $large{$length};

    my $good = $length <= 16384;
    $answer = get($port, '/', bearer($large{$length}));

    is($answer->{status}, $good ? 200 : 401, "a token of $length bytes");
    is((header_values($answer->{head}, 'X-Result'))[0],
       $good ? 'ok' : 'too_large', "a token of $length bytes: result");
}

ok((grep { defined $large{$_} } 16384, 16383) >= 1
   && (grep { defined $large{$_} } 16385, 16386) >= 1,
   'tokens on both sides of the limit');

my $long = $large{16384} || $large{16383};
$answer = get($port, '/forward', bearer($long));
like($answer->{body}, qr/^Authorization: Bearer \Q$long\E\r$/m,
     'a large token, forwarded');

is(get($port, '/', 'Authorization: Bearer ' . 'x' x 20000)->{status}, 401,
   'large garbage');
is(get($port, '/', 'Authorization: Bearer ' . 'x' x 40000)->{status}, 400,
   'larger than nginx accepts');


# Bytes that do not belong to a token

for my $bytes ("\x00", "\x80\xff", "\xc3\xa4", '"', '..', '.', 'a.b', 'a.b.c',
               'a.b.c.d', "$token\x80", "$token=", "$token.", ".$token")
{
    $answer = get($port, '/', "Authorization: Bearer $bytes");
    like($answer->{status}, qr/^40[01]$/,
         'refused: ' . ($bytes =~ s/[^ -~]/?/gr =~ s/\Q$token\E/TOKEN/r));
}


# A token that has been seen is cached

get($port, '/', $bearer);
is((header_values(get($port, '/', $bearer)->{head}, 'X-Cache'))[0], 'HIT',
   'the token cache');
is(get($port, '/', bearer(spoil($token)))->{status}, 401,
   '... does not match another signature');

my ($head, $claims, $signature) = split /\./, $token;
my $other = sign_token(claims => claims(jti => 'other'));

is(get($port, '/', bearer(remember("$head." . (split /\./, $other)[1]
                                   . ".$signature")))->{status}, 401,
   '... nor other claims');


like($nginx->log, qr/\[debug\]/, 'debug logging was on')
    if `$ENV{TEST_NGINX_BINARY} -V 2>&1` =~ /--with-debug/;


K8sSa::Nginx->finish;
