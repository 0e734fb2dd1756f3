# SPDX-License-Identifier: BSD-2-Clause

# Many reviews at the same time: one review per token, a limited number at
# once, on kept connections.

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

my @answers = answers(flood($port, (with_token('/one', opaque_token(1))) x 100), 10);

is(tally(@answers), '200: 100', '100 requests with a token');
is(scalar $api->reviews('one'), 1, '... are one review');
cmp_ok(slowest(@answers), '<', 2, '... for which all wait');

is(get($port, '/one', bearer(opaque_token(1)))->{status}, 200, 'and one more request');
is(scalar $api->reviews('one'), 1, '... needs none');


# Different tokens

@answers = answers(flood($port, map { with_token('/many', opaque_token($_)) }
                                    1 .. 60), 10);
is(tally(@answers), '200: 60', '60 tokens');
is(scalar $api->reviews('many'), 60, 'are 60 reviews');
is($api->most('many'), 8, '... eight of them at a time');


# If the client disconnects while its review is queued, the review is not sent;
# if it disconnects later, the review goes on.

my @gone = map {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
    print $s with_token('/gone', opaque_token("gone-$_"));
    $s;
} 1 .. 40;

sleep 0.15;
close $_ for splice @gone, 0, 40;
sleep 0.8;
is(scalar $api->reviews('gone'), 8,
   'no review is sent for disconnected clients');
is(get($port, '/gone', bearer(opaque_token('gone-1')))->{status}, 200,
   'a review that was in progress');
is(scalar $api->reviews('gone'), 8, '... is completed');

my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
print $s with_token('/gone', opaque_token('left'));
sleep 0.1;
my $both = flood($port, with_token('/gone', opaque_token('left')));
sleep 0.05;
close $s;
is(tally(answers($both, 5)), '200: 1', '... and a later request uses it');


# Too many requests

my $flood = do {
    local $K8sSa::Load::clients = 10;
    flood($port, map { with_token('/full', opaque_token("full-$_")) }
                     1 .. 1060);
};
my @full = answers($flood, 10);
my @busy = grep { $_->{took} < 2.5 } @full;

is(tally(@full), '503: 1060', 'an API server that hangs');
is(scalar @busy, 1060 - 1024 - 8, 'a full queue refuses at once');
cmp_ok(slowest(@full), '<', 8, '... and all others after the timeout');
cmp_ok(scalar $api->reviews('full'), '<', 200,
       '... few of their reviews were sent');
like($nginx->log, qr/\(busy\)/, '... the log has the reason');
is(get($port, '/many', bearer(opaque_token('after')))->{status}, 200,
   'other issuers work meanwhile');


# Kept connections

my $began = time();
my $n = 0;

while ($n < 1000) {
    $flood = flood($port, map { with_token('/tls', opaque_token("tls-" . ($n + $_))) }
                              1 .. 40);
    $n += grep { $_->{status} == 200 } answers($flood, 10);
    last if time() - $began > 100;
}

is($n, 1000, '1,000 tokens over TLS');
is(scalar $tls->reviews('tls'), 1000, 'are 1,000 reviews');
my $handshakes = () = $tls->requests('', 'handshake');
cmp_ok($handshakes, '<', 10, '... on fewer than ten connections');
diag("1,000 reviews: $handshakes handshakes, "
     . sprintf('%.1f s', time() - $began));


# A kept connection that the server closes is not an error.

for my $round (1 .. 20) {
    is(get($port, '/closing', bearer(opaque_token("closing-$round")))->{status}, 200,
       "kept connections, $round") or last;

    # the same address, but the server has forgotten the connections
    if ($round % 5 == 0) {
        $api->stop;
        $api->start;
    }
}

my $status = get($port, '/status');
is($status->{status}, 200, 'the status page counts');
like($status->{body}, qr/"tls".*?"reviews":\s*1000/s, '... each of them');

K8sSa::Nginx::finish();
