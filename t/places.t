# SPDX-License-Identifier: BSD-2-Clause

# Places for requests that wait for keys, and for reviews that wait to be sent:
# 1,024 of each in a worker, an eighth of them for one client address.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


my $api = K8sSa::MockApi->new;
my $mock = K8sSa::MockIssuer->new;
my $port = free_port();

my $nginx = K8sSa::Nginx->new(main => 'worker_rlimit_nofile 4096;',
                              http => <<"_");
k8s_sa_issuer api { token_review @{[$api->base]}/api/review; timeout 2s; }
k8s_sa_issuer turns { token_review @{[$api->base]}/turns/review; timeout 20s; }
k8s_sa_issuer full { token_review @{[$api->base]}/full/review; timeout 60s; }
k8s_sa_issuer keys { discovery @{[$mock->discovery('keys')]}; timeout 4s;
                     audience service2; }
server {
    listen 127.0.0.1:$port backlog=2048;
    set_real_ip_from 127.0.0.0/8;
    add_header X-Result \$k8s_sa_result always;
    location = /api { k8s_sa_auth api; empty_gif; }
    location = /turns { k8s_sa_auth turns; empty_gif; }
    location = /full { k8s_sa_auth full; empty_gif; }
    location = /keys { k8s_sa_auth keys; empty_gif; }
    location = /status { k8s_sa_status; }
}
_

{
    my $conf = slurp("$nginx->{dir}/nginx.conf");
    $conf =~ s/worker_connections \d+/worker_connections 3000/;
    write_file("$nginx->{dir}/nginx.conf", $conf);
}

$mock->set('keys', doc => { delay => 2 },
           jwks => { body => jwks([ 'ec', 'first', kid => 'k' ]) });
$api->set($_, review => { do => 'hang' }) for qw(api full);
$api->set('turns', review => { delay => 0.5 });

$nginx->start;


sub results {
    my %n;
    $n{($_->{text} =~ /^X-Result: (\w+)/m)[0] || 'none'}++ for @_;
    return join ', ', map { "$_: $n{$_}" } sort keys %n;
}

# a request as if from another address

sub with_address {
    my ($address, $request) = @_;
    return $request =~ s/^Host:/X-Real-IP: $address\r\nHost:/mr;
}

my $good = issuer_token($mock->url('keys'));
my @crowd = (with_token('/keys', $good)) x 140;


# Keys

my $flood = flood($port, @crowd);
my $other = do {
    local $K8sSa::Load::clients = 2;
    flood($port, (with_token('/keys', $good)) x 20);
};

is(results(answers($flood, 10)), 'busy: 12, ok: 128',
   'keys: one address has 128 places');
is(results(answers($other, 10)), 'busy: 10, ok: 10', '... others have more');


# Places are given back, also by clients that disconnect

my ($forged) = issuer_token($mock->url('keys'), 'forger', 'other');

$mock->set('keys', doc => { delay => 3 });
$flood = flood($port, (with_token('/keys', $forged)) x 128);
sleep 0.5;
is(results(answers(flood($port, with_token('/keys', $forged)), 5)), 'busy: 1',
   'keys: all places of an address are taken again');
close delete $_->{socket} for splice @{$flood->{answers}}, 0, 28;
sleep 0.5;
is(results(answers(flood($port, (with_token('/keys', $forged)) x 29), 9)),
   'busy: 1, unknown_key: 28', '... and given back by 28 of its clients');

my $status = get($port, '/status')->{body};
like($status, qr/"busy":\s*24\b/, 'the status counts refusals');
like($nginx->log, qr/refused \(busy\): too many requests are waiting/,
     '... and the log has them');


# Reviews

my @tokens = map { with_token('/api', opaque_token($_)) } 1 .. 150;

$flood = flood($port, @tokens);
$other = do {
    local $K8sSa::Load::clients = 2;
    flood($port, map { with_token('/api', opaque_token("other-$_")) } 1 .. 20);
};
my $same = flood($port, with_token('/api', opaque_token(100)));

is(results(answers($flood, 10)), 'busy: 14, review_failed: 136',
   'reviews: one address has 128 places, and eight are being asked');
is(results(answers($other, 10)), 'busy: 10, review_failed: 10',
   '... others have more');
is(results(answers($same, 10)), 'review_failed: 1',
   '... and a token that waits already takes no place');
is(results(answers(flood($port, with_token('/api', opaque_token('again'))),
                   10)), 'review_failed: 1', 'places are given back');


# What counts as one address

sub busy {
    my ($address) = @_;

    my @requests = map {
        with_address($address =~ s/N/$_/r,
                     with_token('/api', opaque_token("$address-$_")))
    } 1 .. 150;

    return scalar grep { $_->{text} =~ /^X-Result: busy/m }
                  answers(flood($port, @requests), 10);
}

is(busy('2001:db8::N'), 150 - 136, 'IPv6 addresses of one network');
is(busy('2001:db8:0:N::1'), 0, '... of several networks');
is(busy('::ffff:10.0.N.1'), 0, '... that contain IPv4 addresses');


# Addresses take turns

$flood = flood($port, map { with_token('/turns', opaque_token("turns-$_")) }
                          1 .. 60);
$other = flood($port, with_address('10.0.0.9',
                                   with_token('/turns', opaque_token('few'))));
my ($few) = answers($other, 20);
my @many = answers($flood, 20);

is(results($few, @many), 'ok: 61', 'many reviews of one address');
cmp_ok(scalar(grep { $_->{took} > $few->{took} + 0.5 } @many), '>', 30,
       '... do not delay the only one of another');


# All places are taken: the address with the most has to give way

$flood = flood($port, map {
    my $n = $_;
    map { with_address("10.0.0.$n",
                       with_token('/full', opaque_token("full-$n-$_"))) }
        1 .. ($n == 1 ? 136 : 128);
} 1 .. 8);

sleep 1;
$other = flood($port, with_address('10.0.0.9',
                                   with_token('/full', opaque_token('last'))));
is(results(answers($other, 2)), 'none: 1', 'one more review waits');
is(results(answers($flood, 2)), 'busy: 1, none: 1031', '... in the place of '
                                                       . 'another');

K8sSa::Nginx::finish();
