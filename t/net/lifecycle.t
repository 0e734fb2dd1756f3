#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Kept connections, cancelled exchanges, workers that shut down.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use NetTest;
use IO::Socket::INET;
use Socket;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = dir();
my $seen = "$dir/seen";

make_ca('ca');
make_cert('good', 'ca', 'IP:127.0.0.1');

sub note_request {
    my ($r) = @_;
    open my $f, '>>', $seen;
    syswrite $f, "$r->{method} $r->{path}\n";
}

sub seen {
    open my $f, '<', $seen or return '';
    local $/;
    my $text = <$f> // '';
    unlink $seen;
    return $text;
}

# The first request on a connection is always answered; for the next one the
# path selects what happens.

sub web {
    my ($c) = @_;

    my $n = 0;

    while (my $r = read_request($c)) {

        note_request($r);
        $n++;

        my $path = $r->{path};

        if ($path eq '/extra') {
            syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1";

        } elsif ($path eq '/pushed') {
            answer($c, 'x');
            sleep 0.2;
            syswrite $c, "HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n";

        } elsif ($path eq '/bye') {
            answer($c, 'x', 'Connection: close');
            return;

        } elsif ($path eq '/bye-silently') {
            answer($c, 'x');
            sleep 0.1;
            return;

        } elsif ($path eq '/http10-ka') {
            syswrite $c, "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n"
                         . "Content-Length: 1\r\n\r\nx";

        } elsif ($path eq '/http10') {
            syswrite $c, "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx";

        } elsif ($path eq '/options') {
            answer($c, 'x', 'Connection: foo, Close ,bar');

        } elsif ($path eq '/drop' && $n > 1) {
            return;

        } elsif ($path eq '/drop-rst' && $n > 1) {
            reset_connection($c);

        } elsif ($path eq '/drop-late' && $n > 1) {
            syswrite $c, "HTTP/1.1 2";
            return;

        } elsif ($path eq '/drop-100' && $n > 1) {
            syswrite $c, "HTTP/1.1 100 Continue\r\n\r\n";
            return;

        } elsif ($path eq '/never') {
            return;

        } elsif ($path eq '/hang') {
            sleep 60;

        } elsif ($path eq '/late') {
            sleep 1;
            answer($c, 'late');

        } elsif ($path eq '/hang-2' && $n > 1) {
            sleep 60;

        } elsif ($path eq '/busy') {
            sleep 0.5;
            answer($c, 'x');

        } elsif ($path eq '/refuses-early') {
            # unreachable: a whole request has been read

        } else {
            answer($c, 'x');
        }
    }
}

my ($port) = tcp_server(code => \&web);
my ($tls) = tcp_server(tls => tls_options('good'), code => \&web);

# answers a POST before it has read all of it

my ($early) = tcp_server(code => sub {
    my ($c) = @_;
    sysread $c, my $buf, 100;
    answer($c, 'too much');
    sleep 0.5;
});

my ($silent) = tcp_server(code => sub { sleep 60 });
my ($nodns) = dns_server(answer => sub { undef });

my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.3', Listen => 1);
my $full_port = $full->sockport;
my @queue;

for (1 .. 4) {
    my $s = IO::Socket::INET->new(Proto => 'tcp', Blocking => 0);
    connect $s, sockaddr_in($full_port, inet_aton('127.0.0.3'));
    push @queue, $s;
}

# two addresses: .2 closes without an answer, .1 answers

my ($two_port) = tcp_server(code => \&web);
my ($rude) = tcp_server(host => '127.0.0.2', port => $two_port, code => sub {
    my ($c) = @_;
    my $r = read_request($c);
    note_request($r);
});

write_file('resolv.conf', "nameserver 127.0.0.1\n");
write_file('hosts', "127.0.0.2 two.test\n127.0.0.1 two.test\n");

my $system = "resolv_conf=$dir/resolv.conf hosts=$dir/hosts dns_port=$nodns";
my $n = 0;
my $ca = "ssl_trusted=$dir/ca.crt";

