# SPDX-License-Identifier: BSD-2-Clause

# Clients that disconnect, reloads, shutdowns and killed workers while reviews
# are in progress.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::Nginx qw(gone);


my $api = K8sSa::MockApi->new;

# accepts connections and never answers

my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 50,
                                 Blocking => 0);

sub setup {
    my ($name, $directives, %arg) = @_;
    my $port = free_port();
    my $keys = 'public_key ' . key_file('ec') . '; audience service2;';

    return (K8sSa::Nginx->new(%arg, http => <<"_")->start, $port);
k8s_sa_issuer a { token_review @{[$api->base]}/$name/review; $directives }
k8s_sa_issuer b { token_review @{[$api->base]}/$name/review; $keys $directives }
server {
    listen 127.0.0.1:$port;
    location = /a { k8s_sa_auth a; empty_gif; }
    location = /b { k8s_sa_auth b; empty_gif; }
    location = /any { satisfy any; deny all; k8s_sa_auth a; empty_gif; }
    location = /sub { auth_request /who; empty_gif; }
    location = /who { internal; k8s_sa_auth a; k8s_sa_whoami; }
    location = /action { k8s_sa_auth a; post_action /after; empty_gif; }
    location = /gated { auth_request /who-after; empty_gif; }
    location = /who-after { k8s_sa_auth a; k8s_sa_whoami; post_action /after; }
    location = /twice { auth_request /who-again; empty_gif; }
    location = /who-again { k8s_sa_auth a; k8s_sa_whoami;
                            post_action \@again; }
    location \@again { k8s_sa_auth a; rewrite ^ /after break;
                       proxy_pass http://127.0.0.1:@{[ $mute->sockport ]};
                       proxy_read_timeout 1s; }
    location = /after {
        proxy_pass http://127.0.0.1:@{[ $mute->sockport ]};
        proxy_read_timeout 1s;
    }
    location = /limit { k8s_sa_auth a; limit_req zone=z burst=1000 nodelay;
                        empty_gif; }
}
limit_req_zone \$k8s_sa_username zone=z:1m rate=1000r/s;
_
}


# Clients disconnect

$api->set('away', review => { delay => 0.4 });
my ($nginx, $port) = setup('away', 'timeout 5s;');

for my $round (1 .. 4) {
    my @clients = map {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                      PeerPort => $port);
        my $path = (qw(/a /b /any /sub /limit))[$_ % 5];
        print $s with_token($path, $path eq '/b'
                                   ? sign_token(claims => claims(
                                         jti => "$round$_"))
                                   : opaque_token());
        $s;
    } 1 .. 40;

    sleep 0.1 * $round;
    close $_ for @clients;
}

sleep 1;
is(get($port, '/a', bearer(opaque_token()))->{status}, 200,
   'some clients disconnect, others come');
is(get($port, $_, bearer(opaque_token()))->{status}, 200, "$_ still works")
    for qw(/any /sub /limit);


# post_action is a redirect of a waiting request, which then no longer waits

$api->set('away', review => { delay => 0.4 });
my @given_up = map {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
    print $s with_token('/action', opaque_token());
    $s;
} 1 .. 5;

sleep 0.2;
close $_ for @given_up;
sleep 0.8;                                 # the reviews are answered
is(scalar(() = map { $mute->accept || () } 1 .. 50), 5,
   'post_action: each runs once');
sleep 1;                                   # and the actions end
is(get($port, '/action', bearer(opaque_token()))->{status}, 200,
   'post_action: the worker still works');


# ... and so does a waiting subrequest, whose state is its own

for my $path ('/gated', '/twice') {
    my @workers = $nginx->workers;

    @given_up = map {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                      PeerPort => $port);
        print $s with_token($path, opaque_token());
        $s;
    } 1 .. 3;

    sleep 0.2;
    close $_ for @given_up;
    sleep 0.8;
    is(get($port, $path, bearer(opaque_token()))->{status}, 200,
       "post_action of a subrequest: $path still works");
    is_deeply([ $nginx->workers ], [ @workers ], '... with the same worker');
}


# A reload, and the end of the old worker

my $flood = flood($port, map { with_token('/a', opaque_token()) } 1 .. 30);
sleep 0.2;
my @old = $nginx->workers;
$nginx->signal('HUP');
is(tally(answers($flood, 10)), '200: 30', 'a reload: all are answered');
ok(gone(5, @old), '... and the old worker ends');

my $kept = opaque_token();
is(get($port, '/a', bearer($kept))->{status}, 200, 'a token');
my $n = $api->reviews('away');
$nginx->reload;
is(get($port, '/a', bearer($kept))->{status}, 200, 'after a reload');
is(scalar $api->reviews('away'), $n, '... needs no new review');


