# SPDX-License-Identifier: BSD-2-Clause

# error_log at level debug: a request's way can be read from the module's own
# lines, which hold nothing of a token.

use strict;
use warnings;

use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;
use K8sSa::Upstream;


plan skip_all => 'nginx without --with-debug'
    if `$ENV{TEST_NGINX_BINARY} -V 2>&1` !~ /--with-debug/;

my $port = free_port();
my $up = echo_http();
my $mock = K8sSa::MockIssuer->new;
my $api = K8sSa::MockApi->new;

$mock->set('fetched', jwks => { body => jwks([ 'ec', 'first', kid => 'k' ]) },
                      doc => { delay => 1 });
$api->set('review', review => { claims => { } });

my $nginx = K8sSa::Nginx->new(level => 'debug', http => <<"_")->start;
k8s_sa_issuer made { public_key @{[ key_file('ec') ]}; audience service2;
    issuer https://kubernetes.default.svc; }
k8s_sa_issuer other { public_key @{[ key_file('ec', 'other') ]};
    audience service2; }
k8s_sa_issuer fetched { discovery @{[ $mock->discovery('fetched') ]};
    audience service2; }
k8s_sa_issuer review { token_review @{[ $api->base ]}/review/review;
    audience service2; }
server {
    listen 127.0.0.1:$port;
    k8s_sa_auth made other;
    location / { proxy_pass http://127.0.0.1:$up; }
    location /allow { k8s_sa_allow mytest/service2; empty_gif; }
    location /require { k8s_sa_require "" error=404; empty_gif; }
    location /dry { k8s_sa_allow mytest/service2; k8s_sa_dry_run on;
        proxy_pass http://127.0.0.1:$up; }
    location /optional { k8s_sa_auth made optional; empty_gif; }
    location /free { k8s_sa_auth off; empty_gif; }
    location /fetched { k8s_sa_auth fetched; empty_gif; }
    location /review { k8s_sa_auth review; empty_gif; }
    location /whoami { k8s_sa_auth review; k8s_sa_whoami; }
    location /sub { k8s_sa_auth off; auth_request /whoami; empty_gif; }
}
_

# What the module logs about a request for path, in order.

sub way {
    my ($path, @headers) = @_;
    my $from = length $nginx->log;

    get($port, $path, @headers);

    for (1 .. 100) {
        last if substr($nginx->log, $from) =~ /http close request|close http/;
        select undef, undef, undef, 0.02;
    }

    return [ map { /\[debug\] \S+ \*\d+ k8s_sa (.*)/ ? $1 : () }
             split /\n/, substr $nginx->log, $from ];
}

my $token = sign_token();
my $bytes = length $token;
my $good = bearer($token);
my @begin = ("token: $bytes bytes", 'header with the token removed');

is_deeply(way('/', $good), [
    @begin,
    'cache: not found',
    'signature, issuer "made": ok',
    'verdict: ok',
    'passed: ok',
    'header added: "X-Remote-User"',
], 'a new token');

is_deeply(way('/', $good, 'X-Remote-User: admin', 'X-Remote-Extra-a: b'), [
    'identity header removed',
    'identity header removed',
    "token: $bytes bytes",
    'header with the token removed',
    "cache: found in the worker's table",
    'verdict: ok',
    'passed: ok',
    'header added: "X-Remote-User"',
], 'a known token');

$nginx->reload;               # the new worker's own table is empty

is_deeply(way('/', $good), [
    @begin,
    'cache: found in the zone',
    'verdict: ok',
    'passed: ok',
    'header added: "X-Remote-User"',
], 'a token that the zone has');

is_deeply(way('/'), [
    'token: 0 bytes',
    'verdict: no_token',
    'refused: no_token',
    'answer: 401',
], 'without a token');

is_deeply(way('/optional'), [
    'token: 0 bytes',
    'verdict: no_token',
    'passed: no_token',
], '... which is optional');

is_deeply(way('/free', $good, 'X-Remote-User: admin'),
          [ 'identity header removed' ], 'k8s_sa_auth off');

is_deeply(way('/', bearer(spoil($token))), [
    @begin,
    'cache: not found',
    'signature, issuer "made": bad_signature',
    'signature, issuer "other": bad_signature',
    'verdict: bad_signature',
    'refused: bad_signature',
    'answer: 401',
], 'a wrong signature');

is_deeply(way('/', bearer('a.b')), [
    'token: 3 bytes',
    'header with the token removed',
    'cache: not found',
    'verdict: malformed',
    'refused: malformed',
    'answer: 401',
], 'not a token');

is_deeply([ @{way('/allow', $good)}[-3 .. -1] ],
          [ 'verdict: ok', 'refused: not_allowed', 'answer: 403' ],
          'not allowed');

is_deeply([ @{way('/require', $good)}[-3 .. -1] ],
          [ 'verdict: ok', 'refused: not_required', 'answer: 404' ],
          'a value is missing');

is_deeply([ @{way('/dry', $good)}[-3 .. -1] ],
          [ 'verdict: ok', 'refused: not_allowed',
            'header added: "X-Remote-User"' ], 'dry run');


# Waits

my $fetched = sign_token(key => [ 'ec', 'first' ], header => { kid => 'k' },
                         claims => claims(iss => $mock->url('fetched')));

is_deeply(way('/fetched', bearer($fetched)), [
    'token: ' . length($fetched) . ' bytes',
    'header with the token removed',
    'cache: not found',
    'verdict: no_keys, preliminary',
    'waits for keys',
    'resumed',
    'cache: not found',
    'signature, issuer "fetched": ok',
    'verdict: ok',
    'passed: ok',
    'header added: "X-Remote-User"',
], 'a wait for keys');

my @reviewed = (
    'cache: not found',
    'review, issuer "review": not known yet',
    'verdict: review_failed, preliminary',
    'waits for a review',
    'review ended: ok',
    'resumed',
    'cache: not found',
    'verdict: ok',
    'passed: ok',
    'header added: "X-Remote-User"');

my $opaque = sign_token(claims => claims(jti => 'one'));

is_deeply(way('/review', bearer($opaque)), [
    'token: ' . length($opaque) . ' bytes',
    'header with the token removed',
    @reviewed,
], 'a wait for a review');

$opaque = sign_token(claims => claims(jti => 'two'));

is_deeply(way('/sub', bearer($opaque)), [
    'token: ' . length($opaque) . ' bytes',
    'header with the token removed',
    'subrequest, token: ' . length($opaque) . ' bytes',
    @reviewed,
], 'the same in a subrequest');


# finish() searches the module's lines for signatures; here for all of a token

my @lines = grep { /\[debug\] \S+ \S+ k8s_sa / } split /\n/, $nginx->log;
my @parts = map { split /\./ } $token, spoil($token), $fetched, $opaque;

cmp_ok(scalar @lines, '>', 80, scalar(@lines) . ' lines');
is(scalar(grep { my $part = $_; grep { index($_, $part) >= 0 } @lines } @parts),
   0, 'no part of a token in them');
is(scalar(grep { /eyJ/ } @lines), 0, '... nor the beginning of one');


K8sSa::Nginx->finish;
