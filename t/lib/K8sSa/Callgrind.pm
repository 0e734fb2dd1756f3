# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::Callgrind;

# Counts the instructions that a request costs, with one nginx process in
# callgrind.  The result is the same each time, however busy the machine is.
#
# Requests to /mark call a function before which callgrind writes its counters
# to a file and resets them.

use strict;
use warnings;

use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep);

use K8sSa;
use K8sSa::Http;

my $count = 0;
my @running;


# new(http => TEXT, locations => TEXT, module => 1)

sub new {
    my ($class, %arg) = @_;
    my $dir = dir() . '/callgrind' . ++$count;
    my $self = bless { dir => $dir, port => free_port(), parts => 0 }, $class;
    my $load = $arg{module} ? "load_module $ENV{K8S_SA_MODULE};" : '';
    my $http = $arg{http} || '';

    mkdir $dir or die "$dir: $!\n";
    mkdir "$dir/html" or die "$dir/html: $!\n";

    write_file("$dir/html/small", "hello\n");
    write_file("$dir/nginx.conf", <<"_");
$load
daemon off;
master_process off;
pid nginx.pid;
error_log error.log error;
events { worker_connections 64; }
http {
    access_log off;
    keepalive_requests 100000;
    client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    $http
    server {
        listen 127.0.0.1:$self->{port};
        location = /mark { return 200 "x"; }
        $arg{locations}
    }
}
_
    $self->start;

    return $self;
}


sub start {
    my ($self) = @_;

    $self->{pid} = fork;
    die "fork: $!\n" unless defined $self->{pid};

    if ($self->{pid} == 0) {
        open STDOUT, '>', "$self->{dir}/valgrind.log";
        open STDERR, '>&', \*STDOUT;
        exec 'valgrind', '--tool=callgrind',
             "--callgrind-out-file=$self->{dir}/out",
             '--dump-before=ngx_http_send_response',
             $ENV{TEST_NGINX_BINARY}, '-p', "$self->{dir}/",
             '-c', 'nginx.conf', '-e', 'start.log'
            or POSIX::_exit(127);
    }

    push @running, $self;

    for (1 .. 600) {
        $self->{talk} = eval { talk($self->{port}) } and last;
        die "callgrind: " . slurp("$self->{dir}/valgrind.log")
            if waitpid($self->{pid}, WNOHANG) == $self->{pid};
        sleep 0.1;
    }

    die "nginx does not listen in callgrind\n" unless $self->{talk};

    # what happens between two marks is not counted

    $self->mark;
    $self->{own} = $self->mark;
}


# Returns the instructions since the last mark.

sub mark {
    my ($self) = @_;
    my $file = "$self->{dir}/out." . ++$self->{parts};

    $self->ask("GET /mark HTTP/1.1\r\nHost: localhost\r\n\r\n", 200);

    for (1 .. 100) {
        return $1 if -e $file && slurp($file) =~ /^totals: (\d+)/m;
        sleep 0.05;
    }

    die "callgrind wrote no $file\n";
}


sub ask {
    my ($self, $request, $status) = @_;

    print {$self->{talk}{socket}} $request;
    my $answer = receive($self->{talk});
    die "$answer->{status} instead of $status\n"
        if $answer->{status} != $status;
}


# Returns the instructions per request, for requests that must be answered with
# $status.

sub each_costs {
    my ($self, $status, @requests) = @_;

    $self->ask($_, $status) for @requests;

    return int(($self->mark - $self->{own}) / @requests);
}


# Returns how often the last each_costs() called a function.

sub calls {
    my ($self, $function) = @_;
    return ($self->called($function))[0];
}


# Returns the instructions per call of a function, and of what it called, since
# the last mark.

sub call_costs {
    my ($self, $function) = @_;
    my ($n, $cost) = $self->called($function);

    return $n ? int($cost / $n) : 0;
}


sub called {
    my ($self, $function) = @_;
    my ($n, $cost, $callee, $next, %name) = (0, 0, '', 0);

    for (split /\n/, slurp("$self->{dir}/out.$self->{parts}")) {
        $name{$1} = $2 if /^c?fn=(\(\d+\)) (\S+)/;
        $callee = $name{$1} if /^cfn=(\(\d+\))/;
        $cost += $1 if $next && /^\S+ (\d+)/;
        $next = /^calls=(\d+)/ && $callee eq $function;
        $n += $1 if $next;
    }

    return ($n, $cost);
}


sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'TERM', $pid;
    waitpid $pid, 0;
}


END {
    my $status = $?;
    $_->stop for @running;
    $? = $status;
}

1;
