# SPDX-License-Identifier: BSD-2-Clause

package Bench;

# The tools of bench.pl: servers on core 0, wrk on core 1, and the CPU time of
# the workers as the kernel counts it.  Everything listens on loopback.

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


# Starts a process that keeps core 1 busy whenever nothing else runs there.  An
# idle core is expensive to wake up, especially in a virtual machine, and the
# kernel would charge that to the server: the more, the slower the server is.

sub keep_awake {
    $pid{awake} = fork;
    die "fork: $!\n" unless defined $pid{awake};

    exec 'taskset', '-c', '1', 'chrt', '-i', '0',
         $^X, '-e', "1 while getppid() == $$" or POSIX::_exit(127)
        if $pid{awake} == 0;
}


# Returns BENCH_ROUNDS, or else a measurement's usual number of rounds.

sub rounds {
    my ($usual) = @_;
    return $ENV{BENCH_ROUNDS} || $usual;
}

sub median {
    my @s = sort { $a <=> $b } @_;
    return ($s[$#s / 2] + $s[@s / 2]) / 2;
}

# Returns the lower quartile, because disturbances only make a value larger.

sub quartile {
    my @s = sort { $a <=> $b } @_;
    return $s[@s / 4];
}

sub port { return $port{$_[0]} ||= free_port() }


# start(NAME, CPUS, COMMAND...): starts a server and waits until it listens on
# port(NAME).

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


# nginx(NAME, ...): starts nginx with the common configuration and these parts:
#
#     main, http, locations    text at these levels
#     auth                     text in /local and /proxy
#     workers, cpus, listen    number of workers, cores, parameters of listen
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


# fresh(NAME...): replaces the workers by a reload, which keeps shared memory.
# The memory addresses that a worker happens to get can make a difference of a
# tenth.

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


# Returns the CPU time of each worker so far, in ns.

sub cpu {
    my ($name) = @_;
    return map { (split ' ', slurp("/proc/$_/schedstat"))[0] } workers($name);
}


# Returns the workers' private memory in kB, without the shared zone, after
# connections have been closed.

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


# run(NAME, PATH, FILE, ...): runs the load generator once with FILE's tokens.
# Returns CPU time of the workers per request in ns, p99 in us, the number of
# requests, and the share of the worker that did least.
#
#     seconds, connections, cpus
#     once     send each token once; "seconds" is the time limit then
#     refused  all requests must be refused, instead of none
#     sleeps   wrk sleeps when it has nothing to do, for others on its core

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


# compare(ROUNDS, NAME => CODE...): runs all of them in turns of about 30 ms, so
# that other load on the machine affects each of them alike; ROUNDS times.
# Returns for each name the medians of what CODE returned, and "ratio": CPU time
# relative to the first one in the same round.  Its inverse is the number of
# requests that a worker with a core of its own answers, relative to the first.

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


# Turns have random lengths, because other load on the machine may be periodic.
# The load generators are stopped and continued, each in a process group of its
# own together with the code that waits for it; meanwhile servers are idle.

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
