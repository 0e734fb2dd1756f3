#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Servers with several addresses, kept connections whose server has gone, and
# the order of name servers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use NetTest;
use IO::Socket::INET;
use IO::Socket::SSL;
use Socket;
use Test::More;
use Time::HiRes qw(sleep);

my $dir = dir();

make_ca('ca');
make_cert('good', 'ca', 'DNS:many.test');

sub web {
    my ($c) = @_;
    while (read_request($c)) { answer($c, 'ok') }
}

my ($port) = tcp_server(code => \&web);

# one that swallows packets

my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.3', LocalPort => $port,
                                 Listen => 1, ReuseAddr => 1)
    or die "listen: $!";
my @queue;

for (1 .. 4) {
    my $s = IO::Socket::INET->new(Proto => 'tcp', Blocking => 0);
    connect $s, sockaddr_in($port, inet_aton('127.0.0.3'));
    push @queue, $s;
}

# sixteen with slow handshakes

my $slow = free_port();

for (1 .. 16) {
    tcp_server(host => "127.0.0.$_", port => $slow, code => sub {
        my ($c) = @_;
        sleep 0.4;
        IO::Socket::SSL->start_SSL($c, SSL_server => 1,
                                   %{ tls_options('good') }) or return;
        web($c);
    });
}

# one that is gone after its first request: a filter drops what comes in, so
# that nothing is acknowledged any more

my ($gone) = tcp_server(code => sub {
    my ($c) = @_;
    read_request($c);
    my $drop = pack 'S C C L', 6, 0, 0, 0;
    setsockopt $c, SOL_SOCKET, 26, pack 'S x![P] P', 1, $drop or die $!;
    answer($c, 'ok');
    sleep 30;
});

# one that accepts connections and does not answer, and one that closes them;
# the same port of another address has an answer

my $mute = free_port();

tcp_server(port => $mute, code => \&web);
tcp_server(host => '127.0.0.4', port => $mute, code => sub {
    my ($c) = @_;
    read_request($c);
    sleep 30;
});
tcp_server(host => '127.0.0.5', port => $mute, code => sub {
    my ($c) = @_;
    read_request($c);
});

# the first name server knows a name that the second does not

my ($dns) = dns_server(answer => sub {
    my ($name, $type) = @_;
    return [0] if $type eq 'AAAA';
    return $name =~ /two/ ? [0, '127.0.0.3', '127.0.0.1'] : [0, '127.0.0.1'];
}, ttl => 1);

my $second = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.2',
                                   LocalPort => $dns) or die "udp: $!";
my $pid = fork;

if ($pid == 0) {
    alarm 120;
    while (1) {
        my $peer = $second->recv(my $q, 4096) // next;
        $second->send(substr($q, 0, 2) . pack('n5', 0x8183, 1, 0, 0, 0)
                      . substr($q, 12), 0, $peer);
    }
}

write_file('hosts', join '', (map { "127.0.0.$_ many.test\n" } 1 .. 16),
           "127.0.0.4 mute.test\n127.0.0.1 mute.test\n",
           "127.0.0.5 rude.test\n127.0.0.1 rude.test\n");
write_file('resolv.conf', "nameserver 127.0.0.1\nnameserver 127.0.0.2\n");

my $h = "resolv_conf=$dir/resolv.conf hosts=$dir/hosts";
my $o = "timeout=5s $h dns_port=$dns";

nginx_start(<<"CONF");
    location /two { k8s_sa_net_test http://two.test:$port/ $o; }
    location /many {
        k8s_sa_net_test https://many.test:$slow/ ssl_trusted=$dir/ca.crt $o;
    }
    location /gone {
        k8s_sa_net_test http://127.0.0.1:$gone/ timeout=5s max_idle=2;
    }
    location /mute { k8s_sa_net_test http://mute.test:$mute/ timeout=1s $h; }
    location /rude { k8s_sa_net_test http://rude.test:$mute/ timeout=5s $h; }
    location /order { k8s_sa_net_test http://order.test:$port/ $o; }
CONF

my $r;
my $late = 0;

for (1 .. 6) {
    $r = fetch('/two');
    is("$r->{error} $r->{address}", "ok 127.0.0.1:$port",
       'an address that swallows packets');
    $late++ if $r->{took} > 0.9;
}

cmp_ok($late, '<', 2, 'is remembered') if !sanitized();

$r = fetch('/many');
is("$r->{error} $r->{connections}", 'ok 1', 'sixteen slow addresses');

is(fetch('/gone')->{error}, 'ok', 'a connection is kept');
$r = fetch('/gone?size=10&idempotent=1');
is("$r->{error} $r->{connections} $r->{reused}", 'ok 2 1',
   'its server has gone: a new connection') or diag $r->{reason};
cmp_ok($r->{took}, '<', 4, 'in time');

is(fetch('/mute')->{error}, 'timeout', 'an address without an answer');
is(fetch('/mute')->{error}, 'ok', 'the other one is tried next')
    for 1 .. 2;

is(fetch('/rude?size=10&idempotent=1')->{error}, 'closed',
   'an address that closes connections');
is(fetch('/rude?size=10&idempotent=1')->{error}, 'ok',
   'the other one is tried next')
    for 1 .. 2;

for (1 .. 3) {
    is(fetch('/order')->{error}, 'ok', 'the first name server is asked');
    sleep 2.1;
}

ok(nginx_stop(), 'a clean log');

kill 'TERM', $pid;
waitpid $pid, 0;

done_testing();
