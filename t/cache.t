# SPDX-License-Identifier: BSD-2-Clause

# What the token cache must never do.  There are two tables: each worker's own
# one, with one slot for a token, and the zone.  /own is asked from one worker,
# /zone from another one, whose own table does not have the token at first.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Nginx;


my $port = free_port();

sub file {
    return spew('keys.json', jwks(map { [ 'ec', $_, kid => $_ ] } @_));
}

my $answers = 'add_header X-Answer "$k8s_sa_result $k8s_sa_cache $k8s_sa_uid" '
              . 'always; empty_gif;';
my $audience = 'service2';

sub text {
    return <<"_";
k8s_sa_issuer made {
    issuer https://kubernetes.default.svc;
    jwks_file @{[ dir() ]}/keys.json;
    audience $audience;
    leeway 0s;
}
k8s_sa_issuer else {
    issuer https://kubernetes.default.svc;
    jwks_file @{[ dir() ]}/keys.json;
    audience service3;
}
k8s_sa_issuer other {
    issuer https://other.example;
    jwks_file @{[ dir() ]}/keys.json;
    audience service2;
}
keepalive_requests 100000;
server {
    listen 127.0.0.1:$port reuseport;
    location = /pid   { return 200 \$pid; }
    location = /own   { k8s_sa_auth made; $answers }
    location = /zone  { k8s_sa_auth made; $answers }
    location = /else  { k8s_sa_auth else; $answers }
    location = /other { k8s_sa_auth other; $answers }
    location /allow {
        k8s_sa_auth made;
        location = /allow/all { $answers }
        location = /allow/one { k8s_sa_allow mytest/service9; $answers }
    }
    location = /status { k8s_sa_status; }
}
_
}

file('first');
my $nginx = K8sSa::Nginx->new(http => text(), workers => 2)->start;
my @connections;

sub ask {
    my ($c, $path, @headers) = @_;
    print { $c->{socket} } join "\r\n", "GET $path HTTP/1.1",
                           'Host: localhost', @headers, '', '';
    return receive($c);
}

# Returns a connection to the first or the second worker.

sub connection_to {
    my ($pid) = (sort { $a <=> $b } $nginx->workers)[shift];

    for (1 .. 200) {
        my $c = talk($port);
        return $c if ask($c, '/pid')->{body} == $pid;
    }
    die "worker $pid cannot be reached\n";
}

sub answer {
    my ($path, $token) = @_;
    my $n = $path eq '/zone' ? 1 : 0;

    $connections[$n] ||= connection_to($n);
    my $head = ask($connections[$n], $path, bearer($token))->{head};
    delete $connections[$n] if $head =~ /^Connection: close/mi;

    return (header_values($head, 'X-Answer'))[0];
}

sub made {
    my ($uid, %claims) = @_;

    return sign_token(key => [ 'ec', 'first' ], header => { kid => 'first' },
        claims => claims(%claims, 'kubernetes.io' => {
            namespace => 'mytest',
            serviceaccount => { name => 'service1', uid => $uid } }));
}

sub tokens {
    my ($n) = get($port, '/status')->{body} =~ /"tokens":\s*(\d+)/;
    return $n;
}

# Checks that a new token gets into both tables.

sub known {
    my ($token, $uid) = @_;

    is(answer('/own', $token), "ok MISS $uid", "$uid: new");
    is(answer('/own', $token), "ok HIT $uid",
       "$uid: found in the worker's table");
    is(answer('/zone', $token), "ok HIT $uid", "$uid: found in the zone");
    is(answer('/own', $token), "ok HIT $uid",
       "$uid: and in the worker's table again");
}

# Checks that neither table has the token.

sub refused {
    my ($token, $result, $what) = @_;

    like(answer($_, $token), qr/^$result (?:MISS)? *\S*$/, "$what: $_")
        for qw(/own /own /zone /zone);
}


# Another audience, another issuer

my $token = made('uid-1');
known($token, 'uid-1');

for (1, 2) {
    like(answer('/else', $token), qr/^wrong_audience MISS/, 'another audience');
    like(answer('/other', $token), qr/^wrong_issuer MISS/, 'another issuer');
    is(answer('/own', $token), 'ok HIT uid-1', '... and unchanged for its own');
}


# k8s_sa_allow is checked each time

is(answer('/allow/all', $token), 'ok HIT uid-1', 'allowed') for 1, 2;
is(answer('/allow/one', $token), 'not_allowed HIT uid-1',
   'cached, but not allowed')
    for 1, 2;


