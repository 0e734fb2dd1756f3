# SPDX-License-Identifier: BSD-2-Clause

# NGINX's own token and the TLS connections it is sent over: which servers get
# it, when it is read again, and which certificates are accepted.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Conf;
use K8sSa::Http;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


authority($_) for qw(ca ca2 public);
certificate('ca', 'server', 'IP:127.0.0.1');
certificate('ca', 'named', 'DNS:api.test');
certificate('ca2', 'swapped', 'IP:127.0.0.1');
certificate('public', 'site', 'IP:127.0.0.1');
certificate('ca', 'client', 'DNS:client.test');

my $dir = dir();

# the system's CAs, where OpenSSL finds them, and an API server for in_cluster
$ENV{SSL_CERT_FILE} = "$dir/public.crt";

my $plain = K8sSa::MockIssuer->new;
my $tls = K8sSa::MockIssuer->new(tls => 'server');
my $other = K8sSa::MockIssuer->new(tls => 'server');
my $site = K8sSa::MockIssuer->new(tls => 'site');
my $cdn = K8sSa::MockIssuer->new(tls => 'site');
my $named = K8sSa::MockIssuer->new(tls => 'named');
my $mutual = K8sSa::MockIssuer->new(tls => 'server',
                                    client_ca => "$dir/ca.crt");
my $swap = K8sSa::MockIssuer->new(tls => 'server');

$ENV{KUBERNETES_SERVICE_HOST} = '127.0.0.1';
$ENV{KUBERNETES_SERVICE_PORT} = $tls->{port};

my @own = map { sign_token(claims => claims(jti => "own $_")) } 1 .. 3;
my $file = write_file('own', "\n$own[0]\n");
my $turning = write_file('turning', $own[0]);
my $broken = write_file('broken', $own[0]);

chmod 0644, $file, $turning, $broken;
write_file('swap.crt', slurp("$dir/ca.crt"));

my $jwks = jwks([ 'ec', 'first', kid => 'k' ]);
my $ca = "ssl_trusted_certificate $dir/ca.crt;";
my $token = "token_file $file;";

# issuer, its mock, the address of its keys, directives

my @issuers = (
    [ 'plain', $plain, undef, "$ca $token" ],
    [ 'verified', $tls, undef, "$ca $token" ],
    [ 'unverified', $tls, undef, "ssl_verify off; $token" ],
    [ 'elsewhere', $tls, $other, "$ca $token" ],
    [ 'downgraded', $tls, $plain, "$ca $token" ],
    [ 'public-same', $site, undef, $token ],
    [ 'public-elsewhere', $site, $cdn, $token ],
    [ 'public-given', $site, $cdn, "$token jwks_uri "
                                   . $cdn->url('public-given') . '/jwks;' ],
    [ 'none', $tls, undef, $ca ],
    [ 'named', $named, undef, "$ca $token ssl_name api.test;" ],
    [ 'mutual', $mutual, undef,
      "$ca ssl_certificate $dir/client.crt; "
      . "ssl_certificate_key $dir/client.key;" ],
    [ 'turning', $tls, undef, "$ca token_file $turning; refresh 500ms;" ],
    [ 'broken', $tls, undef, "$ca token_file $broken; refresh 500ms;" ],
    [ 'swap', $swap, undef,
      "ssl_trusted_certificate $dir/swap.crt; refresh 500ms;" ],
    [ '401', $tls, undef, "$ca $token" ],
    [ '403', $tls, undef, "$ca $token" ],
);

for (@issuers) {
    my ($name, $at, $keys) = @$_;
    $keys ||= $at;
    $at->set($name, doc => { body => $at->document($name,
                                 issuer => 'https://kubernetes.default.svc',
                                 jwks_uri => $keys->url($name) . '/jwks') },
                    jwks => { body => $jwks });
    $keys->set($name, jwks => { body => $jwks });
}

# an API server's own path, as with in_cluster
$tls->set('.well-known', jwks => { body => $jwks },
                         doc => { body => $tls->document('.well-known',
                                 issuer => 'https://kubernetes.default.svc') });

$tls->set($_, doc => { status => $_, body => '{}' }) for 401, 403;

my $port = free_port();
my $request = bearer(sign_token(header => { kid => 'k' }));

my $nginx = K8sSa::Nginx->new(level => 'debug', http => join '',
    (map { "k8s_sa_issuer $_->[0] { audience service2; timeout 5s; "
           . 'discovery ' . $_->[1]->discovery($_->[0]) . "; $_->[3] }\n" }
         @issuers),
    "k8s_sa_issuer in-cluster { audience service2; discovery; $ca $token "
    . 'api_server in_cluster; timeout 5s; }',
    "server { listen 127.0.0.1:$port;\n",
    (map { "location = /$_->[0] { k8s_sa_auth $_->[0]; empty_gif; }\n" }
         @issuers, [ 'in-cluster' ]),
    "}\n")->start;

sub status { return get($port, "/$_[0]", $request)->{status} }

# Returns the "Authorization" of the first request, or undef.

sub auth {
    my ($at, $name, $what) = @_;
    my ($first) = $at->requests($name, $what);
    return $first ? $first->{auth} : 'no request';
}

my $bearer = "Bearer $own[0]";

