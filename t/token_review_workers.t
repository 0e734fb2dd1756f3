# SPDX-License-Identifier: BSD-2-Clause

# The same token in several workers at the same time: one of them asks.

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
my (@issuers, @locations);

sub location {
    my ($name, $directives) = @_;
    my $url = $api->base . "/$name/review";

    push @issuers, "k8s_sa_issuer $name { token_review $url; $directives }\n";
    push @locations, "location = /$name { k8s_sa_auth $name; empty_gif; }\n";
}

location($_, '') for qw(good bad killed);
location('failing', 'timeout 1500ms;');
location('short', 'token_review_cache 300ms failed=300ms;');
location('unkept', 'token_review_cache 0s failed=0s;');
location('unkept_refusals', 'token_review_cache 10s failed=0s;');

my $slow = { delay => 0.4 };

$api->set($_, review => $slow) for qw(good unkept);
$api->set('killed', review => { delay => 1.5 });
$api->set($_, review => { %$slow, refuse => 'no such pod' })
    for qw(bad unkept_refusals);
$api->set('failing', review => { %$slow, status => 500, body => 'no' });
$api->set('short', review => { delay => 0.05 });

my $nginx = K8sSa::Nginx->new(workers => 4, http => <<"_")->start;
@issuers
add_header X-Pid \$pid always;
server {
    listen 127.0.0.1:$port reuseport;
    @locations
}
_


sub ask_all {
    my ($name, $n) = @_;
    my $token = opaque_token();
    return flood($port, (with_token("/$name", $token)) x ($n || 100));
}

sub workers_of {
    my %pids;
    for (@_) {
        $pids{$1} = 1 if $_->{text} =~ /^X-Pid: (\d+)/m;
    }
    return keys %pids;
}


# Verdicts

my @answers = answers(ask_all('good'), 10);

is(scalar workers_of(@answers), 4, '100 requests with a token in four workers');
is(tally(@answers), '200: 100', '... are answered');
is(scalar $api->reviews('good'), 1, '... with one review');
cmp_ok(slowest(@answers), '<', 2, '... soon after it');

@answers = answers(ask_all('bad'), 10);

is(scalar workers_of(@answers), 4, 'a token that is refused, in four workers');
is(tally(@answers), '401: 100', '... is refused by all');
is(scalar $api->reviews('bad'), 1, '... after one review');


# Verdicts expire while requests keep coming: one review at a time, not more

my $token = opaque_token();
my $began = time();
my $n = 0;

while (time() - $began < 3) {
    my @some = answers(flood($port, (with_token('/short', $token)) x 12), 5);
    $n += grep { $_->{status} == 200 } @some;
    last if tally(@some) ne '200: 12';
}

my $most = (time() - $began) / 0.3 + 1;

cmp_ok($n, '>', 100, 'a verdict that expires soon');
cmp_ok(scalar $api->reviews('short'), '<=', $most, '... is renewed each time');
cmp_ok(scalar $api->reviews('short'), '>=', 3, '... and not less often');
is($api->most('short'), 1, 'never twice at a time');


# Failures are not shared, and no worker waits longer than its timeout

$began = time();
@answers = answers(ask_all('failing'), 10);
is(tally(@answers), '503: 100', 'an API server that fails');
cmp_ok(slowest(@answers), '<', 3, '... delays no request beyond the timeout');


# Requests cannot wait for verdicts that are not cached

@answers = answers(ask_all('unkept', 40), 10);
is(tally(@answers), '200: 40', 'verdicts that are not cached');
is(scalar $api->reviews('unkept'), 4, '... each worker asks');
cmp_ok(slowest(@answers), '<', 1.2, '... at once');

@answers = answers(ask_all('unkept_refusals', 40), 10);
is(tally(@answers), '401: 40', 'refusals that are not cached');
is(scalar $api->reviews('unkept_refusals'), 4, '... each worker asks');


# The worker that asks dies

sub owner {
    my ($connect) = sort { $b->{at} <=> $a->{at} } $api->requests('', 'connect');
    my $hex = sprintf ':%04X', $connect->{peer};
    my ($inode) = map { (split)[9] }
                  grep { (split)[1] =~ /$hex$/ } split /^/m,
                  slurp('/proc/net/tcp');

    for my $pid ($nginx->workers) {
        return $pid if grep { (readlink || '') eq "socket:[$inode]" }
                       glob "/proc/$pid/fd/*";
    }

    return 0;
}

# old connections would not show which worker asks
$api->stop;
$api->start;

my $flood = ask_all('killed');
sleep 0.2;

my $owner = owner();
ok($owner, 'one of the workers asks');
kill 'KILL', $owner;

@answers = answers($flood, 10);
my @lost = grep { $_->{status} == 0 } @answers;

cmp_ok(scalar @lost, '<', 100, 'it is killed, and its requests are lost');
is(tally(grep { $_->{status} } @answers), '200: ' . (100 - @lost),
   '... all others are answered');
is(scalar $api->reviews('killed'), 2, '... after one more review');
cmp_ok(slowest(grep { $_->{status} } @answers), '<', 4,
       '... and not much later');

# the worker that this suite killed has not crashed

my $log = "$nginx->{dir}/logs/error.log";
write_file($log, slurp($log) =~ s/^.*exited on signal 9.*\n//mgr);

K8sSa::Nginx::finish();
