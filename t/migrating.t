# SPDX-License-Identifier: BSD-2-Clause

# docs/migrating-from-kube-rbac-proxy.md: each configuration in it runs, and
# does what kube-rbac-proxy did.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Example;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $seen = dir() . '/seen';
my $up = echo_http($seen);
my $api = K8sSa::MockApi->new;
my $scraper = 'system:serviceaccount:monitoring:scraper';
my $other = 'system:serviceaccount:monitoring:other';

# The configurations by their section, in order

my (%section, $heading, $text);

for (split /^/, slurp(fixture('../../docs/migrating-from-kube-rbac-proxy.md')))
{
    if (defined $text) {
        if (/^```$/) {
            push @{ $section{$heading} }, $text;
            undef $text;
        } else {
            $text .= $_;
        }

    } elsif (/^```nginx$/) {
        $text = '';

    } elsif (/^##? (.*)/) {
        $heading = $1;
    }
}

my %used;

# Returns the N-th configuration of a section, with the service's address.

sub part {
    my ($name, $n) = @_;
    my $part = $section{$name}[$n] // die "no configuration $n in \"$name\"\n";

    $used{"$name $n"} = 1;
    $part =~ s/127\.0\.0\.1:9100/127.0.0.1:$up/g;

    return $part;
}

# Starts an nginx with an issuer whose access reviews go to NAME of the mock;
# returns the port of the server with the given directives.

sub start {
    my ($name, $server, $http, $auth) = @_;
    my $port = free_port();
    my $keys = 'public_key ' . key_file('ec') . '; audience service2;';

    K8sSa::Nginx->new(http => <<"_")->start;
map_hash_bucket_size 128;
k8s_sa_issuer cluster {
    $keys timeout 2s; access_review @{[ $api->base ]}/$name/access;
}
@{[ $http || '' ]}
server {
    listen 127.0.0.1:$port;
    k8s_sa_auth @{[ $auth || 'cluster' ]};
    $server
}
_

    return $port;
}

sub who { return account('monitoring', $_[0]) }

sub status {
    my ($port, $path, @headers) = @_;
    return get($port, $path, @headers)->{status};
}

sub method {
    my ($port, $method, $path, @headers) = @_;
    return request($port, "$method $path HTTP/1.1\r\nHost: t\r\n"
                          . 'Connection: close' . "\r\n"
                          . join('', map { "$_\r\n" } @headers) . "\r\n");
}


# A sidecar in front of metrics, which is reached over TLS

my $sidecar = 'A sidecar in front of metrics';
my $ca = authority('ca');
my $cert = certificate('ca', 'sidecar', 'IP:127.0.0.1');
my $config = part($sidecar, 0);

$config =~ s{api_server\s+in_cluster;}{};
$config =~ s{token_review;}{token_review @{[ $api->base ]}/sidecar/review;};
$config =~ s{access_review;}{access_review @{[ $api->base ]}/sidecar/access;};
$config =~ s{/tls/tls\.crt}{$cert};
$config =~ s{/tls/tls\.key}{@{[ $cert =~ s/crt$/key/r ]}};

$api->set('sidecar', review => { user => $scraper,
                                 groups => [ 'system:authenticated' ] },
          access => { allow => { $scraper => [ 'get /metrics' ] } });

my $nginx = example($config, $up)->start;

sub curl {
    my ($path, @options) = @_;
    open my $fh, '-|', 'curl', '-s', '-o', '/dev/null', '-w', '%{http_code}',
        '--cacert', $ca, @options,
        "https://127.0.0.1:$nginx->{port}{8443}$path" or die "curl: $!\n";
    return scalar <$fh>;
}

my @token = ('-H', (bearer(opaque_token()))[0]);

is(curl('/metrics', @token), 200, 'sidecar: metrics');
is(curl('/metrics'), 401, 'sidecar: no token');
is(curl('/metrics', '-X', 'POST', @token), 403, 'sidecar: another verb');
is(curl('/', @token), 404, 'sidecar: no other path');
like(slurp($seen), qr/^X-Remote-User: \Q$scraper\E\r$/m,
     'sidecar: the service knows the caller');
is(scalar $api->reviews('sidecar'), 1, 'sidecar: one TokenReview');

# with a token of its own audience

my $issuer = part($sidecar, 1);

like($issuer, qr/^ +audience +metrics;$/m, 'an audience');
$issuer =~ s/api_server +in_cluster;//;
$issuer =~ s{discovery;}{public_key @{[ key_file('ec') ]};};
$issuer =~ s{access_review;}{access_review @{[ $api->base ]}/metrics/access;};
$issuer =~ s/issuer cluster/issuer metrics/;

$api->set('metrics', access => { allow => { $scraper => [ 'get /metrics' ] } });

my $port = start('none', "k8s_sa_authorize; location = /metrics {
    proxy_pass http://127.0.0.1:$up/metrics; }", $issuer, 'metrics');

is(status($port, '/metrics', account('monitoring', 'scraper',
                                     aud => [ 'metrics' ])),
   200, 'audience: a token for metrics');
is(status($port, '/metrics', who('scraper')), 401, 'audience: another token');


# Paths

$api->set('paths', access => { allow => [ 'get /metrics', 'get /data/a' ] });

my $paths = part('Paths', 0);
my $health = part('Paths', 1);
my $port2 = free_port();

$health =~ s/listen 8081/listen 127.0.0.1:$port2/;
$port = start('paths', "k8s_sa_authorize; $paths", $health);

is(status($port, '/metrics', who('scraper')), 200, 'allowed path');
is(status($port, '/data/a', who('scraper')), 200, 'allowed pattern');
is(status($port, '/data/a/b', who('scraper')), 404, '... of one segment');
is(status($port, '/other', who('scraper')), 404, 'any other path');
is(status($port, '/healthz'), 200, 'ignored path');
is(status($port, '/metrics'), 401, '... and only that');
is(status($port2, '/healthz'), 200, 'the proxy\'s own health');

is(status($port, '/healthz', 'X-Remote-User: admin', 'X_Remote_User: admin'),
   200, 'ignored path with an identity header');
unlike(slurp($seen) =~ s/.*(?=^GET \/healthz)//smr, qr/admin/,
       '... which the service does not get');


# Verbs

for my $n (0, 1) {
    my @verbs = $n ? qw(get head post options) : ('get', 'get', 'create', '');
    my $name = "verbs$n";

    $api->set($name, access => { allow => 1 });
    $port = start($name, part('Verbs', $n) . "location = /x {
                  proxy_pass http://127.0.0.1:$up/x; }");

    method($port, $_, '/x', who('scraper')) for qw(GET HEAD POST OPTIONS);

    my @asked = map { "$_ /x" } grep { $_ } @verbs;
    my %once;
    is_deeply([ $api->questions($name) ], [ grep { !$once{$_}++ } @asked ],
              'verbs: ' . join ' ', @asked);
}

$api->set('default', access => { allow => [ 'get /service1/api/v1' ] });
$port = start('default', "k8s_sa_authorize;" . part('Verbs', 2)
              . "location /livez { proxy_pass http://127.0.0.1:$up/livez; }");

is(status($port, '/api/v1', who('scraper')), 200, 'a prefix of one\'s own');
is(status($port, '/livez', who('scraper')), 403, 'a default role');
is_deeply([ $api->questions('default') ], [ 'get /service1/api/v1' ],
          '... is not asked about');


# The configuration file

my $file = 'The configuration file';

$api->set('resource', access => { allow => { $scraper => [
    'get services/proxy namespace=monitoring name=node-exporter' ] } });
$port = start('resource', part($file, 0) . "location / {
              proxy_pass http://127.0.0.1:$up/; }");

is(status($port, '/x', who('scraper')), 200, 'resourceAttributes: allowed');
is(status($port, '/x', who('other')), 403, 'resourceAttributes: not allowed');

$api->set('rewrites', access => { allow => [ 'get pods namespace=a' ] });
$port = start('rewrites', part($file, 1) . "location / {
              proxy_pass http://127.0.0.1:$up/; }");

is(status($port, '/q?namespace=a', who('scraper')), 200, 'rewrites: allowed');
is(status($port, '/q?namespace=a&namespace=b', who('scraper')), 403,
   'rewrites: one of two');
is(status($port, '/q', who('scraper')), 400, 'rewrites: no value');
is(method($port, 'POST', '/q?namespace=a', who('scraper'), 'Content-Length: 0',
          'Content-Type: application/x-www-form-urlencoded')->{status}, 400,
   'rewrites: a form');

$port = start('static', part($file, 3) . "location / {
              proxy_pass http://127.0.0.1:$up/; }",
              part($file, 2) =~ s/monitoring:prometheus/monitoring:scraper/r);
$api->set('static', access => {});

is(status($port, '/metrics', who('scraper')), 200, 'static: allowed');
is(status($port, '/metrics', who('other')), 403, 'static: another user');
is(status($port, '/other', who('scraper')), 403, 'static: another path');
is_deeply([ map { $_->{user} } $api->accesses('static') ], [ $other, $scraper ],
          'static: not asked');


# Identity headers

$api->set('headers', access => { allow => 1 });
$port = start('headers', "k8s_sa_authorize;" . part('Identity headers', 0)
              . "location / { proxy_pass http://127.0.0.1:$up/; }");

my $body = get($port, '/x', who('scraper'))->{body};

like($body, qr/^X-User: \Q$scraper\E\r$/m, 'headers: the user');

my $groups = join '|', qw(system:serviceaccounts
                          system:serviceaccounts:monitoring
                          system:authenticated);

like($body, qr/^X-Groups: \Q$groups\E\r$/m, 'headers: groups');


# Tokens of another issuer

my $oidc = part('Tokens of another issuer', 0);

$oidc =~ s/api_server +in_cluster;//;
$oidc =~ s{discovery;}{public_key @{[ key_file('rsa') ]};};
$oidc =~ s{access_review;}{access_review @{[ $api->base ]}/oidc/access;};
$api->set('oidc', access => { allow => { 'idp:alice' => [ 'get /x' ] } });
$port = start('none', "k8s_sa_authorize; location / {
              proxy_pass http://127.0.0.1:$up/; }", $oidc, 'idp');

sub of_idp {
    return bearer(sign_token(key => [ 'rsa' ], alg => 'RS256', claims => {
        iss => 'https://idp.example', aud => 'metrics', exp => time + 600,
        sub => $_[0] }));
}

is(status($port, '/x', of_idp('alice')), 200, 'another issuer: allowed');
is(status($port, '/x', of_idp('bob')), 403, 'another issuer: not allowed');


# What the service saw

my $what = 'What the service saw';

$api->set('saw', access => { allow => 1 });
$port = start('saw', 'k8s_sa_authorize;' . part($what, 0), part($what, 1));
$body = get($port, '/x', who('scraper'), 'X-Forwarded-For: 192.0.2.1')->{body};

like($body, qr/^Host: localhost\r$/m, 'the client\'s Host');
like($body, qr/^X-Forwarded-For: 192\.0\.2\.1, 127\.0\.0\.1\r$/m,
     'X-Forwarded-For');
is(method($port, 'GET', '/upgrade', who('scraper'), 'Connection: Upgrade',
          'Upgrade: x')->{status}, 101, 'an upgrade');


# All of them have been tried

for my $name (sort keys %section) {
    ok($used{"$name $_"}, "$name: configuration $_")
        for 0 .. $#{ $section{$name} };
}

K8sSa::Nginx->finish;
