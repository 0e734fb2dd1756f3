# SPDX-License-Identifier: BSD-2-Clause

# Every wrong configuration is refused with file, line and reason, and every
# right one is accepted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Conf;


my $pub = fixture('1.36.2/sa.pub');
my $issuer = "k8s_sa_issuer cluster { public_key $pub; audience service2; }";


# Names of issuers

accepted('one issuer', "$issuer\nserver { k8s_sa_auth cluster; }");

accepted('an issuer defined after its use', <<"_");
server { server_name a; k8s_sa_auth cluster other optional; }
$issuer
k8s_sa_issuer other.A-b_1 { public_key $pub; audience service2; }
server { k8s_sa_auth other.A-b_1; }
k8s_sa_issuer other { public_key $pub; audience service2; }
_

refused('unknown issuer', <<"_", qr/unknown issuer "nope"/);
$issuer
server {
    location / {
        k8s_sa_auth cluster;
    }
    location /a {
        k8s_sa_auth nope;  # HERE
    }
    location /b {
        k8s_sa_auth nope;
    }
}
_

refused('duplicate issuer', <<"_", qr/issuer "cluster" is duplicate/);
$issuer
k8s_sa_issuer cluster { # HERE
    public_key $pub;
}
_

refused("issuer named '$_'", <<"_", qr/invalid issuer name "\Q$_\E"/)
k8s_sa_issuer "$_" { # HERE
}
_
    for 'off', 'optional', '', 'a b', 'a/b', "\xc3\xa4";

refused('issuer without a name', <<'_', qr/invalid number of arguments/);
k8s_sa_issuer { # HERE
}
_

refused('issuer without a block', <<'_', qr/"k8s_sa_issuer" has no opening/);
k8s_sa_issuer a; # HERE
_


# Missing directives

refused('no keys', <<'_', qr/issuer "a" has no keys: .*"public_key"/);
k8s_sa_issuer a {
    audience service2;
} # HERE
_

refused('no audience', <<"_", qr/issuer "a" has no "audience"/);
k8s_sa_issuer a {
    public_key $pub;
} # HERE
_

accepted('any audience', "k8s_sa_issuer a { audience any; public_key $pub; }");


# Directives of the block

refused("a $_->[0]", <<"_", $_->[2])
k8s_sa_issuer a {
    public_key $pub;
    $_->[1] # HERE
    audience service2;
}
_
    for [ 'unknown directive', 'audiense b;',
          qr/unknown directive "audiense" in "k8s_sa_issuer"/ ],
        [ 'directive of another context', 'keepalive_timeout 1;',
          qr/unknown directive "keepalive_timeout" in "k8s_sa_issuer"/ ],
        [ 'directive without value', 'leeway;',
          qr/invalid number of arguments in "leeway" directive/ ],
        [ 'directive with too many values', 'leeway 1s 2s;',
          qr/invalid number of arguments in "leeway" directive/ ],
        [ 'key file without a name', 'public_key;',
          qr/invalid number of arguments in "public_key" directive/ ],
        [ 'bad time', 'leeway 1x;', qr/"leeway" directive invalid value/ ],
        [ 'negative time', 'leeway -1s;', qr/"leeway" directive invalid value/ ],
        [ 'bad flag', 'legacy_tokens yes;',
          qr/invalid value "yes" in "legacy_tokens" directive/ ],
        [ 'algorithm none', 'algorithms RS256 none;',
          qr/invalid value "none"/ ],
        [ 'algorithm HS256', 'algorithms HS256;', qr/invalid value "HS256"/ ],
        [ 'algorithm in lower case', 'algorithms rs256;',
          qr/invalid value "rs256"/ ],
        [ 'empty issuer', 'issuer "";', qr/"issuer" directive.*empty/ ],
        [ 'empty audience', 'audience "";', qr/"audience" directive.*empty/ ],
        [ 'repeated audience', 'audience a a;', qr/duplicate value "a"/ ],
        [ 'repeated issuer', 'issuer a b a;', qr/duplicate value "a"/ ],
        [ 'audience and any', 'audience any b;', qr/"audience any"/ ],
        [ 'any and audience', 'audience b any;', qr/"audience any"/ ],
        [ 'missing include', 'include nothing.conf;',
          qr/open\(\) ".*nothing\.conf" failed/ ],
        [ 'include without a file', 'include;',
          qr/invalid number of arguments in "include" directive/ ];

