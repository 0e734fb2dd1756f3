# SPDX-License-Identifier: BSD-2-Clause

# Access reviews without a verdict: 503, never remembered, while fresh verdicts
# go on to serve; and stale ones where the API server cannot be reached.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::MockApi;
use K8sSa::Nginx;


my $api = K8sSa::MockApi->new;
my $gone = K8sSa::MockApi->new;
my $port = free_port();
my $keys = 'public_key ' . key_file('ec') . '; audience service2; timeout 1s;';

sub answer { return encode_json({ apiVersion => 'authorization.k8s.io/v1',
                                  kind => 'SubjectAccessReview', @_ }) }

my $true = JSON::PP::true;
my $false = JSON::PP::false;

# name => [ settings, a reason in the log, whether stale verdicts serve ]

my %failing = (
    closed => [ { do => 'close' }, 'closed', 1 ],
    reset => [ { do => 'reset' }, '', 1 ],
    hang => [ { do => 'hang' }, 'timed out', 1 ],
    half => [ { do => 'half' }, '', 1 ],
    502 => [ { status => 502 }, '502', 1 ],
    503 => [ { status => 503 }, '503', 1 ],
    504 => [ { status => 504 }, '504', 1 ],
    301 => [ { status => 301 }, '301' ],
    400 => [ { status => 400 }, '400' ],
    401 => [ { status => 401 }, '401' ],
    403 => [ { status => 403 }, '403' ],
    404 => [ { status => 404 }, '404' ],
    409 => [ { status => 409 }, '409' ],
    422 => [ { status => 422 }, '422' ],
    429 => [ { status => 429 }, '429' ],
    500 => [ { status => 500 }, '500' ],
    html => [ { body => '<html>' }, '' ],
    empty => [ { body => '' }, '' ],
    list => [ { body => '[]' }, '' ],
    status => [ { body => '{"kind":"Status","apiVersion":"v1"}' }, '' ],
    'no-status' => [ { body => answer() }, '' ],
    'null-status' => [ { body => answer(status => undef) }, '' ],
    text => [ { body => answer(status => { allowed => 'true' }) }, '' ],
    number => [ { body => answer(status => { allowed => 1 }) }, '' ],
    both => [ { body => answer(status => { allowed => $true,
                                           denied => $true }) }, '' ],
    kind => [ { body => answer(kind => 'LocalSubjectAccessReview',
                               status => { allowed => $true }) }, '' ],
    version => [ { body => answer(apiVersion => 'authorization.k8s.io/v1beta1',
                                  status => { allowed => $true }) }, '' ],
    evaluation => [ { body => answer(status => { allowed => $false,
                          evaluationError => 'webhook' }) }, 'webhook' ],
    'evaluation-denied' => [ { body => answer(status => { allowed => $false,
                          denied => $true,
                          evaluationError => 'webhook' }) }, 'webhook' ],
    truncated => [ { body => substr(answer(status => { allowed => $true }),
                                    0, -3) }, '' ],
    huge => [ { body => answer(status => { allowed => $true },
                               spec => { x => 'y' x 3_000_000 }) }, '' ],
    twice => [ { body => '{"apiVersion":"authorization.k8s.io/v1",'
                       . '"kind":"SubjectAccessReview","status":{"allowed":'
                       . 'true,"allowed":false}}' }, '' ],
    starting => [ { starting => 1, allow => 0 }, 'start' ],
    'starting-403' => [ { starting => 1, status => 403 }, '403' ],
);

my %fine = (
    200 => [ { status => 200, allow => 1 }, 200 ],
    more => [ { allow => 1, status_of => { evaluationError => 'one failed',
                                           x => 1 } }, 200 ],
    absent => [ { body => answer(status => { reason => 'no' }) }, 403 ],
    denied => [ { body => answer(status => { denied => $true,
                                             allowed => $false }) }, 403 ],
    conditional => [ { body => answer(status => { allowed => $false,
                           conditionalDecision => {} }) }, 403 ],
    'starting-allowed' => [ { starting => 1, allow => 1 }, 200 ],
);

my (@issuers, @locations);

