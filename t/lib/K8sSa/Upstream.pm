# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::Upstream;

# Upstreams that answer with what they have received.

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;

use K8sSa::Server;

our @EXPORT = qw(echo_fastcgi echo_http);

my @pids;


# Starts an HTTP server that answers with the request's head and body, and
# returns its port.  The path can change the answer: /status/NNN sets the
# status, /accel/NAME adds X-Accel-Redirect to /NAME, /slow delays it by 0.1 s.
# A request to upgrade is answered with 101, and then each line is echoed.
# Requests are also appended to a file, if one is given.

sub echo_http {
    my ($file) = @_;
    return start(sub { http($_[0], $file) });
}


# Starts a FastCGI responder that answers with one line per parameter,
# NAME=VALUE.

sub echo_fastcgi {
    return start(\&fastcgi);
}


sub start {
    my ($handler) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
                                       ReuseAddr => 1)
        or die "listen: $!\n";

    push @pids, serve($listen, $handler);

    return $listen->sockport;
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

    # FCGI_STDOUT, the end of the stream, FCGI_END_REQUEST
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


# Removes the length of a name or value from the beginning of $$params.

sub size {
    my ($params) = @_;
    my $n = unpack 'C', $$params;

    return unpack 'C', substr $$params, 0, 1, '' if $n < 0x80;
    return 0x7fffffff & unpack 'N', substr $$params, 0, 4, '';
}


END {
    my $status = $?;
    stop_server($_) for @pids;
    $? = $status;
}


1;
