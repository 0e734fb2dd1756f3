# SPDX-License-Identifier: BSD-2-Clause

# Answers to the caller: statuses and challenges.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use K8sSa::Blocks;
use Test::Nginx::Socket 'no_plan';

our $Good = 'system:serviceaccount:mytest:service1';

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(config => "location /t {\n"
                                . "    k8s_sa_auth made cluster;\n"
                                . "    proxy_pass http://up;\n}\n")
        unless defined $block->config;

    $block->set_value(error_code => 401) unless defined $block->error_code;
    $block->set_value(response_body_like => '401')
        if $block->error_code eq '401' && !defined $block->response_body_like;
});

run_tests();

__DATA__

=== TEST 1: a valid token
--- more_headers eval: ::bearer('1.36.2/long-aud-service2')
--- error_code: 200
--- response_body_like eval: qr/^X-Remote-User: \Q$::Good\E\r$/m
--- response_headers
WWW-Authenticate:
--- no_error_log
request refused



=== TEST 2: no token
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes"
--- error_log
[warn]
k8s_sa: request refused (no_token): there is no token



=== TEST 3: Basic credentials are not a token
--- more_headers
Authorization: Basic dXNlcjpwYXNzd29yZA==
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes"
--- error_log
(no_token)



=== TEST 4: an empty Authorization
--- more_headers
Authorization:
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes"
--- error_log
(no_token)



=== TEST 5: Bearer and nothing else
--- more_headers
Authorization: Bearer
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes"
--- error_log
(no_token)



=== TEST 6: a scheme that begins like Bearer
--- more_headers eval: "Authorization: BearerX " . ::sign_token()
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes"
--- error_log
(no_token)



=== TEST 7: a token without a scheme
--- more_headers eval: "Authorization: " . ::sign_token()
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes"
--- error_log
(no_token)



=== TEST 8: malformed
--- more_headers
Authorization: Bearer abc
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"
--- error_log
(malformed)



=== TEST 9: a second token after the first
--- more_headers eval: ::bearer(::sign_token()) . ' x'
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"
--- error_log
(malformed)



=== TEST 10: a trailing comma
--- more_headers eval: ::bearer(::sign_token()) . ','
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"
--- error_log
(malformed)



=== TEST 11: bad signature
--- more_headers eval: ::bearer(::spoil(::sign_token()))
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"
--- error_log
(bad_signature)



=== TEST 12: bad signature and expired: the same answer
--- more_headers eval
::bearer(::spoil(::sign_token(claims => ::claims(exp => time() - 1000))))
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"



=== TEST 13: unknown key
--- more_headers eval: ::bearer(::sign_token(key => [ 'ec', 'other' ], header => { kid => 'x' }))
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"
--- error_log
(unknown_key)



=== TEST 14: a key that no issuer has, without kid
--- more_headers eval: ::bearer(::sign_token(key => [ 'ec', 'other' ]))
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"
--- error_log
(bad_signature)



=== TEST 15: recorded, signed by another key
--- more_headers eval: ::bearer('1.36.2/forged-other-key')
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"



=== TEST 16: not signed by a key of this cluster
--- more_headers eval: ::bearer('1.20.2/long-aud-service2')
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"
--- error_log
(unknown_key)



=== TEST 17: algorithm none
--- more_headers eval
my ($header, $claims) = split /\./, ::sign_token();
"Authorization: Bearer eyJhbGciOiJub25lIn0.$claims."
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"



=== TEST 18: an unknown issuer
--- more_headers eval
::bearer(::sign_token(claims => ::claims(iss => 'https://elsewhere.example')))
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"
--- error_log
(unknown_issuer)



=== TEST 19: another issuer, signed by a known key
--- more_headers eval: ::bearer('1.36.2/forged-other-issuer')
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token", error_description="The token is from another issuer"
--- error_log eval
[ 'request refused (wrong_issuer): the token is from another issuer',
  'issuer: "cluster"', "subject: \"$::Good\"" ]



=== TEST 20: expired
--- more_headers eval: ::bearer('1.36.2/expired-3600s')
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token", error_description="The token is expired"
--- error_log eval
[ 'request refused (expired): the token is expired: "exp" is ',
  "issuer: \"cluster\", subject: \"$::Good\"" ]



=== TEST 21: not yet valid
--- more_headers eval: ::bearer(::sign_token(claims => ::claims(nbf => time() + 1000)))
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token", error_description="The token is not yet valid"
--- error_log
(not_yet_valid)



=== TEST 22: wrong audience
--- more_headers eval: ::bearer('1.36.2/long-service2-aud-service3')
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token", error_description="The token is for another audience"
--- error_log eval
[ '(wrong_audience)', 'it is "service3"',
  'subject: "system:serviceaccount:mytest:service2"' ]



=== TEST 23: a legacy token, with legacy_tokens off
--- more_headers eval: ::bearer('1.36.2/legacy-manual')
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token", error_description="Legacy tokens are not accepted"
--- error_log
(legacy_token)



=== TEST 24: without the Kubernetes claims
--- more_headers eval: ::bearer('1.36.2/forged-no-kubernetes.io')
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token", error_description="The token's claims are invalid"
--- error_log
(bad_claims)



=== TEST 25: a user name with a line break
--- more_headers eval
::bearer(::sign_token(claims => ::claims(sub => "system:a\r\nX-Remote-User: b")))
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token", error_description="The token's claims are invalid"
--- error_log
(bad_claims)



=== TEST 26: the scheme in any case
--- more_headers eval: 'aUTHORIZATION: bEARER ' . ::sign_token()
--- error_code: 200
--- response_body_like eval: qr/^X-Remote-User: \Q$::Good\E\r$/m



=== TEST 27: several spaces
--- more_headers eval: 'Authorization: Bearer   ' . ::sign_token()
--- error_code: 200
--- response_body_like eval: qr/^X-Remote-User: \Q$::Good\E\r$/m



=== TEST 28: two Authorization headers
--- more_headers
Authorization: Bearer x
Authorization: Bearer y
--- error_code: 400
--- response_body_like: Bad Request



=== TEST 29: another realm
--- config
location /t {
    k8s_sa_auth made;
    k8s_sa_realm "a \"b\" \\ c";
    proxy_pass http://up;
}
--- response_headers
WWW-Authenticate: Bearer realm="a \"b\" \\ c"



=== TEST 30: another realm and an error
--- config
k8s_sa_realm "service 2";
location /t {
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token(claims => ::claims(exp => 1000)))
--- response_headers
WWW-Authenticate: Bearer realm="service 2", error="invalid_token", error_description="The token is expired"



=== TEST 31: another log level
--- config
location /t {
    k8s_sa_auth made;
    k8s_sa_log_level info;
    proxy_pass http://up;
}
--- error_log
[info]
request refused (no_token)
--- no_error_log
[warn]



=== TEST 32: optional without a token
--- config
location /t {
    k8s_sa_auth made optional;
    proxy_pass http://up;
}
--- error_code: 200
--- response_body_unlike: Remote
--- no_error_log
request refused



=== TEST 33: optional with a good token
--- config
location /t {
    k8s_sa_auth made optional;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- error_code: 200
--- response_body_like eval: qr/^X-Remote-User: \Q$::Good\E\r$/m



=== TEST 34: optional with a bad token
--- config
location /t {
    k8s_sa_auth made optional;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::spoil(::sign_token()))
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"



=== TEST 35: optional with something that is not a token
--- config
location /t {
    k8s_sa_auth made optional;
    proxy_pass http://up;
}
--- more_headers
Authorization: Bearer x
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"
