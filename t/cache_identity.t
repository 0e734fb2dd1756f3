# SPDX-License-Identifier: BSD-2-Clause

# An identity is the same however it is found: by verification, in a worker's
# own table, or in the zone, where it stays packed until it is needed.  As in
# t/cache.t, /own fills the only slot that a token has in the worker's table,
# and /zone has to look in the zone.  The zone is so small that forget() can
# evict a token: it is then verified again, but its slot in the worker's table
# is taken.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP qw(decode_json);
use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::Nginx;

my $port = free_port();
my @names = qw(username namespace name uid groups pod pod_uid node node_uid
               secret issuer audience jti kid expires claim_sub result cache);

# each in its own location, because reading one of them unpacks all

my $each = join "\n", map {
    my $name = $_;
    map { "location = /$_/$name { k8s_sa_auth made foreign; "
          . "add_header X-Answer \"\$k8s_sa_$name\" always; empty_gif; }" }
        qw(own zone);
} @names;

my $others = join "\n", map { <<"_" } qw(own zone);
    location /$_/ {
        k8s_sa_auth made foreign;
        location = /$_/whoami { k8s_sa_whoami; }
        location = /$_/front {
            k8s_sa_front_proxy_headers on;
            k8s_sa_whoami;
        }
        location = /$_/headers {
            k8s_sa_set_header X-User \$k8s_sa_username;
            k8s_sa_set_header X-Pod \$k8s_sa_pod;
            k8s_sa_set_header X-Both "\$k8s_sa_name of \$k8s_sa_namespace";
            k8s_sa_whoami;
        }
        location = /$_/group {
            k8s_sa_allow group:system:serviceaccounts:mytest;
            k8s_sa_whoami;
        }
        location = /$_/nobody { k8s_sa_allow else/*; k8s_sa_whoami; }
        location = /$_/nothing { k8s_sa_require ""; k8s_sa_whoami; }
        location = /$_/dry {
            k8s_sa_require "";
            k8s_sa_dry_run on;
            error_log logs/dry.log crit;   # nothing there reads the identity
            k8s_sa_whoami;
        }
        location = /$_/plain { empty_gif; }
    }
_

my $nginx = K8sSa::Nginx->new(http => <<"_")->start;
k8s_sa_zone k8s_sa:32k;
k8s_sa_issuer made {
    public_key @{[ fixture('1.36.2/sa.pub') ]};
    public_key @{[ fixture('1.20.2/sa.pub') ]};
    public_key @{[ key_file('ec') ]};
    audience service2;
    legacy_tokens on;
    leeway 36500d;
}
k8s_sa_issuer foreign {
    public_key @{[ key_file('rsa') ]};
    issuer https://login.example;
    kubernetes off;
    audience service2;
}
server {
    listen 127.0.0.1:$port;
    $each
    $others
    location = /status { k8s_sa_status; }
}
_

sub ask {
    my ($path, $token) = @_;
    return get($port, $path, bearer($token));
}

sub answer_of {
    my ($path, $token) = @_;
    return (header_values(ask($path, $token)->{head}, 'X-Answer'))[0];
}

# Returns the part of an answer that depends on the identity.

sub told {
    my ($path, $token) = @_;
    my $from = length $nginx->log;
    my $answer = ask($path, $token);
    my @headers = grep { /^(?:X-|HTTP)/ } split /\r\n/, $answer->{head};
    my @logged = substr($nginx->log, $from)
                 =~ /(k8s_sa: request refused.*?), client: /g;

    return join "\n", @headers, $answer->{body}, @logged;
}

sub status {
    return decode_json(get($port, '/status')->{body});
}


# too large for the worker's table, and more than the zone can hold

my @large = map { account_token('mytest', "large-$_", jti => $_ x 1900) }
            'a' .. 'p';

sub forget {
    ask('/zone/plain', $_) for @large;
}


sub foreign {
    my ($sub) = @_;

    return sign_token(key => ['rsa'], claims => claims(sub => $sub,
        iss => 'https://login.example', 'kubernetes.io' => undef));
}


my %tokens = (
    'a pod of 1.36' => token('1.36.2/long-aud-service2-pod'),
    'a pod of 1.20' => token('1.20.2/long-aud-service2-pod'),
    'a legacy token' => token('1.36.2/legacy-manual'),
    'somebody else' => foreign('alice'),
    'a UUID' => foreign('32eca69f-1b10-42a1-809c-b3a49caf497b'),
);

for my $who (sort keys %tokens) {
    my $token = $tokens{$who};
    my %own;

    is(ask('/own/plain', $token)->{status}, 200, "$who: verified");
    forget();
    is(answer_of('/zone/cache', $token), 'MISS', '... and again');

    for my $path (qw(whoami front headers group nobody nothing dry)) {
        $own{$path} = told("/own/$path", $token);

        forget();
        is(told("/zone/$path", $token), $own{$path},
           "$who: $path, verified again");
    }

    for my $name (@names) {
        my ($own, $zone) = map { answer_of("/$_/$name", $token) } qw(own zone);

        is($zone, $own, "$who: \$k8s_sa_$name");
        ok(length $own, '... which is not empty')
            if $name =~ /^(?:username|result|claim_sub)$/;
        is($zone, 'HIT', '... which was cached') if $name eq 'cache';
    }

    for my $path (sort keys %own) {
        is(told("/zone/$path", $token), $own{$path}, "$who: $path");
        like($own{$path}, qr/subject: "\S/, '... and the user is logged')
            if $path =~ /^no/;
    }
}

my $own = told('/own/front', $tokens{'a pod of 1.36'});

like($own, qr/^X-Remote-Extra-Authentication\.kubernetes\.io%2fpod-Name: \S/mi,
     'all front proxy headers are sent');
like(told('/zone/dry', $tokens{'a pod of 1.36'}), qr/^X-Remote-User: \S/m,
     'the identity is known in a dry run');


# Callers that do not renew their tokens are counted, wherever the token is
# found.

my $fresh = sign_token(claims => claims(jti => 'fresh'));
my $old = sign_token(claims => claims(jti => 'old', iat => time() - 3500,
                                      nbf => time() - 3500,
                                      exp => time() + 100));

for my $path (qw(/own /own /zone /zone)) {
    my $before = status();

    is(ask("$path/plain", $fresh)->{status}, 200, "$path: fresh");
    is(late(status()), late($before), '... is not counted');
    is(ask("$path/plain", $old)->{status}, 200, "$path: late");
    is(late(status()), late($before) + 1, '... is');
}

forget();

my $before = status();

is(ask('/zone/plain', $old)->{status}, 200, 'late, verified again');
is(late(status()), late($before) + 1, '... is counted');

sub late {
    my ($status) = @_;
    my ($caller) = grep { $_->{name} eq 'service1' } @{$status->{callers}};
    return $caller ? $caller->{late} : 0;
}

done_testing();
