# SPDX-License-Identifier: BSD-2-Clause

# Token reviews: every recorded answer of the API, its combination with the
# local check, and failures.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256);
use JSON::PP;
use MIME::Base64 qw(encode_base64url);
use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;


authority('ca');
authority('other');
certificate('ca', 'api', 'IP:127.0.0.1');

my $ca = 'ssl_trusted_certificate ' . dir() . '/ca.crt;';
my $api = K8sSa::MockApi->new;
my $tls = K8sSa::MockApi->new(tls => 'api');
my $port = free_port();
my (@issuers, @locations, @recorded);

my $identity = join "\n", map {
    "add_header X-$_ \$k8s_sa_$_ always;"
} qw(result username uid groups pod pod_uid node node_uid jti audience issuer
     expires claim_iss claims cache);


# Each location /NAME has its own issuer, which asks NAME of the mock.

sub location {
    my ($name, $directives, $auth, $server) = @_;
    my $url = ($server || $api)->base . "/$name/review";

    push @issuers, "k8s_sa_issuer $name { token_review $url; $directives }\n";
    push @locations, "location = /$name { k8s_sa_auth "
                     . ($auth || $name) . "; k8s_sa_whoami; }\n";
}

sub answer {
    my ($path, $token) = @_;
    my $answer = get($port, "/$path",
                     defined $token ? "Authorization: Bearer $token" : ());

    for my $name (qw(result username uid groups pod node jti audience issuer
                     expires claim_iss claims cache))
    {
        ($answer->{$name}) = header_values($answer->{head}, "X-$name");
    }

    return $answer;
}


# Recorded answers

for my $version ('1.20.2', '1.36.2') {
    for my $file (glob fixture("$version/tokenreview/*.request.json")) {
        my ($kind) = $file =~ m{([^/]+)\.request\.json$};
        my $request = eval { decode_json(slurp($file)) } or next;
        my $token = $request->{spec}{token} or next;
        my $raw = slurp($file =~ s/request\.json$/http/r);
        my %seen;
        my @asked = grep { !$seen{$_}++ } @{$request->{spec}{audiences} || []};

        # tokens that no request can carry, and audiences that cannot be
        # configured
        next if $token =~ /[^!-~]/ || grep { $_ eq '' } @asked;

        # of another API version
        next if $kind eq 'v1beta1';

        my $name = "rec-$version-$kind";
        $api->set($name, review => { raw => $raw });
        location($name, @asked ? "audience @asked;" : '');
        push @recorded, [ $name, remember($token), $raw, $request ];
    }
}

cmp_ok(scalar @recorded, '>', 150, 'there are recorded reviews');


# Generated answers

my $keys = 'public_key ' . key_file('ec') . ';';

location('alone', '');
location('asks', 'audience one two;');
location('any', 'audience any;');
location('both', "$keys audience service2 service3;");
location('both-any', "$keys audience any;");
location('both-legacy', "$keys audience service2; legacy_tokens on;");
location('other-user', "$keys audience service2;");
location('refused', "$keys audience service2;");
location('elsewhere', 'audience two;');
location('control', '');
location('echo', '');
location('opaque', '');
location('private', "$ca token_file " . write_file('own', "own-token\n") . ';',
         undef, $tls);
location('open', 'token_file ' . dir() . '/own;');
location('mistrusted', 'ssl_trusted_certificate ' . dir() . '/other.crt; '
                       . 'token_file ' . dir() . '/own;', undef, $tls);

push @issuers, "k8s_sa_issuer local { $keys audience service2; "
               . "issuer https://kubernetes.default.svc; }\n",
               "k8s_sa_issuer unnamed { $keys audience service2; }\n";

location('second', '', 'local second');
location('second-unnamed', '', 'second-unnamed unnamed');
location('first-no', '');
location('then-yes', '', 'first-no then-yes');

my %failing = (
    401 => { status => 401 }, 403 => { status => 403 },
    404 => { status => 404 }, 301 => { status => 301 },
    429 => { status => 429 }, 500 => { status => 500 },
    'retry-after' => { status => 429, headers => [ 'Retry-After: 30' ] },
    html => { body => '<html>' }, empty => { body => '' },
    kind => { body => '{"kind":"Status","apiVersion":"v1"}' },
    list => { body => '[]' }, nobody => {
        body => '{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1",'
                . '"status":{"authenticated":true,"user":{}}}' },
    hang => { do => 'hang' }, closed => { do => 'close' },
    reset => { do => 'reset' }, half => { do => 'half' },
    slow => { do => 'bytes', pace => 0.05 },
);

