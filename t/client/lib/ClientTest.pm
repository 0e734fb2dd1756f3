# SPDX-License-Identifier: BSD-2-Clause

package ClientTest;

# Runs k8s-sa-client against servers on the loopback address.  A server or
# client that hangs is killed.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(client client_start dir fixture lines response server
                 slurp spew);

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $binary = abs_path($ENV{K8S_SA_CLIENT} || "$root/build/k8s-sa-client");
my $dir = tempdir(CLEANUP => 1);

# this machine's proxy settings must not interfere
delete @ENV{grep { /_proxy$/i } keys %ENV};

die "no k8s-sa-client: run make client, or set K8S_SA_CLIENT\n"
    unless $binary && -x $binary;


sub dir { return $dir }

sub fixture { return "$root/t/fixtures/$_[0]" }

sub slurp {
    my ($name) = @_;
    open my $fh, '<:raw', $name or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}


# Writes a file in the test's directory, through rename(), as the kubelet
# replaces a projected token.  Returns its full name.
sub spew {
    my ($name, $content) = @_;
    $name = "$dir/$name" unless $name =~ m{^/};
    open my $fh, '>:raw', "$name.new" or die "$name: $!\n";
    print $fh $content;
    close $fh or die "$name: $!\n";
    rename "$name.new", $name or die "$name: $!\n";
    return $name;
}


# client(@arguments) runs the client to its end.  Returns a hash with its exit
# status ("signal N" if it was killed), out, err and the seconds that it took.
# The first argument may be a hash with stdin (contents), env (hash), out (file),
# wrapper (command) and limit (seconds).
sub client {
    my $opt = ref $_[0] ? shift : {};
    my $c = client_start($opt, @_);
    return $c->wait($opt->{limit} || 20);
}


sub client_start {
    my $opt = ref $_[0] ? shift : {};
    my $self = bless { started => time, n => ++$ClientTest::n },
               'ClientTest::Process';

    my $in = '/dev/null';
    $in = spew("in.$self->{n}", $opt->{stdin}) if defined $opt->{stdin};

    $self->{pid} = fork;
    die "fork: $!\n" unless defined $self->{pid};

    if ($self->{pid} == 0) {
        my $out = $opt->{out} || "$dir/out.$self->{n}";
        open STDIN, '<', $in or POSIX::_exit(126);
        open STDOUT, '>', $out or POSIX::_exit(126);
        open STDERR, '>', "$dir/err.$self->{n}" or POSIX::_exit(126);
        %ENV = (%ENV, %{$opt->{env} || {}});
        exec @{$opt->{wrapper} || []}, $binary, @_ or POSIX::_exit(127);
    }

    return $self;
}


# Starts a server that answers the one request of each connection with the
# result of handler->($number, $request, $socket), numbered from 1; after undef
# the connection stays open until the client closes it.  tls =>
# { IO::Socket::SSL options } makes it https.
sub server {
    my ($handler, %opt) = @_;

    my $listen = IO::Socket::INET->new(Listen => 16, Proto => 'tcp',
        LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1)
        or die "listen: $@\n";

    my $self = bless { port => $listen->sockport, owner => $$,
                       log => "$dir/server." . ++$ClientTest::servers },
               'ClientTest::Server';
    $self->{url} = ($opt{tls} ? 'https' : 'http')
                   . "://127.0.0.1:$self->{port}/";

    $self->{pid} = fork;
    die "fork: $!\n" unless defined $self->{pid};

    return $self if $self->{pid};

    $SIG{TERM} = 'DEFAULT';
    $SIG{PIPE} = 'IGNORE';
    alarm 60;
    serve($listen, $handler, $self->{log}, $opt{tls});
    POSIX::_exit(0);
}


sub serve {
    my ($listen, $handler, $log, $tls) = @_;

    for my $n (1 .. 1000) {
        my $s = $listen->accept or last;

        if ($tls) {
            # a handshake aborted by the client is not a request
            $s = IO::Socket::SSL->start_SSL($s, SSL_server => 1, %$tls)
                or redo;
        }

        my $request = '';
        while ($request !~ /\r\n\r\n/) {
            sysread($s, $request, 65536, length $request) or last;
        }

        open my $fh, '>>:raw', $log or die "$log: $!\n";
        print $fh $request, "\0";
        close $fh;

        my $answer = $handler->($n, $request, $s);

        if (defined $answer) {
            print $s $answer;

        } else {
            sysread($s, my $rest, 1);
        }

        close $s;
    }
}


# Returns an answer with this status, body and additional header lines.
sub response {
    my ($status, $body, @headers) = @_;
    return join "\r\n", "HTTP/1.1 $status Whatever", @headers,
        'Content-Length: ' . length $body, 'Connection: close', '', $body;
}


# Checks the time stamps of the output's lines, and returns the lines without
# them.
sub lines {
    my ($out) = @_;
    my @lines = split /\n/, $out;
    s{^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d }{} or $_ = "no time stamp: $_"
        for @lines;
    return @lines;
}


package ClientTest::Server;

# the requests received, oldest first
sub requests {
    my ($self) = @_;
    return () unless -e $self->{log};
    return split /\0/, ClientTest::slurp($self->{log});
}

# their Authorization headers
sub tokens {
    my ($self) = @_;
    return map { /^Authorization: (.*)\r$/m ? $1 : 'none' } $self->requests;
}

sub DESTROY {
    my ($self) = @_;
    return unless $self->{owner} == $$ && $self->{pid};
    local $?;
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
}


package ClientTest::Process;

sub signal {
    my ($self, $signal) = @_;
    $self->{signalled} = Time::HiRes::time();
    kill $signal, $self->{pid};
}

sub until_out {
    my ($self, $re) = @_;
    for (1 .. 500) {
        my $name = "$dir/out.$self->{n}";
        return 1 if -e $name && ClientTest::slurp($name) =~ $re;
        Time::HiRes::sleep(0.01);
    }
    return 0;
}

sub wait {
    my ($self, $limit) = @_;
    my $end = Time::HiRes::time() + $limit;
    my $status;

    while (1) {
        if (waitpid($self->{pid}, POSIX::WNOHANG) > 0) {
            $status = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
            last;
        }
        if (Time::HiRes::time() > $end) {
            kill 'KILL', $self->{pid};
            waitpid $self->{pid}, 0;
            $status = 'hung';
            last;
        }
        Time::HiRes::sleep(0.005);
    }

    my $now = Time::HiRes::time();
    my $out = "$dir/out.$self->{n}";

    return { status => $status,
             out => -e $out ? ClientTest::slurp($out) : '',
             err => ClientTest::slurp("$dir/err.$self->{n}"),
             took => $now - $self->{started},
             after => $now - ($self->{signalled} || $now) };
}

1;
