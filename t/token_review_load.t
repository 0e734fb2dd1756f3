# SPDX-License-Identifier: BSD-2-Clause

# Many reviews at the same time: each token is asked for once, so many at once
# and no more, on connections that are kept.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


authority('ca');
certificate('ca', 'api', 'IP:127.0.0.1');

my $ca = 'ssl_trusted_certificate ' . dir() . '/ca.crt;';
my $api = K8sSa::MockApi->new;
my $tls = K8sSa::MockApi->new(tls => 'api');
my $port = free_port();
my (@issuers, @locations);

sub location {
    my ($name, $directives, $server) = @_;
    my $url = ($server || $api)->base . "/$name/review";

    push @issuers, "k8s_sa_issuer $name { token_review $url; $directives }\n";
    push @locations, "location = /$name { k8s_sa_auth $name; empty_gif; }\n";
}

sub opaque { return remember("opaque-token-$_[0]-0123456789abcdef0123") }

location($_, '') for qw(one many closing);
location('full', 'timeout 3s;');
location('gone', 'timeout 10s;');
location('tls', $ca, $tls);

$api->set($_, review => { delay => 0.3 }) for qw(one gone);
$api->set('many', review => { delay => 0.2 });
$api->set('full', review => { do => 'hang' });

my $nginx = K8sSa::Nginx->new(main => 'worker_rlimit_nofile 4096;',
                              http => <<"_");
access_log off;
@issuers
server {
    listen 127.0.0.1:$port backlog=2048;
    @locations
    location = /status { k8s_sa_status; }
}
_

{
    my $conf = slurp("$nginx->{dir}/nginx.conf");
    $conf =~ s/worker_connections \d+/worker_connections 3000/;
    write_file("$nginx->{dir}/nginx.conf", $conf);
}

$nginx->start;


# The same token

my @answers = answers(flood($port, (with_token('/one', opaque(1))) x 100), 10);

is(tally(@answers), '200: 100', '100 requests with a token');
is(scalar $api->reviews('one'), 1, 'are one review');
cmp_ok(slowest(@answers), '<', 2, 'for which all wait');

is(get($port, '/one', bearer(opaque(1)))->{status}, 200, 'and one more request');
is(scalar $api->reviews('one'), 1, 'needs none');


# Different ones

@answers = answers(flood($port, map { with_token('/many', opaque($_)) }
                                    1 .. 60), 10);
is(tally(@answers), '200: 60', '60 tokens');
is(scalar $api->reviews('many'), 60, 'are 60 reviews');
is($api->most('many'), 8, 'of which eight at a time');


# Who goes away while waiting in the queue is not asked for; who goes away
# later is.

my @gone = map {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
    print $s with_token('/gone', opaque("gone-$_"));
    $s;
} 1 .. 40;

sleep 0.15;
close $_ for splice @gone, 0, 40;
sleep 0.8;
is(scalar $api->reviews('gone'), 8, 'who goes away is not asked for any more');
is(get($port, '/gone', bearer(opaque('gone-1')))->{status}, 200,
   'a review that was under way');
is(scalar $api->reviews('gone'), 8, 'was worth while');

my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
print $s with_token('/gone', opaque('left'));
sleep 0.1;
my $both = flood($port, with_token('/gone', opaque('left')));
sleep 0.05;
close $s;
is(tally(answers($both, 5)), '200: 1', 'who comes later gets the answer');


# Too many

my $flood = flood($port, map { with_token('/full', opaque("full-$_")) }
                             1 .. 1060);
my @full = answers($flood, 10);
my @busy = grep { $_->{took} < 2.5 } @full;

is(tally(@full), '503: 1060', 'an API server that hangs');
is(scalar @busy, 1060 - 1024 - 8, 'a full queue refuses at once');
cmp_ok(slowest(@full), '<', 8, 'and all others after the timeout');
cmp_ok(scalar $api->reviews('full'), '<', 200, 'few of them were sent in vain');
like($nginx->log, qr/\(busy\)/, 'which is said');
is(get($port, '/many', bearer(opaque('after')))->{status}, 200,
   'other issuers are served meanwhile');


# Kept connections

my $began = time();
my $n = 0;

while ($n < 1000) {
    $flood = flood($port, map { with_token('/tls', opaque("tls-" . ($n + $_))) }
                              1 .. 40);
    $n += grep { $_->{status} == 200 } answers($flood, 10);
    last if time() - $began > 100;
}

is($n, 1000, '1,000 tokens over TLS');
is(scalar $tls->reviews('tls'), 1000, 'are 1,000 reviews');
my $handshakes = () = $tls->requests('', 'handshake');
cmp_ok($handshakes, '<', 10, 'on fewer than ten connections');
diag("1,000 reviews: $handshakes handshakes, "
     . sprintf('%.1f s', time() - $began));


# A kept connection that the server closed is no error.

for my $round (1 .. 20) {
    is(get($port, '/closing', bearer(opaque("closing-$round")))->{status}, 200,
       "kept connections, $round") or last;

    # the same address, but nobody knows of the connections
    if ($round % 5 == 0) {
        $api->stop;
        $api->start;
    }
}

my $status = get($port, '/status');
is($status->{status}, 200, 'the status page counts');
like($status->{body}, qr/"tls".*?"reviews":\s*1000/s, 'each of them');

K8sSa::Nginx::finish();
