# SPDX-License-Identifier: BSD-2-Clause

# Internal redirects: each location checks its own token, and the upstream gets
# one identity.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use K8sSa::Blocks;
use Test::Nginx::Socket 'no_plan';

our $User = qr/X-Remote-User: system:serviceaccount:mytest:service1\r\n/;
our $Once = qr/\A(?!.*Remote.*Remote)(?=.*$::User)/s;

write_file('401.html', "a page of our own\n");
$ENV{TEST_NGINX_PAGES} = dir();

run_tests();

__DATA__

=== TEST 1: error_page 401, a static page without a check
--- config
k8s_sa_auth made;
error_page 401 /401.html;
location = /401.html {
    k8s_sa_auth off;
    root $TEST_NGINX_PAGES;
}
location /t {
    proxy_pass http://up;
}
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="kubernetes"
--- response_body
a page of our own



=== TEST 2: error_page 401, a static page that requires a token itself
--- config
k8s_sa_auth made;
error_page 401 /401.html;
location = /401.html {
    root $TEST_NGINX_PAGES;
}
location /t {
    proxy_pass http://up;
}
--- error_code: 401
--- response_body_like: 401
--- raw_response_headers_unlike: (?s)WWW-Authenticate.*WWW-Authenticate



=== TEST 3: error_page 401, a named location, proxied
--- config
k8s_sa_auth made;
error_page 401 = @login;
location @login {
    k8s_sa_auth off;
    proxy_pass http://up;
}
location /t {
    proxy_pass http://up;
}
--- more_headers
X-Remote-User: admin
--- error_code: 200
--- response_body_unlike: Remote



=== TEST 4: error_page 401 =200
--- config
k8s_sa_auth made;
error_page 401 =200 /401.html;
location = /401.html {
    k8s_sa_auth off;
    root $TEST_NGINX_PAGES;
}
location /t {
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::spoil(::sign_token()))
--- error_code: 200
--- response_body
a page of our own



=== TEST 5: error_page 401, the token does not reach another upstream
--- config
location @login {
    proxy_pass http://up;
}
location /t {
    k8s_sa_auth made;
    error_page 401 = @login;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::spoil(::sign_token()))
--- error_code: 200
--- response_body_unlike: Authorization



=== TEST 6: error_page 502, a location with its own check
--- config
location @second {
    k8s_sa_auth made;
    proxy_pass http://up;
}
location /t {
    k8s_sa_auth made;
    error_page 502 = @second;
    proxy_pass http://127.0.0.1:1;
}
--- more_headers eval: ::bearer(::sign_token()) . "\nX-Remote-User: admin"
--- error_code: 200
--- response_body_like eval: $::Once
--- response_body_unlike: Authorization



=== TEST 7: error_page 502, a location without a check: no identity
--- config
location @second {
    proxy_pass http://up;
}
location /t {
    k8s_sa_auth made;
    error_page 502 = @second;
    proxy_pass http://127.0.0.1:1;
}
--- more_headers eval: ::bearer(::sign_token()) . "\nX-Remote-User: admin"
--- error_code: 200
--- response_body_unlike: Remote|Authorization



=== TEST 8: error_page 502, a location of another issuer
--- config
location @second {
    k8s_sa_auth cluster;
    proxy_pass http://up;
}
location /t {
    k8s_sa_auth made;
    error_page 502 = @second;
    proxy_pass http://127.0.0.1:1;
}
--- more_headers eval: ::bearer(::sign_token())
--- error_code: 401



=== TEST 9: from a location without a check to one that requires a token
--- config
location /private {
    k8s_sa_auth made;
    proxy_pass http://up;
}
location /t {
    error_page 502 = /private;
    proxy_pass http://127.0.0.1:1;
}
--- error_code: 401



=== TEST 10: the same with a token
--- config
location /private {
    k8s_sa_auth made;
    proxy_pass http://up;
}
location /t {
    error_page 502 = /private;
    proxy_pass http://127.0.0.1:1;
}
--- more_headers eval: ::bearer(::sign_token())
--- response_body_like eval: $::Once
--- response_body_unlike: Authorization



