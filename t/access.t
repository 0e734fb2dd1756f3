# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_authorize: what is asked about a request, and what becomes of the
# verdict.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::MockApi;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $up = echo_http();
my $api = K8sSa::MockApi->new;
my $port = free_port();
my $keys = 'public_key ' . key_file('ec') . '; audience service2;';
my $prometheus = 'system:serviceaccount:monitoring:prometheus';
my $other = 'system:serviceaccount:monitoring:other';

# An issuer's access reviews go to NAME of the mock.

sub issuer {
    my ($name, $more) = @_;
    return "k8s_sa_issuer $name { $keys timeout 2s; access_review "
           . $api->base . "/$name/access" . ($more || ';') . " }\n";
}

my $nginx = K8sSa::Nginx->new(http => <<"_");
@{[ join '', map { issuer($_) } qw(a verbs rules skip dry any limit redirect
                                   phase sub wait log) ]}
@{[ issuer('extra', '; access_review_extra off;') ]}
k8s_sa_issuer local {
    $keys access_review @{[ $api->base ]} local=ns1; timeout 1s;
}
k8s_sa_issuer oidc {
    $keys kubernetes off; username_prefix oidc:; timeout 1s;
    access_review @{[ $api->url('oidc') ]}/access;
}
log_format access '\$uri \$k8s_sa_result "\$k8s_sa_access" \$k8s_sa_access_cache';
access_log logs/access.log access;
map_hash_bucket_size 128;
map \$k8s_sa_username \$of_user { volatile; default ''; "$prometheus" 1; }
map "\$k8s_sa_username \$k8s_sa_verb \$k8s_sa_path" \$static {
    volatile; default 0; "$prometheus get /verbs/static" 1;
}
map \$k8s_sa_username \$unknown { default 0; '' 1; }
limit_req_zone \$unknown zone=unknown:1m rate=100r/s;
map \$request_method \$mapped { default get; DELETE delete; }
map \$arg_skip \$skip { default \$arg_skip; }
map \$arg_v \$value { default \$arg_v; none ''; }
server {
    listen 127.0.0.1:$port;
    k8s_sa_log_level info;
    add_header X-Result \$k8s_sa_result always;
    add_header X-Access \$k8s_sa_access always;
    add_header X-Cache \$k8s_sa_access_cache always;
    add_header X-Path \$k8s_sa_path always;
    add_header X-Verb \$k8s_sa_verb always;

    location = /metrics {
        k8s_sa_auth a; k8s_sa_authorize;
        proxy_pass http://127.0.0.1:$up/metrics;
    }
    location = /optional {
        k8s_sa_auth a optional; k8s_sa_authorize;
        proxy_pass http://127.0.0.1:$up/optional;
    }
    location = /extra {
        k8s_sa_auth extra; k8s_sa_authorize; k8s_sa_whoami;
    }
    location = /oidc { k8s_sa_auth oidc; k8s_sa_authorize; k8s_sa_whoami; }

    location = /verbs/path {
        k8s_sa_auth verbs; k8s_sa_authorize;
        proxy_pass http://127.0.0.1:$up/;
    }
    location = /verbs/resource {
        k8s_sa_auth verbs; k8s_sa_authorize verb=\$k8s_sa_verb;
        proxy_pass http://127.0.0.1:$up/;
    }
    location = /verbs/written {
        k8s_sa_auth verbs; k8s_sa_authorize verb=use;
        proxy_pass http://127.0.0.1:$up/;
    }

    location = /verbs/static {
        k8s_sa_auth verbs;
        k8s_sa_authorize verb=\$k8s_sa_verb skip=\$static;
        proxy_pass http://127.0.0.1:$up/;
    }
    location = /verbs/mapped {
        k8s_sa_auth verbs; k8s_sa_authorize verb=\$mapped;
        proxy_pass http://127.0.0.1:$up/;
    }

    location = /rules/two {
        k8s_sa_auth rules;
        k8s_sa_authorize path=/one; k8s_sa_authorize path=/two;
        k8s_sa_whoami;
    }
    location = /rules/own {
        k8s_sa_auth rules;
        k8s_sa_authorize resource=pods namespace=\$k8s_sa_namespace;
        k8s_sa_whoami;
    }
    location = /rules/all {
        k8s_sa_auth rules;
        k8s_sa_authorize resource=services subresource=proxy group=apps
                         namespace=a name=b verb=create;
        k8s_sa_whoami;
    }
    location = /rules/value {
        k8s_sa_auth rules;
        k8s_sa_authorize resource=pods namespace=\$value;
        k8s_sa_whoami;
    }
    location = /rules/name {
        k8s_sa_auth rules;
        k8s_sa_authorize resource=pods name=\$value;
        k8s_sa_whoami;
    }
    location = /rules/allow {
        k8s_sa_auth rules; k8s_sa_allow mytest/service9; k8s_sa_authorize;
        k8s_sa_whoami;
    }
    location ~ ^/rules/ns/(?<ns>[a-z0-9-]+)/pods\$ {
        k8s_sa_auth rules;
        k8s_sa_authorize resource=pods namespace=\$ns; k8s_sa_whoami;
    }

    location = /skip/user {
        k8s_sa_auth skip; k8s_sa_authorize skip=\$of_user; k8s_sa_whoami;
    }
    location = /skip/arg {
        k8s_sa_auth skip; k8s_sa_authorize skip=\$skip; k8s_sa_whoami;
    }

    location /local/ {
        k8s_sa_auth local; k8s_sa_whoami;
        location = /local/unnamed { k8s_sa_authorize resource=pods; k8s_sa_whoami; }
        location = /local/value {
            k8s_sa_authorize resource=pods namespace=\$value; k8s_sa_whoami;
        }
    }

    location = /dry {
        k8s_sa_auth dry; k8s_sa_authorize; k8s_sa_dry_run on;
        proxy_pass http://127.0.0.1:$up/dry;
    }
    location = /any {
        satisfy any; deny all; k8s_sa_auth any; k8s_sa_authorize;
        proxy_pass http://127.0.0.1:$up/any;
    }
    location = /any/local {
        satisfy any; allow all; k8s_sa_auth any; k8s_sa_authorize;
        proxy_pass http://127.0.0.1:$up/any/local;
    }
    location = /limit {
        k8s_sa_auth limit; k8s_sa_authorize path=/read;
        limit_except GET { k8s_sa_authorize path=/write; }
        proxy_pass http://127.0.0.1:$up/limit;
    }
    location = /phase {
        k8s_sa_auth phase; k8s_sa_phase access; k8s_sa_authorize;
        proxy_pass http://127.0.0.1:$up/phase;
    }
    location = /redirect {
        k8s_sa_auth redirect; k8s_sa_authorize; error_page 403 = /page;
        k8s_sa_whoami;
    }
    location = /page { k8s_sa_auth off; return 200 "page"; }
    location = /turned { error_page 405 = /redirect/get; return 405; }
    location = /redirect/get {
        k8s_sa_auth redirect; k8s_sa_authorize; k8s_sa_whoami;
    }
    location = /accel {
        proxy_pass http://127.0.0.1:$up/accel/redirect/get;
    }

    location = /sub {
        auth_request /sub/who; proxy_pass http://127.0.0.1:$up/sub;
        k8s_sa_auth off;
    }
    location = /sub/x {
        auth_request /sub/who; proxy_pass http://127.0.0.1:$up/sub/x;
        k8s_sa_auth off;
    }
    location = /sub/cached {
        k8s_sa_auth oidc; k8s_sa_dry_run on; limit_req zone=unknown;
        auth_request /sub/cached/who; proxy_pass http://127.0.0.1:$up/;
    }
    location = /sub/cached/who {
        internal; k8s_sa_auth sub; k8s_sa_authorize skip=\$unknown;
        k8s_sa_whoami;
    }
    location = /sub/who {
        internal; k8s_sa_auth sub; k8s_sa_authorize; k8s_sa_whoami;
    }
    location /log/ {
        k8s_sa_auth log; k8s_sa_authorize;
        proxy_pass http://127.0.0.1:$up/log/;
    }
    location = /wait {
        k8s_sa_auth wait;
        k8s_sa_authorize path=/1; k8s_sa_authorize path=/2;
        k8s_sa_authorize path=/3;
        k8s_sa_whoami;
    }
}
_

