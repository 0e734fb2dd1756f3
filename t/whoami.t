# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_whoami: the caller's identity as JSON, for external authorization: in
# a location, as the target of auth_request in the same nginx, and in another
# nginx.

use strict;
use warnings;

use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

use K8sSa;
use K8sSa::Conf;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;
use K8sSa::Upstream;


my ($port, $gate_port) = map { free_port() } 1 .. 2;
my $up = echo_http();
my $mock = K8sSa::MockIssuer->new;

my $issuers = <<"_";
k8s_sa_issuer cluster {
    public_key @{[ fixture('1.36.2/sa.pub') ]};
    public_key @{[ fixture('1.36.2/keys/sa-ec.pub') ]};
    issuer https://kubernetes.default.svc; audience service2 other;
    legacy_tokens on;
}
k8s_sa_issuer made { public_key @{[ key_file('ec') ]}; audience service2; }
_

my $nginx = K8sSa::Nginx->new(http => <<"_");
$issuers
client_max_body_size 0;
server {
    listen 127.0.0.1:$port;

    location = /whoami { k8s_sa_auth cluster made; k8s_sa_whoami; }
    location = /allow {
        k8s_sa_auth cluster made;
        k8s_sa_allow mytest/service2;
        k8s_sa_whoami;
    }
    location = /except {
        k8s_sa_auth made;
        limit_except GET { k8s_sa_allow mytest/service1; }
        k8s_sa_whoami;
    }
    location = /moved { k8s_sa_auth made; try_files /none \@moved; }
    location \@moved {
        k8s_sa_auth off; auth_request /moved-who; proxy_pass http://127.0.0.1:$up;
    }
    location = /moved-who { internal; k8s_sa_auth made; k8s_sa_whoami; }
    location = /teapot {
        k8s_sa_auth made; k8s_sa_require "" error=418; k8s_sa_whoami;
    }
    location = /front {
        k8s_sa_auth cluster;
        k8s_sa_front_proxy_headers on;
        k8s_sa_whoami;
    }
    location = /own {
        k8s_sa_auth made;
        k8s_sa_set_header X-Auth-Request-User \$k8s_sa_name;
        k8s_sa_whoami;
    }
    location = /bare { k8s_sa_auth made; k8s_sa_set_header off; k8s_sa_whoami; }
    location = /blank {
        k8s_sa_auth made; k8s_sa_set_header X-A " a"; k8s_sa_whoami;
    }
    location = /optional { k8s_sa_auth made optional; k8s_sa_whoami; }
    location = /dry {
        k8s_sa_auth made; k8s_sa_dry_run on; k8s_sa_allow mytest/service2;
        k8s_sa_whoami;
    }
    location = /any { satisfy any; allow all; k8s_sa_auth made; k8s_sa_whoami; }
    location = /off { k8s_sa_whoami; }

    # the same as the target of auth_request

    location /sub/ {
        auth_request /whoami;
        auth_request_set \$user \$sent_http_x_remote_user;
        auth_request_set \$name \$k8s_sa_name;
        proxy_set_header X-User \$user;
        proxy_set_header X-Name \$name;
        proxy_pass http://127.0.0.1:$up;
    }
    location /sub/allow {
        auth_request /allow;
        proxy_pass http://127.0.0.1:$up;
    }
    location /sub/teapot {
        auth_request /teapot;
        proxy_pass http://127.0.0.1:$up;
    }
    location /sub/optional {
        auth_request /optional;
        proxy_pass http://127.0.0.1:$up;
    }
    location /sub/dry {
        auth_request /dry;
        auth_request_set \$user \$sent_http_x_remote_user;
        proxy_set_header X-User \$user;
        proxy_pass http://127.0.0.1:$up;
    }
    location /sub/off {
        auth_request /off;
        proxy_pass http://127.0.0.1:$up;
    }
    location /sub/blank {
        auth_request /blank;
        proxy_pass http://127.0.0.1:$up;
    }
    location /sub/both {
        k8s_sa_auth made;
        auth_request /allow;
        proxy_pass http://127.0.0.1:$up;
    }
    location /sub/forward {
        k8s_sa_auth made;
        k8s_sa_forward_token on;
        auth_request /whoami;
        proxy_pass http://127.0.0.1:$up;
    }
    location /sub/header {
        k8s_sa_auth made;
        k8s_sa_token \$http_x_service_token;
        auth_request /whoami;
        proxy_pass http://127.0.0.1:$up;
    }
}
_

# Asked by another nginx, as in conf-examples/external-auth-nginx.conf

