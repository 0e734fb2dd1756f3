# SPDX-License-Identifier: BSD-2-Clause

# Tokens through nginx: every recorded one, and generated ones for each
# directive of k8s_sa_issuer that affects the decision.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::Nginx;


my $port = free_port();
my $iss = 'https://kubernetes.default.svc';
my (@issuers, @locations);


# Each location /NAME has its own issuer; X-Result in the answer is
# $k8s_sa_result.

sub location {
    my ($name, $directives, $auth) = @_;

    push @issuers, "k8s_sa_issuer $name {\n$directives\n}\n" if $directives;
    push @locations, 'location = /' . $name . ' { k8s_sa_auth '
                     . ($auth || $name) . "; try_files /ok =404; }\n";
}

sub keys_of {
    my ($version) = @_;
    my $keys = 'public_key ' . fixture("$version/sa.pub") . ';';
    $keys .= ' public_key ' . fixture("$version/keys/sa-ec.pub") . ';'
        if $version eq '1.36.2';
    return $keys;
}

my $made = 'public_key ' . key_file('ec') . '; public_key '
           . key_file('rsa') . ';';


for my $version ('1.20.2', '1.36.2') {
    my $jwks = 'jwks_file ' . fixture("$version/jwks.json") . ';';

    location("pem-$version", keys_of($version) . " audience service2;");
    location("jwks-$version", "$jwks audience service2;");
    location("legacy-$version", keys_of($version)
             . ' audience service2; legacy_tokens on;');

    # recorded tokens have expired since then
    location("then-$version", keys_of($version)
             . " audience any; issuer $iss; legacy_tokens on; leeway 36500d;");
}

location('plain', "$made audience service2;");
location('any', "$made audience any;");
location('several', "$made audience one service2 three;");
location('lists', "$made issuer https://a.example https://b.example; "
                  . 'issuer https://c.example; audience service2; '
                  . 'audience service3;');
location('rs256', "$made audience service2; algorithms RS256;");
location('ps', "$made audience service2; algorithms PS256 RS512;");
location('strict', "$made audience service2; leeway 0;");
location('patient', "$made audience service2; leeway 1h;");
location('foreign', "$made audience service2; kubernetes off;");
location('curves', 'public_key ' . key_file('p384') . '; public_key '
                   . key_file('p521') . '; audience service2;');
location('kids', 'jwks_file ' . write_file('kids.json',
    jwks([ 'ec', 'a', kid => 'a' ], [ 'ec', 'b', kid => 'b' ],
         [ 'ec', 'c', kid => 'a' ])) . '; audience service2;');

# selected by iss
location('choice-a', 'public_key ' . key_file('ec', 'a') . '; audience a; '
                     . 'issuer https://a.example;');
location('choice-b', 'public_key ' . key_file('ec', 'b') . '; audience b; '
                     . 'issuer https://b.example;');
location('choice-any', 'public_key ' . key_file('ec', 'any')
                       . '; audience c;');
location('choice', undef, 'choice-a choice-b choice-any');

my $nginx = K8sSa::Nginx->new(http => join '', @issuers, <<"_");
log_not_found off;
add_header X-Result \$k8s_sa_result always;
add_header X-User \$k8s_sa_username always;
add_header X-Audience \$k8s_sa_audience always;
server {
    listen 127.0.0.1:$port;
    root html;
@locations
}
_

write_file("$nginx->{dir}/html/ok", "ok\n");
$nginx->start;


sub is_result {
    my ($location, $token, $expected, $name) = @_;
    my $answer = get($port, "/$location", bearer($token));
    my ($result) = header_values($answer->{head}, 'X-Result');
    my $status = $expected eq 'ok' ? 200 : 401;

    is("$answer->{status} $result", "$status $expected",
       $name || "$location: $token: $expected");

    return $answer;
}


# Every recorded token, at the time when it was recorded.  (A token does not
# show the API server's verdict about deleted pods and accounts.)

my %forged = (
    'forged-other-key'        => 'bad_signature',
    'forged-other-kid'        => 'unknown_key',
    'forged-no-exp'           => 'bad_claims',
    'forged-no-sub'           => 'bad_claims',
    'forged-other-sub'        => 'bad_claims',
    'forged-no-kubernetes.io' => 'bad_claims',
    'forged-other-issuer'     => 'wrong_issuer',
    'two-issuers'             => 'wrong_issuer',
);

for my $version ('1.20.2', '1.36.2') {
    my @names = map { m{([^/]+)\.jwt$} }
                glob fixture("$version/tokens/*.jwt");

    cmp_ok(scalar @names, '>', 40, "tokens of $version exist");

    for my $name (@names) {
        my $expected = $forged{$name} || 'ok';
        is_result("then-$version", "$version/$name", $expected);
    }

    # with the current time
    for my $name (grep { /^(?:long|legacy)-|^expired-3600s/ } @names) {
        my $expected = $name =~ /^legacy/ ? 'legacy_token'
                     : $name =~ /^expired/ ? 'expired'
                     : $name =~ /service3|api-aud/ ? 'wrong_audience' : 'ok';

        is_result("pem-$version", "$version/$name", $expected);
        is_result("jwks-$version", "$version/$name", $expected);

        $expected = 'ok' if $name =~ /^legacy/;
        is_result("legacy-$version", "$version/$name", $expected);
    }
}

is_result('pem-1.20.2', '1.36.2/long-aud-service2', 'unknown_key');
is_result('pem-1.36.2', '1.20.2/long-aud-service2', 'unknown_key');


# Audiences

