# SPDX-License-Identifier: BSD-2-Clause

# Remembered decisions of the cluster: for how long, whose, and what makes them
# another question.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::MockApi;
use K8sSa::Nginx;


my $api = K8sSa::MockApi->new;
my $port = free_port();
my $keys = 'audience service2; timeout 2s;';
my $first = 'public_key ' . key_file('ec') . ';';
my $second = 'public_key ' . key_file('ec', 'second') . ';';

sub issuer {
    my ($name, $more, $key) = @_;
    return "k8s_sa_issuer $name { @{[ $key || $first ]} $keys access_review "
           . $api->url($name) . "/access; $more }\n";
}

sub location {
    my ($name, $rules) = @_;
    return "location = /$name { k8s_sa_auth $name; "
           . ($rules || 'k8s_sa_authorize;') . " k8s_sa_whoami; }\n";
}

sub http {
    my (%arg) = @_;
    my $cache = $arg{cache} || '1s denied=1s';

    return join '',
        issuer('times', "access_review_cache $cache;"),
        issuer('zero', 'access_review_cache 0 denied=0;'),
        issuer('extra', 'access_review_extra off;'),
        issuer('key', '', $arg{key}),
        issuer('one', 'issuer https://one.test;'),
        issuer('two', 'issuer https://two.test;', $second),
        issuer('reload', 'access_review_cache 1h denied=1h;')
            =~ s{/reload/access}{$arg{url} || '/reload/access'}er,
        'k8s_sa_issuer groups { token_review '
        . $api->url('groups') . '/review; token_review_cache 500ms; '
        . 'access_review ' . $api->url('groups')
        . "/access; access_review_cache 1h; timeout 2s; }\n",
        "server {\n listen 127.0.0.1:$port;\n",
        " add_header X-Result \$k8s_sa_result always;\n",
        " add_header X-Cache \$k8s_sa_access_cache always;\n",
        location('times'), location('zero'), location('extra'),
        location('key'), location('groups'),
        location('reload', $arg{rule}),
        "location = /both { k8s_sa_auth one two; k8s_sa_authorize; "
        . "k8s_sa_whoami; }\n",
        "location = /allowed { k8s_sa_auth reload; k8s_sa_authorize; "
        . "k8s_sa_allow mytest/service1; k8s_sa_whoami; }\n",
        "location = /status { k8s_sa_status prometheus; }\n",
        "}\n";
}

my $nginx = K8sSa::Nginx->new(http => http());

$nginx->start;

my $token = account_token('mytest', 'service1');

sub ask {
    my ($path, $bearer) = @_;
    my $answer = get($port, $path, bearer($bearer || $token));
    my ($result) = header_values($answer->{head}, 'X-Result');
    my ($cache) = header_values($answer->{head}, 'X-Cache');
    return "$answer->{status} $result " . (defined $cache ? $cache : '-');
}


# Times

$api->set('times', access => { allow => 1 });
is(ask('/times'), '200 ok MISS', 'asked');
is(ask('/times'), '200 ok HIT', 'remembered');
is(ask('/times', account_token('mytest', 'service1', jti => undef)),
   '200 ok HIT', 'another token of the same user, the same question');
is(ask('/times?a=b'), '200 ok HIT', 'the query is not part of it');
$api->set('times', access => { allow => 0 });
ok(until_true(5, sub { ask('/times') eq '403 access_denied MISS' }),
   'asked again after its time');
is(ask('/times'), '403 access_denied HIT', 'a denial is remembered');
$api->set('times', access => { allow => 1 });
ok(until_true(5, sub { ask('/times') eq '200 ok MISS' }),
   'and asked again after its time');

$api->set('zero', access => { allow => 1 });
is(ask('/zero'), '200 ok MISS', 'cache 0') for 1 .. 2;
$api->set('zero', access => { allow => 0 });
is(ask('/zero'), '403 access_denied MISS', 'denied=0') for 1 .. 2;


# Whose

{
    my @pods = map {
        account_token('mytest', 'service1', jti => "j$_",
                      'kubernetes.io' => { pod => { name => "p$_",
                                                    uid => "u$_" } })
    } 1 .. 2;

    $api->set('extra', access => { allow => 1 });
    is(ask('/extra', $pods[0]), '200 ok MISS', 'extra off: a pod');
    is(ask('/extra', $pods[1]), '200 ok HIT', 'extra off: another pod');
    is(ask('/times', $pods[0]), '200 ok MISS', 'extra on: a pod');
    is(ask('/times', $pods[1]), '200 ok MISS', 'extra on: another pod');
    is(ask('/extra', account_token('mytest', 'service2')), '200 ok MISS',
       'another account');
    is(ask('/extra', account_token('other', 'service1')), '200 ok MISS',
       'another namespace');
    is(ask('/extra', account_token('mytest', 'service1',
                                   'kubernetes.io' => { serviceaccount => {
                                       name => 'service1', uid => 'v' } })),
       '200 ok MISS', 'another uid');
}

