# SPDX-License-Identifier: BSD-2-Clause

package SharedTest;

# Starts, queries, reloads and stops nginx with the test module, on the
# loopback address.  Each worker listens with a socket of its own (reuseport), so that
# connections reach both.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(start stop reload hup hup_refused restart ask ask_async
                 ask_half ask_later ask_pid busy_port field log_text workers wait_for
                 test_config);

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my $build = $ENV{BUILD} || 'build';
$build = "$root/$build" unless $build =~ m{^/};

my $module = $ENV{K8S_SA_SHARED_TEST_MODULE};
if (!$module) {
    my $out = "$build/t/shared";
    system("$root/t/lib/build-test-module.sh", "$root/t/shared", $out) == 0
        or die "the test module does not build\n";
    $module = "$out/ngx_http_k8s_sa_shared_test_module.so";
}

my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;
my ($port, $master);


# Returns a listening socket, and its port.
sub busy_port {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
        or die "no free port: $!\n";
    return ($s, $s->sockport);
}


sub free_port { return (busy_port())[1] }


sub write_config {
    my ($zone, $issuers, $more) = @_;
    $more //= '';
    $issuers = defined $issuers && $issuers ne ''
               ? "shared_test_issuer $issuers;" : '';

    open my $fh, '>', "$dir/nginx.conf" or die "$dir/nginx.conf: $!\n";
    print $fh <<"EOF";
load_module $module;
daemon off;
worker_processes 2;
pid $dir/nginx.pid;
error_log $dir/error.log notice;
worker_shutdown_timeout 5s;

events { worker_connections 256; }

http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;

    shared_test_zone $zone;
    $issuers

    server {
        listen 127.0.0.1:$port reuseport;
        location / { shared_test; }
    }
    $more
}
EOF
    close $fh or die "$dir/nginx.conf: $!\n";
}


# Returns the output of nginx -t.
sub test_config {
    $port = free_port();
    write_config(@_);
    return scalar `$nginx -p $dir -c $dir/nginx.conf -e $dir/error.log -t 2>&1`;
}


sub start {
    $port = free_port();
    write_config(@_);

    $master = fork;
    die "fork: $!\n" unless defined $master;

    if ($master == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/out";
        open STDERR, '>&', \*STDOUT;
        exec $nginx, '-p', $dir, '-c', "$dir/nginx.conf", '-e',
             "$dir/error.log";
        exit 126;
    }

    wait_for(sub { workers() == 2 && eval { ask('op=stat') } })
        or die "nginx does not start: " . log_text();
}


# Returns true if nginx ended by itself.
sub stop {
    my ($seconds) = @_;
    return 1 unless $master;
    kill TERM => $master;
    my $ended = wait_for(sub { waitpid($master, WNOHANG) != 0 }, $seconds);
    if (!$ended) {
        kill KILL => $master;
        waitpid $master, 0;
    }
    undef $master;
    return $ended;
}


sub restart { stop(); start(@_) }


# Loads a new configuration and waits until the old workers are gone.
sub reload {
    my %old = map { $_ => 1 } workers();
    hup(@_);
    return wait_for(sub {
        my @now = workers();
        return @now == 2 && !grep { $old{$_} } @now;
    });
}


# The same, but only waits for the new workers.  Returns their pids.
sub hup {
    my %old = map { $_ => 1 } workers();
    my @new;
    write_config(@_);
    kill HUP => $master;
    wait_for(sub { (@new = grep { !$old{$_} } workers()) == 2 });
    return @new;
}


# Loads a configuration that nginx refuses, and waits for the reason in its
# log.
sub hup_refused {
    my ($reason, @config) = @_;
    write_config(@config);
    kill HUP => $master;
    return wait_for(sub { log_text() =~ $reason });
}


# Returns the children that listen, which a worker that shuts down does not.
# Their titles are of no use, since nginx cannot set them in valgrind.
sub workers {
    return () unless $master;
    open my $fh, '<', "/proc/$master/task/$master/children" or return ();
    my $sockets = listening();
    return grep { listens($_, $sockets) } split ' ', <$fh> // '';
}

