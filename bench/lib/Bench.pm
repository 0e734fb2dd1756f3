# SPDX-License-Identifier: BSD-2-Clause

package Bench;

# Measurements for bench.pl: servers on core 0, wrk on core 1, the workers' CPU
# time from the kernel.  Everything listens on loopback.

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;
use List::Util qw(min);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;

our @EXPORT = qw(compare $dir fresh keep_awake median nginx port quartile rounds
                 rss run start stop zone);

our $dir = dir();

my $seconds = $ENV{BENCH_SECONDS} || 2;
my $slice = 0.03;
my $script = "$FindBin::Bin/wrk.lua";
my $bin = $ENV{BENCH_BIN} || "$FindBin::Bin/../build/bench";
my (%port, %pid);

mkdir "$dir/www" or die "$dir/www: $!\n";
write_file('www/small', "hello\n");

END {
    my $status = $?;
    stop($_) for keys %pid;
    $? = $status;
}

$SIG{$_} = sub { exit 1 } for qw(HUP INT TERM);


# A process that runs on core 1 whenever nothing else does.  Waking an idle core
# is expensive, especially in a virtual machine: the kernel would charge that to
# the server, and more of it the slower the server is.

sub keep_awake {
    $pid{awake} = fork;
    die "fork: $!\n" unless defined $pid{awake};

    exec 'taskset', '-c', '1', 'chrt', '-i', '0',
         $^X, '-e', "1 while getppid() == $$" or POSIX::_exit(127)
        if $pid{awake} == 0;
}


# BENCH_ROUNDS, scaled to a measurement's usual number of rounds

sub rounds {
    my ($usual) = @_;
    return $ENV{BENCH_ROUNDS} || $usual;
}

sub median {
    my @s = sort { $a <=> $b } @_;
    return ($s[$#s / 2] + $s[@s / 2]) / 2;
}

# the lower one: disturbances only add to a measurement

sub quartile {
    my @s = sort { $a <=> $b } @_;
    return $s[@s / 4];
}

sub port { return $port{$_[0]} ||= free_port() }


# start(NAME, CPUS, COMMAND...): returns when it listens on port(NAME)

sub start {
    my ($name, $cpus, @command) = @_;

    stop($name);

    my $pid = $pid{$name} = fork;
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', "$dir/$name.out";
        open STDERR, '>&', \*STDOUT;
        exec 'taskset', '-c', $cpus, @command or POSIX::_exit(127);
    }

    for (1 .. 200) {
        return if IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                        PeerPort => port($name));
        die "$name does not start: " . slurp("$dir/$name.out")
            if waitpid($pid, WNOHANG) == $pid;
        sleep 0.05;
    }

    die "$name does not listen\n";
}

sub stop {
    my ($name) = @_;
    my $pid = delete $pid{$name} or return;

    kill 'TERM', $pid;

    for (1 .. 100) {
        return if waitpid($pid, WNOHANG);
        sleep 0.05;
    }

    kill 'KILL', $pid;
    waitpid $pid, 0;
}


# nginx(NAME, ...): starts nginx with the common configuration and with
#
#     main, http, locations    text at these levels
#     auth                     text in /local and /proxy
#     workers, cpus, listen    how many, where, listen's parameters
#     preload                  spin.so or inside.so, see bench/*.c

sub nginx {
    my ($name, %o) = @_;
    my $port = port($name);
    my $backend = port('backend');

    %o = (main => '', http => '', locations => '', auth => '', workers => 1,
          cpus => '0', listen => '', preload => '', %o);

    write_file("$name.conf", <<"_");
$o{main}
daemon off;
worker_processes $o{workers};
pid $name.pid;
error_log $name.log error;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    $o{http}
    upstream backend { server 127.0.0.1:$backend; keepalive 64; }
    server {
        listen 127.0.0.1:$port $o{listen};
        root www;
        location /local { $o{auth} try_files /small =404; }
        location /proxy {
            $o{auth}
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://backend;
        }
        $o{locations}
    }
}
_
    local $ENV{LD_PRELOAD} = $o{preload} && "$bin/$o{preload}";

    start($name, $o{cpus}, $ENV{TEST_NGINX_BINARY}, '-p', $dir,
          '-c', "$name.conf", '-e', "$name.start");
}

sub workers {
    my ($name) = @_;
    my @pids = split ' ', slurp("/proc/$pid{$name}/task/$pid{$name}/children");
    return @pids ? @pids : $pid{$name};
}


# fresh(NAME...): new workers, by a reload, which keeps shared memory.  A
# worker's place in memory can change results by a tenth.

sub fresh {
    for my $name (@_) {
        my %old = map { $_ => 1 } workers($name);

        kill 'HUP', $pid{$name};

        for (1 .. 200) {
            my @now = workers($name);
            last if @now == keys %old && !grep { $old{$_} } @now;
            sleep 0.02;
        }
    }
}


