# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::Nginx;

# Runs nginx in its own directory and on free loopback ports, for suites that
# need several requests per configuration.  Everything is stopped when the
# suite ends, and the logs are searched for tokens.

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;

our @EXPORT_OK = qw(gone);

my @running;
my $count = 0;

$SIG{$_} = sub { exit 1 } for qw(HUP INT PIPE TERM);


# new(http => TEXT, main => TEXT, level => 'info', workers => 1) does not start
# it yet.

sub new {
    my ($class, %arg) = @_;
    my $dir = dir() . '/nginx' . ++$count;

    mkdir $dir or die "$dir: $!\n";
    mkdir "$dir/logs" or die "$dir/logs: $!\n";
    mkdir "$dir/html" or die "$dir/html: $!\n";

    my $self = bless {
        dir => $dir, level => 'info', workers => 1, main => '', %arg,
    }, $class;

    $self->configure($arg{http});

    return $self;
}


# The first line of TEXT is line $self->{line} of the file.

sub configure {
    my ($self, $http) = @_;

    my $before = <<"_";
load_module $ENV{K8S_SA_MODULE};
daemon off;
worker_processes $self->{workers};
pid nginx.pid;
error_log logs/error.log $self->{level};
$self->{main}
events {
    worker_connections 256;
}
http {
    access_log logs/access.log;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
_

    $self->{line} = 1 + ($before =~ tr/\n//);

    write_file("$self->{dir}/nginx.conf", "$before$http\n}\n");
}


sub command {
    my ($self) = @_;
    return ($ENV{TEST_NGINX_BINARY}, '-p', "$self->{dir}/", '-c', 'nginx.conf',
            '-e', 'logs/start.log');
}


# Runs nginx -t and returns its exit status and output.

sub test {
    my ($self) = @_;
    my $pid = open my $fh, '-|';

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        { exec $self->command, '-t' }
        POSIX::_exit(127);
    }

    local $/;
    my $out = <$fh>;
    close $fh;

    return ($? >> 8, $out);
}


sub start {
    my ($self) = @_;

    my $pid = fork;
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$self->{dir}/logs/stdout.log";
        open STDERR, '>&', \*STDOUT;
        { exec $self->command }
        POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    push @running, $self;

    my ($port) = $self->{http} =~ /listen\s+127\.0\.0\.1:(\d+)/;
    my $until = time() + 10;

    while (time() < $until) {
        return $self
            if -s "$self->{dir}/nginx.pid"
               && IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                        PeerPort => $port);

        last if waitpid($pid, WNOHANG) != 0;

        sleep 0.02;
    }

    BAIL_OUT("nginx did not start: "
             . slurp("$self->{dir}/logs/stdout.log"));
}


# Reloads, with another http block if there is one, and waits until the old
# workers have ended.

sub reload {
    my ($self, $http) = @_;
    my @old = $self->workers;

    $self->configure($http) if defined $http;
    $self->signal('HUP');
    gone(20, @old) or BAIL_OUT('the old workers do not end');
}


# Returns the pids of the workers.

sub workers {
    my ($self) = @_;
    return split ' ', slurp("/proc/$self->{pid}/task/$self->{pid}/children");
}


# Waits until no process with these pids exists any more.  Returns false after
# $limit seconds.

sub gone {
    my ($limit, @pids) = @_;
    return until_true($limit, sub { !grep { -e "/proc/$_" } @pids });
}


sub signal {
    my ($self, $signal) = @_;
    kill $signal, $self->{pid};
}


# Waits until a pattern appears in the error log after offset $from.  Returns
# false after $limit seconds.

sub wait_log {
    my ($self, $pattern, $limit, $from) = @_;

    return until_true($limit || 5,
                      sub { substr($self->log, $from || 0) =~ $pattern });
}


sub log {
    my ($self, $name) = @_;
    my $file = "$self->{dir}/logs/" . ($name || 'error') . '.log';
    return -e $file ? slurp($file) : '';
}


sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'TERM', $pid;

    for (1 .. 250) {
        last if waitpid($pid, WNOHANG) != 0;
        sleep 0.02;
        kill 'KILL', $pid if $_ == 249;
    }
}


# Called once at the end of a suite: stops everything, then checks all logs.
# allow is a pattern for severe lines that the suite provokes.

sub finish {
    my ($class, %arg) = @_;
    my @logs;

    $_->stop for @running;

    for my $self (@running) {
        push @logs, map { slurp($_) } glob "$self->{dir}/logs/*";
    }

    my @leaks = map { leaks($_) } @logs;

    is(scalar @leaks, 0, 'no log contains a token\'s signature')
        or diag(@leaks);

    my @bad = grep { /\[(?:alert|emerg|crit)\]/ } map { split /^/m } @logs;
    @bad = grep { !/$arg{allow}/ } @bad if $arg{allow};

    is(scalar @bad, 0, 'no log reports a crash or the like') or diag(@bad);

    @running = ();

    done_testing();
}


END {
    my $status = $?;
    $_->stop for @running;
    $? = $status;
}


1;
