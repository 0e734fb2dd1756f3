#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Run by util/soak.sh: mixed load for some minutes, each with a key rotation, a
# restart of the API server and a reload.  The workers' memory and descriptors
# are measured shortly before each reload; the last minute's have to be within
# 2 % of those of the first tenth.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../t/lib";

use List::Util qw(sum);
use Time::HiRes qw(sleep);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;

my $minutes = shift || 10;
my $minute = $ENV{SOAK_MINUTE} || 60;         # seconds
my $tokens = 200;                             # distinct valid ones a minute
my $allowed = 2;                              # per cent

$| = 1;

sub say_ { printf "[%4ds] %s\n", time() - $^T, join ' ', @_ }

my $mock = K8sSa::MockIssuer->new;
my $api = K8sSa::MockApi->new;
my $port = free_port();
my $iss = $mock->url('s');

$api->set('refuse', review => { refuse => 'gone' });

my $policy = "audience service2; refresh 10s; discovery "
             . $mock->discovery('s') . ';';

my $nginx = K8sSa::Nginx->new(workers => 2, level => 'error', http => <<"_");
keepalive_requests 1000;
k8s_sa_issuer plain { $policy }
k8s_sa_issuer review { $policy token_review @{[ $api->base ]}/good/review; }
k8s_sa_issuer refuse { $policy token_review @{[ $api->base ]}/refuse/review; }
server {
    listen 127.0.0.1:$port;
    access_log off;
    location = /plain  { k8s_sa_auth plain; empty_gif; }
    location = /review { k8s_sa_auth review; empty_gif; }
    location = /refuse { k8s_sa_auth refuse; empty_gif; }
    location = /whoami { k8s_sa_auth plain; k8s_sa_whoami; }
    location = /status { k8s_sa_status; }
    location = /metrics { k8s_sa_status prometheus; }
}
_


# The requests of one minute, with tokens signed by its key: 200 is expected for
# "good" ones, 401 for "bad" ones.

sub entry {
    my ($n) = @_;
    return [ 'ec', "key$n", kid => "k$n" ];
}

sub requests {
    my ($n) = @_;
    my $now = time();
    my %requests;

    my $sign = sub {
        my ($id, $kid, $key, %over) = @_;
        return sign_token(key => [ 'ec', $key ], header => { kid => $kid },
                          claims => claims(iss => $iss, jti => "$n-$id",
                                           %over));
    };

    $requests{"good.plain.$_"}
        = with_token('/plain', $sign->($_, "k$n", "key$n")) for 1 .. $tokens;

    my $token = $sign->(0, "k$n", "key$n");
    my %past = (iat => $now - 7200, nbf => $now - 7200, exp => $now - 3600);

    return (%requests,
        'good.whoami'  => with_token('/whoami', $token),
        'good.status'  => with_token('/status'),
        'good.metrics' => with_token('/metrics'),
        (map { ("late.review.$_" => with_token('/review',
                    $sign->("r$_", "k$n", "key$n"))) } 1 .. 20),
        (map { ("bad.refuse.$_" => with_token('/refuse',
                    $sign->("f$_", "k$n", "key$n"))) } 1 .. 20),
        (map { ("bad.expired.$_" => with_token('/plain',
                    $sign->("e$_", "k$n", "key$n", %past))) } 1 .. 20),
        (map { ("bad.forged.$_" => with_token('/plain',
                    $sign->("x$_", "k$n", 'stranger'))) } 1 .. 20),
        'bad.unknown'  => with_token('/plain', $sign->('u', "other$n",
                                                       'stranger')),
        'bad.garbage'  => with_token('/plain', 'a.b.c'),
        'bad.none'     => with_token('/plain'),
    );
}


# While the API server restarts, a review may get no answer: 503 is right.

my %total = (good => 0, refused => 0, bad => 0, accepted => 0, lost => 0,
             late => 0);

