# SPDX-License-Identifier: BSD-2-Clause

# Variables: their values for real tokens, the places where they can be read,
# and that they are empty without an identity.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use K8sSa::Blocks;
use Test::Nginx::Socket 'no_plan';

our $Uid = '16fe82e9-96c6-4087-94e7-e4c53dfaa6f5';

# "X-V-NAME: value" for each

our @Names = qw(username namespace name uid groups pod pod_uid node node_uid
                secret issuer audience jti expires kid result claim_sub);

our $All = join '', map { "    proxy_set_header X-V-$_ \"[\$k8s_sa_$_]\";\n" }
                    @Names;

sub seen {
    my %value = @_;
    my $pattern = join '', map { my $v = defined $value{$_} ? $value{$_} : '';
                                 "(?=.*^X-V-$_: \\[\Q$v\E\\]\\r\$)" } @Names;
    return qr/\A$pattern/ms;
}

our %Common = (
    username => 'system:serviceaccount:mytest:service1',
    claim_sub => 'system:serviceaccount:mytest:service1',
    namespace => 'mytest', name => 'service1', uid => $Uid, result => 'ok',
    groups => 'system:serviceaccounts,system:serviceaccounts:mytest,'
              . 'system:authenticated',
    issuer => 'https://kubernetes.default.svc', audience => 'service2',
    kid => '6CUMo4qrTD8F484yYk2bvfEuRF_CsY6SkkG3fd-yRJ8',
);

# Most recorded tokens have expired, so the others get a leeway
our $Recorded = <<"_";
k8s_sa_issuer recorded {
    public_key @{[ fixture('1.36.2/sa.pub') ]};
    public_key @{[ fixture('1.20.2/sa.pub') ]};
    audience service2;
    legacy_tokens on;
    leeway 36500d;
}
_

our $Location = "location /t {\n    k8s_sa_auth recorded;\n$All"
                . "    proxy_pass http://up;\n}\n";

add_block_preprocessor(sub {
    my ($block) = @_;
    my $http = $block->http_config;

    # runs before the preprocessor that all suites have
    $block->set_value(http_config => (defined $http ? $http : '')
                                     . $::Recorded);
    $block->set_value(config => $::Location) unless defined $block->config;
});

run_tests();

__DATA__

=== TEST 1: legacy
--- more_headers eval: ::bearer('1.36.2/legacy-manual')
--- response_body_like eval
::seen(%::Common, secret => 'service1-manual', audience => '',
       issuer => 'kubernetes/serviceaccount')



=== TEST 2: projected, 1.20, bound to a pod
--- more_headers eval: ::bearer('1.20.2/long-aud-service2-pod')
--- response_body_like eval
::seen(%::Common, uid => '644fc637-8494-4cc4-bbb5-6f60d50de8ee',
       kid => '3lIPOiq4CgAozgTrMmiCLr-OLRlRVlqL3gAVdm66ToY',
       pod => 'pod1', pod_uid => '30ce50cf-d8f1-459a-bf89-257a494ad581',
       expires => 4949039896)



=== TEST 3: projected, 1.36, bound to a pod
--- more_headers eval: ::bearer('1.36.2/long-aud-service2-pod')
--- response_body_like eval
::seen(%::Common, pod => 'pod1', node => 'node1', expires => 4949039897,
       pod_uid => '32eca69f-1b10-42a1-809c-b3a49caf497b',
       node_uid => 'ca69054d-d02f-47c9-aa00-df22ea57418d',
       jti => '9a36aa3f-4f9e-4277-9243-1068535d7957')



=== TEST 4: projected, 1.36, bound to a secret
--- more_headers eval: ::bearer('1.36.2/aud-service2-secret')
--- response_body_like eval
::seen(%::Common, secret => 'bindme', expires => 1795440798,
       jti => 'c6f30b59-b799-4806-954d-34fc6a73b0c4')



