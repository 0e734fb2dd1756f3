# SPDX-License-Identifier: BSD-2-Clause

# The command line: errors are reported with a hint and exit status 2.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use ClientTest;


my $c;
my $url = 'http://127.0.0.1:1/';

my @wrong = (
    [[], qr/no URL/],
    [['--halp'], qr/unknown option "--halp"/],
    [['-x', $url], qr/unknown option "-x"/],
    [['--coun=3', $url], qr/unknown option "--coun"/],
    [[$url, '--interval'], qr/--interval needs a value: --interval TIME/],
    [['--ca', '--count', 1, $url], qr/--ca needs a value: --ca FILE/],
    [['--ca=', $url], qr/--ca has an empty value/],
    [['--interval', '5x', $url], qr/--interval "5x" is not a time/],
    [['--interval', '', $url], qr/--interval has an empty value/],
    [['--interval', '-5s', $url], qr/"-5s" is not a time/],
    [['--interval', '1s1m', $url], qr/"1s1m" is not a time/],
    [['--interval', '1s1s', $url], qr/"1s1s" is not a time/],
    [['--interval', '1m 5', $url], qr/"1m 5" is not a time/],
    [['--interval', '1.5s', $url], qr/"1.5s" is not a time/],
    [['--interval', 's', $url], qr/"s" is not a time/],
    [['--interval', '5 s', $url], qr/"5 s" is not a time/],
    [['--interval', '99999999999999999999s', $url], qr/is not a time/],
    [['--interval', '25d', $url], qr/"25d" is longer than 24 days/],
    [['--interval', '2147483647w', $url], qr/is longer than 24 days/],
    [['--interval', '0', $url], qr/--interval must not be 0/],
    [['--timeout', '0s', $url], qr/--timeout must not be 0/],
    [['--interval', '1', '--interval', '2', $url], qr/--interval is given tw/],
    [['--count', '0', $url], qr/--count "0" is not a number/],
    [['--count', 'x', $url], qr/--count "x" is not a number/],
    [['--count', '2147483648', $url], qr/is not a number from 1 to 214748364/],
    [['--count', '1', '--count', '2', $url], qr/--count is given twice/],
    [['--ca', 'a', '--ca', 'b', $url], qr/--ca is given twice/],
    [[$url, $url], qr/only one URL can be given/],
    [[''], qr/URL is empty/],
    [['localhost:80/'], qr{must begin with "http://" or "https://"}],
    [['ftp://localhost/'], qr{must begin with "http://"}],
    [['file:///etc/passwd'], qr{must begin with "http://"}],
    [['http://'], qr/URL is malformed/],
    [['http://host:99999/'], qr/URL is malformed/],
    [["http://host/\e[31m"], qr/URL is malformed/],
    [["http://host/\r\nX: y"], qr/URL is malformed/],
    [['http://user:password@host/'], qr/must not contain a user name/],

    [['inspect', '--halp'], qr/unknown option "--halp"/],
    [['inspect', '--count', 1], qr/unknown option "--count"/],
    [['inspect', 'a', 'b'], qr/only one FILE/],

    [['verify'], qr/no keys given/],
    [['verify', '--halp'], qr/unknown option "--halp"/],
    [['verify', '--legacy=1'], qr/--legacy takes no value/],
    [['verify', '--audience', ''], qr/--audience has an empty value/],
    [['verify', '--algorithms', 'none'], qr/unknown algorithm "none"/],
    [['verify', '--algorithms', 'HS256'], qr/unknown algorithm "HS256"/],
    [['verify', '--algorithms', 'rs256'], qr/unknown algorithm "rs256"/],
    [['verify', '--algorithms', 'RS256,'], qr/unknown algorithm ""/],
    [['verify', '--algorithms', 'RS256', '--algorithms', 'ES256'],
     qr/--algorithms is given twice/],
    [['verify', '--at', 'noon'], qr/--at "noon" is not a time/],
    [['verify', '--at', '2026-11-23T15:04:05'], qr/is not a time/],
    [['verify', '--at', '1969-12-31T23:59:59Z'], qr/is not a time/],
    (map { [['verify', '--at', $_], qr/--at "\Q$_\E" is not a time/] }
     '2026-02-31T00:00:00Z', '2026-02-29T00:00:00Z', '2026-13-01T00:00:00Z',
     '2026-2-1T00:00:00Z', ' 2026-02-01T00:00:00Z', '2026-02-01T24:00:00Z',
     '2026-02-01T00:00:60Z', '10000-01-01T00:00:00Z', '253402300800'),
    [['verify', '--at', '1', '--at', '2'], qr/--at is given twice/],
    [['verify', map { ('--audience', $_) } 1 .. 65],
     qr/--audience is given more than 64 times/],
);

