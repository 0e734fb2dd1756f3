#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Which URLs are accepted and which are refused.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use NetTest;
use Test::More;

nginx_start("location / { k8s_sa_net_test http://127.0.0.1; }");

sub escape { my ($s) = @_; $s =~ s/([^A-Za-z0-9])/sprintf '%%%02x', ord $1/ge;
             return $s; }

sub parse {
    my ($url, $base) = @_;
    return fetch('/?parse=' . escape($url) . ($base ? "&base=$base" : ''));
}

# text, host, authority, path, port, flags

for my $t (
    ['https://a.b', 'https://a.b/', 'a.b', 'a.b', '/', 443, 'ssl '],
    ['https://a.b/', 'https://a.b/', 'a.b', 'a.b', '/', 443, 'ssl '],
    ['HTTPS://A.B/C?D', 'https://a.b/C?D', 'a.b', 'a.b', '/C?D', 443, 'ssl '],
    ['http://a', 'http://a/', 'a', 'a', '/', 80, ''],
    ['http://a:80/', 'http://a:80/', 'a', 'a', '/', 80, ''],
    ['https://a:443', 'https://a:443/', 'a', 'a', '/', 443, 'ssl '],
    ['https://a:80', 'https://a:80/', 'a', 'a:80', '/', 80, 'ssl '],
    ['http://a:65535', 'http://a:65535/', 'a', 'a:65535', '/', 65535, ''],
    ['http://a.b./', 'http://a.b./', 'a.b', 'a.b', '/', 80, 'absolute '],
    ['http://x_y-z.1a', 'http://x_y-z.1a/', 'x_y-z.1a', 'x_y-z.1a', '/', 80,
     ''],
    ['http://1a.test', 'http://1a.test/', '1a.test', '1a.test', '/', 80, ''],
    ['https://10.0.0.1:6443/x', 'https://10.0.0.1:6443/x', '10.0.0.1',
     '10.0.0.1:6443', '/x', 6443, 'ssl literal '],
    ['http://127.9.9.9', 'http://127.9.9.9/', '127.9.9.9', '127.9.9.9', '/',
     80, 'literal loopback '],
    ['http://[::1]', 'http://[::1]/', '::1', '[::1]', '/', 80,
     'literal loopback '],
    ['https://[FD00::A]:8443/p', 'https://[fd00::a]:8443/p', 'fd00::a',
     '[fd00::a]:8443', '/p', 8443, 'ssl literal '],
    ['http://[::ffff:127.0.0.1]', 'http://[::ffff:127.0.0.1]/',
     '::ffff:127.0.0.1', '[::ffff:127.0.0.1]', '/', 80, 'literal '],
    ['http://LocalHost:1', 'http://localhost:1/', 'localhost', 'localhost:1',
     '/', 1, 'loopback '],
    ['http://localhost.', 'http://localhost./', 'localhost', 'localhost', '/',
     80, 'loopback absolute '],
    ['http://localhost.evil', 'http://localhost.evil/', 'localhost.evil',
     'localhost.evil', '/', 80, ''],
    ['http://a/%20//../b?c=d&e', 'http://a/%20//../b?c=d&e', 'a', 'a',
     '/%20//../b?c=d&e', 80, ''])
{
    my ($url, @expected) = @$t;
    my $r = parse($url);

    is(join('|', map { $_ // '' } @$r{qw(error text host authority path port
                                         flags)}),
       join('|', 'ok', @expected), $url);
}

for my $url ('', 'a', '/', 'http', 'http:', 'http:/a', 'http://', 'https://',
             'ftp://a', 'httpx://a', ' http://a', 'http://a ', 'http://a b',
             "http://a\n", "http://a/\r\nX: y", "http://a/\0", "http://a/\x7f",
             "http://\xc3\xa4", 'http://a/#b', 'http://a#b', 'http://u@a',
             'http://u:p@a/', 'http://a@b@c', 'http://a?b', 'http:///a',
             'http://:80', 'http://a:', 'http://a:0', 'http://a:65536',
             'http://a:-1', 'http://a:+1', 'http://a:1x', 'http://a:000080',
             'http://a:80:80', 'http://a..b', 'http://.a', 'http://.',
             'http://a..', 'http://-a', 'http://a.-b', 'http://a%2e',
             'http://a*', 'http://127.1', 'http://1', 'http://0x7f.1',
             'http://0x7f000001', 'http://010.0.0.1', 'http://1..2.3',
             'http://256.0.0.1', 'http://1.2.3.4.', 'http://1.2.3.4.5',
             'http://255.255.255.255', 'http://[::1', 'http://::1',
             'http://[::1]x', 'http://[::1%25eth0]', 'http://[fe80::1%eth0]',
             'http://[127.0.0.1]', 'http://[]', 'http://[a]', 'http://a\\b',
             'http://a/"', 'http://a/<', 'http://a/{x}',
             'http://' . 'a' x 64, 'http://' . 'a.' x 127 . 'a',
             'http://a/' . 'b' x 2048)
{
    my $r = parse($url);
    isnt($r->{error}, 'ok', "refused: " . escape(substr $url, 0, 40))
        or diag explain $r;
    unlike($r->{error}, qr/nginx/, 'with a reason');
}

# base and path

for my $t (['https://a', '/x', 'https://a/x'], ['https://a/', '/x',
           'https://a/x'], ['https://a/b/', '/x/y', 'https://a/b/x/y'],
           ['https://a/b//', '/x', 'https://a/b/x'],
           ['https://a:1/b', '/x?y', 'https://a:1/b/x?y'])
{
    is(parse($t->[1], $t->[0])->{text}, $t->[2], "$t->[0] and $t->[1]");
}

is(parse('/x', 'https://a/?b')->{error}, 'query in a base address',
   'no query in a base');

ok(nginx_stop(), 'a clean log');

# in a configuration

my ($ok, $out) = nginx_start(
    "location / { k8s_sa_net_test http://u\@a; }", test => 1);

ok(!$ok, 'refused in a configuration');
like($out, qr/\[emerg\].*user information in "http:.*nginx\.conf:\d+/,
     'with file and line');

done_testing();
