# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::Upstream;

# Upstreams that answer with what they received.

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;
use POSIX ();

our @EXPORT = qw(echo_fastcgi echo_http);

my $lifetime = 600;        # seconds, should nobody stop them
my @pids;


# An HTTP server that answers with the request's head and body, and gives its
# port.  The path may ask for more: /status/NNN for a status, /accel/NAME for
# an X-Accel-Redirect to /NAME, /slow for an answer after 0.1 s.  Upgrade is
# answered with 101, then each line with itself.  What came in is also appended
# to a file, if there is one.

sub echo_http {
    my ($file) = @_;
    return serve(sub { http($_[0], $file) });
}


# A FastCGI responder: a line a parameter, NAME=VALUE.

sub echo_fastcgi {
    return serve(\&fastcgi);
}


sub serve {
    my ($handler) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
                                       ReuseAddr => 1)
        or die "listen: $!\n";

    my $pid = fork;
    die "fork: $!\n" unless defined $pid;

    if ($pid) {
        push @pids, $pid;
        return $listen->sockport;
    }

    # not the END blocks of the suite
    $SIG{$_} = 'DEFAULT' for qw(HUP INT TERM ALRM);
    $SIG{CHLD} = 'IGNORE';

    alarm $lifetime;
    my $parent = getppid;

    while (getppid == $parent) {
        my $vec = '';
        vec($vec, fileno $listen, 1) = 1;
        next unless select $vec, undef, undef, 1;

        my $c = $listen->accept or next;

        my $child = fork;
        if (defined $child && $child == 0) {
            alarm 30;
            $c->autoflush(1);
            binmode $c;
            eval { $handler->($c) };
            close $c;
            POSIX::_exit(0);
        }
    }

    POSIX::_exit(0);
}


sub http {
    my ($c, $file) = @_;
    my $head = '';

    while ($head !~ /\r\n\r\n/) {
        sysread $c, $head, 65536, length $head or return;
    }

    $head =~ s/\r\n\r\n(.*)\z/\r\n/s;
    my $body = $1;
    my ($path) = $head =~ m{^\S+ (\S+)};

    if ($head =~ /^Upgrade:/mi) {
        print $c "HTTP/1.1 101 Switching Protocols\r\n"
                 . "Upgrade: echo\r\nConnection: upgrade\r\n\r\n$head\n";
        while (defined(my $line = <$c>)) {
            print $c $line;
        }
        return;
    }

    my ($length) = $head =~ /^Content-Length: (\d+)/mi;
    while (length $body < ($length || 0)) {
        sysread $c, $body, 65536, length $body or last;
    }

    my ($status) = $path =~ m{/status/(\d+)};
    my ($accel) = $path =~ m{/accel(/\S+)};

    select undef, undef, undef, 0.1 if $path =~ m{/slow};

    my $text = "$head\n$body";

    if (defined $file) {
        open my $fh, '>>', $file or return;
        syswrite $fh, $text;
    }

    print $c 'HTTP/1.1 ', $status || 200, " Echo\r\n",
             "Content-Type: text/plain\r\n",
             $accel ? "X-Accel-Redirect: $accel\r\n" : '',
             'Content-Length: ', length $text, "\r\n",
             "Connection: close\r\n\r\n",
             $head =~ /^HEAD/ ? '' : $text;
}


sub fastcgi {
    my ($c) = @_;
    my ($params, $id) = ('', 1);

    while (1) {
        my $header = take($c, 8);
        my (undef, $type, $request, $length, $padding)
            = unpack 'CCnnC', $header;
        my $content = take($c, $length);
        take($c, $padding);

        $id = $request;
        $params .= $content if $type == 4;          # FCGI_PARAMS
        last if $type == 5 && $length == 0;         # FCGI_STDIN, the end
    }

    my $text = "Content-Type: text/plain\r\n\r\n";

    while (length $params) {
        my ($name, $value) = map { size(\$params) } 1 .. 2;
        $text .= substr($params, 0, $name, '') . '='
                 . substr($params, 0, $value, '') . "\n";
    }

    # FCGI_STDOUT, its end, FCGI_END_REQUEST
    print $c pack('CCnnCx', 1, 6, $id, length $text, 0), $text,
             pack('CCnnCx', 1, 6, $id, 0, 0),
             pack('CCnnCxNCx3', 1, 3, $id, 8, 0, 0, 0);
}


sub take {
    my ($c, $length) = @_;
    my $bytes = '';

    while (length $bytes < $length) {
        sysread $c, $bytes, $length - length $bytes, length $bytes
            or die "cut short\n";
    }

    return $bytes;
}


# The length of a name or value, taken from the front.

sub size {
    my ($params) = @_;
    my $n = unpack 'C', $$params;

    return unpack 'C', substr $$params, 0, 1, '' if $n < 0x80;
    return 0x7fffffff & unpack 'N', substr $$params, 0, 4, '';
}


END {
    my $status = $?;
    for my $pid (@pids) {
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
    $? = $status;
}


1;