my $token = account_token('monitoring', 'prometheus');
my $other_token = account_token('monitoring', 'other');

sub ask {
    my ($path, $bearer, %arg) = @_;
    my $method = $arg{method} || 'GET';

    my $answer = request($port, join "\r\n", "$method $path HTTP/1.1",
        'Host: localhost', defined $bearer ? bearer($bearer) : (),
        @{$arg{headers} || []}, 'Connection: close', '', '');

    for my $name (qw(Result Access Cache Path Verb)) {
        ($answer->{lc $name}) = header_values($answer->{head}, "X-$name");
    }

    ($answer->{challenge}) = header_values($answer->{head},
                                           'WWW-Authenticate');
    return $answer;
}

sub is_asked {
    my ($name, $expected, $text) = @_;
    is_deeply([ $api->questions($name) ], $expected, $text);
}

$nginx->start;


# One account may, another may not

$api->set('a', access => { allow => { $prometheus => [ 'get /metrics' ] } });

{
    my $answer = ask('/metrics', $token);

    is($answer->{status}, 200, 'allowed');
    is($answer->{result}, 'ok', 'allowed: result');
    is($answer->{access}, 'get /metrics', 'allowed: $k8s_sa_access');
    is($answer->{cache}, 'MISS', 'allowed: $k8s_sa_access_cache');
    is($answer->{path}, '/metrics', 'allowed: $k8s_sa_path');
    is($answer->{verb}, 'get', 'allowed: $k8s_sa_verb');
    like($answer->{body}, qr/^X-Remote-User: \Q$prometheus\E\r$/m,
         'allowed: the upstream gets the user');

    my @asked = $api->accesses('a');
    is(scalar @asked, 1, 'allowed: one question');
    is_deeply($asked[0]{review}, {
        apiVersion => 'authorization.k8s.io/v1', kind => 'SubjectAccessReview',
        spec => {
            user => $prometheus, uid => 'u',
            groups => [ 'system:serviceaccounts',
                        'system:serviceaccounts:monitoring',
                        'system:authenticated' ],
            nonResourceAttributes => { path => '/metrics', verb => 'get' },
        } }, 'allowed: with user, uid and groups');
    unlike($asked[0]{head}, qr/Authorization/i, 'no credential of ours');

    like($nginx->log, qr/\[info\].* allowed by the cluster: get path "\/metrics": RBAC: allowed by ClusterRoleBinding "b", issuer: "a", subject: "\Q$prometheus\E"/,
         'allowed: the log says by what');
}