for my $name (sort(keys %failing, keys %fine)) {
    my $url = $api->url($name) . '/access';

    push @issuers,
        "k8s_sa_issuer i-$name { $keys access_review $url; }\n",
        "k8s_sa_issuer stale-$name { $keys access_review "
        . $api->url("stale-$name")
        . "/access; access_review_cache 200ms stale=1m; }\n";

    push @locations, map {
        "location = /$_-$name { k8s_sa_auth $_-$name; "
        . "k8s_sa_authorize path=/x verb=get; k8s_sa_whoami; }\n"
    } qw(i stale);
}

my $nginx = K8sSa::Nginx->new(http => <<"_");
@issuers
k8s_sa_issuer gone {
    $keys access_review @{[ $gone->url('gone') ]}/access;
    access_review_cache 200ms stale=1m;
}
k8s_sa_zone k8s_sa:16m;
server {
    listen 127.0.0.1:$port;
    add_header X-Result \$k8s_sa_result always;
    add_header X-Cache \$k8s_sa_access_cache always;
    location = /gone {
        k8s_sa_auth gone; k8s_sa_authorize; k8s_sa_whoami;
    }
    @locations
}
_

$nginx->start;

my $token = account_token('mytest', 'service1');
my $other = account_token('mytest', 'service2');

sub ask {
    my ($path, $bearer) = @_;
    my $answer = get($port, $path, bearer($bearer || $token));
    my ($result) = header_values($answer->{head}, 'X-Result');
    my ($cache) = header_values($answer->{head}, 'X-Cache');
    return "$answer->{status} $result $cache";
}


# No verdict

for my $name (sort keys %failing) {
    my ($set, $reason) = @{$failing{$name}};

    $api->set($name, access => $set);
    is(ask("/i-$name"), '503 access_failed MISS', "$name: 503");

    like($nginx->log, qr/\[error\].* access review of issuer "i-$name" failed: \S+: .*\Q$reason\E/,
         "$name: the log says why")
        if $nginx->wait_log(qr/issuer "i-$name" failed/, 1);

    # it is not remembered

    $api->set($name, access => { allow => 1, map { $_ => undef }
                                 grep { $_ ne 'allow' } keys %$set });
    is(ask("/i-$name"), '200 ok MISS', "$name: asked again");

    # a fresh verdict serves, whatever the API server does now

    $api->set($name, access => $set);
    is(ask("/i-$name"), '200 ok HIT', "$name: a fresh verdict");
}


# Verdicts

for my $name (sort keys %fine) {
    my ($set, $status) = @{$fine{$name}};

    $api->set($name, access => $set);
    is(ask("/i-$name"), $status == 200 ? '200 ok MISS'
                                       : '403 access_denied MISS', $name);
}


# Stale verdicts

$api->set("stale-$_", access => { allow => 1 }) for keys %failing;
is(ask("/stale-$_"), '200 ok MISS', "stale $_: allowed once")
    for sort keys %failing;

sleep 0.3;

for my $name (sort keys %failing) {
    my ($set, undef, $serves) = @{$failing{$name}};

    $api->set("stale-$name", access => $set);
    like(ask("/stale-$name"), $serves ? qr/^200 ok/ : qr/^503 access_failed/,
         "stale $name: " . ($serves ? 'serves' : 'does not serve'));
}

$gone->set('gone', access => { allow => { 'system:serviceaccount:mytest:service1'
                                          => 1 } });
is(ask('/gone'), '200 ok MISS', 'gone: allowed');
is(ask('/gone', $other), '403 access_denied MISS', 'gone: denied');
$gone->stop;
is(ask('/gone'), '200 ok HIT', 'gone: a fresh verdict');
sleep 0.3;
like(ask('/gone'), qr/^200 ok/, 'gone: a stale verdict');
is(ask('/gone'), '200 ok STALE', 'gone: without waiting');
sleep 2;
is(ask('/gone', $other), '503 access_failed MISS', 'gone: no stale denial');
$gone->start;
$gone->set('gone', access => { allow => 0 });
ok(until_true(5, sub { ask('/gone') =~ /^403/ }), 'gone: back');


# One error a second and issuer

{
    $api->set('500', access => { status => 400, do => undef });
    my $from = length $nginx->log;
    my $until = time() + 1.5;

    ask('/i-400', account_token('mytest', "a$_")) for 1 .. 20;

    my @lines = substr($nginx->log, $from) =~ /issuer "i-400" failed/g;
    cmp_ok(scalar @lines, '<=', 1 + int(time() - $until + 2.5),
           'one error a second');
}

K8sSa::Nginx->finish;