sub locations {
    my $conf = '';

    for my $i (1 .. 60) {
        $conf .= "location /k$i/ { k8s_sa_net_test http://127.0.0.1:$port "
                 . "timeout=2s max_idle=4; }\n";
    }

    for my $i (1 .. 12) {
        $conf .= "location /t$i/ { k8s_sa_net_test https://127.0.0.1:$tls "
                 . "timeout=2s max_idle=4 $ca; }\n";
    }

    $conf .= <<"CONF";
    location /none/ {
        k8s_sa_net_test http://127.0.0.1:$port timeout=2s;
    }
    location /short/ {
        k8s_sa_net_test http://127.0.0.1:$port timeout=2s max_idle=4
                        idle_timeout=300ms;
    }
    location /two/ {
        k8s_sa_net_test http://two.test:$two_port timeout=2s $system;
    }
    location /two-post/ {       # knows nothing of the addresses yet
        k8s_sa_net_test http://two.test:$two_port timeout=2s $system;
    }
    location /early/ {
        k8s_sa_net_test http://127.0.0.1:$early timeout=2s max_idle=4;
    }
    location /long/ {
        k8s_sa_net_test http://127.0.0.1:$port timeout=50s max_idle=4;
    }
    location /tls-long/ {
        k8s_sa_net_test https://127.0.0.1:$tls timeout=50s max_idle=4 $ca;
    }
    location /resolving/ {
        k8s_sa_net_test http://silent.test timeout=50s $system;
    }
    location /connecting/ {
        k8s_sa_net_test http://127.0.0.3:$full_port timeout=50s;
    }
    location /shaking/ {
        k8s_sa_net_test https://127.0.0.1:$silent timeout=50s $ca;
    }
CONF

    return $conf;
}

