# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::Load;

# Sends many requests at the same time, or keeps sending requests in the
# background while a suite does something else.

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;

our @EXPORT = qw(answers flood load load_end slowest tally with_token);

our $pause = 0;             # seconds after each request of load()
our $clients = 1;           # addresses of flood(), from 127.0.0.1 on

my $count = 0;
my %running;


# Returns a request, with Connection: close unless it is to be kept.

sub with_token {
    my ($path, $token, $keep) = @_;

    return join "\r\n", "GET $path HTTP/1.1", 'Host: localhost',
                        defined $token ? "Authorization: Bearer $token" : (),
                        $keep ? () : 'Connection: close', '', '';
}


# flood(PORT, REQUEST...) sends all requests at once, each on its own
# connection.  They must contain Connection: close.

sub flood {
    my ($port, @requests) = @_;
    my %flood = (began => time(), select => IO::Select->new);

    for my $request (@requests) {
        my $n = 1 + @{$flood{answers} || []} % $clients;
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                      PeerPort => $port, Timeout => 5,
                                      LocalAddr => "127.0.0.$n")
            or die "connect to port $port: $!\n";

        print $s $request;
        $s->flush;

        push @{$flood{answers}}, { status => 0, text => '', socket => $s };
        $flood{of}{fileno $s} = $flood{answers}[-1];
        $flood{select}->add($s);
    }

    return \%flood;
}


# Returns { status, took } for each request, in order.  The status is 0 if
# there is no answer within $limit seconds.

sub answers {
    my ($flood, $limit) = @_;
    my $until = time() + $limit;

    while ($flood->{select}->count && time() < $until) {

        for my $s ($flood->{select}->can_read(0.1)) {
            my $answer = $flood->{of}{fileno $s};

            next if sysread $s, $answer->{text}, 65536,
                            length $answer->{text};

            $flood->{select}->remove($s);
            $answer->{took} = time() - $flood->{began};
        }
    }

    for my $answer (@{$flood->{answers}}) {
        ($answer->{status}) = $answer->{text} =~ m{^HTTP/1.1 (\d+)};
        $answer->{status} ||= 0;
        $answer->{took} = time() - $flood->{began}
            unless defined $answer->{took};
        close delete $answer->{socket};
    }

    return @{$flood->{answers}};
}


# Returns the time of the slowest answer in seconds.

sub slowest {
    my ($slowest) = sort { $b <=> $a } map { $_->{took} } @_;
    return $slowest;
}


# Returns the number of answers with each status: "200: 3, 503: 1".

sub tally {
    my %n;
    $n{$_->{status}}++ for @_;
    return join ', ', map { "$_: $n{$_}" } sort keys %n;
}


# load(PORT, KIND => REQUEST ...) keeps sending the kinds in turn, one after
# the other, in another process, until load_end().  Connections are reused for
# some requests, or ports would run out.

sub load {
    my ($port, %requests) = @_;

    s/^Connection: close\r\n//m for values %requests;

    my $load = bless { file => dir() . '/load' . ++$count, port => $port,
                       requests => \%requests };

    my $parent = $$;
    my $pid = fork;
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(HUP INT TERM ALRM);
        alarm 120;
        eval { $load->run($parent) };
        warn "# load: $@" if $@;
        POSIX::_exit(0);
    }

    $load->{pid} = $pid;
    $running{$pid} = 1;

    return $load;
}


sub run {
    my ($load, $parent) = @_;
    my $requests = $load->{requests};
    my (%tally, @events);

    # ends by a file: a signal would interrupt a request

    while (!-e "$load->{file}.end" && getppid == $parent) {

        for my $kind (sort keys %$requests) {
            my $began = time();
            my $status = eval { $load->one($requests->{$kind}) } || 0;
            my $took = time() - $began;

            $tally{$kind}{$status}++;
            $tally{$kind}{slowest} = $took
                if $took > ($tally{$kind}{slowest} || 0);

            push @events, [ $began, $kind, $status ]
                if ($tally{$kind}{last} || 0) != $status;

            $tally{$kind}{last} = $status;

            sleep $pause if $pause;
        }
    }

    $tally{events} = \@events;

    spew("$load->{file}.out", encode_json(\%tally));
}


# If a reused connection has just been closed, the request is sent again on a
# new one.

sub one {
    my ($load, $request) = @_;
    my $answer;

    local $SIG{PIPE} = 'IGNORE';

    while (1) {
        my $new = !$load->{c} || $load->{n}++ == 20;

        if ($new) {
            $load->{c} = talk($load->{port});
            $load->{n} = 0;
        }

        print {$load->{c}{socket}} $request;
        $answer = eval { receive($load->{c}) } || { status => 0, head => '' };

        delete $load->{c}
            if $answer->{status} == 0 || $answer->{head} =~ /: close\r$/m;

        return $answer->{status} if $answer->{status} || $new;
    }
}


# Returns { KIND => { STATUS => N, slowest => SECONDS } ... }.

sub load_end {
    my ($load) = @_;

    write_file("$load->{file}.end", '');
    waitpid $load->{pid}, 0;
    delete $running{$load->{pid}};

    return decode_json(slurp("$load->{file}.out"));
}


END {
    my $status = $?;
    kill 'KILL', keys %running if %running;
    $? = $status;
}


1;