=== TEST 5: projected, 1.36, bound to a node
--- more_headers eval: ::bearer('1.36.2/aud-service2-node')
--- response_body_like eval
::seen(%::Common, node => 'node1', expires => 1795440798,
       node_uid => 'ca69054d-d02f-47c9-aa00-df22ea57418d',
       jti => '987ecfeb-b1b2-41d6-9d3f-a9a2a242b420')



=== TEST 6: no token, optional
--- config eval: $::Location =~ s/recorded;/recorded optional;/r
--- response_body_like eval: ::seen(result => 'no_token')



=== TEST 7: no token, allowed by address
--- config eval: $::Location =~ s/k8s_sa/satisfy any; allow all; k8s_sa/r
--- response_body_like eval: ::seen(result => 'no_token')



=== TEST 8: a refused token, allowed by address
--- config eval: $::Location =~ s/k8s_sa/satisfy any; allow all; k8s_sa/r
--- more_headers eval: ::bearer(::spoil(::token('1.36.2/long-aud-service2')))
--- response_body_like eval: ::seen(result => 'bad_signature')



=== TEST 9: an expired token, allowed by address: no identity
--- config eval
($::Location =~ s/k8s_sa/satisfy any; allow all; k8s_sa/r)
=~ s/recorded/made/r
--- more_headers eval: ::bearer(::sign_token(claims => ::claims(exp => 1000)))
--- response_body_like eval: ::seen(result => 'expired')



=== TEST 10: k8s_sa_auth off
--- config eval: $::Location =~ s/recorded;/off;/r
--- more_headers eval: ::bearer('1.36.2/long-aud-service2')
--- response_body_like eval: ::seen()



=== TEST 11: claims of each type
--- config
location /t {
    k8s_sa_auth made;
    proxy_set_header X-V "$k8s_sa_claim_s|$k8s_sa_claim_n|$k8s_sa_claim_f|$k8s_sa_claim_t|$k8s_sa_claim_a|$k8s_sa_claim_m|$k8s_sa_claim_o|$k8s_sa_claim_z|$k8s_sa_claim_e|$k8s_sa_claim_missing|$k8s_sa_claim_|$k8s_sa_claim_isGuest";
    proxy_pass http://up;
}
--- more_headers eval
::bearer(::sign_token(claims => ::claims(s => "a \"b\" \xc3\xa4", n => 42,
    f => JSON::PP::false(), t => JSON::PP::true(), a => [ 'x', 'y' ],
    m => [ 'x', 1 ], o => { b => { c => 'd' } }, z => 0, e => '',
    isGuest => JSON::PP::true())))
--- response_body_like eval
qr/^X-V: a "b" .*\|42\|false\|true\|x,y\|\["x",1\]\|\{"b":\{"c":"d"\}\}\|0\|\|\|\|true\r$/m



=== TEST 12: claims that would break a header are left out
--- config
location /t {
    k8s_sa_auth made;
    proxy_set_header X-V "$k8s_sa_claim_s|$k8s_sa_claim_a|$k8s_sa_claim_o";
    proxy_pass http://up;
}
--- more_headers eval
::bearer(::sign_token(claims => ::claims(s => "a\r\nX-W: b", a => [ 'a,b' ],
                                         o => { x => "a\r\nX-W: b" })))
--- response_body_like eval: qr/^X-V: \|\|\{"x":"a\\r\\nX-W: b"\}\r$/m