sub run {
    my ($events) = @_;

    my $label = $events || 'epoll';
    my $r;

    $n = 0;
    seen();

    nginx_start(locations(), events => $events ? "use $events;" : '');

    for my $kind ('k', 't') {

        # $u: the location of a new client for each case

        my $i = 0;
        my $next = sub { $i++; "/$kind$i/" };
        my $l = "$label $kind";
        my $u = $next->();

        for (1 .. 10) {
            $r = fetch("$u?path=/ok&size=10");
        }

        is("$r->{error} $r->{connections} $r->{reused} $r->{resent} $r->{idle}",
           'ok 1 9 0 1', "$l: ten exchanges, one connection");

        # closed by the server while idle

        $u = $next->();
        fetch("$u?path=/bye-silently");
        sleep 0.4;
        $r = fetch("$u?path=/ok&size=10");
        is("$r->{error} $r->{connections} $r->{reused} $r->{resent}",
           'ok 2 0 0', "$l: a connection closed while idle is no error");

        # closed by the server while a request is being sent

        for my $path ('/drop', $kind eq 'k' ? '/drop-rst' : ()) {
            $u = $next->();
            fetch("$u?path=/ok");
            seen();
            $r = fetch("$u?path=$path");
            is("$r->{error} $r->{connections} $r->{reused} $r->{resent}",
               'ok 2 1 1', "$l: GET is sent again, $path");
            is(seen(), "GET $path\n" x 2, "$l: to a new connection, $path");

            $u = $next->();
            fetch("$u?path=/ok");
            seen();
            $r = fetch("$u?path=$path&size=10&idempotent=1");
            is("$r->{error} $r->{connections} $r->{reused} $r->{resent}",
               'ok 2 1 1', "$l: so is an idempotent POST, $path");
            is(seen(), "POST $path\n" x 2, "$l: to a new connection, $path");

            $u = $next->();
            fetch("$u?path=/ok");
            seen();
            $r = fetch("$u?path=$path&size=10");
            is("$r->{error} $r->{connections} $r->{reused} $r->{resent}",
               'closed 1 1 0', "$l: no other POST is, $path");
            is(seen(), "POST $path\n", "$l: it has been sent once, $path");
        }

        $u = $next->();
        fetch("$u?path=/ok");
        seen();
        $r = fetch("$u?path=/drop-late&size=10&idempotent=1");
        is("$r->{error} $r->{resent}", 'closed 0',
           "$l: not after a byte of the answer");
        is(seen(), "POST /drop-late\n", "$l: it has been sent once");

        $u = $next->();
        fetch("$u?path=/ok");
        seen();
        $r = fetch("$u?path=/never&size=10&idempotent=1");
        is("$r->{error} $r->{resent}", 'closed 1',
           "$l: and not more than once again");
        is(seen(), "POST /never\n" x 2, "$l: it has been sent twice");
    }

    my $i = 20;
    my $next = sub { $i++; "/k$i/" };
    my $u;

    $u = $next->();
    fetch("$u?path=/ok");
    seen();
    $r = fetch("$u?path=/drop-100");
    is("$r->{error} $r->{resent}", 'closed 0',
       "$label: nor after a 100 (Continue)");

    # connections that are not kept

    for my $path ('/extra', '/bye', '/http10', '/options', '/pushed') {
        $u = $next->();
        fetch("$u?path=$path");
        sleep 0.4 if $path eq '/pushed';
        $r = fetch("$u?path=/ok");
        is("$r->{error} $r->{body} $r->{connections} $r->{reused} $r->{idle}",
           'ok x 2 0 1', "$label: not kept, $path");
    }

    $u = $next->();
    fetch("$u?path=/http10-ka");
    $r = fetch("$u?path=/ok");
    is("$r->{error} $r->{connections} $r->{reused}", 'ok 1 1',
       "$label: HTTP/1.0 with keep-alive is");

    fetch("/none/?path=/ok");
    $r = fetch("/none/?path=/ok");
    is("$r->{connections} $r->{idle}", '2 0', "$label: none are kept");

    fetch("/short/?path=/ok");
    sleep 0.6;
    $r = fetch("/short/?path=/ok");
    is("$r->{connections} $r->{reused}", '2 0', "$label: idle for too long");

    # the limit on kept connections

    $u = $next->();
    my @s = map { fetch("$u?path=/busy", socket => 1) } 1 .. 7;
    is(join(' ', map { raw_fetch($_)->{error} } @s), join(' ', ('ok') x 7),
       "$label: seven at once");
    $r = fetch("$u?path=/ok");
    is("$r->{connections} $r->{reused} $r->{idle} $r->{running}", '7 1 4 0',
       "$label: four are kept");

    # a server that dies while connections to it are kept

    $u = $next->();
    @s = map { fetch("$u?path=/busy", socket => 1) } 1 .. 3;
    raw_fetch($_) for @s;
    $r = fetch("$u?path=/hang-2");
    is("$r->{error} $r->{idle}", 'timeout 0',
       "$label: after a timeout, idle connections are closed, too");
    is(fetch("$u?path=/ok")->{error}, 'ok', "$label: a new one is");

    # two addresses

    seen();
    $r = fetch("/two/?path=/x");
    is("$r->{error} $r->{address}", "ok 127.0.0.1:$two_port",
       "$label: GET: another address after a close without an answer");
    is(seen(), "GET /x\n" x 2, "$label: both have been asked");
    $r = fetch("/two-post/?path=/x&size=5&idempotent=1");
    is("$r->{error} $r->{address}", "closed 127.0.0.2:$two_port",
       "$label: POST: not on a new connection");
    is(seen(), "POST /x\n", "$label: only one has been asked");

    $r = fetch("/early/?size=8000000");
    is("$r->{error} $r->{body} $r->{idle}", 'ok too much 0',
       "$label: an answer before the whole request is sent");

    # clients that disconnect, callers that cancel

    for my $stage ('resolving', 'connecting', 'shaking', 'long',
                   'tls-long')
    {
        my $uri = "/$stage/" . ($stage =~ /long/ ? '?path=/hang&' : '?');

        is(fetch("${uri}cancel=200")->{error}, 'cancelled',
           "$label: cancelled while $stage");
        is(fetch("${uri}cancel=0")->{error}, 'cancelled',
           "$label: cancelled at once, $stage");

        my $s = fetch($uri, socket => 1);
        sleep 0.2;
        close $s;

        ok(wait_for(sub { log_text() =~ /client has gone/ }, 3),
           "$label: client disconnects while $stage");
        truncate "$dir/error.log", 0;
    }

    $r = fetch("/long/?path=/ok");
    is("$r->{error} $r->{running} $r->{idle}", 'ok 0 1',
       "$label: nothing is left");

    ok(nginx_stop(), "$label: a clean log");
}

