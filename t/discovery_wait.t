# SPDX-License-Identifier: BSD-2-Clause

# Requests that come before the keys are there, or with a key that nobody
# knows: they wait for one fetch, whoever makes it, and whatever becomes of it.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64url);
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockIssuer;
use K8sSa::Nginx;
use K8sSa::Upstream;


authority('ca');

my $ca = 'ssl_trusted_certificate ' . dir() . '/ca.crt;';
my $mock = K8sSa::MockIssuer->new;
my $echo = echo_http();
my $jwks = jwks([ 'ec', 'first', kid => 'k' ]);
my $both = jwks([ 'ec', 'first', kid => 'k' ], [ 'ec', 'new', kid => 'n' ]);


# An issuer with its nginx, not started: NAME, directives, more of the
# server, more arguments of K8sSa::Nginx.

sub setup {
    my ($name, $directives, $server, %arg) = @_;
    my $port = free_port();

    $mock->set($name, jwks => { body => $jwks });

    my $nginx = K8sSa::Nginx->new(workers => 4, %arg, http => <<"_");
k8s_sa_issuer a { audience service2; $ca $directives
    discovery @{[$mock->discovery($name)]}; }
server {
    listen 127.0.0.1:$port;
    location = /status { stub_status; }
    location / { k8s_sa_auth a; empty_gif; }
    $server
}
_

    return ($nginx, $port);
}

sub signed {
    my ($name, $kid, $key, $path) = @_;
    return with_token($path || '/', sign_token(
        key => [ 'ec', $key || 'first' ], header => { kid => $kid || 'k' },
        claims => claims(iss => $mock->url($name))));
}

sub fetches { return scalar $mock->requests($_[0], 'doc') }

# The worker that fetches: it has a socket more than the others, as long as
# there are no clients.

sub fetcher {
    my ($nginx) = @_;
    my %sockets;

    for my $pid ($nginx->workers) {
        $sockets{$pid} = grep { (readlink || '') =~ /^socket/ }
                         glob "/proc/$pid/fd/*";
    }

    my ($most, $next) = sort { $sockets{$b} <=> $sockets{$a} } keys %sockets;

    return $sockets{$most} > $sockets{$next} ? $most
                                             : die "nobody fetches\n";
}

sub ended {
    my ($nginx, $limit) = @_;
    my $began = time();

    while (time() - $began < $limit) {
        if (waitpid($nginx->{pid}, WNOHANG) > 0) {
            delete $nginx->{pid};
            return time() - $began;
        }
        sleep 0.01;
    }

    return $limit;
}

sub gone {
    my ($limit, @pids) = @_;
    my $began = time();
    sleep 0.01 while time() - $began < $limit && grep { -e "/proc/$_" } @pids;
    return time() - $began;
}


# The first requests

my $h2 = free_port();

