# SPDX-License-Identifier: BSD-2-Clause

# Keys are replaced under the same kid, or without one: a signature that does
# not match leads to a fetch, one in 10 s.

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
my (@issuers, @locations);

sub location {
    my ($name, $directives) = @_;

    push @issuers, "k8s_sa_issuer $name { audience service2; timeout 5s; "
                   . "discovery @{[$mock->discovery($name)]}; $directives }\n";
    push @locations, "location = /$name { k8s_sa_auth $name; empty_gif; }\n";
}

sub publish {
    my ($name, $key, @kid) = @_;
    $mock->set($name, jwks => { body => jwks([ 'ec', $key, @kid ]) });
}

sub signed {
    my ($name, $key, @kid) = @_;

    return with_token("/$name", sign_token(
        key => [ 'ec', $key ], header => { @kid },
        claims => claims(iss => $mock->url($name))));
}

sub tallied { return tally(answers(flood($port, @_), 10)) }

sub fetches { return scalar $mock->requests($_[0], 'jwks') }

location($_, '') for qw(same bare forged);
location('file', 'jwks_file ' . write_file('file.json', jwks([ 'ec', 'file',
                                                               kid => 'k' ]))
                 . ';');

publish($_, 'old', kid => 'k') for qw(same forged file);
publish('bare', 'old');

my $nginx = K8sSa::Nginx->new(workers => 2, http => <<"_")->start;
@issuers
server {
    listen 127.0.0.1:$port;
    @locations
}
_


for (
    [ 'same', 'the same kid', kid => 'k' ],
    [ 'bare', 'no kid' ],
) {
    my ($name, $title, @kid) = @$_;

    is(tallied((signed($name, 'old', @kid)) x 3), '200: 3', "$title: a key");

    publish($name, 'new', @kid);
    is(tallied((signed($name, 'new', @kid)) x 20), '200: 20',
       '... is replaced');
    is(fetches($name), 2, '... which one fetch finds');
    is(tallied((signed($name, 'old', @kid)) x 3), '401: 3',
       '... the old one is not accepted any more');
    is(fetches($name), 2, '... without another fetch');
}


# Forged tokens

is(tallied(signed('forged', 'old', kid => 'k')), '200: 1', 'a good token');
$mock->set('forged', doc => { delay => 0.5 });

my @answers = answers(flood($port, (signed('forged', 'forger', kid => 'k'))
                                   x 100), 10);

is(tally(@answers), '401: 100', '100 wrong signatures');
is(fetches('forged'), 2, '... lead to one fetch');
@answers = answers(flood($port, (signed('forged', 'forger', kid => 'k'))
                                x 100), 10);
is(tally(@answers), '401: 100', '100 more');
is(fetches('forged'), 2, '... to none');
cmp_ok(slowest(@answers), '<', 2, '... and do not wait');
is(tallied((signed('forged', 'old', kid => 'k')) x 3), '200: 3',
   'a good token meanwhile');


# A key in a file, and one from the network, with the same kid

is(tallied(signed('file', $_, kid => 'k')), '200: 1', "a key: $_")
    for qw(file old);
publish('file', 'new', kid => 'k');
is(tallied(signed('file', 'new', kid => 'k')), '200: 1', 'a new one');

K8sSa::Nginx::finish();
