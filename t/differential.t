# SPDX-License-Identifier: BSD-2-Clause

# Every token that this module accepts is also accepted by a second
# implementation: thousands of tokens with one defect each are checked by
# k8s-sa-client verify and by Crypt::JWT.
#
# The tokens follow from K8S_SA_SEED (default 1), the keys are new each time.
# K8S_SA_TIMES multiplies the number of tokens with a random defect.

use strict;
use warnings;

my $now;

BEGIN {
    $now = 1795440000;
    *CORE::GLOBAL::time = sub { $now };
}

use Cwd qw(abs_path);
use Digest::SHA qw(sha256);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use MIME::Base64 qw(decode_base64 decode_base64url encode_base64url);
use Test::More;

use Crypt::JWT qw(decode_jwt);
use Crypt::Mac::HMAC qw(hmac);
use Crypt::PK::ECC;
use Crypt::PK::Ed25519;
use Crypt::PK::RSA;
use JSON::PP;


my $root = abs_path(dirname(__FILE__) . '/..');
my $client = abs_path($ENV{K8S_SA_CLIENT} || "$root/build/k8s-sa-client");

die "no k8s-sa-client: run make client, or set K8S_SA_CLIENT\n"
    unless $client && -x $client;

my $dir = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->canonical;

my $seed = $ENV{K8S_SA_SEED} || 1;
srand $seed;

my $times = $ENV{K8S_SA_TIMES} || 1;


# Keys, and a second set of the same types that no issuer has

my @algs = qw(RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA);

my %type = (
    (map { $_ => 'rsa' } grep { /^[RP]/ } @algs),
    ES256 => 'p256', ES384 => 'p384', ES512 => 'p521', EdDSA => 'ed25519',
);

my %order = (
    p256 => 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
    p384 => 'ffffffffffffffffffffffffffffffffffffffffffffffff'
            . 'c7634d81f4372ddf581a0db248b0a77aecec196accc52973',
    p521 => '01ff' . 'ff' x 31 . 'fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8'
            . '899c47aebb6fb71e91386409',
);

sub make_keys {
    my %keys;

    $keys{rsa} = Crypt::PK::RSA->new;
    $keys{rsa}->generate_key(256);

    for my $type (qw(p256 p384 p521)) {
        $keys{$type} = Crypt::PK::ECC->new;
        $keys{$type}->generate_key('sec' . $type . 'r1');
    }

    $keys{ed25519} = Crypt::PK::Ed25519->new;
    $keys{ed25519}->generate_key;

    return \%keys;
}

my $keys = make_keys();
my $foreign = make_keys();

sub jwk {
    my ($keys, $type) = @_;
    return { %{ $keys->{$type}->export_key_jwk('public', 1) }, kid => $type };
}

my @jwks = map { jwk($keys, $_) } sort keys %$keys;
my $jwks = "$dir/jwks.json";

sub spew {
    my ($file, $content) = @_;
    open my $fh, '>:raw', $file or die "$file: $!\n";
    print $fh $content;
    close $fh or die "$file: $!\n";
}

spew($jwks, $json->encode({ keys => \@jwks }));


# Signing; a token is { alg, header, payload } of any bytes, or a text

sub signature {
    my ($alg, $data, $by) = @_;
    my $key = ($by || $keys)->{ $type{$alg} };
    my ($bits) = $alg =~ /(\d+)/;

    return $key->sign_message($data) if $alg eq 'EdDSA';
    return $key->sign_message_rfc7518($data, "SHA$bits") if $alg =~ /^E/;
    return $key->sign_message($data, "SHA$bits", 'v1.5') if $alg =~ /^R/;
    return $key->sign_message($data, "SHA$bits", 'pss', $bits / 8);
}

sub join_parts { return join '.', map { encode_base64url($_) } @_ }

sub sign {
    my ($t, $by) = @_;
    my $data = join_parts($t->{header}, $t->{payload});
    my $sig = signature($t->{sign_as} || $t->{alg}, $data, $by);
    return $data . '.' . encode_base64url($sig);
}

