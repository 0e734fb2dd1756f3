# SPDX-License-Identifier: BSD-2-Clause

# Access reviews by a real API server: RBAC objects decide, those of the callers
# and those of NGINX's own service account.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Crypt::JWT qw(encode_jwt);
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Kube;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::Nginx;
use K8sSa::Upstream;


# the API server needs some CPU time, too
$K8sSa::Load::pause = 0.02;

my %kube = %{kube_up()};
my $rbac = 'rbac.authorization.k8s.io';
my $user = 'system:serviceaccount:monitoring:prometheus';


# RBAC objects

sub role {
    my ($name, $namespace, @rules) = @_;

    return { apiVersion => "$rbac/v1", rules => \@rules,
             kind => $namespace ? 'Role' : 'ClusterRole',
             metadata => { name => $name,
                           $namespace ? (namespace => $namespace) : () } };
}

sub paths {
    my ($verbs, @paths) = @_;
    return { nonResourceURLs => \@paths, verbs => $verbs };
}

sub resources {
    my ($verbs, $group, @resources) = @_;
    return { apiGroups => [ $group ], resources => \@resources,
             verbs => $verbs };
}

# binding(NAME, NAMESPACE or undef, ROLE, SUBJECT...); a subject is an account,
# NAMESPACE/NAME, or a group.

sub binding {
    my ($name, $namespace, $role, @subjects) = @_;
    my $kind = $namespace ? 'RoleBinding' : 'ClusterRoleBinding';

    return {
        apiVersion => "$rbac/v1", kind => $kind,
        metadata => { name => $name,
                      $namespace ? (namespace => $namespace) : () },
        roleRef => { apiGroup => $rbac, name => $role,
                     kind => $namespace ? 'Role' : 'ClusterRole' },
        subjects => [ map { m{^([^:]+)/(.+)}
            ? { kind => 'ServiceAccount', namespace => $1, name => $2 }
            : { kind => 'Group', apiGroup => $rbac, name => $_ } } @subjects ],
    };
}

sub kubectl { return kube('kubectl', @_) }

sub apply {
    my $list = { apiVersion => 'v1', kind => 'List', items => [ @_ ] };
    return kubectl('apply', '-f', write_file('list.json', encode_json($list)));
}

kube_account('monitoring', qw(prometheus other gone));
kube_account('gateway', qw(none delegator sar local both));
kube_account('ns1', 'one');
kube_account('ns2', 'two');

my @local = resources([ 'create' ], 'authorization.k8s.io',
                      'localsubjectaccessreviews');
my @pods = resources([ 'get' ], '', 'pods');

apply(
    # NGINX's own accounts
    binding('delegator', undef, 'system:auth-delegator', 'gateway/delegator',
            'gateway/both'),
    role('ask-who-may', undef, resources([ 'create' ], 'authorization.k8s.io',
                                         'subjectaccessreviews')),
    binding('sar', undef, 'ask-who-may', 'gateway/sar'),
    role('ask-who-may-here', 'ns1', @local),
    binding('local', 'ns1', 'ask-who-may-here', 'gateway/local',
            'gateway/both'),

    # callers
    role('metrics-reader', undef, paths([ 'get' ], '/metrics')),
    binding('metrics', undef, 'metrics-reader', 'monitoring/prometheus',
            'monitoring/gone'),
    role('verbs', undef, paths([ 'get', 'head' ], '/verbs/path'),
         paths([ 'get', 'create' ], '/verbs/resource')),
    binding('verbs', undef, 'verbs', 'monitoring/prometheus'),
    role('one', undef, paths([ 'get' ], '/one', '/later', '/group', '/all')),
    role('two', undef, paths([ 'get' ], '/one')),
    binding('two', undef, 'two', 'monitoring/prometheus'),
    role('group', undef, paths([ 'get' ], '/group')),
    binding('group', undef, 'group', 'system:serviceaccounts:ns2'),
    binding('broken', undef, 'no-such-role', 'monitoring/other'),
    role('pods', 'ns1', @pods),
    binding('pods', 'ns1', 'pods', 'monitoring/prometheus', 'ns1/one'),
    role('pods', 'ns2', @pods),
    binding('pods', 'ns2', 'pods', 'monitoring/prometheus'),
    role('scale', 'ns1',
         { apiGroups => [ 'apps' ], resources => [ 'deployments/scale' ],
           verbs => [ 'update' ], resourceNames => [ 'web' ] }),
    binding('scale', 'ns1', 'scale', 'monitoring/prometheus'),
);


