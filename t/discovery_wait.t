# SPDX-License-Identifier: BSD-2-Clause

# Requests that arrive before the keys have been fetched, or with an unknown
# key, wait for one fetch, whichever worker makes it and however it ends.

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
use K8sSa::Nginx qw(gone);
use K8sSa::Upstream;


authority('ca');

my $ca = 'ssl_trusted_certificate ' . dir() . '/ca.crt;';
my $mock = K8sSa::MockIssuer->new;
my $echo = echo_http();
my $jwks = jwks([ 'ec', 'first', kid => 'k' ]);
my $both = jwks([ 'ec', 'first', kid => 'k' ], [ 'ec', 'new', kid => 'n' ]);


# An issuer with its own nginx, not started: NAME, directives, more text for
# the server, more arguments for K8sSa::Nginx.

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
    return with_token($path || '/',
                      issuer_token($mock->url($name), $key, $kid));
}

sub fetches { return scalar $mock->requests($_[0], 'doc') }

# Returns the worker that fetches: without clients, it has one socket more than
# the others.

sub fetcher {
    my ($nginx) = @_;
    my %sockets;

    for my $pid ($nginx->workers) {
        $sockets{$pid} = grep { (readlink || '') =~ /^socket/ }
                         glob "/proc/$pid/fd/*";
    }

    my ($most, $next) = sort { $sockets{$b} <=> $sockets{$a} } keys %sockets;

    return $sockets{$most} > $sockets{$next} ? $most
                                             : die "no worker fetches\n";
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

# curl's answers: status and HTTP version, N times
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
cmp_ok(slowest(@answers), '<', 3, '... are answered when the keys arrive');
cmp_ok(slowest(@answers), '>', 0.5, '... which took a while');
is(join('', <$streams>), "200 2\n" x 5, 'HTTP/2 streams, too');
is(fetches('first'), 1, '... after one fetch');
is(scalar $mock->requests('first', 'jwks'), 1,
   '... of the document and the keys');
is(scalar(() = $answers[97]{text} =~ m{HTTP/1.1 200}g), 2,
   'pipelined requests, too');
is(length(($answers[98]{text} =~ /(b{1000,})/g)[0] || ''), 100000,
   'a body arrives whole');


# A thousand unknown keys

my $payload = encode_base64url(JSON::PP->new->encode(claims(
    iss => $mock->url('first'))));

my @unknown = map {
    with_token('/', join '.', encode_base64url(
                   qq({"alg":"ES256","kid":"unknown-$_"})), $payload,
                   'A' x 86)
} 1 .. 1000;

$mock->set('first', doc => { delay => 0.2 });
@answers = ();

{
    local $K8sSa::Load::clients = 4;

    push @answers, answers(flood($port, splice @unknown, 0, 200), 20)
        for 1 .. 5;
}

my $unknown_at = time();

is(tally(@answers), '401: 1000', '1,000 unknown keys');
is(fetches('first'), 2, '... lead to one fetch');
diag(sprintf '1,000 unknown keys: %d fetch, the slowest answer after %.2f s',
             fetches('first') - 1, slowest(@answers));

# the new key cannot be found for 10 s, see below

$mock->set('first', doc => {}, jwks => { body => $both });
SKIP: {
    my @answers = answers(flood($port, signed('first', 'n', 'new')), 5);
    my $forced = ($mock->requests('first', 'doc'))[1];
    skip 'too slow', 1 if time() > $forced->{at} + 9.5;
    is(tally(@answers), '401: 1', 'a new key within these 10 s');
}


# A new key is found at once

my ($fresh, $fresh_port) = setup('fresh', 'timeout 5s;', '');

$fresh->start;
is(tally(answers(flood($fresh_port, signed('fresh')), 5)), '200: 1',
   'the old key');

$mock->set('fresh', doc => { delay => 0.3 }, jwks => { body => $both });
@answers = answers(flood($fresh_port, (signed('fresh', 'n', 'new')) x 50), 5);
is(tally(@answers), '200: 50', 'a new key is fetched when it is needed');
is(fetches('fresh'), 2, '... after one fetch');

# nothing to fetch for the next 10 minutes
$fresh->signal('QUIT');
cmp_ok(ended($fresh, 5), '<', 1, 'timers do not keep a worker running');


# Clients disconnect

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
is(settled(2), 2, '59 clients disconnect, and nothing of them is left');
is(sockets(), $sockets + 1, 'no socket either');

close $_->{socket} for @{$flood->{answers}};

is(join('', readline streams($lost_h2, 'lost', 5, '--max-time', 0.5)),
   "000 0\n" x 5, 'cancelled HTTP/2 streams');
is(settled(1), 1, '... leave nothing either');

# no request waits any more, but the fetch still hangs

my @old = $lost->workers;
$lost->signal('HUP');
ok(gone(1, @old), 'a reload: old workers do not wait for an issuer that hangs');
$mock->wait_requests('lost', 'doc', 2);
$lost->signal('QUIT');
cmp_ok(ended($lost, 5), '<', 1, 'neither does a shutdown');


# Requests wait while nginx reloads or shuts down

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
is(tally(@answers), '200: 40', 'requests that wait across a reload');
cmp_ok(slowest(@answers), '<', 4, '... in time');
@answers = answers($second, 8);
is(tally(@answers), '200: 40', 'requests after the reload');
cmp_ok(slowest(@answers), '<', 4, '... in time, too');
ok(gone(1, @old), '... and the old workers end');

my ($quit, $quit_port) = setup('quit', 'timeout 5s;', '',
                               workers => 1);

$mock->set('quit', doc => { delay => 1 });
$quit->start;
$flood = flood($quit_port, (signed('quit')) x 40);
sleep 0.2;
$quit->signal('QUIT');
is(tally(answers($flood, 8)), '200: 40',
   'requests that wait during a shutdown');
is(fetches('quit'), 1, '... are answered after the running fetch');
cmp_ok(ended($quit, 5), '<', 1, '... and nginx ends');


# The worker that fetches is killed: during the first fetch, and then during
# the fetch for a new key, which would otherwise not happen for 10 minutes.

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
       "$name: no wrong answer");
    my $served = grep { $_->{status} == 200 } @answers;
    cmp_ok($served, '>', 0, "$name: $served of 60 waited in other workers");
    cmp_ok(slowest(@answers), '<', 2, "$name: ... and are served soon")
        or diag(tally(@answers));
    is(tally(answers(flood($kill_port, ($request) x 20), 5)), '200: 20',
       "$name: ... as are all new requests");
}