# CPU time of each worker so far, ns

sub cpu {
    my ($name) = @_;
    return map { (split ' ', slurp("/proc/$_/schedstat"))[0] } workers($name);
}


# Private memory, without the shared zone, kB, when connections are closed

sub rss {
    my ($name) = @_;
    my $sum = 0;
    sleep 0.5;
    slurp("/proc/$_/status") =~ /^RssAnon:\s+(\d+)/m and $sum += $1
        for workers($name);
    return $sum;
}

sub zone {
    my ($name) = @_;
    my $status = request(port($name), "GET /status HTTP/1.0\r\n\r\n")->{body};
    return { $status =~ /"(\w+)":\s*(\d+)/g };
}


# run(NAME, PATH, FILE, ...): one run of the load generator with FILE's tokens.
# CPU of the workers a request in ns, p99 in us, requests, and the share of the
# worker that did least.
#
#     seconds, connections, cpus
#     once     each token once, instead of for some time; seconds: at most
#     refused  all have to be refused, instead of none
#     sleeps   wrk sleeps while it is idle, for other processes on its core

sub run {
    my ($name, $path, $file, %o) = @_;
    %o = (seconds => $o{once} ? 30 : $seconds, connections => 32, cpus => '1',
          once => 0, refused => 0, sleeps => 0, %o);

    local $ENV{TOKENS} = $file;
    local $ENV{ONCE} = $o{once};
    local $ENV{LD_PRELOAD} = $o{sleeps} ? '' : "$bin/spin.so";

    my @before = cpu($name);
    my $out = `taskset -c $o{cpus} wrk -t1 -c$o{connections} \\
        -d$o{seconds}s -s $script http://127.0.0.1:$port{$name}$path 2>&1`;
    my @after = cpu($name);

    my ($n, $status, $socket, $p99) = $out =~ /^RESULT (.*)$/m
        ? split ' ', $1 : die "wrk: $out";

    die "$name$path: $status of $n requests refused, $socket errors\n"
        if $socket || $n == 0 || $status != ($o{refused} ? $n : 0);

    my @used = map { $after[$_] - $before[$_] } 0 .. $#after;
    my $used = 0;
    $used += $_ for @used;

    return { ns => $used / $n, p99 => $p99, n => $n,
             least => min(@used) / $used };
}


# compare(ROUNDS, NAME => CODE...): runs all by turns, about 30 ms each, so that
# other load on the machine affects all equally; in ROUNDS rounds.  Returns, for
# each, the medians of CODE's results, and "ratio": its CPU time by that of the
# first one in the same round, the inverse of the throughput on a core.

sub compare {
    my ($rounds, @runs) = @_;
    my (%seen, %result);

    for my $round (1 .. $rounds) {
        my @got = by_turns(map { $runs[2 * $_ + 1] } 0 .. $#runs / 2);

        for my $i (0 .. $#got) {
            my $name = $runs[2 * $i];

            push @{$seen{$name}{$_}}, $got[$i]{$_} for keys %{$got[$i]};
            push @{$seen{$name}{ratio}}, $got[$i]{ns} / $got[0]{ns};
        }
    }

    for my $name (keys %seen) {
        $result{$name}{$_} = median(@{$seen{$name}{$_}})
            for keys %{$seen{$name}};
    }

    return \%result;
}


# Turns have random lengths: other load on the machine may be periodic.  The
# load generators are stopped and continued, each in its own process group with
# the code that waits for it; meanwhile its servers are idle.

sub by_turns {
    my @code = @_;
    my (@fh, @group);

    for my $code (@code) {
        my $pid = open my $fh, '-|';
        die "fork: $!\n" unless defined $pid;

        if ($pid == 0) {
            POSIX::setpgid(0, 0);

            my $got = eval { $code->() } || { error => $@ };
            print join "\t", %$got;
            close STDOUT;
            POSIX::_exit(0);
        }

        POSIX::setpgid($pid, $pid);
        push @fh, $fh;
        push @group, $pid;
    }

    my @running = @group;
    my $left = 120 / $slice;
    kill 'STOP', -$_ for @running;

    while (@running && $left--) {
        my $pid = shift @running;

        kill 'CONT', -$pid;
        sleep $slice * (0.5 + rand);
        next if waitpid($pid, WNOHANG) == $pid;

        kill 'STOP', -$pid if @running;
        push @running, $pid;
    }

    kill 'KILL', -$_ for @running;

    return map {
        my $fh = $_;
        my %got = split /\t/, do { local $/; <$fh> } // '';
        close $fh;
        die $got{error} // "no result\n" if exists $got{error} || !%got;
        \%got;
    } @fh;
}

1;