=== TEST 11: try_files
--- config
location @back {
    k8s_sa_auth made;
    proxy_pass http://up;
}
location /t {
    k8s_sa_auth made;
    try_files /nothing @back;
}
--- more_headers eval: ::bearer(::sign_token())
--- response_body_like eval: $::Once
--- response_body_unlike: Authorization



=== TEST 12: try_files without a token
--- config
location @back {
    proxy_pass http://up;
}
location /t {
    k8s_sa_auth made;
    try_files /nothing @back;
}
--- error_code: 401



=== TEST 13: rewrite
--- config
location /t {
    rewrite ^ /private last;
}
location /private {
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- error_code: 401



=== TEST 14: X-Accel-Redirect to a protected location
--- config
location /t {
    k8s_sa_auth made;
    proxy_pass http://up/accel/private;
}
location /private {
    internal;
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- response_body_like eval: qr/\AGET \/private .*$::User/s
--- response_body_unlike: (?s)Authorization|Remote.*Remote



=== TEST 15: X-Accel-Redirect to a location for other callers
--- config
location /t {
    k8s_sa_auth made;
    proxy_pass http://up/accel/private;
}
location /private {
    internal;
    k8s_sa_auth cluster;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- error_code: 401



=== TEST 16: a token in another header survives a redirect
--- config
k8s_sa_token $http_x_service_token;
location @second {
    k8s_sa_auth made;
    proxy_pass http://up;
}
location /t {
    k8s_sa_auth made;
    error_page 502 = @second;
    proxy_pass http://127.0.0.1:1;
}
--- more_headers eval: "X-A: 1\nX-Service-Token: " . ::sign_token() . "\nX-B: 2"
--- response_body_like eval: $::Once
--- response_body_unlike: X-Service-Token



=== TEST 17: a token in a cookie survives a redirect
--- config
k8s_sa_token $cookie_token;
location @second {
    k8s_sa_auth made;
    proxy_pass http://up;
}
location /t {
    k8s_sa_auth made;
    error_page 502 = @second;
    proxy_pass http://127.0.0.1:1;
}
--- more_headers eval: 'Cookie: a=b; token=' . ::sign_token() . '; c=d'
--- response_body_like eval: $::Once
--- response_body_unlike: Cookie



=== TEST 18: $k8s_sa_result is available to the log after a redirect
--- http_config
log_format result "result=$k8s_sa_result user=$k8s_sa_username";
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/error.log result;
location @free {
    k8s_sa_auth off;
    proxy_pass http://up;
}
location /t {
    k8s_sa_auth made;
    error_page 401 = @free;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token(claims => ::claims(exp => 1000)))
--- error_code: 200
--- wait: 0.1
--- error_log
result=expired user=-



=== TEST 19: a capture from the identity survives a redirect
An identity that is too large for the worker's own table: nothing else holds it.
--- http_config
large_client_header_buffers 4 32k;
--- config
location @second {
    if ($k8s_sa_username ~ "^(.+)$") {
        set $matched 1;
    }
    k8s_sa_auth made;
    add_header X-User $1 always;
    proxy_pass http://up;
}
location /t {
    k8s_sa_auth made;
    error_page 502 = @second;
    proxy_pass http://127.0.0.1:1;
}
--- more_headers eval: ::bearer(::sign_token(claims => ::claims(jti => 'x' x 1500)))
--- response_headers
X-User: system:serviceaccount:mytest:service1



=== TEST 20: the identity in variables, in a location without a check
--- config
location @second {
    proxy_set_header X-Caller "$k8s_sa_username $k8s_sa_result";
    proxy_pass http://up;
}
location /t {
    k8s_sa_auth made;
    try_files /none @second;
}
--- more_headers eval: ::bearer(::sign_token())
--- response_body_like: X-Caller: system:serviceaccount:mytest:service1 ok\r\n
--- response_body_unlike: Remote|Authorization
