# SPDX-License-Identifier: BSD-2-Clause

# The token file is read before each request, and again after a 401.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use ClientTest;


my ($c, $s, $token, @lines);

my @quick = ('--interval', '20ms', '--token-file');


$token = spew('token', "one\n");
$s = server(sub {
    my ($n) = @_;
    spew($token, "two\n") if $n == 2;
    response(200, '');
});
$c = client(@quick, $token, '--count', 4, $s->{url});

is($c->{status}, 0, 'token changed between requests');
is_deeply([$s->tokens], ['Bearer one', 'Bearer one', 'Bearer two',
                         'Bearer two'], 'the new token is used at once');


# as in a projected volume: token -> ..data/token, ..data -> a directory

my $volume = dir() . '/volume';
mkdir $_ for $volume, "$volume/..1", "$volume/..2";
spew("$volume/..1/token", 'one');
spew("$volume/..2/token", 'two');
symlink '..1', "$volume/..data";
symlink '..data/token', "$volume/token";

$s = server(sub {
    symlink '..2', "$volume/..new";
    rename "$volume/..new", "$volume/..data";
    response(200, '');
});
$c = client(@quick, "$volume/token", '--count', 2, $s->{url});
is_deeply([$s->tokens], ['Bearer one', 'Bearer two'], 'swapped symlink');


# 401

$token = spew('token', 'one');
$s = server(sub {
    my ($n) = @_;
    spew($token, 'two') if $n == 1;
    $n == 1 ? response(401, 'no') : response(200, 'yes');
});
$c = client('--interval', '1h', '--token-file', $token, '--count', 1,
            $s->{url});

is($c->{status}, 0, '401 and a new token: the second answer counts');
is_deeply([$s->tokens], ['Bearer one', 'Bearer two'], 'repeated at once');
is_deeply([lines($c->{out})],
    [ "start client: $s->{url}",
      "target=$s->{url}, status=401, response: 'no'",
      "target=$s->{url}, status=200, response: 'yes'" ],
    'both are reported');

$token = spew('token', 'one');
$s = server(sub { response(401, 'no') });
$c = client(@quick, $token, '--count', 2, $s->{url});
is($c->{status}, 1, '401 and the same token: exit status 1');
is_deeply([$s->tokens], ['Bearer one', 'Bearer one'],
    '... request not repeated');

$token = spew('token', 'token-0');
$s = server(sub {
    my ($n) = @_;
    spew($token, "token-$n");
    response(401, 'no');
});
$c = client(@quick, $token, '--count', 2, $s->{url});
is($c->{status}, 1, '401 with each new token: exit status 1');
is_deeply([$s->tokens], [map { "Bearer token-$_" } 0 .. 3],
    '... one repetition per request');

$token = spew('token', 'one');
$s = server(sub { unlink $token; response(401, 'no') });
$c = client(@quick, $token, '--count', 1, $s->{url});
is($c->{status}, 1, '401 and the token file is gone: exit status 1');
is(scalar(() = $s->requests), 1, '... request not repeated');


# no usable token: an error line, no request, and the loop continues

my %bad = (
    'missing'         => [undef, qr/cannot open .*No such file/],
    'empty'           => ['', qr/is empty/],
    'blank'           => [" \r\n\t\n", qr/is empty/],
    'header'          => ["Bearer one\n", qr/begins with "Bearer"/],
    'base64'          => ['ZXlKaaaa', qr/is in base64, as in the data of a S/],
    'two words'       => ["one two\n", qr/white space/],
    'CR LF inside'    => ["one\r\nX-Evil: 1", qr/control characters/],
    'LF inside'       => ["one\ntwo\n", qr/control characters/],
    'NUL inside'      => ["one\0two", qr/control characters/],
    'NUL at its end'  => ["one\0", qr/control characters/],
    'escape inside'   => ["one\e[31m", qr/control characters/],
    'not ASCII'       => ["on\xc3\xa9", qr/non-ASCII/],
    'over 16 KiB'     => ['a' x 16385, qr/more than 16384 bytes/],
    'a megabyte'      => ['a' x 1048576, qr/longer than \d+ bytes/],
    'directory'       => [\1, qr/not a regular file/],
    'fifo'            => [\2, qr/not a regular file/],
);

$s = server(sub { response(200, '') });

for my $name (sort keys %bad) {
    my ($content, $error) = @{$bad{$name}};
    my $file = dir() . '/bad';

    rmdir $file;
    unlink $file;

    if (!ref $content) {
        spew($file, $content) if defined $content;

    } elsif ($$content == 1) {
        mkdir $file;

    } else {
        POSIX::mkfifo($file, 0600);
    }

    $c = client(@quick, $file, '--count', 2, $s->{url});
    @lines = lines($c->{out});

    is($c->{status}, 1, "$name: exit status 1");
    is(scalar @lines, 3, "$name: continues");
    like($lines[1], qr/^target=\Q$s->{url}\E, error: .*$error/, "$name: why");
    unlike($c->{out} =~ s/\Q$file\E//gr, qr/one|Evil|aaaa/,
           "$name: no token shown");
}

is(scalar(() = $s->requests), 0, 'and nothing was sent');

$token = spew('token', 'a' x 16384);
$c = client(@quick, $token, '--count', 1, $s->{url});
is($c->{status}, 0, '16 KiB are sent');
is(($s->tokens)[0], 'Bearer ' . 'a' x 16384, '... as they are');


# a file that appears later

unlink $token;
$s = server(sub { response(200, '') });
$c = client_start('--interval', '50ms', '--token-file', $token, '--count', 100,
                  $s->{url});
ok($c->until_out(qr/No such file/), 'no file yet');
spew($token, 'late');
ok($c->until_out(qr/status=200/), 'used once it exists');
$c->signal('TERM');
$c->wait(10);
is(($s->tokens)[0], 'Bearer late', 'the late token');


# the default is the path in a pod

SKIP: {
    skip 'there is a service account here', 1
        if -e '/var/run/secrets/kubernetes.io/serviceaccount/token';

    $c = client('--count', 1, $s->{url});
    like($c->{out}, qr{"/var/run/secrets/kubernetes\.io/serviceaccount/token"},
        'default token file');
}

done_testing();