# Tokens

my %token = (
    prometheus => kube_token('monitoring', 'prometheus', 'gateway'),
    other => kube_token('monitoring', 'other', 'gateway'),
    gone => kube_token('monitoring', 'gone', 'gateway'),
    one => kube_token('ns1', 'one', 'gateway'),
    two => kube_token('ns2', 'two', 'gateway'),
);

write_file($_, kube_token('gateway', $_))
    for qw(none delegator sar local both);

my $private = slurp("$ENV{KUBE_DIR}/pki/sa.key");

# Returns a token with the API server's signature and other claims.

sub made {
    return remember(encode_jwt(
        alg => 'RS256', key => \$private, payload => encode_json(claims(
            iss => $kube{KUBE_ISSUER}, aud => [ 'gateway' ], sub => $user,
            'kubernetes.io' => { namespace => 'monitoring', serviceaccount =>
                { name => 'prometheus', uid => 'u' } }, @_))));
}


# NGINX: an issuer for each way to check tokens, kind of review, and account

my $mock = K8sSa::MockApi->new;
my $up = echo_http();
my ($port, $path_port, $plain_port) = map { free_port() } 1 .. 3;
my $api = "api_server $kube{KUBE_URL}; audience gateway; "
          . "ssl_trusted_certificate $kube{KUBE_CA};";
my $keys = "public_key $kube{KUBE_SA_PUB}; issuer $kube{KUBE_ISSUER};";
my $review = 'token_review; token_review_cache 1s failed=1s;';

sub own { return "$api token_file " . dir() . "/$_[0];" }

my ($issuers, $locations) = ('', '');

for my $account (qw(none delegator sar local both)) {
    my $own = own($account) . ' access_review_cache 0;';

    $issuers .= <<"_";
k8s_sa_issuer keys-$account { $own $keys access_review; }
k8s_sa_issuer keys-local-$account { $own $keys access_review local=ns1; }
k8s_sa_issuer review-$account { $own $review access_review; }
k8s_sa_issuer review-local-$account { $own $review access_review local=ns1; }
_
    for my $kind (qw(keys review)) {
        $locations .= <<"_";
location = /$kind/$account {
    k8s_sa_auth $kind-$account; k8s_sa_authorize path=/metrics; k8s_sa_whoami;
}
location = /$kind/local/$account {
    k8s_sa_auth $kind-local-$account; k8s_sa_authorize resource=pods;
    k8s_sa_whoami;
}
_
    }
}

my $http = <<"_";
$issuers
k8s_sa_issuer default { @{[ own('sar') ]} $keys access_review; }
k8s_sa_issuer asking { @{[ own('sar') ]} $keys access_review;
                       access_review_cache 0; }
k8s_sa_issuer stale { @{[ own('sar') ]} $keys timeout 2s; access_review;
                      access_review_cache 1s stale=10m; }
