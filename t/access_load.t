# SPDX-License-Identifier: BSD-2-Clause

# Many questions at once: one answer serves all who wait for it, in all workers;
# verdicts are renewed before their end; one caller does not delay the others.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::Nginx;


my $api = K8sSa::MockApi->new;
my $port = free_port();
my $keys = 'public_key ' . key_file('ec') . '; audience service2; timeout 5s;';
my @names = qw(once kill ahead denied failing few many);

my $nginx = K8sSa::Nginx->new(workers => 4, http => join '',
    (map { "k8s_sa_issuer $_ { $keys access_review " . $api->url($_)
           . "/access; access_review_cache "
           . ($_ =~ /ahead|denied|failing/ ? '2s denied=2s' : '1h denied=1h')
           . "; }\n" } @names),
    "server {\n listen 127.0.0.1:$port reuseport;\n",
    " add_header X-Result \$k8s_sa_result always;\n",
    " add_header X-Cache \$k8s_sa_access_cache always;\n",
    (map { " location /$_ { k8s_sa_auth $_; k8s_sa_authorize; "
           . "k8s_sa_whoami; }\n" } @names),
    "}\n");

$nginx->start;

my $token = account_token('mytest', 'service1');
my $other = account_token('mytest', 'service2');

sub statuses { return map { $_->{status} } answers(@_) }

sub ask {
    my ($path, $bearer) = @_;
    my $answer = get($port, $path, bearer($bearer || $token));
    my ($result) = header_values($answer->{head}, 'X-Result');
    my ($cache) = header_values($answer->{head}, 'X-Cache');
    return "$answer->{status} $result " . (defined $cache ? $cache : '-');
}


# One question for all

$api->set('once', access => { allow => 1, delay => 1 });

{
    my @statuses = statuses(flood($port, (with_token('/once', $token)) x 200),
                            20);
    is(scalar(grep { $_ == 200 } @statuses), 200, '200 requests at once');
    is(scalar $api->accesses('once'), 1, 'one question');
}


# The worker that asks dies

$api->set('kill', access => { times => [ { do => 'hang' } ], allow => 1 });

{
    my $flood = flood($port, (with_token('/kill', $token)) x 40);
    ok(until_true(5, sub { $api->accesses('kill') >= 1 }), 'one asks');

    my $asking = owner('kill');
    ok($asking, 'one of the workers');
    kill 'KILL', $asking;

    my @statuses = statuses($flood, 20);
    my @lost = grep { $_ == 0 } @statuses;
    cmp_ok(scalar @lost, '<', 40, 'it is killed, and its requests are lost');
    is(scalar(grep { $_ == 200 } @statuses), 40 - @lost,
       '... all others are answered');
    is(scalar $api->accesses('kill'), 2, '... after one more question');
}

# Returns the worker that has sent the last access review of NAME.

sub owner {
    my ($name) = @_;
    my ($connection) = map { $_->{connection} } reverse $api->accesses($name);
    my ($peer) = map { $_->{peer} } grep { $_->{connection} == $connection }
                 $api->requests('', 'connect');
    my $hex = sprintf ':%04X', $peer;

    my ($inode) = map { (split)[9] } grep { (split)[1] =~ /$hex$/ }
                  grep { /^ *\d+:/ } split /\n/, slurp('/proc/net/tcp');

    my ($worker) = grep {
        grep { /^socket:\[$inode\]$/ } map { readlink || '' }
            glob "/proc/$_/fd/*"
    } $nginx->workers;

    return $worker;
}


# Renewed in the last fifth of its life

$api->set($_, access => { allow => 1 }) for qw(ahead denied failing);

{
    my %seen;
    my $until = time() + 7;
    is(ask('/ahead'), '200 ok MISS', 'ahead: asked');

    while (time() < $until) {
        $seen{ask('/ahead')}++;
        sleep 0.05;
    }

    is_deeply([ keys %seen ], [ '200 ok HIT' ], 'ahead: no request waits');
    my $n = $api->accesses('ahead');
    cmp_ok($n, '>=', 3, 'ahead: renewed');
    cmp_ok($n, '<=', 8, 'ahead: by one worker');

    $api->set('ahead', access => { allow => 0 });
    ok(until_true(3, sub { ask('/ahead') =~ /^403/ }),
       'ahead: a denial replaces the verdict');
}

{
    is(ask('/failing'), '200 ok MISS', 'failing: asked');
    $api->set('failing', access => { status => 400 });
    my $until = time() + 1.9;
    my %seen;

    while (time() < $until) {
        $seen{ask('/failing')}++;
        sleep 0.05;
    }

    my $n = $api->accesses('failing');
    cmp_ok($n, '<=', 1 + 4, 'failing: one try for each worker at most');
    is((keys %seen)[0], '200 ok HIT', 'failing: the verdict serves to its end');
    ok(until_true(3, sub { ask('/failing') =~ /^503/ }),
       'failing: and no longer');
}

$api->set('denied', access => { allow => 0 });
is(ask('/denied'), '403 access_denied MISS', 'denied: asked');
sleep 1.8;
ask('/denied');
sleep 0.4;
is(ask('/denied'), '403 access_denied MISS', 'denied: not renewed ahead');


# One caller with many questions

$api->set('many', access => { allow => 1, delay => 0.2 });

{
    my $flood = flood($port, map { with_token("/many/$_", $token) } 1 .. 150);
    sleep 0.5;
    my $began = time;
    is(get($port, '/many/x', bearer($other))->{status}, 200,
       'another caller is allowed');
    cmp_ok(time - $began, '<', 2, 'and does not wait for all of them');
    cmp_ok($api->most('many'), '<=', 8 * 4, 'eight at once in a worker');
    my @statuses = statuses($flood, 30);
    is(scalar(grep { $_ == 200 || $_ == 503 } @statuses), 150, 'all answered');
}

# the worker that this suite killed has not crashed

K8sSa::Nginx->finish(allow => qr/exited on signal 9/);
