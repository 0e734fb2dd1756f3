# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_status: the operator's view, as JSON and for Prometheus.

use strict;
use warnings;

use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use K8sSa;
use K8sSa::Conf;
use K8sSa::Http;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


my ($port, $small_port) = map { free_port() } 1 .. 2;
my $mock = K8sSa::MockIssuer->new;
my $api = K8sSa::MockApi->new;
my $pub = key_file('ec');
my $jwks = jwks([ 'ec', 'fetched', kid => 'a"b\\c' ],
                [ 'rsa', 'fetched', kid => 'second' ]);

$mock->set('good', jwks => { body => $jwks });
$mock->set('down', doc => { status => 500 });

my $http = <<"_";
k8s_sa_issuer made { public_key $pub; issuer https://kubernetes.default.svc;
                     audience service2; }
k8s_sa_issuer good { discovery @{[ $mock->discovery('good') ]};
                     audience service2; }
k8s_sa_issuer asks { token_review @{[ $api->base ]}/asks/review;
                     audience service2; }
k8s_sa_issuer down { discovery @{[ $mock->discovery('down') ]};
                     audience service2; timeout 1s; }
server {
    listen 127.0.0.1:$port;
    location = /json { k8s_sa_status; }
    location = /json-too { k8s_sa_status json; }
    location = /metrics { k8s_sa_status prometheus; }
    location = /protected { k8s_sa_auth made; k8s_sa_status; }
    location / { k8s_sa_auth made good down; empty_gif; }
    location /asks { k8s_sa_auth asks; empty_gif; }
    location /made { k8s_sa_auth made; empty_gif; }
    location /allow {
        k8s_sa_auth made good; k8s_sa_allow mytest/service2;
        k8s_sa_require \$http_x_value; empty_gif;
    }
    location /dry { k8s_sa_auth made; k8s_sa_dry_run on; empty_gif; }
    location /optional { k8s_sa_auth made optional; empty_gif; }
}
_

my $nginx = K8sSa::Nginx->new(workers => 2, http => $http);
my $began = time;

$nginx->start;

sub json {
    my ($at) = @_;
    my $answer = get($at || $port, '/json');
    return JSON::PP->new->utf8->decode($answer->{body});
}

# Returns { NAME{LABEL="VALUE",...} => VALUE }.