k8s_sa_issuer other-cluster {
    public_key @{[ key_file('ec') ]}; issuer https://kubernetes.default.svc;
    audience service2; access_review @{[ $mock->base ]};
}
map \$arg_skip \$skip { default \$arg_skip; }
k8s_sa_log_level info;
add_header X-Result \$k8s_sa_result always;
add_header X-Access \$k8s_sa_access always;
add_header X-Cache \$k8s_sa_access_cache always;
server {
    listen 127.0.0.1:$port;
    k8s_sa_auth asking;
    location = /metrics {
        k8s_sa_auth default; k8s_sa_authorize;
        proxy_pass http://127.0.0.1:$up/metrics;
    }
    location = /later { k8s_sa_auth default; k8s_sa_authorize; k8s_sa_whoami; }
    location = /stale { k8s_sa_auth stale; k8s_sa_authorize path=/one;
                        k8s_sa_whoami; }
    location = /asked { k8s_sa_authorize path=/metrics; k8s_sa_whoami; }
    location = /group { k8s_sa_authorize; k8s_sa_whoami; }
    location = /verbs/path {
        k8s_sa_authorize; proxy_pass http://127.0.0.1:$up/verbs/path;
    }
    location = /verbs/resource {
        k8s_sa_authorize verb=\$k8s_sa_verb;
        proxy_pass http://127.0.0.1:$up/verbs/resource;
    }
    location = /own {
        k8s_sa_authorize resource=pods namespace=\$k8s_sa_namespace;
        k8s_sa_whoami;
    }
    location = /two {
        k8s_sa_authorize path=/one; k8s_sa_authorize path=/two; k8s_sa_whoami;
    }
    location = /skip {
        k8s_sa_authorize path=/two skip=\$skip; k8s_sa_whoami;
    }
    location = /each {
        k8s_sa_authorize resource=pods namespace=\$k8s_sa_each each=arg:ns;
        proxy_pass http://127.0.0.1:$up/each;
    }
    location ~ ^/scale/(?<ns>[a-z0-9-]+)/(?<name>[a-z]+)\$ {
        k8s_sa_authorize resource=deployments subresource=scale group=apps
                         namespace=\$ns name=\$name;
        k8s_sa_whoami;
    }
    location ~ ^/local/(?<ns>[a-z0-9-]+)\$ {
        k8s_sa_auth keys-local-local;
        k8s_sa_authorize resource=pods namespace=\$ns; k8s_sa_whoami;
    }
    location = /clusters {
        k8s_sa_auth asking other-cluster; k8s_sa_authorize path=/metrics;
        k8s_sa_whoami;
    }
    location = /status { k8s_sa_auth off; k8s_sa_status json; }
    $locations
}
server {
    listen 127.0.0.1:$path_port;
    k8s_sa_auth asking; k8s_sa_authorize path=\$k8s_sa_path;
    location / { proxy_pass http://127.0.0.1:$up/; }
}
server {
    listen 127.0.0.1:$plain_port;
    k8s_sa_auth asking; k8s_sa_authorize;
    location / { proxy_pass http://127.0.0.1:$up/; }
}
_

my $nginx = K8sSa::Nginx->new(workers => 2, http => $http)->start;


# ask(PATH, ACCOUNT or token or undef, method => 'GET', port => PORT,
# headers => [], body => '')

sub ask {
    my ($path, $who, %arg) = @_;
    my $token = defined $who && $token{$who} || $who;
    my $method = $arg{method} || 'GET';
    my $body = defined $arg{body} ? $arg{body} : '';

    my $answer = request($arg{port} || $port, join "\r\n",
        "$method $path HTTP/1.1", 'Host: localhost',
        defined $token ? "Authorization: Bearer $token" : (),
        @{$arg{headers} || []}, 'Content-Length: ' . length $body,
        'Connection: close', '', $body);

    for my $name (qw(Result Access Cache)) {
        my ($value) = header_values($answer->{head}, "X-$name");
        $answer->{lc $name} = defined $value ? $value : '';
    }

    ($answer->{challenge}) = header_values($answer->{head},
                                           'WWW-Authenticate');
    $answer->{brief} = "$answer->{status} $answer->{result}";
    return $answer;
}

# Returns how many access reviews all issuers have asked.

sub asked {
    my $status = decode_json(get($port, '/status')->{body});
    my $n = 0;

    for my $issuer (values %{$status->{issuers}}) {
        $n += $issuer->{"access_$_"} || 0 for qw(allowed denied failed);
    }

    return $n;
}

# is_unasked(STATUS and result, NAME, ARGUMENTS of ask())

sub is_unasked {
    my ($expected, $name, @request) = @_;
    my $before = asked();

    is(ask(@request)->{brief}, $expected, $name);
    is(asked(), $before, "$name: unasked");
}

# Waits until the status is this one, and returns how long that took.

sub becomes {
    my ($status, $limit, @request) = @_;
    my $began = time();

    until_true($limit, sub {
        my $now = ask(@request)->{status};
        sleep 0.1 if $now != $status;
        return $now == $status;
    });

    return time() - $began;
}


# Allowed, denied, without an identity

{
    my $before = asked();
    my $answer = ask('/metrics', 'prometheus');

    is($answer->{brief}, '200 ok', 'allowed');
    is("$answer->{access} $answer->{cache}", 'get /metrics MISS',
       'allowed: the question');
    like($answer->{body}, qr/^X-Remote-User: \Q$user\E\r$/m,
         'allowed: the upstream gets the user');
    is(ask('/metrics', 'prometheus')->{cache}, 'HIT', 'allowed: remembered');
    is(asked() - $before, 1, 'allowed: asked once');
    like($nginx->log, qr/\[info\].*allowed by the cluster: get path "\/metrics": RBAC: allowed by ClusterRoleBinding "metrics" of ClusterRole "metrics-reader" to ServiceAccount "prometheus\/monitoring", issuer: "default", subject: "\Q$user\E"/,
         'allowed: the log names binding and role');

    $answer = ask('/metrics', 'two');
    is($answer->{brief}, '403 access_denied', 'denied');
    is($answer->{challenge}, 'Bearer realm="kubernetes", '
       . 'error="insufficient_scope", '
       . 'error_description="cannot get path /metrics"', 'denied: challenge');
    like($nginx->log, qr/access_denied\): not allowed by the cluster: cannot get path "\/metrics", issuer: "default", subject: "system:serviceaccount:ns2:two"/,
         'denied: log');

    $answer = ask('/metrics', 'other');
    is($answer->{brief}, '403 access_denied', 'a binding to a missing role');
    like($nginx->log, qr/cannot get path "\/metrics": RBAC: clusterrole\S* "no-such-role" not found, /,
         'a binding to a missing role: log');
    unlike("$answer->{head}$answer->{body}", qr/RBAC|no-such-role/,
           'no role in the answer');

    is(ask('/group', 'two')->{status}, 200, 'a binding to a group');
    is(ask('/group', 'one')->{status}, 403, '... of another namespace');
}

is_unasked('401 no_token', 'no token', '/metrics', undef);
is_unasked('401 expired', 'an expired token', '/metrics',
           made(iat => 1, nbf => 1, exp => 100));
is_unasked('401 bad_signature', 'a forged token', '/metrics',
           spoil($token{prometheus}));
is(ask('/metrics', made())->{status}, 200,
   'the uid is not looked at: another token of that name');


# kubectl auth can-i answers the same

for my $case ([ 'yes', 'prometheus', 'get', '/metrics' ],
              [ 'no', 'other', 'get', '/metrics' ],
              [ 'yes', 'prometheus', 'get', 'pods', '-n', 'ns1' ],
              [ 'no', 'other', 'get', 'pods', '-n', 'ns1' ])
{
    my ($expected, $name, @question) = @$case;
    my $out = eval {
        kubectl('auth', 'can-i', @question,
                "--as=system:serviceaccount:monitoring:$name",
                '--as-group=system:serviceaccounts',
                '--as-group=system:serviceaccounts:monitoring',
                '--as-group=system:authenticated');
    } || $@;

    like($out, qr/(?:^|: )$expected(?: - .*)?$/m,
         "kubectl auth can-i @question: $name");
}


# A binding that is created and deleted, with the default times

{
    my $later = binding('later', undef, 'one', 'ns1/one');

    is(ask('/later', 'one')->{status}, 403, 'before the binding');
    apply($later);
    my $took = becomes(200, 20, '/later', 'one');
    cmp_ok($took, '<', 10, 'a created binding takes effect');
    diag(sprintf 'after %.1f s', $took);

    kubectl('delete', 'clusterrolebinding', 'later');
    $took = becomes(403, 30, '/later', 'one');
    cmp_ok($took, '<', 15, 'a deleted binding takes effect');
    diag(sprintf 'after %.1f s', $took);
}


# Verbs

for my $case ([ GET => 200, 'get', 200, 'get' ],
              [ HEAD => 200, 'head', 200, 'get' ],
              [ POST => 403, 'post', 200, 'create' ],
              [ PUT => 403, 'put', 403, 'update' ],
              [ OPTIONS => 403, 'options', 403, '' ])
{
    my ($method, $path_status, $path_verb, $status, $verb) = @$case;

    my $answer = ask('/verbs/path', 'prometheus', method => $method);
    is("$answer->{status} $answer->{access}",
       "$path_status $path_verb /verbs/path", "$method of a path");

    if ($verb) {
        $answer = ask('/verbs/resource', 'prometheus', method => $method);
        is("$answer->{status} $answer->{access}",
           "$status $verb /verbs/resource", "$method: \$k8s_sa_verb");
        next;
    }

    is_unasked('403 access_denied', "$method: \$k8s_sa_verb",
               '/verbs/resource', 'prometheus', method => $method);
    like($nginx->log, qr/access_denied\).*: no verb for method $method,/,
         "$method: log");
}


