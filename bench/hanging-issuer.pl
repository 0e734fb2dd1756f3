#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Latency of requests with known keys while a fetch of keys hangs, compared with
# an nginx whose issuer answers.  Both run at the same time, so that other load
# on the machine affects both alike.
#
#     BENCH_SECONDS=2 BENCH_ROUNDS=9 bench/hanging-issuer.pl
#
# nginx runs on core 0, wrk on core 1.  Exits with 1 if the median of p99 is
# more than 10 % worse.

use strict;
use warnings;

use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/../t/lib';

use Time::HiRes qw(sleep);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


my $seconds = $ENV{BENCH_SECONDS} || 2;
my $rounds = $ENV{BENCH_ROUNDS} || 9;

authority('ca');

my $mock = K8sSa::MockIssuer->new;
my %server;

for my $name (qw(answers hangs)) {
    my $port = free_port();

    $mock->set($name, jwks => {
        body => jwks([ 'ec', 'first', kid => 'k' ]) });

    my $token = sign_token(header => { kid => 'k' },
                           claims => claims(iss => $mock->url($name)));

    my $nginx = K8sSa::Nginx->new(main => 'worker_cpu_affinity 01;',
                                  http => <<"_")->start;
k8s_sa_issuer a {
    discovery @{[$mock->discovery($name)]};
    ssl_trusted_certificate @{[dir()]}/ca.crt;
    audience service2;
    refresh 1s;
    timeout 600s;
}
server {
    listen 127.0.0.1:$port;
    access_log off;
    location / { k8s_sa_auth a; empty_gif; }
}
_

    die "$name: no keys\n"
        if request($port, with_token('/', $token))->{status} != 200;

    $server{$name} = { port => $port, token => $token, nginx => $nginx };
}

my $asked = $mock->requests('hangs', 'doc');
$mock->set('hangs', doc => { do => 'hang' });
$mock->wait_requests('hangs', 'doc', $asked + 1) or die "no fetch\n";
my $hanging = $mock->requests('hangs', 'doc');

sub measure {
    my ($name) = @_;
    my $s = $server{$name};

    open my $fh, '-|', "taskset -c 1 wrk -t1 -c8 -d${seconds}s --latency "
        . "-H 'Authorization: Bearer $s->{token}' http://127.0.0.1:$s->{port}/"
        or die "wrk: $!\n";

    return $fh;
}

sub result {
    my ($fh) = @_;
    local $/;
    my $out = <$fh>;

    die "wrk: $out" if !close $fh || $out =~ /Non-2xx|Socket errors/;

    my ($p50) = $out =~ /^\s+50%\s+(\S+)/m;
    my ($p99) = $out =~ /^\s+99%\s+(\S+)/m;
    my ($rate) = $out =~ m{Requests/sec:\s+(\S+)};
    my %unit = (us => 1, ms => 1000, s => 1e6);

    return [ (map { /^([\d.]+)(us|ms|s)$/; $1 * $unit{$2} } $p50, $p99),
             $rate ];
}

sub median { return (sort { $a <=> $b } @_)[$#_ / 2] }

my %result;

for my $round (1 .. $rounds) {
    my @names = $round % 2 ? qw(answers hangs) : qw(hangs answers);
    my %run = map { $_ => measure($_) } @names;

    push @{$result{$_}}, result($run{$_}) for @names;
}

die "the fetch did not hang all the time\n"
    if $mock->requests('hangs', 'doc') != $hanging;

printf "%d rounds of %d s each, 8 connections, one worker:\n\n",
       $rounds, $seconds;
print "| issuer | p50, us | p99, us | requests/s |\n|---|---|---|---|\n";

my %p99;

for my $name (qw(answers hangs)) {
    my @m = map { my $i = $_; median(map { $_->[$i] } @{$result{$name}}) }
            0 .. 2;
    $p99{$name} = $m[1];
    printf "| %s | %.0f | %.0f | %.0f |\n", $name, @m;
}

my $worse = 100 * ($p99{hangs} / $p99{answers} - 1);

printf "\np99 while the issuer hangs: %+.1f %%\n", $worse;

exit($worse > 10 ? 1 : 0);