sub parts { return map { decode_base64url($_) } split /\./, $_[0] }


# Good ones: header and claims as text, so that they can be damaged

my $n = 0;

sub good {
    my ($alg) = @_;
    my $name = 'service' . ++$n;
    my $iat = $now - pick(0, 1, 30, 599);

    return {
        alg => $alg,
        header => qq({"alg":"$alg","kid":"$type{$alg}"}),
        payload => qq({"aud":["service2"],"exp":@{[ $iat + 600 ]},)
            . qq("iat":$iat,"iss":"https://kubernetes.default.svc",)
            . qq("jti":"9a36aa3f-4f9e-4277-9243-$n","kubernetes.io":{)
            . qq("namespace":"mytest","node":{"name":"node1",)
            . qq("uid":"ca69054d-d02f-47c9-aa00-df22ea57418d"},)
            . qq("pod":{"name":"pod1","uid":"32eca69f"},)
            . qq("serviceaccount":{"name":"$name","uid":"16fe82e9"}},)
            . qq("nbf":$iat,"sub":"system:serviceaccount:mytest:$name"}),
    };
}

sub pick { return $_[int rand @_] }

sub flip {
    my ($bytes, $from, $to) = @_;
    $from = 0 unless defined $from;
    $to = length $bytes unless defined $to;
    my $at = $from + int rand($to - $from);
    substr($bytes, $at, 1) ^= chr(1 << int rand 8);
    return $bytes;
}


# The two implementations

my $token_file = "$dir/token";
my @verify = ($client, 'verify', '--jwks', $jwks, '--at', $now,
              '--audience', 'service2',
              '--issuer', 'https://kubernetes.default.svc',
              '--algorithms', join(',', @algs), $token_file);

sub ours {
    my ($token) = @_;
    spew($token_file, $token);

    open my $fh, '-|', @verify or die "$client: $!\n";
    my $said = <$fh>;
    close $fh;

    return 'ok' if $? == 0 && $said =~ /^valid: /;
    return $1 if $? == 256 && $said =~ /^invalid: ([a-z_]+): /;
    die "$client ended with $?: " . ($said || '');
}

sub theirs {
    my ($token) = @_;

    for my $jwk (@jwks) {
        my $payload = eval {
            decode_jwt(token => $token, key => $jwk, accepted_alg => \@algs,
                decode_payload => 1, leeway => 60, verify_exp => 1,
                verify_nbf => undef, verify_iat => undef,
                verify_iss => 'https://kubernetes.default.svc',
                verify_sub => qr/\Asystem:serviceaccount:/,
                verify_aud => sub {
                    my $aud = shift;
                    return scalar grep { $_ eq 'service2' }
                                       ref $aud ? @$aud : $aud;
                })
        };
        return 'ok' if ref $payload eq 'HASH';
    }

    return $@ || 'no key';
}


# defect(WHAT, EXPECT, COUNT, MAKE): MAKE->(good token) returns a token with a
# defect.  EXPECT is 'never' accepted, 'always', or 'maybe', in which case the
# second implementation decides.

my ($tokens, $accepted) = (0, 0);