my $gate = K8sSa::Nginx->new(http => <<"_");
server {
    listen 127.0.0.1:$gate_port;
    location / {
        set \$target /\$arg_target;
        auth_request /_auth;
        auth_request_set \$user \$upstream_http_x_remote_user;
        proxy_set_header X-Remote-User \$user;
        proxy_set_header Authorization "";
        proxy_pass http://127.0.0.1:$up;
    }
    location = /_auth {
        internal;
        proxy_pass http://127.0.0.1:$port\$target;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }
}
_

$_->start for $nginx, $gate;

my $user = 'system:serviceaccount:mytest:service1';
my $claims = decode_json(slurp(fixture(
    '1.36.2/tokens/long-aud-service2-pod.claims.json')));
my $io = $claims->{'kubernetes.io'};
my $pod = bearer('1.36.2/long-aud-service2-pod');
my $good = bearer(sign_token());
my $bad = bearer(spoil(sign_token()));
my $expired = bearer(sign_token(claims => claims(exp => int(time()) - 100)));
my $realm = 'Bearer realm="kubernetes"';

sub header {
    my ($answer, $name) = @_;
    return join '|', header_values($answer->{head}, $name);
}


# The JSON

my $answer = get($port, '/whoami', $pod);

is($answer->{status}, 200, 'a token bound to a pod: 200');
is_deeply(decode_json($answer->{body}), {
    username => $user,
    uid => $io->{serviceaccount}{uid},
    groups => [ 'system:serviceaccounts', 'system:serviceaccounts:mytest',
                'system:authenticated' ],
    extra => {
        'authentication.kubernetes.io/credential-id'
            => [ "JTI=$claims->{jti}" ],
        'authentication.kubernetes.io/node-name' => [ $io->{node}{name} ],
        'authentication.kubernetes.io/node-uid' => [ $io->{node}{uid} ],
        'authentication.kubernetes.io/pod-name' => [ $io->{pod}{name} ],
        'authentication.kubernetes.io/pod-uid' => [ $io->{pod}{uid} ],
    },
    issuer => 'https://kubernetes.default.svc',
    audiences => [ 'service2' ],
    expires => $claims->{exp},
}, '... the whole identity');
is(header($answer, 'Content-Type'), 'application/json', '... as JSON');
is(header($answer, 'Cache-Control'), 'no-store', '... not cacheable');
is(header($answer, 'X-Remote-User'), $user, 'the identity in a header');
is(header($answer, 'Content-Length'), length $answer->{body},
   '... with its length');
is(get($port, '/whoami', $pod)->{body}, $answer->{body}, 'from the cache, too');

my $legacy = decode_json(get($port, '/whoami',
                             bearer('1.36.2/legacy-manual'))->{body});
is_deeply([ @$legacy{qw(username expires audiences extra issuer)} ],
          [ $user, undef, [], {}, 'kubernetes/serviceaccount' ],
          'a legacy token never expires');
is_deeply([ header_values(get($port, '/front', $pod)->{head},
                          'X-Remote-Group') ],
          decode_json($answer->{body})->{groups}, 'front proxy headers');
is_deeply([ header_values(get($port, '/front', $pod)->{head},
              'X-Remote-Extra-authentication.kubernetes.io%2fpod-name') ],
          [ $io->{pod}{name} ], '... with extra');
is(header(get($port, '/own', $good), 'X-Auth-Request-User'), 'service1',
   'k8s_sa_set_header');
is(header(get($port, '/own', $good), 'X-Remote-User'), '', 'and it alone');
is(header(get($port, '/bare', $good), 'X-.*'), '', 'k8s_sa_set_header off');


# Asked directly, by another nginx, and by auth_request of this one

for (
        [ '/whoami', $good, 200, '' ],
        [ '/whoami', $pod, 200, '' ],
        [ '/whoami', undef, 401, $realm ],
        [ '/whoami', $bad, 401, "$realm, error=\"invalid_token\"" ],
        [ '/whoami', $expired, 401, "$realm, error=\"invalid_token\", "
                     . 'error_description="The token is expired"' ],
        [ '/whoami', bearer('x'), 401, "$realm, error=\"invalid_token\"" ],
        [ '/allow', $good, 403, "$realm, error=\"insufficient_scope\"" ],
        [ '/allow', $bad, 401, "$realm, error=\"invalid_token\"" ],
        [ '/optional', $good, 200, '' ],
        [ '/optional', undef, 401, $realm ],
        [ '/dry', $good, 200, '' ],
        [ '/dry', undef, 401, $realm ],
        [ '/dry', $expired, 401, "$realm, error=\"invalid_token\", "
                  . 'error_description="The token is expired"' ],
        [ '/any', $good, 200, '' ],
        [ '/any', $bad, 401, "$realm, error=\"invalid_token\"" ],
        [ '/off', $good, 401, '' ],
        [ '/off', undef, 401, '' ])
{
    my ($path, $token, $status, $challenge) = @$_;
    my @token = defined $token ? $token : ();
    my $name = "$path, " . (!defined $token ? 'no token'
                            : $token eq $good ? 'good'
                            : $token eq $pod ? 'pod'
                            : $token eq $expired ? 'expired' : 'bad');

    my $answer = get($port, $path, @token, 'X-Remote-User: admin');
    is($answer->{status}, $status, "$name: status");
    is(header($answer, 'WWW-Authenticate'), $challenge, "$name: challenge");
    is(header($answer, 'X-Remote-User'), $status == 200 ? $user : '',
       "$name: identity");

    $answer = get($gate_port, "/?target=" . substr($path, 1), @token,
                  'X-Remote-User: admin');
    is($answer->{status}, $status, "$name: asked by another nginx");
    is(header($answer, 'WWW-Authenticate'), $status == 401 ? $challenge : '',
       "$name: headers it passes on");
    like($answer->{body}, qr/^X-Remote-User: \Q$user\E\r$/m,
         "$name: ... and the identity") if $status == 200;

    next if $path eq '/any';

    my $sub = $path eq '/whoami' ? '/sub/' : "/sub$path";

    $answer = get($port, $sub, @token, 'X-Remote-User: admin');
    is($answer->{status}, $status, "$name: a subrequest");
    is(header($answer, 'WWW-Authenticate'), $status == 401 ? $challenge : '',
       "$name: headers it passes on");
    unlike($answer->{body}, qr/admin/, "$name: forged headers are removed");
    like($answer->{body}, qr/^Authorization: Bearer/m,
         "$name: the request keeps its token") if $status == 200;
}

$answer = get($port, '/sub/', $good);
like($answer->{body}, qr/^X-User: \Q$user\E\r$/m, 'auth_request_set: a header');
like($answer->{body}, qr/^X-Name: service1\r$/m,
     'auth_request_set: a variable');
like(get($port, '/sub/dry', $good)->{body}, qr/^X-User: \Q$user\E\r$/m,
     'dry run in a subrequest: the identity');

# auth_request treats another status as an error

is(get($port, '/teapot', $good)->{status}, 418, 'error=418');
is(get($port, '/sub/teapot', $good)->{status}, 500,
   'auth_request only knows 401 and 403');
is(get($port, '/blank', $good)->{status}, 400,
   'a value that cannot be sent in a header');
is(get($port, '/sub/blank', $good)->{status}, 500, 'the same in a subrequest');

# a location that checks a token itself, and withholds it

is(get($port, '/sub/both', $good)->{status}, 403,
   'both: the subrequest finds the token and refuses');
is(get($port, '/sub/both')->{status}, 401, 'both: no token');
is(get($port, '/sub/forward', $good)->{status}, 200, 'both, forwarded');
is(get($port, '/sub/header', "X-Service-Token: " . sign_token())->{status},
   200, 'both, in another header');


# Any method, with and without a body

for my $method (qw(GET POST PUT PATCH DELETE OPTIONS PROPFIND FOO)) {
    for my $body ('', 'x' x 10, 'y' x 200_000) {
        for my $path ('/whoami', '/sub/') {
            my $c = talk($port);

            print {$c->{socket}} join "\r\n", "$method $path HTTP/1.1",
                'Host: localhost', $good, 'Content-Length: ' . length $body,
                '', $body . "GET /whoami HTTP/1.1\r\nHost: a\r\n$pod\r\n\r\n";

            my $answer = receive($c);
            is($answer->{status}, 200, "$method $path, " . length($body)
                                       . ' bytes');
            is(decode_json($answer->{body})->{username}, $user,
               "$method $path: the user") if $path eq '/whoami';

            next if $path eq '/sub/';      # the upstream ends the connection

            is(receive($c)->{status}, 200,
               "$method $path: the connection stays open");
        }
    }
}

$answer = request($port, "HEAD /whoami HTTP/1.1\r\nHost: a\r\n$good\r\n"
                         . "Connection: close\r\n\r\n");
is($answer->{status}, 200, 'HEAD');
is(header($answer, 'X-Remote-User'), $user, 'HEAD: the identity');
is($answer->{body}, '', 'HEAD: no body');
is(request($port, "HEAD /whoami HTTP/1.0\r\n\r\n")->{status}, 401,
   'HEAD without a token');
is(request($port, "POST /whoami HTTP/1.1\r\nHost: a\r\n$bad\r\n"
                  . "Content-Length: 100000\r\nExpect: 100-continue\r\n"
                  . "Connection: close\r\n\r\n")->{status}, 401,
   'refused before the body arrives');
is(request($port, "POST /whoami HTTP/1.1\r\nHost: a\r\n$good\r\n"
                  . "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                  . "3\r\nabc\r\n0\r\n\r\n")->{status}, 200, 'chunked');


# Keys that arrive late: the subrequest waits for them

my $jwks = jwks([ 'ec', 'first', kid => 'k' ]);

sub late {
    my ($name, $timeout, %arg) = @_;
    my $port = free_port();

    $mock->set($name, doc => { delay => 0.6, %arg }, jwks => { body => $jwks });

    return $port, K8sSa::Nginx->new(http => <<"_")->start;
k8s_sa_issuer late {
    discovery @{[ $mock->discovery($name) ]}; audience service2;
    timeout $timeout;
}
log_format k8s "\$uri \$status";
access_log logs/access.log k8s;
server {
    listen 127.0.0.1:$port;
    location = /status { stub_status; }
    location = /whoami { k8s_sa_auth late; k8s_sa_whoami; }
    location /main { auth_request /whoami; proxy_pass http://127.0.0.1:$up; }
    location /twice {
        k8s_sa_auth late;
        auth_request /whoami;
        proxy_pass http://127.0.0.1:$up;
    }
}
_
}

sub signed {
    my ($name, $path) = @_;

    return with_token($path, issuer_token($mock->url($name)));
}

sub active {
    my ($port) = @_;
    my ($n) = get($port, '/status')->{body} =~ /Active connections: (\d+)/;
    return $n;
}

my ($late_port, $late) = late('late', '5s');
my @answers = answers(flood($late_port, map { (signed('late', '/main')) x 10,
    (signed('late', '/whoami')) x 10, (signed('late', '/twice')) x 10 } 1),
    10);

is(tally(@answers), '200: 30', 'requests and subrequests that waited');
cmp_ok(slowest(@answers), '>', 0.3, '... did wait');
is(scalar $mock->requests('late', 'doc'), 1, '... for one fetch');

my $post = signed('other', '/main') =~ s/^GET/POST/r
           =~ s/\r\n\z/"Content-Length: 50000\r\n\r\n" . 'b' x 50000/er;
my ($other_port, $other) = late('other', '5s');
@answers = answers(flood($other_port, $post), 10);
is($answers[0]{status}, 200, 'a request with a body waits');
is($answers[0]{text} =~ tr/b//, 50000
   + ($answers[0]{text} =~ s/\n\n.*//sr =~ tr/b//), '... and its body arrives');

# Clients disconnect meanwhile

my ($gone_port, $gone) = late('gone', '2s', do => 'hang');
my $flood = flood($gone_port, (signed('gone', '/main')) x 20,
                  (signed('gone', '/whoami')) x 20);
my $until = time() + 5;

sleep 0.05 while time() < $until && active($gone_port) < 41;
is(active($gone_port), 41, '40 requests wait');
close $_->{socket} for splice @{$flood->{answers}};
$until = time() + 8;
sleep 0.05 while time() < $until && active($gone_port) > 1;
is(active($gone_port), 1, 'their clients disconnect, and nothing is left');

my ($hang_port, $hang) = late('hang', '1s', do => 'hang');
@answers = answers(flood($hang_port, (signed('hang', '/whoami')) x 5,
                         (signed('hang', '/main')) x 5), 10);
is(tally(@answers[0 .. 4]), '503: 5', 'no keys: 503');
is(tally(@answers[5 .. 9]), '500: 5', 'auth_request turns it into 500');

# A shutdown and a reload while requests wait

my ($quit_port, $quit) = late('quit', '5s');
$flood = flood($quit_port, (signed('quit', '/main')) x 10);
sleep 0.2;
$quit->signal('HUP');
is(tally(answers($flood, 8)), '200: 10', 'a reload');
$mock->set('quit', doc => { delay => 0.6 });


# A review that takes a while

my $api = K8sSa::MockApi->new;
my $review_port = free_port();
my $review = K8sSa::Nginx->new(workers => 2, http => <<"_")->start;
k8s_sa_issuer review { token_review @{[ $api->base ]}/r/review;
    audience service2; timeout 2s; }
k8s_sa_issuer both { public_key @{[ key_file('ec') ]}; audience service2;
    token_review @{[ $api->base ]}/r/review; timeout 2s; }
server {
    listen 127.0.0.1:$review_port;
    location = /status { stub_status; }
    location = /whoami { k8s_sa_auth review; k8s_sa_whoami; }
    location = /both { k8s_sa_auth both; k8s_sa_whoami; }
    location /main { auth_request /whoami; proxy_pass http://127.0.0.1:$up; }
    location /local {
        auth_request /both;
        auth_request_set \$user \$sent_http_x_remote_user;
        proxy_set_header X-User \$user;
        proxy_pass http://127.0.0.1:$up;
    }
    location /twice {
        k8s_sa_auth both;
        auth_request /whoami;
        proxy_pass http://127.0.0.1:$up;
    }
}
_

sub opaque { return with_token($_[0], $_[1]) }

$api->set('r', review => { delay => 0.4 });
@answers = answers(flood($review_port,
    (opaque('/main', 'one')) x 10, (opaque('/whoami', 'one')) x 10,
    (with_token('/local', sign_token())) x 5,
    (with_token('/twice', sign_token())) x 5), 10);
is(tally(@answers), '200: 30', 'reviews: requests and subrequests wait');
like($answers[20]{text}, qr/^X-User: \Q$user\E\r$/m, 'reviews: the identity');

$api->set('r', review => { delay => 0.2, refuse => 'no' });
is(tally(answers(flood($review_port, opaque('/main', 'two'),
                       opaque('/whoami', 'two'),
                       with_token('/local', sign_token())), 10)),
   '401: 3', 'reviews: refused');

$api->set('r', review => { status => 403 });
@answers = answers(flood($review_port, opaque('/whoami', 'three'),
                         opaque('/main', 'three')), 10);
is(join(' ', map { $_->{status} } @answers), '503 500',
   'reviews: the API server refuses to be asked');

$api->set('r', review => { do => 'hang' });
$flood = flood($review_port, map { opaque('/main', "gone-$_"),
                                   opaque('/whoami', "gone-$_") } 1 .. 10);
$until = time() + 5;
sleep 0.05 while time() < $until && active($review_port) != 21;
is(active($review_port), 21, 'reviews: 20 requests wait');
close $_->{socket} for splice @{$flood->{answers}};
$until = time() + 8;
sleep 0.05 while time() < $until && active($review_port) > 1;
is(active($review_port), 1, 'reviews: their clients disconnect');


refused("whoami: $_->[0]", "$issuers server {\nlocation / {\n$_->[1] # HERE\n"
        . "}\n}", $_->[2])
    for [ 'k8s_sa_whoami with a value',
          'k8s_sa_whoami on;', qr/invalid number of arg/ ],
        [ 'twice', 'k8s_sa_whoami; k8s_sa_whoami;', qr/is duplicate/ ];
refused('whoami: in a server', "$issuers server {\nk8s_sa_whoami; # HERE\n}",
        qr/"k8s_sa_whoami" directive is not allowed here/);


# What the asker's client sends along

{
    my $good = bearer(sign_token());

    for my $condition ('If-Match: "x"', 'If-None-Match: *', 'Range: bytes=0-1',
                       'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT')
    {
        is(get($port, '/whoami', $good, $condition)->{status}, 200,
           "not subject to $condition");
    }

    my $c = talk($port);

    print {$c->{socket}} join "\r\n", 'POST /whoami HTTP/1.1', 'Host: x', $good,
                              'Content-Length: 1', 'Expect: 100-continue',
                              'Connection: close', '', '';
    is(receive($c)->{status}, 200, 'no "100 Continue"');

    for my $method ('GET', 'POST') {
        is(request($port, join "\r\n", "$method /except HTTP/1.1", 'Host: x',
                          $good, 'Content-Length: 0', 'Connection: close',
                          '', '')->{status},
           200, "limit_except, $method");
    }

    is(request($port, join "\r\n", 'POST /except HTTP/1.1', 'Host: x',
                      bearer(account_token('a', 'b')), 'Content-Length: 0',
                      'Connection: close', '', '')->{status},
       403, '... its rules apply');
    is(get($port, '/moved', $good)->{status}, 200,
       'auth_request after a redirect from a location that has the token');
    unlike(get($port, '/moved', $good)->{body}, qr/^Authorization/mi,
           '... whose upstream does not get it');
}


K8sSa::Nginx->finish;