$mock->set('kill', doc => { do => 'hang' });
$kill->start;
ok($mock->wait_requests('kill', 'doc', 1), 'a worker fetches');
killed('killed', signed('kill'));

my $n = fetches('kill');
$mock->set('kill', doc => { do => 'hang' }, jwks => { body => $both });
$flood = flood($kill_port, signed('kill', 'n', 'new'));
ok($mock->wait_requests('kill', 'doc', $n + 1), 'a worker fetches a new key');
killed('killed again', signed('kill', 'n', 'new'));
answers($flood, 1);


# The issuer never answers

my ($hang, $hang_port) = setup('hang', 'timeout 1s;', '');

$mock->set('hang', doc => { do => 'hang' });
$hang->start;
@answers = answers(flood($hang_port, (signed('hang')) x 20), 10);
is(tally(@answers), '503: 20', 'an issuer that hangs: 503');
cmp_ok(slowest(@answers), '<', 3, '... after the timeout');
ok($hang->wait_log(qr/issuer "a" failed: \S+: timed out while waiting/),
   'the log has the reason');


# 10 s after the unknown keys

sleep 0.1 while time() < $unknown_at + 10.2;
is(tally(answers(flood($port, signed('first', 'n', 'new')), 5)), '200: 1',
   'a new key after 10 s');
is(fetches('first'), 3, '... with one more fetch');


# nginx logs SIGKILL as an alert

for (glob "$kill->{dir}/logs/error.log") {
    my $log = slurp($_);
    is(scalar(() = $log =~ /\[alert\].*(?:$victims[0]|$victims[1]) (?#
                           )exited on signal 9/g), 2,
       'two workers were killed');
    write_file($_, $log =~ s/^.*\[alert\].*exited on signal 9.*\n//mgr);
}

K8sSa::Nginx::finish();