sub count {
    my ($result) = @_;

    for my $kind (grep { /^(?:good|bad|late)\./ } keys %$result) {
        my ($class) = $kind =~ /^(\w+)/;

        for my $status (grep { /^\d+$/ } keys %{$result->{$kind}}) {
            my $n = $result->{$kind}{$status};
            my $api_is_down = $status == 503 && $kind =~ /review|refuse/;

            $total{$status ? $class eq 'bad' ? 'bad' : 'good' : 'lost'} += $n;

            $total{late} += $n if $api_is_down;
            $total{refused} += $n if $class ne 'bad' && $status
                                     && $status != 200 && !$api_is_down;
            $total{accepted} += $n if $class eq 'bad' && $status
                                      && $status < 400;
            warn "# $kind: $status, $n times\n"
                if $class ne 'bad' && $status != 200 && !$api_is_down;
        }
    }
}

sub workers { return split ' ', `pgrep -P $nginx->{pid}` }

sub sample {
    my ($kib, $descriptors) = (0, 0);

    for my $pid (workers()) {
        my ($n) = eval { slurp("/proc/$pid/status") } =~ /^RssAnon:\s+(\d+)/m;
        my @open = glob "/proc/$pid/fd/*";
        $kib += $n || 0;
        $descriptors += @open;
    }

    return [ $kib, $descriptors ];
}


$mock->set('s', jwks => { body => jwks(entry(0)) });
$nginx->start;

for (1 .. 100) {
    last if request($port, with_token('/plain', sign_token(
        key => [ 'ec', 'key0' ], header => { kid => 'k0' },
        claims => claims(iss => $iss))))->{status} == 200;
    sleep 0.1;
}

# The master's heap settles after some reloads, when nginx has had two
# configurations in memory; its workers inherit it.

for (1 .. 50) {
    $nginx->signal('HUP');
    sleep 0.4;
}

say_("$minutes minutes of $minute s");

my $load = load($port, requests(0));
my @samples;

for my $n (1 .. $minutes) {
    my $began = time();
    my $until = sub { sleep 0.1 while time() < $began + $minute * $_[0] };

    # the new key is published, then used, then the old one goes

    $mock->set('s', jwks => { body => jwks(entry($n - 1), entry($n)) });
    $until->(0.3);
    my %requests = requests($n);
    count(load_end($load));
    $load = load($port, %requests);
    $until->(0.5);
    $mock->set('s', jwks => { body => jwks(entry($n)) });

    $until->(0.7);
    $_->stop for $mock, $api;
    sleep 0.5;
    $_->start for $mock, $api;

    $until->(0.97);
    push @samples, sample();
    say_(sprintf 'minute %d: %d KiB anonymous memory, %d descriptors; '
                 . '%d workers', $n, @{$samples[-1]}, scalar workers());
    unlink $mock->{log}, $api->{log};
    $nginx->signal('HUP');
    $until->(1);
}

count(load_end($load));
$nginx->stop;

my $first = $samples[int(($minutes + 9) / 10) - 1];
my $last = $samples[-1];

my $grown = 100 * ($last->[0] - $first->[0]) / $first->[0];
my $log = join '', grep { /\[(?:alert|emerg|crit)\]/ } split /^/m, $nginx->log;

say_("$total{good} valid requests, $total{refused} wrongly refused, "
     . "$total{late} answered with 503 while the API server restarted; "
     . "$total{bad} invalid ones, $total{accepted} wrongly accepted; "
     . "$total{lost} without an answer");
say_(sprintf 'anonymous memory of the workers %d KiB, then %d KiB: %+.1f %%; '
             . 'descriptors %d, then %d',
     $first->[0], $last->[0], $grown, $first->[1], $last->[1]);
print $log;

exit(abs($grown) < $allowed && $last->[1] <= $first->[1] + 2 && $log eq ''
     && $total{refused} + $total{accepted} == 0 ? 0 : 1);
