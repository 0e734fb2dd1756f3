#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# seeds.pl DIR: makes the fuzzers' first inputs, in DIR/NAME/ for each, from
# t/fixtures/.  There is little PEM; openssl(1) makes more, with new keys each
# time, so that there is no private key in the tree.

use strict;
use warnings;

use File::Path qw(make_path);
use MIME::Base64 qw(decode_base64 decode_base64url encode_base64url);


my $dir = shift or die "usage: seeds.pl DIR\n";
my %count;


sub seed {
    my ($name, @parts) = @_;
    make_path("$dir/$name");
    my $file = sprintf '%s/%s/%04d', $dir, $name, $count{$name}++;
    open my $fh, '>:raw', $file or die "$file: $!\n";
    print $fh @parts;
    close $fh or die "$file: $!\n";
}

sub slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

sub body {
    my ($answer) = @_;
    my ($head, $body) = $answer =~ /\A(.*?\r\n)\r\n(.*)\z/s or return '';
    return $body if $head !~ /^transfer-encoding: *chunked/im;

    my $whole = '';
    while ($body =~ s/\A([0-9a-f]+)\r\n//i) {
        my $n = hex $1;
        $whole .= substr $body, 0, $n, '';
        $body =~ s/\A\r\n//;
    }
    return $whole;
}


# tokens, after two bytes of policy and time: k8s_sa_fuzz_token.h

for my $file (glob 't/fixtures/*/tokens/*.jwt') {
    my $token = slurp($file) =~ s/\s+\z//r;
    my @parts = split /\./, $token;
    my ($header, $claims) = map { decode_base64url($_) } @parts;
    my $policy = $file =~ /legacy/ ? "\x02\x00" : "\x00\x00";
    $policy = "\x00\x02" if $file =~ /long/;

    seed('token', $policy, $token);
    seed('claims', $policy, "$header\n$claims");
    seed('json', $_) for $header, $claims;
    seed('base64url', $_) for @parts;
}

my $claims = '{"iss":"k","sub":"joe","exp":1795447000,"aud":"service2",'
             . '"groups":["a","b"],"x":{"y":[1,2.5e3,"\n\u0001"]}}';
seed('claims', chr(1 | 2 << 3), "\0", qq({"alg":"RS256","typ":"JWT"}\n$claims));
seed('claims', chr 5, "\0", qq({"alg":"PS512","kid":"a"}\n$claims));
seed('token', chr 1, "\0", join '.', map({ encode_base64url($_) }
     '{"alg":"RS256"}', $claims), 'AAAA');

# several tokens, with and without the same header

my @pairs = map { join "\n", map { decode_base64url($_) } (split /\./)[0, 1] }
            map { slurp($_) } (glob 't/fixtures/*/tokens/long-*.jwt')[0 .. 5];

seed('reuse', "\0\2", join "\n", @pairs[$_, $_ + 1, $_]) for 0 .. $#pairs - 1;
seed('reuse', chr(1 | 2 << 3), "\0", join "\n", map { ($_, $claims) }
     '{"alg":"RS256"}', '{"alg":"RS256","kid":"a"}', '{"alg":"RS256"}',
     '{"alg":"none"}', '{"alg":"RS256"}');

# at the limits, which the fuzzers would seldom reach

my $long = ('x' x 3000);
my ($first) = glob 't/fixtures/1.36.2/tokens/long-aud-service2-pod.claims.json';
my $pod = slurp($first) =~ s/\s*\n\s*//gr;
my $header = '{"alg":"RS256","kid":"a"}';

seed('claims', "\0\0", "$header\n", $pod =~ s/"32eca69f[^"]*"/"$long"/r);
seed('claims', "\0\0", "$header\n", $pod =~ s/"mytest"/'"' . 'a' x 63 . '"'/er
                                        =~ s/:mytest:/':' . 'a' x 63 . ':'/er);
for my $policy (0 .. 31) {
    for my $iss ('https://kubernetes.default.svc', 'k', '',
                 'kubernetes/serviceaccount')
    {
        seed('claims', chr $policy, "\0", "$header\n",
             $pod =~ s/(?<="iss":)\s*"[^"]*"/"$iss"/r);
    }
}

seed('claims', "\0\0", $header =~ s/\}/,"$_":["exp"]}/r, "\n", $pod)
    for qw(crit b64);
seed('token', "\0\0", substr join('.', encode_base64url($header),
     encode_base64url($pod . ' ' x 12000), 'A' x 344), 0, $_) for 16384, 16385;
