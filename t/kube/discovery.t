# SPDX-License-Identifier: BSD-2-Clause

# Keys from the discovery endpoint of a real API server.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw(decode_base64url);
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Http;
use K8sSa::Kube;
use K8sSa::Load;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


# the API server needs some CPU time, too
$K8sSa::Load::pause = 0.01;

my $kube = kube_up();
my $port = free_port();
my $pki = "$ENV{KUBE_DIR}/pki";

kube_account('mytest', 'service1', 'service2', 'nginx');

my $own = write_file('own', kube_token('mytest', 'nginx'));
my $bad = write_file('bad', spoil(kube_token('mytest', 'nginx')));
my $late = write_file('late', slurp($bad));

chmod 0644, $own, $bad, $late;

my %token = (
    service1 => kube_token('mytest', 'service1', 'service2'),
    service2 => kube_token('mytest', 'service2', 'service2', 'other'),
    other => kube_token('mytest', 'service1', 'other'),
    api => kube_token('mytest', 'service1'),
);

sub status {
    my ($issuer, $token) = @_;
    return request($port, with_token("/$issuer", $token))->{status};
}

sub kid {
    my ($token) = @_;
    return decode_json(decode_base64url((split /\./, $token)[0]))->{kid};
}

sub until_status {
    my ($issuer, $token, $status, $limit) = @_;
    my $began = time();
    sleep 0.05 while status($issuer, $token) != $status
        && time() - $began < $limit;
    return time() - $began;
}

my %issuers = (
    own => "token_file $own; refresh 1s;",
    anonymous => '',
    bad => "token_file $bad;",
    late => "token_file $late;",
    named => "token_file $own; issuer $kube->{KUBE_ISSUER};",
    misnamed => "token_file $own; issuer https://other.test;",
    keys => "token_file $own; issuer $kube->{KUBE_ISSUER}; "
            . "jwks_uri $kube->{KUBE_URL}/openid/v1/jwks;",
);

my $nginx = K8sSa::Nginx->new(workers => 2, http => join '',
    (map { "k8s_sa_issuer $_ { audience service2; $issuers{$_} "
           . "api_server $kube->{KUBE_URL}; "
           . "ssl_trusted_certificate $kube->{KUBE_CA}; "
           . ($_ eq 'keys' ? '' : 'discovery; ') . "}\n" }
         sort keys %issuers),
    "server {\nlisten 127.0.0.1:$port;\n",
    (map { "location = /$_ { k8s_sa_auth $_; empty_gif; }\n" }
         sort keys %issuers),
    "}\n")->start;


# Allowed with NGINX's own token, refused without

is(status('own', $token{service1}), 200, 'own token: keys, the issuer learned');
is(status('named', $token{service1}), 200, 'own token: the issuer compared');
is(status('keys', $token{service1}), 200, 'own token: keys only');

ok($nginx->wait_log(fetch_failed('anonymous', qr/\S+: answered 403 \((?#
   )our own token is missing: set "token_file"\)/)),
   'no token: 403, with a hint');
ok($nginx->wait_log(fetch_failed($_, qr/\S+: answered 401 \(our own token/)),
   "$_ token: 401, with a hint") for qw(bad late);
ok($nginx->wait_log(fetch_failed('misnamed', qr/\S+: the document's issuer (?#
   )is "\Q$kube->{KUBE_ISSUER}\E", but "https:\/\/other.test" is/)),
   'another issuer: both are named');

is(status($_, $token{service1}), 503, "$_: 503") for qw(anonymous bad);


# Tokens of the TokenRequest API

is(status('own', $token{service2}), 200, 'one of two audiences');
is(status('own', $token{other}), 401, 'another audience');
is(status('own', $token{api}), 401, 'the audience of the API server');
is(status('own', spoil($token{service1})), 401, 'a wrong signature');


# Changes: the binding, the token

kube('api', 'POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
     encode_json({
         apiVersion => 'rbac.authorization.k8s.io/v1',
         kind => 'ClusterRoleBinding',
         metadata => { name => 'discovery-for-all' },
         roleRef => { apiGroup => 'rbac.authorization.k8s.io',
                      kind => 'ClusterRole',
                      name => 'system:service-account-issuer-discovery' },
         subjects => [ { apiGroup => 'rbac.authorization.k8s.io',
                         kind => 'Group',
                         name => 'system:unauthenticated' } ],
     }));
spew($late, slurp($own));
chmod 0644, $late;

cmp_ok(until_status('anonymous', $token{service1}, 200, 6), '<', 5,
       'bound to all users: no token is needed');
cmp_ok(until_status('late', $token{service1}, 200, 8), '<', 7,
       'a token that is valid now');


# The API server restarts with another signing key, and still publishes the old
# one

sub restart {
    my (@arguments) = @_;
    my $began = time();
    kube('restart-apiserver', @arguments);
    return time() - $began;
}

my $first = $token{service1};
my $load = load($port, first => with_token('/own', $first));

my $down = restart('--signing-key', "$pki/sa-2.key", '--key-file',
                   "$pki/sa-2.key", '--key-file', "$pki/sa.pub");
my $second = kube_token('mytest', 'service1', 'service2');

isnt(kid($second), kid($first), 'signed with another key');
is(status('own', $second), 200, 'the new key, as soon as there is a token');

my $other = load($port, second => with_token('/own', $second));

spew($own, kube_token('mytest', 'nginx'));
chmod 0644, $own;
is(status('own', $first), 200, 'the old key, too');
sleep 2.5;                                 # the new own token is read

my $result = load_end($load);

# Now it drops the old key and signs with a third one.

$down += restart('--signing-key', "$pki/sa-ec.key", '--key-file',
                 "$pki/sa-ec.key", '--key-file', "$pki/sa-2.key");
my $third = kube_token('mytest', 'service1', 'service2');

# the unknown key may have triggered a fetch within the last 10 s; it is then
# found with the next fetch, which is in backoff since the restart
cmp_ok(until_status('own', $third, 200, 12), '<', 12, 'an EC key');
cmp_ok(until_status('own', $first, 401, 5), '<', 5,
       'the removed key: refused');
is(status('own', $second), 200, 'the remaining key');

my $result2 = load_end($other);

for ([ first => $result ], [ second => $result2 ]) {
    my ($name, $all) = ($_->[0], $_->[1]{$_->[0]});
    is(join(' ', grep { /^\d/ } keys %$all), '200',
       "$name: none of $all->{200} valid tokens was refused")
        or diag(explain($all));
    cmp_ok($all->{slowest}, '<', 1, "$name: no request had to wait");
}

diag(sprintf 'two restarts of the API server, %.1f s together: %d requests '
             . 'with known keys, the slowest took %.0f ms', $down,
             $result->{first}{200} + $result2->{second}{200},
             1000 * (sort { $b <=> $a } $result->{first}{slowest},
                                        $result2->{second}{slowest})[0]);


K8sSa::Nginx::finish();
