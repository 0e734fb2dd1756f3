# SPDX-License-Identifier: BSD-2-Clause

# Reloads, upgrades, and exhausted resources: keys that were fetched stay in
# use, and those that must not be used are gone.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Conf;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


authority($_) for qw(ca ca2);
certificate('ca2', 'foreign', 'IP:127.0.0.1');

my $ca = 'ssl_trusted_certificate ' . dir() . '/ca.crt;';
my $mock = K8sSa::MockIssuer->new;
my ($old, $next);

END { kill 'KILL', grep { $_ && -e "/proc/$_" } $old, $next }

my $jwks = jwks([ 'ec', 'first', kid => 'k' ]);
my $two = jwks([ 'ec', 'first', kid => 'k' ], [ 'ec', 'second', kid => 's' ]);

sub signed {
    my ($name, $key, $kid) = @_;
    return with_token('/', issuer_token("https://$name.test", $key, $kid));
}

sub http {
    my ($name, $port, $directives, %arg) = @_;
    my $at = $arg{mock} || $mock;

    $at->set($name, doc => { body => $at->document(
        $name, issuer => "https://$name.test") }, jwks => { body => $jwks })
        unless $at->{set}{$name};

    $directives .= " $ca" unless $directives =~ /ssl_verify/;

    return <<"_";
@{[$arg{http} || '']}
k8s_sa_issuer a { audience service2; timeout 2s; $directives
    discovery @{[$at->discovery($name)]}; }
server {
    listen 127.0.0.1:$port;
    location / { k8s_sa_auth a; empty_gif; }
}
_
}

sub until_log {
    my ($nginx, $pattern, $name) = @_;
    ok($nginx->wait_log($pattern), $name);
}

# Alerts in nginx's log that are expected here.

