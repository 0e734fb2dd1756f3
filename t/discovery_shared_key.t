# SPDX-License-Identifier: BSD-2-Clause

# Two issuers share a key.  While the keys of the one that a token names are
# missing, the other one cannot refuse it.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


my $mock = K8sSa::MockIssuer->new;
my $port = free_port();
my $jwks = jwks([ 'ec', 'first', kid => 'k' ]);
my $other = jwks([ 'ec', 'other', kid => 'o' ]);
my $file = write_file('shared.json', $jwks);
my (@issuers, @locations);

# The issuer NAME, and a location that accepts it and the issuer "ready", whose
# keys are always there.

sub location {
    my ($name, $directives) = @_;
    push @issuers, "k8s_sa_issuer $name { audience service2; timeout 2s;
                        $directives }\n";
    push @locations, "location = /$name { k8s_sa_auth ready $name;
                                          empty_gif; }\n";
}

sub discovery { return 'discovery ' . $mock->discovery($_[0]) . ';' }

sub answer {
    my ($name, $iss) = @_;
    my $answer = get($port, "/$name",
                     bearer(issuer_token($iss || $mock->url($name))));
    my ($result) = header_values($answer->{head}, 'X-Result');
    return "$answer->{status} $result";
}

location($_, discovery($_)) for qw(unlearned slow);
location($_, "issuer @{[$mock->url($_)]}; " . discovery($_))
    for qw(named learned replaced);
location('any', "jwks_uri @{[$mock->url('any')]}/jwks;");

$mock->set($_, doc => { status => 500 }) for qw(unlearned named);
$mock->set('slow', doc => { delay => 1 });
$mock->set('any', jwks => { status => 500 });
$mock->set($_, jwks => { body => $other }) for qw(learned replaced);
$mock->set($_, jwks => { body => $jwks }) for qw(slow unlearned named);

my $nginx = K8sSa::Nginx->new(http => <<"_")->start;
k8s_sa_issuer ready { audience service2; jwks_file $file;
                      issuer https://ready.test; }
@issuers
server {
    listen 127.0.0.1:$port;
    add_header X-Result \$k8s_sa_result always;
    @locations
}
_

is(answer('slow'), '200 ok', 'keys that arrive late are waited for');
is(answer($_), '503 no_keys', "$_: no keys yet") for qw(named unlearned);
is(answer('any'), '503 no_keys', 'an issuer without "issuer": no keys yet');

$mock->wait_requests('learned', 'jwks', 1);
$mock->wait_requests('replaced', 'jwks', 1);
sleep 0.2;

is(answer('learned'), '401 wrong_issuer', 'an issuer with other keys');
is(scalar $mock->requests('learned', 'jwks'), 2,
   '... which were fetched again');
is(answer('learned', 'https://x.test'), '401 wrong_issuer',
   'a token of neither issuer');

$mock->set('replaced', jwks => { body => $jwks });
is(answer('replaced'), '200 ok', 'an issuer that has just got the key');

K8sSa::Nginx::finish();
