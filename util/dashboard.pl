#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Run by util/dashboard.sh: dashboard.pl DASHBOARD FILE puts NGINX under load,
# lets Prometheus scrape it, sends each query of the dashboard to Prometheus,
# and writes the panels with the results as JSON.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../t/lib";

use HTTP::Tiny;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;

my ($dashboard_file, $out_file) = @ARGV;
my $act = 40;                   # seconds; there are six
my $scrape = 2;                 # seconds
my $step = 3;

# as Grafana does
my $rate_interval = $step + $scrape > 4 * $scrape ? $step + $scrape
                                                  : 4 * $scrape;

$| = 1;

# An API server at which some tokens have been revoked

{
    package Api;

    our @ISA = ('K8sSa::MockApi');

    sub verdict {
        my ($self, $review, $set) = @_;
        my $deleted = $review->{spec}{token} =~ /deleted/;

        return $self->SUPER::verdict($review, {
            %$set, $deleted ? (refuse => 'has been invalidated') : () });
    }
}

sub say_ { printf "[%3ds] %s\n", time() - $^T, join ' ', @_ }

my $mock = K8sSa::MockIssuer->new;
my $api = Api->new;
my ($port, $prometheus_port) = map { free_port() } 1 .. 2;

my $nginx = K8sSa::Nginx->new(workers => 2, level => 'error', http => <<"_");
access_log off;
k8s_sa_zone k8s_sa:256k;
k8s_sa_issuer cluster {
    public_key @{[ key_file('ec') ]};
    issuer https://kubernetes.default.svc; audience service2;
}
k8s_sa_issuer east {
    discovery @{[ $mock->discovery('east') ]}; audience service2;
    refresh 10s; timeout 2s;
}
k8s_sa_issuer api {
    token_review @{[ $api->base ]}/api/review; audience service2;
    token_review_cache 3s failed=1s; timeout 2s;
}
server {
    listen 127.0.0.1:$port;
    location = / { k8s_sa_auth cluster east; empty_gif; }
    location = /team {
        k8s_sa_auth cluster east; k8s_sa_allow mytest/*; empty_gif;
    }
    location = /reviewed { k8s_sa_auth api; empty_gif; }
    location = /metrics { k8s_sa_status prometheus; }
}
_


# Tokens.  $kid is the key that the issuer "east" signs with at the moment.

my $began = time();
my $kid = 'east-1';

sub account {
    my ($issuer, $name, %over) = @_;
    my ($ns, $sa) = split m{/}, $name;
    my %key = $issuer eq 'east' ? (key => [ 'ec', $kid ],
                                   header => { kid => $kid })
                                : ();

    return sign_token(%key, claims => claims(
        iss => $issuer eq 'east' ? $mock->url('east')
                                 : 'https://kubernetes.default.svc',
        sub => "system:serviceaccount:$ns:$sa",
        %over,
        'kubernetes.io' => {
            namespace => $ns, serviceaccount => { name => $sa, uid => "u-$sa" },
            %{$over{'kubernetes.io'} || {}},
        }));
}

# Callers that do not read their token again: two tokens are in the last fifth
# of their life, one only after a minute, one until it expires; two are past
# warnafter, one after 90 s

my %kept = (
    'kept.report'  => account('cluster', 'batch/report',
                              iat => $began - 740, exp => $began + 260),
    'kept.import'  => account('cluster', 'batch/import',
                              iat => $began - 900, exp => $began + 100),
    'kept.old'     => account('cluster', 'mytest/old-client',
                              exp => $began + 86400 * 365,
                              'kubernetes.io' => { warnafter => $began - 10 }),
    'kept.default' => account('cluster', 'default/default',
                              exp => $began + 86400 * 365,
                              'kubernetes.io' => { warnafter => $began + 90 }),
);

sub valid {
    return map({ ("cluster.$_" => with_token('/', account('cluster', $_))) }
               qw(mytest/service1 mytest/service3 shop/cart shop/web)),
           map({ ("east.$_" => with_token('/', account('east', $_))) }
               qw(mytest/service1 shop/orders)),
           team => with_token('/team', account('cluster', 'mytest/service1'));
}

sub reviewed {
    return map { ("reviewed.$_" => with_token('/reviewed', "opaque-$_")) }
           1 .. 8;
}

sub invalid {
    my $good = account('cluster', 'mytest/service1');
    my $old = time() - 4000;

    return map { ($_->[0] => with_token($_->[2] || '/', $_->[1])) }
        [ none => undef ], [ none2 => undef ],
        [ malformed => 'a.b.c' ],
        [ forged => spoil($good) ],
        [ expired => account('cluster', 'shop/web', iat => $old,
                             exp => $old + 3600) ],
        [ audience => account('east', 'shop/orders', aud => [ 'other' ]) ],
        [ unknown => account('cluster', 'shop/web',
                             iss => 'https://nobody.example') ],
        [ denied => account('cluster', 'shop/web'), '/team' ],
        map { [ "deleted$_" => "opaque-deleted-$_", '/reviewed' ] } 1 .. 3;
}


# load(): each kind in turn, with a pause of some seconds after each request

my @loads;
my $end;

sub put_on {
    my ($pause, %requests) = @_;
    local $K8sSa::Load::pause = $pause;
    push @loads, load($port, %requests);
}

sub act {
    my ($what, $bad_pause, @events) = @_;
    my $start = time();

    say_($what);

    put_on(0.01, valid());
    put_on(0.03, reviewed());
    put_on(0.1, map { ($_ => with_token('/', $kept{$_})) } keys %kept);
    put_on($bad_pause, invalid());

    while (my ($at, $event) = splice @events, 0, 2) {
        sleep 0.1 while time() < $start + $at;
        $event->();
    }

    sleep 0.1 while time() < $start + $act;
    $end = time();

    my %status;

    for my $tally (map { load_end($_) } splice @loads) {
        delete $tally->{events};
        for my $kind (values %$tally) {
            $status{$_} += $kind->{$_} for grep { /^\d+$/ } keys %$kind;
        }
    }

    say_('  answers:', map { "$_: $status{$_}" } sort keys %status);
}

sub publish {
    $mock->set('east', jwks => {
        body => jwks(map { [ 'ec', $_, kid => $_ ] } @_) });
}


# Prometheus

my $prometheus;

sub start_prometheus {
    my $dir = dir() . '/prometheus';
    mkdir $dir or die "$dir: $!\n";

    my $conf = write_file("$dir/prometheus.yml", <<"_");
global: { scrape_interval: ${scrape}s, scrape_timeout: ${scrape}s }
scrape_configs:
- job_name: nginx-k8s-sa
  static_configs:
  - targets: [ "127.0.0.1:$port" ]
    labels: { instance: service2 }
_

    $prometheus = fork;
    die "fork: $!\n" unless defined $prometheus;

    if ($prometheus == 0) {
        open STDOUT, '>', "$dir/log";
        open STDERR, '>&', \*STDOUT;
        { exec 'prometheus', "--config.file=$conf",
               "--storage.tsdb.path=$dir/data", '--log.level=warn',
               "--web.listen-address=127.0.0.1:$prometheus_port" }
        POSIX::_exit(127);
    }

    for (1 .. 100) {
        return if HTTP::Tiny->new->get(
            "http://127.0.0.1:$prometheus_port/-/ready")->{success};
        sleep 0.2;
    }

    die "Prometheus did not start:\n" . slurp("$dir/log");
}

END {
    my $status = $?;

    if ($prometheus) {
        kill 'TERM', $prometheus;
        waitpid $prometheus, 0;
    }

    $? = $status;
}

sub ask {
    my ($api, %query) = @_;
    my $http = HTTP::Tiny->new;
    my $answer = $http->get("http://127.0.0.1:$prometheus_port/api/v1/$api?"
                            . $http->www_form_urlencode(\%query));
    my $json = decode_json($answer->{content});

    die "$query{query}: $json->{error}\n" unless $json->{status} eq 'success';

    return $json->{data}{result};
}


# Each panel with the results of its queries, sent as by Grafana with "All"
# selected: a range for graphs and for the last value, an instant for tables.

sub panels {
    my ($from, $to) = @_;
    my $dashboard = decode_json(slurp($dashboard_file));

    for my $target (map { @{$_->{targets}} } @{$dashboard->{panels}}) {
        my $expr = $target->{expr}
                   =~ s/\$__rate_interval/${rate_interval}s/gr
                   =~ s/\$(?:instance|issuer)\b/.*/gr;

        $target->{result} = $target->{instant}
            ? ask('query', query => $expr, time => $to)
            : ask('query_range', query => $expr, start => $from, end => $to,
                  step => $step);
    }

    return { title => $dashboard->{title}, from => $from, to => $to,
             step => $step, panels => $dashboard->{panels} };
}


publish($kid);
$api->set('api', review => { delay => 0.003 });
$nginx->start;
start_prometheus();

my $from = time();

act('all is well', 0.2);

act('strangers try', 0.02);

act('the east rotates its keys, the API server is slow', 0.2,
    4 => sub {
        publish('east-1', 'east-2');
        $api->set('api', review => { delay => 0.06 });
    },
    20 => sub {
        $kid = 'east-2';
        put_on(0.03, valid());
    },
    36 => sub {
        publish('east-2');
        $api->set('api', review => { delay => 0.003 });
    });

act('the east does not answer', 0.2,
    2 => sub { $mock->stop }, 34 => sub { $mock->start });

act('the API server does not answer', 0.2,
    10 => sub { $api->stop }, 22 => sub { $api->start });

act('many new callers', 0.2,
    1 => sub {
        put_on(0.005, map { ("new$_" => with_token('/', account('cluster',
                              "jobs/job$_"))) } 1 .. 1500);
    });

spew($out_file, JSON::PP->new->canonical->encode(panels($from, $end)));
$nginx->stop;