sub forgive {
    my ($nginx, $pattern) = @_;
    my $file = "$nginx->{dir}/logs/error.log";
    write_file($file, slurp($file) =~ s/^.*$pattern.*\n//mgr);
}

sub only {
    my ($load, $status, $name) = @_;
    my $result = load_end($load);
    my @status = grep { /^\d/ } keys %{$result->{all}};
    is_deeply(\@status, [ $status ], $name) or diag(explain($result));
    cmp_ok($result->{all}{slowest}, '<', 2, "$name, in time");
}


# Reloads

my $port = free_port();
my $nginx = K8sSa::Nginx->new(workers => 2,
                              http => http('reload', $port, ''))->start;

is(request($port, signed('reload'))->{status}, 200, 'keys were fetched');

my $load = load($port, all => signed('reload'));
my $asked = $mock->requests('reload', 'doc');

$mock->set('reload', doc => { do => 'hang', body => undef });
$nginx->signal('HUP');
sleep 0.7;
$nginx->configure(http('reload', $port, 'refresh 5m; stale 1h; timeout 1s;'
                                        =~ s/timeout 1s;//r));
$nginx->signal('HUP');
sleep 0.7;
is(request($port, signed('reload'))->{status}, 200,
   'reloads: keys are kept, also with another "refresh"');
is(scalar $mock->requests('reload', 'doc'), $asked,
   '... and not fetched again');

$mock->set('reload', doc => { body => $mock->document('reload',
                                          issuer => 'https://reload.test') });
$nginx->configure(http('reload', $port, '',
                       http => 'k8s_sa_zone k8s_sa:4m;'));
$nginx->signal('HUP');
$mock->wait_requests('reload', 'doc', $asked + 1);
is(scalar $mock->requests('reload', 'doc'), $asked + 1,
   'another size of the zone: keys are fetched');
sleep 0.5;
only($load, 200, 'no request was refused across three reloads');
$nginx->stop;


# An upgrade: the new nginx has its own zone.  An nginx process whose parent is
# still running does not upgrade.

$nginx = K8sSa::Nginx->new(workers => 2, http => http('upgrade', $port, ''));

my $file = "$nginx->{dir}/nginx.pid";
my $command = join ' ', $nginx->command;
my $until = time() + 5;

system "sh -c '$command >/dev/null 2>&1 & sleep 0.2'";
sleep 0.02 while time() < $until && !-s $file;
($old) = slurp($file) =~ /(\d+)/;

is(request($port, signed('upgrade'))->{status}, 200, 'keys were fetched');
$load = load($port, all => signed('upgrade'));
kill 'USR2', $old;
sleep 0.02 while time() < $until && !(-s "$file.oldbin" && -s $file);
($next) = slurp($file) =~ /(\d+)/;
isnt($next, $old, 'an upgrade');
sleep 0.3;
kill 'QUIT', $old;
sleep 0.02 while time() < $until && -e "/proc/$old";
sleep 0.3;
is(request($port, signed('upgrade'))->{status}, 200, 'upgraded: served');
only($load, 200, 'no request was refused');
kill 'TERM', $next;
$until = time() + 5;
sleep 0.02 while time() < $until && -e "/proc/$next";
ok(!-e "/proc/$next", 'the new nginx ends');


# Trust: keys that were fetched without verification are dropped when
# "ssl_verify off" is removed

my $foreign = K8sSa::MockIssuer->new(tls => 'foreign');

$nginx = K8sSa::Nginx->new(workers => 2, http => http(
    'trust', $port, "ssl_verify off; $ca", mock => $foreign))->start;
is(request($port, signed('trust'))->{status}, 200, 'ssl_verify off');

$nginx->configure(http('trust', $port, '', mock => $foreign));
$nginx->signal('HUP');
until_log($nginx, qr/issuer "a" failed: .*certificate verify failed/,
          'ssl_verify on: its certificate is refused');

$until = time() + 3;
sleep 0.05 while time() < $until
    && request($port, signed('trust'))->{status} != 503;
is(request($port, signed('trust'))->{status}, 503,
   '... and its keys are dropped');
$nginx->stop;


# A key set that does not fit into the zone

$nginx = K8sSa::Nginx->new(workers => 2, http => http(
    'room', $port, 'refresh 300ms;',
    http => 'k8s_sa_zone k8s_sa:256k;'))->start;
is(request($port, signed('room'))->{status}, 200, 'a small zone');

$mock->set('room', jwks => { body => $two . ' ' x 500_000 });
until_log($nginx,
          fetch_failed('a', qr/.*the zone has no room for 500\d+ bytes/),
          'a set that is larger than the zone');
is(request($port, signed('room'))->{status}, 200, 'the old keys stay in use');
is(request($port, signed('room', 'second', 's'))->{status}, 401,
   '... and only they');

$mock->set('room', jwks => { body => $two });
$until = time() + 5;
sleep 0.05 while time() < $until
    && request($port, signed('room', 'second', 's'))->{status} != 200;
is(request($port, signed('room', 'second', 's'))->{status}, 200,
   'a set that fits');
$nginx->stop;


# Connections, and file descriptors, run out

for (
    [ 'connections', '', 280, qr/worker_connections are not enough/ ],
    [ 'descriptors', 'worker_rlimit_nofile 60;', 80,
      qr/24: Too many open files/ ],
) {
    my ($name, $main, $n, $reason) = @$_;

    $nginx = K8sSa::Nginx->new(main => $main, http => http(
        $name, $port, 'refresh 1s;'))->start;

    my ($line, $rest) = signed($name) =~ /^(.*?\r\n)(.*)\z/s;

    is(request($port, "$line$rest")->{status}, 200, "$name: keys");

    # each has sent a part of a request, so that nginx cannot close it

    my @all;
    $mock->stop;

    for (1 .. $n) {
        my $s = IO::Socket::INET->new("127.0.0.1:$port") or last;
        print $s $line;
        push @all, $s;
        sleep 0.004;
    }

    $mock->start;

    until_log($nginx, fetch_failed('a', qr/\S+: (?!connect\(\) to)/),
              "$name: no fetch is possible");

    print {$all[0]} $rest;
    my $answer = '';
    IO::Select->new($all[0])->can_read(5) and sysread $all[0], $answer, 65536;
    like($answer, qr{^HTTP/1.1 200}, "$name: the old keys stay in use");

    # the mock keeps them, too
    shutdown $_, 2 for @all;
    $mock->set($name, jwks => { body => $two });

    $until = time() + 10;
    sleep 0.05 while time() < $until
        && request($port, signed($name, 'second', 's'))->{status} != 200;
    is(request($port, signed($name, 'second', 's'))->{status}, 200,
       "$name: new keys when it is over");
    $nginx->stop;

    like($nginx->log, $reason, "$name: the log has the reason");
    forgive($nginx, $reason);
}


# Impossible configurations

refused($_->[0], <<"_", $_->[1])
k8s_sa_issuer a {
    audience b; jwks_uri http://127.0.0.1:1/; $_->[0]
} # HERE
_
    for [ 'refresh 0;', qr/"timeout" and "refresh" must be greater than 0/ ],
        [ 'timeout 0;', qr/"timeout" and "refresh" must be greater than 0/ ],
        [ 'stale 0; refresh 1s;', qr/"stale" must be greater than 0/ ];

my $token = write_file('own', sign_token());

my $stays = qr/"token_file" of issuer "a" is not sent to (?#
              )"https:\/\/127\.0\.0\.1:1\/": (?#
              )it is sent over verified TLS only/;

accepted('token_file that is never sent', <<"_", $stays);
k8s_sa_issuer a {
    audience b; jwks_uri https://127.0.0.1:1/; token_file $token;
    ssl_verify off;
}
_


K8sSa::Nginx::finish();