# Tokens that have something in common with a cached one: equal parts must not
# be taken for the whole.

my ($header, $payload, $signature) = split /\./, $token;
my (undef, $payload2, $signature2) = split /\./, made('uid-2');

refused("$header.$payload2.$signature", 'bad_signature', 'the same signature');
refused("$header.$payload.$signature2", 'bad_signature', 'the same prefix');
refused(spoil($token), 'bad_signature', 'one character of the signature');

my $middle = $token;
substr($middle, length($header) + 100, 1) =~ tr/A-Za-z0-9/B-ZAb-za1-90/;
refused($middle, 'bad_signature|malformed', 'all but one character');

refused(substr($token, 0, -1), 'malformed|bad_signature', 'without its end');
refused("$token$signature", 'bad_signature', 'with more after its end');

# many tokens, so that some share a slot

my @many = map { made("uid-many-$_") } 1 .. 300;

for my $round (1, 2) {
    my $result = $round == 1 ? 'MISS' : 'HIT';
    my @wrong = grep {
        answer('/own', $many[$_]) ne "ok $result uid-many-" . ($_ + 1)
    } 0 .. $#many;

    is(scalar @wrong, 0, "300 tokens, each with its own identity: $result")
        or diag("@wrong");
}


# every character counts, wherever it is

my @else = map {
    my $else = $token;
    substr($else, $_, 1) =~ tr/A-Za-z0-9._-/B-ZAb-za1-90_.A/;
    $else;
} 0 .. length($token) - 1;
my @beginnings = map { substr $token, 0, $_ } 1 .. length($token) - 1;

for my $case ([ 'one character is another', @else ],
              [ 'only its beginning', @beginnings ])
{
    my ($name, @tokens) = @$case;
    my @known = grep { answer('/own', $_) =~ /^ok | HIT / } @tokens;

    cmp_ok(scalar @tokens, '>', 400, "$name: all of them");
    is(scalar @known, 0, '... are not found') or diag($known[0]);
}

is(answer('/own', $token), 'ok HIT uid-1',
   '... the token itself is still found');


# Only verified tokens are stored

my $before = tokens();

refused(spoil(made('uid-3')), 'bad_signature', 'forged');
refused(made('uid-4', exp => int(time()) - 5), 'expired', 'expired');
refused(made('uid-5', nbf => int(time()) + 50), 'not_yet_valid', 'not yet valid');
refused(made('uid-6', aud => [ 'service4' ]), 'wrong_audience',
        'for another audience');
refused(made('uid-7', iss => 'https://x.example'), 'wrong_issuer',
        'of another issuer');
refused(made('uid-8', sub => 'system:serviceaccount:mytest:service2'),
        'bad_claims', 'contradictory claims');
refused(sign_token(key => [ 'ec', 'second' ], header => { kid => 'second' }),
        'unknown_key', 'of an unknown key');

is(tokens(), $before, 'the zone has as many tokens as before');


# exp

my $exp = int(time()) + 3;
my $short = made('uid-short', exp => $exp);

known($short, 'uid-short');
sleep 0.05 while time() < $exp;
sleep 1.1;    # nginx's clock counts whole seconds
refused($short, 'expired', 'cached before it expired');


# A reload with another audience, and back

sub reload {
    ($audience) = @_;
    $nginx->reload(text());
    @connections = ();
}

is(answer('/own', $token), 'ok HIT uid-1', 'cached before the reload');

reload('service9');
refused($token, 'wrong_audience', 'cached with another audience');
like(answer('/else', made('uid-9', aud => [ 'service3' ])), qr/^ok MISS/,
     'an issuer whose audience has not changed');

reload('service2');
is(answer('/own', $token), 'ok HIT uid-1',
   'a reload with the old audience: found again');


# Its key is removed, without any notice to the cache

is(answer($_, $token), 'ok HIT uid-1', "cached before the removal: $_")
    for qw(/zone /own);

file('second');
my $next = sign_token(key => [ 'ec', 'second' ], header => { kid => 'second' });
my $until = time() + 10;
for my $path (qw(/own /zone)) {
    sleep 0.1 while answer($path, $next) !~ /^ok/ && time() < $until;
}

refused($token, 'unknown_key', 'its key was removed');
refused($many[0], 'unknown_key', 'its key was removed, another token');

K8sSa::Nginx->finish;