sub defect {
    my ($what, $expect, $count, $make) = @_;
    my ($ok, @bad) = (0);

    for my $i (1 .. $count) {
        my $token = $make->(good($algs[$i % @algs]), $i);
        $token = sign($token) if ref $token;

        # the client strips white space from the ends of a file
        $token =~ s/\A[ \t\r\n]+|[ \t\r\n]+\z//g;

        my $verdict = ours($token);
        $tokens++;

        if ($verdict ne 'ok') {
            push @bad, "$verdict: $token" if $expect eq 'always';
            next;
        }

        $ok++;
        $accepted++;
        push @bad, "accepted: $token" if $expect eq 'never';

        my $other = theirs($token);
        push @bad, "accepted, but Crypt::JWT: $other: $token"
            if $other ne 'ok';
    }

    ok(!@bad, "$what: $count tokens, $ok accepted")
        or diag(join "\n", @bad[0 .. ($#bad > 4 ? 4 : $#bad)]);
}

# Returns the entries of a list in turn, so that each one is used.
sub each_of {
    my ($what, $expect, $times, $make, @list) = @_;
    defect($what, $expect, $times * @list,
           sub { $make->($_[0], $list[($_[1] - 1) % @list]) });
}

sub edit {
    my ($part, $from, $to) = @_;
    return sub {
        my ($t) = @_;
        $t->{$part} =~ s/$from/$to/ or die "no $from in $t->{$part}";
        return $t;
    };
}

sub claim {
    my ($t, $name, $value) = @_;
    my $re = qr/"\Q$name\E":(\[[^]]*\]|"[^"]*"|\d+)/;

    if (defined $value) {
        $t->{payload} =~ s/$re/"$name":$value/ or die "no $name";

    } else {
        $t->{payload} =~ s/$re,|,$re// or die "no $name";
    }

    return $t;
}


defect('undamaged', 'always', 5 * @algs, sub { return $_[0] });


# The text

defect('a bit of the signature', 'never', 100 * $times, sub {
    my ($header, $payload, $sig) = parts(sign($_[0]));
    my $at = pick(0, 1, int(length($sig) / 2) - 1, int(length($sig) / 2),
                  length($sig) - 1, int rand length $sig);
    return join_parts($header, $payload, flip($sig, $at, $at + 1));
});

defect('a bit of header or payload, not signed again', 'never', 50 * $times,
       sub {
    my @parts = parts(sign($_[0]));
    my $i = pick(0, 1);
    $parts[$i] = flip($parts[$i]);
    return join_parts(@parts);
});

defect('another character of base64url', 'never', 50 * $times, sub {
    my $token = sign($_[0]);
    my $at = int rand length $token;
    my $ch = pick('a' .. 'z', 'A' .. 'Z', 0 .. 9, '-', '_');
    $ch = $ch eq '_' ? '-' : '_' if $ch eq substr $token, $at, 1;
    substr($token, $at, 1) = $ch;
    return $token;
});

defect('another byte', 'never', 50 * $times, sub {
    my $token = sign($_[0]);
    my $at = 1 + int rand(length($token) - 2);
    my $ch = chr int rand 256;
    $ch = '~' if $ch eq substr $token, $at, 1;
    substr($token, $at, 1) = $ch;
    return $token;
});

each_of('padding', 'never', 2, sub {
    my ($t, $where) = @_;
    my @parts = split /\./, sign($t);
    my ($i, $pad) = @$where;
    $parts[$i] .= $pad;
    return join '.', @parts;
}, map { my $i = $_; map { [$i, $_] } '=', '==', '%3D' } 0 .. 2);

defect('white space or NUL inside', 'never', 40 * $times, sub {
    my $token = sign($_[0]);
    my $at = 1 + int rand(length($token) - 2);
    substr($token, $at, 0) = pick(' ', "\t", "\n", "\r\n", "\0", "\x0b",
                                  "\xa0");
    return $token;
});

defect('unused bits that are set', 'never', 40 * $times, sub {
    my $abc = join '', 'A' .. 'Z', 'a' .. 'z', 0 .. 9, '-_';
    my ($t) = @_;

    for (1 .. 50) {
        $t->{payload} .= ' ';
        my @parts = split /\./, sign($t);
        my @odd = grep { length($parts[$_]) % 4 } 0 .. 2 or next;
        my $i = pick(@odd);
        my $last = index $abc, substr $parts[$i], -1;
        $last |= length($parts[$i]) % 4 == 2 ? 1 + int rand 15
                                             : 1 + int rand 3;
        substr($parts[$i], -1) = substr $abc, $last, 1;
        return join '.', @parts;
    }

    die "no part with unused bits";
});

defect('the other alphabet', 'never', 30, sub {
    my ($t) = @_;

    for (1 .. 100) {
        my $token = sign($t);
        $t->{payload} .= ' ';
        my @at = grep { substr($token, $_, 1) =~ /[-_]/ } 0 .. length $token;
        next if !@at;
        my $at = pick(@at);
        substr($token, $at, 1) =~ tr{-_}{+/};
        return $token;
    }

    die "neither - nor _";
});

each_of('number of parts', 'never', 3, sub {
    my ($t, $make) = @_;
    return $make->(split /\./, sign($t));
}, sub { "$_[0].$_[1]" }, sub { "$_[0].$_[1]." }, sub { "$_[0]..$_[2]" },
   sub { ".$_[1].$_[2]" }, sub { "$_[0].$_[1].$_[2]." },
   sub { ".$_[0].$_[1].$_[2]" }, sub { "$_[0].$_[1].$_[2].$_[2]" },
   sub { "$_[0].$_[1]..$_[2]" }, sub { $_[0] . $_[1] . $_[2] },
   sub { "$_[0].$_[1].$_[2] $_[0].$_[1].$_[2]" }, sub { '...' },
   sub { "$_[1].$_[0].$_[2]" }, sub { "$_[0].$_[2].$_[1]" });

defect('cut, or longer', 'never', 40 * $times, sub {
    my $token = sign($_[0]);
    return substr $token, 0, 1 + int rand(length($token) - 1) if rand 2 < 1;
    return $token . substr 'AAAA_Zz0', int rand 4, 1 + int rand 4;
});


# Signatures

sub number { return length $_[0] ? $_[0] : "\0" }

sub der {
    my ($r, $s) = map { s/\A\0+//r } @_;
    my @ints = map { /\A[\x80-\xff]/ ? "\0$_" : number($_) } $r, $s;
    my $body = join '', map { "\x02" . chr(length) . $_ } @ints;
    return "\x30" . (length $body > 127 ? "\x81" : '') . chr(length $body)
           . $body;
}

sub ec_signature {
    my ($change) = @_;

    return sub {
        my ($t, undef) = @_;
        $t = good(pick(qw(ES256 ES384 ES512)));
        my ($header, $payload, $sig) = parts(sign($t));
        my $half = length($sig) / 2;
        my @rs = (substr($sig, 0, $half), substr($sig, $half));
        my $order = pack 'H*', $order{ $type{ $t->{alg} } };
        return join_parts($header, $payload, $change->(@rs, $order));
    };
}

my %ecdsa = (
    'R is 0' => sub { "\0" x length($_[0]) . $_[1] },
    'S is 0' => sub { $_[0] . "\0" x length $_[1] },
    'both are 0' => sub { "\0" x (2 * length $_[0]) },
    'R is the order' => sub { $_[2] . $_[1] },
    'S is the order' => sub { $_[0] . $_[2] },
    'both are 1' => sub { ("\0" x (length($_[0]) - 1) . "\1") x 2 },
    'all bits' => sub { "\xff" x (2 * length $_[0]) },
    'swapped' => sub { $_[1] . $_[0] },
    'DER' => sub { der(@_[0, 1]) },
    'a zero before each' => sub { "\0$_[0]\0$_[1]" },
    'a zero before all' => sub { "\0$_[0]$_[1]" },
    'a zero after it' => sub { "$_[0]$_[1]\0" },
    'R alone' => sub { $_[0] },
    'cut by one' => sub { substr $_[0] . $_[1], 0, -1 },
);

for my $what (sort keys %ecdsa) {
    defect("ECDSA: $what", 'never', 6, ec_signature($ecdsa{$what}));
}

# the same point: RFC 7518 does not forbid it

defect('ECDSA: minus S', 'always', 6, ec_signature(sub {
    my ($r, $s, $order) = @_;
    my ($borrow, $out) = (0, '');

    for my $i (reverse 0 .. length($s) - 1) {
        my $d = ord(substr $order, $i, 1) - ord(substr $s, $i, 1) - $borrow;
        $borrow = $d < 0 ? 1 : 0;
        $out = chr($d & 255) . $out;
    }

    return $r . $out;
}));

each_of('length of a signature', 'never', 1, sub {
    my ($t, $how) = @_;
    my ($header, $payload, $sig) = parts(sign($t));
    return join_parts($header, $payload, $how->($sig));
}, map { ($_) x 10 } sub { "\0$_[0]" }, sub { "$_[0]\0" },
   sub { substr $_[0], 0, -1 }, sub { substr $_[0], 1 }, sub { "\0" },
   sub { $_[0] . $_[0] }, sub { "\0" x length $_[0] },
   sub { "\xff" x length $_[0] });

defect('the signature of another token', 'never', 30, sub {
    my ($t, $i) = @_;
    my ($header, $payload) = parts(sign($t));
    my (undef, undef, $sig) = parts(sign(good($t->{alg})));
    return join_parts($header, $payload, $sig);
});

defect('another algorithm in the header, not signed again', 'never',
       60 * $times, sub {
    my ($t) = @_;
    my (undef, undef, $sig) = parts(sign($t));
    my $alg = pick(grep { $_ ne $t->{alg} } @algs);
    $t->{header} =~ s/"alg":"\w+"/"alg":"$alg"/;
    $t->{header} =~ s/"kid":"\w+"/"kid":"$type{$alg}"/ if rand 2 < 1;
    return join_parts($t->{header}, $t->{payload}, $sig);
});

defect('signed by another algorithm', 'never', 60 * $times, sub {
    my ($t) = @_;
    $t->{sign_as} = pick(grep { $_ ne $t->{alg} } @algs);
    $t->{header} =~ s/,"kid":"\w+"// if rand 2 < 1;
    return $t;
});

defect('signed by a key that is not in the set', 'never', 30, sub {
    my ($t) = @_;
    $t->{header} =~ s/,"kid":"\w+"// if rand 2 < 1;
    return sign($t, $foreign);
});

defect('signed by a key in its own header', 'never', 30, sub {
    my ($t) = @_;
    my $jwk = $json->encode(jwk($foreign, $type{ $t->{alg} }));
    $t->{header} =~ s/\}\z/,"jwk":$jwk}/;
    $t->{header} =~ s/,"kid":"\w+"// if rand 2 < 1;
    return sign($t, $foreign);
});

each_of('PSS with a salt of another length', 'never', 3, sub {
    my ($t, $salt) = @_;
    $t = good('PS256');
    my $data = join_parts($t->{header}, $t->{payload});
    my $sig = $keys->{rsa}->sign_message($data, 'SHA256', 'pss', $salt);
    return $data . '.' . encode_base64url($sig);
}, 0, 20, 31, 33, 64, 222);

my $pem = $keys->{rsa}->export_key_pem('public_x509');

each_of('HMAC with public data, and none', 'never', 1, sub {
    my ($t, $how) = @_;
    my ($alg, $secret) = @$how;
    $t = good('RS256');
    $t->{header} =~ s/RS256/$alg/;
    my $data = join_parts($t->{header}, $t->{payload});
    my ($bits) = $alg =~ /(\d+)/;
    return "$data." . (defined $secret
        ? encode_base64url(hmac("SHA$bits", $secret, $data)) : 'AAAA');
}, (map { my $alg = $_; map { [$alg, $_] }
        $pem, decode_base64($pem =~ s/^-.*\n//mgr),
        $keys->{rsa}->export_key_pem('public'),
        $json->encode(jwk($keys, 'rsa')), "\0" } qw(HS256 HS384 HS512)),
   map { [$_, undef] } qw(none None NONE nOnE HS256 null));


# Headers, with a valid signature

sub header {
    my ($t, $header) = @_;
    $t->{header} = $header =~ s/ALG/"$t->{alg}"/gr
                           =~ s/KID/"$type{ $t->{alg} }"/gr;
    return $t;
}

each_of('header', 'always', 2, \&header,
    '{"alg":ALG}', '{"kid":KID,"alg":ALG}', '{"alg":ALG,"typ":"JWT"}',
    ' { "alg" : ALG , "kid" : KID } ', '{"alg":ALG,"typ":1,"cty":null}',
    '{"alg":ALG,"kid":null}',
    '{"\u0061lg":ALG}', '{"alg":ALG,"jku":"https://x/","x5u":"https://x/"}',
    '{"alg":ALG,"x5c":["AAAA"],"x":{"crit":1}}');

each_of('header', 'never', 2, \&header,
    '{"alg":ALG,"crit":["exp"]}', '{"alg":ALG,"crit":[]}',
    '{"alg":ALG,"crit":null}', '{"alg":ALG,"b64":false}',
    '{"alg":ALG,"b64":true}', '{"alg":ALG,"kid":"nobody"}',
    '{"alg":ALG,"kid":1}', '{"alg":ALG,"kid":[KID]}',
    '{"alg":ALG,"alg":ALG}', '{"alg":"none","alg":ALG}',
    '{"alg":ALG,"alg":"none"}', '{"alg":ALG,"\u0061lg":"none"}',
    '{"alg":ALG,"kid":KID,"kid":KID}', '{"alg":[ALG]}', '{"alg":null}',
    '{"kid":KID}', '{"Alg":ALG}', '{}', '[]', '[{"alg":ALG}]', 'null', 'ALG',
    '{"alg":ALG}{}', '{"alg":ALG}x', "{\"alg\":ALG}\0",
    "\xef\xbb\xbf{\"alg\":ALG}",
    '{"alg":ALG,}', "{'alg':ALG}", '{"alg":ALG', '"alg":ALG',
    "{\"alg\":ALG,\"x\":\"\xff\"}", "{\"alg\":ALG,\"x\":\"\xed\xa0\x80\"}",
    "{\"alg\":ALG,\"x\":\"\xc0\x80\"}", "{\"alg\":ALG,\"x\":\"\n\"}",
    '{"alg":ALG,"x":"\ud800"}', '{"alg":ALG,"x":"\u0000"}',
    '{"alg":ALG,"x":01}', '{"alg":ALG,"x":+1}', '{"alg":ALG,"x":NaN}',
    '{"alg":ALG/**/}', '{"alg":ALG,"x":' . '[' x 40 . ']' x 40 . '}',
    '{"alg":ALG,"kid":"' . 'a' x 1025 . '"}');

each_of('the name of the algorithm', 'never', 1, sub {
    my ($t, $change) = @_;
    my $alg = $change->($t->{alg});
    $t->{header} =~ s/"alg":"\w+"/"alg":"$alg"/;
    return $t;
}, map { ($_) x 10 } sub { lc $_[0] eq $_[0] ? uc $_[0] : lc $_[0] },
   sub { " $_[0]" }, sub { "$_[0] " }, sub { "$_[0]\\u0000" },
   sub { substr $_[0], 0, -1 }, sub { "$_[0]0" }, sub { '' });


# Claims, with a valid signature

for my $name (qw(exp nbf iat)) {
    each_of("$name is not a time", 'never', 1,
            sub { claim($_[0], $name, $_[1]) },
        '"1795440100"', '-1', '-0', 'true', 'false', '[]', '{}',
        '[1795440100]', '""', '9223372036854775808', '1' . '0' x 30, '1e400', '-1795440100',
        '01795440100', '+1795440100', '0x6b03a2e4', 'NaN', 'Infinity');
}

each_of('exp is null', 'never', 3, sub { claim($_[0], 'exp', $_[1]) }, 'null');
for my $name (qw(nbf iat)) {
    each_of("$name is null", 'always', 3,
            sub { claim($_[0], $name, $_[1]) }, 'null');
}

each_of('exp with a fraction or an exponent', 'always', 3,
        sub { claim($_[0], 'exp', $_[1]) },
        '1795440100.0', '1.7954401e9', '17954401E2', '1795440100.75');

each_of('expired', 'never', 3, sub { claim($_[0], 'exp', $_[1]) },
        $now - 61, $now - 62, $now - 3600, 0, 1);
each_of('expired within the leeway', 'always', 3,
        sub { claim($_[0], 'exp', $_[1]) }, $now, $now - 1, $now - 59);
each_of('long lifetime', 'always', 3, sub { claim($_[0], 'exp', $_[1]) },
        $now + 1, 4294967296, 9007199254740993, 9223372036854775807);

for my $name (qw(nbf iat)) {
    each_of("$name in the future", 'never', 3,
            sub { claim($_[0], $name, $_[1]) }, $now + 61, $now + 62,
            $now + 3600, 9223372036854775807);
    each_of("$name within the leeway", 'always', 3,
            sub { claim($_[0], $name, $_[1]) }, $now, $now + 1, $now + 60, 0);
}

each_of('a claim is missing', 'never', 3, sub { claim(@_) },
        qw(exp aud iss sub));
each_of('an optional claim is missing', 'always', 3, sub { claim(@_) },
        qw(nbf iat jti));

each_of('audience', 'never', 2, sub { claim($_[0], 'aud', $_[1]) },
    '"service3"', '["service3"]', '[]', '{}', 'null', '""', '[""]', '1', 'true',
    '["service2",1]', '["service2",null]', '[["service2"]]',
    '{"service2":"service2"}', '"service2 "', '" service2"', '"Service2"',
    '"service2\u0000"', '"service"', '"service2,service3"', '["service22"]');
each_of('audience', 'always', 2, sub { claim($_[0], 'aud', $_[1]) },
    '"service2"', '["service3","service2"]', '["service2","service2"]',
    '["servic\u00652"]', '["","service2"]');

each_of('issuer', 'never', 2, sub { claim($_[0], 'iss', $_[1]) },
    '""', 'null', '1', '["https://kubernetes.default.svc"]', '{}',
    '"https://kubernetes.default.svc/"', '"https://Kubernetes.default.svc"',
    '"https://kubernetes.default.svc "', '"https://kubernetes.default.sv"',
    '"https://kubernetes.default.svc\u0000"', '"kubernetes/serviceaccount"');

each_of('subject', 'never', 2, sub { claim($_[0], 'sub', $_[1]) },
    '""', 'null', '1', '[]', '"system:serviceaccount:mytest:other"',
    '"system:serviceaccount:other:service1"', '"system:admin"',
    '"system:serviceaccount:mytest:service1:x"', '"service1"',
    '"system:serviceaccount:mytest:service1\u000a"');

each_of("Kubernetes' own claims", 'never', 2, sub {
    my ($t, $change) = @_;
    $t->{payload} =~ s/$change->[0]/$change->[1]/ or die "no $change->[0]";
    return $t;
}, [qr/"namespace":"mytest"/, '"namespace":"other"'],
   [qr/"namespace":"mytest",/, ''], [qr/"namespace":"mytest"/, '"namespace":1'],
   [qr/"name":"service\d+"/, '"name":"other"'],
   [qr/"name":"service\d+"/, '"name":"a:b"'],
   [qr/"name":"service\d+",/, ''], [qr/,"uid":"16fe82e9"/, ''],
   [qr/"uid":"16fe82e9"/, '"uid":""'], [qr/"uid":"16fe82e9"/, '"uid":"\u000d"'],
   [qr/"kubernetes\.io":/, '"kubernetes_io":'],
   [qr/"serviceaccount":\{[^}]*\}/, '"serviceaccount":[]'],
   [qr/"serviceaccount":\{[^}]*\}/, '"serviceaccount":"service1"'],
   [qr/"pod":\{[^}]*\}/, '"pod":"pod1"'],
   [qr/"name":"pod1"/, '"name":"pod1\u000aX-Remote-User: x"'],
   [qr/"name":"pod1"/, '"name":"pod1\u007f"'],
   [qr/"name":"node1"/, '"name":"node 1"'],
   [qr/"jti":"/, '"jti":"\u0009'],
   [qr/"jti":/, '"kubernetes.io/serviceaccount/namespace":"mytest","jti":']);