{
    my $opaque = opaque_token();

    $api->set('groups', review => { groups => [ 'a' ] },
              access => { allow => 1 });
    is(ask('/groups', $opaque), '200 ok MISS', 'groups of a review');
    is(ask('/groups', $opaque), '200 ok HIT', 'the same groups');
    $api->set('groups', review => { groups => [ 'a', 'b' ] });
    ok(until_true(5, sub { ask('/groups', $opaque) eq '200 ok MISS' }),
       'a review that changes groups makes another question');
    is_deeply(($api->accesses('groups'))[-1]{review}{spec}{groups},
              [ 'a', 'b' ], 'with the new groups');
}


# Each issuer's own API server

{
    my $one = sign_token(claims => claims(iss => 'https://one.test'));
    my $two = sign_token(key => [ 'ec', 'second' ],
                         claims => claims(iss => 'https://two.test'));

    $api->set('one', access => { allow => 1 });
    $api->set('two', access => { allow => 0 });
    is(ask('/both', $one), '200 ok MISS', 'one cluster allows');
    is(ask('/both', $two), '403 access_denied MISS',
       'the other does not allow the user of the same name');
    is(ask('/both', $one), '200 ok HIT', 'remembered for one');
    is(ask('/both', $two), '403 access_denied HIT', 'and for the other');
}


# A decision does not outlive the token

{
    my $short = account_token('mytest', 'service1', exp => time() - 58);
    $api->set('key', access => { allow => 1 });
    is(ask('/key', $short), '200 ok MISS', 'a token that expires');
    ok(until_true(6, sub { ask('/key', $short) =~ /^401 expired/ }),
       'a decision does not outlive it');
    is(ask('/key'), '200 ok HIT', 'another token of the user');
}


# Reloads

$api->set('reload', access => { allow => 1 });
is(ask('/reload'), '200 ok MISS', 'before reloads');
is(ask('/times'), '200 ok MISS', 'before a shorter time')
    if ask('/times') !~ /MISS/ && sleep 1.1;

$nginx->reload(http(key => $second));
is(ask('/key'), '401 bad_signature -', 'the token\'s key is gone')
    or diag('key');
is(ask('/reload'), '200 ok HIT', 'a reload keeps decisions');

$nginx->reload(http(rule => 'k8s_sa_authorize path=/reload verb=put;'));
is(ask('/reload'), '200 ok MISS', 'another rule is another question');

$api->set('elsewhere', access => { allow => 0 });
$nginx->reload(http(url => '/elsewhere/access'));
is(ask('/reload'), '403 access_denied MISS', 'another URL is asked anew');

$nginx->reload(http());
is(ask('/reload'), '200 ok HIT', 'the former one is remembered');

$nginx->reload(http() =~ s/access_review_cache 1h denied=1h/access_review_cache 1ms/r);
is(ask('/reload'), '200 ok MISS', 'a shorter time is in force at once');


# Metrics

{
    my $metrics = get($port, '/status')->{body};

    like($metrics, qr/^k8s_sa_access_reviews_total\{issuer="two",verdict="denied"\} 1$/m,
         'k8s_sa_access_reviews_total');
    like($metrics, qr/^k8s_sa_access_cache_hits_total\{issuer="two"\} 1$/m,
         'k8s_sa_access_cache_hits_total');
    like($metrics, qr/^k8s_sa_access_cache_misses_total\{issuer="two"\} 1$/m,
         'k8s_sa_access_cache_misses_total');
    like($metrics, qr/^k8s_sa_access_review_duration_seconds_count\{issuer="two"\} 1$/m,
         'k8s_sa_access_review_duration_seconds');
    like($metrics, qr/^k8s_sa_cache_entries\{kind="allowed"\} [1-9]/m,
         'k8s_sa_cache_entries, allowed');
    like($metrics, qr/^k8s_sa_cache_entries\{kind="denied"\} [1-9]/m,
         'k8s_sa_cache_entries, denied');
    like($metrics, qr/^k8s_sa_decisions_total\{issuer="two",result="access_denied"\} 2$/m,
         'k8s_sa_decisions_total');
}

K8sSa::Nginx->finish;