# Debian's nginx has only epoll; NET_TEST_NGINX may name one with more

run($_) for '', split / /, $ENV{NET_TEST_EVENTS} // '';

# a worker's shutdown

my @stages = ('/resolving/?', '/connecting/?', '/shaking/?',
              '/long/?path=/hang&', '/tls-long/?path=/hang&');

for my $signal ('QUIT', 'TERM', 'INT') {

    nginx_start(locations());

    for my $uri (@stages) {
        fetch("${uri}background=1");
        fetch("${uri}background=1&hold=1") if $signal ne 'QUIT';
    }

    fetch("/k1/?path=/ok");
    fetch("/t1/?path=/ok");
    sleep 0.3;

    nginx_signal($signal);

    my $start = time;
    ok(nginx_wait_exit(5), "$signal: exits");
    cmp_ok(time - $start, '<', 1, "$signal: at once") if !sanitized();

    ok(!log_like(qr/\[alert\]|open socket|signal 11/),
       "$signal: leaves nothing open") or diag log_text();
    unlink "$dir/error.log";
}

nginx_start(locations());

for my $uri (@stages) {
    fetch("${uri}background=1");
}

sleep 0.3;

my @old = nginx_workers();
nginx_signal('HUP');
my $start = time;

ok(wait_for(sub { !grep { kill 0, $_ } @old }, sanitized() ? 30 : 5),
   'reload: the old worker goes');
cmp_ok(time - $start, '<', 1.5, 'reload: at once') if !sanitized();
is(fetch('/k1/?path=/ok')->{error}, 'ok', 'reload: the new one works');
ok(nginx_stop(), 'reload: a clean log');

# hold: a request waits for the exchange

nginx_start(locations());

my $s = fetch('/k1/?path=/late&hold=1', socket => 1);
my $s2 = fetch('/tls-long/?path=/late&hold=1', socket => 1);
sleep 0.3;
nginx_signal('HUP');
is(raw_fetch($s)->{error}, 'ok', 'hold: an exchange goes on');
is(raw_fetch($s2)->{error}, 'ok', 'hold: over TLS, too');
ok(nginx_stop(), 'hold: a clean log');

nginx_start(locations());
fetch('/k1/?path=/hang&hold=1&background=1');
sleep 0.2;
$start = time;
nginx_signal('QUIT');
ok(nginx_wait_exit(6), 'hold: not forever');
cmp_ok(time - $start, '>', 1, 'hold: until the timeout');
ok(log_like(qr/background exchange: timeout/), 'hold: the handler is called');
unlink "$dir/error.log";

nginx_start(locations());
$s = fetch('/long/?path=/hang&unhold=1', socket => 1);
sleep 0.2;
$start = time;
nginx_signal('QUIT');
ok(nginx_wait_exit(5), 'hold taken back: exits');
cmp_ok(time - $start, '<', 1, 'hold taken back: at once') if !sanitized();
unlink "$dir/error.log";

# out of connections, out of descriptors

nginx_start(locations(), events => 'worker_connections 16;');

# Each request needs one for itself and one for its exchange.  If the number
# available is odd, an exchange fails; if it is even, one more in use makes it
# odd.

sub exhaust {
    my ($what) = @_;

    my @errors;

    for my $more (0, 1) {
        fetch('/k1/?path=/hang&background=1') if $more;

        my @s = map { fetch('/k1/?path=/hang', socket => 1) } 1 .. 12;
        push @errors, map { raw_fetch($_)->{error} } @s;
    }

    my %n;
    $n{$_}++ for @errors;

    ok($n{internal}, "out of $what: an exchange fails");
    cmp_ok($n{timeout} // 0, '>', 3, "out of $what: others do not");
    is(fetch('/k2/?path=/ok')->{error}, 'ok', "out of $what: it recovers");
}

exhaust('connections');
ok(nginx_stop(allow => qr/worker_connections are not enough/),
   'out of connections: a clean log');

if (!sanitized()) {
    nginx_start(locations(), main => 'worker_rlimit_nofile 24;');
    exhaust('descriptors');
    ok(nginx_stop(allow => qr/Too many open files/),
       'out of descriptors: a clean log');
}

done_testing();
