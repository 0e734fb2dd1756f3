# SPDX-License-Identifier: BSD-2-Clause

# Clients cannot send an identity: identity headers from a client never reach
# the upstream, in any spelling and in any location.

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

# location => whether a request with a good token, and one without, is let
# through, and with which identity
my @locations = (
    [ required => 'k8s_sa_auth made;' ],
    [ off      => 'k8s_sa_auth off;' ],
    [ default  => '' ],
    [ optional => 'k8s_sa_auth made optional;' ],
    [ any      => 'satisfy any; allow all; k8s_sa_auth made;' ],
    [ quiet    => 'k8s_sa_auth made; k8s_sa_set_header off;' ],
    [ nothing  => 'k8s_sa_set_header off;' ],
    [ own      => 'k8s_sa_auth made; k8s_sa_set_header X-Caller '
                  . '$k8s_sa_name; k8s_sa_set_header "X-Caller-Uid" '
                  . '"uid=$k8s_sa_uid";' ],
);

my $nginx = K8sSa::Nginx->new(http => <<"_");
k8s_sa_issuer made {
    public_key @{[ key_file('ec') ]};
    audience service2;
}
underscores_in_headers on;
ignore_invalid_headers off;
large_client_header_buffers 8 32k;
server {
    listen 127.0.0.1:$port;
@{[ map { "location /$_->[0] { $_->[1] proxy_pass http://127.0.0.1:$up; }\n" }
    @locations ]}
    location /failed-401 {
        k8s_sa_auth made;
        error_page 401 = \@free;
        proxy_pass http://127.0.0.1:$up;
    }
    location /failed-502 {
        k8s_sa_auth made optional;
        error_page 502 = \@checked;
        proxy_pass http://127.0.0.1:1;
    }
    location /failed-502-free {
        k8s_sa_auth made optional;
        error_page 502 = \@free;
        proxy_pass http://127.0.0.1:1;
    }
    location /rewritten {
        rewrite ^ /default last;
    }
    location \@free {
        proxy_pass http://127.0.0.1:$up;
    }
    location \@checked {
        k8s_sa_auth made optional;
        proxy_pass http://127.0.0.1:$up;
    }
    location /except {
        limit_except POST {
            k8s_sa_auth made optional;
        }
        proxy_pass http://127.0.0.1:$up;
    }
    location /if {
        k8s_sa_auth made optional;
        if (\$request_method = GET) {
            set \$a 1;
        }
        proxy_pass http://127.0.0.1:$up;
    }
    location /nested {
        k8s_sa_auth made;
        location /nested/off {
            k8s_sa_auth off;
            proxy_pass http://127.0.0.1:$up;
        }
    }
    error_page 400 =200 \@free;
}
_

$nginx->start;

my $user = 'system:serviceaccount:mytest:service1';
my $bearer = bearer(sign_token());

my @spoofs = (
    'X-Remote-User', 'x_remote_user', 'X.Remote.User', 'x-REMOTE_user',
    'X-Remote.User', 'X-REMOTE-USER', 'x_Remote-User', "X+Remote+User",
    'X-Caller', 'x_caller', 'X.Caller', 'x-caller_UID', 'X-Caller-Uid',
);

my @innocent = ('X-Before: 1', 'X-Remote-Users: a', 'X-Remote-Use: b',
                'X-Remote: c', 'XX-Remote-User: d', 'Remote-User: e',
                'X_After: 2', 'X-Remote-User-: f');


# Returns the headers that the upstream got, except those of every request.

sub upstream {
    my ($answer) = @_;
    my ($head) = $answer->{body} =~ /^\S+ \S+ HTTP\S+\r\n(.*?)\r?\n\n/s;

    return grep { !/^(?:Host|Connection):/i } split /\r\n/, $head || '';
}


sub identities {
    return grep { /^x.(?:remote.user|caller(?:.uid)?): /i } @_;
}


for my $location (qw(off default optional any quiet nothing own failed-401
                     failed-502 failed-502-free rewritten except if
                     nested/off))
{
    my $open = $location ne 'own' && $location ne 'quiet';

    for my $spoof (@spoofs) {
        my @seen = upstream(get($port, "/$location", "$spoof: admin"));

        is_deeply([ @seen ], [], "/$location: $spoof")
            if $open;
        is(scalar @seen, 0, "/$location: $spoof is refused with the request")
            unless $open;
    }

    next unless $open;

    my @seen = upstream(get($port, "/$location", $innocent[0],
                            (map { ("$_: admin", "$_: admin2") } @spoofs),
                            @innocent[1 .. $#innocent]));

    is_deeply([ @seen ], [ @innocent ],
              "/$location: all at once; the other headers stay, in order");
}


# With a token there is one identity, the token's

my %expected = (
    required => [ "X-Remote-User: $user" ],
    optional => [ "X-Remote-User: $user" ],
    any      => [ "X-Remote-User: $user" ],
    quiet    => [],
    own      => [ 'X-Caller: service1', 'X-Caller-Uid: uid=uid-1' ],
    off      => [],
    nothing  => [],
    'failed-502'      => [ "X-Remote-User: $user" ],
    'failed-502-free' => [],
    except   => [ "X-Remote-User: $user" ],
    if       => [ "X-Remote-User: $user" ],
    'nested/off'      => [],
);

for my $location (sort keys %expected) {
    my @seen = upstream(get($port, "/$location", $innocent[0],
                            (map { "$_: admin" } @spoofs), $bearer,
                            @innocent[1 .. $#innocent]));

    is_deeply([ identities(@seen) ], $expected{$location},
              "/$location: the identity is that of the token");
    is_deeply([ grep { my $h = $_; grep { $h eq $_ } @innocent } @seen ],
              [ @innocent ], "/$location: other headers stay, in order");
}


# More headers than fit into one part of nginx's list

for my $n (19, 20, 21, 45, 300) {
    my @others = map { "X-N-$_: $_" } 1 .. $n;

    for my $at (0, 1, int($n / 2), $n) {
        my @headers = @others;
        splice @headers, $at, 0, 'X-Remote-User: admin', 'x_remote_user: b';

        my @seen = upstream(get($port, '/off', @headers));
        is_deeply([ @seen ], [ @others ], "$n headers, forged ones at $at");

        splice @headers, $n / 3, 0, $bearer;
        @seen = upstream(get($port, '/required', @headers));
        is_deeply([ @seen ], [ @others, "X-Remote-User: $user" ],
                  "$n headers, forged ones at $at, and a token");
    }

    my @many = map { ($_, 'X-Remote-User: admin') } @others;
    is_deeply([ upstream(get($port, '/off', @many)) ], [ @others ],
              "$n headers, a forged one after each");
}

is_deeply([ upstream(get($port, '/off', ('X-Remote-User: a') x 200)) ], [],
          'nothing but forged headers');


# A request that nginx itself refuses, with a proxied error page

for my $bad ("GET /off HTTP/1.1\r\nHost: a\r\nX-Remote-User: admin\r\n"
             . "Content-Length: x\r\nConnection: close\r\n\r\n",
             "GET /off HTTP/1.1\r\nX-Remote-User: admin\r\n"
             . "Connection: close\r\n\r\n")
{
    my @seen = upstream(request($port, $bad));
    is_deeply([ identities(@seen) ], [], 'a bad request');
}


K8sSa::Nginx->finish;
