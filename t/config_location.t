# SPDX-License-Identifier: BSD-2-Clause

# Directives in http, server and location: the arguments that each refuses.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Conf;


my $dir = dir();
my $pub = fixture('1.36.2/sa.pub');
my $issuer = "k8s_sa_issuer cluster { public_key $pub; audience service2; }\n"
             . "k8s_sa_issuer other { public_key $pub; audience service3; }";


sub location {
    my ($directives) = @_;
    return "$issuer\nserver {\n    location / {\n        $directives\n"
           . "    }\n}\n";
}


refused("$_->[0]", location("$_->[1] # HERE"), $_->[2])
    for [ 'auth without issuer', 'k8s_sa_auth;', qr/invalid number of arg/ ],
        [ 'auth: unknown issuer', 'k8s_sa_auth nope;',
          qr/unknown issuer "nope"/ ],
        [ 'auth: empty issuer', 'k8s_sa_auth "";', qr/issuer/ ],
        [ 'auth: a second unknown issuer', 'k8s_sa_auth cluster nope;',
          qr/unknown issuer "nope"/ ],
        [ 'auth: the same issuer twice', 'k8s_sa_auth cluster cluster;',
          qr/duplicate issuer "cluster"/ ],
        [ 'auth: optional alone', 'k8s_sa_auth optional;',
          qr/invalid issuer name "optional"/ ],
        [ 'auth: optional twice', 'k8s_sa_auth cluster optional optional;',
          qr/invalid issuer name "optional"/ ],
        [ 'auth: optional first', 'k8s_sa_auth optional cluster;',
          qr/invalid issuer name "optional"/ ],
        [ 'auth: off and more', 'k8s_sa_auth off cluster;', qr/"off"/ ],
        [ 'auth: more and off', 'k8s_sa_auth cluster off;',
          qr/invalid issuer name "off"/ ],
        [ 'auth: off optional', 'k8s_sa_auth off optional;', qr/"off"/ ],
        [ 'auth twice', 'k8s_sa_auth cluster; k8s_sa_auth other;',
          qr/"k8s_sa_auth" directive is duplicate/ ],
        [ 'auth twice, off', 'k8s_sa_auth off; k8s_sa_auth cluster;',
          qr/"k8s_sa_auth" directive is duplicate/ ],

        [ 'token without value', 'k8s_sa_token;', qr/invalid number of arg/ ],
        [ 'token: header\'s name', 'k8s_sa_token X-Service-Token;',
          qr/invalid value "X-Service-Token"/ ],
        [ 'token: empty', 'k8s_sa_token "";', qr/invalid value ""/ ],
        [ 'token twice', 'k8s_sa_token $http_a; k8s_sa_token $http_b;',
          qr/"k8s_sa_token" directive is duplicate/ ],
        [ 'token twice, Authorization',
          'k8s_sa_token Authorization; k8s_sa_token $http_b;',
          qr/"k8s_sa_token" directive is duplicate/ ],
        [ 'token in an argument',
          'k8s_sa_auth cluster; k8s_sa_token $arg_token;',
          qr/"k8s_sa_token" takes.*"k8s_sa_forward_token on" is required/ ],
        [ 'token in an argument, in braces',
          'k8s_sa_auth cluster; k8s_sa_token "${arg_token}";',
          qr/"k8s_sa_forward_token on" is required/ ],
        [ 'token in all arguments', 'k8s_sa_auth cluster; k8s_sa_token $args;',
          qr/forward_token on" is required/ ],
        [ 'token in the URI', 'k8s_sa_auth cluster; '
                              . 'k8s_sa_token $request_uri;',
          qr/forward_token on" is required/ ],
        [ 'token in the request line',
          'k8s_sa_auth cluster; k8s_sa_token $request;',
          qr/forward_token on" is required/ ],
        [ 'token in the path', 'k8s_sa_auth cluster; k8s_sa_token ${uri};',
          qr/forward_token on" is required/ ],
        [ 'token from itself', 'k8s_sa_token $k8s_sa_claims;',
          qr/invalid value "\$k8s_sa_claims": variables of the module/ ],

        [ 'realm without value', 'k8s_sa_realm;', qr/invalid number of arg/ ],
        [ 'realm twice', 'k8s_sa_realm a; k8s_sa_realm a;',
          qr/"k8s_sa_realm" directive is duplicate/ ],
        [ 'realm with a variable', 'k8s_sa_realm $host;',
          qr/invalid value "\$host" in "k8s_sa_realm" directive: variables/ ],
        [ 'realm with a tab', "k8s_sa_realm \"a\tb\";",
          qr/"k8s_sa_realm" directive contains a control character/ ],
        [ 'realm with DEL', "k8s_sa_realm \"a\x7fb\";",
          qr/"k8s_sa_realm" directive contains a control character/ ],

        [ 'set_header without value', 'k8s_sa_set_header X-A;',
          qr/"k8s_sa_set_header" directive has no value/ ],
        [ 'set_header with too many values', 'k8s_sa_set_header X-A a b;',
          qr/invalid number of arg/ ],
        [ 'set_header and off', 'k8s_sa_set_header X-A a; '
                                . 'k8s_sa_set_header off;',
          qr/cannot be combined with "off"/ ],
        [ 'set_header off and more', 'k8s_sa_set_header off; '
                                     . 'k8s_sa_set_header X-A a;',
          qr/cannot be combined with "off"/ ],
        [ 'set_header off twice', 'k8s_sa_set_header off; '
                                  . 'k8s_sa_set_header off;',
          qr/"off"|duplicate/ ],

        [ 'forward_token: neither on nor off', 'k8s_sa_forward_token yes;',
          qr/invalid value "yes" in "k8s_sa_forward_token" directive/ ],
        [ 'forward_token twice', 'k8s_sa_forward_token on; '
                                 . 'k8s_sa_forward_token on;',
          qr/"k8s_sa_forward_token" directive is duplicate/ ],
        [ 'log_level: unknown', 'k8s_sa_log_level loud;',
          qr/invalid value "loud"/ ],
        [ 'log_level twice', 'k8s_sa_log_level info; k8s_sa_log_level warn;',
          qr/"k8s_sa_log_level" directive is duplicate/ ];

refused("set_header: name '$_'", location("k8s_sa_set_header \"$_\" a; # HERE"),
        qr/invalid header name/)
    for '', 'X A', 'X:A', 'X/A', 'X(A)', "X\xc3\xa4", 'X,A', 'X{A}';

refused("set_header: $_", location("k8s_sa_set_header $_ a; # HERE"),
        qr/header "$_" cannot carry an identity/)
    for qw(Host Connection content-length Transfer-Encoding TE Upgrade
           Keep-Alive Expect Trailer Content_Length TRANSFER_ENCODING
           Keep.Alive);

accepted("$_->[0]", location($_->[1]))
    for [ 'token in an argument, forwarded',
          'k8s_sa_auth cluster; k8s_sa_token $arg_token; '
          . 'k8s_sa_forward_token on;' ],
        [ 'token in a variable whose name only begins so',
          'set $argument a; set $request_token a; k8s_sa_auth cluster; '
          . 'k8s_sa_token $argument$request_token;' ],
        [ 'realm with a dollar sign', 'k8s_sa_realm "5 $ or $5";' ],
        [ 'token in an argument, without auth', 'k8s_sa_token $arg_token;' ],
        [ 'token in authorization, in lower case',
          'k8s_sa_token authorization;' ],
        [ 'empty realm', 'k8s_sa_realm "";' ],
        [ 'unusual header names', 'k8s_sa_set_header "X!#\$%&\'*+-.^_`|~A" a;'
          =~ s/\\\$/a/r ],
        [ 'several headers', 'k8s_sa_set_header X-A a; k8s_sa_set_header X-A b;'
          . ' k8s_sa_set_header X-B $k8s_sa_uid;' ];

# nginx reports unknown variables without a line

like((said(location($_)))[1], qr/unknown "nope" variable/, "unknown in $_")
    for 'k8s_sa_token $nope;', 'k8s_sa_set_header X-A $nope;';

refused('token in an argument, inherited', <<"_", qr/forward_token on/);
$issuer
server {
    k8s_sa_token \$arg_token; # HERE
    location / {
        k8s_sa_auth cluster;
    }
}
_


# k8s_sa_token_file

write_file('token', "aaa.bbb.ccc\n");
write_file('empty', " \n\n");
write_file('two', "aaa.bbb.ccc\nddd.eee.fff\n");
write_file('large', 'a' x (16 * 1024 + 1));

refused("token_file: $_->[0]", "$_->[1] # HERE\n", $_->[2])
    for [ 'missing file', 'k8s_sa_token_file $a;', qr/invalid number of arg/ ],
        [ 'missing variable', "k8s_sa_token_file a $dir/token;",
          qr/invalid variable name "a"/ ],
        [ 'missing name', "k8s_sa_token_file \$ $dir/token;",
          qr/invalid variable name/ ],
        [ 'taken', "k8s_sa_token_file \$host $dir/token;",
          qr/(?:variable "\$?host"|duplicate).*/ ],
        [ 'twice', "k8s_sa_token_file \$a $dir/token; "
                   . "k8s_sa_token_file \$a $dir/token;", qr/duplicate/ ],
        [ 'missing', "k8s_sa_token_file \$a $dir/missing;",
          qr/"k8s_sa_token_file" ".*": .*\(2: No such file/ ],
        [ 'directory', "k8s_sa_token_file \$a $dir;", qr/not a regular file/ ],
        [ 'empty', "k8s_sa_token_file \$a $dir/empty;", qr/file is empty/ ],
        [ 'two tokens', "k8s_sa_token_file \$a $dir/two;",
          qr/more than a token/ ],
        [ 'large', "k8s_sa_token_file \$a $dir/large;",
          qr/larger than 16384 bytes/ ];

my (undef, $out) = said("k8s_sa_token_file \$a $dir/two;");
unlike($out, qr/aaa|ddd|eee|fff/, 'the content of the file is not shown');

refused('token_file in a server', <<"_", qr/directive is not allowed here/);
server {
    k8s_sa_token_file \$a $dir/token; # HERE
}
_

accepted('token_file', <<"_");
k8s_sa_token_file \$a $dir/token;
k8s_sa_token_file \$b $dir/token;
server {
    location / {
        proxy_set_header Authorization "Bearer \$a \$b";
        proxy_pass http://127.0.0.1:1;
    }
}
_


done_testing();
