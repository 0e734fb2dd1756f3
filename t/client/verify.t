# SPDX-License-Identifier: BSD-2-Clause

# verify: runs the module's own check offline.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use ClientTest;

use Crypt::JWT qw(encode_jwt);
use Crypt::PK::ECC;
use Crypt::PK::RSA;
use MIME::Base64 qw(encode_base64);


my $c;

my $real = '1.36.2';
my $sa_pub = fixture("$real/sa.pub");
my $jwks = fixture("$real/jwks.json");
my $pod = fixture("$real/tokens/long-aud-service2-pod.jwt");
my $es256 = fixture("$real/tokens/long-es256-aud-service2-pod.jwt");
my $legacy = fixture("$real/tokens/legacy-manual.jwt");
my $name = 'system:serviceaccount:mytest:service1';
my $issuer = 'https://kubernetes.default.svc';


sub valid {
    my ($why, @args) = @_;
    $c = client('verify', @args);
    is($c->{status}, 0, "$why: exit status 0") or diag($c->{out}, $c->{err});
    like($c->{out}, qr/\Avalid: /, "$why: valid");
    unlike($c->{out}, qr/^hint/m, "$why: no hint");
    is($c->{err}, '', "$why: nothing on standard error");
}

sub invalid {
    my ($why, $word, @args) = @_;
    $c = client('verify', @args);
    is($c->{status}, 1, "$why: exit status 1");
    like($c->{out}, qr/\Ainvalid: $word: \w.*\n/, "$why: $word");
    unlike($c->{out}, qr/^valid/m, "$why: not valid");
}

sub hint {
    my ($want) = @_;
    like($c->{out}, qr/^hint: +\Q$want\E/m, "hint: $want");
}

sub unusable {
    my ($why, $want, @args) = @_;
    $c = client('verify', @args);
    is($c->{status}, 2, "$why: exit status 2");
    like($c->{err}, $want, "$why: why");
    is($c->{out}, '', "$why: nothing on standard output");
}


# tokens from a real API server

