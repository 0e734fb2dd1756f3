# SPDX-License-Identifier: BSD-2-Clause

# The path of a question: of the client's request line, in normal form, and what
# the upstream gets.  Other paths reach no upstream.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use K8sSa;
use K8sSa::Http;
use K8sSa::MockApi;
use K8sSa::Nginx;
use K8sSa::Upstream;


my $file = dir() . '/upstream';
my $up = echo_http($file);
my $api = K8sSa::MockApi->new;
my ($port, $http2) = map { free_port() } 1 .. 2;

my $nginx = K8sSa::Nginx->new(http => <<"_");
k8s_sa_issuer a {
    public_key @{[ key_file('ec') ]}; audience service2; timeout 2s;
    access_review @{[ $api->url('a') ]}/access;
}
server {
    listen 127.0.0.1:$port;
    listen 127.0.0.1:$http2 http2;
    k8s_sa_log_level info;
    add_header X-Result \$k8s_sa_result always;
    add_header X-Access \$k8s_sa_access always;
    k8s_sa_auth a;
    k8s_sa_authorize;

    location / { proxy_pass http://127.0.0.1:$up; }
    location = /healthz { k8s_sa_auth off; proxy_pass http://127.0.0.1:$up; }
    location /any/ { k8s_sa_paths any; proxy_pass http://127.0.0.1:$up; }
    location /loose/ {
        k8s_sa_paths any; k8s_sa_authorize resource=pods name=x;
        proxy_pass http://127.0.0.1:$up;
    }
    location /page/ {
        error_page 400 403 = \@page; proxy_pass http://127.0.0.1:$up;
    }
    location \@page { proxy_pass http://127.0.0.1:$up; }
    location /named/ {
        k8s_sa_authorize path=\$k8s_sa_path;
        proxy_pass http://127.0.0.1:$up;
    }
    location /api {
        proxy_pass http://127.0.0.1:$up;
        location ~ ^/api/v1/named {
            k8s_sa_authorize path=\$k8s_sa_path;
            proxy_pass http://127.0.0.1:$up;
        }
        location ~ ^/api/v1/prefix {
            k8s_sa_authorize path=/service1\$k8s_sa_path;
            proxy_pass http://127.0.0.1:$up;
        }
    }
    location ~ ^/(?:apis|openapi|version|livez|readyz|\\.well-known) {
        proxy_pass http://127.0.0.1:$up;
    }
    location ~ ^/ns/(?<ns>[^/]+)/pods\$ {
        k8s_sa_authorize resource=pods namespace=\$ns;
        proxy_pass http://127.0.0.1:$up;
    }
    location /rewritten/ {
        rewrite ^ /elsewhere?x=1 break; proxy_pass http://127.0.0.1:$up;
    }
}
_

$nginx->start;
$api->set('a', access => { allow => 1 });

my $token = account_token('mytest', 'service1');

sub ask {
    my ($target, %arg) = @_;

    my $answer = request($port, join "\r\n",
        ($arg{method} || 'GET') . " $target HTTP/1.1", 'Host: localhost',
        bearer($token), 'Connection: close', '', '');

    ($answer->{result}) = header_values($answer->{head}, 'X-Result');
    ($answer->{access}) = header_values($answer->{head}, 'X-Access');

    return $answer;
}

sub reached { return -e $file ? slurp($file) : '' }


# Spellings that can be read in two ways

my @odd = (
    '/public/../x', '/public/..', '/public/.', '/./x', '/x/.', '/../x',
    '/public/%2e%2e/x', '/public/%2E%2E/x', '/public/.%2e/x', '/%2e/x',
    '/public%2f..%2fx', '/a%2fb', '/a%2Fb', '/%2f', '//x', '/a//b', '/a//',
    '/a;b', '/a;/b', '/;x', '/a%3bb', '/a\\b', '/\\x', '/a%5cb', '/a%5Cb',
    '/a%252e%252e/b', '/a%25b', '/%ff', '/%c3', '/%c3%28', '/%ed%a0%80',
    '/%c0%ae%c0%ae/x', '/%00', '/a%00b', '/%0a', '/%0d%0a', '/%1f', '/%7f',
    '/a%3fb', '/a%23b', '/a#b', '/%', '/a%2', '/a%zz', '/a%2eb',
    '/healthz/..%2fx', '/x/..%2fhealthz', '/x/../healthz', '/x//../healthz',
    '/healthz;x', '/%2e%2e/healthz', '/./healthz', '/a/%2e%2e/healthz',
    '/named/%2e%2e/x', '/ns/a%2fb/pods', '/ns/..%2fa/pods', '/ns/a/../b/pods',
    "/\xc3\xbc", "/\xff", '/a/' . 'b' x 4096,
);

for my $path (@odd) {
    my $show = length $path > 40 ? substr($path, 0, 40) . '...' : $path;
    $show =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
    my $answer = ask($path);

    is($answer->{status}, 400, "$show: 400");
}

is_deeply([ $api->accesses('a') ], [], 'none of them is asked about');
is(reached(), '', 'none of them reaches the upstream');
cmp_ok(scalar(grep { ask($_)->{result} && 1 } '/a//b', '/x/../healthz'), '==',
       2, 'the result of the refused');
is(ask('/a//b')->{result}, 'bad_path', 'bad_path');
is(ask('/x/../healthz')->{result}, 'bad_path',
   'bad_path at an open location, too');


# Of the rest the upstream gets the path that was asked about

for my $case ([ '/a/b', '/a/b' ], [ '/a/', '/a/' ], [ '/', '/' ],
              [ '/a%20b', '/a b' ], [ '/%C3%BC', "/\xc3\xbc" ],
              [ '/a,b@c:d=e+f', '/a,b@c:d=e+f' ], [ '/%7Euser', '/~user' ],
              [ '/%6detrics', '/metrics' ], [ '/a?b=/../c', '/a' ],
              [ '/a.b/...', '/a.b/...' ], [ '/a*', '/a*' ])
{
    my ($target, $path) = @$case;
    my $answer = ask($target);

    is($answer->{status}, 200, "$target: allowed");
    is(($api->accesses('a'))[-1]{review}{spec}{nonResourceAttributes}{path},
       do { my $text = $path; utf8::decode($text); $text },
       "$target: asked");
    like($answer->{body}, qr/^GET \Q$target\E HTTP/, "$target: sent");
}


# After a refusal nothing is decided by an odd path

{
    my $before = length reached();
    my $answer = ask('/page/..%2fx');
    is($answer->{status}, 400, 'error_page: refused again');
    is(length reached(), $before, 'error_page: not sent');
}


# k8s_sa_paths any: a rule that needs the path refuses

{
    my $answer = ask('/any/a//b');
    is("$answer->{status} $answer->{result}", '400 bad_attributes',
       'any: the rule needs a path');
    $answer = ask('/loose/a//b');
    is("$answer->{status} $answer->{access}", '200 get pods name=x',
       'any: a rule that needs none');
}


# Default roles

for my $path ('/api', '/api/v1', '/apis', '/apis/apps', '/openapi/v2',
              '/version', '/livez', '/readyz',
              '/.well-known/openid-configuration')
{
    my $before = $api->accesses('a');
    my $answer = ask($path);
    is("$answer->{status} $answer->{result}", '403 access_denied',
       "$path: default role");
    is(scalar $api->accesses('a'), $before, "$path: not asked");
    like($nginx->log, qr/access_denied\): .*: default roles allow this path.*write "path="/,
         "$path: log");
}

is(ask('/apiv2')->{access}, 'get /apiv2', '/apiv2 has no default role');
is(ask('/api/v1/named')->{access}, 'get /api/v1/named', 'path=$k8s_sa_path');
is(ask('/api/v1/prefix')->{access}, 'get /service1/api/v1/prefix',
   'path=/service1$k8s_sa_path');


# Captures, rewrites

is(ask('/ns/a-1/pods')->{access}, 'get pods namespace=a-1', 'a named capture');
{
    my $answer = ask('/ns/A/pods');
    is("$answer->{status} $answer->{result}", '403 access_denied',
       'a capture that is unfit');
    $answer = ask('/rewritten/x?y=2');
    is($answer->{access}, 'get /rewritten/x', 'a rewrite changes nothing');
    like($answer->{body}, qr{^GET /elsewhere\?x=1&y=2 HTTP}, 'it is done');
}


# HTTP/2

sub http2 {
    my ($path) = @_;
    my $command = join ' ', 'curl -s -o /dev/null --path-as-is',
        '--http2-prior-knowledge', '-w "%{http_code}"',
        "-H '@{[ bearer($token) ]}'", "'http://127.0.0.1:$http2$path'";
    my $out = `$command`;
    return $out;
}

is(http2('/two/%C3%BC'), 200, 'HTTP/2: a path');
is(($api->questions('a'))[-1], "get /two/\xfc", 'HTTP/2: is asked about');

for my $path ('/a/../b', '/a%2fb', '/a//b', '/a;b', '/x/..%2fhealthz',
              '/%2e%2e/healthz', '/%ff')
{
    my $before = $api->accesses('a');
    is(http2($path), 400, "HTTP/2: $path");
    is(scalar $api->accesses('a'), $before, "HTTP/2: $path: not asked");
}


# Other forms of a request line

{
    my $answer = request($port, "GET http://localhost/absolute HTTP/1.1\r\n"
        . "Host: localhost\r\n" . bearer($token) . "\r\nConnection: close\r\n\r\n");
    is((header_values($answer->{head}, 'X-Access'))[0], 'get /absolute',
       'absolute form');

    $answer = request($port, "GET /one HTTP/1.0\r\n" . bearer($token)
                             . "\r\n\r\n");
    is((header_values($answer->{head}, 'X-Access'))[0], 'get /one',
       'HTTP/1.0');

    $answer = request($port, "GET http://localhost HTTP/1.1\r\n"
        . "Host: localhost\r\n" . bearer($token) . "\r\nConnection: close\r\n\r\n");
    is((header_values($answer->{head}, 'X-Access'))[0], 'get /',
       'absolute form without a path');

    my $before = $api->accesses('a');

    $answer = request($port, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n"
                      . bearer($token) . "\r\nConnection: close\r\n\r\n");
    cmp_ok($answer->{status}, '>=', 400, 'OPTIONS *');
    $answer = request($port, "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n"
                      . bearer($token) . "\r\nConnection: close\r\n\r\n");
    cmp_ok($answer->{status}, '>=', 400, 'CONNECT');
    $answer = ask('/a', method => 'TRACE');
    is($answer->{status}, 405, 'TRACE');
    is(scalar $api->accesses('a'), $before, 'none of them is asked about');

    my $c = talk($port);
    print {$c->{socket}} "GET /zero\r\n";
    local $/;
    my $body = readline $c->{socket};
    unlike(defined $body ? $body : '', qr/^GET /m, 'HTTP/0.9: no token');
}

K8sSa::Nginx->finish;
