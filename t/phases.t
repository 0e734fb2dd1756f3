# SPDX-License-Identifier: BSD-2-Clause

# The caller is identified before limit_req and limit_conn, headers are cleaned
# before any variable is read, and what nginx caches of either is right.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep);

use K8sSa;
use K8sSa::Http;
use K8sSa::Load;
use K8sSa::MockApi;
use K8sSa::MockIssuer;
use K8sSa::Nginx;
use K8sSa::Upstream;


authority('ca');
certificate('ca', 'server', 'IP:127.0.0.1');

my ($port, $early_port, $tls_port) = map { free_port() } 1 .. 3;
my $up = echo_http();
my $mock = K8sSa::MockIssuer->new;
my $api = K8sSa::MockApi->new;

# accepts connections and never answers

my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 50);
my $slow = 'proxy_pass http://127.0.0.1:' . $mute->sockport . ';';
my $pass = "proxy_pass http://127.0.0.1:$up;";

my $first = jwks([ 'ec', 'first', kid => 'k' ]);
my $both = jwks([ 'ec', 'first', kid => 'k' ], [ 'ec', 'new', kid => 'n' ]);

$mock->set('keys', jwks => { body => $first });
$api->set('slow', review => { delay => 0.2 });
$api->set('evil', review => { delay => 0.1,
                              user => 'system:serviceaccount:evil:x' });

my %issuer = (local => 'made', keys => 'keys', review => 'review');
my %rule = (plain => '', refused => 'k8s_sa_allow other/x;');
my @limits = map {
    my ($from, $rule) = split /-/;
    my $auth = "k8s_sa_auth $issuer{$from}; $rule{$rule}";
    my $zone = "$from$rule";

    [ "limit_req_zone \$k8s_sa_username zone=r$zone:64k rate=1r/m;\n"
      . "limit_conn_zone \$k8s_sa_username zone=c$zone:64k;\n",
      "location = /rate-$_ { $auth limit_req zone=r$zone; $pass }\n"
      . "location = /conn-$_ { $auth limit_conn c$zone 1; $slow }\n" ];
} qw(local-plain local-refused keys-plain review-plain review-refused);

my $nginx = K8sSa::Nginx->new(http => <<"_")->start;
k8s_sa_issuer made { public_key @{[ key_file('ec') ]}; audience service2; }
k8s_sa_issuer keys { audience service2;
                     discovery @{[ $mock->discovery('keys') ]}; }
k8s_sa_issuer review { token_review @{[ $api->base ]}/slow/review; }
k8s_sa_issuer evil { token_review @{[ $api->base ]}/evil/review;
                     token_review_cache 0 failed=0; }

map \$k8s_sa_namespace \$permitted { default 1; evil 0; }
map \$k8s_sa_namespace \$permitted_now { volatile; default 1; evil 0; }
map \$k8s_sa_namespace \$role { default admin; evil guest; }
limit_req_zone \$permitted zone=permitted:64k rate=1000r/s;
limit_req_zone \$role zone=role:64k rate=1000r/s;
limit_req_zone \$binary_remote_addr zone=address:64k rate=1r/m;
limit_req_zone \$http_authorization zone=auth:64k rate=1000r/s;
limit_req_zone \$http_x_remote_user zone=user:64k rate=1000r/s;
@{[ map { $_->[0] } @limits ]}
limit_req_status 429;
limit_conn_status 429;

