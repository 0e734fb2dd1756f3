# SPDX-License-Identifier: BSD-2-Clause

# Discovery documents and key sets that are accepted and refused: one issuer
# per case, all on one mock server.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use K8sSa;
use K8sSa::Conf;
use K8sSa::Http;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


my $mock = K8sSa::MockIssuer->new;
my $port = free_port();

my $good = jwks([ 'ec', 'first', kid => 'k', use => 'sig', alg => 'ES256' ]);
my $weak = jwks([ 'rsa1024', 'weak', kid => 'w' ]) =~ s/^\{"keys":\[|\]\}$//gr;


# Refused documents and key sets: name, settings of the mock, the reason in the
# log, and directives in addition to "discovery".

sub differs {
    my ($document, $configured) = @_;
    return qr/issuer is "\Q$document\E", but "\Q$configured\E" is/;
}

my @bad = (
    [ 'text', doc => 'hello', qr/JSON/ ],
    [ 'nothing', doc => '', qr/JSON|empty/ ],
    [ 'array', doc => '[]', qr/object/ ],
    [ 'cut', doc => substr($mock->document('cut'), 0, 60), qr/JSON/ ],
    [ 'twice', doc => '{"issuer":"a","issuer":"b"}', qr/JSON|duplicate/i ],
    [ 'no-issuer', doc => $mock->document('x', issuer => undef),
      qr/"issuer" is missing/ ],
    [ 'issuer-number', doc => $mock->document('x', issuer => 1),
      qr/"issuer" is missing, empty or not a string/ ],
    [ 'issuer-empty', doc => $mock->document('x', issuer => ''),
      qr/"issuer" is missing, empty/ ],
    [ 'issuer-control', doc => $mock->document('x', issuer => "a\nb"),
      qr/"issuer" holds a control character/ ],
    [ 'issuer-long', doc => $mock->document('x', issuer => 'i' x 1025),
      qr/issuer is too long/ ],
    [ 'no-jwks-uri', doc => $mock->document('x', jwks_uri => undef),
      qr/"jwks_uri" is missing/ ],
    [ 'uri-ftp', doc => $mock->document('x', jwks_uri => 'ftp://127.0.0.1/'),
      qr/"jwks_uri" is not an absolute http or https URL: "ftp:/ ],
    [ 'uri-relative', doc => $mock->document('x', jwks_uri => '/keys'),
      qr/"jwks_uri" is not an absolute/ ],
    [ 'uri-user', doc => $mock->document('x',
                                         jwks_uri => 'http://a@127.0.0.1/'),
      qr/jwks_uri "http:\/\/a\@127\.0\.0\.1\/"/ ],
    (map { [ "uri-http-$_", doc => $mock->document('x',
                                       jwks_uri => "http://$_:1/keys"),
             qr/jwks_uri "http:\/\/\Q$_\E:1\/keys" is not https/ ] }
         '192.0.2.1', '127.0.0.1.test', 'localhost.test', '128.0.0.1'),
    [ 'mismatch', doc => $mock->document('mismatch'),
      differs($mock->url('mismatch'), 'https://one.test'),
      'issuer https://one.test https://two.test;' ],
    [ 'slash', doc => $mock->document('slash'),
      differs($mock->url('slash'), $mock->url('slash') . '/'),
      'issuer ' . $mock->url('slash') . '/;' ],
    [ 'jwks-text', jwks => 'hello', qr/JSON/ ],
    [ 'jwks-empty', jwks => '{"keys":[]}', qr/no .*key|empty/i ],
    [ 'jwks-other', jwks => '{"keys":[{"kty":"OKP","crv":"X25519"}]}',
      qr/no .*usable|no .*key/i ],
    [ 'jwks-weak', jwks => "{\"keys\":[$weak]}", qr/key/ ],
    [ 'jwks-hmac', jwks => '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}',
      qr/key/ ],
);

# Accepted ones: name, differences in the document, the token's "iss" (default:
# the mock's own), directives.

my $given = 'jwks_uri ' . $mock->url('given') . '/jwks;';

my @fine = (
    [ 'learned', {}, undef ],
    [ 'learned-elsewhere', { issuer => 'https://external.test/id' },
      'https://external.test/id' ],
    [ 'compared', {}, undef, 'issuer ' . $mock->url('compared') . ';' ],
    [ 'one-of-two', { issuer => 'https://two.test' }, 'https://one.test',
      'issuer https://one.test https://two.test;' ],
    [ 'overridden', { jwks_uri => 'https://192.0.2.1/none' }, undef, $given ],
    [ 'more-members', { x => [ 1, { y => undef } ] }, undef ],
);

my @issuers;

for (@bad) {
    my ($name, $what, $body, $reason, $more) = @$_;
    $mock->set($name, jwks => { body => $good });
    $mock->set($name, $what => { body => $body });
    push @issuers, [ $name, 'discovery ' . $mock->discovery($name) . ';'
                            . ($more || '') ];
}

for (@fine) {
    my ($name, $over, $iss, $more) = @$_;
    $mock->set($name, jwks => { body => $name eq 'overridden' ? '' : $good },
                      doc => { body => $mock->document($name, %$over) });
    push @issuers, [ $name, 'discovery ' . $mock->discovery($name) . ';'
                            . ($more || '') ];
}

$mock->set('given', jwks => { body => $good });
$mock->set('some', jwks => { body => jwks([ 'ec', 'first', kid => 'k' ],
                                          [ 'rsa', 'other', use => 'enc' ])
                                     =~ s/\[/[$weak,/r });
$mock->set('alone', jwks => { body => $good =~ s/^\{"keys":\[|\]\}$//gr });

push @issuers,
    [ 'given', $given ],
    [ 'some', 'discovery ' . $mock->discovery('some') . ';' ],
    [ 'alone', 'discovery ' . $mock->discovery('alone') . ';' ],
    [ 'at-issuer', 'discovery; issuer ' . $mock->url('at-issuer') . ';' ],
    [ 'at-server', 'discovery; api_server ' . $mock->url('at-server') . '/;' ];

$mock->set($_, jwks => { body => $good }) for 'at-issuer', 'at-server';


my $nginx = K8sSa::Nginx->new(http => join '',
    (map { "k8s_sa_issuer $_->[0] { audience service2; timeout 2s; "
           . "$_->[1] }\n" } @issuers),
    "server { listen 127.0.0.1:$port;\n",
    (map { "location = /$_->[0] { k8s_sa_auth $_->[0]; empty_gif; }\n" }
         @issuers),
    "}\n")->start;

sub status {
    my ($name, $iss, %more) = @_;
    my $token = sign_token(header => { kid => 'k' }, claims => claims(
        iss => $iss || $mock->url($name)), %more);
    return get($port, "/$name", bearer($token))->{status};
}


for (@bad) {
    my ($name, undef, undef, $reason, $more) = @$_;

    ok($nginx->wait_log(fetch_failed($name, qr/.*$reason/)),
       "$name: refused, with the reason")
        or diag(grep { /"\Q$name\E"/ } split /^/m, $nginx->log);

    my ($iss) = ($more || '') =~ /^issuer (\S+?)[ ;]/;

    is(status($name, $iss), 503, "$name: 503");
}

for (@fine) {
    my ($name, undef, $iss) = @$_;

    is(status($name, $iss), 200, "$name: token of the issuer");
    is(status($name, 'https://evil.test'), 401, "$name: of another issuer");
}

is(status('one-of-two', 'https://two.test'), 200, 'one-of-two: the other');
is(status('one-of-two', $mock->url('one-of-two')), 401,
   'one-of-two: only configured issuers');
is(status($_), 200, $_) for qw(given some alone at-issuer at-server);
is(status('given', undef, key => [ 'ec', 'forged' ]), 401,
   'given: a forged token');

ok($nginx->wait_log(qr/\[warn\].*key of issuer "some" passed over: .*bits/),
   'some: the weak key is skipped with a warning');

is(scalar(() = $nginx->log =~ /issuer "compared" has new keys from/g), 1,
   'compared: one line reports the keys');

my @heads = map { $_->{head} } $mock->requests('learned');

is(scalar @heads, 2, 'learned: document and keys were fetched once');
is(scalar(grep { /^Accept: \*\/\*\r$/m } @heads), 2,
   'learned: any type is accepted');
is(scalar(grep { m{^GET /learned/\S+ HTTP/1\.1\r\nHost: 127\.0\.0\.1:\d+\r$}m }
               @heads), 2,
   'learned: GET with Host');
is(scalar $mock->requests('given', 'doc'), 0,
   'given: no document was fetched');
like(($mock->requests('at-server', 'doc'))[0]{head},
     qr{^GET /at-server/\.well-known/openid-configuration },
     'at-server: the path is below the server\'s');


# Addresses in the configuration

sub issuer {
    my ($text) = @_;
    return "k8s_sa_issuer a {\naudience service2;\n$text # HERE\n}\n";
}

my $insecure = qr/"https" is required unless the host is a loopback address/;

refused("jwks_uri $_", issuer("jwks_uri $_;\n}"), $insecure)
    for 'http://192.0.2.1/', 'http://localhost.test/', 'http://a/',
        'http://0.0.0.0/';

refused('discovery', issuer("discovery http://192.0.2.1/;\n}"), $insecure);
refused('api_server',
        issuer("api_server http://192.0.2.1/; discovery;\n}"), $insecure);
refused('issuer', issuer("issuer http://192.0.2.1/; discovery;\n}"),
        $insecure);
refused('issuer that is not a URL',
        issuer("issuer kubernetes/x; discovery;\n}"),
        qr/invalid URL "kubernetes\/x" in "issuer"/);
refused('discovery without an address', issuer("discovery;\n}"),
        qr/"discovery" in issuer "a" needs a URL/);

accepted("jwks_uri $_",
         "k8s_sa_issuer a { audience service2; jwks_uri $_; }")
    for 'http://127.0.0.1:1/', 'http://127.9.9.9:1/', 'http://localhost:1/',
        'http://[::1]:1/', 'https://192.0.2.1/';


K8sSa::Nginx::finish();
