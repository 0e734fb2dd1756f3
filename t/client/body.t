# SPDX-License-Identifier: BSD-2-Clause

# A server's answer cannot control the terminal or forge a line of the log.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use ClientTest;


my $token = spew('token', 'one');

sub shown {
    my ($body, @headers) = @_;
    my $s = server(sub { response(200, $body, @headers) });
    my $c = client('--token-file', $token, '--count', 1, $s->{url});
    is($c->{status}, 0, 'exit status');
    my @lines = lines($c->{out});
    is(scalar @lines, 2, 'one line per answer');
    $lines[1] =~ s/^target=\Q$s->{url}\E, status=200, response: //;
    return $lines[1];
}


my @cases = (
    ['empty', '', "''"],
    ['text', 'hello', "'hello'"],
    ['final newline', "hello\n", q{'hello\n'}],
    ['forged line', "x'\n2026/11/23 00:00:00 target=y, status=200",
     q{'x\'\n2026/11/23 00:00:00 target=y, status=200'}],
    ['CR', "a\rb", q{'a\rb'}],
    ['tab', "a\tb", q{'a\tb'}],
    ['backslash', 'a\nb', q{'a\\\\nb'}],
    ['NUL', "a\0b", q{'a\u0000b'}],
    ['escape sequence', "\e[31mred\e]0;title\a",
     q{'\u001b[31mred\u001b]0;title\u0007'}],
    ['DEL', "\x7f", q{'\u007f'}],
    ['UTF-8', "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
     "'gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80'"],
    ['C1 in UTF-8', "\xc2\x9b31m", q{'\u009b31m'}],
    ['C1 as a byte', "\x9b31m", q{'\x9b31m'}],
    ['right to left', "\xe2\x80\xaeabc", q{'\u202eabc'}],
    ['zero width', "a\xe2\x80\x8bb", q{'a\u200bb'}],
    ['byte order mark', "\xef\xbb\xbfa", q{'\ufeffa'}],
    ['tag character', "\xf3\xa0\x80\x81", q{'\udb40\udc01'}],
    ['overlong', "\xc0\x8a \xe0\x80\x8a", q{'\xc0\x8a \xe0\x80\x8a'}],
    ['surrogate', "\xed\xa0\x80", q{'\xed\xa0\x80'}],
    ['over 10FFFF', "\xf4\x90\x80\x80", q{'\xf4\x90\x80\x80'}],
    ['cut short', "\xe2\x82", q{'\xe2\x82'}],
);

for my $case (@cases) {
    my ($name, $body, $want) = @$case;
    is(shown($body), $want, $name);
}

is(shown('x' x 1024), "'" . 'x' x 1024 . "'", '1 KiB is shown');
is(shown('x' x 1025), "'" . 'x' x 1024 . "' (first 1024 of 1025 bytes)",
    'one more is not');
is(shown('x' x 65536), "'" . 'x' x 1024 . "' (first 1024 of 65536 bytes)",
    '64 KiB are read');
is(shown('x' x 5_000_000),
    "'" . 'x' x 1024 . "' (first 1024 of more than 65536 bytes)",
    'one more is not');
like(shown("\x1f\x8b\x08", 'Content-Encoding: gzip'),
    qr/^'\\u001f\\x8b\\u0008'$/, 'nothing is decoded');


# an endless body: the client does not wait for the rest

my $s = server(sub {
    my $socket = $_[2];
    print $socket "HTTP/1.1 200 OK\r\n\r\n", 'x' x 70000;
    $socket->flush;
    return undef;
});
my $c = client('--token-file', $token, '--count', 1, '--timeout', '10s',
               $s->{url});
is($c->{status}, 0, 'endless body');
like($c->{out}, qr/of more than 65536 bytes\)$/m, '... is truncated');
cmp_ok($c->{took}, '<', 5, '... and not waited for');

done_testing();