{
    my $answer = ask('/metrics', $other_token);

    is($answer->{status}, 403, 'denied');
    is($answer->{result}, 'access_denied', 'denied: result');
    is($answer->{challenge}, 'Bearer realm="kubernetes", '
       . 'error="insufficient_scope", '
       . 'error_description="cannot get path /metrics"', 'denied: challenge');
    unlike("$answer->{head}$answer->{body}", qr/RBAC/,
           'denied: no role in the answer');
    like($nginx->log, qr/\[info\].* request refused \(access_denied\): not allowed by the cluster: cannot get path "\/metrics", issuer: "a", subject: "\Q$other\E"/,
         'denied: log');

    $api->set('a', access => { allow => 0,
                               status_of => { reason => "no\nrole" } });
    $answer = ask('/metrics', $other_token);
    is($answer->{status}, 403, 'denied with a reason');
}


# Without an identity nothing is asked

{
    my $before = $api->accesses('a');

    for my $case ([ 'no token', undef, 'no_token' ],
                  [ 'expired', sign_token(claims => claims(
                        iat => 1, nbf => 1, exp => 100)), 'expired' ],
                  [ 'forged', spoil($token), 'bad_signature' ])
    {
        my ($name, $bearer, $result) = @$case;
        my $answer = ask('/metrics', $bearer);
        is($answer->{status}, 401, "$name: 401");
        is($answer->{result}, $result, "$name: $result");
    }

    my $answer = ask('/optional');
    is("$answer->{status} $answer->{result}", '401 no_token',
       'optional: nobody is asked about anonymous requests');

    is(scalar $api->accesses('a'), $before, 'without an identity: not asked');
}


# extra, and users of another issuer

