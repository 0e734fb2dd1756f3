# SPDX-License-Identifier: BSD-2-Clause

# Key files that are read while the configuration is read.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Conf;


my $dir = dir();
my $rsa = slurp(fixture('1.36.2/sa.pub'));


sub issuer {
    my ($directives) = @_;
    return "k8s_sa_issuer a {\n    audience service2;\n"
           . "    $directives; # HERE\n}\n";
}


# Unreadable files

mkdir "$dir/directory";
symlink 'loop', "$dir/loop";
write_file('empty', '');
write_file('large', "\n" x (1024 * 1024 + 1));

for my $directive (qw(public_key jwks_file)) {
    refused("$directive: $_->[0]", issuer("$directive $dir/$_->[0]"),
            qr/"$directive" "\Q$dir\E\/$_->[0]": .*$_->[1]/)
        for [ 'missing', qr/\(2: No such file/ ],
            [ 'loop', qr/\(40: / ],
            [ 'directory', qr/not a regular file/ ],
            [ 'large', qr/larger than 1048576 bytes/ ];
}

refused('public_key: empty', issuer("public_key $dir/empty"),
        qr/no PEM block/);
refused('jwks_file: empty', issuer("jwks_file $dir/empty"), qr/invalid JSON/);

accepted('relative to the configuration', <<"_");
k8s_sa_issuer a { audience a; public_key ../rsa.pub; }
_
BEGIN { write_file('rsa.pub', slurp(fixture('1.36.2/sa.pub'))) }


# PEM

refused("PEM: $_->[0]", issuer('public_key ' . write_file('bad.pub', $_->[1])),
        $_->[2])
    for [ 'text', "hello\n", qr/no PEM block/ ],
        [ 'cut short', substr($rsa, 0, 200), qr/PEM block 1: has no END line/ ],
        [ 'damaged', $rsa =~ s/MIIBIj/MIIBIk/r, qr/block 1: .*malformed/ ],
        [ 'a good one and half of one', "$rsa\n" . substr($rsa, 0, 200),
          qr/PEM block 2: has no END line/ ],
        [ 'RSA 1024', slurp(key_file('rsa1024')),
          qr/RSA key of 1024 bits, not 2048/ ],
        [ 'JWK set', slurp(fixture('1.36.2/jwks.json')), qr/no PEM block/ ];

accepted("PEM: $_->[0]",
         issuer('public_key ' . write_file('good.pub', $_->[1])))
    for [ 'sa.pub', $rsa ],
        [ 'EC', slurp(fixture('1.36.2/keys/sa-ec.pub')) ],
        [ 'P-384', slurp(key_file('p384')) ],
        [ 'P-521', slurp(key_file('p521')) ],
        [ 'certificate', slurp(fixture('1.36.2/ca.crt')) ],
        [ 'blanks at line ends', $rsa =~ s/\n/ \t\r\n/gr ],
        [ 'another label', $rsa =~ s/PUBLIC KEY/EC PUBLIC KEY/gr ],
        [ 'several, with text between them', "# one\n$rsa\n# two\n"
                                . slurp(fixture('1.20.2/sa.pub')) ];


# Private keys

accepted('private key of its owner',
         issuer('public_key ' . private_key_file('ec', 'first', 0600)));
accepted('private key of a group',
         issuer('public_key ' . private_key_file('rsa', 'first', 0640)));
accepted('private key for everyone',
         issuer('public_key ' . private_key_file('ec', 'first', 0644)),
         qr/"\Q$dir\E\/ec\.first\.key" holds a private key and is world-readable/);


# JWK sets

my $good = key('ec')->export_key_jwk('public', 1);

sub set {
    return JSON::PP->new->encode({ keys => [@_] });
}

refused("JWKS: $_->[0]",
        issuer('jwks_file ' . write_file('bad.json', $_->[1])), $_->[2])
    for [ 'PEM', $rsa, qr/invalid JSON/ ],
        [ 'not JSON', '{"keys":[', qr/JWK|JSON/ ],
        [ 'not a key set', '{"a":1}', qr/JWK|"kty"/ ],
        [ 'no keys', '{"keys":[]}', qr/no usable key/ ],
        [ 'RSA 1024', jwks([ 'rsa1024' ]), qr/RSA key of 1024 bits/ ],
        [ 'private key', set(key('ec')->export_key_jwk('private', 1)),
          qr/private or secret key/ ],
        [ 'for encryption only', jwks([ 'ec', 'first', use => 'enc' ]),
          qr/no usable key/ ];

accepted("JWKS: $_->[0]",
         issuer('jwks_file ' . write_file('good.json', $_->[1])))
    for [ '1.20.2', slurp(fixture('1.20.2/jwks.json')) ],
        [ '1.36.2', slurp(fixture('1.36.2/jwks.json')) ],
        [ 'one JWK', JSON::PP->new->encode($good) ],
        [ 'one for encryption only',
          jwks([ 'ec' ], [ 'ec', 'b', use => 'enc' ]) ];

accepted('JWKS: a weak key and a good one',
         issuer('jwks_file ' . write_file('some.json',
                                          jwks([ 'rsa1024' ], [ 'ec' ]))),
         qr/key in "\Q$dir\E\/some\.json" passed over: key 1: RSA key of/);


done_testing();