# Resources, several rules, skip=

is(ask('/own', 'one')->{status}, 200, 'a Role in the namespace of the caller');
is(ask('/own', 'two')->{challenge}, 'Bearer realm="kubernetes", '
   . 'error="insufficient_scope", '
   . 'error_description="cannot get pods in namespace ns2"',
   'an account without a Role in its namespace');

{
    my $answer = ask('/two', 'prometheus');
    is("$answer->{status} $answer->{access}", '403 get /two',
       'two rules, the second one denied');

    is(ask('/skip', 'prometheus')->{brief}, '403 access_denied', 'no skip');
    is(ask('/skip?skip=0', 'prometheus')->{brief}, '403 access_denied',
       'skip 0');
    is_unasked('200 ok', 'skip 1', '/skip?skip=1', 'prometheus');
}

for my $case ([ 200, 'ns1/web', 'PUT' ], [ 403, 'ns1/web', 'GET' ],
              [ 403, 'ns1/db', 'PUT' ], [ 403, 'ns2/web', 'PUT' ])
{
    my ($status, $what, $method) = @$case;
    is(ask("/scale/$what", 'prometheus', method => $method)->{status}, $status,
       "$method deployments/scale: $what");
}

like($nginx->log, qr/cannot update deployments\/scale\.apps "?db"? in namespace "?ns1"?[,:]/,
     'a resource in the log');