{
    my $bound = account_token('monitoring', 'prometheus', jti => 'j',
        'kubernetes.io' => { pod => { name => 'p', uid => 'pu' } });

    $api->set('extra', access => { allow => 1 });
    is(ask('/extra', $bound)->{status}, 200, 'extra off: allowed');
    ok(!exists(($api->accesses('extra'))[0]{review}{spec}{extra}),
       'extra off: pod and token are not named');

    $api->set('a', access => { allow => 1 });
    ask('/metrics', $bound);
    is_deeply(($api->accesses('a'))[-1]{review}{spec}{extra}, {
        'authentication.kubernetes.io/credential-id' => [ 'JTI=j' ],
        'authentication.kubernetes.io/pod-name' => [ 'p' ],
        'authentication.kubernetes.io/pod-uid' => [ 'pu' ],
    }, 'extra on: they are');

    $api->set('oidc', access => { allow => { 'oidc:alice' => 1 } });
    my $answer = ask('/oidc', sign_token(claims => claims(
        sub => 'alice', 'kubernetes.io' => undef)));
    is($answer->{status}, 200, 'username_prefix: allowed');
    is(decode_json($answer->{body})->{username}, 'oidc:alice',
       'username_prefix: the user is the same everywhere');
    is_deeply(($api->accesses('oidc'))[0]{review}{spec}, {
        user => 'oidc:alice', groups => [ 'system:authenticated' ],
        nonResourceAttributes => { path => '/oidc', verb => 'get' },
    }, 'username_prefix: asked with the group of all users');
}


# Verbs

$api->set('verbs', access => { allow => 1 });

for my $case ([ GET => 'get', 'get' ], [ HEAD => 'head', 'get' ],
              [ POST => 'post', 'create' ], [ PUT => 'put', 'update' ],
              [ PATCH => 'patch', 'patch' ], [ DELETE => 'delete', 'delete' ],
              [ OPTIONS => 'options', undef ], [ FOO => 'foo', undef ])
{
    my ($method, $path_verb, $resource_verb) = @$case;

    my $answer = ask('/verbs/path', $token, method => $method);
    is($answer->{access}, "$path_verb /verbs/path", "$method: of a path");
    is($answer->{status}, 200, "$method: of a path: passes");

    $answer = ask('/verbs/resource', $token, method => $method);

    if (defined $resource_verb) {
        is($answer->{access}, "$resource_verb /verbs/resource",
           "$method: \$k8s_sa_verb");

    } else {
        is("$answer->{status} $answer->{result}", '403 access_denied',
           "$method: \$k8s_sa_verb: refused");
        is($answer->{access}, undef, "$method: \$k8s_sa_verb: not asked");
        like($nginx->log, qr/access_denied\).*: no verb for method $method,/,
             "$method: log");
    }
}

is(ask('/verbs/written', $token, method => 'OPTIONS')->{access},
   'use /verbs/written', 'a written verb');

for my $header ('X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override',
                'x-http-method-OVERRIDE')
{
    for my $path ('path', 'resource', 'static', 'mapped') {
        my $answer = ask("/verbs/$path", $token,
                         headers => [ "$header: DELETE" ]);
        is("$answer->{status} $answer->{result}", '400 bad_attributes',
           "$header, $path");
    }

    is(ask('/verbs/written', $token, headers => [ "$header: DELETE" ])
       ->{status}, 200, "$header: a written verb does not depend on it");
}

is((ask('/verbs/static', $token))->{cache}, 'SKIP',
   'a static rule, without such a header');

is((ask('/verbs/path', $token, headers => [ 'X-HTTP-Method: PUT' ])
    ->{challenge}), undef, 'no challenge for bad_attributes');


# A path cannot forge the rest of a log line, or push it out

$api->set('log', access => { allow => { $prometheus => [
    'get /log/x, subject: "y"', 'get /log/' . '"' x 1300 ] } });

ask('/log/x,%20subject:%20%22y%22', $token);
like($nginx->log, qr/allowed by the cluster: get path "\/log\/x, subject: \\x22y\\x22": RBAC: [^,]*, issuer: "log", subject: "\Q$prometheus\E"/,
     'allowed: quotes in a path are escaped');

for my $case ([ $token, $prometheus, 'allowed by the cluster: get' ],
              [ $other_token, $other, 'not allowed by the cluster: cannot get' ])
{
    my ($bearer, $user, $text) = @$case;

    ask('/log/' . '%22' x 1300, $bearer);
    like($nginx->log, qr/ $text path "\/log\/(\\x22)+"\.\.\.[^,]*, issuer: "log", subject: "\Q$user\E".*, client: /,
         "$text: a long path leaves the user in the log");
}


