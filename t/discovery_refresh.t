# SPDX-License-Identifier: BSD-2-Clause

# The times at which keys are fetched again: refresh, Cache-Control, backoff,
# jitter.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


authority('ca');

my $ca = 'ssl_trusted_certificate ' . dir() . '/ca.crt;';
my $mock = K8sSa::MockIssuer->new;
my $jwks = jwks([ 'ec', 'first', kid => 'k' ]);

# issuer, refresh, Cache-Control of the document and of the keys, and the
# shortest and longest time until the next fetch: a fifth is jitter, the rest
# allows for a busy machine

my $slack = 1.5;

my @cases = (
    [ 'short', '1s', undef, undef, 0.75, 1 ],
    [ 'long-age', '1s', 'max-age=3600', 'max-age=3600', 0.75, 1 ],
    [ 'age', '10m', 'public, max-age=11', undef, 9.95, 11 ],
    [ 'age-of-keys', '10m', 'max-age=3600', 'Max-Age=11, public', 9.95, 11 ],
    [ 'age-0', '10m', undef, 'max-age=0', 9.95, 10 ],
    [ 'two-lines', '10m', undef, "no-transform\r\nCache-Control: max-age=5",
      9.95, 10 ],
    [ 's-maxage', '10m', 's-maxage=1', 's-maxage=1', undef ],
    [ 'foreign', '10m', 'x-max-age=1', 'max-age="1"', undef ],
    [ 'negative', '10m', 'max-age=-1', 'max-age=', undef ],
    [ 'huge', '10m', 'max-age=99999999999999999999', undef, undef ],
    [ 'no-age', '10m', 'no-cache', 'no-store', undef ],
);

for (@cases) {
    my ($name, undef, $document, $keys) = @$_;
    my @age = map { [ defined $_ ? "Cache-Control: $_" : () ] }
              $document, $keys;
    $mock->set($name, doc => { headers => $age[0] },
                      jwks => { headers => $age[1], body => $jwks });
}

# failures from the beginning, and later
$mock->set('bare', doc => { status => 500 });
$mock->set('later', jwks => { status => 429,
                              headers => [ 'Retry-After: 20' ] });
$mock->set('tomorrow', doc => { status => 503,
                                headers => [ 'Retry-After: 86400' ] });
$mock->set('failing', jwks => { body => $jwks });
$mock->set('gone', jwks => { body => $jwks });

# many issuers, to see the jitter
my @many = map { "many-$_" } 1 .. 20;
$mock->set($_, jwks => { body => $jwks }) for @many;

my @issuers = ((map { [ $_->[0], $_->[1] ] } @cases), [ 'bare', '10m' ],
               [ 'later', '10m' ], [ 'tomorrow', '10m' ],
               [ 'failing', '300ms' ], [ 'gone', '300ms', 'stale 5s;' ],
               map { [ $_, '5s' ] } @many);

my $port = free_port();

my $nginx = K8sSa::Nginx->new(workers => 2, http => join '',
    (map { my ($name, $refresh, $more) = @$_;
           "k8s_sa_issuer $name { audience service2; timeout 2s; $ca "
           . 'discovery ' . $mock->discovery($name) . "; refresh $refresh; "
           . ($more || '') . "}\n" } @issuers),
    "server { listen 127.0.0.1:$port;\n",
    (map { "location = /$_->[0] { k8s_sa_auth $_->[0]; empty_gif; }\n" }
         @issuers),
    "}\n")->start;

my $began = time();

sub status {
    my ($name) = @_;
    return get($port, "/$name",
               bearer(issuer_token($mock->url($name))))->{status};
}

sub gaps {
    my ($name) = @_;
    my @at = map { $_->{at} } $mock->requests($name, 'doc');
    return map { $at[$_] - $at[$_ - 1] } 1 .. $#at;
}

is(status($_->[0]), 200, "$_->[0]: keys") for grep {
    $_->[0] !~ /^(?:bare|later|tomorrow)$/ } @issuers;

# "failing" starts to fail after 1 s; "gone" is down from then on