# JSON, with a valid signature

each_of('JSON', 'never', 2, sub {
    my ($t, $change) = @_;
    $t->{payload} = $change->($t->{payload});
    return $t;
}, (map { my $x = $_; sub { $_[0] . $x } } '{}', 'x', "\0", ',', '}', "\x0b"),
   (map { my $x = $_; sub { $x . $_[0] } } "\xef\xbb\xbf", 'x', '[', ',', "\0"),
   (map { my $x = $_; sub { $_[0] =~ s/\}\z/,$x}/r } }
        '', '"exp":1', '"exp":4102444800', '"aud":"service2"', '"sub":"x"',
        '"\u0065xp":1', '"x":1,"x":1', '"x":{"y":1,"y":2}', "\"x\":\"\xff\"",
        "\"x\":\"\xc3\"", "\"x\":\"\xf4\x90\x80\x80\"", "\"x\":\"\x01\"",
        '"x":"\x"', '"x":"\u12"', '"x":"\udc00"', '"x":"\ud800\u0041"',
        '"x":"\u0000"', '"x":1.', '"x":.5', '"x":1e', '"x":-', '"x":00',
        '"x":tru', '"x":TRUE', '"x":', '"x"', 'x:1', "'x':1", '"x":[1,]',
        '"x":[1 2]', '"x":/**/1', '"x":undefined',
        '"x":' . '[' x 17 . ']' x 17, '"x":' . '{"a":' x 17 . '1' . '}' x 17),
   sub { "[$_[0]]" }, sub { '"' . $_[0] =~ s/"/\\"/gr . '"' }, sub { 'null' },
   sub { '{}' }, sub { '[]' }, sub { $_[0] =~ tr/"/'/r },
   sub { substr $_[0], 0, -1 }, sub { substr $_[0], 1 });