# Rules and values

$api->set('rules', access => { allow => [ 'get /one',
    'get pods namespace=monitoring', 'create services/proxy.apps namespace=a name=b',
    'get pods namespace=ns-1', 'get pods name=x' ] });

{
    my $answer = ask('/rules/two', $token);
    is($answer->{status}, 403, 'two rules, one denied');
    is_asked('rules', [ 'get /one', 'get /two' ], 'two rules: asked in order');
    like($answer->{challenge}, qr/"cannot get path \/two"/,
         'two rules: the second answers');

    is(ask('/rules/own', $token)->{status}, 200, 'the namespace of the caller');
    is(ask('/rules/own', account_token('a', 'x'))->{status}, 403,
       'another namespace');
    is(ask('/rules/all', $token)->{access},
       'create services/proxy.apps namespace=a name=b', 'all attributes');
    is_deeply(($api->accesses('rules'))[-1]{review}{spec}{resourceAttributes},
        { namespace => 'a', verb => 'create', group => 'apps',
          resource => 'services', subresource => 'proxy', name => 'b' },
        'all attributes are sent');

    my $before = $api->accesses('rules');
    $answer = ask('/rules/allow', $token);
    is("$answer->{status} $answer->{result}", '403 not_allowed',
       'k8s_sa_allow comes first');
    is(scalar $api->accesses('rules'), $before, 'then nothing is asked');

    is(ask('/rules/ns/ns-1/pods', $token)->{access},
       'get pods namespace=ns-1', 'a named capture');

    $answer = ask('/rules/name?v=x', $token);
    is($answer->{access}, 'get pods name=x', 'a map');

    $before = $api->accesses('rules');

    for my $case ([ 'value', '', 'no value for namespace' ],
                  [ 'value', 'none', 'no value for namespace' ],
                  [ 'value', 'A', 'unfit value for namespace' ],
                  [ 'value', 'a.b', 'unfit value for namespace' ],
                  [ 'value', '*', 'unfit value for namespace' ],
                  [ 'value', 'a' x 64, 'unfit value for namespace' ],
                  [ 'name', '', 'no value for name' ],
                  [ 'name', '*', 'unfit value for name' ],
                  [ 'name', '..', 'unfit value for name' ],
                  [ 'name', 'a%2Fb', 'unfit value for name' ],
                  [ 'name', 'a' x 254, 'unfit value for name' ])
    {
        my ($what, $value, $reason) = @$case;
        $answer = ask("/rules/$what?v=$value", $token);
        is("$answer->{status} $answer->{result}", '403 access_denied',
           "$what '$value': refused");
        like($nginx->log, qr/access_denied\).*: \Q$reason\E, issuer/,
             "$what '$value': $reason");
    }

    is(scalar $api->accesses('rules'), $before, 'unfit values: not asked');
}


# skip

$api->set('skip', access => { allow => 0 });

{
    my $answer = ask('/skip/user', $token);
    is("$answer->{status} $answer->{result} $answer->{cache}", '200 ok SKIP',
       'skip: of a user');
    is($answer->{access}, undef, 'skip: nothing asked');
    is(ask('/skip/user', $other_token)->{status}, 403,
       'skip: another user is asked about');

    for my $value ('1', 'x', '00', '%20') {
        is(ask("/skip/arg?skip=$value", $token)->{status}, 200,
           "skip=$value: skipped");
    }

    for my $value ('', '0') {
        is(ask("/skip/arg?skip=$value", $token)->{status}, 403,
           "skip=$value: asked");
    }

    is(ask('/skip/arg', $token)->{status}, 403, 'no skip: asked');
}


# LocalSubjectAccessReview

{
    $api->set('apis', access => { allow => 1 });
    my $answer = ask('/local/unnamed', $token);
    is($answer->{status}, 200, 'local: allowed');
    is($answer->{access}, 'get pods namespace=ns1', 'local: its namespace');
    my ($asked) = $api->accesses('apis');
    is($asked->{review}{kind}, 'LocalSubjectAccessReview', 'local: kind');
    is_deeply($asked->{review}{metadata}, { namespace => 'ns1' },
              'local: metadata');
    is($asked->{path}, '/apis/authorization.k8s.io/v1/namespaces/ns1/'
                       . 'localsubjectaccessreviews', 'local: path');

    is(ask('/local/value?v=ns1', $token)->{status}, 200,
       'local: the same namespace');
    $answer = ask('/local/value?v=ns2', $token);
    is("$answer->{status} $answer->{result}", '403 access_denied',
       'local: another namespace');
    ok(!grep({ /ns2/ } $api->questions('apis')), 'local: not asked');
}


