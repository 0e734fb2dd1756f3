# SPDX-License-Identifier: BSD-2-Clause

# k8s_sa_allow: access at every level of the configuration, and in combination
# with other checks.

use strict;
use warnings;

use Test::More;

use K8sSa;
use K8sSa::Conf;
use K8sSa::Http;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $pub = key_file('ec');
my $up = echo_http();
my ($port, $keys_port) = map { free_port() } 1 .. 2;

my $issuers = <<"_";
k8s_sa_issuer made { public_key $pub; audience service2; }
k8s_sa_issuer other { public_key @{[ key_file('ec', 'other') ]};
    kubernetes off; issuer https://other.example; audience service2; }
_

sub user {
    return sign_token(key => [ 'ec', 'other' ], claims => claims(
        iss => 'https://other.example', sub => $_[0],
        'kubernetes.io' => undef));
}

my %token = (
    one       => account_token('mytest', 'service1'),
    two       => account_token('mytest', 'service2'),
    elsewhere => account_token('other', 'service1'),
    longer    => account_token('mytest2', 'service1'),
    prefix    => account_token('my', 'test-service1'),
    dotted    => account_token('mytest', 'a.b-c.d'),
    alice     => user('alice'),
    mail      => user('bob@example.com'),
    url       => user('https://idp.example/users/7'),
    slash     => user('mytest/service1'),
);


# Patterns: each with the callers that it matches

my @patterns = (
    [ 'mytest/service1' => qw(one) ],
    [ 'mytest/service2' => qw(two) ],
    [ 'mytest/*' => qw(one two dotted) ],
    [ '*/service1' => qw(one elsewhere longer) ],
    [ '*/*' => qw(one two elsewhere longer prefix dotted) ],
    [ 'mytest/a.b-c.d' => qw(dotted) ],
    [ 'mytest/a.b-c' => () ],
    [ 'my/test-service1' => qw(prefix) ],
    [ 'my/*' => qw(prefix) ],
    [ 'myt/service1' => () ],
    [ 'mytest/service' => () ],
    [ 'mytest/service11' => () ],
    [ 'service1/mytest' => () ],
    [ 'group:system:serviceaccounts'
      => qw(one two elsewhere longer prefix dotted) ],
    [ 'group:system:serviceaccounts:mytest' => qw(one two dotted) ],
    [ 'group:system:serviceaccounts:mytest2' => qw(longer) ],
    [ 'group:system:serviceaccounts:my' => qw(prefix) ],
    [ 'group:system:serviceaccounts:m' => () ],
    [ 'group:system:masters' => () ],
    [ 'group:mytest' => () ],
    [ 'group:service1' => () ],
    [ 'system:serviceaccount:mytest:service1' => qw(one) ],
    [ 'system:serviceaccount:mytest' => () ],
    [ 'system:serviceaccounts' => () ],
    [ 'service1' => () ],
    [ 'mytest' => () ],
    [ 'alice' => qw(alice) ],
    [ 'ALICE' => () ],
    [ 'bob@example.com' => qw(mail) ],
    [ 'https://idp.example/users/7' => qw(url) ],
    [ 'group:system:authenticated'
      => qw(one two elsewhere longer prefix dotted) ],
    [ 'mytest/service1 mytest/service2' => qw(one two) ],
    [ 'alice */service1 group:system:serviceaccounts:my'
      => qw(alice one elsewhere longer prefix) ],
    [ 'mytest/service1; k8s_sa_allow alice' => qw(one alice) ],
);

my $patterns = join '', map {
    "location = /pattern/$_ { k8s_sa_allow $patterns[$_][0]; "
    . "proxy_pass http://127.0.0.1:$up; }\n"
} 0 .. $#patterns;


# Inheritance: one list in http, two in server (the second server), location,
# nested location, limit_except

my $nginx = K8sSa::Nginx->new(http => <<"_");
$issuers
k8s_sa_auth made other;
k8s_sa_allow mytest/service1;
log_format k8s "\$uri \$status \$k8s_sa_result \$k8s_sa_username";
access_log logs/access.log k8s;
server {
    listen 127.0.0.1:$port;
$patterns
    location /http { proxy_pass http://127.0.0.1:$up; }
    location /location {
        k8s_sa_allow mytest/service2;
        proxy_pass http://127.0.0.1:$up;
        location /location/nested { proxy_pass http://127.0.0.1:$up; }
        location /location/own {
            k8s_sa_allow other/*;
            proxy_pass http://127.0.0.1:$up;
        }
        location /location/off {
            k8s_sa_auth off;
            proxy_pass http://127.0.0.1:$up;
        }
    }
    location /limit {
        limit_except GET { k8s_sa_allow mytest/service2; }
        proxy_pass http://127.0.0.1:$up;
    }
    location /limit-auth {
        k8s_sa_auth off;
        limit_except GET { k8s_sa_auth made; k8s_sa_allow mytest/service2; }
        proxy_pass http://127.0.0.1:$up;
    }
    location /if {
        if (\$arg_x) { set \$y 1; }
        k8s_sa_allow mytest/service2;
        proxy_pass http://127.0.0.1:$up;
    }
    location /any-denied {
        satisfy any; deny all;
        proxy_pass http://127.0.0.1:$up;
    }
    location /any-allowed {
        satisfy any; allow all;
        proxy_pass http://127.0.0.1:$up;
    }
    location /all-denied { deny all; proxy_pass http://127.0.0.1:$up; }
    location /all-allowed { allow all; proxy_pass http://127.0.0.1:$up; }
    location /optional {
        k8s_sa_auth made optional;
        proxy_pass http://127.0.0.1:$up;
    }
    location /optional-any {
        satisfy any; allow all;
        k8s_sa_auth made optional;
        proxy_pass http://127.0.0.1:$up;
    }
    location /page {
        k8s_sa_allow mytest/service2;
        error_page 403 = \@denied;
        proxy_pass http://127.0.0.1:$up;
    }
    location \@denied {
        k8s_sa_auth off;
        return 418 "\$k8s_sa_result \$k8s_sa_username";
    }
    location /redirect {
        error_page 404 = /http;
        k8s_sa_allow mytest/service2;
        proxy_intercept_errors on;
        proxy_pass http://127.0.0.1:$up/status/404;
    }
    location /levels {
        k8s_sa_log_level info;
        k8s_sa_allow mytest/service2;
        proxy_pass http://127.0.0.1:$up;
    }
}
server {
    listen 127.0.0.1:$keys_port;
    k8s_sa_allow mytest/service2;
    location /server { proxy_pass http://127.0.0.1:$up; }
    location /all {
        k8s_sa_allow */* alice;
        proxy_pass http://127.0.0.1:$up;
    }
}
_

$nginx->start;

sub status {
    my ($at, $path, $who, $method) = @_;

    return request($at, join "\r\n",
        ($method || 'GET') . " $path HTTP/1.1", 'Host: localhost',
        defined $who ? bearer($token{$who}) : (),
        'Content-Length: 0', 'Connection: close', '', '');
}

sub passes {
    my ($path, $who, $method, $at) = @_;
    return status($at || $port, $path, $who, $method)->{status};
}

for my $i (0 .. $#patterns) {
    my ($pattern, @pass) = @{$patterns[$i]};
    my @passed = grep { passes("/pattern/$i", $_) == 200 } sort keys %token;
    my @refused = grep { passes("/pattern/$i", $_) == 403 } sort keys %token;

    is_deeply(\@passed, [ sort @pass ], "$pattern: these callers pass");
    is(@passed + @refused, keys %token, "$pattern: all others get 403");
}

is(passes('/http', 'one'), 200, 'http: allowed');
is(passes('/http', 'two'), 403, 'http: not allowed');
is(passes('/server', 'two', 'GET', $keys_port), 200, 'server: allowed');
is(passes('/server', 'one', 'GET', $keys_port), 403,
   'server: replaces http\'s');
is(passes('/all', 'one', 'GET', $keys_port), 200, 'location: replaces');
is(passes('/location', 'two'), 200, 'location: allowed');
is(passes('/location', 'one'), 403, 'location: not allowed');
is(passes('/location/nested', 'two'), 200, 'nested location: inherited');
is(passes('/location/nested', 'one'), 403, 'nested location: inherited, 403');
is(passes('/location/own', 'elsewhere'), 200, 'nested location: its own');
is(passes('/location/own', 'two'), 403, 'nested location: its own only');
is(passes('/location/off'), 200, 'k8s_sa_auth off: the list is idle');
is(passes('/if?x=1', 'two'), 200, 'if: allowed');
is(passes('/if?x=1', 'one'), 403, 'if: inherited');
is(passes('/limit', 'one'), 200, 'limit_except: GET, the outer list');
is(passes('/limit', 'two'), 403, 'limit_except: GET, not allowed');
is(passes('/limit', 'two', 'POST'), 200, 'limit_except: POST, the inner list');
is(passes('/limit', 'one', 'POST'), 403, 'limit_except: POST, not allowed');
is(passes('/limit-auth'), 200, 'limit_except with auth: GET');
is(passes('/limit-auth', undef, 'POST'), 401, 'limit_except: POST, no token');
is(passes('/limit-auth', 'one', 'POST'), 403,
   'limit_except: POST, another caller');
is(passes('/limit-auth', 'two', 'POST'), 200,
   'limit_except: POST, the allowed caller');

is(passes('/any-denied', 'one'), 200, 'satisfy any: the token is enough');
is(passes('/any-denied', 'two'), 403, 'satisfy any: neither');
is(passes('/any-denied'), 401, 'satisfy any: neither, no token');
is(passes('/any-allowed', 'two'), 200, 'satisfy any: the address is enough');
unlike(status($port, '/any-allowed', 'two')->{body}, qr/^X-Remote-User/m,
       'satisfy any: a caller that is not allowed gets no identity');
like(status($port, '/any-allowed', 'one')->{body}, qr/^X-Remote-User/m,
     'satisfy any: one that is allowed has its identity');
is(passes('/all-denied', 'one'), 403, 'satisfy all: wrong address');
is(passes('/all-allowed', 'two'), 403, 'satisfy all: wrong caller');
is(passes('/all-allowed', 'one'), 200, 'satisfy all: both right');

is(passes('/optional', 'one'), 200, 'optional: allowed');
is(passes('/optional', 'two'), 403, 'optional: not allowed');
my $nobody = status($port, '/optional');
is($nobody->{status}, 401, 'optional with a list: no token, no match');
is_deeply([ header_values($nobody->{head}, 'WWW-Authenticate') ],
          [ 'Bearer realm="kubernetes"' ], '... and a token is requested');
is(passes('/optional-any'), 200, 'optional, satisfy any: the address');
unlike(status($port, '/optional-any')->{body}, qr/^X-Remote/m,
       '... without an identity');

my $denied = status($port, '/http', 'two');
is_deeply([ header_values($denied->{head}, 'WWW-Authenticate') ],
          [ 'Bearer realm="kubernetes", error="insufficient_scope"' ],
          '403: insufficient_scope');

my $page = status($port, '/page', 'one');
is($page->{status}, 418, 'error_page: the page is shown');
is($page->{body}, 'not_allowed system:serviceaccount:mytest:service1',
   'error_page: the identity is known');
is(passes('/redirect', 'two'), 403, 'redirect: the list of the target');
is(passes('/redirect', 'one'), 403, 'redirect: and the list of the origin');

my $line = 'k8s_sa: request refused (not_allowed): the caller is not allowed, '
           . 'issuer: "made", subject: '
           . '"system:serviceaccount:mytest:service2", kid: "';

like($nginx->log, qr/\[warn\].*\Q$line\E[\w-]{43}", client: /,
     'the log has the subject');

for (1 .. 100) {
    last if $nginx->log('access') =~ m{^/http 403 .*service2$}m;
    select undef, undef, undef, 0.02;
}

like($nginx->log('access'),
     qr{^/http 403 not_allowed system:serviceaccount:mytest:service2$}m,
     'the access log has the user');
my $from = length $nginx->log;
is(passes('/levels', 'one'), 403, 'k8s_sa_log_level');
like(substr($nginx->log, $from), qr/\[info\].*\(not_allowed\)/,
     'k8s_sa_log_level applies');


# Keep-alive: each request is checked

my $c = talk($port);
my @statuses;

for my $path ('/http', '/location', '/http', '/location') {
    print {$c->{socket}} "GET $path HTTP/1.1\r\nHost: a\r\n"
                         . bearer($token{one}) . "\r\n\r\n";
    push @statuses, receive($c)->{status};
}

is_deeply(\@statuses, [ 200, 403, 200, 403 ],
          'keep-alive: each request is checked');


# A reload with a stricter rule applies to a cached token

my $reload_port = free_port();
my $text = <<"_";
$issuers
server {
    listen 127.0.0.1:$reload_port;
    location / {
        k8s_sa_auth made;
        k8s_sa_allow PATTERN;
        add_header X-Cache \$k8s_sa_cache always;
        proxy_pass http://127.0.0.1:$up;
    }
}
_

my $reload = K8sSa::Nginx->new(http => $text =~ s/PATTERN/mytest\/*/gr,
                               workers => 2);
$reload->start;

# Returns the first answer after a reload.

sub reloaded {
    my ($pattern, $who) = @_;

    $reload->reload($text =~ s/PATTERN/$pattern/gr);

    return status($reload_port, '/', $who);
}

is(status($reload_port, '/', 'one')->{status}, 200, 'before a reload') for 1, 2;

my $after = reloaded('mytest/service2', 'one');
is($after->{status}, 403, 'a reload with a stricter rule');
like($after->{head}, qr/^X-Cache: HIT\r$/m,
     '... although the token was cached');
is(status($reload_port, '/', 'one')->{status}, 403,
   '... also for the next request') for 1, 2;
is(reloaded('*/service1', 'one')->{status}, 200, 'a reload with the old rule');


# 10,000 patterns: the configuration is read without delay, and the last
# pattern of 10,001 is found as quickly as a single one

my $many = join "\n", map {
    'k8s_sa_allow ' . join(' ', map { ('other/*', "ns$_/sa$_", "*/only$_",
                                       "group:g$_")[1 + $_ % 3] } @$_) . ';'
} map { [ $_ * 20 .. $_ * 20 + 19 ] } 0 .. 499;

my @before = times;
my ($status, $out) = said("$issuers server {\n    location / { "
                          . "k8s_sa_auth made other; $many k8s_sa_allow "
                          . "mytest/service1; }\n}\n");
my @now = times;
my $took = $now[2] + $now[3] - $before[2] - $before[3];

is($status, 0, '10,000 patterns: accepted') or diag($out);
cmp_ok($took, '<', 1, '10,000 patterns: nginx -t takes less than a second');
diag(sprintf '10,000 patterns: nginx -t takes %.2f s', $took);

my $many_port = free_port();
my $big = K8sSa::Nginx->new(http => <<"_");
$issuers
server {
    listen 127.0.0.1:$many_port;
    keepalive_requests 100000;
    access_log off;
    location /one { k8s_sa_auth made; k8s_sa_allow mytest/service1;
                    empty_gif; }
    location /many { k8s_sa_auth made other; $many k8s_sa_allow mytest/service1;
                     empty_gif; }
    location /none { k8s_sa_auth made other; $many error_page 403 =204 /x; }
    location /few { k8s_sa_auth made; k8s_sa_allow ns/sa;
                    error_page 403 =204 /x; }
    location = /x { k8s_sa_auth off; return 204; }
}
_

$big->{level} = 'error';
$big->configure($big->{http});
$big->start;

is(passes('/one', 'one', 'GET', $many_port), 200, 'one pattern');
is(passes('/many', 'one', 'GET', $many_port), 200,
   'the last of 10,001 patterns');
is(passes('/many', 'two', 'GET', $many_port), 403, 'another caller is refused');
is(passes('/none', 'one', 'GET', $many_port), 204, '10,000 others');

# The worker's CPU time for 3,000 requests on one connection

sub cost {
    my ($path) = @_;
    my ($worker) = $big->workers;
    my $ticks = sub {
        my @f = split ' ', slurp("/proc/$worker/schedstat");
        return $f[0] / 1e9;
    };
    my $c = talk($many_port);
    my $request = "GET $path HTTP/1.1\r\nHost: a\r\n" . bearer($token{one})
                  . "\r\n\r\n";
    my $before = $ticks->();

    for (1 .. 60) {
        print {$c->{socket}} $request x 50;
        receive($c) for 1 .. 50;
    }

    return $ticks->() - $before;
}

my %cost;

for my $round (1 .. 5) {
    for my $path ('/one', '/many', '/few', '/none') {
        my $cost = cost($path);
        $cost{$path} = $cost if !$cost{$path} || $cost < $cost{$path};
    }
}

diag(sprintf '3,000 requests, CPU: %.0f ms with 1 pattern, %.0f ms with '
             . '10,001; refused: %.0f ms, %.0f ms',
             map { 1000 * $cost{$_} } '/one', '/many', '/few', '/none');

# a linear search would take several times as long
cmp_ok($cost{'/many'}, '<', 1.5 * $cost{'/one'},
       '10,001 patterns cost a request no more than one');
cmp_ok($cost{'/none'}, '<', 1.5 * $cost{'/few'}, 'also for a refused request');


# What nginx -t says

sub location {
    my ($directives) = @_;
    return "$issuers\nserver {\n    location / {\n        $directives\n"
           . "    }\n}\n";
}

refused("allow $_", location("k8s_sa_allow $_; # HERE"),
        qr/invalid pattern "\Q@{[ s{^"|"$}{}gr ]}\E"/)
    for '""', '/', 'a/', '/a', '*', '*/', '/*', 'a/b/c', '**/a', 'a*/b', 'a/b*',
        '*/*/*', 'A/b', 'a/B', 'a_b/c', 'a.b/c', 'a/b_c', '-a/b', 'a-/b',
        'a/-b', 'a/.b', 'a/b.', 'a/b..c', 'group:', 'group:*',
        'group:system:serviceaccounts:*', 'system:serviceaccount:mytest:*',
        'ali*ce', "\"al\tice\"", "\"a/b\x7f\"", ('a' x 64) . '/b',
        'a/' . ('b' x 254);

refused("allow: $_->[0]", location("$_->[1] # HERE"), $_->[2])
    for [ 'nothing', 'k8s_sa_allow;', qr/invalid number of arguments/ ],
        [ 'twice', 'k8s_sa_allow a/b a/b;', qr/"a\/b" is duplicate/ ],
        [ 'twice in two', 'k8s_sa_allow a/*; k8s_sa_allow a/*;',
          qr/"a\/\*" is duplicate/ ],
        [ 'one wrong among many', 'k8s_sa_allow a/b c/d e/;',
          qr/invalid pattern "e\/"/ ];

accepted("allow $_", location("k8s_sa_auth made other; k8s_sa_allow $_;"))
    for ('a' x 63) . '/' . ('b' x 253), 'a/b a/* */b */* alice group:a u:a/b',
        '"user with blanks"', '0/0', 'group:with/slash', '"a b/c@d"',
        "\xc3\xa4rger";

refused('allow in an issuer block', "k8s_sa_issuer x { public_key $pub; "
        . "audience a;\nk8s_sa_allow a/b; # HERE\n}\n", qr/k8s_sa_allow/);


K8sSa::Nginx->finish;
