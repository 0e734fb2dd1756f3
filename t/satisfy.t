# SPDX-License-Identifier: BSD-2-Clause

# Combination with other access checks: satisfy, allow, auth_basic,
# auth_request, limit_except.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use K8sSa::Blocks;
use Test::Nginx::Socket 'no_plan';

our $Good = qr/^X-Remote-User: system:serviceaccount:mytest:service1\r$/m;
our $Basic = 'Authorization: Basic dXNlcjpwYXNzd29yZA==';

# user:password
write_file('htpasswd', "user:{PLAIN}password\n");
$ENV{TEST_NGINX_HTPASSWD} = dir() . '/htpasswd';

run_tests();

__DATA__

=== TEST 1: satisfy any, address allowed, no token
--- config
location /t {
    satisfy any;
    allow all;
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- response_headers
WWW-Authenticate:
--- response_body_unlike: Remote



=== TEST 2: satisfy any, address allowed, good token
--- config
location /t {
    satisfy any;
    allow all;
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- response_body_like eval: $::Good



=== TEST 3: satisfy any, address allowed, bad token: no identity, token withheld
--- config
location /t {
    satisfy any;
    allow all;
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::spoil(::sign_token()))
--- response_headers
WWW-Authenticate:
--- response_body_unlike: Remote|Authorization



=== TEST 4: satisfy any, address denied, good token
--- config
location /t {
    satisfy any;
    deny all;
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- response_body_like eval: $::Good



=== TEST 5: satisfy any, address denied, no token
--- config
location /t {
    satisfy any;
    deny all;
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes"



=== TEST 6: satisfy any, address denied, bad token
--- config
location /t {
    satisfy any;
    deny all;
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::spoil(::sign_token()))
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes", error="invalid_token"



=== TEST 7: satisfy any, address denied, optional and no token
--- config
location /t {
    satisfy any;
    deny all;
    k8s_sa_auth made optional;
    proxy_pass http://up;
}
--- error_code: 403



=== TEST 8: satisfy all, address denied, good token
--- config
location /t {
    deny all;
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- error_code: 403



=== TEST 9: satisfy all, address allowed, no token
--- config
location /t {
    allow all;
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- error_code: 401



=== TEST 10: satisfy any with auth_basic: the password
--- config
location /t {
    satisfy any;
    auth_basic basic;
    auth_basic_user_file $TEST_NGINX_HTPASSWD;
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- more_headers eval: $::Basic
--- response_headers
WWW-Authenticate:
--- response_body_like: Authorization: Basic dXNlcjpwYXNzd29yZA==
--- response_body_unlike: Remote



=== TEST 11: satisfy any with auth_basic: the token
--- config
location /t {
    satisfy any;
    auth_basic basic;
    auth_basic_user_file $TEST_NGINX_HTPASSWD;
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- response_body_like eval: $::Good
--- response_body_unlike: Authorization



=== TEST 12: satisfy any with auth_basic: neither, and both challenges
--- config
location /t {
    satisfy any;
    auth_basic basic;
    auth_basic_user_file $TEST_NGINX_HTPASSWD;
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- error_code: 401
--- raw_response_headers_like eval
qr/(?=.*WWW-Authenticate: Bearer realm="kubernetes"\r\n)(?=.*WWW-Authenticate: Basic realm="basic"\r\n)/s



=== TEST 13: satisfy all with auth_basic, token in another header
--- config
location /t {
    auth_basic basic;
    auth_basic_user_file $TEST_NGINX_HTPASSWD;
    k8s_sa_auth made;
    k8s_sa_token $http_x_service_token;
    proxy_pass http://up;
}
--- more_headers eval: "$::Basic\nX-Service-Token: " . ::sign_token()
--- response_body_like eval: $::Good
--- response_body_unlike: X-Service-Token



=== TEST 14: satisfy all with auth_basic, no password
--- config
location /t {
    auth_basic basic;
    auth_basic_user_file $TEST_NGINX_HTPASSWD;
    k8s_sa_auth made;
    k8s_sa_token $http_x_service_token;
    proxy_pass http://up;
}
--- more_headers eval: 'X-Service-Token: Bearer ' . ::sign_token()
--- error_code: 401
--- response_headers
WWW-Authenticate: Basic realm="basic"



=== TEST 15: limit_except requires a token for other methods: GET
--- config
location /t {
    limit_except GET {
        k8s_sa_auth made;
    }
    proxy_pass http://up;
}
--- error_code: 200
--- response_body_unlike: Remote



=== TEST 16: limit_except requires a token for other methods: POST without one
--- config
location /t {
    limit_except GET {
        k8s_sa_auth made;
    }
    proxy_pass http://up;
}
--- request
POST /t
body
--- error_code: 401



=== TEST 17: limit_except requires a token for other methods: POST with one
--- config
location /t {
    limit_except GET {
        k8s_sa_auth made;
    }
    proxy_pass http://up;
}
--- request
POST /t
body
--- more_headers eval: ::bearer(::sign_token())
--- response_body_like eval: $::Good



=== TEST 18: limit_except requires no token for other methods
--- config
location /t {
    k8s_sa_auth made;
    limit_except POST {
        k8s_sa_auth off;
    }
    proxy_pass http://up;
}
--- error_code: 200



=== TEST 19: limit_except requires a token for this method
--- config
location /t {
    k8s_sa_auth made;
    limit_except POST {
        k8s_sa_auth off;
    }
    proxy_pass http://up;
}
--- request
POST /t
--- error_code: 401



=== TEST 20: auth_request sees the identity, but not the token
--- config
location = /auth {
    internal;
    proxy_set_header X-Seen "$k8s_sa_name:$http_authorization";
    proxy_pass http://up/auth;
}
location /t {
    k8s_sa_auth made;
    auth_request /auth;
    auth_request_set $seen $upstream_status;
    proxy_set_header X-Auth $seen;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- response_body_like eval: qr/(?=.*^X-Auth: 200\r$)(?=.*$::Good)/ms
--- response_body_unlike: Authorization



=== TEST 21: auth_request refuses, although the token is good
--- config
location = /auth {
    internal;
    proxy_pass http://up/status/403;
}
location /t {
    k8s_sa_auth made;
    auth_request /auth;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- error_code: 403



=== TEST 22: auth_request allows, but there is no token
--- config
location = /auth {
    internal;
    proxy_pass http://up/status/204;
}
location /t {
    k8s_sa_auth made;
    auth_request /auth;
    proxy_pass http://up;
}
--- error_code: 401



=== TEST 23: satisfy any: auth_request allows, without a token
--- config
location = /auth {
    internal;
    proxy_pass http://up/status/204;
}
location /t {
    satisfy any;
    k8s_sa_auth made;
    auth_request /auth;
    proxy_pass http://up;
}
--- response_headers
WWW-Authenticate:
--- response_body_unlike: Remote



=== TEST 24: a caller cannot get in by sending an identity
--- config
location /t {
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- more_headers
X-Remote-User: system:serviceaccount:mytest:service1
--- error_code: 401
