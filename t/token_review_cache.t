# SPDX-License-Identifier: BSD-2-Clause

# What is remembered of reviews, how long, and what serves while there are
# none to be had.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

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

is(answer('short', opaque(1))->{cache}, 'MISS', 'a first review');

my @hits = map { answer('short', opaque(1))->{cache} } 1 .. 8;
is(join(',', @hits), join(',', ('HIT') x 8), 'serves the next ones');
is(n('short'), 1, 'in all workers');
sleep 2.05;
is(answer('short', opaque(1))->{cache}, 'MISS', 'for its time');
is(n('short'), 2, 'and no longer');

$api->set('short', review => { refuse => 'gone' });
sleep 2.05;
is(answer('short', opaque(1))->{status}, 401, 'what has gone is noticed then');
is(answer('short', opaque(1))->{cache}, 'HIT', 'refusals serve, too');
is(n('short'), 3, 'for the next ones');
$api->set('short', review => {});
sleep 1.05;
is(answer('short', opaque(1))->{status}, 200, 'for a shorter time');

my $good = sign_token();
is(answer('both', $good)->{cache}, 'MISS', 'keys and a review');
is(answer('both', $good)->{cache}, 'HIT', 'once');
$api->set('both', review => { refuse => 'gone' });
sleep 2.05;
is(answer('both', $good)->{status}, 401, 'the account has gone');
is(n('both'), 2, 'two reviews');
is(answer('both', spoil($good))->{result}, 'bad_signature', 'a forged one');
is(n('both'), 2, 'no review for it');

is(answer('one', opaque(2))->{status}, 200, 'an audience');
is(answer('two', opaque(2))->{cache}, 'MISS', 'another audience');
is(n('two'), 1, 'is another question');

is(answer('none', opaque(3))->{cache}, 'MISS', 'without a cache')
    for 1 .. 2;
is(n('none'), 2, 'each request is a review');

is(answer('one', opaque($_))->{status}, 200, 'before a failure') for 4;
$api->set('one', review => { status => 400 });
is(answer('one', opaque(5))->{status}, 503, 'a failure');
$api->set('one', review => {});
is(answer('one', opaque(5))->{status}, 200, 'is not remembered');


# Never past "exp"

my $short = sign_token(claims => claims(exp => int(time()) + 3));
is(answer('one', $short)->{status}, 200, 'a token in its last seconds');
my $n = n('one');
is(answer('one', $short)->{cache}, 'HIT', 'is remembered');
sleep 3.1;
is(answer('one', $short)->{cache}, 'MISS', 'until its end');
is(answer('one', $short)->{cache}, 'MISS', 'whatever the API server says');
is(n('one'), $n + 2, 'each time');


# Garbage does not push good entries out

is(answer('workers', opaque("good$_"))->{status}, 200, 'a good token')
    for 1 .. 5;
$api->set('refused', review => { refuse => 'garbage' });

for my $round (1 .. 40) {
    answers(flood($port, map { with_token('/refused',
                                          opaque("garbage-$round-$_")) }
                             1 .. 50), 10);
}

is(n('refused'), 2000, '2,000 tokens that nobody knows');
$nginx->reload;               # the new workers' own tables are empty
is(answer('workers', opaque("good$_"))->{cache}, 'HIT',
   'the good one is still there') for 1 .. 5;
is(n('workers'), 5, 'five reviews in all');


# Stale verdicts

my $from = length $nginx->log;

for my $path (qw(stale strict brief)) {
    is(answer($path, opaque(6))->{status}, 200, "$path: reviewed");
}

my $brief = time() + 7;

my $stale = sign_token(claims => claims(jti => 'stale'));
is(answer('both-stale', $stale)->{status}, 200, 'both-stale: reviewed');

# nearly over, and stale no longer than that
my $ended = int(time()) + 9;
my $ends = sign_token(claims => claims(exp => $ended));
is(answer('stale', $ends)->{status}, 200, 'ends soon');

sleep 1.05;
$flaky->set('stale', review => { status => 403 });
is(answer('stale', opaque(6))->{status}, 503,
   'who refuses us is not waited for');
$flaky->set('stale', review => { status => 500 });
is(answer('stale', opaque(6))->{status}, 200, 'who is ill is');
$flaky->set('stale', review => {});
$flaky->stop;
is(answer('stale', opaque(6))->{status}, 200, 'so is who is not there');
is(answer('both-stale', $stale)->{status}, 200, 'behind local keys, too');
is(answer('stale', opaque(7))->{status}, 503, 'not for a token never seen');
is(answer('strict', opaque(6))->{status}, 503, 'nor without "stale"');
is(answer('brief', opaque(6))->{status}, 200, 'a brief time');
is(answer('stale', $ends)->{status}, 200, 'not over yet');
sleep $brief - time() + 0.1 if $brief > time();
is(answer('brief', opaque(6))->{status}, 503, 'has an end');
sleep $ended - time() + 0.1 if $ended > time() - 0.1;
is(answer('stale', $ends)->{status}, 503, 'so has the token');

my $began = time();
is(answer('stale', opaque(6))->{status}, 200, 'still') for 1 .. 50;
cmp_ok(time() - $began, '<', 2, 'without waiting for the API server each time');

$flaky->start;
$n = n('stale', 1);
sleep 1.1;
answer('stale', opaque(6)) for 1 .. 10;
sleep 0.3;
cmp_ok(n('stale', 1), '>', $n, 'it is asked again when it is back');
is(answer('strict', opaque(6))->{status}, 200, 'and all is well');
$flaky->set('stale', review => { refuse => 'gone' });
sleep 1.1;
answer('stale', opaque(6)) for 1 .. 8;
sleep 0.2;
is(answer('stale', opaque(6))->{status}, 401, 'a refusal ends it');
$flaky->stop;
sleep 2.1;
is(answer('stale', opaque(6))->{status}, 503, 'for good');

K8sSa::Nginx::finish();