each_of('JSON', 'always', 2, sub {
    my ($t, $change) = @_;
    $t->{payload} = $change->($t->{payload});
    return $t;
}, sub { " \t\r\n$_[0]\n" }, sub { $_[0] =~ s/(?<=")[:,](?=")/ $&\n/gr },
   (map { my $x = $_; sub { $_[0] =~ s/\}\z/,$x}/r } }
        '"x":-0', '"x":1e400', '"x":1E+5', '"x":' . '9' x 400, '"x":"\/"',
        '"x":"\ud83d\ude00"', "\"x\":\"\xf0\x9f\x98\x80\xc3\xa9\x7f\"",
        '"":""', '"X":1,"x":1', '"x":{"exp":1,"sub":"x"}',
        '"x":' . '[' x 15 . ']' x 15, '"groups":["a","b\u000a"]'));

# One edit anywhere: the second implementation knows whether it matters

my @bits = ('"', '\\', '{', '}', '[', ']', ',', ':', '0', '-', '1e1', 'null',
            '\u0061', '\n', "\xc3\xa9", "\x7f", '""', '"x":1,', ' ', 'A', '.');

defect('an edit of the claims, signed', 'maybe', 300 * $times, sub {
    my ($t) = @_;
    my $at = int rand length $t->{payload};

    if (rand 3 < 1) {
        substr($t->{payload}, $at, 1) = chr int rand 256;

    } elsif (rand 2 < 1) {
        substr($t->{payload}, $at, int rand 4) = pick(@bits);

    } else {
        substr($t->{payload}, $at, 1) ^= chr(1 << int rand 7);
    }

    return $t;
});

defect('an edit of the header, signed', 'maybe', 100 * $times, sub {
    my ($t) = @_;
    substr($t->{header}, int rand length $t->{header}, int rand 3)
        = pick(@bits, map { chr } 0 .. 255);
    return $t;
});


note("$tokens tokens, $accepted accepted by us, seed $seed");
ok($accepted > 200, 'enough tokens were accepted');

done_testing();
