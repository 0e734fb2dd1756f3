# SPDX-License-Identifier: BSD-2-Clause

# inspect: explains what a token says, without verifying it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use ClientTest;

use JSON::PP;
use MIME::Base64 qw(encode_base64 encode_base64url decode_base64url);


my ($c, $out);


sub field {
    my ($name) = @_;
    return $out =~ /^\Q$name\E: +(.*)$/m ? $1 : undef;
}

# a token with these parts; no key verifies its signature
sub token {
    my ($header, $claims, $signature) = @_;
    $_ = JSON::PP->new->canonical->encode($_) for grep { ref } $header, $claims;
    return join '.', map { encode_base64url($_) } $header, $claims,
                     $signature // 'sig';
}

sub inspect {
    my ($content) = @_;
    $c = client({ stdin => $content }, 'inspect', '-');
    return $out = $c->{out};
}


# tokens from real API servers: header and claims are shown, no signature

my $json = JSON::PP->new->canonical;

for my $version ('1.20.2', '1.36.2') {
    my @files = glob fixture("$version/tokens/*.jwt");
    cmp_ok(scalar @files, '>', 30, "$version has tokens");

    my @failed;

    for my $file (@files) {
        my $base = $file =~ s/\.jwt$//r;
        my (undef, $claims, $signature) = split /\./, slurp($file);
        chomp $signature;

        next unless -e "$base.claims.json";

        $c = client('inspect', $file);
        my ($h, $p) = $c->{out}
                      =~ /^header:\n(\{.*?^\})\n.*^claims:\n(\{.*?^\})/ms;

        push @failed, $file
            unless $c->{status} == 0
                && defined $p
                && $json->encode($json->decode($h))
                   eq $json->encode($json->decode(slurp("$base.header.json")))
                && $json->encode($json->decode($p))
                   eq $json->encode($json->decode(slurp("$base.claims.json")))
                && index($c->{out}, $claims) == -1
                && (length $signature < 8
                    || index($c->{out}, substr $signature, 0, 8) == -1)
                && $c->{out} =~ /^Nothing was verified/;
    }

    is_deeply(\@failed, [], "$version: header and claims, no signature");
}


$out = client('inspect', fixture('1.36.2/tokens/long-aud-service2-pod.jwt'))
       ->{out};
like(field('kind'), qr/^projected/, 'projected: kind');
is(field('subject'), 'system:serviceaccount:mytest:service1', 'subject');
is(field('issuer'), 'https://kubernetes.default.svc', 'issuer');
is(field('audiences'), 'service2', 'audience');
is(field('algorithm'), 'RS256', 'algorithm');
like(field('service account'), qr{^mytest/service1 \(uid [-0-9a-f]{36}\)$},
    'service account');
