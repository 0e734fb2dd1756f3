#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Resolving names, and trying several addresses, some of which are dead.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use NetTest;
use IO::Socket::INET;
use Socket;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = dir();
my $log = "$dir/dns.log";

# one port on three addresses: .1 answers, .2 refuses, .3 drops packets

sub web {
    my ($c) = @_;
    while (my $r = read_request($c)) {
        answer($c, $r->{headers}{host});
    }
}

my ($port) = tcp_server(code => \&web);
my ($six) = eval { tcp_server(host => '::1', port => $port, code => \&web) };

my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.3', LocalPort => $port,
                                 Listen => 1, ReuseAddr => 1)
    or die "listen: $!";
my @queue;

for (1 .. 4) {
    my $s = IO::Socket::INET->new(Proto => 'tcp', Blocking => 0);
    connect $s, sockaddr_in($port, inet_aton('127.0.0.3'));
    push @queue, $s;
}

my %zone = (
    'issuer.svc.test' => ['127.0.0.1'],
    'a.b' => ['127.0.0.1'],
    'as.is.test' => ['127.0.0.1'],
    'six.test' => ['::1'],
    'works.test' => ['127.0.0.1', '::1'],
    'both.test' => ['127.0.0.2', '::1'],
    'onedead.test' => ['127.0.0.2', '127.0.0.1'],
    'swallow.test' => ['127.0.0.3', '127.0.0.1'],
    'swallows.test' => ['127.0.0.3'],
    'alldead.test' => ['127.0.0.2', '127.0.0.5'],
    'many.test' => [map { "127.0.1.$_" } 1 .. 30],
);

my %rcode = (empty => 0, servfail => 2, nxdomain => 3, notimp => 4,
             refused => 5);
my @failures = sort keys %rcode, qw(formerr silent lost);
$rcode{formerr} = 1;

# Returns true for half a second.

sub lost {
    my ($name) = @_;

    write_file("lost-$name", time) if !-e "$dir/lost-$name";
    open my $f, '<', "$dir/lost-$name" or die;
    return time - <$f> < 0.5;
}