is(status($_->[0]), 200, "$_->[0]: keys were fetched")
    for grep { $_->[0] !~ /^40/ } @issuers, [ 'in-cluster' ];

is(auth($tls, 'verified', 'doc'), $bearer, 'verified TLS: sent, trimmed');
is(auth($tls, 'verified', 'jwks'), $bearer, 'verified TLS: sent for keys, too');
is(auth($plain, 'plain', $_), undef, "http on loopback: not sent for $_")
    for qw(doc jwks);
is(auth($tls, 'unverified', $_), undef, "ssl_verify off: not sent for $_")
    for qw(doc jwks);
is(auth($tls, 'elsewhere', 'doc'), $bearer, 'keys elsewhere: document');
is(auth($other, 'elsewhere', 'jwks'), $bearer,
   'keys elsewhere, of the issuer\'s own CA: sent');
is(auth($tls, 'downgraded', 'doc'), $bearer, 'keys over http: document');
is(auth($plain, 'downgraded', 'jwks'), undef, 'keys over http: not sent');
is(auth($site, 'public-same', $_), $bearer, "the system's CAs: $_")
    for qw(doc jwks);
is(auth($site, 'public-elsewhere', 'doc'), $bearer,
   'keys elsewhere, the system\'s CAs: document');
is(auth($cdn, 'public-elsewhere', 'jwks'), undef,
   'keys elsewhere, the system\'s CAs: not sent');
is(auth($cdn, 'public-given', 'jwks'), $bearer,
   'the same with jwks_uri: the configuration says so');
is(auth($tls, '.well-known', 'doc'), $bearer, 'in_cluster');
is(auth($tls, 'none', 'doc'), undef, 'no token_file, no token');
is(auth($named, 'named', 'doc'), $bearer, 'ssl_name');

ok($nginx->wait_log(qr/issuer "401" failed: \S+ answered 401 \(our own token/),
   '401: the error has a hint');
ok($nginx->wait_log(fetch_failed(403, qr/\S+ answered 403 \(.*(?#
   )system:service-account-issuer-discovery/)),
   '403: the error has a hint');
is(status($_), 503, "$_: 503") for 401, 403;


# Changes while nginx runs

my $log = length $nginx->log;

spew($turning, "$own[1]\n");
spew($broken, "two words\n");

$swap->stop;
$swap->{tls} = 'swapped';
$swap->start;

# nginx checks its files every 2 s, and asks these issuers every 500 ms

sub turned { return grep { ($_->{auth} || '') eq "Bearer $own[1]" }
                    $tls->requests('turning', 'doc') }

my $until = time() + 6;
sleep 0.1 while time() < $until && !turned();

ok(turned(), 'the new token in the file is sent');

ok($nginx->wait_log(qr/\[error\].*"\Q$broken\E" changed and cannot be used, (?#
                    )the old token is kept: there is more/, 5, $log),
   'a file without a token is an error');

ok($nginx->wait_log(qr/\[error\].*issuer "swap" failed: .*certificate/, 5,
                    $log),
   'another CA\'s certificate is refused');
is(status('swap'), 200, '... and the old keys stay in use');

$log = length $nginx->log;
my $asked = $tls->requests('broken', 'doc');
my $before = $swap->requests('swap', 'doc');

spew('swap.crt', slurp("$dir/ca2.crt"));

ok($swap->wait_requests('swap', 'doc', $before + 1, 6),
   'with the new CA in the file, keys are fetched again');
ok($tls->wait_requests('broken', 'doc', $asked + 1),
   'the other issuer is still asked');
is(($tls->requests('broken', 'doc'))[-1]{auth}, $bearer,
   '... with the old token');

spew($broken, $own[2]);
$until = time() + 6;
sleep 0.1 while time() < $until
    && ($tls->requests('broken', 'doc'))[-1]{auth} eq $bearer;

is(($tls->requests('broken', 'doc'))[-1]{auth}, "Bearer $own[2]",
   '... and with the new one when the file is good again');


# Wrong configurations

my $url = $tls->discovery('a');

refused('no such file', <<"_", qr/"token_file" "\/nope": open\(\) failed \(2:/);
k8s_sa_issuer a {
    audience b; discovery $url; token_file /nope;
} # HERE
_

refused('an empty file', <<"_", qr/"\Q$dir\E\/empty": file is empty/)
k8s_sa_issuer a {
    audience b; discovery $url; token_file $dir/empty;
} # HERE
_
    if write_file('empty', " \n");

refused('no such CA', <<"_", qr/nope/);
k8s_sa_issuer a { # HERE
    audience b; discovery $url; ssl_trusted_certificate /nope;
}
server { k8s_sa_auth a; }
_

refused('without the files of a pod', <<"_", qr/automountServiceAccountToken/)
k8s_sa_issuer a {
    audience b; discovery; api_server in_cluster;
} # HERE
_
    unless -e '/var/run/secrets/kubernetes.io/serviceaccount/token';

delete $ENV{KUBERNETES_SERVICE_PORT};

my $outside = qr/"api_server in_cluster" in issuer "a": (?#
            )KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be set/;

refused('in_cluster outside of one', <<"_", $outside);
k8s_sa_issuer a {
    audience b; discovery; api_server in_cluster;
} # HERE
_


K8sSa::Nginx::finish();