seed('json', '{"a":[', join(',', (0) x $_), ']}') for 1022, 1023;
seed('json', '{', join(',', map { qq("$_":0) } 1 .. $_), '}') for 1023, 1024;
seed('json', '{"a":' . '[' x $_ . ']' x $_ . '}') for 15, 16;
seed('http', "\0\x3f", "HTTP/1.1 200 OK\r\n",
     "X: $long\r\n" x 5, 'X: ', 'x' x $_, "\r\n\r\n") for 1335, 1336;

seed('json', $_) for
    '{}', " {\t\"x\" :\n[ 1 , \"y\" ]\r} ", '{"a":1,"\u0061":2}',
    '{"a":[1,2.5,-0,-1,1e5,1E-3,true,false,null,{}],"b":{"c":[],'
    . '"d":"\u00e9\ud83d\ude00\n\/\""},"":"' . "\xc3\xa9\xe2\x82\xac\"}",
    '{"a":9223372036854775807,"b":-9223372036854775808,'
    . '"c":9223372036854775808}',
    "{\"k\":\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xf0\x90\x80\x80\x7f\"}";

seed('bearer', $_) for 'Bearer a.b.c', 'bearer  a.b.c', 'Basic YTpi',
                       "Bearer\ta", 'BEARER ';


my $who = join "\xff", 'system:serviceaccount:mytest:service1', 'mytest',
    'service1', "system:serviceaccounts\nsystem:serviceaccounts:mytest\n"
    . "system:authenticated\n";
seed('allow', "$_\xff$who") for
    'mytest/service1', "mytest/*\n*/service2", "*/service1\na.b/c",
    "alice\ngroup:system:authenticated", "*/*\n*/*", '',
    'system:serviceaccount:mytest:service1',
    join("\n", map { ("ns$_/*", "*/n$_", "u$_", "group:g$_") } 1 .. 10),
    'a' x 63 . '/' . join('.', ('b' x 63) x 4), 'a' x 64 . '/b';
seed('allow', "alice\nb\@x\xffalice");


# answers of API servers

for my $file (glob 't/fixtures/*/{openid,tokenreview,tokenrequest,misc,'
                   . 'accessreview}/*.http')
{
    my $answer = slurp($file);
    my $body = body($answer);

    seed('http', "\0\x3f", $answer);
    seed('token_review', $file =~ /two/ ? "\x02" : "\x01", $body)
        if $file =~ m{/tokenreview/} && $body =~ /"TokenReview"/;
    seed('access_review', $file =~ m{/local-} ? "\x01" : "\0", $body)
        if $file =~ m{/accessreview/} && length $body < 8192;
    seed('discovery', $body) if $body =~ /"jwks_uri"/;
    seed('jwks', $body) if $body =~ /"keys"/;
}

seed('http', "\0\x3f", $_) for
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
    . "Transfer-Encoding: chunked\r\nRetry-After: 1\r\n\r\n"
    . "5;a=b\r\nhello\r\n1 \t;x\r\n!\r\n0\r\nX: y\r\n\r\n",
    "HTTP/1.0 200\r\nConnection: keep-alive, x\r\nContent-Length: 2\r\n"
    . "Location: /\r\nContent-Encoding: identity\r\n\r\nok",
    "HTTP/1.1 204 \r\nCache-Control: a\r\nCache-Control: b\r\n\r\n";


# keys: other types from RFC 7517, 7520 and 8037

my %key = (
    p256 => '"kty":"EC","crv":"P-256",'
        . '"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",'
        . '"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"',
    p521 => '"kty":"EC","crv":"P-521",'
        . '"x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKq'
        . 'jqvjyekWF-7ytDyRXYgCF5cj0Kt",'
        . '"y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQk'
        . 'AgDPrwQrJmbnX9cwlGfP-HqHZR1"',
    ed25519 => '"kty":"OKP","crv":"Ed25519",'
        . '"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"',
    oct => '"kty":"oct","k":"AAAA"',
);

seed('jwks', "{$_}"), seed('jwks', qq({"keys":[{$_,"kid":"a","use":"sig",)
     . qq("key_ops":["verify"]},{$_,"kid":"b"}]})) for values %key;
seed('jwks', '{"keys":[', join(',', map { "{$key{$_}}" } sort keys %key), ']}');

sub openssl {
    my $out = qx(openssl @_ 2>/dev/null);
    die "openssl @_ failed\n" if $?;
    return $out;
}

# PEM as it is, and its DER with the number of its label in pem_fuzz.c

