# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::MockDns;

# A mock name server on loopback: set(NAME => [ ADDRESS ... ]) with IPv4
# addresses, or 'nx', 'fail' or 'silence' instead of a list.

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Socket qw(inet_aton);
use Storable qw(nstore retrieve);

use K8sSa;

my $lifetime = 300;        # seconds, if it is not stopped
my @running;


sub new {
    my ($class, %names) = @_;

    my $socket = IO::Socket::INET->new(Proto => 'udp',
                                       LocalAddr => '127.0.0.1')
        or die "udp: $!\n";

    my $self = bless { file => dir() . '/dns' . $socket->sockport,
                       names => {}, port => $socket->sockport }, $class;

    $self->set(%names);

    my $parent = $$;
    my $pid = fork;
    die "fork: $!\n" unless defined $pid;

    if ($pid) {
        push @running, $pid;
        return $self;
    }

    $SIG{$_} = 'DEFAULT' for qw(HUP INT TERM ALRM);
    alarm $lifetime;

    while (getppid == $parent) {
        my $vec = '';
        vec($vec, fileno $socket, 1) = 1;
        next unless select $vec, undef, undef, 1;

        my $peer = $socket->recv(my $query, 4096);
        my $answer = $self->answer($query);
        $socket->send($answer, 0, $peer) if defined $answer;
    }

    POSIX::_exit(0);
}


sub set {
    my ($self, %names) = @_;
    @{$self->{names}}{keys %names} = values %names;
    nstore($self->{names}, "$self->{file}.new");
    rename "$self->{file}.new", $self->{file} or die "$self->{file}: $!\n";
}


# RFC 1035 section 4

sub answer {
    my ($self, $query) = @_;
    my ($id) = unpack 'n', $query;
    my ($at, @labels) = 12;

    while (my $length = ord substr $query, $at, 1) {
        push @labels, substr $query, $at + 1, $length;
        $at += 1 + $length;
    }

    my ($type) = unpack 'n', substr $query, $at + 1, 2;
    my $question = substr $query, 12, $at + 5 - 12;
    my $set = retrieve($self->{file})->{join '.', @labels} || 'nx';

    return undef if $set eq 'silence';

    my $code = $set eq 'nx' ? 3 : $set eq 'fail' ? 2 : 0;
    my @addresses = ref $set && $type == 1 ? @$set : ();

    return pack('n6', $id, 0x8180 | $code, 1, scalar @addresses, 0, 0)
           . $question
           . join '', map { pack 'n3 N n a4', 0xc00c, 1, 1, 1, 4,
                                 inet_aton($_) } @addresses;
}


END {
    my $status = $?;
    for my $pid (@running) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
    $? = $status;
}


1;