for my $kind (sort keys %failing) {
    $api->set("fail-$kind", review => $failing{$kind});
    location("fail-$kind", 'timeout 700ms;');
}

my $gone = free_port();
push @issuers, "k8s_sa_issuer gone { token_review http://127.0.0.1:$gone; "
               . "timeout 700ms; }\n";
push @locations, "location = /gone { k8s_sa_auth gone; empty_gif; }\n";

$api->set('later-429', review => {
    times => [ ({ status => 429 }) x 2 ] });
$api->set('later-503', review => {
    times => [ { status => 503, headers => [ 'Retry-After: 1' ] } ] });
$api->set('starting', review => { times => [ { status => 403 } ] });
$api->set('restarted', review => { times => [ { do => 'reset' } ] });
location($_, 'timeout 20s;') for qw(later-429 later-503 starting restarted);

my $nginx = K8sSa::Nginx->new(http => <<"_")->start;
large_client_header_buffers 4 32k;
$identity
@issuers
server {
    listen 127.0.0.1:$port;
    @locations
    location = /sub { auth_request /both; empty_gif; }
}
_


for my $recorded (@recorded) {
    my ($name, $token, $raw, $request) = @$recorded;
    my ($head, $body) = split /\r?\n\r?\n/, $raw, 2;
    my ($protocol, $status) = $raw =~ m{^HTTP/(\S+) (\d+)};

    # a chunked body contains the sizes of the chunks
    $body =~ s/^([0-9a-f]+)\r\n(.*?)\r\n0\r\n.*/$2/s
        if $head =~ /^Transfer-Encoding: chunked/mi;

    my $review = eval { decode_json($body) };
    my $from = length $nginx->log;
    my $answer = answer($name, $token);

    if ($protocol eq '2' || $status != 201 || !$review) {
        is($answer->{status}, 503, "$name: no verdict");
        is($answer->{result}, 'review_failed', "$name: ... with the reason");
        next;
    }

    my $user = $review->{status}{user};

    if (length $token > 16384) {
        is($answer->{result}, 'too_large', "$name: too large for a review");
        next;
    }

    if (!$review->{status}{authenticated}) {
        is($answer->{status}, 401, "$name: refused");
        is($answer->{result}, 'not_authenticated', "$name: unchanged");
        my $reason = substr $review->{status}{error}, 0, 100;
        like(substr($nginx->log, $from), qr/\Q$reason\E/,
             "$name: the log has the reason");
        next;
    }

    my $extra = $user->{extra} || {};
    my $of = sub { ($extra->{"authentication.kubernetes.io/$_[0]"} || [])->[0] };

    is($answer->{status}, 200, "$name: accepted");
    is($answer->{username}, $user->{username}, "$name: the user");

    next if $answer->{status} != 200;

    my $me = decode_json($answer->{body});

    is($me->{uid}, $user->{uid}, "$name: uid");
    is_deeply($me->{groups}, $user->{groups}, "$name: groups");
    is_deeply($me->{extra}, $extra, "$name: extra");
    is($answer->{pod}, $of->('pod-name'), "$name: pod");
    is($answer->{node}, $of->('node-name'), "$name: node");
    is($answer->{jti}, defined $of->('credential-id')
                       ? $of->('credential-id') =~ s/^JTI=//r : undef,
       "$name: credential id");
    is($answer->{claim_iss}, undef, "$name: no claims");
    is($answer->{claims}, undef, "$name: not one");
}


# The request

my $opaque = remember('opaque-token-of-some-webhook-0123456789abcdef');

is(answer('alone', $opaque)->{status}, 200, 'any bearer token may be accepted');
my ($asked) = $api->reviews('alone');
is($asked->{token}, $opaque, '... and is sent to the API server');
is_deeply($asked->{asked}, undef,
          'without audiences, because none is configured');
like($asked->{head}, qr/^Content-Type: application\/json\r$/m, 'as JSON');
like($asked->{head}, qr/^Accept: application\/json\r$/m, 'for JSON');

is(answer('asks', $opaque)->{status}, 200, 'audiences');
is_deeply(($api->reviews('asks'))[0]{asked}, [ 'one', 'two' ],
          '... are requested in order');
is(answer('asks', $opaque)->{audience}, 'one',
   '... and one is known afterwards');
is(answer('any', $opaque)->{status}, 200, 'audience any');
is_deeply(($api->reviews('any'))[0]{asked}, undef, '... requests none');