# each=

for my $case ([ 200, '?ns=ns1' ], [ 200, '?ns=ns1&ns=ns2' ],
              [ 200, '?n%73=ns1' ], [ 403, '?ns=ns1&ns=ns3' ],
              [ 403, '?ns=monitoring' ], [ 400, '?ns=*' ],
              [ 400, '?NS=ns1' ], [ 400, '?ns=ns1;ns=ns3' ], [ 400, '' ],
              [ 400, '?ns=' ])
{
    my ($status, $query) = @$case;
    is(ask("/each$query", 'prometheus')->{status}, $status, "each: $query");
}

is(ask('/each?ns=ns1&ns=ns3', 'prometheus')->{challenge},
   'Bearer realm="kubernetes", error="insufficient_scope", '
   . 'error_description="cannot get pods in namespace ns3"',
   'each: the first value that is denied');
is(ask('/each?ns=ns1', 'prometheus', method => 'POST', body => 'ns=ns3',
       headers => [ 'Content-Type: application/x-www-form-urlencoded' ])
   ->{status}, 400, 'each: a form');


# A local review: NGINX has a Role in one namespace and no other right

is(ask('/local/ns1', 'one')->{status}, 200, 'local: allowed');
is(ask('/local/ns1', 'two')->{challenge}, 'Bearer realm="kubernetes", '
   . 'error="insufficient_scope", '
   . 'error_description="cannot get pods in namespace ns1"', 'local: denied');
is_unasked('403 access_denied', 'local: another namespace', '/local/ns2',
           'prometheus');


# The rights of NGINX's own account

for my $case ([ 'keys' => qw(delegator sar both) ],
              [ 'keys/local' => qw(local both) ],
              [ 'review' => qw(delegator both) ],
              [ 'review/local' => qw(both) ])
{
    my ($way, @enough) = @$case;

    for my $account (qw(none delegator sar local both)) {
        my $enough = grep { $_ eq $account } @enough;
        my $name = "rights: $way, account \"$account\"";
        my $from = length $nginx->log;
        my $answer = ask("/$way/$account", 'prometheus');
        my $log = substr $nginx->log, $from;

        is($answer->{status}, $enough ? 200 : 503, $name);
        next if $enough;

        my $of_token = $way =~ /review/ && $account !~ /delegator|both/;

        is($answer->{result}, $of_token ? 'review_failed' : 'access_failed',
           "$name: result");
        like($log, $of_token
             ? qr/\[error\].* token review of issuer "\S+" failed: .*answered 403 .*ClusterRoleBinding to system:auth-delegator/
             : $way =~ /local/
             ? qr/\[error\].* access review of issuer "\S+" failed: .*\/namespaces\/ns1\/localsubjectaccessreviews.*answered 403 .*Role in that namespace: create localsubjectaccessreviews\.authorization\.k8s\.io/
             : qr/\[error\].* access review of issuer "\S+" failed: .*\/subjectaccessreviews.*answered 403 .*ClusterRole: create subjectaccessreviews\.authorization\.k8s\.io/,
             "$name: the log names the right");
    }
}


