# SPDX-License-Identifier: BSD-2-Clause

# The verdicts that are cached, for how long, and what is used while no review
# can be made.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::Nginx;


my $api = K8sSa::MockApi->new;
my $flaky = K8sSa::MockApi->new;
my $port = free_port();
my $keys = 'public_key ' . key_file('ec') . '; audience service2;';
my (@issuers, @locations);

sub location {
    my ($name, $directives, $server) = @_;
    my $url = ($server || $api)->base . "/$name/review";

    push @issuers, "k8s_sa_issuer $name { token_review $url; $directives }\n";
    push @locations, "location = /$name { k8s_sa_auth $name; k8s_sa_whoami; }\n";
}

sub answer {
    my ($path, $token) = @_;
    my $answer = get($port, "/$path", "Authorization: Bearer $token");
    ($answer->{cache}) = header_values($answer->{head}, 'X-Cache');
    ($answer->{result}) = header_values($answer->{head}, 'X-Result');
    return $answer;
}

sub n { return scalar $_[1] ? $flaky->reviews($_[0]) : $api->reviews($_[0]) }

location('short', 'token_review_cache 2s failed=1s;');
location('both', "$keys token_review_cache 2s failed=1s;");
location('one', 'audience one;');
location('two', 'audience two;');
location('none', 'token_review_cache 0 failed=0;');
location('refused', 'token_review_cache 10s failed=10s;');
location('workers', 'token_review_cache 5m;');
location('stale', 'token_review_cache 1s stale=30s; timeout 1s;', $flaky);
location('strict', 'token_review_cache 1s; timeout 1s;', $flaky);
location('brief', 'token_review_cache 1s stale=6s; timeout 1s;', $flaky);
location('both-stale', "$keys token_review_cache 1s stale=30s; timeout 1s;",
         $flaky);

my $nginx = K8sSa::Nginx->new(workers => 4, http => <<"_")->start;
k8s_sa_zone k8s_sa:512k;
add_header X-Cache \$k8s_sa_cache always;
add_header X-Result \$k8s_sa_result always;
@issuers
server {
    listen 127.0.0.1:$port;
    @locations
    location = /status { k8s_sa_status; }
}
_


# Verdicts

is(answer('short', opaque_token(1))->{cache}, 'MISS', 'a first review');

my @hits = map { answer('short', opaque_token(1))->{cache} } 1 .. 8;
is(join(',', @hits), join(',', ('HIT') x 8),
   '... is used for the next requests');
is(n('short'), 1, '... in all workers');
sleep 2.05;
is(answer('short', opaque_token(1))->{cache}, 'MISS', '... for its time');
is(n('short'), 2, '... and no longer');

$api->set('short', review => { refuse => 'gone' });
sleep 2.05;
is(answer('short', opaque_token(1))->{status}, 401, 'a deletion is noticed then');
is(answer('short', opaque_token(1))->{cache}, 'HIT', 'a refusal is cached, too');
is(n('short'), 3, '... for the next requests');
$api->set('short', review => {});
sleep 1.05;
is(answer('short', opaque_token(1))->{status}, 200, '... for a shorter time');

my $good = sign_token();
is(answer('both', $good)->{cache}, 'MISS', 'keys and a review');
is(answer('both', $good)->{cache}, 'HIT', 'once');
$api->set('both', review => { refuse => 'gone' });
sleep 2.05;
is(answer('both', $good)->{status}, 401, 'the account has gone');
is(n('both'), 2, 'two reviews');
is(answer('both', spoil($good))->{result}, 'bad_signature', 'a forged one');
is(n('both'), 2, '... without a review');

is(answer('one', opaque_token(2))->{status}, 200, 'an audience');
is(answer('two', opaque_token(2))->{cache}, 'MISS', 'another audience');
is(n('two'), 1, '... needs another review');

is(answer('none', opaque_token(3))->{cache}, 'MISS', 'without a cache')
    for 1 .. 2;
is(n('none'), 2, '... each request is reviewed');

is(answer('one', opaque_token($_))->{status}, 200, 'before a failure') for 4;
$api->set('one', review => { status => 400 });
is(answer('one', opaque_token(5))->{status}, 503, 'a failure');
$api->set('one', review => {});
is(answer('one', opaque_token(5))->{status}, 200, '... is not cached');


# Never past "exp"

my $short = sign_token(claims => claims(exp => int(time()) + 3));
is(answer('one', $short)->{status}, 200, 'a token in its last seconds');
my $n = n('one');
is(answer('one', $short)->{cache}, 'HIT', '... is cached');
sleep 3.1;
is(answer('one', $short)->{cache}, 'MISS', '... until it expires');
is(answer('one', $short)->{cache}, 'MISS', '... whatever the API server says');
is(n('one'), $n + 2, '... each time');