server {
    listen 127.0.0.1:$port;
    @{[ map { $_->[1] } @limits ]}

    location = /late {
        k8s_sa_auth made; k8s_sa_phase access; limit_req zone=address; $pass
    }
    location = /late-user {
        k8s_sa_auth made; k8s_sa_phase access; limit_req zone=rlocalplain;
        $pass
    }
    location = /soon { k8s_sa_auth made; limit_req zone=address; $pass }

    # a list of namespaces that may not pass

    location = /deny { k8s_sa_auth evil; k8s_sa_require \$permitted; $pass }
    location = /deny-limited {
        k8s_sa_auth evil; limit_req zone=permitted burst=99 nodelay;
        k8s_sa_require \$permitted; $pass
    }
    location = /deny-late {
        k8s_sa_auth evil; limit_req zone=permitted burst=99 nodelay;
        k8s_sa_phase access; k8s_sa_require \$permitted; $pass
    }
    location = /deny-set {
        set \$x \$permitted; k8s_sa_auth made; k8s_sa_require \$permitted; $pass
    }
    location = /deny-set-own {
        set \$x \$permitted; k8s_sa_auth made; k8s_sa_require \$x; $pass
    }
    location = /deny-set-now {
        set \$x \$permitted_now; k8s_sa_auth made;
        k8s_sa_require \$permitted_now \$request_method \$k8s_sa_name; $pass
    }
    location = /deny-redirect {
        set \$x \$permitted; k8s_sa_auth off; try_files /none /deny-inner;
    }
    location = /deny-inner {
        internal; k8s_sa_auth made; k8s_sa_require \$permitted; $pass
    }
    location = /deny-other {
        k8s_sa_auth made; k8s_sa_token \$http_x_first;
        k8s_sa_require \$permitted; try_files /none /deny-inner;
    }
    location = /same {
        k8s_sa_auth made; k8s_sa_require \$permitted;
        try_files /none /same-inner;
    }
    location = /same-inner {
        internal; k8s_sa_auth made; k8s_sa_require \$permitted; $pass
    }
    location = /deny-gate { set \$x \$permitted; auth_request /who; $pass }
    location = /who {
        internal; k8s_sa_auth made; k8s_sa_require \$permitted; k8s_sa_whoami;
    }
    location = /role {
        k8s_sa_auth evil; limit_req zone=role burst=99 nodelay;
        k8s_sa_set_header X-Role \$role; $pass
    }

    location = /user {
        k8s_sa_auth made; limit_req zone=user burst=99 nodelay;
        proxy_set_header X-Seen \$http_x_remote_user; $pass
    }
    location = /token {
        k8s_sa_auth made; proxy_set_header X-Seen \$http_authorization; $pass
    }
    location = /token-named {
        k8s_sa_auth made; k8s_sa_token \$http_authorization;
        proxy_set_header X-Seen \$http_authorization; $pass
    }
    location = /token-limit {
        k8s_sa_auth made; limit_req zone=auth burst=99 nodelay;
        proxy_set_header X-Seen \$http_authorization; $pass
    }
    location = /token-if {
        if (\$http_authorization = "") { return 401; }
        k8s_sa_auth made; proxy_set_header X-Seen \$http_authorization; $pass
    }
    location = /cookie {
        k8s_sa_auth made; k8s_sa_token \$cookie_token;
        proxy_set_header X-Seen \$http_cookie\$cookie_token; $pass
    }
    location = /referer {
        k8s_sa_auth made; k8s_sa_set_header Referer \$k8s_sa_name;
        proxy_set_header X-Seen \$http_referer; $pass
    }
}

# reads the client's headers before a location is known

server {
    listen 127.0.0.1:$early_port;
    if (\$http_x_remote_user = monitor) { set \$probe 1; }
    proxy_set_header X-Seen \$http_x_remote_user;
    location = /auth { k8s_sa_auth made; $pass }
    location = /off { $pass }
    error_page 494 = \@refused;
    location \@refused { $pass }
}

server {
    listen 127.0.0.1:$tls_port ssl;
    ssl_certificate @{[ dir() ]}/server.crt;
    ssl_certificate_key @{[ dir() ]}/server.key;
    if (\$http_x_remote_user = monitor) { set \$probe 1; }
    proxy_set_header X-Seen \$http_x_remote_user;
    error_page 497 = \@refused;
    location \@refused { $pass }
    location / { k8s_sa_auth made; $pass }
}
_

my $user = 'system:serviceaccount:mytest:service1';

sub status { return get($port, @_)->{status} }

sub seen {
    my ($from, $path, @headers) = @_;
    my $answer = get($from, $path, @headers);

    return $answer->{status} if $answer->{status} != 200;
    return join '|', $answer->{body} =~ /^X-(?:Seen|Remote-User): *(.*?)\r$/mg;
}


# Limits by user see every request that has a good token

my $n = 0;

sub fresh {
    my ($from) = @_;

    return bearer(sign_token(claims => claims(jti => 'j' . $n++)))
        if $from eq 'local';
    return bearer(opaque_token()) if $from eq 'review';
    return bearer(issuer_token($mock->url('keys'), 'new', 'n'));
}

until_true(5, sub { status('/rate-keys-plain', bearer(issuer_token(
    $mock->url('keys'), 'first', 'x'))) == 401 });
$mock->set('keys', jwks => { body => $both, delay => 0.3 });
sleep 10.2;                     # unknown keys cause one fetch in 10 s

