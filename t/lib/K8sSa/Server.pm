# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::Server;

# The process of a mock server: one child per connection, all in a process group
# of their own.  It ends by itself when the suite has ended.

use strict;
use warnings;

use Exporter qw(import);
use POSIX ();

our @EXPORT = qw(serve stop_server);

my $lifetime = 600;        # seconds, if it is not stopped
my $connection = 60;       # seconds for one connection


# serve(LISTENING SOCKET, HANDLER) starts it and returns its pid.  HANDLER is
# called with each connection.

sub serve {
    my ($listen, $handler) = @_;
    my $parent = $$;
    my $pid = fork;

    die "fork: $!\n" unless defined $pid;

    if ($pid) {
        setpgrp $pid, $pid;
        return $pid;
    }

    # the suite's END blocks must not run

    setpgrp;
    $SIG{$_} = 'DEFAULT' for qw(HUP INT TERM ALRM);
    $SIG{$_} = 'IGNORE' for qw(CHLD PIPE);
    alarm $lifetime;

    while (getppid == $parent) {
        my $vec = '';
        vec($vec, fileno $listen, 1) = 1;
        next unless select $vec, undef, undef, 1;

        my $c = $listen->accept or next;
        my $child = fork;
        next unless defined $child && $child == 0;

        close $listen;
        alarm $connection;
        $c->autoflush(1);
        binmode $c;
        eval { $handler->($c) };
        warn "# mock: $@" if $@ && $ENV{K8S_SA_MOCK_VERBOSE};
        POSIX::_exit(0);        # closes the socket, without a TLS alert
    }

    POSIX::_exit(0);
}


sub stop_server {
    my ($pid) = @_;

    kill 'KILL', -$pid, $pid;
    waitpid $pid, 0;
}


1;