# A worker ends when no request waits any more

$api->set('away', review => { do => 'hang' });
my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
print $s with_token('/a', opaque_token());
sleep 0.2;
close $s;
sleep 0.1;
@old = $nginx->workers;
my $began = time();
$nginx->signal('HUP');
ok(gone(5, @old), 'a worker without waiting requests ends');
cmp_ok(time() - $began, '<', 1.5, '... at once');


# A killed worker

my $killed = $nginx;

$flood = flood($port, map { with_token('/a', opaque_token()) } 1 .. 20);
sleep 0.2;
kill 'KILL', $nginx->workers;
answers($flood, 5);
$api->set('away', review => {});
sleep 0.3;
is(get($port, '/a', bearer(opaque_token()))->{status}, 200, 'after a killed worker');


# Shutdown, graceful and fast

$api->set('quit', review => { delay => 0.5 });

for my $signal (qw(QUIT TERM)) {
    ($nginx, $port) = setup('quit', 'timeout 3s;');
    $flood = flood($port, map { with_token('/a', opaque_token()) } 1 .. 20);
    sleep 0.2;
    $nginx->signal($signal);
    my @answers = answers($flood, 10);
    is(tally(@answers), '200: 20', 'QUIT: all are answered')
        if $signal eq 'QUIT';
    ok(gone_or_reaped($nginx), "$signal: nginx ends");
    unlike($nginx->log, qr/open socket|exited on signal/,
           "$signal: without errors");
}

sub gone_or_reaped {
    my ($nginx) = @_;
    my $until = time() + 6;

    while (time() < $until) {
        if (waitpid($nginx->{pid}, WNOHANG) != 0) {
            delete $nginx->{pid};
            return 1;
        }
        sleep 0.02;
    }

    return 0;
}


# All places are taken by reviews whose clients have gone, and a request is
# queued: it is reviewed before the worker ends

for my $signal (qw(HUP QUIT)) {
    my $name = "queue-$signal";

    $api->set($name, review => { delay => 2 });
    ($nginx, $port) = setup($name, 'timeout 5s;');
    @old = $nginx->workers;

    my @gone = map {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                      PeerPort => $port);
        print $s with_token('/a', opaque_token());
        $s;
    } 1 .. 8;

    ok($api->wait_requests($name, 'review', 8), "$signal: eight reviews");
    close $_ for @gone;
    sleep 0.1;

    my $queued = flood($port, with_token('/a', opaque_token()));
    sleep 0.1;
    $nginx->signal($signal);

    my @answers = answers($queued, 10);
    is(tally(@answers), '200: 1', '... whose clients have gone: a queued '
                                  . 'request is reviewed');
    cmp_ok(slowest(@answers), '<', 3, '... at once');
    ok($signal eq 'HUP' ? gone(3, @old) : gone_or_reaped($nginx),
       '... and the worker ends');
}


# An API server that hangs, and a graceful shutdown

$api->set('hung', review => { do => 'hang' });
($nginx, $port) = setup('hung', 'timeout 1s;');
$flood = flood($port, map { with_token('/a', opaque_token()) } 1 .. 20);
sleep 0.2;
$nginx->signal('QUIT');
is(tally(answers($flood, 10)), '503: 20', 'no request hangs');
ok(gone_or_reaped($nginx), '... and nginx ends');


# Reloads under load

$api->set('load', review => { delay => 0.02 });
($nginx, $port) = setup('load', 'token_review_cache 50ms;', workers => 2);
my @load = map { load($port, a => with_token('/a', opaque_token()),
                      b => with_token('/b', sign_token(
                          claims => claims(jti => "load$_"))),
                      sub => with_token('/sub', opaque_token())) } 1 .. 4;

for (1 .. 8) {
    sleep 0.5;
    $nginx->signal('HUP');
}

sleep 0.5;

my %tally;
for my $load (@load) {
    my $result = $load->load_end;
    for my $kind (qw(a b sub)) {
        $tally{$_} += $result->{$kind}{$_}
            for grep { /^\d+$/ } keys %{$result->{$kind}};
    }
}

# load_end() interrupts a waiting request
delete $tally{0} if ($tally{0} || 0) <= @load;

is(join(',', sort keys %tally), '200', 'eight reloads under load: nothing but 200')
    or diag(explain(\%tally));

# the worker that this suite killed has not crashed

my $log = "$killed->{dir}/logs/error.log";
write_file($log, slurp($log) =~ s/^.*exited on signal 9.*\n//mgr);

K8sSa::Nginx::finish();
