# SPDX-License-Identifier: BSD-2-Clause

# Like spoof.t, over HTTP/2, to FastCGI and gRPC upstreams, and in subrequests.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use K8sSa;
use K8sSa::Http;
use K8sSa::Nginx;
use K8sSa::Upstream;


my ($port, $h2, $inner) = map { free_port() } 1 .. 3;
my $up = echo_http();
my $fcgi = echo_fastcgi();
my ($mirrored, $asked) = map { dir() . "/$_" } qw(mirrored asked);
my $mirror = echo_http($mirrored);
my $ask = echo_http($asked);

my $nginx = K8sSa::Nginx->new(http => <<"_");
k8s_sa_issuer made {
    public_key @{[ key_file('ec') ]};
    audience service2;
}
underscores_in_headers on;
ignore_invalid_headers off;
server {
    listen 127.0.0.1:$port;
    listen 127.0.0.1:$h2 http2;

    location /proxy/required {
        k8s_sa_auth made;
        proxy_pass http://127.0.0.1:$up;
    }
    location /proxy/off {
        proxy_pass http://127.0.0.1:$up;
    }
    location /proxy/any {
        satisfy any;
        allow all;
        k8s_sa_auth made;
        proxy_pass http://127.0.0.1:$up;
    }
    location /fastcgi/required {
        k8s_sa_auth made;
        fastcgi_pass 127.0.0.1:$fcgi;
    }
    location /fastcgi/off {
        fastcgi_pass 127.0.0.1:$fcgi;
    }
    location /fastcgi/any {
        satisfy any;
        allow all;
        k8s_sa_auth made;
        fastcgi_pass 127.0.0.1:$fcgi;
    }
    location /grpc/required {
        k8s_sa_auth made;
        grpc_pass grpc://127.0.0.1:$inner;
    }
    location /grpc/off {
        grpc_pass grpc://127.0.0.1:$inner;
    }
    location /grpc/any {
        satisfy any;
        allow all;
        k8s_sa_auth made;
        grpc_pass grpc://127.0.0.1:$inner;
    }

    location = /mirror {
        internal;
        proxy_pass http://127.0.0.1:$mirror/mirror;
    }
    location = /mirror-auth {
        internal;
        k8s_sa_auth made;
        proxy_pass http://127.0.0.1:$mirror/mirror;
    }
    location = /ask {
        internal;
        proxy_pass http://127.0.0.1:$ask/ask;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }
    location /sub/required {
        k8s_sa_auth made;
        mirror /mirror;
        auth_request /ask;
        proxy_pass http://127.0.0.1:$up;
    }
    location /sub/off {
        mirror /mirror;
        auth_request /ask;
        proxy_pass http://127.0.0.1:$up;
    }
    location /sub/mirror-auth {
        mirror /mirror-auth;
        proxy_pass http://127.0.0.1:$up;
    }
    location /sub/mirror-twice {
        mirror /mirror-auth;
        mirror /mirror;
        proxy_pass http://127.0.0.1:1;
        error_page 502 = \@second;
    }
    location \@second {
        k8s_sa_auth made;
        proxy_pass http://127.0.0.1:$up;
    }
}
server {
    listen 127.0.0.1:$inner http2;
    location / {
        proxy_pass http://127.0.0.1:$up;
    }
}
_

$nginx->start;

my $user = 'system:serviceaccount:mytest:service1';
my $token = sign_token();
my @spoofs = ('X-Remote-User', 'x_remote_user', 'X.Remote.User',
              'x-REMOTE_user', 'X+Remote+User');


# Names that could be taken for an identity in HTTP and in CGI

sub identities {
    my ($body) = @_;
    return map { s/\r//r } grep { /^(?:HTTP_)?X.REMOTE.USER[:=]/i }
           split /\n/, $body;
}


for my $over ('HTTP/1.1', 'HTTP/2') {
    for my $kind (qw(proxy fastcgi grpc)) {

        my $ask = sub {
            my ($path, @headers) = @_;
            return $over eq 'HTTP/2' ? get_http2($h2, "/$kind/$path", @headers)
                                     : get($port, "/$kind/$path",
                                           @headers)->{body};
        };

        my $line = $kind eq 'fastcgi' ? "HTTP_X_REMOTE_USER=$user"
                 : $kind eq 'grpc' ? "x-remote-user: $user"
                 : "X-Remote-User: $user";
        my $end = $kind eq 'fastcgi' ? 'HTTP_X_KEPT=1'
                                     : qr/^x-kept: 1/mi;
        my @forged = map { "$_: admin" } @spoofs;

        for my $location (qw(off any)) {
            for my $forged (@forged) {
                my $body = $ask->($location, $forged, 'X-Kept: 1');

                is_deeply([ identities($body) ], [],
                          "$over, $kind, $location: $forged");
                like($body, qr/$end/, "$over, $kind, $location: it arrived");
            }
        }

        my $body = $ask->('required', @forged, bearer($token), 'X-Kept: 1');

        # gRPC names are in lower case
        is_deeply([ map { $kind eq 'grpc' ? lc : $_ } identities($body) ],
                  [ $line ], "$over, $kind: once, and it is the token's");
        like($body, qr/$end/, "$over, $kind: it arrived");
        unlike($body, qr/authorization/i, "$over, $kind: without the token");

        unlike($ask->('required', @forged), qr/kept/i,
               "$over, $kind: nothing without a token");

        $body = $ask->('any', @forged, bearer(spoil($token)), 'X-Kept: 1');
        is_deeply([ identities($body) ], [], "$over, $kind: a bad token");
        unlike($body, qr/authorization/i, "$over, $kind: is withheld, too");
    }
}


# Subrequests: mirror, auth_request

sub subrequests {
    my ($path, @headers) = @_;

    unlink $mirrored, $asked;

    my $answer = get($port, $path, @headers);

    for (1 .. 100) {
        last if -s $mirrored;
        sleep 0.02;
    }

    return ($answer->{body}, map { -e $_ ? slurp($_) : '' } $mirrored, $asked);
}

my @names = qw(upstream mirror auth_request);
my @forged = map { "$_: admin" } @spoofs;

my @bodies = subrequests('/sub/off', @forged, 'X-Kept: 1');

for my $i (0 .. 2) {
    like($bodies[$i], qr/^x-kept: 1/mi,
         "without a check: $names[$i] got a request");
    is_deeply([ identities($bodies[$i]) ], [], "free: $names[$i]");
}

@bodies = subrequests('/sub/required', @forged, bearer($token), 'X-Kept: 1');

for my $i (0 .. 2) {
    is_deeply([ identities($bodies[$i]) ], [ "X-Remote-User: $user" ],
              "with a token: $names[$i]");
    unlike($bodies[$i], qr/^authorization/mi,
           "with a token: $names[$i] does not see it");
}

@bodies = subrequests('/sub/mirror-auth', @forged, bearer($token));

is_deeply([ identities($bodies[1]) ], [],
          'a protected mirror of a location without a check: no identity');

@bodies = subrequests('/sub/mirror-twice', @forged, bearer($token));

is_deeply([ identities($bodies[0]) ], [ "X-Remote-User: $user" ],
          'mirrored, then redirected to a location that requires a token');
is(scalar(() = $bodies[0] =~ /^authorization/mig), 0,
   'mirrored, then redirected: the token is withheld');
is_deeply([ identities($bodies[1]) ], [], 'the mirrors get no identity');


K8sSa::Nginx->finish;