# Garbage does not evict good entries

is(answer('workers', opaque_token("good$_"))->{status}, 200, 'a good token')
    for 1 .. 5;
$api->set('refused', review => { refuse => 'garbage' });

for my $round (1 .. 40) {
    answers(flood($port, map { with_token('/refused',
                                          opaque_token("garbage-$round-$_")) }
                             1 .. 50), 10);
}

is(n('refused'), 2000, '2,000 unknown tokens');
$nginx->reload;               # the new workers' own tables are empty
is(answer('workers', opaque_token("good$_"))->{cache}, 'HIT',
   'the good one is still cached') for 1 .. 5;
is(n('workers'), 5, '... after five reviews in all');


# Stale verdicts

my $from = length $nginx->log;

for my $path (qw(stale strict brief)) {
    is(answer($path, opaque_token(6))->{status}, 200, "$path: reviewed");
}

my $brief = time() + 7;

my $stale = sign_token(claims => claims(jti => 'stale'));
is(answer('both-stale', $stale)->{status}, 200, 'both-stale: reviewed');

# almost expired, and not stale for longer than that
my $ended = int(time()) + 9;
my $ends = sign_token(claims => claims(exp => $ended));
is(answer('stale', $ends)->{status}, 200, 'ends soon');

sleep 1.05;
$flaky->set('stale', review => { status => 403 });
is(answer('stale', opaque_token(6))->{status}, 503,
   'a stale verdict is not used if the API server refuses us');
$flaky->set('stale', review => { status => 500 });
is(answer('stale', opaque_token(6))->{status}, 200,
   '... but it is if the API server fails');
$flaky->set('stale', review => {});
$flaky->stop;
is(answer('stale', opaque_token(6))->{status}, 200, '... or is down');
is(answer('both-stale', $stale)->{status}, 200, 'also after a local check');
is(answer('stale', opaque_token(7))->{status}, 503, 'not for an unknown token');
is(answer('strict', opaque_token(6))->{status}, 503, 'nor without "stale"');
is(answer('brief', opaque_token(6))->{status}, 200, 'a short "stale"');
is(answer('stale', $ends)->{status}, 200, '... is not over yet');
sleep $brief - time() + 0.1 if $brief > time();
is(answer('brief', opaque_token(6))->{status}, 503, '... ends');
sleep $ended - time() + 0.1 if $ended > time() - 0.1;
is(answer('stale', $ends)->{status}, 503, '... as does the token');

my $began = time();
is(answer('stale', opaque_token(6))->{status}, 200, 'still') for 1 .. 50;
cmp_ok(time() - $began, '<', 2,
       '... without waiting for the API server each time');

$flaky->start;
$n = n('stale', 1);
sleep 1.1;
answer('stale', opaque_token(6)) for 1 .. 10;
sleep 0.3;
cmp_ok(n('stale', 1), '>', $n, 'the API server is asked again when it is back');
is(answer('strict', opaque_token(6))->{status}, 200, '... and accepts the token');
$flaky->set('stale', review => { refuse => 'gone' });
sleep 1.1;
answer('stale', opaque_token(6)) for 1 .. 8;
sleep 0.2;
is(answer('stale', opaque_token(6))->{status}, 401,
   'a refusal replaces a stale verdict');
$flaky->stop;
sleep 2.1;
is(answer('stale', opaque_token(6))->{status}, 503, '... for good');

# A flood of unknown tokens, whose reviews time out in our own queue, must not
# bring back the stale verdict of a revoked token while the API server answers.

my $at = free_port();
my $single = K8sSa::Nginx->new(http => <<"_")->start;
k8s_sa_issuer flooded {
    token_review @{[ $api->base ]}/flooded/review;
    token_review_cache 1s failed=0 stale=30s;
    timeout 2s;
}
server { listen 127.0.0.1:$at; location / { k8s_sa_auth flooded; empty_gif; } }
_

my $revoked = bearer(opaque_token(8));
is(get($at, '/', $revoked)->{status}, 200, 'before a flood');
$api->set('flooded', review => { delay => 0.3, refuse => 'revoked' });
sleep 1.1;

my @flood = map {
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$at") or die "$!\n";
    print $s "GET / HTTP/1.1\r\nHost: a\r\n"
             . bearer(opaque_token("flood$_")) . "\r\n\r\n";
    $s;
} 1 .. 120;

sleep 2.7;
my @during = map { get($at, '/', $revoked)->{status} } 1 .. 4;
is(scalar(grep { $_ == 200 } @during), 0,
   "a flood does not revive a revoked token (@during)");
close $_ for @flood;

K8sSa::Nginx::finish();