sub pem {
    my ($pem) = @_;
    my %label = ('PUBLIC KEY' => 0, 'RSA PUBLIC KEY' => 1, 'CERTIFICATE' => 2,
                 'RSA PRIVATE KEY' => 3, 'EC PRIVATE KEY' => 4,
                 'PRIVATE KEY' => 5);

    seed('pem', 'x', $pem);

    while ($pem =~ /-----BEGIN ([A-Z ]+)-----\n(.*?)-----END/sg) {
        my ($label, $base64) = ($1, $2);
        seed('pem', $label{$label}, decode_base64($base64))
            if defined $label{$label};
    }
}

pem(slurp($_)) for glob 't/fixtures/*/keys/*';

# a good block, and a truncated one
my $sa = slurp('t/fixtures/1.36.2/keys/sa-ec.pub');
seed('pem', 'x', $sa, $sa =~ s/\n.*?\n/\n/r);

my @kinds = ('RSA -pkeyopt rsa_keygen_bits:2048', 'ED25519',
             map { "EC -pkeyopt ec_paramgen_curve:$_" } qw(P-256 P-384 P-521));

for my $kind (@kinds) {
    my $file = "$dir/key";

    openssl("genpkey -algorithm $kind -out $file");
    pem(slurp($file));
    pem(openssl("pkey -in $file -pubout"));

    if ($kind =~ /RSA/) {
        pem(openssl("rsa -in $file -traditional"));
        pem(openssl("rsa -in $file -RSAPublicKey_out"));
    }

    pem(openssl("ec -in $file")) if $kind =~ /EC /;
    pem(openssl("req -x509 -new -key $file -subj /CN=x -days 9"));
    unlink $file;
}


# packed identities: one of fields, and an empty one

seed('packed', "\x01\xff\xff", "\0" x 24, join "\xff",
     'system:serviceaccount:mytest:service1', 'mytest', 'service1',
     '16fe82e9-96c6-4087-94e7-e4c53dfaa6f5',
     "system:serviceaccounts\nsystem:serviceaccounts:mytest\n"
     . "system:authenticated\n",
     "authentication.kubernetes.io/pod-name\tpod1\n"
     . "authentication.kubernetes.io/credential-id\tJTI=a\nx\ty\n",
     'pod1', '32eca69f-1b10-42a1-809c-b3a49caf497b', "\xfe", "\xfe", "\xfe",
     'https://kubernetes.default.svc', 'service2', 'a');
seed('packed', "\0\x02\0\0\0\0", "\0" x 14);


# paths: in normal form, and odd ones

seed('path', $_)
    for '/', '/a/b%20c/', '/%C3%BC', '/%41.b/..c', '/a/../b', '/%2e', '/a//b',
        '/a%2fb', '/a;b', '/%ff';


# access reviews: answers that no API server was seen to give, and questions

seed('access_review', "\0", qq({"kind":"SubjectAccessReview","apiVersion":)
     . qq("authorization.k8s.io/v1","status":{$_}})) for
    '"allowed":true,"denied":true', '"allowed":"true"', '"denied":null',
    '"allowed":false,"evaluationError":"\u0085"', '"reason":"\n\u2028"';

seed('access_review', "\x01", qq({"kind":"SubjectAccessReview","apiVersion":)
     . qq("authorization.k8s.io/v1","status":{"allowed":true}}));

my @asker = ("\xfe", "\xfe", 'system:serviceaccount:mytest:service1',
    '16fe82e9-96c6-4087-94e7-e4c53dfaa6f5',
    "system:serviceaccounts\nsystem:serviceaccounts:mytest\n"
    . "system:authenticated\n",
    "authentication.kubernetes.io/pod-name\tpod1\nx\ty\nx\tz\n");

seed('access_request', "\x03\x07", join "\xff", @asker, '/metrics', 'get');
seed('access_request', "\x02\x08", join "\xff", 'mytest', @asker[1 .. 5],
     "\xfe", 'create', 'mytest', 'apps', 'services', 'proxy', 'web');
seed('access_request', "\x02\x01", join "\xff", "\xfe", 'oidc:', 'joe', "\xfe",
     '', "a\tb\nc\td\na\te\n", '/"\\\x01', '*');

seed('each', "ns\n$_") for 'ns=a&ns=b%20c&x=1', 'n%73=+&NS=a', 'ns[]=a', 'ns',
    ' ns=a', 'ns=a;ns=b', 'ns=%zz', join('&', map { "ns=$_" } 1 .. 17),
    'multipart/form-data; boundary=x';
seed('each', "a_b\na.b=1&a b=2");
