# SPDX-License-Identifier: BSD-2-Clause

# SIGTERM and SIGINT stop the client at once, whatever it is waiting for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use ClientTest;


my ($c, $r);

my $token = spew('token', 'one');
my $quick = server(sub { response(200, 'x') });
my $silent = server(sub { undef });


for my $signal ('TERM', 'INT') {

    $c = client_start('--token-file', $token, '--interval', '1h',
                      $quick->{url});
    ok($c->until_out(qr/status=200/), 'output is not buffered, even in a file');
    $c->signal($signal);
    $r = $c->wait(10);
    is($r->{status}, 0, "SIG$signal between two requests");
    cmp_ok($r->{after}, '<', 1, '... stops it at once');

    $c = client_start('--token-file', $token, '--timeout', '1h',
                      $silent->{url});
    ok($c->until_out(qr/start client/), 'started');
    for (1 .. 500) {
        last if $silent->requests;
        select undef, undef, undef, 0.01;
    }
    $c->signal($signal);
    $r = $c->wait(10);
    is($r->{status}, 0, "SIG$signal while the server is silent");
    cmp_ok($r->{after}, '<', 1, '... stops it at once');
}

$c = client_start('--token-file', $token, '--interval', '1h', '--count', 2,
                  $quick->{url});
ok($c->until_out(qr/status=200/), 'first of two');
$c->signal('TERM');
$r = $c->wait(10);
is($r->{status}, 1, 'SIGTERM before the last of --count: exit status 1');


SKIP: {
    my @unshare = ('unshare', '--pid', '--fork', '--kill-child');

    skip 'not allowed to be process 1', 3
        if system("@unshare true >/dev/null 2>&1") != 0;

    $c = client_start({ wrapper => \@unshare }, '--token-file', $token,
                      '--interval', '1h', $quick->{url});
    ok($c->until_out(qr/status=200/), 'as process 1');

    # unshare's only child
    my ($pid) = split ' ', slurp("/proc/$c->{pid}/task/$c->{pid}/children");
    $c->{signalled} = Time::HiRes::time();
    kill 'TERM', $pid;
    $r = $c->wait(10);
    is($r->{status}, 0, 'SIGTERM as process 1');
    cmp_ok($r->{after}, '<', 1, '... stops it at once');
}


# unresponsive name servers: the system's resolver cannot be interrupted

SKIP: {
    my $so = dir() . '/slow.so';
    my $source = spew('slow.c', <<'END');
#include <netdb.h>
#include <unistd.h>

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
    struct addrinfo **result)
{
    (void) host; (void) port; (void) hints; (void) result;
    sleep(30);
    return EAI_AGAIN;
}
END

    skip 'no C compiler', 5
        if system("cc -shared -fPIC -o $so $source >/dev/null 2>&1") != 0;

    my %slow = (env => { LD_PRELOAD => $so,
                         ASAN_OPTIONS => 'verify_asan_link_order=0' });

    $r = client({ %slow }, '--token-file', $token, '--timeout', '300ms',
                '--count', 1, 'http://service2.example/');
    is($r->{status}, 1, 'resolver hangs: exit status 1');
    like($r->{out}, qr/ error: .*timed out/i, '... timeout');
    cmp_ok($r->{took}, '<', 3, '... in time');

    $c = client_start({ %slow }, '--token-file', $token, '--timeout', '1h',
                      'http://service2.example/');
    $c->until_out(qr/start client/);
    select undef, undef, undef, 0.1;
    $c->signal('TERM');
    $r = $c->wait(10);
    is($r->{status}, 0, 'SIGTERM while the resolver hangs');
    cmp_ok($r->{after}, '<', 1, '... stops it at once');
}


# the reader of standard output goes away

my $name = dir() . '/fifo';
POSIX::mkfifo($name, 0600);
open my $reader, '+<', $name or die $!;
$c = client_start({ out => $name }, '--token-file', $token, '--interval',
                  '20ms', $quick->{url});
my $line = <$reader>;
like($line, qr/start client/, 'reader');
close $reader;
$r = $c->wait(10);
is($r->{status}, 1, 'reader gone: exit status 1, no SIGPIPE');


# the reader of standard output stalls

for my $count ([], ['--count', 1000000]) {
    open $reader, '+<', $name or die $!;
    $c = client_start({ out => $name }, '--token-file', $token, '--interval',
                      '20ms', @$count, $quick->{url});
    like(scalar <$reader>, qr/start client/, "reader @$count");

    sysopen my $full, $name, POSIX::O_WRONLY() | POSIX::O_NONBLOCK() or die $!;
    1 while syswrite $full, 'x';

    # no requests any more: it is blocked
    my ($before, $after) = (-1, scalar(() = $quick->requests));
    while ($before != $after) {
        select undef, undef, undef, 0.3;
        ($before, $after) = ($after, scalar(() = $quick->requests));
    }

    $c->signal('TERM');
    $r = $c->wait(10);
    is($r->{status}, @$count ? 1 : 0, 'SIGTERM while the output blocks');
    cmp_ok($r->{after}, '<', 1, '... stops it at once');
    close $reader;
}


# signals that the parent has blocked

$c = client_start({ wrapper => ['perl', '-MPOSIX', '-e',
    'sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGTERM)); exec @ARGV'] },
    '--token-file', $token, '--interval', '1h', $quick->{url});
ok($c->until_out(qr/status=200/), 'SIGTERM blocked by the parent');
$c->signal('TERM');
is($c->wait(10)->{status}, 0, '... stops it');

done_testing();