=== TEST 13: all claims
--- config
location /t {
    k8s_sa_auth made;
    proxy_set_header X-V $k8s_sa_claims;
    proxy_pass http://up;
}
--- more_headers eval
::bearer(::sign_token(claims => '{ "sub" : "system:serviceaccount:a:b",
    "kubernetes.io" : { "namespace" : "a",
                        "serviceaccount" : { "name" : "b", "uid" : "c" } },
    "iss" : "https://kubernetes.default.svc", "aud" : "service2",
    "exp" : 4949039896, "x" : [ 1, 2.50, null ] }'))
--- response_body_like eval
my $json = '{"sub":"system:serviceaccount:a:b","kubernetes.io":'
           . '{"namespace":"a","serviceaccount":{"name":"b","uid":"c"}},'
           . '"iss":"https://kubernetes.default.svc","aud":"service2",'
           . '"exp":4949039896,"x":[1,2.50,null]}';
qr/^X-V: \Q$json\E\r$/m



=== TEST 14: read by set and if before the access phase, and again after it
--- config
location /t {
    set $early "early=$k8s_sa_username,$k8s_sa_result";
    if ($k8s_sa_username = nobody) {
        return 500;
    }
    k8s_sa_auth made;
    proxy_set_header X-Early $early;
    proxy_set_header X-V "$k8s_sa_username,$k8s_sa_result";
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- response_body_like eval
qr/(?=.*^X-Early: early=,\r$)(?=.*^X-V: system:serviceaccount:mytest:service1,ok\r$)/ms



=== TEST 15: map
--- http_config
map $k8s_sa_username $team {
    default nobody;
    system:serviceaccount:mytest:service1 ones;
    ~^system:serviceaccount:mytest: others;
}
--- config
location /t {
    k8s_sa_auth made;
    proxy_set_header X-V $team;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- response_body_like: X-V: ones



=== TEST 16: add_header, also where the token is refused
--- config
location /t {
    k8s_sa_auth made;
    add_header X-V "[$k8s_sa_username]$k8s_sa_result" always;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token(claims => ::claims(exp => 1000)))
--- error_code: 401
--- response_headers
X-V: []expired



=== TEST 17: log_format
--- http_config
log_format who "who=$k8s_sa_username result=$k8s_sa_result claim=$k8s_sa_claim_sub";
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/error.log who;
location /t {
    k8s_sa_auth made;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- wait: 0.1
--- error_log
who=system:serviceaccount:mytest:service1 result=ok claim=system:serviceaccount:mytest:service1



=== TEST 18: limit_req_zone
--- http_config
limit_req_zone $k8s_sa_username zone=one:64k rate=1r/m;
--- config
location /t {
    k8s_sa_auth made;
    limit_req zone=one;
    limit_req_status 429;
    proxy_pass http://up;
}
--- pipelined_requests eval: [ 'GET /t', 'GET /t', 'GET /t' ]
--- more_headers eval
my @bearer = map { ::bearer(::sign_token(claims => ::claims(
    sub => "system:serviceaccount:a:$_", 'kubernetes.io' =>
    { namespace => 'a', serviceaccount => { name => $_, uid => 'u' } }))) }
    'one', 'one', 'two';
\@bearer
--- error_code eval: [ 200, 429, 200 ]



=== TEST 19: limit_req_zone: without a valid token the key is empty
--- http_config
limit_req_zone $k8s_sa_username zone=one:64k rate=1r/m;
--- config
location /t {
    k8s_sa_auth made;
    limit_req zone=one;
    limit_req_status 429;
    proxy_pass http://up;
}
--- pipelined_requests eval: [ 'GET /t', 'GET /t', 'GET /t' ]
--- more_headers eval
my $token = ::sign_token();
[ ::bearer(::spoil($token)), ::bearer(::spoil($token)), ::bearer($token) ]
--- error_code eval: [ 401, 401, 200 ]



=== TEST 20: in a subrequest
--- config
location = /auth {
    internal;
    proxy_set_header X-V $k8s_sa_username;
    proxy_pass http://up/auth;
    proxy_intercept_errors off;
}
location = /mirror {
    internal;
    access_log $TEST_NGINX_SERVER_ROOT/logs/error.log;
    proxy_set_header X-Mirrored "$k8s_sa_name:$k8s_sa_claim_aud";
    proxy_pass http://up/mirror;
}
location /t {
    k8s_sa_auth made;
    auth_request /auth;
    mirror /mirror;
    proxy_pass http://up;
}
--- more_headers eval: ::bearer(::sign_token())
--- wait: 0.1
--- error_code: 200
--- error_log
X-Mirrored: service1:service2