sleep 0.05 while time() < $began + 1;
$mock->set('failing', doc => { status => 500 });
$mock->set('gone', jwks => { status => 404 });

my $failed = time();


# Retry-After, up to a minute

for ([ later => 429, 20 ], [ tomorrow => 503, 60 ]) {
    my ($name, $status, $seconds) = @$_;
    my $line = qr/"$name" failed: .* answered $status; next try in (\d+) ms/;
    ok($nginx->wait_log($line, 5), "$name: failed");
    is(($nginx->log =~ $line)[0], 1000 * $seconds, "$name: Retry-After");
}


# Backoff while there are no keys: 1 s, then 2 s

$mock->wait_requests('bare', 'doc', 5, 12);
my @bare = gaps('bare');

cmp_ok($bare[0], '>=', 0.75, 'no keys: 1 s until the second attempt');
cmp_ok($bare[0], '<', 1 + $slack, '1 s, not more');
cmp_ok($_, '>=', 1.55, 'no keys: 2 s until the next one'),
cmp_ok($_, '<', 2 + $slack, '2 s, not more') for @bare[1 .. 3];

$mock->set('bare', doc => {}, jwks => { body => $jwks });

my $back = time();
sleep 0.05 while time() < $back + 5 && status('bare') != 200;
cmp_ok(time() - $back, '<', 2 + $slack, 'recovers within 2 s');
diag(sprintf 'an issuer that was never there is back: served after %.2f s',
             time() - $back);


# Backoff with keys: 1, 2, 4, 8 s ...

$mock->wait_requests('failing', 'doc',
                     4 + grep({ $_->{at} < $failed }
                              $mock->requests('failing', 'doc')), 12);

my @after = grep { $_->{at} > $failed } $mock->requests('failing', 'doc');
my @failing = map { $after[$_]{at} - $after[$_ - 1]{at} } 1 .. $#after;

for (0 .. 2) {
    my $wait = 2 ** $_;
    cmp_ok($failing[$_], '>=', 0.78 * $wait,
           "failure: $wait s until the next attempt");
    cmp_ok($failing[$_], '<', $wait + $slack, "$wait s, not more");
}

is(status('failing'), 200, 'the keys stay in use');


# The keys become stale: from then on nginx tries every 2 s again, and tokens
# are refused

sleep 0.1 while time() < $failed + 6;
is(status('gone'), 503, 'keys that are too old: 503');
ok($nginx->wait_log(qr/\[(?:error|warn)\].*request refused \(\w+\): .*"gone"/),
   '... and the log says so');

$mock->set('gone', jwks => {});
$back = time();
sleep 0.05 while time() < $back + 5 && status('gone') != 200;
cmp_ok(time() - $back, '<', 2 + $slack, 'stale: recovers within 2 s');


# Jitter

my @gaps = map { (gaps($_))[0] } @many;
my ($least, $most) = (sort { $a <=> $b } @gaps)[0, -1];

cmp_ok(scalar(grep { defined } @gaps), '==', 20, 'all have fetched again');
cmp_ok($least, '>=', 3.95, 'refresh 5s: after 4 s at least');
cmp_ok($most, '<', 5 + $slack, '... after 5 s at most');
cmp_ok($most - $least, '>', 0.3, 'not all at the same time');


# Longer intervals

sleep 0.1 while time() < $began + 12.5;

for (@cases) {
    my ($name, undef, undef, undef, $from, $to) = @$_;
    my @gaps = gaps($name);

    if (!defined $from) {
        is(scalar @gaps, 0, "$name: not fetched again");
        next;
    }

    cmp_ok($gaps[0], '>=', $from, "$name: the next fetch");
    cmp_ok($gaps[0], '<', $to + $slack, "$name: in time");
}


# One error per failure, with the time of the next attempt

my @errors = $nginx->log
             =~ /"failing" failed: .* answered 500; next try in (\d+) ms/g;

cmp_ok(scalar @errors, '<=', 5, 'one line per failure');
cmp_ok($errors[0], '<=', 1000, '... with the time of the next attempt');


K8sSa::Nginx::finish();
