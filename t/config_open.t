# SPDX-License-Identifier: BSD-2-Clause

# Configurations that would let every request pass, and values that would
# silently match no caller.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Conf;
use K8sSa::Http;
use K8sSa::Nginx;
use K8sSa::Upstream;

my $key = key_file('ec');
my $issuer = <<"_";
k8s_sa_issuer made { public_key $key; audience service2; }
k8s_sa_issuer foreign {
    kubernetes off; issuer https://idp.example; public_key $key;
    audience service2;
}
k8s_sa_issuer api { token_review https://127.0.0.1:1/; audience service2; }
_

sub server { return "$issuer\nserver {\n$_[0]\n}\n"; }

sub location { return server("location / {\n$_[0]\n}"); }


# Rules without k8s_sa_auth

refused("rule without auth: $_->[0]", server($_->[2]), qr/"$_->[1]" has no effect/)
    for [ 'allow', 'k8s_sa_allow', 'location / { k8s_sa_allow a/b; # HERE
              }' ],
        [ 'require', 'k8s_sa_require', 'location / { k8s_sa_require $uri; # HERE
              }' ],
        [ 'in the server', 'k8s_sa_allow', 'k8s_sa_allow a/b; # HERE' ],
        [ 'off in the same block', 'k8s_sa_allow', 'location / {
              k8s_sa_auth off; k8s_sa_allow a/b; # HERE
          }' ],
        [ 'off further outside', 'k8s_sa_allow', 'k8s_sa_auth off;
          location / { k8s_sa_allow a/b; # HERE
          }' ],
        [ 'off between two rules', 'k8s_sa_require', 'k8s_sa_auth made;
          k8s_sa_allow a/b;
          location / { k8s_sa_auth off;
              location /a { k8s_sa_require $uri; # HERE
          } }' ],
        [ 'another location has auth', 'k8s_sa_allow', 'k8s_sa_allow a/b; # HERE
          location /a { k8s_sa_auth made; }
          location /b { }' ],
        [ 'in limit_except', 'k8s_sa_allow', 'location / {
              limit_except GET { k8s_sa_allow a/b; # HERE
          } }' ],
        [ 'auth only in limit_except', 'k8s_sa_allow', 'location / {
              k8s_sa_allow a/b; # HERE
              limit_except GET { k8s_sa_auth made; }
          }' ];

refused('rule without auth: inherited from http', <<"_",
$issuer
k8s_sa_allow a/b; # HERE
server { k8s_sa_auth made; }
server { }
_
        qr/"k8s_sa_allow" has no effect in server "": "k8s_sa_auth", or/);

refused('rule without auth: a nested location', server('
    k8s_sa_auth off;
    location / { k8s_sa_auth made;
        location /a { k8s_sa_auth off;
            location /a/b { k8s_sa_allow a/b; # HERE
    } } }'), qr/"k8s_sa_allow" has no effect without "k8s_sa_auth"/);

accepted("rule with auth: $_->[0]", $_->[1])
    for [ 'same block', location('k8s_sa_auth made; k8s_sa_allow a/b;') ],
        [ 'auth further outside', server('k8s_sa_auth made; location / {
              k8s_sa_require $uri; }') ],
        [ 'rule in http', "$issuer k8s_sa_allow a/b; server { k8s_sa_auth made; }
              server { listen 81; k8s_sa_auth off; location / { } }" ],
        [ 'off below', server('k8s_sa_auth made; k8s_sa_allow a/b;
              location /healthz { k8s_sa_auth off; location /healthz/x { } }') ],
        [ 'on again', server('k8s_sa_auth made; k8s_sa_allow a/b;
              location /a { k8s_sa_auth off;
                  location /a/b { k8s_sa_auth made; } }') ],
        [ 'limit_except', location('limit_except GET {
              k8s_sa_auth made; k8s_sa_allow a/b; }') ];


# The rewrite module is first

accepted("beside auth: $_->[0]", server($_->[1]), $_->[2])
    for [ 'return', 'location / { return 200 a; k8s_sa_auth made; }',
          qr/"return" is executed before "k8s_sa_auth" checks tokens in .*:\d/ ],
        [ 'return after others', 'location / { set $a b; k8s_sa_auth made;
              if ($a) { set $a c; } return 204; }', qr/"return" is executed/ ],
        [ 'return in the server', 'k8s_sa_auth made; return 200 a;',
          qr/"return" is executed/ ],
        [ 'rewrite', 'location / { k8s_sa_auth made; rewrite ^/a /b; }',
          qr/"rewrite" is executed/ ],
        [ 'rewrite last', 'location / { k8s_sa_auth made; rewrite ^/a /b last; }',
          qr/"rewrite" is executed/ ],
        [ 'rewrite break', 'location / { k8s_sa_auth made;
              rewrite ^/a /b break; }' ],
        [ 'rewrite in the server', 'k8s_sa_auth made; rewrite ^/a /b;
              location / { }' ],
        [ 'return in if', 'location / { k8s_sa_auth made;
              if ($request_method = PUT) { return 405; }
              if ($uri ~ x) { set $a b; return 404; } }' ],
        [ 'return in another location', 'k8s_sa_auth made;
              location / { } location = /healthz { return 200 ok; }' ];


# Values

refused("allow $_", location("k8s_sa_auth made; k8s_sa_allow a/b $_; # HERE\n"),
        qr/pattern "\Q$_\E" matches no service account/)
    for 'mytest:service1', 'service1', 'alice@example.com', 'group:developers',
        'system:serviceaccount:mytest', 'system:serviceaccount:my_test:a',
        'system:serviceaccount:mytest:', 'group:system:masters',
        'group:system:serviceaccountsx', 'group:system:serviceaccounts:',
        'system:kube-scheduler';

refused('allow: a pattern that is inherited', server('
    k8s_sa_allow mytest:service1; # HERE
    k8s_sa_auth foreign;
    location / { k8s_sa_auth made; }'), qr/pattern "mytest:service1"/);

accepted("allow $_", location("k8s_sa_auth made; k8s_sa_allow $_;"))
    for 'system:serviceaccount:mytest:service1', 'group:system:authenticated',
        'group:system:serviceaccounts', 'group:system:serviceaccounts:mytest';

accepted("allow with $_: other users",
         location("k8s_sa_auth $_; k8s_sa_allow auth0:7 alice group:b;"))
    for 'foreign', 'api', 'made foreign', 'made api';

refused("allow word $_", location("k8s_sa_auth foreign; k8s_sa_allow $_; # HERE\n"),
        qr/invalid pattern "\Q$_\E"/)
    for qw(off on all any none *);

refused("allow variable $_", location("k8s_sa_auth foreign;
                                       k8s_sa_allow $_; # HERE\n"),
        qr/invalid value "\Q$_\E" in "k8s_sa_allow" directive: variables/)
    for '$host', 'mytest/$name', 'group:$group';

refused("require $_", location("k8s_sa_auth made; k8s_sa_require $_; # HERE\n"),
        qr/invalid value "\Q$_\E": a string without a variable is always true/)
    for qw(off on false 00 yes);

refused("issuer: $_->[0]", <<"_", $_->[1])
k8s_sa_issuer x { public_key $key; audience service2;
    $_->[0]; # HERE
}
_
    for [ 'audience $host', qr/invalid value "\$host" in "audience" dir/ ],
        [ 'audience a ${host}', qr/invalid value "\$\{host\}" in "audience" dir/ ],
        [ 'audience all', qr/invalid value "all"/ ],
        [ 'audience *', qr/invalid value "\*"/ ],
        [ 'audience off', qr/invalid value "off"/ ],
        [ 'issuer any', qr/invalid value "any"/ ],
        [ 'issuer https://$host', qr/invalid value .* in "issuer" directive/ ],
        [ 'jwks_uri https://$host/', qr/invalid value .* in "jwks_uri" dir/ ],
        [ 'token_file $a', qr/invalid value "\$a" in "token_file" directive/ ],
        [ 'state_path ""', qr/"state_path" directive has an empty value/ ],
        [ 'token_file ""', qr/"token_file" directive has an empty value/ ],
        [ 'api_server ""', qr/"api_server" directive has an empty value/ ],
        [ 'ssl_name ""', qr/"ssl_name" directive has an empty value/ ],
        [ 'ssl_trusted_certificate ""', qr/directive has an empty value/ ];

refused("zone $_", "k8s_sa_zone $_; # HERE\n$issuer", qr/invalid zone "\Q$_\E"/)
    for 'zone=k8s_sa:8m', '$name:8m', 'k8s_sa:size=8m';


# A token from the URI by way of "set" or "map" is not seen by nginx -t

my $up = echo_http();
my $port = free_port();

my $nginx = K8sSa::Nginx->new(http => <<"_");
$issuer
map \$arg_token \$mapped { default \$arg_token; }
map \$http_x_either \$either { "" \$arg_token; default \$http_x_either; }
server {
    listen 127.0.0.1:$port;
    access_log off;
    k8s_sa_auth made;
    location /map { k8s_sa_token \$mapped; proxy_pass http://127.0.0.1:$up; }
    location /either { k8s_sa_token \$either; proxy_pass http://127.0.0.1:$up; }
    location /set { set \$a \$arg_token; k8s_sa_token \$a;
        proxy_pass http://127.0.0.1:$up; }
    location /forwarded { k8s_sa_token \$mapped; k8s_sa_forward_token on;
        proxy_pass http://127.0.0.1:$up; }
    location /optional { k8s_sa_auth made optional; k8s_sa_token \$mapped;
        proxy_pass http://127.0.0.1:$up; }
}
_

$nginx->start;

my $token = sign_token();

is(get($port, "$_?token=$token")->{status}, 500,
   "$_: a token in the URI cannot be withheld")
    for qw(/map /set /either /optional);

like($nginx->log, qr/\[error\].* k8s_sa: the token is in the request's URI, /,
     'the log names the cure');

is(get($port, "/forwarded?token=$token")->{status}, 200, 'forwarded');
is(get($port, '/either', "X-Either: $token")->{status}, 200, 'from a header');
is(get($port, '/map?token=short')->{status}, 401, 'what is not a token');
is(get($port, '/map')->{status}, 401, 'nothing');

K8sSa::Nginx->finish;