my ($nginx, $port) = setup('first', 'timeout 5s;', <<"_");
    listen 127.0.0.1:$h2 http2;
    location /post { k8s_sa_auth a; proxy_pass http://127.0.0.1:$echo; }
    location /any { satisfy any; deny all; k8s_sa_auth a; empty_gif; }
_

$mock->set('first', doc => { delay => 0.5 },
           jwks => { body => $jwks, delay => 0.5 });
$nginx->start;

my $kept = signed('first') =~ s/Connection: close\r\n//r;
my $post = signed('first', undef, undef, '/post/x') =~ s/^GET/POST/r
           =~ s/\r\n\z/"Content-Length: 100000\r\n\r\n" . 'b' x 100000/er;

# curl's answers: status and version of HTTP, N times
sub streams {
    my ($port, $name, $n, @options) = @_;
    my ($token) = signed($name) =~ /Bearer (\S+)/;
    my $curl = "curl -s --http2-prior-knowledge --noproxy '*' -o /dev/null "
               . "-w '%{http_code} %{http_version}\\n' @options "
               . "-H 'Authorization: Bearer $token' http://127.0.0.1:$port/";

    open my $fh, '-|', "for i in \$(seq $n); do $curl & done; wait"
        or die "curl: $!\n";
    return $fh;
}

my $streams = streams($h2, 'first', 5);
my $flood = flood($port, (signed('first')) x 97, $kept . signed('first'),
                  $post, signed('first', undef, undef, '/any'));
my @answers = answers($flood, 10);

is(tally(@answers), '200: 100', '100 requests before the first keys');
cmp_ok(slowest(@answers), '<', 3, 'are answered when the keys are there');
cmp_ok(slowest(@answers), '>', 0.5, 'which took its time');
is(join('', <$streams>), "200 2\n" x 5, 'HTTP/2 streams, too');
is(fetches('first'), 1, 'after one fetch');
is(scalar $mock->requests('first', 'jwks'), 1, 'of the document and the keys');
is(scalar(() = $answers[97]{text} =~ m{HTTP/1.1 200}g), 2,
   'pipelined requests, too');
is(length(($answers[98]{text} =~ /(b{1000,})/g)[0] || ''), 100000,
   'and a body arrives whole');


# A thousand keys that nobody knows

my $payload = encode_base64url(JSON::PP->new->encode(claims(
    iss => $mock->url('first'))));

my @unknown = map {
    with_token('/', join '.', encode_base64url(
                   qq({"alg":"ES256","kid":"unknown-$_"})), $payload,
                   'A' x 86)
} 1 .. 1000;

$mock->set('first', doc => { delay => 0.2 });
@answers = ();

push @answers, answers(flood($port, splice @unknown, 0, 200), 20) for 1 .. 5;

my $unknown_at = time();

is(tally(@answers), '401: 1000', '1,000 unknown keys');
is(fetches('first'), 2, 'are one fetch');
diag(sprintf '1,000 unknown keys: %d fetch, the slowest answer after %.2f s',
             fetches('first') - 1, slowest(@answers));

# the new key can be known in 10 s only: see below

$mock->set('first', doc => {}, jwks => { body => $both });
SKIP: {
    my @answers = answers(flood($port, signed('first', 'n', 'new')), 5);
    my $forced = ($mock->requests('first', 'doc'))[1];
    skip 'too slow', 1 if time() > $forced->{at} + 9.5;
    is(tally(@answers), '401: 1', 'a new key within these 10 s');
}


# A new key, at once

my ($fresh, $fresh_port) = setup('fresh', 'timeout 5s;', '');

$fresh->start;
is(tally(answers(flood($fresh_port, signed('fresh')), 5)), '200: 1',
   'the key that was there');

$mock->set('fresh', doc => { delay => 0.3 }, jwks => { body => $both });
@answers = answers(flood($fresh_port, (signed('fresh', 'n', 'new')) x 50), 5);
is(tally(@answers), '200: 50', 'a new key is there when it is asked for');
is(fetches('fresh'), 2, 'after one fetch');

# nothing to do for the next 10 minutes
$fresh->signal('QUIT');
cmp_ok(ended($fresh, 5), '<', 1, 'timers do not keep anybody');


# Clients that go away

my $lost_h2 = free_port();
my ($lost, $lost_port) = setup('lost', 'timeout 10s;',
                               "listen 127.0.0.1:$lost_h2 http2;");

sub sockets {
    return scalar grep { (readlink || '') =~ /^socket/ }
                  map { glob "/proc/$_/fd/*" } $lost->workers;
}

sub active {
    my ($n) = get($lost_port, '/status')->{body} =~ /Active connections: (\d+)/;
    return $n;
}

$mock->set('lost', doc => { do => 'hang' });
$lost->start;
$mock->wait_requests('lost', 'doc', 1);

my $sockets = sockets();

$flood = flood($lost_port, (signed('lost')) x 60);
# the last answer may still be on its way

sub settled {
    my ($n) = @_;
    my $until = time() + 5;
    my $active;
    sleep 0.05 while ($active = active()) != $n && time() < $until;
    return $active;
}

is(settled(61), 61, '60 requests wait');

close $_->{socket} for splice @{$flood->{answers}}, 0, 59;
is(settled(2), 2, '59 clients go away, and nothing of them is left');
is(sockets(), $sockets + 1, 'no socket either');

close $_->{socket} for @{$flood->{answers}};

is(join('', readline streams($lost_h2, 'lost', 5, '--max-time', 0.5)),
   "000 0\n" x 5, 'HTTP/2 streams that are given up');
is(settled(1), 1, 'leave nothing either');

# nobody waits, but the fetch still hangs

my @old = $lost->workers;
$lost->signal('HUP');
cmp_ok(gone(5, @old), '<', 1,
       'a reload: old workers do not wait for an issuer that hangs');
$mock->wait_requests('lost', 'doc', 2);
$lost->signal('QUIT');
cmp_ok(ended($lost, 5), '<', 1, 'neither does a shutdown');


# Somebody waits while nginx reloads, or shuts down

my ($reload, $reload_port) = setup('reload', 'timeout 5s;', '');

$mock->set('reload', doc => { delay => 1 });
$reload->start;
$flood = flood($reload_port, (signed('reload')) x 40);
sleep 0.2;
@old = $reload->workers;
$reload->signal('HUP');
sleep 0.2;
my $second = flood($reload_port, (signed('reload')) x 40);
@answers = answers($flood, 8);
is(tally(@answers), '200: 40', 'requests that waited over a reload');
cmp_ok(slowest(@answers), '<', 4, 'in time');
@answers = answers($second, 8);
is(tally(@answers), '200: 40', 'requests that came after it');
cmp_ok(slowest(@answers), '<', 4, 'in time, too');
cmp_ok(gone(5, @old), '<', 1, 'the old workers end then');

my ($quit, $quit_port) = setup('quit', 'timeout 5s;', '',
                               workers => 1);

$mock->set('quit', doc => { delay => 1 });
$quit->start;
$flood = flood($quit_port, (signed('quit')) x 40);
sleep 0.2;
$quit->signal('QUIT');
is(tally(answers($flood, 8)), '200: 40', 'requests that waited at a shutdown');
is(fetches('quit'), 1, 'by the fetch that was under way');
cmp_ok(ended($quit, 5), '<', 1, 'which ends then');


# The worker that fetches is killed: the first keys, and then a new one that
# nobody would fetch for another 10 minutes.

my ($kill, $kill_port) = setup('kill', 'timeout 5s;', '');
my @victims;

sub killed {
    my ($name, $request) = @_;

    push @victims, fetcher($kill);

    my $flood = flood($kill_port, ($request) x 60);
    sleep 0.3;
    $mock->set('kill', doc => {});
    kill 'KILL', $victims[-1];

    my @answers = answers($flood, 10);
    is(scalar(grep { $_->{status} != 200 && $_->{status} != 0 } @answers), 0,
       "$name: nobody gets a wrong answer");
    my $served = grep { $_->{status} == 200 } @answers;
    cmp_ok($served, '>', 0, "$name: $served of 60 waited in other workers");
    cmp_ok(slowest(@answers), '<', 2, "$name: and are served soon")
        or diag(tally(@answers));
    is(tally(answers(flood($kill_port, ($request) x 20), 5)), '200: 20',
       "$name: and so are all that come now");
}

$mock->set('kill', doc => { do => 'hang' });
$kill->start;
ok($mock->wait_requests('kill', 'doc', 1), 'somebody fetches');
killed('killed', signed('kill'));

my $n = fetches('kill');
$mock->set('kill', doc => { do => 'hang' }, jwks => { body => $both });
$flood = flood($kill_port, signed('kill', 'n', 'new'));
ok($mock->wait_requests('kill', 'doc', $n + 1), 'somebody fetches a new key');
killed('killed again', signed('kill', 'n', 'new'));
answers($flood, 1);


# The issuer never answers

my ($hang, $hang_port) = setup('hang', 'timeout 1s;', '');

$mock->set('hang', doc => { do => 'hang' });
$hang->start;
@answers = answers(flood($hang_port, (signed('hang')) x 20), 10);
is(tally(@answers), '503: 20', 'an issuer that hangs: 503');
cmp_ok(slowest(@answers), '<', 3, 'when the time is over');
ok($hang->wait_log(qr/issuer "a" failed: \S+: timed out while waiting/),
   'the log tells');


# 10 s after the unknown keys

sleep 0.1 while time() < $unknown_at + 10.2;
is(tally(answers(flood($port, signed('first', 'n', 'new')), 5)), '200: 1',
   'a new key after 10 s');
is(fetches('first'), 3, 'by one more fetch');


# nginx names SIGKILL an alert

for (glob "$kill->{dir}/logs/error.log") {
    my $log = slurp($_);
    is(scalar(() = $log =~ /\[alert\].*(?:$victims[0]|$victims[1]) (?#
                           )exited on signal 9/g), 2,
       'two workers were killed');
    write_file($_, $log =~ s/^.*\[alert\].*exited on signal 9.*\n//mgr);
}

K8sSa::Nginx::finish();