for my $keys (['--pub-key', $sa_pub], ['--jwks', $jwks]) {
    valid("$keys->[0]", @$keys, '--audience', 'service2', '--issuer', $issuer,
          $pod);
    like($c->{out}, qr/\Avalid: \Q$name\E$/m, 'user name');
    like($c->{out}, qr/^issuer: +\Q$issuer\E$/m, 'issuer');
    like($c->{out}, qr/^audience: +service2$/m, 'audience');
    like($c->{out}, qr/^algorithm: +RS256$/m, 'algorithm');
    like($c->{out}, qr/^key id: +6CUMo4qrTD8F484yYk2bvfEuRF_CsY6SkkG3fd-yRJ8$/m,
        'kid');
    like($c->{out}, qr/^expires: +2126-.* \(in \d+y/m, 'expiry');
}

valid('ES256', '--jwks', $jwks, '--audience', 'service2', $es256);
like($c->{out}, qr/^algorithm: +ES256$/m, 'algorithm');
valid('ES256 by PEM', '--pub-key', fixture("$real/keys/sa-ec.pub"), $es256);
valid('two files of keys', '--pub-key', $sa_pub, '--pub-key',
      fixture("$real/keys/sa-ec.pub"), $es256);
valid('both kinds of files', '--pub-key', $sa_pub, '--jwks', $jwks, $es256);

my ($signature) = slurp($pod) =~ /\.([^.]{20})[^.]*\z/;
unlike($c->{out}, qr/\Q$signature\E/, 'no signature shown');


# the output tells what was not checked

valid('no --audience', '--pub-key', $sa_pub, $pod);
like($c->{out}, qr/^audience: +service2 \(not checked: no --audience/m,
    'audience not checked');
like($c->{out}, qr/^issuer: .*\(not checked: no --issuer/m,
    'issuer not checked');


# the reasons for a refusal

invalid('other key', 'unknown_key', '--pub-key',
        fixture("$real/keys/sa-ec.pub"), $pod);
like($c->{out}, qr/^algorithm: +RS256$/m, 'algorithm');
like($c->{out}, qr/^key id: +6CUMo4qrTD8F484yYk2bvfEuRF_CsY6SkkG3fd-yRJ8$/m,
    'kid');
hint('--jwks or --pub-key');
invalid('same kid, other key', 'bad_signature', '--pub-key', $sa_pub,
        fixture("$real/tokens/forged-other-key.jwt"));
invalid('audience', 'wrong_audience', '--pub-key', $sa_pub, '--audience', 'x',
        $pod);
like($c->{out}, qr/service2/, 'shows the actual audience');
hint('--audience');
valid('one of several', '--pub-key', $sa_pub, '--audience', 'x', '--audience',
      'service2', $pod);
invalid('issuer', 'wrong_issuer', '--pub-key', $sa_pub, '--issuer', 'x', $pod);
hint('--issuer');
valid('one of several', '--pub-key', $sa_pub, '--issuer', 'x', '--issuer',
      $issuer, $pod);
invalid('algorithm', 'bad_algorithm', '--jwks', $jwks, '--algorithms',
        'RS256,RS512', $es256);
hint('--algorithms accepts ES256');
valid('algorithm', '--jwks', $jwks, '--algorithms', 'RS256,ES256', $es256);
invalid('legacy', 'legacy_token', '--pub-key', $sa_pub, $legacy);
is((split /\n/, $c->{out})[0],
    'invalid: legacy_token: legacy tokens are not accepted', 'reason, once');
hint('--legacy');
valid('--legacy', '--pub-key', $sa_pub, '--legacy', $legacy);
like($c->{out}, qr/^expires: +never$/m, 'never expires');

for my $claim ('no-exp', 'no-sub', 'other-sub', 'no-kubernetes.io') {
    invalid($claim, 'bad_claims', '--pub-key', $sa_pub, '--at',
            '2026-11-23T12:40:00Z',
            fixture("$real/tokens/forged-$claim.jwt"));
    unlike($c->{out}, qr/^hint/m, '... and no option would help');
}


# time: this token's exp is 1795440798

my $exp600 = fixture("$real/tokens/aud-service2-pod.jwt");
my @at = ('--pub-key', $sa_pub, '--at');

valid('before it expires', @at, '1795440797', $exp600);
valid('within the leeway', @at, '1795440857', $exp600);
invalid('after it', 'expired', @at, '1795440860', $exp600);
hint('--at');
valid('longer leeway', @at, '1795440860', '--leeway', '5m', $exp600);
invalid('longer leeway', 'expired', @at, '1795441100', '--leeway', '5m',
        $exp600);
invalid('no leeway', 'expired', @at, '1795440799', '--leeway', '0', $exp600);
valid('as a date', @at, '2026-11-23T13:33:17Z', $exp600);
invalid('as a date', 'expired', @at, '2026-11-23T13:35:00Z', $exp600);
invalid('as a date', 'expired', @at, '9999-12-31T23:59:59Z', $exp600);
invalid('too early', 'not_yet_valid', @at, '2026-11-23T12:00:00Z', $exp600);


# tokens signed here, valid now

my $rsa = Crypt::PK::RSA->new;
$rsa->generate_key(256);
my $pub = spew('rsa.pub', $rsa->export_key_pem('public_x509'));
my $private = spew('rsa.key', $rsa->export_key_pem('private'));

sub token {
    my ($claims, %opt) = @_;
    return spew('token', encode_jwt(payload => $claims, alg => 'RS256',
                                    key => $rsa, %opt) . "\n");
}

sub claims {
    return { iss => $issuer, sub => $name, aud => ['service2'],
             exp => time + 600, iat => time, nbf => time,
             'kubernetes.io' => { namespace => 'mytest', serviceaccount =>
                                  { name => 'service1', uid => 'u' } }, @_ };
}

valid('our own', '--pub-key', $pub, token(claims()));
like($c->{out}, qr/^expires: .*\(in (?:10m|9m5\ds)\)$/m, 'lifetime');
invalid('expired', 'expired', '--pub-key', $pub,
        token(claims(exp => time - 61)));
invalid('iat in the future', 'not_yet_valid', '--pub-key', $pub,
        token(claims(iat => time + 120, nbf => time + 120)));
invalid('control character', 'bad_claims', '--pub-key', $pub,
        '--not-kubernetes', token({ claims => 1, iss => 'x', aud => 'x',
                                    exp => time + 60, sub => "a\e[31m" }));
unlike($c->{out}, qr/\e/, '... is not shown');
valid('not Kubernetes', '--pub-key', $pub, '--not-kubernetes',
      token({ iss => 'https://keycloak.example/realms/x', aud => 'service2',
              sub => 'someone', exp => time + 60 }));
like($c->{out}, qr/\Avalid: someone$/m, 'the user is sub');
invalid('not Kubernetes', 'bad_claims', '--pub-key', $pub,
        token({ iss => 'x', aud => 'service2', sub => 'x',
                exp => time + 60 }));
hint('--not-kubernetes');
invalid('expired, too', 'bad_claims', '--pub-key', $pub,
        token({ iss => 'x', aud => 'service2', sub => 'x', exp => 1 }));
hint('--not-kubernetes');


# attacks on signature verification

invalid('alg none', '(?:malformed|bad_algorithm)', '--pub-key', $pub,
        token(claims(), alg => 'none', allow_none => 1));
invalid('HMAC with the public key', 'bad_algorithm', '--pub-key', $pub,
        token(claims(), alg => 'HS256', key => slurp($pub)));
hint('"inspect" shows the algorithm');
invalid('cut', 'malformed', '--pub-key', $pub, spew('cut', 'a.b'));
invalid('empty', 'no_token', '--pub-key', $pub, spew('none', "\n"));
invalid('16 KiB + 1', 'too_large', '--pub-key', $pub,
        spew('large', 'a' x 16385));
invalid('the header', 'malformed', '--pub-key', $pub,
        spew('bearer', 'bearer ' . slurp($pod)));
hint('it begins with "Bearer"');
invalid('base64', 'malformed', '--pub-key', $pub,
        spew('base64', encode_base64(slurp($pod))));
hint('it is in base64');
invalid('large base64', 'too_large', '--pub-key', $pub,
        spew('base64', 'ZXlK' x 5000));
hint('it is in base64');


# standard input

my $content = slurp(token(claims()));
is(client({ stdin => $content }, 'verify', '--pub-key', $pub, '-')->{status},
    0, 'standard input');


# unusable files

unusable('no such key file', qr/cannot open "\/nonexistent"/, '--pub-key',
         '/nonexistent', $pod);
unusable('no such key set', qr/cannot open "\/nonexistent"/, '--jwks',
         '/nonexistent', $pod);
unusable('no such token', qr/cannot open "\/nonexistent"/, '--pub-key', $pub,
         '/nonexistent');
unusable('key set as PEM', qr/"\Q$jwks\E": /, '--pub-key', $jwks, $pod);
unusable('PEM as key set', qr/"\Q$pub\E": /, '--jwks', $pub, $pod);
unusable('empty key file', qr/: /, '--pub-key', spew('empty', ''), $pod);

my $weak = Crypt::PK::RSA->new;
$weak->generate_key(128);
unusable('weak key', qr/1024/, '--pub-key',
         spew('weak.pub', $weak->export_key_pem('public_x509')), $pod);

my $stdin = client({ stdin => 'x' }, 'verify', '--pub-key', '/nonexistent',
                   '-');
is($stdin->{status}, 2, 'keys come first');


# notes

$c = client('verify', '--pub-key', $private, token(claims()));
is($c->{status}, 0, 'private key: its public half');
like($c->{err}, qr/note: "\Q$private\E" contains a private key/, '... a note');
unlike($c->{out} . $c->{err}, qr/PRIVATE|BEGIN/, '... and no more');

my $mixed = slurp($jwks) =~ s/"keys":\s*\[/"keys":[{"kty":"oct","k":"AAAA"},/r;
$c = client('verify', '--jwks', spew('mixed', $mixed), $pod);
is($c->{status}, 0, 'key set with a secret key');
like($c->{err}, qr/note: .*a key was passed over: /, '... a note');

done_testing();