sub listens {
    my ($pid, $sockets) = @_;
    return grep { $sockets->{readlink($_) // ''} } glob "/proc/$pid/fd/*";
}

# proc(5): the fourth field of /proc/net/tcp is a socket's state, 0A: listening
sub listening {
    my $local = sprintf '0100007F:%04X', $port;
    my %sockets;

    open my $fh, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!\n";
    while (<$fh>) {
        my (undef, $address, undef, $state, @more) = split;
        $sockets{"socket:[$more[5]]"} = 1
            if $address eq $local && $state eq '0A';
    }

    return \%sockets;
}


sub wait_for {
    my ($condition, $seconds) = @_;
    my $end = time + ($seconds || 10);
    while (time < $end) {
        return 1 if $condition->();
        sleep 0.02;
    }
    return 0;
}


sub send_on {
    my ($s, $query) = @_;
    print $s "GET /?$query HTTP/1.1\r\nHost: t\r\n\r\n";
}

sub read_on {
    my ($s, $seconds) = @_;
    my $text = '';
    my $end = time + ($seconds || 20);
    my $select = IO::Select->new($s);

    while (time < $end) {
        next unless $select->can_read(0.1);
        my $n = sysread $s, $text, 65536, length $text;
        return undef unless $n;
        next unless $text =~ /^(.*?)\r\n\r\n(.*)$/s;
        my ($head, $body) = ($1, $2);
        my ($len) = $head =~ /^Content-Length: (\d+)/mi;
        return $body if length $body >= $len;
    }

    return undef;
}

sub connection {
    return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port",
                                 Timeout => 5);
}


# Returns the answer of any worker, or undef if there was none.
sub ask {
    my ($query, $seconds) = @_;
    my $s = connection() or return undef;
    $s->autoflush(1);
    send_on($s, $query);
    return read_on($s, $seconds);
}


# The same for a particular worker.
sub ask_pid {
    my ($pid, $query, $seconds) = @_;
    my $s = connection_to($pid);
    send_on($s, $query);
    return read_on($s, $seconds);
}

sub connection_to {
    my ($pid) = @_;
    for (1 .. 200) {
        my $s = connection() or next;
        $s->autoflush(1);
        send_on($s, 'op=stat');
        my $answer = read_on($s, 5) or next;
        my $other = field($answer, 'pid');
        return $s if $other == $pid;

        # an idle worker may accept all connections: let it miss the next one
        kill 'STOP', $other;
        select undef, undef, undef, 0.002;
        $s = connection();
        $s->autoflush(1) if $s;
        send_on($s, 'op=stat') if $s;
        $answer = $s && read_on($s, 1);
        kill 'CONT', $other;
        return $s if $answer && field($answer, 'pid') == $pid;
    }
    die "worker $pid cannot be reached\n";
}


# The same without waiting for an answer.  Returns a function that returns it.
sub ask_async {
    my ($pid, $query) = @_;
    my $s = connection_to($pid);
    send_on($s, $query);
    return sub { read_on($s, @_) };
}


# Sends all but the end of a query to worker $pid, which keeps it alive while it
# shuts down.  Returns a function that sends the end and returns the answer.
sub ask_half {
    my ($pid, $query) = @_;
    my $s = connection_to($pid);
    print $s "GET /?$query HTTP/1.1\r\nHost: t\r\n";
    return sub { print $s "\r\n"; read_on($s, @_) };
}


# ask_later(PID => QUERY...): queries several workers, and waits until all are
# busy with it ("after" keeps them busy for that time).  Returns functions that
# return the answers.
sub ask_later {
    my @later;
    my $busy = () = log_text() =~ /busy for/g;
    while (my ($pid, $query) = splice @_, 0, 2) {
        push @later, [connection_to($pid), $query];
    }
    send_on(@$_) for @later;
    wait_for(sub { (() = log_text() =~ /busy for/g) == $busy + @later })
        or die "the workers do not begin\n";
    return map { my $s = $_->[0]; sub { read_on($s) } } @later;
}


sub field {
    my ($answer, $name) = @_;
    return '(no answer)' unless defined $answer;
    return $answer =~ /\b$name=(\[[^\]]*\]|\S*)/ ? $1 : '(no field)';
}


sub log_text {
    open my $fh, '<', "$dir/error.log" or return '';
    local $/;
    return scalar(<$fh>) // '';
}


END {
    my $status = $?;
    stop();
    $? = $status;
}

1;