refused("twice: $_", <<"_", qr/"@{[ \/^(\w+)\/ ]}" directive is duplicate/)
k8s_sa_issuer a {
    public_key $pub;
    audience service2;
    $_;
    $_; # HERE
}
_
    for 'algorithms RS256', 'legacy_tokens on', 'kubernetes on', 'leeway 5s';

refused("audience beside any", <<"_", qr/"audience" directive cannot be combined/)
k8s_sa_issuer a {
    public_key $pub;
    audience $_->[0];
    audience $_->[1]; # HERE
}
_
    for [ 'any', 'b' ], [ 'b', 'any' ];

refused('legacy_tokens with kubernetes off', <<"_",
k8s_sa_issuer a {
    public_key $pub;
    audience service2;
    legacy_tokens on;
    kubernetes off;
} # HERE
_
    qr/"legacy_tokens" cannot be used with "kubernetes off" in issuer "a"/);

write_file('block.conf', "public_key $pub;\naudience service2;\n");
write_file('bad.conf', "\n\naudiense service2;\n");

accepted('a block in an included file', <<"_");
k8s_sa_issuer a { include @{[ dir() ]}/block.conf; }
server { k8s_sa_auth a; }
_

like((said("k8s_sa_issuer a { include @{[ dir() ]}/bad.conf; }"))[1],
     qr{unknown directive "audiense".* in @{[ dir() ]}/bad\.conf:3},
     'a mistake in an included file is reported there');

accepted('every directive of the block', <<"_");
k8s_sa_issuer a {
    public_key     $pub;
    public_key     @{[ fixture('1.20.2/sa.pub') ]};
    jwks_file      @{[ fixture('1.20.2/jwks.json') ]};
    issuer         https://a.example https://b.example;
    issuer         https://c.example;
    audience       service2 service3;
    audience       service4;
    algorithms     RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA;
    legacy_tokens  on;
    kubernetes     on;
    leeway         0;
}
_


# Contexts of directives

refused("k8s_sa_issuer in $_->[0]", <<"_", qr/"k8s_sa_issuer" directive is not allowed here/)
server {
    $_->[1] k8s_sa_issuer a { # HERE
    }
    $_->[2]
}
_
    for [ 'server', '', '' ], [ 'location', 'location / {', '}' ];

refused("$_ in if", <<"_", qr/directive is not allowed here/)
server {
    location / {
        if (\$arg_a) {
            $_; # HERE
        }
    }
}
_
    for 'k8s_sa_auth off', 'k8s_sa_set_header off', 'k8s_sa_token $http_a';

accepted('each directive at each level', <<"_");
$issuer
k8s_sa_auth cluster;
k8s_sa_token \$http_a;
k8s_sa_realm r;
k8s_sa_set_header X-A \$k8s_sa_uid;
k8s_sa_forward_token on;
k8s_sa_log_level info;
server {
    k8s_sa_auth off;
    k8s_sa_token Authorization;
    k8s_sa_realm "a \\"b\\"";
    k8s_sa_set_header off;
    k8s_sa_forward_token off;
    k8s_sa_log_level notice;
    location / {
        k8s_sa_auth cluster optional;
        k8s_sa_token \$cookie_a;
        k8s_sa_realm r;
        k8s_sa_set_header X-A \$k8s_sa_uid;
        k8s_sa_set_header X-B \$k8s_sa_name;
        k8s_sa_forward_token off;
        k8s_sa_log_level error;
        limit_except GET {
            k8s_sa_auth cluster;
            k8s_sa_token Authorization;
            k8s_sa_realm r;
            k8s_sa_set_header off;
            k8s_sa_forward_token on;
            k8s_sa_log_level warn;
        }
    }
}
_

done_testing();
