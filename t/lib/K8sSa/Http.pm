# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::Http;

# Sends requests byte by byte: nothing is added, changed or followed.

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time);

our @EXPORT = qw(get get_http2 header_values receive request talk);

my $limit = 10;


# Returns a connection for sending requests and receiving answers.

sub talk {
    my ($port) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
                                  Timeout => $limit)
        or die "connect to port $port: $!\n";

    $s->autoflush(1);
    binmode $s;

    return { socket => $s, buffer => '' };
}


sub more {
    my ($c) = @_;
    my $until = time() + $limit;

    while (IO::Select->new($c->{socket})->can_read($until - time())) {
        my $n = sysread $c->{socket}, $c->{buffer}, 65536,
                        length $c->{buffer};
        return $n;
    }

    die "no answer in $limit s\n";
}


# Returns one answer: status, head and body.

sub receive {
    my ($c, $method) = @_;
    my %answer = (status => 0, head => '', body => '');

    while ($c->{buffer} !~ /\r\n\r\n/) {
        return \%answer unless more($c);
    }

    $c->{buffer} =~ s/^(.*?\r\n)\r\n//s;
    $answer{head} = $1;
    ($answer{status}) = $answer{head} =~ m{^HTTP/\d\.\d (\d+)};

    return \%answer
        if ($method || '') eq 'HEAD' || $answer{status} =~ /^(?:1..|204|304)$/;

    if ($answer{head} =~ /^Content-Length: (\d+)\r$/mi) {
        my $length = $1;
        while (length $c->{buffer} < $length) {
            last unless more($c);
        }
        $answer{body} = substr $c->{buffer}, 0, $length, '';

    } elsif ($answer{head} =~ /^Transfer-Encoding: chunked\r$/mi) {
        while (1) {
            while ($c->{buffer} !~ /\r\n/) {
                return \%answer unless more($c);
            }
            $c->{buffer} =~ s/^([0-9a-f]+).*?\r\n//i;
            my $length = hex $1;
            while (length $c->{buffer} < $length + 2) {
                return \%answer unless more($c);
            }
            $answer{body} .= substr $c->{buffer}, 0, $length, '';
            substr $c->{buffer}, 0, 2, '';
            last if $length == 0;
        }

    } else {
        1 while more($c);
        $answer{body} = $c->{buffer};
        $c->{buffer} = '';
    }

    return \%answer;
}


# request(PORT, BYTES)

sub request {
    my ($port, $bytes) = @_;
    my $c = talk($port);

    print {$c->{socket}} $bytes;

    return receive($c, $bytes =~ /^(\S+)/);
}


# get(PORT, PATH, HEADER...)

sub get {
    my ($port, $path, @headers) = @_;

    return request($port, join "\r\n", "GET $path HTTP/1.1", 'Host: localhost',
                                       @headers, 'Connection: close', '', '');
}


# get_http2(PORT, PATH, HEADER...), without TLS; returns the body

sub get_http2 {
    my ($port, $path, @headers) = @_;
    my $pid = open my $fh, '-|';

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        { exec 'curl', '-s', '--http2-prior-knowledge', '--max-time', 10,
               (map { ('-H', $_) } @headers), "http://127.0.0.1:$port$path" }
        POSIX::_exit(127);
    }

    local $/;
    my $out = <$fh>;
    close $fh or die "curl: exit $?\n";

    return $out;
}


# Returns the values of a header in a head, in order; the name may be a
# pattern.

sub header_values {
    my ($head, $name) = @_;
    return $head =~ /^$name: *(.*?)\r?$/mgi;
}


1;