sub zone {
    my ($name, $type) = @_;

    return undef if $name =~ /^silent/;
    return [2] if $name =~ /^servfail/;
    return [5] if $name =~ /^refused/;

    if ($name eq 'moving.test') {
        open my $f, '<', "$dir/moving" or return [3];
        chomp(my $addr = <$f>);
        return $type eq 'A' ? [0, $addr] : [0];
    }

    if ($name eq 'lost.test') {
        return [0] if $type eq 'AAAA';
        return lost($name) ? undef : [0, '127.0.0.1'];
    }

    if ($name =~ /^late\d*\./) {
        if (!-e "$dir/in-time") {
            my $pid = fork;
            return undef if $pid;
            sleep 1.4;
        }

        $zone{$name} = ['127.0.0.1'];
    }

    # FAMILY-HOW: questions for one family fail, the other has an address

    if ($name =~ /^(a|aaaa)-(\w+)\.family/) {
        return [0, $type eq 'A' ? '127.0.0.1' : '::1'] if $type ne uc $1;
        return undef if $2 eq 'silent' || ($2 eq 'lost' && lost($name));
        return [$rcode{$2}] if exists $rcode{$2};
        return [0, $type eq 'A' ? '127.0.0.1' : '::1'];
    }

    # FAILURE-FAILURE: of A and of AAAA

    if ($name =~ /^(\w+)-(\w+)\.failures/) {
        my $how = $type eq 'A' ? $1 : $2;
        return $how eq 'silent' ? undef : [$rcode{$how}];
    }

    # IPv4 does not work, and IPv6 addresses come later

    if ($name eq 'later.test') {
        return [0, '127.0.0.2'] if $type eq 'A';

        my $pid = fork;
        return undef if $pid;
        sleep 0.1;
        return [0, '::1'];
    }

    if ($name eq 'crowd.test') {
        my $prefix = $type eq 'A' ? '' : '::ffff:';
        return [0, map { "${prefix}127.0.4.$_" } 1 .. 20];
    }

    my @addrs = grep { ($type eq 'AAAA') == /:/ } @{ $zone{$name} // [] };

    return $zone{$name} ? [0, @addrs] : [3];
}

my ($dns) = dns_server(log => $log, answer => \&zone, ttl => 300);

write_file('hosts', <<"HOSTS");
# a comment
127.0.0.2 dead.hosts # and another
127.0.0.1\tWEB.hosts alias.hosts
::1 web.hosts
127.0.0.2 two.hosts
127.0.0.1 two.hosts
not-an-address broken.hosts
192.0.2.1 localhost
HOSTS

write_file('resolv.conf', <<"CONF");
# the last search line wins
search wrong.test
search ns.svc.test svc.test  test
nameserver 127.0.0.1
options timeout:1 ndots:5
CONF
write_file('ndots1.conf', "nameserver 127.0.0.1\nsearch svc.test\n");
write_file('dead.conf', "nameserver 127.0.0.9\nnameserver 127.0.0.1\n");
write_file('zone.conf', "nameserver fe80::1%eth0\nnameserver 127.0.0.1\n");
write_file('changing.conf', "nameserver 127.0.0.1\nsearch none.test\n");
write_file('changing.hosts', "");
write_file('empty.conf', "");

my $n = 0;
my $conf = '';

sub client {
    my ($host, %o) = @_;

    $n++;
    my $resolv = $o{conf} // 'resolv.conf';
    my $hosts = $o{hosts} // 'hosts';
    my $timeout = $o{timeout} // '1s';
    my $extra = $o{extra} // '';
    my $resolver = $o{resolver} // '';
    $conf .= "location /$n { $resolver k8s_sa_net_test "
             . "http://$host:$port/ timeout=$timeout "
             . "resolv_conf=$dir/$resolv hosts=$dir/$hosts dns_port=$dns "
             . "$extra; }\n";
    return "/$n";
}

my $http = "resolver 127.0.0.1:$dns;";

# of A, of AAAA, and the reason

my @failures_of_both = (
    [qw(nxdomain servfail), 'Server failure'],
    [qw(servfail nxdomain), 'Server failure'],
    [qw(nxdomain silent), 'Operation timed out'],
    [qw(silent empty), 'Operation timed out'],
    [qw(silent servfail), 'Operation timed out'],
    [qw(nxdomain empty), 'Host not found'],
);

my %c = (
    issuer => client('issuer'),
    a_b => client('a.b', conf => 'ndots1.conf'),
    a_b5 => client('a.b'),
    issuer_svc => client('issuer.svc', conf => 'ndots1.conf'),
    absolute => client('issuer.svc.test.'),
    absolute_no => client('issuer.'),
    six => client('six.test.'),
    works => client('works.test.'),
    both => client('both.test.'),
    onedead => client('onedead.test.'),
    swallow => client('swallow.test.', timeout => '2s'),
    swallows => client('swallows.test.'),
    alldead => client('alldead.test.'),
    many => client('many.test.'),
    nx => client('nothing'),
    servfail => client('servfail'),
    refused => client('refused.test.'),
    silent => client('silent', extra => 'resolver_timeout=300ms'),
    silent_long => client('silent'),
    late => client('late.test.'),
    late2 => client('late2.test.', timeout => '4s'),
    deadns => client('a.b', conf => 'dead.conf', timeout => '4s'),
    zoneid => client('a.b', conf => 'zone.conf'),
    noservers => client('a.b', conf => 'empty.conf'),
    nofile => client('a.b', conf => 'missing.conf', hosts => 'missing'),
    hosts => client('web.hosts'),
    alias => client('alias.hosts'),
    hosts_dead => client('dead.hosts'),
    hosts_two => client('two.hosts'),
    hosts_broken => client('broken.hosts'),
    localhost => client('localhost'),
    localhost_res => client('localhost', resolver => $http),
    res => client('as.is.test', resolver => $http),
    res_short => client('issuer', resolver => $http),
    res_nx => client('nothing', resolver => $http),
    moving => client('moving.test.'),
    changing => client('issuer', conf => 'changing.conf',
                       hosts => 'changing.hosts'),
    changing2 => client('new.hosts', conf => 'changing.conf',
                        hosts => 'changing.hosts'),
);

for my $family (qw(a aaaa)) {
    for my $how (@failures) {
        $c{"$family-$how"} = client("$family-$how.family.", timeout => '4s');
    }
}

$c{later} = client('later.test.');
$c{crowd} = client('crowd.test.');
$c{lost_only} = client('lost.test.', timeout => '4s');
$c{"@$_"} = client("$_->[0]-$_->[1].failures",
                   extra => 'resolver_timeout=500ms')
    for (@failures_of_both);

nginx_start($conf);

# The names asked for.  Before nginx 1.23.1, questions for A are sent twice.

sub asked {
    my @lines = do {
        local @ARGV = ($log);
        -e $log ? grep { / AAAA$/ } <> : ()
    };
    unlink $log;
    chomp @lines;
    s/ AAAA$// for @lines;
    return join ' ', @lines;
}

my $r;

# search list

$r = fetch($c{issuer});
is("$r->{error} $r->{body}", "ok issuer:$port", 'a short name');
is(asked(), 'issuer.ns.svc.test issuer.svc.test', 'search list in order');

is(fetch($c{a_b})->{error}, 'ok', 'a name with enough dots');
is(asked(), 'a.b', 'as it is first');

is(fetch($c{a_b5})->{error}, 'ok', 'a name with too few dots');
is(asked(), 'a.b.ns.svc.test a.b.svc.test a.b.test a.b', 'as it is last');

is(fetch($c{issuer_svc})->{error}, 'resolve',
   'enough dots, but not as it is');
is(asked(), 'issuer.svc issuer.svc.svc.test', 'the search list follows');

$r = fetch($c{absolute});
is("$r->{error} $r->{body}", "ok issuer.svc.test:$port",
   'an absolute name, Host without its dot');
is(asked(), 'issuer.svc.test', 'only as it is');

is(fetch($c{absolute_no})->{error}, 'resolve', 'an absolute name, not there');
is(asked(), 'issuer', 'only as it is');

# failures

$r = fetch($c{nx});
is("$r->{error} $r->{reason}",
   'resolve host "nothing" could not be resolved (Host not found)',
   'NXDOMAIN');
is(asked(), 'nothing.ns.svc.test nothing.svc.test nothing.test nothing',
   'everywhere');

$r = fetch($c{servfail});
is("$r->{error} $r->{reason}",
   'resolve host "servfail" could not be resolved (Server failure)',
   'SERVFAIL');

like(fetch($c{refused})->{reason}, qr/\(Operation refused\)/, 'REFUSED');
asked();

$r = fetch($c{silent});
is("$r->{error} $r->{reason}",
   'resolve host "silent" could not be resolved (Operation timed out)',
   'no answer');
cmp_ok($r->{took}, '<', 0.8, 'within resolver_timeout') if !sanitized();
unlike(asked(), qr/silent\.svc\.test/, 'no other name is tried');

$r = fetch($c{silent_long});
is("$r->{error} $r->{reason}",
   'timeout timed out while resolving host "silent"',
   'no answer within timeout');

is(fetch($c{late})->{error}, 'timeout', 'an answer after the timeout');
sleep 0.8;
write_file('in-time', '');
is(fetch($c{late})->{error}, 'ok',
   'comes when nothing waits for it, and does no harm');

is(fetch($c{zoneid})->{error}, 'ok', 'a name server that is not supported');
is(fetch($c{nofile})->{error}, 'ok', 'no resolv.conf: a local name server');
is(fetch($c{noservers})->{error}, 'ok', 'no name servers: the same');
is(fetch($c{deadns})->{error}, 'ok', 'a dead name server and a good one');

# of two waiters, one leaves

unlink "$dir/in-time";

my $leaver = fetch($c{late2}, socket => 1);
my $stayer = fetch($c{late2}, socket => 1);
sleep 0.3;
close $leaver;
ok(wait_for(sub { log_like(qr/client has gone/) }, 2), 'a waiter leaves');
is(raw_fetch($stayer)->{error}, 'ok', 'the other one gets the answer');

# several addresses

SKIP: {
    skip 'no IPv6', 3 if !$six;

    $r = fetch($c{six});
    is("$r->{error} $r->{address}", "ok [::1]:$port", 'IPv6');

    for (1 .. 2) {
        $r = fetch($c{both});
        is("$r->{error} $r->{address}", "ok [::1]:$port",
           'dead by IPv4, not by IPv6');
    }
}

for (1 .. 4) {
    $r = fetch($c{onedead});
    is("$r->{error} $r->{address}", "ok 127.0.0.1:$port", 'one refuses');
}

for (1 .. 4) {
    $r = fetch($c{swallow});
    is("$r->{error} $r->{address}", "ok 127.0.0.1:$port", 'one swallows');
}

ok(log_like(qr/timed out while connecting to 127\.0\.0\.3:\d+, trying the next/),
   'which is logged');

$r = fetch($c{swallows});
is("$r->{error} $r->{reason}",
   "timeout timed out while connecting to 127.0.0.3:$port",
   'the only one swallows');

$r = fetch($c{alldead});
is($r->{error}, 'connect', 'all refuse');
is($r->{connections}, 2, 'each has been tried once');

$r = fetch($c{many});
is("$r->{error} $r->{connections}", 'connect 16',
   'of many addresses not all are tried');

# one address family is enough

SKIP: {
    skip 'no IPv6', 1 if !$six;

    for my $family (qw(a aaaa)) {
        my $address = $family eq 'a' ? "[::1]:$port" : "127.0.0.1:$port";

        for my $how (@failures) {
            $r = fetch($c{"$family-$how"});
            is("$r->{error} " . ($r->{address} // ''), "ok $address",
               uc($family) . ": $how");
            cmp_ok($r->{took}, '<', 0.9, 'without delay') if !sanitized();
        }
    }

    $r = fetch($c{later});
    is("$r->{error} " . ($r->{address} // ''), "ok [::1]:$port",
       'the other family is waited for');

    $r = fetch($c{crowd});
    is("$r->{error} $r->{connections}", 'connect 16',
       'many addresses of both families: not all are tried');
    is(scalar(() = log_text() =~ / 127\.0\.4\.\d+:\d+ .*trying the next/g), 8,
       'eight of either');
}

$r = fetch($c{lost_only});
is($r->{error}, 'ok', 'a lost packet, and no address of the other family');

for (@failures_of_both) {
    my ($a, $aaaa, $reason) = @$_;

    asked();
    like(fetch($c{"@$_"})->{reason}, qr/\($reason\)$/, "$a and $aaaa");

    if ($reason =~ /timed out/) {
        unlike(asked(), qr/failures\.svc\.test/, 'no other name is tried');
    }
}

# /etc/hosts

asked();

for my $name (qw(hosts alias hosts_two)) {
    $r = fetch($c{$name});
    is("$r->{error} $r->{address}", "ok 127.0.0.1:$port", $name);
}

is(fetch($c{hosts_dead})->{error}, 'connect', 'a dead address in hosts');
is(asked(), '', 'name servers are not asked for names in hosts');

is(fetch($c{hosts_broken})->{error}, 'resolve', 'a broken line');
asked();

for my $name (qw(localhost localhost_res)) {
    $r = fetch($c{$name});
    is("$r->{error} $r->{address}", "ok 127.0.0.1:$port", $name);
}

is(asked(), '', 'name servers are not asked for localhost');

# the http block's resolver

is(fetch($c{res})->{error}, 'ok', 'a resolver of the configuration');
is(asked(), 'as.is.test', 'one question');
is(fetch($c{res_short})->{error}, 'resolve', 'without search list');
is(asked(), 'issuer', 'one question');
is(fetch($c{res_nx})->{error}, 'resolve', 'not found');

# changes

write_file('moving', "127.0.0.1\n");
is(fetch($c{moving})->{error}, 'ok', 'a server');
write_file('moving', "127.0.0.4\n");
my ($moved, $moved_pid) = tcp_server(host => '127.0.0.4', port => $port,
                                     code => \&web);
is(fetch($c{moving})->{address}, "127.0.0.1:$port", 'TTL is respected');
write_file('moving', "127.0.0.2\n");
stop_process($moved_pid);

nginx_stop();

write_file('moving', "127.0.0.2\n");
nginx_start($conf);
is(fetch($c{moving})->{error}, 'connect', 'a dead server');
write_file('moving', "127.0.0.1\n");
sleep 0.1;
is(fetch($c{moving})->{error}, 'ok', 'has come back elsewhere');

is(fetch($c{changing})->{error}, 'resolve', 'not in resolv.conf');
is(fetch($c{changing2})->{error}, 'resolve', 'not in hosts');
write_file('changing.conf', "nameserver 127.0.0.1\nsearch svc.test\n");
write_file('changing.hosts', "127.0.0.1 new.hosts\n");
sleep 3.2;
is(fetch($c{changing})->{error}, 'ok', 'resolv.conf has changed');
is(fetch($c{changing2})->{error}, 'ok', 'hosts has changed');
unlink "$dir/changing.conf", "$dir/changing.hosts";
sleep 3.2;
is(fetch($c{changing})->{error}, 'ok', 'resolv.conf has gone: still known');
is(fetch($c{changing2})->{error}, 'resolve', 'hosts has gone');

ok(nginx_stop(), 'a clean log');

# a kernel without IPv6

my $source = write_file('no_ipv6.c', <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

int
socket(int family, int type, int protocol)
{
    int  (*next)(int, int, int);

    if (family == AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }

    *(void **) &next = dlsym(RTLD_NEXT, "socket");

    return next(family, type, protocol);
}
C

SKIP: {
    skip 'no compiler', 1
        if system("cc -shared -fPIC -o $dir/no_ipv6.so $source -ldl") != 0;

    nginx_start($conf, preload => "$dir/no_ipv6.so");

    $r = fetch($c{hosts});
    is("$r->{error} $r->{address}", "ok 127.0.0.1:$port",
       'hosts has addresses of both families');

    for (1 .. 4) {
        $r = fetch($c{works});
        is("$r->{error} $r->{address} $r->{connections}",
           "ok 127.0.0.1:$port $_", 'name servers have both');
    }

    is(fetch($c{six})->{reason},
       'host "six.test" could not be resolved (no usable addresses)',
       'name servers have an IPv6 address only');

    ok(!log_like(qr/socket\(\)/), 'no socket for IPv6 was needed');
    ok(nginx_stop(), 'a clean log');
}

done_testing();
