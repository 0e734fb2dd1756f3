# SPDX-License-Identifier: BSD-2-Clause

# An identity is the same however it is found: by verification, in a worker's
# own table, or in the zone, where it stays packed until it is needed.  The
# zone is so small that forget() can evict a token.  First the worker's table
# is empty and takes all tokens; then, after a restart, fill() has taken nearly
# all of its slots.

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
    "location = /$_ { k8s_sa_auth made foreign; "
    . "add_header X-Answer \"\$k8s_sa_$_\" always; empty_gif; }"
} @names;

my $others = <<'_';
    location / {
        k8s_sa_auth made foreign;
        location = /whoami { k8s_sa_whoami; }
        location = /front {
            k8s_sa_front_proxy_headers on;
            k8s_sa_whoami;
        }
        location = /headers {
            k8s_sa_set_header X-User $k8s_sa_username;
            k8s_sa_set_header X-Pod $k8s_sa_pod;
            k8s_sa_set_header X-Both "$k8s_sa_name of $k8s_sa_namespace";
            k8s_sa_whoami;
        }
        location = /group {
            k8s_sa_allow group:system:serviceaccounts:mytest;
            k8s_sa_whoami;
        }
        location = /nobody { k8s_sa_allow else/*; k8s_sa_whoami; }
        location = /nothing { k8s_sa_require ""; k8s_sa_whoami; }
        location = /dry {
            k8s_sa_require "";
            k8s_sa_dry_run on;
            error_log logs/dry.log crit;   # nothing there reads the identity
            k8s_sa_whoami;
        }
        location = /plain { empty_gif; }
    }
_

# A token has another slot for each list of issuers.

sub lists {
    my ($list, @rest) = @_;
    return $list, map {
        my $next = $_;
        lists("$list $next", grep { $_ ne $next } @rest);
    } @rest;
}

my @lists = grep { /fill/ } lists('', qw(made foreign fill1 fill2));

my $fillers = join "\n", map { <<"_" } qw(fill1 fill2);
k8s_sa_issuer $_ {
    public_key @{[ key_file('ec') ]};
    issuer https://fill.example;
    kubernetes off;
    audience service2;
}
_

my $fill = join "\n",
    map { "location = /fill/$_ { k8s_sa_auth$lists[$_]; empty_gif; }" }
        0 .. $#lists;

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
$fillers
keepalive_requests 100000;
server {
    listen 127.0.0.1:$port;
    $each
    $others
    $fill
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
    ask('/plain', $_) for @large;
}

sub fill {
    my $c = talk($port);

    for my $jti (1 .. 90) {
        my $token = sign_token(claims => claims(sub => 'fill',
            jti => "fill-$jti", iss => 'https://fill.example',
            'kubernetes.io' => undef));

        for my $i (0 .. $#lists) {
            print { $c->{socket} } "GET /fill/$i HTTP/1.1\r\nHost: x\r\n",
                                   bearer($token), "\r\n\r\n";
            my $status = receive($c)->{status};
            die "/fill/$i: $status\n" if $status != 200;
        }
    }
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
    'another user' => foreign('alice'),
    'a UUID' => foreign('32eca69f-1b10-42a1-809c-b3a49caf497b'),
);

my @paths = qw(whoami front headers group nobody nothing dry);


# Callers that do not renew their tokens are counted, wherever the token is
# found.

my $fresh = sign_token(claims => claims(jti => 'fresh'));
my $old = sign_token(claims => claims(jti => 'old', iat => time() - 3500,
                                      nbf => time() - 3500,
                                      exp => time() + 100));

sub late {
    my ($status) = @_;
    my ($caller) = grep { $_->{name} eq 'service1' } @{$status->{callers}};
    return $caller ? $caller->{late} : 0;
}

sub counts_late {
    my ($where) = @_;
    my $before = status();

    is(ask('/plain', $fresh)->{status}, 200, "$where: fresh");
    is(late(status()), late($before), '... is not counted');
    is(ask('/plain', $old)->{status}, 200, "$where: late");
    is(late(status()), late($before) + 1, '... is');
}


# In the worker's table

my %own;

for my $who (sort keys %tokens) {
    my $token = $tokens{$who};

    is(ask('/plain', $token)->{status}, 200, "$who: verified");
    forget();
    is(answer_of('/cache', $token), 'HIT',
       '... and in the table for another k8s_sa_auth of the same issuers');

    $own{$who}{$_} = told("/$_", $token) for @paths;
    $own{$who}{"\$$_"} = answer_of("/$_", $token) for @names;

    ok(length $own{$who}{"\$$_"}, "$who: \$k8s_sa_$_ is not empty")
        for qw(username result claim_sub);
    like($own{$who}{$_}, qr/subject: "\S/, "$who: $_, the user is logged")
        for qw(nobody nothing);
}

like($own{'a pod of 1.36'}{front},
     qr/^X-Remote-Extra-Authentication\.kubernetes\.io%2fpod-Name: \S/mi,
     'all front proxy headers are sent');
like($own{'a pod of 1.36'}{dry}, qr/^X-Remote-User: \S/m,
     'the identity is known in a dry run');

counts_late("worker's table") for 1, 2;


# In the zone

$nginx->stop;
$nginx->start;
fill();

for my $who (sort keys %tokens) {
    my $token = $tokens{$who};

    is(answer_of('/cache', $token), 'MISS', "$who: verified");
    is(answer_of('/cache', $token), 'HIT', '... and cached');

    for my $name (@names) {
        is(answer_of("/$name", $token), $own{$who}{"\$$name"},
           "$who: \$k8s_sa_$name");
    }

    for my $path (@paths) {
        is(told("/$path", $token), $own{$who}{$path}, "$who: $path");

        forget();
        is(told("/$path", $token), $own{$who}{$path},
           "$who: $path, verified again");
    }
}

counts_late('zone') for 1, 2;
forget();
counts_late('verified again');

done_testing();
