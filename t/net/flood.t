#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Servers that never stop sending what is not an answer: a worker has to serve
# others meanwhile, and the exchange has to time out.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use NetTest;
use Crypt::AuthEnc::GCM qw(gcm_encrypt_authenticate);
use Crypt::KeyDerivation qw(hkdf_expand);
use IO::Socket::SSL;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = dir();
my $seconds = 4;

make_ca('ca');
make_cert('good', 'ca', 'IP:127.0.0.1');

sub flood {
    my ($c, $next) = @_;

    my $end = time + $seconds;
    while (time < $end) {
        my $bytes = $next->();
        while (length $bytes) {
            my $n = syswrite $c, $bytes or return;
            substr $bytes, 0, $n, '';
        }
    }
}

# RFC 8446, section 7.1

sub expand {
    my ($secret, $label, $len) = @_;

    return hkdf_expand($secret, 'SHA256', $len,
                       pack 'n C/a* C/a*', $len, "tls13 $label", '');
}

# HelloRequest, which clients ignore during a handshake (RFC 5246, 7.4.1.1)

my ($hello) = tcp_server(code => sub {
    my ($c) = @_;

    sysread $c, my $buf, 65536;

    my $record = pack 'C n n/a*', 22, 0x0303, "\0\0\0\0" x 4000;
    flood($c, sub { $record });
});

# NewSessionTicket after the handshake (RFC 8446, section 4.6.1)

my $secret;

my ($tickets) = tcp_server(
    tls => tls_options('good', SSL_version => 'TLSv1_3',
                       SSL_create_ctx_callback => sub {
        my ($ctx) = @_;

        Net::SSLeay::CTX_set_ciphersuites($ctx, 'TLS_AES_128_GCM_SHA256');
        Net::SSLeay::CTX_set_keylog_callback($ctx, sub {
            $secret = pack 'H*', $1
                if $_[1] =~ /^SERVER_TRAFFIC_SECRET_0 \S+ (\S+)/;
        });
    }),
    code => sub {
        my ($c) = @_;

        read_request($c);

        my $key = expand($secret, 'key', 16);
        my $iv = expand($secret, 'iv', 12);
        my $text = pack('C x n N N C/a* n/a* n', 4, 14, 3600, 1, '', 'x', 0)
                   x 800 . chr 22;
        my $head = pack 'C n n', 23, 0x0303, 16 + length $text;
        my $n = 2;      # the handshake ended with two tickets

        open my $raw, '>&', fileno $c or die $!;

        flood($raw, sub {
            my $nonce = $iv ^ pack 'x4 Q>', $n++;
            return $head . join '', gcm_encrypt_authenticate('AES', $key,
                                        $nonce, $head, $text);
        });
    });

# plain bytes: headers that do not end, and empty lines before an answer

my ($plain) = tcp_server(code => sub {
    my ($c) = @_;

    read_request($c);
    syswrite $c, "HTTP/1.1 100 Continue\r\n\r\n";
    flood($c, sub { "HTTP/1.1 102 Processing\r\n\r\n" x 600 });
});

my $conf = '';
my %ports = (hello => $hello, tickets => $tickets, plain => $plain);

for my $name (sort keys %ports) {
    my $scheme = $name eq 'plain' ? 'http' : 'https';
    $conf .= "location /$name { k8s_sa_net_test "
             . "$scheme://127.0.0.1:$ports{$name} timeout=1s "
             . "ssl_trusted=$dir/ca.crt; }\n";
}

nginx_start($conf);

for my $name (sort keys %ports) {
    my $start = time;
    my $s = fetch("/$name", socket => 1);
    my $worst = 0;

    for (1 .. 5) {
        sleep 0.1;
        my $t = time;
        my $up = connection();
        print $up "GET /up HTTP/1.0\r\n\r\n";
        local $/;
        <$up>;
        $worst = time - $t if $worst < time - $t;
    }

    cmp_ok($worst, '<', sanitized() ? 3 : 0.5,
           "$name: the worker serves others");

    my $r = raw_fetch($s, $start);
    like($r->{reason}, qr/^(?:timed out while|unacceptable answer)/,
         "$name: the exchange ends");
    cmp_ok($r->{took}, '<', sanitized() ? 6 : 2, "$name: in time");
}

ok(nginx_stop(), 'a clean log');

done_testing();