sub metrics {
    my ($at) = @_;
    my $body = get($at || $port, '/metrics')->{body};
    return { $body =~ /^([a-z][^ {]*(?:\{.*?\})?) (\S+)$/mg };
}

sub signed {
    my ($key, $iss, $name, %over) = @_;

    return bearer(sign_token(
        key => [ 'ec', $key ],
        header => $key eq 'fetched' ? { kid => 'a"b\\c' } : {},
        claims => claims(
            iss => $iss, sub => "system:serviceaccount:mytest:$name",
            %over,
            'kubernetes.io' => {
                namespace => 'mytest',
                serviceaccount => { name => $name, uid => 'u' },
                %{$over{'kubernetes.io'} || {}},
            })));
}

my $kubernetes = 'https://kubernetes.default.svc';
my $made = signed('first', $kubernetes, 'service1');
my $good = signed('fetched', $mock->url('good'), 'service1');
my $two = signed('fetched', $mock->url('good'), 'service2');

sub status {
    my ($path, @headers) = @_;
    return get($port, $path, @headers)->{status};
}

for (1 .. 100) {
    my $issuers = json()->{issuers};
    last if $issuers->{good}{fetched_keys}{last_refresh}
            && $issuers->{down}{fetched_keys}{failures};
    sleep 0.05;
}


# Before the first request

my $json = json();
my @verdicts = sort qw(ok bad_path no_token too_large malformed bad_algorithm
    unknown_issuer unknown_key bad_signature wrong_issuer legacy_token
    bad_claims expired not_yet_valid wrong_audience not_authenticated
    bad_attributes not_allowed not_required access_denied no_keys stale_keys
    review_failed access_failed busy internal_error);

is_deeply([ sort keys %{$json->{issuers}} ], [ qw(asks down good made) ],
          'all issuers');
is_deeply([ sort keys %{$json->{issuers}{made}{decisions}} ], \@verdicts,
          'all results');
is(scalar(grep { $_ } map { values %{$_->{decisions}} }
          values %{$json->{issuers}}, $json->{without_issuer}), 0,
   'no decisions yet');
is_deeply($json->{issuers}{made}{issuer}, [ $kubernetes ], 'issuer');
is($json->{issuers}{made}{key_files}, 1, 'a file with keys');
is(@{$json->{issuers}{made}{kids}}, 1, 'its kid');
ok(!exists $json->{issuers}{made}{fetched_keys}, 'nothing to fetch');
is_deeply([ sort @{$json->{issuers}{good}{kids}} ], [ 'a"b\\c', 'second' ],
          'unusual kids');

my $fetched = $json->{issuers}{good}{fetched_keys};
is($fetched->{from}, $mock->discovery('good'), 'the address of the keys');
cmp_ok(abs($fetched->{last_refresh} - $began), '<=', 10, 'last refresh');
cmp_ok($fetched->{next_refresh} - $fetched->{last_refresh}, '>=', 470,
       'next refresh');
cmp_ok($fetched->{next_refresh} - $fetched->{last_refresh}, '<=', 601,
       '... is within the bounds');
cmp_ok($fetched->{age}, '<=', 10, 'age');
is($fetched->{failures}, 0, 'no failures');
is($fetched->{last_error}, '', 'no error');
is($json->{issuers}{good}{fetches}, 1, 'one fetch');

my $down = $json->{issuers}{down};
is_deeply($down->{kids}, [], 'down: no kids');
is($down->{fetched_keys}{last_refresh}, 0, 'down: never refreshed');
cmp_ok($down->{fetched_keys}{failures}, '>=', 1, 'down: failures');
cmp_ok(abs($down->{fetched_keys}{last_failure} - $began), '<=', 10,
       'down: the last failure');
like($down->{fetched_keys}{last_error}, qr/answered 500/, 'down: the reason');
is($down->{fetch_errors}, $down->{fetched_keys}{failures}, 'down: counted');

is($json->{issuers}{asks}{token_review}, $api->base . '/asks/review',
   'the address of reviews');
ok(!exists $down->{token_review}, 'no address of reviews');

is($json->{zone}{name}, 'k8s_sa', 'the zone');
is($json->{zone}{size}, 8 * 1024 * 1024, 'its size');
is($json->{zone}{tokens}, 0, 'no tokens yet');
is_deeply([ @{$json->{callers}[0]}{qw(namespace name)} ], [ '', '' ],
          'callers: the entry for all others');


# Some requests

my %expected;

sub ask {
    my ($times, $issuer, $result, $status, $path, @headers) = @_;

    is(status($path, @headers), $status, "$path: $result") for 1 .. $times;
    $expected{$issuer}{$result} += $times;
}

ask(3, 'made', 'ok', 200, '/', $made);
ask(2, 'good', 'ok', 200, '/', $good);
ask(4, '', 'no_token', 401, '/');
ask(1, '', 'no_token', 200, '/dry');
ask(1, '', 'no_token', 200, '/optional');
ask(2, 'made', 'bad_signature', 401, '/made', $made =~ s/(.{20})$/'A' x 20/er);
ask(1, '', 'malformed', 401, '/', 'Authorization: Bearer a.b.c');
ask(1, 'made', 'wrong_audience', 401, '/made',
    signed('first', $kubernetes, 'service1', aud => [ 'other' ]));
ask(1, 'made', 'expired', 401, '/made',
    signed('first', $kubernetes, 'service1', exp => time - 100));
ask(2, 'good', 'not_allowed', 403, '/allow', $good);
ask(2, 'good', 'not_required', 403, '/allow', $two);
ask(1, 'good', 'ok', 200, '/allow', $two, 'X-Value: 1');
ask(1, '', 'unknown_issuer', 401, '/made',
    signed('other', 'https://nobody.example', 'x'));

# tokens that are used for too long

my $late = signed('first', $kubernetes, 'late', iat => time - 1000,
                 exp => time + 100);
my $early = signed('first', $kubernetes, 'early', iat => time - 100,
                  exp => time + 100);
my $warned = signed('first', $kubernetes, 'warned', 'kubernetes.io' => {
    warnafter => time - 10 });
my $unwarned = signed('first', $kubernetes, 'unwarned', 'kubernetes.io' => {
    warnafter => time + 1000 });

ask(3, 'made', 'ok', 200, '/made', $late);
ask(2, 'made', 'ok', 200, '/made', $early);
ask(4, 'made', 'ok', 200, '/made', $warned);
ask(2, 'made', 'ok', 200, '/made', $unwarned);

# reviews: two that are answered after a while, and one that is not

$api->set('asks', review => { delay => 0.12 });
ask(1, 'asks', 'ok', 200, '/asks', 'Authorization: Bearer opaque-one');
$api->set('asks', review => { refuse => 'no' });
ask(1, 'asks', 'not_authenticated', 401, '/asks',
    'Authorization: Bearer opaque-two');
$api->set('asks', review => { status => 400 });
ask(1, 'asks', 'review_failed', 503, '/asks',
    'Authorization: Bearer opaque-three');

my $after = json();
my $metrics = metrics();

for my $issuer (qw(made good asks), '') {
    my $have = $issuer ? $after->{issuers}{$issuer} : $after->{without_issuer};
    my %have = %{$have->{decisions}};

    delete @have{grep { !$have{$_} } keys %have};
    is_deeply(\%have, $expected{$issuer}, "decisions of '$issuer'");

    is_deeply({ map { ($_ => $metrics->{
                  "k8s_sa_decisions_total{issuer=\"$issuer\",result=\"$_\"}"}
                  || 0) } @verdicts },
              { map { ($_ => $expected{$issuer}{$_} || 0) } @verdicts },
              "metrics of '$issuer'");
}

is_deeply([ map { $after->{issuers}{made}{$_} } qw(late past_warnafter) ],
          [ 3, 4 ], 'late tokens, tokens past warnafter');
is_deeply([ sort { $a->{name} cmp $b->{name} } @{$after->{callers}} ],
          [ { namespace => '', name => '', late => 0, past_warnafter => 0 },
            { namespace => 'mytest', name => 'late', late => 3,
              past_warnafter => 0 },
            { namespace => 'mytest', name => 'warned', late => 0,
              past_warnafter => 4 } ], 'late tokens by service account');

my $caller = 'namespace="mytest",serviceaccount=';
is($metrics->{"k8s_sa_late_tokens_total{$caller\"late\"}"}, 3,
   'metrics: late tokens');
is($metrics->{"k8s_sa_warnafter_tokens_total{$caller\"warned\"}"}, 4,
   'metrics: tokens past warnafter');
ok(!exists $metrics->{"k8s_sa_late_tokens_total{$caller\"early\"}"},
   'metrics: no other service account');

# 3 + 3 + 2 + 4 + 2 requests with five tokens that were verified, and the
# refused ones, which are looked up each time

my $counted = $after->{issuers}{made};
is($counted->{cache_misses}, 5 + 2 + 1 + 1, 'cache misses');
is($counted->{cache_hits}, 14 - 5, 'cache hits');
is($metrics->{'k8s_sa_cache_hits_total{issuer="made"}'},
   $counted->{cache_hits}, 'metrics: hits');
is($metrics->{'k8s_sa_cache_misses_total{issuer="made"}'},
   $counted->{cache_misses}, 'metrics: misses');
# one of the eight was accepted by two different lists of issuers

is($after->{zone}{tokens}, 9, 'tokens in the cache');
is($metrics->{'k8s_sa_cache_entries{kind="accepted"}'}, 9, 'metrics: tokens');
cmp_ok($after->{zone}{tokens_bytes}, '>', 9 * 200, 'their size');
is($metrics->{'k8s_sa_cache_bytes{kind="accepted"}'},
   $after->{zone}{tokens_bytes}, 'metrics: their size');
is($metrics->{k8s_sa_zone_size_bytes}, 8 * 1024 * 1024, 'metrics: the zone');
is($metrics->{'k8s_sa_keys_fetched_timestamp_seconds{issuer="good"}'},
   $fetched->{last_refresh}, 'metrics: last fetch');
is($metrics->{'k8s_sa_keys_fetched_timestamp_seconds{issuer="down"}'}, 0,
   'metrics: never fetched');
ok(!exists $metrics->{'k8s_sa_keys_fetched_timestamp_seconds{issuer="made"}'},
   'metrics: nothing to fetch');
cmp_ok(abs($metrics->{'k8s_sa_keys_refresh_timestamp_seconds{issuer="good"}'}
           - $fetched->{next_refresh}), '<=', 1, 'metrics: next fetch');
cmp_ok($metrics->{'k8s_sa_fetch_failures_total{issuer="down"}'}, '>=', 1,
       'metrics: failed fetches');
is($metrics->{'k8s_sa_fetches_total{issuer="good"}'}, 1, 'metrics: fetches');
is(scalar(grep { /^k8s_sa_key_info\{issuer="good",.*kid="a\\"b\\\\c"\}$/ }
          keys %$metrics), 1, 'metrics: an unusual kid');

my $asks = $after->{issuers}{asks};
my $review = 'k8s_sa_review_duration_seconds';
is_deeply([ @$asks{qw(reviews review_errors)} ], [ 2, 1 ], 'reviews');
is($metrics->{'k8s_sa_review_failures_total{issuer="asks"}'}, 1,
   'metrics: failed reviews');
is($metrics->{"${review}_count{issuer=\"asks\"}"}, 3, 'metrics: reviews');
is($metrics->{"${review}_bucket{issuer=\"asks\",le=\"+Inf\"}"}, 3,
   'metrics: all of them');
is($metrics->{"${review}_bucket{issuer=\"asks\",le=\"0.100\"}"}, 2,
   'metrics: the quick ones');
cmp_ok($metrics->{"${review}_sum{issuer=\"asks\"}"}, '>=', 0.12,
       'metrics: their time');
is($metrics->{"${review}_sum{issuer=\"asks\"}"} * 1000,
   $asks->{review_msec}, 'metrics: the same as JSON\'s');
my $quick = 0;
$quick += $asks->{review_latency_msec}{$_} for qw(1 2 5 10 25 50 100);
is($quick, 2, 'latency: the quick ones');
is($metrics->{'k8s_sa_cache_entries{kind="refused"}'}, 1,
   'metrics: the refused token is cached');
is($metrics->{'k8s_sa_review_duration_seconds_count{issuer="made"}'}, 0,
   'metrics: no reviews');
is(scalar(grep { /^k8s_sa_review_duration_seconds_bucket\{issuer="made"/ }
          keys %$metrics), 13, 'metrics: the histogram');

# both workers, and those of the next configuration

my %seen;
$seen{JSON::PP->new->canonical->encode(json()->{issuers}{made})} = 1
    for 1 .. 20;
is(keys %seen, 1, 'all workers show the same');

$nginx->signal('HUP');
sleep 0.5;
is(json()->{issuers}{made}{decisions}{ok}, $expected{made}{ok},
   'a reload changes no number');

my $asked = $mock->requests('good');
my ($tested, $said) = $nginx->test;

is($tested, 0, 'nginx -t while it runs') or diag($said);
is($mock->requests('good'), $asked, '... fetches nothing');
is(json()->{issuers}{made}{decisions}{ok}, $expected{made}{ok},
   '... and changes no number');


# The text format

my $text = get($port, '/metrics');

is(join('', header_values($text->{head}, 'Content-Type')),
   'text/plain; version=0.0.4; charset=utf-8', 'metrics: type');
is(join('', header_values($text->{head}, 'Content-Length')),
   length $text->{body}, 'metrics: length');

my ($name, %of);

for (split /\n/, $text->{body}) {
    if (/^# HELP (\S+) \S.*\.$/) {
        $name = $1;
        ok(!$of{$name}++, "$name: one HELP");

    } elsif (/^# TYPE (\S+) (counter|gauge|histogram)$/) {
        is($1, $name, "$name: TYPE");
        is($2 eq 'counter', $name =~ /_total$/ ? 1 : '',
           "$name: counters end in _total");

    } elsif (!/^\Q$name\E(?:_bucket|_sum|_count)?(?:\{.*\})? \d+(?:\.\d+)?$/) {
        fail("line \"$_\" of $name");
    }
}

my %series;
$series{$_}++ for $text->{body} =~ /^([^#\n]\S*) /mg;
is_deeply([ grep { $series{$_} > 1 } keys %series ], [],
          'metrics: no series appears twice');

SKIP: {
    my ($promtool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};

    skip 'no promtool (Debian: prometheus)', 1 unless $promtool;

    my $pid = open my $fh, '|-';
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', dir() . '/promtool' or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT;
        { exec $promtool, qw(check metrics) }
        POSIX::_exit(127);
    }

    print $fh $text->{body};
    close $fh;
    is($? >> 8, 0, 'promtool check metrics');
    is(slurp(dir() . '/promtool'), '', '... prints no warnings');
}


# Methods and formats

sub ask_with {
    my ($method, $path, @headers) = @_;
    return request($port, join "\r\n", "$method $path HTTP/1.1", 'Host: a',
                                       'Connection: close', @headers, '', '');
}

for my $path ('/json', '/metrics') {
    my $head = ask_with('HEAD', $path);

    is($head->{status}, 200, "HEAD $path");
    is($head->{body}, '', "HEAD $path: no body");
    like($head->{head}, qr/^Content-Length: [1-9]/mi, "HEAD $path: length");
    is(ask_with($_, $path, 'Content-Length: 0')->{status}, 405, "$_ $path")
        for qw(POST PUT DELETE OPTIONS);
    is(ask_with('GET', $path, 'Content-Length: 3', '', 'abc')->{status}, 200,
       "GET $path with a body");
}

is(join('', header_values(get($port, '/json')->{head}, 'Content-Type')),
   'application/json', 'json: type');
is_deeply([ sort keys %{decode_json(get($port, '/json-too')->{body})} ],
          [ sort keys %{json()} ], 'json is the default');
is(status('/protected'), 401, 'can be protected');
is(status('/protected', $made), 200,
   '... and is available to an allowed caller');


# A small zone: evictions, and more callers than there are slots

my $small = K8sSa::Nginx->new(http => <<"_");
k8s_sa_zone tiny:64k;
k8s_sa_issuer made { public_key $pub; audience service2; }
server {
    listen 127.0.0.1:$small_port;
    location = /json { k8s_sa_status; }
    location = /metrics { k8s_sa_status prometheus; }
    location / { k8s_sa_auth made; empty_gif; }
}
_

$small->start;

for my $i (1 .. 300) {
    my $token = signed('first', $kubernetes, "s$i", iat => time - 1000,
                       exp => time + 100);

    is(get($small_port, '/', $token)->{status}, 200, "caller $i");
}

my $tiny = json($small_port);
my @callers = @{$tiny->{callers}};
my $sum = 0;
$sum += $_->{late} for @callers;

cmp_ok($tiny->{zone}{evictions}, '>', 0, 'evictions');
is($tiny->{zone}{tokens} + $tiny->{zone}{evictions}, 300,
   'each token is in the cache or was evicted');
cmp_ok($tiny->{zone}{used}, '<=', $tiny->{zone}{size}, 'used');
is(metrics($small_port)->{k8s_sa_cache_evictions_total},
   $tiny->{zone}{evictions}, 'metrics: evictions');
is($sum, 300, 'all late tokens are counted');
cmp_ok(scalar @callers, '<', 150, '... in a bounded number of series');
cmp_ok($callers[0]{late}, '>', 0, '... the rest in one series');
is($tiny->{issuers}{made}{late}, 300, '... and in the issuer\'s total');


# Without issuers, and wrong directives

my $none_port = free_port();
my $none = K8sSa::Nginx->new(http => <<"_")->start;
server {
    listen 127.0.0.1:$none_port;
    location = /json { k8s_sa_status; }
}
_

is(get($none_port, '/json')->{status}, 404, 'no issuer: 404');

refused("status: $_->[0]", "server {\nlocation / {\n$_->[1] # HERE\n}\n}",
        $_->[2])
    for [ 'another format', 'k8s_sa_status xml;', qr/invalid value "xml"/ ],
        [ 'two', 'k8s_sa_status json prometheus;', qr/invalid number of arg/ ],
        [ 'twice', 'k8s_sa_status; k8s_sa_status prometheus;',
          qr/is duplicate/ ];
refused('status: in a server', "server {\nk8s_sa_status; # HERE\n}",
        qr/"k8s_sa_status" directive is not allowed here/);


K8sSa::Nginx->finish;