# Default roles allow these paths to an account without any binding; only a
# rule that names the path decides about them.

for my $path (qw(/api /api/ /api/v1 /api/v1/namespaces /apis /apis/apps/v1
                 /openapi /openapi/v2 /version /version/ /healthz /livez
                 /readyz /.well-known/openid-configuration /openid/v1/jwks))
{
    is(ask($path, 'two', port => $path_port)->{status}, 200,
       "default roles: $path with path=");
    is_unasked('403 access_denied', "default roles: $path", $path, 'two',
               port => $plain_port);
}

like($nginx->log, qr/access_denied\).*default roles .*write "path="/,
     'default roles: the log says what to write');
is(ask('/api/v1', 'two', port => $path_port, method => $_)->{status}, 403,
   "default roles: $_ with path=") for qw(POST DELETE HEAD);

# no other path that the API server serves is open by default

for my $path (qw(/ /apiv2 /metrics /logs /logs/x /healthz/etcd /healthz/ping
                 /livez/ping /readyz/ping /version/x /swagger.json /openid
                 /openid/v1 /debug/pprof /configz /ui))
{
    my $answer = ask($path, 'two', port => $plain_port);
    is("$answer->{brief} $answer->{access}",
       "403 access_denied get $path", "$path is asked about, and denied");
}


# Two clusters have a user of the same name

{
    my $there = account_token('monitoring', 'prometheus');
    my $other_there = account_token('monitoring', 'two');

    $mock->set('apis', access => { allow => {
        'system:serviceaccount:monitoring:two' => 1 } });

    is(ask('/clusters', 'prometheus')->{status}, 200, 'allowed here');
    is(ask('/clusters', $there)->{status}, 403, '... the other cluster denies');
    is(scalar $mock->accesses('apis'), 1, '... it was asked about its own');
    is(ask('/clusters', $other_there)->{status}, 200, 'allowed there');
    is(ask('/clusters', 'two')->{status}, 403, '... denied here');
}


# A deleted account: its name is still bound; TokenReview notices

is(ask($_, 'gone')->{status}, 200, "$_: an account")
    for '/keys/sar', '/review/both';
kubectl('-n', 'monitoring', 'delete', 'serviceaccount', 'gone');
cmp_ok(becomes(401, 30, '/review/both', 'gone'), '<', 25,
       'a deleted account: TokenReview refuses it');
is(ask('/keys/sar', 'gone')->{status}, 200,
   'a deleted account: RBAC goes by its name');


# An API server that restarts: what it allows is never denied

is(ask('/stale', 'prometheus')->{status}, 200, 'before the restart');
sleep 1.1;

{
    my $load = load($port,
                    asked => with_token('/asked', $token{prometheus}),
                    stale => with_token('/stale', $token{prometheus}),
                    denied => with_token('/asked', $token{two}));

    sleep 1;
    kube('stop-apiserver');
    is(ask('/asked', 'prometheus')->{brief}, '503 access_failed',
       'without the API server: 503');
    like($nginx->log, qr/\[error\].* access review of issuer "asking" failed: /,
         'without the API server: log');

    my $answer = ask('/stale', 'prometheus');
    is("$answer->{status} $answer->{cache}", '200 STALE',
       'without the API server: a stale decision');

    kube('start-apiserver');
    cmp_ok(becomes(200, 30, '/asked', 'prometheus'), '<', 30,
           'with it again: 200');
    sleep 1.5;

    my $result = $load->load_end;
    my %seen = map { my $kind = $_;
                     $kind => join ',', grep { /^\d+$/ && $_ }
                                        sort keys %{$result->{$kind}} }
               qw(asked stale denied);

    like($seen{asked}, qr/^200,503$/, 'what is allowed is never denied');
    is($seen{stale}, '200', 'with "stale" no request fails');
    like($seen{denied}, qr/^403(?:,503)?$/, 'what is denied is never allowed');
}


K8sSa::Nginx->finish;