$api->set('elsewhere', review => { audiences => [ 'one', 'three' ] });
is(answer('elsewhere', $opaque)->{result}, 'wrong_audience',
   'an answer for other audiences is a refusal');

$api->set('control', review => { user => "a\nb" });
is(answer('control', $opaque)->{status}, 401,
   'a user name that breaks out of a header is refused');

$api->set('echo', review => { refuse => "who is $opaque" });
is(answer('echo', $opaque)->{status}, 401,
   'an API server that repeats the token');
unlike($nginx->log, qr/\Q$opaque\E/, '... does not get it into the log');

for my $strange ('a' x 16384, 'a', '!"#$%&', '..', 'a.b.c') {
    is(answer('opaque', $strange)->{status}, 200,
       'a strange token of ' . length($strange) . ' bytes is asked for');
}

is(scalar $api->reviews('opaque'), 5, 'five reviews');
is(answer('opaque', 'a' x 16385)->{result}, 'too_large', 'a larger token');
is(answer('opaque', "a\xe4b")->{status}, 401, 'not ASCII');
is(answer('opaque', 'a b')->{status}, 401, 'a space');
is(answer('opaque')->{result}, 'no_token', 'none');
is(scalar $api->reviews('opaque'), 5, '... are not reviewed');

is(answer('private', $opaque)->{status}, 200, 'over TLS');
is(($tls->reviews('private'))[0]{auth}, 'Bearer own-token',
   'NGINX\'s own token is sent');
is(answer('open', $opaque)->{status}, 200, 'without TLS');
is(($api->reviews('open'))[0]{auth}, undef, 'it is not sent');
is(answer('mistrusted', $opaque)->{status}, 503, 'a certificate of another CA');
is(scalar $tls->reviews('mistrusted'), 0, '... gets no request');


# After the local check

my $good = sign_token();
my $answer = answer('both', $good);

is($answer->{status}, 200, 'locally good, and reviewed');
is_deeply(($api->reviews('both'))[0]{asked}, [ 'service2' ],
          '... for the accepted audience');
is($answer->{groups}, 'system:authenticated', 'groups are the API server\'s');
is($answer->{claim_iss}, 'https://kubernetes.default.svc',
   'claims are the token\'s');
ok($answer->{expires}, '... as is its expiry time');

is(answer('both', sign_token(claims => claims(aud => [ 'x', 'service3' ])))
   ->{status}, 200, 'another audience');
is_deeply(($api->reviews('both'))[1]{asked}, [ 'service3' ],
          '... is the one that is requested');

$api->set('both', review => { groups => [ 'one', 'two,system:masters', 'dn,',
                                          'three' ] });
is(answer('both', sign_token(claims => claims(jti => 'x')))->{groups},
   'one,three', 'an audience that could pass for two is left out');
$api->set('both', review => {});

my $n = $api->reviews('both');

for my $bad (spoil($good), sign_token(claims => claims(exp => time() - 100)),
             sign_token(claims => claims(aud => [ 'x' ])),
             sign_token(key => [ 'ec', 'other' ]), $opaque)
{
    is(answer('both', $bad)->{status}, 401,
       'a token that the local check refuses');
}

is(scalar $api->reviews('both'), $n, '... is not reviewed');

is(answer('both-any', sign_token(claims => claims(aud => [ 'x', 'y' ])))
   ->{status}, 200, 'audience any');
is_deeply(($api->reviews('both-any'))[0]{asked}, [ 'x' ],
          '... requests the token\'s own audience');

my $legacy = sign_token(claims => {
    iss => 'kubernetes/serviceaccount',
    sub => 'system:serviceaccount:mytest:service1',
    'kubernetes.io/serviceaccount/namespace' => 'mytest',
    'kubernetes.io/serviceaccount/secret.name' => 's',
    'kubernetes.io/serviceaccount/service-account.name' => 'service1',
    'kubernetes.io/serviceaccount/service-account.uid' => 'uid-1',
});

is(answer('both-legacy', $legacy)->{status}, 200, 'a legacy token');
is_deeply(($api->reviews('both-legacy'))[0]{asked}, undef,
          '... is reviewed without an audience');

$api->set('other-user', review => {
    user => 'system:serviceaccount:mytest:service2' });
$answer = answer('other-user', $good);
is($answer->{result}, 'not_authenticated', 'the API server names another user');
is($answer->{username}, undef, '... without an identity');

$api->set('refused', review => { refuse => 'the account is gone' });
$answer = answer('refused', $good);
is($answer->{status}, 401, 'the API server refuses');
is(join(',', header_values($answer->{head}, 'WWW-Authenticate')),
   'Bearer realm="kubernetes", error="invalid_token"',
   'the caller is not told the reason');