for my $case ([ 'service2', 'plain', 'ok', 'service2' ],
              [ [ 'x', 'service2' ], 'plain', 'ok', 'service2' ],
              [ 'service', 'plain', 'wrong_audience' ],
              [ 'Service2', 'plain', 'wrong_audience' ],
              [ [], 'plain', 'bad_claims' ],
              [ 7, 'plain', 'bad_claims' ],
              [ undef, 'plain', 'bad_claims' ],
              [ undef, 'any', 'ok', '' ],
              [ [ 'x', 'y' ], 'any', 'ok', 'x' ],
              [ [ 'three', 'service2' ], 'several', 'ok', 'service2' ],
              [ 'four', 'several', 'wrong_audience' ],
              [ 'service3', 'lists', 'ok', 'service3', 'https://b.example' ])
{
    my ($aud, $location, $expected, $seen, $issuer) = @$case;
    my $token = sign_token(claims => claims(aud => $aud,
                                            iss => $issuer || $iss));
    my $name = "$location: audience "
               . (ref $aud ? "[@$aud]" : defined $aud ? $aud : 'missing');
    my $answer = is_result($location, $token, $expected, $name);

    is((header_values($answer->{head}, 'X-Audience'))[0] || '', $seen,
       "$name: \$k8s_sa_audience") if defined $seen;
}


# Issuers

for my $case ([ 'a', 'ok' ], [ 'b', 'ok' ], [ 'c', 'ok' ],
              [ 'd', 'unknown_issuer' ])
{
    is_result('lists', sign_token(claims => claims(
              iss => "https://$case->[0].example")), $case->[1],
              "lists: issuer $case->[0]");
}

is_result('plain', sign_token(claims => claims(iss => 'https://x.example')),
          'ok', 'without a list: any issuer with the right key');

for my $case ([ 'a', 'a', 'a', 'ok' ], [ 'b', 'b', 'b', 'ok' ],
              [ 'a', 'b', 'b', 'bad_signature' ],
              [ 'a', 'a', 'b', 'wrong_audience' ],
              [ 'any', 'z', 'c', 'ok' ], [ 'any', 'a', 'c', 'ok' ],
              [ 'any', 'a', 'a', 'wrong_audience' ],
              [ 'nobody', 'a', 'a', 'bad_signature' ])
{
    my ($key, $issuer, $aud, $expected) = @$case;

    is_result('choice', sign_token(key => [ 'ec', $key ],
              claims => claims(iss => "https://$issuer.example", aud => $aud)),
              $expected, "choice: key $key, issuer $issuer, audience $aud");
}


# Algorithms and keys

is_result('plain', sign_token(key => [ 'rsa' ]), 'ok', 'RS256');
is_result('plain', sign_token(key => [ 'rsa' ], alg => 'RS512'),
          'bad_algorithm', 'RS512 must be enabled');
is_result('rs256', sign_token(key => [ 'rsa' ]), 'ok', 'RS256 where listed');
is_result('rs256', sign_token(), 'bad_algorithm', 'ES256 where not listed');
is_result('ps', sign_token(key => [ 'rsa' ], alg => $_), 'ok', "$_ listed")
    for 'PS256', 'RS512';
is_result('curves', sign_token(key => [ $_ ]), 'ok', "curve $_")
    for 'p384', 'p521';

is_result('kids', sign_token(key => [ 'ec', $_->[0] ],
          header => { kid => $_->[1] }), $_->[2],
          "key $_->[0] with alg $_->[1]")
    for [ 'a', 'a', 'ok' ], [ 'b', 'b', 'ok' ], [ 'c', 'a', 'ok' ],
        [ 'a', 'b', 'bad_signature' ], [ 'a', 'd', 'unknown_key' ];


# Times

for my $case ([ 'plain', exp => -50, 'ok' ], [ 'plain', exp => -70, 'expired' ],
              [ 'strict', exp => -5, 'expired' ],
              [ 'patient', exp => -3000, 'ok' ],
              [ 'patient', exp => -4000, 'expired' ],
              [ 'plain', nbf => 50, 'ok' ],
              [ 'plain', nbf => 70, 'not_yet_valid' ],
              [ 'strict', nbf => 5, 'not_yet_valid' ],
              [ 'patient', nbf => 3000, 'ok' ],
              [ 'plain', iat => 70, 'not_yet_valid' ])
{
    my ($location, $claim, $offset, $expected) = @$case;

    is_result($location, sign_token(claims => claims($claim =>
              time() + $offset)), $expected, "$location: $claim $offset s");
}

# the token was valid when it first came: the cache must not keep it valid
my $short = sign_token(claims => claims(exp => time() + 1));
is_result('strict', $short, 'ok', 'a token that lives for one second');
sleep 2;
is_result('strict', $short, 'expired', '... two seconds later');


# An issuer that is not a Kubernetes cluster

my %keycloak = (iss => 'https://keycloak.example/realms/a',
                sub => 'f:1234:jane', aud => 'service2', 'kubernetes.io' => undef,
                realm_access => { roles => [ 'admin' ] });

my $answer = is_result('foreign', sign_token(claims => claims(%keycloak)),
                       'ok', 'a token of Keycloak');
is((header_values($answer->{head}, 'X-User'))[0], 'f:1234:jane',
   '... its user name is sub');

is_result('plain', sign_token(claims => claims(%keycloak)), 'bad_claims',
          '... is not a Kubernetes token');
is_result('foreign', sign_token(claims => claims(%keycloak,
          sub => 'system:serviceaccount:mytest:service1')), 'bad_claims',
          '... cannot name a service account');
is_result('foreign', sign_token(claims => claims(%keycloak, exp => undef)),
          'bad_claims', '... must expire');


K8sSa::Nginx->finish;