like(field('bound to'), qr/^pod pod1 \(uid [-0-9a-f]{36}\), node node1 \(uid/,
    'bound to pod and node');
like(field('expires'), qr/^2126-\d\d-\d\d \d\d:\d\d:\d\d UTC \(expires in 9\dy/,
    'expires in a hundred years');
like(field('issued'), qr/^2026-.* ago\)$/, 'issued');

$out = client('inspect', fixture('1.36.2/tokens/legacy-manual.jwt'))->{out};
like(field('kind'), qr/^legacy/, 'legacy: kind');
is(field('issuer'), 'kubernetes/serviceaccount', 'issuer');
is(field('audiences'), 'none', 'no audience');
is(field('bound to'), 'secret service1-manual', 'bound to its secret');
is(field('expires'), 'never expires', 'never expires');
like(field('service account'), qr{^mytest/service1 \(uid}, 'service account');

$out = client('inspect', fixture('1.36.2/tokens/aud-two.jwt'))->{out};
is(field('audiences'), 'service2, other', 'two audiences');
is(field('bound to'), 'nothing but its service account', 'not bound');

$out = client('inspect', fixture('1.36.2/tokens/aud-service2-secret.jwt'))
       ->{out};
like(field('bound to'), qr/^secret bindme \(uid [-0-9a-f]{36}\)$/, 'secret');

$out = client('inspect', fixture('1.36.2/tokens/warnafter.jwt'))->{out};
like(field('warn after'), qr/^2026-.*renewed/, 'warnafter');

$out = client('inspect', fixture('1.36.2/tokens/expired-65s.jwt'))->{out};
like(field('expires'), qr/^2026-.* \(expired .* ago\)$/, 'expired');


# lifetime

my $k8s = { 'kubernetes.io' => {} };
my $alg = { alg => 'RS256' };

# time passes during the test: allow a few seconds
my @spans = (
    [9 * 60 + 13,        qr/^9m1[0-3]s$/],
    [30,                 qr/^(?:2\d|30)s$/],
    [3 * 3600 + 5,       qr/^3h$|^2h59m$/],
    [3 * 3600 + 125,     qr/^3h[12]m$/],
    [2 * 86400 + 7205,   qr/^2d [12]h$/],
    [365 * 86400 + 60,   qr/^1y$|^364d 23h$/],
    [1000 * 86400 + 60,  qr/^2y 270d$|^2y 269d$/],
);

for my $span (@spans) {
    my ($seconds, $want) = @$span;

    inspect(token($alg, { exp => time + $seconds }));
    my ($in) = field('expires') =~ /\(expires in (.*)\)$/;
    like($in, $want, "expires in $seconds seconds");

    inspect(token($alg, { exp => time - $seconds, iat => time - 2e9,
                          nbf => time + 120 }));
    ok(field('expires') =~ /\(expired (.*) ago\)$/, "expired $seconds ago");
    like(field('not before'), qr/not valid yet, becomes valid in [12]m/,
        'not before');
}

my @times = (
    ['"soon"', qr/^\(not a number\)$/],
    ['true', qr/^\(not a number\)$/],
    ['null', qr/^\(not a number\)$/],
    ['[1]', qr/^\(not a number\)$/],
    ['1e300', qr/^\(not a possible time\)$/],
    ['-1e300', qr/^\(not a possible time\)$/],
    ['9223372036854775807', qr/^\(not a possible time\)$/],
    ['-9223372036854775808', qr/^\(not a possible time\)$/],
    ['999999999999999', qr/^999999999999999 \(expires in \d+y/],
    ['253402300799', qr/^9999-12-31 23:59:59 UTC \(expires in \d+y/],
    ['253402300800', qr/^253402300800 \(expires in \d+y/],
    ['-1', qr/^-1 \(expired \d+y/],
    ['0', qr/^1970-01-01 00:00:00 UTC \(expired/],
    ['1795440798.75', qr/^2026-11-23 13:33:18 UTC \(expire/],
);

for my $case (@times) {
    my ($value, $want) = @$case;
    inspect(token($alg, "{\"exp\":$value}"));
    is($c->{status}, 0, "exp $value is shown");
    like(field('expires'), $want, '... as far as possible');
}


# what the module refuses is shown, with a remark

inspect(token({ alg => 'none' }, { sub => 'x' }, ''));
is($c->{status}, 0, 'alg none: exit status 0');
is(field('algorithm'), 'none', 'alg none');
like($out, qr/^remark: the module refuses this token/m, '... with a remark');
like($out, qr/no signature/, '... why');

inspect(token({ alg => 'HS256' }, { sub => 'x' }));
is(field('subject'), 'x', 'alg HS256 is shown');
like($out, qr/^remark: .*bad_algorithm/m, '... with a remark');

inspect(token($alg, '{"sub":"a","sub":"b"}'));
is($c->{status}, 0, 'duplicate member: exit status 0');
like($out, qr/^remark: .*malformed/m, '... with a remark');

inspect(token({ alg => 'RS256', crit => ['x'] }, { sub => 'x' }));
like($out, qr/^remark: .*malformed/m, 'crit: with a remark');

inspect(token($alg, { sub => 'x' }));
unlike($out, qr/^remark/m, 'no remark');
like(field('kind'), qr/^other/, 'neither legacy nor projected');


# claims of wrong types

inspect(token({ alg => 1, kid => [] }, { iss => 1, sub => {}, aud => [1, 'b'],
    'kubernetes.io' => { namespace => 1, serviceaccount => 'x', pod => 5,
                         warnafter => 'x' } }));
is($c->{status}, 0, 'wrong types: exit status 0');
is(field('issuer'), '(not a string)', 'iss is a number');
is(field('audiences'), '(not a string), b', 'aud has a number');
is(field('bound to'), 'pod none (uid none)', 'pod is a number');
is(field('service account'), '(not a string)/none (uid none)', 'namespace');

inspect(token($alg, { aud => [], 'kubernetes.io' => 'x' }));
is(field('audiences'), 'none', 'aud is empty');
like(field('kind'), qr/^other/, 'kubernetes.io is a string');


# control characters in claims do not reach the terminal

inspect(token($alg, '{"sub":"\u001b[31m\u0000\n\u0085\u202e\u007f"}'));
is($c->{status}, 0, 'control characters: exit status 0');
unlike($out, qr/[\x00-\x09\x0b-\x1f\x7f-\x9f]|\xc2[\x80-\x9f]|\xe2\x80\xae/,
    '... none in the output');
is(field('subject'), '\u001b[31m\u0000\n\u0085\u202e\u007f', '... escaped');
my ($p) = $out =~ /^claims:\n(\{.*?^\})/ms;
is($json->decode($p)->{sub}, "\e[31m\0\n\x{85}\x{202e}\x7f",
    '... and the JSON still says the same');

inspect(token({ alg => "\e[31m" }, { "\e[31m\x7f" => "\e[31m" }));
unlike($out, qr/[\e\x7f]/, 'names and header, too');


# malformed

my @malformed = (
    ['', qr/empty or only white space/],
    [" \n", qr/empty or only white space/],
    ['abc', qr/1 part instead of 3/],
    ['a.b', qr/2 parts instead of 3/],
    ['a.b.c.d', qr/4 parts/],
    ['a.b.c.d.e', qr/5 parts .* \(JWE\)/],
    ['....................', qr/21 parts/],
    ['..', qr/header is not a JSON object/],
    ['!!!.e30.x', qr/header is not base64url/],
    ['Bearer ' . token($alg, {}), qr/malformed token: it begins with "Bearer"/],
    [encode_base64(token($alg, {})), qr/"base64 -d" decodes it/],
    ['e30=.e30.x', qr/header is not base64url/],
    ["e3\n0.e30.x", qr/header is not base64url/],
    ['e30.e31.x', qr/payload is not base64url/],
    ['e30.W10.x', qr/payload is not a JSON object/],
    ['e30.fQ.x', qr/payload is not a JSON object/],
    [token($alg, '{"exp":1e999}'), qr/payload holds a number out of range/],
    [token($alg, '{"a":99999999999999999999}'), qr/number out of range/],
    [token($alg, "{\"a\":\"\xff\"}"), qr/payload is not a JSON object/],
    [token($alg, '[' x 100000), qr/payload is not a JSON object/],
);

for my $case (@malformed) {
    my ($content, $want) = @$case;
    inspect($content);
    my $name = substr($content, 0, 20) =~ s/\n/?/gr;
    is($c->{status}, 1, "malformed \"$name\": exit status 1");
    like($c->{err}, $want, '... why');
    is($c->{out}, '', '... nothing is shown');
}


# sources of the token

my $file = spew('token', "\n  " . token($alg, { sub => 'x' }) . "\r\n");
is(client('inspect', $file)->{status}, 0, 'white space around');
is(client('inspect', '--', $file)->{status}, 0, '--');

for my $name ('/nonexistent', dir()) {
    $c = client('inspect', $name);
    is($c->{status}, 2, "$name: exit status 2");
    like($c->{err}, qr/cannot (?:open|read) "\Q$name\E": /, '... why');
}

$c = client('inspect', spew('large', 'x' x 1048576));
is($c->{status}, 2, 'a megabyte: exit status 2');
like($c->{err}, qr/longer than 1048575 bytes/, '... why');

$c = client({ out => '/dev/full' }, 'inspect', $file);
is($c->{status}, 1, 'standard output full: exit status 1');

SKIP: {
    skip 'there is a service account here', 1
        if -e '/var/run/secrets/kubernetes.io/serviceaccount/token';

    like(client('inspect')->{err},
        qr{"/var/run/secrets/kubernetes\.io/serviceaccount/token"}, 'default');
}

done_testing();