like($nginx->log, qr/the account is gone/, '... but the log has it');

my $sub = sign_token(claims => claims(jti => 'sub'));
is(get($port, '/sub', bearer($sub))->{status}, 200,
   'a subrequest waits, too');
is(scalar(grep { $_->{token} eq $sub } $api->reviews('both')), 1,
   '... for one review');


# Together with other issuers

my $kid = encode_base64url(sha256(key('ec')->export_key_der('public_short')));

is(answer('second', $good)->{status}, 200, 'a token of a local issuer');
is(scalar $api->reviews('second'), 0, '... is not reviewed by another');
is(answer('second', spoil($good))->{result}, 'bad_signature',
   '... even if forged');
is(scalar $api->reviews('second'), 0, '... really');
is(answer('second', $opaque)->{status}, 200,
   'a token that no local issuer knows');
is(answer('second', sign_token(header => { kid => $kid },
                               claims => claims(iss => 'https://x')))
   ->{result}, 'wrong_issuer', 'the key of a local issuer, but not its "iss"');
is(scalar $api->reviews('second'), 1, '... was not reviewed either');
is(answer('second', sign_token(key => [ 'ec', 'other' ],
                               claims => claims(iss => 'https://x')))
   ->{status}, 200, 'a JWT of another issuer');
is(answer('second-unnamed', $good)->{status}, 200,
   'the keys of an issuer without a name go first');
is(scalar $api->reviews('second-unnamed'), 0, '... and no review is made');
is(answer('second-unnamed', sign_token(key => [ 'ec', 'other' ]))->{status},
   200, 'tokens of other keys are left to the API server');

$api->set('first-no', review => { refuse => 'not mine' });
is(answer('then-yes', $opaque)->{status}, 200, 'a second issuer may accept');
is(scalar $api->reviews('first-no'), 1, '... after the first');
$api->set('first-no', review => { status => 500 });
is(answer('then-yes', remember("2$opaque"))->{status}, 200,
   '... even if the first fails');
$api->set('first-no', review => { refuse => 'not mine' });
$api->set('then-yes', review => { status => 404 });
is(answer('then-yes', remember("3$opaque"))->{status}, 503,
   '... but a failure of the second is not a refusal');


# Failures

for my $kind (sort keys %failing) {
    my $from = length $nginx->log;
    my $answer = answer("fail-$kind", $opaque);

    is($answer->{status}, 503, "$kind: 503");
    is($answer->{result}, 'review_failed', "$kind: its reason");
    $failing{$kind}{log} = substr $nginx->log, $from;
}

is(get($port, '/gone', bearer($opaque))->{status}, 503, 'connection refused');

my $n403 = $api->reviews('fail-403');
cmp_ok($n403, '>', 1, '403 is tried again');
cmp_ok($n403, '<', 4, '... a few times');
cmp_ok(scalar $api->reviews('fail-429'), '>', 1, '429 is tried again, too');
cmp_ok(scalar $api->reviews('fail-500'), '>', 1, '500 is tried again, too');
is(scalar $api->reviews('fail-retry-after'), 1,
   '... but not if Retry-After is too late');
is(scalar $api->reviews('fail-404'), 1, '404 is not tried again');
is(scalar $api->reviews('fail-html'), 1, 'nonsense is not tried again');

# a failure is logged once per second and issuer
like($failing{403}{log}, qr/\[error\].*"fail-403".*answered 403.*token_file/,
     '403: the error has a hint');
like($failing{404}{log}, qr/\[error\].*"fail-404".*answered 404/,
     '404: the error');
like($failing{hang}{log}, qr/\[error\].*"fail-hang".*timed out/, 'a timeout');
like($failing{html}{log}, qr/\[error\].*"fail-html"/, 'not JSON');

$tls->set('private', review => { status => 403 });
is(answer('private', remember("4$opaque"))->{status}, 503, '403 over TLS');
like($nginx->log, qr/answered 403.*ClusterRoleBinding.*system:auth-delegator/,
     '... names the missing role');
$tls->set('private', review => { status => 401 });
sleep 1;
is(answer('private', remember("5$opaque"))->{status}, 503, '401 over TLS');
like($nginx->log, qr/answered 401.*token_file/, '... names the token file');

for my $kind (qw(later-429 later-503 starting restarted)) {
    is(answer($kind, $opaque)->{status}, 200, "$kind: recovers");
}

K8sSa::Nginx::finish();
