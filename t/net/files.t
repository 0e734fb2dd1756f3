#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Trusted CAs, resolv.conf and hosts that change while the worker has no
# descriptor left to open them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use NetTest;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'sanitizers need descriptors of their own' if sanitized();

my $dir = dir();

make_ca('ca');
make_ca('ca2');
make_cert('old', 'ca', 'IP:127.0.0.1');
make_cert('new', 'ca2', 'IP:127.0.0.1');

sub web {
    my ($c) = @_;
    while (my $r = read_request($c)) { answer($c, 'x') }
}

my ($port) = tcp_server(code => \&web);
my ($old) = tcp_server(tls => tls_options('old'), code => \&web);
my ($new) = tcp_server(tls => tls_options('new'), code => \&web);
my ($dns) = dns_server(answer => sub {
    my ($name, $type) = @_;
    return [3] if $name ne 'web.new.test';
    return [0, $type eq 'A' ? '127.0.0.1' : ()];
});

sub copy { write_file($_[1], do { local (@ARGV, $/) = "$dir/$_[0]"; <> }) }

copy('ca.crt', 'trusted.crt');
write_file('resolv.conf', "nameserver 127.0.0.1\nsearch old.test\n");
write_file('hosts', "127.0.0.1 old.hosts\n");

my $system = "resolv_conf=$dir/resolv.conf hosts=$dir/hosts dns_port=$dns";

nginx_start(<<"_", main => 'worker_rlimit_nofile 24;');
keepalive_timeout 60;
location /old { k8s_sa_net_test https://127.0.0.1:$old
    ssl_trusted=$dir/trusted.crt; }
location /new { k8s_sa_net_test https://127.0.0.1:$new
    ssl_trusted=$dir/trusted.crt; }
location /search { k8s_sa_net_test http://web:$port $system; }
location /hosts { k8s_sa_net_test http://new.hosts:$port $system; }
_

is(fetch('/old')->{error}, 'ok', 'the old CA');
is(fetch('/new')->{error}, 'tls', 'not the new one');
is(fetch('/search')->{error}, 'resolve', 'the old search list');
is(fetch('/hosts')->{error}, 'resolve', 'the old hosts');

# Requests come in over connections that are open already, and stay open: no
# request frees a descriptor for the next one.

my @clients = map { connection() } 1 .. 3;
my @held = map { connection() } 1 .. 30;
ok(wait_for(sub { log_like(qr/accept4?\(\) failed \(24:/) }, 5),
   'the worker runs out of descriptors');

copy('ca2.crt', 'trusted.crt');
write_file('resolv.conf', "nameserver 127.0.0.1\nsearch new.test\n");
write_file('hosts', "127.0.0.1 new.hosts\n");
sleep 3.2;

for my $uri ('/new', '/search', '/hosts') {
    my $s = shift @clients;
    syswrite $s, "GET $uri HTTP/1.1\r\nHost: test\r\n\r\n";
    isnt(raw_fetch($s, undef, 1)->{error}, 'ok', "$uri: not now");
    push @clients, $s;
}

ok(log_like(qr/"$dir\/$_": open\(\) failed \(24:/), "$_: logged")
    for qw(trusted.crt resolv.conf hosts);

close $_ for @held, @clients;
sleep 3.2;

is(fetch('/new')->{error}, 'ok', 'the new CA');
is(fetch('/search')->{error}, 'ok', 'the new search list');
is(fetch('/hosts')->{error}, 'ok', 'the new hosts');

ok(nginx_stop(allow => qr/Too many open files/), 'a clean log');

done_testing();