for my $case (@wrong) {
    my ($args, $want) = @$case;
    my $name = join(' ', @$args) =~ s/[\e\r\n]/?/gr;
    my $command = $args->[0] && $args->[0] =~ /^(inspect|verify)$/ ? " $1"
                                                                  : '';

    $c = client(@$args);
    is($c->{status}, 2, "$name: exit status 2") or diag($c->{out});
    like($c->{err}, $want, '... the error');
    like($c->{err}, qr/^k8s-sa-client$command: /, '... the command');
    like($c->{err}, qr/^Try "k8s-sa-client$command --help"\.$/m, '... hint');
    is($c->{out}, '', '... nothing on standard output');
}


for my $command ([], ['inspect'], ['verify']) {
    for my $option ('--help', '-h') {
        $c = client(@$command, $option);
        is($c->{status}, 0, "@$command $option: exit status 0");
        like($c->{out}, qr/^Usage: k8s-sa-client @$command/, '... usage');
        is($c->{err}, '', '... nothing else');
        is((grep { length > 80 } split /\n/, $c->{out})[0], undef,
            '... 80 columns');
    }

    $c = client(@$command, '--version');
    is($c->{status}, 0, "@$command --version: exit status 0");
    like($c->{out}, qr/^k8s-sa-client \d+\.\d+\.\d+ \(libcurl/, '... version');
}


# each option in --help and in the manual page, and none that does not exist

my $man = slurp("$FindBin::Bin/../../client/k8s-sa-client.1") =~ s/\\-/-/gr;

for my $command ([], ['verify']) {
    my $help = client(@$command, '--help')->{out};

    for my $option ($help =~ /^  (--[a-z-]+)/mg) {
        like($man, qr/\Q$option\E\b/, "$option is in the manual page");
        unlike(client(@$command, $option)->{err}, qr/unknown option/,
            "$option exists");
    }
}


# a token given in the wrong place does not appear in the error message

my $jwt = slurp(fixture('1.36.2/tokens/long-es256-aud-service2-pod.jwt'));
my ($signature) = $jwt =~ /\.([^.]+)\s*\z/;

for my $args ([$jwt], [$url, $jwt], ["$url?token=$jwt"],
              ['--token-file', $jwt, $url], ["--token-file=$jwt", $url],
              ['--ca', $jwt, $url], ['--count', $jwt, $url],
              ['--interval', $jwt, $url], [$jwt, '--halp'],
              ['inspect', $jwt], ['inspect', '-', $jwt],
              ['inspect', "Bearer $jwt"], ['inspect', substr $jwt, 0, 300],
              ['verify', $jwt], ['verify', '--pub-key', $jwt],
              ['verify', '--jwks', $jwt], ['verify', '--audience', 'a', $jwt],
              ['verify', '--algorithms', $jwt], ['verify', '--at', $jwt])
{
    $c = client(@$args);
    is($c->{status}, 2, join ' ', map { s/eyJ[-\w]+\.\S+/TOKEN/r } @$args);
    like($c->{err}, qr/argument \d contains a token/, '... why');
    unlike($c->{out} . $c->{err}, qr/eyJ|\Q$signature\E/, '... not shown');
}


# valid command lines

my $s = server(sub { response(200, '') });
my $token = spew('token', 'one');

for my $args (["--token-file=$token", '--count=1', $s->{url}],
              [$s->{url}, '--token-file', $token, '--count', '1'],
              ['--token-file', $token, '--count', '1', '--', $s->{url}],
              ['--token-file', $token, '--count', '1', '--interval',
               '1w2d 3h4m5s6ms', '--timeout', '1m', $s->{url}])
{
    $c = client(@$args);
    is($c->{status}, 0, join ' ', map { s/\Q$token\E/FILE/r } @$args);
}

done_testing();
