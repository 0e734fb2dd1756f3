# SPDX-License-Identifier: BSD-2-Clause

# Keys rotate while requests run: no valid token is refused at any moment, and
# a token of a removed key is refused after the next fetch, however often it
# was accepted before.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


authority('ca');

my $mock = K8sSa::MockIssuer->new;
my $port = free_port();

sub set {
    $mock->set('a', jwks => { body => jwks(map { [ 'ec', $_, kid => $_ ] }
                                               @_) });
}

sub signed {
    my ($key, $kid) = @_;
    return issuer_token($mock->url('a'), $key, $kid || $key);
}

set('old');

my %token = map { $_ => signed($_) } qw(old new third);

# tokens without a kid are tried with all keys
$token{nameless} = sign_token(key => [ 'ec', 'new' ],
                              claims => claims(iss => $mock->url('a')));

my $nginx = K8sSa::Nginx->new(workers => 4, http => <<"_")->start;
k8s_sa_issuer a {
    discovery @{[$mock->discovery('a')]};
    ssl_trusted_certificate @{[dir()]}/ca.crt;
    audience service2;
    refresh 1s;
}
server {
    listen 127.0.0.1:$port;
    location / { k8s_sa_auth a; empty_gif; }
}
_

# each in its own process; always with the same token, as callers do

sub requests { return map { with_token('/', $token{$_}) } @_ }

# Waits until all workers have fetched the keys that have been set by now.

sub fetched {
    my $n = $mock->requests('a', 'jwks');
    $mock->wait_requests('a', 'jwks', $n + 2, 10) or die "no fetch\n";
    sleep 0.1;
}

my $old = load($port, valid => requests('old'),
                      forged => with_token('/', signed('forger', 'old')));
sleep 0.5;

# Tokens of the new key are not valid before it is announced.
is(tally(answers(flood($port, requests('new')), 5)), '401: 1',
   'a key that is not announced yet');

set('old', 'new');

# An unknown key triggers one fetch in 10 s, and that has just happened: the
# next regular fetch brings this key.
fetched();

my $new = load($port, valid => requests('new'));
my $nameless = load($port, valid => requests('nameless'));

sleep 1.5;

# From here on the new key signs; tokens of the old one are used until all have
# been replaced.

my $valid = load_end($old);

set('new');
fetched();

my @refused = answers(flood($port, requests(('old') x 200)), 10);

is(tally(@refused), '401: 200', 'a token of the removed key, in all workers');

set('new', 'third');
fetched();

my $third = load($port, valid => requests('third'));

# A rotation between two sets without a common key, back and forth
for (1 .. 2) {
    set('third', 'new');
    sleep 0.5;
    set('new', 'third');
    sleep 0.5;
}

my %result = (
    old => $valid, new => load_end($new), third => load_end($third),
    nameless => load_end($nameless),
);

for (sort keys %result) {
    my %n = %{$result{$_}{valid}};
    my $wrong = 0;
    $wrong += $n{$_} for grep { /^\d+$/ && $_ != 200 } keys %n;

    is($wrong, 0, "$_: none of $n{200} valid tokens was refused")
        or diag(explain($result{$_}));
    cmp_ok($n{200}, '>', 50, "$_: enough requests");
    cmp_ok($n{slowest}, '<', 1, "$_: no request had to wait");
}

is_deeply([ grep { /^\d/ } keys %{$valid->{forged}} ], [ 401 ],
          "none of $valid->{forged}{401} forged ones was accepted");


# A reload in between changes nothing

@refused = ();
set('third');
fetched();
$nginx->signal('HUP');
sleep 0.3;

is(tally(answers(flood($port, requests(('new') x 50)), 10)), '401: 50',
   'removed: refused after a reload, too');
is(tally(answers(flood($port, requests(('third') x 50)), 10)), '200: 50',
   'valid: accepted after a reload, too');


K8sSa::Nginx::finish();
