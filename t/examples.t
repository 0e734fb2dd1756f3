# SPDX-License-Identifier: BSD-2-Clause

# conf-examples/: nginx accepts each configuration, which lets the right
# requests pass and refuses others.  (See also external_auth.t for those with
# external authorization.)

use strict;
use warnings;

use JSON::PP;
use Test::More;

use K8sSa;
use K8sSa::Example;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $up = echo_http();
my %nginx;

sub status {
    my ($name, $path, @headers) = @_;
    return get($nginx{$name}{port}{8080}, $path, @headers)->{status};
}

my $one = account('mytest', 'service1');
my $user = 'system:serviceaccount:mytest:service1';


# All of them

my $ca = authority('ca');

for my $file (examples('*.conf')) {
    my ($name) = $file =~ m{([^/]+)\.conf$};
    my $nginx = example("$name.conf", $up);

    $nginx->{http} =~ s{/etc/nginx/[\w-]+\.crt}{$ca}g;
    $nginx->{http} =~ s{state_path\s+\S+;}{state_path $nginx->{dir}/state;}g;
    $nginx->{http} =~ s{\bin_cluster;}{https://127.0.0.1:1;}g;
    $nginx->{http} =~ s{service2\.mytest\.svc:8080;}{127.0.0.1:$up;}g;
    write_file("$nginx->{dir}/nginx.conf", $nginx->{http});

    my ($status, $out) = $nginx->test;

    is($status, 0, "$name.conf: accepted") or diag($out);
    unlike($out, qr/\[warn\]/, "$name.conf: without a warning");
}


# authorization.conf

$nginx{authorization} = example('authorization.conf', $up)->start;

my $pod = account('mytest', 'service1', 'kubernetes.io' => {
    pod => { name => 'pod1', uid => 'u' } });

for (
        [ 200, '/', 'its namespace', $one ],
        [ 401, '/', 'no token' ],
        [ 403, '/', 'another namespace', account('other', 'service1') ],
        [ 200, '/', 'a name anywhere', account('other', 'prometheus') ],
        [ 200, '/', 'a group', account('backup', 'job') ],
        [ 403, '/', 'another group', account('backup2', 'job') ],
        [ 403, '/admin/', 'not admin', $one ],
        [ 200, '/admin/', 'admin', account('mytest', 'admin') ],
        [ 404, '/pods/', 'no pod', $one ],
        [ 200, '/pods/', 'a pod', $pod ],
        [ 200, '/reports/', 'not on the list', $one ],
        [ 200, '/reports/', 'no token' ],
        [ 200, '/healthz', 'no token' ],
        [ 400, '/admin/..%2fhealthz', 'an odd path, no token' ])
{
    my ($status, $path, $who, @token) = @$_;

    is(status('authorization', $path, @token), $status,
       "authorization.conf: $path, $who");
}

sub post {
    my ($token) = @_;
    return request($nginx{authorization}{port}{8080},
                   "POST / HTTP/1.0\r\n$token\r\n\r\n")->{status};
}

is(post($one), 403, 'authorization.conf: a caller that may only read');
is(post(account('mytest', 'job')), 200,
   'authorization.conf: a caller that may write');
like($nginx{authorization}->log, qr/refused, dry run \(not_allowed\)/,
     'authorization.conf: the dry run is logged');
like($nginx{authorization}->log('access'),
     qr/"GET \/admin\/ HTTP\/1.1" 403 result=not_allowed user=\Q$user\E /,
     'authorization.conf: the access log');


# external-auth-nginx.conf

$nginx{'external-auth-nginx'} = example('external-auth-nginx.conf', $up)->start;

my $answer = get($nginx{'external-auth-nginx'}{port}{8080}, '/', $one,
                 'X-Remote-User: admin', 'X-Remote-Group: system:masters');
is($answer->{status}, 200, 'external-auth-nginx.conf: passes');
is_deeply([ $answer->{body} =~ /^(X-Remote.*?|Authorization.*?)\r$/mg ],
          [ "X-Remote-User: $user", 'X-Remote-Uid: u' ],
          'external-auth-nginx.conf: the headers that the service gets');
is(status('external-auth-nginx', '/'), 401,
   'external-auth-nginx.conf: no token');
is(status('external-auth-nginx', '/', account('other', 'service1')), 403,
   'external-auth-nginx.conf: another namespace');


# metrics.conf, and the dashboard

$nginx{metrics} = example('metrics.conf', $up)->start;

my $scrape_port = $nginx{metrics}{port}{9145};
my $prometheus = account('monitoring', 'prometheus', aud => [ 'metrics' ]);

is(status('metrics', '/', $one), 200, 'metrics.conf: a request');
is(status('metrics', '/'), 401, 'metrics.conf: a request without a token');
is(get($scrape_port, '/metrics')->{status}, 401,
   'metrics.conf: the metrics are protected');
is(get($scrape_port, '/metrics', $one)->{status}, 401,
   'metrics.conf: a token for the service is not accepted for metrics');
is(get($scrape_port, '/metrics', account('mytest', 'service1',
       aud => [ 'metrics' ]))->{status}, 403, 'metrics.conf: another account');

my $metrics = get($scrape_port, '/metrics', $prometheus);
is($metrics->{status}, 200, 'metrics.conf: Prometheus');
is(get($scrape_port, '/status')->{status}, 200,
   'metrics.conf: from this machine');

my %metric = map { $_ => 1 } $metrics->{body} =~ /^# TYPE (\S+) /mg;
my $dashboard = decode_json(slurp(example_file('grafana-dashboard.json')));
my %used;

for my $panel (@{$dashboard->{panels}}) {
    my @expr = map { $_->{expr} } @{$panel->{targets}};

    ok(@expr > 0, "dashboard: $panel->{title}");
    ok($panel->{fieldConfig}{defaults}{unit},
       "dashboard: $panel->{title} has a unit");

    for my $name (map { /\b(k8s_sa_\w+)/g } @expr) {
        my $of = $name =~ s/_(?:bucket|sum|count)$//r;
        $used{$metric{$name} ? $name : $of} = 1;
        ok($metric{$name} || $metric{$of}, "dashboard: $name exists");
    }
}

$used{$_} = 1 for map { JSON::PP->new->encode($_) =~ /\((k8s_sa_\w+),/ }
                  @{$dashboard->{templating}{list}};
is_deeply([ grep { !$metric{$_} } sort keys %used ], [],
          'dashboard: its metrics exist');
is_deeply([ grep { !$used{$_} } sort keys %metric ], [],
          'dashboard: it shows all metrics');

# a grid of 24 columns, without overlaps

my %place;

for my $pos (map { $_->{gridPos} } @{$dashboard->{panels}}) {
    for my $x ($pos->{x} .. $pos->{x} + $pos->{w} - 1) {
        $place{"$x,$_"}++ for $pos->{y} .. $pos->{y} + $pos->{h} - 1;
        $place{"column $x"} = 2 if $x > 23;
    }
}

is(scalar(grep { $_ > 1 } values %place), 0,
   'dashboard: panels do not overlap');

my %id = map { $_->{id} => 1 } @{$dashboard->{panels}};
is(keys %id, @{$dashboard->{panels}}, 'dashboard: unique ids');

# the documentation lists them with their types

my %type = $metrics->{body} =~ /^# TYPE (\S+) (\w+)$/mg;
my $operations = slurp(example_file('../docs/operations.md'));
my %told;

while ($operations =~ /^\| ((?:`k8s_sa_\w+`(?:, )?)+) \| (\w+)/mg)
{
    my $type = $2;
    $told{$_} = $type for $1 =~ /k8s_sa_\w+/g;
}

is_deeply(\%told, \%type, 'docs/operations.md: all metrics, and their types');

SKIP: {
    my ($promtool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};

    skip 'no promtool (Debian: prometheus)', 2 unless $promtool;

    # the alerts in the documentation, and each panel's expression as a rule

    my ($alerts) = $operations =~ /^```yaml\n(groups:.*?)^```/ms;
    my @rules = map { $_->{expr} =~ s/\$__rate_interval/5m/gr
                                 =~ s/\$(?:instance|issuer)/.*/gr }
                map { @{$_->{targets}} } @{$dashboard->{panels}};
    my $n = 0;
    my $panels = JSON::PP->new->encode({ groups => [ {
        name => 'panels',
        rules => [ map { { record => 'r' . ++$n, expr => $_ } } @rules ],
    } ] });

    for ([ 'docs/operations.md', $alerts ], [ 'the dashboard', $panels ]) {
        my $file = write_file('rules.yml', $_->[1]);
        my $out = `$promtool check rules $file 2>&1`;

        is($? >> 8, 0, "promtool check rules: $_->[0]") or diag($out);
    }
}

is(scalar(() = $metrics->{body} =~ /result="ok"\} 1$/mg), 2,
   'metrics.conf: both requests were counted');


# rate-limit.conf

$nginx{'rate-limit'} = example('rate-limit.conf', $up)->start;

# all at once: on a busy machine one after the other may be slow enough

my @statuses = map { $_->{status} } answers(flood(
    $nginx{'rate-limit'}{port}{8080},
    (with_token('/', $one =~ s/.* //r)) x 12), 10);

is($statuses[0], 200, 'rate-limit.conf: the first request passes');
cmp_ok(scalar(grep { $_ == 429 } @statuses), '>', 0,
       'rate-limit.conf: too many requests of one workload');
is(scalar(grep { $_ != 429 && $_ != 200 } @statuses), 0,
   'rate-limit.conf: no other status');
is(status('rate-limit', '/', account('mytest', 'service2')), 200,
   'rate-limit.conf: another workload passes');
is(status('rate-limit', '/'), 401, 'rate-limit.conf: no token');


# rbac.conf

my $api = K8sSa::MockApi->new;

$nginx{rbac} = example('rbac.conf', $up);
put($nginx{rbac}, 'api_server  in_cluster;', 'access_review ' . $api->base . ';');
put($nginx{rbac}, 'discovery;', 'public_key ' . key_file('ec') . ';');
put($nginx{rbac}, '        access_review;', '');
$nginx{rbac}->start;

$api->set('apis', access => { allow => {
    'system:serviceaccount:monitoring:scraper' => [
        'get /metrics',
        'get services/metrics namespace=node-exporter name=node-exporter',
        'get pods.metrics.k8s.io namespace=a' ],
} });

my @metrics = (aud => [ 'metrics' ]);

for ([ 200, '/metrics', account('monitoring', 'scraper', @metrics) ],
     [ 200, '/probe', account('monitoring', 'scraper', @metrics) ],
     [ 200, '/namespaces/a/metrics', account('monitoring', 'scraper', @metrics) ],
     [ 403, '/namespaces/b/metrics', account('monitoring', 'scraper', @metrics) ],
     [ 200, '/metrics', account('monitoring', 'prometheus', @metrics) ],
     [ 403, '/probe', account('monitoring', 'prometheus', @metrics) ],
     [ 403, '/metrics', account('monitoring', 'other', @metrics) ],
     [ 401, '/metrics', account('monitoring', 'scraper') ],
     [ 401, '/metrics' ])
{
    my ($status, $path, @token) = @$_;
    is(status('rbac', $path, @token), $status,
       "rbac.conf: $path, " . (@token ? 'a token' : 'no token'));
}

is(scalar(grep { $_->{user} =~ /:prometheus$/
                 && $_->{question} eq 'get /metrics' } $api->accesses('apis')),
   0, 'rbac.conf: one question is not asked');


# caller.conf: the service is the one of authorization.conf

my $caller = example('caller.conf', $up);
put($caller, 'server     service2.mytest.svc:8080;',
    "server 127.0.0.1:$nginx{authorization}{port}{8080};");
$caller->start;

my $forwarded = get($caller->{port}{8081}, '/hello');
is($forwarded->{status}, 200, 'caller.conf: the token is added');
like($forwarded->{body}, qr/^X-Remote-User: \Q$user\E\r$/m,
     'caller.conf: Service 2 knows the caller');
is(get($caller->{port}{8081}, '/admin/', bearer(account('mytest', 'admin')
       =~ s/.* //r))->{status}, 403,
       'caller.conf: a client\'s own token is replaced');


# internal-redirects.conf

my $redirects = example('internal-redirects.conf', $up);
put($redirects, 'proxy_pass  http://127.0.0.1:\d+;    #',
    "proxy_pass http://127.0.0.1:$up; #");
mkdir $_ for map { "$redirects->{dir}/$_" } qw(srv srv/www srv/files);
write_file("$redirects->{dir}/srv/www/page", "page\n");
write_file("$redirects->{dir}/srv/files/report", "report\n");
$nginx{'internal-redirects'} = $redirects->start;

for (
        [ 200, '/page', 'a file', $one ],
        [ 401, '/page', 'a file, no token' ],
        [ 200, '/page2', 'the service', $one ],
        [ 401, '/page2', 'the service, no token' ],
        [ 200, '/download/accel/files/report', 'X-Accel-Redirect', $one ],
        [ 401, '/download/accel/files/report', 'no token' ],
        [ 404, '/files/report', 'an internal location', $one ])
{
    my ($status, $path, $who, @token) = @$_;

    is(status('internal-redirects', $path, @token), $status,
       "internal-redirects.conf: $path, $who");
}

$answer = get($redirects->{port}{8080}, '/page2', $one, 'X-Remote-User: admin');
is_deeply([ $answer->{body} =~ /^(X-Remote.*?|Authorization.*?)\r$/mg ],
          [ "X-Remote-User: $user" ],
          'internal-redirects.conf: the service knows the caller');
is(get($redirects->{port}{8080}, '/download/accel/files/report', $one)->{body},
   "report\n", 'internal-redirects.conf: the file');


# proxy-cache.conf

$nginx{'proxy-cache'} = example('proxy-cache.conf', $up)->start;

sub cached {
    my ($path, @headers) = @_;
    my $body = get($nginx{'proxy-cache'}{port}{8080}, $path, @headers)->{body};
    return $body =~ /^X-Remote-User: \S+:(\w+)\r$/m ? $1 : '';
}

my $two = account('mytest', 'service2');

is(cached('/a', $_->[0]), $_->[1], "proxy-cache.conf: $_->[1], $_->[2]")
    for [ $one, 'service1', 'first' ], [ $two, 'service2', 'first' ],
        [ $one, 'service1', 'again' ], [ $two, 'service2', 'again' ];
is(cached('/public/a', $one), 'service1', 'proxy-cache.conf: shared');
is(cached('/public/a', $two), 'service1', 'proxy-cache.conf: from the cache');
is(status('proxy-cache', $_), 401, "proxy-cache.conf: $_ without a token")
    for '/a', '/public/a';


# Sources of keys.  "made" is the cluster's key, others belong to its issuers.

my $cluster = 'https://kubernetes.default.svc';
certificate('ca', 'api', 'IP:127.0.0.1');

my $mock = K8sSa::MockIssuer->new(tls => 'api');
my $good = jwks([ 'ec', 'first', kid => 'c' ]);
my $in_cluster = 'api_server ' . $mock->url('api') . '; '
                 . "ssl_trusted_certificate $ca; "
                 . 'token_file ' . write_file('own', 'own-token') . ';';

sub from {
    my ($issuer, $kid, %over) = @_;
    return bearer(sign_token(header => { $kid ? (kid => $kid) : () },
                             claims => claims(iss => $issuer, %over)));
}

sub fetching {
    my ($name, @change) = @_;
    my $nginx = example("$name.conf", $up);

    put($nginx, shift @change, shift @change) while @change;

    $nginx{$name} = $nginx->start;
}

sub verdicts {
    my ($name, @verdicts) = @_;

    for (@verdicts) {
        my ($status, $path, $who, @token) = @$_;
        is(status($name, $path, @token), $status, "$name.conf: $path, $who");
    }
}

$nginx{'static-keys'} = example('static-keys.conf', $up)->start;
verdicts('static-keys', [ 200, '/', 'a token', $one ], [ 401, '/', 'none' ],
         [ 401, '/', 'another audience',
           from($cluster, undef, aud => [ 'service3' ]) ],
         [ 200, '/healthz', 'no token' ]);

$mock->set('api', doc => {}, jwks => { body => $good });

fetching('discovery', qr/api_server +in_cluster;/, $in_cluster);
verdicts('discovery',
         [ 200, '/', 'a token', from($mock->url('api'), 'c') ],
         [ 401, '/', 'none' ],
         [ 401, '/', 'another issuer', from($cluster, 'c') ],
         [ 200, '/healthz', 'no token' ]);

# The API server's verdict: for all tokens, or after the check with keys

$api = K8sSa::MockApi->new(tls => 'api');
my $reviewing = 'ssl_trusted_certificate ' . "$ca; token_file " . dir()
                . '/own;';
my $legacy = bearer(token('1.36.2/legacy-manual') =~ s/.* //r);

fetching('tokenreview',
         qr/in_cluster;/, $api->base . "; $reviewing");
verdicts('tokenreview', [ 401, '/', 'none' ], [ 200, '/', 'a token', $one ],
         [ 200, '/', 'a legacy token', $legacy ]);

my ($review) = $api->reviews('apis');
is_deeply([ @$review{qw(auth token asked)} ],
          [ 'Bearer own-token', $one =~ s/.* //r, [ 'service2' ] ],
          'tokenreview.conf: the review, and the credential');

$api->set('apis', review => { refuse => '[invalid bearer token]' });
verdicts('tokenreview',
         [ 200, '/', 'a token that it has just accepted', $one ],
         [ 401, '/', 'a token that it does not know',
           account('mytest', 'stranger') ]);

fetching('tokenreview-and-keys', qr/api_server +in_cluster;/, $in_cluster,
         qr/token_review;/, 'token_review ' . $api->base . '/both/review;');

my $known = from($mock->url('api'), 'c');

verdicts('tokenreview-and-keys', [ 200, '/', 'a token', $known ],
         [ 401, '/', 'none' ],
         [ 401, '/', 'a forged token', bearer(spoil($known =~ s/.* //r)) ]);
is(scalar $api->reviews('both'), 1,
   'tokenreview-and-keys.conf: asked only about the good token');

$api->set('both', review => { refuse => 'Token has been invalidated' });
verdicts('tokenreview-and-keys',
         [ 401, '/', 'a token of a deleted account',
           from($mock->url('api'), 'c', jti => 'deleted') ]);


# Others

my ($east, $west) = ($mock->url('east'), 'https://west.example.com');
$mock->set('east', doc => {}, jwks => { body => $good });

fetching('several-clusters', qr{https://east\.example\.com}, $east,
         qr{/etc/nginx/east-ca\.crt}, $ca,
         qr{state_path\s+\S+;}, '');
verdicts('several-clusters',
         [ 200, '/', 'the east', from($east, 'c') ],
         [ 200, '/', 'the west', from($west) ],
         [ 401, '/', 'the north', from('https://north.example.com', 'c') ],
         [ 401, '/internal/', 'the east', from($east, 'c') ],
         [ 200, '/internal/', 'the west', from($west) ]);
like(get($nginx{'several-clusters'}{port}{8080}, '/', from($east, 'c'))
     ->{body}, qr/^X-Remote-Cluster: east\r$/m,
     'several-clusters.conf: the cluster');

my $realm = $mock->url('realm');
my $person = from($realm, 'c', sub => 'f:1:ann', 'kubernetes.io' => undef,
                  preferred_username => 'ann');
$mock->set('realm', doc => {}, jwks => { body => $good });

fetching('keycloak', qr{https://keycloak\.example\.com/realms/main}, $realm,
         qr{/etc/nginx/keycloak-ca\.crt}, $ca);
verdicts('keycloak', [ 200, '/', 'a workload', $one ], [ 401, '/', 'none' ],
         [ 401, '/', 'a person of another realm', from("$realm/2", 'c') ]);
$answer = get($nginx{keycloak}{port}{8080}, '/', $person);
is_deeply([ $answer->{body} =~ /^(X-Remote.*?)\r$/mg ],
          [ 'X-Remote-User: f:1:ann', 'X-Remote-Name: ann' ],
          'keycloak.conf: a person');


K8sSa::Nginx->finish;