is_deeply([ map { status('/rate-keys-plain', fresh('keys')) } 1 .. 3 ],
          [ 200, 429, 429 ], 'limit_req, a request that waits for keys');
ok($mock->requests('keys', 'jwks') > 1, '... it did');

is_deeply([ map { status('/rate-local-plain', fresh('local')) } 1 .. 3 ],
          [ 200, 429, 429 ], 'limit_req, a good token');
is_deeply([ map { status('/rate-review-plain', fresh('review')) } 1 .. 3 ],
          [ 200, 429, 429 ], 'limit_req, requests that wait for a review');
for my $from ('local', 'review') {
    is_deeply([ map { status("/rate-$from-refused", fresh($from)) } 1 .. 3 ],
              [ 403, 429, 429 ], "limit_req, refused by a rule, $from");
    is(status("/conn-$from-refused", fresh($from)), 403,
       "limit_conn, refused by a rule, $from");
}

is_deeply([ map { status('/rate-local-plain') } 1 .. 2 ], [ 401, 401 ],
          'limit_req, without a token no user to count');

for my $from ('local', 'keys', 'review') {
    my $c = talk($port);

    print {$c->{socket}} with_token("/conn-$from-plain",
                                    fresh($from) =~ s/.*Bearer //r);
    sleep 0.6;
    is(status("/conn-$from-plain", fresh($from)), 429,
       "limit_conn counts a request, $from");
    close $c->{socket};
}


# k8s_sa_phase

is_deeply([ map { status('/late') } 1 .. 2 ], [ 401, 429 ],
          'k8s_sa_phase access: limits come first');
is(status('/late-user', fresh('local')), 200,
   '... but a limit by user does not see the caller');


# A map is not computed before the caller is known

my $evil = bearer(account_token('evil', 'x'));
my $good = bearer(sign_token());

is(status('/deny', bearer(opaque_token())), 403, 'map: a namespace is refused');
is(status('/deny-limited', bearer(opaque_token())), 403,
   '... also if limit_req has read the map');
is(status('/deny-late', bearer(opaque_token())), 503,
   '... k8s_sa_phase access: too early');

for my $path (qw(/deny-set /deny-set-own /deny-redirect)) {
    is(status($path, $evil), 503, "$path: read too early");
    is(status($path, $good), 503, '... also for one that may pass');
}

is(status('/deny-set-now', $evil), 403, 'volatile: refused');
is(status('/deny-set-now', $good), 200, 'volatile: passes');
is(status('/deny-other', $evil, 'X-First: ' . sign_token()), 503,
   'a redirect to a location with another token');
is(status('/same', $good), 200, 'a redirect to one with the same token');
is(status('/same', $evil), 403, '... whose rules apply');
is(status('/deny-gate', $evil), 500, 'read before auth_request asks');
is(get($port, '/role', bearer(opaque_token()))->{body} =~ /^X-Role: (\w+)/m
   && $1, 'guest', 'a header from a map that limit_req has read');

my @warnings = grep { /\[warn\].*"volatile"/ } split /\n/, $nginx->log;

is(scalar @warnings, 1, 'a warning names the cure, once a minute');
like($warnings[0], qr/"\$permitted" in "k8s_sa_require"/, '... and the value');


# Cached variables of headers

my $spoofed = 'X-Remote-User: admin';

is(seen($early_port, '/auth', $good, $spoofed), "$user|$user",
   'if reads X-Remote-User early');
is(seen($early_port, '/off', $spoofed), '', '... k8s_sa_auth off');
is(seen($port, '/user', $good, $spoofed), "$user|$user",
   'limit_req reads X-Remote-User before it is set');

for my $path (qw(/token /token-named /token-limit /token-if)) {
    is(seen($port, $path, $good), $user, "the token is withheld, $path");
}

is(seen($port, '/cookie', 'Cookie: a=b; token=' . sign_token()), $user,
   'the token is withheld, a cookie');
is(seen($port, '/referer', $good, 'Referer: admin'), '',
   'a protected header that nginx keeps a pointer to');


# What nginx refuses before its phases

is(seen($tls_port, '/', $spoofed), '', 'error_page 497: no spoofed identity');
is(seen($early_port, '/auth', $spoofed, 'X-Large: ' . 'x' x 9000), '',
   'error_page 494: no spoofed identity');


K8sSa::Nginx->finish;