# Dry run, satisfy, limit_except, phases

$api->set('dry', access => { allow => 0 });

{
    my $answer = ask('/dry', $token);
    is($answer->{status}, 200, 'dry run: passes');
    is($answer->{result}, 'access_denied', 'dry run: result');
    like($answer->{body}, qr/^X-Remote-User: /m, 'dry run: identity');
    is_asked('dry', [ 'get /dry' ], 'dry run: asked');
    like($nginx->log, qr/request refused, dry run \(access_denied\)/,
         'dry run: log');

    $api->set('dry', access => { status => 401 });
    $answer = ask('/dry', $other_token);
    is("$answer->{status} $answer->{result}", '200 access_failed',
       'dry run: failure');
    like($answer->{body}, qr/^X-Remote-User: \Q$other\E/m,
         'dry run: failure: identity');
}

$api->set('any', access => { allow => { $prometheus => 1 } });
is(ask('/any', $token)->{status}, 200, 'satisfy any: allowed');
is(ask('/any', $other_token)->{status}, 403, 'satisfy any: both refuse');
is(ask('/any/local', $other_token)->{status}, 200,
   'satisfy any: 403 leaves it to others');

$api->set('limit', access => { allow => [ 'get /read', 'post /write' ] });
is(ask('/limit', $token)->{access}, 'get /read', 'limit_except: GET');
is(ask('/limit', $token, method => 'POST')->{access}, 'post /write',
   'limit_except: POST');
is(ask('/limit', $token, method => 'PUT')->{status}, 403,
   'limit_except: replaced, not added');

$api->set('phase', access => { allow => 1 });
is(ask('/phase', $token)->{status}, 200, 'k8s_sa_phase access');


# Redirects

$api->set('redirect', access => { allow => [ 'get /redirect/get' ] });
is(ask('/redirect', $token)->{body}, 'page', 'error_page 403');
is(ask('/redirect/get', $token)->{access}, 'get /redirect/get',
   'no redirect');
is(ask('/turned', $token, method => 'POST')->{status}, 403,
   'a redirect turns POST into GET');
is(($api->questions('redirect'))[-1], 'post /turned',
   'the client\'s method and path are asked about');
is(ask('/accel', $token, method => 'POST')->{status}, 403,
   'X-Accel-Redirect');
is(($api->questions('redirect'))[-1], 'post /accel',
   'X-Accel-Redirect: the client\'s, too');


# auth_request in the same nginx

$api->set('sub', access => { allow => [ 'get /sub', 'post /sub/x' ] });
is(ask('/sub', $token)->{status}, 200, 'auth_request');
is(ask('/sub', $token, method => 'POST')->{status}, 403,
   'auth_request: the main request\'s method');
is(ask('/sub/x', $token, method => 'POST')->{status}, 200,
   'auth_request: the main request\'s path');
is_asked('sub', [ 'get /sub', 'post /sub', 'post /sub/x' ],
         'auth_request: questions');
is(ask('/sub', undef)->{status}, 401, 'auth_request: no token');

# A "map" that was computed after another issuer has decided

is(ask('/sub/cached', $token)->{status}, 403,
   'auth_request: skip= of another decision does not count');
is(($api->questions('sub'))[-1], 'get /sub/cached', '... it is asked');


# All questions of a request together have one more timeout (2 s).

{
    $api->set('wait', access => { allow => 1, delay => 1.2 });

    my $began = time;
    my $answer = ask('/wait', $token);
    is("$answer->{status} $answer->{result}", '503 access_failed',
       'three slow questions');
    cmp_ok(time - $began, '<=', 4, 'three slow questions: in time');
    is_asked('wait', [ 'get /1', 'get /2' ],
             'three slow questions: the third is not asked');
}


my ($line) = grep { m{^/metrics ok} } split /\n/, $nginx->log('access');
is($line, '/metrics ok "get /metrics" MISS', 'variables in the access log');

K8sSa::Nginx->finish;
